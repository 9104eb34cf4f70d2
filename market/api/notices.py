"""The inbox."""

from datetime import datetime

import msgspec
from litestar.types import ControllerRouterHandler

from market import clock
from market.api.handling import deed, read
from market.api.inputs import PathId, Reader, SignedIn
from market.api.outputs import told
from market.notices.operations import mark_read
from market.notices.queries import inbox_of


class NoticeView(msgspec.Struct, frozen=True):
    """`link` is where one can act on it on the site; `due_at` until when somebody has to."""

    id: int
    kind: str
    message: str
    link: str
    due_at: datetime | None
    created_at: datetime
    read_at: datetime | None


class Marked(msgspec.Struct, frozen=True):
    """How many notices were new."""

    marked: int


@read("/notices")
async def index(viewer: SignedIn, language: Reader) -> list[NoticeView]:
    """The newest fifty, unread before read."""
    return [told(NoticeView, row, language) for row in await inbox_of(viewer)]


@deed("/notices/read")
async def read_all(viewer: SignedIn) -> Marked:
    """Mark everything as read; once more does no harm."""
    return Marked(await mark_read(viewer, notice_id=None, at=clock.now()))


@deed("/notices/{notice_id:int}/read")
async def read_one(viewer: SignedIn, notice_id: PathId) -> Marked:
    """Mark one notice as read; one that is read already, or not yours, counts as none."""
    return Marked(await mark_read(viewer, notice_id=notice_id, at=clock.now()))


routes: list[ControllerRouterHandler] = [index, read_all, read_one]
