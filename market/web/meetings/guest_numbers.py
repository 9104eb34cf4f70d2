"""Numbers of a meeting's guests: hidden on every page, shown whole to the town for a reason."""

from litestar import Response, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import actor
from market.audit.looks import LOOK_REASONS
from market.i18n import msg
from market.meetings.invitations.numbers import look_at_numbers
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.meetings.running import own_meeting
from market.web.parts import fields
from market.web.parts.forms import Form
from market.web.parts.trade import show

LOOK = Form(reason=fields.choice(msg("为什么要看"), LOOK_REASONS))


@post("/town/meetings/{meeting_id:int}/numbers/{kind:str}/{row_id:int}", guards=OFFICIAL)
async def look(
    request: WebRequest,
    viewer: SignedIn,
    meeting_id: FromPath[int],
    kind: FromPath[str],
    row_id: FromPath[int],
) -> Response[str]:
    """Show the numbers of one invitation or registration, this once; without a reason, ask for it."""
    meeting = await own_meeting(meeting_id, viewer)
    filled = await LOOK.read(request)
    numbers = []
    if not filled.errors:
        numbers = await look_at_numbers(
            meeting_id=meeting.id,
            kind=kind,
            row_id=row_number(row_id),
            reason=filled.values["reason"],
            actor=actor(viewer, "official"),
            at=clock.now(),
        )
    return show(
        request,
        "meetings/numbers.html",
        status=422 if filled.errors else 200,
        meeting=meeting,
        back=f"/town/meetings/{meeting.id}/invitations" + (f"/{row_id}" if kind == "invitation" else ""),
        numbers=numbers,
        form=filled,
    )


routes: list[ControllerRouterHandler] = [look]
