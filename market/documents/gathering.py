"""What a meeting's papers are made of, read in a few statements however large the meeting is."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from market.db.session import fetch, fetch_into
from market.errors import NotFound
from market.i18n import msg
from market.meetings.invitations.persons import AttendeeRow, attendees_of
from market.meetings.planning.unfit import CALLED_OFF
from market.meetings.queries import AppointmentRow, MeetingRow, appointments_of_meeting
from market.meetings.route.seats import Seating, seating
from market.meetings.tour.queries import riders_of

#: Invitations whose holders do not come, unless they were seen at the door.
_AWAY = ["revoked", "declined", "delegated", "expired"]


class Guest(msgspec.Struct, frozen=True):
    """Somebody invited who may come."""

    invitation: int
    link_version: int
    organisation: int
    name: str
    side: str
    uscc: str | None
    address: str
    invited_at: datetime


class Lot(msgspec.Struct, frozen=True):
    """A batch that is brought to the meeting: on sale by somebody invited, or talked of there."""

    listing: int
    lot: int
    title: str
    seller: int
    seller_name: str
    produce: str
    variety: str
    grade: str
    remaining: int
    ask: int
    min_order: int
    available_from: date
    available_to: date
    harvested_on: date | None
    place: str
    credentials: list[str]
    story: str
    invented: bool
    #: Of its first picture; None where there is none.
    picture_hash: str | None
    illustration: bool


class Stop(msgspec.Struct, frozen=True):
    """A village on the tour; minutes after midnight."""

    bus: int
    position: int
    name: str
    shows: str
    arrives_at: int
    leaves_at: int


class Tour(msgspec.Struct, frozen=True):
    on: date
    start_name: str
    leaves_at: int
    stops: list[Stop]
    #: How many buses drive each line; None where the size of a bus is not known.
    seating: Seating | None = None


class Fair(msgspec.Struct, frozen=True):
    """A meeting with all that its papers tell."""

    meeting: MeetingRow
    guests: list[Guest]
    persons: list[AttendeeRow]
    #: Those that were not called off, also by one side's not coming.
    talks: list[AppointmentRow]
    lots: list[Lot]
    tour: Tour | None
    #: Organisation -> its unified social credit code, of all who talk.
    uscc: dict[int, str]
    #: Contracts made at its tables.
    deals: "Deals"


class Deals(msgspec.Struct, frozen=True):
    """Contracts of a meeting: how many, grams and fen; those not signed by both apart from those that are."""

    pending: int = 0
    pending_grams: int = 0
    pending_fen: int = 0
    signed: int = 0
    signed_grams: int = 0
    signed_fen: int = 0


async def fair_of(meeting: MeetingRow) -> Fair:
    """Return all that the papers of ``meeting`` tell, as of now."""
    talks = [
        each
        for each in await appointments_of_meeting(meeting_id=meeting.id)
        if each.state != "cancelled" and not each.called_off
    ]
    guests = await fetch_into(
        Guest,
        """SELECT invitation.id AS invitation, invitation.link_version, invitation.organisation,
                  organisation.name, invitation.side, organisation.uscc, organisation.address,
                  invitation.created_at AS invited_at
           FROM invitation JOIN organisation ON organisation.id = invitation.organisation
           WHERE invitation.meeting = $1
             AND (NOT invitation.state = ANY($2::text[]) OR invitation.days_here <> '{}')
           ORDER BY array_position(ARRAY['buyer', 'seller', 'guest'], invitation.side), organisation.id""",
        meeting.id,
        _AWAY,
    )
    talking = sorted({party for each in talks for party in (each.seller, each.buyer)})
    codes = await fetch(
        "SELECT id, uscc FROM organisation WHERE id = ANY($1::bigint[]) AND uscc IS NOT NULL", talking
    )
    return Fair(
        meeting=meeting,
        guests=guests,
        persons=await attendees_of(meeting_id=meeting.id),
        talks=talks,
        lots=await _lots(meeting.id),
        tour=await _tour(meeting.id),
        uscc={row["id"]: row["uscc"] for row in codes},
        deals=await _deals(meeting.id),
    )


async def _lots(meeting_id: int) -> list[Lot]:
    return await fetch_into(Lot, f"{_LOT}{_BROUGHT} ORDER BY seller.id, listing.id", meeting_id, _AWAY)


async def lot_of(listing_id: int) -> Lot:
    """Return one batch as its poster tells of it; who may see it is for the caller to know.

    Raises:
        NotFound: there is none.
    """
    found = await fetch_into(Lot, f"{_LOT}WHERE listing.id = $1", listing_id)
    if not found:
        raise NotFound(msg("没有找到这批货源，它可能已经下架。"))
    return found[0]


_LOT = """SELECT listing.id AS listing, lot.id AS lot, listing.title, seller.id AS seller,
    seller.name AS seller_name, produce.zh AS produce, lot.variety,
    coalesce((SELECT zh FROM grade WHERE level = lot.grade), '') AS grade,
    lot.remaining, listing.ask, listing.min_order, listing.available_from, listing.available_to,
    lot.harvested_on, coalesce(division.path, '') AS place,
    coalesce((SELECT jsonb_agg(zh ORDER BY code) FROM credential_kind
              WHERE code = ANY(lot.credentials)), '[]') AS credentials,
    lot.story, lot.invented, shown.content_hash AS picture_hash,
    coalesce(shown.illustration, false) AS illustration
