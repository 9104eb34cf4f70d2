"""A move by hand, checked at once: what it clashes with, in words."""

from collections.abc import Collection, Iterator, Mapping

from market.i18n import Message, msg
from market.meetings.living.places import Closure, Label, MoveCheck, Place, by_number, is_open, open_tables
from market.meetings.timetable.problem import Appointment, MeetingProblem, Participant


def check_move(
    problem: MeetingProblem,
    placed: Mapping[str, Place],
    *,
    appointment: str,
    slot: int,
    table: int | None = None,
    swap_with: str | None = None,
    from_slot: int = 1,
    closed: Collection[Closure] = (),
    label: Label = by_number,
) -> MoveCheck:
    """Check a move of one appointment, or an exchange of two, by hand.

    Args:
        table: None: the one it has, the party's own, or else the first that is free.
        swap_with: this one takes the other's place; then ``slot`` and ``table`` are those of the other.
        from_slot: the first slot that can still be changed.
        label: how slots are told in clashes.
    """
    items = {item.id: item for item in problem.appointments}
    after = dict(placed)
    moves: list[tuple[str, Place]] = []
    if swap_with is not None:
        there, here = placed.get(swap_with), placed.get(appointment)
        if there is None or here is None:
            return MoveCheck(False, (msg("两场都排定了才能对调。"),), dict(placed))
        moves = [(appointment, there), (swap_with, here)]
    else:
        others = [place.table for m, place in placed.items() if m != appointment and place.slot == slot]
        seat = table or _seat(problem, items[appointment], placed.get(appointment), slot, others, closed)
        moves = [(appointment, Place(slot, seat))]
    after.update(moves)
    clashes: list[Message] = []
    for m, place in moves:
        was = placed.get(m)
        if was is not None and was.slot < from_slot:
            clashes.append(msg("{pair}已经谈过或正在谈，不能再动。", pair=_pair(problem, items[m])))
        clashes += _clashes(problem, items, m, place, after, from_slot, closed, label)
    told = tuple(each for n, each in enumerate(clashes) if each not in clashes[:n])
    return MoveCheck(not clashes, told, after if not clashes else dict(placed))


def _seat(
    problem: MeetingProblem,
    item: Appointment,
    was: Place | None,
    slot: int,
    taken: Collection[int],
    closed: Collection[Closure],
) -> int:
    """Return the table to sit at; 0 where none is free."""
    own = next((p.table for p in problem.participants if p.id in (item.a, item.b) and p.table), None)
    if own is not None:
        return own
    free = [each for each in open_tables(problem.tables, slot, closed) if each not in taken]
    if was is not None and was.table in free:
        return was.table
    return free[0] if free else 0


def _pair(problem: MeetingProblem, item: Appointment) -> Message:
    names = {person.id: person.called for person in problem.participants}
    return msg("“{a}”与“{b}”的洽谈", a=names[item.a], b=names[item.b])


def _clashes(
    problem: MeetingProblem,
    items: Mapping[str, Appointment],
    m: str,
    place: Place,
    after: Mapping[str, Place],
    from_slot: int,
    closed: Collection[Closure],
    label: Label,
) -> Iterator[Message]:
    item = items[m]
    slot = place.slot
    when = label(slot)
    if not 1 <= slot <= problem.slots:
        yield msg("没有第 {slot} 时段，全场共 {slots} 个时段。", slot=slot, slots=problem.slots)
        return
    if slot < from_slot:
        yield msg("{when} 已经过去，只能排到 {first} 或以后。", when=when, first=label(from_slot))
    people = {person.id: person for person in problem.participants}
    yield from _people_free(problem, items, m, people, slot, after, when)
    if place.table == 0:
        yield msg("{when} 没有空桌了。", when=when)
    elif not is_open(place, problem.tables, closed):
        yield msg("{when} 的 {table} 号桌不能用。", when=when, table=place.table)
    for who in (item.a, item.b):
        own = people[who].table
        if own is not None and place.table not in (0, own):
            yield msg("{who}固定在 {table} 号桌。", who=people[who].title, table=own)
    for other, there in after.items():
        if other != m and there == place:
            pair = _pair(problem, items[other])
            yield msg("{when} 的 {table} 号桌已有{pair}。", when=when, table=place.table, pair=pair)
    noon = problem.half_day_after or 0
    if item.half != "any" and (item.half == "morning") != (slot <= noon):
        yield (
            msg("{pair}须在上午。", pair=_pair(problem, item))
            if item.half == "morning"
            else msg("{pair}须在下午。", pair=_pair(problem, item))
        )
    if item.slot is not None and slot != item.slot:
        yield msg("{pair}定在 {when}。", pair=_pair(problem, item), when=label(item.slot))
    for first, later in _ordered(problem, item):
        one, two = after.get(first.id), after.get(later.id)
        if one is not None and two is not None and one.slot >= two.slot:
            yield msg("{pair}须排在{other}之后。", pair=_pair(problem, later), other=_pair(problem, first))


def _ordered(problem: MeetingProblem, item: Appointment) -> Iterator[tuple[Appointment, Appointment]]:
    """Yield the pairs that ``item`` is part of and of which the first must be over when the second begins."""
    for other in problem.appointments:
        if other.id in item.after:
            yield other, item
        if item.id in other.after:
            yield item, other


def _people_free(
    problem: MeetingProblem,
    items: Mapping[str, Appointment],
    m: str,
    people: Mapping[str, Participant],
    slot: int,
    after: Mapping[str, Place],
    when: Message | str,
) -> Iterator[Message]:
    for who in (items[m].a, items[m].b):
        if slot in people[who].unavailable:
            yield msg("{who}在 {when} 没有空。", who=people[who].title, when=when)
        for other, there in after.items():
            if other != m and there.slot == slot and who in (items[other].a, items[other].b):
                pair = _pair(problem, items[other])
                yield msg("{who}在 {when} 已有{pair}。", who=people[who].title, when=when, pair=pair)
