from collections.abc import Collection, Sequence
from datetime import date, datetime

import msgspec

from market.db.session import fetch_into
from market.deals.arrivals.rules import INSPECT_BY
from market.errors import NotFound
from market.i18n import msg


class DealRow(msgspec.Struct, frozen=True):
    """Grams, and fen per kg at the farm gate. Seen by its two sides, and by the seller's town.

    ``quantity`` and ``price`` are those it was made with; what it comes to now stands below.
    """

    id: int
    number: str
    listing: int
    title: str
    title_en: str
    produce: str
    variety: str
    grade: int
    demand: int | None
    site_name: str | None
    site_name_en: str | None
    seller: int
    seller_name: str
    seller_name_en: str
    seller_uscc: str | None
    buyer: int
    buyer_name: str
    buyer_name_en: str
    buyer_uscc: str | None
    origin: str
    quantity: int
    price: int
    source: str
    source_id: int
    state: str
    deliver_from: date
    deliver_to: date
    seller_signed_at: datetime | None
    seller_signer: str | None
    buyer_signed_at: datetime | None
    buyer_signer: str | None
    created_at: datetime
    #: Grams taken by the buyer so far.
    delivered: int
    #: Fen paid so far.
    paid: int
    #: Grams that went back on sale when it was over; below nought: held above the quantity, in its tolerance.
    released: int = 0
    terminated_at: datetime | None = None
    #: When it was cancelled before it bound, by which side, why, and in whose words.
    dropped_at: datetime | None = None
    dropped_by: int | None = None
    reason_zh: str | None = None
    reason_en: str | None = None
    dropped_note: str = ""
    #: Fen per kg that the terms in force settle at.
    price_now: int = 0
    #: Grams that stand: under the contract still, or taken; and what they come to (fen).
    standing: int = 0
    worth: int = 0
    #: Grams that a termination took out, and what they would have come to (fen).
    ended: int = 0
    ended_worth: int = 0
    #: Grams lost on the way within the agreed rate, and fen of what was taken.
    lost: int = 0
    invoiced: int = 0
    #: The scanned paper that a side's signature rests on; None: signed in the app, or not at all.
    seller_scan: int | None = None
    buyer_scan: int | None = None
    #: Fen that standing invoices come to.
    billed: int = 0
    seller_signer_en: str | None = None
    buyer_signer_en: str | None = None
    #: How it was terminated (``endings.rules.HOW``), and by agreement what becomes of the deposit.
    ended_how: str | None = None
    deposit_then: str | None = None

    @property
    def to_return(self) -> int:
        """Fen that were paid beyond the final price of a contract that is over: the buyer's to have back.

        A deposit in it may be forfeit or owed twice, where there was a breach: that is not for a sum to say.
        """
        is_final = self.state == "completed" or (
            self.state == "terminated" and self.standing <= self.delivered + self.lost
        )
        return max(0, self.paid - self.invoiced) if is_final else 0


_SCAN = """(SELECT max(scan.id) FROM contract_scan scan WHERE scan.deal = deal.id
         AND scan.state IN ('waiting', 'confirmed', 'filed', 'disputed')
         AND (scan.signs AND scan.organisation = deal.{side}
              OR scan.state = 'confirmed' AND scan.organisation <> deal.{side}))"""
_DEAL = f"""SELECT deal.id, deal.number, deal.listing, listing.title, listing.title_en, lot.produce,
       lot.variety, lot.grade, deal.demand, site.name AS site_name, site.name_en AS site_name_en,
       deal.seller, seller.name AS seller_name, seller.name_en AS seller_name_en,
       seller.uscc AS seller_uscc, deal.buyer, buyer.name AS buyer_name, buyer.name_en AS buyer_name_en,
       buyer.uscc AS buyer_uscc, coalesce(division.path, '') AS origin, deal.quantity, deal.price,
       deal.source, deal.source_id, deal.state, deal.deliver_from, deal.deliver_to,
       deal.seller_signed_at, seller_person.name AS seller_signer,
       seller_person.name_en AS seller_signer_en, buyer_person.name_en AS buyer_signer_en,
       deal.buyer_signed_at, buyer_person.name AS buyer_signer, deal.created_at,
       standing.taken AS delivered, standing.paid, deal.released, deal.terminated_at, deal.ended_how,
       (SELECT deposit FROM contract_ending WHERE contract_ending.deal = deal.id
        AND contract_ending.state = 'agreed') AS deposit_then,
       deal.dropped_at, deal.dropped_by, reason.zh AS reason_zh, reason.en AS reason_en,
       deal.dropped_note, standing.price AS price_now,
       standing.grams AS standing, standing.fen AS worth, standing.ended_grams AS ended,
       standing.ended_fen AS ended_worth, standing.lost, standing.invoiced,
       {_SCAN.format(side="seller")} AS seller_scan, {_SCAN.format(side="buyer")} AS buyer_scan,
       coalesce((SELECT fen FROM invoice_standing WHERE invoice_standing.deal = deal.id), 0) AS billed
FROM deal JOIN deal_standing standing ON standing.deal = deal.id
JOIN listing ON listing.id = deal.listing JOIN lot ON lot.id = listing.lot
JOIN organisation seller ON seller.id = deal.seller
JOIN organisation buyer ON buyer.id = deal.buyer
LEFT JOIN reason ON reason.code = deal.dropped_for
LEFT JOIN division ON division.code = lot.division
LEFT JOIN demand ON demand.id = deal.demand
LEFT JOIN site ON site.id = demand.site
LEFT JOIN person seller_person ON seller_person.id = deal.seller_signed_by
LEFT JOIN person buyer_person ON buyer_person.id = deal.buyer_signed_by
"""  # noqa: S608  words of ours; values are parameters


