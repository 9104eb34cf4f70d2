"""Search among allocations that keep every rule: take a few deliveries back, give anew, keep what pays.

A step frees a demand with some that draw on the same lots (or a lot's best demands), serves them again
one after another, each time by the lot that gains most at the guiding prices, and fills up what is left.
Worse results are accepted now and then, ever more rarely (ruin and recreate: Schrimpf et al. 2000,
Christiaens and Vanden Berghe 2020; annealing: Kirkpatrick et al. 1983). All from one seed, in counted
steps: the same input gives the same allocation.
"""

from collections.abc import Callable

import numpy as np

from market.compiled import compiled
from market.matching.limits.rules import Rules, some, strongest
from market.matching.optimum.candidates import Arcs, Floats, Ints

#: Arcs that each demand and each lot search among.
REACH = 8
#: Temperatures, as shares of the mean worth of a delivery, and in how many levels they fall.
HOT, COLD = 0.03, 0.002
LEVELS = 40
#: Logarithms of even parts of (0, 1): rounded, so that they are the same everywhere.
_CHANCES = np.round(np.log((np.arange(1024) + 0.5) / 1024), 6)


@compiled(
    "void(int64, int64, int64[::1], int32[::1], int32[::1], int64[::1], int64[::1], int64[::1],"
    " int32[:,::1], int32[:,::1], int32[:,::1])"
)
def _put(e, grams, x, lot_of, demand_of, left, unfilled, slots, firsts, after, before):  # type: ignore[no-untyped-def]
    """Set an arc's grams, with all that hangs on it: what is left, free slots, the lists of arcs in use."""
    i, j, old = lot_of[e], demand_of[e], x[e]
    left[i] += old - grams
    unfilled[j] += old - grams
    x[e] = grams
    if old == 0 and grams > 0:
        slots[j] -= 1
        for side in range(2):
            node = j if side == 0 else i
            head = firsts[side, node]
            after[side, e], before[side, e] = head, -1
            firsts[side, node] = e
            if head >= 0:
                before[side, head] = e
    elif old > 0 and grams == 0:
        slots[j] += 1
        for side in range(2):
            node = j if side == 0 else i
            back, on = before[side, e], after[side, e]
            if back >= 0:
                after[side, back] = on
            else:
                firsts[side, node] = on
            if on >= 0:
                before[side, on] = back


