"""What the engine's result is worth beside what people do without it, on made-up and on real prices.

    python -m benchmarks.worth [SIZE ...]

Greedy takes the best pair first; first come, best served takes lots in the order of the file
(benchmarks/kit/greedy.py). Real prices: the published ones of fixtures/prices.py.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.kit.run import keep, python, run, table
from fixtures.market_files import shape_of, write_market_files
from fixtures.markets import SIZES

COLUMNS = ("market", "prices", "worth", "exact", "best_first", "first_come")


def measure(size: str, folder: Path, *, real: bool) -> dict[str, Any]:
    shape = shape_of(size, real_prices=real)
    supply, demand = map(str, write_market_files(shape, folder))
    out = folder / "out"
    spent = run(python("market", "match", supply, demand, "--out", str(out), "--quiet"))
    if spent.status != 0:
        raise SystemExit(f"market match ended with {spent.status}")
    claim = json.loads((out / "certificate.json").read_text())
    simple = json.loads(run(python("benchmarks.kit.greedy", supply, demand)).output)
    return {
        "market": size,
        "prices": "real" if real else "made up",
        "worth": claim["worth_yuan"],
        "exact": claim["exact"],
        **{name: worth / claim["worth_yuan"] for name, worth in simple.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("size", nargs="*", default=["1k", "10k"], metavar="SIZE", help=", ".join(SIZES))
    args = parser.parse_args()
    rows = []
    for size in args.size:
        for real in (False, True):
            with tempfile.TemporaryDirectory(prefix="tiantou-bench-") as folder:
                rows.append(measure(size, Path(folder), real=real))
    print(table(rows, COLUMNS))
    keep("worth", rows)


if __name__ == "__main__":
    main()
