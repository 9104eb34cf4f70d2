"""Money that its payer has written down: the payee confirms it, or says that it did not come."""

from typing import Any

from litestar import Response, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market.deals.receipts import answer_receipt, receipts_under
from market.deals.rules import CONFIRMED, DISPUTED, WITHDRAWN
from market.errors import Invalid, NotFound
from market.i18n import Message, msg
from market.transitions import WrongState
from market.web.deals.sheet import DENY, draw, party
from market.web.edge.guards import SignedIn, WebRequest
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, acting, do_filled

#: Where a deed leads, and what is said when it is done.
_DONE: dict[str, tuple[str, Message]] = {
    "confirm": (CONFIRMED, msg("已确认收到这笔货款。")),
    "dispute": (DISPUTED, msg("已记为没有收到，买方会收到通知。")),
    "withdraw": (WITHDRAWN, msg("已撤回这笔付款，卖方会收到通知。")),
}


@post("/deals/{deal_id:int}/receipts/{receipt_id:int}/{move:str}")
async def answer(
    request: WebRequest,
    viewer: SignedIn,
    deal_id: FromPath[int],
    receipt_id: FromPath[int],
    move: FromPath[str],
) -> Response[Any]:
    """Confirm a claim, deny it, or take one's own back."""
    if move not in _DONE:
        raise NotFound(msg("没有这一步，请回到合同页面操作。"))
    deal, side = await party(deal_id, viewer)
    filled = await (DENY if move == "dispute" else BARE).read(request)
    before = {each.id: each.state for each in await receipts_under([deal.id])}
    if receipt_id not in before:
        raise NotFound(msg("没有找到这笔付款。"))
    target, done = _DONE[move]
    try:
        filled.check()
        note = filled.values.get("note") or ""
        await do_filled(
            viewer,
            filled,
            f"receipt_{move}",
            {"receipt": receipt_id, "note": note},
            lambda at: answer_receipt(
                receipt_id=receipt_id,
                move=move,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
                note=note,
            ),
        )
    except Invalid as error:
        refused = (receipt_id, move, filled.refused(error))
        return await draw(request, viewer, deal, refused=refused, status=422)
    except WrongState:
        if before[receipt_id] != target:
            raise
    return redirect(request, f"/deals/{deal_id}#payments", toast=done)


routes: list[ControllerRouterHandler] = [answer]
