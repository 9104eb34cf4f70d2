"""The follow-up ledger (跟进台账): what became of it all, by village, buyer, product or month."""

from typing import Any

from litestar import Response, get
from litestar.types import ControllerRouterHandler

from market.accounts.rules import Viewer
from market.exchange import table_book
from market.followup.queries import choices_of, entries_of, groups_of
from market.followup.rules import GROUPS, KINDS, MEANINGS, SOURCES, Entry, Filters, Sum, total_of
from market.i18n import Message
from market.paging import filters_to_query
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.parts.filters import read_filters
from market.web.parts.trade import show

#: Who has contracts, or looks after those who have.
FOLLOWERS = [require("seller", "buyer", "official")]
ROWS = 50


def filters_of(request: WebRequest) -> Filters:
    """Return what the address asks for; what it asks for wrongly is left out."""
    return read_filters(Filters, list(request.query_params.multi_items()))[0]


def source_of(entry: Entry) -> Message:
    return SOURCES.get(entry.source, SOURCES["other"])


def origin_of(entry: Entry, viewer: Viewer) -> str | None:
    """Return the page of what a row came from, where the viewer has one."""
    if entry.meeting is not None:
        is_town = viewer.organisation_id == entry.town and "official" in viewer.sides
        return f"/town/meetings/{entry.meeting}/after" if is_town else f"/meetings/{entry.meeting}"
    if viewer.organisation_id in (entry.seller, entry.buyer) and entry.source in ("bid", "match"):
        return {"bid": "/bids", "match": "/matches"}[entry.source] + f"/{entry.source_id}"
    return None


def _rows_at(filters: Filters, kind: str, key: str | None = None) -> str:
    """Return where the rows behind a figure are listed."""
    further: dict[str, Any] = {"kind": kind, "page": 1}
    if key is not None:
        further[filters.by] = int(key) if filters.by in ("seller", "town", "buyer") else key
    return f"/ledger/rows?{filters_to_query(filters, **further)}"


@get("/ledger", guards=FOLLOWERS)
async def ledger(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Show intents, contracts, goods and money, counted apart and each once."""
    filters = filters_of(request)
    mine = viewer.organisation_id
    groups = await groups_of(organisation_id=mine, filters=filters)
    total = total_of(groups)
    return show(
        request,
        "followup/ledger.html",
        filters=filters,
        groups=groups,
        total={kind: total.get(kind, Sum()) for kind in KINDS},
        choices=await choices_of(organisation_id=mine),
        kinds=KINDS,
        meanings=MEANINGS,
        bys=GROUPS,
        sources=SOURCES,
        rows_at=lambda kind, key=None: _rows_at(filters, kind, key),
        most_rows=table_book.MOST_ROWS,
        query=filters_to_query(filters),
        by_at=lambda by: f"/ledger?{filters_to_query(filters, by=by)}",
    )


@get("/ledger/rows", guards=FOLLOWERS)
async def rows(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """List the rows behind a figure; their sum is the figure."""
    filters = filters_of(request)
    mine = viewer.organisation_id
    total = total_of(await groups_of(organisation_id=mine, filters=filters))
    count = sum(each.number for each in total.values())
    pages = max(1, -(-count // ROWS))
    page = min(filters.page, pages)
    found = await entries_of(organisation_id=mine, filters=filters, limit=ROWS, offset=(page - 1) * ROWS)
    query = filters_to_query(filters, page=1)
    back = filters_to_query(filters, kind=None, page=1, **({filters.by: None} if filters.by else {}))
    return show(
        request,
        "followup/rows.html",
        filters=filters,
        rows=found,
        total=total,
        count=count,
        page=page,
        pages=pages,
        next_pages=f"/ledger/rows?{query}&page=".replace("?&", "?"),
        back=f"/ledger?{back}",
        most_rows=table_book.MOST_ROWS,
        query=query,
        kinds=KINDS,
        meanings=MEANINGS,
        source_of=source_of,
        origin_of=lambda entry: origin_of(entry, viewer),
    )


routes: list[ControllerRouterHandler] = [ledger, rows]
