"""Whom the invited want to meet, whom they could meet, and when they cannot."""

from datetime import datetime

import msgspec

from market.db.session import fetch, fetch_into, fetch_row
from market.errors import NotFound
from market.i18n import Message, msg
from market.units import Gram, tonnes

#: Who has said no, passed the invitation on or was taken off the list meets nobody.
AWAY = ("declined", "delegated", "revoked", "expired")

_OTHER_SIDE = {"seller": "buyer", "buyer": "seller"}


class WishRow(msgspec.Struct, frozen=True):
    """One participant's wish about another: a code of ``rules.WISHES``."""

    organisation: int
    name: str
    name_en: str
    #: The side of who wishes: seller or buyer.
    side: str
    about: int
    about_name: str
    about_name_en: str
    level: str
    note: str
    created_at: datetime


class GoodsRow(msgspec.Struct, frozen=True):
    """What somebody brings (a listing) or seeks (a demand). Grams left; fen per kg asked or paid at most."""

    id: int
    organisation: int
    produce: str
    title: str
    title_en: str
    quantity: int
    price: int


class CounterpartRow(msgspec.Struct, frozen=True):
    """Somebody of the other side, as one participant sees them before deciding whom to meet.

    ``goods`` are listings where ``side`` is seller and demands where it is buyer. What the other wishes
    is told only where both want each other: a "never" stays with whoever said it.
    """

    organisation: int
    name: str
    name_en: str
    kind: str
    side: str
    #: Of the invitation.
    state: str
    goods: list[GoodsRow]
    #: Something of theirs and something of mine are the same produce.
    common: bool
    #: Fen that the engine's open matches between the two put at stake; None: it has none.
    worth: int | None
    #: Why the two might meet.
    reason: Message | None
    #: My wish and what I wrote beside it.
    wish: str | None
    note: str
    #: Both have said must or want.
    mutual: bool


class _Invited(msgspec.Struct, frozen=True):
    organisation: int
    name: str
    name_en: str
    kind: str
    side: str
    state: str


async def wishes_of(meeting_id: int) -> list[WishRow]:
    """Return all wishes of a meeting, for its town and for planning, by who wishes."""
    return await fetch_into(
        WishRow,
        """SELECT wish.organisation, mine.name, mine.name_en, invitation.side, wish.about,
                  other.name AS about_name, other.name_en AS about_name_en, wish.level, wish.note,
                  wish.created_at
           FROM wish JOIN organisation mine ON mine.id = wish.organisation
           JOIN organisation other ON other.id = wish.about
           JOIN invitation ON invitation.meeting = wish.meeting
                          AND invitation.organisation = wish.organisation
           WHERE wish.meeting = $1 ORDER BY wish.organisation, wish.about""",
        meeting_id,
    )


async def absences_of(meeting_id: int) -> dict[int, list[int]]:
    """Return organisation -> the slots in which it cannot talk, in order."""
    found: dict[int, list[int]] = {}
    for row in await fetch(
        """SELECT invitation.organisation, absence.slot FROM absence
           JOIN invitation ON invitation.id = absence.invitation
           WHERE invitation.meeting = $1 ORDER BY invitation.organisation, absence.slot""",
        meeting_id,
    ):
        found.setdefault(row["organisation"], []).append(row["slot"])
    return found


#: What was said of the day and holds: not of somebody who was to stay away and is here after all.
HOLDS = """incident.meeting = $1 AND incident.undone_at IS NULL
             AND NOT (incident.kind = 'absent' AND EXISTS (
               SELECT FROM invitation came WHERE came.meeting = $1 AND came.attendance = 'checked_in'
                 AND came.organisation = (incident.details -> 'change' ->> 'organisation')::bigint))"""


async def unavailable_of(meeting_id: int) -> dict[int, list[int]]:
    """Return organisation -> the slots in which it cannot talk, in order: what it said of itself, and who is
    late or does not come as the town has noted it."""
    found: dict[int, list[int]] = {}
    for row in await fetch(
        f"""SELECT invitation.organisation, absence.slot::bigint AS slot FROM absence
            JOIN invitation ON invitation.id = absence.invitation WHERE invitation.meeting = $1
            UNION
            SELECT away.who::bigint, slot::bigint FROM incident
            CROSS JOIN jsonb_each(incident.details -> 'effects' -> 'away') AS away (who, slots)
            CROSS JOIN jsonb_array_elements_text(away.slots) AS slot WHERE {HOLDS}
            ORDER BY organisation, slot""",  # noqa: S608  our own text
        meeting_id,
    ):
        found.setdefault(row["organisation"], []).append(row["slot"])
    return found


