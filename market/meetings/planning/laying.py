"""From facts to a plan: choose, lay over slots and tables, and think again where the slots do not fit.

Knows no database: it runs in a process of its own. The solvers are imported where they are called, and
``SOLVERS`` says where they are: a server that merely asks for a plan starts without them, in half the time.
"""

from collections.abc import Collection, Iterable

import msgspec

from market.errors import Invalid
from market.i18n import Message, msg
from market.meetings.choosing.problem import Choice, Chosen
from market.meetings.planning.broken_tables import leave_broken, with_broken, without_broken
from market.meetings.planning.facts import Facts
from market.meetings.timetable.problem import (
    Appointment,
    MeetingProblem,
    NamedParticipant,
    Placed,
    Side,
    Timetable,
    table_changes,
)

#: How often pairs that find no slot are given up for others.
TURNS = 2
#: Who is left out first where slots do not fit: weights of a talk, on top of thousands of yuan at stake.
_FIRM, _SAVED = 800_000, 400_000
_GRADES = {5: 100_000, 4: 50_000, 3: 25_000, 2: 12_000, 1: 0, 0: 0}
_MOST_WORTH = 10_000
_FEN_PER_THOUSAND = 100_000

SOLVERS = ("market.meetings.choosing.choose", "market.meetings.timetable.scheduler")

NOTHING = msg("没有可谈的一对：请先运行撮合，或请有意向的一方改回复。")
#: The same where there would be pairs, but nobody new is invited any more.
NOTHING_WITHIN = {
    "published": msg(
        "日程已发布，不再请新的单位；在已邀请的各方之间没有可谈的一对。要请谁，请先在“邀请”里手工添加。"
    ),
    "answers": msg(
        "回复的最后一天已过，不再请新的单位；在已邀请的各方之间没有可谈的一对。请先延后回复截止日，或手工添加邀请。"
    ),
}
NO_SLOT = msg("时段和桌子排不下，先排更要紧的洽谈。")
#: Of a seller whose goods do not sell, and whose talks over them are among those.
NO_SLOT_FOR_STUCK = msg("选好的洽谈排不进时段和桌子：请增加时段或桌子，或问问双方能不能换个时段来。")


class Plan(msgspec.Struct, frozen=True):
    """Who meets whom, and when and where: in slots as the meeting numbers them."""

    choice: Choice
    timetable: Timetable
    #: Organisations that one person comes for, who is one participant.
    crews: tuple[tuple[int, ...], ...] = ()


def pair_id(pair: Chosen) -> str:
    return f"{pair.seller}-{pair.buyer}"


def make_plan(facts: Facts, seconds: float) -> Plan:
    """Choose and schedule, ``seconds`` at most for each timetable; pure, for another process.

    Raises:
        Invalid: no pair has anything to talk about.
    """
    from market.meetings.timetable.scheduler import schedule

    hopeless: set[tuple[int, int]] = set()
    best: Plan | None = None
    for _ in range(TURNS):
        choice = choice_of(facts, hopeless)
        if not choice.appointments:
            break
        problem = problem_of(facts, choice)
        laid = schedule(with_broken(facts, problem), time_limit=seconds, keep=_known(facts))
        timetable = without_broken(facts, problem, laid)
        plan = _with_unreached(Plan(choice, _at_their_tables(facts, problem, timetable)))
        if best is None or _score(plan) > _score(best):
            best = plan
        unplaced = {
            (each.seller, each.buyer)
            for each in choice.appointments
            if pair_id(each) in set(timetable.left_out)
        }
        firm = {(each.seller, each.buyer) for each in facts.firm}
        if not unplaced - firm:
            break
        hopeless |= unplaced - firm
    if best is None:
        raise Invalid(nothing(facts))
    return _renumbered(facts, best)


def nothing(facts: Facts) -> Message:
    """Return why no pair has anything to talk about."""
    if facts.closed is not None and facts.strangers:
        return NOTHING_WITHIN[facts.closed]
    return NOTHING


