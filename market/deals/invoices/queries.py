"""Invoices of contracts, and what they come to, for those who may see the contract."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from market.db.session import fetch_into, fetch_one_into
from market.errors import NotFound
from market.i18n import msg


class InvoiceRow(msgspec.Struct, frozen=True):
    """``amount`` in fen with tax; of a red-letter invoice below nought, and ``reverses`` names the other."""

    id: int
    deal: int
    issuer: int
    issuer_name: str
    issuer_name_en: str
    kind: str
    code: str
    number: str
    issued_on: date
    amount: int
    tax: int | None
    state: str
    reverses: int | None
    reason: str | None
    note: str
    file_name: str
    content_hash: str
    has_file: bool
    created_at: datetime
    moved_at: datetime | None
    deliveries: tuple[int, ...]
    #: Fen that red-letter invoices have left of it.
    left: int


class Billed(msgspec.Struct, frozen=True):
    """Fen: standing invoices, and the value of what was accepted."""

    billed: int
    accepted: int

    @property
    def missing(self) -> int:
        return max(0, self.accepted - self.billed)

    @property
    def beyond(self) -> int:
        return max(0, self.billed - self.accepted)


async def invoices_of(*, deal_id: int) -> list[InvoiceRow]:
    """Return the invoices of a contract in the order in which they were recorded."""
    return await fetch_into(
        InvoiceRow,
        """SELECT invoice.id, invoice.deal, invoice.issuer, organisation.name AS issuer_name,
                  organisation.name_en AS issuer_name_en, invoice.kind, invoice.code, invoice.number,
                  invoice.issued_on, invoice.amount, invoice.tax, invoice.state, invoice.reverses,
                  invoice.reason, invoice.note, invoice.file_name, invoice.content_hash,
                  invoice.content IS NOT NULL AS has_file, invoice.created_at, invoice.moved_at,
                  ARRAY(SELECT covers.delivery FROM invoice_delivery covers
                        WHERE covers.invoice = invoice.id ORDER BY 1) AS deliveries,
                  (invoice.amount + coalesce((SELECT sum(red.amount) FROM invoice red
                                              WHERE red.reverses = invoice.id), 0))::bigint AS left
           FROM invoice JOIN organisation ON organisation.id = invoice.issuer
           WHERE invoice.deal = $1 ORDER BY invoice.id""",
        deal_id,
    )


async def billed_of(*, deal_id: int) -> Billed:
    """Return what the invoices of a contract come to beside the goods that were accepted."""
    found = await fetch_one_into(
        Billed,
        """SELECT coalesce(billed.fen, 0)::bigint AS billed, standing.invoiced AS accepted
           FROM deal_standing standing LEFT JOIN invoice_standing billed ON billed.deal = standing.deal
           WHERE standing.deal = $1""",
        deal_id,
    )
    if found is None:
        raise NotFound(msg("没有找到这份合同。"))
    return found


async def sent_back(deal_ids: Sequence[int]) -> dict[int, int]:
    """Return how many invoices of each contract were sent back; one that has none is not in it."""
    rows = await fetch_into(
        _SentBack,
        """SELECT deal, count(*) AS count FROM invoice WHERE deal = ANY($1::bigint[]) AND state = 'refused'
           GROUP BY deal""",
        list(deal_ids),
    )
    return {row.deal: row.count for row in rows}


class _SentBack(msgspec.Struct, frozen=True):
    deal: int
    count: int


class InvoiceContent(msgspec.Struct, frozen=True):
    name: str
    media_type: str
    content_hash: str
    content: bytes


async def invoice_content(*, deal_id: int, invoice_id: int) -> InvoiceContent:
    """Return the file of an invoice. That the contract is the reader's to see, the caller knows.

    Raises:
        NotFound: there is none, or its period is over.
    """
    found = await fetch_one_into(
        InvoiceContent,
        """SELECT file_name AS name, media_type, content_hash, content FROM invoice
           WHERE id = $2 AND deal = $1 AND content IS NOT NULL""",
        deal_id,
        invoice_id,
    )
    if found is None:
        raise NotFound(msg("这张发票没有存文件，或者已过保存期。"))
    return found
