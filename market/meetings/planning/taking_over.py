"""The talks of somebody who passes its invitation on: whoever comes instead takes them over.

The rule: what was arranged stays where it is, with the delegate in the delegator's seat. Where the delegate
cannot sit then (a talk of its own, or it is away), the talk waits without a place and the next planning lays
it before all others. Where the two meet already, or one would rather not, it is off. Both say why.

The delegator's own talk stays written down as cancelled with the source ``delegated``: it comes back where
the delegator answers for itself after all.
"""

from datetime import datetime

import msgspec
from asyncpg import Record

from market.db.session import execute, fetch, fetch_row, fetch_value
from market.i18n import Message, msg, named
from market.meetings.planning.keeping import write_topics
from market.meetings.planning.publishing import days_of, tell_changed
from market.meetings.planning.taking_off import take_off
from market.notices.operations import notify

_MEETS_ALREADY = msg("受托单位本来就要和对方洽谈，委托的这场并入其中。")
_NEVER = msg("受托单位和对方有一方不愿洽谈，委托的这场没有排。")
_NO_PLACE = msg("受托单位这个时段来不了或已有洽谈，等重新排桌。")


async def take_over(*, meeting_id: int, delegator: int, delegate: int, side: str, at: datetime) -> None:
    """Put the delegate into each of the delegator's talks, in the caller's transaction, the meeting held.

    ``side`` is seller or buyer; guests have no talks. Where the timetable is out, everybody whose day
    changes is told once.
    """
    before = await days_of(meeting_id)
    talks = await _talks(meeting_id, delegator, "state IN ('accepted', 'scheduled')")
    taken = await _taken_slots(meeting_id, delegate)
    for talk in talks:
        await execute(
            """UPDATE appointment SET state = 'cancelled', source = 'delegated', slot = NULL,
                 table_number = NULL, fixed = false WHERE id = $1""",
            talk["id"],
        )
        other = talk["buyer"] if side == "seller" else talk["seller"]
        pair = (delegate, other) if side == "seller" else (other, delegate)
        if reason := await _why_off(meeting_id, *pair):
            await _leave_out(
                meeting_id, pair if reason is _NEVER else (talk["seller"], talk["buyer"]), reason
            )
            continue
        has_place = talk["slot"] is not None and talk["slot"] not in taken
        if has_place:
            taken.add(talk["slot"])
        elif talk["slot"] is not None:
            await _leave_out(meeting_id, pair, _NO_PLACE)
        await _seat(meeting_id, pair, talk, has_place=has_place, delegator=delegator, at=at)
        if side == "buyer":
            await _copy_topics(meeting_id, talk["id"], pair)
        await write_topics(meeting_id, [pair], beside=True)
    await _tell(meeting_id, before, at=at)


async def give_back(*, meeting_id: int, delegator: int, delegate: int, side: str, at: datetime) -> None:
    """Give the delegator its talks back, in the caller's transaction; where its seat is free, in place.

    What the delegate took over for somebody else as well, it keeps.
    """
    before = await days_of(meeting_id)
    own, others = ("seller", "buyer") if side == "seller" else ("buyer", "seller")
    for talk in await _talks(meeting_id, delegator, "state = 'cancelled' AND source = 'delegated'"):
        other = talk[others]
        stand_in = await fetch_row(
            f"""DELETE FROM appointment WHERE meeting = $1 AND {own} = $2 AND {others} = $3
                 AND source = 'delegated' AND state IN ('accepted', 'scheduled')
                 AND NOT EXISTS (
                   SELECT FROM appointment left_by JOIN invitation ON invitation.meeting = $1
                     AND invitation.organisation = left_by.{own} AND invitation.delegated_to = $2
                   WHERE left_by.meeting = $1 AND left_by.{others} = $3 AND left_by.{own} <> $4
                     AND left_by.source = 'delegated' AND left_by.state = 'cancelled')
               RETURNING slot, table_number""",  # noqa: S608  our own text
            meeting_id,
            delegate,
            other,
            delegator,
        )
        slot = stand_in["slot"] if stand_in is not None else None
        if slot is not None and slot in await _taken_slots(meeting_id, delegator):
            slot = None
        await execute(
            """UPDATE appointment SET state = $2, source = 'manual', slot = $3, table_number = $4, fixed = $5
               WHERE id = $1""",
            talk["id"],
            "accepted" if slot is None else "scheduled",
            slot,
            None if slot is None or stand_in is None else stand_in["table_number"],
            slot is not None,
        )
        pairs = [(delegate, other), (delegator, other)]
        for one, two in pairs if side == "seller" else [(two, one) for one, two in pairs]:
            await execute(
                "DELETE FROM left_out WHERE meeting = $1 AND seller = $2 AND buyer = $3", meeting_id, one, two
            )
    await _tell(meeting_id, before, at=at)


