from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from market.meetings.day.presence import MOVES, Event, presence_of

NINE = datetime(2026, 11, 23, 1, tzinfo=timezone.utc)

events = st.lists(
    st.builds(
        Event,
        move=st.sampled_from([*sorted(MOVES), "set_aside"]),
        at=st.integers(0, 8).map(lambda minutes: NINE + timedelta(minutes=minutes)),
        attendee=st.sampled_from([None, 1, 2]),
    ),
    max_size=8,
)


def numbered(drawn: list[Event]) -> list[Event]:
    return [Event(each.move, each.at, each.attendee, number) for number, each in enumerate(drawn)]


@given(events, st.randoms(use_true_random=False))
def test_the_order_in_which_readings_arrive_does_not_matter(drawn: list[Event], chance: object) -> None:
    log = numbered(drawn)
    shuffled = list(log)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert presence_of(log, [1, 2]) == presence_of(shuffled, [1, 2])


@given(events)
def test_whoever_is_in_has_the_organisation_in(drawn: list[Event]) -> None:
    house, persons = presence_of(numbered(drawn), [1, 2])
    if any(each.state == "checked_in" for each in persons.values()):
        assert house.state == "checked_in"


@given(events)
def test_times_belong_to_their_states(drawn: list[Event]) -> None:
    house, persons = presence_of(numbered(drawn), [1, 2])
    for each in (house, *persons.values()):
        assert (each.left_at is not None) == (each.state == "left")
        assert (each.checked_in_at is None) == (each.state in ("expected", "no_show"))


def test_events_of_somebody_unknown_change_nothing() -> None:
    assert presence_of([Event("check_in", NINE, 7)], [1]) == presence_of([], [1])
