"""The next step of a meeting, and the eight steps with what each lacks."""

from datetime import date, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from market.meetings.queries import MeetingRow
from market.meetings.standing import Standing
from market.web.meetings.steps import next_step, stages_of, steps_from

TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 1, tzinfo=timezone.utc)


def meeting(**changes: Any) -> MeetingRow:
    """Return a meeting in five days whose timetable is laid."""
    given: dict[str, Any] = {
        **dict.fromkeys(("town_name", "town_name_en", "title", "title_en", "venue", "venue_en"), ""),
        **dict.fromkeys(
            ("programme", "programme_en", "weather_plan", "weather_plan_en", "contact", "contact_phone"), ""
        ),
        **dict.fromkeys(("run", "half_day_after", "most_appointments", "trouble", "capacity"), None),
        **dict.fromkeys(
            ("most_of_sellers", "most_of_buyers", "most_of_one_person", "answer_by", "wishes_by"), None
        ),
        "published_at": None,
        "id": 7,
        "town": 1,
        "held_on": TODAY + timedelta(days=5),
        "starts_at": 540,
        "slot_minutes": 20,
        "slots": 10,
        "tables": 20,
        "pause_minutes": 60,
        "state": "timetabled",
        "timetable": {},
        "planning": False,
        "created_at": NOW,
        "days": 1,
        "blocked_slots": [],
        "most_musts": 3,
        "fairness": 2,
        "is_public": False,
        "asks_back": False,
    }
    return MeetingRow(**{**given, **changes})


SETTLED = Standing(
    parties=5,
    guests=1,
    invited=6,
    unanswered=0,
    accepted=6,
    delegated=0,
    declined=0,
    without_wishes=0,
    mutual=2,
    vetoes=0,
    talks=8,
    held=0,
    fixed=0,
    worth=0,
    doomed=0,
    gone=0,
    barred=0,
    absent=0,
    torn=0,
    left_out=0,
    arrived=0,
    expected=6,
)


def standing(**changes: int) -> Standing:
    return msgspec.structs.replace(SETTLED, **changes)


LATER = TODAY + timedelta(days=2)


@pytest.mark.parametrize(
    ("row", "counts", "leads_to", "posts"),
    [
        ({"state": "registration"}, {"talks": 0}, "plan", True),
        ({"planning": True}, {}, "timetable", False),
        ({"state": "postponed"}, {}, "edit", False),
        ({}, {"doomed": 1}, "plan", True),
        ({}, {}, "publish", False),
        ({}, {"unanswered": 2, "without_wishes": 3}, "publish", False),
        ({"answer_by": LATER}, {"unanswered": 2}, "invitations", False),
        ({"answer_by": TODAY - timedelta(days=1)}, {"unanswered": 2}, "publish", False),
        ({"wishes_by": LATER}, {"without_wishes": 3}, "wishes", False),
        ({"published_at": NOW}, {"unanswered": 2}, "invitations", False),
        ({"published_at": NOW}, {}, "papers", False),
        ({"held_on": TODAY, "wishes_by": TODAY}, {"without_wishes": 3}, "publish", False),
        ({"held_on": TODAY, "published_at": NOW}, {}, "move/start", True),
        ({"held_on": TODAY - timedelta(days=1), "published_at": NOW}, {}, "move/start", True),
        # nobody would see their talks: it is published first, also where the day has come
        ({"held_on": TODAY - timedelta(days=1)}, {}, "publish", False),
        ({"state": "in_progress"}, {}, "desk", False),
        ({"state": "in_progress"}, {"arrived": 4, "held": 3}, "desk#talks", False),
        ({"state": "in_progress"}, {"arrived": 4, "held": 8}, "move/close", True),
        ({"state": "closed"}, {"held": 8}, "after", False),
    ],
)
def test_next_step_follows_from_where_the_meeting_stands(
    row: dict[str, Any], counts: dict[str, int], leads_to: str, posts: bool
) -> None:
    step = next_step(meeting(**row), standing(**counts), today=TODAY)
    assert step is not None
    assert (step.href, step.posts) == (f"/town/meetings/7/{leads_to}", posts)


@pytest.mark.parametrize("state", ["cancelled", "followed_up"])
def test_meeting_that_is_over_has_no_next_step(state: str) -> None:
    assert next_step(meeting(state=state), standing(), today=TODAY) is None


def states(row: MeetingRow, counts: Standing) -> list[str]:
    return [each.state for each in stages_of(row, counts, today=TODAY, day=str)]


def test_steps_are_done_now_open_or_later() -> None:
    open_ones = standing(unanswered=2, without_wishes=3)
    done, later = ["done"], ["later"]
    assert states(meeting(), open_ones) == [*done, "open", "open", *done, "now", *later * 3]
    assert states(meeting(published_at=NOW), SETTLED) == [*done * 5, *later * 3]
    off = stages_of(meeting(state="cancelled"), open_ones, today=TODAY, day=str)
    assert {each.state for each in off} == {"done", "off"}
    assert [each.missing for each in off if each.state == "off"] == [None] * 6
    on = meeting(state="in_progress", published_at=NOW)
    assert states(on, standing(arrived=3, held=2)) == [*done * 5, "open", "now", "later"]
    assert states(meeting(state="closed"), standing(held=8)) == [*done * 7, "now"]


@pytest.mark.parametrize(
    ("row", "counts", "now"),
    [
        ({"published_at": NOW}, {"unanswered": 2}, ["invitations"]),
        ({"published_at": NOW}, {"doomed": 1}, ["timetable"]),
        ({"planning": True}, {"talks": 0}, ["timetable"]),
        ({"state": "postponed"}, {}, ["edit"]),
        ({}, {}, ["publish"]),
        ({"state": "in_progress"}, {}, ["desk"]),
        ({"state": "closed"}, {"held": 8}, ["after"]),
        ({"state": "cancelled"}, {}, []),
    ],
)
def test_one_step_is_current_and_it_is_that_of_the_next_thing_to_do(
    row: dict[str, Any], counts: dict[str, int], now: list[str]
) -> None:
    steps = steps_from(meeting(**row), standing(**counts), today=TODAY, language="zh")
    assert [each.key for each in steps.stages if each.state == "now"] == now


@pytest.mark.parametrize(
    ("row", "is_offered"),
    [
        ({}, False),
        ({"held_on": TODAY}, True),
        ({"held_on": TODAY, "state": "registration"}, False),
        ({"held_on": TODAY - timedelta(days=1), "state": "in_progress"}, True),
        ({"held_on": TODAY, "state": "closed"}, False),
    ],
)
def test_door_and_changes_are_offered_while_the_day_lasts(row: dict[str, Any], is_offered: bool) -> None:
    steps = steps_from(meeting(**row), SETTLED, today=TODAY, language="zh")
    of_the_day = ["checkin", "changes"] if is_offered else []
    assert [key for key, _, _ in steps.beside] == ["papers", *of_the_day, "board", "route"]


def test_step_says_what_it_lacks() -> None:
    found = stages_of(
        meeting(contact="赵明远"), standing(unanswered=2, without_wishes=3), today=TODAY, day=str
    )
    lacking = {each.key: each.missing.text for each in found if each.missing}
    assert lacking == {
        "edit": "还没有定回复的最后一天。",
        "invitations": "{n} 家还没有回复。",
        "wishes": "{n} 家还没有选。",
        "publish": "各方还看不到自己的日程。",
    }
