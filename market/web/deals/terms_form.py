"""The form in which one side proposes other terms of a contract."""

from decimal import Decimal
from typing import Any

from market.deals.clauses import (
    AFTER,
    DISPUTE,
    FREIGHT,
    INVOICES,
    LONGEST_CLAUSE,
    MOST_DAYS,
    MOST_MILESTONES,
    PRICING,
    WORDINGS,
    Milestone,
    Terms,
)
from market.deals.terms import LONGEST_NOTE
from market.deals.wording import percent as told_percent
from market.i18n import Message, msg
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.trade import KEY
from market.web.parts.typed import Wrong, decimal_from

#: Chosen where there is no further payment.
_NONE = "none"
_ROWS = range(1, MOST_MILESTONES + 1)


def rate(label: Message, *, hint: Message | None = None, optional: bool = False) -> fields.Field:
    """A percentage from 0 to 100, to 0.01; gives whole basis points."""

    def parse(typed: str, _: str) -> int:
        share = decimal_from(typed.rstrip("%％ ")) * 100
        if share != int(share):
            raise Wrong(msg("最多精确到 0.01%。"))
        if share > 10_000:
            raise Wrong(msg("要在 0 到 100% 之间。"))
        return int(share)

    return fields.Field(
        kind="text",
        label=label,
        parse=parse,
        write=lambda value: (told_percent(value), ""),
        hint=hint,
        optional=optional,
        attributes={"inputmode": "decimal"},
    )


def _words(name: str, label: Message) -> fields.Field:
    return fields.text(
        label,
        most=LONGEST_CLAUSE,
        lines=True,
        optional=True,
        hint=msg("留空就是：{words}", words=WORDINGS[name]),
    )


def _days(label: Message) -> fields.Field:
    return fields.whole(label, least=0, most=MOST_DAYS)


def _milestones() -> dict[str, fields.Field]:
    made: dict[str, fields.Field] = {}
    for row in _ROWS:
        first = row == 1
        made[f"after{row}"] = fields.choice(
            msg("第 {n} 笔：从何时算起", n=row),
            # what is left out is no payment, and no wish for any: the empty choice says so
            AFTER if first else {**AFTER, _NONE: msg("没有这一笔")},
            default=None if first else _NONE,
        )
        made[f"share{row}"] = rate(msg("第 {n} 笔：占货款百分之几", n=row), optional=not first)
        made[f"days{row}"] = fields.whole(
            msg("第 {n} 笔：几天内付", n=row), least=0, most=MOST_DAYS, optional=not first
        )
    return made


TERMS = Form(
    deliver_from=fields.day(msg("最早交货")),
    deliver_to=fields.day(msg("最晚交货")),
    place=_words("place", msg("交货地点")),
    freight=fields.choice(msg("运费"), FREIGHT),
    standard=_words("standard", msg("执行标准")),
    quality=_words("quality", msg("质量要求")),
    packing=_words("packing", msg("包装")),
    tolerance=rate(msg("数量允差（%）"), hint=msg("上下多少以内算如数交货；0 是不允许。")),
    weighing=_words("weighing", msg("计量方法")),
    inspection_days=_days(msg("到货后几天内验收")),
    inspection=_words("inspection", msg("验收方法")),
    natural_loss=rate(msg("自然损耗（%）"), hint=msg("运输途中多少以内的失重不算短少。")),
    pricing=fields.choice(msg("定价方式"), PRICING),
    floor=fields.price(msg("保底价"), optional=True),
    market=fields.text(
        msg("参照行情"), most=LONGEST_CLAUSE, optional=True, hint=msg("哪个市场、哪一天的价。")
    ),
    settled=fields.price(
        msg("现在的结算价"), optional=True, hint=msg("价格会动的合同才填；双方签字后按它结算。")
    ),
    deposit=rate(msg("定金（占货款 %）"), hint=msg("最多 20%，抵作货款。")),
    deposit_days=_days(msg("合同生效后几天内付定金")),
    **_milestones(),
    invoice=fields.choice(
        msg("发票"), INVOICES, hint=msg("合作社、农户卖自产的货，一般开免税的农产品销售发票。")
    ),
    small_seller=fields.tick(msg("卖方声明自己是中小企业或合作社（国务院令第 802 号保护）")),
    fees=_words("fees", msg("费用")),
    seller_penalty=rate(msg("卖方违约金（%）"), hint=msg("按没有交货部分的货款。")),
    buyer_penalty=rate(msg("买方违约金（%）"), hint=msg("按没有收货、没有付款部分的货款。")),
    late_delivery=rate(msg("逾期交货每天（%）")),
    late_payment=rate(msg("逾期付款每天（%）")),
    force_majeure=_words("force_majeure", msg("不可抗力")),
    dispute=fields.choice(msg("争议解决"), DISPUTE),
    dispute_place=fields.text(msg("哪个法院或仲裁委员会"), most=LONGEST_CLAUSE, optional=True),
    other=_words("other", msg("其他约定")),
    note=fields.text(msg("为什么要改"), most=LONGEST_NOTE, optional=True, hint=msg("对方会看到。")),
    base=fields.hidden(int),
    replaces=fields.hidden(int, optional=True),
    key=KEY,
)
#: How the form is drawn: heads and the fields below them.
SECTIONS: tuple[tuple[Message, tuple[str, ...]], ...] = (
    (msg("交货"), ("deliver_from", "deliver_to", "place", "freight", "packing")),
    (msg("质量和验收"), ("standard", "quality", "tolerance", "weighing")),
    (msg("验收"), ("inspection_days", "natural_loss", "inspection")),
    (msg("价格"), ("pricing", "floor", "market", "settled")),
    (msg("定金"), ("deposit", "deposit_days")),
    (msg("付款"), tuple(name for row in _ROWS for name in (f"after{row}", f"share{row}", f"days{row}"))),
    (msg("发票、费用和声明"), ("invoice", "small_seller", "fees")),
    (msg("违约责任"), ("seller_penalty", "buyer_penalty", "late_delivery", "late_payment")),
    (msg("不可抗力和争议"), ("force_majeure", "dispute", "dispute_place", "other")),
)


def blank_form(terms: Terms, *, base: int, key: str, replaces: int = 0) -> Filled:
    """Return the form with ``terms`` standing in it; ``replaces``: the proposal that is open, if any is."""
    own = {name: getattr(terms, name) for name in Terms.__struct_fields__ if name != "milestones"}
    rows: dict[str, Any] = {f"after{row}": _NONE for row in _ROWS[1:]}
    for row, each in enumerate(terms.milestones, 1):
        rows |= {f"after{row}": each.after, f"share{row}": each.share, f"days{row}": each.days}
    return TERMS.blank(**own, **rows, base=Decimal(base), replaces=Decimal(replaces), key=key)


#: What the milestones are called in the form.
MILESTONES = tuple(f"{name}{row}" for row in _ROWS for name in ("after", "share", "days"))


def terms_from(filled: Filled) -> Terms:
    """Return the terms that were typed; they are not checked yet.

    Raises:
        Invalid: with every faulty field.
    """
    filled.check()
    values = filled.values
    milestones = tuple(
        Milestone(values[f"after{row}"], values[f"share{row}"], values[f"days{row}"] or 0)
        for row in _ROWS
        if values[f"after{row}"] != _NONE and values[f"share{row}"]
    )
    own = {name: values[name] for name in Terms.__struct_fields__ if name != "milestones"}
    return Terms(**own, milestones=milestones)