def lost_talks(facts: Facts, plan: Plan) -> list[tuple[int, int]]:
    """Return the pairs (seller, buyer) that participants know to meet and that the plan does not seat.

    Those that one side would rather not have are no loss; of those who left nobody is in the facts.
    """
    seated = {each.id for each in plan.timetable.appointments}
    barred = {(each.seller, each.buyer) for each in facts.wishes if each.level == "never"}
    pairs = [(each.seller, each.buyer) for each in facts.laid]
    return [pair for pair in pairs if f"{pair[0]}-{pair[1]}" not in seated and pair not in barred]


def choice_of(facts: Facts, hopeless: Collection[tuple[int, int]] = ()) -> Choice:
    """Choose whom to invite and who meets whom; ``hopeless`` pairs found no slot before."""
    from market.meetings.choosing.choose import choose_invitations

    choice = choose_invitations(
        facts.candidates,
        capacity=facts.capacity,
        parties=facts.parties,
        wishes=facts.wishes,
        past=facts.past,
        firm=[(each.seller, each.buyer) for each in facts.firm],
        barred=[*facts.barred, *hopeless],
    )
    left_out = tuple(
        msgspec.structs.replace(each, reason=NO_SLOT) if (each.seller, each.buyer) in hopeless else each
        for each in choice.left_out
    )
    fallen = {
        each.seller for each in facts.candidates if each.stuck and (each.seller, each.buyer) in hopeless
    }
    without = tuple((who, NO_SLOT_FOR_STUCK if who in fallen else reason) for who, reason in choice.without)
    return msgspec.structs.replace(choice, left_out=left_out, without=without)


def _with_unreached(plan: Plan) -> Plan:
    """Count a seller as left without a talk also where its talks were chosen, but found no slot."""
    unplaced = set(plan.timetable.left_out)
    chosen = {each.seller for each in plan.choice.appointments if each.stuck}
    reached = {
        each.seller for each in plan.choice.appointments if each.stuck and pair_id(each) not in unplaced
    }
    fallen = [(who, NO_SLOT_FOR_STUCK) for who in chosen - reached]
    without = tuple(sorted([*plan.choice.without, *fallen], key=lambda each: each[0]))
    return msgspec.structs.replace(plan, choice=msgspec.structs.replace(plan.choice, without=without))


