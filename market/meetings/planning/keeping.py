"""Keeping a plan: invitations, appointments with their topics, what was left out, and why."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from market.accounts.rules import MEDIA
from market.db.session import execute, fetch, fetch_row
from market.i18n import Message, msg
from market.meetings import rules
from market.meetings.choosing.problem import Choice, Chosen
from market.meetings.planning.facts import BY_HAND
from market.meetings.planning.laying import NO_SLOT, Plan, pair_id
from market.meetings.planning.publishing import days_of, tell_changed, tell_invited, tell_resumed
from market.meetings.planning.verdict import places_of, stamps_of


async def keep(meeting_id: int, plan: Plan, *, at: datetime) -> None:
    """Write the plan in the caller's transaction and tell everybody whom it concerns.

    Appointments that stay keep their row, and with it what was noted on them. Who is new hears of the
    invitation; whose day changed hears of it once the timetable is published, nobody else anything.
    """
    meeting = await fetch_row("SELECT state, timetable, published_at FROM meeting WHERE id = $1", meeting_id)
    assert meeting is not None
    before = await days_of(meeting_id)
    placed = {each.id: each for each in plan.timetable.appointments}
    seated = [each for each in plan.choice.appointments if pair_id(each) in placed]
    await _keep_appointments(meeting_id, plan, seated, at=at)
    await _keep_topics(meeting_id, seated)
    await _keep_left_out(meeting_id, plan)
    new = await _invite(meeting_id, plan.choice, at=at)
    await execute(
        "UPDATE meeting SET state = $2, timetable = $3, trouble = NULL, asks_back = false WHERE id = $1",
        meeting_id,
        rules.timetabled(meeting["state"]),
        msgspec.json.encode(await _proof(meeting_id, plan, len(seated))).decode(),
    )
    # media are told with the first plan: before it there is nothing to come for
    await tell_invited(meeting_id, new, guests=meeting["timetable"] is None, at=at)
    if meeting["state"] == "postponed":
        await tell_resumed(meeting_id, but=new, at=at)
    if meeting["published_at"] is not None:
        await tell_changed(meeting_id, before, at=at)


async def _proof(meeting_id: int, plan: Plan, count: int) -> dict[str, object]:
    """Return what is known of the plan's worth: proven by whom, up to what, and who is left without."""
    timetable = plan.timetable
    names = {
        row["id"]: row
        for row in await fetch(
            "SELECT id, name, name_en FROM organisation WHERE id = ANY($1::bigint[])",
            [who for who, _ in plan.choice.without],
        )
    }
    return {
        "status": timetable.status,
        "breaks": timetable.breaks,
        "lower_bound_breaks": timetable.lower_bound_breaks,
        "idle_slots": timetable.idle_slots,
        "table_changes": timetable.table_changes,
        "proven": timetable.proven,
        "moved": timetable.moved,
        "appointments": count,
        "worth": plan.choice.worth,
        "most_worth": plan.choice.most_worth,
        "choice_proven": plan.choice.proven,
        "without": [
            {
                "organisation": who,
                "name": names[who]["name"],
                "name_en": names[who]["name_en"],
                "reason": reason,
            }
            for who, reason in plan.choice.without
        ],
        "seconds": timetable.seconds,
        **stamps_of(await places_of(meeting_id)),
        "crews": plan.crews,
    }


async def _keep_appointments(meeting_id: int, plan: Plan, seated: list[Chosen], *, at: datetime) -> None:
    placed = {each.id: each for each in plan.timetable.appointments}
    sellers, buyers = [each.seller for each in seated], [each.buyer for each in seated]
    # what the town has taken apart stays written down, and so does what it put together without a slot
    await execute(
        """DELETE FROM appointment WHERE meeting = $1 AND state <> 'cancelled'
             AND NOT source = ANY($4::text[]) AND NOT fixed
             AND (seller, buyer) NOT IN (SELECT * FROM unnest($2::bigint[], $3::bigint[]))""",
        meeting_id,
        sellers,
        buyers,
        list(BY_HAND),
    )
    # all get up before anybody sits down: two that exchange their slots would be in each other's way
    await execute(
        """UPDATE appointment SET state = 'accepted', slot = NULL, table_number = NULL
           WHERE meeting = $1 AND state = 'scheduled'""",
        meeting_id,
    )
    await execute(
        """INSERT INTO appointment (meeting, seller, buyer, slot, table_number, state, why, created_at)
           SELECT $1, seller, buyer, slot, seat, 'scheduled', why, $2
           FROM unnest($3::bigint[], $4::bigint[], $5::integer[], $6::integer[], $7::jsonb[])
             AS given (seller, buyer, slot, seat, why)
           ON CONFLICT (meeting, seller, buyer) DO UPDATE SET slot = excluded.slot,
             table_number = excluded.table_number, state = excluded.state, why = excluded.why""",
        meeting_id,
        at,
        sellers,
        buyers,
        [placed[pair_id(each)].slot for each in seated],
        [placed[pair_id(each)].table for each in seated],
        [msgspec.json.encode(each.why).decode() for each in seated],
    )


