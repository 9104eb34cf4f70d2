"""Signing in and out."""

import secrets

import msgspec
from litestar import Response, get, post
from litestar.types import ControllerRouterHandler

from market import clock, settings
from market.accounts import rules
from market.accounts.devices import device_of
from market.accounts.limits import TooManyTries
from market.accounts.sessions import sign_out as end_session
from market.accounts.signing_in import sign_in as begin
from market.errors import Invalid
from market.i18n import Message, msg
from market.web import cookies, fields
from market.web.csrf import SESSION
from market.web.forms import Filled, Form
from market.web.guards import Anybody, WebRequest, safe_path
from market.web.pages import page, redirect

SIGN_IN = Form(
    phone=fields.phone(msg("手机号")),
    password=fields.secret(msg("密码")),
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
    return redirect(request, _onward(filled.values["next"]))


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


routes: list[ControllerRouterHandler] = [show, sign_in, sign_out]
