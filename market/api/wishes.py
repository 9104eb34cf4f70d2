"""Docking meetings: whom the invited want to meet."""

from datetime import datetime
from typing import Literal

import msgspec
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from market.api.handling import acting, deed, do_once, read
from market.api.inputs import IdempotencyKey, Note, PathId, SignedIn
from market.api.outputs import Moved
from market.meetings.invitations.wish_queries import counterparts_of
from market.meetings.invitations.wishing import set_wish

Level = Literal["must", "want", "may", "never"]


class WishToKeep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`level`: null takes the wish back; `never` is a veto, and stays with you."""

    level: Level | None
    note: Note = ""


class CounterpartView(msgspec.Struct, frozen=True):
    """Somebody of the other side. `worth`: fen that the engine's matches between you put at stake.

    `mutual`: both want to meet; else the other's wish is not told. `common`: you trade in the same produce.
    """

    organisation: int
    name: str
    name_en: str
    common: bool
    worth: int | None
    wish: str | None
    note: str
    mutual: bool


@read("/meetings/{meeting_id:int}/wishes")
async def wishes(viewer: SignedIn, meeting_id: PathId) -> list[CounterpartView]:
    """Whom you could meet at a meeting that you are invited to, and what you wished."""
    return [
        msgspec.convert(row, CounterpartView, from_attributes=True)
        for row in await counterparts_of(meeting_id, viewer.organisation_id)
    ]


@deed("/meetings/{meeting_id:int}/wishes/{about:int}", body=WishToKeep)
async def wish(
    viewer: SignedIn,
    meeting_id: PathId,
    about: PathId,
    data: JSONBody[WishToKeep],
    key: IdempotencyKey = None,
) -> Moved:
    """Say how much you want to meet somebody; they are told only where both want it."""

    async def do(at: datetime) -> str:
        await set_wish(
            meeting_id=meeting_id,
            organisation_id=viewer.organisation_id,
            about=about,
            level=data.level,
            note=data.note,
            actor=acting(viewer, viewer.side),
            at=at,
        )
        return data.level or "none"

    asked = {"meeting": meeting_id, "about": about, "level": data.level, "note": data.note}
    return await do_once(viewer=viewer, key=key, name="meeting_wish", about=asked, do=do)


routes: list[ControllerRouterHandler] = [wishes, wish]
