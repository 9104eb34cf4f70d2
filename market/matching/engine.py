"""The matching of a whole market: pairs, prices, proof and diagnosis. The same for files and database."""

import math
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import numpy as np

import market
from market.i18n import Message, msg
from market.matching.certificate import Certificate, relative_gap, weighted
from market.matching.diagnosis.diagnosis import Unlock
from market.matching.optimum.candidates import Ints, Market
from market.matching.optimum.gains import scale_for
from market.matching.prices import price_within
from market.matching.rules import Demand, Lot, Parameters, check_unique, yuan_text
from market.matching.shares import made_by_processes
from market.units import Gram, HaoPerKg

if TYPE_CHECKING:
    from market.matching.clearing import Cleared

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
    """``lots``, ``demands`` and ``diagnosis`` follow the input; the last maps a lot's place to changes.

    ``demand_diagnosis`` does the same for demands, where it was asked for.
    """

    pairs: tuple[Pair, ...]
    lots: tuple[Side, ...]
    demands: tuple[Side, ...]
    diagnosis: dict[int, list[Unlock]]
    certificate: Certificate
    demand_diagnosis: dict[int, list[Unlock]] = {}


LOT_STATES = ("unsold", "partly_sold", "sold_out")
DEMAND_STATES = ("unfilled", "partly_filled", "filled")


#: The least gap that is told where there is one.
_LEAST_GAP = 1e-15
#: Markets with fewer possible pairs than this are not worth a second process.
ALONE = 20_000_000
#: The same under smallest orders or most lots, which are more work: with no more demands than this.
ALONE_LIMITED = 1_000


class Outcome:
    """What became of a whole market, put together from its products."""

    def __init__(self, arrays: Market, scale: float) -> None:
        self.market, self.scale = arrays, scale
        n, m = len(arrays.q), len(arrays.d)
        self.u, self.low_u, self.high_u = (np.zeros(n, np.int64) for _ in range(3))
        self.v = np.zeros(m, np.int64)
        self.lot_pairs, self.demand_pairs = np.zeros(n, np.int64), np.zeros(m, np.int64)
        self.sold, self.served = np.zeros(n, np.int64), np.zeros(m, np.int64)
        self.flows: list[tuple[Ints, Ints, Ints]] = []
        self.whole_worth = self.bound = 0
        self.finished = True
        self.diagnosis: dict[int, list[Unlock]] = {}
        self.demand_diagnosis: dict[int, list[Unlock]] = {}
        self.seconds: dict[str, float] = {}

    def take(self, part: "Cleared") -> None:
        """Put in what became of one product."""
        lots, demands = self.market.lots_of[part.product], self.market.demands_of[part.product]
        self.u[lots], self.v[demands] = part.gains.u, part.gains.v
        self.low_u[lots], self.high_u[lots] = part.low_u, part.high_u
        self.lot_pairs[lots], self.demand_pairs[demands] = part.lot_pairs, part.demand_pairs
        i, j = lots[part.i], demands[part.j]
        np.add.at(self.sold, i, part.x)
        np.add.at(self.served, j, part.x)
        self.flows.append((i, j, part.x))
        self.whole_worth += part.whole_worth
        self.bound += part.bound
        self.finished &= part.finished
        self.diagnosis.update(part.diagnosis)
        self.demand_diagnosis.update(part.demand_diagnosis)
        for stage, spent in part.seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent


def solve_market(
    lots: Sequence[Lot],
    demands: Sequence[Demand],
    parameters: Parameters,
    *,
    barred: frozenset[tuple[str, str]] = frozenset(),
    deadline: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    progress: Progress | None = None,
    threads: int = 1,
    demands_too: bool = False,
) -> Result:
    """Pair a market so that total worth is the greatest possible, and prove it.

    ``barred`` holds (lot id, demand id) that must not be paired again. After ``deadline`` (a reading of
    ``clock``) the best result so far is returned with its gap, and ``certificate.finished`` is false.
    The products of a large market are shared among ``threads`` processes, which changes nothing in the
    result. ``demands_too``: diagnose the demands as well. Raises Invalid when an id appears twice.
    """
    # Compiled code takes half a second to load: only what solves pays for it.
    from market.matching.clearing import clear_product

    check_unique((lot.id for lot in lots), msg("批次"))
    check_unique((demand.id for demand in demands), msg("需求"))

    def late() -> bool:
        return deadline is not None and clock() >= deadline

    # whole seconds: effort goes by what was asked for, not by what the moments before have taken
    time_limit = None if deadline is None else round(deadline - clock())
    arrays = Market(lots, demands, parameters, barred)
    run = Outcome(arrays, scale_of(arrays))

    products = largest_first(arrays)
    threads = min(threads, len(products)) if worth_sharing(arrays) else 1
    share = shares_of_time(arrays, products, threads)

    def clear(product: int) -> "Cleared":
        until = math.inf if deadline is None else clock() + share[product] * (deadline - clock())
        return clear_product(
            arrays,
            product,
            run.scale,
            late,
            clock,
            demands_too=demands_too,
            time_limit=time_limit,
            left=lambda: until - clock(),
        )

    parts = made_by_processes(clear, products, threads) if threads > 1 else map(clear, products)
    for done, part in enumerate(parts):
        run.take(part)
        if progress:
            progress(msg("求解"), done + 1, len(products))
    return assemble(run, clock)


