"""How long `market match` takes, with what gap and memory: `python -m benchmarks.matching [SIZE ...]`.

Each size runs in a process of its own, so that the peak memory is its own. The reference beside it is
HiGHS (scipy.optimize.linprog) on the same pairs, for sizes it can bear.
"""

import json
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from fixtures.markets import Shape, synthetic_market
from market.cli_match import peak_memory_mib
from market.matching.candidates import Market
from market.matching.engine import solve_market
from market.matching.rules import Demand, Lot, Parameters
from market.units import Gram

SHAPES = {
    "1k": Shape(lots=1_000, demands=1_000, products=12),
    "1k-limits": Shape(lots=1_000, demands=1_000, products=12, min_orders=True, max_lots=True),
    "10k": Shape(lots=10_000, demands=10_000, products=40),
    "10k-round": Shape(lots=10_000, demands=10_000, products=40, round_kg=1_000),
    "10k-limits": Shape(lots=10_000, demands=10_000, products=40, min_orders=True, max_lots=True),
    "10k-one-product": Shape(lots=10_000, demands=10_000, products=1),
    "10k-one-tied": Shape(lots=10_000, demands=10_000, products=1, reach=False, priorities=False),
    "10k-all-alike": Shape(lots=10_000, demands=10_000, products=1, reach=False, priorities=False),
    "100k": Shape(lots=100_000, demands=100_000, products=200),
}
USUAL = ("1k", "1k-limits", "10k", "10k-round", "10k-limits")
REFERENCE = {"1k", "10k", "10k-round"}


def market_of(name: str) -> tuple[list[Lot], list[Demand]]:
    """Return the market of a name; the tied ones have one ask, one ceiling and one quantity."""
    lots, demands = synthetic_market(SHAPES[name])
    if name not in ("10k-one-tied", "10k-all-alike"):
        return lots, demands
    first, wanted = lots[0], demands[0]
    if name == "10k-one-tied":
        # Only the places differ: every pair is admissible.
        places = [
            ((a.latitude, a.longitude), (b.latitude, b.longitude)) for a, b in zip(lots, demands, strict=True)
        ]
    else:
        places = [((first.latitude, first.longitude), (wanted.latitude, wanted.longitude))] * len(lots)
    replace = msgspec.structs.replace
    ton = Gram(1_000_000)
    from_, to = first.available_from, first.available_to
    return [
        replace(first, id=a.id, quantity=ton, ask=Decimal(3), latitude=here[0], longitude=here[1])
        for a, (here, _) in zip(lots, places, strict=True)
    ], [
        replace(
            wanted,
            id=b.id,
            quantity=ton,
            ceiling=Decimal(6),
            min_grade=0,
            requires=frozenset(),
            deliver_from=from_,
            deliver_to=to,
            latitude=there[0],
            longitude=there[1],
        )
        for b, (_, there) in zip(demands, places, strict=True)
    ]


def reference_seconds(arrays: Market) -> tuple[float, float]:
    """Seconds and worth of HiGHS over all pairs, product by product."""
    begin, worth = time.perf_counter(), 0.0
    for product, (lots, demands) in enumerate(zip(arrays.lots_of, arrays.demands_of, strict=True)):
        i, j, w = [], [], []
        for block in arrays.blocks(product):
            rows, columns = np.nonzero(block.admissible())
            i.append(rows + block.rows.start)
            j.append(columns)
            w.append(block.surplus[rows, columns] + arrays.priority[lots[block.rows]][rows])
        if not i or not sum(map(len, i)):
            continue
        row, column = np.concatenate(i), np.concatenate(j) + len(lots)
        pairs = np.arange(len(row))
        table = csr_matrix(
            (np.ones(2 * len(row)), (np.concatenate([row, column]), np.concatenate([pairs, pairs]))),
            shape=(len(lots) + len(demands), len(row)),
        )
        limits = np.concatenate([arrays.q[lots], arrays.d[demands]]) / 1000
        best = linprog(np.negative(np.concatenate(w)), A_ub=table, b_ub=limits, method="highs")  # type: ignore[call-overload]
        worth -= float(best.fun)
    return time.perf_counter() - begin, worth


def measure(name: str) -> dict[str, object]:
    lots, demands = market_of(name)
    begin, spent = time.perf_counter(), time.process_time()
    result = solve_market(lots, demands, Parameters())
    seconds, memory = time.perf_counter() - begin, peak_memory_mib()
    certificate = result.certificate
    row: dict[str, object] = {
        "market": name,
        "pairs": certificate.pairs_admissible,
        "matches": len(result.pairs),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(time.process_time() - spent, 2),
        "gap": certificate.gap,
        "exact": certificate.exact,
        "peak_mib": memory,
    }
    if name in REFERENCE:
        highs, worth = reference_seconds(Market(lots, demands, Parameters()))
        row["highs_seconds"] = round(highs, 2)
        row["highs_worth_ratio"] = round(worth / certificate.worth_yuan, 9)
    return row


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] == "--one":
        print(json.dumps(measure(sys.argv[2])))
        return
    names = sys.argv[1:] or list(USUAL)
    rows = []
    for name in names:
        command = [sys.executable, "-m", "benchmarks.matching", "--one", name]
        rows.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
        print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    Path("benchmarks/results").mkdir(exist_ok=True)
    Path("benchmarks/results/matching.json").write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
