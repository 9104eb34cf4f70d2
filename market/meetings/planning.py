"""From the engine's matches to a docking meeting: whom to invite, who meets whom, when and where.

As in matching, reading, computing and keeping are apart: see ``matching.operations``.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from market import clock
from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.jobs import Run as Attempt
from market.db.jobs import enqueue, job
from market.db.processes import in_process
from market.db.session import execute, fetch, transaction
from market.errors import Busy, Conflict, Invalid, MarketError, NotFound
from market.i18n import msg
from market.matching.queries import latest_run, open_proposals, snapshot
from market.matching.rules import Parameters, why_not
from market.meetings import rules
from market.meetings.choosing.choose import choose_invitations
from market.meetings.choosing.problem import Candidate, Capacity, Choice
from market.meetings.commands import NewMeeting, columns_of, meeting_problems
from market.meetings.publishing import Plan, invite_media, keep, pair_id
from market.meetings.reminding import schedule_reminders
from market.meetings.timetable.problem import Appointment, MeetingProblem, Participant, Side
from market.meetings.timetable.scheduler import schedule

#: Seconds for the timetable; it is feasible long before and better with time.
TIME_LIMIT = 20.0
#: The most that two participants' numbers of breaks may differ.
FAIRNESS = 2
MOST_READS = 3


class PlanPayload(msgspec.Struct, frozen=True):
    meeting_id: int


class Facts(msgspec.Struct, frozen=True):
    """What a plan is made of. Whoever has declined the invitation is in no candidate."""

    candidates: tuple[Candidate, ...]
    names: dict[str, str]
    capacity: Capacity
    half_day_after: int | None


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
                                    is_public)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
                       $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)
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


async def request_plan(*, meeting_id: int, town_id: int, actor: Actor, at: datetime) -> None:
    """Queue the planning of a meeting; the worker takes it from there.

    Raises:
        NotFound: no such meeting of this town.
        Conflict: it has begun, or it is being planned.
    """
    async with transaction():
        await _plannable(meeting_id=meeting_id, town_id=town_id)
        queued = await enqueue("meetings.plan", PlanPayload(meeting_id), key=f"meeting:{meeting_id}")
        if queued is None:
            raise Conflict(msg("这场对接会正在排桌，请稍等。"))
        await execute("UPDATE meeting SET trouble = NULL WHERE id = $1", meeting_id)
        await record(subject=f"meeting:{meeting_id}", action="request_plan", actor=actor, at=at, details={})


async def plan_now(*, meeting_id: int, town_id: int, actor: Actor, at: datetime) -> None:
    """Plan a meeting here and now, as the command line does.

    Raises:
        NotFound, Conflict: as :func:`request_plan`.
        Invalid: there is nothing to talk about.
    """
    await _plannable(meeting_id=meeting_id, town_id=town_id)
    await record_planning(meeting_id, actor=actor, at=at)
    await _read_compute_keep(meeting_id, None, start=at, finish=lambda: at)


async def record_planning(meeting_id: int, *, actor: Actor, at: datetime) -> None:
    async with transaction():
        await record(subject=f"meeting:{meeting_id}", action="plan", actor=actor, at=at, details={})


@job("meetings.plan", long=True)
async def compute(attempt: Attempt) -> None:
    """The worker's part of :func:`request_plan`."""
    meeting_id = attempt.read(PlanPayload).meeting_id
    try:
        await _read_compute_keep(meeting_id, attempt, start=clock.now(), finish=clock.now)
    except Busy:
        # passes by itself: the job is tried again
        raise
    except MarketError as trouble:
        async with attempt.finishing():
            await execute(
                "UPDATE meeting SET trouble = $2 WHERE id = $1",
                meeting_id,
                msgspec.json.encode(trouble.message).decode(),
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
    meeting_id: int, attempt: Attempt | None, *, start: datetime, finish: Callable[[], datetime]
) -> None:
    for _ in range(MOST_READS):
        async with transaction(isolation="repeatable_read", readonly=True):
            facts = await _facts(meeting_id, at=start)
        plan = await in_process(make_plan, facts, TIME_LIMIT)
        try:
            async with attempt.finishing() if attempt else transaction():
                await execute("SELECT id FROM meeting WHERE id = $1 FOR UPDATE", meeting_id)
                await execute("LOCK TABLE match, lot, listing, demand IN SHARE MODE")
                if _fingerprint(await _facts(meeting_id, at=start)) != _fingerprint(facts):
                    raise _MovedError
                await keep(meeting_id, plan, at=finish())
        except _MovedError:
            continue
        return
    raise Conflict(msg("撮合结果或回复一直在变，这次排桌没有保存，请稍后再试。"))


