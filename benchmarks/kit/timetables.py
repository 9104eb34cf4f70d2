"""What timetables are measured against: the first common free slot, and plain CP-SAT."""

from time import perf_counter
from typing import Any

from ortools.sat.python import cp_model

from market.meetings.timetable.constraints import constraints, domains
from market.meetings.timetable.problem import MeetingProblem, total_breaks


def first_common_slot(meeting: MeetingProblem) -> dict[str, Any]:
    """Place each appointment in the first slot that is free for both, as common tools' quick schedules do."""
    start = perf_counter()
    taken = {person.id: set(person.unavailable) for person in meeting.participants}
    load = [0] * (meeting.slots + 1)
    plan: dict[str, int] = {}
    for item, domain in zip(meeting.appointments, domains(meeting, constraints(meeting)), strict=True):
        for t in domain:
            after = all(plan.get(q, meeting.slots) < t for q in item.after)
            if t not in taken[item.a] and t not in taken[item.b] and load[t] < meeting.tables and after:
                taken[item.a].add(t)
                taken[item.b].add(t)
                load[t] += 1
                plan[item.id] = t
                break
    return {
        "left_out": len(meeting.appointments) - len(plan),
        "breaks": total_breaks(meeting, plan),
        "seconds": perf_counter() - start,
    }


def plain_cp_sat(meeting: MeetingProblem, *, seconds: float, threads: int) -> dict[str, Any]:
    """Give the problem to CP-SAT as one writes it down first: who is where, and where breaks end."""
    start = perf_counter()
    model = cp_model.CpModel()
    at = {
        (m, t): model.new_bool_var("")
        for m, domain in enumerate(domains(meeting, constraints(meeting)))
        for t in domain
    }
    slots = range(1, meeting.slots + 1)
    for m in range(len(meeting.appointments)):
        model.add_exactly_one(at[m, t] for t in slots if (m, t) in at)
    for t in slots:
        model.add(sum(v for (_, u), v in at.items() if u == t) <= meeting.tables)
    number = {item.id: m for m, item in enumerate(meeting.appointments)}
    when = [sum(t * at[m, t] for t in slots if (m, t) in at) for m in range(len(meeting.appointments))]
    for m, item in enumerate(meeting.appointments):
        for q in item.after:
            model.add(when[number[q]] < when[m])
    breaks: list[Any] = []
    for person in meeting.participants:
        mine = [m for m, item in enumerate(meeting.appointments) if person.id in (item.a, item.b)]
        ends: list[Any] = []
        before: Any = None
        for t in slots:
            busy = model.new_bool_var("")
            model.add(sum(at[m, t] for m in mine if (m, t) in at) == busy)
            begins = model.new_bool_var("")
            model.add(begins >= busy - (0 if before is None else before))
            ends.append(begins)
            before = busy
        if len(mine) > 1:
            breaks.append(sum(ends) - 1)
            if meeting.fairness is not None:
                model.add(breaks[-1] <= meeting.fairness)
    model.minimize(sum(breaks))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = threads
    status = solver.solve(model)
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    return {
        "status": solver.status_name(status).lower(),
        "breaks": round(solver.objective_value) if found else None,
        "bound": max(0, round(solver.best_objective_bound)) if status != cp_model.INFEASIBLE else None,
        "seconds": perf_counter() - start,
    }
