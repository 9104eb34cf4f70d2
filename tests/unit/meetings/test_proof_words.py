"""What is said of a timetable's proof is true of it: of one kept to, of one changed since."""

import pytest

from market.meetings.planning.verdict import Figures, PlaceRow, figures_of, stamps_of
from market.meetings.timetable.problem import LEVELS
from market.meetings.timetable.proof_words import proof_words


@pytest.mark.parametrize("known", [2, 3, 4])
def test_breaks_above_the_bound_are_never_said_to_be_fewest(known: int) -> None:
    alone = str(proof_words(proven=LEVELS[:known], breaks=7, bound=7))
    together = str(proof_words(proven=LEVELS[:known], breaks=7, bound=0))
    assert "改动" not in alone
    assert together.startswith("空档和改动合在一起，已证明不能更少")


def test_what_is_not_proven_tells_the_distance() -> None:
    assert str(proof_words(proven=LEVELS[:1], breaks=7, bound=4)) == "没有冲突；空档次数离下界还差 3 次。"


def test_figures_are_those_of_the_participants_days() -> None:
    places = [PlaceRow(1, 11, 1, 1), PlaceRow(1, 12, 4, 2), PlaceRow(2, 11, 3, 1)]
    # the seller waits through 2 and 3 and changes its table, the buyer waits through 2
    assert figures_of(places, blocked=[]) == Figures(2, 3, 1)
    # nobody waits where all attend something else
    assert figures_of(places, blocked=[2]) == Figures(1, 1, 1)
    # both sellers are one person, who has a talk in 3
    assert figures_of(places, blocked=[2], crews=[(1, 2)]) == Figures(0, 0, 1)


def test_another_table_is_told_from_another_slot() -> None:
    before = [PlaceRow(1, 11, 1, 1), PlaceRow(2, 12, 1, 2)]
    table, slot = [before[0], PlaceRow(2, 12, 1, 3)], [before[0], PlaceRow(2, 12, 2, 2)]
    assert stamps_of(before)["slots"] == stamps_of(table)["slots"] != stamps_of(slot)["slots"]
    assert stamps_of(before)["stands"] != stamps_of(table)["stands"]
