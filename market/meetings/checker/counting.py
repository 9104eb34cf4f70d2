"""A timetable held against the meeting's rules, and its figures counted again, in the plainest way."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from itertools import combinations, pairwise

from msgspec import Struct

from market.i18n import Message, msg
from market.meetings.checker.claimed import Claim
from market.meetings.checker.reading import MICRO, Meeting

_HALVES = {"morning": msg("上午"), "afternoon": msg("下午")}


class Count(Struct, frozen=True):
    """What a timetable comes to. ``micro`` is the kept weight in millionths."""

    micro: int
    breaks: int
    idle: int
    changes: int


def days(
    meeting: Meeting, slots: Mapping[str, int], tables: Mapping[str, int]
) -> dict[str, list[tuple[int, int]]]:
    """Return each participant's (slot, table), in order of slots."""
    found: dict[str, list[tuple[int, int]]] = {who: [] for who in meeting.people}
    for talk, slot in slots.items():
        for who in meeting.talks[talk].ends:
            found[who].append((slot, tables.get(talk, 0)))
    for day in found.values():
        day.sort()
    return found


def breaks_of(day: Collection[tuple[int, int]]) -> int:
    return sum(u - t > 1 for (t, _), (u, _) in pairwise(day))


def count(meeting: Meeting, slots: Mapping[str, int], tables: Mapping[str, int]) -> Count:
    everyone = days(meeting, slots, tables).values()
    return Count(
        sum(meeting.talks[talk].micro for talk in slots),
        sum(breaks_of(day) for day in everyone),
        sum(max(0, u - t - 1) for day in everyone for (t, _), (u, _) in pairwise(day)),
        sum(here != there for day in everyone for (_, here), (_, there) in pairwise(day)),
    )


def broken_rules(
    meeting: Meeting, slots: Mapping[str, int], tables: Mapping[str, int] | None
) -> list[Message]:
    """Return every rule of the meeting that a plan breaks; without ``tables`` those of slots alone."""
    wrong = [trouble for talk, slot in slots.items() for trouble in _own(meeting, talk, slot, slots)]
    if tables is not None:
        for talk in slots:
            for who in meeting.talks[talk].ends:
                own = meeting.people[who].table
                if own is not None and tables[talk] != own:
                    wrong.append(
                        msg("洽谈 {id} 不在 {who} 自己的 {table} 号桌。", id=talk, who=who, table=own)
                    )
    at: dict[int, list[str]] = defaultdict(list)
    for talk, slot in slots.items():
        at[slot].append(talk)
    for slot, here in at.items():
        wrong += _together(meeting, slot, here, tables)
    everyone = days(meeting, slots, tables or {})
    for who, day in everyone.items():
        most = meeting.people[who].most
        if most is not None and len(day) > most:
            wrong.append(
                msg("{who} 排了 {count} 场，最多只能 {most} 场。", who=who, count=len(day), most=most)
            )
    breaks = [breaks_of(day) for day in everyone.values()]
    spread = max(breaks, default=0) - min(breaks, default=0)
    if meeting.fairness is not None and spread > meeting.fairness:
        wrong.append(msg("空档次数最多相差 {most}，实际相差 {count}。", most=meeting.fairness, count=spread))
    return wrong


def _own(meeting: Meeting, name: str, slot: int, slots: Mapping[str, int]) -> list[Message]:
    """Check what an appointment asks for by itself."""
    talk, wrong = meeting.talks[name], []
    wrong = [
        msg("洽谈 {id} 排在第 {slot} 时段，{who} 那时没有空。", id=name, slot=slot, who=who)
        for who in talk.ends
        if slot in meeting.people[who].away
    ]
    if talk.half != "any" and (talk.half == "morning") != (slot <= (meeting.noon or 0)):
        wrong.append(msg("洽谈 {id} 不在要求的半天（{half}）。", id=name, half=_HALVES[talk.half]))
    if talk.slot is not None and slot != talk.slot:
        wrong.append(msg("洽谈 {id} 不在指定的第 {slot} 时段。", id=name, slot=talk.slot))
    wrong += [
        msg("洽谈 {id} 应排在 {other} 之后。", id=name, other=other)
        for other in talk.after
        if other in slots and slots[other] >= slot
    ]
    return wrong


