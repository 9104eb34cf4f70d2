"""Terms of a contract: what can be carried out, and money cut up to the fen."""

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.deals.clauses import (
    WHOLE,
    Milestone,
    Terms,
    check,
    due_at_arrival,
    due_at_signing,
    most_natural_loss,
    part,
    prepaid_share,
    price_of,
    usual_terms,
)
from market.errors import Invalid
from market.units import Fen, FenPerKg, Gram, amount

DAY = date(2026, 11, 23)
USUAL = usual_terms(deliver_from=DAY, deliver_to=DAY)


def terms(**changed: object) -> Terms:
    return msgspec.structs.replace(USUAL, **changed)


def test_usual_terms_can_be_carried_out() -> None:
    check(USUAL)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"deliver_to": date(2026, 11, 22)}, "deliver_to"),
        ({"natural_loss": 10_001}, "natural_loss"),
        ({"deposit": -1}, "deposit"),
        ({"pricing": "floor"}, "floor"),
        ({"floor": 500}, "floor"),
        ({"settled": 500}, "settled"),
        ({"other": "字" * 501}, "other"),
        ({"milestones": ()}, "milestones"),
        ({"milestones": (Milestone("arrival", 9_999, 30),)}, "milestones"),
        ({"milestones": (Milestone("arrival", WHOLE, 366),)}, "milestones"),
        ({"milestones": (Milestone("arrival", 10_500, 30), Milestone("signing", -500, 1))}, "milestones"),
        ({"milestones": (Milestone("signing", WHOLE, 3),), "deposit": 1}, "deposit"),
    ],
)
def test_terms_that_cannot_be_carried_out_name_their_field(changed: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(terms(**changed))
    assert list(refused.value.fields) == [field]


def test_price_that_moves_never_falls_below_its_floor() -> None:
    moved = terms(pricing="floor", floor=650, settled=600)
    assert price_of(moved, FenPerKg(700)) == 650
    assert price_of(terms(pricing="market", settled=600), FenPerKg(700)) == 600
    assert price_of(USUAL, FenPerKg(700)) == 700


def test_natural_loss_is_a_share_of_what_was_sent() -> None:
    assert most_natural_loss(USUAL, Gram(1_000_000)) == 5_000


@st.composite
def cut_up(draw: st.DrawFn) -> Terms:
    cuts = sorted(draw(st.sets(st.integers(1, WHOLE - 1), max_size=3)))
    shares = [b - a for a, b in zip([0, *cuts], [*cuts, WHOLE], strict=True)]
    after = draw(
        st.lists(st.sampled_from(["signing", "arrival"]), min_size=len(shares), max_size=len(shares))
    )
    milestones = tuple(Milestone(a, s, 30) for a, s in zip(after, shares, strict=True))  # type: ignore[arg-type]
    made = terms(milestones=milestones)
    return msgspec.structs.replace(
        made, deposit=draw(st.integers(0, min(2_000, WHOLE - prepaid_share(made))))
    )


@given(cut_up(), st.lists(st.integers(1, 90_000_000), min_size=1, max_size=6), st.integers(1, 100_000))
def test_payments_of_a_contract_sum_to_its_price_to_the_fen(
    made: Terms, batches: list[int], price: int
) -> None:
    check(made)
    quantity, each = Gram(sum(batches)), FenPerKg(price)
    total = amount(quantity, each)
    first = due_at_signing(made, quantity=quantity, price=each, on=DAY)
    prepaid = sum(due.amount for due in first)
    paid, taken, used = prepaid, 0, 0
    for grams in batches:
        worth = amount(Gram(taken + grams), each) - amount(Gram(taken), each)
        taken += grams
        covered = prepaid * amount(Gram(taken), each) // total if total else 0
        dues = due_at_arrival(made, worth=Fen(worth), credit=Fen(min(covered - used, worth)), on=DAY)
        assert sum(due.amount for due in dues) == worth - min(covered - used, worth)
        used += min(covered - used, worth)
        paid += sum(due.amount for due in dues)
    assert paid == total + (prepaid - used)
    assert part(total, WHOLE) == total
