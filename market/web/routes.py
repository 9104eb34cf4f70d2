"""Every page of the site. An area adds its ``routes`` here."""

from litestar.types import ControllerRouterHandler

from market.web.accounts import routes as accounts
from market.web.bids import routes as bids
from market.web.deals import routes as deals
from market.web.demands import routes as demands
from market.web.edge import assets
from market.web.followup import routes as followup
from market.web.goods import routes as goods
from market.web.home import routes as home
from market.web.matching import routes as matching
from market.web.meetings import routes as meetings
from market.web.parts import images

routes: list[ControllerRouterHandler] = [
    assets.asset,
    *images.routes,
    *accounts.routes,
    *home.routes,
    *goods.routes,
    *demands.routes,
    *bids.routes,
    *deals.routes,
    *matching.routes,
    *meetings.routes,
    *followup.routes,
]
