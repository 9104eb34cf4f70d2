"""What a plan is made of, read from the database: goods, wishes, absences, history, and what stays put."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Any, Literal

import msgspec
from asyncpg import Record

from market import clock
from market.db.session import fetch
from market.matching.lifecycle import EXPIRED
from market.matching.queries import Snapshot, open_proposals, snapshot
from market.matching.rules import Parameters, why_not
from market.meetings.choosing.problem import Candidate, Capacity, Party, Past, Wish
from market.meetings.invitations.sole import persons_of
from market.meetings.invitations.wish_queries import AWAY, lost_places_of, unavailable_of, wishes_of

#: Talks that the town, or whoever passed an invitation on, has put together: planning keeps to them.
BY_HAND = ("manual", "delegated", "walk_in")


class Firm(msgspec.Struct, frozen=True):
    """A pair that the town has put together; with ``place``, it stays there. Places as :class:`Facts`."""

    seller: int
    buyer: int
    place: int | None = None
    table: int | None = None


class Laid(msgspec.Struct, frozen=True):
    """Where a pair sits in the timetable that participants know."""

    seller: int
    buyer: int
    place: int
    table: int


class Facts(msgspec.Struct, frozen=True):
    """``slots`` are those in which talks may lie, through all days; a *place* is a slot's place in them,
    from 1. In between there is something that everybody attends, so nobody waits there.

    Whoever has said no, and while nobody new may be invited, whoever is not, is in no candidate.
    ``strangers`` counts the candidates that only the latter keeps out.
    """

    slots: tuple[int, ...]
    capacity: Capacity
    candidates: tuple[Candidate, ...]
    parties: tuple[Party, ...]
    half_day_after: int | None = None
    fairness: int | None = None
    #: Organisation -> its own table.
    tables: dict[int, int] = {}
    wishes: tuple[Wish, ...] = ()
    past: tuple[Past, ...] = ()
    firm: tuple[Firm, ...] = ()
    barred: tuple[tuple[int, int], ...] = ()
    #: The published timetable; empty before it is.
    laid: tuple[Laid, ...] = ()
    #: Tables that cannot be used, as (place, table).
    broken: tuple[tuple[int, int], ...] = ()
    strangers: int = 0
    #: Why nobody new is invited: the timetable is out, or the last day to answer is over.
    closed: Literal["published", "answers"] | None = None


async def facts_of(meeting_id: int, *, at: datetime) -> Facts:
    """Read the facts, in the caller's transaction."""
    meeting = (await fetch("SELECT * FROM meeting WHERE id = $1", meeting_id))[0]
    invited = {
        row["organisation"]: row
        for row in await fetch(
            """SELECT organisation, side, state, source, link_version, most_appointments, table_number
               FROM invitation WHERE meeting = $1 ORDER BY organisation""",
            meeting_id,
        )
    }
    away = {who for who, row in invited.items() if row["side"] == "guest" or is_away(row)}
    today = at.astimezone(clock.CHINA).date()
    closed: Literal["published", "answers"] | None = None
    if meeting["published_at"] is not None:
        closed = "published"
    elif meeting["answer_by"] is not None and today > meeting["answer_by"]:
        closed = "answers"

    def comes(who: int) -> bool:
        return who in invited and who not in away if closed else who not in away

    slots = usable_slots(meeting)
    place = {slot: number for number, slot in enumerate(slots, start=1)}
    possible = await _candidates(meeting_id, town_id=meeting["town"], at=at)
    candidates = [each for each in possible if comes(each.seller) and comes(each.buyer)]
    wishes = await wishes_between(meeting_id)
    wishes = [each for each in wishes if comes(each.seller) and comes(each.buyer)]
    appointments = [
        row
        for row in await fetch(
            """SELECT seller, buyer, slot, table_number, state, source, fixed FROM appointment
               WHERE meeting = $1 ORDER BY seller, buyer""",
            meeting_id,
        )
        if comes(row["seller"]) and comes(row["buyer"])
    ]
    firm = tuple(_firm(row, place) for row in appointments if _is_firm(row))
    laid = tuple(
        Laid(row["seller"], row["buyer"], place[row["slot"]], row["table_number"])
        for row in appointments
        if row["state"] == "scheduled" and row["slot"] in place and row["table_number"] is not None
    )
    if meeting["published_at"] is None:
        laid = ()
    pairs = [(each.seller, each.buyer) for each in candidates]
    pairs += [(each.seller, each.buyer) for each in wishes]
    pairs += [(each.seller, each.buyer) for each in firm]
    pairs += [(each.seller, each.buyer) for each in laid]
    people = {who for pair in pairs for who in pair}
    lost, broken = await lost_places_of(meeting_id)
    return Facts(
        slots=slots,
        capacity=Capacity(
            len(slots),
            meeting["tables"],
            meeting["most_appointments"],
            meeting["most_of_sellers"],
            meeting["most_of_buyers"],
            meeting["most_of_one_person"],
        ),
        candidates=tuple(candidates),
        parties=await parties_of(meeting_id, people, invited, place, lost=lost),
        half_day_after=_half_day_after(meeting, slots),
        fairness=meeting["fairness"],
        tables={
            who: row["table_number"]
            for who, row in invited.items()
            if row["table_number"] is not None and 1 <= row["table_number"] <= meeting["tables"]
        },
        wishes=tuple(wishes),
        past=tuple(await past_of(meeting_id, people)),
        firm=firm,
        barred=tuple((row["seller"], row["buyer"]) for row in appointments if row["state"] == "cancelled"),
        laid=laid,
        broken=tuple((place[slot], table) for slot, table in sorted(broken) if slot in place),
        strangers=sum(each.seller not in away and each.buyer not in away for each in possible)
        - len(candidates),
        closed=closed,
    )


