"""Every page of the site. A room adds its module's ``routes`` here."""

from litestar.types import ControllerRouterHandler

from market.web import assets

routes: list[ControllerRouterHandler] = [assets.asset]
