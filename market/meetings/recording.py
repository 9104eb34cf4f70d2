"""What came of each talk at a table."""

from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.replay import once
from market.db.session import execute, fetch
from market.deals.operations import NewDeal, make_deal
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.matching.agreement import conclude
from market.meetings import rules
from market.meetings.commands import Outcome, TopicResult
from market.units import MOST_FEN_PER_KG, FenPerKg, Gram, kg


class _RecordOutcome(msgspec.Struct, frozen=True):
    appointment_id: int
    outcome: Outcome


class Recorded(msgspec.Struct, frozen=True):
    """The deals that were struck at the table."""

    deal_ids: tuple[int, ...]


async def record_outcome(
    *,
    appointment_id: int,
    outcome: Outcome,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    key: str | None = None,
) -> Recorded:
    """Write down how a talk ended; ``signed`` turns its topics into deals at once, stock reserved.

    A deal made here still needs both signatures: the talk is an agreement, officials are no party to it.

    Raises:
        NotFound: no such appointment of this organisation, or of a meeting of this town.
        WrongState: it was recorded already, or the meeting has not begun.
        Invalid: the outcome does not say what it needs to.
        Conflict: stock or demand have gone meanwhile.
    """

    async def deed() -> Recorded:
        return await _record(
            appointment_id=appointment_id,
            outcome=outcome,
            organisation_id=organisation_id,
            actor=actor,
            at=at,
        )

    return await once(
        key=key,
        person_id=actor.person_id,
        request=_RecordOutcome(appointment_id, outcome),
        reply_type=Recorded,
        deed=deed,
        at=at,
    )


async def _record(
    *, appointment_id: int, outcome: Outcome, organisation_id: int, actor: Actor, at: datetime
) -> Recorded:
    rows = await fetch(
        """SELECT appointment.*, meeting.state AS meeting_state FROM appointment
           JOIN meeting ON meeting.id = appointment.meeting
           WHERE appointment.id = $1 AND $2 IN (appointment.seller, appointment.buyer, meeting.town)
           FOR UPDATE OF appointment""",
        appointment_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这场洽谈。"))
    row = rows[0]
    if row["meeting_state"] not in ("in_progress", "closed"):
        raise Conflict(msg("会议还没有开始，开始后才能记录结果。"))
    side = "seller" if organisation_id == row["seller"] else "buyer"
    if organisation_id not in (row["seller"], row["buyer"]):
        side = "official"
    state = rules.APPOINTMENT.apply("hold", state=row["state"], by=side)
    topics = {
        topic["id"]: topic
        for topic in await fetch("SELECT * FROM topic WHERE appointment = $1 ORDER BY id", appointment_id)
    }
    _check(outcome, topics)
    if outcome.reason and not await fetch("SELECT code FROM reason WHERE code = $1", outcome.reason):
        problem = msg("请选择原因，让对方知道为什么。")
        raise Invalid(problem, {"reason": problem})
    await execute(
        "UPDATE appointment SET state = $2, outcome = $3, reason = $4, note = $5 WHERE id = $1",
        appointment_id,
        state,
        outcome.outcome,
        outcome.reason,
        outcome.note,
    )
    deals = []
    for result in outcome.topics:
        deal_id = None
        if outcome.outcome == "signed":
            deal_id = await _strike(row, topics[result.topic_id], result, actor=actor, at=at)
            deals.append(deal_id)
        await execute(
            "UPDATE topic SET intent_quantity = $2, intent_price = $3, deal = $4 WHERE id = $1",
            result.topic_id,
            result.quantity,
            result.price,
            deal_id,
        )
    await record(
        subject=f"appointment:{appointment_id}",
        action="hold",
        actor=actor,
        at=at,
        details={"outcome": outcome.outcome, "deals": deals},
    )
    return Recorded(tuple(deals))


def _check(outcome: Outcome, topics: dict[int, Record]) -> None:
    problems: dict[str, Message] = {}
    if outcome.outcome not in rules.OUTCOMES:
        problems["outcome"] = msg("请选择洽谈结果。")
    needs_figures = outcome.outcome in ("intent", "quote", "signed")
    if needs_figures and not outcome.topics:
        problems["topics"] = msg("请填写谈成的货、数量和单价。")
    if outcome.outcome == "none" and not outcome.reason:
        problems["reason"] = msg("没有结果也请选一个原因，供改进。")
    for result in outcome.topics:
        if result.topic_id not in topics:
            problems["topics"] = msg("这场洽谈没有这一项，请刷新页面重新填写。")
        elif not 0 < result.price <= MOST_FEN_PER_KG or result.quantity <= 0:
            problems["topics"] = msg("数量和单价都须大于零。")
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)


async def _strike(
    appointment: Record, topic: Record, result: TopicResult, *, actor: Actor, at: datetime
) -> int:
    """Make the deal of one topic, on its match where that is still open."""
    quantity, price = Gram(result.quantity), FenPerKg(result.price)
    if topic["match"] is not None:
        return await conclude(
            match_id=topic["match"],
            quantity=quantity,
            price=price,
            topic_id=topic["id"],
            actor=actor,
            at=at,
        )
    terms = await fetch(
        """SELECT greatest(listing.available_from, coalesce(demand.deliver_from, listing.available_from))
                    AS first,
                  least(listing.available_to, coalesce(demand.deliver_to, listing.available_to)) AS last,
                  demand.open
           FROM listing LEFT JOIN demand ON demand.id = $2 WHERE listing.id = $1""",
        topic["listing"],
        topic["demand"],
    )
    first, last, wanted = terms[0]["first"], terms[0]["last"], terms[0]["open"]
    if wanted is not None and wanted < quantity:
        raise Conflict(msg("对方这条采购需求只剩 {left} 公斤，请减少数量。", left=f"{kg(Gram(wanted)):,f}"))
    return await make_deal(
        deal=NewDeal(
            listing_id=topic["listing"],
            demand_id=topic["demand"],
            buyer_id=appointment["buyer"],
            quantity=quantity,
            price=price,
            source="appointment",
            source_id=topic["id"],
            deliver_from=first,
            deliver_to=max(first, last),
        ),
        actor=actor,
        at=at,
    )
