"""Lots and demands as arrays, and every admissible pair of a product, block by block.

Distances go through unit vectors: the chord |a - b| gives the same great circle as the haversine
formula, 2 R asin(chord / 2), to about 1e-12 km, and is cheaper in bulk. Memory is bounded by
``BLOCK`` pairs at a time, however large the market.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from market.matching.rules import EARTH_KM, REACH_BLUR, Demand, Lot, Parameters

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Pairs that are looked at together: small enough for the processor's cache.
BLOCK = 1 << 17


class Block(NamedTuple):
    """A stripe of one product's table: rows are its lots ``rows``, columns all of its demands."""

    rows: slice
    km: Floats
    surplus: Floats
    grade: Bools
    window: Bools
    credential: Bools
    near: Bools
    barred: Bools | None

    def admissible(self) -> Bools:
        ok = self.surplus >= 0
        for test in (self.grade, self.window, self.credential, self.near):
            ok &= test
        if self.barred is not None:
            ok &= ~self.barred
        return ok


def _unit_vectors(latitude: Floats, longitude: Floats) -> Floats:
    phi, lam = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])


def _nearby(xyz: Floats) -> NDArray[np.uint64]:
    """Numbers by which neighbours lie together: the bits of the three coordinates interleaved (Morton)."""
    number = np.zeros(xyz.shape[1], np.uint64)
    cell = ((xyz + 1) * 1023.5).astype(np.uint64)
    for bit in range(10, -1, -1):
        for axis in cell:
            number = (number << np.uint64(1)) | ((axis >> np.uint64(bit)) & np.uint64(1))
    return number


