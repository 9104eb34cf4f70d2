"""What calendars are told: read back by the library that calendars are read with."""

import asyncio
import re
from datetime import datetime, timedelta, timezone

import pytest
from icalendar import Calendar, Event

from fixtures.factories import Factory
from market import clock
from market.db.session import execute, fetch_value
from market.exchange.calendar import calendar
from market.meetings.calendar_entries import entries_of
from market.meetings.invitations.queries import invitee_of
from market.meetings.queries import meeting_of
from tests.integration.meetings.invited import Gathering, Invited, gathering, talk_row


@pytest.fixture
async def day(factory: Factory) -> Gathering:
    made = await gathering(factory)
    await talk_row(made, slot=1, at=clock.now())
    await execute("UPDATE meeting SET published_at = now()")
    await execute("UPDATE invitation SET state = 'accepted'")
    return made


async def read(day: Gathering, invited: Invited, *, language: str = "zh") -> dict[str, Event]:
    """Return the invited's events by UID, as a calendar program reads them."""
    organisation = invited.member.organisation_id
    meeting = await meeting_of(meeting_id=day.meeting_id, organisation_id=organisation)
    entries = await entries_of(meeting=meeting, organisation_id=organisation, at=clock.now())
    row = await invitee_of(meeting_id=day.meeting_id, organisation_id=organisation)
    written = calendar(meeting, entries, invited=row, language="en" if language == "en" else "zh")
    assert max(len(line) for line in written.split(b"\r\n")) <= 75
    # a name beginning with X is text like any other: commas and semicolons of the title are escaped
    (name,) = (
        each
        for each in written.replace(b"\r\n ", b"").decode().split("\r\n")
        if each.startswith("X-WR-CALNAME")
    )
    assert not re.search(r"(?<!\\)(?:\\\\)*[,;]", name)
    found = Calendar.from_ical(written)
    assert found.errors == []
    events = {str(event["UID"]): event for event in found.walk("VEVENT")}
    assert all(not event.errors for event in events.values())
    return events


def uids(day: Gathering) -> tuple[str, str]:
    seller, buyer = day.seller.member.organisation_id, day.buyer.member.organisation_id
    return f"meeting-{day.meeting_id}@tiantou", f"talk-{day.meeting_id}-{seller}-{buyer}@tiantou"


async def start(day: Gathering, minutes: int) -> datetime:
    held = await fetch_value("SELECT held_on FROM meeting")
    midnight = datetime(held.year, held.month, held.day, tzinfo=clock.CHINA)
    return (midnight + timedelta(minutes=minutes)).astimezone(timezone.utc)


async def test_day_and_talk_stand_in_both_calendars_at_the_right_time(day: Gathering) -> None:
    whole, talk = uids(day)
    for invited, other in ((day.seller, day.buyer), (day.buyer, day.seller)):
        events = await read(day, invited)
        assert sorted(events) == sorted((whole, talk))
        assert events[whole]["DTSTART"].dt == await start(day, 540)
        assert events[whole]["DTEND"].dt == await start(day, 680)
        assert events[talk]["DTSTART"].dt == await start(day, 540)
        assert events[talk]["DTEND"].dt == await start(day, 560)
        name = await fetch_value("SELECT name FROM organisation WHERE id = $1", other.member.organisation_id)
        assert str(events[talk]["SUMMARY"]) == f"东岗对接会：与{name}洽谈"
        assert str(events[talk]["LOCATION"]) == "村部大院，1 号桌"
        assert (events[talk]["TRANSP"], events[whole]["TRANSP"]) == ("OPAQUE", "TRANSPARENT")
    english = await read(day, day.buyer, language="en")
    assert str(english[whole]["SUMMARY"]) == "Donggang meeting"


async def test_same_state_gives_the_same_bytes_and_sequence(day: Gathering) -> None:
    first, second = await read(day, day.buyer), await read(day, day.buyer)
    assert [event.to_ical() for event in first.values()] == [event.to_ical() for event in second.values()]
    assert [event["SEQUENCE"] for event in first.values()] == [0, 0]


async def test_talk_that_moves_keeps_its_uid_and_raises_its_sequence(day: Gathering) -> None:
    _, talk = uids(day)
    await read(day, day.buyer)
    # planned anew: other rows, other numbers
    await execute("DELETE FROM appointment")
    await talk_row(day, slot=3, table=2, at=clock.now())
    for invited in (day.buyer, day.seller):
        event = (await read(day, invited))[talk]
        assert (event["SEQUENCE"], event["DTSTART"].dt) == (1, await start(day, 640))
        assert str(event["LOCATION"]) == "村部大院，2 号桌"


