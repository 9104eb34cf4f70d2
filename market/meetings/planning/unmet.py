"""Whom the timetable leaves without a talk, whom they could meet, and why nobody where there is nobody.

Sellers of the town with goods on sale count although nobody has invited them: a village whose goods do not
sell is what a meeting is for. Whoever has said no is left in peace.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from asyncpg import Record

from market import clock
from market.db.session import fetch
from market.i18n import Message, msg
from market.matching.queries import Snapshot, open_proposals, snapshot
from market.matching.rules import Demand, Lot
from market.meetings.choosing.pairs import Pair, gather
from market.meetings.choosing.problem import PartySide
from market.meetings.living.places import Place
from market.meetings.planning.facts import past_of, wishes_between
from market.meetings.planning.fitting import Fit, Fitting, worth_of
from market.meetings.planning.hall import Hall, hall_of
from market.meetings.planning.nobody import why_nobody

#: Counterparts that are offered to each, and of whom is told at most.
MOST_PARTNERS = 4
MOST_UNMET = 50


class About(msgspec.Struct, frozen=True):
    """Goods and the demand that they fit. Grams that both still have, road km, fen at stake."""

    listing: int
    title: str
    title_en: str
    demand: int
    demand_title: str
    demand_title_en: str
    grams: int
    km: float
    worth: int


class Partner(msgspec.Struct, frozen=True):
    """Whom somebody could meet. ``place``: where the timetable has room for both; None: the next plan looks.

    ``invited``: is on the list already; who is not is invited along with the talk.
    """

    organisation: int
    name: str
    name_en: str
    invited: bool
    #: Talks that it has already.
    talks: int
    about: list[About]
    #: Fen at stake in all that the two could talk about; km of the nearest goods.
    worth: int
    km: float
    place: Place | None
    #: What the engine suggested, or only what fits.
    matched: bool


class Unmet(msgspec.Struct, frozen=True):
    """Somebody without a talk. ``partners``: the best first; ``why`` there are none."""

    organisation: int
    name: str
    name_en: str
    side: PartySide
    invited: bool
    #: Grams of its goods on sale, or that it still wants.
    grams: int
    partners: list[Partner]
    why: Message | None
    #: A listing of its own whose page says more of that; None: there is none, or it is another town's.
    listing: int | None

    def pair(self, partner: Partner) -> tuple[int, int]:
        """Return the seller and the buyer of the two."""
        both = self.organisation, partner.organisation
        return both if self.side == "seller" else (both[1], both[0])


class Unreached(msgspec.Struct, frozen=True):
    """``shown`` of all ``count`` that have no talk."""

    shown: list[Unmet]
    count: int


class _Idle(msgspec.Struct, frozen=True):
    organisation: int
    name: str
    name_en: str
    side: PartySide
    invited: bool
    own_town: bool


async def _idle(meeting_id: int, town_id: int) -> list[_Idle]:
    """Return who has no talk: of the invited, and of the town's sellers with goods on sale."""
    rows = await fetch(
        """WITH busy AS (
             SELECT seller AS who FROM appointment WHERE meeting = $1 AND state <> 'cancelled'
             UNION SELECT buyer FROM appointment WHERE meeting = $1 AND state <> 'cancelled'),
           known AS (
             SELECT organisation, side, state,
                    state = 'revoked' AND source = 'planned' AND link_version = 1 AS undone
             FROM invitation WHERE meeting = $1),
           idle AS (
             SELECT organisation, side, true AS invited FROM known
             WHERE side <> 'guest' AND state NOT IN ('declined', 'delegated', 'revoked', 'expired')
             UNION ALL
             SELECT DISTINCT listing.owner, 'seller', false
             FROM listing JOIN lot ON lot.id = listing.lot
             JOIN organisation ON organisation.id = listing.owner
             WHERE listing.state = 'published' AND lot.remaining > 0
               AND $2 IN (organisation.town, organisation.id)
               AND NOT EXISTS (SELECT FROM known WHERE known.organisation = listing.owner
                                 AND NOT known.undone))
           SELECT idle.organisation, organisation.name, organisation.name_en, idle.side, idle.invited,
                  coalesce($2 IN (organisation.town, organisation.id), false) AS own_town
           FROM idle JOIN organisation ON organisation.id = idle.organisation
           WHERE NOT EXISTS (SELECT FROM busy WHERE busy.who = idle.organisation)
           ORDER BY idle.organisation""",
        meeting_id,
        town_id,
    )
    return [_Idle(**dict(row)) for row in rows]


