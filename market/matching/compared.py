"""What differs between the inputs of two runs: new, gone and changed lots and demands, field by field."""

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import msgspec

from market.matching.rules import Demand, Lot

Party = TypeVar("Party", bound=Lot | Demand)
Kind = Literal["new", "gone", "changed"]


class FieldChange(msgspec.Struct, frozen=True):
    """One field of a lot or demand before and now, as ``rules`` has it."""

    name: str
    before: Any
    now: Any


class Difference(msgspec.Struct, frozen=True):
    """A lot or demand that is not in both inputs, or not the same in both."""

    id: str
    kind: Kind
    fields: tuple[FieldChange, ...] = ()


def differences(before: Sequence[Party], now: Sequence[Party]) -> list[Difference]:
    """Return what is new, then what is gone, then what has changed, each in the order of its input."""
    old = {each.id: each for each in before}
    new = {each.id: each for each in now}
    return [
        *(Difference(each.id, "new") for each in now if each.id not in old),
        *(Difference(each.id, "gone") for each in before if each.id not in new),
        *(
            Difference(each.id, "changed", fields_of(old[each.id], each))
            for each in now
            if each.id in old and old[each.id] != each
        ),
    ]


def fields_of(before: Party, now: Party) -> tuple[FieldChange, ...]:
    """Return the fields in which two states of the same lot or demand differ."""
    return tuple(
        FieldChange(name, getattr(before, name), getattr(now, name))
        for name in before.__struct_fields__
        if getattr(before, name) != getattr(now, name)
    )
