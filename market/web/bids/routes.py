"""The pages of this area. A module adds its ``routes`` here."""

from litestar.types import ControllerRouterHandler

from market.web.bids import (
    negotiations,
    open_round,
    sealed,
)

routes: list[ControllerRouterHandler] = [
    *negotiations.routes,
    *open_round.routes,
    *sealed.routes,
]
