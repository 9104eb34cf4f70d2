"""An invitation by its link or QR code, without signing in: what for, and the answer."""

from typing import Any, NamedTuple

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.limits import count_try
from market.accounts.rules import masked
from market.errors import Conflict, Invalid
from market.i18n import Message, msg
from market.meetings.invitations.links import INVITATION_PATH, invitation_path, read_token
from market.meetings.invitations.persons import LONGEST_NAME, MOST_PERSONS, attendees_of
from market.meetings.invitations.queries import (
    InviteeRow,
    LinkGone,
    about_of,
    ended_link,
    invitee,
    invitee_of,
)
from market.meetings.invitations.replying import (
    LONGEST_NOTE,
    LONGEST_ORGANISATION,
    Delegation,
    Reply,
    delegate,
    persons_from,
    reply,
)
from market.meetings.queries import AppointmentRow, MeetingRow, appointments_of_meeting, meeting_of
from market.meetings.rules import APPOINTMENT, INVITATION, MEETING, PLANNABLE
from market.transitions import WrongState
from market.web.edge.addresses import row_number
from market.web.edge.guards import Anybody, SignedIn, WebRequest
from market.web.parts import fields
from market.web.parts.calendars import calendar_answer, ended_answer, site_address
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import show

#: Links that were never given out, from one address in one window of time.
WRONG_LINKS = 30
ANSWERS: dict[str, Message | str] = {
    "accepted": msg("参加"),
    "tentative": msg("可能参加"),
    "declined": msg("不参加"),
}
#: Lines for persons that stand open; the others are folded.
OPEN_LINES = 2


class Opened(NamedTuple):
    """What a link opens: this invitation, and of its meeting what the invited may know."""

    meeting: MeetingRow
    invited: InviteeRow


def _of(field: fields.Field, n: int) -> fields.Field:
    """Return a field of the person ``n``, so that a list of faults can say whose it is."""
    return msgspec.structs.replace(field, in_full=msg("第 {n} 人的{what}", n=n, what=field.label))


def reply_form() -> Form:
    """Return the form of an answer with room for everybody who may come."""
    persons: dict[str, fields.Field] = {}
    for n in range(1, MOST_PERSONS + 1):
        persons[f"name_{n}"] = _of(fields.text(msg("姓名"), most=LONGEST_NAME, optional=True), n)
        persons[f"title_{n}"] = _of(fields.text(msg("职务"), most=LONGEST_NAME, optional=True), n)
        persons[f"phone_{n}"] = _of(fields.phone(msg("手机号"), optional=True, may_be_hidden=True), n)
    return Form(
        answer=fields.choice(msg("您的答复"), ANSWERS, chips=True),
        **persons,
        note=fields.text(msg("给镇里留言"), most=LONGEST_NOTE, lines=True, optional=True),
    )


_DELEGATION = Form(
    organisation=fields.text(
        msg("受托单位"), most=LONGEST_ORGANISATION, hint=msg("写全称。镇里会把邀请链接另发给对方。")
    ),
    person=fields.text(msg("联系人"), most=LONGEST_NAME, optional=True),
    phone=fields.phone(msg("手机号"), optional=True),
    message=fields.text(msg("给镇里留言"), most=LONGEST_NOTE, lines=True, optional=True),
)


async def opened(request: WebRequest, token: str) -> Opened:
    """Return what the link opens.

    Raises:
        LinkGone: it opens nothing (any more).
        TooManyTries: this address has tried too many links that we never gave out.
    """
    found = read_token(token)
    if found is None:
        address = request.client.host if request.client else "-"
        await count_try(subject=f"link:{address}", most=WRONG_LINKS, at=clock.now())
        raise LinkGone(msg("这个邀请链接不完整或不对，请重新扫码，或整段复制后再打开。"))
    invited = await invitee(invitation_id=found[0], version=found[1])
    meeting = await meeting_of(meeting_id=invited.meeting, organisation_id=invited.organisation)
    return Opened(meeting, invited)


def can_reply(meeting: MeetingRow) -> bool:
    return meeting.state in PLANNABLE and meeting.held_on >= clock.today()


@get(INVITATION_PATH + "{token:str}")
async def page(request: WebRequest, token: FromPath[str]) -> Response[Any]:
    """Show the invitation with the answer that was given."""
    try:
        meeting, invited = await opened(request, token)
    except LinkGone as gone:
        return show(request, "invitation/gone.html", status=404, why=gone.message)
    return await _draw(request, token, meeting, invited, await _answered(meeting, invited))


async def _answered(meeting: MeetingRow, invited: InviteeRow) -> Filled:
    """Return the form as it was answered last; whoever opens it first finds "yes" chosen."""
    values: dict[str, object] = {
        "answer": invited.state if invited.state in ANSWERS else "accepted",
        "note": invited.note,
    }
    there = await attendees_of(
        meeting_id=meeting.id, organisation_id=invited.organisation, whatever_answer=True
    )
    for n, person in enumerate(there[:MOST_PERSONS], 1):
        values |= {f"name_{n}": person.name, f"title_{n}": person.title, f"phone_{n}": masked(person.phone)}
    return reply_form().blank(**values)


