"""Proposals to end a contract and notices of force majeure. Who may see them is for the caller to know."""

from datetime import date, datetime

import msgspec

from market.db.session import fetch_into, fetch_one_into, fetch_value
from market.errors import NotFound
from market.i18n import msg


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


class ProofRow(msgspec.Struct, frozen=True):
    id: int
    ending: int
    organisation: int
    organisation_name: str
    organisation_name_en: str
    words: str
    #: "" where it has no picture; ``is_gone``: it was kept as long as it has to be.
    content_hash: str
    is_gone: bool
    created_at: datetime


async def proof_under(*, deal_id: int) -> list[ProofRow]:
    """Return what either side put to a notice of force majeure under a contract, the oldest first."""
    return await fetch_into(
        ProofRow,
        """SELECT proof.id, proof.ending, proof.organisation, organisation.name AS organisation_name,
                  organisation.name_en AS organisation_name_en, proof.words, proof.content_hash,
                  proof.content_hash <> '' AND proof.image IS NULL AS is_gone, proof.created_at
           FROM ending_proof proof JOIN contract_ending ending ON ending.id = proof.ending
           JOIN organisation ON organisation.id = proof.organisation
           WHERE ending.deal = $1 ORDER BY proof.id""",
        deal_id,
    )


class _Image(msgspec.Struct, frozen=True):
    image: bytes


async def proof_image(*, deal_id: int, proof_id: int) -> bytes:
    """Return a picture (WebP).

    Raises:
        NotFound: that piece has none.
    """
    found = await fetch_one_into(
        _Image,
        """SELECT image FROM ending_proof proof JOIN contract_ending ending ON ending.id = proof.ending
           WHERE ending.deal = $1 AND proof.id = $2 AND image IS NOT NULL""",
        deal_id,
        proof_id,
    )
    if found is None:
        raise NotFound(msg("没有找到这张图片。"))
    return found.image
