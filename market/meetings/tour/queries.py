"""The tour to the fields: its stops, how the buses call at them, and the villages whose goods are stuck."""

from datetime import date, datetime
from typing import Any

import msgspec

from market.db.session import fetch, fetch_into
from market.i18n import Message
from market.meetings.route.asked import place_name


class LeftOutStop(msgspec.Struct, frozen=True):
    stop: int
    reason: Message


class BusDay(msgspec.Struct, frozen=True):
    """When a bus is back, and its metres."""

    ends: int
    metres: int


class Planned(msgspec.Struct, frozen=True):
    """What the router found; ``status`` as in ``route.problem.Route``."""

    status: str
    ends: int
    metres: int
    buses: tuple[BusDay, ...] = ()
    left_out: tuple[LeftOutStop, ...] = ()


class Told(msgspec.Struct, frozen=True):
    """What an organisation knows of the tour; ``visits``: that a bus comes to it."""

    text: str
    visits: bool = False


class Kept(msgspec.Struct, frozen=True):
    """The document beside a tour: the plan, and what each organisation (by its number) was last told."""

    plan: Planned | None = None
    told: dict[str, Told] = {}


class RouteStopRow(msgspec.Struct, frozen=True):
    """Minutes after midnight. ``bus`` is None where no bus calls."""

    id: int
    organisation: int | None
    name: str
    name_en: str
    lat: float
    lon: float
    opens_at: int
    closes_at: int
    stay_minutes: int
    shows: str
    bus: int | None
    position: int | None
    arrives_at: int | None
    leaves_at: int | None

    @property
    def begins_at(self) -> int | None:
        """When the visit begins: a bus that comes early waits."""
        return None if self.leaves_at is None else self.leaves_at - self.stay_minutes


class FieldRouteRow(msgspec.Struct, frozen=True):
    id: int
    meeting: int
    on: date
    start_name: str
    start_name_en: str
    start_lat: float
    start_lon: float
    leaves_at: int
    back_by: int
    buses: int
    speed_kmh: int
    seats: int | None
    planned_at: datetime | None
    result: Kept
    #: A worker is at it, or will be.
    planning: bool = False
    stops: list[RouteStopRow] = []

    @property
    def tours(self) -> list[list[RouteStopRow]]:
        """Return the stops of each bus that goes, in the order of its calls."""
        calls: dict[int, list[RouteStopRow]] = {}
        for stop in self.stops:
            if stop.bus is not None:
                calls.setdefault(stop.bus, []).append(stop)
        return [sorted(calls[bus], key=lambda stop: stop.position or 0) for bus in sorted(calls)]

    @property
    def visited(self) -> list[RouteStopRow]:
        return [stop for tour in self.tours for stop in tour]

    @property
    def is_told(self) -> bool:
        """Somebody was told of it: from then on everybody invited sees it."""
        return bool(self.result.told)


async def route_of(meeting_id: int) -> FieldRouteRow | None:
    """Return the tour of a meeting, None where none is planned. Who may see it is the caller's to know."""
    rows = await fetch(
        """SELECT field_route.*, CASE WHEN field_route.start_name = town.name THEN town.name_en ELSE '' END
                  AS start_name_en,
                  EXISTS (SELECT FROM job WHERE job.kind = 'meetings.tour'
                            AND job.key = 'meeting:' || field_route.meeting
                            AND job.state IN ('waiting', 'running', 'retrying')) AS planning
           FROM field_route JOIN meeting ON meeting.id = field_route.meeting
           JOIN organisation town ON town.id = meeting.town WHERE field_route.meeting = $1""",
        meeting_id,
    )
    if not rows:
        return None
    stops = await fetch(
        """SELECT route_stop.*, coalesce(organisation.name, '') AS full_name,
                  coalesce(organisation.name_en, '') AS name_en
           FROM route_stop LEFT JOIN organisation ON organisation.id = route_stop.organisation
           WHERE route_stop.route = $1
           ORDER BY route_stop.bus NULLS LAST, route_stop.position, route_stop.id""",
        rows[0]["id"],
    )
    row = dict(rows[0])
    kept = msgspec.json.decode(row["result"], type=Kept) if row["result"] else Kept()
    return FieldRouteRow(
        **{name: row[name] for name in FieldRouteRow.__struct_fields__ if name in row and name != "result"},
        result=kept,
        stops=[_stop(stop) for stop in stops],
    )


def _stop(row: Any) -> RouteStopRow:
    """Return a stop; its English name is its organisation's as long as it still goes by its name."""
    is_own = place_name(row["full_name"]) == row["name"]
    english = row["name_en"].removesuffix(" Village Committee") if is_own else ""
    return RouteStopRow(
        **{name: row[name] for name in RouteStopRow.__struct_fields__ if name != "name_en"}, name_en=english
    )


async def riders_of(meeting_id: int) -> int:
    """Return how many come along: the persons of buyers and guests who said yes; one where none is named."""
    rows = await fetch(
        """SELECT coalesce(sum(greatest(1, persons)), 0)::bigint AS riders
           FROM (SELECT (SELECT count(*) FROM attendee WHERE attendee.invitation = invitation.id) AS persons
                 FROM invitation
                 WHERE meeting = $1 AND side IN ('buyer', 'guest') AND state = 'accepted') house""",
        meeting_id,
    )
    return int(rows[0]["riders"])


