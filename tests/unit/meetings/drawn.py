"""Tiny meetings with every mark that the format knows, drawn for exhaustive search."""

import os
from itertools import combinations

from hypothesis import settings
from hypothesis import strategies as st

from market.meetings.timetable.problem import Appointment, Half, MeetingProblem, Participant, Side

#: So many meetings are drawn for each test; ``make soak`` draws far more.
TINY = settings(max_examples=int(os.environ.get("EXAMPLES", "16")))

_HALVES: list[Half] = ["any", "any", "any", "morning", "afternoon"]
_SIDES: list[Side] = ["buyer", "seller", "guest"]


@st.composite
def meetings(draw: st.DrawFn, *, most_talks: int = 5, optional: bool = True) -> MeetingProblem:
    """Draw a meeting of at most five participants and four slots; about a third are impossible."""
    slots = draw(st.integers(0, 4).filter(bool) if draw(st.booleans()) else st.integers(3, 4))
    tables = draw(st.sampled_from([1, 2, 2, 3]))
    count = draw(st.integers(2, 5))
    slot = st.integers(1, slots)
    people = tuple(
        Participant(
            f"p{i}",
            f"甲{i}",
            side=draw(st.sampled_from(_SIDES)),
            unavailable=tuple(draw(st.lists(slot, max_size=2))),
            max_appointments=draw(st.sampled_from([None, None, None, None, 0, 1, 2])),
            table=draw(st.sampled_from([None, None, None, *range(1, tables + 1)])),
        )
        for i in range(count)
    )
    pairs = draw(st.lists(st.sampled_from(list(combinations(range(count), 2))), max_size=most_talks))
    ids = [f"m{i}" for i in range(len(pairs))]
    items = tuple(
        Appointment(
            f"m{i}",
            f"p{a}",
            f"p{b}",
            half=draw(st.sampled_from(_HALVES)),
            slot=draw(st.sampled_from([None, None, None, None, 1, slots])),
            after=tuple(draw(st.lists(st.sampled_from(ids), max_size=2))) if draw(st.booleans()) else (),
            weight=draw(st.sampled_from([1, 2, 0.5, 0])),
            optional=optional and draw(st.booleans()),
        )
        for i, (a, b) in enumerate(pairs)
    )
    fairness = draw(st.sampled_from([None, 0, 1, 2]))
    return MeetingProblem(slots, tables, people, items, draw(st.integers(0, slots)), fairness)
