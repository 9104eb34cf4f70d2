"""One thing of a right result is changed: whatever that makes untrue is refused."""

import ast
import copy
import csv
import io
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.errors import Invalid
from market.meetings.checker import verify
from market.meetings.checker.sheets import BY_PARTICIPANT, BY_SLOT
from market.meetings.checker.verify import verify_timetable
from market.meetings.files.results import write_timetable
from market.meetings.timetable.problem import (
    Appointment,
    MeetingProblem,
    Participant,
    scaled_kept,
    table_changes,
    total_breaks,
    total_idle,
)
from market.meetings.timetable.scheduler import schedule
from tests.unit.meetings import brute

MANY = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

DAY = MeetingProblem(
    slots=6,
    tables=3,
    half_day_after=3,
    fairness=1,
    participants=(
        Participant("b1", "中兴，“总店”", "buyer", unavailable=(2,)),
        Participant("b2", '大东"副食"', "buyer", max_appointments=3),
        Participant("b3", "=1+1", "buyer"),
        Participant("s1", "东于村", "seller", table=2),
        Participant("s2", "老边头", "seller"),
        Participant("s3", "𠮷田", "seller"),
    ),
    appointments=(
        Appointment("m1", "b1", "s1", half="morning"),
        Appointment("m2", "b1", "s2", slot=4, after=("m1",)),
        Appointment("m3", "b1", "s3", weight=0.1),
        Appointment("m4", "b2", "s1", weight=2),
        Appointment("m5", "b2", "s2", half="afternoon"),
        Appointment("m6", "b2", "s3"),
        Appointment("m7", "b2", "b3", weight=2.5, optional=True),
        Appointment("m8", "b3", "s1"),
        Appointment("m9", "b3", "s2", weight=0.2),
    ),
)
FULL = msgspec.structs.replace(
    DAY,
    participants=(
        msgspec.structs.replace(DAY.participants[0], unavailable=(1, 2, 3, 5)),
        *DAY.participants[1:],
    ),
)


class Result:
    """A meeting's file and its result, as they were written."""

    def __init__(self, folder: Path, problem: MeetingProblem) -> None:
        self.meeting, self.out = folder / "meeting.json", folder / "out"
        self.meeting.write_bytes(msgspec.json.encode(problem))
        write_timetable(self.out, problem, schedule(problem, time_limit=20), language="zh")
        self.files = {path.name: path.read_text(encoding="utf-8") for path in self.out.iterdir()}
        self.timetable: dict[str, Any] = json.loads(self.files["timetable.json"])

    def rows(self, name: str) -> list[list[str]]:
        return list(csv.reader(io.StringIO(self.files[name])))

    def refused(self, name: str, text: str | bytes) -> bool:
        """Tell whether the result is refused with this in the place of one of its files."""
        path = self.out / name
        try:
            path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
            try:
                return verify_timetable(self.meeting, self.out).wrong != ()
            except Invalid:
                return True
        finally:
            path.write_text(self.files[name], encoding="utf-8")

    def refused_claim(self, timetable: object) -> bool:
        return self.refused("timetable.json", json.dumps(timetable))

    def refused_rows(self, name: str, rows: list[list[str]]) -> bool:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        return self.refused(name, text.getvalue())


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return Result(tmp_path_factory.mktemp("laid"), DAY)


@pytest.fixture(scope="module")
def impossible(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return Result(tmp_path_factory.mktemp("impossible"), FULL)


def test_right_results_hold(result: Result, impossible: Result) -> None:
    assert (result.timetable["status"], impossible.timetable["status"]) == ("optimal", "infeasible")
    for right in (result, impossible):
        report = verify_timetable(right.meeting, right.out)
        assert (report.wrong, report.left_open) == ((), ())
        assert report.checked != ()


#: What may stand where a number, a text or a list should.
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.sampled_from([10**9, 10**30, -1, 0.5, 2.0, 1e300, float("nan"), float("inf"), -float("inf")]),
    st.text(max_size=3),
    st.sampled_from(["optimal", "feasible", "m1", "m9", "1", "２"]),
    st.lists(st.sampled_from(["m1", "m9", 1, None]), max_size=2),
    st.just({}),
)
#: Cannot be known to be untrue: how long it took, and the words of a reason.
FREE = ("seconds", "summary", "text")


def same(one: object, two: object) -> bool:
    """Tell whether two JSON values say the same."""
    if type(one) is not type(two) and not (
        isinstance(one, int | float) and isinstance(two, int | float) and not isinstance(one, bool)
    ):
        return False
    return json.dumps(one) == json.dumps(two) or one == two


