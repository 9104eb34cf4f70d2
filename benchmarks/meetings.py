"""Timetables of docking meetings: how good, how fast, how far proven.

Each day is scheduled with and without stands (own tables of the sellers). The reference of the same
run is the construction alone, before any improvement: breaks and seconds stand beside ours.

    python -m benchmarks.meetings [--seconds 30] [--threads 2] [--large]
"""

import argparse
import json
import sys
from pathlib import Path
from random import Random
from time import perf_counter

from fixtures.fairs import fair
from market.meetings.timetable.constraints import constraints, domains
from market.meetings.timetable.construct import Board, construct
from market.meetings.timetable.problem import MeetingProblem, forced_breaks, total_breaks
from market.meetings.timetable.scheduler import schedule

_FOLDER = Path(__file__).parent / "results"


def _days(*, large: bool) -> dict[str, MeetingProblem]:
    days = {
        "25x12, 10 slots": fair(buyers=25, sellers=12, slots=10, appointments=60, tables=21),
        "25x12, 10 slots, stands": fair(
            buyers=25, sellers=12, slots=10, appointments=60, tables=21, own_tables=1
        ),
        "20x60, 16 slots": fair(buyers=20, sellers=60, slots=16),
        "20x60, 16 slots, marked": fair(
            buyers=20, sellers=60, slots=16, fixed=0.05, halves=0.2, precedences=0.1, optional=0.1
        ),
    }
    if large:
        days["60x240, 20 slots"] = fair(buyers=60, sellers=240, slots=20)
        days["200x800, 24 slots"] = fair(buyers=200, sellers=800, slots=24)
    return days


def _reference(problem: MeetingProblem) -> dict[str, float]:
    start = perf_counter()
    board = Board(problem, domains(problem, constraints(problem)), Random(0))
    construct(board, home={})
    plan = board.plan()
    return {
        "reference_breaks": total_breaks(problem, plan),
        "reference_left_out": len(problem.appointments) - len(plan),
        "reference_seconds": round(perf_counter() - start, 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    for name, problem in _days(large=options.large).items():
        reference = _reference(problem)
        timetable = schedule(problem, time_limit=options.seconds, threads=options.threads)
        rows.append(
            {
                "day": name,
                "appointments": len(problem.appointments),
                "status": timetable.status,
                "left_out": len(timetable.left_out),
                "breaks": timetable.breaks,
                "lower_bound": timetable.lower_bound_breaks,
                "forced": sum(forced_breaks(problem).values()),
                "idle_slots": timetable.idle_slots,
                "table_changes": timetable.table_changes,
                "seconds": timetable.seconds,
                **reference,
            }
        )
        row = rows[-1]
        print(
            f"{name:26} {row['appointments']:>5} appointments  {timetable.status:10} "
            f"breaks {timetable.breaks:>3} (bound {timetable.lower_bound_breaks}, "
            f"construction alone {reference['reference_breaks']})  "
            f"idle {timetable.idle_slots:>3}  changes {timetable.table_changes:>4}  "
            f"{timetable.seconds:.1f} s",
            flush=True,
        )
    _FOLDER.mkdir(exist_ok=True)
    (_FOLDER / "meetings.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
