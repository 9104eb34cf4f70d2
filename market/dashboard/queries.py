from datetime import date

import msgspec

from market.dashboard.received import SUMS, Received
from market.db.session import fetch, fetch_into
from market.meetings.planning.unfit import SAID_ABSENT


class Funnel(msgspec.Struct, frozen=True):
    """Grams of the town's goods at each stage. A gram that has come further is counted in every stage before.

    ``listed`` is whatever was ever put on sale, whether it still is or not, and however often.

    ``signed`` is what stands of the contracts that both sides signed, ``delivered`` what buyers have taken.
    """

    listed: int
    matched: int
    met: int
    signed: int
    delivered: int


class Money(msgspec.Struct, frozen=True):
    """Fen. ``intended``: deals not signed by both yet. ``ended``: what terminations took out of it.

    Goods that a deposit or an advance has covered are in ``delivered``, which is what all goods taken are
    worth, and not among the goods of ``received``.
    """

    intended: int
    signed: int
    ended: int
    delivered: int
    received: Received


class Counts(msgspec.Struct, frozen=True):
    sellers: int
    listings: int
    demands: int
    deals: int
    signed_deals: int
    buyers: int
    meetings: int


class Flow(msgspec.Struct, frozen=True):
    """Grams that go from one seller to one chain, under deals that hold goods."""

    seller: str
    seller_en: str
    buyer: str
    buyer_en: str
    grams: int


class Stuck(msgspec.Struct, frozen=True):
    """A listing with a rest that no open match or deal takes. Grams."""

    listing: int
    title: str
    title_en: str
    seller: str
    seller_en: str
    remaining: int
    promised: int
    available_to: date
    #: What the newest finished run found; None where it did not look at the listing, or found a taker.
    obstacle: str | None


#: What stands of the town's contracts; whatever was terminated is taken out (the view says how).
_TOWN_DEAL = """FROM deal JOIN organisation seller ON seller.id = deal.seller
JOIN deal_standing standing ON standing.deal = deal.id
WHERE $1 IN (seller.town, seller.id) AND deal.state <> 'cancelled'"""


async def funnel(*, town_id: int) -> Funnel:
    """Return how far the town's goods have come."""
    rows = await fetch_into(
        Funnel,
        f"""WITH live AS (SELECT deal.id, standing.grams AS quantity, deal.state, deal.seller,
                                 deal.buyer, standing.taken {_TOWN_DEAL}),
        goods AS (SELECT listing.id, lot.id AS lot, lot.quantity FROM listing
                  JOIN lot ON lot.id = listing.lot JOIN organisation ON organisation.id = listing.owner
                  WHERE $1 IN (organisation.town, organisation.id)
                    AND listing.state NOT IN ('draft', 'pending')),
        open_match AS (SELECT match.listing, match.seller, match.buyer, match.quantity FROM match
                       JOIN goods ON goods.id = match.listing
                       WHERE match.state IN ('proposed', 'one_side_agreed', 'agreed')),
        held AS (SELECT appointment.seller, appointment.buyer FROM appointment
                 WHERE appointment.state = 'held' AND NOT {SAID_ABSENT}),
        signed AS (SELECT coalesce(sum(quantity), 0)::bigint AS grams FROM live
                   WHERE state IN ('active', 'completed', 'terminated'))
        SELECT
          (SELECT coalesce(sum(quantity), 0)::bigint
           FROM (SELECT DISTINCT lot, quantity FROM goods) once) AS listed,
          ((SELECT coalesce(sum(quantity), 0) FROM live)
            + (SELECT coalesce(sum(quantity), 0) FROM open_match))::bigint AS matched,
          greatest((SELECT coalesce(sum(quantity), 0) FROM live
             WHERE state IN ('active', 'completed', 'terminated')
               OR (seller, buyer) IN (SELECT seller, buyer FROM held))
            + (SELECT coalesce(sum(quantity), 0) FROM open_match
               WHERE (seller, buyer) IN (SELECT seller, buyer FROM held)), 0)::bigint AS met,
          (SELECT grams FROM signed) AS signed,
          (SELECT coalesce(sum(taken), 0)::bigint FROM live) AS delivered""",  # noqa: S608  our own text
        town_id,
    )
    return rows[0]


