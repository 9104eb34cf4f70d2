"""Invoices under contracts; files as base64 within JSON."""

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.accounts.rules import Viewer
from market.api.deals import actor_in
from market.api.files import MOST_SIGNS, FileContent, SentFile, decoded, file_content
from market.api.handling import deed, do_once, read
from market.api.inputs import ONE_LINE, Fens, IdempotencyKey, Note, PathId, RowId, SignedIn
from market.api.outputs import Moved
from market.db.replay import once
from market.deals.invoices.operations import (
    record_invoice,
    refuse_invoice,
    reverse_invoice,
    take_invoice,
    withdraw_invoice,
)
from market.deals.invoices.queries import Billed, InvoiceRow, billed_of, invoice_content, invoices_of
from market.deals.invoices.reading import read_invoice
from market.deals.invoices.rules import NewInvoice
from market.deals.queries import deal_of
from market.units import Fen

Number = Annotated[str, Meta(min_length=8, max_length=40, pattern=ONE_LINE, description="20 digits, or 8")]
OldCode = Annotated[str, Meta(max_length=20, pattern=ONE_LINE, description="10 or 12 digits, with 8 alone")]
Tax = Annotated[int, Meta(ge=0, le=10**13, description="Fen")]
Undoing = Literal["mistake", "returned", "allowance", "ended", "other"]


class InvoiceToRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`amount` in fen with tax. Without `deliveries`: all accepted ones that no standing invoice is for.

    `sure`: it may come to more than the goods that were accepted.
    """

    kind: Literal["own_produce", "special", "plain", "agency", "purchase"]
    number: Number
    issued_on: date
    amount: Fens
    code: OldCode = ""
    tax: Tax | None = None
    deliveries: Annotated[tuple[RowId, ...], Meta(max_length=200)] = ()
    file: SentFile | None = None
    sure: bool = False


class Returning(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why it is sent back. The other side sees it."""

    reason: Literal[
        "title", "tax_number", "amount", "goods", "kind", "rate", "unreceived", "unverified", "other"
    ]
    note: Note = ""


class Withdrawing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the record is taken back."""

    reason: Undoing
    note: Note = ""


class Reversing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A red-letter invoice; without `amount` it takes all that is left."""

    number: Number
    issued_on: date
    reason: Undoing
    code: OldCode = ""
    amount: Fens | None = None
    note: Note = ""


class Recorded(msgspec.Struct, frozen=True):
    invoice_id: int


class Invoices(msgspec.Struct, frozen=True):
    sums: Billed
    invoices: list[InvoiceRow]


class _Record(msgspec.Struct, frozen=True):
    deal_id: int
    invoice: InvoiceToRecord


@read("/deals/{deal_id:int}/invoices")
async def index(viewer: SignedIn, deal_id: PathId) -> Invoices:
    """Invoices of the contract, and what they come to beside the goods that were accepted."""
    await deal_of(deal_id=deal_id, organisation_id=viewer.organisation_id)
    return Invoices(await billed_of(deal_id=deal_id), await invoices_of(deal_id=deal_id))


@read("/deals/{deal_id:int}/invoices/{invoice_id:int}/file")
async def one(viewer: SignedIn, deal_id: PathId, invoice_id: PathId) -> FileContent:
    """The file of an invoice."""
    await deal_of(deal_id=deal_id, organisation_id=viewer.organisation_id)
    found = await invoice_content(deal_id=deal_id, invoice_id=invoice_id)
    return file_content(found.name, found.media_type, found.content_hash, found.content)


@deed("/deals/{deal_id:int}/invoices", body=InvoiceToRecord, status=201, most_bytes=MOST_SIGNS + 100_000)
async def add(
    viewer: SignedIn, deal_id: PathId, data: JSONBody[InvoiceToRecord], key: IdempotencyKey = None
) -> Recorded:
    """Record an invoice that your side has issued."""
    by, at = await actor_in(viewer, deal_id), clock.now()
    file = await read_invoice(data.file.name, decoded(data.file, "file")) if data.file else None
    new = NewInvoice(
        data.kind,
        data.number,
        data.issued_on,
        Fen(data.amount),
        data.code,
        None if data.tax is None else Fen(data.tax),
        data.deliveries,
    )

    async def do() -> Recorded:
        return Recorded(
            await record_invoice(
                deal_id=deal_id,
                new=new,
                file=file,
                sure=data.sure,
                organisation_id=viewer.organisation_id,
                actor=by,
                at=at,
            )
        )

    return await once(
        key=key,
        person_id=viewer.person_id,
        request=_Record(deal_id, data),
        reply_type=Recorded,
        deed=do,
        at=at,
    )


async def _do(
    viewer: Viewer,
    deal_id: int,
    invoice_id: int,
    operation: Any,
    data: msgspec.Struct | None,
    key: str | None,
) -> Moved:
    by = await actor_in(viewer, deal_id)
    values = msgspec.structs.asdict(data) if data is not None else {}
    return await do_once(
        viewer=viewer,
        key=key,
        name=operation.__name__,
        about={"invoice": invoice_id, **msgspec.to_builtins(values)},
        do=lambda at: operation(
            deal_id=deal_id,
            invoice_id=invoice_id,
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
            **values,
        ),
    )


@deed("/deals/{deal_id:int}/invoices/{invoice_id:int}/refuse", body=Returning)
async def refuse(
    viewer: SignedIn,
    deal_id: PathId,
    invoice_id: PathId,
    data: JSONBody[Returning],
    key: IdempotencyKey = None,
) -> Moved:
    """Send the other side's invoice back."""
    return await _do(viewer, deal_id, invoice_id, refuse_invoice, data, key)


@deed("/deals/{deal_id:int}/invoices/{invoice_id:int}/take")
async def take(viewer: SignedIn, deal_id: PathId, invoice_id: PathId, key: IdempotencyKey = None) -> Moved:
    """Take an invoice after all that you have sent back."""
    return await _do(viewer, deal_id, invoice_id, take_invoice, None, key)


@deed("/deals/{deal_id:int}/invoices/{invoice_id:int}/reverse", body=Reversing)
async def reverse(
    viewer: SignedIn,
    deal_id: PathId,
    invoice_id: PathId,
    data: JSONBody[Reversing],
    key: IdempotencyKey = None,
) -> Moved:
    """Record a red-letter invoice that takes from yours."""
    return await _do(viewer, deal_id, invoice_id, reverse_invoice, data, key)


@deed("/deals/{deal_id:int}/invoices/{invoice_id:int}/withdraw", body=Withdrawing)
async def withdraw(
    viewer: SignedIn,
    deal_id: PathId,
    invoice_id: PathId,
    data: JSONBody[Withdrawing],
    key: IdempotencyKey = None,
) -> Moved:
    """Take back what you recorded by mistake."""
    return await _do(viewer, deal_id, invoice_id, withdraw_invoice, data, key)


routes: list[ControllerRouterHandler] = [index, one, add, refuse, take, reverse, withdraw]
