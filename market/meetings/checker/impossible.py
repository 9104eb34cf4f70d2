"""What is claimed of a meeting that does not fit: that it does not, and which constraints clash."""

from collections.abc import Sequence

from ortools.sat.python import cp_model

from market.i18n import msg
from market.meetings.checker.claimed import Reason
from market.meetings.checker.court import Court
from market.meetings.checker.exact import Answer, Exact, total
from market.meetings.checker.labels import labels, normal


def check_impossible(court: Court) -> None:
    """Try that the required appointments do not fit, and that the clash named is a smallest one."""
    clash = court.claim.clash or []
    known = set(labels(court.meeting))
    strange = [reason for reason in clash if normal(reason) not in known]
    for reason in strange:
        court.verdict.wrong.append(msg("clash 里的“{label}”不是这场对接会的要求。", label=_label(reason)))
    if len({normal(reason) for reason in clash}) < len(clash):
        court.verdict.wrong.append(msg("clash 里有一条要求写了两次。"))
    if court.verdict.wrong or court.open_if_large(msg("排不下")):
        return
    if clash:
        _check_clash(court, [normal(reason) for reason in clash])
    else:
        _check_nothing_named(court)
    if not court.verdict.wrong:
        _check_fullest(court)


def _check_nothing_named(court: Court) -> None:
    court.verdict.left_open.append(msg("没有写明哪些要求互相冲突。"))
    answer = court.ask(Exact(court.meeting), 0.8)
    if answer.never:
        court.verdict.checked.append(msg("另一个模型证明必须安排的洽谈排不下。"))
    elif answer.slots is None:
        court.verdict.left_open.append(msg("排不下：时限内没有判定，未核对。"))
    else:
        court.verdict.wrong.append(msg("说是排不下，其实都排得下（{plan}）。", plan=court.plan(answer.slots)))


def fullest(court: Court) -> Exact:
    """Return a model of all plans that leave out no more required appointments than the timetable."""
    meeting, claim = court.meeting, court.claim
    model = Exact(meeting, [label for label in labels(meeting) if label.kind != "keep"])
    required = meeting.required()
    placed = sum(talk in claim.slots for talk in required)
    model.model.add(total(model.placed(talk) for talk in required) >= placed)
    return model


def _check_fullest(court: Court) -> None:
    """Try that no plan places more: more required ones at no loss of weight, or more weight."""
    name = msg("排上的洽谈")
    if court.over():
        court.judge(name, Answer())
        return
    model, required = fullest(court), court.meeting.required()
    placed = sum(talk in court.claim.slots for talk in required)
    number, micro = total(model.placed(talk) for talk in required), model.micro()
    model.model.add(micro >= court.counted.micro)
    model.model.add(number + micro >= placed + court.counted.micro + 1)
    answer = court.ask(model, 0.7)
    if answer.slots is None:
        court.judge(name, answer)
        return
    court.verdict.wrong.append(
        msg(
            "没有尽量排满：有一个方案排上 {placed} 场（{plan}）。",
            placed=len(answer.slots),
            plan=court.plan(answer.slots),
        )
    )


def _label(reason: Reason) -> str:
    return " ".join((reason.kind, *reason.participants, *reason.appointments))


def _check_clash(court: Court, clash: Sequence[Reason]) -> None:
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


def _smaller(court: Court, size: int) -> list[Reason] | None:
    """Return constraints that clash, fewer than ``size``; empty: there are none; None: not decided.

    Whatever clashes has a member among those that any one plan gives up. So the fewest that meet all
    these sets either clash, or are kept by a plan that gives up others.
    """
    model = Exact(court.meeting, guarded=True)
    given_up: list[frozenset[int]] = []
    while not court.over():
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