async def _draw(
    request: WebRequest,
    token: str,
    meeting: MeetingRow,
    invited: InviteeRow,
    form: Filled,
    *,
    delegation: Filled | None = None,
    status: int = 200,
) -> Response[str]:
    talks: list[AppointmentRow] = []
    if meeting.published_at is not None:
        talks = [
            each
            for each in await appointments_of_meeting(
                meeting_id=meeting.id, organisation_id=invited.organisation
            )
            if each.slot and each.state in ("scheduled", "held", "no_show")
        ]
    return show(
        request,
        "invitation/show.html",
        status=status,
        meeting=meeting,
        invited=invited,
        page_path=INVITATION_PATH + token,
        feed=_feed(request, token),
        about=await about_of(meeting_id=meeting.id, organisation_id=invited.organisation),
        talks=talks,
        form=form,
        lines=_lines(form),
        delegation=delegation or _DELEGATION.blank(),
        delegating=delegation is not None,
        can_reply=can_reply(meeting) and invited.state != "expired",
        MEETING=MEETING,
        INVITATION=INVITATION,
        APPOINTMENT=APPOINTMENT,
    )


def _feed(request: WebRequest, token: str) -> str:
    """Return the address that calendar programs subscribe to."""
    _, _, rest = site_address(request).partition("://")
    return f"webcal://{rest}{INVITATION_PATH}{token}/calendar.ics"


def _lines(form: Filled) -> tuple[list[int], list[int]]:
    """Return the lines that stand open, and those that are folded: every one that is filled is open."""
    filled = [
        n
        for n in range(1, MOST_PERSONS + 1)
        if any(form.text(f"{part}_{n}") or form.error(f"{part}_{n}") for part in ("name", "title", "phone"))
    ]
    last = max([OPEN_LINES, *filled])
    return list(range(1, last + 1)), list(range(last + 1, MOST_PERSONS + 1))


@post(INVITATION_PATH + "{token:str}")
async def answer(request: WebRequest, guest: Anybody, token: FromPath[str]) -> Response[Any]:
    """Take the answer; as often as one likes, the last one counts."""
    filled = await reply_form().read(request)
    try:
        meeting, invited = await opened(request, token)
        filled.check()
        values = filled.values
        # whoever has the link sees numbers with their middle hidden; those that come back so stay as they are
        known = {
            masked(each.phone): each.phone
            for each in await attendees_of(
                meeting_id=meeting.id, organisation_id=invited.organisation, whatever_answer=True
            )
        }
        shared = await reply(
            invitation_id=invited.id,
            version=invited.link_version,
            reply=Reply(
                values["answer"],
                persons_from(
                    [
                        (
                            values[f"name_{n}"] or "",
                            values[f"title_{n}"] or "",
                            known.get(values[f"phone_{n}"] or "", values[f"phone_{n}"] or ""),
                        )
                        for n in range(1, MOST_PERSONS + 1)
                    ]
                ),
                values["note"],
            ),
            person_id=guest.person_id if guest else None,
            at=clock.now(),
        )
    except LinkGone as gone:
        return show(request, "invitation/gone.html", status=404, why=gone.message)
    except Invalid as refused:
        return await _draw(request, token, meeting, invited, filled.refused(refused), status=422)
    except WrongState:
        raise
    except Conflict as refused:
        told = filled.refused(Invalid(refused.message))
        return await _draw(request, token, meeting, invited, told, status=409)
    done = msg("已回复：{answer}。", answer=ANSWERS[values["answer"]])
    if shared:
        done = msg("已回复。{phone} 也代表另一家到会，两家的洽谈不会排在同一时段。", phone=masked(shared[0]))
    return redirect(request, INVITATION_PATH + token, toast=done)


@post(INVITATION_PATH + "{token:str}/delegate")
async def pass_on(request: WebRequest, guest: Anybody, token: FromPath[str]) -> Response[Any]:
    """Pass the invitation on to another organisation."""
    filled = await _DELEGATION.read(request)
    try:
        meeting, invited = await opened(request, token)
        filled.check()
        values = filled.values
        await delegate(
            invitation_id=invited.id,
            version=invited.link_version,
            delegation=Delegation(
                values["organisation"],
                values["person"],
                values["phone"] or "",
                values["message"],
            ),
            person_id=guest.person_id if guest else None,
            at=clock.now(),
        )
    except LinkGone as gone:
        return show(request, "invitation/gone.html", status=404, why=gone.message)
    except Invalid as refused:
        form = await _answered(meeting, invited)
        told = filled.refused(refused)
        return await _draw(request, token, meeting, invited, form, delegation=told, status=422)
    except WrongState:
        if (await opened(request, token)).invited.state != "delegated":
            raise
    return redirect(
        request,
        INVITATION_PATH + token,
        toast=msg("已转交，镇里会联系 {name}。", name=filled.values["organisation"]),
    )


@get(INVITATION_PATH + "{token:str}/calendar.ics")
async def feed(request: WebRequest, token: FromPath[str]) -> Response[bytes]:
    """The invited's calendar, to download or to subscribe to; of a link that has ended, that it is no more.

    An error would leave in the phone whatever it was told last.
    """
    try:
        meeting, invited = await opened(request, token)
    except LinkGone:
        found = read_token(token)
        ended = found and await ended_link(invitation_id=found[0], version=found[1])
        if not found or not ended:
            raise
        return await ended_answer(request, ended, found[1])
    return await calendar_answer(request, meeting, invited)


@get("/meetings/{meeting_id:int}/persons")
async def mine(request: WebRequest, viewer: SignedIn, meeting_id: FromPath[int]) -> Response[bytes]:
    """Lead somebody who is invited and has signed in to the same page that the link opens."""
    row = await invitee_of(meeting_id=row_number(meeting_id), organisation_id=viewer.organisation_id)
    return redirect(request, invitation_path(row.id, row.link_version))


routes: list[ControllerRouterHandler] = [page, answer, pass_on, feed, mine]
