"""Every address of the JSON API. A room adds its module's ``routes`` here."""

from litestar import Router
from litestar.exceptions import ValidationException
from litestar.types import ControllerRouterHandler

from market.api import (
    bids,
    breaches,
    cases,
    catalogue,
    deals,
    demands,
    explain,
    joint,
    listings,
    matches,
    me,
    meetings,
    notices,
    open_bids,
    runs,
    stock,
    wishes,
)
from market.api.handling import refuse, takes_json

_ROOMS = {
    "Who you are": me.routes,
    "Catalogue": catalogue.routes,
    "Listings": listings.routes,
    "Stock": stock.routes,
    "Demands": demands.routes,
    "Joint offers": joint.routes,
    "Bids": bids.routes,
    "Open bidding": open_bids.routes,
    "Matches": matches.routes,
    "Runs": runs.routes,
    "Explanations": explain.routes,
    "Meetings": [*meetings.routes, *wishes.routes],
    "Deals": deals.routes,
    "Breaches": breaches.routes,
    "Worry book": cases.routes,
    "Notices": notices.routes,
}

routes: list[ControllerRouterHandler] = [
    Router(
        "/v1",
        route_handlers=[Router("/", route_handlers=each, tags=[tag]) for tag, each in _ROOMS.items()],
        guards=[takes_json],
        exception_handlers={ValidationException: refuse},
    )
]
