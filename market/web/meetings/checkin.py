"""At the door: the list that checks people in, also with the network gone, and what a badge's code opens."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.accounts.rules import Viewer
from market.catalogue.persons import english_person
from market.errors import Invalid, NotFound
from market.i18n import Message, msg, translate
from market.meetings.alike import told_apart
from market.meetings.day.attendance import code_of_invitation, mark_attendance, mark_person
from market.meetings.day.board import Talk, talks_of_day
from market.meetings.day.scanning import (
    Badge,
    badge_of,
    mend_scan,
    read_scans,
    take_scans,
    unknown_scans,
)
from market.meetings.invitations.persons import AttendeeRow, attendees_of
from market.meetings.invitations.wish_queries import AWAY
from market.meetings.queries import MeetingRow, invitations_of, meeting_of
from market.meetings.rules import ATTENDANCE, MEETING, door_closed
from market.transitions import WrongState
from market.web.edge import assets
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, Anybody, SignedIn, WebRequest
from market.web.meetings.running import own_meeting
from market.web.parts import fields
from market.web.parts.forms import Form
from market.web.parts.pages import redirect
from market.web.parts.trade import KEY, new_key, show

#: The page may look through the phone's camera; no other page may.
CAMERA = {"permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=()"}
#: A batch of readings: at most 200 of them, each with a code of at most 100 signs.
_MOST_BYTES = 200_000

_PRESS = Form(
    act=fields.hidden(),
    q=fields.text(msg("查找"), most=100, optional=True),
    key=KEY,
)
_MEND = Form(attendee=fields.text(msg("胸牌上的人"), most=120, optional=True), key=KEY)


class Line(msgspec.Struct, frozen=True):
    """Somebody to check in: a person, or an organisation that has named nobody."""

    act: str
    code: str
    name: str
    name_en: str
    organisation: int
    organisation_name: str
    organisation_name_en: str
    side: str
    phone: str
    attendance: str
    checked_in_at: datetime | None
    first: Talk | None
    #: There were talks, and none is still to come.
    is_over: bool
    #: What its organisation is called where another of the list bears its name.
    alike: Message | None = None

    @property
    def names(self) -> tuple[str, str]:
        """What the list calls a person, in Chinese and in English."""
        return self.name, english_person(self.name)

    @property
    def badge_names(self) -> tuple[str, ...]:
        """How somebody says whose badge it was: with the organisation, in either language."""
        houses = [self.organisation_name, self.organisation_name_en or self.organisation_name]
        if self.alike is not None:
            houses = [str(self.alike), translate(self.alike, "en")]
        return tuple(f"{name} · {each}" for name in self.names for each in houses)

    def is_meant(self, words: str) -> bool:
        """Tell whether ``words`` are part of a name, the badge's code or the telephone number."""
        asked = words.strip().rstrip("/").rpartition("/")[2].casefold()
        digits = "".join(sign for sign in asked if sign.isdigit())
        return (
            any(asked in each.casefold() for each in (*self.names, self.name_en, self.organisation_name))
            or asked in self.organisation_name_en.casefold()
            or (self.alike is not None and asked in str(self.alike).casefold())
            or asked == self.code.casefold()
            or (len(digits) >= 4 and digits == asked and digits in self.phone)
        )


def why_closed(meeting: MeetingRow) -> Message | None:
    """Return why nobody is checked in now; None while the meeting is on."""
    return door_closed(state=meeting.state, held_on=meeting.held_on, today=clock.today())


def is_open(meeting: MeetingRow) -> bool:
    return why_closed(meeting) is None


def first_talks(talks: Sequence[Talk]) -> dict[int, Talk]:
    """Return organisation -> the first of its talks that is still to come."""
    first: dict[int, Talk] = {}
    for talk in talks:
        if not talk.is_done:
            for party in (talk.buyer, talk.seller):
                first.setdefault(party.organisation, talk)
    return first


def turns_of(meeting: MeetingRow, talks: Sequence[Talk]) -> tuple[dict[int, Talk], frozenset[int]]:
    """Return organisation -> its first talk still to come, and the organisations whose talks are all over."""
    first = {} if meeting.state in ("closed", "followed_up") else first_talks(talks)
    invited = {party.organisation for talk in talks for party in (talk.buyer, talk.seller)}
    return first, frozenset(invited - first.keys())


