"""Docking meetings: for officials opening, planning and holding them; for guests answers and talks."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.accounts.rules import actor
from market.api import meeting_after, meeting_day, samples, talk_notes, talk_results
from market.api.handling import acting, deed, do_once, read
from market.api.inputs import (
    IdempotencyKey,
    Line,
    PathId,
    Prose,
    Reader,
    SignedIn,
)
from market.api.outputs import Moved, told
from market.db.replay import once
from market.meetings import operations, queries
from market.meetings.commands import (
    END_OF_DAY,
    LONGEST_TITLE,
    MOST_DAYS,
    MOST_MUSTS,
    MOST_PERSONS,
    MOST_SLOTS,
    MOST_TABLES,
    NewMeeting,
)
from market.meetings.planning.plan import open_meeting, request_plan
from market.meetings.planning.publishing import publish_timetable
from market.meetings.queries import TopicRow

Move = Literal["start", "close", "postpone", "cancel", "finish_follow_up"]
_Title = Annotated[str, Meta(max_length=LONGEST_TITLE, pattern=r"^[^\x00-\x1f\x7f]*$")]

_Quota = Annotated[int, Meta(ge=1, le=MOST_SLOTS * MOST_DAYS)]
_Slot = Annotated[int, Meta(ge=1, le=MOST_SLOTS * MOST_DAYS)]


class MeetingToOpen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`starts_at` in minutes after midnight; `half_day_after`: slots before the noon pause, null for none.

    `slots` are those of one day; `blocked_slots`, without talks, are numbered on through all `days`. The
    quotas `most_appointments`, `most_of_sellers`, `most_of_buyers` count one participant's talks,
    `most_of_one_person` those of a person who comes for several, all of these together,
    `most_musts` the wishes that it may call a must; `fairness` is the most that two participants' breaks
    may differ. Null: no limit. `is_public` opens a page where anybody may register.
    """

    title: _Title
    held_on: date
    venue: Line
    title_en: _Title = ""
    venue_en: Line = ""
    programme: Prose = ""
    programme_en: Prose = ""
    starts_at: Annotated[int, Meta(ge=0, le=END_OF_DAY)] = 9 * 60
    slot_minutes: Annotated[int, Meta(ge=5, le=240)] = 20
    slots: Annotated[int, Meta(ge=1, le=MOST_SLOTS)] = 10
    tables: Annotated[int, Meta(ge=1, le=MOST_TABLES)] = 20
    half_day_after: Annotated[int, Meta(ge=1, le=MOST_SLOTS)] | None = None
    pause_minutes: Annotated[int, Meta(ge=0, le=240)] = 60
    most_appointments: _Quota | None = None
    invite_media: bool = True
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = 1
    blocked_slots: Annotated[tuple[_Slot, ...], Meta(max_length=MOST_SLOTS * MOST_DAYS)] = ()
    most_of_sellers: _Quota | None = None
    most_of_buyers: _Quota | None = None
    most_of_one_person: _Quota | None = None
    most_musts: Annotated[int, Meta(ge=0, le=MOST_MUSTS)] = 3
    fairness: Annotated[int, Meta(ge=0, le=MOST_SLOTS)] | None = 2
    capacity: Annotated[int, Meta(ge=1, le=MOST_PERSONS)] | None = None
    weather_plan: Prose = ""
    weather_plan_en: Prose = ""
    contact: Line = ""
    contact_phone: Line = ""
    answer_by: date | None = None
    wishes_by: date | None = None
    is_public: bool = False


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    answer: Literal["accepted", "tentative", "declined"]


