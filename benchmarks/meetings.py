"""Timetables of docking meetings: how good, how fast, how far proven, and how fast mended.

    python -m benchmarks.meetings [published] [even] [fairs] [mending] [--seconds 60] [--threads 2]
                                  [--cp-sat 60]

``published``: fairs of the sizes and kinds of the literature; ``even``: the same, harder, as everybody wants
the same number of talks; ``fairs``: 80, 300 and 1,000 participants; ``mending``: disruptions on the day.
Whole processes are measured, files and start included; ``settled_s`` is when the fewest breaks were proven,
or that it is impossible, on the scheduler's own clock. References in the same run: the first common free
slot, and plain CP-SAT with as much time where ``--cp-sat`` gives it any.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from random import Random
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Any

import msgspec

from benchmarks.kit.run import keep, python, run, table
from benchmarks.kit.timetables import first_common_slot, plain_cp_sat
from fixtures.fairs import fair
from fixtures.published_fairs import published_fairs
from market.meetings.living.places import Place
from market.meetings.living.repair import STEPS, Day
from market.meetings.timetable.constraints import constraints, domains
from market.meetings.timetable.forced import forced
from market.meetings.timetable.problem import MeetingProblem
from market.meetings.timetable.search import Search
from market.meetings.timetable.seating import seat

_COLUMNS = (
    "meeting", "appointments", "status", "left_out", "breaks", "bound", "forced", "idle", "changes", "proven",
    "settled_s", "seconds", "cpu_seconds", "peak_mib", "placed_ms", "first_left_out", "first_breaks",
    "cp_sat", "cp_sat_breaks", "cp_sat_bound", "cp_sat_seconds",
)  # fmt: skip


def measured(
    name: str, meeting: MeetingProblem, *, seconds: float, threads: int, cp_sat: float
) -> dict[str, Any]:
    """Schedule one meeting by the command, and the same by the references."""
    suits = domains(meeting, constraints(meeting))
    begin = perf_counter()
    search = Search(meeting, suits, seed=0, home={})
    search.build()
    placed = perf_counter() - begin
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "meeting.json"
        path.write_bytes(msgspec.json.encode(meeting))
        spent = run(python("benchmarks.kit.scheduled", str(path), folder, str(seconds), str(threads)))
        found = json.loads((Path(folder) / "timetable.json").read_text(encoding="utf-8"))
        settled = json.loads((Path(folder) / "settled.json").read_text(encoding="utf-8"))
    row: dict[str, Any] = {
        "meeting": name,
        "appointments": len(meeting.appointments),
        "status": found["status"],
        "left_out": len(found["left_out"]),
        "breaks": found["breaks"],
        "bound": found["lower_bound_breaks"],
        "forced": sum(one.breaks for one in forced(meeting, suits)),
        "idle": found["idle_slots"],
        "changes": found["table_changes"],
        "proven": len(found.get("proven", ())),
        "settled_s": settled,
        "seconds": spent.seconds,
        "cpu_seconds": spent.cpu_seconds,
        "peak_mib": spent.peak_mib,
        "placed_ms": placed * 1000,
    }
    row |= {f"first_{key}": value for key, value in first_common_slot(meeting).items()}
    if cp_sat:
        plain = plain_cp_sat(meeting, seconds=cp_sat, threads=threads)
        row |= {"cp_sat": plain.pop("status"), **{f"cp_sat_{key}": value for key, value in plain.items()}}
    print(table([row], _COLUMNS).splitlines()[-1], flush=True)
    return row


def even(options: argparse.Namespace) -> list[dict[str, Any]]:
    return published(options, even=True)


def published(options: argparse.Namespace, *, even: bool = False) -> list[dict[str, Any]]:
    rows = []
    for name, meeting in published_fairs(even=even):
        row = measured(name, meeting, seconds=options.seconds, threads=options.threads, cp_sat=options.cp_sat)
        if row["status"] != "infeasible":
            ten = Path(tempfile.mkdtemp())
            (ten / "meeting.json").write_bytes(msgspec.json.encode(meeting))
            words = [
                "schedule",
                str(ten / "meeting.json"),
                "--out",
                str(ten),
                "--quiet",
                "--time-limit",
                "10",
            ]
            run(python("market", *words, "--threads", str(options.threads)))
            row["breaks_at_10_s"] = json.loads((ten / "timetable.json").read_text())["breaks"]
        rows.append(row)
    settled = [r["settled_s"] for r in rows if r["settled_s"] is not None]
    late = [*settled, *[options.seconds] * (len(rows) - len(settled))]
    print(
        f"\n{len(settled)} of {len(rows)} settled (fewest breaks proven, or impossible); "
        f"median {median(late):.2f} s of all, most {max(settled):.1f} s of the settled; "
        f"whole commands {max(r['seconds'] for r in rows):.1f} s at the most; "
        f"breaks at 10 s {sum(r.get('breaks_at_10_s', 0) for r in rows)}, "
        f"in the end {sum(r['breaks'] for r in rows if 'breaks_at_10_s' in r)}, "
        f"bound {sum(r['bound'] for r in rows if 'breaks_at_10_s' in r)}"
    )
    return rows


def fairs(options: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for buyers, sellers, slots, seconds in ((20, 60, 16, 30), (60, 240, 20, 90), (200, 800, 24, 120)):
        meeting = fair(buyers=buyers, sellers=sellers, slots=slots, fairness=None)
        name = f"{buyers} x {sellers} x {slots}"
        rows.append(measured(name, meeting, seconds=seconds, threads=options.threads, cp_sat=options.cp_sat))
    return rows


def mending(_: argparse.Namespace) -> list[dict[str, Any]]:
    """A buyer is away for three slots, a hundred times: by chains alone, and with the search after them."""
    rows = []
    for buyers, sellers, slots in ((20, 60, 16), (60, 240, 20), (200, 800, 24)):
        meeting = fair(buyers=buyers, sellers=sellers, slots=slots, fairness=None)
        search = Search(meeting, domains(meeting, constraints(meeting)), seed=1, home={})
        search.build()
        for _share in range(100):
            search.go_on(target=0.0)
        tables = seat(meeting, search.plan, home={}, penalty=0)
        placed = {m: Place(t, tables[m]) for m, t in search.plan.items()}
        day = Day(meeting, placed)
        day.repair(from_slot=1)
        for how, steps in (("chains", 0), ("and search", STEPS)):
            row = _mended(day, meeting, placed, buyers=buyers, slots=slots, steps=steps)
            rows.append({"meeting": f"{buyers} x {sellers} x {slots}", "by": how, **row})
    print(table(rows, list(rows[0])))
    return rows


def _mended(
    day: Day, meeting: MeetingProblem, placed: Mapping[str, Place], *, buyers: int, slots: int, steps: int
) -> dict[str, Any]:
    """Mend the day a hundred times, each time as it was."""
    random = Random(5)
    spent, struck, could, back, moved, told = [], 0, 0, 0, 0, 0
    for _trial in range(100):
        who = random.choice(meeting.participants[:buyers])
        first = random.randrange(4, slots - 5)
        gone = {first, first + 1, first + 2}
        begin = process_time()
        mended = day.repair(from_slot=first, away={who.id: gone}, steps=steps)
        spent.append((process_time() - begin) * 1000)
        mine = [placed[i.id].slot for i in meeting.appointments if who.id in (i.a, i.b)]
        hit = sum(t in gone for t in mine)
        free = set(range(first + 3, slots + 1)) - set(mine) - set(who.unavailable)
        struck, could = struck + hit, could + min(hit, len(free))
        back += hit - len(mended.called_off)
        moved, told = moved + len(mended.moved), told + len(mended.changed)
    return {
        "struck": struck,
        "placed again": back,
        "could at best": could,
        "moved": moved,
        "told": told,
        "p50 ms": median(spent),
        "p95 ms": quantiles(spent, n=20)[-1],
        "most ms": max(spent),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = {"published": published, "even": even, "fairs": fairs, "mending": mending}
    parser.add_argument("parts", nargs="*", metavar="PART", default=[])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cp-sat", type=float, default=0)
    options = parser.parse_args()
    unknown = set(options.parts) - set(parts)
    if unknown:
        parser.error(f"PART: {', '.join(parts)}")
    print(table([], _COLUMNS), flush=True)
    for name in options.parts or parts:
        keep(f"meetings-{name}", parts[name](options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
