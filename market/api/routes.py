"""Every address of the JSON API. A room adds its module's ``routes`` here."""

from typing import Any

from litestar import Router
from litestar.connection import ASGIConnection
from litestar.exceptions import ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.types import ControllerRouterHandler

from market.accounts.tokens import READ, SESSION_ONLY
from market.api import (
    arrivals,
    bids,
    breaches,
    cases,
    catalogue,
    deals,
    demands,
    endings,
    explain,
    followup,
    frames,
    households,
    invoices,
    joint,
    listings,
    matches,
    me,
    meetings,
    notices,
    open_bids,
    organisations,
    runs,
    scans,
    stock,
    tokens,
    wishes,
)
from market.api.handling import refuse, takes_json
from market.api.scopes import KEY, within_scope

_ROOMS = {
    "Who you are": me.routes,
    "Tokens": tokens.routes,
    "Catalogue": catalogue.routes,
    "Listings": listings.routes,
    "Stock": [*stock.routes, *households.routes],
    "Demands": demands.routes,
    "Joint offers": joint.routes,
    "Bids": bids.routes,
    "Open bidding": open_bids.routes,
    "Matches": matches.routes,
    "Runs": runs.routes,
    "Explanations": explain.routes,
    "Meetings": [*meetings.routes, *wishes.routes],
    "Deals": [*deals.routes, *arrivals.routes, *scans.routes, *invoices.routes],
    "Framework agreements": frames.routes,
    "Breaches": [*breaches.routes, *endings.routes],
    "Follow-up": followup.routes,
    "Worry book": cases.routes,
    "Notices": notices.routes,
    "Organisations": organisations.routes,
}
#: What each room asks of an API token. A room that is missing here is closed to all of them.
_SCOPES = {
    "Who you are": SESSION_ONLY,
    "Tokens": SESSION_ONLY,
    "Catalogue": "listings",
    "Listings": "listings",
    "Stock": "stock",
    "Demands": "demands",
    "Joint offers": "bids",
    "Bids": "bids",
    "Open bidding": "bids",
    "Matches": "matches",
    "Runs": "runs",
    "Explanations": "matches",
    "Meetings": "meetings",
    "Deals": "deals",
    "Framework agreements": "deals",
    "Breaches": "deals",
    "Follow-up": "deals",
    "Worry book": "cases",
    "Notices": "notices",
    "Organisations": "organisations",
}


async def admitted(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The guards of every address in one: the framework copies the handler for each that it knows of."""
    await takes_json(connection, handler)
    await within_scope(connection, handler)


routes: list[ControllerRouterHandler] = [
    Router(
        "/v1",
        route_handlers=[
            Router("/", route_handlers=me.open_to_tokens, tags=["Who you are"], opt={KEY: READ}),
            *(
                Router("/", route_handlers=each, tags=[tag], opt={KEY: _SCOPES.get(tag)})
                for tag, each in _ROOMS.items()
            ),
        ],
        guards=[admitted],
        exception_handlers={ValidationException: refuse},
    )
]
