"""What can upset a timetable on the day, and what each thing takes away: people's slots, tables' slots.

Pure: ``replanning`` reads the day from the database, lets ``living.repair`` mend it, and keeps the result.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from market.i18n import Message, in_both, msg

KINDS: dict[str, Message] = {
    "late": msg("有人迟到"),
    "absent": msg("有人不来了"),
    "overrun": msg("谈超时了"),
    "walk_in": msg("临时来人"),
    "table_broken": msg("桌子不能用"),
    "slot_lost": msg("一个时段取消"),
    "swap": msg("手工调换"),
}
#: Talks that a newcomer may be given at once.
MOST_COUNTERPARTS = 12


class Change(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Something that happened, a code of ``KINDS``. Slots are numbered through all days.

    late: ``organisation`` is there from slot ``until`` on. absent: it does not come any more. overrun:
    ``appointment`` takes ``slots`` more. walk_in: ``organisation``, new or back, is to meet ``counterparts``.
    table_broken: ``table`` cannot be used before slot ``until`` (None: that day). slot_lost: ``slot``.
    swap: ``appointment`` goes to ``slot`` and ``table``, or changes places with ``other``.
    """

    kind: str
    organisation: int | None = None
    until: int | None = None
    appointment: int | None = None
    other: int | None = None
    slots: int = 1
    table: int | None = None
    slot: int | None = None
    counterparts: tuple[int, ...] = ()


class Party(Struct, frozen=True):
    """``away``: slots in which it cannot talk, as it had said before."""

    id: int
    name: str
    name_en: str
    side: str
    attendance: str
    away: tuple[int, ...] = ()


class DayTalk(Struct, frozen=True):
    """A talk of the day. ``rests``: it has begun or is over, so it stays where it is."""

    id: int
    seller: int
    buyer: int
    slot: int | None
    table: int | None
    state: str
    fixed: bool = False
    rests: bool = False

    @property
    def waits(self) -> bool:
        """It was called off, or found no place: it can still be given one."""
        return self.slot is None and self.state == "accepted"


class Effects(Struct, frozen=True):
    """What is taken away: organisation -> slots, and (slot, table) with None for every table."""

    away: dict[str, tuple[int, ...]] = {}
    closed: tuple[tuple[int, int | None], ...] = ()


