"""Lots and demands of the two sides of a talk, side by side: what fits, what differs, what it comes to."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import msgspec

from market.catalogue.queries import CredentialKindView
from market.db.session import fetch_into, fetch_value
from market.errors import NotFound
from market.i18n import msg
from market.matching.rules import Demand, Lot, Obstacle, Parameters, freight_per_kg, kilometres, why_not
from market.units import FenPerKg, Gram

#: Goods of either side that the talk is not about are named as far as this.
_MOST_FURTHER = 12


class LotRow(msgspec.Struct, frozen=True):
    """A listing of the seller's. Grams; fen per kg at the farm gate."""

    id: int
    title: str
    title_en: str
    produce: str
    variety: str
    grade: int
    grade_zh: str
    grade_en: str
    remaining: int
    ask: int
    min_order: int
    available_from: date
    available_to: date
    credentials: list[CredentialKindView]
    place: str
    lat: float
    lon: float
    lot: int
    picture_position: int | None
    picture_hash: str | None


class DemandRow(msgspec.Struct, frozen=True):
    """A demand of the buyer's. Grams; fen per kg delivered."""

    id: int
    title: str
    title_en: str
    produce: str
    min_grade: int
    grade_zh: str
    grade_en: str
    open: int
    ceiling: int
    min_order: int
    deliver_from: date
    deliver_to: date
    max_distance_km: float | None
    requires: list[CredentialKindView]
    site_name: str | None
    site_name_en: str | None
    lat: float
    lon: float


class Figures(msgspec.Struct, frozen=True):
    """What a lot comes to at a demand's door. Kilometres of road; fen per kg, rounded up where it costs."""

    km: float
    freight: FenPerKg
    delivered: FenPerKg
    #: The ceiling less what the goods cost delivered: below nought the price does not fit.
    spare: int


class Together(msgspec.Struct, frozen=True):
    """One thing that the two talk about: a lot, the demand that it is for, and how the two fit."""

    lot: LotRow
    demand: DemandRow | None
    figures: Figures | None
    #: What the engine says is in the way, by condition; none: the pair is admissible.
    obstacles: dict[str, Obstacle]
    #: Credentials that are asked for and not held.
    lacking: list[CredentialKindView]
    match: int | None
    #: Grams, and fen per kg at the farm gate, as the match suggests.
    proposed: int | None
    proposed_price: int | None
    worth: int | None


class SideBySide(msgspec.Struct, frozen=True):
    """All that the two could talk about: what they are put together for, and what else each has."""

    together: list[Together]
    further_lots: list[LotRow]
    further_demands: list[DemandRow]


class _Topic(msgspec.Struct, frozen=True):
    listing: int
    demand: int | None
    match: int | None
    proposed: int | None
    proposed_price: int | None
    worth: int | None


class _Talk(msgspec.Struct, frozen=True):
    seller: int
    buyer: int
    run: int | None


async def side_by_side(*, appointment_id: int, organisation_id: int) -> SideBySide:
    """Return the lots and demands of a talk to one of its sides, or to the town that holds the meeting.

    Raises:
        NotFound: no such talk, or it is not yours.
    """
    found = await fetch_into(
        _Talk,
        """SELECT appointment.seller, appointment.buyer, meeting.run FROM appointment
           JOIN meeting ON meeting.id = appointment.meeting
           WHERE appointment.id = $1 AND $2 IN (appointment.seller, appointment.buyer, meeting.town)""",
        appointment_id,
        organisation_id,
    )
    if not found:
        raise NotFound(msg("没有找到这场洽谈。"))
    talk = found[0]
    topics = await fetch_into(
        _Topic,
        """SELECT topic.listing, topic.demand, topic.match, match.quantity AS proposed, match.worth,
                  offered_price(match.price, listing.way, listing.ask) / 100 AS proposed_price
           FROM topic JOIN listing ON listing.id = topic.listing
           LEFT JOIN match ON match.id = topic.match
           WHERE topic.appointment = $1 ORDER BY topic.id""",
        appointment_id,
    )
    lots = {each.id: each for each in await _lots(talk.seller, [topic.listing for topic in topics])}
    demands = {
        each.id: each
        for each in await _demands(talk.buyer, [topic.demand for topic in topics if topic.demand])
    }
    parameters = await _parameters(talk.run)
    together = [
        _together(lots[topic.listing], demands.get(topic.demand or 0), topic, talk, parameters)
        for topic in topics
        if topic.listing in lots
    ]
    spoken = {each.lot.id for each in together}
    wanted = {each.demand.id for each in together if each.demand}
    return SideBySide(
        together,
        [each for each in lots.values() if each.id not in spoken][:_MOST_FURTHER],
        [each for each in demands.values() if each.id not in wanted][:_MOST_FURTHER],
    )


def _together(
    lot: LotRow, demand: DemandRow | None, topic: _Topic, talk: _Talk, parameters: Parameters
) -> Together:
    figures: Figures | None = None
    obstacles: tuple[Obstacle, ...] = ()
    lacking: list[CredentialKindView] = []
    if demand is not None:
        figures, obstacles = compare(lot, demand, seller=talk.seller, buyer=talk.buyer, parameters=parameters)
        held = {each.code for each in lot.credentials}
        lacking = [each for each in demand.requires if each.code not in held]
    return Together(
        lot,
        demand,
        figures,
        {each.code: each for each in obstacles},
        lacking,
        topic.match,
        topic.proposed,
        topic.proposed_price,
        topic.worth,
    )


