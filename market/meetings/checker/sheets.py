"""The two tables beside ``timetable.json``: every column of every row must say what it says."""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from market.i18n import Message, msg, system_words
from market.meetings.checker.claimed import Claim
from market.meetings.checker.reading import Meeting

BY_PARTICIPANT = ("participant", "name", "side", "slot", "table", "appointment", "with", "with_name")
BY_SLOT = ("slot", "table", "appointment", "a", "a_name", "b", "b_name")
#: So many rows of a table are told one by one.
_MOST_TOLD = 5

Row = tuple[str, ...]


def wrong_sheets(meeting: Meeting, claim: Claim, directory: Path) -> list[Message]:
    """Return what in either table disagrees with the appointments as placed."""
    return [
        trouble
        for name, columns, expected in (
            ("by_participant.csv", BY_PARTICIPANT, _by_participant(meeting, claim)),
            ("by_slot.csv", BY_SLOT, _by_slot(meeting, claim)),
        )
        for trouble in _compare(name, directory / name, columns, expected)
    ]


def _by_participant(meeting: Meeting, claim: Claim) -> Iterator[Row]:
    for talk, slot in claim.slots.items():
        one, two = (meeting.people[who] for who in meeting.talks[talk].ends)
        for me, other in ((one, two), (two, one)):
            place = str(slot), str(claim.tables[talk]), talk
            yield (me.id, me.name, me.side, *place, other.id, other.name)


def _by_slot(meeting: Meeting, claim: Claim) -> Iterator[Row]:
    for talk, slot in claim.slots.items():
        one, two = (meeting.people[who] for who in meeting.talks[talk].ends)
        yield (str(slot), str(claim.tables[talk]), talk, one.id, one.name, two.id, two.name)


def _compare(name: str, path: Path, columns: Row, expected: Iterator[Row]) -> list[Message]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [tuple(row) for row in csv.reader(file, strict=True) if row]
    except OSError as error:
        return [msg("读不到文件 {path}：{error}。", path=str(path), error=system_words(error))]
    except UnicodeDecodeError:
        return [msg("{name} 不是 UTF-8 文字，请另存为“CSV UTF-8”。", name=name)]
    except csv.Error:
        return [msg("{name} 不是 CSV 表格：有引号不成对，或内容过长。", name=name)]
    header = rows[0] if rows else ()
    if sorted(header) != sorted(columns):
        return [
            msg("{name} 的列应为 {columns}。", name=name, columns=", ".join(columns)),
        ]
    order = [header.index(column) for column in columns]
    wrong: list[Message] = []
    missing = Counter(expected)
    for line, row in enumerate(rows[1:], start=2):
        sorted_row = tuple(row[i] for i in order) if len(row) == len(columns) else row
        if missing[sorted_row] > 0:
            missing[sorted_row] -= 1
        else:
            wrong.append(msg("{name} 第 {line} 行与 timetable.json 不一致。", name=name, line=line))
    wrong += [
        msg("{name} 缺少这一行：{row}。", name=name, row=", ".join(row))
        for row, number in missing.items()
        if number > 0
    ]
    if len(wrong) > _MOST_TOLD:
        more = msg("{name} 还有 {count} 行不一致。", name=name, count=len(wrong) - _MOST_TOLD)
        return [*wrong[:_MOST_TOLD], more]
    return wrong