async def come_after_all(invitation_id: int, *, at: datetime) -> None:
    """The invited answers for itself: whom it had sent instead is no longer asked to come, and is told so.

    Called in the caller's transaction, with the meeting and the invitation's row held. Who is invited for
    another reason too stays so.
    """
    row = await fetch_row(
        """SELECT invitation.meeting, invitation.organisation, invitation.side, invitation.delegated_to,
                  organisation.name, organisation.name_en, meeting.title, meeting.title_en
           FROM invitation JOIN organisation ON organisation.id = invitation.organisation
           JOIN meeting ON meeting.id = invitation.meeting
           WHERE invitation.id = $1 AND invitation.delegated_to IS NOT NULL""",
        invitation_id,
    )
    if row is None:
        return
    meeting_id, delegate = row["meeting"], row["delegated_to"]
    if row["side"] != "guest":
        await give_back(
            meeting_id=meeting_id,
            delegator=row["organisation"],
            delegate=delegate,
            side=row["side"],
            at=at,
        )
    await execute("UPDATE invitation SET delegated_to = NULL WHERE id = $1", invitation_id)
    if not await fetch(
        """UPDATE invitation SET state = 'revoked', link_version = link_version + 1
           WHERE meeting = $1 AND organisation = $2
             AND source = 'delegated' AND state IN ('needs_action', 'tentative', 'accepted', 'declined')
             AND NOT EXISTS (SELECT FROM invitation other
                 WHERE other.meeting = $1 AND other.delegated_to = $2) RETURNING id""",
        meeting_id,
        delegate,
    ):
        return
    await take_off(meeting_id, delegate, at=at)
    await notify(
        organisation_id=delegate,
        kind="invitation_revoked",
        message=msg(
            "{name} 不再委托您参加“{title}”，不必到会。", name=named(row, "name"), title=named(row, "title")
        ),
        link="/meetings",
        at=at,
    )


async def _talks(meeting_id: int, organisation: int, which: str) -> list[Record]:
    return await fetch(
        f"""SELECT id, seller, buyer, slot, table_number FROM appointment
            WHERE meeting = $1 AND $2 IN (seller, buyer) AND {which}
            ORDER BY slot NULLS LAST, id FOR UPDATE""",  # noqa: S608  our own text
        meeting_id,
        organisation,
    )


async def _taken_slots(meeting_id: int, organisation: int) -> set[int]:
    rows = await fetch(
        """SELECT slot FROM appointment WHERE meeting = $1 AND $2 IN (seller, buyer) AND state = 'scheduled'
           UNION SELECT absence.slot FROM absence JOIN invitation ON invitation.id = absence.invitation
                 WHERE invitation.meeting = $1 AND invitation.organisation = $2""",
        meeting_id,
        organisation,
    )
    return {row["slot"] for row in rows}


async def _why_off(meeting_id: int, seller: int, buyer: int) -> Message | None:
    if await fetch_value(
        """SELECT true FROM wish WHERE meeting = $1 AND level = 'never'
             AND ((organisation, about) = ($2, $3) OR (about, organisation) = ($2, $3)) LIMIT 1""",
        meeting_id,
        seller,
        buyer,
    ):
        return _NEVER
    state = await fetch_value(
        "SELECT state FROM appointment WHERE meeting = $1 AND seller = $2 AND buyer = $3",
        meeting_id,
        seller,
        buyer,
    )
    return _MEETS_ALREADY if state is not None and state != "cancelled" else None


async def _seat(
    meeting_id: int, pair: tuple[int, int], talk: Record, *, has_place: bool, delegator: int, at: datetime
) -> None:
    sender = (await fetch("SELECT name, name_en FROM organisation WHERE id = $1", delegator))[0]
    await execute(
        """INSERT INTO appointment (meeting, seller, buyer, slot, table_number, state, source, fixed, why,
                                    created_at)
           VALUES ($1, $2, $3, $4, $5, $6, 'delegated', $7, $8, $9)
           ON CONFLICT (meeting, seller, buyer) DO UPDATE SET slot = excluded.slot,
             table_number = excluded.table_number, state = excluded.state, source = excluded.source,
             fixed = excluded.fixed, why = excluded.why""",
        meeting_id,
        *pair,
        talk["slot"] if has_place else None,
        talk["table_number"] if has_place else None,
        "scheduled" if has_place else "accepted",
        has_place,
        msgspec.json.encode(msg("受 {name} 委托参加。", name=named(sender, "name"))).decode(),
        at,
    )


async def _copy_topics(meeting_id: int, talk_id: int, pair: tuple[int, int]) -> None:
    """The seller's goods stay what the two talk about, and what the engine suggested stays with them.

    Where it suggested nothing, the demand is the delegate's own, if it has one.
    """
    await execute(
        """INSERT INTO topic (appointment, listing, demand, match)
           SELECT mine.id, topic.listing,
                  CASE WHEN topic.match IS NULL THEN min(demand.id) ELSE topic.demand END, topic.match
           FROM topic JOIN appointment mine ON mine.meeting = $1 AND (mine.seller, mine.buyer) = ($2, $3)
           JOIN listing ON listing.id = topic.listing JOIN lot ON lot.id = listing.lot
           LEFT JOIN demand ON demand.buyer = mine.buyer AND demand.produce = lot.produce
             AND demand.state = 'published' AND demand.open > 0
           WHERE topic.appointment = $4
             AND NOT EXISTS (SELECT FROM topic known WHERE known.appointment = mine.id)
           GROUP BY mine.id, topic.listing, topic.demand, topic.match
           ORDER BY topic.match IS NULL, min(topic.id)""",
        meeting_id,
        *pair,
        talk_id,
    )


async def _leave_out(meeting_id: int, pair: tuple[int, int], reason: Message) -> None:
    await execute(
        "INSERT INTO left_out (meeting, seller, buyer, reason) VALUES ($1, $2, $3, $4)",
        meeting_id,
        *pair,
        msgspec.json.encode(reason).decode(),
    )


async def _tell(meeting_id: int, before: dict[int, list[tuple[int, int, int]]], *, at: datetime) -> None:
    if await fetch_value("SELECT published_at IS NOT NULL FROM meeting WHERE id = $1", meeting_id):
        await tell_changed(meeting_id, before, at=at)
