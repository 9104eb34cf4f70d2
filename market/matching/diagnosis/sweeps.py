"""The searches of the diagnosis over every pair of a large product, as machine code.

The same as in ``obstacles`` and ``displacement``, pair by pair instead of by tables, so that a pair that
fails more than two conditions costs next to nothing. To be imported only where a product is large: it
takes a moment to load.
"""

from math import asin, sqrt

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from market.compiled import compiled
from market.matching.diagnosis.seen import BITS, COUNT, NEAREST, NEAREST_PAIRS, Hits, Outcome, Ways
from market.matching.optimum.candidates import Bools, Floats, Ints, Market

Days = NDArray[np.int32]
Words = NDArray[np.uint64]
Slots = NDArray[np.int8]
_MASKS = [mask for mask in range(1 << len(BITS)) if 1 <= COUNT[mask] <= 2]
_SLOT = np.full(1 << len(BITS), -1, np.int8)
_SLOT[_MASKS] = np.arange(len(_MASKS))
_MASK = np.array(_MASKS, np.int64)
_ROWS = 512


@register_jitable
def _terms(
    i: int, j: int, lots: Floats, days: Days, held: Words, demands: Floats, wanted: Days, needed: Words
) -> int:
    """Bits of grade, window and credentials of a pair."""
    mask = 0
    if lots[5, i] < demands[5, j]:
        mask |= 1
    if wanted[0, j] > days[1, i]:
        mask |= 2
    if days[0, i] > wanted[1, j]:
        mask |= 4
    for word in range(held.shape[0]):
        if needed[word, j] & ~held[word, i]:
            mask |= 8
            break
    return mask


@register_jitable
def _km(i: int, j: int, lots: Floats, demands: Floats, road_km: float) -> float:
    square = 0.0
    for axis in range(3):
        gap = lots[axis, i] - demands[axis, j]
        square += gap * gap
    return asin(min(sqrt(square) * 0.5, 1.0)) * road_km