def problem_of(facts: Facts, choice: Choice) -> MeetingProblem:
    """Return the meeting to be laid; a person who comes for several organisations is one participant."""
    sides = dict.fromkeys(choice.sellers, "seller") | dict.fromkeys(choice.buyers, "buyer")
    parties = {party.id: party for party in facts.parties}
    crews = crews_of(facts, choice)
    head = {who: crew[0] for crew in crews for who in crew}
    firm = {(each.seller, each.buyer): each for each in facts.firm}
    saved = _saved(choice)

    def own_table(crew: Iterable[int]) -> int | None:
        # where both ends of a talk have a table of their own, the buyer's counts: the sellers go round
        for who in sorted(crew, key=lambda who: sides[who] != "buyer"):
            meets_owner = any(
                each.buyer in facts.tables for each in choice.appointments if each.seller == who
            )
            if who in facts.tables and not (sides[who] == "seller" and meets_owner):
                return facts.tables[who]
        return None

    def weight(each: Chosen) -> int:
        worth = min(max(each.worth, 0) // _FEN_PER_THOUSAND, _MOST_WORTH)
        pair = (each.seller, each.buyer)
        return 1 + worth + _GRADES[each.grade] + (_FIRM if pair in firm else _SAVED if pair in saved else 0)

    def side_of(crew: Iterable[int]) -> Side:
        found = {sides[who] for who in crew}
        if len(found) > 1:
            return "guest"
        return "seller" if "seller" in found else "buyer"

    return MeetingProblem(
        slots=facts.capacity.slots,
        tables=facts.capacity.tables,
        half_day_after=facts.half_day_after,
        participants=tuple(
            NamedParticipant(
                id=str(crew[0]),
                name="、".join(parties[who].name for who in crew),
                name_en=", ".join(parties[who].name_en or parties[who].name for who in crew),
                side=side_of(crew),
                unavailable=tuple(sorted({slot for who in crew for slot in parties[who].absent})),
                table=own_table(crew),
            )
            for crew in crews
        ),
        appointments=tuple(
            Appointment(
                pair_id(each),
                str(head[each.buyer]),
                str(head[each.seller]),
                slot=firm[each.seller, each.buyer].place if (each.seller, each.buyer) in firm else None,
                weight=weight(each),
                optional=True,
            )
            for each in choice.appointments
        ),
        fairness=facts.fairness,
    )


def crews_of(facts: Facts, choice: Choice) -> list[list[int]]:
    """Return the participants: the organisations that one person comes for together, the others alone."""
    parties = {party.id: party for party in facts.parties}
    crews: dict[str, list[int]] = {}
    for who in sorted({*choice.sellers, *choice.buyers}):
        crews.setdefault(parties[who].person or f"of {who}", []).append(who)
    return list(crews.values())


def _saved(choice: Choice) -> set[tuple[int, int]]:
    """Return the talks that are their seller's only one over a lot that does not sell."""
    of: dict[int, list[tuple[int, int]]] = {}
    for each in choice.appointments:
        if each.stuck:
            of.setdefault(each.seller, []).append((each.seller, each.buyer))
    return {mine[0] for mine in of.values() if len(mine) == 1}


def _known(facts: Facts) -> Timetable | None:
    """Return the timetable that participants know, to move as little of it as possible."""
    if not facts.laid:
        return None
    return Timetable(
        appointments=tuple(
            Placed(f"{each.seller}-{each.buyer}", each.place, each.table) for each in facts.laid
        ),
        breaks=0,
        idle_slots=0,
        table_changes=0,
        kept_weight=0,
        left_out=(),
        lower_bound_breaks=0,
        status="feasible",
        seconds=0,
    )


def _at_their_tables(facts: Facts, problem: MeetingProblem, timetable: Timetable) -> Timetable:
    """Put appointments that stay where they are at their table, in exchange with whoever got it; nobody sits
    at a broken table."""
    wanted = {f"{each.seller}-{each.buyer}": each for each in facts.firm}
    own = {person.id for person in problem.participants if person.table is not None}
    bound = {item.id for item in problem.appointments if {item.a, item.b} & own}
    tables = {each.id: each.table for each in timetable.appointments}
    slots = {each.id: each.slot for each in timetable.appointments}
    for each in timetable.appointments:
        firm = wanted.get(each.id)
        if firm is None or firm.table is None or firm.place != each.slot or each.id in bound:
            continue
        other = next(
            (
                one.id
                for one in timetable.appointments
                if slots[one.id] == each.slot and tables[one.id] == firm.table
            ),
            None,
        )
        if other == each.id or other in bound or (other in wanted and wanted[other].table == firm.table):
            continue
        if other is not None:
            tables[other] = tables[each.id]
        tables[each.id] = firm.table
    leave_broken(facts, slots, tables)
    changes = table_changes(problem, slots, tables)
    walk_more = changes > timetable.table_changes
    return msgspec.structs.replace(
        timetable,
        appointments=tuple(
            msgspec.structs.replace(each, table=tables[each.id]) for each in timetable.appointments
        ),
        table_changes=changes,
        # who was put at a table by hand may walk more than the proof knows of
        status="feasible" if timetable.status == "optimal" and walk_more else timetable.status,
        proven=tuple(level for level in timetable.proven if level != "table_changes" or not walk_more),
    )


def _score(plan: Plan) -> tuple[int, ...]:
    """Return how good what was placed is, in the order of the choice's levels."""
    left_out = set(plan.timetable.left_out)
    placed = [each for each in plan.choice.appointments if pair_id(each) not in left_out]
    return (
        len({each.seller for each in placed if each.stuck}),
        *(sum(each.grade == grade for each in placed) for grade in (5, 4, 3, 2)),
        sum(each.worth for each in placed),
        sum(each.grade == 1 for each in placed),
    )


def _renumbered(facts: Facts, plan: Plan) -> Plan:
    """Return the plan with slots as the meeting numbers them."""
    timetable = msgspec.structs.replace(
        plan.timetable,
        appointments=tuple(
            msgspec.structs.replace(each, slot=facts.slots[each.slot - 1])
            for each in plan.timetable.appointments
        ),
    )
    crews = tuple(tuple(crew) for crew in crews_of(facts, plan.choice) if len(crew) > 1)
    return Plan(plan.choice, timetable, crews)
