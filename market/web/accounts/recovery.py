"""A lost password: asked for by its owner, granted by whoever looks after the owner, chosen anew."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules
from market.accounts.inviting import LinkGone
from market.accounts.limits import TooManyTries
from market.accounts.recovery import (
    LINK_LASTS,
    PATIENCE,
    PROOFS,
    RecoveryRow,
    Reset,
    ask_recovery,
    grant_recovery,
    recovery_kept_by,
    refuse_recovery,
    reset_by_link,
    reset_password,
)
from market.errors import Invalid
from market.i18n import msg
from market.web.accounts.account import check_again, new_password_fields, told
from market.web.accounts.joining import address_of
from market.web.accounts.people import KEEPERS
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.parts import fields
from market.web.parts.calendars import site_address
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.qr import qr_code
from market.web.parts.shown_once import keep, look, take
from market.web.parts.trade import BARE, show

RESET_PATH = "/reset/"
_ASK = Form(phone=fields.phone(msg("手机号")))
_GRANT = Form(
    code=fields.text(msg("对码"), most=12, hint=msg("请本人念手机上显示的 8 位，字母不分大小写。")),
    proof=fields.choice(msg("怎样核对的"), PROOFS, chips=True),
    drops=fields.tick(msg("手机验证器和备用码也丢了，一并取消第二重验证")),
)
_CHOOSE = Form(**new_password_fields())


@get("/recover")
async def ask(request: WebRequest) -> Response[str]:
    """Ask whose password is lost."""
    return show(request, "people/recover.html", form=_ASK.blank())


@post("/recover")
async def asked(request: WebRequest) -> Response[Any]:
    """Show the code for the official; known and unknown numbers are answered alike."""
    filled = await _ASK.read(request)
    try:
        filled.check()
        code = await ask_recovery(phone=filled.values["phone"], address=address_of(request), at=clock.now())
    except (Invalid, TooManyTries) as error:
        refused, status = told(error)
        return show(request, "people/recover.html", status=status, form=filled.refused(refused))
    # to be read out in the town, perhaps hours later: it opens nothing by itself
    keep(request, "recovery", code, lasts=PATIENCE)
    return redirect(request, "/recover/code")


@get("/recover/code")
async def told_code(request: WebRequest) -> Response[Any]:
    """Show the code for the official, as long as it is good for anything."""
    code = look(request, "recovery", str)
    if code is None:
        return redirect(request, "/recover", toast=msg("这台手机上没有还有效的对码，请再要一个。"))
    return show(request, "people/recover_code.html", code=code)


@get("/people/recoveries/{person_id:int}", guards=KEEPERS)
async def one(request: WebRequest, viewer: SignedIn, person_id: FromPath[int]) -> Response[str]:
    """Who asks, and how it is made sure that it is them."""
    row = await recovery_kept_by(viewer, person_id=row_number(person_id), at=clock.now())
    return _draw(request, row, _GRANT.blank())


def _draw(request: WebRequest, row: RecoveryRow, form: Filled, *, status: int = 200) -> Response[str]:
    return show(request, "people/recovery.html", status=status, row=row, form=form, masked=rules.masked)


@post("/people/recoveries/{person_id:int}", guards=KEEPERS)
async def grant(request: WebRequest, viewer: SignedIn, person_id: FromPath[int]) -> Response[Any]:
    """Give the person a one-time link."""
    row = await recovery_kept_by(viewer, person_id=row_number(person_id), at=clock.now())
    filled = await _GRANT.read(request)
    try:
        filled.check()
        token = await grant_recovery(
            viewer=viewer,
            person_id=row.person,
            code=filled.values["code"],
            proof=filled.values["proof"],
            drops_second_factor=filled.values["drops"],
            at=clock.now(),
        )
    except (Invalid, TooManyTries) as error:
        refused, status = told(error)
        return _draw(request, row, filled.refused(refused), status=status)
    keep(request, f"recovery-{row.person}", token)
    return redirect(request, f"/people/recoveries/{row.person}/link")


@get("/people/recoveries/{person_id:int}/link", guards=KEEPERS)
async def link_given(request: WebRequest, viewer: SignedIn, person_id: FromPath[int]) -> Response[Any]:
    """Show the one-time link that was given just now, this once."""
    row = await recovery_kept_by(viewer, person_id=row_number(person_id), at=clock.now())
    token = take(request, f"recovery-{row.person}", str)
    if token is None:
        gone = msg("链接只显示一次，已经显示过了；没有扫到，就再对一次码，换新链接。")
        return redirect(request, f"/people/recoveries/{row.person}", toast=gone)
    link = site_address(request) + RESET_PATH + token
    return show(
        request,
        "people/recovery_link.html",
        row=row,
        link=link,
        code=qr_code(link),
        minutes=int(LINK_LASTS.total_seconds()) // 60,
    )


@post("/people/recoveries/{person_id:int}/refuse", guards=KEEPERS)
async def refuse(request: WebRequest, viewer: SignedIn, person_id: FromPath[int]) -> Response[bytes]:
    """It was not them: let nothing come of it."""
    (await BARE.read(request)).check()
    await refuse_recovery(viewer=viewer, person_id=row_number(person_id), at=clock.now())
    return redirect(request, "/people", toast=msg("已拒绝，密码没有动。"))


@get(RESET_PATH + "{token:str}")
async def choose(request: WebRequest, token: FromPath[str]) -> Response[str]:
    """Ask for the new password. Looking uses nothing up."""
    try:
        found = await reset_by_link(token=token, address=address_of(request), at=clock.now())
    except LinkGone as gone:
        return show(request, "people/gone.html", status=404, why=gone.message)
    return _choose(request, token, found, _CHOOSE.blank())


def _choose(
    request: WebRequest, token: str, found: Reset, form: Filled, *, status: int = 200
) -> Response[str]:
    return show(
        request,
        "people/reset.html",
        status=status,
        found=found,
        form=form,
        action=RESET_PATH + token,
        masked=rules.masked,
    )


@post(RESET_PATH + "{token:str}")
async def chosen(request: WebRequest, token: FromPath[str]) -> Response[Any]:
    """Set the new password; whoever was signed in anywhere is signed out."""
    filled = await _CHOOSE.read(request)
    try:
        found = await reset_by_link(token=token, address=address_of(request), at=clock.now())
        try:
            check_again(filled)
            await reset_password(
                token=token, new=filled.values["new"], address=address_of(request), at=clock.now()
            )
        except Invalid as error:
            return _choose(request, token, found, filled.refused(error), status=422)
    except LinkGone as gone:
        return show(request, "people/gone.html", status=404, why=gone.message)
    return redirect(request, "/sign-in", toast=msg("新密码已设好，请用它登录。"))


routes: list[ControllerRouterHandler] = [
    ask,
    asked,
    told_code,
    one,
    grant,
    link_given,
    refuse,
    choose,
    chosen,
]
