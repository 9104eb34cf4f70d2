"""Prices of bids, offers and counters that may be a slip: asked back once, wherever they come from."""

from market.amounts import odd_price
from market.bids.joint import rules as joint
from market.bids.rules import SUBMITTED
from market.db.session import fetch
from market.demand.rules import PUBLISHED as DEMAND_PUBLISHED
from market.errors import Invalid
from market.i18n import Message
from market.supply.rules import PUBLISHED
from market.units import FenPerKg


def slip_in(price: FenPerKg, *, asked: int, ceiling: int | None = None) -> Message | None:
    """Return the question to ask back where ``price`` is far from what the goods are asked for.

    ``ceiling``: what the demand that is answered pays at most, where there is one. Fen per kg.
    """
    return odd_price(price, low=FenPerKg(asked), high=FenPerKg(max(asked, ceiling or 0)))


async def check_meant(
    price: FenPerKg,
    *,
    sure: bool,
    listing_id: int | None = None,
    demand_id: int | None = None,
    bid_id: int | None = None,
    joint_id: int | None = None,
    lead_id: int | None = None,
) -> None:
    """Ask back a price that may be a slip: of a bid on a listing, an offer to a demand, an answer to a bid, a
    share of the joint offer ``joint_id``, or of one that ``lead_id`` is about to open.

    Nothing is asked where goods, demand, bid or joint offer are not open for it: what is wrong there, the
    deed itself says, and who sends the same once more after it was done gets the same answer.

    Raises:
        Invalid: for ``price``, unless it is ``sure``.
    """
    if sure:
        return
    rows = await fetch(
        """SELECT listing.ask, demand.ceiling FROM listing
           LEFT JOIN demand ON demand.id = $2 LEFT JOIN bid ON bid.id = $3
           WHERE listing.id = coalesce($1, bid.listing) AND listing.state = $4
             AND ($2::bigint IS NULL OR demand.state = $5) AND ($3::bigint IS NULL OR bid.state = $6)
             AND ($7::bigint IS NULL OR EXISTS (SELECT FROM joint_offer WHERE id = $7 AND state = ANY($9)))
             AND NOT EXISTS (SELECT FROM joint_share WHERE joint_share.joint = $7
               AND joint_share.seller = listing.owner AND joint_share.state = ANY($11))
             AND ($8::bigint IS NULL OR NOT EXISTS (
               SELECT FROM joint_offer WHERE joint_offer.demand = $2 AND lead = $8 AND state = ANY($10)))""",
        listing_id,
        demand_id,
        bid_id,
        PUBLISHED,
        DEMAND_PUBLISHED,
        SUBMITTED,
        joint_id,
        lead_id,
        sorted(joint.OPEN - {joint.SUBMITTED}),
        sorted(joint.OPEN),
        sorted(joint.IN),
    )
    if rows and (odd := slip_in(price, asked=rows[0]["ask"], ceiling=rows[0]["ceiling"])):
        raise Invalid(odd, {"price": odd})
