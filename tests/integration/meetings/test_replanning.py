"""The living timetable: fewest changes, only those concerned are told, the first of two officials wins."""

import asyncio

import pytest

from fixtures.factories import Factory
from market.db.session import execute, fetch, fetch_row, fetch_value
from market.errors import Conflict, Invalid, NotFound
from market.meetings.day.attendance import mark_attendance
from market.meetings.day.disruptions import Change
from market.meetings.day.incidents import incidents_of, undo_last
from market.meetings.day.replanning import Preview, apply_change, preview_change
from market.meetings.day.walk_ins import WalkIn, let_in, suggestions_for
from market.meetings.planning.plan import plan_now
from market.meetings.talks.recording import clock_talk
from tests.integration.meetings.day import Day


@pytest.fixture
async def day(factory: Factory) -> Day:
    """(s0, b0) and (s1, b1) in slot 1, (s1, b0) and (s0, b1) in slot 2, at tables 1 and 2; four slots."""
    return await Day(factory).begun()


async def preview(day: Day, change: Change, minute: float = -5) -> Preview:
    return await preview_change(
        meeting_id=day.meeting_id,
        change=change,
        town_id=day.town.organisation_id,
        at=day.minute(minute),
    )


async def apply(day: Day, change: Change, minute: float = -5, token: str = "") -> int:
    token = token or (await preview(day, change, minute)).token
    return await apply_change(
        meeting_id=day.meeting_id,
        change=change,
        token=token,
        town_id=day.town.organisation_id,
        actor=day.town.actor,
        at=day.minute(minute),
    )


async def undo(day: Day, incident: int, minute: float = -5) -> None:
    await undo_last(
        meeting_id=day.meeting_id,
        incident_id=incident,
        town_id=day.town.organisation_id,
        actor=day.town.actor,
        at=day.minute(minute),
    )


async def told(day: Day) -> dict[int, int]:
    """Return organisation -> how many notices of a change it has got."""
    rows = await fetch(
        "SELECT organisation, count(*) AS n FROM notice WHERE kind = 'meeting_changed' GROUP BY organisation"
    )
    return {row["organisation"]: row["n"] for row in rows}


def parties(day: Day, *names: str) -> set[int]:
    known = {"s0": day.sellers[0], "s1": day.sellers[1], "b0": day.buyers[0], "b1": day.buyers[1]}
    return {known[name].organisation_id for name in names}


async def clash_free(day: Day) -> bool:
    rows = await fetch(
        """SELECT seller, buyer, slot, table_number FROM appointment
           WHERE slot IS NOT NULL AND state = 'scheduled'"""
    )
    for names in (("slot", "table_number"), ("slot", "seller"), ("slot", "buyer")):
        keys = [tuple(row[name] for name in names) for row in rows]
        if len(set(keys)) != len(keys):
            return False
    return True


async def test_late_seller_is_moved_back_and_only_those_who_move_are_told(day: Day) -> None:
    before = await day.places()
    change = Change("late", day.sellers[0].organisation_id, until=2)
    shown = await preview(day, change)
    assert await day.places() == before
    assert await told(day) == {}
    await apply(day, change, token=shown.token)
    after = await day.places()
    moved = {talk for talk in before if before[talk] != after[talk]}
    assert moved == {each.id for each in shown.steps}
    assert day.talks[0] in moved
    assert all(slot >= 2 for talk, (slot, _) in after.items() if talk in (day.talks[0], day.talks[3]))
    rows = await fetch("SELECT seller, buyer FROM appointment WHERE id = ANY($1::bigint[])", list(moved))
    assert set(await told(day)) == {number for row in rows for number in row} == set(shown.told)
    assert set((await told(day)).values()) == {1}
    assert await clash_free(day)


async def test_who_does_not_come_leaves_the_others_where_they_are(day: Day) -> None:
    before = await day.places()
    gone = day.sellers[0].organisation_id
    shown = await preview(day, Change("absent", gone))
    assert (len(shown.moved), len(shown.called_off)) == (0, 2)
    await apply(day, Change("absent", gone))
    assert await day.places() == {talk: before[talk] for talk in (day.talks[1], day.talks[2])}
    assert set(await told(day)) == parties(day, "s0", "b0", "b1")
    assert await day.state_of(gone) == "no_show"
    assert await fetch_value("SELECT count(*) FROM left_out") == 2
    states = await fetch(
        "SELECT state FROM appointment WHERE id = ANY($1::bigint[])", [day.talks[0], day.talks[3]]
    )
    assert {row["state"] for row in states} == {"accepted"}


