"""The pages of this area. A module adds its ``routes`` here."""

from litestar.types import ControllerRouterHandler

from market.web.demands import (
    joint,
    offers,
    wanted,
)

routes: list[ControllerRouterHandler] = [
    *joint.routes,
    *offers.routes,
    *wanted.routes,
]
