"""``timetable.json``, ``by_participant.csv`` and ``by_slot.csv``: written whole or not at all."""

import csv
import errno
import io
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from market.i18n import Language, translate
from market.meetings.timetable.problem import Clash, MeetingProblem, Timetable


def timetable_json(timetable: Timetable, language: Language) -> str:
    """Write a timetable as the format says, with labels and summary in ``language``."""

    def label(clash: Clash) -> dict[str, object]:
        return {
            "kind": clash.kind,
            "text": translate(clash.text, language),
            "participants": list(clash.participants),
            "appointments": list(clash.appointments),
        }

    form: dict[str, object] = {
        "version": timetable.version,
        "status": timetable.status,
        "appointments": [{"id": p.id, "slot": p.slot, "table": p.table} for p in timetable.appointments],
        "left_out": list(timetable.left_out),
        "kept_weight": timetable.kept_weight,
        "breaks": timetable.breaks,
        "lower_bound_breaks": timetable.lower_bound_breaks,
        "idle_slots": timetable.idle_slots,
        "table_changes": timetable.table_changes,
        "seconds": timetable.seconds,
    }
    if timetable.status != "infeasible":
        form["proven"] = list(timetable.proven)
    if timetable.penalty is not None:
        form |= {"moved": timetable.moved, "penalty": timetable.penalty}
    if timetable.status == "infeasible":
        form |= {
            "summary": translate(timetable.summary, language) if timetable.summary else "",
            "clash": [label(clash) for clash in timetable.clash],
        }
    return json.dumps(form, ensure_ascii=False, indent=1) + "\n"


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def by_participant(meeting: MeetingProblem, timetable: Timetable) -> str:
    """Write each participant's day: a row an appointment, in order of slots."""
    people = {person.id: person for person in meeting.participants}
    items = {item.id: item for item in meeting.appointments}
    days: dict[str, list[Sequence[object]]] = {person.id: [] for person in meeting.participants}
    for placed in sorted(timetable.appointments, key=lambda p: p.slot):
        item = items[placed.id]
        for who, other in ((item.a, item.b), (item.b, item.a)):
            days[who].append(
                (
                    who,
                    people[who].name,
                    people[who].side,
                    placed.slot,
                    placed.table,
                    placed.id,
                    other,
                    people[other].name,
                )
            )
    header = ("participant", "name", "side", "slot", "table", "appointment", "with", "with_name")
    return _csv(header, [row for rows in days.values() for row in rows])


def by_slot(meeting: MeetingProblem, timetable: Timetable) -> str:
    """Write who sits where in each slot: a row an appointment, in order of slots and tables."""
    people = {person.id: person for person in meeting.participants}
    items = {item.id: item for item in meeting.appointments}
    rows = [
        (
            placed.slot,
            placed.table,
            placed.id,
            items[placed.id].a,
            people[items[placed.id].a].name,
            items[placed.id].b,
            people[items[placed.id].b].name,
        )
        for placed in sorted(timetable.appointments, key=lambda p: (p.slot, p.table))
    ]
    return _csv(("slot", "table", "appointment", "a", "a_name", "b", "b_name"), rows)


#: The files of a timetable. The last one last: whoever finds it new finds the other two as new.
NAMES = ("by_participant.csv", "by_slot.csv", "timetable.json")


def try_folder(directory: Path) -> None:
    """Make ``directory`` and see that it can be written to, before minutes are spent on what goes there.

    Raises:
        OSError: it cannot, or a folder stands where a file is to be.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        if (directory / name).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(directory / name))
    handle, scratch = tempfile.mkstemp(dir=directory, prefix=".try.")
    os.close(handle)
    Path(scratch).unlink()


def write_timetable(
    directory: Path, meeting: MeetingProblem, timetable: Timetable, *, language: Language
) -> None:
    """Write the three files into ``directory``; each appears whole or not at all."""
    makers: tuple[Callable[[], str], ...] = (
        lambda: by_participant(meeting, timetable),
        lambda: by_slot(meeting, timetable),
        lambda: timetable_json(timetable, language),
    )
    directory.mkdir(parents=True, exist_ok=True)
    for name, make in zip(NAMES, makers, strict=True):
        handle, scratch = tempfile.mkstemp(dir=directory, prefix=f".{name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(make())
                file.flush()
                os.fsync(file.fileno())
            Path(scratch).chmod(0o644)
            Path(scratch).replace(directory / name)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise
