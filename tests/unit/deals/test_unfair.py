"""Each rule against unfair terms, with a contract that breaks it and one that does not."""

from datetime import date

import msgspec
import pytest

from market.deals.clauses import Milestone, Terms, usual_terms
from market.deals.unfair import LEVELS, advice_on
from market.deals.unfair_words import warned_of

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
    ("words", "code"),
    [
        ("卖方不按时交货的，应另付进场费", "fee"),
        ("卖方不能按时供货的另付条码费", "fee"),
        ("除进场费外不收其他费用", "fee"),
        ("收取入场费 5，000 元", "fee"),
        ("每年节庆赞助 3000 元", "fee"),
        ("新品上架费不得超过 500 元", "fee"),
        ("Sellers pay a slotting fee of 2,000 yuan per store.", "fee"),
        ("If goods do not arrive on time, a listing fee is due.", "fee"),
        ("扣点 15%", "promotion"),
        ("An annual rebate of 2% is deducted", "promotion"),
        ("卖完再付款", "pay_when_paid"),
        ("售出 30 日后结算", "pay_when_paid"),
        ("待客户付款后，再支付卖方", "pay_when_paid"),
        ("The buyer pays once the goods are sold", "pay_when_paid"),
        ("没有卖出去的货全部退回", "returns"),
        ("本批货按代销处理", "returns"),
        ("The buyer may return unsold goods", "returns"),
        ("甲方有权根据行情单方面降低单价", "one_sided_right"),
        ("单价以买方当日通知为准", "one_sided_right"),
        ("The buyer may change the price at any time", "one_sided_right"),
        ("账期 90 天", "long_payment"),
        ("到货后三个月内付清", "long_payment"),
        ("月结，账期一百二十天", "long_payment"),
        ("Payment within 90 days of delivery", "long_payment"),
        ("定金为货款的 30%", "high_deposit"),
        ("定金百分之五十", "high_deposit"),
    ],
)
def test_words_are_warned_of_in_either_language(words: str, code: str) -> None:
    assert [each for each, _ in warned_of(words)] == [code]
    assert codes(msgspec.structs.replace(FAIR, other=words)) == [code]


@pytest.mark.parametrize(
    "words",
    [
        "买方不收进场费，条码费，节庆费",
        "进场费、条码费一律不收",
        "条码费由买方承担",
        "无返利",
        "合同费用由双方各自承担",
        "卖方开具农产品销售发票后 30 日付款",
        "销售合同签订后 7 天内付款",
        "滞销商品不予退货",
        "本合同不是代销",
        "剩余货款退回买方",
        "卖方逾期超过 10 天的，买方有权解除合同",
        "买方可以随时与卖方协商变更数量",
        "卖方可以自行降低库温",
        "两个月内付清",
        "签字后 90 天内交付，到货 30 天付款",
        "质保金 5% 于到货后 180 天内支付",
        "保质期 12 个月",
        "定金和预付款合计 30%",
        "No slotting fees, barcode fees or listing fees are charged.",
        "The buyer shall not charge any slotting, listing or barcode fees",
        "Goods are stored for 90 days and paid within 30 days",
        "Both sides may change the price at any time by agreement",
    ],
)
def test_words_that_rule_it_out_or_mean_something_else_are_left_alone(words: str) -> None:
    assert list(warned_of(words)) == []


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