async def unmet_of(*, meeting_id: int, town_id: int, at: datetime) -> Unreached:
    """Return whom a meeting's timetable leaves without a talk, those with most at stake first."""
    idle = await _idle(meeting_id, town_id)
    if not idle:
        return Unreached([], 0)
    market = await _market(meeting_id, town_id, idle, at=at)
    proposals = await open_proposals(town_id=town_id)
    # at a fair of hundreds half a second of reckoning, in which others are answered
    fitting = await asyncio.to_thread(Fitting, market, proposals, {each.organisation for each in idle})
    people = {each.organisation for each in idle} | fitting.people()
    hall = await hall_of(meeting_id, people)
    pairs = await asyncio.to_thread(
        gather,
        fitting.candidates,
        capacity=hall.capacity,
        parties=hall.parties,
        wishes=await wishes_between(meeting_id),
        past=await past_of(meeting_id, people),
        barred=hall.apart,
    )
    known = {pair.key: pair for pair in pairs}
    lots, demands = _by_owner(market)
    own = _Own(fitting, lots, demands)
    told = [_told(each, own, known, hall) for each in idle]
    told.sort(key=_first)
    # figures, free places, and why there is nobody: asked for those alone who are shown
    top = told[:MOST_UNMET]
    about = {one.pair.key: fitting.of(*one.pair.key) for each in top for one in each.options}
    names = await _names(top, about)
    shown = [
        msgspec.structs.replace(
            each.unmet, partners=[_partner(one, about[one.pair.key], hall, names) for one in each.options]
        )
        if each.options
        else msgspec.structs.replace(each.unmet, why=_why(each, own))
        for each in top
    ]
    return Unreached(shown, len(told))


class _Option(msgspec.Struct, frozen=True):
    """Whom somebody could meet."""

    organisation: int
    pair: Pair


class _Told(msgspec.Struct, frozen=True):
    """Somebody without a talk: those whom they could meet, what is in the way of others, if any goods fit."""

    unmet: Unmet
    options: Sequence[_Option]
    obstacles: Sequence[Message]
    fits: bool


def _first(one: _Told) -> tuple[int, int, str]:
    """Most at stake first, then most goods."""
    return -max((each.pair.worth for each in one.options), default=-1), -one.unmet.grams, one.unmet.name


async def _market(meeting_id: int, town_id: int, idle: Sequence[_Idle], *, at: datetime) -> Snapshot:
    """Return what the idle could talk about; sellers from elsewhere bring their own goods."""
    on = at.astimezone(clock.CHINA).date()
    rows = await fetch(
        """SELECT DISTINCT lot.produce FROM listing JOIN lot ON lot.id = listing.lot
           WHERE listing.owner = ANY($1::bigint[]) AND listing.state = 'published'
           UNION SELECT produce FROM demand WHERE buyer = ANY($1::bigint[]) AND state = 'published'""",
        [each.organisation for each in idle],
    )
    kinds = [row["produce"] for row in rows]
    market = await snapshot(town_id=town_id, on=on, produce=kinds)
    guests = await fetch(
        """SELECT invitation.organisation FROM invitation
           JOIN organisation ON organisation.id = invitation.organisation
           WHERE invitation.meeting = $1 AND invitation.side = 'seller' AND invitation.state <> 'revoked'
             AND organisation.town IS DISTINCT FROM $2 AND organisation.id <> $2
             AND EXISTS (SELECT FROM listing WHERE listing.owner = organisation.id
                           AND listing.state = 'published')
           ORDER BY invitation.organisation""",
        meeting_id,
        town_id,
    )
    known = {lot.id for lot in market.lots}
    lots = [*market.lots]
    for row in guests:
        own = await snapshot(town_id=row["organisation"], on=on, produce=kinds)
        lots += [lot for lot in own.lots if lot.id not in known and lot.seller == str(row["organisation"])]
    return msgspec.structs.replace(market, lots=lots)


class _Names(msgspec.Struct, frozen=True):
    organisations: Mapping[int, Record]
    listings: Mapping[int, Record]
    demands: Mapping[int, Record]


async def _names(told: Sequence[_Told], about: Mapping[tuple[int, int], Sequence[Fit]]) -> _Names:
    async def named(what: str, numbers: set[int]) -> dict[int, Record]:
        rows = await fetch(what, sorted(numbers))
        return {row["id"]: row for row in rows}

    fits = [each for some in about.values() for each in some]
    return _Names(
        await named(
            "SELECT id, name, name_en FROM organisation WHERE id = ANY($1::bigint[])",
            {one.organisation for each in told for one in each.options},
        ),
        await named(
            "SELECT id, title, title_en FROM listing WHERE id = ANY($1::bigint[])",
            {int(each.lot.id) for each in fits},
        ),
        await named(
            "SELECT id, title, title_en FROM demand WHERE id = ANY($1::bigint[])",
            {int(each.demand.id) for each in fits},
        ),
    )


