import argparse
import csv
import json
from pathlib import Path
from typing import Any

import pytest

from fixtures.fairs import fair
from market.cli_schedule import add_schedule, add_verify_timetable
from market.errors import Invalid
from market.meetings.files.reading import read_meeting
from market.meetings.timetable.problem import MeetingProblem

MEETING: dict[str, Any] = {
    "version": 1,
    "slots": 4,
    "tables": 2,
    "half_day_after": 2,
    "participants": [
        {"id": "b1", "name": "中兴", "side": "buyer", "unavailable": [4], "max_appointments": 3},
        {"id": "b2", "name": "大东副食", "side": "buyer", "unavailable": [], "table": 2},
        {"id": "s1", "name": "东于村", "side": "seller"},
        {"id": "s2", "name": "老边头", "side": "seller", "max_appointments": None, "table": None},
    ],
    "appointments": [
        {"id": "m1", "a": "b1", "b": "s1", "half": "morning", "weight": 1},
        {"id": "m2", "a": "b1", "b": "s2", "slot": 3, "after": ["m1"]},
        {"id": "m3", "a": "b2", "b": "s2", "weight": 2.5, "optional": True},
    ],
    "fairness": 2,
}


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    add_schedule(subparsers)
    add_verify_timetable(subparsers)
    options = parser.parse_args(words)
    return int(options.func(options))


def changed(path: str, value: object) -> dict[str, Any]:
    """Return the meeting with one place set, e.g. ``appointments.0.slot``."""
    meeting: dict[str, Any] = json.loads(json.dumps(MEETING))
    *way, last = path.split(".")
    here: Any = meeting
    for step in way:
        here = here[int(step)] if step.isdigit() else here[step]
    here[int(last) if last.isdigit() else last] = value
    return meeting


@pytest.fixture
def laid(tmp_path: Path) -> tuple[Path, Path]:
    meeting, out = tmp_path / "meeting.json", tmp_path / "out"
    meeting.write_text(json.dumps(MEETING), encoding="utf-8")
    assert run("schedule", str(meeting), "--out", str(out), "--quiet") == 0
    return meeting, out


