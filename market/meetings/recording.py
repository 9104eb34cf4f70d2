"""What came of each talk at a table."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.catalogue.queries import check_reason
from market.db.replay import once
from market.db.session import execute, fetch, fetch_into, fetch_value, transaction
from market.db.signals import signal
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.meetings import rules
from market.meetings.attendance import board_of, check_in_seated
from market.meetings.commands import Outcome, TopicResult
from market.meetings.samples import request_sample
from market.meetings.striking import strike
from market.notices.operations import notify
from market.units import MOST_FEN_PER_KG, FenPerKg, Gram


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
    The first record counts. What the other side says after it is kept beside it; where the two differ the
    town is told, and its own record then counts, unless a contract stands on the first.

    Raises:
        NotFound: no such appointment of this organisation, or of a meeting of this town.
        WrongState: this party has recorded it already.
        Invalid: the outcome does not say what it needs to.
        Conflict: the meeting has not begun, or stock or demand have gone meanwhile.
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
    row = await _locked(appointment_id, organisation_id)
    if row["meeting_state"] not in ("in_progress", "closed"):
        raise Conflict(msg("会议还没有开始，开始后才能记录结果。"))
    side = _side(row, organisation_id)
    topics = {
        topic["id"]: topic
        for topic in await fetch("SELECT * FROM topic WHERE appointment = $1 ORDER BY id", appointment_id)
    }
    counts = await _counts(row, side, topics.values())
    _check(outcome, topics)
    if outcome.reason:
        await check_reason(outcome.reason)
    await _state(appointment_id, outcome, organisation_id, at=at)
    if not counts:
        await _compare(row, outcome, organisation_id, actor=actor, at=at)
        return Recorded(())
    await execute(
        """UPDATE appointment SET state = 'held', outcome = $2, reason = $3, note = $4,
             ended_at = coalesce(ended_at, CASE WHEN started_at IS NOT NULL THEN $5::timestamptz END)
           WHERE id = $1""",
        appointment_id,
        outcome.outcome,
        outcome.reason,
        outcome.note,
        at,
    )
    await execute(
        "UPDATE topic SET intent_quantity = NULL, intent_price = NULL WHERE appointment = $1", appointment_id
    )
    deals = []
    for result in outcome.topics:
        deal_id = None
        if outcome.outcome == "signed":
            deal_id = await strike(
                topic_id=result.topic_id,
                quantity=Gram(result.quantity),
                price=FenPerKg(result.price),
                actor=actor,
                at=at,
            )
            deals.append(deal_id)
        await execute(
            "UPDATE topic SET intent_quantity = $2, intent_price = $3, deal = $4 WHERE id = $1",
            result.topic_id,
            result.quantity,
            result.price,
            deal_id,
        )
    if outcome.outcome == "sample":
        wanted = outcome.samples or tuple(topics)
        for listing in dict.fromkeys(topics[each]["listing"] for each in wanted):
            await request_sample(appointment_id=appointment_id, listing_id=listing, actor=actor, at=at)
    await record(
        subject=f"appointment:{appointment_id}",
        action="hold",
        actor=actor,
        at=at,
        details={"outcome": outcome.outcome, "deals": deals},
    )
    await signal(board_of(row["meeting"]))
    return Recorded(tuple(deals))


async def _locked(appointment_id: int, organisation_id: int) -> Record:
    """Return a talk of this organisation, or of a meeting of this town, held for writing.

    Raises:
        NotFound: there is none.
    """
    rows = await fetch(
        """SELECT appointment.*, meeting.state AS meeting_state, meeting.town, meeting.title
           FROM appointment JOIN meeting ON meeting.id = appointment.meeting
           WHERE appointment.id = $1 AND $2 IN (appointment.seller, appointment.buyer, meeting.town)
           FOR UPDATE OF appointment""",
        appointment_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这场洽谈。"))
    return rows[0]


def _side(row: Record, organisation_id: int) -> str:
    if organisation_id == row["seller"]:
        return "seller"
    return "buyer" if organisation_id == row["buyer"] else "official"


async def _counts(row: Record, side: str, topics: Iterable[Record]) -> bool:
    """Tell whether what is stated now counts: the first statement does, and the town's after that.

    Raises:
        WrongState: it cannot be recorded any more.
        Conflict: a contract stands on what was recorded before.
    """
    if row["state"] != "held":
        rules.APPOINTMENT.apply("hold", state=row["state"], by=side)
        return True
    organisation = {"seller": row["seller"], "buyer": row["buyer"]}.get(side, row["town"])
    stated = {
        each["organisation"]
        for each in await fetch("SELECT organisation FROM statement WHERE appointment = $1", row["id"])
    }
    if not stated - {organisation}:
        # nobody else has said anything: this would be the same hand once more
        rules.APPOINTMENT.apply("hold", state=row["state"], by=side)
    if organisation in stated:
        rules.APPOINTMENT.apply("hold", state=row["state"], by=side)
    if side != "official":
        return False
    if any(each["deal"] is not None for each in topics):
        raise Conflict(msg("这场洽谈已经生成合同，结果不能再改；有出入请到合同页面办理。"))
    return True


async def _state(appointment_id: int, outcome: Outcome, organisation_id: int, *, at: datetime) -> None:
    """Keep what one party says came of the talk."""
    await execute(
        """INSERT INTO statement (appointment, organisation, outcome, reason, note, topics, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)""",
        appointment_id,
        organisation_id,
        outcome.outcome,
        outcome.reason,
        outcome.note,
        msgspec.json.encode(sorted(outcome.topics, key=lambda each: each.topic_id)).decode(),
        at,
    )


async def _compare(
    row: Record, outcome: Outcome, organisation_id: int, *, actor: Actor, at: datetime
) -> None:
    """The other side says something else than what counts: the town is told, and decides."""
    await record(
        subject=f"appointment:{row['id']}",
        action="state",
        actor=actor,
        at=at,
        details={"outcome": outcome.outcome},
    )
    if not await disputed(meeting_id=row["meeting"], appointment_id=row["id"]):
        return
    name = await fetch_value("SELECT name FROM organisation WHERE id = $1", organisation_id)
    await notify(
        organisation_id=row["town"],
        kind="outcome_disputed",
        message=msg(
            "“{title}”有一场洽谈双方记录不一致（{name}），请核对后定下来。", title=row["title"], name=name
        ),
        link=f"/town/meetings/{row['meeting']}/talks/{row['id']}",
        at=at,
    )


class TalkTimes(msgspec.Struct, frozen=True):
    """When the two sat down and when they rose."""

    started_at: datetime | None
    ended_at: datetime | None


async def times_of(*, meeting_id: int) -> dict[int, TalkTimes]:
    """Return talk -> its times, for those that have begun."""
    return {
        row["id"]: TalkTimes(row["started_at"], row["ended_at"])
        for row in await fetch(
            "SELECT id, started_at, ended_at FROM appointment WHERE meeting = $1 AND started_at IS NOT NULL",
            meeting_id,
        )
    }


class StatementRow(msgspec.Struct, frozen=True):
    """What one party says. ``topics`` in grams and fen per kg."""

    appointment: int
    organisation: int
    name: str
    name_en: str
    outcome: str
    reason_zh: str | None
    reason_en: str | None
    note: str
    topics: list[TopicResult]
    created_at: datetime


async def statements_of(*, appointment_id: int) -> list[StatementRow]:
    """Return what was said of one talk, the first first."""
    return await fetch_into(
        StatementRow,
        """SELECT statement.appointment, statement.organisation, organisation.name, organisation.name_en,
                  statement.outcome, reason.zh AS reason_zh, reason.en AS reason_en, statement.note,
                  statement.topics, statement.created_at
           FROM statement JOIN organisation ON organisation.id = statement.organisation
           LEFT JOIN reason ON reason.code = statement.reason
           WHERE statement.appointment = $1 ORDER BY statement.created_at, statement.id""",
        appointment_id,
    )


async def disputed(*, meeting_id: int, appointment_id: int | None = None) -> frozenset[int]:
    """Return the talks on which the two sides do not agree and the town has not spoken yet."""
    rows = await fetch(
        """SELECT appointment.id FROM appointment JOIN meeting ON meeting.id = appointment.meeting
           JOIN statement ON statement.appointment = appointment.id
           WHERE appointment.meeting = $1 AND ($2::bigint IS NULL OR appointment.id = $2)
           GROUP BY appointment.id, meeting.town
           HAVING count(DISTINCT (statement.outcome, statement.topics)) > 1
              AND NOT bool_or(statement.organisation = meeting.town)""",
        meeting_id,
        appointment_id,
    )
    return frozenset(row["id"] for row in rows)


async def clock_talk(
    *, appointment_id: int, move: str, organisation_id: int, actor: Actor, at: datetime
) -> None:
    """Note that a talk begins or ends, ``move`` being start or end; saying it twice changes nothing.

    Raises:
        NotFound: no such talk of this organisation, or of a meeting of this town.
        Conflict: the meeting is not on, the talk has no place or is over, or it has not begun.
    """
    async with transaction():
        row = await _locked(appointment_id, organisation_id)
        if row["meeting_state"] != "in_progress":
            raise Conflict(msg("会议进行中才能记开谈和谈完，请先开始会议。"))
        if row["state"] != "scheduled":
            state = rules.APPOINTMENT.label(row["state"])
            raise Conflict(msg("这场洽谈现在是“{state}”，不用再记时间。", state=state))
        column = "started_at" if move == "start" else "ended_at"
        if move == "end" and row["started_at"] is None:
            raise Conflict(msg("这场洽谈还没有开谈，请先点“开谈”。"))
        if row[column] is not None:
            return
        await execute(
            f"UPDATE appointment SET {column} = $2 WHERE id = $1",  # noqa: S608  one of two words
            appointment_id,
            at,
        )
        if move == "start":
            # who sits at the table is in the house, whatever happened at the door
            for organisation in sorted((row["seller"], row["buyer"])):
                await check_in_seated(
                    meeting_id=row["meeting"], organisation_id=organisation, actor=actor, at=at
                )
        await record(
            subject=f"appointment:{appointment_id}", action=f"{move}_talk", actor=actor, at=at, details={}
        )
        await signal(board_of(row["meeting"]))


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
    if any(each not in topics for each in outcome.samples):
        problems["topics"] = msg("这场洽谈没有这一项，请刷新页面重新填写。")
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