class DeliveryRow(msgspec.Struct, frozen=True):
    id: int
    deal: int
    quantity: int
    accepted: int | None
    #: Grams lost on the way within the agreed rate.
    loss: int
    state: str
    reason_zh: str | None
    reason_en: str | None
    #: The buyer's words at inspection.
    note: str
    #: When it was meant to leave, and when it did.
    scheduled_on: date
    dispatched_at: datetime | None
    arrived_at: datetime | None
    #: The last day on which the buyer may still say what it found; None: nobody has said that it came.
    inspect_by: date | None = None
    #: When it counted as taken because its buyer had said nothing.
    passed_at: datetime | None = None


class PaymentRow(msgspec.Struct, frozen=True):
    id: int
    deal: int
    #: Fen.
    amount: int
    #: Fen paid of it so far.
    paid: int
    #: deposit, advance or goods.
    kind: str
    state: str
    due_on: date
    paid_on: date | None
    #: Fen that the buyer says were paid, and the seller that they did not come; no part of ``paid``.
    disputed: int
    #: It counts from the invoice: days after it; and the latest day whatever comes.
    invoice_days: int | None = None
    due_latest: date | None = None


async def deal_of(*, deal_id: int, organisation_id: int) -> DealRow:
    """Return one deal to one of its sides or to the seller's town.

    Raises:
        NotFound: there is none, or it is not yours.
    """
    rows = await fetch_into(
        DealRow,
        _DEAL + "WHERE deal.id = $1 AND $2 IN (deal.seller, deal.buyer, seller.town)",
        deal_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这份合同。"))
    return rows[0]


async def deals_of(*, organisation_id: int, demand_id: int | None = None) -> list[DealRow]:
    """Return all deals of the organisation, or of its sellers where it is a town, newest first.

    ``demand_id``: those alone that count towards this demand.
    """
    return await fetch_into(
        DealRow,
        _DEAL
        + """WHERE $1 IN (deal.seller, deal.buyer, seller.town) AND ($2::bigint IS NULL OR deal.demand = $2)
             ORDER BY deal.created_at DESC, deal.id DESC""",
        organisation_id,
        demand_id,
    )


async def page_of_deals(
    *, organisation_id: int, states: Collection[str], limit: int, offset: int
) -> list[DealRow]:
    """Return a part of :func:`deals_of`, of contracts in ``states``."""
    return await fetch_into(
        DealRow,
        # the numbers first: what stands is then reckoned of these alone
        _DEAL  # noqa: S608  words of ours; values are parameters
        + """WHERE deal.id = ANY(ARRAY(
               SELECT deal.id FROM deal JOIN organisation seller ON seller.id = deal.seller
               WHERE $1 IN (deal.seller, deal.buyer, seller.town) AND deal.state = ANY($2::text[])
               ORDER BY deal.created_at DESC, deal.id DESC LIMIT $3 OFFSET $4))
             ORDER BY deal.created_at DESC, deal.id DESC""",
        organisation_id,
        sorted(states),
        limit,
        offset,
    )


class Tally(msgspec.Struct, frozen=True):
    """How many contracts are in a state, and what they come to: grams and fen that stand, grams taken."""

    state: str
    number: int
    grams: int
    fen: int
    delivered: int


async def tallies_of(*, organisation_id: int) -> list[Tally]:
    """Return the sums over :func:`deals_of` by state."""
    return await fetch_into(
        Tally,
        """SELECT deal.state, count(*) AS number, sum(standing.grams)::bigint AS grams,
                  sum(standing.fen)::bigint AS fen, sum(standing.taken)::bigint AS delivered
           FROM deal JOIN deal_standing standing ON standing.deal = deal.id
           JOIN organisation seller ON seller.id = deal.seller
           WHERE $1 IN (deal.seller, deal.buyer, seller.town) GROUP BY deal.state""",
        organisation_id,
    )


async def deliveries_of(*, deal_id: int) -> list[DeliveryRow]:
    return await deliveries_under([deal_id])


async def deliveries_under(deal_ids: Sequence[int]) -> list[DeliveryRow]:
    """Return the deliveries of several contracts, in the order in which they were announced."""
    return await fetch_into(
        DeliveryRow,
        f"""SELECT delivery.id, delivery.deal, delivery.quantity, delivery.accepted, delivery.loss,
                  delivery.state, reason.zh AS reason_zh, reason.en AS reason_en, delivery.note,
                  delivery.scheduled_on, delivery.dispatched_at, delivery.arrived_at,
                  {INSPECT_BY} AS inspect_by, delivery.passed_at
           FROM delivery LEFT JOIN reason ON reason.code = delivery.reason
           WHERE delivery.deal = ANY($1::bigint[]) ORDER BY delivery.id""",  # noqa: S608  words of ours
        list(deal_ids),
    )


async def payments_of(*, deal_id: int) -> list[PaymentRow]:
    return await payments_under([deal_id])


async def payments_under(deal_ids: Sequence[int]) -> list[PaymentRow]:
    """Return the payments of several contracts, by the day on which they are due."""
    return await fetch_into(
        PaymentRow,
        """SELECT id, deal, amount, paid, kind, state, due_on, paid_on, disputed, invoice_days, due_latest
           FROM payment WHERE deal = ANY($1::bigint[]) AND amount > 0 ORDER BY due_on, id""",
        list(deal_ids),
    )
