"""What an unfair or barred term looks like, and where that is written. Advice, never a refusal.

Pure. Each rule names its source and since when it holds; none of it is legal advice of the installation's.
What is written in words is read clause by clause (``unfair_words``).
"""

from collections.abc import Iterator
from datetime import date

import msgspec

from market.deals.clauses import CLAUSES, Terms
from market.deals.unfair_words import LONGEST_PAYMENT_DAYS, warned_of
from market.i18n import Message, msg
from market.supply.rules import MOST_DEPOSIT

#: A penalty beyond this many basis points is cut on request where the loss was less.
MOST_PENALTY = 3_000
#: Longer than this, fresh goods are no longer what they were at arrival.
LONGEST_INSPECTION_DAYS = 7
#: More than this is no natural loss of anything that is sold here.
MOST_NATURAL_LOSS = 500


class Source(msgspec.Struct, frozen=True):
    """A rule's text and the day from which it holds."""

    name: Message
    since: date


ORDER_802 = Source(msg("《保障中小企业款项支付条例》（国务院令第 802 号）"), date(2025, 6, 1))
RETAILERS = Source(msg("《零售商供应商公平交易管理办法》（2006 年）"), date(2006, 11, 15))
DEPOSITS = Source(msg("《民法典》第五百八十六条、第五百八十七条"), date(2021, 1, 1))
PENALTIES = Source(msg("《民法典》第五百八十五条"), date(2021, 1, 1))
FAIRNESS = Source(msg("《民法典》第六条、第四百九十七条"), date(2021, 1, 1))
CONTENTS = Source(msg("《民法典》第四百七十条、第五百一十一条"), date(2021, 1, 1))
INSPECTION = Source(msg("《民法典》第六百二十条至第六百二十二条"), date(2021, 1, 1))

#: How much it weighs: barred by a rule, one-sided, or worth a second look.
LEVELS: dict[str, Message] = {
    "barred": msg("规定不允许"),
    "unfair": msg("对一方不公平"),
    "check": msg("请再核对"),
}


class Advice(msgspec.Struct, frozen=True):
    """``field`` is the clause that it is about; ``code`` names the rule."""

    code: str
    level: str
    field: str
    message: Message
    source: Source


#: What ``unfair_words`` finds: how much it weighs, what is said of it, and where that is written.
_WORDS: dict[str, tuple[str, Message, Source]] = {
    "fee": ("barred", msg("“{words}”：零售商不得收取这类费用，包括换个名目收。"), RETAILERS),
    "promotion": ("check", msg("“{words}”：要供货方事先同意，并在合同里写明项目、标准和期限。"), RETAILERS),
    "pay_when_paid": ("barred", msg("“{words}”：不得把收到第三方货款或卖出货物作为付款条件。"), ORDER_802),
    "returns": ("check", msg("“{words}”：把卖不掉的风险都给了卖方，请写明条件和比例。"), RETAILERS),
    "one_sided_right": ("unfair", msg("“{words}”：只有一方能改，合同就不由双方定了。"), FAIRNESS),
    "long_payment": (
        "barred",
        msg(
            "“{words}”：付款最长不得超过 {most} 天；和付款条款不一样的，请改成一样。",
            most=LONGEST_PAYMENT_DAYS,
        ),
        ORDER_802,
    ),
    "high_deposit": (
        "barred",
        msg("“{words}”：定金超过货款的 20% 的部分不产生定金的效力，请改为预付款。"),
        DEPOSITS,
    ),
}


def advice_on(terms: Terms, *, in_frame: bool = False) -> list[Advice]:
    """Return what both sides should know about ``terms`` before they sign, barred terms first.

    ``in_frame``: they stand in a framework agreement, whose form has no place to declare what one is.
    """
    found = [
        *_payment(terms, in_frame),
        *_price(terms),
        *_penalties(terms),
        *_acceptance(terms),
        *_words(terms),
    ]
    order = list(LEVELS)
    return sorted(found, key=lambda each: order.index(each.level))