async def lines_of(meeting: MeetingRow) -> list[Line]:
    """Return everybody awaited, persons first named by their organisation's side."""
    first, over = turns_of(meeting, await talks_of_day(meeting_id=meeting.id))
    persons: dict[int, list[AttendeeRow]] = {}
    for person in await attendees_of(meeting_id=meeting.id):
        persons.setdefault(person.invitation, []).append(person)
    lines = []
    houses = [
        each
        for each in await invitations_of(meeting_id=meeting.id)
        if each.state != "revoked" and (each.state not in AWAY or each.days_here)
    ]
    alike = await told_apart([each.organisation for each in houses])
    for house in houses:
        lines += [
            Line(
                f"p{each.id}",
                each.code,
                each.name,
                "",
                house.organisation,
                house.name,
                house.name_en,
                house.side,
                each.phone,
                each.attendance,
                each.checked_in_at,
                first.get(house.organisation),
                house.organisation in over,
                alike.get(house.organisation),
            )
            for each in persons.get(house.id, ())
        ]
        if house.id not in persons:
            lines.append(
                Line(
                    f"o{house.organisation}",
                    code_of_invitation(house.id),
                    house.name,
                    house.name_en,
                    house.organisation,
                    house.name,
                    house.name_en,
                    house.side,
                    "",
                    house.attendance,
                    None,
                    first.get(house.organisation),
                    house.organisation in over,
                    alike.get(house.organisation),
                )
            )
    return lines


