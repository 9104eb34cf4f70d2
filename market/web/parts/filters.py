"""Filters that live in the address: what can be read of them, and what the others are called."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from market.errors import Invalid
from market.i18n import Message, msg
from market.paging import filters_from_query, printable

F = TypeVar("F", bound=msgspec.Struct)

#: What the fields of the panel are called, for faults that are told away from them.
LABELS: dict[str, Message] = {
    "q": msg("搜索"),
    "category": msg("品类"),
    "produce": msg("品种"),
    "place": msg("产地"),
    "grade": msg("等级"),
    "on": msg("哪天要有货"),
    "quantity": msg("至少剩余（公斤）"),
    "price_low": msg("最低价（元/公斤）"),
    "price_high": msg("最高价（元/公斤）"),
    "credentials": msg("资质"),
    "sort": msg("排序"),
    "page": msg("页码"),
}


def read_filters(kind: type[F], pairs: Sequence[tuple[str, str]]) -> tuple[F, dict[str, Message]]:
    """Return the filters that can be read, and what is wrong with the others."""
    try:
        return filters_from_query(kind, pairs), {}
    except Invalid as refused:
        sound = [(name, text) for name, text in pairs if printable(name)[:40] not in refused.fields]
        return filters_from_query(kind, sound), refused.fields
