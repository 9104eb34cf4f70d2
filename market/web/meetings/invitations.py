"""A meeting's invitations as the town keeps account of them: answers, links, reminders, additions."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.accounts.rules import Viewer
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Language, Message, msg, translate
from market.meetings.invitations.inviting import REMIND_PAUSE, invite, invite_new, remind, renew_link, revoke
from market.meetings.invitations.links import invitation_path
from market.meetings.invitations.persons import LONGEST_NAME, AttendeeRow, attendees_of
from market.meetings.invitations.queries import (
    InviteeFilters,
    InviteeRow,
    answers_of,
    invitee_of_town,
    invitees_of,
    reminded_since,
    similar_organisations,
)
from market.meetings.invitations.registering import admit, refuse, registrations_of
from market.meetings.invitations.replying import LONGEST_ORGANISATION
from market.meetings.queries import MeetingRow
from market.meetings.rules import INVITATION, MEETING, PLANNABLE, REGISTRATION
from market.paging import filters_from_query, filters_to_query
from market.transitions import WrongState
from market.web.edge.addresses import row_number
from market.web.edge.guards import OFFICIAL, SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.meetings.running import own_meeting
from market.web.meetings.steps import steps_of
from market.web.parts import fields, formats
from market.web.parts.calendars import site_address
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.qr import qr_code
from market.web.parts.trade import BARE, KEY, do_once, name_in, new_key, show

_PAGE = "/town/meetings/{meeting_id:int}/invitations"
SIDES: dict[str, Message | str] = {"buyer": msg("买方"), "seller": msg("卖方"), "guest": msg("来宾")}
SOURCES: dict[str, Message] = {
    "planned": msg("按撮合结果"),
    "manual": msg("手工添加"),
    "registered": msg("公开报名"),
    "delegated": msg("受托参加"),
    "walk_in": msg("现场来的"),
    "media": msg("一并邀请的媒体"),
}


def source_of(row: InviteeRow) -> str:
    """Return where an invitation comes from: the media that come with every meeting are in no match."""
    return "media" if (row.side, row.source) == ("guest", "planned") else row.source


#: States in the order in which they are counted, and by which the list is filtered.
STATES = ("needs_action", "accepted", "tentative", "declined", "delegated", "revoked", "expired")
#: Days without an answer after which it is time to call.
LATE_DAYS = 3
#: Registrations that are compared with whom we know, on one page.
MOST_COMPARED = 40
_ADD = Form(
    name=fields.text(msg("单位名称"), most=LONGEST_ORGANISATION, hint=msg("已登记的写全称，会自动认出来。")),
    side=fields.choice(msg("以什么身份来"), SIDES, chips=True),
    person=fields.text(msg("联系人"), most=LONGEST_NAME, optional=True),
    phone=fields.phone(msg("手机号"), optional=True),
    #: An organisation that was picked, or 0: a new one although some have names like it.
    chosen=fields.hidden(int, optional=True),
    key=KEY,
)
_ADMIT = Form(chosen=fields.hidden(int, optional=True), key=KEY)


class Waiting(msgspec.Struct, frozen=True):
    """A registration that the town decides on, with the organisations that it may be of."""

    registration: Any
    alike: list[Any]


@get(_PAGE, guards=OFFICIAL)
async def index(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[str]:
    """Everybody invited, who has not answered first; filters live in the address."""
    meeting = await own_meeting(meeting_id, viewer)
    return await _draw(request, meeting, _ADD.blank(key=new_key()))


async def _draw(
    request: WebRequest,
    meeting: MeetingRow,
    form: Filled,
    *,
    alike: list[Any] | None = None,
    status: int = 200,
) -> Response[str]:
    trouble: Invalid | None = None
    try:
        pairs = [pair for pair in request.query_params.multi_items() if pair[0] != "lang"]
        filters = filters_from_query(InviteeFilters, pairs)
    except Invalid as refused:
        filters, trouble = InviteeFilters(), refused
    page = await invitees_of(meeting_id=meeting.id, filters=filters)
    persons: dict[int, list[AttendeeRow]] = {}
    phones: dict[str, set[int]] = {}
    for each in await attendees_of(meeting_id=meeting.id):
        persons.setdefault(each.invitation, []).append(each)
        if each.phone:
            phones.setdefault(each.phone, set()).add(each.invitation)
    waiting = [
        Waiting(
            each,
            await similar_organisations(meeting_id=meeting.id, name=each.organisation_name, phone=each.phone)
            if each.state == "pending" and place < MOST_COMPARED
            else [],
        )
        for place, each in enumerate(await registrations_of(meeting_id=meeting.id))
    ]
    counted = await answers_of(meeting_id=meeting.id)
    return show(
        request,
        "meetings/invitations.html",
        status=status if trouble is None else 422,
        meeting=meeting,
        steps=await steps_of(request, meeting),
        page_path=f"/town/meetings/{meeting.id}/invitations",
        rows=page,
        filters=filters,
        trouble=trouble,
        query=lambda **changed: filters_to_query(filters, **changed),
        counted=counted,
        totals=_totals(counted),
        persons=persons,
        shared={number for group in phones.values() if len(group) > 1 for number in group},
        coming=sum(len(group) for group in persons.values()),
        registrations=waiting,
        form=form,
        alike=alike or [],
        changeable=meeting.state in PLANNABLE,
        now=clock.now(),
        late_days=LATE_DAYS,
        states=STATES,
        sides=SIDES,
        MEETING=MEETING,
        INVITATION=INVITATION,
        REGISTRATION=REGISTRATION,
    )


def _totals(counted: dict[str, dict[str, int]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for states in counted.values():
        for state, n in states.items():
            totals[state] = totals.get(state, 0) + n
    return totals


@get(_PAGE + "/{invitation_id:int}", guards=OFFICIAL)
async def one(
    request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int], invitation_id: FromPath[int]
) -> Response[str]:
    """One invitation: its link as text and as QR code, who comes, and what can be done with it."""
    meeting = await own_meeting(meeting_id, viewer)
    row = await invitee_of_town(
        invitation_id=row_number(invitation_id), meeting_id=meeting.id, town_id=viewer.organisation_id
    )
    link = site_address(request) + invitation_path(row.id, row.link_version)
    return show(
        request,
        "meetings/invitation.html",
        meeting=meeting,
        steps=await steps_of(request, meeting),
        row=row,
        page_path=f"/town/meetings/{meeting.id}/invitations",
        link=link,
        code=qr_code(link),
        message=wechat_text(meeting, row, link, language_of(request)),
        persons=await attendees_of(meeting_id=meeting.id, organisation_id=row.organisation),
        changeable=meeting.state in PLANNABLE,
        now=clock.now(),
        sides=SIDES,
        source=SOURCES[source_of(row)],
        MEETING=MEETING,
        INVITATION=INVITATION,
    )


def wechat_text(meeting: MeetingRow, row: InviteeRow, link: str, language: Language) -> str:
    """Return the words that an official pastes into a chat."""
    title, venue = name_in(language, meeting, "title"), name_in(language, meeting, "venue")
    hours = f"{meeting.slot_label(1)[-11:-6]}–{meeting.slot_label(meeting.slots)[-5:]}"
    lines = [
        msg("{name}：", name=name_in(language, row, "name")),
        msg("{town}邀请您参加“{title}”。", town=name_in(language, meeting, "town_name"), title=title),
        msg("时间：{day} {hour}", day=formats.held_days(meeting, language), hour=hours),
        msg("地点：{venue}", venue=venue),
        row.reason,
        msg("请点开链接回复：{link}", link=link),
    ]
    return "\n".join(translate(line, language) for line in lines)


@post(_PAGE, guards=OFFICIAL)
async def add(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[Any]:
    """Invite somebody by hand; names like others we know are asked back first."""
    meeting = await own_meeting(meeting_id, viewer)
    filled = await _ADD.read(request)
    actor, at = accounts.actor(viewer, "official"), clock.now()
    try:
        filled.check()
        values = filled.values
        alike = await similar_organisations(
            meeting_id=meeting.id, name=values["name"], phone=values["phone"] or ""
        )
        chosen = values["chosen"]
        if chosen is None:
            exact = [each for each in alike if values["name"] in (each.name, each.name_en)]
            if len(exact) == 1:
                chosen = exact[0].id
            elif alike:
                return await _draw(request, meeting, filled, alike=alike)

        async def deed() -> int:
            if chosen:
                return await invite(
                    meeting_id=meeting.id,
                    organisation_id=row_number(chosen),
                    side=values["side"],
                    town_id=viewer.organisation_id,
                    actor=actor,
                    at=at,
                )
            return await invite_new(
                meeting_id=meeting.id,
                name=values["name"],
                side=values["side"],
                person=values["person"],
                phone=values["phone"] or "",
                town_id=viewer.organisation_id,
                actor=actor,
                at=at,
            )

        number = await do_once(
            viewer=viewer,
            key=values["key"],
            name="invite",
            about={"meeting": meeting.id, "name": values["name"], "chosen": chosen},
            deed=deed,
            at=at,
        )
    except Invalid as refused:
        return await _draw(request, meeting, filled.refused(refused), status=422)
    except Conflict as refused:
        told = filled.refused(Invalid(refused.message))
        return await _draw(request, meeting, told, status=409)
    return redirect(
        request,
        f"/town/meetings/{meeting.id}/invitations/{number}",
        toast=msg("已邀请 {name}，把链接发给对方就行。", name=values["name"]),
    )


@post(_PAGE + "/remind", guards=OFFICIAL)
async def remind_all(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Remind everybody who has not answered."""
    filled = await BARE.read(request)
    filled.check()
    meeting = await own_meeting(meeting_id, viewer)
    toast = await _remind(viewer, meeting, filled.values["key"], None)
    return redirect(request, f"/town/meetings/{meeting.id}/invitations", toast=toast)


