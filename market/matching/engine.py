"""The matching of a whole market: pairs, prices, proof and diagnosis. The same for files and database."""

import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from math import fsum

import msgspec
import numpy as np

import market
from market.i18n import Message, msg
from market.matching.candidates import Arcs, Ints, Market
from market.matching.certificate import Certificate, relative_gap, weighted
from market.matching.colgen import solve_product
from market.matching.diagnosis import Unlock, diagnose_lots
from market.matching.pairs import Pairs
from market.matching.prices import price_within
from market.matching.repair import Rules, respect, worth
from market.matching.rules import Demand, Lot, Parameters, check_unique, yuan_text
from market.matching.solver import Duals, middle, scale_for
from market.units import Gram, HaoPerKg

#: Called with the stage, how much of it is done, and how much there is.
Progress = Callable[[Message, int, int], None]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A suggested sale. ``lot`` and ``demand`` are places in the input; prices in yuan per kg, farm gate."""

    lot: int
    demand: int
    quantity: Gram
    price: Decimal
    price_low: Decimal
    price_high: Decimal
    freight_yuan_per_kg: float
    km: float
    worth_yuan: float
    reason: Message

    @property
    def price_hao(self) -> HaoPerKg:
        return HaoPerKg(int(self.price * 10_000))


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a lot or a demand. ``gain`` is its dual price (u or v), exact, in yuan per kg."""

    traded: Gram
    rest: Gram
    gain: Decimal
    admissible_pairs: int
    status: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """``lots``, ``demands`` and ``diagnosis`` follow the input; the last maps a lot's place to changes."""

    pairs: tuple[Pair, ...]
    lots: tuple[Side, ...]
    demands: tuple[Side, ...]
    diagnosis: dict[int, list[Unlock]]
    certificate: Certificate


#: Time for improving an allocation under smallest orders and most lots, shared among the products.
REPAIR_SECONDS = 12.0
LOT_STATES = ("unsold", "partly_sold", "sold_out")
DEMAND_STATES = ("unfilled", "partly_filled", "filled")


class _Run:
    """The arrays that the products fill in, one after another."""

    def __init__(self, arrays: Market, scale: float, clock: Callable[[], float]) -> None:
        self.market, self.scale, self.clock = arrays, scale, clock
        n, m = len(arrays.q), len(arrays.d)
        self.u, self.low_u, self.high_u = (np.zeros(n, np.int64) for _ in range(3))
        self.v = np.zeros(m, np.int64)
        self.lot_pairs, self.demand_pairs = np.zeros(n, np.int64), np.zeros(m, np.int64)
        self.sold, self.served = np.zeros(n, np.int64), np.zeros(m, np.int64)
        self.flows: list[tuple[Ints, Ints, Ints]] = []
        self.whole_worth = 0
        self.finished = True
        self.diagnosis: dict[int, list[Unlock]] = {}

    def repair_until(self, product: int) -> Callable[[], bool]:
        """Tell when a product has had its share, by size, of the time for improving."""
        arrays = self.market
        size = len(arrays.lots_of[product]) + len(arrays.demands_of[product])
        end = self.clock() + max(0.2, REPAIR_SECONDS * size / (len(arrays.q) + len(arrays.d)))
        return lambda: self.clock() >= end

    def product(self, product: int, late: Callable[[], bool], spend: Callable[[str], None]) -> None:
        arrays = self.market
        lots, demands = arrays.lots_of[product], arrays.demands_of[product]
        q, d = arrays.q[lots], arrays.d[demands]
        pairs = Pairs(arrays, product, self.scale)
        self.lot_pairs[lots], self.demand_pairs[demands] = pairs.lot_pairs, pairs.demand_pairs
        spend("candidates")
        arcs, x = (
            Arcs(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int64)),
            np.zeros(0, np.int64),
        )
        low = high = Duals(np.zeros(len(lots), np.int64), np.zeros(len(demands), np.int64))
        if pairs.count:
            solved = solve_product(arrays, pairs, late)
            arcs, x, low, high = solved.arcs, solved.x, solved.low, solved.high
            self.finished &= solved.proven
            spend("solve")
            rules = Rules(
                arcs, q, d, arrays.lot_min[lots], arrays.demand_min[demands], arrays.max_lots[demands]
            )
            if not rules.kept_by(arcs, x):
                self.finished &= not late()
                enough = self.repair_until(product)
                arcs, x = respect(arcs, x, rules, middle(low, high), self.scale, lambda: late() or enough())
                spend("repair")
        half = middle(low, high)
        self.u[lots], self.v[demands] = half.u, half.v
        self.low_u[lots], self.high_u[lots] = low.u, high.u
        used = np.flatnonzero(x)
        self.whole_worth += worth(arcs, x)
        self.flows.append((lots[arcs.i[used]], demands[arcs.j[used]], x[used]))
        sold, served = np.zeros(len(lots), np.int64), np.zeros(len(demands), np.int64)
        np.add.at(sold, arcs.i[used], x[used])
        np.add.at(served, arcs.j[used], x[used])
        self.sold[lots], self.served[demands] = sold, served
        if (sold < q).any():
            self.diagnosis.update(diagnose_lots(arrays, product, arcs, x, (low, high), self.scale))
        spend("diagnosis")