def scale_of(arrays: Market) -> float:
    """Steps per yuan of the whole numbers that a market is reckoned in."""
    both = zip(arrays.lots_of, arrays.demands_of, strict=True)
    return scale_for(arrays.most_worth(), max((len(a) + len(b) for a, b in both), default=0))


def largest_first(arrays: Market) -> list[int]:
    """The products in the order in which they are best begun."""
    return sorted(range(len(arrays.products)), key=lambda k: (-arrays.cells(k), k))


def worth_sharing(arrays: Market) -> bool:
    """Tell whether a market is so much work that a second process is worth starting."""
    products = range(len(arrays.products))
    if sum(map(arrays.cells, products)) > ALONE:
        return True
    return len(arrays.d) > ALONE_LIMITED and any(map(arrays.limited, products))


def shares_of_time(arrays: Market, products: Sequence[int], threads: int) -> dict[int, float]:
    """What part of the time left when it is begun each product may take: by what then is still to do."""
    size = [len(arrays.lots_of[k]) + len(arrays.demands_of[k]) for k in products]
    rest = np.cumsum(size[::-1])[::-1]
    return {k: min(1.0, threads * n / max(1, int(r))) for k, n, r in zip(products, size, rest, strict=True)}


def assemble(run: Outcome, clock: Callable[[], float] = time.monotonic) -> Result:
    """Prices and certificate of a market all of whose products are cleared."""
    arrays, begin = run.market, clock()
    pairs = _pairs(run)
    bound = weighted(run.u, arrays.q) + weighted(run.v, arrays.d)
    total = math.fsum(pair.worth_yuan for pair in pairs)
    upper, within = bound / run.scale / 1000, run.bound / run.scale / 1000
    exact = run.whole_worth == bound or _supported(run)
    certificate = Certificate(
        worth_yuan=total,
        upper_bound_yuan=max(upper, total),
        # Never 0 unless it is exact, however little limits cost in a large market.
        gap=0.0 if exact else max(_LEAST_GAP, (upper - total) / upper),
        bound_with_limits_yuan=max(within, total),
        gap_with_limits=relative_gap(total, within),
        exact=exact,
        blocking_pairs=0,
        pairs_admissible=int(run.lot_pairs.sum()),
        finished=run.finished,
        parameters={
            "freight_yuan_per_tonne_km": str(arrays.parameters.freight),
            "road_factor": str(arrays.parameters.road_factor),
        },
        seconds={
            **{stage: round(spent, 3) for stage, spent in run.seconds.items()},
            "prices": round(clock() - begin, 3),
        },
        peak_memory_mib=0.0,
        version=market.__version__,
    )
    return Result(
        pairs=pairs,
        lots=_sides(arrays.q, run.sold, run.u, run.lot_pairs, run.scale, LOT_STATES),
        demands=_sides(arrays.d, run.served, run.v, run.demand_pairs, run.scale, DEMAND_STATES),
        diagnosis=dict(sorted(run.diagnosis.items())),
        demand_diagnosis=dict(sorted(run.demand_diagnosis.items())),
        certificate=certificate,
    )


def _supported(run: Outcome) -> bool:
    """Tell whether the gains divide the worth of every match, and are 0 where something is left.

    To two steps: where smallest orders or most lots chose among allocations of one worth, steps that were
    rounded up may differ.
    """
    arrays, step = run.market, 2 / run.scale + 1e-12
    if (run.u[run.sold < arrays.q] > 2).any() or (run.v[run.served < arrays.d] > 2).any():
        return False
    for i, j, _ in run.flows:
        worth = arrays.ceiling[j] - arrays.ask[i] - arrays.km(i, j) * arrays.rate + arrays.priority[i]
        if ((run.u[i] + run.v[j]) / run.scale > worth + step).any():
            return False
    return True


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


def _pairs(run: Outcome) -> tuple[Pair, ...]:
    if not run.flows:
        return ()
    i, j, grams = (np.concatenate(column) for column in zip(*run.flows, strict=True))
    # in the order of the input, whichever product was done first
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
