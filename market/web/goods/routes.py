"""The pages of this area. A module adds its ``routes`` here."""

from litestar.types import ControllerRouterHandler

from market.web.goods import (
    browse,
    compare,
    households,
    imports,
    listing_form,
    listings,
    selling,
    stock,
    stock_forms,
    way,
)

routes: list[ControllerRouterHandler] = [
    *browse.routes,
    *compare.routes,
    *households.routes,
    *imports.routes,
    *listing_form.routes,
    *listings.routes,
    *selling.routes,
    *stock.routes,
    *stock_forms.routes,
    *way.routes,
]