class Sure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body may be left away."""

    #: What would be lost or left open is known, and meant: without this it is asked back.
    sure: bool = False


_NOT_SURE = Sure()


class MeetingView(msgspec.Struct, frozen=True):
    """Fields as in `MeetingToOpen`. `timetable` holds the scheduler's figures; its `proven` names the levels
    of the objective that are proven, in order. `published_at`: since when participants see their talks.
    `trouble`: why the last planning was not kept; with `asks_back` only because talks that participants know
    of would be lost, and `sure` has it kept all the same.
    """

    id: int
    town: int
    town_name: str
    town_name_en: str
    run: int | None
    title: str
    title_en: str
    held_on: date
    starts_at: int
    slot_minutes: int
    slots: int
    tables: int
    half_day_after: int | None
    pause_minutes: int
    venue: str
    venue_en: str
    programme: str
    programme_en: str
    state: str
    timetable: dict[str, Any] | None
    trouble: str | None
    asks_back: bool
    planning: bool
    created_at: datetime
    days: int
    blocked_slots: list[int]
    most_appointments: int | None
    most_of_sellers: int | None
    most_of_buyers: int | None
    most_of_one_person: int | None
    most_musts: int
    fairness: int | None
    capacity: int | None
    weather_plan: str
    weather_plan_en: str
    contact: str
    contact_phone: str
    answer_by: date | None
    wishes_by: date | None
    is_public: bool
    published_at: datetime | None


class InvitationView(msgspec.Struct, frozen=True):
    """`attendance` is today's while a meeting of several days is on; `days_here`: the days, from 1, on which
    they came.
    """

    id: int
    meeting: int
    organisation: int
    name: str
    name_en: str
    kind: str
    side: str
    state: str
    attendance: str
    reason: str
    responded_at: datetime | None
    days_here: list[int]


class AppointmentView(msgspec.Struct, frozen=True):
    """A talk. `fixed`: the town has put it where it is. `called_off`: one side does not come, so it is not
    held, though it has its place until the timetable is laid anew. `missed`: one side did not come. `why`:
    why these two meet. `started_at`, `ended_at`: when they sat down and rose, where that was noted.
    """

    id: int
    meeting: int
    seller: int
    seller_name: str
    seller_name_en: str
    buyer: int
    buyer_name: str
    buyer_name_en: str
    slot: int | None
    table_number: int | None
    state: str
    outcome: str | None
    reason_zh: str | None
    reason_en: str | None
    note: str
    fixed: bool
    called_off: bool
    missed: bool
    why: str | None
    started_at: datetime | None
    ended_at: datetime | None
    topics: list[TopicRow]


class Opened(msgspec.Struct, frozen=True):
    meeting_id: int


@read("/meetings")
async def index(viewer: SignedIn, language: Reader) -> list[MeetingView]:
    """The meetings that your organisation holds or is invited to, the latest first."""
    rows = await queries.meetings_of(organisation_id=viewer.organisation_id)
    return [told(MeetingView, row, language) for row in rows]


@read("/meetings/{meeting_id:int}")
async def one(viewer: SignedIn, language: Reader, meeting_id: PathId) -> MeetingView:
    """One meeting."""
    row = await queries.meeting_of(meeting_id=meeting_id, organisation_id=viewer.organisation_id)
    return told(MeetingView, row, language)


@read("/meetings/{meeting_id:int}/appointments")
async def appointments(viewer: SignedIn, language: Reader, meeting_id: PathId) -> list[AppointmentView]:
    """The timetable by slot and table: all of it for the town, a guest's own talks once published."""
    meeting = await queries.meeting_of(meeting_id=meeting_id, organisation_id=viewer.organisation_id)
    own = None if meeting.town == viewer.organisation_id else viewer.organisation_id
    rows = await queries.appointments_of_meeting(meeting_id=meeting_id, organisation_id=own)
    return [told(AppointmentView, row, language) for row in rows]


@read("/meetings/{meeting_id:int}/invitations")
async def invitations(viewer: SignedIn, language: Reader, meeting_id: PathId) -> list[InvitationView]:
    """Who is invited, why, and what they answered: all for the town, one's own for its guests."""
    meeting = await queries.meeting_of(meeting_id=meeting_id, organisation_id=viewer.organisation_id)
    return [
        told(InvitationView, row, language)
        for row in await queries.invitations_of(meeting_id=meeting_id)
        if viewer.organisation_id in (meeting.town, row.organisation)
    ]