def _code_bits(sets: Sequence[frozenset[str]], codes: dict[str, int]) -> NDArray[np.uint64]:
    """Sets of codes as bit masks, shape (words, rows); as many 64-bit words as the codes need."""
    bits = np.zeros((max(1, -(-len(codes) // 64)), len(sets)), np.uint64)
    for row, held in enumerate(sets):
        for code in held:
            if (place := codes.get(code)) is not None:
                bits[place >> 6, row] |= np.uint64(1 << (place & 63))
    return bits


class Market:
    """The whole market as arrays. Money in yuan per kg, mass in grams, dates as ordinals."""

    def __init__(
        self,
        lots: Sequence[Lot],
        demands: Sequence[Demand],
        parameters: Parameters,
        barred: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        self.lots, self.demands, self.parameters = lots, demands, parameters
        products = sorted({lot.product for lot in lots} | {demand.product for demand in demands})
        number = {product: k for k, product in enumerate(products)}
        self.products = products
        self.q = np.array([lot.quantity for lot in lots], np.int64)
        self.ask = np.array([float(lot.ask) for lot in lots], np.float64)
        self.priority = np.array([float(lot.priority) for lot in lots], np.float64)
        self.lot_min = np.array([lot.min_order for lot in lots], np.int64)
        self.lot_grade = np.array([lot.grade for lot in lots], np.int64)
        self.lot_from = np.array([lot.available_from.toordinal() for lot in lots], np.int32)
        self.lot_to = np.array([lot.available_to.toordinal() for lot in lots], np.int32)
        self.lot_xyz = _unit_vectors(
            np.array([lot.latitude for lot in lots], np.float64),
            np.array([lot.longitude for lot in lots], np.float64),
        )
        self.d = np.array([demand.quantity for demand in demands], np.int64)
        self.ceiling = np.array([float(demand.ceiling) for demand in demands], np.float64)
        self.demand_min = np.array([demand.min_order for demand in demands], np.int64)
        self.min_grade = np.array([demand.min_grade for demand in demands], np.int64)
        self.demand_from = np.array([demand.deliver_from.toordinal() for demand in demands], np.int32)
        self.demand_to = np.array([demand.deliver_to.toordinal() for demand in demands], np.int32)
        self.demand_xyz = _unit_vectors(
            np.array([demand.latitude for demand in demands], np.float64),
            np.array([demand.longitude for demand in demands], np.float64),
        )
        unlimited = np.iinfo(np.int64).max
        self.max_lots = np.array(
            [unlimited if demand.max_lots is None else demand.max_lots for demand in demands], np.int64
        )
        farthest = [np.inf if d.max_distance_km is None else d.max_distance_km for d in demands]
        self.reach = np.array(farthest, np.float64) + REACH_BLUR
        needed = sorted({code for demand in demands for code in demand.requires})
        codes = {code: k for k, code in enumerate(needed)}
        self.held = _code_bits([lot.credentials for lot in lots], codes)
        self.required = _code_bits([demand.requires for demand in demands], codes)
        lot_product = np.array([number[lot.product] for lot in lots], np.int64)
        demand_product = np.array([number[demand.product] for demand in demands], np.int64)
        everything = np.arange(len(products) + 1)
        lot_order = np.lexsort((_nearby(self.lot_xyz), lot_product))
        demand_order = np.lexsort((_nearby(self.demand_xyz), demand_product))
        lot_start = np.searchsorted(lot_product[lot_order], everything)
        demand_start = np.searchsorted(demand_product[demand_order], everything)
        #: For each product, the places of its lots and of its demands, neighbours together: what is near
        #: in the country is then near in memory, which the solver's speed depends on.
        self.lots_of = [lot_order[a:b] for a, b in pairwise(lot_start)]
        self.demands_of = [demand_order[a:b] for a, b in pairwise(demand_start)]
        self.road_km = 2 * EARTH_KM * float(parameters.road_factor)
        self.rate = float(parameters.freight) / 1000
        self._barred = self._barred_places(barred)

    def _barred_places(self, barred: frozenset[tuple[str, str]]) -> dict[int, list[int]]:
        if not barred:
            return {}
        lot_place = {lot.id: k for k, lot in enumerate(self.lots)}
        demand_place = {demand.id: k for k, demand in enumerate(self.demands)}
        places: dict[int, list[int]] = {}
        for lot, demand in barred:
            if lot in lot_place and demand in demand_place:
                places.setdefault(lot_place[lot], []).append(demand_place[demand])
        return places

    def cells(self, product: int) -> int:
        """How many pairs of a product there could be."""
        return len(self.lots_of[product]) * len(self.demands_of[product])

    def barred_among(self, lots: Ints, demands: Ints) -> tuple[Ints, Ints]:
        """Return the barred pairs among ``lots`` and ``demands``, as places in these."""
        if not self._barred:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        place = {demand: j for j, demand in enumerate(demands.tolist())}
        found = [
            (i, place[demand])
            for i, lot in enumerate(lots.tolist())
            for demand in self._barred.get(lot, ())
            if demand in place
        ]
        both = np.array(found, np.int64).reshape(-1, 2)
        return both[:, 0].copy(), both[:, 1].copy()

    def most_worth(self) -> float:
        """An upper bound of the worth of any kilogram, in yuan."""
        if not len(self.ask) or not len(self.ceiling):
            return 0.0
        return float(max(0.0, self.ceiling.max() - self.ask.min() + max(0.0, self.priority.max())))

    def km(self, i: Ints, j: Ints) -> Floats:
        """Road km of the pairs (i, j), elementwise."""
        gap = self.lot_xyz[:, i] - self.demand_xyz[:, j]
        chord = np.sqrt((gap * gap).sum(axis=0))
        km: Floats = np.arcsin(np.minimum(chord / 2, 1.0)) * self.road_km
        return km

    def table(self, lots: Ints, demands: Ints, rows: slice) -> Block:
        """Return the stripe ``lots[rows]`` x ``demands`` of a product's table of pairs."""
        some = lots[rows]
        shape = (len(some), len(demands))
        square = np.zeros(shape)
        for axis in range(3):
            gap = self.lot_xyz[axis, some][:, None] - self.demand_xyz[axis, demands][None, :]
            np.multiply(gap, gap, out=gap)
            square += gap
        km = np.sqrt(square, out=square)
        km *= 0.5
        np.minimum(km, 1.0, out=km)
        np.arcsin(km, out=km)
        km *= self.road_km
        surplus = self.ceiling[demands][None, :] - self.ask[some][:, None]
        surplus -= km * self.rate
        window = self.lot_from[some][:, None] <= self.demand_to[demands][None, :]
        window &= self.demand_from[demands][None, :] <= self.lot_to[some][:, None]
        credential = np.ones(shape, np.bool_)
        for held, required in zip(self.held, self.required, strict=True):
            if required[demands].any():
                credential &= (required[demands][None, :] & ~held[some][:, None]) == 0
        barred = None
        if self._barred and (hit := [k for k, lot in enumerate(some.tolist()) if lot in self._barred]):
            barred = np.zeros(shape, np.bool_)
            for k in hit:
                barred[k] = np.isin(demands, self._barred[int(some[k])])
        return Block(
            rows=rows,
            km=km,
            surplus=surplus,
            grade=self.lot_grade[some][:, None] >= self.min_grade[demands][None, :],
            window=window,
            credential=credential,
            near=km <= self.reach[demands][None, :],
            barred=barred,
        )

    def blocks(self, product: int) -> Iterator[Block]:
        """Yield the whole table of a product in stripes of at most ``BLOCK`` pairs (at least one row)."""
        return self.stripes(self.lots_of[product], self.demands_of[product])

    def stripes(self, lots: Ints, demands: Ints) -> Iterator[Block]:
        """Yield the table of any ``lots`` and ``demands`` of one product in such stripes."""
        if not len(lots) or not len(demands):
            return
        step = max(1, BLOCK // len(demands))
        for start in range(0, len(lots), step):
            yield self.table(lots, demands, slice(start, min(start + step, len(lots))))

    def limited(self, product: int) -> bool:
        """Tell whether any smallest order or most lots may bind in a product."""
        lots, demands = self.lots_of[product], self.demands_of[product]
        return bool(
            (self.lot_min[lots] > 0).any()
            or (self.demand_min[demands] > 0).any()
            or (self.max_lots[demands] < len(lots)).any()
        )

    def twins(self, product: int) -> tuple[Ints, Ints]:
        """Classes of a product's lots and of its demands that are alike in all that decides pairs and worth.

        A lot with barred pairs is in a class of its own, and so is a demand.
        """
        lots, demands = self.lots_of[product], self.demands_of[product]
        barred_lots, barred_demands = self.barred_among(lots, demands)
        own, demand_own = np.zeros(len(lots), np.int64), np.zeros(len(demands), np.int64)
        own[barred_lots] = barred_lots + 1
        demand_own[barred_demands] = barred_demands + 1
        lot_class = _classes(
            self.ask[lots],
            self.priority[lots],
            self.lot_grade[lots],
            self.lot_from[lots],
            self.lot_to[lots],
            own,
            *self.lot_xyz[:, lots],
            *self.held[:, lots],
        )
        demand_class = _classes(
            self.ceiling[demands],
            self.min_grade[demands],
            self.demand_from[demands],
            self.demand_to[demands],
            self.reach[demands],
            demand_own,
            *self.demand_xyz[:, demands],
            *self.required[:, demands],
        )
        return lot_class, demand_class


def _classes(*columns: NDArray[np.generic]) -> Ints:
    """Number rows so that equal ones, and only they, share a number, the first seen first."""
    order = np.lexsort(columns)
    new = np.zeros(len(order), np.bool_)
    new[:1] = True
    for column in columns:
        new[1:] |= column[order][1:] != column[order][:-1]
    place = np.cumsum(new) - 1
    # lexsort is stable: the first row of a class is its earliest.
    rank = np.argsort(np.argsort(order[new]))
    classes = np.empty(len(order), np.int64)
    classes[order] = rank[place]
    return classes


class Arcs(NamedTuple):
    """Pairs of one product that could be worth something: local places and scaled whole worth.

    ``w = floor(worth x scale) + 1``: never below the true worth, so that duals of the whole numbers
    certify the true ones; the added unit prefers a sale that gains nothing to no sale.
    """

    i: NDArray[np.int32]
    j: NDArray[np.int32]
    w: Ints


def join(parts: Sequence[Arcs]) -> Arcs:
    if not parts:
        return Arcs(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int64))
    return Arcs(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
