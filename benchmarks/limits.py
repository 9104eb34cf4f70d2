"""Smallest orders and most lots: how much of the market's worth is reached, and how much is certified.

    python -m benchmarks.limits [SIZE ...] [--seconds 10 90]

The references of the same run: the LP over all pairs that smallest orders permit at all
(benchmarks/kit/permitted.py), and a greedy that keeps the limits, the best pair first
(benchmarks/kit/greedy.py). ``gap`` is the certified one, against ``bound_with_limits_yuan``.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.kit.run import keep, python, run, table
from fixtures.market_files import shape_of, write_market_files
from fixtures.markets import SIZES

COLUMNS = ("market", "limit", "seconds", "peak_mib", "to_lp", "gap", "greedy_to_lp", "to_greedy")


def _solve(supply: str, demand: str, out: Path, *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the certificate, and what the command took."""
    spent = run(python("market", "match", supply, demand, "--out", str(out), "--quiet", *options))
    if spent.status not in (0, 3):
        raise SystemExit(f"market match ended with {spent.status}")
    figures = {"seconds": spent.seconds, "cpu_seconds": spent.cpu_seconds, "peak_mib": spent.peak_mib}
    return json.loads((out / "certificate.json").read_text()), figures


def measure(size: str, limits: list[float], folder: Path) -> list[dict[str, Any]]:
    supply, demand = map(str, write_market_files(shape_of(size, limits=True), folder / "limited"))
    lp = float(run(python("benchmarks.kit.permitted", supply, demand)).output)
    greedy = json.loads(run(python("benchmarks.kit.greedy", supply, demand)).output)["best_first"]
    rows = []
    for limit in limits:
        claim, figures = _solve(supply, demand, folder / "out", "--time-limit", str(limit))
        rows.append(
            {
                "market": size,
                "limit": limit,
                **figures,
                "lp": lp,
                "worth": claim["worth_yuan"],
                "to_lp": claim["worth_yuan"] / lp,
                "bound": claim["bound_with_limits_yuan"],
                "gap": claim["gap_with_limits"],
                "greedy_to_lp": greedy / lp,
                "to_greedy": claim["worth_yuan"] / greedy,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "size", nargs="*", default=["1k", "10k", "100k"], metavar="SIZE", help=", ".join(SIZES)
    )
    parser.add_argument("--seconds", nargs="+", type=float, default=[10.0, 90.0], help="time limits")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for size in args.size:
        with tempfile.TemporaryDirectory(prefix="tiantou-bench-") as folder:
            rows += measure(size, args.seconds, Path(folder))
    print(table(rows, COLUMNS))
    keep("limits", rows)


if __name__ == "__main__":
    main()
