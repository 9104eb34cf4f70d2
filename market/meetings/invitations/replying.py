"""Answering an invitation by its link, or handing it on: who comes, and a word to the town."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.operations import NewOrganisation, register_organisation
from market.accounts.rules import MEDIA, RETAILER, SELLING_KINDS, VILLAGE, Actor, is_phone
from market.audit.operations import record
from market.db.session import execute, fetch, fetch_value, transaction
from market.errors import Conflict, Invalid
from market.i18n import Message, msg, named
from market.meetings import rules
from market.meetings.invitations.persons import LONGEST_NAME, NewAttendee, set_attendees
from market.meetings.invitations.queries import openable
from market.meetings.operations import respond
from market.meetings.planning.publishing import hold_timetable
from market.meetings.planning.taking_over import take_over
from market.notices.operations import notify

LONGEST_NOTE = 300
LONGEST_ORGANISATION = 60
#: What an organisation is that somebody of this side brings in; the town can put it right.
KIND_OF_SIDE = {"buyer": RETAILER, "seller": VILLAGE, "guest": MEDIA}


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An answer (accepted, tentative or declined), with everybody who comes."""

    answer: str
    persons: tuple[NewAttendee, ...] = ()
    note: str = ""


class Delegation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whom an invitation is passed on to: another organisation, and whom to ask for there."""

    organisation: str
    person: str = ""
    phone: str = ""
    note: str = ""


async def _locked(invitation_id: int, version: int) -> Record:
    """Lock the invitation for an answer: a link that is being withdrawn either comes first or waits.

    Raises:
        LinkGone: the link was withdrawn or renewed.
        Conflict: it is too late for an answer.
    """
    rows = await fetch(
        """SELECT invitation.*, meeting.state AS meeting_state, meeting.town, meeting.title, meeting.title_en,
                  organisation.name, organisation.name_en, organisation.kind
           FROM invitation JOIN meeting ON meeting.id = invitation.meeting
           JOIN organisation ON organisation.id = invitation.organisation
           WHERE invitation.id = $1 FOR UPDATE OF invitation""",
        invitation_id,
    )
    row = openable(rows, version)
    if row["meeting_state"] not in rules.PLANNABLE or row["state"] == "expired":
        raise Conflict(msg("会议已开始或已取消，不能再改回复。"))
    return row


async def _hold_timetable(invitation_id: int, where: str) -> None:
    """Hold the meeting, before the invitation, where the answer is to move talks."""
    for row in await fetch(
        f"SELECT meeting FROM invitation WHERE id = $1 AND {where}",  # noqa: S608  our own words
        invitation_id,
    ):
        await hold_timetable(row["meeting"])


def acting_for(row_side: str, organisation: int, person_id: int | None) -> Actor:
    """Return who answers: whoever holds the link speaks for the invited, signed in or not."""
    return Actor(person_id, organisation, row_side)


async def reply(
    *, invitation_id: int, version: int, reply: Reply, person_id: int | None, at: datetime
) -> tuple[str, ...]:
    """Answer by the link, as often as one likes until the meeting begins.

    Returns the phone numbers that also come for somebody else: one person, two organisations.

    Raises:
        LinkGone: the link was withdrawn or renewed.
        Conflict: the meeting has begun.
        Invalid: no such answer, or with every person's faults (``name_1``, ``phone_1``, ...).
    """
    if len(reply.note) > LONGEST_NOTE:
        problem = msg("留言最多 {most} 个字。", most=LONGEST_NOTE)
        raise Invalid(problem, {"note": problem})
    async with transaction():
        await _hold_timetable(invitation_id, "state = 'delegated'")
        row = await _locked(invitation_id, version)
        actor = acting_for(row["side"], row["organisation"], person_id)
        if row["state"] != reply.answer:
            await respond(
                meeting_id=row["meeting"],
                organisation_id=row["organisation"],
                answer=reply.answer,
                actor=actor,
                at=at,
            )
        await execute(
            "UPDATE invitation SET note = $2, responded_at = $3 WHERE id = $1", invitation_id, reply.note, at
        )
        if reply.note and reply.note != row["note"]:
            await _tell_town(
                row,
                kind="invitation_note",
                message=msg("{name} 留言：{note}", name=named(row, "name"), note=reply.note),
                at=at,
            )
        if reply.answer == "declined":
            return ()
        return await set_attendees(
            meeting_id=row["meeting"],
            organisation_id=row["organisation"],
            persons=reply.persons,
            actor=actor,
            at=at,
        )


async def delegate(
    *, invitation_id: int, version: int, delegation: Delegation, person_id: int | None, at: datetime
) -> int:
    """Pass an invitation on; return the number of the delegate's own invitation.

    The delegate is asked in its own right: it gets its own link from the town, this link does not open it.
    An organisation that we do not know yet is written down, for the town to check. The delegate takes over
    the talks that were arranged (:mod:`market.meetings.planning.taking_over` says which and where).

    Raises:
        LinkGone, Conflict: as :func:`reply`; also where the delegate has passed its own one on.
        Invalid: with every field that is wrong.
    """
    if problems := delegation_problems(delegation):
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    async with transaction():
        await _hold_timetable(invitation_id, "true")
        row = await _locked(invitation_id, version)
        actor = acting_for(row["side"], row["organisation"], person_id)
        state = rules.INVITATION.apply("delegate", state=row["state"], by=row["side"])
        organisation = await _organisation(delegation.organisation, row, at=at)
        if organisation == row["organisation"]:
            problem = msg("这就是贵单位自己。换个人来，请在“谁来参加”里写他的名字。")
            raise Invalid(problem, {"organisation": problem})
        delegate_id = await _invite_delegate(row, organisation, delegation, actor=actor, at=at)
        await execute(
            """UPDATE invitation SET state = $2, delegated_to = $3, responded_at = $4, note = $5
               WHERE id = $1""",
            invitation_id,
            state,
            organisation,
            at,
            delegation.note,
        )
        if row["side"] != "guest":
            await take_over(
                meeting_id=row["meeting"],
                delegator=row["organisation"],
                delegate=organisation,
                side=row["side"],
                at=at,
            )
        await record(
            subject=f"meeting:{row['meeting']}",
            action="delegate",
            actor=actor,
            at=at,
            details={"organisation": row["organisation"], "to": organisation},
        )
        await _tell_town(
            row,
            kind="invitation_delegated",
            message=msg(
                "{name} 委托 {other} 参加“{title}”，请把邀请链接发给对方。",
                name=named(row, "name"),
                other=delegation.organisation,
                title=named(row, "title"),
            ),
            at=at,
        )
    return delegate_id


def delegation_problems(delegation: Delegation) -> dict[str, Message]:
    """Return field -> what is wrong; empty where the invitation can be passed on."""
    problems: dict[str, Message] = {}
    if not delegation.organisation.strip():
        problems["organisation"] = msg("请写受托单位的名称。")
    elif len(delegation.organisation) > LONGEST_ORGANISATION:
        problems["organisation"] = msg("单位名称最多 {most} 个字。", most=LONGEST_ORGANISATION)
    if len(delegation.person) > LONGEST_NAME:
        problems["person"] = msg("姓名最多 {most} 个字。", most=LONGEST_NAME)
    if delegation.phone and not is_phone(delegation.phone):
        problems["phone"] = msg("手机号应是 11 位数字，以 1 开头。")
    if delegation.phone and not delegation.person.strip():
        problems["person"] = msg("请写到场人的姓名。")
    if len(delegation.note) > LONGEST_NOTE:
        problems["note"] = msg("留言最多 {most} 个字。", most=LONGEST_NOTE)
    return problems


async def _organisation(name: str, row: Record, *, at: datetime) -> int:
    """Return the organisation of this very name that can stand on this side, or a new one."""
    kinds = {"buyer": {RETAILER}, "seller": SELLING_KINDS}.get(row["side"])
    known: int | None = await fetch_value(
        """SELECT id FROM organisation WHERE name = $1 AND kind <> 'town'
             AND ($2::text[] IS NULL OR kind = ANY($2)) ORDER BY id LIMIT 1""",
        name.strip(),
        sorted(kinds) if kinds else None,
    )
    if known is not None:
        return known
    return await register_organisation(
        organisation=NewOrganisation(kind=row["kind"], name=name.strip(), town_id=None), at=at
    )


async def _invite_delegate(
    row: Record, organisation: int, delegation: Delegation, *, actor: Actor, at: datetime
) -> int:
    reason = msg("受 {name} 委托参加。", name=named(row, "name"))
    number: int | None = await fetch_value(
        """INSERT INTO invitation (meeting, organisation, side, state, attendance, reason, source,
                                   created_at)
           VALUES ($1, $2, $3, $4, $5, $6, 'delegated', $7)
           ON CONFLICT (meeting, organisation) DO NOTHING RETURNING id""",
        row["meeting"],
        organisation,
        row["side"],
        rules.INVITATION.start,
        rules.ATTENDANCE.start,
        msgspec.json.encode(reason).decode(),
        at,
    )
    is_new = number is not None
    if number is None:
        number = await _known_delegate(row["meeting"], organisation, row["side"], delegation)
    if delegation.person and is_new:
        await set_attendees(
            meeting_id=row["meeting"],
            organisation_id=organisation,
            persons=[NewAttendee(delegation.person, phone=delegation.phone)],
            actor=actor,
            at=at,
        )
    await notify(
        organisation_id=organisation,
        kind="meeting_invitation",
        message=msg(
            "{name} 委托您参加“{title}”，请回复是否到场。", name=named(row, "name"), title=named(row, "title")
        ),
        link=f"/meetings/{row['meeting']}",
        at=at,
    )
    return number


async def _known_delegate(meeting_id: int, organisation: int, side: str, delegation: Delegation) -> int:
    """Return the invitation that the delegate has already; the answer that it gave stays."""
    known = (
        await fetch(
            """SELECT id, side, state, source FROM invitation WHERE meeting = $1 AND organisation = $2
               FOR UPDATE""",
            meeting_id,
            organisation,
        )
    )[0]
    if known["side"] != side:
        problem = msg("{name} 在会上是另一方，请换一个单位。", name=delegation.organisation)
        raise Invalid(problem, {"organisation": problem})
    if known["state"] == "delegated":
        problem = msg("{name} 自己也已委托别人，请换一个单位。", name=delegation.organisation)
        raise Invalid(problem, {"organisation": problem})
    if known["state"] == "declined":
        problem = msg("{name} 已回复不来，请换一个单位，或请它先改回参加。", name=delegation.organisation)
        raise Invalid(problem, {"organisation": problem})
    if known["state"] == "revoked":
        if known["source"] != "delegated":
            problem = msg(
                "主办方没有请 {name} 到会，请换一个单位，或联系主办的镇里。", name=delegation.organisation
            )
            raise Invalid(problem, {"organisation": problem})
        await execute(
            "UPDATE invitation SET state = $2, responded_at = NULL WHERE id = $1",
            known["id"],
            rules.INVITATION.start,
        )
    return int(known["id"])


async def _tell_town(row: Record, *, kind: str, message: Message, at: datetime) -> None:
    await notify(
        organisation_id=row["town"],
        kind=kind,
        message=message,
        link=f"/town/meetings/{row['meeting']}/invitations",
        at=at,
    )


def persons_from(typed: Sequence[tuple[str, str, str]]) -> tuple[NewAttendee, ...]:
    """Return the persons of a form's lines (name, title, phone); lines left empty are none."""
    return tuple(NewAttendee(*line, line=n) for n, line in enumerate(typed, 1) if any(line))
