"""A meeting's figures against cases reckoned by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.meetings.after.report import FATES, LISTS, Count, Line, Proposal, Received, figures_of, listed
from market.meetings.rules import OUTCOMES

TONNE = 1_000_000
_COUNTER = iter(range(1, 10_000))


def line(**changes: Any) -> Line:
    """A talk of its own that was held and came to nothing."""
    number = next(_COUNTER)
    given: dict[str, Any] = {
        "topic": number,
        "appointment": number,
        "state": "held",
        "outcome": "none",
        "reason_zh": None,
        "reason_en": None,
        "seller": 1,
        "seller_name": "甲村",
        "seller_name_en": "",
        "buyer": 2,
        "buyer_name": "乙超市",
        "buyer_name_en": "",
        "listing": number,
        "title": "花生",
        "title_en": "",
        "match": None,
        "proposed": 0,
        "worth": 0,
        "intent_quantity": None,
        "intent_price": None,
        "deal": None,
        "deal_number": None,
        "deal_state": None,
        "deal_quantity": 0,
        "deal_price": 0,
        "delivered": 0,
        "under_way": 0,
        "invoiced": 0,
        "paid": 0,
    }
    return Line(**{**given, **changes})


def contract(state: str, tonnes: int, price: int, **changes: Any) -> Line:
    """A talk that ended in a contract, signed at the table unless ``outcome`` says otherwise."""
    number = next(_COUNTER)
    given: dict[str, Any] = {
        "outcome": "signed",
        "intent_quantity": tonnes * TONNE,
        "intent_price": price,
        "deal": number,
        "deal_number": f"TT-{number}",
        "deal_state": state,
        "deal_quantity": tonnes * TONNE,
        "deal_price": price,
        "ended": tonnes * TONNE if state == "terminated" else 0,
    }
    return line(**{**given, **changes})


def proposal(match: int, *, elsewhere: int | None = None, worth: int = 100_000) -> Proposal:
    """4 t at 7.00 yuan per kg."""
    return Proposal(match, 1, "甲村", "", 2, "乙超市", "", 1, "花生", "", 4 * TONNE, 70_000, worth, elsewhere)


def test_an_intent_that_became_a_contract_counts_as_a_contract_and_not_again_as_an_open_intent() -> None:
    lines = [
        line(outcome="intent", intent_quantity=5 * TONNE, intent_price=700),
        # spoken of: 5 t at 7.00; signed later: 4 t at 6.50
        contract("active", 4, 650, outcome="intent", intent_quantity=5 * TONNE, intent_price=700),
        contract("completed", 2, 800),
    ]
    figures = figures_of(lines, [])
    assert figures.intents == Count(3, 12 * TONNE, 3_500_000 + 3_500_000 + 1_600_000)
    assert figures.intents_signed == Count(2, 7 * TONNE, 3_500_000 + 1_600_000)
    assert figures.intents_open == Count(1, 5 * TONNE, 3_500_000)
    assert figures.contracts == Count(2, 6 * TONNE, 2_600_000 + 1_600_000)


def test_a_contract_without_both_signatures_is_none_yet_and_a_cancelled_one_is_none_any_more() -> None:
    lines = [
        contract("pending", 1, 700),
        contract("partly_signed", 2, 700),
        contract("cancelled", 4, 700),
        # what had been delivered and paid before it was terminated counts nowhere
        contract("terminated", 8, 700, delivered=TONNE, invoiced=700_000, paid=700_000),
        contract("active", 16, 700),
    ]
    figures = figures_of(lines, [])
    assert figures.contracts == Count(1, 16 * TONNE, 11_200_000)
    assert figures.unsigned == Count(2, 3 * TONNE, 2_100_000)
    assert figures.gone == Count(2, 12 * TONNE, 8_400_000)
    assert figures.intents.grams == 31 * TONNE
    assert (figures.intents_unsigned.grams, figures.intents_gone.grams) == (3 * TONNE, 12 * TONNE)
    assert (figures.delivered, figures.paid) == (Count(), Count())


def test_a_partial_delivery_counts_what_was_taken_and_a_partial_payment_what_was_paid() -> None:
    lines = [
        contract("active", 10, 700, delivered=3 * TONNE, under_way=TONNE, invoiced=2_100_000, paid=700_000),
        contract("completed", 2, 500, delivered=2 * TONNE, invoiced=1_000_000, paid=1_000_000),
        contract("active", 1, 500),
    ]
    figures = figures_of(lines, [])
    assert figures.contracts == Count(3, 13 * TONNE, 8_500_000)
    assert figures.delivered == Count(2, 5 * TONNE, 3_100_000)
    assert (figures.under_way, figures.undelivered_grams) == (TONNE, 8 * TONNE)
    assert figures.paid == Count(2, 0, 1_700_000)
    assert figures.owed == 1_400_000
    assert len(listed(lines, "owed")) == 1


def test_goods_lost_on_the_way_as_agreed_are_not_still_to_come() -> None:
    lines = [
        contract("completed", 10, 700, delivered=9_950_000, lost=50_000, invoiced=6_965_000, paid=6_965_000),
        contract("active", 10, 700, delivered=3_990_000, lost=10_000, invoiced=2_793_000),
    ]
    figures = figures_of(lines, [])
    assert figures.undelivered_grams == 6 * TONNE
    assert listed(lines, "undelivered") == lines[1:]


def test_money_paid_beforehand_is_told_apart_and_hides_no_debt_for_goods() -> None:
    lines = [
        # 10,000 yuan of deposit; of a tenth of the goods it covers a tenth, and the rest of these is not paid
        contract(
            "active",
            10,
            700,
            delivered=TONNE,
            invoiced=700_000,
            covered=100_000,
            paid=1_000_000,
            beforehand=1_000_000,
        ),
        # nothing has been taken yet
        contract("active", 5, 700, paid=350_000, beforehand=350_000),
        # the goods used a deposit that never came
        contract("active", 1, 700, delivered=TONNE, invoiced=700_000, covered=200_000, paid=500_000),
    ]
    figures = figures_of(lines, [])
    assert figures.paid == Count(3, 0, 1_850_000)
    assert figures.received == Received(goods=500_000, goods_due=1_100_000, beforehand=1_350_000)
    assert figures.owed == 600_000 + 200_000
    assert listed(lines, "owed") == [lines[0], lines[2]]


def test_parts_of_the_intents_add_up_to_the_intents() -> None:
    lines = [
        line(outcome="intent", intent_quantity=TONNE, intent_price=333),
        contract("pending", 2, 333),
        contract("active", 4, 333),
        contract("cancelled", 8, 333),
        contract("active", 16, 333, outcome="quote", intent_quantity=None, intent_price=None),
        line(outcome="quote", intent_quantity=32 * TONNE, intent_price=333),
        line(outcome="sample"),
        line(state="no_show", outcome=None),
        line(state="scheduled", outcome=None),
    ]
    figures = figures_of(lines, [])
    parts = [
        figures.intents_signed,
        figures.intents_unsigned,
        figures.intents_gone,
        figures.intents_open,
    ]
    assert figures.intents.number == sum(each.number for each in parts) == 5
    assert figures.intents.grams == sum(each.grams for each in parts) == 31 * TONNE
    assert figures.intents.fen == sum(each.fen for each in parts)
    assert (figures.talks, figures.held, figures.missed, figures.waiting) == (9, 7, 1, 1)
    assert figures.outcomes == {"intent": 1, "signed": 3, "quote": 2, "sample": 1}


def test_a_talk_about_several_goods_is_one_talk_and_goods_nobody_spoke_of_are_no_intent() -> None:
    lines = [
        line(appointment=70, outcome="intent", intent_quantity=TONNE, intent_price=700),
        line(appointment=70, outcome="intent"),
        line(appointment=71, topic=None, listing=None, outcome="none"),
    ]
    figures = figures_of(lines, [])
    assert (figures.talks, figures.held) == (2, 2)
    assert figures.outcomes == {"intent": 1, "none": 1}
    assert figures.intents.number == 1


def test_every_proposal_has_one_fate_and_one_signed_outside_is_not_the_meetings() -> None:
    lines = [
        contract("active", 3, 700, match=1, proposed=4 * TONNE, worth=100_000),
        contract("pending", 4, 700, match=2),
        line(match=3, outcome="intent", intent_quantity=TONNE, intent_price=700),
        contract("cancelled", 4, 700, match=4),
        line(match=5),
        line(match=6, state="no_show", outcome=None),
        # talked of at the table, and then sold between the two on the site: not counted
        line(match=7, outcome="intent", intent_quantity=TONNE, intent_price=700),
        contract("active", 9, 700),
        line(match=10, outcome="intent", intent_quantity=TONNE, intent_price=700, later="given_up"),
    ]
    proposals = [proposal(number, elsewhere=99 if number in (7, 8) else None) for number in range(1, 11)]
    figures = figures_of(lines, proposals)
    numbers = {fate: count.number for fate, count in figures.fates.items()}
    assert numbers == {
        "contract": 1,
        "unsigned": 1,
        "intent": 1,
        "gone": 1,
        "passed": 1,
        "talked": 1,
        "not_held": 1,
        "elsewhere": 2,
        "not_brought": 1,
    }
    assert figures.proposed.number == 10
    assert figures.proposed.grams == sum(count.grams for count in figures.fates.values()) == 40 * TONNE
    assert figures.proposed.fen == 10 * 2_800_000
    assert figures.contracts.grams == 12 * TONNE
    assert figures.contracts_of_matches.grams == 3 * TONNE
    assert figures.worth_realised == 75_000


def test_selling_more_than_was_proposed_realises_no_more_than_its_worth() -> None:
    figures = figures_of(
        [contract("active", 8, 700, match=1, proposed=4 * TONNE, worth=100_000)], [proposal(1)]
    )
    assert figures.worth_realised == 100_000


def test_an_empty_meeting_has_zeros() -> None:
    figures = figures_of([], [])
    assert (figures.talks, figures.intents, figures.proposed.worth) == (0, Count(), 0)
    assert set(figures.fates) == set(FATES)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_has_its_list_under_its_name(outcome: str) -> None:
    label, _ = LISTS[f"outcome_{outcome}"]
    assert label == OUTCOMES[outcome]
    assert len(listed([line(outcome=each) for each in OUTCOMES], f"outcome_{outcome}")) == 1


STATES = st.sampled_from([None, "pending", "partly_signed", "active", "completed", "cancelled", "terminated"])


@st.composite
def any_line(draw: st.DrawFn) -> Line:
    """Anything that the tables can hold: a contract hangs on a held talk only."""
    state = draw(st.sampled_from(["scheduled", "held", "no_show"]))
    held = state == "held"
    deal_state = draw(STATES) if held else None
    grams = st.integers(1, 10**9)
    said = held and draw(st.booleans())
    quantity = draw(grams) if deal_state else 0
    return line(
        state=state,
        outcome=draw(st.sampled_from(sorted(OUTCOMES))) if held else None,
        match=draw(st.one_of(st.none(), st.integers(1, 10**6))),
        proposed=draw(grams),
        worth=draw(st.integers(0, 10**9)),
        intent_quantity=draw(grams) if said else None,
        intent_price=draw(st.integers(1, 10**6)) if said else None,
        deal=1 if deal_state else None,
        deal_state=deal_state,
        deal_quantity=quantity,
        ended=draw(st.integers(0, quantity)) if deal_state == "terminated" else 0,
        deal_price=draw(st.integers(1, 10**6)) if deal_state else 0,
        delivered=draw(st.integers(0, 10**9)) if deal_state else 0,
        invoiced=draw(st.integers(0, 10**9)) if deal_state else 0,
    )


@given(st.lists(any_line(), max_size=8))
def test_whatever_happened_parts_add_up_and_nothing_counts_twice(lines: list[Line]) -> None:
    figures = figures_of(lines, [])
    parts = ("intents_signed", "intents_unsigned", "intents_gone", "intents_open")
    kept = [each for name in parts for each in listed(lines, name)]
    assert sorted(each.appointment for each in kept) == sorted(
        each.appointment for each in listed(lines, "intents")
    )
    counts = [getattr(figures, name) for name in parts]
    assert figures.intents == Count(
        sum(each.number for each in counts),
        sum(each.grams for each in counts),
        sum(each.fen for each in counts),
    )
    assert figures.contracts.grams == sum(each.stands for each in lines if each.is_signed)
    assert figures.contracts.number == figures.intents_signed.number
    assert figures.held + figures.missed + figures.waiting == figures.talks
    assert sum(figures.outcomes.values()) == figures.held
    # another order of the same lines says the same
    assert figures_of(lines[::-1], []) == figures
