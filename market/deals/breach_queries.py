"""Cases of breach as the two sides and the seller's town read them. A draft is its author's alone."""

from datetime import date, datetime

import msgspec

from market.clock import CHINA
from market.db.session import fetch_into, fetch_one_into
from market.deals.breach_rules import Figures, Substitute, figures_of, residual
from market.deals.clauses import price_of
from market.deals.endings.rules import AGREEMENT
from market.deals.pieces import COLUMNS, PieceRow
from market.deals.queries import DealRow
from market.deals.terms import terms_in_force
from market.errors import NotFound
from market.i18n import msg
from market.units import FenPerKg, Gram, amount


class BreachRow(msgspec.Struct, frozen=True):
    """One case. ``against`` is the side that is said to be in breach."""

    id: int
    deal: int
    number: str
    deal_state: str
    title: str
    title_en: str
    against: str
    seller: int
    buyer: int
    claimant: int
    claimant_name: str
    claimant_name_en: str
    respondent: int
    respondent_name: str
    respondent_name_en: str
    ground: str
    quantity: int | None
    claim: int | None
    statement: str
    state: str
    created_at: datetime
    filed_at: datetime | None
    answer_by: date | None
    answer: str
    answered_at: datetime | None
    decision: str
    decided_at: datetime | None
    decided_by: str | None
    offer: str
    offered_by: int | None
    settled_at: datetime | None
    terminated_at: datetime | None


_CASE = """SELECT breach.id, breach.deal, deal.number, deal.state AS deal_state, listing.title,
    listing.title_en, CASE WHEN breach.respondent = deal.seller THEN 'seller' ELSE 'buyer' END AS against,
    deal.seller, deal.buyer, breach.claimant, claimant.name AS claimant_name,
    claimant.name_en AS claimant_name_en, breach.respondent, respondent.name AS respondent_name,
    respondent.name_en AS respondent_name_en, breach.ground, breach.quantity, breach.claim,
    breach.statement, breach.state, breach.created_at, breach.filed_at, breach.answer_by, breach.answer,
    breach.answered_at, breach.decision, breach.decided_at, person.name AS decided_by, breach.offer,
    breach.offered_by, breach.settled_at, breach.terminated_at
FROM breach JOIN deal ON deal.id = breach.deal JOIN listing ON listing.id = deal.listing
JOIN organisation claimant ON claimant.id = breach.claimant
JOIN organisation respondent ON respondent.id = breach.respondent
JOIN organisation seller ON seller.id = deal.seller
LEFT JOIN person ON person.id = breach.decided_by
WHERE ($1 = breach.claimant OR breach.state <> 'draft' AND $1 IN (deal.seller, deal.buyer, seller.town))
"""


async def case_of(*, breach_id: int, organisation_id: int) -> BreachRow:
    """Return one case to one of its sides or to the seller's town.

    Raises:
        NotFound: there is none, or it is not yours to see.
    """
    found = await fetch_one_into(BreachRow, _CASE + "AND breach.id = $2", organisation_id, breach_id)
    if found is None:
        raise NotFound(msg("没有找到这件违约。"))
    return found


async def cases_of(*, organisation_id: int, deal_id: int | None = None) -> list[BreachRow]:
    """Return the cases that the organisation may see, of one contract where it is given; open ones first."""
    return await fetch_into(
        BreachRow,
        _CASE
        + """AND ($2::bigint IS NULL OR breach.deal = $2)
             ORDER BY breach.state IN ('confirmed', 'not_confirmed', 'settled'), breach.id DESC""",
        organisation_id,
        deal_id,
    )


async def evidence_of(*, breach_id: int) -> list[PieceRow]:
    """Return what was put to a case, the oldest first. Who may see the case is for the caller to know."""
    return await fetch_into(
        PieceRow,
        f"""SELECT {COLUMNS} FROM breach_evidence piece
            JOIN organisation ON organisation.id = piece.organisation
            WHERE piece.breach = $1 ORDER BY piece.id""",  # noqa: S608  words of ours; values are parameters
        breach_id,
    )


