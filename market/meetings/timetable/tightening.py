"""Fewer breaks for a timetable whose appointments are chosen.

The constraint model decides which appointments stay; with those settled, the search and proof of ``race``
find in a second what the model would need minutes for. What they prove holds for these appointments alone.
"""

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from market.meetings.timetable.board import slots_of
from market.meetings.timetable.constraints import constraints, domains
from market.meetings.timetable.kempe import IDLE
from market.meetings.timetable.problem import MeetingProblem, total_breaks, total_idle
from market.meetings.timetable.race import race
from market.meetings.timetable.run import Run
from market.meetings.timetable.search import Search

#: Of the time that is left, what this may take.
_PART = 0.35
#: Seconds below which it is not begun.
_WORTH = 0.1

#: Appointment -> slot.
Slots = Mapping[str, int]


def tightened(problem: MeetingProblem, run: Run) -> Callable[[Slots], dict[str, int]]:
    """Return what turns a plan that keeps the rules into one of the same weight, with no more breaks.

    Appointments without weight stay or go, whichever is better.
    """

    def go_on(plan: Slots) -> dict[str, int]:
        idle_weights = {
            item.id for item in problem.appointments if item.optional and not item.scaled_weight
        } & plan.keys()
        choices = [dict(plan)]
        if idle_weights:
            choices.append({m: t for m, t in plan.items() if m not in idle_weights})
        seconds = run.left * _PART / len(choices)
        if seconds < _WORTH:
            return dict(plan)
        better = [_raced(problem, choice, run, seconds) for choice in choices]
        return min([dict(plan), *better], key=lambda slots: _score(problem, slots))

    return go_on


def _score(problem: MeetingProblem, slots: Slots) -> tuple[int, int]:
    return total_breaks(problem, slots), total_idle(problem, slots)


def _raced(problem: MeetingProblem, plan: Slots, run: Run, seconds: float) -> dict[str, int]:
    alone = _only(problem, plan)
    suits = domains(alone, constraints(alone))
    search = Search(alone, suits, seed=run.seed, home={})
    breaks, idle = _score(alone, plan)
    search.start_over(slots_of(alone, plan), breaks + IDLE * idle)
    raced = race(
        alone, suits, search, Run(time_limit=seconds, threads=run.threads, seed=run.seed, progress=None)
    )
    return dict(plan) if raced.plan is None else raced.plan


def _only(problem: MeetingProblem, plan: Slots) -> MeetingProblem:
    """Return the meeting of the appointments in ``plan`` alone, all of which must take place."""
    return replace(
        problem,
        appointments=tuple(
            replace(item, optional=False, after=tuple(m for m in item.after if m in plan))
            for item in problem.appointments
            if item.id in plan
        ),
    )
