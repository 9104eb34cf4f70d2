"""From what two agreed on at a table, or after it, to their contract."""

from datetime import datetime

from market.accounts.rules import Actor
from market.amounts import masses
from market.db.session import fetch
from market.deals.operations import NewDeal, make_deal
from market.errors import Conflict
from market.i18n import msg
from market.matching import lifecycle
from market.matching.agreement import conclude
from market.units import FenPerKg, Gram


async def strike(*, topic_id: int, quantity: Gram, price: FenPerKg, actor: Actor, at: datetime) -> int:
    """Make the deal of one topic in the caller's transaction, and return its number.

    A match that is still open becomes this deal; one that has lapsed or was declined before the two talked
    does not stand in the way. A match, and a demand, of somebody whom the buyer sits in for stays open: the
    deal is the buyer's own. Whose topic it is, the caller has seen.

    Raises:
        Conflict: stock or demand have gone meanwhile.
    """
    row = (
        await fetch(
            """SELECT topic.match, match.state AS match_state, topic.listing, appointment.buyer,
                      match.buyer = appointment.buyer AS is_own,
                      CASE WHEN demand.buyer = appointment.buyer THEN demand.id END AS demand,
                      greatest(listing.available_from, coalesce(demand.deliver_from, listing.available_from))
                        AS first,
                      least(listing.available_to, coalesce(demand.deliver_to, listing.available_to)) AS last,
                      CASE WHEN demand.buyer = appointment.buyer THEN demand.open END AS wanted
               FROM topic JOIN appointment ON appointment.id = topic.appointment
               JOIN listing ON listing.id = topic.listing
               LEFT JOIN demand ON demand.id = topic.demand LEFT JOIN match ON match.id = topic.match
               WHERE topic.id = $1""",
            topic_id,
        )
    )[0]
    if row["is_own"] and row["match_state"] in lifecycle.OPEN:
        return await conclude(
            match_id=row["match"], quantity=quantity, price=price, topic_id=topic_id, actor=actor, at=at
        )
    wanted = row["wanted"]
    if wanted is not None and wanted < quantity:
        raise Conflict(msg("对方这条采购需求只剩 {left}，请减少数量。", left=masses(Gram(wanted))))
    return await make_deal(
        deal=NewDeal(
            listing_id=row["listing"],
            demand_id=row["demand"],
            buyer_id=row["buyer"],
            quantity=quantity,
            price=price,
            source="appointment",
            source_id=topic_id,
            deliver_from=row["first"],
            deliver_to=max(row["first"], row["last"]),
        ),
        actor=actor,
        at=at,
    )
