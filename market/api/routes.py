"""Every address of the JSON API. A room adds its module's ``routes`` here."""

from litestar.types import ControllerRouterHandler

routes: list[ControllerRouterHandler] = []
