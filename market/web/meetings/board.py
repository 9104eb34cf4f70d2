"""The board of the day, for a projector and for phones: now, next and who is missing, by itself."""

from collections.abc import AsyncIterator
from datetime import datetime

from litestar import Response, get
from litestar.params import FromPath
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage
from litestar.types import ControllerRouterHandler

from market import clock
from market.db.signals import SIGNALS
from market.meetings.day.attendance import board_of
from market.meetings.day.board import board_of_meeting
from market.meetings.queries import MeetingRow
from market.meetings.rules import MEETING
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.meetings.running import own_meeting
from market.web.parts.trade import show

#: Seconds between signs of life: proxies cut a line that is silent for longer.
HEARTBEAT = 15.0
#: Seconds that one line lasts. The browser opens the next by itself, and is asked anew who it is.
LONGEST = 600.0
#: Milliseconds that a browser waits before it opens a line anew.
_RETRY = 2_000


@get("/town/meetings/{meeting_id:int}/board", guards=OFFICIAL)
async def board(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """Show each table with who is there, who comes next, and who is missing. ``?slot=3`` looks ahead."""
    meeting = await own_meeting(meeting_id, viewer)
    slot = _slot(request, meeting)
    now = clock.now()
    return show(
        request,
        "meetings/board.html",
        fragment="meetings/board_now.html",
        meeting=meeting,
        board=await board_of_meeting(meeting, at=now, slot=slot),
        slot=slot,
        now=now.astimezone(clock.CHINA),
        MEETING=MEETING,
    )


def _slot(request: WebRequest, meeting: MeetingRow) -> int | None:
    asked = request.query_params.get("slot", "")
    if not (asked.isascii() and asked.isdigit() and len(asked) < 5):
        return None
    return int(asked) if 1 <= int(asked) <= meeting.all_slots else None


@get(
    "/town/meetings/{meeting_id:int}/board/stream",
    guards=OFFICIAL,
    # compressing would hold words back until there are enough of them
    opt={"is_asset": True},
)
async def stream(viewer: SignedIn, meeting_id: FromPath[int]) -> ServerSentEvent:
    """Say "changed" when the day has moved, and once a minute, for the clock moves too."""
    meeting = await own_meeting(meeting_id, viewer)
    return ServerSentEvent(
        words(meeting.id), headers={"cache-control": "no-store", "x-accel-buffering": "no"}
    )


async def words(
    meeting_id: int, *, heartbeat: float = HEARTBEAT, longest: float = LONGEST
) -> AsyncIterator[ServerSentEventMessage]:
    """Yield what one viewer of a meeting's day hears, for ``longest`` seconds."""
    begun = clock.now()
    async with SIGNALS.watch(board_of(meeting_id)) as watch:
        yield ServerSentEventMessage(comment="here", retry=_RETRY)
        minute = _minute(begun)
        while (clock.now() - begun).total_seconds() < longest:
            heard = await watch.wait(min(heartbeat, 60.0 - clock.now().second))
            if heard or _minute(clock.now()) != minute:
                minute = _minute(clock.now())
                yield ServerSentEventMessage(event="changed", data=str(meeting_id))
            else:
                yield ServerSentEventMessage(comment="here")


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


routes: list[ControllerRouterHandler] = [board, stream]
