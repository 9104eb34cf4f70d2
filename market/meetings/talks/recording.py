"""What came of each talk at a table."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.catalogue.queries import check_reason
from market.catalogue.rules import TALKS
from market.db.replay import once
from market.db.session import execute, fetch, fetch_value, transaction
from market.db.signals import signal
from market.errors import Conflict, NotFound
from market.i18n import Message, in_both, msg, named, translate
from market.meetings import rules
from market.meetings.commands import Outcome
from market.meetings.day.attendance import board_of
from market.meetings.day.seated import (
    await_again,
    check_in_seated,
    hold_meeting,
    hold_with_neighbours,
)
from market.meetings.talks.effects import take_effect, undo
from market.meetings.talks.figures import KNOWN, check_outcome
from market.meetings.talks.statements import disputed
from market.notices.operations import notify


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
    sure: bool = False,
) -> Recorded:
    """Write down how a talk ended; ``signed`` turns its topics into deals at once, stock reserved.

    A deal made here still needs both signatures: the talk is an agreement, officials are no party to it.
    The first record counts. What the other side says after it is kept beside it; where the two differ the
    town is told, and its own record then counts, unless a contract stands on the first.
    ``sure``: figures that lie far from what is known are meant.

    Raises:
        NotFound: no such appointment of this organisation, or of a meeting of this town.
        WrongState: this party has recorded it already.
        Invalid: the outcome does not say what it needs to, or ``sure`` is asked for.
        Conflict: the meeting has not begun, or stock or demand have gone meanwhile.
    """

    async def deed() -> Recorded:
        return await _record(
            appointment_id=appointment_id,
            outcome=outcome,
            organisation_id=organisation_id,
            actor=actor,
            at=at,
            sure=sure,
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
    *, appointment_id: int, outcome: Outcome, organisation_id: int, actor: Actor, at: datetime, sure: bool
) -> Recorded:
    row = await locked(appointment_id, organisation_id)
    if row["meeting_state"] == "followed_up":
        raise Conflict(msg("这场对接会已经办结，洽谈结果不能再记。"))
    if row["meeting_state"] not in ("in_progress", "closed"):
        raise Conflict(msg("会议还没有开始，开始后才能记录结果。"))
    side = side_of(row, organisation_id)
    topics = await known_topics(appointment_id)
    counts = await _counts(row, side, topics.values())
    check_outcome(outcome, topics, sure=sure)
    if outcome.reason:
        await check_reason(outcome.reason, TALKS, words=outcome.note)
    was_held = row["state"] == "held"
    statement_id = await write_statement(appointment_id, outcome, organisation_id, actor=actor, at=at)
    if not counts:
        await _compare(row, outcome, organisation_id, actor=actor, at=at)
        return Recorded(())
    if was_held:
        await undo(row, topics, instead=outcome, why="", organisation_id=organisation_id, actor=actor, at=at)
        await settle(appointment_id, statement_id, actor=actor, at=at)
    deals = await take_effect(row, outcome, topics, actor=actor, at=at)
    await record(
        subject=f"appointment:{appointment_id}",
        action="hold",
        actor=actor,
        at=at,
        details={"outcome": outcome.outcome, "deals": list(deals)},
    )
    if was_held:
        await tell_sides(row, outcome, actor=actor, at=at)
    await signal(board_of(row["meeting"]))
    return Recorded(deals)


async def locked(appointment_id: int, organisation_id: int) -> Record:
    """Return a talk of this organisation, or of a meeting of this town, held for writing.

    Raises:
        NotFound: there is none.
    """
    await hold_meeting(appointment_id)
    rows = await fetch(
        """SELECT appointment.*, meeting.state AS meeting_state, meeting.town, meeting.title, meeting.title_en
           FROM appointment JOIN meeting ON meeting.id = appointment.meeting
           WHERE appointment.id = $1 AND $2 IN (appointment.seller, appointment.buyer, meeting.town)
           FOR UPDATE OF appointment""",
        appointment_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这场洽谈。"))
    return rows[0]


async def known_topics(appointment_id: int) -> dict[int, Record]:
    """Return what a talk is about, with what is known of it, held for writing."""
    return {topic["id"]: topic for topic in await fetch(KNOWN, appointment_id)}


def side_of(row: Record, organisation_id: int) -> str:
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
        for each in await fetch(
            "SELECT organisation FROM statement WHERE appointment = $1 AND replaced_at IS NULL", row["id"]
        )
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


async def write_statement(
    appointment_id: int, outcome: Outcome, organisation_id: int, *, actor: Actor, at: datetime, why: str = ""
) -> int:
    """Keep what one party says came of the talk; return the statement's number."""
    return int(
        await fetch_value(
            """INSERT INTO statement (appointment, organisation, outcome, reason, note, topics, samples, why,
                                      recorded_by, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id""",
            appointment_id,
            organisation_id,
            outcome.outcome,
            outcome.reason,
            outcome.note,
            msgspec.json.encode(sorted(outcome.topics, key=lambda each: each.topic_id)).decode(),
            sorted(outcome.samples),
            why,
            actor.person_id,
            at,
        )
    )


