"""Whatever made a contract has a name in the ledger, too."""

from market.deals.rules import SOURCES
from market.followup import rules


def test_every_source_of_contracts_is_named_in_the_follow_up_ledger() -> None:
    assert SOURCES.keys() | {"other"} == rules.SOURCES.keys()
