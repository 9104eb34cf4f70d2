"""What stands between rows that have something left and every column: one or two conditions at most.

Rows are lots and columns demands, or the other way round. A pair's obstacles are bits; a pair that at
most two changes would open is a ``Hit``. Per row and set of obstacles the nearest few are kept, so that
the smallest change is always among them.
"""

from typing import NamedTuple

import numpy as np

from market.matching.diagnosis.displacement import MANY, tables
from market.matching.diagnosis.seen import (
    BITS,
    COUNT,
    CREDENTIAL,
    DISTANCE,
    EARLIER,
    GRADE,
    LATER,
    MAX_LOTS,
    NEAREST,
    NEAREST_PAIRS,
    OWN_MIN,
    PRICE,
    THEIR_MIN,
    Hits,
    Outcome,
)
from market.matching.optimum.candidates import Block, Bools, Floats, Ints, Market

#: A pair of changes beside single ones must open so many times as much.
MUCH_MORE = 2


class Nearest(NamedTuple):
    """Per row: the column with the fewest obstacles, or -1, and whether any admissible one exists."""

    column: Ints
    fits: Bools
    allowed: Bools


def sweep(market: Market, outcome: Outcome, rows: Ints) -> Hits:
    """Look at ``rows`` (local places) against all columns of the product, ordered by row and obstacles."""
    parts: list[Hits] = []
    if outcome.of_lots and len(rows) * len(outcome.open) > MANY:
        from market.matching.diagnosis.sweeps import sweep_lots

        parts, rows = sweep_lots(market, outcome, rows), rows[:0]
    for part, table in tables(market, outcome.product, outcome.of_lots, rows):
        mask, grams, short = _masks(market, outcome, rows[part], table)
        hit = (grams > 0) & (COUNT[mask] >= 1) & (COUNT[mask] <= 2)
        hit &= (mask & PRICE == 0) | (short <= _most_cut(market, outcome, rows[part])[:, None])
        if table.barred is not None:
            hit &= ~table.barred
        parts.append(_nearest_hits(market, outcome, rows[part], hit, mask, grams, short, table.km))
    hits = _worthwhile(market, outcome, _joined(parts))
    return _uncontested(market, outcome, hits) if outcome.of_lots else hits


def _uncontested(market: Market, outcome: Outcome, hits: Hits) -> Hits:
    """Drop hits for which a demand would have to accept a longer road that lets in another lot too.

    A demand that accepts a longer road accepts it from everyone. If a nearer lot would come by it, what
    that leaves for the others is not known, and nothing is promised.
    """
    far = np.flatnonzero(hits.mask & DISTANCE)
    if not len(far):
        return hits
    row, column = hits.row[far], hits.column[far]
    lots, demands = market.lots_of[outcome.product], market.demands_of[outcome.product]
    km = market.km(lots[row], demands[column])
    if len(lots) * len(far) > MANY:
        from market.matching.diagnosis.sweeps import lets_in

        others = lets_in(market, outcome, row, column, km)
    else:
        others = _lets_in(market, outcome, row, column, km)
    keep = np.ones(len(hits.row), np.bool_)
    keep[far[others]] = False
    return _some(hits, keep)


def _some(hits: Hits, chosen: Bools) -> Hits:
    return Hits(
        hits.row[chosen], hits.column[chosen], hits.mask[chosen], hits.short[chosen], hits.grams[chosen]
    )


def _lets_in(market: Market, outcome: Outcome, row: Ints, column: Ints, km: Floats) -> Bools:
    """Tell which demands would get another lot than ``row`` if lots up to ``km`` away could serve them."""
    lots, demands = market.lots_of[outcome.product], market.demands_of[outcome.product]
    columns, of = np.unique(column, return_inverse=True)
    block = market.table(lots, demands[columns], slice(0, len(lots)))
    lead = block.surplus + (market.priority[lots] - outcome.gain)[:, None] - outcome.price[columns][None, :]
    keen: Bools = lead > -outcome.tie
    keen &= (block.surplus >= 0) & block.grade & block.window & block.credential & ~block.near
    if block.barred is not None:
        keen &= ~block.barred
    near = np.nextafter(km, np.inf) + 0.1
    inside = keen[:, of] & (block.km[:, of] <= near[None, :])
    inside[row, np.arange(len(row))] = False
    others: Bools = np.any(inside, axis=0, keepdims=True)[0]
    return others


