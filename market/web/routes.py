"""Every page of the site. A room adds its module's ``routes`` here."""

from litestar.types import ControllerRouterHandler

from market.web import assets, browse, compare, demands, images, listings, signin

routes: list[ControllerRouterHandler] = [
    assets.asset,
    *signin.routes,
    *browse.routes,
    *listings.routes,
    *images.routes,
    *compare.routes,
    *demands.routes,
]
