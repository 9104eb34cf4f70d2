"""The living timetable: something happens, the rest of the day is laid anew with the fewest changes.

As everywhere: read a snapshot, compute outside any transaction, and keep the result only if the day is
still as it was read. What has been held or has begun stays; only those whose own day changes are told.
"""

import asyncio
import hashlib
from datetime import datetime

import msgspec

from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.session import execute, fetch, fetch_row, transaction
from market.db.signals import signal
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg, named
from market.meetings import rules
from market.meetings.day.attendance import board_of, code_of_invitation, log_move, settle
from market.meetings.day.board import hour_of
from market.meetings.day.disruptions import Change, DayTalk, Effects, Party, Snapshot, effects_of, problems_of
from market.meetings.day.rest_of_day import NO_PLACE, Step, compute, not_coming
from market.meetings.invitations.sole import persons_of
from market.meetings.invitations.wish_queries import HOLDS
from market.meetings.queries import MeetingRow, meeting_of
from market.notices.operations import notify


class Preview(msgspec.Struct, frozen=True):
    """What a change would do. ``token`` stands for the day it was read from and for the result."""

    change: Change
    from_slot: int
    steps: tuple[Step, ...]
    parties: tuple[Party, ...]
    #: Who gets a notice: nobody, as long as the timetable is not published.
    told: tuple[int, ...]
    token: str
    #: Why a swap is not possible.
    clashes: tuple[Message, ...] = ()

    @property
    def moved(self) -> list[Step]:
        return [each for each in self.steps if each.before and each.after]

    @property
    def added(self) -> list[Step]:
        return [each for each in self.steps if not each.before and each.after]

    @property
    def called_off(self) -> list[Step]:
        return [each for each in self.steps if not each.after]

    def name_of(self, number: int) -> Party:
        return next(each for each in self.parties if each.id == number)


async def preview_change(*, meeting_id: int, change: Change, town_id: int, at: datetime) -> Preview:
    """Return what ``change`` would do to the rest of the day; nothing is written.

    Raises:
        NotFound: no such meeting of this town.
        Conflict: it is not under way.
        Invalid: with every field of the change that is wrong.
    """
    meeting = await meeting_of(meeting_id=meeting_id, organisation_id=town_id)
    if meeting.town != town_id:
        raise NotFound(msg("没有找到这场对接会。"))
    async with transaction(isolation="repeatable_read", readonly=True):
        day = await snapshot_of(meeting)
    return await _plan(meeting, day, change, at=at)


async def _plan(meeting: MeetingRow, day: Snapshot, change: Change, *, at: datetime) -> Preview:
    if meeting.state not in rules.MENDABLE:
        raise Conflict(msg("会议进行中才能改排；开始之前请用“重新排桌”。"))
    hour = hour_of(meeting, at)
    from_slot = hour.next or meeting.all_slots + 1
    since = hour.now or from_slot
    problems = problems_of(change, day, from_slot=from_slot)
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    steps, clashes = await asyncio.to_thread(compute, day, change, from_slot, since)
    digest = hashlib.sha256(
        msgspec.json.encode([day, change, steps, from_slot], order="deterministic")
    ).hexdigest()
    return Preview(change, from_slot, steps, day.parties, _told(meeting, steps), digest, clashes)


def _told(meeting: MeetingRow, steps: tuple[Step, ...]) -> tuple[int, ...]:
    """Return whose own day changes; a timetable that nobody knows yet does not change for anybody."""
    if meeting.published_at is None:
        return ()
    return tuple(sorted({number for each in steps for number in (each.seller, each.buyer)}))


