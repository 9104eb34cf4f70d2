"""From the engine's matches to a docking meeting: whom to invite, who meets whom, when and where.

As in matching, reading, computing and keeping are apart: see ``matching.operations``.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime

import msgspec

from market import clock
from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.jobs import Run as Attempt
from market.db.jobs import enqueue, job
from market.db.processes import in_process, keep_ready
from market.db.session import execute, fetch, transaction
from market.errors import Busy, Conflict, Invalid, MarketError, NotFound
from market.i18n import Message, in_both, msg
from market.matching.queries import latest_run
from market.meetings import rules
from market.meetings.commands import NewMeeting, columns_of, meeting_problems
from market.meetings.invitations.reminding import schedule_reminders
from market.meetings.planning.facts import Facts, facts_of
from market.meetings.planning.keeping import invite_media, keep, propose
from market.meetings.planning.laying import SOLVERS, Plan, choice_of, lost_talks, make_plan, nothing

#: Seconds for the timetable; it is feasible long before and better with time.
TIME_LIMIT = 20.0
MOST_READS = 3
#: Talks that a warning names; of more it tells the number.
MOST_NAMED = 3

keep_ready(make_plan.__module__, *SOLVERS)


class PlanPayload(msgspec.Struct, frozen=True):
    """``sure``: the official knows that talks of the published timetable are lost."""

    meeting_id: int
    sure: bool = False


class WouldLose(Conflict):
    """A plan takes talks off the timetable that participants know, and nobody was sure."""


async def open_meeting(*, meeting: NewMeeting, town_id: int, actor: Actor, at: datetime) -> int:
    """Write down a meeting of the town and return its number; nobody is invited yet.

    Raises:
        Invalid: with every field that is wrong.
    """
    problems = meeting_problems(meeting, today=at.astimezone(clock.CHINA).date())
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    async with transaction():
        run = await latest_run(town_id=town_id)
        rows = await fetch(
            """INSERT INTO meeting (town, run, state, created_by, created_at, title, title_en, held_on,
                                    starts_at, slot_minutes, slots, tables, half_day_after, pause_minutes,
                                    most_appointments, venue, venue_en, programme, programme_en, days,
                                    blocked_slots, most_of_sellers, most_of_buyers, most_musts, fairness,
                                    capacity, weather_plan, contact, contact_phone, answer_by, wishes_by,
                                    is_public, most_of_one_person, weather_plan_en)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                       $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)
               RETURNING id""",
            town_id,
            run.id if run else None,
            rules.MEETING.start,
            actor.person_id,
            at,
            *columns_of(meeting),
        )
        meeting_id = int(rows[0]["id"])
        if meeting.invite_media:
            await invite_media(meeting_id, at=at)
        await record(
            subject=f"meeting:{meeting_id}",
            action="open",
            actor=actor,
            at=at,
            details={"held_on": meeting.held_on.isoformat()},
        )
        await schedule_reminders(meeting_id, at=at)
    return meeting_id


async def request_plan(
    *, meeting_id: int, town_id: int, actor: Actor, at: datetime, sure: bool = False
) -> None:
    """Queue the planning of a meeting; the worker takes it from there.

    A plan that would take talks off a published timetable is not kept unless the official is ``sure``: the
    meeting's trouble says so instead.

    Raises:
        NotFound: no such meeting of this town.
        Conflict: it has begun, or it is being planned.
    """
    async with transaction():
        await _plannable(meeting_id=meeting_id, town_id=town_id)
        queued = await enqueue("meetings.plan", PlanPayload(meeting_id, sure), key=f"meeting:{meeting_id}")
        if queued is None:
            raise Conflict(msg("这场对接会正在排桌，请稍等。"))
        await execute("UPDATE meeting SET trouble = NULL, asks_back = false WHERE id = $1", meeting_id)
        await record(subject=f"meeting:{meeting_id}", action="request_plan", actor=actor, at=at, details={})


async def plan_now(*, meeting_id: int, town_id: int, actor: Actor, at: datetime, sure: bool = False) -> None:
    """Plan a meeting here and now, as the command line does.

    Raises:
        NotFound, Conflict: as :func:`request_plan`.
        WouldLose: talks would be lost, and nobody was ``sure``.
        Invalid: there is nothing to talk about.
    """
    await _plannable(meeting_id=meeting_id, town_id=town_id)
    await record_planning(meeting_id, actor=actor, at=at)
    await _read_compute_keep(meeting_id, None, sure=sure, start=at, finish=lambda: at)


async def propose_invitations(*, meeting_id: int, town_id: int, actor: Actor, at: datetime) -> list[int]:
    """Invite whom the matches and the stuck lots ask for, and tell them; return who is new.

    Nothing is laid: they answer, and say whom they want to meet, first.

    Raises:
        NotFound, Conflict: as :func:`request_plan`.
        Invalid: there is nothing to talk about.
    """
    await _plannable(meeting_id=meeting_id, town_id=town_id)
    for _ in range(MOST_READS):
        async with transaction(isolation="repeatable_read", readonly=True):
            facts = await facts_of(meeting_id, at=at)
        choice = await in_process(choice_of, facts)
        if not choice.appointments:
            raise Invalid(nothing(facts))
        try:
            async with transaction():
                await _still(meeting_id, facts, at=at)
                await _plannable(meeting_id=meeting_id, town_id=town_id)
                new = await propose(meeting_id, choice, at=at)
                await record(
                    subject=f"meeting:{meeting_id}",
                    action="propose_invitations",
                    actor=actor,
                    at=at,
                    details={"invited": new},
                )
        except _MovedError:
            continue
        return new
    raise Conflict(msg("撮合结果或回复一直在变，请稍后再试。"))


async def record_planning(meeting_id: int, *, actor: Actor, at: datetime) -> None:
    async with transaction():
        await record(subject=f"meeting:{meeting_id}", action="plan", actor=actor, at=at, details={})


@job("meetings.plan", long=True)
async def compute(attempt: Attempt) -> None:
    """The worker's part of :func:`request_plan`."""
    asked = attempt.read(PlanPayload)
    meeting_id = asked.meeting_id
    try:
        await _read_compute_keep(meeting_id, attempt, sure=asked.sure, start=clock.now(), finish=clock.now)
    except Busy:
        # passes by itself: the job is tried again
        raise
    except MarketError as trouble:
        async with attempt.finishing():
            await execute(
                "UPDATE meeting SET trouble = $2, asks_back = $3 WHERE id = $1",
                meeting_id,
                msgspec.json.encode(trouble.message).decode(),
                isinstance(trouble, WouldLose),
            )


