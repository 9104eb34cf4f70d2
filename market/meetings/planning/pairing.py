"""Single appointments by the town's hand: put together, taken apart, held where they are."""

from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.session import execute, fetch, fetch_row, fetch_value, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg, named
from market.meetings import rules
from market.meetings.invitations.sole import persons_of
from market.meetings.invitations.wish_queries import AWAY, lost_places_of, unavailable_of
from market.meetings.planning.keeping import write_topics
from market.notices.operations import notify


async def add_appointment(
    *,
    meeting_id: int,
    seller: int,
    buyer: int,
    slot: int | None = None,
    table: int | None = None,
    town_id: int,
    actor: Actor,
    at: datetime,
    tell: bool = True,
) -> int:
    """Have two of the invited meet; return the appointment's number.

    With a ``slot`` it is placed there at once, at ``table`` or the first that is free, and every later
    plan leaves it there. Without one the next plan finds it a place, before all others. Both sides are told
    where the timetable is out, unless the caller does so (``tell``).

    Raises:
        NotFound: no such meeting of this town.
        Invalid: somebody is not invited for that side, or the meeting has no such slot or table.
        Conflict: it has begun, one of the two would rather not, or the place is taken.
    """
    async with transaction():
        meeting = await _own_meeting(meeting_id, town_id)
        names = await _both(meeting_id, seller, buyer)
        where = (meeting_id, seller, buyer)
        if await fetch_value(
            """SELECT true FROM wish WHERE meeting = $1 AND level = 'never'
               AND ((organisation, about) = ($2, $3) OR (about, organisation) = ($2, $3))""",
            *where,
        ):
            raise Conflict(msg("有一方不愿与对方洽谈，请先和双方沟通、改意向，再安排。"))
        known = await fetch_row(
            "SELECT id, state FROM appointment WHERE meeting = $1 AND seller = $2 AND buyer = $3", *where
        )
        if known is not None and known["state"] != "cancelled":
            raise Conflict(msg("这两家的洽谈已经在日程里。"))
        if slot is not None:
            table = await _free_table(meeting, names, slot, table)
        number = await fetch_value(
            """INSERT INTO appointment (meeting, seller, buyer, slot, table_number, state, source, fixed,
                                        why, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, 'manual', $7, $8, $9)
               ON CONFLICT (meeting, seller, buyer) DO UPDATE SET slot = excluded.slot,
                 table_number = excluded.table_number, state = excluded.state, source = excluded.source,
                 fixed = excluded.fixed, why = excluded.why
               RETURNING id""",
            *where,
            slot,
            table if slot is not None else None,
            "scheduled" if slot is not None else "accepted",
            slot is not None,
            msgspec.json.encode(msg("{only}。", only=msg("镇里安排的洽谈"))).decode(),
            at,
        )
        await execute("DELETE FROM left_out WHERE meeting = $1 AND seller = $2 AND buyer = $3", *where)
        await write_topics(meeting_id, [(seller, buyer)])
        await record(
            subject=f"meeting:{meeting_id}",
            action="add_appointment",
            actor=actor,
            at=at,
            details={"seller": seller, "buyer": buyer, "slot": slot, "table": table},
        )
        if tell and slot is not None and meeting["published_at"] is not None:
            for who, other in _each_other(names):
                text = msg(
                    "“{title}”给您加了与“{other}”的洽谈，请看日程。",
                    title=named(meeting, "title"),
                    other=other,
                )
                await _tell(meeting_id, who, text, at=at)
    return int(number)


async def remove_appointment(
    *, appointment_id: int, town_id: int, actor: Actor, at: datetime, tell: bool = True
) -> None:
    """Take two apart: no later plan puts them together again, unless the town does. ``tell`` as above.

    Raises:
        NotFound: no such appointment of a meeting of this town.
        Conflict: the meeting has begun, or the appointment is off already.
    """
    async with transaction():
        row, meeting = await _own_appointment(appointment_id, town_id)
        state = rules.APPOINTMENT.apply("cancel", state=row["state"], by="official")
        await execute(
            """UPDATE appointment SET state = $2, slot = NULL, table_number = NULL, fixed = false
               WHERE id = $1""",
            appointment_id,
            state,
        )
        await record(
            subject=f"meeting:{meeting['id']}",
            action="remove_appointment",
            actor=actor,
            at=at,
            details={"seller": row["seller"], "buyer": row["buyer"]},
        )
        if tell and row["slot"] is not None and meeting["published_at"] is not None:
            for who, other in _each_other(await _names(row["seller"], row["buyer"])):
                text = msg("“{title}”里与“{other}”的洽谈已取消。", title=named(meeting, "title"), other=other)
                await _tell(meeting["id"], who, text, at=at)


async def fix_appointment(
    *, appointment_id: int, fixed: bool, town_id: int, actor: Actor, at: datetime
) -> None:
    """Hold an appointment in its slot through every later plan, or let go of it.

    Raises:
        NotFound: no such appointment of a meeting of this town.
        Conflict: the meeting has begun, or the appointment has no slot.
    """
    async with transaction():
        row, meeting = await _own_appointment(appointment_id, town_id)
        if row["state"] != "scheduled":
            raise Conflict(msg("还没有排定时段，排好再固定。"))
        await execute("UPDATE appointment SET fixed = $2 WHERE id = $1", appointment_id, fixed)
        await record(
            subject=f"meeting:{meeting['id']}",
            action="fix_appointment" if fixed else "free_appointment",
            actor=actor,
            at=at,
            details={"seller": row["seller"], "buyer": row["buyer"], "slot": row["slot"]},
        )


