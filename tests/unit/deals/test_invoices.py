"""Money that waits for an invoice has a latest day; a paper's mark follows its terms."""

from datetime import date, timedelta

import msgspec
import pytest

from market.deals.clauses import Milestone, due_at_arrival, usual_terms
from market.deals.invoices.rules import issuer_of, number_faults, plain_digits
from market.deals.scans.rules import Printed, mark_of, plain_mark
from market.deals.wording import lines_of
from market.i18n import translate
from market.units import Fen, FenPerKg

DAY = date(2026, 12, 1)
TERMS = usual_terms(deliver_from=DAY, deliver_to=DAY)
PAPER = Printed("TT-20261201-0001", 1, 2, 500_000, 150)


def after_invoice(days: int) -> Milestone:
    return Milestone("invoice", 10_000, days)


@pytest.mark.parametrize(("days", "latest"), [(15, 60), (60, 60), (90, 90)])
def test_money_after_the_invoice_has_a_latest_day(days: int, latest: int) -> None:
    terms = msgspec.structs.replace(TERMS, invoice="plain", milestones=(after_invoice(days),))
    due = due_at_arrival(terms, worth=Fen(75_000), credit=Fen(0), on=DAY)[0]
    assert (due.on, due.invoice_days) == (DAY + timedelta(days=latest), days)
    told = " ".join(
        translate(words, "zh")
        for line in lines_of(terms, price=FenPerKg(150))
        for words in line.words
        if "milestones" in line.fields
    )
    assert f"最迟到货后 {latest} 天内付清" in told


def test_parts_after_arrival_and_after_the_invoice_sum_to_the_fen() -> None:
    halves = (Milestone("arrival", 3_333, 30), Milestone("invoice", 6_667, 15))
    terms = msgspec.structs.replace(TERMS, invoice="plain", milestones=halves)
    dues = due_at_arrival(terms, worth=Fen(100_001), credit=Fen(1), on=DAY)
    assert sum(each.amount for each in dues) == 100_000
    assert [each.invoice_days for each in dues] == [None, 15]


@pytest.mark.parametrize(
    ("code", "number", "faulty"),
    [
        ("", "26372000000012345678", []),
        ("3702171320", "01234567", []),
        ("037021713201", "01234567", []),
        ("", "01234567", ["code"]),
        ("37021713", "01234567", ["code"]),
        ("3702171320", "26372000000012345678", ["code"]),
        ("", "2637200000001234567", ["number"]),
        ("", "2637200000001234567X", ["number"]),
        ("", "", ["number"]),
    ],
)
def test_number_of_an_invoice_has_one_of_two_forms(code: str, number: str, faulty: list[str]) -> None:
    assert list(number_faults(code, number)) == faulty


def test_number_is_read_as_it_is_pasted() -> None:
    assert plain_digits(" ２６３７-2000 0000—1234 ") == "2637200000001234"


def test_purchase_invoice_alone_is_the_buyers() -> None:
    assert [issuer_of(kind) for kind in ("purchase", "own_produce")] == ["buyer", "seller"]


def test_mark_follows_terms_goods_and_parties() -> None:
    marks = {
        mark_of(paper, terms)
        for paper in (PAPER, msgspec.structs.replace(PAPER, price=151))
        for terms in (TERMS, msgspec.structs.replace(TERMS, other="另议"))
    }
    assert len(marks) == 4
    assert all(plain_mark(each) == each for each in marks)
    assert mark_of(PAPER, TERMS) == mark_of(PAPER, msgspec.structs.replace(TERMS))