async def _plannable(*, meeting_id: int, town_id: int) -> None:
    rows = await fetch("SELECT state FROM meeting WHERE id = $1 AND town = $2", meeting_id, town_id)
    if not rows:
        raise NotFound(msg("没有找到这场对接会。"))
    if rows[0]["state"] not in rules.PLANNABLE:
        raise Conflict(msg("会议已开始或已取消，不能再排桌。"))


class _MovedError(Exception):
    """The matches or the answers changed while the plan was being computed."""


async def _read_compute_keep(
    meeting_id: int, attempt: Attempt | None, *, sure: bool, start: datetime, finish: Callable[[], datetime]
) -> None:
    for _ in range(MOST_READS):
        async with transaction(isolation="repeatable_read", readonly=True):
            facts = await facts_of(meeting_id, at=start)
        plan = await in_process(make_plan, facts, TIME_LIMIT)
        if not sure and (warning := _warning(facts, plan)):
            raise WouldLose(warning)
        try:
            async with attempt.finishing() if attempt else transaction():
                await _still(meeting_id, facts, at=start)
                await keep(meeting_id, plan, at=finish())
        except _MovedError:
            continue
        return
    raise Conflict(msg("撮合结果或回复一直在变，这次排桌没有保存，请稍后再试。"))


def _warning(facts: Facts, plan: Plan) -> Message | None:
    """Return what to tell before ``plan`` takes talks off the timetable that participants know."""
    lost = lost_talks(facts, plan)
    if not lost:
        return None
    names = {party.id: in_both(party.name, party.name_en) for party in facts.parties}
    named: Message | None = None
    for seller, buyer in lost[:MOST_NAMED]:
        one = msg("{buyer}–{seller}", buyer=names.get(buyer, ""), seller=names.get(seller, ""))
        named = one if named is None else msg("{one}、{other}", one=named, other=one)
    return msg(
        "照现在的情况重排，已发布的日程里有 {n} 场洽谈会取消：{named}{more}。日程还没有改，请确认。",
        n=len(lost),
        named=named or "",
        more=msg("等") if len(lost) > MOST_NAMED else "",
    )


async def _still(meeting_id: int, facts: Facts, *, at: datetime) -> None:
    """Hold the market still for a moment, and see whether all is as it was read.

    Wishes and answers are not held: one that comes at the same moment counts as having come after.
    """
    await execute("SELECT id FROM meeting WHERE id = $1 FOR NO KEY UPDATE", meeting_id)
    await execute("LOCK TABLE match, lot, listing, demand, refusal IN SHARE MODE")
    if _fingerprint(await facts_of(meeting_id, at=at)) != _fingerprint(facts):
        raise _MovedError


def _fingerprint(facts: Facts) -> str:
    return hashlib.sha256(msgspec.json.encode(facts, order="deterministic")).hexdigest()
