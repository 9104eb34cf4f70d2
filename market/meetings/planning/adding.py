"""Talks for whom the timetable leaves without one, added together with one press."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from market.accounts.rules import Actor
from market.db.session import fetch, fetch_value, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg
from market.meetings.invitations.inviting import invite
from market.meetings.planning.hall import hall_of
from market.meetings.planning.pairing import add_appointment

#: Talks in one press.
MOST_AT_ONCE = 100


class Added(msgspec.Struct, frozen=True):
    """Talks that were added, those of them that found no free place, and who was invited for them."""

    talks: int
    unplaced: int
    invited: int


async def add_talks(
    *, meeting_id: int, pairs: Sequence[tuple[int, int]], town_id: int, actor: Actor, at: datetime
) -> Added:
    """Have each pair (seller, buyer) meet where the timetable has room, all or none; who is not invited is.

    What finds no free place waits for the next plan, which places it before all others.

    Raises:
        NotFound: no such meeting of this town, or no such organisation.
        Invalid: nothing is chosen, too much at once, or somebody is not of that side.
        Conflict: the meeting has begun; one of them has said no, would rather not, or may have no more talks.
    """
    pairs = list(dict.fromkeys(pairs))
    if not pairs or len(pairs) > MOST_AT_ONCE:
        problem = (
            msg("一次最多加 {most} 场，请分几次。", most=MOST_AT_ONCE)
            if pairs
            else msg("请先勾选要加的洽谈。")
        )
        raise Invalid(problem, {"pairs": problem})
    people = {who for pair in pairs for who in pair}
    async with transaction():
        if not await fetch_value(
            "SELECT true FROM meeting WHERE id = $1 AND town = $2 FOR UPDATE", meeting_id, town_id
        ):
            raise NotFound(msg("没有找到这场对接会。"))
        hall = await hall_of(meeting_id, people)
        names = {
            row["id"]: row["name"]
            for row in await fetch(
                "SELECT id, name FROM organisation WHERE id = ANY($1::bigint[])", [*people]
            )
        }
        openings, unplaced, invited = hall.openings, 0, 0
        load = {who: hall.talks_of(who) for who in people}
        new: set[int] = set()
        for seller, buyer in pairs:
            for who, side in ((seller, "seller"), (buyer, "buyer")):
                if not hall.comes(who) and who not in new:
                    await invite(
                        meeting_id=meeting_id,
                        organisation_id=who,
                        side=side,
                        town_id=town_id,
                        actor=actor,
                        at=at,
                    )
                    new.add(who)
                    invited += 1
                most = hall.most_of(who, side)
                if load[who] >= most:
                    raise Conflict(
                        msg(
                            "{name} 最多谈 {most} 场，请少选一场。",
                            name=names[who],
                            most=most,
                        )
                    )
                if hall.is_person_full(who, {**hall.talks, **load}):
                    raise Conflict(
                        msg(
                            "代表{name}的人也代表别家，合起来最多谈 {most} 场，请少选一场。",
                            name=names[who],
                            most=hall.capacity.most_of_one_person or 0,
                        )
                    )
                load[who] += 1
            place = openings.place(seller, buyer)
            await add_appointment(
                meeting_id=meeting_id,
                seller=seller,
                buyer=buyer,
                slot=place.slot if place else None,
                table=place.table if place else None,
                town_id=town_id,
                actor=actor,
                at=at,
            )
            if place is None:
                unplaced += 1
            else:
                openings = openings.with_talk(seller, buyer, place)
    return Added(len(pairs), unplaced, invited)
