"""``MEETING.json`` for the checker: a reader of its own, apart from the scheduler's.

The meeting must be right in every field before anything is checked against it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from market.errors import Invalid
from market.i18n import msg
from market.meetings.checker.fields import (
    Faults,
    Field,
    Shape,
    fields,
    identity,
    listed,
    load,
    number,
    one_of,
    text,
    truth,
    whole,
)

VERSION = 1
#: A meeting beyond these is a slip of the pen, and nothing that could be checked.
MOST_SLOTS, MOST_TABLES, MOST_PEOPLE, MOST_TALKS, MOST_WEIGHT = 1_000, 10_000, 5_000, 20_000, 1_000_000
#: Weights are compared in millionths.
MICRO = 1_000_000


class Person(Struct, frozen=True):
    """A participant. ``away`` holds slots, ``most`` and ``table`` are None where nothing is asked."""

    id: str
    name: str
    side: str
    away: frozenset[int]
    most: int | None
    table: int | None


class Talk(Struct, frozen=True):
    """An appointment of ``ends``; ``micro`` is its weight in millionths."""

    id: str
    ends: tuple[str, str]
    half: str
    slot: int | None
    after: tuple[str, ...]
    micro: int
    optional: bool


class Meeting(Struct, frozen=True):
    """``MEETING.json``. ``noon`` is the last slot of the morning."""

    slots: int
    tables: int
    noon: int | None
    fairness: int | None
    people: dict[str, Person]
    talks: dict[str, Talk]

    def talks_of(self) -> dict[str, list[str]]:
        """Return each participant's appointments, in order of the file."""
        found: dict[str, list[str]] = {who: [] for who in self.people}
        for talk in self.talks.values():
            for who in talk.ends:
                found[who].append(talk.id)
        return found

    def required(self) -> list[str]:
        return [talk.id for talk in self.talks.values() if not talk.optional]


def read_meeting(path: Path) -> Meeting:
    """Read ``MEETING.json``.

    Raises:
        Invalid: with every fault by its JSON path in ``fields``.
    """
    raw, faults = load(path), Faults()
    top = fields(
        faults,
        "$",
        raw,
        {
            "version": Field(whole(VERSION, VERSION)),
            "slots": Field(whole(0, MOST_SLOTS)),
            "tables": Field(whole(0, MOST_TABLES)),
            "half_day_after": Field(whole(0, MOST_SLOTS), None, nullable=True),
            "fairness": Field(whole(0, MOST_SLOTS), None, nullable=True),
            "participants": Field(listed),
            "appointments": Field(listed),
        },
    )
    slots, tables = top.get("slots", MOST_SLOTS), top.get("tables", MOST_TABLES)
    noon = top.get("half_day_after")
    if noon is not None and noon > slots:
        faults["$.half_day_after"] = msg("应为 {low} 到 {high} 之间的整数。", low=0, high=slots)
    people = _people(faults, top.get("participants", []), slots, tables)
    talks = _talks(faults, top.get("appointments", []), people, slots, halves=noon is not None)
    for name, count, most in (
        ("participants", len(top.get("participants", [])), MOST_PEOPLE),
        ("appointments", len(top.get("appointments", [])), MOST_TALKS),
    ):
        if count > most:
            faults[f"$.{name}"] = msg("有 {count} 项，最多只能有 {most} 项。", count=count, most=most)
    if faults:
        raise Invalid(msg("对接会文件有 {count} 处错误，没有核对。", count=len(faults)), faults)
    return Meeting(slots, tables, noon, top["fairness"], people, talks)


def _people(faults: Faults, entries: list[Any], slots: int, tables: int) -> dict[str, Person]:
    shape: Shape = {
        "id": Field(identity),
        "name": Field(text, None, nullable=True),
        "side": Field(one_of("buyer", "seller", "guest"), "guest"),
        "unavailable": Field(listed, [], each=whole(1, slots)),
        "max_appointments": Field(whole(0, MOST_TALKS), None, nullable=True),
        "table": Field(whole(1, tables), None, nullable=True),
    }
    people: dict[str, Person] = {}
    for i, entry in enumerate(entries):
        path = f"$.participants[{i}]"
        found = fields(faults, path, entry, shape)
        who = found.get("id")
        if who is None:
            continue
        if who in people:
            faults[f"{path}.id"] = msg("编号“{id}”重复，每个编号只能用一次。", id=who)
        people[who] = Person(
            who,
            who if found.get("name") is None else found["name"],
            found.get("side", "guest"),
            frozenset(found.get("unavailable", ())),
            found.get("max_appointments"),
            found.get("table"),
        )
    return people


def _talks(
    faults: Faults, entries: list[Any], people: Mapping[str, Person], slots: int, *, halves: bool
) -> dict[str, Talk]:
    shape: Shape = {
        "id": Field(identity),
        "a": Field(text),
        "b": Field(text),
        "half": Field(one_of("any", "morning", "afternoon"), "any"),
        "slot": Field(whole(1, slots), None, nullable=True),
        "after": Field(listed, [], each=text),
        "weight": Field(number(MOST_WEIGHT, finest=1 / MICRO), 1),
        "optional": Field(truth, default=False),
    }
    talks: dict[str, Talk] = {}
    rows = [(f"$.appointments[{i}]", entry) for i, entry in enumerate(entries)]
    read = [(path, fields(faults, path, entry, shape)) for path, entry in rows]
    known = {found["id"] for _, found in read if "id" in found}
    for path, found in read:
        for end in ("a", "b"):
            if end in found and found[end] not in people:
                faults[f"{path}.{end}"] = msg("没有编号为“{id}”的参会方。", id=found[end])
        if "a" in found and found["a"] == found.get("b"):
            faults[f"{path}.b"] = msg("参会方“{id}”不能与自己洽谈。", id=found["b"])
        if found.get("half", "any") != "any" and not halves:
            faults[f"{path}.half"] = msg("要分上午、下午，须先填写 half_day_after。")
        for j, other in enumerate(found.get("after", ())):
            if other not in known:
                faults[f"{path}.after[{j}]"] = msg("没有编号为“{id}”的洽谈。", id=other)
        if "id" not in found:
            continue
        if found["id"] in talks:
            faults[f"{path}.id"] = msg("编号“{id}”重复，每个编号只能用一次。", id=found["id"])
        talks[found["id"]] = Talk(
            found["id"],
            (found.get("a", ""), found.get("b", "")),
            found.get("half", "any"),
            found.get("slot"),
            tuple(dict.fromkeys(found.get("after", ()))),
            round(found.get("weight", 1) * MICRO),
            found.get("optional", False),
        )
    return talks