@deed("/meetings", body=MeetingToOpen, status=201)
async def open_one(viewer: SignedIn, data: JSONBody[MeetingToOpen], key: IdempotencyKey = None) -> Opened:
    """Open a meeting of your town; nobody is invited before it is planned, media apart."""
    by, at = actor(viewer, "official"), clock.now()
    meeting = NewMeeting(**{name: getattr(data, name) for name in data.__struct_fields__})

    async def do() -> Opened:
        return Opened(await open_meeting(meeting=meeting, town_id=viewer.organisation_id, actor=by, at=at))

    return await once(key=key, person_id=viewer.person_id, request=meeting, reply_type=Opened, deed=do, at=at)


@deed("/meetings/{meeting_id:int}/plan", body=Sure, status=202, bare=True)
async def plan(
    viewer: SignedIn, meeting_id: PathId, data: JSONBody[Sure] = _NOT_SURE, key: IdempotencyKey = None
) -> Moved:
    """Queue the planning: whom to invite, who meets whom, when and where.

    A plan that would take talks off a published timetable is kept only if you are `sure`: else the meeting's
    `trouble` names them, and `asks_back` is true.
    """
    by = actor(viewer, "official")

    async def do(at: datetime) -> str:
        await request_plan(
            meeting_id=meeting_id, town_id=viewer.organisation_id, actor=by, at=at, sure=data.sure
        )
        return "planning"

    about = {"meeting": meeting_id, **({"sure": True} if data.sure else {})}
    return await do_once(viewer=viewer, key=key, name="meeting_plan", about=about, do=do)


@deed("/meetings/{meeting_id:int}/publish")
async def publish(viewer: SignedIn, meeting_id: PathId, key: IdempotencyKey = None) -> Moved:
    """Let the participants see their appointments, and tell everybody who is invited."""
    by = actor(viewer, "official")

    async def do(at: datetime) -> str:
        await publish_timetable(meeting_id=meeting_id, town_id=viewer.organisation_id, actor=by, at=at)
        return "published"

    return await do_once(viewer=viewer, key=key, name="meeting_publish", about={"meeting": meeting_id}, do=do)


@deed("/meetings/{meeting_id:int}/answer", body=Answer)
async def respond(
    viewer: SignedIn, meeting_id: PathId, data: JSONBody[Answer], key: IdempotencyKey = None
) -> Moved:
    """Answer your invitation."""

    async def do(at: datetime) -> str:
        await operations.respond(
            meeting_id=meeting_id,
            organisation_id=viewer.organisation_id,
            answer=data.answer,
            actor=acting(viewer, viewer.side),
            at=at,
        )
        return data.answer

    about = {"meeting": meeting_id, "answer": data.answer}
    return await do_once(viewer=viewer, key=key, name="meeting_answer", about=about, do=do)


@deed("/meetings/{meeting_id:int}/{move:str}", body=Sure, bare=True)
async def change(
    viewer: SignedIn,
    meeting_id: PathId,
    move: FromPath[Move],
    data: JSONBody[Sure] = _NOT_SURE,
    key: IdempotencyKey = None,
) -> Moved:
    """Start, close, postpone or cancel a meeting of your town.

    To close it while talks have no result, or days of it are still to come, you have to be `sure`: else that
    is asked back (422).
    """
    by = actor(viewer, "official")
    return await do_once(
        viewer=viewer,
        key=key,
        name=f"meeting_{move}",
        about={"meeting": meeting_id, **({"sure": True} if data.sure else {})},
        do=lambda at: operations.move_meeting(
            meeting_id=meeting_id,
            move=move,
            town_id=viewer.organisation_id,
            actor=by,
            at=at,
            sure=data.sure,
        ),
    )


@read("/appointments/{appointment_id:int}")
async def one_appointment(viewer: SignedIn, language: Reader, appointment_id: PathId) -> AppointmentView:
    """One talk with its topics, for its two sides and the town."""
    row = await queries.appointment_of(appointment_id=appointment_id, organisation_id=viewer.organisation_id)
    return told(AppointmentView, row, language)


routes: list[ControllerRouterHandler] = [
    index,
    one,
    appointments,
    invitations,
    open_one,
    plan,
    publish,
    respond,
    change,
    one_appointment,
    *talk_results.routes,
    *meeting_day.routes,
    *talk_notes.routes,
    *meeting_after.routes,
    *samples.routes,
]
