"""What a timetable claims beyond its own figures: best, bounded, impossible, and why.

Each claim is tried against :mod:`exact`, within a time limit. It is refuted by a plan (counted again
before it is believed), confirmed by a proof, or left open, and the three are never mixed up.
"""

from collections.abc import Iterator, Mapping, Sequence
from time import perf_counter

from msgspec import Struct
from ortools.sat.python import cp_model

from market.i18n import Message, msg
from market.meetings.checker.claimed import Claim, Reason
from market.meetings.checker.counting import Count, broken_rules, count
from market.meetings.checker.exact import Answer, Exact, Sum, forced, forced_changes
from market.meetings.checker.labels import labels, normal
from market.meetings.checker.reading import MICRO, Meeting

#: A model with more appointments x slots, or appointments x slots x tables, is not built.
_MOST_PLACES, _MOST_SEATS = 600_000, 250_000
#: Shorter than this, no question is put.
_LEAST_SECONDS = 0.05
#: So many appointments of a better plan are told.
_MOST_TOLD = 12

WEIGHT, BREAKS, IDLE, CHANGES = msg("保留的权重"), msg("空档"), msg("空等时段"), msg("换桌次数")


class Verdict(Struct):
    """What came of the claims: refuted (``wrong``), confirmed (``checked``), not decided (``left_open``)."""

    wrong: list[Message]
    checked: list[Message]
    left_open: list[Message]


class _Court:
    """Puts questions about one timetable, within one time limit."""

    def __init__(
        self, meeting: Meeting, claim: Claim, home: Mapping[str, int] | None, seconds: float, threads: int
    ) -> None:
        self.meeting, self.claim, self.home, self.threads = meeting, claim, home, threads
        self.verdict = Verdict([], [], [])
        self.counted = count(meeting, claim.slots, claim.tables)
        self._end = perf_counter() + seconds
        self.too_large = len(meeting.talks) * meeting.slots > _MOST_PLACES

    def left(self) -> float:
        return self._end - perf_counter()

    def ask(self, model: Exact, share: float, *, least: Sum = None) -> Answer:
        if self.left() < _LEAST_SECONDS:
            return Answer()
        return model.ask(
            seconds=self.left() * share, threads=self.threads, least=least, near=self.claim.slots
        )

    def plan(self, slots: Mapping[str, int]) -> str:
        """Write the appointments of a plan that lie elsewhere than in the timetable."""
        others = [f"{talk} → {slot}" for talk, slot in slots.items() if self.claim.slots.get(talk) != slot]
        out = [f"{talk} → -" for talk in self.claim.slots if talk not in slots]
        told = others + out
        return ", ".join(told[:_MOST_TOLD]) + (", …" if len(told) > _MOST_TOLD else "")

    def level(self, name: Message, model: Exact, goal: Sum, share: float) -> bool | None:
        """Return whether no plan of ``model`` betters the timetable; None: not decided."""
        answer = self.ask(model, share, least=goal)
        if answer.never:
            self.verdict.checked.append(msg("{what}：另一个模型证明没有更好的。", what=name))
            return True
        if answer.slots is None:
            self.verdict.left_open.append(msg("{what}：时限内没有判定有没有更好的，未核对。", what=name))
            return None
        tables = answer.tables if answer.tables else None
        found = count(self.meeting, answer.slots, tables or {})
        if broken_rules(self.meeting, answer.slots, tables):  # pragma: no cover - a fault of the model
            self.verdict.left_open.append(msg("{what}：时限内没有判定有没有更好的，未核对。", what=name))
            return None
        self.verdict.wrong.append(
            msg(
                "{what}不是最好的：有一个方案保留权重 {micro}、空档 {breaks} 次、"
                "空等 {idle} 个时段{changes}（{plan}）。",
                what=name,
                micro=_weight(found.micro),
                breaks=found.breaks,
                idle=found.idle,
                changes=msg("、换桌 {changes} 次", changes=found.changes) if tables else "",
                plan=self.plan(answer.slots),
            )
        )
        return False


def _weight(micro: int) -> str:
    return f"{micro / MICRO:.6f}".rstrip("0").rstrip(".")


def check_claims(
    meeting: Meeting,
    claim: Claim,
    *,
    home: Mapping[str, int] | None = None,
    seconds: float = 20.0,
    threads: int = 1,
) -> Verdict:
    """Try what a timetable without faults of its own claims.

    Args:
        home: slots of the earlier timetable that it was to keep close to.
        seconds: wall time for all questions together.
    """
    court = _Court(meeting, claim, home, seconds, threads)
    if claim.status == "infeasible":
        _check_impossible(court)
        _check_bound(court)
    elif claim.status == "optimal":
        _check_optimal(court)
    else:
        _check_bound(court)
    return court.verdict


