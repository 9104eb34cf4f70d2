"""What people hand in: rubbish is refused with its place, contradictions are named, odd days are laid."""

import copy
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixtures.fairs import fair
from market.errors import Invalid
from market.i18n import translate
from market.meetings.checker import reading as checker
from market.meetings.files.reading import read_meeting, read_timetable
from tests.unit.meetings.test_schedule_files import MEETING, changed, run
from tests.unit.meetings.test_verify_planted import ANYTHING

FUZZ = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def places(value: Any, way: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the way to every value in a JSON document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(found for step, part in inner for found in places(part, (*way, step)))]


def at(document: Any, way: tuple[str | int, ...]) -> Any:
    for step in way:
        document = document[step]
    return document


PLACES = places(MEETING)[1:]


@FUZZ
@given(st.lists(st.tuples(st.sampled_from(PLACES), ANYTHING, st.booleans()), min_size=1, max_size=2))
def test_scheduler_and_checker_take_and_refuse_the_same_meetings(
    tmp_path: Path, changes: list[tuple[tuple[str | int, ...], object, bool]]
) -> None:
    """Two readers that know nothing of each other agree on what is a meeting."""
    meeting: Any = copy.deepcopy(MEETING)
    for way, value, remove in changes:
        try:
            here = at(meeting, way[:-1])
            if remove:
                del here[way[-1]]
            else:
                # of its own: the next change may go into it, and others draw the same
                here[way[-1]] = copy.deepcopy(value)
        except (LookupError, TypeError):
            pass
    path = tmp_path / "meeting.json"
    path.write_text(json.dumps(meeting), encoding="utf-8")
    told: list[set[str]] = []
    for read in (lambda: read_meeting(path.read_bytes()), lambda: checker.read_meeting(path)):
        try:
            read()
            told.append(set())
        except Invalid as refusal:
            told.append(set(refusal.fields) or {"$"})
            for text in (refusal.message, *refusal.fields.values()):
                assert translate(text, "zh") != translate(text, "en")
    assert bool(told[0]) is bool(told[1])


def test_every_fault_is_told_at_once() -> None:
    meeting = copy.deepcopy(MEETING)
    meeting["slots"], meeting["lunch"] = 0.5, 1
    meeting["participants"][0]["unavailable"] = ["2", True, -1]
    meeting["participants"][1]["side"] = None
    meeting["appointments"][0]["weight"] = "1"
    del meeting["appointments"][1]["a"]
    meeting["appointments"].append([])
    with pytest.raises(Invalid) as refusal:
        read_meeting(json.dumps(meeting).encode())
    assert set(refusal.value.fields) == {
        "$.slots",
        "$.lunch",
        "$.participants[0].unavailable[0]",
        "$.participants[0].unavailable[1]",
        "$.participants[1].side",
        "$.appointments[0].weight",
        "$.appointments[1].a",
        "$.appointments[3]",
    }