def compare(
    lot: LotRow, demand: DemandRow, *, seller: int, buyer: int, parameters: Parameters
) -> tuple[Figures, tuple[Obstacle, ...]]:
    """Return what ``lot`` comes to for ``demand``, and what the engine finds in the way; pure."""
    offered = Lot(
        id=str(lot.id),
        seller=str(seller),
        product=lot.produce,
        quantity=Gram(lot.remaining),
        ask=Decimal(lot.ask) / 100,
        latitude=lot.lat,
        longitude=lot.lon,
        available_from=lot.available_from,
        available_to=lot.available_to,
        grade=lot.grade,
        min_order=Gram(lot.min_order),
        credentials=frozenset(each.code for each in lot.credentials),
    )
    wanted = Demand(
        id=str(demand.id),
        buyer=str(buyer),
        product=demand.produce,
        quantity=Gram(demand.open),
        ceiling=Decimal(demand.ceiling) / 100,
        latitude=demand.lat,
        longitude=demand.lon,
        deliver_from=demand.deliver_from,
        deliver_to=demand.deliver_to,
        min_grade=demand.min_grade,
        min_order=Gram(demand.min_order),
        requires=frozenset(each.code for each in demand.requires),
        max_distance_km=demand.max_distance_km,
    )
    km = kilometres(offered, wanted, parameters)
    freight = FenPerKg(-int(-freight_per_kg(km, parameters) * 100 // 1))
    delivered = FenPerKg(lot.ask + freight)
    return (
        Figures(km, freight, delivered, demand.ceiling - delivered),
        why_not(offered, wanted, parameters),
    )


async def _parameters(run: int | None) -> Parameters:
    """Return what the meeting's run reckoned with, or else what is usual."""
    stored = await fetch_value("SELECT parameters FROM run WHERE id = $1", run)
    return msgspec.json.decode(stored, type=Parameters) if stored else Parameters()


async def _lots(seller: int, named: Sequence[int]) -> list[LotRow]:
    """Return ``named`` listings whatever has become of them, then what else the seller has on sale."""
    return await fetch_into(
        LotRow,
        """SELECT listing.id, listing.title, listing.title_en, lot.produce, lot.variety, lot.grade,
                  coalesce((SELECT zh FROM grade WHERE level = lot.grade), '') AS grade_zh,
                  coalesce((SELECT en FROM grade WHERE level = lot.grade), '') AS grade_en,
                  lot.remaining, listing.ask, listing.min_order, listing.available_from,
                  listing.available_to,
                  coalesce((SELECT jsonb_agg(jsonb_build_object('code', code, 'zh', zh, 'en', en)
                                             ORDER BY code)
                            FROM credential_kind WHERE code = ANY(lot.credentials)), '[]') AS credentials,
                  coalesce(division.path, '') AS place, lot.lat, lot.lon, lot.id AS lot,
                  first.position AS picture_position, first.content_hash AS picture_hash
           FROM listing JOIN lot ON lot.id = listing.lot
           LEFT JOIN division ON division.code = lot.division
           LEFT JOIN LATERAL (SELECT position, content_hash FROM picture WHERE picture.lot = lot.id
                              ORDER BY position LIMIT 1) AS first ON true
           WHERE listing.owner = $1 AND (listing.id = ANY($2::bigint[])
                  OR listing.state = 'published' AND lot.remaining > 0)
           ORDER BY listing.id = ANY($2::bigint[]) DESC, lot.remaining DESC, listing.id""",
        seller,
        list(named),
    )


async def _demands(buyer: int, named: Sequence[int]) -> list[DemandRow]:
    """Return ``named`` demands whatever has become of them, then what else the buyer seeks."""
    return await fetch_into(
        DemandRow,
        """SELECT demand.id, demand.title, demand.title_en, demand.produce, demand.min_grade,
                  coalesce((SELECT zh FROM grade WHERE level = demand.min_grade), '') AS grade_zh,
                  coalesce((SELECT en FROM grade WHERE level = demand.min_grade), '') AS grade_en,
                  demand.open, demand.ceiling, demand.min_order, demand.deliver_from, demand.deliver_to,
                  demand.max_distance_km::double precision AS max_distance_km,
                  coalesce((SELECT jsonb_agg(jsonb_build_object('code', code, 'zh', zh, 'en', en)
                                             ORDER BY code)
                            FROM credential_kind WHERE code = ANY(demand.requires)), '[]') AS requires,
                  site.name AS site_name, site.name_en AS site_name_en, demand.lat, demand.lon
           FROM demand LEFT JOIN site ON site.id = demand.site
           WHERE demand.buyer = $1 AND (demand.id = ANY($2::bigint[])
                  OR demand.state = 'published' AND demand.open > 0)
           ORDER BY demand.id = ANY($2::bigint[]) DESC, demand.open DESC, demand.id""",
        buyer,
        list(named),
    )