async def _keep_topics(meeting_id: int, seated: list[Chosen]) -> None:
    """What each two talk about: see :func:`write_topics`; listings without a match get the best demand.

    What a talk stood on stays, where it is no open match of the two (any more) but was chosen as a candidate.
    """
    pairs = [(each.seller, each.buyer) for each in seated]
    goods = [(each, listing) for each in seated for listing in each.listings]
    wants = [(each, demand) for each in seated for demand in each.demands]
    await execute(
        """DELETE FROM topic USING appointment
           WHERE topic.appointment = appointment.id AND appointment.meeting = $1
             AND appointment.state <> 'cancelled'
             AND NOT EXISTS (
               SELECT FROM match
               JOIN unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS goods (seller, buyer, listing)
                 ON (goods.seller, goods.buyer, goods.listing)
                    = (appointment.seller, appointment.buyer, match.listing)
               JOIN unnest($5::bigint[], $6::bigint[], $7::bigint[]) AS wants (seller, buyer, demand)
                 ON (wants.seller, wants.buyer, wants.demand)
                    = (appointment.seller, appointment.buyer, match.demand)
               WHERE match.id = topic.match AND (match.state = 'expired' OR match.buyer <> appointment.buyer)
                 AND NOT EXISTS (
                   SELECT FROM match other
                   WHERE (other.seller, other.buyer) = (appointment.seller, appointment.buyer)
                     AND (other.listing, other.demand) = (match.listing, match.demand)
                     AND other.state IN ('proposed', 'one_side_agreed', 'agreed')))""",
        meeting_id,
        *_columns(goods),
        *_columns(wants),
    )
    await _write_matches(meeting_id, pairs, beside=True)
    await execute(
        """INSERT INTO topic (appointment, listing, demand)
           SELECT DISTINCT ON (appointment.id, listing.id) appointment.id, listing.id, demand.id
           FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS goods (seller, buyer, listing)
           JOIN unnest($5::bigint[], $6::bigint[], $7::bigint[]) AS wants (seller, buyer, demand)
             ON (wants.seller, wants.buyer) = (goods.seller, goods.buyer)
           JOIN appointment ON appointment.meeting = $1
             AND (appointment.seller, appointment.buyer) = (goods.seller, goods.buyer)
           JOIN listing ON listing.id = goods.listing JOIN lot ON lot.id = listing.lot
           JOIN demand ON demand.id = wants.demand AND demand.produce = lot.produce
           WHERE NOT EXISTS (SELECT FROM topic
                             WHERE topic.appointment = appointment.id AND topic.listing = listing.id)
           ORDER BY appointment.id, listing.id, demand.ceiling DESC, demand.id""",
        meeting_id,
        *_columns(goods),
        *_columns(wants),
    )
    await _write_wares(meeting_id, pairs)


def _columns(rows: list[tuple[Chosen, int]]) -> tuple[list[int], list[int], list[int]]:
    """Return sellers, buyers and what stands beside them."""
    return [each.seller for each, _ in rows], [each.buyer for each, _ in rows], [what for _, what in rows]


async def write_topics(meeting_id: int, pairs: Iterable[tuple[int, int]], *, beside: bool = False) -> None:
    """Write down what pairs (seller, buyer) without topics talk about: their open matches, else goods.

    ``beside``: their open matches also where they have other topics already.
    """
    pairs = list(pairs)
    await _write_matches(meeting_id, pairs, beside=beside)
    await _write_wares(meeting_id, pairs)


async def _write_matches(meeting_id: int, pairs: list[tuple[int, int]], *, beside: bool = False) -> None:
    """Write the open matches of pairs without topics, or ``beside`` what they talk about already."""
    await execute(
        """INSERT INTO topic (appointment, listing, demand, match)
           SELECT appointment.id, match.listing, match.demand, match.id
           FROM unnest($2::bigint[], $3::bigint[]) AS given (seller, buyer)
           JOIN appointment ON appointment.meeting = $1
             AND (appointment.seller, appointment.buyer) = (given.seller, given.buyer)
           JOIN match ON (match.seller, match.buyer) = (given.seller, given.buyer)
             AND match.state IN ('proposed', 'one_side_agreed', 'agreed')
           WHERE NOT EXISTS (
             SELECT FROM topic WHERE topic.appointment = appointment.id
               AND (NOT $4 OR (topic.listing, topic.demand) = (match.listing, match.demand)))
           ORDER BY appointment.id, match.worth DESC, match.id""",
        meeting_id,
        [seller for seller, _ in pairs],
        [buyer for _, buyer in pairs],
        beside,
    )


