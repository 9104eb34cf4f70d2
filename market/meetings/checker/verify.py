"""Checks a timetable's files against the meeting, sharing nothing with the scheduler.

Whatever is claimed is counted again from the two JSON files and the two tables, in the plainest way.
"""

import csv
import json
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

from market.errors import Invalid
from market.i18n import Message, msg


def verify_timetable(meeting_file: Path, directory: Path) -> list[Message]:
    """Return every fault of the timetable in ``directory``; none means that it keeps the meeting's rules.

    The meeting itself is taken as well-formed.

    Raises:
        Invalid: a file cannot be read as what it should be.
    """
    meeting = _load(meeting_file)
    timetable = _load(directory / "timetable.json")
    try:
        return _verify(meeting, timetable, directory)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Invalid(msg("文件内容不合格式：{error}。", error=f"{type(error).__name__} {error}")) from None


def _load(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise Invalid(
            msg("读不到文件 {path}：{error}。", path=str(path), error=error.strerror or "")
        ) from None
    except (ValueError, RecursionError):
        raise Invalid(msg("文件 {path} 不是 JSON。", path=str(path))) from None
    if not isinstance(found, dict):
        raise Invalid(msg("文件 {path} 里应是一个对象。", path=str(path)))
    return found


def _verify(meeting: dict[str, Any], timetable: dict[str, Any], directory: Path) -> list[Message]:
    wrong: list[Message] = []
    people = {person["id"]: person for person in meeting["participants"]}
    items = {item["id"]: item for item in meeting["appointments"]}
    slots: dict[str, int] = {}
    tables: dict[str, int] = {}
    for entry in timetable["appointments"]:
        m = entry["id"]
        if m not in items:
            wrong.append(msg("时间表里的洽谈 {id} 不在对接会中。", id=m))
        elif m in slots:
            wrong.append(msg("洽谈 {id} 排了两次。", id=m))
        elif type(entry["slot"]) is not int or not 1 <= entry["slot"] <= meeting["slots"]:
            wrong.append(msg("洽谈 {id} 的时段 {slot} 不存在。", id=m, slot=str(entry["slot"])))
        elif type(entry["table"]) is not int or not 1 <= entry["table"] <= meeting["tables"]:
            wrong.append(msg("洽谈 {id} 的桌号 {table} 不存在。", id=m, table=str(entry["table"])))
        else:
            slots[m], tables[m] = entry["slot"], entry["table"]
    wrong += _left_out(items, slots, timetable)
    wrong += _own_rules(meeting, people, items, slots, tables)
    wrong += _together(items, slots, tables)
    wrong += _counts(meeting, people, items, slots, tables, timetable)
    wrong += _csv_faults(items, slots, tables, directory)
    return wrong


def _left_out(items: dict[str, Any], slots: dict[str, int], timetable: dict[str, Any]) -> list[Message]:
    wrong: list[Message] = []
    absent = [m for m in items if m not in slots]
    if sorted(timetable["left_out"]) != sorted(absent):
        wrong.append(msg("left_out 与实际没有排上的洽谈不一致：{ids}。", ids=", ".join(absent)))
    impossible = timetable["status"] == "infeasible"
    if not impossible:
        wrong += [
            msg("洽谈 {id} 必须安排，却没有排上。", id=m)
            for m in absent
            if not items[m].get("optional", False)
        ]
    elif all(items[m].get("optional", False) for m in absent):
        wrong.append(msg("说是排不下，必须安排的洽谈却都排上了。"))
    return wrong


def _own_rules(
    meeting: dict[str, Any],
    people: dict[str, Any],
    items: dict[str, Any],
    slots: dict[str, int],
    tables: dict[str, int],
) -> list[Message]:
    """Check what each appointment asks for by itself."""
    wrong: list[Message] = []
    for m, t in slots.items():
        item = items[m]
        for who in (item["a"], item["b"]):
            if t in (people[who].get("unavailable") or []):
                wrong.append(msg("洽谈 {id} 排在第 {slot} 时段，{who} 那时没有空。", id=m, slot=t, who=who))
            own = people[who].get("table")
            if own is not None and tables[m] != own:
                wrong.append(msg("洽谈 {id} 不在 {who} 自己的 {table} 号桌。", id=m, who=who, table=own))
        half = item.get("half", "any")
        if half != "any" and (half == "morning") != (t <= meeting["half_day_after"]):
            wrong.append(msg("洽谈 {id} 不在要求的半天（{half}）。", id=m, half=half))
        if item.get("slot") is not None and t != item["slot"]:
            wrong.append(msg("洽谈 {id} 不在指定的第 {slot} 时段。", id=m, slot=item["slot"]))
        wrong += [
            msg("洽谈 {id} 应排在 {other} 之后。", id=m, other=other)
            for other in item.get("after") or []
            if other in slots and slots[other] >= t
        ]
    for who, person in people.items():
        most = person.get("max_appointments")
        count = sum(who in (items[m]["a"], items[m]["b"]) for m in slots)
        if most is not None and count > most:
            wrong.append(msg("{who} 排了 {count} 场，最多只能 {most} 场。", who=who, count=count, most=most))
    return wrong


def _together(items: dict[str, Any], slots: dict[str, int], tables: dict[str, int]) -> list[Message]:
    """Check appointments of the same slot against each other."""
    wrong: list[Message] = []
    at: dict[int, list[str]] = {}
    for m, t in slots.items():
        at.setdefault(t, []).append(m)
    for t, here in at.items():
        for m, n in combinations(here, 2):
            both = {items[m]["a"], items[m]["b"]} & {items[n]["a"], items[n]["b"]}
            wrong += [
                msg("{who} 在第 {slot} 时段有两场洽谈：{one}、{two}。", who=who, slot=t, one=m, two=n)
                for who in sorted(both)
            ]
            if tables[m] == tables[n]:
                wrong.append(
                    msg(
                        "第 {slot} 时段 {table} 号桌排了两场洽谈：{one}、{two}。",
                        slot=t,
                        table=tables[m],
                        one=m,
                        two=n,
                    )
                )
    return wrong


def _counts(
    meeting: dict[str, Any],
    people: dict[str, Any],
    items: dict[str, Any],
    slots: dict[str, int],
    tables: dict[str, int],
    timetable: dict[str, Any],
) -> list[Message]:
    """Count breaks, idle slots and table changes again, and hold the claims against them."""
    breaks: list[int] = []
    idle = changes = 0
    for who in people:
        day = sorted((t, tables[m]) for m, t in slots.items() if who in (items[m]["a"], items[m]["b"]))
        mine = 0
        for (t, table), (u, other) in pairwise(day):
            if u - t > 1:
                mine += 1
                idle += u - t - 1
            if table != other:
                changes += 1
        breaks.append(mine)
    wrong: list[Message] = []
    total = sum(breaks)
    for name, counted in (("breaks", total), ("idle_slots", idle), ("table_changes", changes)):
        if timetable[name] != counted:
            wrong.append(
                msg(
                    "{name} 写的是 {claimed}，数出来是 {counted}。",
                    name=name,
                    claimed=str(timetable[name]),
                    counted=counted,
                )
            )
    fairness = meeting.get("fairness")
    if fairness is not None and breaks and max(breaks) - min(breaks) > fairness:
        wrong.append(
            msg("空档次数最多相差 {most}，实际相差 {count}。", most=fairness, count=max(breaks) - min(breaks))
        )
    kept = sum(items[m].get("weight", 1) for m in slots)
    if "kept_weight" in timetable and abs(timetable["kept_weight"] - kept) > 1e-6 * max(1, len(items)):
        wrong.append(
            msg(
                "{name} 写的是 {claimed}，数出来是 {counted}。",
                name="kept_weight",
                claimed=str(timetable["kept_weight"]),
                counted=str(kept),
            )
        )
    if timetable["status"] not in ("optimal", "feasible", "infeasible"):
        wrong.append(msg("status 不认识：{status}。", status=str(timetable["status"])))
    bound = timetable["lower_bound_breaks"]
    if bound > total:
        wrong.append(msg("空档下界 {bound} 高于实际的 {count}。", bound=bound, count=total))
    if timetable["status"] == "optimal" and bound != total and timetable.get("penalty") is None:
        wrong.append(msg("说是最优，空档下界 {bound} 却不等于实际的 {count}。", bound=bound, count=total))
    return wrong


def _csv_faults(
    items: dict[str, Any],
    slots: dict[str, int],
    tables: dict[str, int],
    directory: Path,
) -> list[Message]:
    """Check that both tables say what ``timetable.json`` says."""
    by_participant: list[tuple[str, ...]] = []
    by_slot: list[tuple[str, ...]] = []
    for m, t in slots.items():
        a, b = items[m]["a"], items[m]["b"]
        by_slot.append((str(t), str(tables[m]), m, a, b))
        by_participant += [(who, str(t), str(tables[m]), m, other) for who, other in ((a, b), (b, a))]
    wrong: list[Message] = []
    for name, columns, expected in (
        ("by_participant.csv", ("participant", "slot", "table", "appointment", "with"), by_participant),
        ("by_slot.csv", ("slot", "table", "appointment", "a", "b"), by_slot),
    ):
        try:
            with (directory / name).open(encoding="utf-8", newline="") as file:
                rows = [tuple(row[column] for column in columns) for row in csv.DictReader(file)]
        except (OSError, UnicodeDecodeError, csv.Error, KeyError):
            wrong.append(msg("读不到 {name}，或它缺少列。", name=name))
            continue
        if sorted(rows) != sorted(expected):
            wrong.append(msg("{name} 与 timetable.json 不一致。", name=name))
    return wrong
