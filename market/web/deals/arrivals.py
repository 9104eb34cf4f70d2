"""A seller says that goods have come, with the receipt that was signed for them; the buyer answers."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market.deals.arrivals.operations import answer_arrival, state_arrival
from market.deals.arrivals.queries import arrival_content, arrivals_of
from market.deals.arrivals.rules import DENIED
from market.deals.queries import deliveries_of
from market.deals.rules import CONFIRMED, WITHDRAWN
from market.errors import Invalid, NotFound
from market.i18n import Message, msg
from market.pictures import MOST_BYTES
from market.sent_papers import paper_in
from market.transitions import WrongState
from market.web.deals.arrival_forms import DENIAL, STATEMENT
from market.web.deals.sheet import deal_and_side, draw, party
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.parts.pages import redirect
from market.web.parts.scans import scan_response
from market.web.parts.trade import BARE, acting, do_filled

#: Where a deed leads, and what is said when it is done.
_DONE: dict[str, tuple[str, Message]] = {
    "confirm": (CONFIRMED, msg("已确认到货，请接着验收。")),
    "deny": (DENIED, msg("已说明没有到，卖方会收到通知。")),
    "withdraw": (WITHDRAWN, msg("已撤回到货说明。")),
}


@post("/deals/{deal_id:int}/deliveries/{delivery_id:int}/arrived", request_max_body_size=MOST_BYTES + 100_000)
async def state(
    request: WebRequest, viewer: SignedIn, deal_id: FromPath[int], delivery_id: FromPath[int]
) -> Response[Any]:
    """Say that a load of one's own has come, with the paper that says so."""
    filled = await STATEMENT.read(request)
    deal, side = await party(deal_id, viewer)
    if delivery_id not in {each.id for each in await deliveries_of(deal_id=deal.id)}:
        raise NotFound(msg("没有找到这次发货。"))
    try:
        filled.check()
        values = filled.values
        paper = await paper_in("file", values["file"].name, values["file"].content)
        await do_filled(
            viewer,
            filled,
            "state_arrival",
            {
                "delivery": delivery_id,
                "on": values["on"].isoformat(),
                "note": values["note"],
                "file": paper.content_hash,
            },
            lambda at: state_arrival(
                delivery_id=delivery_id,
                on=values["on"],
                paper=paper,
                note=values["note"] or "",
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
            ),
        )
    except Invalid as error:
        refused = (delivery_id, "state_arrival", filled.refused(error))
        return await draw(request, viewer, deal, refused=refused, status=422)
    return redirect(request, f"/deals/{deal.id}#deliveries", toast=msg("已说明到货，买方会收到通知。"))


@post("/deals/{deal_id:int}/arrivals/{arrival_id:int}/{move:str}")
async def answer(
    request: WebRequest,
    viewer: SignedIn,
    deal_id: FromPath[int],
    arrival_id: FromPath[int],
    move: FromPath[str],
) -> Response[Any]:
    """Confirm that goods came on that day, deny it, or take one's own word back."""
    if move not in _DONE:
        raise NotFound(msg("没有这一步，请回到合同页面操作。"))
    filled = await (DENIAL if move == "deny" else BARE).read(request)
    deal, side = await party(deal_id, viewer)
    before = {each.id: each.state for each in await arrivals_of(deal_id=deal.id)}
    if arrival_id not in before:
        raise NotFound(msg("没有找到这次发货。"))
    target, done = _DONE[move]
    try:
        filled.check()
        note = filled.values.get("note") or ""
        await do_filled(
            viewer,
            filled,
            f"{move}_arrival",
            {"arrival": arrival_id, "note": note},
            lambda at: answer_arrival(
                arrival_id=arrival_id,
                move=move,
                note=note,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
            ),
        )
    except Invalid as error:
        refused = (arrival_id, "deny_arrival", filled.refused(error))
        return await draw(request, viewer, deal, refused=refused, status=422)
    except WrongState:
        if before[arrival_id] != target:
            raise
    return redirect(request, f"/deals/{deal.id}#deliveries", toast=done)


@get("/deals/{deal_id:int}/arrivals/{arrival_id:int}/file")
async def file(viewer: SignedIn, deal_id: FromPath[int], arrival_id: FromPath[int]) -> Response[bytes]:
    """Return the paper of a stated arrival to whoever may see the contract."""
    deal, _ = await deal_and_side(deal_id, viewer)
    found = await arrival_content(deal_id=deal.id, arrival_id=row_number(arrival_id))
    return scan_response(found.name, found.media_type, found.content)


routes: list[ControllerRouterHandler] = [state, answer, file]
