"""Invoices under a contract: recorded by whoever issued them, sent back, reversed in red, handed out."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market.deals.invoices.operations import (
    record_invoice,
    refuse_invoice,
    reverse_invoice,
    take_invoice,
    withdraw_invoice,
)
from market.deals.invoices.queries import invoice_content, invoices_of
from market.deals.invoices.reading import read_invoice
from market.deals.invoices.rules import RECORDED, NewInvoice
from market.deals.queries import deliveries_of
from market.errors import Invalid, NotFound
from market.i18n import Message, msg
from market.pictures import MOST_BYTES
from market.transitions import WrongState
from market.web.deals.invoice_forms import FORMS, invoice_form
from market.web.deals.sheet import deal_and_side, draw, party
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.parts.pages import redirect
from market.web.parts.scans import scan_response
from market.web.parts.trade import BARE, acting, do_filled

_DEEDS: dict[str, tuple[Callable[..., Awaitable[str]], Message]] = {
    "refuse": (refuse_invoice, msg("已退票，对方看得到原因。")),
    "withdraw": (withdraw_invoice, msg("已撤销这条记录。")),
    "reverse": (reverse_invoice, msg("红字发票已记下。")),
}


@post("/deals/{deal_id:int}/invoices", request_max_body_size=MOST_BYTES + 100_000)
async def add(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[Any]:
    """Record an invoice that one's own side has issued."""
    deal, side = await party(deal_id, viewer)
    filled = await invoice_form(side, await deliveries_of(deal_id=deal.id), request).read(request)
    try:
        filled.check()
        values = filled.values
        sent = values["file"]
        file = await read_invoice(sent.name, sent.content) if sent else None
        new = NewInvoice(
            values["kind"],
            values["number"],
            values["issued_on"],
            values["amount"],
            values["code"] or "",
            values["tax"],
            tuple(int(each) for each in values["deliveries"] or ()),
        )
        about = {key: value for key, value in filled.typed.items() if key != "key"}
        await do_filled(
            viewer,
            filled,
            "record_invoice",
            {"deal": deal.id, "typed": about, "file": file.content_hash if file else ""},
            lambda at: record_invoice(
                deal_id=deal.id,
                new=new,
                file=file,
                sure=bool(values["sure"]),
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
            ),
        )
    except Invalid as refused:
        return await draw(request, viewer, deal, invoicing=filled.refused(refused), status=422)
    return redirect(request, f"/deals/{deal.id}#invoices", toast=msg("发票已记下，对方会收到通知。"))


@post("/deals/{deal_id:int}/invoices/{invoice_id:int}/take")
async def take(
    request: WebRequest, viewer: SignedIn, deal_id: FromPath[int], invoice_id: FromPath[int]
) -> Response[Any]:
    """Take an invoice after all that one has sent back."""
    filled = await BARE.read(request)
    filled.check()
    deal, side = await party(deal_id, viewer)
    number = row_number(invoice_id)
    try:
        await do_filled(
            viewer,
            filled,
            "take_invoice",
            {"invoice": number},
            lambda at: take_invoice(
                deal_id=deal.id,
                invoice_id=number,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
            ),
        )
    except WrongState:
        # pressed twice: it is done
        rows = await invoices_of(deal_id=deal.id)
        if not any(
            each.id == number and each.state == RECORDED and each.issuer != viewer.organisation_id
            for each in rows
        ):
            raise
    return redirect(request, f"/deals/{deal.id}#invoices", toast=msg("已收下这张发票。"))


@post("/deals/{deal_id:int}/invoices/{invoice_id:int}/{deed:str}")
async def act(
    request: WebRequest,
    viewer: SignedIn,
    deal_id: FromPath[int],
    invoice_id: FromPath[int],
    deed: FromPath[str],
) -> Response[Any]:
    """Send the other side's back, or reverse or take back one's own, with a coded reason."""
    if deed not in _DEEDS:
        raise NotFound(msg("没有这一步，请回到合同页面操作。"))
    operation, done = _DEEDS[deed]
    name = f"{deed}_invoice"
    filled = await FORMS[name].read(request)
    deal, side = await party(deal_id, viewer)
    number = row_number(invoice_id)
    try:
        filled.check()
        values = {key: value for key, value in filled.values.items() if key != "key"}
        if "code" in values:
            values["code"] = values["code"] or ""
        await do_filled(
            viewer,
            filled,
            name,
            {"invoice": number, "typed": {key: each for key, each in filled.typed.items() if key != "key"}},
            lambda at: operation(
                deal_id=deal.id,
                invoice_id=number,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
                **values,
            ),
        )
    except Invalid as error:
        return await draw(request, viewer, deal, refused=(number, name, filled.refused(error)), status=422)
    return redirect(request, f"/deals/{deal.id}#invoices", toast=done)


@get("/deals/{deal_id:int}/invoices/{invoice_id:int}/file")
async def file(viewer: SignedIn, deal_id: FromPath[int], invoice_id: FromPath[int]) -> Response[bytes]:
    """Return an invoice's file to whoever may see the contract."""
    deal, _ = await deal_and_side(deal_id, viewer)
    found = await invoice_content(deal_id=deal.id, invoice_id=row_number(invoice_id))
    return scan_response(found.name, found.media_type, found.content)


routes: list[ControllerRouterHandler] = [add, take, act, file]
