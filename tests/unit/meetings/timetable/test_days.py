"""Days as bits say what days as lists say, within a word and across words."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from market.meetings.timetable import days
from market.meetings.timetable.kempe import IDLE, UNFAIR, strain

WEEKS = st.lists(st.booleans(), min_size=1, max_size=140)


def _as_table(busy: list[bool]) -> np.ndarray:
    return np.array([[0 if each else -1 for each in busy]], np.int64)


def _as_bits(busy: list[bool]) -> np.ndarray:
    return days.packed(_as_table(busy) + 1)


@given(WEEKS, st.data())
def test_cost_is_that_of_the_list(busy: list[bool], data: st.DataObject) -> None:
    one = data.draw(st.integers(-1, len(busy) - 1))
    two = data.draw(st.integers(-1, len(busy) - 1).filter(lambda t: t != one or t < 0))
    most = data.draw(st.sampled_from([0.0, 1.0, 1e9]))
    assert days.cost_of(0, one, two, _as_bits(busy), most) == strain(0, one, two, _as_table(busy), most)


def test_cost_by_hand() -> None:
    busy = [False, True, True, False, True, False, False, True, False]
    assert days.cost_of(0, -1, -1, _as_bits(busy), 1e9) == 2 + 3 * IDLE
    assert days.cost_of(0, -1, -1, _as_bits(busy), 1) == 2 + 3 * IDLE + UNFAIR
    assert days.cost_of(0, 3, 7, _as_bits(busy), 1e9) == 0


def _drawn(draw: object, times: int = 600) -> set[int]:
    state = np.array([7], np.uint64)
    return {int(draw(state)) for _ in range(times)}  # type: ignore[operator]


@given(st.lists(st.booleans(), min_size=1, max_size=9), st.integers(0, 130))
def test_every_edge_of_a_run_is_drawn_and_nothing_else(some: list[bool], shift: int) -> None:
    busy = [False] * shift + some
    at = dict(enumerate(busy))
    edges = {t for t in at if at[t] and not (at.get(t - 1) and at.get(t + 1))}
    bits = _as_bits(busy)
    assert _drawn(lambda state: days.drawn_edge(state, 0, bits)) == (edges or {-1})


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=9), st.integers(0, 130))
def test_every_slot_that_suits_is_drawn_and_nothing_else(some: list[tuple[bool, bool]], shift: int) -> None:
    busy = [False] * shift + [mine for mine, _ in some]
    suits = [False] * shift + [fits for _, fits in some]
    bits, allowed = _as_bits(busy), _as_bits(suits)
    at = dict(enumerate(busy))
    all_that_suit = {t for t, fits in enumerate(suits) if fits}
    touching = {t for t in all_that_suit if not at[t] and (at.get(t - 1) or at.get(t + 1))}
    for only, expected in ((False, all_that_suit), (True, touching)):
        found = _drawn(lambda state, only=only: days.drawn_slot(state, 0, 0, allowed, bits, only))  # type: ignore[misc]
        assert found == (expected or {-1})
