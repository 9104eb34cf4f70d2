"""The timetable as the official sees it: its proof, who sits where and when, and whom it leaves out."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.i18n import Message, message_from, msg, translate
from market.meetings.alike import told_apart
from market.meetings.invitations.wish_queries import unavailable_of
from market.meetings.planning.moving import mark_of
from market.meetings.planning.unmet import Partner, Unmet, Unreached, unmet_of
from market.meetings.planning.verdict import verdict_of
from market.meetings.queries import (
    AppointmentRow,
    InvitationRow,
    MeetingRow,
    appointments_of_meeting,
    invitations_of,
    left_out_of,
)
from market.meetings.rules import APPOINTMENT, MEETING, PLANNABLE
from market.web.edge.addresses import MOST_ID
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.meetings.grid import MOST_ACROSS, lines_of, slots_of_day, timetable
from market.web.meetings.running import SHOWN_OUTCOMES, own_meeting, planned_anew
from market.web.meetings.steps import steps_of
from market.web.parts import fields
from market.web.parts.forms import Form
from market.web.parts.told import plain, words_for
from market.web.parts.trade import name_in, show

#: What the page shows: by slot, or by participant of one side.
VIEWS = {"slots": msg("按时段"), "buyer": msg("按买方"), "seller": msg("按卖方")}


class Shown(msgspec.Struct, frozen=True):
    """What the address asks for: a view, a day (from 1), a participant, an appointment."""

    view: str
    day: int
    who: int | None
    talk: int | None

    def link(self, page: str, **changes: object) -> str:
        """Return the address of the same page with ``changes``."""
        wanted: dict[str, Any] = {**msgspec.structs.asdict(self), **changes}
        usual = {"view": "slots", "day": 1, "who": None, "talk": None}
        query = "&".join(f"{name}={value}" for name, value in wanted.items() if value != usual[name])
        return f"{page}/timetable" + (f"?{query}" if query else "")


def asked_for(request: WebRequest, meeting: MeetingRow) -> Shown:
    """Read the address; what cannot be read counts as not asked for."""
    query = request.query_params
    view = query.get("view", "slots")

    def number(name: str, most: int) -> int | None:
        text = query.get(name, "")
        found = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
        return found if 0 < found <= most else None

    return Shown(
        view if view in VIEWS else "slots",
        number("day", meeting.days) or 1,
        number("who", MOST_ID),
        number("talk", MOST_ID),
    )


class Without(msgspec.Struct, frozen=True):
    """A seller whose goods do not sell and whom no talk reaches, and why."""

    name: str
    name_en: str
    reason: Message


def without_talk(meeting: MeetingRow) -> list[Without]:
    """Return whom the plan leaves without any talk, as it was kept with its proof."""
    rows = (meeting.timetable or {}).get("without", [])
    return [Without(each["name"], each.get("name_en") or "", message_from(each["reason"])) for each in rows]


def suggested(unmet: Unreached) -> set[str]:
    """Return the talks that stand ticked: the best of each, if both are on the list and a place is free."""
    best = [(each, each.partners[0]) for each in unmet.shown if each.invited and each.partners]
    return {pair_text(each, one) for each, one in best if one.invited and one.place is not None}


def pair_text(one: Unmet, partner: Partner) -> str:
    """Return a talk that could be added as the form sends it: seller and buyer."""
    seller, buyer = one.pair(partner)
    return f"{seller}-{buyer}"


def no_time(
    talk: AppointmentRow, talks: Sequence[AppointmentRow], absences: Mapping[int, Sequence[int]]
) -> set[int]:
    """Return the slots in which one of a talk's two sides cannot have it."""
    both = (talk.seller, talk.buyer)
    away = {slot for one in both for slot in absences.get(one, ())}
    return away | {
        each.slot
        for each in talks
        if each.id != talk.id and each.slot is not None and (each.seller in both or each.buyer in both)
    }


def participants(guests: Sequence[InvitationRow]) -> list[InvitationRow]:
    """Return the sellers and buyers that have not said no."""
    return [
        each
        for each in guests
        if each.side != "guest" and each.state not in ("revoked", "declined", "expired")
    ]


