"""Signing in and out."""

import msgspec
from litestar import Response, get, post
from litestar.types import ControllerRouterHandler

from market import clock, settings
from market.accounts import operations, rules
from market.accounts.operations import TooManyTries
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
        token = await operations.sign_in(
            phone=filled.values["phone"],
            password=filled.values["password"],
            address=request.client.host if request.client else "-",
            at=clock.now(),
            old_token=cookies.read(request, SESSION),
        )
    except TooManyTries as refused:
        headers = {"retry-after": str(rules.WINDOW_MINUTES * 60)}
        return _form(request, filled, status=429, refusal=refused.message, headers=headers)
    except Invalid as refused:
        return _form(request, filled, status=422, refusal=refused.message)
    cookies.put(request, SESSION, token, max_age=rules.SESSION_DAYS * _DAY)
    return redirect(request, _onward(filled.values["next"]))


@post("/sign-out")
async def sign_out(request: WebRequest) -> Response[bytes]:
    """End the session here and in the database; once more does no harm."""
    token = cookies.read(request, SESSION)
    if token:
        await operations.sign_out(token=token)
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
