"""What a timetable claims beyond its own figures: best, bounded, impossible, and why.

Each claim is tried against models of the checker's own, within a time limit. It is refuted by a plan
(counted again before it is believed), confirmed by a proof, or left open, and the three are never mixed up.
"""

from collections.abc import Iterator, Mapping
from itertools import islice

from ortools.sat.python import cp_model

from market.i18n import Message, msg
from market.meetings.checker.claimed import Claim
from market.meetings.checker.counting import Count, broken_rules, count
from market.meetings.checker.court import BREAKS, CHANGES, IDLE, WEIGHT, Court, Verdict
from market.meetings.checker.exact import Answer, Exact, Sum, forced, forced_changes
from market.meetings.checker.impossible import check_impossible, fullest
from market.meetings.checker.reading import Meeting


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
    court = Court(meeting, claim, home, seconds, threads)
    if claim.status == "infeasible":
        check_impossible(court)
        _check_bound(court)
    elif claim.status == "optimal":
        _check_optimal(court)
        if claim.penalty is not None and not court.verdict.wrong:
            _check_bound(court)
    else:
        _check_bound(court)
        if claim.proven:
            _check_optimal(court, levels=len(claim.proven))
    return court.verdict


def _as_good(court: Court, *, tables: bool = False) -> tuple[Exact, Sum | None]:
    """Return a model of all plans that place as much as the timetable, and its table changes if asked."""
    impossible = court.claim.status == "infeasible"
    model = fullest(court) if impossible else Exact(court.meeting)
    return model, model.changes() if tables else None


def _check_bound(court: Court) -> None:
    """Try the bound on breaks: no plan that keeps as much has fewer."""
    bound, name = court.claim.bound, msg("空档下界")
    if not bound or bound <= _forced(court.meeting, court.claim)[0]:
        court.verdict.checked.append(msg("空档下界 {bound} 成立。", bound=bound or 0))
        return
    if court.open_if_large(name):
        return
    answer = court.ask_for_all(0.7, breaks=bound - 1)
    if not answer.never and answer.slots is None and not court.over():
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


def _check_optimal(court: Court, *, levels: int = 4) -> None:
    """Try the first ``levels`` of the objective, each with those above it held as the timetable has them."""
    if court.claim.penalty is not None:
        _check_kept_close(court, levels)
        return
    counted, forced_ones = court.counted, _forced(court.meeting, court.claim)
    for name, share, at_best in islice(_levels(court, counted, forced_ones), levels):
        if at_best:
            court.verdict.checked.append(msg("{what}：另一个模型证明没有更好的。", what=name))
            continue
        if court.open_if_large(name, seats=name == CHANGES):
            continue
        answer = Answer()
        if name in (BREAKS, IDLE):
            most = counted.breaks - (name == BREAKS)
            idle = counted.idle - 1 if name == IDLE else None
            answer = court.ask_for_all(share, breaks=most, idle=idle)
        if answer.never or answer.slots is not None:
            if court.judge(name, answer) is False:
                return
            continue
        if court.over():
            court.judge(name, answer)
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
    court: Court, counted: Count, inescapable: tuple[int, int]
) -> Iterator[tuple[Message, float, bool]]:
    """Yield each level, its share of the time that is left, and whether it is plain that none is better."""
    everything = sum(talk.micro for talk in court.meeting.talks.values())
    yield WEIGHT, 0.4, counted.micro == everything
    yield BREAKS, 0.6, counted.breaks == inescapable[0]
    yield IDLE, 0.6, counted.idle == max(counted.breaks, inescapable[1])
    mine = court.meeting.talks_of().items()
    fixed = sum(forced_changes(court.meeting, who, talks) for who, talks in mine)
    yield CHANGES, 1.0, counted.changes == fixed


def _check_kept_close(court: Court, levels: int) -> None:
    """Try a re-plan: breaks plus penalty for each moved appointment, then idle slots, then table changes."""
    home, claim, counted = court.home, court.claim, court.counted
    name = msg("空档加变动")
    if home is None:
        court.verdict.left_open.append(msg("要核对变动是否最少，请用 --keep 给出原时间表。"))
        return
    if court.open_if_large(name):
        return
    penalty = claim.penalty or 0
    moved = sum(slot != home[talk] for talk, slot in claim.slots.items() if talk in home)
    everything = sum(talk.micro for talk in court.meeting.talks.values())
    plainly = (counted.micro == everything, False, not counted.idle, not counted.changes)
    for level, is_plain in list(zip((WEIGHT, name, IDLE, CHANGES), plainly, strict=True))[:levels]:
        if is_plain:
            continue
        if level == CHANGES and court.open_if_large(CHANGES, seats=True):
            return
        model, changes = _as_good(court, tables=level == CHANGES)
        micro = model.micro()
        if level == WEIGHT:
            model.model.add(micro >= counted.micro + 1)
            goal = -micro
        else:
            model.model.add(micro >= counted.micro)
            away = [at for (talk, slot), at in model.at.items() if talk in home and slot != home[talk]]
            goal = model.breaks() + penalty * cp_model.LinearExpr.sum(away)
            model.model.add(goal <= counted.breaks + penalty * moved - (level == name))
        if level in (IDLE, CHANGES):
            goal = model.idle()
            model.model.add(goal <= counted.idle - (level == IDLE))
        if changes is not None:
            goal = changes
            model.model.add(goal <= counted.changes - 1)
        if court.level(level, model, goal, 1.0 if level == CHANGES else 0.6) is False:
            return
