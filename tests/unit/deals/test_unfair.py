"""Each rule against unfair terms, with a contract that breaks it and one that does not."""

from datetime import date

import msgspec
import pytest

from market.deals.clauses import Milestone, Terms, usual_terms
from market.deals.unfair import LEVELS, advice_on

FAIR = msgspec.structs.replace(
    usual_terms(deliver_from=date(2026, 11, 23), deliver_to=date(2026, 12, 3)), small_seller=True
)


def codes(terms: Terms) -> list[str]:
    return [each.code for each in advice_on(terms)]


def test_fair_terms_call_for_no_advice() -> None:
    assert codes(FAIR) == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"milestones": (Milestone("arrival", 10_000, 61),)}, "payment_days"),
        ({"small_seller": False}, "undeclared"),
        ({"deposit": 2_001}, "deposit"),
        ({"pricing": "market", "market": "沈阳批发市场交货日均价"}, "no_floor"),
        ({"pricing": "floor", "floor": 500}, "no_market"),
        ({"buyer_penalty": 0}, "one_sided_penalty"),
        ({"late_delivery": 0}, "one_sided_late"),
        ({"seller_penalty": 2_500}, "uneven_penalty"),
        ({"seller_penalty": 3_100, "buyer_penalty": 3_100}, "high_penalty"),
        ({"late_delivery": 0, "late_payment": 0}, "late_interest"),
        ({"inspection_days": 8}, "inspection_days"),
        ({"natural_loss": 501}, "natural_loss"),
        ({"fees": "每店收进场费 2000 元。"}, "fee"),
        ({"other": "质量不好的退货，另收条码费"}, "fee"),
        ({"other": "买方按货款 3% 收取促销服务费"}, "promotion"),
        ({"other": "货款在卖出后结算"}, "pay_when_paid"),
        ({"other": "滞销商品由买方退货"}, "returns"),
        ({"other": "买方有权随时调整价格"}, "one_sided_right"),
    ],
)
def test_term_is_warned_of_with_its_source(changed: dict[str, object], code: str) -> None:
    found = advice_on(msgspec.structs.replace(FAIR, **changed))
    assert [each.code for each in found] == [code]
    assert found[0].level in LEVELS
    assert str(found[0].source.name).startswith("《")


@pytest.mark.parametrize(
    ("changed"),
    [
        {"milestones": (Milestone("arrival", 10_000, 60),)},
        {"milestones": (Milestone("signing", 3_000, 3), Milestone("arrival", 7_000, 15))},
        {"deposit": 2_000},
        {"pricing": "floor", "floor": 500, "market": "沈阳批发市场交货日均价"},
        {"fees": "买方不收进店费、条码费、开户费。"},
        {"other": "禁止收取店庆费；付款不以卖出后结算为条件"},
    ],
)
def test_term_that_is_allowed_is_left_alone(changed: dict[str, object]) -> None:
    assert codes(msgspec.structs.replace(FAIR, **changed)) == []


def test_barred_terms_stand_first() -> None:
    worst = msgspec.structs.replace(FAIR, natural_loss=900, buyer_penalty=0, fees="收进场费")
    assert [each.level for each in advice_on(worst)] == ["barred", "unfair", "check"]
