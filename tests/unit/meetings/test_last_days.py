"""The last days for answers and wishes; when a meeting starts, and when its door is open."""

from datetime import date, timedelta

import pytest

from market.meetings.commands import NewMeeting, meeting_problems
from market.meetings.rules import door_closed, not_startable

TODAY = date(2026, 11, 30)
DAY = date(2026, 12, 20)


def faults(**changes: object) -> set[str]:
    asked = NewMeeting(**{"title": "对接会", "held_on": DAY, "venue": "村部", **changes})  # type: ignore[arg-type]
    return set(meeting_problems(asked, today=TODAY))


@pytest.mark.parametrize("name", ["answer_by", "wishes_by"])
@pytest.mark.parametrize(
    ("last", "is_fault"),
    [
        (TODAY - timedelta(days=1), True),
        (date(2020, 12, 25), True),
        (TODAY, False),
        (DAY, False),
        (DAY + timedelta(days=1), True),
        (None, False),
    ],
)
def test_last_day_lies_between_today_and_the_meeting(name: str, last: date | None, is_fault: bool) -> None:
    assert faults(**{name: last}) == ({name} if is_fault else set())


def test_fault_says_which_days_are_possible() -> None:
    asked = NewMeeting(title="对接会", held_on=DAY, venue="村部", answer_by=date(2026, 11, 29))
    assert "2026年11月30日" in str(meeting_problems(asked, today=TODAY)["answer_by"])
    late = NewMeeting(title="对接会", held_on=DAY, venue="村部", answer_by=date(2026, 12, 21))
    assert "2026年12月20日" in str(meeting_problems(late, today=TODAY)["answer_by"])


def test_last_day_that_stood_before_may_have_passed_but_not_lie_after_the_meeting() -> None:
    asked = NewMeeting(title="对接会", held_on=DAY, venue="村部", answer_by=date(2026, 11, 29))
    assert meeting_problems(asked, today=TODAY, unchanged={"answer_by"}) == {}
    late = NewMeeting(title="对接会", held_on=DAY, venue="村部", answer_by=date(2026, 12, 21))
    assert set(meeting_problems(late, today=TODAY, unchanged={"answer_by"})) == {"answer_by"}


@pytest.mark.parametrize(
    ("held_on", "published", "words"),
    [
        (TODAY + timedelta(days=1), True, "到那天才能开始"),
        (TODAY + timedelta(days=20), False, "到那天才能开始"),
        (TODAY, False, "还没有发布"),
        (TODAY, True, None),
        (TODAY - timedelta(days=1), True, None),
    ],
)
def test_meeting_starts_on_its_day_and_published(held_on: date, published: bool, words: str | None) -> None:
    why = not_startable(held_on=held_on, published=published, today=TODAY)
    assert (why is None) == (words is None)
    assert (words or "") in str(why or "")


@pytest.mark.parametrize(
    ("state", "held_on", "words"),
    [
        ("timetabled", TODAY, "还没有开始"),
        ("timetabled", TODAY + timedelta(days=1), "会议当天"),
        ("registration", TODAY, "会议当天"),
        ("in_progress", TODAY + timedelta(days=1), "会议当天"),
        ("in_progress", TODAY, None),
        ("in_progress", TODAY - timedelta(days=1), None),
        ("closed", TODAY, "结束后"),
    ],
)
def test_door_is_open_while_the_meeting_is_on(state: str, held_on: date, words: str | None) -> None:
    why = door_closed(state=state, held_on=held_on, today=TODAY)
    assert (why is None) == (words is None)
    assert (words or "") in str(why or "")
