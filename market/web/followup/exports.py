"""Workbooks to take away: each holds what its page shows to this very viewer, and nothing else."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from litestar import Response, get
from litestar.types import ControllerRouterHandler

from market import clock
from market.bids.queries import bids_of
from market.cases.queries import cases_of
from market.deals.queries import deals_of
from market.exchange.exports import bids_book, cases_book, deals_book, ledger_book, shelf_book, stock_book
from market.exchange.table_book import MEDIA_TYPE, MOST_ROWS
from market.followup.queries import entries_of
from market.followup.shelf_queries import shelf_of
from market.i18n import Language
from market.supply.ledger import movements_of
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.followup.cases import KEEPERS
from market.web.followup.ledger import FOLLOWERS, filters_of
from market.web.followup.reports import filters_of as deal_filters_of
from market.web.followup.shelf import filters_of as shelf_filters_of
from market.web.parts.downloads import attachment


async def book_of(
    request: WebRequest, name: str, write: Callable[[Sequence[Any], Language], bytes], rows: Sequence[Any]
) -> Response[bytes]:
    """Return ``rows`` as a workbook; it is written off the event loop."""
    content = await asyncio.to_thread(write, rows, language_of(request))
    return attachment(content, f"{name}-{clock.today().isoformat()}.xlsx", MEDIA_TYPE)


@get("/ledger.xlsx", guards=FOLLOWERS)
async def ledger(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Return the rows that the filters of the follow-up ledger keep."""
    rows = await entries_of(
        organisation_id=viewer.organisation_id, filters=filters_of(request), limit=MOST_ROWS
    )
    return await book_of(request, "ledger", ledger_book, rows)


@get("/deals.xlsx", guards=FOLLOWERS)
async def deals(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Return the contracts of one's own, or of one's sellers; the filters of the town's page count."""
    filters = deal_filters_of(request)
    rows = [
        each
        for each in await deals_of(organisation_id=viewer.organisation_id, limit=MOST_ROWS)
        if filters.keep(each)
    ]
    return await book_of(request, "deals", deals_book, rows)


@get("/bids.xlsx", guards=[require("seller", "buyer")])
async def bids(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Return the negotiations as the page of bids lists them."""
    return await book_of(request, "bids", bids_book, await bids_of(organisation_id=viewer.organisation_id))


@get("/selling/stock.xlsx", guards=[require("seller")])
async def stock(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Return every movement of one's own stock."""
    return await book_of(
        request, "stock", stock_book, await movements_of(owner_id=viewer.organisation_id, limit=MOST_ROWS)
    )


@get("/cases.xlsx", guards=KEEPERS)
async def cases(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Return the worry book, open and closed cases."""
    rows = await cases_of(organisation_id=viewer.organisation_id, state=None)
    return await book_of(request, "cases", cases_book, rows)


@get("/shelf.xlsx", guards=FOLLOWERS)
async def shelf(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Return the shelves that the filters keep."""
    filters = shelf_filters_of(request)
    rows = [each for each in await shelf_of(organisation_id=viewer.organisation_id) if filters.keep(each)]
    return await book_of(request, "shelf", shelf_book, rows)


routes: list[ControllerRouterHandler] = [ledger, deals, bids, stock, cases, shelf]