async def test_another_english_name_or_place_raises_the_sequence_too(day: Gathering) -> None:
    whole, talk = uids(day)
    await read(day, day.buyer)
    await execute("UPDATE meeting SET title_en = 'Peanuts from Donggang', venue_en = 'Village hall'")
    events = await read(day, day.buyer, language="en")
    assert [events[uid]["SEQUENCE"] for uid in (whole, talk)] == [1, 1]
    assert str(events[whole]["SUMMARY"]) == "Peanuts from Donggang"


async def test_talk_that_is_no_more_is_called_off_and_may_come_back(day: Gathering) -> None:
    whole, talk = uids(day)
    await read(day, day.buyer)
    await execute("UPDATE appointment SET state = 'cancelled'")
    events = await read(day, day.buyer)
    assert (events[talk]["STATUS"], events[talk]["SEQUENCE"]) == ("CANCELLED", 1)
    assert (events[whole]["STATUS"], events[whole]["SEQUENCE"]) == ("CONFIRMED", 0)
    await execute("UPDATE appointment SET state = 'scheduled'")
    events = await read(day, day.buyer)
    assert (events[talk]["STATUS"], events[talk]["SEQUENCE"]) == ("CONFIRMED", 2)


@pytest.mark.parametrize("state", ["cancelled", "postponed"])
async def test_meeting_that_is_off_calls_everything_off(day: Gathering, state: str) -> None:
    await read(day, day.buyer)
    await execute("UPDATE meeting SET state = $1", state)
    events = await read(day, day.buyer)
    assert [(event["STATUS"], event["SEQUENCE"]) for event in events.values()] == [("CANCELLED", 1)] * 2
    await execute("UPDATE meeting SET state = 'timetabled', held_on = held_on + 7")
    events = await read(day, day.buyer)
    assert [(event["STATUS"], event["SEQUENCE"]) for event in events.values()] == [("CONFIRMED", 2)] * 2
    assert events[uids(day)[0]]["DTSTART"].dt == await start(day, 540)


async def test_timetable_is_told_once_it_is_published(day: Gathering) -> None:
    await execute("UPDATE meeting SET published_at = NULL")
    assert list(await read(day, day.buyer)) == [uids(day)[0]]


@pytest.mark.parametrize(
    ("state", "partstat", "status"),
    [
        ("needs_action", "NEEDS-ACTION", "TENTATIVE"),
        ("accepted", "ACCEPTED", "CONFIRMED"),
        ("tentative", "TENTATIVE", "TENTATIVE"),
        ("declined", "DECLINED", "CONFIRMED"),
        ("delegated", "DELEGATED", "CONFIRMED"),
    ],
)
async def test_answer_stands_in_the_calendar(day: Gathering, state: str, partstat: str, status: str) -> None:
    await execute("UPDATE invitation SET state = $1", state)
    event = (await read(day, day.buyer))[uids(day)[0]]
    assert (event["ATTENDEE"].params["PARTSTAT"], event["STATUS"]) == (partstat, status)


async def test_calendars_that_ask_at_once_raise_a_sequence_once(day: Gathering) -> None:
    await read(day, day.buyer)
    await execute("UPDATE appointment SET slot = 2")
    await asyncio.gather(*(read(day, invited) for invited in (day.buyer, day.seller) for _ in range(3)))
    assert (await read(day, day.buyer))[uids(day)[1]]["SEQUENCE"] == 1


async def test_slot_of_the_second_day_lies_on_the_second_day(day: Gathering) -> None:
    await execute("UPDATE meeting SET days = 2")
    await execute("UPDATE appointment SET slot = 5")
    events = await read(day, day.buyer)
    assert events[uids(day)[1]]["DTSTART"].dt == await start(day, 24 * 60 + 540)
    assert events[uids(day)[0]]["DTEND"].dt == await start(day, 24 * 60 + 680)


async def test_awkward_names_are_written_so_that_they_come_back(day: Gathering) -> None:
    title = "农超；对接会, “第一届”\\n 半角;逗号," + "长" * 60
    await execute("UPDATE meeting SET title = $1", title)
    assert str((await read(day, day.buyer))[uids(day)[0]]["SUMMARY"]) == title
