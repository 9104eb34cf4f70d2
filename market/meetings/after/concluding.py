"""An intent of the day that becomes a contract afterwards."""

from datetime import datetime

import msgspec

from market.accounts.rules import Actor
from market.amounts import prices
from market.audit.operations import record
from market.db.replay import once
from market.db.session import execute, fetch
from market.deals import rules as deals
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg
from market.meetings.talks.figures import odd_for
from market.meetings.talks.striking import strike
from market.units import MOST_FEN_PER_KG, FenPerKg, Gram

#: Outcomes that leave something to sign later.
OPEN_OUTCOMES = frozenset({"sample", "intent", "quote"})


def may_conclude(*, outcome: str | None, deal_state: str | None) -> bool:
    """Tell whether a topic of a held talk can become a contract: it has none, or its own was cancelled."""
    return deal_state == deals.CANCELLED or (deal_state is None and outcome in OPEN_OUTCOMES)


class _Conclude(msgspec.Struct, frozen=True):
    topic_id: int
    quantity: int
    price: int


class Concluded(msgspec.Struct, frozen=True):
    deal_id: int


async def conclude_topic(
    *,
    topic_id: int,
    quantity: Gram,
    price: FenPerKg,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    key: str | None = None,
    sure: bool = False,
) -> Concluded:
    """Make the contract that a talk has led to; it counts for the meeting, and still needs both signatures.

    Its terms may differ from what was said at the table; what was said stays written down. A match that is
    still open becomes this deal; one that has lapsed meanwhile does not stand in the way. A contract that was
    cancelled gives way to the new one: the topic counts once.

    Raises:
        NotFound: no such topic of this organisation, or of a meeting of this town.
        Invalid: quantity or price is not above 0; ``price`` is far from all that was asked, suggested and
            said, and nobody was ``sure``.
        Conflict: the talk left nothing open, has its contract already, or stock or demand have gone.
    """
    if price <= 0 or quantity <= 0:
        problem = msg("数量和单价都须大于零。")
        raise Invalid(problem, {"quantity": problem})
    if price > MOST_FEN_PER_KG:
        problem = msg("单价须大于零，且不超过 {most}。", most=prices(MOST_FEN_PER_KG))
        raise Invalid(problem, {"price": problem})

    async def deed() -> Concluded:
        return await _conclude(
            topic_id=topic_id,
            quantity=quantity,
            price=price,
            organisation_id=organisation_id,
            actor=actor,
            at=at,
            sure=sure,
        )

    return await once(
        key=key,
        person_id=actor.person_id,
        request=_Conclude(topic_id, quantity, price),
        reply_type=Concluded,
        deed=deed,
        at=at,
    )


async def _conclude(
    *,
    topic_id: int,
    quantity: Gram,
    price: FenPerKg,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    sure: bool,
) -> Concluded:
    # a result that is being set right is waited for
    await fetch(
        """SELECT FROM appointment JOIN topic ON topic.appointment = appointment.id WHERE topic.id = $1
           FOR UPDATE OF appointment""",
        topic_id,
    )
    rows = await fetch(
        """SELECT deal.state AS deal_state, topic.intent_price, appointment.state, appointment.outcome,
                  appointment.id AS appointment_id, listing.ask,
                  offered_price(match.price, listing.way, listing.ask) / 100 AS proposed_price
           FROM topic JOIN appointment ON appointment.id = topic.appointment
           JOIN meeting ON meeting.id = appointment.meeting JOIN listing ON listing.id = topic.listing
           LEFT JOIN match ON match.id = topic.match LEFT JOIN deal ON deal.id = topic.deal
           WHERE topic.id = $1 AND $2 IN (appointment.seller, appointment.buyer, meeting.town)
           FOR UPDATE OF topic""",
        topic_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这场洽谈。"))
    row = rows[0]
    if row["deal_state"] not in (None, deals.CANCELLED):
        raise Conflict(msg("这一项已经有合同了，请到合同页面办理。"))
    if row["state"] != "held" or not may_conclude(outcome=row["outcome"], deal_state=row["deal_state"]):
        raise Conflict(msg("这场洽谈没有留下意向，不能据此订合同；可以在货源页面出价。"))
    if not sure and (odd := odd_for(price, row["ask"], row["proposed_price"], row["intent_price"])):
        raise Invalid(odd, {"price": odd})
    deal_id = await strike(topic_id=topic_id, quantity=quantity, price=price, actor=actor, at=at)
    await execute("UPDATE topic SET deal = $2 WHERE id = $1", topic_id, deal_id)
    await record(
        subject=f"appointment:{row['appointment_id']}",
        action="conclude",
        actor=actor,
        at=at,
        details={"topic": topic_id, "deal": deal_id},
    )
    return Concluded(deal_id)
