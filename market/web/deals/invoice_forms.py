"""The forms of invoices, and what the contract's page shows of them."""

from typing import Any

from market import clock
from market.deals.invoices.queries import InvoiceRow, billed_of, invoices_of
from market.deals.invoices.reading import FILE_ENDINGS
from market.deals.invoices.rules import (
    COVERABLE,
    INVOICE,
    KINDS,
    LONGEST_NOTE,
    RED,
    REFUSALS,
    REVERSALS,
    issuer_of,
)
from market.deals.queries import DealRow, DeliveryRow
from market.deals.rules import BOUND
from market.i18n import Message, msg
from market.pictures import MOST_BYTES
from market.units import Fen, Gram
from market.web.edge.guards import WebRequest
from market.web.edge.language import language_of
from market.web.parts import fields, formats
from market.web.parts.forms import FileField, Filled, Form
from market.web.parts.trade import KEY, new_key

_NOTE = {"most": LONGEST_NOTE, "lines": True, "optional": True}


def _number() -> dict[str, fields.Field]:
    return {
        "number": fields.text(
            msg("发票号码"), most=40, hint=msg("数电发票 20 位；老式发票 8 位，另填发票代码。")
        ),
        "code": fields.text(
            msg("发票代码"), most=20, optional=True, hint=msg("只有老式发票才有，10 或 12 位。")
        ),
        "issued_on": fields.day(msg("开票日期")),
    }


def invoice_form(side: str, deliveries: list[DeliveryRow], request: WebRequest) -> Form:
    """Return the form in which ``side`` records an invoice of its own."""
    language = language_of(request)
    loads: dict[str, Message | str] = {
        str(each.id): msg(
            "{day} 发货 {mass}",
            day=formats.day(
                each.dispatched_at.astimezone(clock.CHINA).date()
                if each.dispatched_at
                else each.scheduled_on,
                language,
            ),
            mass=formats.mass(Gram(each.accepted or each.quantity), language),
        )
        for each in deliveries
        if each.state in COVERABLE
    }
    return Form(
        kind=fields.choice(
            msg("票种"), {code: name for code, name in KINDS.items() if issuer_of(code) == side}
        ),
        **_number(),
        amount=fields.money(msg("价税合计")),
        tax=fields.money(msg("其中税额"), optional=True, hint=msg("免税的留空。")),
        deliveries=fields.choices(
            msg("这张票是哪几批货的"), loads, hint=msg("不选，就是已验收、还没有发票的各批。")
        ),
        file=FileField(
            label=msg("发票文件"),
            endings=FILE_ENDINGS,
            most_bytes=MOST_BYTES,
            optional=True,
            hint=msg("PDF、OFD、XML 或照片，8 MB 以内；可以不传。"),
        ),
        sure=fields.tick(msg("金额没有错，就按这个记")),
        key=KEY,
    )


REFUSAL = Form(
    reason=fields.choice(msg("原因"), REFUSALS, hint=msg("对方会看到这个原因。")),
    note=fields.text(msg("补充说明"), **_NOTE),  # type: ignore[arg-type]
    key=KEY,
)
WITHDRAWAL = Form(
    reason=fields.choice(msg("原因"), REVERSALS, hint=msg("对方会看到这个原因。")),
    note=fields.text(msg("补充说明"), **_NOTE),  # type: ignore[arg-type]
    key=KEY,
)
REVERSAL = Form(
    **_number(),
    amount=fields.money(msg("红冲多少"), optional=True, hint=msg("留空就是整张红冲。")),
    reason=fields.choice(msg("原因"), REVERSALS, hint=msg("对方会看到这个原因。")),
    note=fields.text(msg("补充说明"), **_NOTE),  # type: ignore[arg-type]
    key=KEY,
)
#: What is done to an invoice, with a form of its own.
FORMS = {"refuse_invoice": REFUSAL, "withdraw_invoice": WITHDRAWAL, "reverse_invoice": REVERSAL}


async def shown_invoices(
    request: WebRequest,
    deal: DealRow,
    side: str | None,
    deliveries: list[DeliveryRow],
    *,
    invoicing: Filled | None,
    refused: tuple[int, str, Filled] | None,
) -> dict[str, Any]:
    """Return what the templates want. ``invoicing``: the new one with its faults; ``refused``: (number, deed,
    form)."""
    if deal.state not in BOUND:
        return {"invoices": [], "has_invoices": False}
    own = {"seller": deal.seller, "buyer": deal.buyer}.get(side or "")
    blank = {name: form.blank(key=new_key()) for name, form in FORMS.items()}
    billed = await billed_of(deal_id=deal.id)

    def moves(row: InvoiceRow) -> tuple[str, ...]:
        if own is None or row.state == RED:
            return ()
        return INVOICE.available(state=row.state, by="issuer" if row.issuer == own else "receiver")

    def form_of(row: InvoiceRow, name: str) -> Filled:
        return refused[2] if refused and refused[:2] == (row.id, name) else blank[name]

    if invoicing is None and side is not None:
        invoicing = invoice_form(side, deliveries, request).blank(
            amount=Fen(billed.missing) if billed.missing else None, issued_on=clock.today(), key=new_key()
        )
        is_invoicing = False
    else:
        is_invoicing = invoicing is not None
    return {
        "has_invoices": True,
        "invoices": [(row, moves(row)) for row in await invoices_of(deal_id=deal.id)],
        "invoice_form_of": form_of,
        "invoicing": invoicing,
        "is_invoicing": is_invoicing,
        "billed": billed,
        "invoice_kinds": KINDS,
        "invoice_reasons": {**REVERSALS, **REFUSALS},
        "loads": {each.id: each for each in deliveries},
        "INVOICE": INVOICE,
        "RED": RED,
    }