def solve_market(
    lots: Sequence[Lot],
    demands: Sequence[Demand],
    parameters: Parameters,
    *,
    barred: frozenset[tuple[str, str]] = frozenset(),
    deadline: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    progress: Progress | None = None,
) -> Result:
    """Pair a market so that total worth is the greatest possible, and prove it.

    ``barred`` holds (lot id, demand id) that must not be paired again. After ``deadline`` (a reading of
    ``clock``) the best result so far is returned with its gap, and ``certificate.finished`` is false.
    Raises Invalid when an id appears twice.
    """
    check_unique((lot.id for lot in lots), msg("批次"))
    check_unique((demand.id for demand in demands), msg("需求"))
    seconds = dict.fromkeys(("candidates", "solve", "repair", "diagnosis", "prices"), 0.0)
    last = [clock()]

    def spend(stage: str) -> None:
        now = clock()
        seconds[stage] += now - last[0]
        last[0] = now

    def late() -> bool:
        return deadline is not None and clock() >= deadline

    arrays = Market(lots, demands, parameters, barred)
    largest = max(
        (len(a) + len(b) for a, b in zip(arrays.lots_of, arrays.demands_of, strict=True)), default=0
    )
    run = _Run(arrays, scale_for(arrays.most_worth(), largest), clock)
    for k in range(len(arrays.products)):
        if progress:
            progress(msg("求解"), k, len(arrays.products))
        run.product(k, late, spend)
    pairs = _pairs(run)
    spend("prices")
    if progress:
        progress(msg("求解"), len(arrays.products), len(arrays.products))
    bound = weighted(run.u, arrays.q) + weighted(run.v, arrays.d)
    total = fsum(pair.worth_yuan for pair in pairs)
    upper = bound / run.scale / 1000
    gap = relative_gap(total, upper)
    certificate = Certificate(
        worth_yuan=total,
        upper_bound_yuan=max(upper, total),
        gap=gap,
        exact=run.whole_worth == bound or gap == 0,
        blocking_pairs=0,
        pairs_admissible=int(run.lot_pairs.sum()),
        finished=run.finished,
        parameters={
            "freight_yuan_per_tonne_km": str(parameters.freight),
            "road_factor": str(parameters.road_factor),
        },
        seconds={stage: round(spent, 3) for stage, spent in seconds.items()},
        peak_memory_mib=0.0,
        version=market.__version__,
    )
    return Result(
        pairs=pairs,
        lots=_sides(arrays.q, run.sold, run.u, run.lot_pairs, run.scale, LOT_STATES),
        demands=_sides(arrays.d, run.served, run.v, run.demand_pairs, run.scale, DEMAND_STATES),
        diagnosis=dict(sorted(run.diagnosis.items())),
        certificate=certificate,
    )


def _sides(
    whole: Ints, traded: Ints, gain: Ints, admissible: Ints, scale: float, states: tuple[str, str, str]
) -> tuple[Side, ...]:
    places = -round(np.log10(scale))
    return tuple(
        Side(
            traded=Gram(moved),
            rest=Gram(all_ - moved),
            gain=Decimal(dual).scaleb(places),
            admissible_pairs=count,
            status=states[0] if not moved else states[2] if moved == all_ else states[1],
        )
        for all_, moved, dual, count in zip(
            whole.tolist(), traded.tolist(), gain.tolist(), admissible.tolist(), strict=True
        )
    )


def _pairs(run: _Run) -> tuple[Pair, ...]:
    if not run.flows:
        return ()
    i, j, grams = (np.concatenate(column) for column in zip(*run.flows, strict=True))
    order = np.lexsort((j, i))
    i, j, grams = i[order], j[order], grams[order]
    arrays = run.market
    km = arrays.km(i, j)
    freight = km * arrays.rate
    most = arrays.ceiling[j] - freight
    surplus = arrays.ceiling[j] - arrays.ask[i] - freight
    worth_per_kg = surplus + arrays.priority[i]
    base = arrays.ask[i] - arrays.priority[i]
    wanted = [base + gains[i] / run.scale for gains in (run.u, run.low_u, run.high_u)]
    pairs = []
    for k in range(len(i)):
        lot, demand = int(i[k]), int(j[k])
        ask = arrays.lots[lot].ask
        price, low, high = (price_within(float(w[k]), ask=ask, most=float(most[k])) for w in wanted)
        pairs.append(
            Pair(
                lot=lot,
                demand=demand,
                quantity=Gram(int(grams[k])),
                price=price,
                price_low=low,
                price_high=high,
                freight_yuan_per_kg=float(freight[k]),
                km=float(km[k]),
                worth_yuan=float(worth_per_kg[k]) * int(grams[k]) / 1000,
                reason=msg(
                    "路程 {km} 公里，运费 {freight} 元/公斤；每公斤余 {surplus} 元，"
                    "卖方多得 {seller} 元，买方省 {buyer} 元。",
                    km=f"{km[k]:.1f}",
                    freight=yuan_text(float(freight[k])),
                    surplus=yuan_text(float(surplus[k])),
                    seller=yuan_text(price - ask),
                    buyer=yuan_text(max(0.0, float(most[k]) - float(price))),
                ),
            )
        )
    return tuple(pairs)
