"""Joining by an invitation: on the phone of whoever was invited, without signing in."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules
from market.accounts.devices import device_of
from market.accounts.inviting import (
    LONGEST_NAME,
    InvitationRow,
    LinkGone,
    accept_invitation,
    invitation_by_link,
)
from market.accounts.limits import TooManyTries
from market.errors import Invalid
from market.i18n import msg
from market.web.accounts.account import check_again, told
from market.web.accounts.people import JOIN_PATH
from market.web.accounts.signin import keep_session, remember_device
from market.web.edge import cookies
from market.web.edge.csrf import SESSION
from market.web.edge.guards import WebRequest
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import show

_SHORTEST, _LONGEST = rules.PASSWORD_LENGTH
_JOIN = Form(
    name=fields.text(msg("您的姓名"), most=LONGEST_NAME),
    phone=fields.phone(msg("您的手机号"), hint=msg("就是邀请您的人登记的那个号码。")),
    new=fields.secret(
        msg("密码"),
        least=_SHORTEST,
        most=_LONGEST,
        is_new=True,
        hint=msg("自己定一个，至少 {n} 个字符。已经有田头账号的，填原来的密码。", n=_SHORTEST),
    ),
    again=fields.secret(msg("再输一遍密码"), most=_LONGEST, is_new=True),
)


def address_of(request: WebRequest) -> str:
    return request.client.host if request.client else "-"


@get(JOIN_PATH + "{token:str}")
async def page(request: WebRequest, token: FromPath[str]) -> Response[Any]:
    """Show what the link opens. Looking changes nothing, however often a chat program looks."""
    try:
        invited = await invitation_by_link(token=token, address=address_of(request), at=clock.now())
    except LinkGone as gone:
        return _gone(request, gone)
    return _draw(request, token, invited, _JOIN.blank(name=invited.name))


def _gone(request: WebRequest, gone: LinkGone) -> Response[str]:
    return show(request, "people/gone.html", status=404, why=gone.message)


def _draw(
    request: WebRequest, token: str, invited: InvitationRow, form: Filled, *, status: int = 200
) -> Response[str]:
    return show(
        request,
        "people/join.html",
        status=status,
        invited=invited,
        form=form,
        action=JOIN_PATH + token,
        ROLES=rules.ROLES,
        masked=rules.masked,
    )


@post(JOIN_PATH + "{token:str}")
async def join(request: WebRequest, token: FromPath[str]) -> Response[Any]:
    """Make the account and be in."""
    filled = await _JOIN.read(request)
    now = clock.now()
    try:
        invited = await invitation_by_link(token=token, address=address_of(request), at=now)
        try:
            check_again(filled)
            opened = await accept_invitation(
                token=token,
                name=filled.values["name"],
                phone=filled.values["phone"],
                password=filled.values["new"],
                address=address_of(request),
                device=device_of(request.headers.get("user-agent", "")),
                at=now,
                old_token=cookies.read(request, SESSION),
            )
        except (Invalid, TooManyTries) as error:
            refused, status = told(error)
            return _draw(request, token, invited, filled.refused(refused), status=status)
    except LinkGone as gone:
        return _gone(request, gone)
    keep_session(request, opened.token)
    remember_device(request, filled.values["phone"])
    if opened.awaits:
        return redirect(request, "/sign-in/code")
    return redirect(request, "/", toast=msg("欢迎！账号已开通，以后用手机号和密码登录。"))


routes: list[ControllerRouterHandler] = [page, join]
