"""Fairness that is asked for only where a timetable turns out unfair proves what it does from the start."""

import pytest
from msgspec.structs import replace

from fixtures.fairs import fair
from market.meetings.timetable import proof
from market.meetings.timetable.constraints import constraints, domains
from market.meetings.timetable.forced import forced
from market.meetings.timetable.problem import MeetingProblem, is_fair, total_breaks


def proven(meeting: MeetingProblem) -> tuple[int, list[dict[str, int]]]:
    """Return the fewest breaks, -1 where it is impossible, and every timetable that was told."""
    suits = domains(meeting, constraints(meeting))
    one = proof.Proof(meeting, suits, forced(meeting, suits), least=0, known=None)
    breaks, plans = 0, []
    with one:
        while not one.over:
            for word in one.words(wait=60):
                if isinstance(word, proof.Impossible):
                    return -1, plans
                if isinstance(word, proof.Bound):
                    breaks = word.breaks
                elif isinstance(word, proof.Found):
                    plans.append(word.plan)
    return breaks, plans


@pytest.mark.parametrize("seed", range(4))
def test_fewest_breaks_are_the_same_and_every_timetable_is_fair(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    day = fair(buyers=5, sellers=5, slots=7, appointments=18, absence=0.15, seed=seed, fairness=0)
    for meeting in (day, replace(day, fairness=1)):
        found = []
        for lenient in (0, 99):
            monkeypatch.setattr(proof, "_LENIENT", lenient)
            breaks, plans = proven(meeting)
            assert all(is_fair(meeting, plan) for plan in plans)
            assert breaks < 0 or min(total_breaks(meeting, plan) for plan in plans) == breaks
            found.append(breaks)
        assert found[0] == found[1]
    assert proven(replace(day, fairness=None))[0] >= 0
