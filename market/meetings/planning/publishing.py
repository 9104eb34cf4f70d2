"""The timetable that participants see, and telling them of it and of its changes."""

from collections.abc import Collection
from datetime import datetime

from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.session import execute, fetch, fetch_row, transaction
from market.errors import Conflict, NotFound
from market.i18n import msg, named, on_day
from market.meetings import rules
from market.meetings.planning.unfit import refusal, unfit_talks
from market.notices.operations import notify

#: Organisation -> its appointments as (slot, table, other side), in order.
Days = dict[int, list[tuple[int, int, int]]]


async def publish_timetable(*, meeting_id: int, town_id: int, actor: Actor, at: datetime) -> None:
    """Let participants see their appointments from now on, and tell everybody who is invited.

    A plan made later changes what they see at once; only whose day it changes is told.

    Raises:
        NotFound: no such meeting of this town.
        Conflict: there is no timetable, it is being made, it is published already, or a talk in it cannot be
            held: somebody has left, would rather not, or cannot come then.
    """
    async with transaction():
        meeting = await fetch_row(
            """SELECT state, published_at, title, title_en,
                      EXISTS (SELECT FROM job WHERE job.kind = 'meetings.plan'
                                AND job.key = 'meeting:' || meeting.id
                                AND job.state IN ('waiting', 'running', 'retrying')) AS planning
               FROM meeting WHERE id = $1 AND town = $2 FOR UPDATE OF meeting""",
            meeting_id,
            town_id,
        )
        if meeting is None:
            raise NotFound(msg("没有找到这场对接会。"))
        if meeting["published_at"] is not None:
            raise Conflict(msg("日程已经发布过；改动后重新排桌，会自动通知有变化的人。"))
        if meeting["planning"]:
            raise Conflict(msg("这场对接会正在排桌，请稍等。"))
        days = await days_of(meeting_id)
        if meeting["state"] != "timetabled" or not days:
            raise Conflict(msg("还没有排好的日程，请先排桌再发布。"))
        if unfit := await unfit_talks(meeting_id):
            raise Conflict(refusal(unfit))
        await execute("UPDATE meeting SET published_at = $2 WHERE id = $1", meeting_id, at)
        talks = sum(map(len, days.values())) // 2
        await record(
            subject=f"meeting:{meeting_id}", action="publish", actor=actor, at=at, details={"talks": talks}
        )
        for row in await fetch(
            """SELECT organisation, side FROM invitation
               WHERE meeting = $1 AND state IN ('needs_action', 'accepted', 'tentative')
               ORDER BY organisation""",
            meeting_id,
        ):
            mine = len(days.get(row["organisation"], ()))
            if mine:
                text = msg(
                    "“{title}”的日程已发布：您有 {count} 场洽谈。", title=named(meeting, "title"), count=mine
                )
            elif row["side"] == "guest":
                text = msg("“{title}”的日程已发布，欢迎到会。", title=named(meeting, "title"))
            else:
                text = msg(
                    "“{title}”的日程已发布：这次没有给您排上洽谈，可到会自由交流。",
                    title=named(meeting, "title"),
                )
            await notify(
                organisation_id=row["organisation"],
                kind="timetable_published",
                message=text,
                link=f"/meetings/{meeting_id}",
                at=at,
            )


async def hold_timetable(meeting_id: int) -> None:
    """Hold a meeting while its days are compared before and after: other changes come whole before or after.

    It is held before any of its invitations and talks, as everybody does who changes the timetable.
    """
    await execute("SELECT id FROM meeting WHERE id = $1 FOR NO KEY UPDATE", meeting_id)


async def days_of(meeting_id: int) -> Days:
    """Return organisation -> its appointments as (slot, table, other side)."""
    days: Days = {}
    for row in await fetch(
        """SELECT seller, buyer, slot, table_number FROM appointment
           WHERE meeting = $1 AND state = 'scheduled' ORDER BY slot, table_number""",
        meeting_id,
    ):
        for one, other in ((row["seller"], row["buyer"]), (row["buyer"], row["seller"])):
            days.setdefault(one, []).append((row["slot"], row["table_number"], other))
    return days


