"""The terms of a purchase contract (购销合同) beside goods, quantity and price, and how they cut money up.

Pure. Shares and rates are whole basis points (万分之一, ``Bp``): 10,000 of them are the whole. A clause in
words that is left empty means its usual wording, which papers and pages print in full.
"""

from datetime import date, timedelta
from typing import Literal, NewType

import msgspec

from market.deals.rules import PAYMENT_DAYS
from market.errors import Invalid
from market.i18n import Message, msg
from market.units import Fen, FenPerKg, Gram, amount

Bp = NewType("Bp", int)
WHOLE = Bp(10_000)

#: Words of a clause, at most.
LONGEST_CLAUSE = 500
#: Payments that a contract may be cut into.
MOST_MILESTONES = 4
#: No contract of a harvest runs longer.
MOST_DAYS = 365

PRICING: dict[str, Message] = {
    "fixed": msg("固定价"),
    "floor": msg("随行就市，有保底价"),
    "market": msg("随行就市，没有保底价"),
}
FREIGHT: dict[str, Message] = {"buyer": msg("买方承担"), "seller": msg("卖方承担")}
#: What a payment is due after: the contract comes into force, goods have arrived (those accepted), or the
#: invoice for them is there as well; but however late an invoice, no later than ``latest_after_arrival``.
AFTER: dict[str, Message] = {
    "signing": msg("合同生效后"),
    "arrival": msg("每批到货后"),
    "invoice": msg("每批的发票到后"),
}
#: Which invoice the seller gives, or the buyer makes out for growers; see ``invoices.rules.KINDS``.
INVOICES: dict[str, Message] = {
    "none": msg("没有约定"),
    "own_produce": msg("卖方开农产品销售发票（自产自销，免税）"),
    "special": msg("卖方开增值税专用发票"),
    "plain": msg("卖方开增值税普通发票"),
    "agency": msg("卖方请税务机关代开发票"),
    "purchase": msg("买方开农产品收购发票"),
}
DISPUTE: dict[str, Message] = {
    "court": msg("由合同履行地人民法院管辖"),
    "arbitration": msg("提交双方约定的仲裁委员会仲裁"),
}

#: What an empty clause says.
WORDINGS: dict[str, Message] = {
    "standard": msg("按国家现行标准。"),
    "quality": msg("符合所列品种和等级的要求，无霉变、无异味、无明显杂质。"),
    "weighing": msg("以到货地经检定的电子秤过磅为准，双方在磅单上签字。"),
    "packing": msg("适合运输的常规包装，包装费含在单价内。"),
    "place": msg("卖方地头装车点。"),
    "inspection": msg("到货当场过磅、看质量；部分验收或拒收要写明原因。"),
    "fees": msg("买方不收进店费、条码费、开户费、节庆费、店庆费和合同费。"),
    "force_majeure": msg("因不可抗力不能履行的，及时通知对方并提供证明，在受影响的范围内免责。"),
    "other": msg("没有写明的，按《民法典》办。"),
}
CLAUSES: dict[str, Message] = {
    "standard": msg("执行标准"),
    "quality": msg("质量要求"),
    "weighing": msg("计量方法"),
    "packing": msg("包装"),
    "place": msg("交货地点"),
    "inspection": msg("验收方法"),
    "fees": msg("费用"),
    "force_majeure": msg("不可抗力"),
    "other": msg("其他约定"),
}


