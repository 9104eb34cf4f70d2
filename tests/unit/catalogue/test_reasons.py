"""The one coded reason that says nothing by itself comes with words, in whichever list it stands."""

import pytest

from market.catalogue.rules import words_fault
from market.deals.invoices.rules import REFUSALS, REVERSALS, reason_faults
from market.organisations.rules import APPROVAL_REFUSALS, reason_problems


@pytest.mark.parametrize("words", ["", "  ", "\n"])
def test_other_without_words_is_no_reason(words: str) -> None:
    assert words_fault("other", words) is not None
    assert words_fault("price", words) is None
    for reasons in (REFUSALS, REVERSALS):
        assert list(reason_faults("other", words, reasons)) == ["note"]
    assert list(reason_problems("other", words, APPROVAL_REFUSALS)) == ["note"]


def test_other_with_words_is_one() -> None:
    assert words_fault("other", "车坏了") is None
    assert reason_faults("other", "车坏了", REFUSALS) == {}
