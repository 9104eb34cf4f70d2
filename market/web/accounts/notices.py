"""The inbox."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer
from market.i18n import msg
from market.notices.operations import mark_read
from market.notices.queries import inbox_of, notice_of
from market.notices.readers import hearing
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest, safe_path
from market.web.parts import pages
from market.web.parts.trade import BARE, show

_MOST = 100


@get("/notices")
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """The newest notices, unread before read."""
    notices = await inbox_of(viewer, limit=_MOST)
    return show(
        request,
        "notices/index.html",
        notices=notices,
        unread=sum(each.read_at is None for each in notices),
        stands_in=hearing(viewer).stands_in,
    )


def _people(viewer: Viewer) -> str:
    """Return where whoever stands in for a role finds somebody for it."""
    return f"/people/organisations/{viewer.organisation_id}/members" if viewer.keeps else "/organisation"


@get("/notices/{notice_id:int}")
async def follow(request: WebRequest, viewer: SignedIn, notice_id: FromPath[int]) -> Response[Any]:
    """Mark one notice as read and go where one can act on it."""
    notice = await notice_of(viewer, notice_id=row_number(notice_id))
    await mark_read(viewer, notice_id=notice.id, at=clock.now())
    stands_in = notice.kind in hearing(viewer).stands_in
    return pages.redirect(request, _people(viewer) if stands_in else safe_path(notice.link))


@post("/notices/read")
async def read_all(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Mark everything as read."""
    (await BARE.read(request)).check()
    count = await mark_read(viewer, notice_id=None, at=clock.now())
    return pages.redirect(request, "/notices", toast=msg("{n} 条通知已标为已读。", n=count))


routes: list[ControllerRouterHandler] = [index, follow, read_all]