@compiled(
    "int64(int64[::1], float64[:, ::1], int32[:, ::1], uint64[:, ::1], int64[::1], int64[::1],"
    " float64[:, ::1], int32[:, ::1], uint64[:, ::1], int64[:, ::1], float64[::1], boolean,"
    " int8[::1], int64[::1], int64[:, ::1], float64[::1], int64[::1])"
)
def _sweep(
    rows: Ints, lots: Floats, days: Days, held: Words, left: Ints, least: Ints, demands: Floats,
    wanted: Days, needed: Words, grams: Ints, figures: Floats, limited: bool, slot: Slots, masks: Ints,
    out: Ints, out_short: Floats, barred: Ints,
) -> int:  # fmt: skip
    """Write the nearest hits of ``rows``: ``out`` has row, column, mask, grams; return how many.

    ``lots``: x, y, z, ask, priority, grade; ``demands``: x, y, z, ceiling, price, min grade, reach.
    ``grams``: open, width, smallest delivery, full (0 or 1), won by price alone (0 or 1). ``barred``:
    keys row x columns + column.
    """
    road_km, rate, tie, deep, deep_pairs = (
        figures[0],
        figures[1],
        figures[2],
        int(figures[3]),
        int(figures[4]),
    )
    slots, columns = len(masks), demands.shape[1]
    found = np.zeros(slots, np.int64)
    level = np.zeros((slots, deep))
    short_of = np.zeros((slots, deep))
    mass = np.zeros((slots, deep), np.int64)
    column_of = np.zeros((slots, deep), np.int64)
    total = 0
    for place in range(len(rows)):
        i = rows[place]
        found[:] = 0
        for j in range(columns):
            mask = _terms(i, j, lots, days, held, demands, wanted, needed)
            count = (mask & 1) + (mask >> 1 & 1) + (mask >> 2 & 1) + (mask >> 3 & 1)
            if count > 2:
                continue
            is_open = grams[0, j] > 0
            more = min(left[i], grams[0, j] if is_open else grams[1, j])
            if more <= 0:
                continue
            short = demands[3, j] - lots[3, i]
            if count == 2 and short < 0:
                continue
            km = _km(i, j, lots, demands, road_km)
            if km > demands[6, j]:
                mask |= 16
                count += 1
            surplus = short - km * rate
            worth = surplus + lots[4, i]
            price = demands[4, j]
            short = 0.0
            if surplus < 0 or (worth < 0 if is_open else worth - price <= tie):
                mask |= 32
                count += 1
                short = max(max(price - worth, -surplus), 0.0)
                if short > lots[3, i]:
                    continue
            if limited:
                before = count
                if more < least[i]:
                    mask |= 64
                    count += 1
                if more < grams[2, j]:
                    mask |= 128
                    count += 1
                if is_open and grams[3, j] > 0:
                    mask |= 256
                    count += 1
                if count > before and not is_open:
                    continue
            if count > 2 or count == 0:
                continue
            if len(barred):
                key = i * columns + j
                at = np.searchsorted(barred, key)
                if at < len(barred) and barred[at] == key:
                    continue
            if grams[4, j] > 0 and not is_open and mask != 32:
                continue
            size = short if mask & 32 else 0.0
            if mask == 1:
                size = demands[5, j] - lots[5, i]
            elif mask == 2:
                size = float(wanted[0, j] - days[1, i])
            elif mask == 4:
                size = float(days[0, i] - wanted[1, j])
            elif mask == 16:
                size = km - demands[6, j]
            elif mask == 8:
                size = 0.0
                for word in range(held.shape[0]):
                    lacking = needed[word, j] & ~held[word, i]
                    while lacking:
                        lacking &= lacking - np.uint64(1)
                        size += 1.0
            s = slot[mask]
            n = found[s]
            most = deep if count == 1 else deep_pairs
            at = n
            while at > 0 and (
                size < level[s, at - 1] or (size == level[s, at - 1] and more > mass[s, at - 1])
            ):
                at -= 1
            if at >= most:
                continue
            if n < most:
                found[s] = n + 1
            else:
                n = most - 1
            for k in range(n, at, -1):
                level[s, k], mass[s, k] = level[s, k - 1], mass[s, k - 1]
                column_of[s, k], short_of[s, k] = column_of[s, k - 1], short_of[s, k - 1]
            level[s, at], mass[s, at], column_of[s, at], short_of[s, at] = size, more, j, short
        for s in range(slots):
            for k in range(found[s]):
                out[0, total], out[1, total] = i, column_of[s, k]
                out[2, total], out[3, total] = masks[s], mass[s, k]
                out_short[total] = short_of[s, k]
                total += 1
    return total


