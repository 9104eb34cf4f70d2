"""Why a meeting cannot be laid: a smallest set of labelled constraints that clash.

First a set that clashes and of which none can be spared (by counting, or else by deletion), then one with
the fewest members by implicit hitting sets: Ignatiev, Previti, Liffiton and Marques-Silva, "Smallest MUS
extraction with minimal hitting set dualization" (CP 2015).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ortools.sat.python import cp_model

from market.i18n import Message, msg
from market.meetings.timetable.constraints import Constraint
from market.meetings.timetable.overfull import counted_clash
from market.meetings.timetable.problem import MeetingProblem, forced_breaks, free_runs
from market.meetings.timetable.prove import Model

#: The literals of one question to the solver are decided within this many seconds or count as unknown.
_QUESTION = 10.0
#: Above so many places of appointments the model is not built where counting has named a clash.
_MOST_PLACES = 6_000
#: Places a second that the labelled model is built from, and handed to the solver, on a slow machine.
_PACE = 10_000


class _Oracle:
    """Answers whether some of the constraints can be kept together."""

    def __init__(
        self, problem: MeetingProblem, rules: Sequence[Constraint], seed: int, left: Callable[[], float]
    ) -> None:
        self.left = left
        self._rules = rules
        self._model = Model(problem, rules, threads=1, seed=seed, labelled=True)
        self._index = {v.index: i for i, v in enumerate(self._model.literals)}
        #: A plan that keeps all that was last asked about, where there is one.
        self.plan: dict[str, int] | None = None

    def _ask(self) -> cp_model.CpSolverStatus:
        self._model.solver.parameters.max_time_in_seconds = max(0.1, min(_QUESTION, self.left()))
        return self._model.solver.solve(self._model.model)

    def clashing(self, chosen: Iterable[int]) -> set[int] | None:
        """Return those of ``chosen`` that already clash, or None if all can be kept (or nobody knows)."""
        cp = self._model.model
        cp.clear_objective()  # type: ignore[no-untyped-call]
        cp.clear_assumptions()
        cp.add_assumptions([self._model.literals[i] for i in chosen])
        status = self._ask()
        self.plan = self._model.plan() if status in (cp_model.OPTIMAL, cp_model.FEASIBLE) else None
        if status != cp_model.INFEASIBLE:
            return None
        core = self._model.solver.sufficient_assumptions_for_infeasibility()
        return {self._index[v] for v in core}

    def dropped(self, chosen: Iterable[int]) -> set[int] | None:
        """Return the fewest constraints to give up so that ``chosen`` can all be kept; None: unknown."""
        cp = self._model.model
        cp.clear_assumptions()
        cp.add_assumptions([self._model.literals[i] for i in chosen])
        cp.maximize(sum(self._model.literals))
        status = self._ask()
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None
        return {i for i, v in enumerate(self._model.literals) if not self._model.solver.boolean_value(v)}


class Clashing(NamedTuple):
    """Constraints that clash, whether no smaller set does, and a plan where all can be kept after all."""

    rules: list[Constraint]
    smallest: bool = False
    plan: dict[str, int] | None = None


def smallest_clash(
    problem: MeetingProblem,
    rules: Sequence[Constraint],
    *,
    seed: int,
    left: Callable[[], float],
    patience: float = math.inf,
) -> Clashing:
    """Return constraints that clash, none of which can be spared.

    ``left`` tells the seconds that are left, ``patience`` is how many of them a still smaller set is worth.
    The set is in table order; empty: none was found in time, or there is not even the time to ask.
    """
    counted = counted_clash(problem, rules)
    places = len(problem.appointments) * problem.slots
    if (counted and places > _MOST_PLACES) or places > _PACE * left():
        return Clashing(counted)

    oracle = _Oracle(problem, rules, seed, left)
    place = {id(rule): i for i, rule in enumerate(rules)}
    core: set[int] | None = {place[id(rule)] for rule in counted} or oracle.clashing(range(len(rules)))
    if core is None:
        return Clashing([], plan=oracle.plan)
    # Wide constraints go last: what remains should speak of as few parties as possible.
    for i in sorted(core, key=lambda i: (rules[i].kind == "keep", -len(rules[i].rows))):
        if counted:
            break
        if left() <= 0:
            # one of them might be spared: better say nothing than too much
            return Clashing([])
        if i in core:
            smaller = oracle.clashing(sorted(core - {i}))
            if smaller is not None:
                core = smaller
    corrections: list[set[int]] = []
    smallest = False
    kept = left() - patience
    oracle.left = lambda: min(left(), left() - kept)
    while oracle.left() > 0:
        hitting = _hitting(corrections, len(rules), seed)
        if len(hitting) >= len(core):
            smallest = True
            break
        smaller = oracle.clashing(sorted(hitting))
        if smaller is not None:
            core, smallest = smaller, True
            break
        correction = oracle.dropped(sorted(hitting))
        if not correction:
            break
        corrections.append(correction)
    return Clashing([rules[i] for i in sorted(core)], smallest)


def _hitting(sets: Sequence[set[int]], size: int, seed: int) -> set[int]:
    """Return the fewest numbers below ``size`` of which each set holds one."""
    if not sets:
        return set()
    cp = cp_model.CpModel()
    chosen = [cp.new_bool_var(f"chosen_{i}") for i in range(size)]
    for members in sets:
        cp.add_bool_or([chosen[i] for i in sorted(members)])
    cp.minimize(sum(chosen))
    solver = cp_model.CpSolver()
    solver.parameters.catch_sigint_signal = False
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed % 2_147_483_647
    solver.solve(cp)
    return {i for i, v in enumerate(chosen) if solver.boolean_value(v)}


def summary(problem: MeetingProblem, clash: Sequence[Constraint], *, known: bool) -> Message:
    """Say in one sentence what clashes; ``known``: it is proven that something does."""
    if not clash and known:
        return msg("已证明必须安排的洽谈排不下，但在时限内没有找出缘由；请放宽时限再试。")
    if not clash:
        return msg("在时限内没有排满，也没有证明排不下；请放宽时限再试。")
    required = sum(not item.optional for item in problem.appointments)
    keeps = [rule for rule in clash if rule.kind == "keep"]
    others = [rule for rule in clash if rule.kind != "keep"]
    kinds = {rule.kind for rule in others}
    if others and kinds <= {"one_at_a_time", "unavailable"} and len({r.participants for r in others}) == 1:
        person = next(p for p in problem.participants if (p.id,) == others[0].participants)
        free = problem.slots - len(set(person.unavailable))
        booked = sum(not item.optional and person.id in (item.a, item.b) for item in problem.appointments)
        if booked > free:
            return msg(
                "{who}只有 {free} 个空闲时段，却有 {booked} 场洽谈",
                who=person.title,
                free=free,
                booked=booked,
            )
    if (
        kinds == {"fairness", "one_at_a_time", "unavailable"}
        and len({r.participants for r in others if r.participants}) == 1
    ):
        who = next(r.participants[0] for r in others if r.participants)
        person = next(p for p in problem.participants if p.id == who)
        return msg(
            "{who}的空闲时段断成 {runs} 段，{booked} 场洽谈至少有 {breaks} 次空档，"
            "而任何两家最多相差 {most} 次",
            who=person.title,
            runs=len(free_runs(problem, person)),
            booked=sum(not item.optional and who in (item.a, item.b) for item in problem.appointments),
            breaks=forced_breaks(problem)[who],
            most=problem.fairness or 0,
        )
    if kinds == {"max_appointments"} and len(others) == 1:
        person = next(p for p in problem.participants if (p.id,) == others[0].participants)
        booked = sum(not item.optional and person.id in (item.a, item.b) for item in problem.appointments)
        return msg(
            "{who}最多谈 {most} 场，却有 {booked} 场必须安排的洽谈",
            who=person.title,
            most=person.max_appointments or 0,
            booked=booked,
        )
    if kinds == {"tables"}:
        return msg(
            "{slots} 个时段、每个时段 {tables} 张桌，排不下 {booked} 场必须安排的洽谈",
            slots=problem.slots,
            tables=problem.tables,
            booked=required,
        )
    if not others and not problem.slots:
        return msg("对接会没有时段，却有 {booked} 场必须安排的洽谈", booked=required)
    if len(others) == 1 and others[0].kind == "own_table":
        return others[0].text
    return msg(
        "{count} 场必须安排的洽谈与另外 {others} 条要求不能同时满足", count=len(keeps), others=len(others)
    )
