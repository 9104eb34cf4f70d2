"""The checker's own model against exhaustive search: false claims are refuted, true ones confirmed."""

from collections.abc import Iterator
from itertools import combinations, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from market.meetings.checker.claimed import LEVELS, Claim, Reason
from market.meetings.checker.claims import check_claims
from market.meetings.checker.clauses import ask_for_all
from market.meetings.checker.counting import broken_rules, count
from market.meetings.checker.court import Verdict
from market.meetings.checker.labels import labels
from market.meetings.checker.reading import Meeting, read_meeting
from market.meetings.timetable.problem import Appointment, MeetingProblem, Participant
from tests.unit.meetings import brute
from tests.unit.meetings.drawn import TINY, meetings


def read(problem: MeetingProblem) -> Meeting:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "meeting.json"
        path.write_bytes(msgspec.json.encode(problem))
        return read_meeting(path)


def plans(problem: MeetingProblem) -> Iterator[tuple[dict[str, int], dict[str, int]]]:
    """Yield plans that keep every rule, the required appointments placed."""
    for slots in brute.every_choice(problem):
        if all(item.optional or item.id in slots for item in problem.appointments) and brute.allowed(
            problem, slots
        ):
            yield from ((slots, tables) for tables in brute.seatings(problem, slots))


def claim(meeting: Meeting, slots: dict[str, int], tables: dict[str, int], status: str, **more: int) -> Claim:
    counted = count(meeting, slots, tables)
    return Claim(
        slots,
        tables,
        left_out=[talk for talk in meeting.talks if talk not in slots],
        status=status,
        breaks=counted.breaks,
        idle=counted.idle,
        changes=counted.changes,
        bound=more.get("bound", counted.breaks),
        kept=counted.micro / 1_000_000,
        moved=more.get("moved"),
        penalty=more.get("penalty"),
    )


def refuted(verdict: Verdict) -> bool:
    assert verdict.left_open == []
    return verdict.wrong != []


@TINY
@given(meetings(most_talks=4), st.data())
def test_optimal_is_confirmed_of_the_best_plan_alone(problem: MeetingProblem, data: st.DataObject) -> None:
    expected = brute.best(problem)
    assume(expected is not None)
    assert expected is not None
    meeting = read(problem)
    slots, tables = data.draw(st.sampled_from(list(plans(problem))))
    assert broken_rules(meeting, slots, tables) == []
    counted = count(meeting, slots, tables)
    lost = sum(talk.micro for talk in meeting.talks.values()) - counted.micro
    is_best = (lost, counted.breaks, counted.idle, counted.changes) == expected
    assert refuted(check_claims(meeting, claim(meeting, slots, tables, "optimal"))) is not is_best


@TINY
@given(meetings(most_talks=4), st.data())
def test_bound_is_confirmed_up_to_the_fewest_breaks(problem: MeetingProblem, data: st.DataObject) -> None:
    assume(brute.best(problem) is not None)
    meeting = read(problem)
    every = list(plans(problem))
    slots, tables = data.draw(st.sampled_from(every))
    mine = count(meeting, slots, tables)
    figures = [count(meeting, *plan) for plan in every]
    fewest = min(other.breaks for other in figures if other.micro >= mine.micro)
    bound = data.draw(st.integers(0, mine.breaks))
    verdict = check_claims(meeting, claim(meeting, slots, tables, "feasible", bound=bound))
    assert refuted(verdict) is (bound > fewest)


@TINY
@given(meetings(most_talks=4, optional=False), st.integers(0, 2), st.integers(0, 2))
def test_clauses_have_a_plan_where_there_is_one(problem: MeetingProblem, breaks: int, idle: int) -> None:
    """The same question as clauses, which full days are asked about."""
    meeting = read(problem)
    figures = [count(meeting, *plan) for plan in plans(problem)]
    possible = any(found.breaks <= breaks and found.idle <= idle for found in figures)
    answer = ask_for_all(meeting, breaks=breaks, idle=idle, seconds=20)
    assert answer.never is not possible
    if answer.slots is not None:
        assert broken_rules(meeting, answer.slots, None) == []
        found = count(meeting, answer.slots, {})
        assert (found.breaks <= breaks, found.idle <= idle) == (True, True)


