"""A sealed bid, for its author alone."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.bids.rules import SEALED_BID
from market.bids.sealing import sealed_bid, withdraw_sealed
from market.i18n import msg
from market.transitions import WrongState
from market.units import FenPerKg, Gram, amount
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.parts import pages
from market.web.parts.trade import BARE, do_once, show


@get("/sealed/{mark:str}", guards=[require("buyer")])
async def one(request: WebRequest, viewer: SignedIn, mark: FromPath[str]) -> Response[str]:
    """What was laid under seal, until when it may be taken back, and what became of it."""
    bid = await sealed_bid(mark=mark, buyer_id=viewer.organisation_id)
    return show(
        request,
        "bids/sealed.html",
        bid=bid,
        total=amount(Gram(bid.quantity), FenPerKg(bid.price)),
        can_withdraw=bid.state == SEALED_BID.start and clock.now() < bid.closes_at,
        SEALED_BID=SEALED_BID,
    )


@post("/sealed/{mark:str}/withdraw", guards=[require("buyer")])
async def withdraw(request: WebRequest, viewer: SignedIn, mark: FromPath[str]) -> Response[Any]:
    """Take the bid back before the round closes."""
    filled = await BARE.read(request)
    filled.check()
    bid = await sealed_bid(mark=mark, buyer_id=viewer.organisation_id)
    at = clock.now()
    try:
        await do_once(
            viewer=viewer,
            key=filled.values["key"],
            name="sealed_withdraw",
            about={"mark": mark},
            deed=lambda: withdraw_sealed(mark=mark, buyer_id=viewer.organisation_id, at=at),
            at=at,
        )
    except WrongState:
        if bid.state != "withdrawn":
            raise
    return pages.redirect(request, f"/sealed/{mark}", toast=msg("已撤回，没有人看过。"))


routes: list[ControllerRouterHandler] = [one, withdraw]
