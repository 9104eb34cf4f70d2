"""Publishing a timetable: what is still open, who will be told what, and the one button."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.errors import Conflict
from market.i18n import Message, msg
from market.meetings.planning.publishing import publish_timetable
from market.meetings.planning.unfit import REASONS, unfit_talks
from market.meetings.queries import InvitationRow, MeetingRow, appointments_of_meeting, invitations_of
from market.meetings.rules import INVITATION, MEETING, PLANNABLE
from market.meetings.standing import Standing
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.meetings.running import own_meeting
from market.web.meetings.steps import steps_of, unfit_words
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, new_key, show


class Told(msgspec.Struct, frozen=True):
    """Somebody who is told, with the number of its talks."""

    guest: InvitationRow
    talks: int


class Open(msgspec.Struct, frozen=True):
    """Something that is still open, and where to see to it. ``tail`` follows the meeting's address."""

    text: Message
    tail: str


def still_open(meeting: MeetingRow, standing: Standing) -> list[Open]:
    """Return what is not settled yet; none of it forbids to publish."""
    found = []
    if standing.unanswered:
        found.append(Open(msg("{n} 家还没有回复邀请。", n=standing.unanswered), "/invitations"))
    if standing.without_wishes:
        words = msg("{n} 家还没有选想见谁；发布以后就不能再选了。", n=standing.without_wishes)
        if meeting.wishes_by is not None:
            words = msg("{n} 家还没有选想见谁。", n=standing.without_wishes)
        found.append(Open(words, "/wishes"))
    if standing.left_out:
        found.append(Open(msg("{n} 对没有排进。", n=standing.left_out), "/timetable#left-out"))
    return found


@get("/town/meetings/{meeting_id:int}/publish", guards=OFFICIAL)
async def page(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """Show who is told what once the button is pressed, or who was."""
    return await _draw(request, await own_meeting(meeting_id, viewer))


async def _draw(request: WebRequest, meeting: MeetingRow, *, status: int = 200) -> Response[str]:
    steps = await steps_of(request, meeting)
    standing = steps.standing
    counted: dict[int, int] = {}
    for talk in await appointments_of_meeting(meeting_id=meeting.id):
        if talk.slot is not None:
            for one in (talk.seller, talk.buyer):
                counted[one] = counted.get(one, 0) + 1
    told = [
        Told(each, counted.get(each.organisation, 0))
        for each in await invitations_of(meeting_id=meeting.id)
        if each.state in ("needs_action", "accepted", "tentative", "delegated")
    ]
    return show(
        request,
        "meetings/step_publish.html",
        status=status,
        meeting=meeting,
        steps=steps,
        told=told,
        without=[each for each in told if not each.talks and each.guest.side != "guest"],
        open=still_open(meeting, standing),
        publishable=meeting.state == "timetabled"
        and meeting.published_at is None
        and standing.talks > 0
        and not meeting.planning,
        unfit=await unfit_talks(meeting.id),
        unfit_words=unfit_words(standing),
        reasons=REASONS,
        plannable=meeting.state in PLANNABLE,
        key=new_key(),
        MEETING=MEETING,
        INVITATION=INVITATION,
    )


@post("/town/meetings/{meeting_id:int}/publish", guards=OFFICIAL)
async def publish(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Publish the timetable; pressing twice is harmless. What cannot be held as it lies is named instead."""
    (await BARE.read(request)).check()
    meeting = await own_meeting(meeting_id, viewer)
    try:
        await publish_timetable(
            meeting_id=meeting.id,
            town_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "official"),
            at=clock.now(),
        )
    except Conflict:
        meeting = await own_meeting(meeting_id, viewer)
        if meeting.published_at is None and await unfit_talks(meeting.id):
            return await _draw(request, meeting, status=409)
        if meeting.published_at is None:
            raise
    return redirect(request, f"/town/meetings/{meeting.id}", toast=msg("日程已发布，各方都收到了通知。"))


routes: list[ControllerRouterHandler] = [page, publish]
