"""Whom the timetable leaves without a talk, whom they could meet, and why nobody where there is nobody.

Sellers of the town with goods on sale count although nobody has invited them: a village whose goods do not
sell is what a meeting is for. Whoever has said no is left in peace.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from asyncpg import Record

from market import clock
from market.db.session import fetch
from market.i18n import Message, msg
from market.matching.queries import Proposal, Snapshot, open_proposals, snapshot
from market.matching.rules import Demand, Lot, Parameters, freight_per_kg, kilometres, why_not
from market.meetings.choosing.pairs import Pair, gather
from market.meetings.choosing.problem import Candidate, PartySide
from market.meetings.living.places import Place
from market.meetings.planning.facts import past_of, wishes_between
from market.meetings.planning.hall import Hall, hall_of
from market.meetings.planning.nobody import why_nobody
from market.units import FEN_PER_YUAN, GRAMS_PER_KG

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
    pairs = _fitting(market, proposals, {each.organisation: each.side for each in idle})
    people = {each.organisation for each in idle}
    people |= {who for each in pairs for who in (int(each.lot.seller), int(each.demand.buyer))}
    hall = await hall_of(meeting_id, people)
    known = {
        pair.key: pair
        for pair in gather(
            [each.candidate for each in pairs],
            capacity=hall.capacity,
            parties=hall.parties,
            wishes=await wishes_between(meeting_id),
            past=await past_of(meeting_id, people),
            barred=hall.apart,
        )
    }
    names = await _names(pairs, people)
    own = _by_owner(market, pairs)
    told = [_told(each, own, known, hall) for each in idle]
    told.sort(key=_first)
    # free places, and why there is nobody, take a look at all there is: asked for those alone who are shown
    shown = [
        msgspec.structs.replace(each.unmet, partners=[_partner(one, hall, names) for one in each.options])
        if each.options
        else msgspec.structs.replace(each.unmet, why=_why(each, market, own))
        for each in told[:MOST_UNMET]
    ]
    return Unreached(shown, len(told))


class _Option(msgspec.Struct, frozen=True):
    """Whom somebody could meet, and about what."""

    organisation: int
    pair: Pair
    fits: Sequence["_Fit"]


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


class _Fit(msgspec.Struct, frozen=True):
    """A lot and a demand that one of the idle could talk about."""

    lot: Lot
    demand: Demand
    km: float
    candidate: Candidate
    grams: int


def _fitting(market: Snapshot, proposals: Sequence[Proposal], idle: Mapping[int, PartySide]) -> list[_Fit]:
    """Return the admissible pairs of the idle: what the engine suggested, and what is left beside it."""
    taken: dict[str, int] = defaultdict(int)
    filled: dict[str, int] = defaultdict(int)
    own: dict[tuple[str, str], Proposal] = {}
    for each in proposals:
        own[str(each.listing), str(each.demand)] = each
        if each.proposed:
            taken[str(each.listing)] += each.quantity
            filled[str(each.demand)] += each.quantity
    barred, parameters = set(market.barred), Parameters()
    every: dict[str, list[Demand]] = defaultdict(list)
    of_idle: dict[str, list[Demand]] = defaultdict(list)
    for demand in market.demands:
        every[demand.product].append(demand)
        if int(demand.buyer) in idle:
            of_idle[demand.product].append(demand)
    found = []
    for lot in market.lots:
        for demand in (every if int(lot.seller) in idle else of_idle)[lot.product]:
            if (lot.id, demand.id) in barred or why_not(lot, demand, parameters):
                continue
            proposal = own.get((lot.id, demand.id))
            grams = proposal.quantity if proposal else _left(lot, demand, taken, filled)
            if grams <= 0:
                continue
            km = kilometres(lot, demand, parameters)
            worth = proposal.worth if proposal else _worth(lot, demand, grams, km, parameters)
            found.append(
                _Fit(
                    lot,
                    demand,
                    km,
                    Candidate(
                        seller=int(lot.seller),
                        buyer=int(demand.buyer),
                        listing=int(lot.id),
                        worth=worth,
                        demand=int(demand.id),
                        stuck=proposal is None,
                        matched=proposal is not None,
                        volume=grams,
                    ),
                    grams,
                )
            )
    return found


def _left(lot: Lot, demand: Demand, taken: Mapping[str, int], filled: Mapping[str, int]) -> int:
    return min(lot.quantity - taken.get(lot.id, 0), demand.quantity - filled.get(demand.id, 0))


def _worth(lot: Lot, demand: Demand, grams: int, km: float, parameters: Parameters) -> int:
    """Return the fen at stake: what the buyer pays at most, less what the seller asks and the freight."""
    per_kg = float(demand.ceiling - lot.ask + lot.priority) - freight_per_kg(km, parameters)
    return int(per_kg * FEN_PER_YUAN * grams / GRAMS_PER_KG)


class _Names(msgspec.Struct, frozen=True):
    organisations: Mapping[int, Record]
    listings: Mapping[int, Record]
    demands: Mapping[int, Record]


async def _names(pairs: Sequence[_Fit], people: set[int]) -> _Names:
    async def named(what: str, numbers: set[int]) -> dict[int, Record]:
        rows = await fetch(what, sorted(numbers))
        return {row["id"]: row for row in rows}

    return _Names(
        await named("SELECT id, name, name_en FROM organisation WHERE id = ANY($1::bigint[])", people),
        await named(
            "SELECT id, title, title_en FROM listing WHERE id = ANY($1::bigint[])",
            {each.candidate.listing for each in pairs},
        ),
        await named(
            "SELECT id, title, title_en FROM demand WHERE id = ANY($1::bigint[])",
            {int(each.demand.id) for each in pairs},
        ),
    )


class _Own(msgspec.Struct, frozen=True):
    """What belongs to each organisation: what it could talk about, and its goods or demands."""

    fits: Mapping[int, Sequence[_Fit]]
    lots: Mapping[int, Sequence[Lot]]
    demands: Mapping[int, Sequence[Demand]]


def _by_owner(market: Snapshot, pairs: Sequence[_Fit]) -> _Own:
    fits: dict[int, list[_Fit]] = defaultdict(list)
    lots: dict[int, list[Lot]] = defaultdict(list)
    demands: dict[int, list[Demand]] = defaultdict(list)
    for each in pairs:
        fits[each.candidate.seller].append(each)
        fits[each.candidate.buyer].append(each)
    for lot in market.lots:
        lots[int(lot.seller)].append(lot)
    for demand in market.demands:
        demands[int(demand.buyer)].append(demand)
    return _Own(fits, lots, demands)


def _told(
    idle: _Idle,
    own: _Own,
    known: Mapping[tuple[int, int], Pair],
    hall: Hall,
) -> _Told:
    """Return somebody with those whom they could meet, the best first."""
    is_seller = idle.side == "seller"
    mine: dict[int, list[_Fit]] = defaultdict(list)
    for each in own.fits.get(idle.organisation, ()):
        seller, buyer = each.candidate.seller, each.candidate.buyer
        if (seller if is_seller else buyer) == idle.organisation:
            mine[buyer if is_seller else seller].append(each)
    options: list[_Option] = []
    obstacles: list[Message] = []
    if not hall.most_of(idle.organisation, idle.side):
        obstacles.append(msg("这一家这次不排洽谈。"))
        mine = defaultdict(list)
    elif hall.is_person_full(idle.organisation, hall.talks):
        obstacles.append(msg("代表这一家的人也代表别家，合起来已谈满。"))
        mine = defaultdict(list)
    for who, fits in mine.items():
        pair = known[(idle.organisation, who) if is_seller else (who, idle.organisation)]
        if (obstacle := _obstacle(who, pair, hall, "buyer" if is_seller else "seller")) is not None:
            obstacles.append(obstacle)
            continue
        options.append(_Option(who, pair, fits))
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
    return _Told(found, options[:MOST_PARTNERS], obstacles, bool(mine))


def _partner(one: _Option, hall: Hall, names: _Names) -> Partner:
    who, pair = one.organisation, one.pair
    return Partner(
        organisation=who,
        name=names.organisations[who]["name"],
        name_en=names.organisations[who]["name_en"],
        invited=hall.comes(who),
        talks=hall.talks_of(who),
        about=_about(one.fits, names),
        worth=pair.worth,
        km=min(each.km for each in one.fits),
        place=hall.openings.place(pair.seller, pair.buyer),
        matched=pair.matched,
    )


def _why(one: _Told, market: Snapshot, own: _Own) -> Message:
    who = one.unmet.organisation
    lots, demands = own.lots.get(who, ()), own.demands.get(who, ())
    return why_nobody(one.unmet.side, market, lots, demands, one.obstacles, one.fits)


def _obstacle(who: int, pair: Pair, hall: Hall, side: str) -> Message | None:
    """Return why somebody is not offered although the goods would fit."""
    if who in hall.away:
        return msg("对方已谢绝、转交或被撤下，不来这次会。")
    if pair.obstacle is not None:
        return pair.obstacle
    if hall.talks_of(who) >= hall.most_of(who, side) or hall.is_person_full(who, hall.talks):
        return msg("对方的洽谈已排满。")
    return None


def _about(fits: Sequence[_Fit], names: _Names) -> list[About]:
    """Return each listing once, with the demand at which most is at stake."""
    best: dict[int, _Fit] = {}
    for each in sorted(fits, key=lambda each: (-each.candidate.worth, int(each.demand.id))):
        best.setdefault(each.candidate.listing, each)
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
            worth=each.candidate.worth,
        )
        for listing, each in best.items()
    ]