def test_schedule_writes_three_files_that_verify(laid: tuple[Path, Path]) -> None:
    meeting, out = laid
    assert sorted(path.name for path in out.iterdir()) == [
        "by_participant.csv",
        "by_slot.csv",
        "timetable.json",
    ]
    timetable = json.loads((out / "timetable.json").read_text(encoding="utf-8"))
    assert timetable["status"] == "optimal"
    assert (timetable["breaks"], timetable["idle_slots"], timetable["left_out"]) == (0, 0, [])
    assert timetable["kept_weight"] == 4.5
    assert {entry["id"]: entry["slot"] for entry in timetable["appointments"]}["m2"] == 3
    with (out / "by_participant.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["participant"], row["appointment"]) for row in rows][:2] == [("b1", "m1"), ("b1", "m2")]
    assert run("verify-timetable", str(meeting), str(out), "--quiet") == 0


RUBBISH: list[tuple[str, object, str]] = [
    ("version", 2, "$.version"),
    ("slots", -1, "$.slots"),
    ("slots", 10**18, "$.slots"),
    ("slots", 2.5, "$.slots"),
    ("slots", True, "$.slots"),
    ("tables", "2", "$.tables"),
    ("half_day_after", 5, "$.half_day_after"),
    ("fairness", -1, "$.fairness"),
    ("lunch", 1, "$.lunch"),
    ("participants", {}, "$.participants"),
    ("participants.0", None, "$.participants[0]"),
    ("participants.1.id", "b1", "$.participants[1].id"),
    ("participants.1.id", "", "$.participants[1].id"),
    ("participants.0.side", "market", "$.participants[0].side"),
    ("participants.0.unavailable", [5], "$.participants[0].unavailable[0]"),
    ("participants.0.unavailable", [0], "$.participants[0].unavailable[0]"),
    ("participants.0.table", 3, "$.participants[0].table"),
    ("participants.0.max_appointments", -1, "$.participants[0].max_appointments"),
    ("participants.0.name", "\u0000", "$.participants[0].name"),
    ("appointments.1.id", "m1", "$.appointments[1].id"),
    ("appointments.0.a", "b9", "$.appointments[0].a"),
    ("appointments.0.b", "b1", "$.appointments[0].b"),
    ("appointments.0.slot", 5, "$.appointments[0].slot"),
    ("appointments.0.half", "evening", "$.appointments[0].half"),
    ("appointments.1.after", ["m9"], "$.appointments[1].after[0]"),
    ("appointments.0.weight", -1, "$.appointments[0].weight"),
    ("appointments.0.weight", float("nan"), "$.appointments[0].weight"),
    ("appointments.0.weight", float("inf"), "$.appointments[0].weight"),
    ("appointments.0.weight", 10**400, "$.appointments[0].weight"),
    ("appointments.2.optional", "yes", "$.appointments[2].optional"),
    ("appointments.2.table", 1, "$.appointments[2].table"),
]


@pytest.mark.parametrize(
    ("place", "value", "path"), RUBBISH, ids=[f"{r[0]}={str(r[1])[:12]}" for r in RUBBISH]
)
def test_rubbish_is_refused_with_its_path(
    place: str, value: object, path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "meeting.json", tmp_path / "out"
    file.write_text(json.dumps(changed(place, value)), encoding="utf-8")
    with pytest.raises(Invalid) as refusal:
        read_meeting(file.read_bytes())
    assert path in refusal.value.fields
    assert run("schedule", str(file), "--out", str(out), "--lang", "en") == 2
    assert f"{path}: " in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"version": 1, "version": 1}',
        b"{}",
        b'{"slots": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_meeting_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "meeting.json"
    file.write_bytes(content)
    assert run("schedule", str(file), "--out", str(tmp_path / "out")) == 2
    assert not (tmp_path / "out").exists()


def test_missing_file_is_refused(tmp_path: Path) -> None:
    assert run("schedule", str(tmp_path / "none.json"), "--out", str(tmp_path / "out")) == 2
    assert run("verify-timetable", str(tmp_path / "none.json"), str(tmp_path)) == 2


def test_impossible_meeting_exits_4_with_a_partial_timetable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "meeting.json", tmp_path / "out"
    file.write_text(json.dumps(changed("participants.0.max_appointments", 1)), encoding="utf-8")
    assert run("schedule", str(file), "--out", str(out), "--lang", "en") == 4
    timetable = json.loads((out / "timetable.json").read_text(encoding="utf-8"))
    assert timetable["status"] == "infeasible"
    assert len(timetable["left_out"]) == 1
    assert [entry["kind"] for entry in timetable["clash"]] == ["keep", "keep", "max_appointments"]
    assert capsys.readouterr().err.startswith(timetable["summary"])
    assert run("verify-timetable", str(file), str(out), "--quiet") == 0


def test_keep_reports_how_many_moved(laid: tuple[Path, Path], tmp_path: Path) -> None:
    meeting, out = laid
    again = tmp_path / "again"
    words = ("schedule", str(meeting), "--out", str(again), "--keep", str(out / "timetable.json"))
    assert run(*words, "--penalty", "3", "--quiet") == 0
    timetable = json.loads((again / "timetable.json").read_text(encoding="utf-8"))
    assert (timetable["moved"], timetable["penalty"]) == (0, 3)
    assert run("schedule", str(meeting), "--out", str(again), "--keep", str(meeting)) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (json.dumps(MEETING).encode("utf-16"), "is not UTF-8 text (byte 0); please save it as UTF-8"),
        (b'{"version": NaN}', "holds NaN, which is no number in JSON"),
        (b'{"version": 1,\n"slots" 1}', "unreadable at line 2, column 9"),
        (b'{"a": ' * 100_000, "nested too deeply"),
    ],
    ids=["empty", "utf-16", "nan", "no json", "deep"],
)
def test_the_checker_says_why_a_file_is_no_json(
    content: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "meeting.json"
    file.write_bytes(content)
    assert run("verify-timetable", str(file), str(tmp_path), "--lang", "en") == 2
    told = capsys.readouterr().err
    assert told.startswith(f"The file {file} ")
    assert words in told


def test_the_checker_says_why_a_table_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "meeting.json"
    file.write_text(json.dumps(MEETING), encoding="utf-8")
    assert run("schedule", str(file), "--out", str(tmp_path), "--quiet") == 0
    (tmp_path / "by_slot.csv").write_text("slot,table\n", encoding="utf-16")
    (tmp_path / "by_participant.csv").unlink()
    assert run("verify-timetable", str(file), str(tmp_path), "--lang", "en") == 1
    assert capsys.readouterr().err.splitlines() == [
        f"Cannot read {tmp_path / 'by_participant.csv'}: there is no such file.",
        "by_slot.csv is not UTF-8 text; please save it as “CSV UTF-8”.",
    ]


def move(id_: str, **more: int) -> Any:
    def plant(timetable: dict[str, Any]) -> None:
        next(entry for entry in timetable["appointments"] if entry["id"] == id_).update(more)

    return plant


def claim(**more: object) -> Any:
    return lambda timetable: timetable.update(more)


def drop(timetable: dict[str, Any]) -> None:
    timetable["appointments"] = timetable["appointments"][1:]


def twice(timetable: dict[str, Any]) -> None:
    timetable["appointments"].append(timetable["appointments"][0])


PLANTED = {
    "unavailable": move("m2", slot=4),
    "no such slot": move("m1", slot=9),
    "no such table": move("m1", table=3),
    "wrong half": move("m1", slot=4),
    "not fixed": move("m2", slot=2),
    "not after": move("m1", slot=3),
    "not at own table": move("m3", table=1),
    "two at once": move("m3", slot=3),
    "breaks": claim(breaks=1),
    "idle": claim(idle_slots=1),
    "changes": claim(table_changes=9),
    "bound": claim(lower_bound_breaks=5),
    "status": claim(status="perfect"),
    "weight": claim(kept_weight=9),
    "left out": claim(left_out=["m3"]),
    "not infeasible": claim(status="infeasible"),
    "dropped": drop,
    "twice": twice,
    "unknown": lambda timetable: timetable["appointments"].append({"id": "m9", "slot": 1, "table": 1}),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_verify_finds_a_planted_fault(fault: str, laid: tuple[Path, Path]) -> None:
    meeting, out = laid
    timetable = json.loads((out / "timetable.json").read_text(encoding="utf-8"))
    PLANTED[fault](timetable)
    (out / "timetable.json").write_text(json.dumps(timetable), encoding="utf-8")
    assert run("verify-timetable", str(meeting), str(out), "--quiet") == 1


def test_verify_finds_a_table_that_says_otherwise(laid: tuple[Path, Path]) -> None:
    meeting, out = laid
    text = (out / "by_slot.csv").read_text(encoding="utf-8")
    (out / "by_slot.csv").write_text(text.replace("s1", "s2"), encoding="utf-8")
    assert run("verify-timetable", str(meeting), str(out), "--quiet") == 1


@pytest.mark.parametrize("seed", range(3))
def test_marked_day_is_laid_and_verified(seed: int, tmp_path: Path) -> None:
    import msgspec

    problem: MeetingProblem = fair(
        buyers=8,
        sellers=6,
        slots=7,
        seed=seed,
        appointments=24,
        fixed=0.1,
        halves=0.2,
        precedences=0.2,
        optional=0.2,
        own_tables=0.5,
        fairness=None,
    )
    meeting, out = tmp_path / "meeting.json", tmp_path / "out"
    meeting.write_bytes(msgspec.json.encode(problem))
    assert run("schedule", str(meeting), "--out", str(out), "--time-limit", "5", "--quiet") == 0
    assert run("verify-timetable", str(meeting), str(out), "--quiet") == 0
