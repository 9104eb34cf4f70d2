from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from market.meetings.choosing.choose import Candidate, Capacity, choose_invitations

candidates = st.lists(
    st.builds(
        Candidate,
        seller=st.integers(1, 3),
        buyer=st.integers(11, 13),
        listing=st.integers(101, 103),
        worth=st.integers(0, 9),
        stuck=st.booleans(),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(candidates, st.integers(1, 3), st.integers(1, 2), st.integers(1, 3))
def test_choice_equals_exhaustive_search(found: list[Candidate], slots: int, tables: int, most: int) -> None:
    choice = choose_invitations(found, capacity=Capacity(slots, tables, most))
    worth: dict[tuple[int, int], dict[int, int]] = {}
    stuck: set[tuple[int, int]] = set()
    for c in found:
        listings = worth.setdefault((c.seller, c.buyer), {})
        listings[c.listing] = max(listings.get(c.listing, 0), c.worth)
        if c.stuck:
            stuck.add((c.seller, c.buyer))
    best = (0, 0)
    for size in range(min(len(worth), slots * tables) + 1):
        for pairs in combinations(worth, size):
            load = [who for pair in pairs for who in pair]
            if all(load.count(who) <= min(most, slots) for who in load):
                served = len({pair[0] for pair in pairs if pair in stuck})
                best = max(best, (served, sum(sum(worth[pair].values()) for pair in pairs)))
    served = len({c.seller for c in choice.appointments if c.stuck})
    assert (served, choice.worth) == best
    assert len(choice.appointments) + len(choice.left_out) == len(worth)


def test_veto_and_full_table_are_told_apart() -> None:
    found = [Candidate(1, 11, 101, 500), Candidate(2, 11, 102, 900), Candidate(3, 11, 103, 700)]
    choice = choose_invitations(found, capacity=Capacity(1, 5), vetoes={(2, 11)})
    assert [(c.seller, c.buyer) for c in choice.appointments] == [(3, 11)]
    assert {left.seller: str(left.reason) for left in choice.left_out} == {
        1: "采购商已排满 1 场，先排货值更高的。",
        2: "有一方不愿与对方洽谈。",
    }


def test_stuck_seller_goes_before_worth_and_wish_before_worth() -> None:
    found = [Candidate(1, 11, 101, 900), Candidate(2, 11, 102, 1, stuck=True), Candidate(3, 12, 103, 1)]
    choice = choose_invitations(found, capacity=Capacity(2, 1, 1), wishes={(3, 12)})
    assert [(c.seller, c.buyer, c.wished) for c in choice.appointments] == [(2, 11, False), (3, 12, True)]


def test_order_of_candidates_does_not_matter() -> None:
    found = [Candidate(s, b, 100 + s, 5) for s in (1, 2, 3) for b in (11, 12, 13)]
    capacity = Capacity(1, 3)
    assert choose_invitations(found, capacity=capacity) == choose_invitations(found[::-1], capacity=capacity)


def test_stuck_seller_without_willing_buyer_is_named() -> None:
    choice = choose_invitations(
        [Candidate(1, 11, 101, 5, stuck=True)], capacity=Capacity(2, 2), vetoes={(1, 11)}
    )
    assert [(seller, str(reason)) for seller, reason in choice.without] == [
        (1, "可谈的采购商都不愿洽谈，请另找采购商。")
    ]