@compiled(
    "int64(int64[::1], float64[:, ::1], int32[:, ::1], uint64[:, ::1], float64[:, ::1], int32[:, ::1],"
    " uint64[:, ::1], float64[::1], int64[::1], int64[::1], int64[::1], float64[::1], boolean, int64[::1],"
    " int64[:, ::1], float64[::1])"
)
def _leave(
    rows: Ints, lots: Floats, days: Days, held: Words, demands: Floats, wanted: Days, needed: Words,
    gain: Floats, row_part: Ints, column_part: Ints, barred: Ints, figures: Floats, of_lots: bool,
    start: Ints, out: Ints, out_cost: Floats,
) -> int:  # fmt: skip
    """Ways of ``rows`` inside their parts and the cheapest outside; return how many, or -1: no room left.

    Rows are lots, or demands if not ``of_lots``; ``demands[4]`` and ``gain`` are then the lots' price and
    the demands' gain, in their own places. ``start[0]`` is where to go on.
    """
    road_km, rate = figures[0], figures[1]
    columns = demands.shape[1] if of_lots else lots.shape[1]
    total = 0
    for place in range(start[0], len(rows)):
        if total + columns > out.shape[1]:
            start[0] = place
            return total
        row = rows[place]
        least, cheapest = float(np.inf), -1
        for column in range(columns):
            i, j = (row, column) if of_lots else (column, row)
            if _terms(i, j, lots, days, held, demands, wanted, needed):
                continue
            surplus = demands[3, j] - lots[3, i]
            if surplus < 0:
                continue
            km = _km(i, j, lots, demands, road_km)
            surplus -= km * rate
            worth = surplus + lots[4, i]
            if km > demands[6, j] or surplus < 0 or worth < 0:
                continue
            if len(barred):
                key = i * demands.shape[1] + j
                at = np.searchsorted(barred, key)
                if at < len(barred) and barred[at] == key:
                    continue
            cost = max(gain[row] + (demands[4, j] if of_lots else lots[6, i]) - worth, 0.0)
            if row_part[row] == column_part[column]:
                out[0, total], out[1, total], out_cost[total] = row, column, cost
                total += 1
            elif cost < least:
                least, cheapest = cost, column
        if cheapest >= 0:
            out[0, total], out[1, total], out_cost[total] = row, cheapest, least
            total += 1
    start[0] = len(rows)
    return total


@compiled(
    "void(int64[::1], int64[::1], float64[::1], float64[:, ::1], int32[:, ::1], uint64[:, ::1],"
    " float64[:, ::1], int32[:, ::1], uint64[:, ::1], int64[::1], float64[::1], boolean[::1])"
)
def _come_too(
    row: Ints, column: Ints, limit: Floats, lots: Floats, days: Days, held: Words, demands: Floats,
    wanted: Days, needed: Words, barred: Ints, figures: Floats, others: Bools,
) -> None:  # fmt: skip
    """Tell, per pair, whether the longer road would let in another lot that would come."""
    road_km, rate, tie = figures[0], figures[1], figures[2]
    for place in range(len(row)):
        j = column[place]
        for i in range(lots.shape[1]):
            surplus = demands[3, j] - lots[3, i]
            if i == row[place] or surplus < 0 or _terms(i, j, lots, days, held, demands, wanted, needed):
                continue
            km = _km(i, j, lots, demands, road_km)
            surplus -= km * rate
            if km <= demands[6, j] or km > limit[place] or surplus < 0:
                continue
            if surplus + lots[4, i] - lots[6, i] - demands[4, j] <= -tie:
                continue
            if len(barred):
                key = i * demands.shape[1] + j
                at = np.searchsorted(barred, key)
                if at < len(barred) and barred[at] == key:
                    continue
            others[place] = True
            break


class _Arrays:
    """A product's lots and demands, as the kernels take them."""

    def __init__(self, market: Market, outcome: Outcome) -> None:
        lots, demands = market.lots_of[outcome.product], market.demands_of[outcome.product]
        price = outcome.price if outcome.of_lots else outcome.gain
        cost = outcome.gain if outcome.of_lots else outcome.price
        self.lots: Floats = np.stack(
            [*market.lot_xyz[:, lots], market.ask[lots], market.priority[lots], market.lot_grade[lots], cost]
        )
        self.demands: Floats = np.stack(
            [
                *market.demand_xyz[:, demands],
                market.ceiling[demands],
                price,
                market.min_grade[demands],
                market.reach[demands],
            ]
        )
        self.days: Days = np.stack([market.lot_from[lots], market.lot_to[lots]]).astype(np.int32)
        self.wanted: Days = np.stack([market.demand_from[demands], market.demand_to[demands]]).astype(
            np.int32
        )
        self.held: Words = np.ascontiguousarray(market.held[:, lots])
        self.needed: Words = np.ascontiguousarray(market.required[:, demands])
        i, j = market.barred_among(lots, demands)
        self.barred: Ints = np.sort(i * len(demands) + j)
        self.figures: Floats = np.array(
            [market.road_km, market.rate, outcome.tie, NEAREST, NEAREST_PAIRS], np.float64
        )