async def test_what_has_begun_or_been_held_stays(day: Day) -> None:
    for talk in day.talks[:2]:
        await clock_talk(
            appointment_id=talk,
            move="start",
            organisation_id=day.town.organisation_id,
            actor=day.town.actor,
            at=day.minute(1),
        )
    before = await day.places()
    await apply(day, Change("absent", day.sellers[0].organisation_id), minute=5)
    after = await day.places()
    assert after[day.talks[0]] == before[day.talks[0]]
    assert day.talks[3] not in after


async def test_talk_of_the_running_slot_is_made_up_for_when_its_side_is_late(day: Day) -> None:
    await apply(day, Change("late", day.buyers[0].organisation_id, until=3), minute=5)
    after = await day.places()
    assert min(after[talk][0] for talk in (day.talks[0], day.talks[2])) >= 3
    assert len(after) == 4
    assert await clash_free(day)


async def test_talk_that_runs_over_pushes_what_its_two_sides_had_next(day: Day) -> None:
    await apply(day, Change("overrun", appointment=day.talks[0], slots=1), minute=18)
    after = await day.places()
    assert after[day.talks[0]] == (1, 1)
    # both of the second slot's talks are with one of the two who still sit there
    assert all(after[talk][0] >= 3 for talk in (day.talks[2], day.talks[3]))
    assert await clash_free(day)


async def test_broken_table_stays_broken_for_what_comes_after(day: Day) -> None:
    await apply(day, Change("table_broken", table=2))
    after = await day.places()
    assert {table for _, table in after.values()} == {1}
    assert len(after) == 4
    await apply(day, Change("late", day.sellers[0].organisation_id, until=2))
    assert {table for _, table in (await day.places()).values()} == {1}
    assert await clash_free(day)


async def test_lost_slot_is_left_by_everybody(day: Day) -> None:
    await apply(day, Change("slot_lost", slot=1))
    after = await day.places()
    assert (len(after), {slot for slot, _ in after.values()} & {1}) == (4, set())
    assert await clash_free(day)


async def test_newcomer_gets_the_talks_that_find_room(day: Day, factory: Factory) -> None:
    newcomer = await factory.member(role="secretary", town_id=day.town.organisation_id)
    await factory.listing(newcomer)
    name = await fetch_value("SELECT name FROM organisation WHERE id = $1", newcomer.organisation_id)
    await execute(
        "UPDATE organisation SET name = $1 || '（新）' WHERE id = $2", name, newcomer.organisation_id
    )
    came = await let_in(
        meeting_id=day.meeting_id,
        walk_in=WalkIn(f"{name}（新）"),
        town_id=day.town.organisation_id,
        actor=day.town.actor,
        at=day.minute(-5),
    )
    assert (came, await day.state_of(came)) == (newcomer.organisation_id, "checked_in")
    proposed = await suggestions_for(meeting_id=day.meeting_id, organisation_id=came)
    assert {each.organisation for each in proposed} == parties(day, "b0", "b1")
    assert {each.shared for each in proposed} == {1}
    before = await day.places()
    change = Change("walk_in", came, counterparts=tuple(each.organisation for each in proposed))
    incident = await apply(day, change)
    after = await day.places()
    assert {talk: after[talk] for talk in before} == before
    new = set(after) - set(before)
    assert len(new) == 2
    assert await clash_free(day)
    assert set(await told(day)) == {came, *parties(day, "b0", "b1")}
    topics = await fetch_value("SELECT count(*) FROM topic WHERE appointment = ANY($1::bigint[])", list(new))
    assert topics == 2
    assert await suggestions_for(meeting_id=day.meeting_id, organisation_id=came) == []
    await undo(day, incident)
    assert await day.places() == before


@pytest.mark.parametrize(("minute", "stands"), [(-30, "checked_in"), (-30 - 24 * 60, "expected")])
async def test_newcomer_before_the_beginning_is_let_in_planned_in_and_kept_by_the_next_plan(
    day: Day, factory: Factory, minute: float, stands: str
) -> None:
    await execute("UPDATE meeting SET state = 'timetabled', published_at = NULL")
    newcomer = await factory.member(role="secretary", town_id=day.town.organisation_id)
    name = await fetch_value("SELECT name FROM organisation WHERE id = $1", newcomer.organisation_id)
    await execute(
        "UPDATE organisation SET name = $1 || '（新）' WHERE id = $2", name, newcomer.organisation_id
    )
    by = {"town_id": day.town.organisation_id, "actor": day.town.actor, "at": day.minute(minute)}
    came = await let_in(meeting_id=day.meeting_id, walk_in=WalkIn(f"{name}（新）"), **by)
    assert await day.state_of(came) == stands
    before = await day.places()
    change = Change("walk_in", came, counterparts=(day.buyers[0].organisation_id,))
    assert (await preview(day, change, minute)).told == ()
    await apply(day, change, minute)
    assert [each.told for each in await incidents_of(meeting_id=day.meeting_id)] == [0]
    new = {talk: place for talk, place in (await day.places()).items() if talk not in before}
    assert len(new) == 1
    # nobody knows the timetable yet: nothing of it has changed for anybody
    assert await told(day) == {}
    await plan_now(meeting_id=day.meeting_id, **by)
    after = await day.places()
    assert {talk: after.get(talk) for talk in new} == new


