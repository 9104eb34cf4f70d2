"""A contract's terms as sentences, in the order in which the contract has them. One text for page and paper.

Pure. Sentences are messages: the page tells them in the reader's language, the paper in Chinese.
"""

from decimal import Decimal

import msgspec

from market.deals.clauses import (
    AFTER,
    CLAUSES,
    DISPUTE,
    FREIGHT,
    INVOICES,
    PRICING,
    Terms,
    clause,
    latest_after_arrival,
    price_of,
)
from market.i18n import Message, msg
from market.units import FenPerKg, yuan_per_jin, yuan_per_kg

Words = Message | str


class Line(msgspec.Struct, frozen=True):
    """A clause: ``fields`` of the terms that it tells, its name, its sentences."""

    fields: tuple[str, ...]
    label: Message
    words: tuple[Words, ...]


def percent(share: int) -> str:
    """Return basis points as a percentage without needless zeros, e.g. ``0.5%``."""
    whole = f"{Decimal(share) / 100:f}"
    return f"{whole.rstrip('0').rstrip('.') if '.' in whole else whole}%"


def lines_of(terms: Terms, *, price: FenPerKg) -> list[Line]:
    """Return every clause of the terms; goods, quantity and price are told by the contract itself."""
    return [
        _plain(terms, "standard"),
        _plain(terms, "quality"),
        Line(("tolerance",), msg("数量允差"), (_tolerance(terms),)),
        _plain(terms, "weighing"),
        Line(
            ("pricing", "floor", "market", "settled"),
            msg("定价方式"),
            (PRICING[terms.pricing], *_price(terms, price)),
        ),
        _plain(terms, "packing"),
        _plain(terms, "place"),
        Line(("freight",), msg("运费"), (FREIGHT[terms.freight],)),
        Line(
            ("inspection", "inspection_days"),
            msg("验收"),
            (clause(terms, "inspection"), _inspection(terms)),
        ),
        Line(("natural_loss",), msg("自然损耗"), (_loss(terms),)),
        Line(("deposit", "deposit_days"), msg("定金"), (_deposit(terms),)),
        Line(("milestones",), msg("付款"), (*_payments(terms), msg("不以卖出为付款条件。"))),
        Line(("invoice",), msg("发票"), (INVOICES[terms.invoice],)),
        Line(
            ("small_seller",),
            msg("卖方声明"),
            (msg("卖方是中小企业或合作社。") if terms.small_seller else msg("卖方没有声明自己是中小企业。"),),
        ),
        _plain(terms, "fees"),
        Line(
            ("seller_penalty", "buyer_penalty", "late_delivery", "late_payment"),
            msg("违约责任"),
            _penalties(terms),
        ),
        _plain(terms, "force_majeure"),
        Line(("dispute", "dispute_place"), msg("争议解决"), _dispute(terms)),
        _plain(terms, "other"),
    ]


def changed_fields(old: Terms, new: Terms) -> set[str]:
    """Return the fields in which two sets of terms differ."""
    return {name for name in Terms.__struct_fields__ if getattr(old, name) != getattr(new, name)}


def _plain(terms: Terms, name: str) -> Line:
    return Line((name,), CLAUSES[name], (clause(terms, name),))


def _tolerance(terms: Terms) -> Message:
    if not terms.tolerance:
        return msg("按合同数量交货，以到货过磅、买方验收的数量结算。")
    return msg("上下 {share} 以内算如数交货，以验收数量结算。", share=percent(terms.tolerance))


def _price(terms: Terms, price: FenPerKg) -> tuple[Words, ...]:
    if terms.pricing == "fixed":
        return ()
    told: list[Words] = []
    if terms.market:
        told.append(msg("参照行情：{market}", market=terms.market))
    if terms.floor:
        told.append(msg("保底价 {price}", price=_both(FenPerKg(terms.floor))))
    told.append(msg("现在按 {price} 结算，改价要双方签字。", price=_both(price_of(terms, price))))
    return tuple(told)


def _both(price: FenPerKg) -> Message:
    return msg(
        "{jin} 元/斤（{kg} 元/公斤）", jin=f"{yuan_per_jin(price):,f}", kg=f"{yuan_per_kg(price):,.2f}"
    )


def _inspection(terms: Terms) -> Message:
    if not terms.inspection_days:
        return msg("到货当天验收。")
    return msg("到货后 {n} 天内验收。", n=terms.inspection_days)


def _loss(terms: Terms) -> Message:
    if not terms.natural_loss:
        return msg("不允许损耗。")
    return msg(
        "运输途中 {share} 以内的失重不算短少，按实收数量付款，不再补货。", share=percent(terms.natural_loss)
    )


def _deposit(terms: Terms) -> Message:
    if not terms.deposit:
        return msg("无。另行约定的，不超过货款的 20%。")
    return msg(
        "货款的 {share}，合同生效后 {n} 天内付，抵作货款；买方违约的不得要求返还，卖方违约的双倍返还。",
        share=percent(terms.deposit),
        n=terms.deposit_days,
    )


def _payments(terms: Terms) -> tuple[Words, ...]:
    return tuple(
        msg(
            "{after} {n} 天内付 {share}。",
            after=AFTER[each.after],
            n=each.days,
            share=percent(each.share),
        )
        for each in terms.milestones
    ) + _without_invoice(terms)


def _without_invoice(terms: Terms) -> tuple[Words, ...]:
    """Say until when money is due at the latest that waits for an invoice."""
    waiting = [latest_after_arrival(each.days) for each in terms.milestones if each.after == "invoice"]
    if not waiting:
        return ()
    return (msg("发票不论何时到，最迟到货后 {n} 天内付清。", n=max(waiting)),)


def _penalties(terms: Terms) -> tuple[Words, ...]:
    return (
        msg(
            "卖方不交货的，付未交部分货款 {seller} 的违约金；买方不收货、不付款的，付该部分货款的 {buyer}。",
            seller=percent(terms.seller_penalty),
            buyer=percent(terms.buyer_penalty),
        ),
        msg(
            "逾期交货每天付 {delivery}，逾期付款每天付 {payment}。",
            delivery=percent(terms.late_delivery),
            payment=percent(terms.late_payment),
        ),
    )


def _dispute(terms: Terms) -> tuple[Words, ...]:
    told: list[Words] = [msg("先协商；协商不成的，{way}。", way=DISPUTE[terms.dispute])]
    if terms.dispute_place:
        told.append(terms.dispute_place)
    return tuple(told)
