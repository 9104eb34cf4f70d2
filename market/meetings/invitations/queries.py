"""Invitations as their links open them and as the town keeps account of them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from asyncpg import Record
from msgspec import Meta

from market.db.session import fetch, fetch_into, fetch_value, into
from market.errors import NotFound
from market.i18n import Message, msg
from market.paging import Page, PageNumber

#: Invitations on one page of the town's list.
LENGTH = 60


class InviteeRow(msgspec.Struct, frozen=True):
    """An invitation with all that the town and the invited know of it."""

    id: int
    meeting: int
    organisation: int
    name: str
    name_en: str
    kind: str
    side: str
    state: str
    attendance: str
    reason: Message
    source: str
    link_version: int
    note: str
    created_at: datetime
    responded_at: datetime | None
    reminded_at: datetime | None
    reminders: int
    delegated_to: int | None
    delegate_name: str | None
    delegate_name_en: str | None
    #: The meeting's days, from 1, on which they came.
    days_here: list[int]
    #: Persons named, and talks that stand in the timetable.
    persons: int
    talks: int


class AboutRow(msgspec.Struct, frozen=True):
    """Something that an organisation is to talk about: a listing's title and what it is."""

    title: str
    title_en: str


class InviteeFilters(msgspec.Struct, frozen=True):
    """``answer``: a state of an invitation."""

    q: Annotated[str, Meta(max_length=60)] = ""
    side: Literal["", "buyer", "seller", "guest"] = ""
    answer: Annotated[str, Meta(pattern=r"\A[a-z_]{0,20}\Z")] = ""
    page: PageNumber = 1


_INVITEE = """SELECT invitation.id, invitation.meeting, invitation.organisation, organisation.name,
       organisation.name_en, organisation.kind, invitation.side, invitation.state, invitation.attendance,
       invitation.reason, invitation.source, invitation.link_version, invitation.note,
       invitation.created_at, invitation.responded_at, invitation.reminded_at, invitation.reminders,
       invitation.delegated_to, delegate.name AS delegate_name, delegate.name_en AS delegate_name_en,
       invitation.days_here,
       (SELECT count(*) FROM attendee WHERE attendee.invitation = invitation.id) AS persons,
       (SELECT count(*) FROM appointment WHERE appointment.meeting = invitation.meeting
          AND invitation.organisation IN (appointment.seller, appointment.buyer)
          AND appointment.state IN ('scheduled', 'held')) AS talks
FROM invitation JOIN organisation ON organisation.id = invitation.organisation
LEFT JOIN organisation delegate ON delegate.id = invitation.delegated_to
"""
_COUNT = """SELECT count(*) FROM invitation
JOIN organisation ON organisation.id = invitation.organisation
"""
_WHERE = """WHERE invitation.meeting = $1 AND ($2 = '' OR invitation.side = $2)
  AND (invitation.state = $3 OR $3 = '' AND invitation.state <> 'revoked')
  AND ($4 = '' OR position(lower($4) IN lower(organisation.name || ' ' || organisation.name_en)) > 0
       OR EXISTS (SELECT FROM attendee WHERE attendee.invitation = invitation.id
                    AND (position($4 IN attendee.name) > 0 OR attendee.phone = $4)))
"""


class LinkGone(NotFound):
    """The link was withdrawn or replaced, or was never given out."""


async def invitee(*, invitation_id: int, version: int) -> InviteeRow:
    """Return the invitation that a link of this version opens.

    Raises:
        LinkGone: it was withdrawn, or its link renewed since; the message says what to do.
    """
    rows = await fetch(_INVITEE + "WHERE invitation.id = $1", invitation_id)
    return into(InviteeRow, openable(rows, version))


def openable(rows: Sequence[Record], version: int) -> Record:
    """Return the invitation that was found under a link, where the link still opens it.

    Raises:
        LinkGone: it was withdrawn, or its link renewed since; the message says what to do.
    """
    # withdrawing ends every link as renewing does, so it has to be told first
    if rows and rows[0]["state"] == "revoked":
        raise LinkGone(msg("这份邀请已由主办方撤回。如有疑问，请联系主办的镇里。"))
    if not rows or rows[0]["link_version"] != version:
        raise LinkGone(msg("这个邀请链接已经更换，请向主办的镇里要新的链接。"))
    return rows[0]


class Ended(msgspec.Struct, frozen=True):
    """An invitation whose link opens nothing any more.

    ``shown``: the link held until the invitation was withdrawn, so whoever has it has seen all of its talks.
    Of a link that was replaced nobody knows what it had shown by then.
    """

    invited: InviteeRow
    shown: bool


async def ended_link(*, invitation_id: int, version: int) -> Ended | None:
    """Return the invitation that a link of this version opened once, None where there is none such."""
    rows = await fetch(_INVITEE + "WHERE invitation.id = $1", invitation_id)
    if not rows or version > rows[0]["link_version"]:
        return None
    # withdrawing raises the version as replacing does; whom only a plan had invited keeps it
    was_last = rows[0]["state"] == "revoked" and version >= rows[0]["link_version"] - 1
    return Ended(into(InviteeRow, rows[0]), was_last)


