"""The rest of a day laid anew after something happened: from the snapshot to each talk's step. Pure."""

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from market.i18n import Message, in_both, msg
from market.meetings.day.disruptions import (
    Change,
    DayTalk,
    Party,
    Snapshot,
    away_of,
    closed_of,
    effects_of,
    is_hit,
    pair_of,
)
from market.meetings.living.moves import check_move
from market.meetings.living.places import Closure, Place
from market.meetings.living.repair import repair
from market.meetings.timetable.problem import Appointment, MeetingProblem, NamedParticipant, Side

#: Why a talk is called off, where the repair has no better word.
NO_PLACE = msg("剩下的时段里，双方没有共同的空档。")


class Step(Struct, frozen=True):
    """What becomes of one talk: ``before`` and ``after`` are (slot, table) or None; a new one has no id."""

    id: int | None
    seller: int
    buyer: int
    before: tuple[int, int] | None
    after: tuple[int, int] | None
    reason: Message | None = None


def compute(
    day: Snapshot, change: Change, from_slot: int, since: int
) -> tuple[tuple[Step, ...], tuple[Message, ...]]:
    """Return what becomes of the talks, and what speaks against a swap; pure."""
    effects = [*day.effects, effects_of(change, day, since=since)]
    away, closed = away_of(day, effects), closed_of(effects)
    live = [each for each in day.talks if each.state in ("scheduled", "accepted", "held")]
    new = _newcomer(day, change)
    crews = _crews(day, live, new, _gone(day, away, from_slot))
    head = {each.id: crew[0].id for crew in crews for each in crew}
    for crew in crews:
        # whoever is kept at one table, or is late, is so for all for whom they come
        away |= dict.fromkeys(
            (each.id for each in crew), frozenset().union(*(away[each.id] for each in crew))
        )
    # whoever sits at a table does sit there, whatever was said before
    seated = {(number, each.slot) for each in live if each.rests for number in (each.seller, each.buyer)}
    occupied = {(each.slot, each.table) for each in live if each.rests}
    # a talk of the running slot that cannot be held there is looked for a new place like any other
    placed = {
        str(each.id): Place(each.slot, each.table)
        for each in live
        if each.slot is not None
        and each.table is not None
        and (each.rests or each.slot >= from_slot or not is_hit(each, away, closed))
    }
    problem = MeetingProblem(
        slots=day.slots,
        tables=day.tables,
        half_day_after=day.half_day_after,
        participants=tuple(
            NamedParticipant(
                str(crew[0].id),
                "、".join(each.name for each in crew),
                _side(*(each.side for each in crew)),
                unavailable=tuple(
                    sorted(
                        slot
                        for slot in away[crew[0].id]
                        if from_slot <= slot <= day.slots
                        and not any((each.id, slot) in seated for each in crew)
                    )
                ),
                name_en=", ".join(each.name_en or each.name for each in crew)
                if len(crew) > 1
                else crew[0].name_en,
            )
            for crew in crews
        ),
        appointments=(
            *(
                Appointment(
                    str(each.id),
                    str(head.get(each.buyer, each.buyer)),
                    str(head.get(each.seller, each.seller)),
                    slot=None
                    if each.id in (change.appointment, change.other)
                    else _held_at(each, from_slot, away, closed),
                    optional=True,
                )
                for each in live
            ),
            *(Appointment(f"{s}-{b}", str(head[b]), str(head[s]), optional=True) for s, b in new),
        ),
    )
    closures = [
        Closure(slot, table) for slot, table in sorted(closed - occupied, key=str) if slot >= from_slot
    ]
    reasons: dict[str, Message] = {}
    if change.kind == "swap":
        check = check_move(
            problem,
            placed,
            appointment=str(change.appointment),
            slot=_target(day, change),
            table=change.table,
            swap_with=None if change.other is None else str(change.other),
            from_slot=from_slot,
            closed=closures,
            label=day.label,
        )
        if not check.fine:
            return (), tuple(check.clashes)
        after: Mapping[str, Place] = check.placed
    else:
        mended = repair(problem, placed, from_slot=from_slot, closed=closures, label=day.label)
        after = mended.placed
        reasons = {each.id: each.reason for each in mended.called_off}
        # whoever still sits at a table has not left: that effect takes the table away too
        left = away_of(day, (each for each in effects if not each.closed))
        reasons |= _not_coming(day, live, left, from_slot)
    return _steps(live, new, after, reasons), ()