@compiled(
    "int64(int64[::1], int64[::1], int64[::1], int32[::1], int32[::1], int32[::1], int32[::1], float64[::1],"
    " float64[::1], int64[::1], int64[::1], int64[::1], int64[::1], int64, float64, int64, float64[::1])"
)
def _anneal(  # type: ignore[no-untyped-def]
    x,
    begin,
    lot_begin,
    by_worth,
    by_gain,
    lot_of,
    demand_of,
    worth,
    gain,
    least,
    q,
    d,
    most,
    steps,
    heat,
    seed,
    chances,
):
    """Change ``x`` by ``steps`` steps at temperature ``heat``; step 0 only fills up. Returns the next seed.

    Arcs are sorted by demand, the best gain first: demand j's are ``begin[j]`` to ``begin[j + 1]``. Lot i's
    arcs are ``by_worth`` and ``by_gain`` between ``lot_begin[i]`` and ``lot_begin[i + 1]``.
    """
    lots, demands, arcs = len(q), len(d), len(x)
    left, unfilled, slots = q.copy(), d.copy(), most.copy()
    firsts = np.full((2, max(lots, demands)), -1, np.int32)
    after, before = np.full((2, arcs), -1, np.int32), np.full((2, arcs), -1, np.int32)
    for e in range(arcs):
        grams = x[e]
        if grams > 0:
            x[e] = 0
            _put(e, grams, x, lot_of, demand_of, left, unfilled, slots, firsts, after, before)
    room = min(5 * arcs, 1 << 20) + 1
    log, logged = np.empty(room, np.int64), np.empty(room, np.int64)
    live, live_lots, lively, lively_lots = np.empty(demands, np.int64), np.empty(lots, np.int64), 0, 0
    for j in range(demands):
        if begin[j + 1] > begin[j]:
            live[lively] = j
            lively += 1
    for i in range(lots):
        if lot_begin[i + 1] > lot_begin[i]:
            live_lots[lively_lots] = i
            lively_lots += 1
    if lively == 0:
        return seed
    freed, touched = np.empty(8, np.int64), np.empty(lots, np.int64)
    freed_at, touched_at = np.full(demands, -1, np.int64), np.full(lots, -1, np.int64)
    for step in range(steps + 1):
        n_freed, n_touched, n_log, better = 0, 0, 0, 0.0
        lot = -1
        if step == 0:
            for i in range(lots):
                touched[i] = i
            n_touched = lots
        else:
            # Choose what to free.
            seed = seed * 6364136223846793005 + 1442695040888963407
            r = (seed >> 33) & 0x7FFFFFFF
            wanted = 1 + r % 4
            r >>= 4
            by_lot = r % 4 == 0
            r >>= 2
            if by_lot:
                lot = live_lots[r % lively_lots]
                touched_at[lot], touched[0], n_touched = step, lot, 1
            else:
                freed[0], n_freed = live[r % lively], 1
                freed_at[freed[0]] = step
            for _ in range(2 * wanted):
                if n_freed >= wanted:
                    break
                seed = seed * 6364136223846793005 + 1442695040888963407
                r = (seed >> 33) & 0x7FFFFFFF
                if by_lot:
                    size = min(lot_begin[lot + 1] - lot_begin[lot], 6)
                    j = demand_of[by_gain[lot_begin[lot] + r % size]]
                    if freed_at[j] != step:
                        freed_at[j], freed[n_freed] = step, j
                        n_freed += 1
                    continue
                j = freed[r % n_freed]
                r >>= 3
                i = lot_of[begin[j] + r % min(begin[j + 1] - begin[j], 6)]
                if touched_at[i] != step:
                    touched_at[i], touched[n_touched] = step, i
                    n_touched += 1
                e = firsts[1, i]
                while e >= 0 and freed_at[demand_of[e]] == step:
                    e = after[1, e]
                if e >= 0:
                    freed_at[demand_of[e]], freed[n_freed] = step, demand_of[e]
                    n_freed += 1
            for a in range(n_freed):
                e = firsts[0, freed[a]]
                while e >= 0 and n_log < room:
                    on = after[0, e]
                    log[n_log], logged[n_log] = e, x[e]
                    n_log += 1
                    better -= x[e] * worth[e]
                    i = lot_of[e]
                    _put(e, 0, x, lot_of, demand_of, left, unfilled, slots, firsts, after, before)
                    if touched_at[i] != step:
                        touched_at[i], touched[n_touched] = step, i
                        n_touched += 1
                    e = on
            # Serve again: the lot that was chosen first gives to its best demands,
            if lot >= 0:
                for place in range(lot_begin[lot], lot_begin[lot + 1]):
                    e = by_gain[place]
                    j = demand_of[e]
                    grams = min(left[lot], unfilled[j])
                    if x[e] > 0 or grams < least[e] or slots[j] <= 0 or n_log == room:
                        continue
                    seed = seed * 6364136223846793005 + 1442695040888963407
                    if (seed >> 33) & 7 == 0:
                        continue
                    log[n_log], logged[n_log] = e, 0
                    n_log += 1
                    _put(e, grams, x, lot_of, demand_of, left, unfilled, slots, firsts, after, before)
                    better += grams * worth[e]
            # then the demands take, in any order, what gains them most; now and then one is overlooked,
            for a in range(n_freed - 1, 0, -1):
                seed = seed * 6364136223846793005 + 1442695040888963407
                b = ((seed >> 33) & 0x7FFFFFFF) % (a + 1)
                freed[a], freed[b] = freed[b], freed[a]
            for a in range(n_freed):
                j = freed[a]
                sparing = False
                while unfilled[j] > 0 and slots[j] > 0 and n_log < room:
                    best, best_gain, best_grams = -1, 0.0, 0
                    for e in range(begin[j], begin[j + 1]):
                        if best >= 0 and gain[e] * unfilled[j] <= best_gain:
                            break
                        grams = min(left[lot_of[e]], unfilled[j])
                        if x[e] > 0 or grams < least[e]:
                            continue
                        seed = seed * 6364136223846793005 + 1442695040888963407
                        if (seed >> 33) & 31 == 0:
                            continue
                        if gain[e] * grams > best_gain:
                            best, best_gain, best_grams = e, gain[e] * grams, grams
                    if best < 0:
                        break
                    # or takes no more than it must, to leave room for a second lot's smallest order.
                    seed = seed * 6364136223846793005 + 1442695040888963407
                    if least[best] > 1 and (seed >> 33) & 15 < 3:
                        best_grams = least[best]
                        sparing = True
                    log[n_log], logged[n_log] = best, 0
                    n_log += 1
                    i = lot_of[best]
                    _put(best, best_grams, x, lot_of, demand_of, left, unfilled, slots, firsts, after, before)
                    better += best_grams * worth[best]
                    if touched_at[i] != step:
                        touched_at[i], touched[n_touched] = step, i
                        n_touched += 1
                e = firsts[0, j] if sparing else -1
                while e >= 0:
                    grams = min(left[lot_of[e]], unfilled[j])
                    if grams > 0 and n_log < room:
                        log[n_log], logged[n_log] = e, x[e]
                        n_log += 1
                        _put(
                            e,
                            x[e] + grams,
                            x,
                            lot_of,
                            demand_of,
                            left,
                            unfilled,
                            slots,
                            firsts,
                            after,
                            before,
                        )
                        better += grams * worth[e]
                    e = after[0, e]
        # What the lots concerned have left goes wherever it is worth most.
        for a in range(n_touched):
            i = touched[a]
            for place in range(lot_begin[i], lot_begin[i + 1]):
                if left[i] <= 0 or n_log == room:
                    break
                e = by_worth[place]
                j = demand_of[e]
                grams = min(left[i], unfilled[j])
                if grams <= 0 or (x[e] == 0 and (grams < least[e] or slots[j] <= 0)):
                    continue
                if step > 0:
                    log[n_log], logged[n_log] = e, x[e]
                    n_log += 1
                _put(e, x[e] + grams, x, lot_of, demand_of, left, unfilled, slots, firsts, after, before)
                better += grams * worth[e]
        seed = seed * 6364136223846793005 + 1442695040888963407
        if better < 0 and better <= heat * chances[(seed >> 33) & 1023]:
            for a in range(n_log - 1, -1, -1):
                _put(log[a], logged[a], x, lot_of, demand_of, left, unfilled, slots, firsts, after, before)
    return seed


