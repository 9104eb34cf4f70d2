"""Keeping a plan: invitations, appointments, what was left out, and telling whoever is concerned."""

from datetime import datetime

import msgspec

from market.accounts.rules import MEDIA
from market.db.session import execute, fetch, fetch_value
from market.i18n import Message, msg
from market.meetings import rules
from market.meetings.choosing.problem import Choice, Chosen
from market.meetings.timetable.problem import Timetable
from market.notices.operations import notify


class Plan(msgspec.Struct, frozen=True):
    """Who meets whom, and when and where."""

    choice: Choice
    timetable: Timetable


def pair_id(chosen: Chosen) -> str:
    return f"{chosen.seller}-{chosen.buyer}"


async def keep(meeting_id: int, plan: Plan, *, at: datetime) -> None:
    """Write the plan in the caller's transaction and tell everybody whose day it changes."""
    state = await fetch_value("SELECT state FROM meeting WHERE id = $1", meeting_id)
    placed = {each.id: each for each in plan.timetable.appointments}
    before = await _days_of(meeting_id)
    await execute("DELETE FROM appointment WHERE meeting = $1", meeting_id)
    await execute("DELETE FROM left_out WHERE meeting = $1", meeting_id)
    for chosen in plan.choice.appointments:
        place = placed.get(pair_id(chosen))
        if place is None:
            reason = msg("时段排不下，先排货值更高的。")
            await _leave_out(meeting_id, chosen.seller, chosen.buyer, reason)
            continue
        rows = await fetch(
            """INSERT INTO appointment (meeting, seller, buyer, slot, table_number, state, created_at)
               VALUES ($1, $2, $3, $4, $5, 'scheduled', $6) RETURNING id""",
            meeting_id,
            chosen.seller,
            chosen.buyer,
            place.slot,
            place.table,
            at,
        )
        await _topics(rows[0]["id"], chosen)
    for left in plan.choice.left_out:
        # a pair that would only be there for a stuck lot is no loss to speak of
        if left.worth > 0:
            await _leave_out(meeting_id, left.seller, left.buyer, left.reason)
    await _invite(meeting_id, plan.choice, at=at)
    timetable = plan.timetable
    await execute(
        "UPDATE meeting SET state = $2, timetable = $3, trouble = NULL WHERE id = $1",
        meeting_id,
        rules.timetabled(state),
        msgspec.json.encode(
            {
                "status": timetable.status,
                "breaks": timetable.breaks,
                "lower_bound_breaks": timetable.lower_bound_breaks,
                "idle_slots": timetable.idle_slots,
                "table_changes": timetable.table_changes,
                "appointments": len(timetable.appointments),
                "worth": plan.choice.worth,
                "seconds": timetable.seconds,
            }
        ).decode(),
    )
    await _tell_changed(meeting_id, before, at=at)


async def _topics(appointment_id: int, chosen: Chosen) -> None:
    """What the two talk about: each open match of theirs; for listings without one, the first demand."""
    await execute(
        """INSERT INTO topic (appointment, listing, demand, match)
           SELECT $1, match.listing, match.demand, match.id FROM match
           WHERE match.seller = $2 AND match.buyer = $3
             AND match.state IN ('proposed', 'one_side_agreed', 'agreed')
           ORDER BY match.worth DESC""",
        appointment_id,
        chosen.seller,
        chosen.buyer,
    )
    await execute(
        """INSERT INTO topic (appointment, listing, demand)
           SELECT DISTINCT ON (listing.id) $1::bigint, listing.id, demand.id
           FROM listing JOIN lot ON lot.id = listing.lot
           JOIN demand ON demand.produce = lot.produce AND demand.id = ANY($3::bigint[])
           WHERE listing.id = ANY($2::bigint[])
             AND NOT EXISTS (SELECT FROM topic WHERE topic.appointment = $1 AND topic.listing = listing.id)
           ORDER BY listing.id, demand.ceiling DESC""",
        appointment_id,
        list(chosen.listings),
        list(chosen.demands),
    )


