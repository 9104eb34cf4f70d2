"""How long `market match` takes as a whole, and how much memory, against named solvers in the same run.

    python -m benchmarks.matching [SIZE ...] [--cap SECONDS] [--no-references] [--verify]

Sizes: 1k 10k 100k 1m lots and as many demands, and 10k in odd shapes (10k-round, 10k-one-product,
10k-one-tied, 10k-all-alike); without any, 1k 10k 100k. The time is that of the command from its start
to its end: starting Python, reading two CSV files, solving, proving, diagnosing, writing five files.

The references get the same admissible pairs, all of them at once (benchmarks/kit/references.py): OR-Tools'
SimpleMinCostFlow and HiGHS, each at most ``--cap`` seconds. Only their building and solving counts: beside
the whole command stands the engine's own finding of pairs and solving (``solving``), which they are spared.
"""

import argparse
import json
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.kit.run import keep, python, run, table
from fixtures.market_files import write_market_columns
from fixtures.markets import SIZES, Shape, SideColumns, synthetic_columns

SHAPES = {
    **SIZES,
    "10k-round": replace(SIZES["10k"], round_kg=1_000),
    "10k-one-product": replace(SIZES["10k"], products=1),
    "10k-one-tied": replace(SIZES["10k"], products=1, reach=False, priorities=False),
    "10k-all-alike": replace(SIZES["10k"], products=1, reach=False, priorities=False),
}
USUAL = ("1k", "10k", "100k")
#: The largest market that the references are given.
MOST_FOR_REFERENCES = 100_000
COLUMNS = (
    "market",
    "pairs",
    "matches",
    "seconds",
    "cpu_seconds",
    "peak_mib",
    "gap",
    "exact",
    "exponent",
    "solving",
    "flow_seconds",
    "to_flow",
    "solving_to_flow",
    "highs_seconds",
    "to_highs",
    "verify_seconds",
)


def market_of(name: str, shape: Shape) -> tuple[SideColumns, SideColumns]:
    """Return the columns of a market; the tied ones have one ask, one ceiling and one quantity."""
    sides = synthetic_columns(shape)
    if name not in ("10k-one-tied", "10k-all-alike"):
        return sides
    alike = set(vars(sides[0])) - {"product", "owner"}
    if name == "10k-one-tied":
        # Only the places differ: every pair is admissible.
        alike -= {"lat", "lon"}
    same = []
    for side, price in zip(sides, (3.0, 6.0), strict=True):
        columns = {column: values.copy() for column, values in vars(side).items()}
        for column in alike:
            columns[column][:] = columns[column][0]
        columns["price"][:], columns["kg"][:] = price, 1000.0
        columns["first"][:], columns["last"][:], columns["grade"][:] = 0, 10, 0
        columns["codes"][:] = False
        same.append(SideColumns(**columns))
    return same[0], same[1]


def measure(name: str, folder: Path, *, cap: float, references: bool, verify: bool) -> dict[str, Any]:
    shape = SHAPES[name]
    supply, demand = map(str, write_market_columns(shape, *market_of(name, shape), folder))
    out = folder / "out"
    spent = run(python("market", "match", supply, demand, "--out", str(out), "--quiet"))
    if spent.status != 0:
        raise SystemExit(f"market match ended with {spent.status}")
    claim = json.loads((out / "certificate.json").read_text())
    with (out / "matches.csv").open("rb") as file:
        matches = sum(1 for _ in file) - 1
    row: dict[str, Any] = {
        "market": name,
        "lots": shape.lots,
        "pairs": claim["pairs_admissible"],
        "matches": matches,
        "seconds": spent.seconds,
        "cpu_seconds": spent.cpu_seconds,
        "peak_mib": spent.peak_mib,
        "worth": claim["worth_yuan"],
        "bound": claim["upper_bound_yuan"],
        "gap": claim["gap"],
        "exact": claim["exact"],
        "stages": claim["seconds"],
        # Finding the pairs and the optimum over them, in seconds of its processes together.
        "solving": claim["seconds"]["candidates"] + claim["seconds"]["solve"],
    }
    if verify:
        checked = run(python("market", "verify", supply, demand, str(out), "--quiet"))
        row |= {"verify_seconds": checked.seconds, "verify_peak_mib": checked.peak_mib}
        if checked.status != 0:
            raise SystemExit(f"market verify ended with {checked.status}")
    if references and shape.lots <= MOST_FOR_REFERENCES:
        for solver in ("flow", "highs"):
            row |= _reference(solver, supply, demand, cap, row)
    return row


def _reference(solver: str, supply: str, demand: str, cap: float, row: dict[str, Any]) -> dict[str, Any]:
    """Seconds of a named solver, the engine's whole time as a part of it, and how far the worths agree."""
    spent = run(python("benchmarks.kit.references", solver, supply, demand), cap=cap)
    if spent.status is None:
        # It had not ended: the ratio is smaller than this.
        return {
            f"{solver}_seconds": f"> {cap:.0f}",
            f"to_{solver}": f"< {row['seconds'] / cap:.3f}",
            f"solving_to_{solver}": f"< {row['solving'] / cap:.3f}",
        }
    if spent.status != 0:
        return {f"{solver}_seconds": f"failed ({spent.status})"}
    found = json.loads(spent.output)
    return {
        f"{solver}_seconds": found["seconds"],
        f"to_{solver}": row["seconds"] / found["seconds"],
        f"solving_to_{solver}": row["solving"] / found["seconds"],
        f"{solver}_worth_ratio": found["worth"] / row["worth"],
        f"{solver}_peak_mib": spent.peak_mib,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("size", nargs="*", default=list(USUAL), metavar="SIZE", help=", ".join(SHAPES))
    parser.add_argument("--cap", type=float, default=300.0, help="most seconds for a reference")
    parser.add_argument("--no-references", action="store_true")
    parser.add_argument("--verify", action="store_true", help="check each result, and time that")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name in args.size:
        with tempfile.TemporaryDirectory(prefix="tiantou-bench-") as folder:
            row = measure(
                name, Path(folder), cap=args.cap, references=not args.no_references, verify=args.verify
            )
        before = next((each for each in reversed(rows) if each["lots"] < row["lots"]), None)
        if before and name in SIZES:
            # Seconds grow as n to this power from one size to the next.
            row["exponent"] = math.log(row["seconds"] / before["seconds"]) / math.log(
                row["lots"] / before["lots"]
            )
        rows.append(row)
        print(
            table(rows[-1:], COLUMNS).splitlines()[2] if len(rows) > 1 else table(rows, COLUMNS), flush=True
        )
    keep("matching", rows)


if __name__ == "__main__":
    main()
