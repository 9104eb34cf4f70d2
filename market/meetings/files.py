"""``MEETING.json`` in, ``timetable.json``, ``by_participant.csv`` and ``by_slot.csv`` out."""

import csv
import io
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from market.errors import Invalid
from market.i18n import Language, Message, msg, translate
from market.meetings.timetable.problem import (
    VERSION,
    Appointment,
    Clash,
    Fault,
    Half,
    MeetingProblem,
    Participant,
    Placed,
    Side,
    Timetable,
    faults,
)

_LONGEST = 200
_HALVES = ("any", "morning", "afternoon")
_SIDES = ("buyer", "seller", "guest")


class _Reader:
    """Takes JSON apart and remembers every fault with its path, so that all are told at once."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(self, path: str, text: Message) -> None:
        self.faults.append(Fault(path, text))

    def entry(self, path: str, value: object, *, known: Sequence[str]) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            self.fault(path, msg("应为对象。"))
            return None
        for name in value:
            if name not in known:
                self.fault(f"{path}.{name}", msg("不认识的字段“{name}”。", name=name[:_LONGEST]))
        return value

    def entries(self, path: str, value: object) -> list[Any]:
        if not isinstance(value, list):
            self.fault(path, msg("应为列表。"))
            return []
        return value

    def text(self, path: str, value: object) -> str:
        if not isinstance(value, str):
            self.fault(path, msg("应为文字。"))
        elif len(value) > _LONGEST:
            self.fault(path, msg("文字过长，最多 {most} 个字符。", most=_LONGEST))
        elif any(ord(sign) < 32 or 0xD800 <= ord(sign) < 0xE000 for sign in value):
            self.fault(path, msg("文字里有看不见的控制字符。"))
        else:
            return value
        return ""

    def whole(self, path: str, value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            if abs(value) < 10**15:
                return value
            self.fault(path, msg("数字过大。"))
        else:
            self.fault(path, msg("应为整数。"))
        return 0

    def number(self, path: str, value: object) -> int | float:
        if isinstance(value, float):
            if abs(value) < 10**15:
                return value
            self.fault(path, msg("数字过大，或不是数字。"))
            return 0
        if isinstance(value, int) and not isinstance(value, bool):
            return self.whole(path, value)
        self.fault(path, msg("应为数字。"))
        return 0

    def choice(self, path: str, value: object, choices: Sequence[str]) -> str:
        if isinstance(value, str) and value in choices:
            return value
        self.fault(path, msg("应为其中之一：{choices}。", choices=", ".join(choices)))
        return choices[0]

    def truth(self, path: str, value: object) -> bool:
        if not isinstance(value, bool):
            self.fault(path, msg("应为 true 或 false。"))
        return value is True


class _Twice(ValueError):
    """An object has a name twice."""


def _parse(content: bytes, what: Message) -> object:
    """Read JSON strictly: UTF-8, no NaN, no name twice in an object."""

    def pairs(entries: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in entries:
            if name in found:
                raise _Twice(name)
            found[name] = value
        return found

    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(msg("{what}不是 UTF-8 文字（第 {byte} 字节）。", what=what, byte=error.start)) from None
    try:
        return json.loads(text, object_pairs_hook=pairs, parse_int=_whole)
    except _Twice as error:
        raise Invalid(msg("{what}里字段“{name}”写了两次。", what=what, name=str(error)[:_LONGEST])) from None
    except json.JSONDecodeError as error:
        raise Invalid(
            msg(
                "{what}不是 JSON：第 {line} 行第 {column} 列读不通。",
                what=what,
                line=error.lineno,
                column=error.colno,
            )
        ) from None
    except RecursionError:
        raise Invalid(msg("{what}嵌套过深。", what=what)) from None


def _whole(digits: str) -> int:
    # Python refuses to read thousands of digits; as far as a meeting goes, both are too large.
    return int(digits) if len(digits) < 20 else 10**19


def read_meeting(content: bytes) -> MeetingProblem:
    """Read ``MEETING.json``.

    Raises:
        Invalid: with every fault by its JSON path in ``fields``.
    """
    reader = _Reader()
    raw = reader.entry(
        "$",
        _parse(content, msg("对接会文件")),
        known=(
            "version",
            "slots",
            "tables",
            "half_day_after",
            "participants",
            "appointments",
            "fairness",
        ),
    )
    if raw is None:
        raise _refusal(reader.faults)
    for name in ("version", "slots", "tables", "participants", "appointments"):
        if name not in raw:
            reader.fault(f"$.{name}", msg("缺少字段“{name}”。", name=name))

    def optional(name: str) -> int | None:
        value = raw.get(name)
        return None if value is None else reader.whole(f"$.{name}", value)

    problem = MeetingProblem(
        version=reader.whole("$.version", raw.get("version", VERSION)),
        slots=reader.whole("$.slots", raw.get("slots", 0)),
        tables=reader.whole("$.tables", raw.get("tables", 0)),
        half_day_after=optional("half_day_after"),
        participants=tuple(
            _participant(reader, f"$.participants[{i}]", value)
            for i, value in enumerate(reader.entries("$.participants", raw.get("participants", [])))
        ),
        appointments=tuple(
            _appointment(reader, f"$.appointments[{i}]", value)
            for i, value in enumerate(reader.entries("$.appointments", raw.get("appointments", [])))
        ),
        fairness=optional("fairness"),
    )
    # Meaning is checked only where the form is right: the rest would follow from the first faults.
    found = reader.faults or faults(problem)
    if found:
        raise _refusal(found)
    return problem


def _fields(
    reader: _Reader, path: str, value: object, *, needed: Sequence[str], known: Sequence[str]
) -> dict[str, Any] | None:
    raw = reader.entry(path, value, known=known)
    if raw is not None:
        for name in needed:
            if name not in raw:
                reader.fault(f"{path}.{name}", msg("缺少字段“{name}”。", name=name))
    return raw


def _participant(reader: _Reader, path: str, value: object) -> Participant:
    raw = _fields(
        reader,
        path,
        value,
        needed=("id",),
        known=("id", "name", "side", "unavailable", "max_appointments", "table"),
    )
    if raw is None or "id" not in raw:
        return Participant("", "")
    who = reader.text(f"{path}.id", raw["id"])
    most, table = raw.get("max_appointments"), raw.get("table")
    return Participant(
        id=who,
        name=reader.text(f"{path}.name", raw["name"]) if raw.get("name") is not None else who,
        side=cast(Side, reader.choice(f"{path}.side", raw.get("side", "guest"), _SIDES)),
        unavailable=tuple(
            reader.whole(f"{path}.unavailable[{j}]", slot)
            for j, slot in enumerate(reader.entries(f"{path}.unavailable", raw.get("unavailable", [])))
        ),
        max_appointments=None if most is None else reader.whole(f"{path}.max_appointments", most),
        table=None if table is None else reader.whole(f"{path}.table", table),
    )


def _appointment(reader: _Reader, path: str, value: object) -> Appointment:
    raw = _fields(
        reader,
        path,
        value,
        needed=("id", "a", "b"),
        known=("id", "a", "b", "half", "slot", "after", "weight", "optional"),
    )
    if raw is None or not {"id", "a", "b"} <= raw.keys():
        return Appointment("", "", "")
    slot = raw.get("slot")
    return Appointment(
        id=reader.text(f"{path}.id", raw["id"]),
        a=reader.text(f"{path}.a", raw["a"]),
        b=reader.text(f"{path}.b", raw["b"]),
        half=cast(Half, reader.choice(f"{path}.half", raw.get("half", "any"), _HALVES)),
        slot=None if slot is None else reader.whole(f"{path}.slot", slot),
        after=tuple(
            reader.text(f"{path}.after[{j}]", other)
            for j, other in enumerate(reader.entries(f"{path}.after", raw.get("after", [])))
        ),
        weight=reader.number(f"{path}.weight", raw.get("weight", 1)),
        optional=reader.truth(f"{path}.optional", raw.get("optional", False)),
    )


def read_timetable(content: bytes) -> Timetable:
    """Read an earlier ``timetable.json``, of which only slots and tables are used.

    Raises:
        Invalid: with every fault by its JSON path in ``fields``.
    """
    reader = _Reader()
    raw = _parse(content, msg("原时间表文件"))
    if not isinstance(raw, dict) or "appointments" not in raw:
        raise _refusal([Fault("$.appointments", msg("缺少字段“{name}”。", name="appointments"))])
    placed: list[Placed] = []
    seen: set[str] = set()
    for i, value in enumerate(reader.entries("$.appointments", raw["appointments"])):
        path = f"$.appointments[{i}]"
        needed = ("id", "slot", "table")
        entry = _fields(reader, path, value, needed=needed, known=needed)
        if entry is None or not entry.keys() >= set(needed):
            continue
        item = Placed(
            reader.text(f"{path}.id", entry["id"]),
            reader.whole(f"{path}.slot", entry["slot"]),
            reader.whole(f"{path}.table", entry["table"]),
        )
        if item.id in seen:
            reader.fault(f"{path}.id", msg("编号“{id}”重复，每个编号只能用一次。", id=item.id))
        for name, number in (("slot", item.slot), ("table", item.table)):
            if number < 1:
                reader.fault(f"{path}.{name}", msg("应为 1 或更大的整数。"))
        seen.add(item.id)
        placed.append(item)
    if reader.faults:
        raise _refusal(reader.faults)
    return Timetable(tuple(placed), 0, 0, 0, 0, (), 0, "feasible", 0)


def _refusal(found: Sequence[Fault]) -> Invalid:
    fields: dict[str, Message] = {}
    for fault in found:
        fields.setdefault(fault.path, fault.text)
    return Invalid(msg("文件有 {count} 处错误，没有排表。", count=len(fields)), fields)


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


def write_timetable(
    directory: Path, meeting: MeetingProblem, timetable: Timetable, *, language: Language
) -> None:
    """Write the three files into ``directory``; each appears whole or not at all."""
    contents: Mapping[str, Callable[[], str]] = {
        "by_participant.csv": lambda: by_participant(meeting, timetable),
        "by_slot.csv": lambda: by_slot(meeting, timetable),
        # Last: whoever finds a new timetable.json finds the other two as new.
        "timetable.json": lambda: timetable_json(timetable, language),
    }
    directory.mkdir(parents=True, exist_ok=True)
    for name, make in contents.items():
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