def test_names_that_stand_twice_are_told_with_their_place() -> None:
    text = json.dumps(MEETING).replace('"id": "b1"', '"id": "b1", "id": "b7", "id": "b8"')
    text = text.replace('"fairness"', '"tables": 3, "fairness"')
    with pytest.raises(Invalid) as refusal:
        read_meeting(text.encode())
    assert {path: str(trouble) for path, trouble in refusal.value.fields.items()} == {
        "$.tables": "字段“tables”写了两次。",
        "$.participants[0].id": "字段“id”写了两次。",
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (json.dumps(MEETING).encode("utf-16"), "UTF-16"),
        (json.dumps(MEETING).encode("utf-32"), "UTF-32"),
        (b'{"version": 1, "slots": 1, "tables": 1, "participants": []}', "has 1 fault;"),
        (b'{"version": 1, "slots": 1, "tables": 1}', "has 2 faults;"),
        ("中".encode("gb18030"), "not UTF-8"),
        (b"{'slots': 1}", "line 1, column 2"),
        (b'{"a": ' * 100_000, "nested too deeply"),
    ],
    ids=["empty", "blank", "utf-16", "utf-32", "one fault", "two faults", "gb18030", "no json", "deep"],
)
def test_a_file_that_is_no_json_says_why(content: bytes, words: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read_meeting(content)
    assert words in translate(refusal.value.message, "en")


def test_byte_order_mark_is_no_fault() -> None:
    content = json.dumps(MEETING, ensure_ascii=False).encode()
    assert read_meeting(b"\xef\xbb\xbf" + content) == read_meeting(content)


def test_signs_that_steer_a_terminal_are_not_passed_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "meeting.json"
    for meeting in (changed("\x1b[2J", 1), changed("appointments.0.\x9b2J", 1), changed("\ud800", 1)):
        file.write_text(json.dumps(meeting), encoding="utf-8")
        assert run("schedule", str(file), "--out", str(tmp_path / "out")) == 2
        assert run("verify-timetable", str(file), str(tmp_path / "out")) == 2
    printed = capsys.readouterr().err
    assert [sign for sign in printed if not sign.isprintable() and sign != "\n"] == []


def small(**more: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "slots": 3,
        "tables": 2,
        "half_day_after": 2,
        "participants": [
            {"id": "b1", "name": "中兴", "side": "buyer"},
            {"id": "s1", "name": "东于村", "side": "seller"},
            {"id": "s2", "name": "老边头", "side": "seller"},
        ],
        "appointments": [{"id": "m1", "a": "b1", "b": "s1"}, {"id": "m2", "a": "b1", "b": "s2"}],
        **more,
    }


def with_people(**marks: dict[str, Any]) -> dict[str, Any]:
    meeting = small()
    for person in meeting["participants"]:
        person.update(marks.get(person["id"], {}))
    return meeting


def with_talks(*marks: dict[str, Any], **more: Any) -> dict[str, Any]:
    meeting = small(**more)
    for talk, mark in zip(meeting["appointments"], marks, strict=False):
        talk.update(mark)
    return meeting


CONTRADICTIONS: dict[str, tuple[dict[str, Any], set[str], str]] = {
    "too many for the free slots": (
        with_people(b1={"unavailable": [1, 2]}),
        {"keep", "one_at_a_time", "unavailable"},
        "Buyer “中兴” is free in 1 slot and has 2 appointments",
    ),
    "too many for the day": (
        small(slots=1, half_day_after=None),
        {"keep", "one_at_a_time"},
        "Buyer “中兴” is free in 1 slot and has 2 appointments",
    ),
    "more than its own limit": (with_people(b1={"max_appointments": 1}), {"keep", "max_appointments"}, ""),
    "fixed while away": (
        with_people(s1={"unavailable": [1, 2, 3]}),
        {"keep", "unavailable"},
        "Supplier “东于村” is free in 0 slots and has 1 appointment",
    ),
    "half against slot": (with_talks({"half": "morning", "slot": 3}), {"keep", "half", "slot"}, ""),
    "circle": (with_talks({"after": ["m2"]}, {"after": ["m1"]}), {"keep", "after"}, ""),
    "after itself": (with_talks({"after": ["m1"]}), {"keep", "after"}, ""),
    "two fixed at once": (with_talks({"slot": 1}, {"slot": 1}), {"keep", "slot", "one_at_a_time"}, ""),
    "two own tables": (with_people(b1={"table": 1}, s1={"table": 2}), {"keep", "own_table"}, ""),
    "no morning": (with_talks({"half": "morning"}, half_day_after=0), {"keep", "half"}, ""),
    "no tables": (small(tables=0), {"keep", "tables"}, ""),
    "no slots": (
        with_talks({}, {"optional": True}, slots=0, half_day_after=0),
        {"keep"},
        "The meeting has no slots but 1 required appointment",
    ),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_contradiction_is_named_by_a_smallest_clash(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meeting, kinds, sentence = CONTRADICTIONS[name]
    file, out = tmp_path / "meeting.json", tmp_path / "out"
    file.write_text(json.dumps(meeting), encoding="utf-8")
    assert run("schedule", str(file), "--out", str(out), "--lang", "en", "--time-limit", "20") == 4
    timetable = json.loads((out / "timetable.json").read_text(encoding="utf-8"))
    assert {entry["kind"] for entry in timetable["clash"]} == kinds
    assert capsys.readouterr().err.splitlines()[0] == timetable["summary"]
    assert not sentence or timetable["summary"] == sentence
    assert run("verify-timetable", str(file), str(out), "--lang", "en") == 0
    assert "clash is a smallest set." in capsys.readouterr().out


def test_overbooked_buyer_is_named_in_both_languages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "meeting.json", tmp_path / "out"
    file.write_text(json.dumps(with_people(b1={"unavailable": [1, 2]})), encoding="utf-8")
    for lang, words in (
        ("zh", "采购商“中兴”只有 1 个空闲时段，却有 2 场洽谈"),
        ("en", "Buyer “中兴” is free in 1 slot and has 2 appointments"),
    ):
        assert run("schedule", str(file), "--out", str(out), "--lang", lang) == 4
        assert capsys.readouterr().err.splitlines()[0] == words


@pytest.mark.parametrize(
    "meeting",
    [
        small(slots=0, tables=0, half_day_after=None, participants=[], appointments=[]),
        small(appointments=[]),
        small(slots=0, half_day_after=None, appointments=[]),
        small(tables=0, appointments=[]),
    ],
    ids=["nothing", "no appointments", "no slots", "no tables"],
)
def test_empty_meeting_gets_an_empty_timetable_and_says_so(
    meeting: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "meeting.json", tmp_path / "out"
    file.write_text(json.dumps(meeting), encoding="utf-8")
    assert run("schedule", str(file), "--out", str(out), "--lang", "en") == 0
    told = capsys.readouterr().out
    assert told.startswith("This meeting has no appointments; its timetable is empty.\n0 placed, 0 left out;")
    assert run("verify-timetable", str(file), str(out), "--quiet") == 0


EARLIER = {"appointments": [{"id": "m1", "slot": 1, "table": 1}]}


@pytest.mark.parametrize(
    ("earlier", "path"),
    [
        ([], "$"),
        ({}, "$.appointments"),
        ({"appointments": {}}, "$.appointments"),
        ({"appointments": [None]}, "$.appointments[0]"),
        ({"appointments": [{"id": "m1", "slot": 1}]}, "$.appointments[0].table"),
        ({"appointments": [{"id": "m1", "slot": True, "table": 1}]}, "$.appointments[0].slot"),
        ({"appointments": [{"id": "m1", "slot": 0, "table": 1}]}, "$.appointments[0].slot"),
        ({"appointments": [{"id": "m1", "slot": 1, "table": 1.0}]}, "$.appointments[0].table"),
        ({"appointments": EARLIER["appointments"] * 2}, "$.appointments[1].id"),
    ],
)
def test_earlier_timetable_that_is_none_is_refused(earlier: Any, path: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refusal:
        read_timetable(json.dumps(earlier).encode())
    assert list(refusal.value.fields) == [path]


@pytest.mark.parametrize(
    "placed",
    [
        [],
        [{"id": "m9", "slot": 1, "table": 1}],
        [{"id": "m1", "slot": 10**14, "table": 10**14}, {"id": "m2", "slot": 4, "table": 3}],
        [{"id": "m1", "slot": 1, "table": 1}, {"id": "m2", "slot": 1, "table": 1}],
    ],
    ids=["empty", "unknown", "beyond", "clashing"],
)
def test_earlier_timetable_of_another_day_is_kept_as_far_as_it_goes(
    placed: list[dict[str, Any]], tmp_path: Path
) -> None:
    file, earlier, out = (tmp_path / name for name in ("meeting.json", "earlier.json", "out"))
    file.write_text(json.dumps(small()), encoding="utf-8")
    earlier.write_text(json.dumps({"appointments": placed}), encoding="utf-8")
    keep = ("--keep", str(earlier))
    assert run("schedule", str(file), "--out", str(out), *keep, "--penalty", "2", "--quiet") == 0
    assert run("verify-timetable", str(file), str(out), *keep, "--quiet") == 0
    assert run("verify-timetable", str(file), str(out), "--quiet") == 0


def test_moves_are_counted_against_the_earlier_timetable(tmp_path: Path) -> None:
    file, out = tmp_path / "meeting.json", tmp_path / "out"
    file.write_text(json.dumps(small()), encoding="utf-8")
    earlier = tmp_path / "earlier.json"
    earlier.write_text(json.dumps(EARLIER), encoding="utf-8")
    keep = ("--keep", str(earlier), "--quiet")
    assert run("schedule", str(file), "--out", str(out), *keep) == 0
    timetable = json.loads((out / "timetable.json").read_text(encoding="utf-8"))
    assert timetable["moved"] == 0
    timetable["moved"] = 1
    (out / "timetable.json").write_text(json.dumps(timetable), encoding="utf-8")
    assert run("verify-timetable", str(file), str(out), *keep) == 1


@pytest.mark.parametrize("below", ["", "folder"])
def test_folder_that_cannot_be_is_refused_before_any_work(
    below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, blocked = tmp_path / "meeting.json", tmp_path / "blocked"
    file.write_text(json.dumps(small()), encoding="utf-8")
    blocked.write_text("in the way", encoding="utf-8")

    def never(*args: object, **options: object) -> None:
        raise AssertionError("laid for nothing")

    monkeypatch.setattr("market.meetings.timetable.scheduler.schedule", never)
    assert run("schedule", str(file), "--out", str(blocked / below)) == 2
    assert blocked.read_text(encoding="utf-8") == "in the way"


def test_result_does_not_overwrite_the_meeting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "timetable.json"
    file.write_text(json.dumps(small()), encoding="utf-8")
    assert run("schedule", str(file), "--out", str(tmp_path)) == 2
    assert str(file) in capsys.readouterr().err
    assert json.loads(file.read_text(encoding="utf-8")) == small()


def test_folder_where_a_file_is_to_be_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "meeting.json", tmp_path / "out"
    file.write_text(json.dumps(small()), encoding="utf-8")
    (out / "timetable.json").mkdir(parents=True)
    assert run("schedule", str(file), "--out", str(out)) == 2
    assert "timetable.json" in capsys.readouterr().err
    assert [each.name for each in out.iterdir()] == ["timetable.json"]


@pytest.mark.parametrize(("weight", "code"), [(1e-7, 2), (5e-324, 2), (1e-6, 0), (0.1234567891, 0), (0, 0)])
def test_weight_too_small_to_count_is_refused(weight: float, code: int, tmp_path: Path) -> None:
    file = tmp_path / "meeting.json"
    meeting = small()
    meeting["appointments"][0] |= {"weight": weight, "optional": True}
    file.write_text(json.dumps(meeting), encoding="utf-8")
    assert run("schedule", str(file), "--out", str(tmp_path / "out"), "--quiet") == code
    assert run("verify-timetable", str(file), str(tmp_path / "out"), "--quiet") == code


@pytest.mark.parametrize("command", ["schedule", "verify-timetable"])
def test_help_says_what_each_option_does_in_both_languages(command: str) -> None:
    told = []
    for lang in ("zh", "en"):
        words = [sys.executable, "-m", "market", command, "--help", "--lang", lang]
        told.append(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    assert "退出码" in told[0]
    assert "Exit codes" in told[1]
    for said, others in (told, told[::-1]):
        for line in said.splitlines():
            # usage, headings and the choices are argparse's; what an option does is ours
            assert not line.startswith("  --") or len(line.split()) > 1
        assert set(said.splitlines()) - set(others.splitlines())


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["schedule", "--help"], 0),
        (["schedule", "{bad}", "--out", "{out}"], 2),
        (["verify-timetable", "--help"], 0),
    ],
    ids=["help", "refusal", "help-of-the-checker"],
)
def test_help_and_refusals_do_not_wait_for_the_solvers(words: list[str], code: int, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    said = [word.format(bad=tmp_path / "bad.json", out=tmp_path / "out") for word in words]
    script = (
        "import sys\nfrom market.cli import main\n"
        f"try: code = main({said!r})\nexcept SystemExit as ended: code = ended.code or 0\n"
        "heavy = {'numpy', 'numba', 'ortools', 'scipy', 'pysat'} & set(sys.modules)\n"
        "print('loaded', sorted(heavy), code)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == f"loaded [] {code}", told.stderr


def read_line(handle: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(handle, 1)
    return line


def test_progress_goes_to_a_terminal_and_ctrl_c_ends_at_once(tmp_path: Path) -> None:
    file, out = tmp_path / "meeting.json", tmp_path / "out"
    problem = fair(buyers=30, sellers=90, slots=16, appointments=380, seed=5, fixed=0.1)
    file.write_bytes(msgspec.json.encode(problem))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "market", "schedule", str(file), "--out", str(out)]
    try:
        with subprocess.Popen(
            command, stderr=theirs, stdout=subprocess.PIPE, start_new_session=True
        ) as process:
            assert read_line(ours) != b""
            # A terminal signals the whole group: no process that was started on the way stays behind.
            os.killpg(process.pid, signal.SIGINT)
            printed, _ = process.communicate(timeout=20)
    finally:
        os.close(ours)
        os.close(theirs)
    assert process.returncode in (-signal.SIGINT, 130)
    assert printed == b""
    assert list(out.iterdir()) == []


def test_no_progress_where_nobody_looks_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "meeting.json", tmp_path / "out"
    file.write_text(json.dumps(small()), encoding="utf-8")
    assert run("schedule", str(file), "--out", str(out)) == 0
    assert capsys.readouterr().err == ""