def _payment(terms: Terms, in_frame: bool) -> Iterator[Advice]:
    longest = max((each.days for each in terms.milestones if each.after != "signing"), default=0)
    if longest > LONGEST_PAYMENT_DAYS:
        yield Advice(
            "payment_days",
            "barred",
            "milestones",
            msg("到货 {days} 天后才付款：最长不得超过 {most} 天。", days=longest, most=LONGEST_PAYMENT_DAYS),
            ORDER_802,
        )
    if longest > 30 and not terms.small_seller:
        yield Advice(
            "undeclared",
            "check",
            "small_seller",
            msg(
                "卖方是中小企业或合作社的，签约时要主动告知，条例才保护它：请在签字前告知买方，并在每批合同的条款里勾选。"
            )
            if in_frame
            else msg("卖方是中小企业或合作社的，签约时要主动告知，条例才保护它：请卖方在条款里勾选。"),
            ORDER_802,
        )
    if terms.deposit > MOST_DEPOSIT:
        yield Advice(
            "deposit",
            "barred",
            "deposit",
            msg("定金超过货款的 20%：超过的部分不产生定金的效力，请改为预付款。"),
            DEPOSITS,
        )


def _price(terms: Terms) -> Iterator[Advice]:
    if terms.pricing == "market":
        yield Advice(
            "no_floor",
            "unfair",
            "pricing",
            msg("价格随行就市又没有保底价：跌价的风险全在卖方，请商定保底价。"),
            CONTENTS,
        )
    if terms.pricing != "fixed" and not terms.market:
        yield Advice(
            "no_market",
            "check",
            "market",
            msg("没有写明看哪个市场、哪一天的行情，日后容易争议。"),
            CONTENTS,
        )


def _penalties(terms: Terms) -> Iterator[Advice]:
    one_sided_penalty = msg("违约金只写了一方，另一方违约没有代价。")
    one_sided_late = msg("逾期的违约责任只写了一方，另一方逾期没有代价。")
    pairs = (
        (
            "penalty",
            one_sided_penalty,
            "seller_penalty",
            terms.seller_penalty,
            "buyer_penalty",
            terms.buyer_penalty,
        ),
        ("late", one_sided_late, "late_delivery", terms.late_delivery, "late_payment", terms.late_payment),
    )
    for code, one_sided, seller, on_seller, buyer, on_buyer in pairs:
        lighter = buyer if on_buyer < on_seller else seller
        if bool(on_seller) != bool(on_buyer):
            yield Advice(
                f"one_sided_{code}",
                "unfair",
                lighter,
                one_sided,
                FAIRNESS,
            )
        elif max(on_seller, on_buyer) > 2 * min(on_seller, on_buyer):
            yield Advice(
                f"uneven_{code}",
                "check",
                lighter,
                msg("双方的违约责任相差一倍以上，请核对是不是本意。"),
                FAIRNESS,
            )
        if code == "penalty" and max(on_seller, on_buyer) > MOST_PENALTY:
            yield Advice(
                "high_penalty",
                "check",
                seller if on_seller >= on_buyer else buyer,
                msg("违约金超过 30%：过分高于损失的，可以请求法院减少。"),
                PENALTIES,
            )
    if not terms.late_payment:
        yield Advice(
            "late_interest",
            "barred" if terms.small_seller else "check",
            "late_payment",
            msg("逾期付款没有利息：约定的利率不得低于一年期贷款市场报价利率。"),
            ORDER_802,
        )


def _acceptance(terms: Terms) -> Iterator[Advice]:
    if terms.inspection_days > LONGEST_INSPECTION_DAYS:
        yield Advice(
            "inspection_days",
            "unfair",
            "inspection_days",
            msg("到货 {days} 天内才验收，鲜活农产品等不起。", days=terms.inspection_days),
            INSPECTION,
        )
    if terms.natural_loss > MOST_NATURAL_LOSS:
        yield Advice(
            "natural_loss",
            "check",
            "natural_loss",
            msg("自然损耗超过 5%，请核对小数点。"),
            CONTENTS,
        )


def _words(terms: Terms) -> Iterator[Advice]:
    for name in (*CLAUSES, "market", "dispute_place"):
        for code, words in warned_of(getattr(terms, name)):
            level, message, source = _WORDS[code]
            told = msgspec.structs.replace(message, values={**message.values, "words": words})
            yield Advice(code, level, name, told, source)