def _worthwhile(market: Market, outcome: Outcome, hits: Hits) -> Hits:
    """Drop pairs of obstacles that cannot open ``MUCH_MORE`` times what a single change surely opens."""
    if not len(hits.row):
        return hits
    group = hits.row * (1 << len(BITS)) + hits.mask
    start = np.flatnonzero(np.diff(group, prepend=-1))
    row, mask = hits.row[start], hits.mask[start]
    least = np.zeros(len(outcome.left), np.int64)
    sure = (COUNT[mask] == 1) & (mask != DISTANCE)
    sure &= (mask != PRICE) | (hits.short[start] + 1e-4 < _most_cut(market, outcome, row))
    np.maximum.at(least, row[sure], hits.grams[start][sure])
    together = np.add.reduceat(np.where(outcome.is_open[hits.column], hits.grams, 0), start)
    most = np.maximum(np.minimum(together, outcome.left[row]), np.maximum.reduceat(hits.grams, start))
    keep = (COUNT[mask] == 1) | (most >= MUCH_MORE * least[row])
    chosen = np.repeat(keep, np.diff(start, append=len(group)))
    return _some(hits, chosen)


def nearest(market: Market, outcome: Outcome, rows: Ints) -> Nearest:
    """Return what stands nearest to rows that nothing opens anything for."""
    column = np.full(len(rows), -1, np.int64)
    fits, allowed = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
    for part, table in tables(market, outcome.product, outcome.of_lots, rows):
        mask, _, short = _masks(market, outcome, rows[part], table)
        barred = np.zeros(mask.shape, np.bool_) if table.barred is None else table.barred
        allowed[part] = (~barred).any(axis=1)
        fits[part] = table.admissible().any(axis=1)
        wrong = COUNT[mask & ~(OWN_MIN | THEIR_MIN | MAX_LOTS)] + 100.0 * barred
        wrong += np.clip(short / (short.max() + 1), 0, 1)
        column[part] = wrong.argmin(axis=1)
    return Nearest(column, fits, allowed)


def _most_cut(market: Market, outcome: Outcome, rows: Ints) -> Floats:
    """A lot can give up its ask at most; a buyer could pay any more."""
    if outcome.of_lots:
        return market.ask[market.lots_of[outcome.product][rows]]
    return np.full(len(rows), 10_000.0)


def _masks(market: Market, outcome: Outcome, rows: Ints, table: Block) -> tuple[Ints, Ints, Floats]:
    """Return obstacles, grams and missing price of every pair of a stripe."""
    lots, demands = market.lots_of[outcome.product], market.demands_of[outcome.product]
    lots, demands = (lots[rows], demands) if outcome.of_lots else (lots, demands[rows])
    across = (slice(None), None) if outcome.of_lots else (None, slice(None))
    along = (None, slice(None)) if outcome.of_lots else (slice(None), None)
    mask = np.zeros(table.km.shape, np.int64)
    mask[~table.grade] |= GRADE
    mask[market.demand_from[demands][along] > market.lot_to[lots][across]] |= LATER
    mask[market.lot_from[lots][across] > market.demand_to[demands][along]] |= EARLIER
    mask[~table.credential] |= CREDENTIAL
    mask[~table.near] |= DISTANCE
    worth = table.surplus + market.priority[lots][across]
    is_open = outcome.is_open[None, :]
    width = np.repeat(outcome.room.grams[None, :], len(rows), axis=0)
    price = np.repeat(outcome.price[None, :], len(rows), axis=0)
    own_end = outcome.room.end[None, :] == rows[:, None]
    width[own_end] = np.repeat(outcome.room.other[None, :], len(rows), axis=0)[own_end]
    only_price = np.zeros(mask.shape, np.bool_)
    for place, row in enumerate(rows.tolist()):
        for column, dual, wide in outcome.beyond.get(row, ()):
            width[place, column], price[place, column] = wide, dual
            only_price[place, column] = True
    grams: Ints = np.minimum(outcome.left[rows][:, None], np.where(is_open, outcome.open[None, :], width))
    pays = (table.surplus >= 0) & np.where(is_open, worth >= 0, worth - price > outcome.tie)
    mask[~pays] |= PRICE
    # A row that would change places with its own sales is not known to sell more.
    grams[only_price & ~is_open & (mask != PRICE)] = 0
    if outcome.limited:
        mask |= _limits(market, outcome, rows, grams)
    short = np.where(pays, 0.0, np.maximum(np.maximum(price - worth, -table.surplus), 0.0))
    return mask, grams, short


