"""The pages of this area. A module adds its ``routes`` here."""

from litestar.types import ControllerRouterHandler

from market.web.matching import (
    matches,
    run_pairs,
    runs,
    why,
)

routes: list[ControllerRouterHandler] = [
    *matches.routes,
    *run_pairs.routes,
    *runs.routes,
    *why.routes,
]
