"""Wishes as the official sees them: who wants whom, who has not said yet; and for somebody who rang up."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.errors import Invalid, NotFound
from market.i18n import Message, msg
from market.meetings.invitations.wish_queries import WishRow, absences_of, wishes_of
from market.meetings.invitations.wishing import set_absences, set_wish
from market.meetings.queries import InvitationRow, MeetingRow, invitations_of
from market.meetings.rules import INVITATION, MEETING, WISHES
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.meetings.running import own_meeting
from market.web.meetings.steps import steps_of
from market.web.meetings.timetable import participants
from market.web.meetings.wish_form import SHOWN, WISH, choosing, read_slots, slot_days
from market.web.parts.pages import is_htmx, redirect
from market.web.parts.trade import show

#: A matrix with more cells than this is no help to anybody: the list of pairs stands alone.
MOST_CELLS = 2_500
#: Wishes in falling order of how much they are wanted.
_WORTH = {"must": 3, "want": 2, "may": 1, "never": -9}


class PairRow(msgspec.Struct, frozen=True):
    """What a buyer and a seller have said of each other; None: nothing."""

    buyer: InvitationRow
    seller: InvitationRow
    of_buyer: str | None
    of_seller: str | None

    @property
    def mutual(self) -> bool:
        return self.of_buyer in ("must", "want") and self.of_seller in ("must", "want")

    @property
    def barred(self) -> bool:
        return "never" in (self.of_buyer, self.of_seller)

    @property
    def worth(self) -> int:
        return _WORTH.get(self.of_buyer or "", 0) + _WORTH.get(self.of_seller or "", 0)


class GivenRow(msgspec.Struct, frozen=True):
    """How many wishes of each level one participant has given, and the slots in which it cannot come."""

    guest: InvitationRow
    levels: Mapping[str, int]
    absent: int

    @property
    def total(self) -> int:
        return sum(self.levels.values())


def pairs_of(parties: Sequence[InvitationRow], wishes: Sequence[WishRow]) -> list[PairRow]:
    """Return every pair of which somebody has said something, those who want each other most first."""
    guests = {each.organisation: each for each in parties}
    said: dict[tuple[int, int], dict[str, str]] = {}
    for wish in wishes:
        me, other = guests.get(wish.organisation), guests.get(wish.about)
        if me is None or other is None or me.side == other.side:
            continue
        key = (wish.organisation, wish.about) if me.side == "buyer" else (wish.about, wish.organisation)
        said.setdefault(key, {})[me.side] = wish.level
    found = [
        PairRow(guests[buyer], guests[seller], levels.get("buyer"), levels.get("seller"))
        for (buyer, seller), levels in said.items()
    ]
    return sorted(found, key=lambda each: (not each.mutual, -each.worth, each.buyer.name, each.seller.name))


def given_by(
    parties: Sequence[InvitationRow], wishes: Sequence[WishRow], absences: Mapping[int, Sequence[int]]
) -> list[GivenRow]:
    """Return what each participant has given, those that have given nothing first."""
    counted: dict[int, dict[str, int]] = {}
    for wish in wishes:
        mine = counted.setdefault(wish.organisation, {})
        mine[wish.level] = mine.get(wish.level, 0) + 1
    rows = [
        GivenRow(each, counted.get(each.organisation, {}), len(absences.get(each.organisation, ())))
        for each in parties
    ]
    return sorted(rows, key=lambda each: (each.total > 0, each.guest.side, each.guest.name))


@get("/town/meetings/{meeting_id:int}/wishes", guards=OFFICIAL)
async def page(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """Show who wants whom."""
    meeting = await own_meeting(meeting_id, viewer)
    parties = participants(await invitations_of(meeting_id=meeting.id))
    wishes = await wishes_of(meeting.id)
    pairs = pairs_of(parties, wishes)
    buyers = [each for each in parties if each.side == "buyer"]
    sellers = [each for each in parties if each.side == "seller"]
    return show(
        request,
        "meetings/step_wishes.html",
        meeting=meeting,
        steps=await steps_of(request, meeting),
        pairs=pairs,
        cells={(each.buyer.organisation, each.seller.organisation): each for each in pairs},
        buyers=buyers,
        sellers=sellers,
        with_matrix=bool(pairs) and len(buyers) * len(sellers) <= MOST_CELLS,
        given=given_by(parties, wishes, await absences_of(meeting.id)),
        wishes=WISHES,
        MEETING=MEETING,
        INVITATION=INVITATION,
    )


def _guest(guests: Sequence[InvitationRow], organisation_id: int) -> InvitationRow:
    for each in guests:
        if each.organisation == organisation_id:
            return each
    raise NotFound(msg("没有找到这份邀请。"))


async def _draw(
    request: WebRequest,
    meeting: MeetingRow,
    guest: InvitationRow,
    *,
    fault: Message | None = None,
    fault_at: int | None = None,
    absent_fault: Message | None = None,
    status: int = 200,
) -> Response[str]:
    here = f"/town/meetings/{meeting.id}/wishes/{guest.organisation}"
    chosen = await choosing(request, meeting, organisation_id=guest.organisation, base=here, by_town=True)
    row = chosen.row(fault_at) if fault_at else None
    return show(
        request,
        "meetings/step_wishes_of.html",
        fragment="invited/wish_one.html" if row else None,
        status=status,
        meeting=meeting,
        steps=await steps_of(request, meeting),
        guest=guest,
        choosing=chosen,
        row=row,
        here=here,
        keep={},
        lists=SHOWN,
        wishes=WISHES,
        slot_days=slot_days(meeting),
        fault=fault,
        fault_at=fault_at,
        absent_fault=absent_fault,
        MEETING=MEETING,
    )


async def _asked(meeting_id: int, organisation_id: int, viewer: SignedIn) -> tuple[MeetingRow, InvitationRow]:
    meeting = await own_meeting(meeting_id, viewer)
    guests = participants(await invitations_of(meeting_id=meeting.id))
    return meeting, _guest(guests, row_number(organisation_id))


@get("/town/meetings/{meeting_id:int}/wishes/{organisation_id:int}", guards=OFFICIAL)
async def of_one(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], organisation_id: FromPath[int]
) -> Response[str]:
    """Show one participant's wishes, to be entered for it."""
    return await _draw(request, *await _asked(meeting_id, organisation_id, viewer))


