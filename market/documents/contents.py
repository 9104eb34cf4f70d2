"""From a meeting to its papers: each paper's content as plain data, in the order in which they are bound.

Pure. Links stand as paths of this site, codes are drawn from them when the paper is set; so a paper's hash
does not depend on the address under which the site was called.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

from market.documents import cards, letters
from market.documents.figures import (
    both_masses,
    both_prices,
    clock,
    day,
    days_of,
    short_day,
    slot_times,
    weekday,
)
from market.documents.gathering import Fair, Tour
from market.documents.guests import SIDES, comers, contact, head, placed
from market.documents.papers import KINDS, Draft
from market.meetings.invitations.links import invitation_path
from market.meetings.queries import AppointmentRow, TopicRow

#: Lines on the sign-in sheet for those who come unasked.
_SPARE_LINES = 8
#: When people eat, in minutes after midnight.
_NOON = (11 * 60, 13 * 60 + 30)


def drafts_of(fair: Fair, kinds: Iterable[str] | None = None) -> list[Draft]:
    """Return the meeting's papers as they would be printed now; of some kinds where given."""
    wanted = [code for code in KINDS if kinds is None or code in set(kinds)]
    return [draft for code in wanted for draft in _WRITERS[code](fair)]


def _pause(begins: int, ends: int) -> str:
    """Return what a pause is called: it is for lunch where it lies around noon."""
    return "午休" if begins < _NOON[1] and ends > _NOON[0] else "休息"


def _programme(fair: Fair) -> Iterator[Draft]:
    meeting = fair.meeting
    talks: dict[int, int] = {}
    for each in placed(fair):
        talks[each.slot or 0] = talks.get(each.slot or 0, 0) + 1
    days = []
    for number, date in enumerate(days_of(meeting)):
        rows: list[list[str]] = []
        for place in range(1, meeting.slots + 1):
            slot = number * meeting.slots + place
            if meeting.half_day_after is not None and place == meeting.half_day_after + 1:
                begins = meeting.slot_start(slot - 1) + meeting.slot_minutes
                if begins < meeting.slot_start(slot):
                    ends = meeting.slot_start(slot)
                    rows.append([f"{clock(begins)}–{clock(ends)}", _pause(begins, ends)])
            if slot in meeting.blocked_slots:
                rows.append([slot_times(meeting, slot), "会场活动，不安排洽谈"])
            elif slot in talks:
                rows.append([slot_times(meeting, slot), f"第 {slot} 轮一对一洽谈（{talks[slot]} 桌）"])
        days.append({"day": f"{day(date)}（{weekday(date)}）", "rows": rows})
    yield Draft(
        "programme",
        "meeting",
        meeting.title,
        {
            **head(fair),
            "words": [line for line in meeting.programme.splitlines() if line.strip()],
            "days": [each for each in days if each["rows"]],
            "tour": _tour(fair),
            "sides": [
                {"name": name, "guests": [each.name for each in fair.guests if each.side == side]}
                for side, name in SIDES.items()
                if any(each.side == side for each in fair.guests)
            ],
            "contact": contact(fair),
            "weather": meeting.weather_plan,
        },
    )


def _tour(fair: Fair) -> dict[str, object] | None:
    if fair.tour is None:
        return None
    tour = fair.tour
    buses: dict[int, list[list[str]]] = {}
    for stop in tour.stops:
        times = f"{clock(stop.arrives_at)}–{clock(stop.leaves_at)}"
        buses.setdefault(stop.bus, []).append([times, stop.name, stop.shows])
    return {
        "day": f"{day(tour.on)}（{weekday(tour.on)}）",
        "start": f"{clock(tour.leaves_at)} 从{tour.start_name}出发" + _seats(tour),
        "buses": [
            {"name": _bus(number, bus, tour, several=len(buses) > 1), "rows": rows}
            for number, (bus, rows) in enumerate(buses.items())
        ],
    }


def _seats(tour: Tour) -> str:
    found = tour.seating
    return f"，共 {sum(found.buses)} 辆车，每辆 {found.seats} 座" if found else ""


