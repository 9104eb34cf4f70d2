"""``timetable.json`` for the checker: what it claims, and every field that is not as it should be.

A wrong field is a fault like any other, and the rest is still checked.
"""

from pathlib import Path
from typing import Any

from msgspec import Struct

from market.errors import Invalid
from market.i18n import Message, msg
from market.meetings.checker.fields import (
    Faults,
    Field,
    Shape,
    fields,
    listed,
    load,
    number,
    one_of,
    phrase,
    tame,
    text,
    whole,
)
from market.meetings.checker.reading import MOST_TALKS, MOST_WEIGHT, VERSION, Meeting


class Reason(Struct, frozen=True):
    """One labelled constraint of a clash."""

    kind: str
    participants: tuple[str, ...]
    appointments: tuple[str, ...]


class Claim(Struct):
    """``timetable.json``, as far as its fields hold what they should; None where one does not."""

    slots: dict[str, int]
    tables: dict[str, int]
    left_out: list[str] | None = None
    status: str | None = None
    breaks: int | None = None
    idle: int | None = None
    changes: int | None = None
    bound: int | None = None
    kept: float | None = None
    moved: int | None = None
    penalty: int | None = None
    clash: list[Reason] | None = None
    proven: list[str] | None = None


#: The levels of the objective by the names that ``proven`` uses, in their order.
LEVELS = ["kept_weight", "breaks", "idle_slots", "table_changes"]
_FIGURE = Field(whole(0, 10**9))
_TIMETABLE: Shape = {
    "version": Field(whole(VERSION, VERSION)),
    "status": Field(one_of("optimal", "feasible", "infeasible")),
    "appointments": Field(listed),
    "left_out": Field(listed, each=text),
    "kept_weight": Field(number(float(MOST_WEIGHT) * MOST_TALKS), None),
    "breaks": _FIGURE,
    "lower_bound_breaks": _FIGURE,
    "idle_slots": _FIGURE,
    "table_changes": _FIGURE,
    "seconds": Field(number(1e9)),
    "moved": Field(whole(0, MOST_TALKS), None),
    "penalty": Field(whole(1, 10**9), None),
    "summary": Field(phrase, None),
    "clash": Field(listed, None),
    "proven": Field(listed, None, each=one_of(*LEVELS)),
}
_PLACED: Shape = {"id": Field(text), "slot": Field(whole(1, 10**15)), "table": Field(whole(1, 10**15))}
_REASON: Shape = {
    "kind": Field(text),
    "text": Field(phrase),
    "participants": Field(listed, each=text),
    "appointments": Field(listed, each=text),
}


def read_claim(raw: dict[str, Any], meeting: Meeting) -> tuple[Claim, list[Message]]:
    """Take ``timetable.json`` apart; return what it claims and every field that is not as it should be."""
    faults = Faults()
    top = fields(faults, "$", raw, _TIMETABLE)
    claim = Claim(
        {},
        {},
        top.get("left_out"),
        top.get("status"),
        top.get("breaks"),
        top.get("idle_slots"),
        top.get("table_changes"),
        top.get("lower_bound_breaks"),
        top.get("kept_weight"),
        top.get("moved"),
        top.get("penalty"),
    )
    wrong: list[Message] = []
    for i, entry in enumerate(top.get("appointments", [])):
        found = fields(faults, f"$.appointments[{i}]", entry, _PLACED)
        if len(found) == len(_PLACED):
            _place(claim, meeting, wrong, found["id"], found["slot"], found["table"])
    if top.get("clash") is not None:
        claim.clash = []
        for i, entry in enumerate(top["clash"]):
            found = fields(faults, f"$.clash[{i}]", entry, _REASON)
            if len(found) == len(_REASON):
                claim.clash.append(
                    Reason(found["kind"], tuple(found["participants"]), tuple(found["appointments"]))
                )
    if claim.status in ("optimal", "feasible"):
        for name in ("clash", "summary"):
            if name in raw:
                faults[f"$.{name}"] = msg("没有说排不下，却写了 {name}。", name=name)
    claim.proven = top.get("proven")
    if claim.proven is not None:
        faults |= _unproven(claim)
    if (claim.moved is None) != (claim.penalty is None):
        faults["$.moved"] = msg("moved 与 penalty 应同时写出。")
    told = [msg("timetable.json {path}：{text}", path=path, text=text) for path, text in faults.items()]
    return claim, told + wrong


def _unproven(claim: Claim) -> Faults:
    """Hold the levels that are said to be proven against one another, the status, and the bound."""
    faults, proven = Faults(), claim.proven or []
    if proven != LEVELS[: len(proven)]:
        faults["$.proven"] = msg("proven 应从 kept_weight 起依次写出。")
    elif (claim.status == "optimal") != (len(proven) == len(LEVELS)):
        faults["$.proven"] = msg("status 是 optimal 时，proven 应写全四级；写全了，status 就是 optimal。")
    elif claim.status == "infeasible" and proven:
        faults["$.proven"] = msg("排不下时没有可证明的级别。")
    elif "breaks" in proven and claim.penalty is None and claim.bound != claim.breaks:
        faults["$.proven"] = msg("说空档已证明最少，lower_bound_breaks 却不等于 breaks。")
    return faults


def _place(claim: Claim, meeting: Meeting, wrong: list[Message], talk: str, slot: int, table: int) -> None:
    if talk not in meeting.talks:
        wrong.append(msg("时间表里的洽谈 {id} 不在对接会中。", id=tame(talk)))
    elif talk in claim.slots:
        wrong.append(msg("洽谈 {id} 排了两次。", id=talk))
    elif slot > meeting.slots:
        wrong.append(msg("洽谈 {id} 的时段 {slot} 不存在。", id=talk, slot=slot))
    elif table > meeting.tables:
        wrong.append(msg("洽谈 {id} 的桌号 {table} 不存在。", id=talk, table=table))
    else:
        claim.slots[talk], claim.tables[talk] = slot, table


def read_earlier(path: Path, meeting: Meeting) -> dict[str, int]:
    """Return the slots of an earlier ``timetable.json``, of appointments that the meeting still has.

    Raises:
        Invalid: it is no such file.
    """
    raw, faults = load(path), Faults()
    entries = fields(faults, "$", {"appointments": raw.get("appointments")}, {"appointments": Field(listed)})
    slots: dict[str, int] = {}
    for i, entry in enumerate(entries.get("appointments", [])):
        found = fields(faults, f"$.appointments[{i}]", entry, _PLACED)
        if len(found) == len(_PLACED):
            slots[found["id"]] = found["slot"]
    if faults:
        raise Invalid(msg("文件 {path} 不是时间表。", path=str(path)), faults)
    return {talk: slot for talk, slot in slots.items() if talk in meeting.talks}
