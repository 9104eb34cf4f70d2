"""Money divided among households: exact to the fen, and nobody a whole fen off."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.supply.sharing import divided

SHARES = st.lists(st.integers(1, 10**9), min_size=1, max_size=200)


@given(amount=st.integers(0, 10**11), shares=SHARES)
def test_parts_add_up_and_keep_to_their_quota(amount: int, shares: list[int]) -> None:
    parts = divided(amount, shares)
    assert sum(parts) == amount
    total = sum(shares)
    assert all(
        abs(part - Fraction(amount * share, total)) < 1 for part, share in zip(parts, shares, strict=True)
    )


@given(amount=st.integers(0, 10**11), shares=SHARES)
def test_who_gave_more_never_gets_less(amount: int, shares: list[int]) -> None:
    by_share = sorted(zip(shares, divided(amount, shares), strict=True))
    assert all(less[1] <= more[1] for less, more in pairwise(by_share) if less[0] < more[0])


def test_largest_remainders_are_served_first_and_equal_ones_in_the_order_of_the_list() -> None:
    assert divided(100, [1, 1, 1]) == [34, 33, 33]
    assert divided(10, [5, 3, 3]) == [4, 3, 3]
    assert divided(7, [50, 30, 20]) == [4, 2, 1]


@pytest.mark.parametrize(("amount", "shares"), [(1, []), (1, [0, 1]), (1, [-1, 2]), (-1, [1])])
def test_nothing_is_divided_among_nobody(amount: int, shares: list[int]) -> None:
    with pytest.raises(ValueError, match="positive shares"):
        divided(amount, shares)