def sweep_lots(market: Market, outcome: Outcome, rows: Ints) -> list[Hits]:
    """Return the nearest hits of lots (local places), stripe by stripe."""
    arrays = _Arrays(market, outcome)
    lots, demands = market.lots_of[outcome.product], market.demands_of[outcome.product]
    full, alone = outcome.lots_taken >= market.max_lots[demands], np.zeros(len(demands), np.int64)
    room = outcome.room
    grams: Ints = np.stack([outcome.open, room.grams, market.demand_min[demands], full, alone])
    left, least = np.ascontiguousarray(outcome.left), np.ascontiguousarray(market.lot_min[lots])
    found = []

    def search(some: Ints, wanted: Floats, room_for: Ints) -> None:
        out = np.empty((4, len(some) * len(_MASK) * NEAREST), np.int64)
        short = np.empty(out.shape[1], np.float64)
        n = _sweep(
            some, arrays.lots, arrays.days, arrays.held, left, least, wanted, arrays.wanted, arrays.needed,
            room_for, arrays.figures, outcome.limited, _SLOT, _MASK, out, short, arrays.barred,
        )  # fmt: skip
        row, column, mask, mass = out[:, :n].copy()
        found.append(Hits(row, column, mask, short[:n].copy(), mass))

    unsold = rows[outcome.traded[rows] == 0]
    for begin in range(0, len(unsold), _ROWS):
        search(np.ascontiguousarray(unsold[begin : begin + _ROWS]), arrays.demands, grams)
    for row in rows[outcome.traded[rows] > 0].tolist():
        # Whatever leads back to the lot itself is no room for it; what hangs on it costs it more.
        own, wanted = grams.copy(), arrays.demands.copy()
        own[1] = np.where(room.end == row, room.other, room.grams)
        for column, dual, wide in outcome.beyond.get(row, ()):
            own[1, column], own[4, column], wanted[4, column] = wide, 1, dual
        search(np.array([row], np.int64), wanted, own)
    return found


def ways_out(market: Market, outcome: Outcome, hung: Ints, whose: Ints) -> Ways:
    """Return all ways of the hung rows inside their parts, and each one's cheapest way out."""
    arrays = _Arrays(market, outcome)
    rows, columns = len(outcome.left), len(outcome.open)
    row_part, column_part = np.ascontiguousarray(whose[:rows]), np.ascontiguousarray(whose[rows:])
    gain = np.ascontiguousarray(outcome.gain)
    start = np.zeros(1, np.int64)
    out, cost = np.empty((2, 1 << 20), np.int64), np.empty(1 << 20, np.float64)
    if columns > out.shape[1]:
        out, cost = np.empty((2, columns), np.int64), np.empty(columns, np.float64)
    parts = []
    while start[0] < len(hung):
        n = _leave(
            np.ascontiguousarray(hung), arrays.lots, arrays.days, arrays.held, arrays.demands, arrays.wanted,
            arrays.needed, gain, row_part, column_part, arrays.barred, arrays.figures, outcome.of_lots, start,
            out, cost,
        )  # fmt: skip
        parts.append(Ways(out[0, :n].copy(), out[1, :n].copy(), cost[:n].copy()))
    return Ways(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def lets_in(market: Market, outcome: Outcome, row: Ints, column: Ints, km: Floats) -> Bools:
    """Tell which demands would get another lot than ``row`` if lots up to ``km`` away could serve them."""
    arrays, others = _Arrays(market, outcome), np.zeros(len(row), np.bool_)
    _come_too(
        row, column, np.nextafter(km, np.inf) + 0.1, arrays.lots, arrays.days, arrays.held, arrays.demands,
        arrays.wanted, arrays.needed, arrays.barred, arrays.figures, others,
    )  # fmt: skip
    return others
