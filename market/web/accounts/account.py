"""One's own account: password, language, for whom one acts, and where one is signed in."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import devices
from market.accounts.keeping import keeps_anybody
from market.accounts.limits import TooManyTries
from market.accounts.operations import set_language
from market.accounts.queries import own_organisations
from market.accounts.rules import PASSWORD_LENGTH, ROLES, Viewer
from market.accounts.sessions import end_other_sessions, end_session, sessions_of, switch_organisation
from market.accounts.signing_in import change_password
from market.errors import Invalid
from market.i18n import Message, msg
from market.web.accounts.signin import keep_session
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, show

_SHORTEST, _LONGEST = PASSWORD_LENGTH


def new_password_fields() -> dict[str, fields.Field]:
    """Return what a form asks that chooses a password."""
    return {
        "new": fields.secret(
            msg("新密码"),
            least=_SHORTEST,
            most=_LONGEST,
            is_new=True,
            hint=msg("至少 {n} 个字符，越长越安全。", n=_SHORTEST),
        ),
        "again": fields.secret(msg("再输一遍新密码"), most=_LONGEST, is_new=True),
    }


def check_again(filled: Filled) -> None:
    """Raise Invalid unless the new password was typed twice alike."""
    filled.check()
    if filled.values["new"] != filled.values["again"]:
        problem = msg("两次输入的新密码不一样，请重新输入。")
        raise Invalid(problem, {"again": problem})


def told(refused: Invalid | TooManyTries) -> tuple[Invalid, int]:
    """Return what stands above a form that was refused, and the status."""
    if isinstance(refused, Invalid):
        return refused, 422
    return Invalid(refused.message), 429


_PASSWORD = Form(old=fields.secret(msg("现在的密码")), **new_password_fields())
_NAMES: dict[str, Message | str] = {"zh": "中文", "en": "English"}
_LANGUAGE = Form(language=fields.choice(msg("语言"), _NAMES, chips=True))
_ORGANISATION = Form(organisation=fields.hidden(int))


@get("/account")
async def account(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Who I am here, my password and language."""
    return await _draw(request, viewer, _PASSWORD.blank())


async def _draw(request: WebRequest, viewer: Viewer, form: Filled, *, status: int = 200) -> Response[str]:
    return show(
        request,
        "account/show.html",
        status=status,
        form=form,
        language_form=_LANGUAGE.blank(language=language_of(request)),
        roles=[ROLES[role] for role in sorted(viewer.roles)],
        organisations=await own_organisations(person_id=viewer.person_id),
        sessions=await sessions_of(person_id=viewer.person_id, at=clock.now()),
        keeps=keeps_anybody(viewer),
    )


@post("/account/password")
async def new_password(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Change the password; every other device is signed out, and this one goes on under a new token."""
    filled = await _PASSWORD.read(request)
    try:
        check_again(filled)
        token = await change_password(
            viewer=viewer, old=filled.values["old"], new=filled.values["new"], at=clock.now()
        )
    except (Invalid, TooManyTries) as error:
        refused, status = told(error)
        return await _draw(request, viewer, filled.refused(refused), status=status)
    keep_session(request, token)
    return redirect(request, "/account", toast=msg("密码已改，其他设备已退出登录。"))


@post("/account/language")
async def new_language(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Remember the language for every device of this person."""
    filled = await _LANGUAGE.read(request)
    filled.check()
    language = filled.values["language"]
    await set_language(person_id=viewer.person_id, language=language)
    return redirect(request, f"/account?lang={language}", toast=msg("语言已保存。"))


@post("/account/organisation")
async def other_organisation(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Go on acting for another of one's organisations, under a new token."""
    filled = await _ORGANISATION.read(request)
    filled.check()
    token = await switch_organisation(
        session_id=viewer.session_id,
        person_id=viewer.person_id,
        organisation_id=row_number(filled.values["organisation"]),
    )
    keep_session(request, token)
    return redirect(request, "/", toast=msg("已换到另一个单位。"))


@get("/account/sessions")
async def sessions(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Every device on which one is signed in."""
    return show(
        request,
        "account/sessions.html",
        sessions=await sessions_of(person_id=viewer.person_id, at=clock.now()),
        device=devices.words,
    )


@post("/account/sessions/others")
async def end_others(request: WebRequest, viewer: SignedIn) -> Response[bytes]:
    """Sign out everywhere but here."""
    (await BARE.read(request)).check()
    count = await end_other_sessions(person_id=viewer.person_id, keep_session_id=viewer.session_id)
    return redirect(request, "/account/sessions", toast=msg("{n} 台设备已退出登录。", n=count))


@post("/account/sessions/{session_id:int}/end")
async def end_one(request: WebRequest, viewer: SignedIn, session_id: FromPath[int]) -> Response[bytes]:
    """Sign out one device."""
    (await BARE.read(request)).check()
    await end_session(session_id=row_number(session_id), person_id=viewer.person_id)
    return redirect(request, "/account/sessions", toast=msg("那台设备已退出登录。"))


routes: list[ControllerRouterHandler] = [
    account,
    new_password,
    new_language,
    other_organisation,
    sessions,
    end_others,
    end_one,
]