def _bus(number: int, bus: int, tour: Tour, *, several: bool) -> str:
    together = tour.seating.buses[number] if tour.seating else 1
    name = f"{bus} 号车" if several else ""
    return name + f"（{together} 辆同行）" if several and together > 1 else name


def _schedule(fair: Fair) -> Iterator[Draft]:
    talks = {(each.slot, each.table_number): each for each in placed(fair)}
    if not talks:
        return
    meeting = fair.meeting
    tables = sorted({table for _, table in talks if table})
    days = []
    for number, date in enumerate(days_of(meeting)):
        slots = [number * meeting.slots + place for place in range(1, meeting.slots + 1)]
        used = [slot for slot in slots if any((slot, table) in talks for table in tables)]
        rows = [
            [
                str(table),
                *(
                    [talk.buyer_name, talk.seller_name] if (talk := talks.get((slot, table))) else None
                    for slot in used
                ),
            ]
            for table in tables
        ]
        heads = [slot_times(meeting, slot) for slot in used]
        days.append({"day": f"{short_day(date)} {weekday(date)}", "heads": heads, "rows": rows})
    yield Draft(
        "schedule",
        "meeting",
        meeting.title,
        {**head(fair), "days": [each for each in days if each["heads"]], "several": meeting.days > 1},
    )


def _topic(topic: TopicRow) -> dict[str, str]:
    """What is talked of: the batch, and quantity and price where a suggestion names them."""
    figures = ""
    if topic.proposed:
        figures = both_masses(topic.proposed)
        if topic.proposed_price:
            figures += f"，{both_prices(topic.proposed_price)}"
    return {"title": topic.title, "figures": figures}


def _timetable(fair: Fair) -> Iterator[Draft]:
    meeting = fair.meeting
    by_party: dict[int, list[AppointmentRow]] = {}
    for talk in placed(fair):
        by_party.setdefault(talk.seller, []).append(talk)
        by_party.setdefault(talk.buyer, []).append(talk)
    for guest in fair.guests:
        talks = by_party.get(guest.organisation, [])
        if not talks:
            continue
        is_seller = guest.side == "seller"
        yield Draft(
            "timetable",
            f"organisation:{guest.organisation}",
            guest.name,
            {
                **head(fair),
                "name": guest.name,
                "side": SIDES[guest.side],
                "several": meeting.days > 1,
                "rows": [
                    {
                        "day": short_day(meeting.slot_day(talk.slot or 1)),
                        "time": slot_times(meeting, talk.slot or 1),
                        "table": str(talk.table_number),
                        "other": talk.buyer_name if is_seller else talk.seller_name,
                        "topics": [_topic(each) for each in talk.topics],
                    }
                    for talk in talks
                ],
                "link": invitation_path(guest.invitation, guest.link_version),
                "contact": contact(fair),
            },
        )


def _sign_in(fair: Fair) -> Iterator[Draft]:
    rows = [[c.guest.name, SIDES[c.guest.side], c.name, c.title] for c in comers(fair)]
    numbered = [[str(n), *row, "", ""] for n, row in enumerate(rows, 1)]
    spare = [[str(n), "", "", "", "", "", ""] for n in range(len(rows) + 1, len(rows) + 1 + _SPARE_LINES)]
    content: dict[str, Any] = {**head(fair), "rows": numbered + spare}
    if fair.meeting.days > 1:
        # who comes on two days signs twice: a sheet for each
        dates = [fair.meeting.held_on + timedelta(days=number) for number in range(fair.meeting.days)]
        content["days"] = [f"{short_day(each)} {weekday(each)}" for each in dates]
    yield Draft("sign_in", "meeting", fair.meeting.title, content)


_WRITERS: dict[str, Callable[[Fair], Iterator[Draft]]] = {
    "invitation": letters.invitations,
    "programme": _programme,
    "schedule": _schedule,
    "timetable": _timetable,
    "table_card": cards.table_cards,
    "name_card": cards.name_cards,
    "badge": cards.badges,
    "sign_in": _sign_in,
    "lot_card": cards.lot_cards,
    "press": letters.press,
    "intent": letters.intents,
}
