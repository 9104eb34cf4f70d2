"""In the contract's time or not: by who bears the freight."""

from datetime import date, datetime, timedelta
from typing import Literal

import pytest

from market.clock import CHINA
from market.deals.punctual import out_of_time

FIRST, LAST = date(2026, 12, 1), date(2026, 12, 9)


@pytest.mark.parametrize(
    ("freight", "left", "came", "found"),
    [
        ("buyer", 8, 20, None),
        ("seller", 8, 20, "late"),
        ("seller", -1, 0, None),
        ("buyer", -1, 0, "early"),
        ("seller", -3, -1, "early"),
        ("seller", -1, None, None),
        ("seller", 9, None, "late"),
        ("buyer", None, None, None),
    ],
)
def test_a_load_is_measured_by_the_day_it_is_handed_over(
    freight: Literal["buyer", "seller"], left: int | None, came: int | None, found: str | None
) -> None:
    def moment(days: int | None) -> datetime | None:
        return None if days is None else datetime(2026, 12, 1, 0, 30, tzinfo=CHINA) + timedelta(days=days)

    told = out_of_time(
        freight=freight,
        window=(FIRST, LAST),
        scheduled_on=FIRST,
        dispatched_at=moment(left),
        arrived_at=moment(came),
    )
    assert told == found
