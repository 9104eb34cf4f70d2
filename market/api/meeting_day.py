"""The day of a meeting: who has come, and when the two of a talk sat down and rose."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal

import msgspec
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import actor
from market.api.handling import deed, do_once
from market.api.inputs import IdempotencyKey, PathId, SignedIn
from market.api.outputs import Moved
from market.api.talk_results import actor_at
from market.db.replay import once
from market.meetings.operations import mark_attendance
from market.meetings.queries import appointment_of
from market.meetings.talks.recording import TalkTimes, clock_talk, undo_start

Attending = Literal["check_in", "leave", "mark_no_show", "undo_check_in", "undo_no_show"]


class _Clock(msgspec.Struct, frozen=True):
    appointment_id: int
    move: str


@deed("/meetings/{meeting_id:int}/attendance/{organisation_id:int}/{move:str}")
async def attend(
    viewer: SignedIn,
    meeting_id: PathId,
    organisation_id: PathId,
    move: FromPath[Attending],
    key: IdempotencyKey = None,
) -> Moved:
    """Check somebody invited in or out, note that they did not come, or take back what was a mistake.

    Open while the meeting is on. Of several days, each has its own attendance. The check-in of somebody who
    sat at a table stands (409).
    """
    by = actor(viewer, "official")

    async def do(at: datetime) -> str:
        return await mark_attendance(
            meeting_id=meeting_id,
            organisation_id=organisation_id,
            move=move,
            town_id=viewer.organisation_id,
            actor=by,
            at=at,
        )

    about = {"meeting": meeting_id, "organisation": organisation_id}
    return await do_once(viewer=viewer, key=key, name=f"attendance_{move}", about=about, do=do)


async def _clocked(
    viewer: SignedIn,
    appointment_id: int,
    move: str,
    key: str | None,
    do: Callable[[datetime], Awaitable[None]],
) -> TalkTimes:
    """Do ``do`` once, and return the times of the talk as they stand then."""
    at = clock.now()

    async def done() -> TalkTimes:
        await do(at)
        talk = await appointment_of(appointment_id=appointment_id, organisation_id=viewer.organisation_id)
        return TalkTimes(talk.started_at, talk.ended_at)

    return await once(
        key=key,
        person_id=viewer.person_id,
        request=_Clock(appointment_id, move),
        reply_type=TalkTimes,
        deed=done,
        at=at,
    )


async def _move(viewer: SignedIn, appointment_id: int, move: str, key: str | None) -> TalkTimes:
    by = await actor_at(viewer, appointment_id)

    async def do(at: datetime) -> None:
        await clock_talk(
            appointment_id=appointment_id,
            move=move,
            organisation_id=viewer.organisation_id,
            actor=by,
            at=at,
        )

    return await _clocked(viewer, appointment_id, move, key, do)


@deed("/appointments/{appointment_id:int}/start")
async def start(viewer: SignedIn, appointment_id: PathId, key: IdempotencyKey = None) -> TalkTimes:
    """Note that a talk begins: both sides count as having come. Said again, nothing changes."""
    return await _move(viewer, appointment_id, "start", key)


@deed("/appointments/{appointment_id:int}/end")
async def end(viewer: SignedIn, appointment_id: PathId, key: IdempotencyKey = None) -> TalkTimes:
    """Note that a talk that was begun is over, before its result is known. Said again, nothing changes."""
    return await _move(viewer, appointment_id, "end", key)


@deed("/appointments/{appointment_id:int}/undo-start")
async def take_start_back(viewer: SignedIn, appointment_id: PathId, key: IdempotencyKey = None) -> TalkTimes:
    """Take back, for the town, that a talk has begun: it never did, and the check-ins that it made go too."""
    by = actor(viewer, "official")

    async def do(at: datetime) -> None:
        await undo_start(appointment_id=appointment_id, town_id=viewer.organisation_id, actor=by, at=at)

    return await _clocked(viewer, appointment_id, "undo_start", key, do)


routes: list[ControllerRouterHandler] = [attend, start, end, take_start_back]