async def snapshot_of(meeting: MeetingRow) -> Snapshot:
    """Read the day in the caller's transaction."""
    parties = await fetch(
        """SELECT organisation.id, organisation.name, organisation.name_en, invitation.side,
                  invitation.attendance,
                  coalesce((SELECT array_agg(absence.slot ORDER BY absence.slot) FROM absence
                            WHERE absence.invitation = invitation.id), '{}') AS away
           FROM invitation JOIN organisation ON organisation.id = invitation.organisation
           WHERE invitation.meeting = $1 AND invitation.side <> 'guest'
             AND (invitation.state NOT IN ('revoked', 'declined', 'delegated', 'expired')
                  OR EXISTS (SELECT FROM appointment WHERE appointment.meeting = $1
                               AND organisation.id IN (appointment.seller, appointment.buyer)))
           ORDER BY organisation.id""",
        meeting.id,
    )
    talks = await fetch(
        """SELECT id, seller, buyer, slot, table_number, state, fixed,
                  started_at IS NOT NULL OR state = 'held' AS rests
           FROM appointment WHERE meeting = $1 ORDER BY id""",
        meeting.id,
    )
    persons = await persons_of(meeting.id, [row["id"] for row in parties])
    incidents = await fetch(
        f"SELECT details FROM incident WHERE {HOLDS} ORDER BY id",  # noqa: S608  our own text
        meeting.id,
    )
    return Snapshot(
        meeting.id,
        meeting.all_slots,
        meeting.tables,
        meeting.half_day_after if meeting.days == 1 else None,
        tuple(meeting.blocked_slots),
        tuple(
            Party(row["id"], row["name"], row["name_en"], row["side"], row["attendance"], tuple(row["away"]))
            for row in parties
        ),
        tuple(
            DayTalk(
                row["id"],
                row["seller"],
                row["buyer"],
                row["slot"],
                row["table_number"],
                row["state"],
                row["fixed"],
                row["rests"],
            )
            for row in talks
        ),
        tuple(msgspec.json.decode(row["details"], type=Details).effects for row in incidents),
        tuple(meeting.slot_label(slot) for slot in range(1, meeting.all_slots + 1)),
        meeting.slots,
        tuple(meeting.slot_start(slot) for slot in range(1, meeting.all_slots + 1)),
        meeting.slot_minutes,
        tuple(
            crew
            for phone in sorted({*persons.values()})
            if len(crew := tuple(who for who, its in persons.items() if its == phone)) > 1
        ),
    )


class Details(msgspec.Struct, frozen=True):
    """What an incident keeps: what happened, what it takes away, and each talk's step, to be undone by."""

    change: Change
    effects: Effects
    steps: tuple[Step, ...]


async def apply_change(
    *, meeting_id: int, change: Change, token: str, town_id: int, actor: Actor, at: datetime
) -> int:
    """Do what was previewed under ``token``; return the incident's number.

    Raises:
        NotFound, Invalid: as :func:`preview_change`.
        Conflict: the day has moved on since the preview; look at it anew.
    """
    preview = await preview_change(meeting_id=meeting_id, change=change, town_id=town_id, at=at)
    if preview.token != token or preview.clashes:
        raise Conflict(_MOVED)
    async with transaction():
        await execute("SELECT id FROM meeting WHERE id = $1 FOR UPDATE", meeting_id)
        meeting = await meeting_of(meeting_id=meeting_id, organisation_id=town_id)
        await execute("SELECT id FROM appointment WHERE meeting = $1 ORDER BY id FOR UPDATE", meeting_id)
        day = await snapshot_of(meeting)
        if _again(day, preview) != token:
            raise Conflict(_MOVED)
        await lift(preview.steps)
        for step in preview.steps:
            await keep_step(meeting_id, step, at=at)
        hour = hour_of(meeting, at)
        effects = effects_of(change, day, since=hour.now or preview.from_slot)
        steps = await _numbered(meeting_id, preview.steps)
        incident = await fetch(
            """INSERT INTO incident (meeting, kind, details, moved, cancelled, told, person, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id""",
            meeting_id,
            change.kind,
            msgspec.json.encode(Details(change, effects, steps)).decode(),
            len(preview.moved) + len(preview.added),
            len([each for each in preview.called_off if each.before]),
            len(_told(meeting, preview.steps)),
            actor.person_id,
            at,
        )
        if change.kind == "absent" and change.organisation is not None:
            await _mark_away(meeting_id, change.organisation, actor=actor, at=at)
        await record(
            subject=f"meeting:{meeting_id}",
            action="replan",
            actor=actor,
            at=at,
            details={"kind": change.kind, "incident": incident[0]["id"]},
        )
        if meeting.published_at is not None:
            await tell_changed(meeting, preview.steps, at=at)
        await signal(board_of(meeting_id))
    return int(incident[0]["id"])


_MOVED = msg("日程刚刚有了变动，请看一遍新的改排方案再确认。")


def _again(day: Snapshot, preview: Preview) -> str:
    """Return the token that this day gives with the same result."""
    return hashlib.sha256(
        msgspec.json.encode([day, preview.change, preview.steps, preview.from_slot], order="deterministic")
    ).hexdigest()


async def lift(steps: tuple[Step, ...]) -> None:
    """Take every talk that moves from its place first: two that change places never share one."""
    await execute(
        "UPDATE appointment SET slot = NULL, table_number = NULL WHERE id = ANY($1::bigint[])",
        [each.id for each in steps if each.id is not None],
    )


