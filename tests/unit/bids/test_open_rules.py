"""Open bidding without a database: the best bids get the goods, and a bid must lift the price to get any."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.factories import STORY
from market.bids.open_rules import Standing, check_open_bid, closing_after, entry_price, share_out
from market.errors import Invalid
from market.i18n import Message
from market.supply.rules import EXTENSION, MOST_EXTENSION
from market.units import FenPerKg, Gram

START, STEP = FenPerKg(700), FenPerKg(10)


def standing(number: int, quantity: int, price: int, least: int = 0, buyer: int | None = None) -> Standing:
    return Standing(number, buyer or number, Gram(quantity), Gram(least), FenPerKg(price))


def try_bid(
    bid: Standing, *others: Standing, before: Standing | None = None, available: int = 1_000
) -> dict[int, Gram]:
    return check_open_bid(bid, others, before=before, available=Gram(available), start=START, step=STEP)


def refused_for(bid: Standing, *others: Standing, before: Standing | None = None) -> tuple[str, str]:
    """Return the field, and the price that the refusal names."""
    with pytest.raises(Invalid) as refused:
        try_bid(bid, *others, before=before)
    ((field, message),) = refused.value.fields.items()
    price = message.values.get("price", "")
    return field, str(price.values["kg"]) if isinstance(price, Message) else str(price)


def test_best_price_first_then_the_earlier_and_the_last_gets_what_is_left() -> None:
    bids = [standing(1, 600, 720), standing(2, 300, 740), standing(3, 400, 720), standing(4, 500, 710)]
    assert share_out(bids, available=Gram(1_000)) == {2: 300, 1: 600, 3: 100, 4: 0}


def test_a_bid_that_wants_more_than_is_left_is_passed_over_for_the_next() -> None:
    bids = [standing(1, 700, 740), standing(2, 600, 730, least=500), standing(3, 200, 710)]
    assert share_out(bids, available=Gram(1_000)) == {1: 700, 2: 0, 3: 200}


def test_nothing_is_sold_under_the_reserve() -> None:
    bids = [standing(1, 300, 740), standing(2, 300, 720)]
    assert share_out(bids, available=Gram(1_000), reserve=FenPerKg(730)) == {1: 300, 2: 0}


def test_a_newcomer_pays_the_start_until_the_lot_is_used_up_and_then_a_step_over_the_worst() -> None:
    half = [standing(1, 500, 740)]
    full = [*half, standing(2, 500, 720)]
    assert entry_price(half, available=Gram(1_000), start=START, step=STEP) == START
    assert entry_price(full, available=Gram(1_000), start=START, step=STEP) == 730
    assert try_bid(standing(3, 200, 700), *half) == {}
    assert refused_for(standing(3, 200, 699), *half) == ("price", "7.00")
    assert refused_for(standing(3, 200, 729), *full) == ("price", "7.30")
    assert try_bid(standing(3, 200, 730), *full) == {2: 300}


def test_a_bid_is_a_step_over_every_bid_that_gets_less_for_it() -> None:
    others = [standing(1, 500, 740), standing(2, 500, 720)]
    assert refused_for(standing(3, 700, 745), *others) == ("price", "7.50")
    assert try_bid(standing(3, 700, 750), *others) == {1: 300, 2: 0}


def test_a_bid_only_goes_up() -> None:
    own = standing(1, 500, 720, least=100)
    assert refused_for(standing(9, 500, 729, 100, buyer=1), before=own) == ("price", "7.30")
    assert refused_for(standing(9, 499, 800, 100, buyer=1), before=own)[0] == "quantity"
    assert refused_for(standing(9, 500, 800, 101, buyer=1), before=own)[0] == "least"
    assert try_bid(standing(9, 600, 730, 0, buyer=1), before=own) == {}


def test_a_part_that_cannot_be_had_is_told_beside_the_part() -> None:
    others = [standing(1, 900, 740)]
    assert refused_for(standing(2, 200, 710, least=150), *others) == ("least", "")
    assert refused_for(standing(2, 200, 710, least=300), *others) == ("least", "")


def test_a_late_bid_moves_the_closing_and_all_of_them_no_further_than_the_bound() -> None:
    closes = STORY + timedelta(hours=2)
    latest = closes + MOST_EXTENSION
    early = closes - EXTENSION - timedelta(seconds=1)
    assert closing_after(at=early, closes_at=closes, closes_latest=latest) == closes
    moved = closes
    for _ in range(30):
        moved = closing_after(at=moved - timedelta(seconds=1), closes_at=moved, closes_latest=latest)
    assert moved == latest


amounts = st.integers(1, 50)
BIDS = st.lists(st.tuples(amounts, st.integers(700, 705), amounts), max_size=8).map(
    lambda rows: [
        standing(n, quantity, price, min(least, quantity))
        for n, (quantity, price, least) in enumerate(rows, 1)
    ]
)


@given(BIDS, st.integers(1, 120))
def test_shares_never_exceed_what_there_is_and_nobody_better_goes_without(
    bids: list[Standing], available: int
) -> None:
    shares = share_out(bids, available=Gram(available))
    assert sum(shares.values()) <= available
    for bid in bids:
        assert shares[bid.id] == 0 or max(bid.least, 1) <= shares[bid.id] <= bid.quantity
    for worse in bids:
        for better in bids:
            # whoever bids better and takes any part is served before
            if (better.price, -better.id) > (worse.price, -worse.id) and better.least <= 1:
                assert not shares[worse.id] or shares[better.id] == better.quantity