def still_true(result: Result, field: str, value: object) -> bool:
    """Tell whether ``field`` of the timetable is as true with ``value``."""
    now = result.timetable[field]
    if field == "seconds":
        return type(value) in (int, float) and 0 <= float(str(value)) <= 1e9
    if field == "summary":
        return isinstance(value, str) and value.strip() != ""
    if field == "kept_weight":
        return type(value) in (int, float) and abs(float(str(value)) - now) < 1e-6
    if field == "lower_bound_breaks" and result.timetable["status"] != "optimal":
        return type(value) is int and 0 <= value <= now
    return type(now) is type(value) and now == value


@MANY
@given(st.data(), ANYTHING)
def test_every_changed_field_is_refused(result: Result, data: st.DataObject, value: object) -> None:
    field = data.draw(st.sampled_from(sorted(result.timetable)))
    timetable = {**result.timetable, field: value}
    assert result.refused_claim(timetable) is not still_true(result, field, value)


@MANY
@given(st.data(), ANYTHING)
def test_every_changed_field_of_an_impossible_one_is_refused(
    impossible: Result, data: st.DataObject, value: object
) -> None:
    field = data.draw(st.sampled_from(sorted(set(impossible.timetable) - {"clash", "status"})))
    timetable = {**impossible.timetable, field: value}
    assert impossible.refused_claim(timetable) is not still_true(impossible, field, value)


@MANY
@given(st.data(), ANYTHING)
def test_every_changed_field_of_a_reason_is_refused(
    impossible: Result, data: st.DataObject, value: object
) -> None:
    timetable = copy.deepcopy(impossible.timetable)
    entry = data.draw(st.sampled_from(timetable["clash"]))
    field = data.draw(st.sampled_from(sorted(entry)))
    before, entry[field] = entry[field], value
    true = isinstance(value, str) and value.strip() != "" if field == "text" else same(before, value)
    assert impossible.refused_claim(timetable) is not true


@MANY
@given(st.data(), ANYTHING)
def test_every_changed_field_of_an_appointment_is_refused(
    result: Result, data: st.DataObject, value: object
) -> None:
    timetable = copy.deepcopy(result.timetable)
    entry = data.draw(st.sampled_from(timetable["appointments"]))
    field = data.draw(st.sampled_from(sorted(entry)))
    before, entry[field] = entry[field], value
    assert result.refused_claim(timetable) is not (type(before) is type(value) and before == value)


def test_missing_and_unknown_fields_are_refused(result: Result, impossible: Result) -> None:
    for right in (result, impossible):
        told = {
            field
            for field in right.timetable
            if not right.refused_claim({k: v for k, v in right.timetable.items() if k != field})
        }
        # Not of the format's own: what the timetable does not say cannot be untrue.
        assert told == {"kept_weight"} | (set(right.timetable) & {"summary", "clash", "proven"})
        assert right.refused_claim({**right.timetable, "note": "x"})
        for i, entry in enumerate(right.timetable["appointments"]):
            for field in entry:
                fewer = copy.deepcopy(right.timetable)
                del fewer["appointments"][i][field]
                assert right.refused_claim(fewer)


def test_appointments_dropped_doubled_or_swapped_are_refused(result: Result) -> None:
    for i in range(len(result.timetable["appointments"])):
        placed = result.timetable["appointments"]
        assert result.refused_claim({**result.timetable, "appointments": placed[:i] + placed[i + 1 :]})
        assert result.refused_claim({**result.timetable, "appointments": [*placed, placed[i]]})
        for j in range(i):
            swapped = copy.deepcopy(result.timetable)
            one, two = swapped["appointments"][i], swapped["appointments"][j]
            one["id"], two["id"] = two["id"], one["id"]
            assert result.refused_claim(swapped)


@pytest.mark.parametrize("drop", [True, False], ids=["dropped", "doubled"])
def test_reasons_dropped_or_doubled_are_refused(impossible: Result, drop: bool) -> None:
    clash = impossible.timetable["clash"]
    for i in range(len(clash)):
        changed = clash[:i] + clash[i + 1 :] if drop else [*clash, clash[i]]
        assert impossible.refused_claim({**impossible.timetable, "clash": changed})


