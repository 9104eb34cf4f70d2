"""Numbers that people asked for: whoever looks after them calls, and confirms."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import masked
from market.audit.looks import LOOK_REASONS
from market.errors import NotFound
from market.i18n import msg
from market.privacy.correcting import PhoneChangeRow, changes_kept_by, decide_phone, look_at_number
from market.web.accounts.my_data import own_actor
from market.web.accounts.people import KEEPERS
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, show

_LOOK = Form(reason=fields.choice(msg("为什么要看"), LOOK_REASONS))
_DONE = {
    "confirm": msg("已换成新号码，请告诉本人用新号码登录。"),
    "refuse": msg("已记为没有核实成。"),
}


@get("/phone-changes", guards=KEEPERS)
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """What waits for a call."""
    return _draw(request, await changes_kept_by(viewer))


def _draw(
    request: WebRequest,
    changes: list[PhoneChangeRow],
    *,
    shown: PhoneChangeRow | None = None,
    refused: tuple[int, Filled] | None = None,
    status: int = 200,
) -> Response[str]:
    def form_of(change_id: int) -> Filled:
        return refused[1] if refused and refused[0] == change_id else _LOOK.blank(reason="identify")

    return show(
        request,
        "my_data/changes.html",
        status=status,
        changes=changes,
        shown=shown,
        form_of=form_of,
        masked=masked,
    )


@post("/phone-changes/{change_id:int}/look", guards=KEEPERS)
async def look(request: WebRequest, viewer: SignedIn, change_id: FromPath[int]) -> Response[str]:
    """Show one number whole, this once."""
    filled = await _LOOK.read(request)
    changes = await changes_kept_by(viewer)
    if filled.errors:
        return _draw(request, changes, refused=(change_id, filled), status=422)
    shown = await look_at_number(
        change_id=row_number(change_id),
        viewer=viewer,
        reason=filled.values["reason"],
        actor=own_actor(viewer),
        at=clock.now(),
    )
    return _draw(request, changes, shown=shown)


@post("/phone-changes/{change_id:int}/{move:str}", guards=KEEPERS)
async def decide(
    request: WebRequest, viewer: SignedIn, change_id: FromPath[int], move: FromPath[str]
) -> Response[Any]:
    """Confirm or refuse a number."""
    if move not in _DONE:
        raise NotFound(msg("没有这个页面。"))
    (await BARE.read(request)).check()
    await decide_phone(
        change_id=row_number(change_id),
        move=move,
        viewer=viewer,
        actor=own_actor(viewer),
        at=clock.now(),
    )
    return redirect(request, "/phone-changes", toast=_DONE[move])


routes: list[ControllerRouterHandler] = [index, look, decide]