async def _leave_out(meeting_id: int, seller: int, buyer: int, reason: Message) -> None:
    await execute(
        "INSERT INTO left_out (meeting, seller, buyer, reason) VALUES ($1, $2, $3, $4)",
        meeting_id,
        seller,
        buyer,
        msgspec.json.encode(reason).decode(),
    )


async def _invite(meeting_id: int, choice: Choice, *, at: datetime) -> None:
    for side, organisations in (("seller", choice.sellers), ("buyer", choice.buyers)):
        for organisation in organisations:
            about = [each for each in choice.appointments if organisation in (each.seller, each.buyer)]
            reason = msg(
                "与 {count} 家洽谈，涉及 {kinds} 批货。",
                count=len(about),
                kinds=len({listing for each in about for listing in each.listings}),
            )
            await _insert_invitation(meeting_id, organisation, side, reason, at=at)
    await execute(
        """UPDATE invitation SET state = 'revoked' WHERE meeting = $1 AND side <> 'guest'
             AND state = 'needs_action' AND NOT organisation = ANY($2::bigint[])""",
        meeting_id,
        [*choice.sellers, *choice.buyers],
    )


async def invite_media(meeting_id: int, *, at: datetime) -> None:
    for row in await fetch("SELECT id FROM organisation WHERE kind = $1 ORDER BY id", MEDIA):
        await _insert_invitation(meeting_id, row["id"], "guest", msg("到场采访报道。"), at=at)


async def _insert_invitation(
    meeting_id: int, organisation: int, side: str, reason: Message, *, at: datetime
) -> None:
    await execute(
        """INSERT INTO invitation (meeting, organisation, side, state, attendance, reason, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT (meeting, organisation) DO UPDATE SET reason = excluded.reason,
             state = CASE WHEN invitation.state = 'revoked' THEN excluded.state ELSE invitation.state END""",
        meeting_id,
        organisation,
        side,
        rules.INVITATION.start,
        rules.ATTENDANCE.start,
        msgspec.json.encode(reason).decode(),
        at,
    )


async def _days_of(meeting_id: int) -> dict[int, list[tuple[int, int, int]]]:
    """Return organisation -> its appointments as (slot, table, other side)."""
    days: dict[int, list[tuple[int, int, int]]] = {}
    for row in await fetch(
        """SELECT seller, buyer, slot, table_number FROM appointment
           WHERE meeting = $1 AND state = 'scheduled' ORDER BY slot, table_number""",
        meeting_id,
    ):
        for one, other in ((row["seller"], row["buyer"]), (row["buyer"], row["seller"])):
            days.setdefault(one, []).append((row["slot"], row["table_number"], other))
    return days


async def _tell_changed(
    meeting_id: int, before: dict[int, list[tuple[int, int, int]]], *, at: datetime
) -> None:
    """Who is new gets the invitation, whose day changed gets the change, nobody else anything."""
    after = await _days_of(meeting_id)
    meeting = (await fetch("SELECT title, held_on FROM meeting WHERE id = $1", meeting_id))[0]
    guests = {
        row["organisation"]
        for row in await fetch(
            "SELECT organisation FROM invitation WHERE meeting = $1 AND side = 'guest'", meeting_id
        )
    }
    told = {organisation for organisation in after if after[organisation] != before.get(organisation)}
    gone = before.keys() - after.keys()
    for organisation in sorted(told | gone | (guests if not before else set())):
        if organisation in gone:
            text = msg("“{title}”的洽谈有调整：您暂无洽谈安排。", title=meeting["title"])
        elif organisation in before:
            text = msg("“{title}”的洽谈时间有调整，请看新的日程。", title=meeting["title"])
        else:
            text = msg(
                "邀请您参加 {day} 的“{title}”，请回复是否到场。",
                day=meeting["held_on"].isoformat(),
                title=meeting["title"],
            )
        await notify(
            organisation_id=organisation,
            kind="meeting_invitation",
            message=text,
            link=f"/meetings/{meeting_id}",
            at=at,
        )
