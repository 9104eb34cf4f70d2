"""Who has come: persons and organisations agree, however late and however often phones say it."""

import asyncio
from datetime import datetime, timedelta, timezone

import pytest

from fixtures.factories import Factory
from market.db.session import execute, fetch, fetch_value, transaction
from market.errors import Conflict, Invalid, NotFound
from market.meetings.day.attendance import code_of_invitation, mark_attendance, mark_person
from market.meetings.day.disruptions import Change
from market.meetings.day.scanning import (
    MOST_SCANS,
    Answer,
    NewScan,
    badge_of,
    mend_scan,
    read_scans,
    take_scans,
    unknown_scans,
)
from market.meetings.day.walk_ins import WalkIn, let_in, suggestions_for
from market.meetings.invitations.persons import NewAttendee, set_attendees
from market.transitions import WrongState
from tests.integration.meetings.day import Day
from tests.integration.meetings.test_replanning import apply, parties, preview, undo


@pytest.fixture
async def day(factory: Factory) -> Day:
    return await (await Day(factory).begun()).with_persons()


def reading(day: Day, name: str, minute: float, *, key: str = "", move: str = "check_in") -> NewScan:
    return NewScan(
        key or f"{name}-{move}-{minute}".encode().hex()[:64], day.codes[name], day.minute(minute), move
    )


async def send(day: Day, *scans: NewScan, at: float = 60, skew: float = 0) -> list[Answer]:
    """Send at minute ``at``, from a phone whose clock is ``skew`` minutes fast."""
    return await take_scans(
        meeting_id=day.meeting_id,
        town_id=day.town.organisation_id,
        scans=scans,
        sent_at=day.minute(at + skew),
        actor=day.town.actor,
        at=day.minute(at),
    )


async def test_first_person_in_checks_the_organisation_in_and_the_last_one_out_takes_it_out(day: Day) -> None:
    house = day.sellers[0].organisation_id
    await send(day, reading(day, "赵一", 0))
    assert (await day.state_of("赵一"), await day.state_of("钱二"), await day.state_of(house)) == (
        "checked_in",
        "expected",
        "checked_in",
    )
    await send(day, reading(day, "钱二", 1), reading(day, "赵一", 20, move="leave"))
    assert (await day.state_of("赵一"), await day.state_of(house)) == ("left", "checked_in")
    await send(day, reading(day, "钱二", 30, move="leave"))
    assert await day.state_of(house) == "left"
    await send(day, reading(day, "赵一", 40))
    assert (await day.state_of("赵一"), await day.state_of(house)) == ("checked_in", "checked_in")


async def test_readings_that_arrive_out_of_order_end_as_if_they_had_not(day: Day) -> None:
    await send(day, reading(day, "赵一", 30, move="leave"), at=31)
    assert await day.state_of("赵一") == "expected"
    # the other phone had no network at the door
    await send(day, reading(day, "赵一", 2), at=50)
    assert await day.state_of("赵一") == "left"
    when = await fetch_value("SELECT checked_in_at FROM attendee WHERE name = '赵一'")
    assert when == day.minute(2)


async def say_who_comes(day: Day, *names: str) -> None:
    await set_attendees(
        meeting_id=day.meeting_id,
        organisation_id=day.sellers[0].organisation_id,
        persons=[NewAttendee(name) for name in names],
        actor=day.town.actor,
        at=day.minute(50),
    )


async def test_whoever_was_read_without_effect_can_go_off_the_list_and_who_came_cannot(day: Day) -> None:
    await send(day, reading(day, "赵一", 0), reading(day, "钱二", 1, move="leave"))
    assert await day.state_of("钱二") == "expected"
    await say_who_comes(day, "赵一")
    assert await fetch_value("SELECT count(*) FROM attendee WHERE name = '钱二'") == 0
    log = await fetch("SELECT attendee IS NULL AS alone, move FROM scan ORDER BY scanned_at")
    assert [tuple(row) for row in log] == [(False, "check_in"), (True, "set_aside")]
    assert await unknown_scans(meeting_id=day.meeting_id) == []
    with pytest.raises(Conflict):
        await say_who_comes(day, "周四")
    assert await day.state_of("赵一") == "checked_in"


