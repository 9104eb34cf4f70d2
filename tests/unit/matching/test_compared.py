"""What differs between the inputs of two runs."""

from datetime import date
from decimal import Decimal

import msgspec

from market.matching.compared import FieldChange, differences
from market.matching.rules import Demand, Lot
from market.units import Gram

LOT = Lot(
    id="1",
    seller="7",
    product="peanut",
    quantity=Gram(1_000),
    ask=Decimal("6.5"),
    latitude=41.0,
    longitude=122.0,
    available_from=date(2026, 12, 1),
    available_to=date(2026, 12, 31),
)
DEMAND = Demand(
    id="1",
    buyer="9",
    product="peanut",
    quantity=Gram(500),
    ceiling=Decimal(8),
    latitude=41.5,
    longitude=123.0,
    deliver_from=date(2026, 12, 1),
    deliver_to=date(2026, 12, 20),
)


def lot(id_: str, **changes: object) -> Lot:
    return msgspec.structs.replace(LOT, id=id_, **changes)


def test_new_comes_before_gone_before_changed() -> None:
    before = [lot("1"), lot("2"), lot("3")]
    now = [lot("3", ask=Decimal(6)), lot("4"), lot("1")]
    assert [(each.id, each.kind) for each in differences(before, now)] == [
        ("4", "new"),
        ("2", "gone"),
        ("3", "changed"),
    ]


def test_every_changed_field_is_told_with_both_values() -> None:
    (found,) = differences([lot("1")], [lot("1", ask=Decimal(6), credentials=frozenset({"sc"}))])
    assert found.fields == (
        FieldChange("ask", Decimal("6.5"), Decimal(6)),
        FieldChange("credentials", frozenset(), frozenset({"sc"})),
    )


def test_demands_are_compared_alike() -> None:
    (found,) = differences([DEMAND], [msgspec.structs.replace(DEMAND, max_lots=2)])
    assert (found.kind, found.fields) == ("changed", (FieldChange("max_lots", None, 2),))


def test_the_same_input_does_not_differ_whatever_its_order() -> None:
    assert differences([lot("1"), lot("2")], [lot("2"), lot("1")]) == []
    # a price written with more digits is the same price
    assert differences([lot("1")], [lot("1", ask=Decimal("6.50"))]) == []