class _Own(msgspec.Struct, frozen=True):
    """What belongs to each organisation: whom it could meet, and its goods or demands."""

    fitting: Fitting
    lots: Mapping[int, Sequence[Lot]]
    demands: Mapping[int, Sequence[Demand]]


def _by_owner(market: Snapshot) -> tuple[Mapping[int, Sequence[Lot]], Mapping[int, Sequence[Demand]]]:
    lots: dict[int, list[Lot]] = defaultdict(list)
    demands: dict[int, list[Demand]] = defaultdict(list)
    for lot in market.lots:
        lots[int(lot.seller)].append(lot)
    for demand in market.demands:
        demands[int(demand.buyer)].append(demand)
    return lots, demands


def _told(
    idle: _Idle,
    own: _Own,
    known: Mapping[tuple[int, int], Pair],
    hall: Hall,
) -> _Told:
    """Return somebody with those whom they could meet, the best first."""
    is_seller = idle.side == "seller"
    others: Sequence[int] = own.fitting.partners[idle.side].get(idle.organisation, ())
    options: list[_Option] = []
    obstacles: list[Message] = []
    if not hall.most_of(idle.organisation, idle.side):
        obstacles.append(msg("这一家这次不排洽谈。"))
        others = ()
    elif hall.is_person_full(idle.organisation, hall.talks):
        obstacles.append(msg("代表这一家的人也代表别家，合起来已谈满。"))
        others = ()
    for who in others:
        pair = known[(idle.organisation, who) if is_seller else (who, idle.organisation)]
        if (obstacle := _obstacle(who, pair, hall, "buyer" if is_seller else "seller")) is not None:
            obstacles.append(obstacle)
            continue
        options.append(_Option(who, pair))
    options.sort(key=lambda each: (not hall.comes(each.organisation), -each.pair.worth, each.organisation))
    lots, demands = own.lots.get(idle.organisation, ()), own.demands.get(idle.organisation, ())
    found = Unmet(
        organisation=idle.organisation,
        name=idle.name,
        name_en=idle.name_en,
        side=idle.side,
        invited=idle.invited,
        grams=sum(each.quantity for each in (lots if is_seller else demands)),
        partners=[],
        why=None,
        listing=int(lots[0].id) if is_seller and lots and idle.own_town else None,
    )
    return _Told(found, options[:MOST_PARTNERS], obstacles, bool(others))


def _partner(one: _Option, fits: Sequence[Fit], hall: Hall, names: _Names) -> Partner:
    who, pair = one.organisation, one.pair
    return Partner(
        organisation=who,
        name=names.organisations[who]["name"],
        name_en=names.organisations[who]["name_en"],
        invited=hall.comes(who),
        talks=hall.talks_of(who),
        about=_about(fits, names),
        worth=worth_of(fits),
        km=min(each.km for each in fits),
        place=hall.openings.place(pair.seller, pair.buyer),
        matched=pair.matched,
    )


def _why(one: _Told, own: _Own) -> Message:
    who, side = one.unmet.organisation, one.unmet.side
    offers = bool((own.lots if side == "seller" else own.demands).get(who))
    return why_nobody(side, own.fitting.nearest(who, side), one.obstacles, offers=offers, fits=one.fits)


def _obstacle(who: int, pair: Pair, hall: Hall, side: str) -> Message | None:
    """Return why somebody is not offered although the goods would fit."""
    if who in hall.away:
        return msg("对方已谢绝、转交或被撤下，不来这次会。")
    if pair.obstacle is not None:
        return pair.obstacle
    if hall.talks_of(who) >= hall.most_of(who, side) or hall.is_person_full(who, hall.talks):
        return msg("对方的洽谈已排满。")
    return None


def _about(fits: Sequence[Fit], names: _Names) -> list[About]:
    """Return each listing once, with the demand at which most is at stake."""
    best: dict[int, Fit] = {}
    for each in sorted(fits, key=lambda each: (-each.worth, int(each.demand.id))):
        best.setdefault(int(each.lot.id), each)
    return [
        About(
            listing=listing,
            title=names.listings[listing]["title"],
            title_en=names.listings[listing]["title_en"],
            demand=int(each.demand.id),
            demand_title=names.demands[int(each.demand.id)]["title"],
            demand_title_en=names.demands[int(each.demand.id)]["title_en"],
            grams=each.grams,
            km=each.km,
            worth=each.worth,
        )
        for listing, each in best.items()
    ]