async def test_newcomer_that_nobody_knows_is_registered(day: Day) -> None:
    async def come(**given: str) -> int:
        return await let_in(
            meeting_id=day.meeting_id,
            walk_in=WalkIn(**given),
            town_id=day.town.organisation_id,
            actor=day.town.actor,
            at=day.minute(0),
        )

    for wrong, field in (
        ({"name": " "}, "name"),
        ({"name": "新开的油坊"}, "kind"),
        ({"name": "x", "kind": "y"}, "kind"),
    ):
        with pytest.raises(Invalid) as refused:
            await come(**wrong)
        assert set(refused.value.fields) == {field}
    new = await come(name="新开的油坊", kind="mill")
    again = await come(name="新开的油坊")
    assert new == again
    row = await fetch_row("SELECT side, source, attendance FROM invitation WHERE organisation = $1", new)
    assert row is not None
    assert tuple(row) == ("seller", "walk_in", "checked_in")


async def test_swap_is_checked_and_explained(day: Day) -> None:
    exchange = Change("swap", appointment=day.talks[0], other=day.talks[1])
    await apply(day, exchange)
    assert (await day.places())[day.talks[0]] == (1, 2)
    # both sides talk to others in the second slot, and both tables are taken
    clash = await preview(day, Change("swap", appointment=day.talks[0], slot=2))
    assert (len(clash.steps), len(clash.clashes)) == (0, 3)
    with pytest.raises(Conflict):
        await apply(day, Change("swap", appointment=day.talks[0], slot=2))
    await apply(day, Change("swap", appointment=day.talks[0], slot=4, table=1))
    assert (await day.places())[day.talks[0]] == (4, 1)
    assert await clash_free(day)


WRONG: list[tuple[Change, str]] = [
    (Change("earthquake"), "kind"),
    (Change("late", 10**9, until=2), "organisation"),
    (Change("late", None, until=2), "organisation"),
    (Change("table_broken", table=99), "table"),
    (Change("table_broken"), "table"),
    (Change("slot_lost", slot=9), "slot"),
    (Change("slot_lost"), "slot"),
    (Change("overrun", appointment=10**9), "appointment"),
    (Change("swap", appointment=10**9, slot=2), "appointment"),
    (Change("walk_in", 10**9, counterparts=(1,)), "organisation"),
]


