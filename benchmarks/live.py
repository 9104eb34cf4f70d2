"""How soon a newcomer gets its matches from a live market, and how often it is settled within a budget.

    python -m benchmarks.live [SIZE ...] [--events N] [--budget MS]

Sizes: 1k 10k 100k; without any, 1k 10k. A newcomer is a lot or demand of the market moved a few kilometres,
with another price. Measured in one process after it has loaded its compiled code:

- its matches: ``appear`` without any re-solve, the exact best pairs of all;
- the re-solve: ``appear`` with a budget, in a market that was settled before;
- a sale of what was suggested, with the same budget.

The reference in the same run is the engine solving the newcomer's whole product again. In the end all that
happened is cleared by the engine, and the two worths are compared.
"""

import argparse
import resource
import time
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from benchmarks.kit.run import keep, table
from fixtures.markets import SIZES, synthetic_market
from market.matching.engine import scale_of, solve_market
from market.matching.live.market import LiveMarket
from market.matching.optimum.candidates import Market
from market.matching.optimum.colgen import solve_product
from market.matching.optimum.pairs import Classes
from market.matching.rules import Demand, Lot, Parameters

PARAMETERS = Parameters()
COLUMNS = (
    "market",
    "warm_seconds",
    "what",
    "events",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "max_ms",
    "settled",
    "loss_share",
    "reference_p50_ms",
    "reference_max_ms",
)
#: Products that are solved again whole, for the reference.
REFERENCES = 12


def newcomer(of: Lot | Demand, number: int, rng: np.random.Generator) -> Lot | Demand:
    price = Decimal(repr(round(float(np.exp(rng.normal(0, 0.05))), 3)))
    moved: dict[str, Any] = {
        "id": f"N{number}",
        "latitude": of.latitude + float(rng.normal(0, 0.05)),
        "longitude": of.longitude + float(rng.normal(0, 0.05)),
    }
    if isinstance(of, Lot):
        return msgspec.structs.replace(of, **moved, ask=(of.ask * price).quantize(Decimal("0.01")))
    return msgspec.structs.replace(of, **moved, ceiling=(of.ceiling * price).quantize(Decimal("0.01")))


def spread(milliseconds: list[float]) -> dict[str, float]:
    values = np.percentile(milliseconds, [50, 95, 99, 100]).tolist()
    return dict(zip(("p50_ms", "p95_ms", "p99_ms", "max_ms"), values, strict=True))


def again(lots: list[Lot], demands: list[Demand]) -> float:
    """Milliseconds in which the engine solves a product from nothing."""
    begin = time.perf_counter()
    arrays = Market(lots, demands, PARAMETERS)
    solve_product(Classes(arrays, 0, scale_of(arrays)), lambda: False)
    return (time.perf_counter() - begin) * 1000


def measure(name: str, *, events: int, budget: float) -> list[dict[str, Any]]:
    lots, demands = synthetic_market(SIZES[name])
    LiveMarket(lots[:50], demands[:50], PARAMETERS).settle()
    begin = time.perf_counter()
    market = LiveMarket(lots, demands, PARAMETERS)
    warm = time.perf_counter() - begin
    rng = np.random.default_rng(7)
    rows: list[dict[str, Any]] = []
    number = 0

    def some() -> Lot | Demand:
        side: list[Lot] | list[Demand] = lots if rng.random() < 0.5 else demands
        return newcomer(side[int(rng.integers(len(side)))], number, rng)

    spent: list[float] = []
    for _ in range(events):
        number += 1
        party = some()
        begin = time.perf_counter()
        market.appear(party, budget=0)
        spent.append((time.perf_counter() - begin) * 1000)
    rows.append({"what": "its matches", "events": events, **spread(spent)})
    begin = time.perf_counter()
    market.settle()
    rows[-1]["settle_seconds"] = time.perf_counter() - begin
    for what in ("re-solve", "sale"):
        spent, settled, losses, references = [], 0, [], []
        for k in range(events):
            number += 1
            if what == "re-solve":
                party = some()
                begin = time.perf_counter()
                answer = market.appear(party, budget=budget)
                spent.append((time.perf_counter() - begin) * 1000)
            else:
                match = None
                while match is None:
                    party = lots[int(rng.integers(len(lots)))]
                    match = next(iter(market.matches_of("lot", party.id)), None)
                begin = time.perf_counter()
                answer = market.sell(match.lot, match.demand, match.grams, budget=budget)
                spent.append((time.perf_counter() - begin) * 1000)
            settled += answer.standing.settled
            losses.append(answer.standing.loss_yuan / answer.standing.upper_bound_yuan)
            market.settle()
            if what == "re-solve" and k < REFERENCES:
                product = [one for one in market.lots() if one.product == party.product]
                references.append(again(product, [b for b in market.demands() if b.product == party.product]))
        rows.append(
            {
                "what": what,
                "events": events,
                **spread(spent),
                "settled": settled / events,
                "loss_share": max(losses),
            }
        )
        if references:
            rows[-1] |= {
                "reference_p50_ms": float(np.median(references)),
                "reference_max_ms": max(references),
            }
    cleared = solve_market(market.lots(), market.demands(), PARAMETERS).certificate.worth_yuan
    live = market.standing()
    if not live.settled or abs(live.worth_yuan - cleared) > 1e-9 * cleared:
        raise SystemExit(f"live {live.worth_yuan} is not the clearing's {cleared}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        {
            "market": name,
            "warm_seconds": warm,
            "live_worth": live.worth_yuan,
            "cleared_worth": cleared,
            "peak_mib": peak,
            **row,
        }
        for row in rows
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("size", nargs="*", default=["1k", "10k"], metavar="SIZE", help="1k, 10k, 100k")
    parser.add_argument("--events", type=int, default=300, help="of each kind")
    parser.add_argument("--budget", type=float, default=50.0, metavar="MS")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in args.size:
        rows += measure(name, events=args.events, budget=args.budget)
    print(table(rows, COLUMNS), flush=True)
    keep("live", rows, budget_ms=args.budget)


if __name__ == "__main__":
    main()