class Milestone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``share`` of the price in basis points, due ``days`` after ``after``."""

    after: Literal["signing", "arrival", "invoice"]
    share: int
    days: int


class Terms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What both sides sign beside goods, quantity and price."""

    deliver_from: date
    deliver_to: date
    standard: str = ""
    quality: str = ""
    #: More or less than the quantity that still counts as performed, in basis points.
    tolerance: int = 0
    weighing: str = ""
    pricing: Literal["fixed", "floor", "market"] = "fixed"
    #: Fen per kg; goes with ``pricing`` "floor".
    floor: int | None = None
    #: Where the market's price is read, for a price that moves.
    market: str = ""
    #: Fen per kg that both sides last agreed on for a price that moves; None: the contract's own.
    settled: int | None = None
    packing: str = ""
    place: str = ""
    freight: Literal["buyer", "seller"] = "buyer"
    inspection: str = ""
    #: Days after arrival within which the buyer inspects.
    inspection_days: int = 1
    #: Weight lost on the way that is nobody's fault, in basis points of what was sent.
    natural_loss: int = 50
    #: 定金, in basis points of the price; it counts towards the price.
    deposit: int = 0
    #: Days after the contract comes into force.
    deposit_days: int = 7
    milestones: tuple[Milestone, ...] = (Milestone("arrival", WHOLE, PAYMENT_DAYS),)
    invoice: Literal["none", "own_produce", "special", "plain", "agency", "purchase"] = "none"
    #: The seller declares itself a small or medium firm (State Council Order 802 protects those).
    small_seller: bool = False
    fees: str = ""
    #: 违约金 on the part that a side does not perform, in basis points of its price.
    seller_penalty: int = 1_000
    buyer_penalty: int = 1_000
    #: For each day that goods or money are late, in basis points of them.
    late_delivery: int = 5
    late_payment: int = 5
    force_majeure: str = ""
    dispute: Literal["court", "arbitration"] = "court"
    #: Which court or commission, where the usual one is not meant.
    dispute_place: str = ""
    other: str = ""


def usual_terms(*, deliver_from: date, deliver_to: date, place: str = "") -> Terms:
    """Return what a contract says as long as nobody has proposed anything else."""
    return Terms(deliver_from=deliver_from, deliver_to=deliver_to, place=place)


def clause(terms: Terms, name: str) -> str | Message:
    """Return the words of a clause: those that were agreed, else the usual ones."""
    return getattr(terms, name) or WORDINGS[name]


def check(terms: Terms) -> None:
    """Refuse terms that cannot be carried out; unfair ones are only warned of (``unfair.py``).

    Raises:
        Invalid: with every faulty field.
    """
    faults: dict[str, Message] = {}
    if terms.deliver_to < terms.deliver_from:
        faults["deliver_to"] = msg("最晚交货不能早于最早交货。")
    for name in (*CLAUSES, "market", "dispute_place"):
        if len(getattr(terms, name)) > LONGEST_CLAUSE:
            faults[name] = msg("太长了：最多 {most} 个字。", most=LONGEST_CLAUSE)
    rates = ("tolerance", "natural_loss", "deposit", "seller_penalty", "buyer_penalty")
    for name in (*rates, "late_delivery", "late_payment"):
        if not 0 <= getattr(terms, name) <= WHOLE:
            faults[name] = msg("要在 0 到 100% 之间。")
    for name in ("inspection_days", "deposit_days"):
        if not 0 <= getattr(terms, name) <= MOST_DAYS:
            faults[name] = msg("要在 0 到 {most} 天之间。", most=MOST_DAYS)
    if terms.pricing == "floor" and not terms.floor:
        faults["floor"] = msg("有保底价的，请写明保底价。")
    if terms.pricing != "floor" and terms.floor is not None:
        faults["floor"] = msg("只有“有保底价”的定价方式才写保底价。")
    if terms.pricing == "fixed" and terms.settled is not None:
        faults["settled"] = msg("固定价不另写结算价。")
    faults.update(_faults_of_payments(terms))
    if faults:
        raise Invalid(msg("条款有 {n} 处要改。", n=len(faults)), faults)


def _faults_of_payments(terms: Terms) -> dict[str, Message]:
    milestones = terms.milestones
    if not 1 <= len(milestones) <= MOST_MILESTONES:
        return {"milestones": msg("付款分 1 到 {most} 笔。", most=MOST_MILESTONES)}
    if any(each.share <= 0 for each in milestones):
        return {"milestones": msg("每笔付款的比例要大于 0。")}
    if any(not 0 <= each.days <= MOST_DAYS for each in milestones):
        return {"milestones": msg("付款天数要在 0 到 {most} 天之间。", most=MOST_DAYS)}
    if sum(each.share for each in milestones) != WHOLE:
        return {"milestones": msg("各笔付款的比例加起来要正好是 100%。")}
    if terms.invoice == "none" and any(each.after == "invoice" for each in milestones):
        return {"invoice": msg("有按发票付的款，请写明开哪种发票。")}
    if prepaid_share(terms) > WHOLE:
        return {"deposit": msg("定金和预付款加起来不能超过货款。")}
    return {}