def is_away(row: Record) -> bool:
    # planning itself takes back what nobody answered, and may think again; the town raises the link's version
    by_planning = row["state"] == "revoked" and row["source"] == "planned" and row["link_version"] == 1
    return row["state"] in AWAY and not by_planning


def _is_firm(row: Record) -> bool:
    return row["state"] in ("accepted", "scheduled") and (row["fixed"] or row["source"] in BY_HAND)


def _firm(row: Record, place: dict[int, int]) -> Firm:
    if row["slot"] not in place:
        return Firm(row["seller"], row["buyer"])
    return Firm(row["seller"], row["buyer"], place[row["slot"]], row["table_number"])


def usable_slots(meeting: Record) -> tuple[int, ...]:
    blocked = set(meeting["blocked_slots"])
    return tuple(slot for slot in range(1, meeting["slots"] * meeting["days"] + 1) if slot not in blocked)


def _half_day_after(meeting: Record, slots: tuple[int, ...]) -> int | None:
    """Return the last place of the morning, where there is one morning."""
    last: int | None = meeting["half_day_after"]
    if last is None or meeting["days"] > 1:
        return None
    return sum(slot <= last for slot in slots)


async def _candidates(meeting_id: int, *, town_id: int, at: datetime) -> list[Candidate]:
    """Every open match, what the meeting's talks stand on, and every admissible pair of a listing that no
    match empties.

    The latter weigh nothing: they are there so that whoever is stuck meets somebody at least, best of all
    a buyer with much demand that found no match.
    """
    proposals = await open_proposals(town_id=town_id)
    found = [
        Candidate(
            seller=each.seller,
            buyer=each.buyer,
            listing=each.listing,
            worth=each.worth,
            demand=each.demand,
            matched=True,
        )
        for each in proposals
    ]
    taken: dict[str, int] = defaultdict(int)
    filled: dict[str, int] = defaultdict(int)
    for each in proposals:
        if each.proposed:
            taken[str(each.listing)] += each.quantity
            filled[str(each.demand)] += each.quantity
    known = {(each.listing, each.demand) for each in proposals}
    market = await snapshot(town_id=town_id, on=at.astimezone(clock.CHINA).date())
    barred = set(market.barred)
    parameters = Parameters()
    for own in await _stood_on(meeting_id, market, taken, filled, known):
        found.append(own)
        known.add((own.listing, own.demand or 0))
    by_product: dict[str, list[Any]] = defaultdict(list)
    for demand in market.demands:
        by_product[demand.product].append(demand)
    for lot in market.lots:
        left = lot.quantity - taken[lot.id]
        if left <= 0:
            continue
        found += [
            Candidate(
                seller=int(lot.seller),
                buyer=int(demand.buyer),
                listing=int(lot.id),
                worth=0,
                demand=int(demand.id),
                stuck=True,
                volume=max(0, min(left, demand.quantity - filled[demand.id])),
            )
            for demand in by_product.get(lot.product, [])
            if (int(lot.id), int(demand.id)) not in known
            and (lot.id, demand.id) not in barred
            and not why_not(lot, demand, parameters)
        ]
    return found


