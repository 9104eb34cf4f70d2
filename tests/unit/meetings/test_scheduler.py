from collections import Counter
from itertools import combinations
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.fairs import fair
from market.errors import Invalid
from market.meetings.timetable import search as search_module
from market.meetings.timetable.clash import smallest_clash, summary
from market.meetings.timetable.constraints import broken, constraints, domains, trimmed
from market.meetings.timetable.problem import (
    LEVELS,
    Appointment,
    MeetingProblem,
    Participant,
    Placed,
    Timetable,
    forced_breaks,
)
from market.meetings.timetable.prove import Model
from market.meetings.timetable.scheduler import schedule
from market.meetings.timetable.search import Search
from market.meetings.timetable.thinning import thin
from tests.unit.meetings import brute
from tests.unit.meetings.drawn import TINY


@st.composite
def meetings(draw: st.DrawFn, *, optional: bool = True) -> MeetingProblem:
    slots = draw(st.integers(2, 4))
    tables = draw(st.integers(1, 2))
    slot = st.integers(1, slots)
    people = tuple(
        Participant(
            f"p{i}",
            f"甲{i}",
            unavailable=tuple(draw(st.lists(slot, max_size=2))),
            max_appointments=draw(st.sampled_from([None, None, None, 1, 2])),
            table=draw(st.sampled_from([None, None, None, *range(1, tables + 1)])),
        )
        for i in range(4)
    )
    pairs = draw(st.lists(st.sampled_from(list(combinations(range(4), 2))), max_size=4))
    items = tuple(
        Appointment(
            f"m{i}",
            f"p{a}",
            f"p{b}",
            half=draw(st.sampled_from(["any", "any", "morning", "afternoon"])),
            slot=draw(st.sampled_from([None, None, None, 1, slots])),
            after=tuple(draw(st.lists(st.sampled_from([f"m{j}" for j in range(len(pairs))]), max_size=1)))
            if draw(st.booleans())
            else (),
            weight=draw(st.sampled_from([1, 2, 0.5, 0])),
            optional=optional and draw(st.booleans()),
        )
        for i, (a, b) in enumerate(pairs)
    )
    fairness = draw(st.sampled_from([None, 0, 1, 2]))
    return MeetingProblem(slots, tables, people, items, slots // 2, fairness)


def score(problem: MeetingProblem, timetable: Timetable) -> brute.Score:
    lost = sum(item.scaled_weight for item in problem.appointments if item.id in timetable.left_out)
    return lost, timetable.breaks, timetable.idle_slots, timetable.table_changes


@TINY
@given(meetings())
def test_timetable_equals_exhaustive_search(problem: MeetingProblem) -> None:
    timetable = schedule(problem, time_limit=20)
    expected = brute.best(problem)
    if expected is None:
        assert timetable.status == "infeasible"
        assert timetable.left_out != ()
    else:
        assert timetable.status == "optimal"
        assert score(problem, timetable) == expected
        assert timetable.lower_bound_breaks == timetable.breaks
        slots = {p.id: p.slot for p in timetable.appointments}
        assert broken(problem, constraints(problem), slots) == []


@TINY
@given(meetings(optional=False))
def test_clash_is_a_smallest_set(problem: MeetingProblem) -> None:
    rules = constraints(problem)
    clash, smallest, plan = smallest_clash(problem, rules, seed=0, left=lambda: 60.0)

    def possible(chosen: list[int]) -> bool:
        model = Model(problem, rules, threads=1, seed=0, labelled=True)
        model.model.add_assumptions([model.literals[i] for i in chosen])
        return not model.minimise(0, seconds=10).impossible

    if brute.best(problem) is not None:
        assert clash == []
        assert plan is not None
        assert broken(problem, rules, plan) == []
        return
    assert (smallest, plan) == (True, None)
    assert clash != []
    indices = [rules.index(rule) for rule in clash]
    assert not possible(indices)
    for i in indices:
        assert possible([j for j in indices if j != i])


@TINY
@given(meetings(), st.permutations(range(4)))
def test_optimum_does_not_depend_on_names_or_order(problem: MeetingProblem, order: list[int]) -> None:
    new = {f"p{i}": f"q{order[i]}" for i in range(4)}
    relabelled = MeetingProblem(
        problem.slots,
        problem.tables,
        tuple(
            Participant(
                new[problem.participants[i].id],
                "乙",
                unavailable=problem.participants[i].unavailable,
                max_appointments=problem.participants[i].max_appointments,
                table=problem.participants[i].table,
            )
            for i in order
        ),
        tuple(
            Appointment(m.id, new[m.b], new[m.a], m.half, m.slot, m.after, m.weight, m.optional)
            for m in reversed(problem.appointments)
        ),
        problem.half_day_after,
        problem.fairness,
    )
    one, two = schedule(problem, time_limit=20), schedule(relabelled, time_limit=20, seed=7)
    assert one.status == two.status
    if one.status == "optimal":
        assert score(problem, one) == score(relabelled, two)
    else:
        assert len(one.left_out) == len(two.left_out)
        assert one.kept_weight == two.kept_weight


def buyer(n: int, **more: object) -> MeetingProblem:
    """Return one buyer with ``n`` sellers in 4 slots."""
    people = [Participant("b", "中兴", "buyer", **more)]  # type: ignore[arg-type]
    people += [Participant(f"s{i}", f"合作社{i}", "seller") for i in range(n)]
    return MeetingProblem(
        4, 3, tuple(people), tuple(Appointment(f"m{i}", "b", f"s{i}") for i in range(n)), 2, 2
    )


def crowded(optional: dict[int, float]) -> MeetingProblem:
    """Return a full day of 90 talks; those in ``optional`` may go, at the loss of their weight."""
    dice = Random(2)
    sellers = tuple(
        Participant(f"s{i}", "村", unavailable=tuple(dice.sample(range(1, 13), 2))) for i in range(12)
    )
    pairs = [(a, b) for a in range(10) for b in range(12)]
    dice.shuffle(pairs)
    taken: Counter[str] = Counter()
    talks: list[Appointment] = []
    for a, b in pairs:
        if taken[f"b{a}"] < 9 and taken[f"s{b}"] < 8 and len(talks) < 90:
            taken.update((f"b{a}", f"s{b}"))
            n = len(talks)
            talks.append(
                Appointment(f"m{n}", f"b{a}", f"s{b}", optional=n in optional, weight=optional.get(n, 1))
            )
    return MeetingProblem(
        12, 9, (*(Participant(f"b{i}", "超市") for i in range(10)), *sellers), tuple(talks), fairness=1
    )


def test_an_appointment_without_weight_does_not_make_a_worse_timetable() -> None:
    """The model alone ends at 36 breaks after ten seconds, and calls it impossible after three."""
    timetable = schedule(crowded({0: 0}), time_limit=6, threads=1)
    assert timetable.status == "feasible"
    assert set(timetable.left_out) <= {"m0"}
    assert timetable.breaks <= 12


def test_what_is_only_short_of_time_is_not_called_impossible() -> None:
    meeting = crowded({0: 0})
    timetable = schedule(meeting, time_limit=0.3, threads=1)
    if timetable.status == "infeasible":
        # it says so itself: neither laid nor proven
        assert timetable.clash == ()
        assert set(timetable.left_out) - {"m0"}
    else:
        assert set(timetable.left_out) <= {"m0"}


@pytest.mark.parametrize("wished", [0, 40])
def test_a_possible_meeting_is_laid_fairly_however_short_the_time(wished: int) -> None:
    """Also with more to choose from than there are seats, whatever then has to be left out."""
    day = fair(buyers=20, sellers=40, slots=10, appointments=140, tables=15, fairness=2)
    pairs = [(item.a, item.b) for item in day.appointments[:wished]]
    more = tuple(Appointment(f"w{i}", a, b, optional=True) for i, (a, b) in enumerate(pairs))
    day = msgspec.structs.replace(day, appointments=(*day.appointments, *more))
    timetable = schedule(day, time_limit=0.001)
    assert timetable.status == "feasible"
    assert all(left.startswith("w") for left in timetable.left_out)
    assert broken(day, constraints(day), {p.id: p.slot for p in timetable.appointments}) == []


def test_of_a_meeting_that_is_not_laid_fairly_in_time_little_is_left_out() -> None:
    """Taking out who waits the most left 60 of these 220 talks: each loss makes others wait."""
    day = fair(buyers=20, sellers=40, slots=14, appointments=220, tables=18, absence=0.0, fairness=0)
    rules = constraints(day)
    search = Search(day, domains(day, rules), seed=0, home={})
    assert search.build() == 0
    assert len(trimmed(day, rules, search.plan)) < 110
    thin(search, seconds=0.4)
    assert len(search.plan) > 180
    assert [rule.kind for rule in broken(day, rules, search.plan) if rule.kind != "keep"] == []


def test_out_of_time_the_fair_part_is_looked_for_on_the_board_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each plan that is taken along the way costs a thousand companies a twentieth of a second."""
    day = fair(buyers=20, sellers=40, slots=14, appointments=220, tables=18, absence=0.0, fairness=0)
    rules = constraints(day)
    search = Search(day, domains(day, rules), seed=0, home={})
    search.build()
    taken: list[int] = []
    settle = search.settle
    monkeypatch.setattr(search, "settle", lambda *, shares: (taken.append(shares), settle(shares=shares)))
    thin(search, seconds=0.0)
    assert len(taken) == 1
    assert search.plan
    assert [rule.kind for rule in broken(day, rules, search.plan) if rule.kind != "keep"] == []


def test_out_of_time_no_bound_by_patterns_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: object, **options: object) -> None:
        raise AssertionError("begun without time")

    monkeypatch.setattr("market.meetings.timetable.race.PatternBound", never)
    day = fair(buyers=20, sellers=40, slots=10, appointments=140, tables=15)
    assert schedule(day, time_limit=0.0001).status == "feasible"


def test_construction_looks_at_the_clock_where_not_all_can_be_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand companies with a few talks too many were turned over for half a minute."""
    day = fair(buyers=60, sellers=240, slots=20, appointments=900, tables=40)
    efforts: list[int] = []

    def counted(waiting: object, weight: object, effort: int, *rest: object) -> object:
        efforts.append(effort)
        return fill(waiting, weight, effort, *rest)

    fill = search_module.fill
    monkeypatch.setattr(search_module, "fill", counted)
    search = Search(day, domains(day, constraints(day)), seed=0, home={})
    assert search.build(patience=0.0) == 100
    assert len(efforts) == 1
    assert efforts[0] < 3_000


def test_out_of_time_no_model_is_built_and_what_calendars_force_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A model of 600 talks takes seconds to build, whatever the time limit is."""
    day = fair(buyers=20, sellers=40, slots=14, appointments=200, absence=0.15, seed=2, fairness=None)
    before = schedule(day, time_limit=0.001)

    def never(*args: object, **options: object) -> None:
        raise AssertionError("built without time")

    monkeypatch.setattr("market.meetings.timetable.levels.Model", never)
    after = schedule(day, time_limit=0.001, keep=before)
    assert (after.status, after.moved, after.left_out) == ("feasible", 0, ())
    assert 0 < after.lower_bound_breaks == sum(forced_breaks(day).values())


def test_the_smallest_clash_is_named_however_short_the_time() -> None:
    """Four appointments are one too many for three slots; that one of them has no slot at all is shorter."""
    items = [Appointment(f"m{i}", "b1", f"s{i}") for i in range(4)]
    items[1] = msgspec.structs.replace(items[1], half="afternoon")
    people = (Participant("b1", "甲"), *(Participant(f"s{i}", f"乙{i}") for i in range(4)))
    day = MeetingProblem(3, 3, people, tuple(items), half_day_after=3)
    timetable = schedule(day, time_limit=0.001)
    assert [clash.kind for clash in timetable.clash] == ["keep", "half"]


def test_no_model_is_built_for_a_clash_that_there_is_no_time_to_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand companies it takes many seconds. What is known is said, and no more."""
    day = fair(buyers=60, sellers=240, slots=20, appointments=900, tables=60, absence=0.0)

    def never(*args: object, **options: object) -> None:
        raise AssertionError("built for nothing")

    monkeypatch.setattr("market.meetings.timetable.clash.Model", never)
    assert smallest_clash(day, constraints(day), seed=0, left=lambda: 1.0) == ([], False, None)
    assert "没有证明排不下" in str(summary(day, [], known=False))
    assert "已证明" in str(summary(day, [], known=True))


def test_two_who_talk_again_at_once_save_a_change_each() -> None:
    """Of the timetables without breaks one has no change at all: p0's own table serves both talks with p1."""
    meeting = MeetingProblem(
        4,
        3,
        (Participant("p0", "村", table=3), *(Participant(f"p{i}", "超市") for i in (1, 2, 3))),
        (
            Appointment("m0", "p2", "p3"),
            Appointment("m1", "p0", "p1"),
            Appointment("m2", "p2", "p1"),
            Appointment("m3", "p1", "p0"),
        ),
        fairness=0,
    )
    timetable = schedule(meeting, time_limit=10)
    assert (timetable.status, timetable.table_changes) == ("optimal", 0)


def test_moves_that_cost_nothing_leave_the_bound_to_the_breaks() -> None:
    meeting = MeetingProblem(
        4,
        2,
        (Participant("a", "村", unavailable=(2,)), Participant("b", "超市"), Participant("c", "超市")),
        (
            Appointment("m", "a", "b", slot=1),
            Appointment("n", "a", "c", slot=4),
            Appointment("o", "b", "c", slot=4, optional=True),
        ),
    )
    before = schedule(meeting, time_limit=10)
    after = schedule(meeting, time_limit=10, keep=before, penalty=0)
    assert after.status == "optimal"
    assert after.lower_bound_breaks == after.breaks == 1


def test_overbooked_buyer_is_named_in_plain_words() -> None:
    timetable = schedule(buyer(5, unavailable=(2,)), time_limit=10)
    assert timetable.status == "infeasible"
    assert str(timetable.summary) == "采购商“中兴”只有 3 个空闲时段，却有 5 场洽谈"
    assert len(timetable.appointments) == 3
    assert len(timetable.left_out) == 2


def test_circle_of_after_is_named() -> None:
    problem = MeetingProblem(
        4,
        2,
        tuple(Participant(who, who) for who in "abcd"),
        (Appointment("m1", "a", "b", after=("m2",)), Appointment("m2", "c", "d", after=("m1",))),
    )
    timetable = schedule(problem, time_limit=10)
    assert timetable.status == "infeasible"
    assert [clash.kind for clash in timetable.clash] == ["keep", "keep", "after", "after"]
    assert len(timetable.appointments) == 1


def test_two_own_tables_cannot_meet() -> None:
    problem = MeetingProblem(
        2,
        2,
        (Participant("a", "甲", table=1), Participant("b", "乙", table=2)),
        (Appointment("m", "a", "b"),),
    )
    timetable = schedule(problem, time_limit=10)
    assert [clash.kind for clash in timetable.clash] == ["keep", "own_table"]
    assert timetable.left_out == ("m",)


def test_empty_meeting_has_an_empty_timetable() -> None:
    timetable = schedule(MeetingProblem(0, 0), time_limit=10)
    assert (timetable.status, timetable.appointments, timetable.breaks) == ("optimal", (), 0)


def test_meaningless_meeting_is_refused_with_every_place() -> None:
    problem = MeetingProblem(
        2, 1, (Participant("a", "a"), Participant("a", "b")), (Appointment("m", "a", "a", slot=3),)
    )
    with pytest.raises(Invalid) as refusal:
        schedule(problem, time_limit=1)
    assert set(refusal.value.fields) == {
        "$.participants[1].id",
        "$.appointments[0].b",
        "$.appointments[0].slot",
    }


def test_keep_moves_no_more_than_it_must() -> None:
    problem = fair(buyers=6, sellers=5, slots=6, appointments=16, seed=3, absence=0)
    before = schedule(problem, time_limit=20)
    again = schedule(problem, time_limit=20, seed=5, keep=before)
    assert (again.moved, again.appointments) == (0, before.appointments)
    hit = before.appointments[0]
    person = next(item.a for item in problem.appointments if item.id == hit.id)
    changed = MeetingProblem(
        problem.slots,
        problem.tables,
        tuple(
            Participant(p.id, p.name, p.side, unavailable=(hit.slot,)) if p.id == person else p
            for p in problem.participants
        ),
        problem.appointments,
        problem.half_day_after,
        None,
    )
    after = schedule(changed, time_limit=20, keep=before)
    assert after.status in ("optimal", "feasible")
    assert after.left_out == ()
    assert after.moved is not None
    assert 1 <= after.moved <= 3


def test_tables_that_stay_are_not_called_the_fewest_changes() -> None:
    people = tuple(Participant(who, who) for who in "abc")
    day = MeetingProblem(2, 2, people, (Appointment("m", "a", "b"), Appointment("n", "a", "c")))
    earlier = Timetable((Placed("m", 1, 1), Placed("n", 2, 2)), 0, 0, 1, 2, (), 0, "feasible", 0)
    after = schedule(day, time_limit=20, keep=earlier)
    assert (after.appointments, after.table_changes) == (earlier.appointments, 1)
    assert (after.status, after.proven) == ("feasible", LEVELS[:3])


def test_same_seed_gives_the_same_timetable() -> None:
    problem = fair(buyers=6, sellers=5, slots=6, appointments=16, seed=4)
    one, two = (schedule(problem, time_limit=20, seed=2) for _ in range(2))
    assert one.appointments == two.appointments


def test_demo_day_with_stands_is_proven_within_seconds() -> None:
    problem = fair(buyers=25, sellers=12, slots=10, appointments=60, tables=21, own_tables=1, seed=1)
    timetable = schedule(problem, time_limit=20, threads=2)
    assert timetable.status == "optimal"
    assert timetable.seconds < 20
