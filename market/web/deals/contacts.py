"""The numbers of a contract's other side: shown whole once, to whoever says why."""

from typing import Any

from litestar import Response, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market.errors import NotFound
from market.i18n import msg
from market.web.deals.sheet import LOOK, draw, party
from market.web.edge.guards import SignedIn, WebRequest


@post("/deals/{deal_id:int}/contacts")
async def look(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[Any]:
    """Show the contract with whole numbers, and record who looked and why."""
    filled = await LOOK.read(request)
    deal, _ = await party(deal_id, viewer)
    if viewer.delegation_id is not None:
        raise NotFound(msg("没有找到这份合同。"))
    if filled.errors:
        return await draw(request, viewer, deal, look_form=filled, status=422)
    return await draw(request, viewer, deal, look=filled.values["reason"], look_form=filled)


routes: list[ControllerRouterHandler] = [look]