def _together(
    meeting: Meeting, slot: int, here: list[str], tables: Mapping[str, int] | None
) -> list[Message]:
    """Check the appointments of one slot against each other."""
    wrong: list[Message] = []
    if len(here) > meeting.tables:
        wrong.append(
            msg(
                "第 {slot} 时段排了 {count} 场，只有 {tables} 张桌。",
                slot=slot,
                count=len(here),
                tables=meeting.tables,
            )
        )
    seats: dict[str, list[str]] = defaultdict(list)
    at_table: dict[int, list[str]] = defaultdict(list)
    for talk in here:
        for who in meeting.talks[talk].ends:
            seats[who].append(talk)
        if tables is not None:
            at_table[tables[talk]].append(talk)
    for who, talks in seats.items():
        wrong += [
            msg("{who} 在第 {slot} 时段有两场洽谈：{one}、{two}。", who=who, slot=slot, one=one, two=two)
            for one, two in combinations(talks, 2)
        ]
    for table, talks in at_table.items():
        wrong += [
            msg(
                "第 {slot} 时段 {table} 号桌排了两场洽谈：{one}、{two}。",
                slot=slot,
                table=table,
                one=one,
                two=two,
            )
            for one, two in combinations(talks, 2)
        ]
    return wrong


def wrong_figures(meeting: Meeting, claim: Claim, home: Mapping[str, int] | None) -> list[Message]:
    """Count again what the timetable says of itself; ``home`` are the slots of an earlier one, if known."""
    counted = count(meeting, claim.slots, claim.tables)
    wrong = [
        _differs(name, str(claimed), found)
        for name, claimed, found in (
            ("breaks", claim.breaks, counted.breaks),
            ("idle_slots", claim.idle, counted.idle),
            ("table_changes", claim.changes, counted.changes),
        )
        if claimed is not None and claimed != found
    ]
    # Who adds the weights up as written may differ by what rounding each to millionths takes away.
    blur = 0.5e-6 * len(claim.slots) + 1e-12 * counted.micro / MICRO
    if claim.kept is not None and abs(claim.kept - counted.micro / MICRO) > blur:
        wrong.append(_differs("kept_weight", str(claim.kept), f"{counted.micro / MICRO:.6f}"))
    if claim.bound is not None and claim.bound > counted.breaks:
        wrong.append(msg("空档下界 {bound} 高于实际的 {count}。", bound=claim.bound, count=counted.breaks))
    if claim.moved is not None:
        if home is not None:
            moved = sum(slot != home[talk] for talk, slot in claim.slots.items() if talk in home)
            if claim.moved != moved:
                wrong.append(_differs("moved", str(claim.moved), moved))
        elif claim.moved > len(claim.slots):
            wrong.append(_differs("moved", str(claim.moved), f"<= {len(claim.slots)}"))
    elif claim.status == "optimal" and claim.bound is not None and claim.bound != counted.breaks:
        wrong.append(
            msg(
                "说是最优，空档下界 {bound} 却不等于实际的 {count}。",
                bound=claim.bound,
                count=counted.breaks,
            )
        )
    return wrong + _left_out(meeting, claim)


def _differs(name: str, claimed: str, counted: int | str) -> Message:
    return msg("{name} 写的是 {claimed}，数出来是 {counted}。", name=name, claimed=claimed, counted=counted)


def _left_out(meeting: Meeting, claim: Claim) -> list[Message]:
    wrong: list[Message] = []
    absent = [talk for talk in meeting.talks if talk not in claim.slots]
    if claim.left_out is not None and Counter(claim.left_out) != Counter(absent):
        wrong.append(msg("left_out 与实际没有排上的洽谈不一致：{ids}。", ids=", ".join(absent)))
    missed = [talk for talk in absent if not meeting.talks[talk].optional]
    if claim.status == "infeasible" and not missed:
        wrong.append(msg("说是排不下，必须安排的洽谈却都排上了。"))
    elif claim.status in ("optimal", "feasible"):
        wrong += [msg("洽谈 {id} 必须安排，却没有排上。", id=talk) for talk in missed]
    return wrong
