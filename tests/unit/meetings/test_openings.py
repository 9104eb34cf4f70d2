"""Where a timetable that stands has room for two more."""

import pytest

from market.meetings.living.places import Place
from market.meetings.planning.openings import Openings


def openings(days: dict[int, dict[int, int]], **changes: object) -> Openings:
    taken: dict[int, frozenset[int]] = {}
    for day in days.values():
        for slot, table in day.items():
            taken[slot] = taken.get(slot, frozenset()) | {table}
    usual: dict[str, object] = {"slots": (1, 2, 3, 4), "tables": 2, "days": days, "taken": taken}
    return Openings(**{**usual, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("days", "changes", "place"),
    [
        ({}, {}, Place(1, 1)),
        # next to what the buyer has, at the same table: no break
        ({9: {3: 2}}, {}, Place(2, 2)),
        # both busy, or away: neither slot
        ({1: {1: 1}, 9: {2: 1}}, {"absent": {9: [3]}}, Place(4, 1)),
        ({1: {1: 1}, 9: {2: 1}}, {"absent": {9: [3], 1: [4]}}, None),
        # all tables taken by others
        ({5: {1: 1}, 6: {1: 2}}, {}, Place(2, 1)),
        # slot 2 is kept for something else: from 1 to 3 nobody waits
        ({9: {1: 1}}, {"slots": (1, 3, 4)}, Place(3, 1)),
        # the buyer keeps a table all day, and nobody else is put there while another is free
        ({}, {"own_tables": {9: 2}}, Place(1, 2)),
        ({}, {"own_tables": {7: 1}}, Place(1, 2)),
        ({5: {1: 2}}, {"own_tables": {9: 2}}, Place(2, 2)),
        # one person comes for 1 and 2: she sits in one talk at a time
        ({2: {1: 1, 2: 1, 3: 1}}, {"heads": {1: 1, 2: 1}}, Place(4, 1)),
    ],
)
def test_place_is_free_for_both_and_makes_the_fewest_breaks(
    days: dict[int, dict[int, int]], changes: dict[str, object], place: Place | None
) -> None:
    assert openings(days, **changes).place(1, 9) == place


def test_talk_that_was_added_is_in_the_way_of_the_next() -> None:
    first = openings({})
    place = first.place(1, 9)
    assert place is not None
    assert first.with_talk(1, 9, place).place(2, 9) == Place(2, 1)
    assert first.with_talk(1, 9, place).place(2, 8) == Place(1, 2)