async def _stood_on(
    meeting_id: int,
    market: Snapshot,
    taken: dict[str, int],
    filled: dict[str, int],
    known: set[tuple[int, int]],
) -> list[Candidate]:
    """Return what the meeting's talks stand on beside open matches, and add it to what is taken and filled.

    A match that nobody took up in time still says that the two fit: for this meeting it counts as long as
    goods and demand are there, for what is left of both. So does a match of whoever a delegate sits in for.
    """
    lots = {lot.id: lot for lot in market.lots}
    demands = {demand.id: demand for demand in market.demands}
    found = []
    for row in await fetch(
        """SELECT DISTINCT appointment.seller, appointment.buyer, match.id, match.listing, match.demand,
                  match.quantity, match.worth, match.state = $2 AS lapsed
           FROM topic JOIN appointment ON appointment.id = topic.appointment
           JOIN match ON match.id = topic.match
           WHERE appointment.meeting = $1 AND appointment.state IN ('accepted', 'scheduled')
             AND (match.state = $2 OR match.buyer <> appointment.buyer
                                      AND match.state IN ('proposed', 'one_side_agreed', 'agreed'))
           ORDER BY match.id, appointment.buyer""",
        meeting_id,
        EXPIRED,
    ):
        worth = row["worth"]
        if row["lapsed"]:
            lot, demand = lots.get(str(row["listing"])), demands.get(str(row["demand"]))
            if lot is None or demand is None or (row["listing"], row["demand"]) in known:
                continue
            left = min(row["quantity"], lot.quantity - taken[lot.id], demand.quantity - filled[demand.id])
            if left <= 0 or (lot.id, demand.id) in market.barred or why_not(lot, demand, Parameters()):
                continue
            taken[lot.id] += left
            filled[demand.id] += left
            worth = worth * left // row["quantity"]
        found.append(
            Candidate(
                seller=row["seller"],
                buyer=row["buyer"],
                listing=row["listing"],
                worth=worth,
                demand=row["demand"],
                matched=True,
            )
        )
    return found


async def wishes_between(meeting_id: int) -> list[Wish]:
    return [
        Wish(each.organisation, each.about, "seller", each.level)  # type: ignore[arg-type]
        if each.side == "seller"
        else Wish(each.about, each.organisation, "buyer", each.level)  # type: ignore[arg-type]
        for each in await wishes_of(meeting_id)
    ]


async def parties_of(
    meeting_id: int,
    people: set[int],
    invited: dict[int, Record],
    place: dict[int, int],
    *,
    lost: Collection[int],
) -> tuple[Party, ...]:
    absences = await unavailable_of(meeting_id)
    persons = await persons_of(meeting_id, people)
    return tuple(
        Party(
            id=row["id"],
            name=row["name"],
            name_en=row["name_en"],
            absent=tuple(
                place[slot] for slot in sorted({*absences.get(row["id"], []), *lost}) if slot in place
            ),
            most=invited[row["id"]]["most_appointments"] if row["id"] in invited else None,
            person=persons.get(row["id"]),
        )
        for row in await fetch(
            "SELECT id, name, name_en FROM organisation WHERE id = ANY($1::bigint[]) ORDER BY id",
            sorted(people),
        )
    )


async def past_of(meeting_id: int, people: set[int]) -> list[Past]:
    rows = await fetch(
        """SELECT DISTINCT seller, buyer, 'traded' AS ended FROM deal
           WHERE seller = ANY($2::bigint[]) AND buyer = ANY($2::bigint[])
             AND state NOT IN ('cancelled', 'terminated')
           UNION
           SELECT seller, buyer, CASE WHEN refusing = 2 THEN 'parted' ELSE 'unwanted' END
           FROM (SELECT talk.seller, talk.buyer, count(*) AS refusing FROM (
                   -- the last word of each side
                   SELECT DISTINCT ON (talk.seller, talk.buyer, feedback.organisation)
                          talk.seller, talk.buyer, feedback.again
                   FROM appointment AS talk JOIN meeting ON meeting.id = talk.meeting
                   JOIN feedback ON feedback.appointment = talk.id
                   WHERE talk.meeting <> $1 AND talk.seller = ANY($2::bigint[])
                     AND talk.buyer = ANY($2::bigint[])
                   ORDER BY talk.seller, talk.buyer, feedback.organisation, meeting.held_on DESC,
                            talk.id DESC) AS talk
                 WHERE NOT talk.again GROUP BY talk.seller, talk.buyer) AS said
           WHERE refusing = 2 OR 'none' = (
             SELECT talk.outcome FROM appointment AS talk JOIN meeting ON meeting.id = talk.meeting
             WHERE talk.meeting <> $1 AND talk.seller = said.seller AND talk.buyer = said.buyer
               AND talk.state = 'held' ORDER BY meeting.held_on DESC, talk.id DESC LIMIT 1)
           ORDER BY seller, buyer, ended""",
        meeting_id,
        sorted(people),
    )
    return [Past(row["seller"], row["buyer"], row["ended"]) for row in rows]