def price_of(terms: Terms, price: FenPerKg) -> FenPerKg:
    """Return what a kilogram is settled at now: never below the floor."""
    now = terms.settled if terms.settled is not None else price
    return FenPerKg(max(now, terms.floor or 0))


def latest_after_arrival(days: int) -> int:
    """Return within how many days of the goods' arrival money is due that waits for an invoice.

    An invoice that does not come puts nothing off for ever: sixty days from receipt is the law's limit
    (State Council Order 802), and a longer time is what both have signed.
    """
    return max(PAYMENT_DAYS, days)


class Due(msgspec.Struct, frozen=True):
    """Money that falls due: ``kind`` is deposit, advance or goods.

    With ``invoice_days`` it counts from the invoice as well, and ``on`` is the latest day.
    """

    kind: str
    amount: Fen
    on: date
    invoice_days: int | None = None


def due_at_signing(terms: Terms, *, quantity: Gram, price: FenPerKg, on: date) -> list[Due]:
    """Return deposit and advance payments of a contract that came into force on the day ``on``."""
    total = amount(quantity, price_of(terms, price))
    dues = [Due("deposit", part(total, terms.deposit), on + timedelta(days=terms.deposit_days))]
    before = 0
    for each in terms.milestones:
        if each.after == "signing":
            paid = part(total, before + each.share) - part(total, before)
            before += each.share
            dues.append(Due("advance", Fen(paid), on + timedelta(days=each.days)))
    return [each for each in dues if each.amount > 0]


def due_at_arrival(terms: Terms, *, worth: Fen, credit: Fen, on: date) -> list[Due]:
    """Return the payments for goods worth ``worth`` that arrived on the day ``on`` and were accepted.

    ``credit`` is what deposit and advance cover of them. The parts sum exactly to ``worth - credit``.
    """
    rest = Fen(worth - credit)
    later = [each for each in terms.milestones if each.after != "signing"]
    if not later:
        # all was to be paid beforehand: what rounding or a moved price leaves is due with the goods
        later = [Milestone("arrival", WHOLE, 0)]
    whole = sum(each.share for each in later)
    dues, before = [], 0
    for each in later:
        money = rest * (before + each.share) // whole - rest * before // whole
        before += each.share
        if each.after == "invoice":
            latest = on + timedelta(days=latest_after_arrival(each.days))
            dues.append(Due("goods", Fen(money), latest, each.days))
        else:
            dues.append(Due("goods", Fen(money), on + timedelta(days=each.days)))
    return [each for each in dues if each.amount > 0]


def part(money: int, share: int) -> Fen:
    """Return ``share`` basis points of ``money``, to the fen below."""
    return Fen(money * share // WHOLE)


def prepaid_share(terms: Terms) -> int:
    """Return the share of the price that is due before any goods, deposit included, in basis points."""
    return terms.deposit + sum(each.share for each in terms.milestones if each.after == "signing")


def least_performed(terms: Terms, quantity: Gram) -> Gram:
    """Return the grams from which on the seller has delivered as agreed, the tolerance taken off."""
    return Gram(quantity - quantity * terms.tolerance // WHOLE)


def most_performed(terms: Terms, quantity: Gram) -> Gram:
    """Return the most grams that the seller may deliver as agreed, the tolerance put on."""
    return Gram(quantity + quantity * terms.tolerance // WHOLE)


def most_natural_loss(terms: Terms, quantity: Gram) -> Gram:
    """Return how many grams of a delivery of ``quantity`` may be lost on the way without fault."""
    return Gram(quantity * terms.natural_loss // WHOLE)