async def _write_wares(meeting_id: int, pairs: list[tuple[int, int]]) -> None:
    """Who meets for a wish alone talks about up to three listings, those that the buyer seeks first."""
    await execute(
        """INSERT INTO topic (appointment, listing, demand)
           SELECT appointment.id, ware.listing, ware.demand
           FROM unnest($2::bigint[], $3::bigint[]) AS given (seller, buyer)
           JOIN appointment ON appointment.meeting = $1
             AND (appointment.seller, appointment.buyer) = (given.seller, given.buyer)
           CROSS JOIN LATERAL (
             SELECT listing.id AS listing, min(demand.id) AS demand
             FROM listing JOIN lot ON lot.id = listing.lot AND lot.remaining > 0
             LEFT JOIN demand ON demand.buyer = given.buyer AND demand.produce = lot.produce
               AND demand.state = 'published' AND demand.open > 0
             WHERE listing.owner = given.seller AND listing.state = 'published'
             GROUP BY listing.id ORDER BY min(demand.id) IS NULL, listing.id LIMIT 3) AS ware
           WHERE NOT EXISTS (SELECT FROM topic WHERE topic.appointment = appointment.id)
           ORDER BY appointment.id, ware.listing""",
        meeting_id,
        [seller for seller, _ in pairs],
        [buyer for _, buyer in pairs],
    )


async def _keep_left_out(meeting_id: int, plan: Plan) -> None:
    unplaced = set(plan.timetable.left_out)
    rows = [
        (each.seller, each.buyer, NO_SLOT) for each in plan.choice.appointments if pair_id(each) in unplaced
    ]
    # a pair that would only be there for a stuck lot is no loss to speak of
    rows += [
        (each.seller, each.buyer, each.reason)
        for each in plan.choice.left_out
        if each.worth > 0 or each.grade
    ]
    await execute("DELETE FROM left_out WHERE meeting = $1", meeting_id)
    await execute(
        """INSERT INTO left_out (meeting, seller, buyer, reason)
           SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::jsonb[])""",
        meeting_id,
        [seller for seller, _, _ in rows],
        [buyer for _, buyer, _ in rows],
        [msgspec.json.encode(text).decode() for _, _, text in rows],
    )


async def propose(meeting_id: int, choice: Choice, *, at: datetime) -> list[int]:
    """Invite whom the choice names and tell them; return who is new. Nothing is laid yet."""
    new = await _invite(meeting_id, choice, at=at)
    await tell_invited(meeting_id, new, guests=False, at=at)
    return new


async def _invite(meeting_id: int, choice: Choice, *, at: datetime) -> list[int]:
    about: dict[int, list[Chosen]] = {}
    for each in choice.appointments:
        about.setdefault(each.seller, []).append(each)
        about.setdefault(each.buyer, []).append(each)
    new = []
    for side, organisations in (("buyer", choice.buyers), ("seller", choice.sellers)):
        for organisation in organisations:
            reason = msg(
                "与 {count} 家洽谈，涉及 {kinds} 批货。",
                count=len(about[organisation]),
                kinds=len({listing for each in about[organisation] for listing in each.listings}),
            )
            if await _insert_invitation(meeting_id, organisation, side, reason, at=at):
                new.append(organisation)
    # Who was proposed by an earlier plan and has neither answered nor said anything is no longer needed.
    await execute(
        """UPDATE invitation SET state = 'revoked' WHERE meeting = $1 AND side <> 'guest'
             AND state = 'needs_action' AND source = 'planned' AND link_version = 1 AND reminders = 0
             AND NOT organisation = ANY($2::bigint[])
             AND NOT EXISTS (SELECT FROM wish WHERE wish.meeting = $1
                               AND wish.organisation = invitation.organisation)
             AND NOT EXISTS (SELECT FROM attendee WHERE attendee.invitation = invitation.id)
             AND EXISTS (SELECT FROM meeting WHERE id = $1 AND published_at IS NULL)""",
        meeting_id,
        [*choice.sellers, *choice.buyers],
    )
    return new


async def invite_media(meeting_id: int, *, at: datetime) -> None:
    for row in await fetch("SELECT id FROM organisation WHERE kind = $1 ORDER BY id", MEDIA):
        await _insert_invitation(meeting_id, row["id"], "guest", msg("到场采访报道。"), at=at)


async def _insert_invitation(
    meeting_id: int, organisation: int, side: str, reason: Message, *, at: datetime
) -> bool:
    """Invite, or give the reason anew to whom planning invited before; tell whether somebody is new."""
    before = await fetch_row(
        "SELECT state, source FROM invitation WHERE meeting = $1 AND organisation = $2",
        meeting_id,
        organisation,
    )
    if before is not None and (before["source"] != "planned" or side == "guest"):
        return False
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
    return before is None or before["state"] == "revoked"
