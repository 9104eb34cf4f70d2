"""What the benchmarks stand on: measuring a command, and references that solve the same market."""

import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.kit.greedy import best_first, first_come
from benchmarks.kit.pairs import whole_market
from benchmarks.kit.references import flow, highs
from benchmarks.kit.run import run, table
from fixtures.market_files import write_market_files
from fixtures.markets import Shape, synthetic_market
from market.matching.engine import solve_market
from market.matching.rules import Parameters


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_run_tells_status_output_and_time() -> None:
    spent = run(python("import time; print('said'); time.sleep(0.3); raise SystemExit(3)"))
    assert (spent.status, spent.output) == (3, "said\n")
    assert spent.seconds >= 0.3


def test_run_counts_the_memory_of_children_together() -> None:
    hold = "import time; kept = b'x' * (60 * 2**20); time.sleep(1.5)"
    both = f"import subprocess, sys; c = subprocess.Popen([sys.executable, '-c', {hold!r}]); {hold}; c.wait()"
    assert run(python(both)).peak_mib > 120


def test_run_stops_a_command_and_its_children_at_the_cap() -> None:
    spent = run(["sh", "-c", "sleep 60 & sleep 60"], cap=0.5)
    assert spent.status is None
    assert spent.seconds < 10


def test_table_is_markdown_with_empty_cells_for_what_is_missing() -> None:
    rows: list[dict[str, Any]] = [{"a": 12345, "b": True}, {"a": 0.12345}]
    assert table(rows, ("a", "b")) == "| a | b |\n|---|---|\n| 12,345 | yes |\n| 0.123 |  |"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_references_find_the_worth_that_the_engine_finds(tmp_path: Path, seed: int) -> None:
    shape = Shape(lots=150, demands=150, products=4)
    supply, demand = map(str, write_market_files(shape, tmp_path, seed=seed))
    market = whole_market(supply, demand)
    best = solve_market(*synthetic_market(shape, seed=seed), Parameters()).certificate
    assert len(market.i) == best.pairs_admissible
    assert flow(market) == pytest.approx(best.worth_yuan, rel=1e-9)
    assert highs(market) == pytest.approx(best.worth_yuan, rel=1e-9)
    for simple in (best_first(market), first_come(market)):
        assert 0.5 * best.worth_yuan < simple < best.worth_yuan


def test_greedy_keeps_smallest_orders_and_most_lots(tmp_path: Path) -> None:
    free, limited = (
        whole_market(*map(str, write_market_files(shape, tmp_path / name)))
        for name, shape in (
            ("free", Shape(lots=150, demands=150, products=4)),
            ("limited", Shape(lots=150, demands=150, products=4, min_orders=True, max_lots=True)),
        )
    )
    assert 0 < best_first(limited) < best_first(free)
