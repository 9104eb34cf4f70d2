"""Whose goods do not sell and whose talk finds no slot is named among those left without one, truly."""

from market.meetings.choosing.problem import Candidate, Capacity, Party
from market.meetings.planning.facts import Facts
from market.meetings.planning.laying import Plan, make_plan


def plan_of(candidates: list[Candidate], capacity: Capacity, parties: list[Party], broken: set[int]) -> Plan:
    """``broken``: slots that lack the last table."""
    return make_plan(
        Facts(
            slots=tuple(range(1, capacity.slots + 1)),
            capacity=capacity,
            candidates=tuple(candidates),
            parties=tuple(parties),
            broken=tuple((slot, capacity.tables) for slot in sorted(broken)),
        ),
        5,
    )


def test_a_village_whose_only_talk_finds_no_slot_is_named() -> None:
    stuck = [Candidate(1, 3, 101, 0, stuck=True), Candidate(2, 4, 102, 0, stuck=True)]
    plan = plan_of(stuck, Capacity(1, 2), [Party(who) for who in (1, 2, 3, 4)], {1})
    (seated,) = plan.timetable.appointments
    ((left, reason),) = plan.choice.without
    assert {seated.id[0], str(left)} == {"1", "2"}
    assert str(reason).startswith("选好的洽谈排不进时段和桌子")


def test_a_village_passed_over_for_another_is_not_said_to_be_taken_off_by_the_town() -> None:
    """Seller 1 could only come where no table is left: thought again, the buyer meets seller 2."""
    candidates = [Candidate(1, 3, 101, 0, stuck=True), Candidate(2, 3, 102, 900_000)]
    parties = [Party(1, absent=(2,)), Party(2), Party(3, most=1)]
    plan = plan_of(candidates, Capacity(2, 1), parties, {1})
    assert [each.id for each in plan.timetable.appointments] == ["2-3"]
    ((left, reason),) = plan.choice.without
    assert (left, str(reason)[:10]) == (1, "选好的洽谈排不进时段")