async def money(*, town_id: int) -> Money:
    rows = await fetch_into(
        Money,
        f"""WITH live AS (SELECT deal.id, deal.state, standing.fen, standing.ended_fen,
                                 standing.invoiced {_TOWN_DEAL}),
        came AS (SELECT {SUMS} FROM payment WHERE deal IN (SELECT id FROM live))
        SELECT
          coalesce(sum(fen) FILTER (WHERE state IN ('pending', 'partly_signed')), 0)::bigint AS intended,
          coalesce(sum(fen) FILTER (WHERE state NOT IN ('pending', 'partly_signed')), 0)::bigint AS signed,
          coalesce(sum(ended_fen), 0)::bigint AS ended,
          coalesce(sum(invoiced), 0)::bigint AS delivered,
          (SELECT to_jsonb(came) FROM came) AS received
        FROM live""",  # noqa: S608  words of ours; values are parameters
        town_id,
    )
    return rows[0]


async def counts(*, town_id: int) -> Counts:
    rows = await fetch(
        f"""WITH live AS (SELECT deal.id, deal.state, deal.buyer {_TOWN_DEAL}
                      AND (standing.grams > 0 OR deal.state <> 'terminated')),
        goods AS (SELECT listing.id, listing.owner FROM listing
                  JOIN organisation ON organisation.id = listing.owner
                  WHERE $1 IN (organisation.town, organisation.id) AND listing.state = 'published')
        SELECT (SELECT count(DISTINCT owner) FROM goods) AS sellers,
               (SELECT count(*) FROM goods) AS listings,
               (SELECT count(*) FROM demand WHERE state = 'published' AND open > 0) AS demands,
               (SELECT count(*) FROM live) AS deals,
               (SELECT count(*) FROM live
                WHERE state IN ('active', 'completed', 'terminated')) AS signed_deals,
               (SELECT count(DISTINCT buyer) FROM live
                WHERE state IN ('active', 'completed', 'terminated')) AS buyers,
               (SELECT count(*) FROM meeting WHERE town = $1 AND state <> 'cancelled') AS meetings""",  # noqa: S608  words of ours; values are parameters
        town_id,
    )
    return Counts(**dict(rows[0]))


async def flows(*, town_id: int) -> list[Flow]:
    """Return the town's goods from seller to chain, the largest first."""
    return await fetch_into(
        Flow,
        """SELECT seller.name AS seller, seller.name_en AS seller_en, buyer.name AS buyer,
                  buyer.name_en AS buyer_en, sum(standing.grams)::bigint AS grams
           FROM deal JOIN deal_standing standing ON standing.deal = deal.id
           JOIN organisation seller ON seller.id = deal.seller
           JOIN organisation buyer ON buyer.id = deal.buyer
           WHERE $1 IN (seller.town, seller.id) AND standing.grams > 0
           GROUP BY seller.id, buyer.id ORDER BY grams DESC, seller.id, buyer.id""",
        town_id,
    )


async def stuck(*, town_id: int) -> list[Stuck]:
    """Return listings whose rest nobody has agreed to take, the largest rest first."""
    return await fetch_into(
        Stuck,
        """SELECT listing.id AS listing, listing.title, listing.title_en, owner.name AS seller,
                  owner.name_en AS seller_en, lot.remaining, coalesce(promised.grams, 0) AS promised,
                  listing.available_to,
                  (SELECT diagnosis.obstacle FROM diagnosis JOIN run ON run.id = diagnosis.run
                   WHERE diagnosis.listing = listing.id AND diagnosis.rank = 1
                     AND run.id = (SELECT max(newest.id) FROM run newest
                                   WHERE newest.town = run.town AND newest.state = 'done')
                   ORDER BY run.id DESC LIMIT 1) AS obstacle
           FROM listing JOIN lot ON lot.id = listing.lot JOIN organisation owner ON owner.id = listing.owner
           LEFT JOIN (SELECT listing, sum(quantity)::bigint AS grams FROM match
                      WHERE state IN ('proposed', 'one_side_agreed', 'agreed') GROUP BY listing) promised
             ON promised.listing = listing.id
           WHERE $1 IN (owner.town, owner.id) AND listing.state = 'published'
             AND lot.remaining > coalesce(promised.grams, 0)
           ORDER BY lot.remaining - coalesce(promised.grams, 0) DESC, listing.id""",
        town_id,
    )