async def invitee_of(*, meeting_id: int, organisation_id: int) -> InviteeRow:
    """Return the invitation of an organisation to a meeting.

    Raises:
        NotFound: it is not invited.
    """
    rows = await fetch(
        _INVITEE + "WHERE invitation.meeting = $1 AND invitation.organisation = $2",
        meeting_id,
        organisation_id,
    )
    if not rows or rows[0]["state"] == "revoked":
        raise NotFound(msg("没有找到这份邀请。"))
    return into(InviteeRow, rows[0])


async def invitee_of_town(*, invitation_id: int, meeting_id: int, town_id: int) -> InviteeRow:
    """Return an invitation to the town that holds the meeting, withdrawn ones too.

    Raises:
        NotFound: it is not the town's, or not of this meeting.
    """
    rows = await fetch_into(
        InviteeRow,
        _INVITEE
        + """JOIN meeting ON meeting.id = invitation.meeting
             WHERE invitation.id = $1 AND invitation.meeting = $2 AND meeting.town = $3""",
        invitation_id,
        meeting_id,
        town_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这份邀请。"))
    return rows[0]


async def invitees_of(*, meeting_id: int, filters: InviteeFilters) -> Page[InviteeRow]:
    """Return one page of a meeting's invitations: who has not answered first, by days of waiting.

    Revoked ones are listed only where the filter asks for them.
    """
    values: tuple[Any, ...] = (meeting_id, filters.side, filters.answer, filters.q)
    total = await fetch_value(
        _COUNT + _WHERE,
        *values,
    )
    rows = await fetch_into(
        InviteeRow,
        _INVITEE
        + _WHERE
        + """ORDER BY invitation.state <> 'needs_action',
                      CASE WHEN invitation.state = 'needs_action'
                           THEN (invitation.created_at AT TIME ZONE 'Asia/Shanghai')::date END,
                      array_position(ARRAY['buyer', 'seller', 'guest'], invitation.side), invitation.id
             LIMIT $5 OFFSET $6""",
        *values,
        LENGTH,
        (filters.page - 1) * LENGTH,
    )
    return Page(rows, int(total), filters.page, LENGTH)


async def answers_of(*, meeting_id: int) -> dict[str, dict[str, int]]:
    """Return side -> state -> number of invitations."""
    counted: dict[str, dict[str, int]] = {}
    for row in await fetch(
        "SELECT side, state, count(*) AS n FROM invitation WHERE meeting = $1 GROUP BY side, state",
        meeting_id,
    ):
        counted.setdefault(row["side"], {})[row["state"]] = row["n"]
    return counted


async def reminded_since(*, meeting_id: int, since: datetime, invitation_ids: Collection[int] | None) -> int:
    """Return how many that have not answered, of all or of these, were reminded after ``since``."""
    counted: int = await fetch_value(
        """SELECT count(*) FROM invitation WHERE meeting = $1 AND state = 'needs_action' AND reminded_at > $2
             AND ($3::bigint[] IS NULL OR id = ANY($3))""",
        meeting_id,
        since,
        None if invitation_ids is None else list(invitation_ids),
    )
    return counted


async def about_of(*, meeting_id: int, organisation_id: int, limit: int = 6) -> list[AboutRow]:
    """Return what an organisation is to talk about, the most valuable first; not with whom."""
    return await fetch_into(
        AboutRow,
        """SELECT listing.title, listing.title_en FROM topic
           JOIN appointment ON appointment.id = topic.appointment
           JOIN listing ON listing.id = topic.listing LEFT JOIN match ON match.id = topic.match
           WHERE appointment.meeting = $1 AND $2 IN (appointment.seller, appointment.buyer)
             AND appointment.state IN ('requested', 'accepted', 'scheduled', 'held')
           GROUP BY listing.title, listing.title_en
           ORDER BY max(coalesce(match.worth, 0)) DESC, 1 LIMIT $3""",
        meeting_id,
        organisation_id,
        limit,
    )


class TakenName(msgspec.Struct, frozen=True):
    """An organisation that may be the one that somebody means, and why we think so."""

    id: int
    name: str
    name_en: str
    kind: str
    #: Its invitation to the meeting, where it has one.
    state: str | None
    same_phone: bool


async def similar_organisations(*, meeting_id: int, name: str, phone: str = "") -> list[TakenName]:
    """Return the organisations that ``name`` may mean, or where somebody has the number ``phone``."""
    return await fetch_into(
        TakenName,
        """SELECT organisation.id, organisation.name, organisation.name_en, organisation.kind,
                  invitation.state, known.organisation IS NOT NULL AS same_phone
           FROM organisation
           LEFT JOIN invitation ON invitation.organisation = organisation.id AND invitation.meeting = $1
           LEFT JOIN LATERAL (SELECT membership.organisation FROM membership
               JOIN person ON person.id = membership.person
               WHERE membership.organisation = organisation.id AND $3 <> '' AND person.phone = $3
               LIMIT 1) known ON true
           WHERE organisation.kind <> 'town' AND (known.organisation IS NOT NULL
              OR lower(organisation.name) = lower($2) OR lower(organisation.name_en) = lower($2)
              OR length($2) >= 2 AND (position($2 IN organisation.name) > 0
                                      OR position(organisation.name IN $2) > 0
                                      OR similarity(organisation.name, $2) > 0.45))
           ORDER BY lower(organisation.name) = lower($2) DESC, known.organisation IS NULL,
                    similarity(organisation.name, $2) DESC, organisation.id LIMIT 8""",
        meeting_id,
        name,
        phone,
    )
