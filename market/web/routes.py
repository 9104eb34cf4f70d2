"""Every page of the site. A room adds its module's ``routes`` here."""

from litestar.types import ControllerRouterHandler

from market.web import (
    assets,
    bids,
    browse,
    compare,
    deals,
    demands,
    home,
    images,
    invited,
    listing_form,
    listings,
    matches,
    meeting_desk,
    meetings,
    notices,
    reports,
    runs,
    selling,
    signin,
    town,
)

routes: list[ControllerRouterHandler] = [
    assets.asset,
    *signin.routes,
    *browse.routes,
    *listings.routes,
    *images.routes,
    *compare.routes,
    *demands.routes,
    *home.routes,
    *listing_form.routes,
    *selling.routes,
    *bids.routes,
    *matches.routes,
    *deals.routes,
    *notices.routes,
    *town.routes,
    *runs.routes,
    *meetings.routes,
    *meeting_desk.routes,
    *reports.routes,
    *invited.routes,
]