async def lost_places_of(meeting_id: int) -> tuple[frozenset[int], frozenset[tuple[int, int]]]:
    """Return the slots that are lost, and the tables that cannot be used, each as (slot, table)."""
    rows = await fetch(
        f"""SELECT (place ->> 0)::bigint AS slot, (place ->> 1)::bigint AS seat FROM incident
            CROSS JOIN jsonb_array_elements(incident.details -> 'effects' -> 'closed') AS place
            WHERE {HOLDS}""",  # noqa: S608  our own text
        meeting_id,
    )
    return (
        frozenset(row["slot"] for row in rows if row["seat"] is None),
        frozenset((row["slot"], row["seat"]) for row in rows if row["seat"] is not None),
    )


async def counterparts_of(meeting_id: int, organisation_id: int) -> list[CounterpartRow]:
    """Return whom the organisation could meet at the meeting, those with most at stake first.

    Nobody for a guest: only sellers and buyers talk at the tables.

    Raises:
        NotFound: not invited.
    """
    me = await fetch_row(
        """SELECT side FROM invitation WHERE meeting = $1 AND organisation = $2 AND state <> 'revoked'""",
        meeting_id,
        organisation_id,
    )
    if me is None:
        raise NotFound(msg("没有找到这场对接会。"))
    if me["side"] not in _OTHER_SIDE:
        return []
    others = await fetch_into(
        _Invited,
        """SELECT invitation.organisation, organisation.name, organisation.name_en, organisation.kind,
                  invitation.side, invitation.state
           FROM invitation JOIN organisation ON organisation.id = invitation.organisation
           WHERE invitation.meeting = $1 AND invitation.side = $2 AND NOT invitation.state = ANY($3::text[])
           ORDER BY organisation.name, organisation.id""",
        meeting_id,
        _OTHER_SIDE[me["side"]],
        list(AWAY),
    )
    goods: dict[int, list[GoodsRow]] = {}
    for each in await _goods([organisation_id, *(other.organisation for other in others)]):
        goods.setdefault(each.organisation, []).append(each)
    mine = {each.produce for each in goods.get(organisation_id, [])}
    stakes = await _stakes(meeting_id, organisation_id)
    wishes = {(each.organisation, each.about): each for each in await wishes_of(meeting_id)}

    def seen(other: _Invited) -> CounterpartRow:
        theirs = goods.get(other.organisation, [])
        common = any(each.produce in mine for each in theirs)
        stake = stakes.get(other.organisation)
        wish = wishes.get((organisation_id, other.organisation))
        back = wishes.get((other.organisation, organisation_id))
        return CounterpartRow(
            organisation=other.organisation,
            name=other.name,
            name_en=other.name_en,
            kind=other.kind,
            side=other.side,
            state=other.state,
            goods=sorted(theirs, key=lambda each: (each.produce not in mine, each.id)),
            common=common,
            worth=stake.worth if stake else None,
            reason=stake.reason if stake else msg("双方有同一种货，可以谈。") if common else None,
            wish=wish.level if wish else None,
            note=wish.note if wish else "",
            mutual=all(each is not None and each.level in ("must", "want") for each in (wish, back)),
        )

    return sorted(
        map(seen, others), key=lambda each: (each.worth is None, -(each.worth or 0), not each.common)
    )


async def _goods(organisations: list[int]) -> list[GoodsRow]:
    return await fetch_into(
        GoodsRow,
        """SELECT listing.id, listing.owner AS organisation, lot.produce, listing.title, listing.title_en,
                  lot.remaining AS quantity, listing.ask AS price
           FROM listing JOIN lot ON lot.id = listing.lot
           WHERE listing.owner = ANY($1::bigint[]) AND listing.state = 'published' AND lot.remaining > 0
           UNION ALL
           SELECT demand.id, demand.buyer, demand.produce, demand.title, demand.title_en, demand.open,
                  demand.ceiling
           FROM demand
           WHERE demand.buyer = ANY($1::bigint[]) AND demand.state = 'published' AND demand.open > 0
           ORDER BY organisation, id""",
        organisations,
    )


class _Stake(msgspec.Struct, frozen=True):
    other: int
    worth: int
    matches: int
    quantity: int

    @property
    def reason(self) -> Message:
        return msg(
            "撮合建议 {count} 条，共 {mass} 吨。",
            count=self.matches,
            mass=f"{tonnes(Gram(self.quantity)):,.1f}",
        )


async def _stakes(meeting_id: int, organisation_id: int) -> dict[int, _Stake]:
    """Return the other organisation -> what the town's open matches between the two amount to."""
    found = await fetch_into(
        _Stake,
        """SELECT CASE WHEN match.seller = $2 THEN match.buyer ELSE match.seller END AS other,
                  sum(match.worth) AS worth, count(*) AS matches, sum(match.quantity) AS quantity
           FROM match JOIN run ON run.id = match.run JOIN meeting ON meeting.town = run.town
           WHERE meeting.id = $1 AND $2 IN (match.seller, match.buyer)
             AND match.state IN ('proposed', 'one_side_agreed', 'agreed')
           GROUP BY 1""",
        meeting_id,
        organisation_id,
    )
    return {each.other: each for each in found}