class _Performed(msgspec.Struct, frozen=True):
    settled: int
    under_way: int


async def performed(*, deal_id: int) -> tuple[int, int]:
    """Return the grams of a contract that are done with (taken, or lost as agreed), and those under way."""
    found = await fetch_one_into(
        _Performed,
        """SELECT (coalesce(sum(accepted + loss)
                     FILTER (WHERE state IN ('accepted', 'partially_accepted')), 0))::bigint AS settled,
                  (coalesce(sum(quantity) FILTER (WHERE state IN ('dispatched', 'arrived')), 0))::bigint
                     AS under_way
           FROM delivery WHERE deal = $1""",
        deal_id,
    )
    return (found.settled, found.under_way) if found else (0, 0)


class _Prepaid(msgspec.Struct, frozen=True):
    deposit: int
    advance: int
    used: int


async def figures(*, case: BreachRow, deal: DealRow) -> tuple[Figures, list[Substitute]]:
    """Return what the terms in force would make of the case, and the deals that took the contract's place."""
    _, terms = await terms_in_force(deal_id=deal.id)
    settled, under_way = await performed(deal_id=deal.id)
    later: list[Substitute] = []
    if case.terminated_at is not None:
        later = await _substitutes(case=case, deal=deal)
    prepaid = await prepaid_of(deal_id=deal.id)
    deposit_left = max(0, prepaid.deposit - prepaid.used)
    sums = figures_of(
        terms,
        against=case.against,
        price=price_of(terms, FenPerKg(deal.price)),
        unperformed=residual(quantity=deal.quantity, settled=settled, under_way=under_way),
        deposit=deposit_left,
        deposit_paid=prepaid.deposit,
        # a price that fell since cuts no deposit that was within the law when it was paid
        whole=amount(Gram(deal.quantity), max(FenPerKg(deal.price), price_of(terms, FenPerKg(deal.price)))),
        advance=max(0, prepaid.deposit + prepaid.advance - prepaid.used - deposit_left),
        substitutes=later,
    )
    if deal.ended_how == AGREEMENT:
        # both wrote down what becomes of the deposit: it is not returned double, whoever failed before
        sums = msgspec.structs.replace(sums, deposit_back=0)
    return sums, later


async def prepaid_of(*, deal_id: int) -> _Prepaid:
    """Return what was paid as deposit and as advance, and how much of both the goods have used up (fen)."""
    found = await fetch_one_into(
        _Prepaid,
        """SELECT (coalesce(sum(paid) FILTER (WHERE kind = 'deposit'), 0))::bigint AS deposit,
                  (coalesce(sum(paid) FILTER (WHERE kind = 'advance'), 0))::bigint AS advance,
                  (SELECT coalesce(sum(credit), 0) FROM delivery WHERE deal = $1)::bigint AS used
           FROM payment WHERE deal = $1""",
        deal_id,
    )
    return found or _Prepaid(0, 0, 0)


class _Later(msgspec.Struct, frozen=True):
    number: str
    created_at: datetime
    quantity: int
    price: int


async def _substitutes(*, case: BreachRow, deal: DealRow) -> list[Substitute]:
    """Deals made since the notice: of the same lot where the buyer failed, else for the same demand."""
    where = "listing.lot = (SELECT lot FROM listing WHERE id = $2)"
    if case.against == "seller":
        where = "deal.demand = $2"
    rows = await fetch_into(
        _Later,
        f"""SELECT deal.number, deal.created_at, (deal.quantity - deal.released)::bigint AS quantity,
                   deal.price
            FROM deal JOIN listing ON listing.id = deal.listing
            WHERE deal.id <> $1 AND {where} AND deal.created_at >= $3 AND deal.state <> 'cancelled'
              AND deal.quantity > deal.released ORDER BY deal.id LIMIT 100""",  # noqa: S608  our own text
        deal.id,
        deal.listing if case.against == "buyer" else deal.demand,
        case.terminated_at,
    )
    return [Substitute(e.number, e.created_at.astimezone(CHINA).date(), e.quantity, e.price) for e in rows]