def _not_coming(
    day: Snapshot, live: list[DayTalk], away: Mapping[int, frozenset[int]], from_slot: int
) -> dict[str, Message]:
    """Return the talks, by number, of which somebody does not come any more, with who that is."""
    leaving = _gone(day, away, from_slot)
    gone = {each.id: in_both(each.name, each.name_en) for each in day.parties if each.id in leaving}
    return {
        str(each.id): not_coming(gone[who])
        for each in live
        for who in (each.seller, each.buyer)
        if who in gone
    }


def _gone(day: Snapshot, away: Mapping[int, frozenset[int]], from_slot: int) -> set[int]:
    """Return who cannot talk any more from ``from_slot`` on."""
    rest = frozenset(range(from_slot, day.slots + 1)) - {*day.blocked}
    return {each.id for each in day.parties if rest and rest <= away[each.id]}


def _crews(
    day: Snapshot, live: Sequence[DayTalk], new: Sequence[tuple[int, int]], gone: Collection[int]
) -> list[list[Party]]:
    """Return the participants: organisations that one person comes for together, all others alone.

    Whoever does not come any more says nothing of the others. Where the timetable has such a person at two
    tables at once already, or talking to itself, it is left as it is: it was told otherwise, or comes with
    somebody else.
    """
    alone = {each.id: each for each in day.parties}
    found = []
    for crew in day.crews:
        mine = [who for who in crew if who in alone and who not in gone]
        busy = [each.slot for each in live for who in (each.seller, each.buyer) if who in mine and each.slot]
        inside = any({*pair} <= {*mine} for pair in [*((each.seller, each.buyer) for each in live), *new])
        if len(mine) > 1 and len(busy) == len({*busy}) and not inside:
            found.append([alone.pop(who) for who in mine])
    return [*([each] for each in alone.values()), *found]


def not_coming(name: Message) -> Message:
    """Return why a talk is called off whose one side has left."""
    return msg("“{name}”不来了。", name=name)


def _target(day: Snapshot, change: Change) -> int:
    other = day.talk(change.other)
    return (other.slot if other else change.slot) or 0


def _side(*sides: str) -> Side:
    if len({*sides}) > 1:
        return "guest"
    return "buyer" if sides[0] == "buyer" else ("seller" if sides[0] == "seller" else "guest")


def _held_at(
    talk: DayTalk,
    from_slot: int,
    away: Mapping[int, frozenset[int]],
    closed: frozenset[tuple[int, int | None]],
) -> int | None:
    """Return the slot that a talk may not leave: it has begun, or an official has put it there."""
    if talk.slot is None or talk.slot < from_slot:
        return None
    if talk.rests or (talk.fixed and not is_hit(talk, away, closed)):
        return talk.slot
    return None


def _newcomer(day: Snapshot, change: Change) -> list[tuple[int, int]]:
    party = day.party(change.organisation)
    if change.kind != "walk_in" or party is None:
        return []
    others = [day.party(number) for number in change.counterparts]
    # a talk of theirs that was called off waits for a place already
    known = {(each.seller, each.buyer) for each in day.talks}
    pairs = [pair_of(party, other) for other in others if other is not None]
    return [each for each in pairs if each not in known]


def _steps(
    live: list[DayTalk],
    new: list[tuple[int, int]],
    after: Mapping[str, Place],
    reasons: Mapping[str, Message],
) -> tuple[Step, ...]:
    steps = []
    for talk in live:
        place = after.get(str(talk.id))
        then = (place.slot, place.table) if place else None
        now = (talk.slot, talk.table) if talk.slot is not None and talk.table is not None else None
        if now != then and not talk.rests:
            reason = None if then else reasons.get(str(talk.id), NO_PLACE)
            steps.append(Step(talk.id, talk.seller, talk.buyer, now, then, reason))
    for seller, buyer in new:
        place = after.get(f"{seller}-{buyer}")
        if place:
            steps.append(Step(None, seller, buyer, None, (place.slot, place.table)))
    return tuple(sorted(steps, key=lambda each: (each.after or each.before or (0, 0), each.seller)))
