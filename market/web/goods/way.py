"""Selling what is on sale in another way."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market.accounts.rules import LIST, actor
from market.clock import CHINA
from market.errors import Conflict, Invalid
from market.i18n import Message, msg
from market.meanwhile import ChangedMeanwhile, marks_of
from market.supply.commands import NewWay
from market.supply.operations import choose_way
from market.supply.queries import ListingDetails, way_of
from market.supply.rules import WAYS, in_round
from market.web.bids.way_form import EXTENSIONS, told_on_form, way_fields, way_from
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.goods.selling import own_listing, to_change
from market.web.parts import pages
from market.web.parts.changed_meanwhile import SEEN, merged
from market.web.parts.forms import Filled, Form
from market.web.parts.trade import KEY, do_filled, new_key, show


def _form() -> Form:
    return Form(**way_fields(), seen=SEEN, key=KEY)


def _standing(way: NewWay) -> Filled:
    """Return the form with everything in it that stands now."""
    closes = way.closes_at and way.closes_at.astimezone(CHINA)
    return _form().blank(
        way=way.way,
        closes_on=closes and closes.date(),
        closes_time=closes and closes.time().replace(second=0, microsecond=0),
        min_step=way.min_step or None,
        reserve=way.reserve,
        seen=marks_of(way),
    )


@get("/selling/{listing_id:int}/way", guards=[require("seller")])
async def ask(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[str]:
    """The ways there are, and the one it is."""
    listing = await to_change(listing_id, viewer)
    way = await way_of(listing_id, viewer.organisation_id)
    # a round that is over says nothing of the next one: its closing and prices are asked anew
    return _draw(request, listing, _form().blank(way=way.way, seen=marks_of(way), key=new_key()))


@post("/selling/{listing_id:int}/way", guards=[require("seller")])
async def choose(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[Any]:
    """Sell in another way from now on."""
    listing = await own_listing(listing_id, viewer)
    filled = await _form().read(request)
    if filled.errors:
        return _draw(request, listing, filled, status=422)
    way = way_from(filled.values)
    try:
        await do_filled(
            viewer,
            filled,
            "listing_way",
            {"listing": listing_id, "way": msgspec.to_builtins(way)},
            lambda at: choose_way(
                listing_id=listing_id,
                way=way,
                owner_id=viewer.organisation_id,
                actor=actor(viewer, "seller", deed=LIST),
                at=at,
                seen=filled.values["seen"],
            ),
        )
    except ChangedMeanwhile as changed:
        listing = await own_listing(listing_id, viewer)
        form = merged(
            filled,
            changed,
            fresh=_standing(await way_of(listing_id, viewer.organisation_id)),
            language=language_of(request),
            controls={"closes_at": ("closes_on", "closes_time")},
        )
        return _draw(request, listing, form, status=409)
    except Invalid as error:
        return _draw(request, listing, filled.refused(told_on_form(error)), status=422)
    except Conflict as error:
        # off sale, a round, a bid without an answer: it may be over soon, and what was typed is kept
        listing = await own_listing(listing_id, viewer)
        return _draw(request, listing, filled.refused(Invalid(error.message)), status=409)
    toast: Message = msg("卖法已改为“{way}”。", way=WAYS[way.way])
    return pages.redirect(request, f"/selling/{listing_id}", toast=toast)


def _draw(request: WebRequest, listing: ListingDetails, form: Filled, *, status: int = 200) -> Response[str]:
    return show(
        request,
        "selling/way.html",
        status=status,
        listing=listing,
        form=form,
        lasts=in_round(way=listing.way, opened=listing.opened_at is not None) and not form.errors,
        ways=WAYS,
        extensions=EXTENSIONS,
    )


routes: list[ControllerRouterHandler] = [ask, choose]