async def test_reading_while_the_list_is_written_waits_and_is_kept_for_the_desk(day: Day) -> None:
    written, waits = asyncio.Event(), asyncio.Event()

    async def write() -> None:
        async with transaction():
            await say_who_comes(day, "赵一")
            written.set()
            await waits.wait()

    writes = asyncio.create_task(write())
    await written.wait()
    reads = asyncio.create_task(send(day, reading(day, "钱二", 1)))
    while not await fetch_value("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
        await asyncio.sleep(0)
    waits.set()
    await asyncio.gather(writes, reads)
    left = await unknown_scans(meeting_id=day.meeting_id)
    assert [each.code for each in left] == [day.codes["钱二"]]


async def test_batch_sent_twice_counts_once_and_says_so(day: Day) -> None:
    scans = [reading(day, "赵一", 0), reading(day, "孙三", 1)]
    first = await send(day, *scans)
    again = await send(day, *scans, at=61)
    assert [(each.status, each.name, each.attendance) for each in first] == [
        ("taken", "赵一", "checked_in"),
        ("taken", "孙三", "checked_in"),
    ]
    assert [each.status for each in again] == ["known", "known"]
    assert await day.count("scan") == 2


async def test_phone_that_dies_after_half_of_its_batches_loses_and_doubles_nothing(day: Day) -> None:
    kept = [reading(day, "赵一", 0), reading(day, "钱二", 1), reading(day, "孙三", 2)]
    await send(day, *kept[:2])
    # it never heard the answer, and sends all that it still has
    assert [each.status for each in await send(day, *kept)] == ["known", "known", "taken"]
    assert await day.count("scan") == 3


async def test_one_badge_read_by_two_phones_at_once_is_one_person_in(day: Day) -> None:
    scans = [reading(day, "赵一", 0, key=f"phone-{n}-0001") for n in range(2)]
    await asyncio.gather(*(send(day, each) for each in scans))
    assert (await day.count("scan"), await day.state_of("赵一")) == (2, "checked_in")
    assert await fetch_value("SELECT count(*) FROM attendee WHERE attendance = 'checked_in'") == 1


async def test_the_same_batch_sent_twice_at_once_is_kept_once(day: Day) -> None:
    scans = [reading(day, name, n) for n, name in enumerate(day.codes)]
    answers = await asyncio.gather(send(day, *scans), send(day, *reversed(scans)))
    assert sorted(each.status for batch in answers for each in batch) == ["known"] * 3 + ["taken"] * 3
    assert await day.count("scan") == 3


@pytest.mark.parametrize("skew", [-600, -1, 0, 1, 600])
async def test_wrong_clock_of_a_phone_does_not_move_the_time_of_reading(day: Day, skew: float) -> None:
    scan = reading(day, "赵一", 10 + skew)
    await send(day, scan, at=25, skew=skew)
    assert await fetch_value("SELECT scanned_at FROM scan") == day.minute(10)


async def test_nothing_is_read_in_the_future_or_before_the_day(day: Day) -> None:
    early, late = "early-reading", "late-reading"
    ancient = datetime(1, 1, 1, tzinfo=timezone.utc)
    await send(
        day,
        NewScan(early, day.codes["赵一"], ancient),
        reading(day, "孙三", 900, key=late),
        at=25,
    )
    at = "SELECT scanned_at FROM scan WHERE key = $1"
    assert await fetch_value(at, early) == day.minute(0) - timedelta(hours=9)
    assert await fetch_value(at, late) == day.minute(25)


async def test_unknown_code_is_kept_and_mended(day: Day) -> None:
    [answer] = await send(day, NewScan("strange-0001", "XXXXXXXXXX", day.minute(5)))
    assert (answer.status, answer.attendee) == ("unknown", None)
    [waits] = await unknown_scans(meeting_id=day.meeting_id)
    who = (await badge_of(code=day.codes["孙三"])).attendee
    mend = {
        "scan_id": waits.id,
        "meeting_id": day.meeting_id,
        "actor": day.town.actor,
        "at": day.minute(9),
    }
    with pytest.raises(NotFound):
        await mend_scan(attendee_id=who, town_id=day.sellers[0].organisation_id, **mend)
    with pytest.raises(NotFound):
        await mend_scan(attendee_id=10**9, town_id=day.town.organisation_id, **mend)
    await mend_scan(attendee_id=who, town_id=day.town.organisation_id, **mend)
    assert await day.state_of("孙三") == "checked_in"
    assert await fetch_value("SELECT checked_in_at FROM attendee WHERE name = '孙三'") == day.minute(5)
    assert await unknown_scans(meeting_id=day.meeting_id) == []
    with pytest.raises(Conflict):
        await mend_scan(attendee_id=None, town_id=day.town.organisation_id, **mend)


async def test_unknown_code_can_be_set_aside(day: Day) -> None:
    await send(day, NewScan("strange-0001", "https://elsewhere.example/menu", day.minute(5)))
    [waits] = await unknown_scans(meeting_id=day.meeting_id)
    await mend_scan(
        scan_id=waits.id,
        attendee_id=None,
        meeting_id=day.meeting_id,
        town_id=day.town.organisation_id,
        actor=day.town.actor,
        at=day.minute(9),
    )
    assert (await unknown_scans(meeting_id=day.meeting_id), await day.count("scan")) == ([], 1)


async def test_badge_is_known_by_its_address_and_in_small_letters(day: Day) -> None:
    code = day.codes["赵一"]
    for n, typed in enumerate((f"https://market.example/checkin/{code}/", code.lower(), f"  {code} ")):
        [answer] = await send(day, NewScan(f"typed-000{n}", typed, day.minute(n)))
        assert (typed, answer.name) == (typed, "赵一")


async def test_organisation_without_names_is_checked_in_by_its_own_code(day: Day) -> None:
    house = day.buyers[0].organisation_id
    number = await fetch_value("SELECT id FROM invitation WHERE organisation = $1", house)
    [answer] = await send(day, NewScan("house-0001", code_of_invitation(number), day.minute(1)))
    assert (answer.status, answer.attendance) == ("taken", "checked_in")
    assert await day.state_of(house) == "checked_in"
    assert await unknown_scans(meeting_id=day.meeting_id) == []


async def test_reading_of_an_organisation_that_was_taken_off_the_list_is_not_said_to_be_taken(
    day: Day,
) -> None:
    house = day.buyers[0].organisation_id
    number = await fetch_value("SELECT id FROM invitation WHERE organisation = $1", house)
    await execute("UPDATE invitation SET state = 'revoked' WHERE id = $1", number)
    scan = NewScan("the-house-by-itself", code_of_invitation(number), day.minute(1))
    assert [each.status for each in await send(day, scan)] == ["unknown"]
    assert [each.code for each in await unknown_scans(meeting_id=day.meeting_id)] == [scan.code]
    assert await day.state_of(house) == "expected"


async def test_readings_that_make_no_sense_do_not_hold_up_the_others(day: Day) -> None:
    good = {"key": "good-key-1", "code": day.codes["赵一"], "at": "2026-11-23T01:00:00Z"}
    rubbish = [
        {**good, "key": "bad-moves", "move": "vanish"},
        {**good, "key": "x" * 65},
        {**good, "key": "bad-times", "at": "yesterday"},
        {**good, "key": "no-zone-1", "at": "2026-11-23T01:00:00"},
        {**good, "key": "no-code-1", "code": ""},
        {**good, "key": "long-code", "code": "C" * 101},
        {**good, "key": "nul-code1", "code": "A\x00B"},
        {**good, "key": "more-1234", "price": 3},
        {"key": 7},
        "text",
        None,
        [],
    ]
    scans, bad = read_scans([*rubbish, good, good])
    assert [each.key for each in scans] == ["good-key-1"]
    assert len(bad) == len(rubbish)
    assert [each.status for each in await send(day, *scans)] == ["taken"]


async def test_door_is_the_towns_own_and_open_on_the_day_only(day: Day, factory: Factory) -> None:
    scan = reading(day, "赵一", 0)
    stranger = await factory.member(role="official")
    with pytest.raises(NotFound):
        await take_scans(
            meeting_id=day.meeting_id,
            town_id=stranger.organisation_id,
            scans=[scan],
            sent_at=day.minute(0),
            actor=stranger.actor,
            at=day.minute(0),
        )
    with pytest.raises(Conflict):
        await send(day, scan, at=-24 * 60)
    with pytest.raises(Invalid):
        await send(day, *([scan] * (MOST_SCANS + 1)))
    assert await day.count("scan") == 0
    # what was read while the meeting was on is taken after it as well
    await execute("UPDATE meeting SET state = 'closed'")
    assert [each.status for each in await send(day, scan)] == ["taken"]


async def test_key_of_another_meeting_tells_nothing_of_it(day: Day, factory: Factory) -> None:
    scan = reading(day, "赵一", 0)
    await send(day, scan)
    other = await Day(factory).begun()
    [answer] = await send(other, scan)
    assert answer == Answer(scan.key, "refused")


async def test_badge_of_another_meeting_is_unknown_here(day: Day, factory: Factory) -> None:
    other = await Day(factory).begun()
    [answer] = await send(other, reading(day, "赵一", 0))
    assert (answer.status, answer.name) == ("unknown", "")
    assert await day.state_of("赵一") == "expected"


async def test_moves_at_a_click_follow_the_lifecycle_and_reach_all_persons(day: Day) -> None:
    house = day.sellers[0].organisation_id
    move = {
        "meeting_id": day.meeting_id,
        "town_id": day.town.organisation_id,
        "actor": day.town.actor,
        "at": day.minute(1),
    }
    first = (await badge_of(code=day.codes["赵一"])).attendee
    assert await mark_person(attendee_id=first, move="check_in", **move) == "checked_in"
    with pytest.raises(WrongState):
        await mark_person(attendee_id=first, move="check_in", **move)
    with pytest.raises(WrongState):
        await mark_attendance(organisation_id=house, move="mark_no_show", **move)
    assert await mark_attendance(organisation_id=house, move="leave", **move) == "left"
    assert (await day.state_of("赵一"), await day.state_of("钱二")) == ("left", "expected")
    other = day.sellers[1].organisation_id
    assert await mark_attendance(organisation_id=other, move="mark_no_show", **move) == "no_show"
    assert await day.state_of("孙三") == "no_show"
    # they come after all
    await send(day, reading(day, "孙三", 30))
    assert (await day.state_of("孙三"), await day.state_of(other)) == ("checked_in", "checked_in")
    with pytest.raises(NotFound):
        await mark_person(attendee_id=10**9, move="check_in", **move)
    # asked where it is written: the door may have closed since the page was opened
    await execute("UPDATE meeting SET state = 'closed'")
    for late in (
        mark_person(attendee_id=first, move="check_in", **move),
        mark_attendance(organisation_id=house, move="check_in", **move),
    ):
        with pytest.raises(Conflict, match="结束后不能再签到"):
            await late


async def test_guest_that_trades_after_all_sits_on_its_side(day: Day, factory: Factory) -> None:
    guest = await factory.member(role="buyer")
    await day.invite(guest, "guest")
    who, name = guest.organisation_id, "来看看的超市"
    await execute("UPDATE organisation SET name = $1 WHERE id = $2", name, who)
    came = await let_in(
        meeting_id=day.meeting_id,
        walk_in=WalkIn(name),
        town_id=day.town.organisation_id,
        actor=day.town.actor,
        at=day.minute(0),
    )
    proposed = await suggestions_for(meeting_id=day.meeting_id, organisation_id=came)
    assert (came, {each.organisation for each in proposed}) == (who, parties(day, "s0", "s1"))
    shown = await preview(day, Change("walk_in", came, counterparts=(proposed[0].organisation,)), 1)
    assert len(shown.added) == 1


async def days_here(house: int) -> list[int]:
    days: list[int] = await fetch_value("SELECT days_here FROM invitation WHERE organisation = $1", house)
    return days


async def test_check_in_by_mistake_never_was_in_whatever_order_the_phones_send(day: Day) -> None:
    house = day.sellers[0].organisation_id
    undo = reading(day, "赵一", 10, move="undo_check_in")
    await send(day, reading(day, "赵一", 0), reading(day, "赵一", 5, move="leave"), undo)
    assert (await day.state_of("赵一"), await day.state_of(house), await days_here(house)) == (
        "expected",
        "expected",
        [],
    )
    assert await fetch_value("SELECT checked_in_at FROM attendee WHERE name = '赵一'") is None
    deeds = "SELECT count(*) FROM audit_record WHERE action = 'undo_check_in'"
    assert await fetch_value(deeds) == 1
    # another phone brings the same mistake later, and the word itself comes twice
    await send(day, reading(day, "赵一", 2), undo, at=70)
    assert (await day.state_of("赵一"), await fetch_value(deeds)) == ("expected", 1)
    # then they come
    await send(day, reading(day, "赵一", 20), at=80)
    assert (await day.state_of("赵一"), await days_here(house)) == ("checked_in", [1])
    assert await fetch_value("SELECT checked_in_at FROM attendee WHERE name = '赵一'") == day.minute(20)


async def test_undone_at_a_click_and_refused_once_somebody_sat_at_a_table(day: Day) -> None:
    house, talk = day.sellers[1].organisation_id, day.talks[1]
    who = (await badge_of(code=day.codes["孙三"])).attendee
    move = {"meeting_id": day.meeting_id, "town_id": day.town.organisation_id, "actor": day.town.actor}
    await mark_attendance(organisation_id=house, move="mark_no_show", at=day.minute(0), **move)
    await mark_person(attendee_id=who, move="check_in", at=day.minute(1), **move)
    # they stand as they stood before
    assert await mark_person(attendee_id=who, move="undo_check_in", at=day.minute(2), **move) == "no_show"
    assert (await day.state_of(house), await days_here(house)) == ("no_show", [])
    await mark_person(attendee_id=who, move="check_in", at=day.minute(3), **move)
    assert await mark_attendance(organisation_id=house, move="undo_check_in", at=day.minute(4), **move) == (
        "no_show"
    )
    with pytest.raises(WrongState):
        await mark_attendance(organisation_id=house, move="undo_check_in", at=day.minute(5), **move)
    await mark_person(attendee_id=who, move="check_in", at=day.minute(6), **move)
    await execute("UPDATE appointment SET state = 'held', outcome = 'sample' WHERE id = $1", talk)
    for deed in (
        mark_person(attendee_id=who, move="undo_check_in", at=day.minute(7), **move),
        mark_attendance(organisation_id=house, move="undo_check_in", at=day.minute(7), **move),
    ):
        with pytest.raises(Conflict, match="结果"):
            await deed
    # a phone that said so without a network is told, each time that it asks, and does not say it for ever
    for at in (60, 61):
        [answer] = await send(day, reading(day, "孙三", 8, move="undo_check_in"), at=at)
        assert (answer.status, answer.name, answer.attendance) == ("refused", "孙三", "checked_in")
    assert (await days_here(house), await unknown_scans(meeting_id=day.meeting_id)) == ([1], [])
    # of two who came, one may be a mistake all the same
    await execute("UPDATE appointment SET state = 'held', outcome = 'sample' WHERE id = $1", day.talks[0])
    await send(day, reading(day, "赵一", 9), reading(day, "钱二", 9))
    await send(day, reading(day, "钱二", 10, move="undo_check_in"), at=62)
    assert (await day.state_of("赵一"), await day.state_of("钱二")) == ("checked_in", "expected")


async def test_said_by_mistake_not_to_come_is_awaited_as_before(day: Day) -> None:
    house = day.sellers[0].organisation_id
    by = {
        "meeting_id": day.meeting_id,
        "organisation_id": house,
        "town_id": day.town.organisation_id,
        "actor": day.town.actor,
    }
    await mark_attendance(move="mark_no_show", at=day.minute(1), **by)
    assert await day.state_of("赵一") == "no_show"
    assert await mark_attendance(move="undo_no_show", at=day.minute(2), **by) == "expected"
    assert (await day.state_of("赵一"), await days_here(house)) == ("expected", [])
    with pytest.raises(WrongState):
        await mark_attendance(move="undo_no_show", at=day.minute(3), **by)
    # said again it counts again; a person who came all the while does not go with it
    await mark_attendance(move="mark_no_show", at=day.minute(4), **by)
    await send(day, reading(day, "赵一", 3), at=5)
    assert (await day.state_of("赵一"), await day.state_of(house)) == ("checked_in", "checked_in")


async def test_word_that_nobody_of_the_list_came_is_no_reading_to_be_mended(day: Day) -> None:
    [answer] = await send(day, NewScan("strange-0001", "XXXXXXXXXX", day.minute(5), "undo_check_in"))
    assert (answer.status, await unknown_scans(meeting_id=day.meeting_id)) == ("unknown", [])


async def test_walk_in_by_mistake_is_undone_once_its_talks_are_off_the_timetable(day: Day) -> None:
    by = {"town_id": day.town.organisation_id, "actor": day.town.actor, "at": day.minute(0)}
    name = "走错门的超市"
    came = await let_in(meeting_id=day.meeting_id, walk_in=WalkIn(name, "retailer"), **by)
    walk_in = Change("walk_in", came, counterparts=(day.sellers[0].organisation_id,))
    incident = await apply(day, walk_in, 0)
    mistake = {"meeting_id": day.meeting_id, "organisation_id": came, "move": "undo_check_in", **by}
    with pytest.raises(Conflict, match="改排"):
        await mark_attendance(**mistake)
    await undo(day, incident, 1)
    assert (await mark_attendance(**mistake), await days_here(came)) == ("expected", [])
