"""What the town does with invitations: add, withdraw, give a new link, remind."""

from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec
from asyncpg import Record

from market.accounts.operations import NewOrganisation, register_organisation
from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.session import execute, fetch, fetch_value, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg, named, on_day
from market.meetings import rules
from market.meetings.invitations.persons import NewAttendee, attendee_problems, set_attendees
from market.meetings.invitations.replying import KIND_OF_SIDE, LONGEST_ORGANISATION
from market.meetings.planning.publishing import hold_timetable
from market.meetings.planning.taking_off import take_off
from market.notices.operations import notify

#: Nobody is reminded by hand twice within this time: two officials, or one impatient finger.
REMIND_PAUSE = timedelta(hours=1)


async def _own_meeting(meeting_id: int, town_id: int) -> Record:
    rows = await fetch(
        """SELECT meeting.id, meeting.state, meeting.title, meeting.title_en, meeting.held_on,
                  organisation.name AS town_name, organisation.name_en AS town_name_en
           FROM meeting JOIN organisation ON organisation.id = meeting.town
           WHERE meeting.id = $1 AND meeting.town = $2""",
        meeting_id,
        town_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这场对接会。"))
    if rows[0]["state"] not in rules.PLANNABLE:
        raise Conflict(msg("会议已开始或已取消，不能再改邀请。"))
    return rows[0]


async def _own_invitation(invitation_id: int, meeting_id: int, town_id: int) -> Record:
    rows = await fetch(
        """SELECT invitation.* FROM invitation JOIN meeting ON meeting.id = invitation.meeting
           WHERE invitation.id = $1 AND invitation.meeting = $2 AND meeting.town = $3
           FOR UPDATE OF invitation""",
        invitation_id,
        meeting_id,
        town_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这份邀请。"))
    return rows[0]


async def invite(
    *,
    meeting_id: int,
    organisation_id: int,
    side: str,
    town_id: int,
    actor: Actor,
    at: datetime,
    source: str = "manual",
    reason: Message | None = None,
) -> int:
    """Invite an organisation by hand and tell it; return the invitation's number.

    An invitation that was withdrawn, or ended unanswered, is restored with a new link.

    Raises:
        NotFound: no such meeting of this town, or no such organisation.
        Conflict: it is invited already, or the meeting has begun.
        Invalid: no such side.
    """
    if side not in KIND_OF_SIDE:
        problem = msg("请选择：买方、卖方或来宾。")
        raise Invalid(problem, {"side": problem})
    async with transaction():
        meeting = await _own_meeting(meeting_id, town_id)
        name = await fetch_value(
            "SELECT name FROM organisation WHERE id = $1 AND kind <> 'town'", organisation_id
        )
        if name is None:
            raise NotFound(msg("没有找到这个单位。"))
        words = reason or msg("应 {town} 之邀到会。", town=named(meeting, "town_name"))
        rows = await fetch(
            """INSERT INTO invitation (meeting, organisation, side, state, attendance, reason, source,
                                       created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
               ON CONFLICT (meeting, organisation) DO UPDATE SET state = excluded.state,
                 side = excluded.side, reason = excluded.reason, source = excluded.source,
                 created_at = excluded.created_at, responded_at = NULL, reminded_at = NULL,
                 reminders = 0, delegated_to = NULL, link_version = invitation.link_version + 1
                 WHERE invitation.state IN ('revoked', 'expired')
               RETURNING id""",
            meeting_id,
            organisation_id,
            side,
            rules.INVITATION.start,
            rules.ATTENDANCE.start,
            msgspec.json.encode(words).decode(),
            source,
            at,
        )
        if not rows:
            raise Conflict(msg("{name} 已经在邀请名单里。", name=name))
        await record(
            subject=f"meeting:{meeting_id}",
            action="invite",
            actor=actor,
            at=at,
            details={"organisation": organisation_id, "source": source},
        )
        await _tell_invited(meeting, organisation_id, at=at)
    return int(rows[0]["id"])


async def invite_new(
    *,
    meeting_id: int,
    name: str,
    side: str,
    person: str,
    phone: str,
    town_id: int,
    actor: Actor,
    at: datetime,
    source: str = "manual",
    reason: Message | None = None,
) -> int:
    """Write down an organisation that is not here yet and invite it; return the invitation's number.

    Raises:
        Invalid: with every field that is wrong (``name``, ``side``, ``person``, ``phone``).
        NotFound, Conflict: as :func:`invite`.
    """
    problems: dict[str, Message] = {}
    if not name.strip():
        problems["name"] = msg("请写单位名称。")
    elif len(name) > LONGEST_ORGANISATION:
        problems["name"] = msg("单位名称最多 {most} 个字。", most=LONGEST_ORGANISATION)
    if side not in KIND_OF_SIDE:
        problems["side"] = msg("请选择：买方、卖方或来宾。")
    persons = [NewAttendee(person, phone=phone)] if person or phone else []
    for field, words in attendee_problems(persons).items():
        problems["person" if field.startswith("name") else "phone"] = words
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    async with transaction():
        organisation_id = await register_organisation(
            organisation=NewOrganisation(kind=KIND_OF_SIDE[side], name=name.strip(), town_id=None), at=at
        )
        number = await invite(
            meeting_id=meeting_id,
            organisation_id=organisation_id,
            side=side,
            town_id=town_id,
            actor=actor,
            at=at,
            source=source,
            reason=reason,
        )
        if persons:
            await set_attendees(
                meeting_id=meeting_id,
                organisation_id=organisation_id,
                persons=persons,
                actor=actor,
                at=at,
            )
    return number


async def _tell_invited(meeting: Record, organisation_id: int, *, at: datetime) -> None:
    await notify(
        organisation_id=organisation_id,
        kind="meeting_invitation",
        message=msg(
            "邀请您参加 {day} 的“{title}”，请回复是否到场。",
            day=on_day(meeting["held_on"]),
            title=named(meeting, "title"),
        ),
        link=f"/meetings/{meeting['id']}",
        at=at,
    )


async def ask_again(*, invitation_id: int, meeting_id: int, town_id: int, actor: Actor, at: datetime) -> None:
    """Ask somebody anew who has declined; the links that were given out still hold.

    Raises:
        NotFound: no such invitation of this town.
        Conflict: it has not declined, or the meeting has begun.
    """
    async with transaction():
        meeting = await _own_meeting(meeting_id, town_id)
        row = await _own_invitation(invitation_id, meeting_id, town_id)
        state = rules.INVITATION.apply("ask_again", state=row["state"], by="official")
        await execute(
            """UPDATE invitation SET state = $2, responded_at = NULL, reminded_at = NULL, reminders = 0
               WHERE id = $1""",
            invitation_id,
            state,
        )
        await record(
            subject=f"meeting:{meeting_id}",
            action="invite",
            actor=actor,
            at=at,
            details={"organisation": row["organisation"], "source": row["source"]},
        )
        await _tell_invited(meeting, row["organisation"], at=at)


async def revoke(*, invitation_id: int, meeting_id: int, town_id: int, actor: Actor, at: datetime) -> None:
    """Withdraw an invitation: its links die at once, the invited is told; talks that are out are off.

    Raises:
        NotFound: no such invitation of this town.
        Conflict: it was withdrawn before, or the meeting has begun.
    """
    async with transaction():
        await hold_timetable(meeting_id)
        meeting = await _own_meeting(meeting_id, town_id)
        row = await _own_invitation(invitation_id, meeting_id, town_id)
        state = rules.INVITATION.apply("revoke", state=row["state"], by="official")
        await execute(
            "UPDATE invitation SET state = $2, link_version = link_version + 1 WHERE id = $1",
            invitation_id,
            state,
        )
        await take_off(meeting_id, row["organisation"], at=at)
        await record(
            subject=f"meeting:{meeting_id}",
            action="revoke",
            actor=actor,
            at=at,
            details={"organisation": row["organisation"]},
        )
        await notify(
            organisation_id=row["organisation"],
            kind="invitation_revoked",
            message=msg("“{title}”的邀请已撤回，不必到会。", title=named(meeting, "title")),
            link="/meetings",
            at=at,
        )


async def renew_link(*, invitation_id: int, meeting_id: int, town_id: int, actor: Actor, at: datetime) -> int:
    """Make every link to the invitation that was given out worthless; return the new link's version.

    Raises:
        NotFound: no such invitation of this town.
        Conflict: it was withdrawn.
    """
    async with transaction():
        row = await _own_invitation(invitation_id, meeting_id, town_id)
        if row["state"] == "revoked":
            raise Conflict(msg("这份邀请已撤回，请先恢复。"))
        version: int = await fetch_value(
            "UPDATE invitation SET link_version = link_version + 1 WHERE id = $1 RETURNING link_version",
            invitation_id,
        )
        await record(
            subject=f"meeting:{meeting_id}",
            action="renew_link",
            actor=actor,
            at=at,
            details={"organisation": row["organisation"]},
        )
    return version


async def remind(
    *,
    meeting_id: int,
    invitation_ids: Collection[int] | None,
    town_id: int,
    actor: Actor,
    at: datetime,
) -> int:
    """Ask those who have not answered (all of them where ``invitation_ids`` is None); return how many.

    Whoever was reminded within the hour is left in peace.

    Raises:
        NotFound: no such meeting of this town.
        Conflict: it has begun or was cancelled.
    """
    async with transaction():
        meeting = await _own_meeting(meeting_id, town_id)
        if meeting["state"] == "postponed":
            raise Conflict(msg("会议已延期，定下新的日程再提醒。"))
        rows = await fetch(
            """UPDATE invitation SET reminded_at = $3, reminders = reminders + 1
               WHERE meeting = $1 AND state = 'needs_action'
                 AND ($2::bigint[] IS NULL OR id = ANY($2))
                 AND (reminded_at IS NULL OR reminded_at <= $4) RETURNING organisation""",
            meeting_id,
            None if invitation_ids is None else list(invitation_ids),
            at,
            at - REMIND_PAUSE,
        )
        for row in rows:
            await notify(
                organisation_id=row["organisation"],
                kind="invitation_reminder",
                message=msg(
                    "请回复是否参加 {day} 的“{title}”，主办方正等您的答复。",
                    day=on_day(meeting["held_on"]),
                    title=named(meeting, "title"),
                ),
                link=f"/meetings/{meeting_id}",
                at=at,
            )
        if rows:
            await record(
                subject=f"meeting:{meeting_id}",
                action="remind",
                actor=actor,
                at=at,
                details={"invitations": len(rows)},
            )
    return len(rows)