class Snapshot(Struct, frozen=True):
    """The day as it stands. ``effects`` are those of everything that has happened and was not undone.

    ``labels``: the hours of each slot, as every page tells them. ``of_day``: the slots of one day, where the
    meeting lasts several. ``begins``: the minute of its day at which each slot begins; ``length``: how
    many minutes each lasts.
    """

    meeting: int
    slots: int
    tables: int
    half_day_after: int | None
    blocked: tuple[int, ...]
    parties: tuple[Party, ...]
    talks: tuple[DayTalk, ...]
    effects: tuple[Effects, ...] = ()
    labels: tuple[str, ...] = ()
    of_day: int | None = None
    begins: tuple[int, ...] = ()
    length: int = 0
    #: Organisations that one person comes for.
    crews: tuple[tuple[int, ...], ...] = ()

    def label(self, slot: int) -> Message | str:
        """Return how a slot is told."""
        return self.labels[slot - 1] if 0 < slot <= len(self.labels) else msg("第 {slot} 时段", slot=slot)

    def last_of_day(self, slot: int) -> int:
        """Return the last slot of the day that ``slot`` lies in."""
        return self.slots if self.of_day is None else -(-slot // self.of_day) * self.of_day

    def run_into(self, slot: int, more: int) -> tuple[int, ...]:
        """Return the slots that a talk of ``slot`` runs into when it takes ``more`` slots' time.

        A night ends every talk, and a pause at noon takes up what runs into it.
        """
        later = range(slot + 1, self.last_of_day(slot) + 1)
        if not self.begins:
            return tuple(later[:more])
        ends = self.begins[slot - 1] + (1 + more) * self.length
        return tuple(each for each in later if self.begins[each - 1] < ends)

    def party(self, number: int | None) -> Party | None:
        return next((each for each in self.parties if each.id == number), None)

    def talk(self, number: int | None) -> DayTalk | None:
        return next((each for each in self.talks if each.id == number), None)


def problems_of(change: Change, day: Snapshot, *, from_slot: int) -> dict[str, Message]:
    """Return field -> what is wrong with ``change`` on this day."""
    problems: dict[str, Message] = {}
    kind = change.kind
    party, talk = day.party(change.organisation), day.talk(change.appointment)
    if kind not in KINDS:
        return {"kind": msg("请选择发生了什么。")}
    if from_slot > day.slots:
        return {"": msg("今天的洽谈时间已过，日程不再改动。")}
    if kind in ("late", "absent", "walk_in") and party is None:
        problems["organisation"] = msg("请选一家参会单位。")
    if kind in ("overrun", "swap") and (talk is None or talk.slot is None or talk.state != "scheduled"):
        problems["appointment"] = msg("请选一场已排定、还没有记录的洽谈。")
    if kind == "late" and not (change.until and from_slot < change.until <= day.slots):
        problems["until"] = msg("请选几点能到；今天来不了请选“有人不来了”。")
    if kind == "overrun" and not 1 <= change.slots <= day.slots:
        problems["slots"] = msg("要在 {least} 到 {most} 之间。", least=1, most=day.slots)
    if kind == "table_broken":
        if not (change.table and 1 <= change.table <= day.tables):
            problems["table"] = msg("桌号应在 1 到 {most} 之间。", most=day.tables)
        if change.until is not None and not from_slot < change.until <= day.slots:
            problems["until"] = msg("请选以后的时段，不能再用请留空。")
    if kind == "slot_lost" and not (change.slot and from_slot <= change.slot <= day.slots):
        problems["slot"] = msg("请选一个还没开始的时段。")
    if kind == "walk_in" and party is not None:
        problems |= _walk_in_problems(change, party, day)
    if kind == "swap" and talk is not None:
        problems |= _swap_problems(change, talk, day, from_slot)
    return problems


def _walk_in_problems(change: Change, party: Party, day: Snapshot) -> dict[str, Message]:
    if party.attendance in ("no_show", "left"):
        return {
            "organisation": msg(
                "“{name}”没有签到或已离场，请先给它签到，再加洽谈。", name=in_both(party.name, party.name_en)
            )
        }
    known = {(each.seller, each.buyer) for each in day.talks if not each.waits}
    if not change.counterparts:
        return {"counterparts": msg("请至少选一家要见的。")}
    if len(change.counterparts) > MOST_COUNTERPARTS:
        return {"counterparts": msg("一次最多选 {most} 家。", most=MOST_COUNTERPARTS)}
    for number in change.counterparts:
        other = day.party(number)
        if other is None or {party.side, other.side} != {"seller", "buyer"}:
            return {"counterparts": msg("只能选对方一侧的参会单位。")}
        if pair_of(party, other) in known:
            return {
                "counterparts": msg("和“{name}”已经有一场洽谈。", name=in_both(other.name, other.name_en))
            }
    return {}


def _swap_problems(change: Change, talk: DayTalk, day: Snapshot, from_slot: int) -> dict[str, Message]:
    if talk.rests or (talk.slot or 0) < from_slot:
        return {"appointment": msg("这场洽谈已经开始或过了时间，不能再动。")}
    if change.other is not None:
        other = day.talk(change.other)
        if other is None or other.slot is None or other.id == talk.id or other.state != "scheduled":
            return {"other": msg("请选另一场还没开始的洽谈。")}
        if other.rests or other.slot < from_slot:
            return {"other": msg("这场洽谈已经开始或过了时间，不能再动。")}
        return {}
    if not (change.slot and from_slot <= change.slot <= day.slots):
        return {"slot": msg("请选一个还没开始的时段。")}
    if change.table is not None and not 1 <= change.table <= day.tables:
        return {"table": msg("桌号应在 1 到 {most} 之间。", most=day.tables)}
    return {}


def pair_of(one: Party, other: Party) -> tuple[int, int]:
    """Return the two as (seller, buyer)."""
    return (one.id, other.id) if one.side == "seller" else (other.id, one.id)


def effects_of(change: Change, day: Snapshot, *, since: int) -> Effects:
    """Return what ``change`` takes away. ``since`` is the slot that runs, or the next one."""
    last = day.slots + 1
    match change.kind:
        case "late":
            return Effects({str(change.organisation): tuple(range(since, change.until or last))})
        case "absent":
            return Effects({str(change.organisation): tuple(range(since, last))})
        case "table_broken":
            until = change.until or day.last_of_day(since) + 1
            return Effects(closed=tuple((slot, change.table) for slot in range(since, until)))
        case "slot_lost":
            return Effects(closed=((change.slot or 0, None),))
        case "overrun":
            talk = day.talk(change.appointment)
            if talk is None or talk.slot is None:
                return Effects()
            taken = day.run_into(talk.slot, change.slots)
            return Effects(
                {str(talk.seller): taken, str(talk.buyer): taken},
                tuple((slot, talk.table) for slot in taken),
            )
    return Effects()


def away_of(day: Snapshot, effects: Iterable[Effects]) -> dict[int, frozenset[int]]:
    """Return organisation -> every slot in which it cannot talk."""
    away: dict[int, set[int]] = {each.id: {*each.away, *day.blocked} for each in day.parties}
    for effect in effects:
        for number, slots in effect.away.items():
            away.setdefault(int(number), set()).update(slots)
    return {number: frozenset(slots) for number, slots in away.items()}


def closed_of(effects: Iterable[Effects]) -> frozenset[tuple[int, int | None]]:
    return frozenset(place for effect in effects for place in effect.closed)


def is_hit(
    talk: DayTalk,
    away: Mapping[int, frozenset[int]],
    closed: Sequence[object] | frozenset[tuple[int, int | None]],
) -> bool:
    """Tell whether a talk cannot be held where it lies."""
    return (
        talk.slot in away.get(talk.seller, frozenset())
        or talk.slot in away.get(talk.buyer, frozenset())
        or (talk.slot, talk.table) in closed
        or (talk.slot, None) in closed
    )
