"""Whatever made a contract has a name in the ledger, too; a price says how high it may be."""

from datetime import date

import pytest

from market.deals.rules import SOURCES
from market.followup import rules
from market.followup.quote_rules import quote_problems
from market.followup.shelf_rules import SEEN, sighting_problems
from market.units import MOST_FEN_PER_KG

TODAY = date(2018, 11, 30)


def test_every_source_of_contracts_is_named_in_the_follow_up_ledger() -> None:
    assert SOURCES.keys() | {"other"} == rules.SOURCES.keys()


@pytest.mark.parametrize(("price", "is_refused"), [(0, True), (1, False), (MOST_FEN_PER_KG, False)])
def test_price_that_cannot_be_is_told_with_the_highest(price: int, is_refused: bool) -> None:
    for fen in {price, MOST_FEN_PER_KG + 1}:
        told = (
            quote_problems(on=TODAY, price=fen, source="批发市场", notice=TODAY, today=TODAY),
            sighting_problems(
                kind=SEEN, on=TODAY, price=fen, note="", today=TODAY, since=TODAY, seen_on=TODAY
            ),
        )
        refused = is_refused or fen > MOST_FEN_PER_KG
        words = ["单价须大于零，且不超过 5,000.00 元/斤（10,000.00 元/公斤）。"] if refused else []
        assert [[str(text) for text in each.values()] for each in told] == [words, words]
