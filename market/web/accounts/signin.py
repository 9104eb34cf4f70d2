"""Signing in and out."""

import secrets
from urllib.parse import urlencode

import msgspec
from litestar import Response, get, post
from litestar.types import ControllerRouterHandler

from market import clock, settings
from market.accounts import rules
from market.accounts.devices import device_of
from market.accounts.limits import TooManyTries
from market.accounts.second_factor import pending_session, show_code
from market.accounts.sessions import sign_out as end_session
from market.accounts.signing_in import sign_in as begin
from market.errors import Invalid
from market.i18n import Message, msg
from market.web.edge import cookies
from market.web.edge.csrf import SESSION
from market.web.edge.guards import Anybody, WebRequest, safe_path
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import page, redirect

SIGN_IN = Form(
    phone=fields.phone(msg("手机号")),
    password=fields.secret(msg("密码")),
    next=fields.hidden(optional=True),
)
CODE = Form(
    code=fields.text(
        msg("验证码"), most=20, hint=msg("手机验证器上的 6 位数字；手机不在身边，用一个备用码。")
    ),
    next=fields.hidden(optional=True),
)
_DAY = 24 * 3600
#: Cookie and purpose of its signature: this browser's name, bound to the account that signed in last.
_DEVICE = "known"


@get("/sign-in")
async def show(request: WebRequest, guest: Anybody) -> Response[str] | Response[bytes]:
    """Ask who is there; whoever has signed in already is led on."""
    onward = _onward(request.query_params.get("next"))
    if guest is not None:
        return redirect(request, onward)
    return _form(request, SIGN_IN.blank(next=onward))


@post("/sign-in")
async def sign_in(request: WebRequest) -> Response[str] | Response[bytes]:
    """Begin a new session; the one that the browser brought along ends."""
    filled = await SIGN_IN.read(request)
    if filled.errors:
        return _form(request, filled, status=422)
    try:
        opened = await begin(
            phone=filled.values["phone"],
            password=filled.values["password"],
            address=request.client.host if request.client else "-",
            at=clock.now(),
            old_token=cookies.read(request, SESSION),
            device=device_of(request.headers.get("user-agent", "")),
            known_device=known_device(request, filled.values["phone"]),
        )
    except TooManyTries as refused:
        headers = {"retry-after": str(refused.retry_after)}
        return _form(request, filled, status=429, refusal=refused.message, headers=headers)
    except Invalid as refused:
        return _form(request, filled, status=422, refusal=refused.message)
    keep_session(request, opened.token)
    remember_device(request, filled.values["phone"])
    onward = _onward(filled.values["next"])
    if opened.awaits:
        return redirect(request, f"/sign-in/code?{urlencode({'next': onward})}")
    return redirect(request, onward)


@get("/sign-in/code")
async def ask_code(request: WebRequest, guest: Anybody) -> Response[str] | Response[bytes]:
    """Ask for the second factor of a session whose password was right."""
    onward = _onward(request.query_params.get("next"))
    if guest is not None:
        return redirect(request, onward)
    if await _waiting(request) is None:
        return redirect(request, "/sign-in")
    return _code_form(request, CODE.blank(next=onward))


@post("/sign-in/code")
async def take_code(request: WebRequest) -> Response[str] | Response[bytes]:
    """Take the second factor; the session goes on under another token."""
    token = await _waiting(request)
    if token is None:
        return redirect(request, "/sign-in")
    filled = await CODE.read(request)
    if filled.errors:
        return _code_form(request, filled, status=422)
    try:
        renewed = await show_code(token=token, code=filled.values["code"], at=clock.now())
    except TooManyTries as refused:
        headers = {"retry-after": str(refused.retry_after)}
        told = filled.refused(Invalid(refused.message))
        return _code_form(request, told, status=429, headers=headers)
    except Invalid as refused:
        return _code_form(request, filled.refused(refused), status=422)
    keep_session(request, renewed)
    return redirect(request, _onward(filled.values["next"]))


async def _waiting(request: WebRequest) -> str | None:
    token = cookies.read(request, SESSION)
    if not token or await pending_session(token_hash=rules.token_hash(token), at=clock.now()) is None:
        return None
    return token


def _code_form(
    request: WebRequest, filled: Filled, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response[str]:
    return page(request, "signin/code.html", status=status, headers=headers, form=filled)


def keep_session(request: WebRequest, token: str) -> None:
    """Let the browser bring this token along from now on."""
    cookies.put(request, SESSION, token, max_age=rules.SESSION_DAYS * _DAY)


def known_device(request: WebRequest, phone: str) -> str | None:
    """Return this browser's name if the owner of ``phone`` has signed in from it before."""
    secret = cookies.edge(request).secret
    device, _, owner = (
        cookies.unsign(cookies.read(request, _DEVICE) or "", secret=secret, purpose=_DEVICE) or ""
    ).partition(" ")
    return device if device and owner == cookies.digest(secret, _DEVICE, phone) else None


def remember_device(request: WebRequest, phone: str) -> None:
    """Give the browser a name, bound to the account that has signed in."""
    secret = cookies.edge(request).secret
    device = known_device(request, phone) or secrets.token_urlsafe(9)
    named = f"{device} {cookies.digest(secret, _DEVICE, phone)}"
    cookies.put(request, _DEVICE, cookies.sign(named, secret=secret, purpose=_DEVICE), max_age=cookies.YEAR)


@post("/sign-out")
async def sign_out(request: WebRequest) -> Response[bytes]:
    """End the session here and in the database; once more does no harm."""
    token = cookies.read(request, SESSION)
    if token:
        await end_session(token=token)
        cookies.drop(request, SESSION)
    return redirect(request, "/sign-in", toast=msg("已退出登录。"))


def _onward(asked: str | None) -> str:
    path = safe_path(asked)
    return "/" if path.partition("?")[0] in {"/sign-in", "/sign-out"} else path


def _form(
    request: WebRequest,
    filled: Filled,
    *,
    status: int = 200,
    refusal: Message | None = None,
    headers: dict[str, str] | None = None,
) -> Response[str]:
    return page(
        request,
        "signin/sign_in.html",
        status=status,
        headers=headers,
        form=filled,
        refusal=refusal,
        demo=demo_logins(),
        roles=rules.ROLES,
    )


class DemoLogin(msgspec.Struct, frozen=True):
    """An account that everybody may use: the demonstration's."""

    role: str
    name: str
    name_en: str
    organisation: str
    organisation_en: str
    phone: str
    password: str


def demo_logins() -> list[DemoLogin]:
    """Return the accounts that this installation offers; none where it is no demonstration."""
    given = settings.settings().demo_logins
    return msgspec.json.decode(given, type=list[DemoLogin]) if given else []


routes: list[ControllerRouterHandler] = [show, sign_in, ask_code, take_code, sign_out]
