"""What is known of the timetable that stands now: counted anew, and what of its proof still holds.

The proof is of the timetable as it was laid. Talks are moved by hand, handed on, called off and mended on the
day: then the figures are others, and what was proven says nothing of them, but where only tables changed.
"""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import msgspec

from market.db.session import fetch_into
from market.i18n import Message, msg
from market.meetings.queries import MeetingRow
from market.meetings.standing import Standing
from market.meetings.timetable.problem import LEVELS, breaks_of, idle_of
from market.meetings.timetable.proof_words import proof_words


class PlaceRow(msgspec.Struct, frozen=True):
    seller: int
    buyer: int
    slot: int
    table_number: int


class Figures(msgspec.Struct, frozen=True):
    """What a timetable comes to, over all participants."""

    breaks: int
    idle_slots: int
    table_changes: int


class Verdict(msgspec.Struct, frozen=True):
    """``words``: what is proven. ``bound``: no timetable of these talks has fewer breaks; None: not known.

    ``worth`` in fen. ``more``: by how much another choice of pairs might be worth more, 0 where it is proven
    that none is; None: not known of what stands now.
    """

    status: Literal["optimal", "together", "breaks", "feasible", "changed"]
    words: Message
    talks: int
    worth: int
    figures: Figures
    bound: int | None
    more: int | None


async def places_of(meeting_id: int) -> list[PlaceRow]:
    """Return where each talk lies that has a place, whatever has come of it."""
    return await fetch_into(
        PlaceRow,
        """SELECT seller, buyer, slot, table_number FROM appointment
           WHERE meeting = $1 AND slot IS NOT NULL AND table_number IS NOT NULL AND state <> 'cancelled'
           ORDER BY seller, buyer""",
        meeting_id,
    )


def stamps_of(places: Sequence[PlaceRow]) -> dict[str, str]:
    """Return what tells this timetable from any other: ``slots`` without the tables, ``stands`` with them."""

    def stamp(rows: object) -> str:
        return hashlib.sha256(msgspec.json.encode(rows)).hexdigest()[:32]

    return {
        "slots": stamp([(each.seller, each.buyer, each.slot) for each in places]),
        "stands": stamp(places),
    }


def figures_of(
    places: Sequence[PlaceRow], *, blocked: Sequence[int], crews: Sequence[Sequence[int]] = ()
) -> Figures:
    """Count a timetable as the scheduler does; pure.

    Nobody waits in a ``blocked`` slot, where all attend something else. Of ``crews`` each is one person.
    """
    closed = sorted(set(blocked))
    head = {who: crew[0] for crew in crews for who in crew}
    days: dict[int, list[tuple[int, int]]] = {}
    for each in places:
        slot = each.slot - sum(number < each.slot for number in closed)
        for who in {head.get(each.seller, each.seller), head.get(each.buyer, each.buyer)}:
            days.setdefault(who, []).append((slot, each.table_number))
    stations = [sorted(day) for day in days.values()]
    return Figures(
        sum(breaks_of(slot for slot, _ in day) for day in stations),
        sum(idle_of(slot for slot, _ in day) for day in stations),
        sum(here[1] != there[1] for day in stations for here, there in pairwise(day)),
    )


async def verdict_of(meeting: MeetingRow, standing: Standing) -> Verdict | None:
    """Return what is known of a meeting's timetable; None where there is none."""
    kept = meeting.timetable
    if kept is None:
        return None
    places = await places_of(meeting.id)
    figures = figures_of(places, blocked=meeting.blocked_slots, crews=kept.get("crews", ()))
    moved = _moved(kept, places, figures)
    if moved == "slots":
        return Verdict(
            "changed",
            msg("排好以后又改过，数字是按现在的日程重新数的；能不能更少，要重新排桌才知道。"),
            standing.talks,
            standing.worth,
            figures,
            None,
            None,
        )
    # timetables of before levels were kept: optimal meant all of them
    proven = list(kept.get("proven", LEVELS if kept["status"] == "optimal" else ()))
    if moved == "tables" and "table_changes" in proven:
        proven.remove("table_changes")
    bound = kept["lower_bound_breaks"]
    return Verdict(
        _status(proven, figures.breaks, bound),
        proof_words(proven=proven, breaks=figures.breaks, bound=bound),
        standing.talks,
        standing.worth,
        figures,
        bound,
        None
        if kept.get("choice_proven") is None
        else 0
        if kept["choice_proven"]
        else max(kept.get("most_worth", kept["worth"]) - kept["worth"], 0),
    )


def _moved(
    kept: Mapping[str, Any], places: Sequence[PlaceRow], figures: Figures
) -> Literal["slots", "tables"] | None:
    """Return what is not as it was laid any more."""
    if "stands" not in kept:
        # laid before it was written down where: what counts otherwise is not the same
        known = Figures(kept["breaks"], kept["idle_slots"], kept["table_changes"])
        return None if (kept["appointments"], known) == (len(places), figures) else "slots"
    now = stamps_of(places)
    if kept["slots"] != now["slots"]:
        return "slots"
    return "tables" if kept["stands"] != now["stands"] else None


def _status(
    proven: Sequence[str], breaks: int, bound: int
) -> Literal["optimal", "together", "breaks", "feasible"]:
    if "breaks" in proven and breaks > bound:
        return "together"
    if set(LEVELS) <= set(proven):
        return "optimal"
    return "breaks" if breaks <= bound else "feasible"