FROM listing JOIN lot ON lot.id = listing.lot JOIN produce ON produce.code = lot.produce
JOIN organisation AS seller ON seller.id = listing.owner
LEFT JOIN division ON division.code = lot.division
LEFT JOIN LATERAL (SELECT content_hash, illustration FROM picture WHERE picture.lot = lot.id
    ORDER BY position LIMIT 1) AS shown ON true
"""
#: On sale by somebody invited, or talked of.
_BROUGHT = f"""WHERE listing.id IN (
    SELECT topic.listing FROM topic JOIN appointment ON appointment.id = topic.appointment
    WHERE appointment.meeting = $1 AND appointment.state <> 'cancelled'
      AND NOT {CALLED_OFF})
  OR listing.state = 'published' AND listing.owner IN (
    SELECT organisation FROM invitation WHERE meeting = $1 AND side = 'seller'
      AND NOT state = ANY($2::text[]))
"""  # noqa: S608  our own text


async def _tour(meeting_id: int) -> Tour | None:
    rows = await fetch(
        """SELECT id, "on", start_name, leaves_at, buses, seats FROM field_route
           WHERE meeting = $1 AND planned_at IS NOT NULL""",
        meeting_id,
    )
    if not rows:
        return None
    stops = await fetch_into(
        Stop,
        """SELECT bus, position, name, shows, arrives_at, leaves_at FROM route_stop
           WHERE route = $1 AND bus IS NOT NULL AND position IS NOT NULL
             AND arrives_at IS NOT NULL AND leaves_at IS NOT NULL ORDER BY bus, position""",
        rows[0]["id"],
    )
    row = rows[0]
    found = seating(
        lines=len({stop.bus for stop in stops}),
        buses=row["buses"],
        seats=row["seats"],
        riders=await riders_of(meeting_id),
    )
    return Tour(row["on"], row["start_name"], row["leaves_at"], stops, found) if stops else None


async def _deals(meeting_id: int) -> Deals:
    rows = await fetch_into(
        Deals,
        """SELECT count(*) FILTER (WHERE NOT firm) AS pending,
                  coalesce(sum(quantity) FILTER (WHERE NOT firm), 0) AS pending_grams,
                  coalesce(sum(worth) FILTER (WHERE NOT firm), 0) AS pending_fen,
                  count(*) FILTER (WHERE firm) AS signed,
                  coalesce(sum(quantity) FILTER (WHERE firm), 0) AS signed_grams,
                  coalesce(sum(worth) FILTER (WHERE firm), 0) AS signed_fen
           FROM (SELECT standing.grams AS quantity, standing.fen AS worth,
                        deal.state NOT IN ('pending', 'partly_signed') AS firm
                 FROM topic JOIN appointment ON appointment.id = topic.appointment
                 JOIN deal ON deal.id = topic.deal JOIN deal_standing standing ON standing.deal = deal.id
                 WHERE appointment.meeting = $1 AND standing.grams > 0) AS made""",
        meeting_id,
    )
    return rows[0]


async def photos_of(lots: Sequence[Lot]) -> dict[str, bytes]:
    """Return hash -> picture as it is kept (WebP): the first of each batch that has one."""
    rows = await fetch(
        """SELECT DISTINCT ON (lot) lot, content_hash, image FROM picture WHERE lot = ANY($1::bigint[])
           ORDER BY lot, position""",
        [each.lot for each in lots if each.picture_hash],
    )
    return {row["content_hash"]: row["image"] for row in rows}