async def tell_changed(meeting_id: int, before: Days, *, but: int | None = None, at: datetime) -> list[int]:
    """Tell whoever's day is not as it was ``before``, and nobody else (nor ``but``); return them."""
    after = await days_of(meeting_id)
    title = named((await fetch("SELECT title, title_en FROM meeting WHERE id = $1", meeting_id))[0], "title")
    changed = sorted(who for who in {*before, *after} - {but} if after.get(who) != before.get(who))
    for who in changed:
        if who not in after:
            text = msg("“{title}”的洽谈有调整：您暂无洽谈安排。", title=title)
        elif who in before:
            text = msg("“{title}”的洽谈时间有调整，请看新的日程。", title=title)
        else:
            text = msg("“{title}”给您安排了洽谈，请看日程。", title=title)
        await notify(
            organisation_id=who,
            kind="timetable_changed",
            message=text,
            link=f"/meetings/{meeting_id}",
            at=at,
        )
    return changed


async def tell_invited(
    meeting_id: int, organisations: Collection[int], *, guests: bool, at: datetime
) -> None:
    """Tell ``organisations`` that they are invited, and the invited guests as well where that is asked."""
    meeting = (await fetch("SELECT title, title_en, held_on FROM meeting WHERE id = $1", meeting_id))[0]
    invited = set(organisations)
    if guests:
        invited |= {
            row["organisation"]
            for row in await fetch(
                """SELECT organisation FROM invitation
                   WHERE meeting = $1 AND side = 'guest' AND state = $2 AND source = 'planned'""",
                meeting_id,
                rules.INVITATION.start,
            )
        }
    for organisation in sorted(invited):
        await notify(
            organisation_id=organisation,
            kind="meeting_invitation",
            message=msg(
                "邀请您参加 {day} 的“{title}”，请回复是否到场。",
                day=on_day(meeting["held_on"]),
                title=named(meeting, "title"),
            ),
            link=f"/meetings/{meeting_id}",
            at=at,
        )


async def tell_resumed(meeting_id: int, *, but: Collection[int], at: datetime) -> None:
    """Tell everybody who may come when and where a meeting that was put off is held after all.

    Whoever was told of a new day or place since it was put off knows already, and so do those invited now.
    """
    meeting = (
        await fetch(
            "SELECT title, title_en, held_on, starts_at, venue, venue_en FROM meeting WHERE id = $1",
            meeting_id,
        )
    )[0]
    for row in await fetch(
        """SELECT organisation FROM invitation
           WHERE meeting = $1 AND state NOT IN ('revoked', 'declined', 'expired')
             AND NOT organisation = ANY($2::bigint[])
             AND NOT EXISTS (
               SELECT FROM notice WHERE notice.organisation = invitation.organisation
                 AND notice.kind = 'meeting_revised' AND notice.link = $3
                 AND NOT EXISTS (
                   SELECT FROM notice off WHERE off.organisation = notice.organisation
                     AND off.kind = 'meeting_moved' AND off.link = $3 AND off.id > notice.id))
           ORDER BY organisation""",
        meeting_id,
        list(but),
        f"/meetings/{meeting_id}",
    ):
        await notify(
            organisation_id=row["organisation"],
            kind="meeting_revised",
            message=msg(
                "延期的“{title}”定于 {day} {hour} 在{venue}举行，请留意日程。",
                title=named(meeting, "title"),
                day=on_day(meeting["held_on"]),
                hour=f"{meeting['starts_at'] // 60:02d}:{meeting['starts_at'] % 60:02d}",
                venue=named(meeting, "venue"),
            ),
            link=f"/meetings/{meeting_id}",
            at=at,
        )