def _fingerprint(facts: Facts) -> str:
    return hashlib.sha256(msgspec.json.encode(facts, order="deterministic")).hexdigest()


async def _facts(meeting_id: int, *, at: datetime) -> Facts:
    meeting = (
        await fetch(
            "SELECT town, slots, tables, half_day_after, most_appointments FROM meeting WHERE id = $1",
            meeting_id,
        )
    )[0]
    away = {
        row["organisation"]
        for row in await fetch(
            """SELECT organisation FROM invitation
               WHERE meeting = $1 AND state IN ('declined', 'revoked', 'expired')""",
            meeting_id,
        )
    }
    candidates = [
        each
        for each in await _candidates(town_id=meeting["town"], at=at)
        if each.seller not in away and each.buyer not in away
    ]
    people = sorted({each.seller for each in candidates} | {each.buyer for each in candidates})
    rows = await fetch("SELECT id, name FROM organisation WHERE id = ANY($1::bigint[])", people)
    return Facts(
        candidates=tuple(candidates),
        names={str(row["id"]): row["name"] for row in sorted(rows, key=lambda row: int(row["id"]))},
        capacity=Capacity(meeting["slots"], meeting["tables"], meeting["most_appointments"]),
        half_day_after=meeting["half_day_after"],
    )


async def _candidates(*, town_id: int, at: datetime) -> list[Candidate]:
    """Every open match, and every admissible pair of a listing that no match empties.

    The latter weigh nothing: they are there so that whoever is stuck meets somebody at least.
    """
    proposals = await open_proposals(town_id=town_id)
    found = [
        Candidate(
            seller=each.seller,
            buyer=each.buyer,
            listing=each.listing,
            worth=each.worth,
            demand=each.demand,
            matched=True,
        )
        for each in proposals
    ]
    taken: dict[str, int] = {}
    for each in proposals:
        if each.proposed:
            taken[str(each.listing)] = taken.get(str(each.listing), 0) + each.quantity
    known = {(each.listing, each.demand) for each in proposals}
    market = await snapshot(town_id=town_id, on=at.astimezone(clock.CHINA).date())
    barred = set(market.barred)
    parameters = Parameters()
    by_product: dict[str, list[Any]] = {}
    for demand in market.demands:
        by_product.setdefault(demand.product, []).append(demand)
    for lot in market.lots:
        if lot.quantity <= taken.get(lot.id, 0):
            continue
        found += [
            Candidate(
                seller=int(lot.seller),
                buyer=int(demand.buyer),
                listing=int(lot.id),
                worth=0,
                demand=int(demand.id),
                stuck=True,
            )
            for demand in by_product.get(lot.product, [])
            if (int(lot.id), int(demand.id)) not in known
            and (lot.id, demand.id) not in barred
            and not why_not(lot, demand, parameters)
        ]
    return found


def make_plan(facts: Facts, seconds: float) -> Plan:
    """Choose and schedule; pure, module-level, for another process.

    Raises:
        Invalid: no pair has anything to talk about.
    """
    choice = choose_invitations(facts.candidates, capacity=facts.capacity)
    if not choice.appointments:
        raise Invalid(msg("没有可谈的一对：请先运行撮合，或请有意向的一方改回复。"))
    most = facts.capacity.most
    problem = MeetingProblem(
        slots=facts.capacity.slots,
        tables=facts.capacity.tables,
        half_day_after=facts.half_day_after,
        participants=tuple(
            Participant(str(number), facts.names[str(number)], side, max_appointments=most)
            for side, numbers in _sides(choice)
            for number in numbers
        ),
        appointments=tuple(
            Appointment(
                pair_id(each),
                str(each.buyer),
                str(each.seller),
                # whole thousands of yuan at stake: what is left out first, if anything must be
                weight=1 + min(max(each.worth, 0) // 100_000, 900_000),
                optional=True,
            )
            for each in choice.appointments
        ),
        fairness=FAIRNESS,
    )
    return Plan(choice, schedule(problem, time_limit=seconds))


def _sides(choice: Choice) -> tuple[tuple[Side, tuple[int, ...]], ...]:
    return (("seller", choice.sellers), ("buyer", choice.buyers))
