"""Every pair of lot and demand, for the checker: which are admissible, and does u + v reach their worth.

No pair is left out for speed. Two demands of the format exclude pairs without a look at their distance:
freight is never negative, so a lot that asks more than the ceiling cannot be had (lots are sorted by ask,
and only the head of the list is gone through); and what fails on window, grade or credentials fails
wherever it lies. All that remains gets the haversine formula itself.

Whether a pair is admissible is certain but where floating point cannot tell. At one and the same place the
way is exactly 0, and so it is where freight costs nothing: ceiling and ask alone decide, and 0 is enough.
Elsewhere ``Book.judge`` bounds what rounding may do, which is far below a millimetre. What even that leaves
open is *in doubt*: such a pair may be used or not, and is held against nobody.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast

import numpy as np

from market.matching.checker.files import Bools, Floats, Ints, Report
from market.matching.checker.input import Side

#: What floating point may blur in sums of gains, in yuan per kg.
BLUR = 1e-9
#: The farthest that a buyer takes is kept to so many km: a lot just as far is near enough.
REACH_BLUR = 1e-9
#: What rounding may do to an angle (in radians) halfway round the Earth or nearer, and at its other end.
_ANGLE, _ANGLE_THERE = 4e-15, 4e-8
#: Pairs that are looked at together, and lots among them: small enough for the processor's cache.
CELLS, ACROSS = 1 << 18, 1 << 12
EARTH_KM = 6371.0088

#: Places of lots and demands, and worth in yuan per kg.
Pairs = tuple[Ints, Ints, Floats]


@dataclass(frozen=True)
class Book:
    """The input as the checker understands it. ``freight`` in yuan per tonne-km."""

    lots: Side
    demands: Side
    freight: float
    road: float

    def km(self, i: Ints, j: Ints) -> Floats:
        """Road km of lots ``i`` and demands ``j``, elementwise: haversine x road factor."""
        a, b = self.lots, self.demands
        h = np.sin((b.lat[j] - a.lat[i]) / 2) ** 2
        h += a.cos_lat[i] * b.cos_lat[j] * np.sin((b.lon[j] - a.lon[i]) / 2) ** 2
        km: Floats = 2 * EARTH_KM * self.road * np.arcsin(np.sqrt(np.minimum(h, 1.0)))
        return km

    def surplus(self, i: Ints, j: Ints, km: Floats) -> Floats:
        """Yuan per kg that ceiling leaves over ask and freight."""
        left: Floats = self.demands.price[j] - self.lots.price[i] - self.freight * km / 1000
        return left

    @property
    def wide(self) -> tuple[float, float]:
        """More than rounding can ever do to a surplus in yuan per kg, and to km."""
        km = EARTH_KM * self.road * _ANGLE_THERE
        return BLUR + self.freight * km / 1000, km + 2 * REACH_BLUR

    def blurs(self, i: Ints, j: Ints, km: Floats) -> tuple[Floats, Floats]:
        """What rounding may do to surplus and km, elementwise; 0 where the figure is exact."""
        a, b = self.lots, self.demands
        apart = (a.lat[i] != b.lat[j]) | (a.lon[i] != b.lon[j])
        radius = EARTH_KM * self.road
        steep = np.maximum(np.cos(np.minimum(km / (2 * radius), np.pi / 2)), _ANGLE / _ANGLE_THERE)
        km_blur = np.where(apart, radius * _ANGLE / steep, 0.0)
        freight = self.freight / 1000
        yuan = 1e-15 * (np.abs(a.price[i]) + np.abs(b.price[j]) + freight * km) + freight * km_blur
        return np.where(apart & (self.freight > 0), yuan, 0.0), km_blur

    def judge(self, i: Ints, j: Ints, km: Floats, surplus: Floats) -> tuple[Bools, Bools]:
        """Whether price and distance surely admit pairs, and whether they may, elementwise."""
        yuan, far = self.blurs(i, j, km)
        over = km - (self.demands.reach[j] + REACH_BLUR)
        return (surplus >= yuan) & (over <= -far), (surplus >= -yuan) & (over <= far)

    def fits(self, i: Ints, j: Ints) -> Bools:
        """Product, grade, window and credentials, elementwise."""
        a, b = self.lots, self.demands
        ok = (a.product[i] == b.product[j]) & (a.grade[i] >= b.grade[j])
        ok &= (a.begin[i] <= b.end[j]) & (b.begin[j] <= a.end[i])
        return cast(Bools, ok & self.holds(i, j))

    def holds(self, i: Ints, j: Ints) -> Bools:
        """Whether lots ``i`` hold the codes that demands ``j`` require, elementwise."""
        a, b = self.lots, self.demands
        pairs = list(zip(a.held[i].tolist(), b.held[j].tolist(), strict=True))
        known = {(x, y): b.sets[y] <= a.sets[x] for x, y in set(pairs)}
        return np.array([known[pair] for pair in pairs], np.bool_)


class Tally:
    """What the pass over all pairs has found."""

    def __init__(self, lots: int, demands: int) -> None:
        #: Admissible pairs beyond doubt, and those that floating point leaves open.
        self.lot_pairs, self.demand_pairs = np.zeros(lots, np.int64), np.zeros(demands, np.int64)
        self.lot_doubts, self.demand_doubts = np.zeros(lots, np.int64), np.zeros(demands, np.int64)
        self.seen = self.blocking = 0


@dataclass(frozen=True)
class Product:
    """One product's lots and demands (places in the input), and its admissible pairs where they are few.

    ``pairs`` holds local places and worth per kg, ``doubts`` those that may be admissible besides; both
    are None where there are too many to keep.
    """

    lots: Ints
    demands: Ints
    pairs: Pairs | None
    doubts: Pairs | None


def _bits(side: Side, places: dict[str, int]) -> Any:
    """The codes in ``places`` that each row has, as (words, rows) bit masks, bytes where they suffice."""
    kind = np.uint8 if len(places) <= 8 else np.uint64
    wide = 8 if kind is np.uint8 else 64
    table = np.zeros((max(1, -(-len(places) // wide)), len(side.sets)), kind)
    for k, codes in enumerate(side.sets):
        for code in codes:
            if code in places:
                table[places[code] // wide, k] |= kind(1 << (places[code] % wide))
    return table[:, side.held] if side.sets else table[:, :0]


def _by_product(side: Side, count: int) -> list[Ints]:
    order = np.argsort(side.product, kind="stable")
    ends = np.searchsorted(side.product[order], np.arange(count + 1))
    return [order[a:b] for a, b in pairwise(ends)]


class AllPairs:
    """The pass over all pairs of all products."""

    def __init__(self, book: Book, products: int, report: Report, u: Floats, v: Floats) -> None:
        self.book, self.products, self.report, self.u, self.v = book, products, report, u, v
        needed = {code: 0 for codes in book.demands.sets for code in codes}
        places = {code: k for k, code in enumerate(needed)}
        self.lacks = ~_bits(book.lots, places)
        self.needs = _bits(book.demands, places)
        # Days in 16 bits, an eighth of the traffic; what lies further off than that compares alike.
        days = np.concatenate([book.lots.begin, book.lots.end, book.demands.begin, book.demands.end, [0]])
        base = int(np.median(days))

        def short(values: Ints) -> Any:
            return np.clip(values - base, -32_000, 32_000).astype(np.int16)

        spread = days[:-1].max(initial=base) - days[:-1].min(initial=base)
        self.days = short if spread < 32_000 else (lambda values: values)
        self.tally = Tally(len(book.lots.ids), len(book.demands.ids))

    def run(self, keep: int) -> Iterator[Product]:
        """Go through every product; yield it with its admissible pairs if they are at most ``keep``."""
        theirs = _by_product(self.book.demands, self.products)
        for lots, demands in zip(_by_product(self.book.lots, self.products), theirs, strict=True):
            if len(lots) and len(demands):
                yield self._product(lots, demands, keep)

    def _product(self, lots: Ints, demands: Ints, keep: int) -> Product:
        a, b = self.book.lots, self.book.demands
        lots = lots[np.argsort(a.price[lots], kind="stable")]
        demands = demands[np.argsort(-b.price[demands], kind="stable")]
        self.tally.seen += len(lots) * len(demands)
        head = np.searchsorted(a.price[lots], b.price[demands] + self.book.wide[0], side="right")
        ours = (self.days(a.begin[lots]), self.days(a.end[lots]), _small(a.grade[lots]), self.lacks[:, lots])
        theirs = (
            self.days(b.begin[demands])[:, None],
            self.days(b.end[demands])[:, None],
            _small(b.grade[demands])[:, None],
            self.needs[:, demands, None],
        )
        kept: tuple[list[Pairs], list[Pairs]] | None = ([], [])
        found = row = 0
        while row < len(demands) and head[row]:
            rows = slice(row, min(len(demands), row + max(1, CELLS // min(ACROSS, int(head[row])))))
            for start in range(0, int(head[row]), ACROSS):
                tile = slice(start, min(start + ACROSS, int(head[row])))
                far, near = _fitting(ours, theirs, tile, rows)
                judged = self._judge(lots[tile], demands[rows], near, far)
                found += sum(len(each[0]) for each in judged)
                if found > keep:
                    kept = None
                elif kept is not None:
                    for parts, (i, j, worth) in zip(kept, judged, strict=True):
                        parts.append((i + tile.start, j + rows.start, worth))
            row = rows.stop
        if kept is None:
            return Product(lots, demands, None, None)
        sure, doubts = map(_joined, kept)
        return Product(lots, demands, sure, doubts)

    def _judge(self, lots: Ints, demands: Ints, near: Ints, far: Ints) -> tuple[Pairs, Pairs]:
        """Count and check pairs (local places) that fit so far; return the admissible and the doubtful."""
        book, tally = self.book, self.tally
        i, j = lots[near], demands[far]
        km = book.km(i, j)
        surplus = book.surplus(i, j, km)
        reach, (yuan, way) = book.demands.reach[j], book.wide
        sure = (surplus >= yuan) & (km <= reach - way)
        close = np.flatnonzero((surplus >= -yuan) & (km <= reach + way) & ~sure)
        doubt = np.zeros(0, np.int64)
        if len(close):
            certain, possible = book.judge(i[close], j[close], km[close], surplus[close])
            sure[close] = certain
            doubt = close[possible & ~certain]
            np.add.at(tally.lot_doubts, i[doubt], 1)
            np.add.at(tally.demand_doubts, j[doubt], 1)
        open_ones = near[doubt], far[doubt], surplus[doubt] + book.lots.priority[i[doubt]]
        i, j, near, far, km = i[sure], j[sure], near[sure], far[sure], km[sure]
        worth = surplus[sure] + book.lots.priority[i]
        tally.lot_pairs[lots] += np.bincount(near, minlength=len(lots))
        tally.demand_pairs[demands] += np.bincount(far, minlength=len(demands))
        blocking = self.u[i] + self.v[j] < worth - BLUR
        if blocking.any():
            k = np.flatnonzero(blocking)
            blur = BLUR + book.blurs(i[k], j[k], km[k])[0]
            blocking[k] = self.u[i[k]] + self.v[j[k]] < worth[k] - blur
            tally.blocking += int(blocking.sum())
            self._told(i, j, worth, blocking)
        return (near, far, worth), open_ones

    def _told(self, i: Ints, j: Ints, worth: Floats, blocking: Bools) -> None:
        lots, demands = self.book.lots.ids, self.book.demands.ids
        self.report.wrong_at(
            blocking,
            "certificate",
            lambda k: f"{lots[i[k]]} → {demands[j[k]]}",
            "u + v",
            lambda k: f">= {worth[k]:.9f}",
            lambda k: f"{self.u[i[k]] + self.v[j[k]]:.9f}",
        )


def _joined(parts: list[Pairs]) -> Pairs:
    parts.append((np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)))
    i, j, worth = (np.concatenate(column) for column in zip(*parts, strict=True))
    return i, j, worth


def _small(grades: Ints) -> Any:
    return np.clip(grades, -32_000, 32_000).astype(np.int16)


def _fitting(ours: Sequence[Any], theirs: Sequence[Any], tile: slice, rows: slice) -> tuple[Ints, Ints]:
    """Rows (demands) and columns (lots) of a tile where window, grade and credentials fit."""
    begin, end, grade, lacks = ours
    first, last, least, needs = theirs
    ok = begin[tile] <= last[rows]
    ok &= end[tile] >= first[rows]
    ok &= grade[tile] >= least[rows]
    for missing, needed in zip(lacks, needs, strict=True):
        ok &= (needed[rows] & missing[tile]) == 0
    return cast(tuple[Ints, Ints], np.nonzero(ok))