async def keep_step(meeting_id: int, step: Step, *, at: datetime) -> None:
    slot, table = step.after or (None, None)
    if step.id is None:
        await execute(
            """INSERT INTO appointment (meeting, seller, buyer, slot, table_number, state, source, created_at)
               VALUES ($1, $2, $3, $4, $5, 'scheduled', 'walk_in', $6)""",
            meeting_id,
            step.seller,
            step.buyer,
            slot,
            table,
            at,
        )
        await _topics(meeting_id, step)
    else:
        rows = await fetch("SELECT state FROM appointment WHERE id = $1", step.id)
        state = rules.APPOINTMENT.apply(
            "place" if step.after else "unplace", state=rows[0]["state"], by="official"
        )
        await execute(
            "UPDATE appointment SET slot = $2, table_number = $3, state = $4 WHERE id = $1",
            step.id,
            slot,
            table,
            state,
        )
    await execute(
        "DELETE FROM left_out WHERE meeting = $1 AND seller = $2 AND buyer = $3",
        meeting_id,
        step.seller,
        step.buyer,
    )
    if step.after is None:
        await execute(
            "INSERT INTO left_out (meeting, seller, buyer, reason) VALUES ($1, $2, $3, $4)",
            meeting_id,
            step.seller,
            step.buyer,
            msgspec.json.encode(step.reason or NO_PLACE).decode(),
        )


async def _topics(meeting_id: int, step: Step) -> None:
    """What a newcomer's talk is about: each listing that is on sale, with a demand for the same produce."""
    await execute(
        """INSERT INTO topic (appointment, listing, demand)
           SELECT DISTINCT ON (listing.id) appointment.id, listing.id, demand.id
           FROM appointment JOIN lot ON lot.owner = appointment.seller
           JOIN listing ON listing.lot = lot.id AND listing.state = 'published'
           LEFT JOIN demand ON demand.produce = lot.produce AND demand.buyer = appointment.buyer
             AND demand.state = 'published'
           WHERE appointment.meeting = $1 AND appointment.seller = $2 AND appointment.buyer = $3
           ORDER BY listing.id, demand.ceiling DESC NULLS LAST""",
        meeting_id,
        step.seller,
        step.buyer,
    )


async def _numbered(meeting_id: int, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps with the numbers of the talks that were new."""
    numbers = {
        (row["seller"], row["buyer"]): row["id"]
        for row in await fetch("SELECT id, seller, buyer FROM appointment WHERE meeting = $1", meeting_id)
    }
    return tuple(
        each if each.id else msgspec.structs.replace(each, id=numbers[each.seller, each.buyer])
        for each in steps
    )


async def _mark_away(meeting_id: int, organisation_id: int, *, actor: Actor, at: datetime) -> None:
    row = await fetch_row(
        """SELECT id, attendance FROM invitation WHERE meeting = $1 AND organisation = $2 FOR UPDATE""",
        meeting_id,
        organisation_id,
    )
    if row is None or row["attendance"] not in ("expected", "checked_in"):
        return
    await log_move(
        meeting_id=meeting_id,
        code=code_of_invitation(row["id"]),
        attendee_id=None,
        move="mark_no_show" if row["attendance"] == "expected" else "leave",
        actor=actor,
        at=at,
    )
    await settle(row["id"], at=at)


async def tell_changed(meeting: MeetingRow, steps: tuple[Step, ...], *, at: datetime) -> None:
    """Tell each organisation whose day changes what changes in it, in one notice; nobody else anything."""
    own: dict[int, list[tuple[Step, int]]] = {}
    for step in steps:
        own.setdefault(step.seller, []).append((step, step.buyer))
        own.setdefault(step.buyer, []).append((step, step.seller))
    names = {
        row["id"]: named(row, "name")
        for row in await fetch(
            "SELECT id, name, name_en FROM organisation WHERE id = ANY($1::bigint[])", list(own)
        )
    }
    for organisation, changed in sorted(own.items()):
        step, other = changed[0]
        first = _words(meeting, step, names[other])
        await notify(
            organisation_id=organisation,
            kind="meeting_changed",
            message=first
            if len(changed) == 1
            else msg("{first}另有 {n} 场也有调整，请看新的日程。", first=first, n=len(changed) - 1),
            link=f"/meetings/{meeting.id}",
            at=at,
        )


def _words(meeting: MeetingRow, step: Step, other: Message) -> Message:
    if step.after is None and step.reason == not_coming(other):
        return msg("“{other}”不来了，与它的洽谈已取消。", other=other)
    if step.after is None and step.reason is not None and step.reason.text == not_coming(Message("")).text:
        return msg("与“{other}”的洽谈已取消。", other=other)
    if step.after is None:
        return msg("与“{other}”的洽谈今天排不下了，已取消。", other=other)
    when = meeting.slot_label(step.after[0])
    if step.before is None:
        return msg(
            "新排了与“{other}”的洽谈：{when}，{table} 号桌。", other=other, when=when, table=step.after[1]
        )
    return msg("与“{other}”的洽谈改到 {when}，{table} 号桌。", other=other, when=when, table=step.after[1])
