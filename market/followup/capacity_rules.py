"""Capacity grown (产能): how many tanks, cold stores and sheds there are over time, and what they take.

Pure. People write down what they have from a day on; where the stock's own places of a kind are kept, these
speak from the day of the first of them on, and nobody need write anything.
"""

from collections.abc import Sequence
from datetime import date

import msgspec

from market.i18n import Message, msg
from market.supply.stock_rules import STORAGE_KINDS, too_much
from market.units import MOST_GRAMS

KINDS: dict[str, Message] = STORAGE_KINDS
MOST_UNITS = 10_000
LONGEST_NOTE = 200


class Said(msgspec.Struct, frozen=True):
    """From ``on`` there are ``units`` that take ``grams`` each; the later of one day counts."""

    on: date
    units: int
    grams: int


class Place(msgspec.Struct, frozen=True):
    """A place of the stock's: grams that it takes, and the days from and until which it is there."""

    since: date
    until: date | None
    grams: int


class Point(msgspec.Struct, frozen=True):
    """What there is from a day on: how many, and the grams that all of them take."""

    on: date
    units: int
    grams: int


def history(said: Sequence[Said], places: Sequence[Place]) -> list[Point]:
    """Return what there was from each day on, days in order; a day that changes nothing is left out.

    Args:
        said: in the order in which it was written down.
    """
    first_place = min((each.since for each in places), default=None)
    by_day = {
        each.on: (each.units, each.units * each.grams)
        for each in said
        if first_place is None or each.on < first_place
    }
    days = {each.since for each in places} | {each.until for each in places if each.until is not None}
    for day in days:
        there = [
            each.grams for each in places if each.since <= day and (each.until is None or day < each.until)
        ]
        by_day[day] = (len(there), sum(there))
    points: list[Point] = []
    for day, (units, grams) in sorted(by_day.items()):
        if not points or (points[-1].units, points[-1].grams) != (units, grams):
            points.append(Point(day, units, grams))
    return points


def entry_problems(
    *, kind: str, on: date, units: int, grams: int, note: str, today: date
) -> dict[str, Message]:
    """Return what is wrong with what somebody says they have."""
    problems: dict[str, Message] = {}
    if kind not in KINDS:
        problems["kind"] = msg("没有这个选项，请从列出的里面选一个。")
    if on > today:
        problems["on"] = msg("日期不能在今天以后。")
    if not 0 <= units <= MOST_UNITS:
        problems["units"] = msg("个数要在 0 到 {most} 之间。", most=f"{MOST_UNITS:,}")
    if grams <= 0:
        problems["grams"] = msg("容量要大于 0。")
    elif grams > MOST_GRAMS:
        problems["grams"] = too_much()
    if len(note) > LONGEST_NOTE:
        problems["note"] = msg("太长了：最多 {most} 个字。", most=LONGEST_NOTE)
    return problems
