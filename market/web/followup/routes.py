"""The pages of this area. A module adds its ``routes`` here."""

from litestar.types import ControllerRouterHandler

from market.web.followup import (
    capacity,
    case,
    cases,
    exports,
    ledger,
    reports,
    samples,
    shelf,
)

routes: list[ControllerRouterHandler] = [
    *capacity.routes,
    *case.routes,
    *cases.routes,
    *exports.routes,
    *ledger.routes,
    *reports.routes,
    *samples.routes,
    *shelf.routes,
]