@post("/town/meetings/{meeting_id:int}/wishes/{organisation_id:int}/{about:int}", guards=OFFICIAL)
async def wish(
    request: WebRequest,
    viewer: SignedIn,
    meeting_id: FromPath[int],
    organisation_id: FromPath[int],
    about: FromPath[int],
) -> Response[Any]:
    """Keep one wish of somebody who rang up."""
    meeting, guest = await _asked(meeting_id, organisation_id, viewer)
    about = row_number(about)
    filled = await WISH.read(request)
    try:
        filled.check()
        level = filled.values["level"]
        await set_wish(
            meeting_id=meeting.id,
            organisation_id=guest.organisation,
            about=about,
            level=None if level == "none" else level,
            note=filled.values["note"],
            actor=accounts.actor(viewer, "official"),
            at=clock.now(),
        )
    except Invalid as refused:
        told = next(iter(refused.fields.values()), refused.message)
        return await _draw(request, meeting, guest, fault=told, fault_at=about, status=422)
    if is_htmx(request):
        return await _draw(request, meeting, guest, fault_at=about)
    return redirect(request, f"/town/meetings/{meeting.id}/wishes/{guest.organisation}#c-{about}")


@get(
    [
        "/town/meetings/{meeting_id:int}/wishes/{organisation_id:int}/absent",
        "/town/meetings/{meeting_id:int}/wishes/{organisation_id:int}/{about:int}",
    ],
    guards=OFFICIAL,
)
async def back(
    request: WebRequest, meeting_id: FromPath[int], organisation_id: FromPath[int]
) -> Response[Any]:
    """Lead who asks for the address of a post, as after a refusal, to the page."""
    path = f"/town/meetings/{row_number(meeting_id)}/wishes/{row_number(organisation_id)}"
    return redirect(request, path)


@post("/town/meetings/{meeting_id:int}/wishes/{organisation_id:int}/absent", guards=OFFICIAL)
async def absent(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], organisation_id: FromPath[int]
) -> Response[Any]:
    """Keep the slots in which somebody who rang up cannot come."""
    meeting, guest = await _asked(meeting_id, organisation_id, viewer)
    typed = [str(value) for name, value in (await request.form()).multi_items() if name == "slots"]
    try:
        await set_absences(
            meeting_id=meeting.id,
            organisation_id=guest.organisation,
            slots=read_slots(typed),
            actor=accounts.actor(viewer, "official"),
            at=clock.now(),
        )
    except Invalid as refused:
        told = next(iter(refused.fields.values()), refused.message)
        return await _draw(request, meeting, guest, absent_fault=told, status=422)
    here = f"/town/meetings/{meeting.id}/wishes/{guest.organisation}"
    return redirect(request, f"{here}#absent", toast=msg("已保存不能来的时段。"))


routes: list[ControllerRouterHandler] = [page, of_one, wish, absent, back]
