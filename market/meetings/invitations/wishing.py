"""What the invited tell of themselves before the timetable is laid: whom to meet, when they cannot."""

from collections.abc import Collection
from datetime import datetime

from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, fetch_row, fetch_value, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg, named
from market.meetings import rules
from market.meetings.commands import wishes_closed
from market.meetings.invitations.wish_queries import AWAY
from market.notices.operations import notify

LONGEST_NOTE = 200


async def set_wish(
    *,
    meeting_id: int,
    organisation_id: int,
    about: int,
    level: str | None,
    note: str = "",
    actor: Actor,
    at: datetime,
) -> None:
    """Write down how much the organisation wants to meet ``about``; a ``level`` of None takes it back.

    An official of the meeting's town may do it for the invited, who rang up, also after the last day.

    Raises:
        NotFound: not invited, or ``about`` is nobody of the other side.
        Conflict: wishes are closed.
        Invalid: no such level, the note is too long, or that is one must too many.
    """
    _check_wish(level, note)
    async with transaction():
        mine = await _invited(meeting_id, organisation_id, actor=actor, at=at)
        if mine["side"] not in ("seller", "buyer"):
            raise Invalid(msg("来宾不参加一对一洽谈，不用填写意向。"))
        other = await fetch_value(
            """SELECT side FROM invitation
               WHERE meeting = $1 AND organisation = $2 AND NOT state = ANY($3::text[])""",
            meeting_id,
            about,
            list(AWAY),
        )
        if other not in ("seller", "buyer") or other == mine["side"]:
            raise NotFound(msg("对方不在这场对接会的可选名单里，请刷新页面。"))
        if level == "must":
            await _check_musts(meeting_id, organisation_id, about, most=mine["most_musts"])
        if level is None:
            await execute(
                "DELETE FROM wish WHERE meeting = $1 AND organisation = $2 AND about = $3",
                meeting_id,
                organisation_id,
                about,
            )
        else:
            await execute(
                """INSERT INTO wish (meeting, organisation, about, level, note, created_at)
                   VALUES ($1, $2, $3, $4, $5, $6)
                   ON CONFLICT (meeting, organisation, about) DO UPDATE
                     SET level = excluded.level, note = excluded.note, created_at = excluded.created_at""",
                meeting_id,
                organisation_id,
                about,
                level,
                note.strip(),
                at,
            )
        await record(
            subject=f"meeting:{meeting_id}",
            action="wish",
            actor=actor,
            at=at,
            details={"organisation": organisation_id, "about": about, "level": level},
        )


def _check_wish(level: str | None, note: str) -> None:
    problems: dict[str, Message] = {}
    if level is not None and level not in rules.WISHES:
        problems["level"] = msg("请选择：必见、想见、可以或不见。")
    if len(note) > LONGEST_NOTE:
        problems["note"] = msg("备注最多 {most} 个字。", most=LONGEST_NOTE)
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)


async def _check_musts(meeting_id: int, organisation_id: int, about: int, *, most: int) -> None:
    used = await fetch_value(
        """SELECT count(*) FROM wish
           WHERE meeting = $1 AND organisation = $2 AND about <> $3 AND level = 'must'""",
        meeting_id,
        organisation_id,
        about,
    )
    if used >= most:
        problem = msg("“必见”最多选 {most} 家，请先把另一家改成“想见”。", most=most)
        raise Invalid(problem, {"level": problem})


async def set_absences(
    *, meeting_id: int, organisation_id: int, slots: Collection[int], actor: Actor, at: datetime
) -> None:
    """Write down the slots in which the organisation cannot talk, instead of those known before.

    Where the timetable is laid already, the town hears of it.

    Raises:
        NotFound: not invited.
        Conflict: the meeting has begun or is off.
        Invalid: a slot that the meeting does not have, or none is left.
    """
    async with transaction():
        mine = await _invited(meeting_id, organisation_id, actor=actor, at=at, wishes=False)
        away = sorted(set(slots))
        last = mine["slots"] * mine["days"]
        if any(not 1 <= slot <= last for slot in away):
            problem = msg("时段应在 1 到 {most} 之间。", most=last)
            raise Invalid(problem, {"slots": problem})
        if set(range(1, last + 1)) <= {*away, *mine["blocked_slots"]}:
            problem = msg("没有留下能来的时段；若不能来，请直接谢绝邀请。")
            raise Invalid(problem, {"slots": problem})
        before = [
            row["slot"]
            for row in await fetch("SELECT slot FROM absence WHERE invitation = $1 ORDER BY slot", mine["id"])
        ]
        if away == before:
            return
        await execute("DELETE FROM absence WHERE invitation = $1", mine["id"])
        await execute(
            "INSERT INTO absence (invitation, slot) SELECT $1, unnest($2::integer[])", mine["id"], away
        )
        await record(
            subject=f"meeting:{meeting_id}",
            action="set_absences",
            actor=actor,
            at=at,
            details={"organisation": organisation_id, "slots": away},
        )
        if mine["meeting_state"] == "timetabled" and actor.organisation_id != mine["town"]:
            await notify(
                organisation_id=mine["town"],
                kind="absences_changed",
                message=msg(
                    "{name} 改了能来的时段，请为“{title}”重新排桌。",
                    name=named(mine, "name"),
                    title=named(mine, "title"),
                ),
                link=f"/town/meetings/{meeting_id}",
                at=at,
            )


async def _invited(
    meeting_id: int, organisation_id: int, *, actor: Actor, at: datetime, wishes: bool = True
) -> Record:
    """Return the invitation, locked, with what the meeting says; one participant's wishes come in line."""
    mine = await fetch_row(
        """SELECT invitation.id, invitation.side, invitation.state, organisation.name, organisation.name_en,
                  meeting.town, meeting.title, meeting.title_en, meeting.state AS meeting_state,
                  meeting.slots, meeting.days, meeting.blocked_slots, meeting.most_musts,
                  meeting.wishes_by, meeting.published_at
           FROM invitation JOIN meeting ON meeting.id = invitation.meeting
           JOIN organisation ON organisation.id = invitation.organisation
           WHERE invitation.meeting = $1 AND invitation.organisation = $2
             AND invitation.state <> 'revoked' AND $3 IN (invitation.organisation, meeting.town)
           FOR UPDATE OF invitation""",
        meeting_id,
        organisation_id,
        actor.organisation_id,
    )
    if mine is None:
        raise NotFound(msg("没有找到这份邀请。"))
    if mine["meeting_state"] not in rules.PLANNABLE:
        raise Conflict(msg("会议已开始或已取消，不能再改。"))
    if mine["state"] in AWAY:
        raise Conflict(msg("邀请已谢绝或已过期，请先接受邀请。"))
    closed = wishes_closed(
        wishes_by=mine["wishes_by"],
        published=mine["published_at"] is not None,
        today=at.astimezone(CHINA).date(),
    )
    if wishes and closed is not None and actor.organisation_id != mine["town"]:
        raise Conflict(closed)
    return mine