@TINY
@given(meetings(most_talks=4), st.integers(1, 3), st.data())
def test_fewest_moves_are_confirmed_of_the_best_replan_alone(
    problem: MeetingProblem, penalty: int, data: st.DataObject
) -> None:
    assume(brute.best(problem) is not None)
    meeting = read(problem)
    slots, tables = data.draw(st.sampled_from(list(plans(problem))))
    ids = list(meeting.talks)
    home = data.draw(st.dictionaries(st.sampled_from(ids), st.integers(1, problem.slots))) if ids else {}
    expected = brute.best(problem, home=home, penalty=penalty)
    assert expected is not None
    counted = count(meeting, slots, tables)
    moved = sum(slots[talk] != t for talk, t in home.items() if talk in slots)
    lost = sum(talk.micro for talk in meeting.talks.values()) - counted.micro
    reached = (lost, counted.breaks + penalty * moved, counted.idle, counted.changes)
    replan = claim(meeting, slots, tables, "optimal", moved=moved, penalty=penalty, bound=0)
    verdict = check_claims(meeting, replan, home=home)
    assert refuted(verdict) is (reached != expected)
    # of one that is not said to be the best, only what is said to be proven is tried
    replan.status = "feasible"
    for levels in range(4):
        replan.proven = LEVELS[:levels]
        assert refuted(check_claims(meeting, replan, home=home)) is (reached[:levels] != expected[:levels])
    unknown = check_claims(meeting, replan)
    assert (unknown.wrong, len(unknown.left_open)) == ([], 1)


def test_tables_that_stay_are_no_excuse_for_more_changes_than_are_claimed() -> None:
    people = tuple(Participant(who, who) for who in "abc")
    meeting = read(MeetingProblem(2, 2, people, (Appointment("m", "a", "b"), Appointment("n", "a", "c"))))
    slots = {"m": 1, "n": 2}
    for table, wrong in ((1, False), (2, True)):
        replan = claim(meeting, slots, {"m": 1, "n": table}, "optimal", moved=0, penalty=1, bound=0)
        assert refuted(check_claims(meeting, replan, home=slots)) is wrong


def partial_plans(problem: MeetingProblem) -> Iterator[tuple[dict[str, int], dict[str, int]]]:
    """Yield plans that keep every rule, whatever they leave out; one way to seat each is enough."""
    for slots in brute.every_choice(problem):
        if brute.allowed(problem, slots):
            yield from ((slots, tables) for tables in islice(brute.seatings(problem, slots), 1))


def placed(meeting: Meeting, slots: dict[str, int]) -> tuple[int, int]:
    """Return how many required appointments are placed, and how much weight in all."""
    return sum(talk in slots for talk in meeting.required()), sum(meeting.talks[t].micro for t in slots)


@TINY
@given(meetings(most_talks=4), st.data())
def test_infeasible_without_a_reason_is_told_from_feasible(
    problem: MeetingProblem, data: st.DataObject
) -> None:
    meeting = read(problem)
    every = list(partial_plans(problem))
    slots, tables = data.draw(st.sampled_from(every))
    assume(any(talk not in slots for talk in meeting.required()))
    mine = placed(meeting, slots)
    others = [placed(meeting, other) for other, _ in every]
    fuller = any(other != mine and other[0] >= mine[0] and other[1] >= mine[1] for other in others)
    verdict = check_claims(meeting, claim(meeting, slots, tables, "infeasible", bound=0))
    assert (verdict.wrong != []) is (fuller or brute.best(problem) is not None)
    assert len(verdict.left_open) == 1


def _as_label(reason: Reason) -> brute.Label:
    return reason.kind, frozenset(reason.participants), reason.appointments


@TINY
@given(meetings(most_talks=3, optional=False), st.data())
def test_clash_is_confirmed_of_a_smallest_set_alone(problem: MeetingProblem, data: st.DataObject) -> None:
    assume(brute.best(problem) is None)
    meeting = read(problem)
    every = labels(meeting)
    size = brute.smallest_clash(problem)
    smallest = [
        list(chosen) for chosen in combinations(every, size) if brute.clashes(problem, map(_as_label, chosen))
    ]
    assert smallest != []
    some = data.draw(
        st.one_of(
            st.sampled_from(smallest), st.lists(st.sampled_from(every), unique=True, min_size=1, max_size=5)
        )
    )
    slots, tables = max(partial_plans(problem), key=lambda plan: placed(meeting, plan[0]))
    impossible = claim(meeting, slots, tables, "infeasible", bound=0)
    impossible.clash = some
    right = len(some) == size and brute.clashes(problem, map(_as_label, some))
    assert refuted(check_claims(meeting, impossible)) is not right


def test_labels_are_those_of_the_meeting() -> None:
    meeting = read(MeetingProblem(0, 0))
    assert labels(meeting) == []
    strange = claim(meeting, {}, {}, "infeasible")
    strange.clash = [Reason("tables", (), ()), Reason("tables", (), ())]
    assert len(check_claims(meeting, strange).wrong) == 3