async def _remind(viewer: Viewer, meeting: MeetingRow, key: str | None, ids: list[int] | None) -> Message:
    """Remind all who have not answered, or those of them; return what to say of it.

    The second press of one button is told what the first one did.
    """
    at = clock.now()

    async def deed() -> int:
        return await remind(
            meeting_id=meeting.id,
            invitation_ids=ids,
            town_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "official"),
            at=at,
        )

    about = {"meeting": meeting.id, "invitations": ids}
    count = int(await do_once(viewer=viewer, key=key, name="remind", about=about, deed=deed, at=at))
    if count:
        return msg("已提醒 {n} 家。", n=count)
    lately = await reminded_since(meeting_id=meeting.id, since=at - REMIND_PAUSE, invitation_ids=ids)
    if lately:
        return msg("{n} 家在一小时内刚提醒过，没有重复打扰。", n=lately)
    return msg("没有要提醒的：都回复了。")


@post(_PAGE + "/{invitation_id:int}/{deed:str}", guards=OFFICIAL)
async def act(
    request: WebRequest,
    viewer: SignedIn,
    meeting_id: FromPath[int],
    invitation_id: FromPath[int],
    deed: FromPath[str],
) -> Response[bytes]:
    """Remind, withdraw, restore, or give a new link; pressing twice is harmless."""
    filled = await BARE.read(request)
    filled.check()
    meeting = await own_meeting(meeting_id, viewer)
    row = await invitee_of_town(
        invitation_id=row_number(invitation_id), meeting_id=meeting.id, town_id=viewer.organisation_id
    )
    by: dict[str, Any] = {
        "meeting_id": meeting.id,
        "town_id": viewer.organisation_id,
        "actor": accounts.actor(viewer, "official"),
        "at": clock.now(),
    }
    if deed == "remind":
        toast = await _remind(viewer, meeting, filled.values["key"], [row.id])
    elif deed == "revoke":
        try:
            await revoke(invitation_id=row.id, **by)
        except WrongState:
            if row.state != "revoked":
                raise
        toast = msg("已撤回，以前的链接都打不开了。排好的洽谈请重新排桌。")
    elif deed == "restore":
        try:
            await invite(organisation_id=row.organisation, side=row.side, **by)
        except Conflict:
            if row.state in ("revoked", "expired"):
                raise
        toast = msg("已恢复邀请，链接是新的。")
    elif deed == "renew":
        await renew_link(invitation_id=row.id, **by)
        toast = msg("已换新链接，以前发出的打不开了，请把新的发给对方。")
    else:
        raise NotFound(msg("没有这一步，请回到邀请页面操作。"))
    return redirect(request, f"/town/meetings/{meeting.id}/invitations/{row.id}", toast=toast)


