"""Talks for those whom the timetable leaves without one: chosen on its page, added with one press."""

import re
from datetime import datetime
from typing import Any

from litestar import Response, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market.accounts import rules as accounts
from market.db.session import transaction
from market.errors import Conflict, Invalid
from market.i18n import msg
from market.meetings.planning.adding import Added, add_talks
from market.transitions import WrongState
from market.web.edge.addresses import MOST_ID
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.meetings.running import own_meeting
from market.web.meetings.timetable import draw
from market.web.parts import fields
from market.web.parts.forms import Form
from market.web.parts.pages import redirect
from market.web.parts.trade import KEY, do_filled

#: Seller and buyer of a talk that could be added, as the page's boxes send them.
_PAIR = re.compile(r"([1-9][0-9]{0,18})-([1-9][0-9]{0,18})")


def _both(text: str) -> tuple[int, int] | None:
    found = _PAIR.fullmatch(text)
    if found is None:
        return None
    seller, buyer = int(found[1]), int(found[2])
    return (seller, buyer) if max(seller, buyer) <= MOST_ID else None


@post("/town/meetings/{meeting_id:int}/timetable/unmet", guards=OFFICIAL)
async def add(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Add the chosen talks; the same form once more adds them once."""
    meeting = await own_meeting(meeting_id, viewer)
    sent = [str(each) for each in (await request.form()).getall("pairs", [])]
    # what is offered may have changed meanwhile: the operation says what cannot be any more
    known = {text: text for text in sent if _both(text) is not None}
    filled = await Form(pairs=fields.choices(msg("洽谈"), known), key=KEY).read(request)
    pairs = [both for text in known if (both := _both(text)) is not None]

    async def deed(at: datetime) -> str:
        async with transaction():
            added = await add_talks(
                meeting_id=meeting.id,
                pairs=pairs,
                town_id=viewer.organisation_id,
                actor=accounts.actor(viewer, "official"),
                at=at,
            )
        return f"{added.talks} {added.unplaced} {added.invited}"

    try:
        filled.check()
        about = {"meeting": meeting.id, "pairs": sorted(known)}
        told = await do_filled(viewer, filled, "add_talks", about, deed)
    except WrongState:
        raise
    except (Conflict, Invalid) as refused:
        return await draw(
            request,
            meeting,
            fault=refused.message,
            fault_at="pairs",
            ticked=set(sent),
            status=422 if isinstance(refused, Invalid) else 409,
        )
    done = Added(*map(int, told.split()))
    said = msg("加了 {n} 场洽谈。", n=done.talks)
    if done.invited:
        said = msg("{said}一并邀请了 {n} 家。", said=said, n=done.invited)
    if done.unplaced:
        said = msg("{said}有 {n} 场没有共同空档，重新排桌时最先排。", said=said, n=done.unplaced)
    return redirect(request, f"/town/meetings/{meeting.id}/timetable#unmet", toast=said)


routes: list[ControllerRouterHandler] = [add]
