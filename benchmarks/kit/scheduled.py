"""``market schedule`` without its words, and with the moment when it was settled.

    python -m benchmarks.kit.scheduled MEETING FOLDER SECONDS THREADS

Writes ``timetable.json`` and ``settled.json``: seconds until the fewest breaks were proven, or that it is
impossible; null where neither was. It is the run that is measured that says so, not one beside it.
"""

import sys
from pathlib import Path
from time import perf_counter

import msgspec

from market.i18n import Message
from market.meetings.timetable.problem import MeetingProblem
from market.meetings.timetable.race import FEWEST
from market.meetings.timetable.scheduler import IMPOSSIBLE, schedule


def main(meeting: str, folder: str, seconds: str, threads: str) -> None:
    problem = msgspec.json.decode(Path(meeting).read_bytes(), type=MeetingProblem)
    settled: list[float] = []
    begin = perf_counter()

    def hear(text: Message) -> None:
        if text in (FEWEST, IMPOSSIBLE):
            settled.append(perf_counter() - begin)

    found = schedule(problem, time_limit=float(seconds), threads=int(threads), progress=hear)
    out = Path(folder)
    (out / "timetable.json").write_bytes(msgspec.json.encode(found))
    (out / "settled.json").write_bytes(msgspec.json.encode(settled[0] if settled else None))


if __name__ == "__main__":
    main(*sys.argv[1:])