@post("/town/meetings/{meeting_id:int}/registrations/{registration_id:int}/{verdict:str}", guards=OFFICIAL)
async def decide(
    request: WebRequest,
    viewer: SignedIn,
    meeting_id: FromPath[int],
    registration_id: FromPath[int],
    verdict: FromPath[str],
) -> Response[bytes]:
    """Admit a registration, as somebody we know or as somebody new, or refuse it."""
    filled = await _ADMIT.read(request)
    filled.check()
    meeting = await own_meeting(meeting_id, viewer)
    by: dict[str, Any] = {
        "registration_id": row_number(registration_id),
        "meeting_id": meeting.id,
        "town_id": viewer.organisation_id,
        "actor": accounts.actor(viewer, "official"),
        "at": clock.now(),
    }
    if verdict == "admit":
        await admit(organisation_id=filled.values["chosen"] or None, **by)
        toast = msg("已接纳，对方从报名页的链接就能看到。")
    elif verdict == "refuse":
        await refuse(**by)
        toast = msg("已婉拒，对方从报名页的链接就能看到。")
    else:
        raise NotFound(msg("没有这一步，请回到邀请页面操作。"))
    return redirect(request, f"/town/meetings/{meeting.id}/invitations#registrations", toast=toast)


routes: list[ControllerRouterHandler] = [index, one, add, remind_all, act, decide]
