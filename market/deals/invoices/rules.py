"""Invoices: their kinds, their numbers, their life, and what is asked back. Pure.

Sources: the VAT Law, article 24 (produce that its growers sell is exempt, from 2026-01-01), and the circular
Cai Shui [2008] 81 (what a cooperative sells of its members' produce counts as its own); electronic invoices
have a number of 20 digits, older ones one of 8 under a code of 10 or 12.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date

import msgspec

from market.catalogue.rules import words_fault
from market.i18n import Message, msg, on_day
from market.transitions import Lifecycle, Move
from market.units import Fen

RECORDED, REFUSED, REVERSED, WITHDRAWN = "recorded", "refused", "reversed", "withdrawn"
#: A red-letter invoice: it takes from the one that it reverses, and has no life of its own.
RED = "red"

INVOICE = Lifecycle(
    "invoice",
    Move("refuse", {RECORDED}, REFUSED, by={"receiver"}),
    Move("take", {REFUSED}, RECORDED, by={"receiver"}),
    Move("reverse", {RECORDED, REFUSED}, REVERSED, by={"issuer"}),
    Move("withdraw", {RECORDED, REFUSED}, WITHDRAWN, by={"issuer"}),
    start=RECORDED,
    labels={
        RECORDED: msg("已开票"),
        REFUSED: msg("对方退票"),
        REVERSED: msg("已红冲"),
        WITHDRAWN: msg("记错，已撤销"),
    },
)

KINDS: dict[str, Message] = {
    "own_produce": msg("农产品销售发票（自产自销，免税）"),
    "special": msg("增值税专用发票"),
    "plain": msg("增值税普通发票"),
    "agency": msg("税务机关代开的发票"),
    "purchase": msg("农产品收购发票（买方开）"),
}
#: Loads that an invoice may be for: they have left, and were not refused.
COVERABLE = frozenset({"dispatched", "arrived", "accepted", "partially_accepted"})
#: Kinds that bear no tax.
EXEMPT = frozenset({"own_produce", "purchase"})
#: Why an invoice is sent back.
REFUSALS: dict[str, Message] = {
    "title": msg("抬头不对"),
    "tax_number": msg("税号不对"),
    "amount": msg("金额不对"),
    "goods": msg("品名、数量或单位不对"),
    "kind": msg("票种不对"),
    "rate": msg("税率或税额不对"),
    "unreceived": msg("没有收到这张票"),
    "unverified": msg("查验不通过"),
    "other": msg("其他"),
}
#: Why an invoice is reversed in red or its record taken back.
REVERSALS: dict[str, Message] = {
    "mistake": msg("开票有误"),
    "returned": msg("退货"),
    "allowance": msg("销售折让"),
    "ended": msg("合同终止"),
    "other": msg("其他"),
}
#: Invoices of one contract at most; letters of a note.
MOST_INVOICES = 200
LONGEST_NOTE = 300

_ELECTRONIC = re.compile(r"\d{20}")
_CODE = re.compile(r"\d{10}|\d{12}")
_SERIAL = re.compile(r"\d{8}")


class NewInvoice(msgspec.Struct, frozen=True):
    """``amount`` with tax and ``tax`` in fen; ``code`` of older invoices; ``deliveries`` that it is for."""

    kind: str
    number: str
    issued_on: date
    amount: Fen
    code: str = ""
    tax: Fen | None = None
    deliveries: tuple[int, ...] = ()


def issuer_of(kind: str) -> str:
    """Return which side issues an invoice: a purchase invoice for growers is the buyer's own."""
    return "buyer" if kind == "purchase" else "seller"


def plain_digits(typed: str) -> str:
    """Return a number as people type or paste it, without spaces, dashes and full-width digits."""
    return re.sub(r"[\s\-—_]", "", unicodedata.normalize("NFKC", typed))


def number_faults(code: str, number: str) -> dict[str, Message]:
    """Return what is wrong with the (plain) code and number of an invoice, by field."""
    if _ELECTRONIC.fullmatch(number):
        return {"code": msg("20 位号码的数电发票没有发票代码，请留空。")} if code else {}
    if not _SERIAL.fullmatch(number):
        return {
            "number": msg(
                "号码是 {n} 位：数电发票是 20 位数字，老式发票是 8 位数字，另有 10 或 12 位代码。",
                n=len(number),
            )
        }
    if not _CODE.fullmatch(code):
        return {"code": msg("8 位号码的老式发票，还要填 10 位或 12 位的发票代码。")}
    return {}


def faults_of(new: NewInvoice, *, today: date) -> dict[str, Message]:
    """Return every fault of an invoice, by field."""
    faults = number_faults(new.code, new.number)
    if new.kind not in KINDS:
        faults["kind"] = msg("请选一项。")
    if new.amount <= 0:
        faults["amount"] = msg("金额要大于 0。")
    if new.issued_on > today:
        faults["issued_on"] = msg("开票日期不能晚于今天（{today}）。", today=on_day(today))
    if new.tax is not None and not 0 <= new.tax < new.amount:
        faults["tax"] = msg("税额要小于价税合计。")
    elif new.tax and new.kind in EXEMPT:
        faults["tax"] = msg("免税的发票没有税额，请留空或填 0；有税额的请换票种。")
    return faults


def reason_faults(reason: str, note: str, reasons: Mapping[str, Message]) -> dict[str, Message]:
    faults: dict[str, Message] = {}
    if reason not in reasons:
        faults["reason"] = msg("请选一项。")
    if len(note) > LONGEST_NOTE:
        faults["note"] = msg("太长了：最多 {most} 个字。", most=LONGEST_NOTE)
    elif fault := words_fault(reason, note):
        faults["note"] = fault
    return faults
