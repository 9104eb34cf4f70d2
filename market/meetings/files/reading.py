"""``MEETING.json``, and an earlier ``timetable.json``: every fault is told at once, with its JSON path.

What makes no sense (an unknown id, a slot out of range) is refused here. Wishes that make sense one by
one and contradict each other are the scheduler's to answer: it names a smallest set that clashes.
"""

import codecs
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, cast

from market.errors import Invalid
from market.i18n import Message, msg
from market.meetings.timetable.problem import (
    VERSION,
    Appointment,
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
#: How a text begins that is no UTF-8 but what some editors call Unicode; the longer beginnings first.
_UNICODE = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def _shown(name: str) -> str:
    """Return a field's name as a terminal may show it: short, and without signs that steer it."""
    tame = "".join(sign if sign.isprintable() else "?" for sign in name[:_LONGEST])
    return tame + "…" if len(name) > _LONGEST else tame


class _Object(dict[str, Any]):
    """A JSON object that remembers which names stood in it more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.twice = [] if len(self) == len(pairs) else _repeated(name for name, _ in pairs)


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, number in Counter(names).items() if number > 1]


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
        for name in value.twice if isinstance(value, _Object) else ():
            self.fault(f"{path}.{_shown(name)}", msg("字段“{name}”写了两次。", name=_shown(name)))
        for name in value:
            if name not in known:
                self.fault(f"{path}.{_shown(name)}", msg("不认识的字段“{name}”。", name=_shown(name)))
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
        elif any(ord(sign) < 32 or 127 <= ord(sign) < 160 or 0xD800 <= ord(sign) < 0xE000 for sign in value):
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


def _parse(content: bytes, what: Message) -> object:
    """Read JSON in UTF-8, with or without a byte order mark; a name that stands twice is remembered."""
    if not content.strip():
        raise Invalid(msg("{what}是空的。", what=what))
    for mark, name in _UNICODE:
        if content.startswith(mark):
            raise Invalid(msg("{what}是 {name} 文字，请另存为 UTF-8。", what=what, name=name))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(
            msg("{what}不是 UTF-8 文字（第 {byte} 字节），请另存为 UTF-8。", what=what, byte=error.start)
        ) from None
    try:
        return json.loads(text, object_pairs_hook=_Object, parse_int=_whole)
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
    if not isinstance(raw, _Object):
        raise _refusal([Fault("$", msg("应为对象。"))])
    if "appointments" not in raw:
        raise _refusal([Fault("$.appointments", msg("缺少字段“{name}”。", name="appointments"))])
    for name in raw.twice:
        reader.fault(f"$.{_shown(name)}", msg("字段“{name}”写了两次。", name=_shown(name)))
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
