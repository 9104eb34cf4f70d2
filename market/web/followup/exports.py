"""Workbooks to take away: each holds what its page shows to this very viewer, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from litestar import Response, get
from litestar.types import ControllerRouterHandler

from market import clock
from market.bids.queries import bids_of, count_of_bids
from market.cases.queries import cases_of
from market.deals.queries import deals_of
from market.exchange import table_book
from market.exchange.exports import bids_book, cases_book, deals_book, ledger_book, shelf_book, stock_book
from market.exchange.table_book import Piece
from market.followup.queries import entries_of, groups_of
from market.followup.rules import total_of
from market.followup.shelf_queries import shelf_of
from market.i18n import Language
from market.supply.ledger import count_of_movements, movements_of
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.followup.cases import KEEPERS
from market.web.followup.ledger import FOLLOWERS, filters_of
from market.web.followup.reports import filters_of as deal_filters_of
from market.web.followup.shelf import filters_of as shelf_filters_of
from market.web.parts.downloads import attachment
from market.web.parts.pieces import part_asked, piece_of


async def book_of(
    request: WebRequest,
    name: str,
    write: Callable[[Sequence[Any], Language, Piece | None], bytes],
    fetch: Callable[[int, int], Awaitable[Sequence[Any]]],
    count: Callable[[], Awaitable[int]],
) -> Response[bytes]:
    """Return rows as a workbook, or the one of several that is asked for; it is written off the event loop.

    ``fetch`` takes how many rows and after how many; ``count`` is asked only where one file may not do.
    """
    most, part = table_book.MOST_ROWS, part_asked(request)
    rows = await fetch(most, (part - 1) * most)
    total = len(rows) if part == 1 and len(rows) < most else await count()
    piece = piece_of(request, part=part, most=most, total=total)
    content = await asyncio.to_thread(write, rows, language_of(request), piece)
    behind = "" if piece is None else f"-{part}"
    return attachment(content, f"{name}-{clock.today().isoformat()}{behind}.xlsx", table_book.MEDIA_TYPE)


async def book_of_all(
    request: WebRequest,
    name: str,
    write: Callable[[Sequence[Any], Language, Piece | None], bytes],
    rows: Sequence[Any],
) -> Response[bytes]:
    """Return rows that are all at hand, as :func:`book_of` does."""

    async def fetch(most: int, after: int) -> Sequence[Any]:
        return rows[after : after + most]

    async def count() -> int:
        return len(rows)

    return await book_of(request, name, write, fetch, count)


@get("/ledger.xlsx", guards=FOLLOWERS)
async def ledger(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Return the rows that the filters of the follow-up ledger keep."""
    mine, filters = viewer.organisation_id, filters_of(request)

    async def count() -> int:
        total = total_of(await groups_of(organisation_id=mine, filters=filters))
        return sum(each.number for each in total.values())

    return await book_of(
        request,
        "ledger",
        ledger_book,
        lambda most, after: entries_of(organisation_id=mine, filters=filters, limit=most, offset=after),
        count,
    )


@get("/deals.xlsx", guards=FOLLOWERS)
async def deals(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Return the contracts of one's own, or of one's sellers; the filters of the town's page count."""
    filters = deal_filters_of(request)
    found = await deals_of(organisation_id=viewer.organisation_id)
    return await book_of_all(request, "deals", deals_book, [each for each in found if filters.keep(each)])


@get("/bids.xlsx", guards=[require("seller", "buyer")])
async def bids(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Return the negotiations in the order of the page of bids."""
    mine = viewer.organisation_id
    return await book_of(
        request,
        "bids",
        bids_book,
        lambda most, after: bids_of(organisation_id=mine, limit=most, offset=after),
        lambda: count_of_bids(organisation_id=mine),
    )


@get("/selling/stock.xlsx", guards=[require("seller")])
async def stock(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Return every movement of one's own stock."""
    mine = viewer.organisation_id
    return await book_of(
        request,
        "stock",
        stock_book,
        lambda most, after: movements_of(owner_id=mine, limit=most, offset=after),
        lambda: count_of_movements(owner_id=mine),
    )


@get("/cases.xlsx", guards=KEEPERS)
async def cases(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Return the worry book, open and closed cases."""
    rows = await cases_of(organisation_id=viewer.organisation_id, state=None)
    return await book_of_all(request, "cases", cases_book, rows)


@get("/shelf.xlsx", guards=FOLLOWERS)
async def shelf(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Return the shelves that the filters keep."""
    filters = shelf_filters_of(request)
    found = await shelf_of(organisation_id=viewer.organisation_id, limit=None)
    return await book_of_all(request, "shelf", shelf_book, [each for each in found if filters.keep(each)])


routes: list[ControllerRouterHandler] = [ledger, deals, bids, stock, cases, shelf]
