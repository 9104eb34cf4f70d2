"""What the official hands on: the ledger of deals."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Response, get
from litestar.types import ControllerRouterHandler

from market import clock
from market.dashboard.received import received_under
from market.deals.queries import DealRow, deals_of
from market.deals.rules import ACTIVE, BOUND, CONTRACT, PARTLY_SIGNED, PENDING, SOURCES
from market.exchange.ledger import ledger_csv
from market.paging import page_of
from market.web.deals.sheet import total_of
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.parts.downloads import attachment
from market.web.parts.trade import show

_ROWS = 50


def waits(deal: DealRow) -> bool:
    """Tell whether a contract still waits for a signature, goods or money."""
    if deal.state in (PENDING, PARTLY_SIGNED):
        return True
    if deal.state == ACTIVE and deal.delivered + deal.lost < deal.standing:
        return True
    return deal.state in BOUND and deal.paid < deal.invoiced


class Sums(msgspec.Struct, frozen=True):
    """Grams and fen of some deals; what stands of a deal is either intended or signed, never both.

    ``ended`` is what terminations took out of signed contracts; it is in none of the others.
    """

    intended: int
    intended_grams: int
    signed: int
    signed_grams: int
    ended: int
    ended_grams: int
    delivered: int
    delivered_grams: int


def sums_of(deals: list[DealRow]) -> Sums:
    unsigned = [each for each in deals if each.state in (PENDING, PARTLY_SIGNED)]
    signed = [each for each in deals if each.state in BOUND]
    return Sums(
        intended=sum(each.worth for each in unsigned),
        intended_grams=sum(each.standing for each in unsigned),
        signed=sum(each.worth for each in signed),
        signed_grams=sum(each.standing for each in signed),
        ended=sum(each.ended_worth for each in signed),
        ended_grams=sum(each.ended for each in signed),
        delivered=sum(each.invoiced for each in deals),
        delivered_grams=sum(each.delivered for each in deals),
    )


class Filters(msgspec.Struct, frozen=True):
    """What the ledger shows; "" is anything."""

    state: str = ""
    seller: str = ""
    buyer: str = ""
    source: str = ""
    waiting: bool = False

    def keep(self, deal: DealRow) -> bool:
        return (
            (not self.state or deal.state == self.state)
            and (not self.seller or str(deal.seller) == self.seller)
            and (not self.buyer or str(deal.buyer) == self.buyer)
            and (not self.source or deal.source == self.source)
            and (not self.waiting or waits(deal))
        )

    @property
    def is_any(self) -> bool:
        return self == Filters()


def filters_of(request: WebRequest) -> Filters:
    """Return what the address asks for; nonsense is left out."""
    asked = request.query_params
    return Filters(
        state=asked["state"] if asked.get("state") in CONTRACT.states else "",
        seller=asked.get("seller", "")[:20],
        buyer=asked.get("buyer", "")[:20],
        source=asked["source"] if asked.get("source") in SOURCES else "",
        waiting=asked.get("waiting") == "1",
    )


@get("/town/deals", guards=OFFICIAL)
async def ledger(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """List the town's deals; intended, signed, delivered and paid are counted apart."""
    filters = filters_of(request)
    deals = await deals_of(organisation_id=viewer.organisation_id)
    found = [each for each in deals if filters.keep(each)]
    shown = page_of(found, request.query_params.get("page", ""), length=_ROWS)
    query = _query(filters)
    return show(
        request,
        "town/ledger.html",
        filters=filters,
        rows=shown.rows,
        count=shown.total,
        has_any=bool(deals),
        sums=sums_of(found),
        received=await received_under([each.id for each in found]),
        page=shown.page,
        pages=shown.pages,
        query=query,
        next_pages=f"/town/deals?{query}&page=".replace("?&", "?"),
        sellers={str(each.seller): each for each in deals},
        buyers={str(each.buyer): each for each in deals},
        sources=SOURCES,
        total_of=total_of,
        is_late=lambda deal: _is_late(deal, clock.today()),
        CONTRACT=CONTRACT,
    )


def _is_late(deal: DealRow, today: date) -> bool:
    return deal.state == ACTIVE and deal.delivered + deal.lost < deal.standing and deal.deliver_to < today


def _query(filters: Filters) -> str:
    kept: dict[str, Any] = {
        name: value for name, value in msgspec.structs.asdict(filters).items() if value and name != "waiting"
    }
    return urlencode({**kept, **({"waiting": 1} if filters.waiting else {})})


@get("/town/deals.csv", guards=OFFICIAL)
async def ledger_file(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Return the deals that the filters keep, for a spreadsheet program."""
    filters = filters_of(request)
    deals = [each for each in await deals_of(organisation_id=viewer.organisation_id) if filters.keep(each)]
    name = f"deals-{clock.today().isoformat()}.csv"
    return attachment(ledger_csv(deals, language_of(request)), name, "text/csv; charset=utf-8")


routes: list[ControllerRouterHandler] = [ledger, ledger_file]
