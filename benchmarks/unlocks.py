"""Are the claims of the diagnosis true? `python -m benchmarks.unlocks [CLAIMS] [--seed N]`.

A market of 10,000 lots and demands is matched and diagnosed. Of all claims that open anything, so many are
drawn at random, and each is tried by solving its product again: with the change made exactly, the lot must
sell at least what was promised more; with a change a hair smaller (0.0001 yuan less, a grade, a day, a
credential or 0.1 km less, one of the two of a pair), it must sell nothing more.
"""

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np

from fixtures.markets import Shape, synthetic_market
from market.matching.diagnosis.changes import (
    Ask,
    Change,
    Credentials,
    Grade,
    LotWindow,
    Reach,
    apply_changes,
)
from market.matching.diagnosis.diagnosis import Unlock
from market.matching.engine import solve_market
from market.matching.explaining.whatif import only
from market.matching.rules import Demand, Lot, Parameters

SHAPE = Shape(lots=10_000, demands=10_000, products=40)


def smaller(change: Change) -> Iterator[list[Change]]:
    """The same change a hair smaller; an empty list: not made at all."""
    if isinstance(change, Ask):
        yield [Ask(ask=change.ask + Decimal("0.0001"))]
    elif isinstance(change, Grade):
        yield [Grade(grade=change.grade - 1)]
    elif isinstance(change, LotWindow) and change.available_to is not None:
        yield [LotWindow(available_to=change.available_to - timedelta(1))]
    elif isinstance(change, LotWindow) and change.available_from is not None:
        yield [LotWindow(available_from=change.available_from + timedelta(1))]
    elif isinstance(change, Credentials):
        for code in sorted(change.codes):
            fewer = change.codes - {code}
            yield [Credentials(codes=fewer)] if fewer else []
    elif isinstance(change, Reach) and change.max_distance_km is not None:
        yield [Reach(of=change.of, max_distance_km=change.max_distance_km - 0.1)]


def sold(lots: list[Lot], demands: list[Demand], changes: list[Change], lot_id: str) -> int:
    """Grams of a lot in an optimum of its product with ``changes`` made."""
    new_lots, new_demands = apply_changes(lots, demands, changes, lot_id=lot_id)
    result = solve_market(new_lots, new_demands, Parameters())
    return next(side.traded for lot, side in zip(new_lots, result.lots, strict=True) if lot.id == lot_id)


def flips(lots: list[Lot], demands: list[Demand], lot_id: str, before: int, unlock: Unlock) -> str:
    """Return "both", or which side failed."""
    if sold(lots, demands, list(unlock.changes), lot_id) < before + unlock.grams:
        return "above"
    if len(unlock.changes) == 1:
        tries = list(smaller(unlock.changes[0]))
    else:
        tries = [[*less, unlock.changes[1]] for less in smaller(unlock.changes[0])]
        tries += [[unlock.changes[0], *less] for less in smaller(unlock.changes[1])]
    for changes in tries:
        if sold(lots, demands, changes, lot_id) > before:
            return "below"
    return "both"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("claims", type=int, nargs="?", default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    lots, demands = synthetic_market(SHAPE, seed=options.seed)
    begin = time.perf_counter()
    result = solve_market(lots, demands, Parameters())
    seconds = time.perf_counter() - begin
    # A pair of changes beside single ones promises more than they do, not that they do nothing.
    claims = [
        (place, unlock)
        for place, unlocks in result.diagnosis.items()
        for unlock in unlocks
        if unlock.grams
        and unlock.confirmed
        and (len(unlock.changes) == 1 or all(len(other.changes) == 2 for other in unlocks))
    ]
    drawn = np.random.default_rng(options.seed).permutation(len(claims))[: options.claims]
    products = {product: only(lots, demands, product) for product in {lot.product for lot in lots}}
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    for k in drawn.tolist():
        place, unlock = claims[k]
        lot = lots[place]
        verdict = flips(*products[lot.product], lot.id, result.lots[place].traded, unlock)
        verdicts[unlock.obstacle][verdict] += 1
        if verdict != "both":
            print(
                f"{lot.id} rank {result.diagnosis[place].index(unlock) + 1} fails {verdict}: {unlock.change}"
            )
    rows = [
        {"obstacle": code, "claims": sum(count.values()), "flip_on_both_sides": count["both"]}
        for code, count in sorted(verdicts.items())
    ]
    print("  obstacle                 claims   flip on both sides")
    for row in rows:
        print(f"  {row['obstacle']:<24} {row['claims']:>6}   {row['flip_on_both_sides']:>6}")
    total, both = len(drawn), sum(count["both"] for count in verdicts.values())
    print(f"  {'all':<24} {total:>6}   {both:>6}   of {len(claims)} claims for {len(result.diagnosis)} lots")
    report = {
        "claims": total,
        "flip_on_both_sides": both,
        "of_claims": len(claims),
        "lots_left": len(result.diagnosis),
        "solve_seconds": round(seconds, 2),
        "diagnosis_seconds": result.certificate.seconds["diagnosis"],
        "by_obstacle": rows,
    }
    Path("benchmarks/results").mkdir(exist_ok=True)
    Path("benchmarks/results/unlocks.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