class Search:
    """The arcs of one product, laid out for the search by the prices ``u`` and ``v`` that guide it."""

    def __init__(self, arcs: Arcs, x: Ints, rules: Rules, u: Floats, v: Floats) -> None:
        gain, lot_gain = arcs.w - u[arcs.i], arcs.w - v[arcs.j]
        near = (x > 0) | strongest(arcs.j, gain, REACH) | strongest(arcs.i, lot_gain, REACH)
        places = np.flatnonzero(near)
        #: Which of ``arcs`` take part, in the search's own order.
        self.places: Ints = places[np.lexsort((-gain[places], arcs.j[places]))]
        self.arcs, self.rules, self.all = some(arcs, self.places), rules, len(arcs.w)
        self.gain = np.maximum(gain[self.places], 0.0)
        self.worth = self.arcs.w.astype(np.float64)
        self.least = rules.least(self.arcs)
        lots, demands = np.arange(len(rules.q) + 1), np.arange(len(rules.d) + 1)
        self.begin = np.searchsorted(self.arcs.j, demands).astype(np.int64)
        by_worth = np.lexsort((-self.worth, self.arcs.i))
        self.lot_begin = np.searchsorted(self.arcs.i[by_worth], lots).astype(np.int64)
        self.by_worth = by_worth.astype(np.int32)
        self.by_gain = np.lexsort((-lot_gain[self.places], self.arcs.i)).astype(np.int32)
        self.x = np.ascontiguousarray(x[self.places])
        self.seed = 1
        self._steps(0, 0.0)

    def _steps(self, steps: int, heat: float) -> None:
        rules = self.rules
        self.seed = _anneal(
            self.x,
            self.begin,
            self.lot_begin,
            self.by_worth,
            self.by_gain,
            self.arcs.i,
            self.arcs.j,
            self.worth,
            self.gain,
            self.least,
            rules.q,
            rules.d,
            rules.most,
            steps,
            heat,
            self.seed,
            _CHANCES,
        )

    def value(self) -> float:
        return float(self.worth @ self.x)

    def run(self, steps: int, late: Callable[[], bool]) -> None:
        """Search on for so many steps, from hot to cold, and go back to the best that was met."""
        best, best_value = self.x.copy(), self.value()
        mean = best_value / max(1, int(np.count_nonzero(best)))
        for level in range(LEVELS):
            if late():
                break
            share = HOT * (COLD / HOT) ** (level / (LEVELS - 1))
            self._steps(max(1, steps // LEVELS), mean * share)
            if (value := self.value()) > best_value:
                best, best_value = self.x.copy(), value
        self.x = best

    def result(self) -> Ints:
        """Return the grams on all arcs."""
        x = np.zeros(self.all, np.int64)
        x[self.places] = self.x
        return x