def test_partial_timetable_that_leaves_out_more_than_it_must_is_refused(impossible: Result) -> None:
    """All its figures and tables are right; it is only not the fullest there is."""
    problem = msgspec.json.decode(impossible.meeting.read_bytes(), type=MeetingProblem)
    full = schedule(problem, time_limit=20)
    for i, gone in enumerate(full.appointments):
        placed = full.appointments[:i] + full.appointments[i + 1 :]
        slots, tables = ({p.id: getattr(p, part) for p in placed} for part in ("slot", "table"))
        fewer = msgspec.structs.replace(
            full,
            appointments=placed,
            left_out=(*full.left_out, gone.id),
            kept_weight=scaled_kept(problem, slots) / 1_000_000,
            breaks=total_breaks(problem, slots),
            idle_slots=total_idle(problem, slots),
            table_changes=table_changes(problem, slots, tables),
            lower_bound_breaks=0,
        )
        write_timetable(impossible.out, problem, fewer, language="zh")
        try:
            report = verify_timetable(impossible.meeting, impossible.out)
        finally:
            for name, content in impossible.files.items():
                (impossible.out / name).write_text(content, encoding="utf-8")
        assert report.wrong != ()
        if brute.allowed(problem, slots):
            assert [text.text for text in report.wrong] == [
                "没有尽量排满：有一个方案排上 {placed} 场（{plan}）。"
            ]


CELL = st.one_of(
    st.text(max_size=3),
    st.sampled_from(["1", "01", " 1", "1.0", "m1", "m9", "b1", "s2", "buyer", "东于村", "-1"]),
)


@MANY
@given(st.data(), st.sampled_from(["by_participant.csv", "by_slot.csv"]), CELL)
def test_every_changed_cell_is_refused(result: Result, data: st.DataObject, name: str, value: str) -> None:
    rows = result.rows(name)
    row = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, len(rows[0]) - 1))
    before, rows[row][column] = rows[row][column], value
    assert result.refused_rows(name, rows) is (before != value)


@pytest.mark.parametrize(
    ("name", "columns"), [("by_participant.csv", BY_PARTICIPANT), ("by_slot.csv", BY_SLOT)]
)
def test_rows_and_columns_dropped_or_added_are_refused(
    result: Result, name: str, columns: tuple[str, ...]
) -> None:
    rows = result.rows(name)
    assert tuple(rows[0]) == columns
    for i in range(len(rows)):
        assert result.refused_rows(name, rows[:i] + rows[i + 1 :])
        assert result.refused_rows(name, [*rows, rows[i]])
    for k in range(len(columns)):
        assert result.refused_rows(name, [row[:k] + row[k + 1 :] for row in rows])
        assert result.refused_rows(name, [[*row, row[k]] for row in rows])
    assert not result.refused_rows(name, [row[::-1] for row in rows])


@pytest.mark.parametrize("name", ["by_participant.csv", "by_slot.csv", "timetable.json"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"\x00", b"[]", b'"', b"{}", b"[" * 50_000])
def test_rubbish_in_the_place_of_a_file_is_refused(result: Result, name: str, content: bytes) -> None:
    assert result.refused(name, content)


def test_missing_file_is_refused(result: Result) -> None:
    for name, content in result.files.items():
        (result.out / name).unlink()
        try:
            assert verify_timetable(result.meeting, result.out).wrong != ()
        except Invalid:
            assert name == "timetable.json"
        finally:
            (result.out / name).write_text(content, encoding="utf-8")


def test_checker_shares_no_code_with_the_scheduler() -> None:
    """What it imports of this product are errors, words, how a helper process is begun, and itself."""
    folder = Path(verify.__file__).parent
    imported = {
        name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [])
        if name is not None and name.startswith("market")
    }
    own = {f"market.meetings.checker.{path.stem}" for path in folder.glob("*.py")}
    assert imported - own == {"market.errors", "market.forked", "market.i18n"}


@pytest.mark.parametrize(
    "proven",
    [
        [],
        ["kept_weight"],
        ["breaks", "kept_weight", "idle_slots", "table_changes"],
        ["kept_weight", "breaks", "idle_slots", "table_changes", "table_changes"],
        ["kept_weight", "kept_weight"],
        ["beauty"],
        "kept_weight",
    ],
)
def test_levels_that_an_optimum_does_not_have_are_refused(result: Result, proven: object) -> None:
    assert result.timetable["status"] == "optimal"
    assert result.refused_claim({**result.timetable, "proven": proven})


def test_a_level_that_is_not_the_best_is_refused(result: Result) -> None:
    """Feasible, but its table changes are said to be the fewest: that is what optimal means."""
    timetable = {**result.timetable, "status": "feasible"}
    assert result.refused_claim(timetable)
    assert not result.refused_claim({**timetable, "proven": ["kept_weight", "breaks"]})
