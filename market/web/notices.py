"""The inbox, and one's own account: password and language."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.operations import change_password, set_language
from market.accounts.rules import PASSWORD_LENGTH, ROLES, Viewer
from market.errors import Invalid, NotFound
from market.i18n import Message, msg
from market.notices.operations import mark_read
from market.notices.queries import inbox
from market.web import fields, pages
from market.web.forms import Filled, Form
from market.web.guards import SignedIn, WebRequest, safe_path
from market.web.language import language_of
from market.web.trade import BARE, show

_MOST = 100


@get("/notices")
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """The newest notices, unread before read."""
    notices = await inbox(organisation_id=viewer.organisation_id, limit=_MOST)
    return show(
        request, "notices/index.html", notices=notices, unread=sum(each.read_at is None for each in notices)
    )


@get("/notices/{notice_id:int}")
async def follow(request: WebRequest, viewer: SignedIn, notice_id: FromPath[int]) -> Response[Any]:
    """Mark one notice as read and go where one can act on it."""
    notices = await inbox(organisation_id=viewer.organisation_id, limit=10_000)
    notice = next((each for each in notices if each.id == notice_id), None)
    if notice is None:
        raise NotFound(msg("没有找到这条通知。"))
    await mark_read(organisation_id=viewer.organisation_id, notice_id=notice_id, at=clock.now())
    return pages.redirect(request, safe_path(notice.link))


@post("/notices/read")
async def read_all(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Mark everything as read."""
    (await BARE.read(request)).check()
    count = await mark_read(organisation_id=viewer.organisation_id, notice_id=None, at=clock.now())
    return pages.redirect(request, "/notices", toast=msg("{n} 条通知已标为已读。", n=count))


_SHORTEST, _LONGEST = PASSWORD_LENGTH
_PASSWORD = Form(
    old=fields.secret(msg("现在的密码")),
    new=fields.secret(
        msg("新密码"),
        least=_SHORTEST,
        most=_LONGEST,
        is_new=True,
        hint=msg("至少 {n} 个字符，越长越安全。", n=_SHORTEST),
    ),
    again=fields.secret(msg("再输一遍新密码"), most=_LONGEST, is_new=True),
)
_NAMES: dict[str, Message | str] = {"zh": "中文", "en": "English"}
_LANGUAGE = Form(language=fields.choice(msg("语言"), _NAMES, chips=True))


@get("/account")
async def account(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Who I am here, my password and language."""
    return _draw(request, viewer, _PASSWORD.blank())


def _draw(request: WebRequest, viewer: Viewer, form: Filled, *, status: int = 200) -> Response[str]:
    return show(
        request,
        "notices/account.html",
        status=status,
        form=form,
        language_form=_LANGUAGE.blank(language=language_of(request)),
        roles=[ROLES[role] for role in sorted(viewer.roles)],
    )


@post("/account/password")
async def new_password(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Change the password; every other device is signed out."""
    filled = await _PASSWORD.read(request)
    try:
        filled.check()
        if filled.values["new"] != filled.values["again"]:
            problem = msg("两次输入的新密码不一样，请重新输入。")
            raise Invalid(problem, {"again": problem})
        await change_password(
            person_id=viewer.person_id,
            old=filled.values["old"],
            new=filled.values["new"],
            keep_session_id=viewer.session_id,
        )
    except Invalid as error:
        return _draw(request, viewer, filled.refused(error), status=422)
    return pages.redirect(request, "/account", toast=msg("密码已改，其他设备已退出登录。"))


@post("/account/language")
async def new_language(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Remember the language for every device of this person."""
    filled = await _LANGUAGE.read(request)
    filled.check()
    language = filled.values["language"]
    await set_language(person_id=viewer.person_id, language=language)
    return pages.redirect(request, f"/account?lang={language}", toast=msg("语言已保存。"))


routes: list[ControllerRouterHandler] = [index, follow, read_all, account, new_password, new_language]