def _as_good(court: _Court, *, tables: bool = False) -> tuple[Exact, Sum | None]:
    """Return a model of all plans that place as much as the timetable, and its table changes if asked."""
    meeting, claim = court.meeting, court.claim
    chosen = None
    if claim.status == "infeasible":
        chosen = [label for label in labels(meeting) if label.kind != "keep"]
    model = Exact(meeting, chosen)
    if claim.status == "infeasible":
        required = meeting.required()
        placed = sum(talk in claim.slots for talk in required)
        model.model.add(cp_model.LinearExpr.sum([model.placed(talk) for talk in required]) >= placed)
    return model, model.changes() if tables else None


def _check_bound(court: _Court) -> None:
    """Try the bound on breaks: no plan that keeps as much has fewer."""
    bound, name = court.claim.bound, msg("空档下界")
    if not bound or bound <= _forced(court.meeting, court.claim)[0]:
        court.verdict.checked.append(msg("空档下界 {bound} 成立。", bound=bound or 0))
        return
    if _open_if_large(court, name):
        return
    model, _ = _as_good(court)
    model.model.add(model.micro() >= court.counted.micro)
    breaks = model.breaks()
    model.model.add(breaks <= bound - 1)
    answer = court.ask(model, 1.0, least=breaks)
    if answer.never:
        court.verdict.checked.append(msg("空档下界 {bound} 成立。", bound=bound))
    elif answer.slots is None or broken_rules(court.meeting, answer.slots, None):
        court.verdict.left_open.append(msg("空档下界 {bound}：时限内没有判定，未核对。", bound=bound))
    else:
        found = count(court.meeting, answer.slots, {})
        court.verdict.wrong.append(
            msg(
                "空档下界 {bound} 不成立：有一个方案只有 {breaks} 次空档（{plan}）。",
                bound=bound,
                breaks=found.breaks,
                plan=court.plan(answer.slots),
            )
        )


def _open_if_large(court: _Court, name: Message) -> bool:
    if court.too_large:
        court.verdict.left_open.append(msg("{what}：对接会太大，未核对。", what=name))
    return court.too_large


def _forced(meeting: Meeting, claim: Claim) -> tuple[int, int]:
    """Return breaks and idle slots that availability alone forces on every plan with all required talks."""
    if claim.status == "infeasible":
        return 0, 0
    mine = meeting.talks_of()
    pairs = [
        forced(meeting.slots, person.away, sum(not meeting.talks[talk].optional for talk in mine[person.id]))
        for person in meeting.people.values()
    ]
    return sum(breaks for breaks, _ in pairs), sum(idle for _, idle in pairs)


def _check_optimal(court: _Court) -> None:
    """Try the objective level by level, each with the levels above it held as the timetable has them."""
    if court.claim.penalty is not None:
        _check_kept_close(court)
        return
    counted, forced_ones = court.counted, _forced(court.meeting, court.claim)
    for name, share, at_best in _levels(court, counted, forced_ones):
        if at_best:
            court.verdict.checked.append(msg("{what}：另一个模型证明没有更好的。", what=name))
            continue
        if _open_if_large(court, name) or (name == CHANGES and _open_if_many_seats(court)):
            continue
        model, changes = _as_good(court, tables=name == CHANGES)
        micro = model.micro()
        if name == WEIGHT:
            model.model.add(micro >= counted.micro + 1)
            goal = -micro
        else:
            model.model.add(micro >= counted.micro)
            goal = model.breaks()
            model.model.add(goal <= counted.breaks - (name == BREAKS))
        if name in (IDLE, CHANGES):
            goal = model.idle()
            model.model.add(goal <= counted.idle - (name == IDLE))
        if changes is not None:
            model.model.add(changes <= counted.changes - 1)
            goal = changes
        if court.level(name, model, goal, share) is False:
            return


def _levels(
    court: _Court, counted: Count, inescapable: tuple[int, int]
) -> Iterator[tuple[Message, float, bool]]:
    """Yield each level, its share of the time that is left, and whether it is plain that none is better."""
    everything = sum(talk.micro for talk in court.meeting.talks.values())
    yield WEIGHT, 0.4, counted.micro == everything
    yield BREAKS, 0.6, counted.breaks == inescapable[0]
    yield IDLE, 0.6, counted.idle == max(counted.breaks, inescapable[1])
    mine = court.meeting.talks_of().items()
    fixed = sum(forced_changes(court.meeting, who, talks) for who, talks in mine)
    yield CHANGES, 1.0, counted.changes == fixed


def _open_if_many_seats(court: _Court) -> bool:
    meeting = court.meeting
    large = len(meeting.talks) * meeting.slots * meeting.tables > _MOST_SEATS
    if large:
        court.verdict.left_open.append(msg("{what}：对接会太大，未核对。", what=CHANGES))
    return large


