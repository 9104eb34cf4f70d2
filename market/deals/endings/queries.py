"""Proposals to end a contract and notices of force majeure. Who may see them is for the caller to know."""

from datetime import date, datetime

import msgspec

from market.db.session import fetch_into, fetch_value
from market.deals.pieces import COLUMNS, PieceRow


class EndingRow(msgspec.Struct, frozen=True):
    """``kind``: agreement or force_majeure."""

    id: int
    deal: int
    kind: str
    state: str
    proposer: int
    proposer_name: str
    proposer_name_en: str
    reason_zh: str | None
    reason_en: str | None
    event: str | None
    happened_on: date | None
    words: str
    deposit: str | None
    created_at: datetime
    refused_zh: str | None
    refused_en: str | None
    refused_note: str
    answered_at: datetime | None


async def endings_of(*, deal_id: int) -> list[EndingRow]:
    """Return every proposal and notice of a contract, the newest first."""
    return await fetch_into(
        EndingRow,
        """SELECT ending.id, ending.deal, ending.kind, ending.state, ending.proposer,
                  organisation.name AS proposer_name, organisation.name_en AS proposer_name_en,
                  reason.zh AS reason_zh, reason.en AS reason_en, ending.event, ending.happened_on,
                  ending.words, ending.deposit, ending.created_at, no.zh AS refused_zh, no.en AS refused_en,
                  ending.refused_note, ending.answered_at
           FROM contract_ending ending JOIN organisation ON organisation.id = ending.proposer
           LEFT JOIN reason ON reason.code = ending.reason LEFT JOIN reason no ON no.code = ending.refused
           WHERE ending.deal = $1 ORDER BY ending.id DESC""",
        deal_id,
    )


async def ending_to_answer(*, organisation_id: int) -> frozenset[int]:
    """Return the contracts that the other side of this organisation proposes to end."""
    rows = await fetch_into(
        _Waiting,
        """SELECT deal.id FROM contract_ending JOIN deal ON deal.id = contract_ending.deal
           WHERE contract_ending.state = 'proposed' AND $1 IN (deal.seller, deal.buyer)
             AND contract_ending.proposer <> $1""",
        organisation_id,
    )
    return frozenset(row.id for row in rows)


class _Waiting(msgspec.Struct, frozen=True):
    id: int


async def notice_side(*, deal_id: int) -> str | None:
    """Return which side ended a contract by a notice of force majeure; None: it did not end so."""
    side: str | None = await fetch_value(
        """SELECT CASE WHEN proposer = deal.seller THEN 'seller' ELSE 'buyer' END
           FROM contract_ending JOIN deal ON deal.id = contract_ending.deal
           WHERE deal.id = $1 AND contract_ending.state = 'noticed'""",
        deal_id,
    )
    return side


class ProofRow(PieceRow, frozen=True):
    ending: int


async def proof_under(*, deal_id: int) -> list[ProofRow]:
    """Return what either side put to a notice of force majeure under a contract, the oldest first."""
    return await fetch_into(
        ProofRow,
        f"""SELECT piece.ending, {COLUMNS}
            FROM ending_proof piece JOIN contract_ending ending ON ending.id = piece.ending
            JOIN organisation ON organisation.id = piece.organisation
            WHERE ending.deal = $1 ORDER BY piece.id""",  # noqa: S608  words of ours; values are parameters
        deal_id,
    )
