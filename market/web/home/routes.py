"""The pages of this area. A module adds its ``routes`` here."""

from litestar.types import ControllerRouterHandler

from market.web.home import (
    at_once,
    county,
    first_page,
    town,
    town_listing,
)

routes: list[ControllerRouterHandler] = [
    *at_once.routes,
    *county.routes,
    *first_page.routes,
    *town.routes,
    *town_listing.routes,
]