@pytest.mark.parametrize(("change", "field"), WRONG)
async def test_change_that_makes_no_sense_is_refused(day: Day, change: Change, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        await preview(day, change)
    assert set(refused.value.fields) == {field}


async def test_slots_that_have_begun_are_not_to_be_had(day: Day) -> None:
    seller = day.sellers[0].organisation_id
    for change, field in (
        (Change("late", seller, until=2), "until"),
        (Change("slot_lost", slot=1), "slot"),
        (Change("swap", appointment=day.talks[2], slot=1), "slot"),
        (Change("swap", appointment=day.talks[0], slot=3), "appointment"),
        (Change("walk_in", seller, counterparts=(day.buyers[0].organisation_id,)), "counterparts"),
        (Change("walk_in", seller, counterparts=(day.sellers[1].organisation_id,)), "counterparts"),
    ):
        with pytest.raises(Invalid) as refused:
            await preview(day, change, minute=5)
        assert (change, set(refused.value.fields)) == (change, {field})
    with pytest.raises(Invalid):
        await preview(day, Change("absent", seller), minute=600)


async def test_of_two_officials_at_once_one_changes_the_day_and_the_other_looks_again(day: Day) -> None:
    late = Change("late", day.sellers[0].organisation_id, until=2)
    broken = Change("table_broken", table=1)
    tokens = [(await preview(day, each)).token for each in (late, broken)]
    results = await asyncio.gather(
        *(apply(day, change, token=token) for change, token in zip((late, broken), tokens, strict=True)),
        return_exceptions=True,
    )
    assert sorted(type(each) for each in results if not isinstance(each, int)) == [Conflict]
    assert await day.count("incident") == 1
    assert await clash_free(day)


async def test_same_change_confirmed_twice_at_once_happens_once(day: Day) -> None:
    late = Change("late", day.sellers[0].organisation_id, until=2)
    token = (await preview(day, late)).token
    results = await asyncio.gather(*(apply(day, late, token=token) for _ in range(2)), return_exceptions=True)
    assert sum(isinstance(each, int) for each in results) == 1
    assert await day.count("incident") == 1
    assert set((await told(day)).values()) == {1}


async def test_what_was_shown_is_what_is_done_or_nothing_is(day: Day) -> None:
    late = Change("late", day.sellers[0].organisation_id, until=2)
    token = (await preview(day, late)).token
    for other in (
        Change("late", day.sellers[1].organisation_id, until=2),
        Change("absent", late.organisation),
    ):
        with pytest.raises(Conflict):
            await apply(day, other, token=token)
    # a talk has begun meanwhile
    await execute("UPDATE appointment SET started_at = $2 WHERE id = $1", day.talks[1], day.minute(-5))
    with pytest.raises(Conflict):
        await apply(day, late, token=token)
    assert await day.count("incident") == 0


async def test_undo_puts_the_day_back_and_tells_the_same_again(day: Day) -> None:
    before = await day.places()
    first = await apply(day, Change("late", day.sellers[0].organisation_id, until=2))
    second = await apply(day, Change("slot_lost", slot=3))
    with pytest.raises(Conflict):
        await undo(day, first)
    await undo(day, second)
    await undo(day, first)
    assert await day.places() == before
    with pytest.raises(Conflict):
        await undo(day, first)
    assert [each.undone_at is None for each in await incidents_of(meeting_id=day.meeting_id)] == [
        False,
        False,
    ]
    # what was undone takes nothing away any more
    shown = await preview(day, Change("slot_lost", slot=4))
    assert shown.steps == ()


async def test_undo_is_refused_once_something_of_it_has_begun_or_its_time_is_past(day: Day) -> None:
    incident = await apply(day, Change("late", day.sellers[0].organisation_id, until=2))
    with pytest.raises(Conflict):
        await undo(day, incident, minute=25)
    moved = (await incidents_of(meeting_id=day.meeting_id))[0].details.steps[0].id
    await execute("UPDATE appointment SET started_at = $2 WHERE id = $1", moved, day.minute(-5))
    with pytest.raises(Conflict):
        await undo(day, incident)


async def test_undone_absence_gives_the_talks_back(day: Day) -> None:
    before = await day.places()
    incident = await apply(day, Change("absent", day.sellers[0].organisation_id))
    await undo(day, incident)
    assert await day.places() == before
    assert await fetch_value("SELECT count(*) FROM left_out") == 0


async def test_who_was_said_not_to_come_and_comes_after_all_is_given_its_talks_back(day: Day) -> None:
    back = day.sellers[0].organisation_id
    theirs = {day.talks[0], day.talks[3]}
    await apply(day, Change("absent", back))
    others = Change("walk_in", back, counterparts=tuple(sorted(parties(day, "b0", "b1"))))
    with pytest.raises(Invalid) as refused:
        await preview(day, others)
    assert set(refused.value.fields) == {"organisation"}
    await mark_attendance(
        meeting_id=day.meeting_id,
        organisation_id=back,
        move="check_in",
        town_id=day.town.organisation_id,
        actor=day.town.actor,
        at=day.minute(5),
    )
    proposed = await suggestions_for(meeting_id=day.meeting_id, organisation_id=back)
    assert {each.organisation for each in proposed} == parties(day, "b0", "b1")
    incident = await apply(day, others, minute=6)
    after = await day.places()
    assert theirs < set(after)
    assert len(after) == 4
    assert min(after[talk][0] for talk in theirs) >= 2
    assert await clash_free(day)
    # taken back, the talks wait again and are still there
    await undo(day, incident, minute=7)
    assert (await day.count("appointment"), len(await day.places())) == (4, 2)


@pytest.mark.parametrize("stood", ["expected", "checked_in"])
async def test_undone_absence_puts_whoever_it_was_back_where_they_stood(day: Day, stood: str) -> None:
    gone = day.sellers[0].organisation_id
    if stood == "checked_in":
        await mark_attendance(
            meeting_id=day.meeting_id,
            organisation_id=gone,
            move="check_in",
            town_id=day.town.organisation_id,
            actor=day.town.actor,
            at=day.minute(-9),
        )
    incident = await apply(day, Change("absent", gone))
    assert await day.state_of(gone) != stood
    await undo(day, incident, minute=-4)
    assert await day.state_of(gone) == stood


async def test_day_is_changed_by_its_own_town_while_it_is_on(day: Day, factory: Factory) -> None:
    stranger = await factory.member(role="official")
    change = Change("slot_lost", slot=3)
    for town in (stranger.organisation_id, day.sellers[0].organisation_id):
        with pytest.raises(NotFound):
            await preview_change(meeting_id=day.meeting_id, change=change, town_id=town, at=day.minute(-5))
    with pytest.raises(NotFound):
        await undo_last(
            meeting_id=day.meeting_id,
            incident_id=1,
            town_id=stranger.organisation_id,
            actor=stranger.actor,
            at=day.minute(-5),
        )
    await execute("UPDATE meeting SET state = 'closed'")
    with pytest.raises(Conflict):
        await preview(day, change)
