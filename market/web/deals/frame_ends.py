"""Ending a framework agreement early: proposed by one side on its page, answered there by the other."""

from typing import Any

from litestar import Response, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market.accounts.rules import SIGN
from market.deals.frames.ending import EndChanged, answer_end, propose_end
from market.deals.frames.queries import frame_of
from market.errors import Invalid, NotFound
from market.i18n import msg
from market.web.deals.frames import draw_frame
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.parts.changed_meanwhile import SEEN
from market.web.parts.forms import Form
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, KEY, acting, do_filled, refusal_form

#: What is agreed to, as it was read.
AGREE = Form(seen=SEEN, key=KEY)
#: What answers to an early end are told.
_ANSWERED = {
    "agree": msg("协议已提前结束，已要的各批照旧履行。"),
    "refuse": msg("已答复不同意，对方会看到原因；协议照常执行。"),
    "withdraw": msg("已撤回。"),
}


@post("/frames/{frame_id:int}/end")
async def end(request: WebRequest, viewer: SignedIn, frame_id: FromPath[int]) -> Response[Any]:
    """Propose to end it early, with a coded reason."""
    frame = await frame_of(frame_id=row_number(frame_id), organisation_id=viewer.organisation_id)
    side = "seller" if frame.seller == viewer.organisation_id else "buyer"
    filled = await (await refusal_form(request, side)).read(request)
    values = filled.values
    try:
        filled.check()
        await do_filled(
            viewer,
            filled,
            "frame_propose_end",
            {"frame": frame.id, "reason": values["reason"]},
            lambda at: propose_end(
                frame_id=frame.id,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side, deed=SIGN),
                at=at,
                reason=values["reason"],
                note=values["note"] or "",
            ),
        )
    except Invalid as error:
        return await draw_frame(request, viewer, frame_id, refused=("end", filled.refused(error)), status=422)
    return redirect(request, f"/frames/{frame_id}", toast=msg("已提出，对方同意才提前结束，之前照常执行。"))


@post("/frames/{frame_id:int}/end/{answer:str}")
async def answer_to_end(
    request: WebRequest, viewer: SignedIn, frame_id: FromPath[int], answer: FromPath[str]
) -> Response[Any]:
    """Agree to an early end, refuse it, or withdraw one's own proposal."""
    if answer not in _ANSWERED:
        raise NotFound(msg("没有这个页面。"))
    frame = await frame_of(frame_id=row_number(frame_id), organisation_id=viewer.organisation_id)
    side = "seller" if frame.seller == viewer.organisation_id else "buyer"
    refuses = answer == "refuse"
    form = AGREE if answer == "agree" else BARE
    filled = await (await refusal_form(request, side) if refuses else form).read(request)
    said: dict[str, Any] = {}
    try:
        filled.check()
        if refuses:
            said = {"reason": filled.values["reason"], "note": filled.values["note"] or ""}
        await do_filled(
            viewer,
            filled,
            f"frame_{answer}_end",
            {"frame": frame.id, **said},
            lambda at: answer_end(
                frame_id=frame.id,
                move=f"{answer}_end",
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side, deed=SIGN),
                at=at,
                seen=filled.values.get("seen"),
                **said,
            ),
        )
    except EndChanged as changed:
        return await draw_frame(request, viewer, frame_id, fault=changed.message, status=409)
    except Invalid as error:
        return await draw_frame(
            request, viewer, frame_id, refused=("keep", filled.refused(error)), status=422
        )
    return redirect(request, f"/frames/{frame_id}", toast=_ANSWERED[answer])


routes: list[ControllerRouterHandler] = [end, answer_to_end]
