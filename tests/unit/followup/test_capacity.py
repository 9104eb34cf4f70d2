"""How capacity grew, from what people say and from the stock's own places."""

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from market.followup.capacity_rules import Place, Point, Said, history

T3 = 3_000_000
DAYS = st.dates(date(2026, 1, 1), date(2026, 2, 1))


def day(number: int) -> date:
    return date(2026, 3, number)


def test_last_word_on_a_day_counts_and_what_changes_nothing_is_left_out() -> None:
    said = [Said(day(1), 7, T3), Said(day(5), 12, T3), Said(day(5), 27, T3), Said(day(9), 27, T3)]
    assert history(said, []) == [Point(day(1), 7, 7 * T3), Point(day(5), 27, 27 * T3)]


def test_places_speak_from_their_first_day_on() -> None:
    said = [Said(day(1), 7, T3), Said(day(6), 99, T3)]
    places = [Place(day(4), None, T3), Place(day(8), day(10), 2 * T3)]
    assert history(said, places) == [
        Point(day(1), 7, 7 * T3),
        Point(day(4), 1, T3),
        Point(day(8), 2, 3 * T3),
        Point(day(10), 1, T3),
    ]


@given(st.lists(st.tuples(DAYS, st.none() | DAYS, st.integers(1, 9)), min_size=1, max_size=6))
def test_every_point_is_the_sum_of_the_places_of_that_day(drawn: list[tuple[date, date | None, int]]) -> None:
    places = [Place(since, until, grams) for since, until, grams in drawn if until is None or until > since]
    for point in history([], places):
        there = [
            each.grams
            for each in places
            if each.since <= point.on and (each.until is None or point.on < each.until)
        ]
        assert (point.units, point.grams) == (len(there), sum(there))
