"""API tokens of one's own account: listed, made, revoked."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.limits import TooManyTries
from market.accounts.rules import Viewer
from market.accounts.tokens import (
    LASTS,
    LONGEST_NAME,
    READ,
    SCOPES,
    Made,
    NewToken,
    make_token,
    revoke_token,
    tokens_of,
)
from market.errors import Conflict, Invalid
from market.i18n import msg
from market.web.accounts.account import told
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.shown_once import keep, take
from market.web.parts.trade import BARE, show

_PAGE = "/account/tokens"
_NEW = Form(
    name=fields.text(msg("叫什么"), most=LONGEST_NAME, hint=msg("例如“库存软件”，日后好认。")),
    scopes=fields.choices(
        msg("可以做什么"),
        SCOPES,
        hint=msg("只选用得着的：令牌丢了，别人能做的就是这些。"),
        required=True,
    ),
    days=fields.choice(msg("用多久"), LASTS, chips=True),
    password=fields.secret(msg("现在的密码")),
)


@get(_PAGE)
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """The tokens there are, and the form for another."""
    return await _draw(request, viewer, _NEW.blank(scopes=(READ,), days="90"))


async def _draw(request: WebRequest, viewer: Viewer, form: Filled, *, status: int = 200) -> Response[str]:
    return show(
        request,
        "account/tokens.html",
        status=status,
        form=form,
        tokens=await tokens_of(person_id=viewer.person_id),
        SCOPES=SCOPES,
        now=clock.now(),
    )


@post(_PAGE)
async def make(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Make a token, and show it, this once."""
    filled = await _NEW.read(request)
    try:
        filled.check()
        values = filled.values
        made = await make_token(
            viewer=viewer,
            token=NewToken(name=values["name"], scopes=values["scopes"], days=int(values["days"])),
            password=values["password"],
            at=clock.now(),
        )
    except (Invalid, TooManyTries) as error:
        refused, status = told(error)
        return await _draw(request, viewer, filled.refused(refused), status=status)
    except Conflict as error:
        return await _draw(request, viewer, filled.refused(Invalid(error.message)), status=409)
    keep(request, "token", made)
    return redirect(request, _PAGE + "/made")


@get(_PAGE + "/made")
async def shown(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Show the token that was made just now."""
    made = take(request, "token", Made)
    own = await tokens_of(person_id=viewer.person_id)
    row = next((each for each in own if made and each.id == made.id), None)
    if made is None or row is None:
        gone = msg("令牌只显示一次，已经显示过了；没有记下来，就撤销它再做一个。")
        return redirect(request, _PAGE, toast=gone)
    return show(
        request,
        "account/token_made.html",
        made=made,
        name=row.name,
        scopes=[SCOPES[scope] for scope in row.scopes],
    )


@post(_PAGE + "/{token_id:int}/revoke")
async def revoke(request: WebRequest, viewer: SignedIn, token_id: FromPath[int]) -> Response[bytes]:
    """Let a token open nothing any more."""
    (await BARE.read(request)).check()
    await revoke_token(viewer=viewer, token_id=row_number(token_id), at=clock.now())
    return redirect(request, _PAGE, toast=msg("令牌已撤销，马上就不能用了。"))


routes: list[ControllerRouterHandler] = [index, make, shown, revoke]
