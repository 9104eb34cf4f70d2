"""Seats of the buses to the fields against those who come along."""

import pytest

from market.meetings.route.seats import seating, seats_missing


@pytest.mark.parametrize(
    ("lines", "buses", "seats", "riders", "going", "missing"),
    [
        (1, 1, 20, 20, (1,), 0),
        (1, 1, 20, 21, (1,), 1),
        (1, 2, 20, 21, (2,), 0),
        (2, 2, 20, 5, (1, 1), 0),
        (2, 5, 10, 30, (2, 1), 0),
        (2, 5, 10, 99, (3, 2), 49),
        (3, 3, 10, 0, (1, 1, 1), 0),
    ],
)
def test_no_more_buses_go_than_lines_and_riders_need(
    lines: int, buses: int, seats: int, riders: int, going: tuple[int, ...], missing: int
) -> None:
    found = seating(lines=lines, buses=buses, seats=seats, riders=riders)
    assert found is not None
    assert (found.buses, found.missing) == (going, missing)
    assert (seats_missing(found) is None) == (missing == 0)


def test_nothing_is_told_of_buses_whose_size_nobody_knows() -> None:
    assert seating(lines=1, buses=1, seats=None, riders=9) is None
    assert seating(lines=0, buses=1, seats=20, riders=9) is None
    assert seats_missing(None) is None
