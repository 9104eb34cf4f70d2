"""Answering an invitation, and moving a meeting on; who has come and what came of it lie beside."""

from datetime import date, datetime, timedelta

from market.accounts.rules import Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg, named
from market.meetings import rules
from market.meetings.after.following import open_follow_ups, settle_refusals
from market.meetings.day.attendance import mark_attendance as mark_attendance
from market.meetings.day.attendance import settle_meeting
from market.meetings.planning.publishing import hold_timetable
from market.meetings.planning.taking_over import come_after_all
from market.meetings.planning.unfit import ALONE, CALLED_OFF, MISSED
from market.meetings.queries import meeting_of
from market.meetings.talks.recording import Recorded as Recorded
from market.meetings.talks.recording import record_outcome as record_outcome
from market.notices.operations import notify

#: What somebody invited may answer, and the move that it makes.
ANSWERS = {"accepted": "accept", "tentative": "accept_tentatively", "declined": "decline"}


async def respond(*, meeting_id: int, organisation_id: int, answer: str, actor: Actor, at: datetime) -> None:
    """Answer an invitation: accepted, tentative or declined.

    Raises:
        NotFound: not invited.
        Invalid: no such answer.
        WrongState: it is too late, or that is the answer already.
    """
    move = ANSWERS.get(answer)
    if move is None:
        raise Invalid(msg("请选择：参加、可能参加或不参加。"))
    async with transaction():
        if await fetch(
            """SELECT FROM invitation
               WHERE meeting = $1 AND organisation = $2 AND delegated_to IS NOT NULL""",
            meeting_id,
            organisation_id,
        ):
            # whoever was sent instead may lose its talks: the meeting is held before its invitations
            await hold_timetable(meeting_id)
        rows = await fetch(
            """SELECT invitation.id, invitation.state, invitation.side, meeting.state AS meeting_state,
                      meeting.town, meeting.title, meeting.title_en, organisation.name, organisation.name_en
               FROM invitation JOIN meeting ON meeting.id = invitation.meeting
               JOIN organisation ON organisation.id = invitation.organisation
               WHERE invitation.meeting = $1 AND invitation.organisation = $2 FOR UPDATE OF invitation""",
            meeting_id,
            organisation_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这场对接会。"))
        row = rows[0]
        if row["meeting_state"] not in rules.PLANNABLE:
            raise Conflict(msg("会议已开始或已取消，不能再改回复。"))
        state = rules.INVITATION.apply(move, state=row["state"], by=row["side"])
        await execute(
            "UPDATE invitation SET state = $2, responded_at = $3 WHERE id = $1", row["id"], state, at
        )
        await come_after_all(row["id"], at=at)
        await record(
            subject=f"meeting:{meeting_id}", action="respond", actor=actor, at=at, details={"answer": state}
        )
        if state == "declined":
            await notify(
                organisation_id=row["town"],
                kind="invitation_declined",
                message=msg(
                    "{name} 不参加“{title}”，请重新排桌。", name=named(row, "name"), title=named(row, "title")
                ),
                link=f"/town/meetings/{meeting_id}",
                at=at,
            )


class StillToCome(Invalid):
    """A meeting would be closed before all of it is over: it is asked whether that is meant.

    ``talks`` have no result yet, and ``days`` of the meeting lie ahead. Of ``alone`` talks more, which are
    over, one side was not seen: they need no result.
    """

    def __init__(self, talks: int, days: list[date], alone: int = 0) -> None:
        words = [
            *([msg("{n} 场洽谈还没有结果。", n=talks)] if talks else []),
            *([msg("{n} 场有一方没有签到，不用记结果。", n=alone)] if alone else []),
            *([msg("还有 {n} 天没有开。", n=len(days))] if days else []),
        ]
        told = words[0]
        for then in words[1:]:
            told = msg("{first}{second}", first=told, second=then)
        question = msg("{what}仍要结束会议，请确认。", what=told)
        super().__init__(question, {"sure": question})
        self.talks, self.days, self.alone = talks, days, alone


async def _ask_back(meeting_id: int, *, town_id: int, at: datetime) -> None:
    """Ask whether a meeting, which the caller has closed and opens again then, is meant to be closed now."""
    meeting = await meeting_of(meeting_id=meeting_id, organisation_id=town_id)
    today = at.astimezone(CHINA).date()
    ahead = [day for n in range(meeting.days) if (day := meeting.held_on + timedelta(days=n)) > today]
    waiting = await fetch(
        f"""SELECT slot, {ALONE} AS alone FROM appointment
           WHERE meeting = $1 AND slot IS NOT NULL AND state = 'scheduled'
             AND NOT {CALLED_OFF} AND NOT {MISSED}""",  # noqa: S608  our own text
        meeting_id,
    )
    # whoever is late may still come to what lies ahead
    alone = sum(
        row["alone"] and meeting.slot_moment(row["slot"], after=meeting.slot_minutes) <= at for row in waiting
    )
    if len(waiting) > alone or ahead:
        raise StillToCome(len(waiting) - alone, ahead, alone)


async def move_meeting(
    *, meeting_id: int, move: str, town_id: int, actor: Actor, at: datetime, sure: bool = False
) -> str:
    """Start, close, postpone or cancel a meeting; return its new state.

    ``sure``: whoever closes it knows what is still to come.

    Raises:
        NotFound: no such meeting of this town.
        WrongState: the move is not open now.
        Conflict: it cannot start yet: its day has not come, or nobody sees the timetable.
        StillToCome: it is closed while something of it is, and nobody was sure.
    """
    async with transaction():
        rows = await fetch(
            """SELECT state, title, title_en, held_on, published_at FROM meeting
               WHERE id = $1 AND town = $2 FOR UPDATE""",
            meeting_id,
            town_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这场对接会。"))
        state = rules.MEETING.apply(move, state=rows[0]["state"], by="official")
        if move == "start" and (
            why_not := rules.not_startable(
                held_on=rows[0]["held_on"],
                published=rows[0]["published_at"] is not None,
                today=at.astimezone(CHINA).date(),
            )
        ):
            raise Conflict(why_not)
        await execute("UPDATE meeting SET state = $2 WHERE id = $1", meeting_id, state)
        if state == "closed":
            # what counts now is who came at all, not who is in today
            await settle_meeting(meeting_id, at=at)
            if not sure:
                await _ask_back(meeting_id, town_id=town_id, at=at)
        await record(subject=f"meeting:{meeting_id}", action=move, actor=actor, at=at, details={})
        if state == "closed":
            await open_follow_ups(meeting_id=meeting_id)
            await settle_refusals(meeting_id=meeting_id, at=at)
        if state in ("cancelled", "postponed"):
            for row in await fetch(
                "SELECT organisation FROM invitation WHERE meeting = $1 AND state <> 'revoked'", meeting_id
            ):
                await notify(
                    organisation_id=row["organisation"],
                    kind="meeting_moved",
                    message=msg(
                        "“{title}”{state}。", title=named(rows[0], "title"), state=rules.MEETING.label(state)
                    ),
                    link=f"/meetings/{meeting_id}",
                    at=at,
                )
    return state
