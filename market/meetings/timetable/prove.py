"""The constraint model behind a timetable's proof: kept weight, breaks, idle slots, by CP-SAT.

Each level of the objective is solved with the levels above it held at their optimum. A level that
runs out of time leaves a bound; the ones below it are then only improved, not proven.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from ortools.sat.python import cp_model

from market.meetings.timetable.constraints import Atom, Constraint, at, domains
from market.meetings.timetable.problem import (
    MeetingProblem,
    slots_by_participant,
)

#: What a level minimises.
Expression = cp_model.LinearExpr | cp_model.IntVar | int


def add_up(terms: Iterable[Expression]) -> cp_model.LinearExpr:
    """Add up terms; the type of an empty sum too is an expression."""
    return cp_model.LinearExpr.sum(list(terms))


class Level(Struct, frozen=True):
    """What one level of the objective ended with. ``bound`` holds for whatever the level minimises."""

    slots: dict[str, int] | None
    value: int
    bound: int
    proven: bool
    impossible: bool = False


class Model:
    """Appointments over slots as a CP-SAT model, with every constraint posted.

    With ``labelled`` each constraint holds only under a literal of its own, for clash analysis.
    """

    def __init__(
        self,
        problem: MeetingProblem,
        rules: Iterable[Constraint],
        *,
        threads: int,
        seed: int,
        labelled: bool = False,
    ) -> None:
        self.problem = problem
        self.rules = list(rules)
        self.model = cp_model.CpModel()
        self.solver = cp_model.CpSolver()
        # Ctrl-C is for whoever called
        self.solver.parameters.catch_sigint_signal = False
        self.solver.parameters.num_workers = threads
        self.solver.parameters.random_seed = seed % 2_147_483_647
        self.solver.parameters.symmetry_level = 1
        people = {person.id: p for p, person in enumerate(problem.participants)}
        self.ends = [(people[item.a], people[item.b]) for item in problem.appointments]
        self.members: list[list[int]] = [[] for _ in people]
        for m, ends in enumerate(self.ends):
            for p in ends:
                self.members[p].append(m)
        slots = range(1, problem.slots + 1)
        allowed = [list(slots) for _ in self.ends] if labelled else domains(problem, self.rules)
        self.at = {
            (m, t): self.model.new_bool_var(f"at_{m}_{t}") for m, domain in enumerate(allowed) for t in domain
        }
        for m, domain in enumerate(allowed):
            self.model.add_at_most_one(self.at[m, t] for t in domain)
        self.kept = [[self.at[m, t] for t in domain] for m, domain in enumerate(allowed)]
        self.required = {rule.appointments[0] for rule in self.rules if rule.kind == "keep"}
        self._labelled = labelled
        self.busy: dict[tuple[int, int], cp_model.IntVar] = {}
        self.begin: dict[tuple[int, int], cp_model.IntVar] = {}
        self.some: dict[int, cp_model.IntVar | int] = {}
        self._least: cp_model.IntVar | None = None
        self.literals: list[cp_model.IntVar] = []
        if not labelled or any(rule.kind == "fairness" for rule in self.rules):
            self._add_busy()
        for i, rule in enumerate(self.rules):
            literal = self.model.new_bool_var(f"rule_{i}") if labelled else None
            if literal is not None:
                self.literals.append(literal)
            for terms, bound in rule.rows:
                self._post(terms, bound, literal)

    def _add_busy(self) -> None:
        """Define when each participant is busy, where its runs begin, and whether it comes at all."""
        model, slots = self.model, self.problem.slots
        for p, mine in enumerate(self.members):
            needed = any(self.problem.appointments[m].id in self.required for m in mine)
            for t in range(1, slots + 1):
                here = [self.at[m, t] for m in mine if (m, t) in self.at]
                if not here:
                    continue
                busy = here[0] if len(here) == 1 else model.new_bool_var(f"busy_{p}_{t}")
                self.busy[p, t] = busy
                if len(here) > 1 and self._labelled:
                    model.add_max_equality(busy, here)
                elif len(here) > 1:
                    model.add_exactly_one(*here, ~busy)
                before = self.busy.get((p, t - 1))
                begin = busy if before is None else model.new_bool_var(f"begin_{p}_{t}")
                self.begin[p, t] = begin
                if before is not None:
                    model.add_bool_or(~busy, before, begin)
                    model.add_implication(begin, busy)
                    model.add_implication(begin, ~before)
            begins = [self.begin[p, t] for t in range(1, slots + 1) if (p, t) in self.begin]
            if needed and not self._labelled:
                self.some[p] = 1
                model.add_bool_or(begins)
                if all(self.problem.appointments[m].id in self.required for m in mine):
                    model.add(add_up(v for (q, _), v in self._busy_of(p)) == len(mine))
            elif begins:
                some = model.new_bool_var(f"some_{p}")
                self.some[p] = some
                model.add_max_equality(some, begins)
            else:
                self.some[p] = 0

    def _busy_of(self, p: int) -> list[tuple[tuple[int, int], cp_model.IntVar]]:
        slots = range(1, self.problem.slots + 1)
        return [((p, t), self.busy[p, t]) for t in slots if (p, t) in self.busy]

    def _variable(self, atom: Atom) -> cp_model.IntVar | int:
        tag, i, t = atom
        if tag == "at":
            return self.at.get((i, t), 0)
        if tag == "begin":
            return self.begin.get((i, t), 0)
        if tag == "some":
            return self.some[i]
        if self._least is None:
            # No more than anybody's breaks; where somebody always has none, it is zero.
            most = self.problem.slots if all(len(mine) > 1 for mine in self.members) else 0
            self._least = self.model.new_int_var(0, most, "least")
            for p in range(len(self.members)) if most else ():
                self.model.add(self._least <= add_up(f * v for f, v in self.breaks_of(p)))
        return self._least

    def breaks_of(self, p: int) -> list[tuple[int, cp_model.IntVar | int]]:
        begins: list[tuple[int, cp_model.IntVar | int]] = [
            (1, self.begin[p, t]) for t in range(1, self.problem.slots + 1) if (p, t) in self.begin
        ]
        return [*begins, (-1, self.some[p])]

    def _post(self, terms: tuple[tuple[int, Atom], ...], bound: int, literal: cp_model.IntVar | None) -> None:
        variables = [(factor, self._variable(atom)) for factor, atom in terms]
        live = [(factor, v) for factor, v in variables if not isinstance(v, int)]
        bound -= sum(factor * v for factor, v in variables if isinstance(v, int))
        # Every atom with a positive factor is 0 or 1: a row that cannot be broken is left out.
        if sum(max(0, factor) for factor, _ in live) <= bound:
            return
        if not live:
            self.model.add_bool_or([] if literal is None else [~literal])
        elif literal is not None:
            self.model.add(add_up(factor * v for factor, v in live) <= bound).only_enforce_if(literal)
        elif bound == 1 and all(factor == 1 for factor, _ in live):
            self.model.add_at_most_one(v for _, v in live)
        elif bound == -1 and all(factor == -1 for factor, _ in live):
            self.model.add_bool_or(v for _, v in live)
        else:
            self.model.add(add_up(factor * v for factor, v in live) <= bound)

    # --- the objective's levels -------------------------------------------------------------------

    def kept_weight(self, weights: Mapping[str, int]) -> Expression:
        """Return what the kept appointments of ``weights`` weigh together."""
        return add_up(
            weights[item.id] * v
            for item, kept in zip(self.problem.appointments, self.kept, strict=True)
            if weights.get(item.id)
            for v in kept
        )

    def breaks(self, forced: Mapping[str, int]) -> Expression:
        """Return the breaks of all; ``forced`` says how many each participant (by id) cannot escape.

        A variable for each participant gives the solver that bound at once, where a sum of begins
        would have to be reasoned up to it.
        """
        total: list[cp_model.IntVar] = []
        for p, (person, mine) in enumerate(zip(self.problem.participants, self.members, strict=True)):
            if len(mine) > 1:
                count = self.model.new_int_var(forced.get(person.id, 0), len(mine) - 1, f"breaks_{p}")
                self.model.add(add_up(f * v for f, v in self.breaks_of(p)) <= count)
                total.append(count)
        return add_up(total)

    def moved(self, home: Mapping[str, int]) -> Expression:
        """Return how many appointments lie elsewhere than at ``home`` (appointment -> slot)."""
        return add_up(
            self.at[m, t]
            for m, item in enumerate(self.problem.appointments)
            if item.id in home
            for t in range(1, self.problem.slots + 1)
            if t != home[item.id] and (m, t) in self.at
        )

    def idle(self) -> Expression:
        """Return the idle slots, adding the variables that count them."""
        model = self.model
        total: list[cp_model.IntVar] = []
        for p, mine in enumerate(self.members):
            busy = {t: v for (_, t), v in self._busy_of(p)}
            if len(mine) < 2 or not busy:
                continue
            first, last = min(busy), max(busy)
            begun = {t: model.new_bool_var(f"begun_{p}_{t}") for t in range(first, last)}
            coming = {t: model.new_bool_var(f"coming_{p}_{t}") for t in range(first + 1, last + 1)}
            for t, v in busy.items():
                if t in begun:
                    model.add_implication(v, begun[t])
                if t in coming:
                    model.add_implication(v, coming[t])
            for t in range(first + 1, last):
                model.add_implication(begun[t - 1], begun[t])
                model.add_implication(coming[t + 1], coming[t])
                idle = model.new_bool_var(f"idle_{p}_{t}")
                clause = [~begun[t], ~coming[t], idle]
                model.add_bool_or(*clause, *([busy[t]] if t in busy else []))
                total.append(idle)
            # A break has at least one idle slot.
            mine_idle = total[len(total) - max(0, last - first - 1) :] if last - first > 1 else []
            model.add(add_up(f * v for f, v in self.breaks_of(p)) <= add_up(mine_idle))
        return add_up(total)

    # --- solving ----------------------------------------------------------------------------------

    def hint(self, slots: Mapping[str, int]) -> None:
        """Suggest a plan (appointment -> slot) to start from, with all that follows from it."""
        self.model.clear_hints()  # type: ignore[no-untyped-call]
        for (m, t), v in self.at.items():
            self.model.add_hint(v, int(slots.get(self.problem.appointments[m].id) == t))
        hinted = {v.index for v in self.at.values()}
        busy = [set(taken) for taken in slots_by_participant(self.problem, slots).values()]
        for (p, t), v in self.busy.items():
            if v.index not in hinted:
                hinted.add(v.index)
                self.model.add_hint(v, int(t in busy[p]))
        for (p, t), v in self.begin.items():
            if v.index not in hinted:
                hinted.add(v.index)
                self.model.add_hint(v, int(t in busy[p] and t - 1 not in busy[p]))

    def minimise(self, expression: Expression, *, seconds: float, by_cores: bool = False) -> Level:
        """Solve one level. ``slots`` is None where nothing was found in time.

        ``by_cores``: raise the bound by unsatisfiable cores, which suits a sum of small counts.
        """
        self.solver.parameters.optimize_with_core = by_cores
        if isinstance(expression, int):
            self.model.clear_objective()  # type: ignore[no-untyped-call]
        else:
            self.model.minimize(expression)
        self.solver.parameters.max_time_in_seconds = max(0.05, seconds)
        status = self.solver.solve(self.model)
        if status == cp_model.INFEASIBLE:
            return Level(None, 0, 0, False, impossible=True)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            bound = self.solver.best_objective_bound if not isinstance(expression, int) else 0
            return Level(None, 0, _up(bound), False)
        if isinstance(expression, int):
            return Level(self.plan(), expression, expression, True)
        value = round(self.solver.objective_value)
        bound = value if status == cp_model.OPTIMAL else _up(self.solver.best_objective_bound)
        return Level(self.plan(), value, bound, status == cp_model.OPTIMAL)

    def plan(self) -> dict[str, int]:
        """Return appointment -> slot of the last solution."""
        return {
            self.problem.appointments[m].id: t
            for (m, t), v in self.at.items()
            if self.solver.boolean_value(v)
        }


def _up(bound: float) -> int:
    """Round a float bound of an integer quantity up, but not past rounding noise."""
    if bound != bound or bound in (float("inf"), float("-inf")):
        return -(10**18)
    return -int(-(bound - 1e-6) // 1)


__all__ = ["Level", "Model", "at"]
