"""The inbox."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.errors import NotFound
from market.i18n import msg
from market.notices.operations import mark_read
from market.notices.queries import inbox
from market.web import pages
from market.web.guards import SignedIn, WebRequest, safe_path
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


routes: list[ControllerRouterHandler] = [index, follow, read_all]