async def settle(appointment_id: int, statement_id: int, *, actor: Actor, at: datetime) -> None:
    """The town says: this statement stands."""
    await execute(
        """INSERT INTO talk_settlement (appointment, statement, settled_by, created_at)
           VALUES ($1, $2, $3, $4)""",
        appointment_id,
        statement_id,
        actor.person_id,
        at,
    )


async def tell_sides(row: Record, outcome: Outcome, *, actor: Actor, at: datetime, why: str = "") -> None:
    """Tell everybody at the table, but whoever did it, that another result counts now."""
    names = {
        each["id"]: named(each, "name")
        for each in await fetch(
            "SELECT id, name, name_en FROM organisation WHERE id = ANY($1::bigint[])",
            [row["seller"], row["buyer"]],
        )
    }
    seller, buyer = names[row["seller"]], names[row["buyer"]]
    result = rules.OUTCOMES[outcome.outcome]
    page = f"/meetings/{row['meeting']}/talks/{row['id']}"
    told = [
        (row["seller"], buyer, f"{page}/result"),
        (row["buyer"], seller, f"{page}/result"),
        (
            row["town"],
            in_both(f"{seller} – {buyer}", f"{translate(seller, 'en')} – {translate(buyer, 'en')}"),
            f"/town{page}",
        ),
    ]
    for organisation, other, link in told:
        if organisation == actor.organisation_id:
            continue
        values: dict[str, str | int | Message] = {
            "title": named(row, "title"),
            "other": other,
            "result": result,
        }
        if why:
            message = msg("“{title}”与{other}的洽谈结果更正为“{result}”：{why}", **values, why=why)
        else:
            message = msg("“{title}”与{other}的洽谈结果，镇里核对后定为“{result}”。", **values)
        await notify(
            organisation_id=organisation, kind="outcome_corrected", message=message, link=link, at=at
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
    stated = (await fetch("SELECT name, name_en FROM organisation WHERE id = $1", organisation_id))[0]
    await notify(
        organisation_id=row["town"],
        kind="outcome_disputed",
        message=msg(
            "“{title}”有一场洽谈双方记录不一致（{name}），请核对后定下来。",
            title=named(row, "title"),
            name=named(stated, "name"),
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


async def clock_talk(
    *, appointment_id: int, move: str, organisation_id: int, actor: Actor, at: datetime
) -> None:
    """Note that a talk begins or ends, ``move`` being start or end; saying it twice changes nothing.

    Raises:
        NotFound: no such talk of this organisation, or of a meeting of this town.
        Conflict: the meeting is not on, the talk has no place or is over, or it has not begun.
    """
    async with transaction():
        row = await locked(appointment_id, organisation_id)
        if row["meeting_state"] in ("closed", "followed_up"):
            raise Conflict(msg("会议已经结束，不再记开谈和谈完；结果还可以补记。"))
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
            await check_in_seated(
                meeting_id=row["meeting"], organisations=(row["seller"], row["buyer"]), actor=actor, at=at
            )
        await record(
            subject=f"appointment:{appointment_id}", action=f"{move}_talk", actor=actor, at=at, details={}
        )
        await signal(board_of(row["meeting"]))


async def undo_start(*, appointment_id: int, town_id: int, actor: Actor, at: datetime) -> None:
    """Take back that a talk has begun: it is as if it had not, and so are the check-ins that it made.

    Where it has not begun, nothing changes.

    Raises:
        NotFound: no such talk of a meeting of this town.
        Conflict: the meeting is not on, or the talk has a result or is off.
    """
    async with transaction():
        await hold_with_neighbours(appointment_id)
        row = await locked(appointment_id, town_id)
        if row["town"] != town_id:
            raise NotFound(msg("没有找到这场洽谈。"))
        if row["meeting_state"] != "in_progress":
            raise Conflict(msg("会议进行中才能撤销开谈。"))
        if row["state"] == "held":
            raise Conflict(msg("这场洽谈已有结果，是谈过的，开谈不能撤销；结果记错了请更正。"))
        if row["state"] != "scheduled":
            state = rules.APPOINTMENT.label(row["state"])
            raise Conflict(msg("这场洽谈现在是“{state}”，不用再记时间。", state=state))
        if row["started_at"] is None:
            return
        await execute("UPDATE appointment SET started_at = NULL, ended_at = NULL WHERE id = $1", row["id"])
        await await_again(
            meeting_id=row["meeting"],
            organisations=(row["seller"], row["buyer"]),
            since=row["started_at"],
            actor=actor,
            at=at,
        )
        await record(
            subject=f"appointment:{row['id']}", action="undo_start_talk", actor=actor, at=at, details={}
        )
        await signal(board_of(row["meeting"]))