@get("/town/meetings/{meeting_id:int}/checkin", guards=OFFICIAL)
async def door(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """Show everybody awaited, with a search; a phone keeps the page and works on without a network."""
    meeting = await own_meeting(meeting_id, viewer)
    lines = await lines_of(meeting)
    words = request.query_params.get("q", "")[:100].strip()
    response = show(
        request,
        "meetings/checkin.html",
        fragment="meetings/checkin_list.html",
        meeting=meeting,
        lines=[each for each in lines if each.is_meant(words)] if words else lines,
        everybody=lines,
        words=words,
        key=new_key(),
        here=sum(each.attendance == "checked_in" for each in lines),
        unknown=await unknown_scans(meeting_id=meeting.id),
        is_open=is_open(meeting),
        why_closed=why_closed(meeting),
        # what is read on the day before the beginning waits in the phone; before the day nothing is read
        is_early=meeting.held_on > clock.today(),
        today=clock.today(),
        MEETING=MEETING,
        ATTENDANCE=ATTENDANCE,
    )
    response.headers.update(CAMERA)
    return response


@post("/town/meetings/{meeting_id:int}/checkin", guards=OFFICIAL)
async def press(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Check one person, or an organisation that named nobody, in or out, or undo it; twice is harmless."""
    filled = await _PRESS.read(request)
    filled.check()
    meeting = await own_meeting(meeting_id, viewer)
    who, _, move = filled.values["act"].partition(":")
    number = who[1:]
    if who[:1] not in ("p", "o") or not number.isdecimal() or len(number) > 18 or move not in _MOVES:
        raise NotFound(msg("没有这一步，请回到签到页面操作。"))
    await _move(
        meeting,
        viewer,
        move,
        person=int(number) if who[0] == "p" else None,
        house=int(number),
        key=f"{filled.values['key'] or new_key()}:{who}:{move}",
    )
    words = filled.values["q"]
    path = f"/town/meetings/{meeting.id}/checkin"
    # the search begins anew: the next one at the door is somebody else
    return redirect(request, path if words else f"{path}#{who}", toast=_MOVES[move])


_MOVES: dict[str, Message] = {
    "check_in": msg("已签到。"),
    "leave": msg("已离场。"),
    "undo_check_in": msg("签到已撤销，按没有签到过算。"),
}
#: Where each move leads; what a mistake leads back to stood before it.
_LEADS = {"check_in": ("checked_in",), "leave": ("left",), "undo_check_in": ("expected", "no_show")}


async def _move(
    meeting: MeetingRow, viewer: Viewer, move: str, *, person: int | None, house: int, key: str
) -> None:
    """Make a move for a person, or for the organisation ``house``; where it is made already, do nothing.

    Raises:
        Conflict: the door is not open, or somebody who sat at a table would not have come.
        NotFound: nobody there by that number.
    """
    actor, at = accounts.actor(viewer, "official"), clock.now()
    try:
        if person is not None:
            await mark_person(
                attendee_id=row_number(person),
                meeting_id=meeting.id,
                move=move,
                town_id=viewer.organisation_id,
                actor=actor,
                at=at,
                key=key,
            )
        else:
            await mark_attendance(
                meeting_id=meeting.id,
                organisation_id=row_number(house),
                move=move,
                town_id=viewer.organisation_id,
                actor=actor,
                at=at,
            )
    except WrongState:
        act = f"p{person}" if person is not None else f"o{house}"
        if any(each.act == act and each.attendance not in _LEADS[move] for each in await lines_of(meeting)):
            raise


class _Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a phone sends. ``sent_at`` by its own clock."""

    sent_at: datetime
    scans: list[Any]


@post("/town/meetings/{meeting_id:int}/scans", guards=OFFICIAL, status_code=200)
async def scans(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Take readings that a phone has kept, and answer each by its key; sent again they change nothing."""
    body = await request.body()
    try:
        if len(body) > _MOST_BYTES:
            raise ValueError
        batch = msgspec.json.decode(body, type=_Batch)
        if batch.sent_at.tzinfo is None:
            raise ValueError
    except (ValueError, msgspec.DecodeError, RecursionError) as error:
        raise Invalid(msg("签到数据读不出来，请刷新签到页面再传。")) from error
    good, bad = read_scans(batch.scans)
    answers = await take_scans(
        meeting_id=row_number(meeting_id),
        town_id=viewer.organisation_id,
        scans=good,
        sent_at=batch.sent_at,
        actor=accounts.actor(viewer, "official"),
        at=clock.now(),
    )
    told = {"answers": [*answers, *({"key": key, "status": "refused"} for key in bad)]}
    return Response(
        msgspec.json.encode(told), media_type="application/json", headers={"cache-control": "no-store"}
    )


@post("/town/meetings/{meeting_id:int}/scans/{scan_id:int}/mend", guards=OFFICIAL)
async def mend(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], scan_id: FromPath[int]
) -> Response[bytes]:
    """Say whose badge it was that nobody knows, or set the reading aside."""
    filled = await _MEND.read(request)
    filled.check()
    meeting = await own_meeting(meeting_id, viewer)
    path = f"/town/meetings/{meeting.id}/checkin#unknown"
    words = filled.values["attendee"]
    attendee = None
    if words:
        meant = [each for each in await lines_of(meeting) if each.act[0] == "p" and _is_named(each, words)]
        if len(meant) != 1:
            return redirect(
                request, path, toast=msg("名单里没有唯一的“{name}”，请从列出的人里选。", name=words[:40])
            )
        attendee = int(meant[0].act[1:])
    await mend_scan(
        scan_id=row_number(scan_id),
        attendee_id=attendee,
        meeting_id=meeting.id,
        town_id=viewer.organisation_id,
        actor=accounts.actor(viewer, "official"),
        at=clock.now(),
    )
    return redirect(request, path, toast=msg("已处理。"))


def _is_named(line: Line, words: str) -> bool:
    return words in (*line.names, line.code, *line.badge_names)


@get("/checkin/{code:str}")
async def badge(request: WebRequest, guest: Anybody, code: FromPath[str]) -> Response[str]:
    """What a badge's code opens: for the town's officials the button, for others whom to turn to."""
    found = await badge_of(code=code[:100])
    meeting = await meeting_of(meeting_id=found.meeting, organisation_id=found.town)
    if guest is None or not _may(guest, found):
        return show(request, "meetings/badge_guest.html", meeting=meeting, is_known=guest is not None)
    first, over = turns_of(meeting, await talks_of_day(meeting_id=meeting.id))
    return show(
        request,
        "meetings/badge.html",
        meeting=meeting,
        badge=found,
        code=code,
        first=first.get(found.organisation),
        is_over=found.organisation in over,
        is_open=is_open(meeting),
        why_closed=why_closed(meeting),
        ATTENDANCE=ATTENDANCE,
    )


def _may(viewer: Viewer, found: Badge) -> bool:
    return "official" in viewer.sides and viewer.organisation_id == found.town


@post("/checkin/{code:str}", guards=OFFICIAL)
async def badge_press(request: WebRequest, viewer: SignedIn, code: FromPath[str]) -> Response[bytes]:
    """Check the bearer of a badge in or out, or take a mistaken check-in back."""
    filled = await _PRESS.read(request)
    filled.check()
    found = await badge_of(code=code[:100])
    move = filled.values["act"]
    if not _may(viewer, found) or move not in _MOVES:
        raise NotFound(msg("没有这个胸牌码，请到签到台查。"))
    meeting = await own_meeting(found.meeting, viewer)
    key = f"{filled.values['key'] or new_key()}:p{found.attendee}:{move}"
    await _move(meeting, viewer, move, person=found.attendee, house=0, key=key)
    return redirect(request, f"/checkin/{code}", toast=_MOVES[move])


@get("/checkin/worker.js", opt={"exclude_from_auth": True}, sync_to_thread=False)
def worker() -> Response[bytes]:
    """The script that keeps the door's page on the phone: it may look after every page of a door."""
    return Response(
        assets.manifest()["checkin_worker.js"].plain,
        media_type="text/javascript",
        headers={"service-worker-allowed": "/", "cache-control": "no-cache"},
    )


routes: list[ControllerRouterHandler] = [door, press, scans, mend, worker, badge, badge_press]
