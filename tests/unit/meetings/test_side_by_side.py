"""A lot and a demand side by side: what the goods come to at the door, and what is in the way."""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from market.catalogue.queries import CredentialKindView
from market.matching.rules import Parameters
from market.meetings.talks.side_by_side import DemandRow, LotRow, compare

REPORT = CredentialKindView("test-report", "检验报告", "Test report")
LOT = LotRow(
    id=1,
    title="花生果",
    title_en="Peanuts",
    produce="peanut",
    variety="",
    grade=2,
    grade_zh="二级",
    grade_en="Second",
    remaining=10_000_000,
    ask=360,
    min_order=0,
    available_from=date(2026, 11, 1),
    available_to=date(2026, 12, 31),
    credentials=[REPORT],
    place="",
    lat=41.585,
    lon=122.58,
    lot=1,
    picture_position=None,
    picture_hash=None,
)
DEMAND = DemandRow(
    id=2,
    title="求购花生",
    title_en="Peanuts wanted",
    produce="peanut",
    min_grade=1,
    grade_zh="三级",
    grade_en="Third",
    open=5_000_000,
    ceiling=380,
    min_order=0,
    deliver_from=date(2026, 12, 1),
    deliver_to=date(2026, 12, 20),
    max_distance_km=None,
    requires=[],
    site_name=None,
    site_name_en=None,
    lat=41.796,
    lon=123.433,
)


def compared(
    lot: dict[str, Any] | None = None, demand: dict[str, Any] | None = None
) -> tuple[int, list[str]]:
    """Return fen per kg to spare, and the conditions that are not met."""
    figures, obstacles = compare(
        msgspec.structs.replace(LOT, **lot or {}),
        msgspec.structs.replace(DEMAND, **demand or {}),
        seller=1,
        buyer=2,
        parameters=Parameters(freight=Decimal("0.6"), road_factor=Decimal("1.3")),
    )
    assert figures.delivered == (lot or {}).get("ask", LOT.ask) + figures.freight
    return figures.spare, [each.code for each in obstacles]


def test_freight_is_rounded_up_and_taken_off_what_is_to_spare() -> None:
    # about 97 km of road at 0.6 yuan per tonne-km: 5.8 fen per kg, told as 6
    assert compared() == (380 - 360 - 6, [])


@pytest.mark.parametrize(
    ("lot", "demand", "code"),
    [
        ({}, {"min_grade": 3}, "grade"),
        ({"available_to": date(2026, 11, 30)}, {}, "window"),
        ({"credentials": []}, {"requires": [REPORT]}, "credential"),
        ({}, {"max_distance_km": 50.0}, "distance"),
        ({"ask": 376}, {}, "price"),
    ],
)
def test_what_differs_is_what_the_engine_says(lot: dict[str, Any], demand: dict[str, Any], code: str) -> None:
    assert compared(lot, demand)[1] == [code]
