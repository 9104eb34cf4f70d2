"""A slot in which a table cannot be used has room for one talk less."""

import pytest

from market.meetings.choosing.problem import Candidate, Capacity, Party
from market.meetings.planning.facts import Facts, Laid
from market.meetings.planning.laying import make_plan

PAIRS = [(1, 3), (2, 4), (1, 4), (2, 3)]


def facts(broken: tuple[tuple[int, int], ...], **more: object) -> Facts:
    """Two sellers (1, 2) and two buyers (3, 4), who fill two slots at two tables."""
    return Facts(
        slots=(1, 3),
        capacity=Capacity(2, 2),
        candidates=tuple(
            Candidate(seller=seller, buyer=buyer, listing=seller, worth=100_000 * number, demand=buyer)
            for number, (seller, buyer) in enumerate(PAIRS, start=1)
        ),
        parties=tuple(Party(id=who, name=str(who)) for who in (1, 2, 3, 4)),
        broken=broken,
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("fairness", [None, 0])
@pytest.mark.parametrize("is_out", [False, True])
def test_no_talk_is_laid_on_a_broken_table(*, is_out: bool, fairness: int | None) -> None:
    laid = [
        Laid(*pair, place, table)
        for pair, (place, table) in zip(PAIRS, [(1, 1), (1, 2), (2, 1), (2, 2)], strict=True)
    ]
    known = tuple(laid) if is_out else ()
    assert len(make_plan(facts((), laid=known, fairness=fairness), 5).timetable.appointments) == 4
    plan = make_plan(facts(((1, 2),), laid=known, fairness=fairness), 5)
    seats = {(each.slot, each.table) for each in plan.timetable.appointments}
    # the slots as the meeting numbers them
    assert seats == {(1, 1), (3, 1), (3, 2)}
    assert {each.id for each in plan.timetable.appointments} <= {f"{a}-{b}" for a, b in PAIRS}
    assert plan.timetable.kept_weight > 0
    assert plan.timetable.table_changes <= 2


def test_a_slot_without_any_table_holds_no_talk() -> None:
    plan = make_plan(facts(((1, 1), (1, 2))), 5)
    assert sorted((each.slot, each.table) for each in plan.timetable.appointments) == [(3, 1), (3, 2)]


def test_an_own_table_that_is_broken_is_left_for_another() -> None:
    plan = make_plan(facts(((1, 2),), tables={3: 2, 4: 1}), 5)
    assert {(each.slot, each.table) for each in plan.timetable.appointments} <= {(1, 1), (3, 1), (3, 2)}
    assert len(plan.timetable.appointments) == 3
