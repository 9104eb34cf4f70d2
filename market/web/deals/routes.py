"""The pages of this area. A module adds its ``routes`` here."""

from litestar.types import ControllerRouterHandler

from market.web.deals import (
    arrivals,
    breaches,
    contacts,
    contracts,
    endings,
    frame_ends,
    frames,
    invoices,
    receipts,
    scans,
    terms,
)

routes: list[ControllerRouterHandler] = [
    *arrivals.routes,
    *breaches.routes,
    *contacts.routes,
    *contracts.routes,
    *endings.routes,
    *frame_ends.routes,
    *frames.routes,
    *invoices.routes,
    *receipts.routes,
    *scans.routes,
    *terms.routes,
]