def _check_kept_close(court: _Court) -> None:
    """Try a re-plan: breaks plus penalty for each moved appointment cannot be lower at the same weight."""
    home, claim, counted = court.home, court.claim, court.counted
    name = msg("空档加变动")
    if home is None:
        court.verdict.left_open.append(msg("要核对变动是否最少，请用 --keep 给出原时间表。"))
        _check_bound(court)
        return
    if _open_if_large(court, name):
        return
    penalty = claim.penalty or 0
    moved = sum(slot != home[talk] for talk, slot in claim.slots.items() if talk in home)
    everything = sum(talk.micro for talk in court.meeting.talks.values())
    for level in (WEIGHT, name):
        if level == WEIGHT and counted.micro == everything:
            continue
        model, _ = _as_good(court)
        micro = model.micro()
        if level == WEIGHT:
            model.model.add(micro >= counted.micro + 1)
            goal = -micro
        else:
            model.model.add(micro >= counted.micro)
            away = [at for (talk, slot), at in model.at.items() if talk in home and slot != home[talk]]
            goal = model.breaks() + penalty * cp_model.LinearExpr.sum(away)
            model.model.add(goal <= counted.breaks + penalty * moved - 1)
        if court.level(level, model, goal, 0.6) is False:
            return
    _check_bound(court)


def _check_impossible(court: _Court) -> None:
    """Try that the required appointments do not fit, and that the clash named is a smallest one."""
    clash = court.claim.clash or []
    known = set(labels(court.meeting))
    strange = [reason for reason in clash if normal(reason) not in known]
    for reason in strange:
        court.verdict.wrong.append(msg("clash 里的“{label}”不是这场对接会的要求。", label=_label(reason)))
    if len({normal(reason) for reason in clash}) < len(clash):
        court.verdict.wrong.append(msg("clash 里有一条要求写了两次。"))
    if court.verdict.wrong or _open_if_large(court, msg("排不下")):
        return
    if clash:
        _check_clash(court, [normal(reason) for reason in clash])
        return
    court.verdict.left_open.append(msg("没有写明哪些要求互相冲突。"))
    answer = court.ask(Exact(court.meeting), 0.8)
    if answer.never:
        court.verdict.checked.append(msg("另一个模型证明必须安排的洽谈排不下。"))
    elif answer.slots is None:
        court.verdict.left_open.append(msg("排不下：时限内没有判定，未核对。"))
    else:
        court.verdict.wrong.append(msg("说是排不下，其实都排得下（{plan}）。", plan=court.plan(answer.slots)))


def _label(reason: Reason) -> str:
    return " ".join((reason.kind, *reason.participants, *reason.appointments))


def _check_clash(court: _Court, clash: Sequence[Reason]) -> None:
    answer = court.ask(Exact(court.meeting, clash), 0.5)
    if answer.slots is not None:
        court.verdict.wrong.append(
            msg("clash 里的要求可以同时满足（{plan}）。", plan=court.plan(answer.slots))
        )
        return
    if not answer.never:
        court.verdict.left_open.append(msg("排不下：时限内没有判定，未核对。"))
        return
    court.verdict.checked.append(msg("另一个模型证明 clash 里的要求互相冲突，必须安排的洽谈排不下。"))
    needed = True
    for i, reason in enumerate(clash):
        answer = court.ask(Exact(court.meeting, [*clash[:i], *clash[i + 1 :]]), 0.3)
        if answer.never:
            court.verdict.wrong.append(msg("clash 不是最小的：去掉“{label}”仍然冲突。", label=_label(reason)))
            return
        needed &= answer.slots is not None
    smaller = _smaller(court, len(clash)) if needed else None
    if smaller is None:
        court.verdict.left_open.append(msg("clash 是不是最小的一组：时限内没有判定，未核对。"))
    elif smaller:
        court.verdict.wrong.append(
            msg("clash 不是最小的：这些已经冲突：{labels}。", labels="; ".join(map(_label, smaller)))
        )
    else:
        court.verdict.checked.append(msg("clash 是最小的一组。"))


def _smaller(court: _Court, size: int) -> list[Reason] | None:
    """Return constraints that clash, fewer than ``size``; empty: there are none; None: not decided.

    Whatever clashes has a member among those that any one plan gives up. So the fewest that meet all
    these sets either clash, or are kept by a plan that gives up others.
    """
    model = Exact(court.meeting, guarded=True)
    given_up: list[frozenset[int]] = []
    while court.left() > _LEAST_SECONDS:
        few = _fewest(given_up, len(model.labels))
        if len(few) >= size:
            return []
        answer = model.ask(seconds=court.left(), threads=court.threads, holding=few)
        if answer.never:
            return [model.labels[i] for i in few]
        if answer.slots is None or not answer.given_up:
            return None
        given_up.append(answer.given_up)
    return None


def _fewest(sets: Sequence[frozenset[int]], size: int) -> list[int]:
    """Return the fewest numbers below ``size`` that meet every one of ``sets``."""
    model = cp_model.CpModel()
    taken = [model.new_bool_var(f"{i}") for i in range(size)]
    for members in sets:
        model.add_bool_or([taken[i] for i in members])
    model.minimize(cp_model.LinearExpr.sum(taken))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    if solver.solve(model) != cp_model.OPTIMAL:
        return list(range(size))
    return [i for i, literal in enumerate(taken) if solver.boolean_value(literal)]