async def may_see_tour(*, meeting_id: int, organisation_id: int) -> bool:
    """Tell whether the tour is open to an organisation: the town, the invited, and whom a bus calls at."""
    rows = await fetch(
        """SELECT FROM meeting WHERE meeting.id = $1 AND (meeting.town = $2
             OR EXISTS (SELECT FROM invitation WHERE invitation.meeting = meeting.id
                          AND invitation.organisation = $2 AND invitation.state <> 'revoked')
             OR EXISTS (SELECT FROM route_stop JOIN field_route ON field_route.id = route_stop.route
                        WHERE field_route.meeting = meeting.id AND route_stop.organisation = $2))""",
        meeting_id,
        organisation_id,
    )
    return bool(rows)


class VillageRow(msgspec.Struct, frozen=True):
    """A village, or an organisation by itself, that a bus could call at.

    ``grams`` and ``worth`` (fen at the asking price) of goods that nobody has agreed to take, of all who
    sell in that village.
    """

    organisation: int
    name: str
    name_en: str
    lat: float
    lon: float
    grams: int
    worth: int
    #: The kinds of produce, the most at stake first.
    kinds: list[str]


async def villages_of(*, town_id: int) -> list[VillageRow]:
    """Return the places of the town's sellers that can be found on a map, the most at stake first.

    Sellers of one village are one place, that of the village committee where there is one.
    """
    rows = await fetch(
        """WITH goods AS (
             SELECT listing.owner, produce.zh AS kind, lot.remaining - coalesce(promised.grams, 0) AS rest,
                    listing.ask
             FROM listing JOIN lot ON lot.id = listing.lot JOIN produce ON produce.code = lot.produce
             LEFT JOIN (SELECT listing, sum(quantity)::bigint AS grams FROM match
                        WHERE state IN ('proposed', 'one_side_agreed', 'agreed') GROUP BY listing) promised
               ON promised.listing = listing.id
             WHERE listing.state = 'published' AND lot.remaining > coalesce(promised.grams, 0)),
           sellers AS (
             SELECT organisation.id, organisation.name, organisation.name_en,
                    coalesce(organisation.lat, division.lat) AS lat,
                    coalesce(organisation.lon, division.lon) AS lon,
                    organisation.kind <> 'village' AS is_guest,
                    CASE WHEN division.level = 'village' THEN division.code
                         ELSE 'organisation ' || organisation.id END AS place
             FROM organisation LEFT JOIN division ON division.code = organisation.division
             WHERE organisation.town = $1),
           heads AS (
             SELECT DISTINCT ON (place) place, id, name, name_en, lat, lon FROM sellers
             WHERE lat IS NOT NULL AND lon IS NOT NULL ORDER BY place, is_guest, id),
           kinds AS (
             SELECT sellers.place, goods.kind, sum(goods.rest)::bigint AS grams,
                    sum(goods.rest::numeric * goods.ask / 1000)::bigint AS worth
             FROM sellers JOIN goods ON goods.owner = sellers.id GROUP BY sellers.place, goods.kind)
           SELECT heads.id AS organisation, heads.name, heads.name_en, heads.lat, heads.lon,
                  coalesce(sum(kinds.grams), 0)::bigint AS grams,
                  coalesce(sum(kinds.worth), 0)::bigint AS worth,
                  coalesce(array_agg(kinds.kind ORDER BY kinds.worth DESC, kinds.kind)
                           FILTER (WHERE kinds.kind IS NOT NULL), '{}') AS kinds
           FROM heads LEFT JOIN kinds ON kinds.place = heads.place
           GROUP BY heads.place, heads.id, heads.name, heads.name_en, heads.lat, heads.lon
           ORDER BY worth DESC, heads.id""",
        town_id,
    )
    return [
        VillageRow(
            **{
                **dict(row),
                "name": place_name(row["name"]),
                "name_en": row["name_en"].removesuffix(" Village Committee"),
            }
        )
        for row in rows
    ]


async def worth_at(*, stops: list[int]) -> dict[int, int | None]:
    """Return stop -> fen of stuck goods there; None for a place that somebody added by hand."""
    rows = await fetch_into(
        _Owner,
        """SELECT route_stop.id AS stop, route_stop.organisation, meeting.town
           FROM route_stop JOIN field_route ON field_route.id = route_stop.route
           JOIN meeting ON meeting.id = field_route.meeting WHERE route_stop.id = ANY($1::bigint[])""",
        stops,
    )
    villages: dict[int, int] = {}
    for town in {row.town for row in rows}:
        villages |= {each.organisation: each.worth for each in await villages_of(town_id=town)}
    return {row.stop: None if row.organisation is None else villages.get(row.organisation, 0) for row in rows}


class _Owner(msgspec.Struct, frozen=True):
    stop: int
    organisation: int | None
    town: int