@get("/town/meetings/{meeting_id:int}/timetable", guards=OFFICIAL)
async def page(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """Show the timetable, or only what concerns one participant."""
    meeting = await own_meeting(meeting_id, viewer)
    if "hx-request" in request.headers and not meeting.planning:
        # the page that waited for the timetable is drawn whole
        return Response("", headers={"hx-refresh": "true"}, media_type="text/html")
    return await draw(request, meeting)


async def draw(
    request: WebRequest,
    meeting: MeetingRow,
    *,
    talk: int | None = None,
    fault: Message | None = None,
    fault_at: str = "",
    typed: Mapping[str, str] | None = None,
    ticked: Collection[str] | None = None,
    status: int = 200,
) -> Response[str]:
    """Return the page as the address asks for it; ``talk`` is opened, with what is wrong about it.

    ``typed`` is what was sent (of a talk that is opened its slot and table), ``fault_at`` the field at fault.
    ``ticked`` are the talks that were to be added for those without one.
    """
    shown = asked_for(request, meeting)
    if talk is not None:
        shown = msgspec.structs.replace(shown, talk=talk)
    known = await appointments_of_meeting(meeting_id=meeting.id)
    talks = [each for each in known if each.state != "cancelled"]
    guests = await invitations_of(meeting_id=meeting.id)
    parties = participants(guests)
    numbers = slots_of_day(meeting, shown.day)
    tables, slots = timetable(meeting, talks, numbers=numbers)
    who = next((each for each in parties if each.organisation == shown.who), None)
    chosen = next((each for each in talks if each.id == shown.talk), None)
    language = language_of(request)
    steps = await steps_of(request, meeting)
    plannable = meeting.state in PLANNABLE and not meeting.planning
    unmet = (
        await unmet_of(meeting_id=meeting.id, town_id=meeting.town, at=clock.now())
        if plannable and meeting.timetable is not None
        else Unreached([], 0)
    )
    words = await words_for(language, messages=[each.why for each in unmet.shown if each.why is not None])
    alike = await told_apart([each.organisation for each in parties])
    picking = Form(
        who=fields.choice(
            msg("参加方"),
            {
                str(each.organisation): translate(alike[each.organisation], language)
                if each.organisation in alike
                else name_in(language, each, "name")
                for each in sorted(parties, key=lambda each: (each.side, each.name))
            },
            optional=True,
        )
    )
    return show(
        request,
        "meetings/step_timetable.html",
        fragment="meetings/planning.html",
        status=status,
        meeting=meeting,
        steps=steps,
        talks=talks,
        tables=tables,
        slots=slots,
        upright=len(tables) > MOST_ACROSS,
        lines=lines_of(meeting, guests, talks, side=shown.view, numbers=numbers)
        if shown.view != "slots"
        else [],
        numbers=list(numbers),
        shown=shown,
        views=VIEWS,
        who=who,
        own=[each for each in talks if who and who.organisation in (each.seller, each.buyer)],
        chosen=chosen,
        seen=mark_of(chosen.slot, chosen.table_number) if chosen else "",
        taken=no_time(chosen, talks, await unavailable_of(meeting.id)) if chosen else set(),
        picking=picking.blank(who=str(who.organisation)) if who else picking.blank(),
        left_out=await left_out_of(meeting_id=meeting.id),
        without=without_talk(meeting) if not plannable else [],
        unmet=unmet,
        why_of=lambda one: plain(one.why, words),
        ticked=suggested(unmet) if ticked is None else ticked,
        new_faces=any(
            not each.invited or any(not one.invited for one in each.partners) for each in unmet.shown
        ),
        verdict=await verdict_of(meeting, steps.standing),
        plannable=plannable,
        asks_back=meeting.asks_back,
        recordable=meeting.state in ("in_progress", "closed", "followed_up"),
        days=[
            (number, meeting.slot_day(slots_of_day(meeting, number)[0]))
            for number in range(1, meeting.days + 1)
        ],
        is_day=meeting.held_on <= clock.today(),
        names=SHOWN_OUTCOMES,
        MEETING=MEETING,
        APPOINTMENT=APPOINTMENT,
        pair_text=pair_text,
        fault=fault,
        fault_at=fault_at,
        typed=typed or {},
        waiting=[each for each in talks if each.slot is None],
        all_slots=[
            number for number in range(1, meeting.all_slots + 1) if number not in meeting.blocked_slots
        ],
        by_side={side: [each for each in parties if each.side == side] for side in ("seller", "buyer")},
    )


@post("/town/meetings/{meeting_id:int}/plan/sure", guards=OFFICIAL)
async def plan_sure(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Make the timetable anew although talks that participants know of are lost."""
    return await planned_anew(request, viewer, meeting_id, sure=True)


routes: list[ControllerRouterHandler] = [page, plan_sure]
