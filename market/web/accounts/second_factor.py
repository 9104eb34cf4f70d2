"""The second factor of one's own account: made, confirmed, its backup codes, taken away."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.limits import TooManyTries
from market.accounts.queries import own_phone
from market.accounts.rules import Viewer
from market.accounts.second_factor import (
    address_for_app,
    begin_second_factor,
    confirm_second_factor,
    drop_second_factor,
    factor_of,
    is_required,
    renew_backup_codes,
    unconfirmed_secret,
)
from market.errors import Invalid
from market.i18n import msg
from market.web.accounts.account import told
from market.web.accounts.signin import keep_session
from market.web.edge.guards import SignedIn, WebRequest
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.qr import qr_code
from market.web.parts.shown_once import keep, take
from market.web.parts.trade import show

_PAGE = "/account/second-factor"
_PASSWORD = Form(password=fields.secret(msg("现在的密码")))
_CODE = Form(code=fields.text(msg("验证码"), most=10, hint=msg("验证器上现在显示的 6 位数字。")))


@get(_PAGE)
async def page(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Whether a second factor is in use, and what can be done about it."""
    return await _draw(request, viewer, _PASSWORD.blank())


async def _draw(
    request: WebRequest, viewer: Viewer, form: Filled, *, status: int = 200, asked: str = "begin"
) -> Response[str]:
    factor = await factor_of(person_id=viewer.person_id)
    return show(
        request,
        "account/second_factor.html",
        status=status,
        form=form,
        blank=_PASSWORD.blank(),
        asked=asked,
        factor=factor if factor and factor.confirmed_at else None,
        required=is_required(viewer.roles),
    )


@post(_PAGE + "/begin")
async def begin(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Make a secret, and show it for the app to read."""
    filled = await _PASSWORD.read(request)
    try:
        filled.check()
        await begin_second_factor(viewer=viewer, password=filled.values["password"], at=clock.now())
    except (Invalid, TooManyTries) as error:
        refused, status = told(error)
        return await _draw(request, viewer, filled.refused(refused), status=status)
    return redirect(request, _PAGE + "/confirm")


@get(_PAGE + "/confirm")
async def ask(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """The secret as a QR code and as text, until a code of it has been typed."""
    return await _secret(request, viewer, _CODE.blank())


async def _secret(request: WebRequest, viewer: Viewer, form: Filled, *, status: int = 200) -> Response[str]:
    secret = await unconfirmed_secret(person_id=viewer.person_id)
    phone = await own_phone(person_id=viewer.person_id)
    return show(
        request,
        "account/second_factor_secret.html",
        status=status,
        form=form,
        secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        code=qr_code(address_for_app(secret=secret, phone=phone)),
    )


@post(_PAGE + "/confirm")
async def confirm(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Take the first code, and show the backup codes, this once."""
    filled = await _CODE.read(request)
    try:
        filled.check()
        code = filled.values["code"].replace(" ", "")
        codes, token = await confirm_second_factor(viewer=viewer, code=code, at=clock.now())
    except (Invalid, TooManyTries) as error:
        refused, status = told(error)
        return await _secret(request, viewer, filled.refused(refused), status=status)
    keep_session(request, token)
    keep(request, "codes", _Codes(codes, is_new=True), session=token)
    return redirect(request, _PAGE + "/codes")


class _Codes(msgspec.Struct, frozen=True):
    codes: list[str]
    is_new: bool


@get(_PAGE + "/codes")
async def show_codes(request: WebRequest, viewer: SignedIn) -> Response[Any]:  # noqa: ARG001  signed in
    """Show the backup codes that were made just now, this once."""
    made = take(request, "codes", _Codes)
    if made is None:
        gone = msg("备用码只显示一次，已经显示过了；没有记下来，就换一组新的。")
        return redirect(request, _PAGE, toast=gone)
    return show(request, "account/backup_codes.html", codes=made.codes, is_new=made.is_new)


@post(_PAGE + "/codes")
async def codes_anew(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Make ten new backup codes, shown this once."""
    filled = await _PASSWORD.read(request)
    try:
        filled.check()
        password = filled.values["password"]
        codes = await renew_backup_codes(viewer=viewer, password=password, at=clock.now())
    except (Invalid, TooManyTries) as error:
        refused, status = told(error)
        return await _draw(request, viewer, filled.refused(refused), status=status, asked="codes")
    keep(request, "codes", _Codes(codes, is_new=False))
    return redirect(request, _PAGE + "/codes")


@post(_PAGE + "/drop")
async def drop(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Ask for no codes any more."""
    filled = await _PASSWORD.read(request)
    try:
        filled.check()
        token = await drop_second_factor(viewer=viewer, password=filled.values["password"], at=clock.now())
    except (Invalid, TooManyTries) as error:
        refused, status = told(error)
        return await _draw(request, viewer, filled.refused(refused), status=status, asked="drop")
    keep_session(request, token)
    return redirect(request, _PAGE, toast=msg("第二重验证已关掉。"))


routes: list[ControllerRouterHandler] = [page, begin, ask, confirm, show_codes, codes_anew, drop]
