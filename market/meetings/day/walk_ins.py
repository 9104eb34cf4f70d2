"""Somebody comes who was not expected: they are let in, and whom they might meet is proposed."""

from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.operations import NewOrganisation, register_organisation
from market.accounts.rules import COOPERATIVE, MILL, RETAILER, VILLAGE, Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, fetch_into, fetch_row, transaction
from market.db.signals import signal
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Language, Message, msg, translate
from market.meetings import rules
from market.meetings.alike import told_apart
from market.meetings.day.attendance import board_of, code_of_invitation, log_move, settle

#: Kinds of organisation that may walk in, and the side on which they sit.
SIDE_OF = {VILLAGE: "seller", COOPERATIVE: "seller", MILL: "seller", RETAILER: "buyer"}
LONGEST_NAME = 60
#: A name with the place that tells it from others.
LONGEST_ANSWER = 160
_MOST_NAMED = 5


class WalkIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who comes: the name of an organisation that is known, or a new one with its ``kind``."""

    name: str
    kind: str = ""


class Suggestion(msgspec.Struct, frozen=True):
    """Whom they might meet, and how many products one has and the other wants."""

    organisation: int
    name: str
    name_en: str
    attendance: str
    shared: int
    #: Talks that this one still has before it.
    busy: int


async def let_in(*, meeting_id: int, walk_in: WalkIn, town_id: int, actor: Actor, at: datetime) -> int:
    """Put somebody on the list who came without an invitation, checked in; return the organisation.

    An organisation that is invited already is only checked in; one that was to look on sits at the tables
    too. Before the meeting's day nobody is checked in: whoever asks to come then is put on the list and
    awaited.

    Raises:
        NotFound: no such meeting of this town.
        Conflict: it is not under way.
        Invalid: no name; an unknown name without its kind; somebody who does not trade.
    """
    name = walk_in.name.strip()
    if not 0 < len(name) <= LONGEST_ANSWER:
        problem = msg("请写来的单位，最多 {most} 个字。", most=LONGEST_NAME)
        raise Invalid(problem, {"name": problem})
    async with transaction():
        meeting = await fetch_row(
            "SELECT state, held_on FROM meeting WHERE id = $1 AND town = $2 FOR UPDATE", meeting_id, town_id
        )
        if meeting is None:
            raise NotFound(msg("没有找到这场对接会。"))
        if meeting["state"] not in ("timetabled", "in_progress"):
            raise Conflict(msg("排好桌以后、会议结束以前，才能登记临时到场的单位。"))
        is_early = at.astimezone(CHINA).date() < meeting["held_on"]
        organisation_id, side = await _organisation(name, walk_in.kind, town_id, at=at)
        reason: Message = msg("会前自己要来。") if is_early else msg("当天临时到场。")
        rows = await fetch(
            """INSERT INTO invitation (meeting, organisation, side, state, attendance, reason, source,
                                       responded_at, created_at)
               VALUES ($1, $2, $3, 'accepted', $4, $5, 'walk_in', $6, $6)
               ON CONFLICT (meeting, organisation) DO UPDATE SET state = 'accepted', delegated_to = NULL,
                 side = CASE invitation.side WHEN 'guest' THEN excluded.side ELSE invitation.side END
               RETURNING id""",
            meeting_id,
            organisation_id,
            side,
            rules.ATTENDANCE.start,
            msgspec.json.encode(reason).decode(),
            at,
        )
        number = rows[0]["id"]
        await execute("SELECT id FROM invitation WHERE id = $1 FOR UPDATE", number)
        if not is_early:
            await log_move(
                meeting_id=meeting_id,
                code=code_of_invitation(number),
                attendee_id=None,
                move="check_in",
                actor=actor,
                at=at,
            )
            await settle(number, at=at)
        await record(
            subject=f"meeting:{meeting_id}",
            action="walk_in",
            actor=actor,
            at=at,
            details={"organisation": organisation_id},
        )
        await signal(board_of(meeting_id))
    return organisation_id


async def _organisation(name: str, kind: str, town_id: int, *, at: datetime) -> tuple[int, str]:
    known = await _called(name)
    if len(known) > 1:
        alike = await told_apart([each["id"] for each in known])
        choices: Message | None = None
        for each in list(alike.values())[:_MOST_NAMED]:
            choices = each if choices is None else msg("{one}、{other}", one=choices, other=each)
        problem = msg(
            "名册里有 {n} 家“{name}”，请写明是哪一家：{choices}。",
            n=len(known),
            name=name,
            choices=choices or "",
        )
        raise Invalid(problem, {"name": problem})
    if known:
        if known[0]["kind"] not in SIDE_OF:
            problem = msg("“{name}”不是买方也不是卖方，不用排洽谈。", name=name)
            raise Invalid(problem, {"name": problem})
        return known[0]["id"], SIDE_OF[known[0]["kind"]]
    if len(name) > LONGEST_NAME:
        problem = msg("请写来的单位，最多 {most} 个字。", most=LONGEST_NAME)
        raise Invalid(problem, {"name": problem})
    if kind not in SIDE_OF:
        problem = msg("名册里没有“{name}”，请再选它是哪一类，会一并登记。", name=name)
        raise Invalid(problem, {"kind": problem})
    made = await register_organisation(
        organisation=NewOrganisation(
            kind=kind, name=name, town_id=town_id if SIDE_OF[kind] == "seller" else None
        ),
        at=at,
    )
    return made, SIDE_OF[kind]


async def _called(name: str) -> list[Record]:
    """Return whom a name means: those of that name, or the one that is called so among those of its name."""
    rows = await fetch(
        """SELECT id, kind, name, name_en FROM organisation
           WHERE starts_with($1, name) OR name_en <> '' AND starts_with($1, name_en) ORDER BY id""",
        name,
    )
    if same := [row for row in rows if row["name"] == name]:
        return same
    alike = await told_apart([row["id"] for row in rows])
    return [
        row
        for row in rows
        if row["id"] in alike
        and name in (translate(alike[row["id"]], "zh"), translate(alike[row["id"]], "en"))
    ]


async def suggestions_for(*, meeting_id: int, organisation_id: int) -> list[Suggestion]:
    """Return the other side's participants whom this one has no talk with that stands, the likeliest first.

    Likely is who has on sale what the other wants to buy (or the reverse) at a price with room in it, is
    in the house, and has few talks left.
    """
    return await fetch_into(
        Suggestion,
        """WITH own AS (
             SELECT organisation, side FROM invitation WHERE meeting = $1 AND organisation = $2),
           pair AS (
             SELECT lot.owner AS seller, demand.buyer, count(DISTINCT lot.produce) AS shared
             FROM listing JOIN lot ON lot.id = listing.lot
             JOIN demand ON demand.produce = lot.produce AND demand.state = 'published'
               AND demand.open > 0 AND demand.ceiling >= listing.ask
             WHERE listing.state = 'published' AND lot.remaining > 0 AND $2 IN (lot.owner, demand.buyer)
             GROUP BY lot.owner, demand.buyer)
           SELECT other.organisation, organisation.name, organisation.name_en, other.attendance,
                  coalesce(pair.shared, 0) AS shared,
                  (SELECT count(*) FROM appointment
                   WHERE appointment.meeting = $1 AND appointment.state = 'scheduled'
                     AND other.organisation IN (appointment.seller, appointment.buyer)) AS busy
           FROM own
           JOIN invitation other ON other.meeting = $1 AND other.side <> own.side AND other.side <> 'guest'
             AND other.state NOT IN ('revoked', 'declined', 'delegated', 'expired')
             AND other.attendance NOT IN ('no_show', 'left')
           JOIN organisation ON organisation.id = other.organisation
           LEFT JOIN pair ON (pair.seller, pair.buyer) IN (
             (other.organisation, own.organisation), (own.organisation, other.organisation))
           WHERE NOT EXISTS (
             SELECT FROM appointment WHERE appointment.meeting = $1
               AND NOT (appointment.state = 'accepted' AND appointment.slot IS NULL)
               AND ((appointment.seller, appointment.buyer) IN (
                 (other.organisation, own.organisation), (own.organisation, other.organisation))))
           ORDER BY shared DESC, other.attendance = 'checked_in' DESC, busy, organisation.name""",
        meeting_id,
        organisation_id,
    )


async def known_names(language: Language) -> list[str]:
    """Return what everybody who may walk in is called, for the form to offer: those of one name apart."""
    rows = await fetch(
        """SELECT id, name, count(*) OVER (PARTITION BY name) > 1 AS is_shared FROM organisation
           WHERE kind = ANY($1::text[]) ORDER BY name, id LIMIT 2000""",
        list(SIDE_OF),
    )
    alike = await told_apart([row["id"] for row in rows if row["is_shared"]])
    return [translate(alike[row["id"]], language) if row["id"] in alike else row["name"] for row in rows]