def _limits(market: Market, outcome: Outcome, rows: Ints, grams: Ints) -> Ints:
    """Smallest orders and most lots that keep out of an open column; takes full ones out of ``grams``."""
    lots, demands = market.lots_of[outcome.product], market.demands_of[outcome.product]
    many = outcome.lots_taken >= market.max_lots[demands]
    if outcome.of_lots:
        mine, theirs = market.lot_min[lots[rows]], market.demand_min[demands]
        full = np.repeat(many[None, :], len(rows), axis=0)
    else:
        mine, theirs = market.demand_min[demands[rows]], market.lot_min[lots]
        full = np.repeat(many[rows][:, None], len(lots), axis=1)
    mask: Ints = np.where(grams < mine[:, None], OWN_MIN, 0)
    mask |= np.where(grams < theirs[None, :], THEIR_MIN, 0)
    mask |= np.where(full & outcome.is_open[None, :], MAX_LOTS, 0)
    grams[~outcome.is_open[None, :] & (mask != 0)] = 0
    return mask


def _nearest_hits(
    market: Market,
    outcome: Outcome,
    rows: Ints,
    hit: Bools,
    mask: Ints,
    grams: Ints,
    short: Floats,
    km: Floats,
) -> Hits:
    """Keep the ``NEAREST`` of every row and set of obstacles: the smallest change, then the most grams."""
    at, column = np.nonzero(hit)
    bits, mass, price = mask[at, column], grams[at, column], short[at, column]
    level = level_of(market, outcome, rows[at], column, bits, price, km[at, column])
    order = np.lexsort((-mass, level, bits, at))
    group = at[order] * (1 << len(BITS)) + bits[order]
    rank = np.arange(len(order)) - np.searchsorted(group, group)
    keep = order[rank < np.where(COUNT[bits[order]] == 1, NEAREST, NEAREST_PAIRS)]
    return Hits(rows[at[keep]], column[keep], bits[keep], price[keep], mass[keep])


def level_of(
    market: Market, outcome: Outcome, row: Ints, column: Ints, mask: Ints, short: Floats, km: Floats
) -> Floats:
    """How large a change is, in its own measure (yuan, grades, days, credentials, km); 0: any will do."""
    lots, demands = market.lots_of[outcome.product], market.demands_of[outcome.product]
    i, j = (lots[row], demands[column]) if outcome.of_lots else (lots[column], demands[row])
    level = np.where(mask & PRICE, short, 0.0)
    for bit, size in (
        (GRADE, market.min_grade[j] - market.lot_grade[i]),
        (LATER, market.demand_from[j] - market.lot_to[i]),
        (EARLIER, market.lot_from[i] - market.demand_to[j]),
        (DISTANCE, km - market.reach[j]),
    ):
        level = np.where(mask == bit, size, level)
    missing = np.flatnonzero(mask == CREDENTIAL)
    if len(missing):
        lacking = market.required[:, j[missing]] & ~market.held[:, i[missing]]
        level[missing] = np.bitwise_count(lacking).sum(axis=0)
    return level


def _joined(parts: list[Hits]) -> Hits:
    if not parts:
        none = np.zeros(0, np.int64)
        return Hits(none, none, none, np.zeros(0), none)
    return Hits(*(np.concatenate(column) for column in zip(*parts, strict=True)))
