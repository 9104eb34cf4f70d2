"""The fast way and the careful way to read a column come to the same values."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.matching.files import plain_cells
from market.matching.files.readings import Figures, Unclear, name
from market.units import GRAMS_PER_KG

CAREFUL: dict[str, tuple[Any, Any]] = {
    "names": (plain_cells.names, name),
    "kilograms": (plain_cells.kilograms, partial(Figures().quantity, heading=GRAMS_PER_KG)),
    "latitudes": (partial(plain_cells.degrees, most=90), partial(Figures().degrees, most=90)),
}
decimals = st.builds(
    lambda whole, places: f"{Decimal(whole).scaleb(-places):f}", st.integers(0, 10**12), st.integers(0, 6)
)
texts = st.one_of(
    decimals,
    st.sampled_from(
        ["", "-", "0", "0.000", "90", "90.1", "1,5", "1e3", "L1", "批次-1", "1.0", "Ｌ", "a\nb", "-1"]
    ),
    st.text(max_size=5),
)
numbers = st.one_of(
    decimals.map(float),
    st.floats(),
    st.integers(1, 10**11).map(lambda grams: grams / 1000),
    st.integers(1, 10**11).map(lambda grams: grams * 0.001),
)


@pytest.mark.parametrize("kind", CAREFUL)
@given(column=st.one_of(st.lists(texts, min_size=1, max_size=4), st.lists(numbers, min_size=1, max_size=4)))
def test_fast_way_agrees_with_the_careful_one(kind: str, column: list[Any]) -> None:
    fast, careful = CAREFUL[kind]
    if (values := fast(column)) is not None:
        assert values == [careful(cell) for cell in column]


@pytest.mark.parametrize(
    ("kind", "column", "values"),
    [
        ("names", ["L1", "批次2", "007"], ["L1", "批次2", "007"]),
        ("names", ["L1", "-"], None),
        ("names", ["L1", "1.0"], None),
        ("names", ["L1", "a\nb"], None),
        ("kilograms", ["1", "0.001", "100000000"], [1000, 1, 100_000_000_000]),
        ("kilograms", [1.5, 0.7 * 3, 99_999_999.999], [1500, 2100, 99_999_999_999]),
        ("kilograms", ["0.0001"], None),
        ("kilograms", ["1", "0"], None),
        ("kilograms", ["1", 1.0], None),
        ("kilograms", [1.0005], None),
        ("kilograms", [float("nan")], None),
        ("latitudes", ["41.5", "90"], [41.5, 90.0]),
        ("latitudes", [-41.5], [-41.5]),
        ("latitudes", [1.0, float("nan")], None),
        ("latitudes", ["90.1"], None),
    ],
)
def test_fast_way_takes_what_is_plain(kind: str, column: list[Any], values: list[Any] | None) -> None:
    assert CAREFUL[kind][0](column) == values


def test_careful_way_refuses_what_is_not_finite() -> None:
    for cell in (float("nan"), float("inf")):
        with pytest.raises(Unclear):
            Figures().degrees(cell, 90)
        with pytest.raises(Unclear):
            Figures().quantity(cell, GRAMS_PER_KG)