async def _own_meeting(meeting_id: int, town_id: int) -> Record:
    meeting = await fetch_row(
        "SELECT * FROM meeting WHERE id = $1 AND town = $2 FOR UPDATE", meeting_id, town_id
    )
    if meeting is None:
        raise NotFound(msg("没有找到这场对接会。"))
    if meeting["state"] not in rules.PLANNABLE:
        raise Conflict(msg("会议已开始或已取消，不能再改。"))
    return meeting


async def _own_appointment(appointment_id: int, town_id: int) -> tuple[Record, Record]:
    meeting_id = await fetch_value(
        """SELECT meeting.id FROM appointment JOIN meeting ON meeting.id = appointment.meeting
           WHERE appointment.id = $1 AND meeting.town = $2""",
        appointment_id,
        town_id,
    )
    if meeting_id is None:
        raise NotFound(msg("没有找到这场洽谈。"))
    meeting = await _own_meeting(meeting_id, town_id)
    row = await fetch_row("SELECT * FROM appointment WHERE id = $1 FOR UPDATE", appointment_id)
    if row is None:  # a plan has just been kept without it
        raise NotFound(msg("没有找到这场洽谈。"))
    return row, meeting


async def _both(meeting_id: int, seller: int, buyer: int) -> dict[int, Message]:
    """Return the names of the two, seller first."""
    sides = {
        row["organisation"]: row["side"]
        for row in await fetch(
            """SELECT organisation, side FROM invitation
               WHERE meeting = $1 AND organisation IN ($2, $3) AND NOT state = ANY($4::text[])""",
            meeting_id,
            seller,
            buyer,
            list(AWAY),
        )
    }
    if sides.get(seller) != "seller" or sides.get(buyer) != "buyer":
        raise Invalid(msg("请选一家供货方和一家采购商，都要在邀请名单里。"))
    return await _names(seller, buyer)


async def _names(seller: int, buyer: int) -> dict[int, Message]:
    rows = await fetch("SELECT id, name, name_en FROM organisation WHERE id IN ($1, $2)", seller, buyer)
    names = {row["id"]: named(row, "name") for row in rows}
    return {who: names[who] for who in (seller, buyer)}


async def _free_table(meeting: Record, names: dict[int, Message], slot: int, table: int | None) -> int:
    """Return a table where the two can sit in ``slot``, ``table`` where that is asked for."""
    last = meeting["slots"] * meeting["days"]
    if not 1 <= slot <= last:
        problem = msg("请写会上有的时段：1 到 {most}。", most=last)
        raise Invalid(problem, {"slot": problem})
    if table is not None and not 1 <= table <= meeting["tables"]:
        problem = msg("请写会上有的桌号：1 到 {most}。", most=meeting["tables"])
        raise Invalid(problem, {"table": problem})
    if slot in meeting["blocked_slots"]:
        problem = msg("这个时段不排洽谈。")
        raise Invalid(problem, {"slot": problem})
    lost, broken = await lost_places_of(meeting["id"])
    if slot in lost:
        problem = msg("这个时段取消了，请换一个时段。")
        raise Invalid(problem, {"slot": problem})
    if (slot, table) in broken:
        problem = msg("{table} 号桌这个时段不能用，请换一张桌。", table=table or 0)
        raise Invalid(problem, {"table": problem})
    away = await unavailable_of(meeting["id"])
    for who in sorted(names):
        if slot in away.get(who, ()):
            raise Conflict(msg("{name} 这个时段来不了。", name=names[who]))
    taken: set[int] = {closed for at, closed in broken if at == slot}
    talks = await fetch(
        """SELECT seller, buyer, table_number FROM appointment
           WHERE meeting = $1 AND slot = $2 AND state <> 'cancelled' ORDER BY id""",
        meeting["id"],
        slot,
    )
    for row in talks:
        taken.add(row["table_number"])
        for who in (row["seller"], row["buyer"]):
            if who in names:
                raise Conflict(msg("{name} 这个时段已有洽谈。", name=names[who]))
    await _persons_free(meeting["id"], names, {who for row in talks for who in (row["seller"], row["buyer"])})
    if table in taken:
        raise Conflict(msg("这个时段 {table} 号桌已有洽谈。", table=table or 0))
    free = [each for each in range(1, meeting["tables"] + 1) if each not in taken]
    if not free:
        raise Conflict(msg("这个时段的桌子都排满了，请换一个时段。"))
    return table or free[0]


async def _persons_free(meeting_id: int, names: dict[int, Message], busy: set[int]) -> None:
    """Refuse where whoever comes for one of the two talks for another of ``busy`` at the same time."""
    persons = await persons_of(meeting_id, {*names, *busy})
    for who in sorted(names):
        for other in sorted(busy):
            if who in persons and persons.get(other) == persons[who]:
                row = await fetch_row("SELECT name, name_en FROM organisation WHERE id = $1", other)
                assert row is not None
                raise Conflict(
                    msg(
                        "代表{name}的人这个时段代表{other}洽谈，请换一个时段。",
                        name=names[who],
                        other=named(row, "name"),
                    )
                )


def _each_other(names: dict[int, Message]) -> list[tuple[int, Message]]:
    """Return each of the two with the other's name."""
    (one, one_name), (other, other_name) = names.items()
    return [(one, other_name), (other, one_name)]


async def _tell(meeting_id: int, organisation_id: int, text: Message, *, at: datetime) -> None:
    await notify(
        organisation_id=organisation_id,
        kind="timetable_changed",
        message=text,
        link=f"/meetings/{meeting_id}",
        at=at,
    )
