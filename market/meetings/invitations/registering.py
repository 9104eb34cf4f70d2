"""Registrations on a meeting's public page: somebody asks to take part, the town admits or refuses."""

from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.limits import count_try
from market.accounts.rules import SYSTEM, Actor, is_phone
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, fetch_into, fetch_row, fetch_value, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, in_both, msg
from market.meetings import rules
from market.meetings.invitations.inviting import ask_again, invite, invite_new
from market.meetings.invitations.persons import LONGEST_NAME, NewAttendee, attendees_of, set_attendees
from market.meetings.invitations.replying import KIND_OF_SIDE, LONGEST_ORGANISATION
from market.meetings.queries import MeetingRow, meeting_of
from market.notices.operations import notify

LONGEST_OFFERS = 300
#: Registrations from one address, and for one phone number, in one window of time.
TRIES_PER_ADDRESS = 20
TRIES_PER_PHONE = 5
#: A meeting in one of these still takes registrations.
OPEN = frozenset({"announced", "registration", "timetabled"})
#: A meeting in one of these has no public page yet.
_HIDDEN = frozenset({"draft"})


class NewRegistration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wants to come, on which side, and with what."""

    organisation_name: str
    side: str
    person_name: str
    phone: str
    offers: str = ""


class RegistrationRow(msgspec.Struct, frozen=True):
    id: int
    meeting: int
    organisation_name: str
    side: str
    person_name: str
    phone: str
    offers: str
    state: str
    invitation: int | None
    created_at: datetime
    decided_at: datetime | None
    #: Version of the link of the invitation that came of it.
    link_version: int | None
    invitation_state: str | None
    #: It came in as an organisation of its own: then its invitation is for whoever registered. Where the
    #: town took it for one that we know, the link is for that one, who may be somebody else.
    is_new: bool


class Attendance(msgspec.Struct, frozen=True):
    """Who takes part, in numbers: those who come, and those who are asked."""

    buyers: int
    sellers: int
    guests: int
    invited: int
    #: Kinds of goods that the invited sellers have on sale.
    produce: list[str]
    produce_en: list[str]


_REGISTRATION = """SELECT registration.id, registration.meeting, registration.organisation_name,
       registration.side, registration.person_name, registration.phone, registration.offers,
       registration.state, registration.invitation, registration.created_at, registration.decided_at,
       invitation.link_version, invitation.state AS invitation_state,
       coalesce(organisation.created_at = registration.decided_at, false) AS is_new
FROM registration LEFT JOIN invitation ON invitation.id = registration.invitation
LEFT JOIN organisation ON organisation.id = invitation.organisation
"""


async def public_meeting(*, meeting_id: int) -> MeetingRow:
    """Return a meeting that everybody may see.

    Raises:
        NotFound: there is none, or it is not public.
    """
    town: int | None = await fetch_value(
        "SELECT town FROM meeting WHERE id = $1 AND is_public AND state <> ALL($2::text[])",
        meeting_id,
        sorted(_HIDDEN),
    )
    if town is None:
        raise NotFound(msg("没有找到这场对接会。"))
    return await meeting_of(meeting_id=meeting_id, organisation_id=town)


async def attendance_of(*, meeting_id: int) -> Attendance:
    """Count who takes part; names are for those who take part themselves."""
    row = (
        await fetch(
            """SELECT count(*) FILTER (WHERE side = 'buyer' AND state = 'accepted') AS buyers,
                      count(*) FILTER (WHERE side = 'seller' AND state = 'accepted') AS sellers,
                      count(*) FILTER (WHERE side = 'guest' AND state = 'accepted') AS guests,
                      count(*) AS invited
               FROM invitation
               WHERE meeting = $1 AND state IN ('needs_action', 'tentative', 'accepted', 'delegated')""",
            meeting_id,
        )
    )[0]
    goods = await fetch(
        """SELECT produce.zh, produce.en, count(*) AS n FROM invitation
           JOIN lot ON lot.owner = invitation.organisation
           JOIN listing ON listing.lot = lot.id AND listing.state = 'published'
           JOIN produce ON produce.code = lot.produce
           WHERE invitation.meeting = $1 AND invitation.side = 'seller'
             AND invitation.state IN ('needs_action', 'tentative', 'accepted', 'delegated')
           GROUP BY produce.code ORDER BY n DESC, produce.code LIMIT 12""",
        meeting_id,
    )
    return Attendance(**dict(row), produce=[g["zh"] for g in goods], produce_en=[g["en"] for g in goods])


def registration_problems(asked: NewRegistration) -> dict[str, Message]:
    problems: dict[str, Message] = {}
    if not asked.organisation_name.strip():
        problems["organisation_name"] = msg("请写单位名称。")
    elif len(asked.organisation_name) > LONGEST_ORGANISATION:
        problems["organisation_name"] = msg("单位名称最多 {most} 个字。", most=LONGEST_ORGANISATION)
    if asked.side not in KIND_OF_SIDE:
        problems["side"] = msg("请选择：买方、卖方或来宾。")
    if not asked.person_name.strip():
        problems["person_name"] = msg("请写到场人的姓名。")
    elif len(asked.person_name) > LONGEST_NAME:
        problems["person_name"] = msg("姓名最多 {most} 个字。", most=LONGEST_NAME)
    if not is_phone(asked.phone):
        problems["phone"] = msg("手机号应是 11 位数字，以 1 开头。")
    if len(asked.offers) > LONGEST_OFFERS:
        problems["offers"] = msg("最多 {most} 个字。", most=LONGEST_OFFERS)
    return problems


async def register(*, meeting_id: int, asked: NewRegistration, address: str, at: datetime) -> int:
    """Ask to take part in a public meeting; the same firm and phone once more are the same registration.

    Raises:
        NotFound: no such public meeting.
        Conflict: it takes no registrations any more.
        Invalid: with every field that is wrong.
        TooManyTries: this address or phone has registered too often just now.
    """
    if problems := registration_problems(asked):
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    await count_try(subject=f"register:{address}", most=TRIES_PER_ADDRESS, at=at)
    await count_try(subject=f"register:{asked.phone}", most=TRIES_PER_PHONE, at=at)
    async with transaction():
        meeting = await public_meeting(meeting_id=meeting_id)
        if not takes_registrations(meeting, at=at):
            raise Conflict(msg("报名已经截止。"))
        # two sendings of one form are put in line, so that they make one registration
        await execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"register:{meeting_id}:{asked.phone}"
        )
        known: int | None = await fetch_value(
            """SELECT id FROM registration WHERE meeting = $1 AND phone = $2 AND organisation_name = $3
                 AND state IN ('pending', 'admitted')""",
            meeting_id,
            asked.phone,
            asked.organisation_name.strip(),
        )
        if known is not None:
            return known
        number: int = await fetch_value(
            """INSERT INTO registration (meeting, organisation_name, side, person_name, phone, offers, state,
                                         created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id""",
            meeting_id,
            asked.organisation_name.strip(),
            asked.side,
            asked.person_name.strip(),
            asked.phone,
            asked.offers,
            rules.REGISTRATION.start,
            at,
        )
        await record(
            subject=f"meeting:{meeting_id}",
            action="register",
            actor=SYSTEM,
            at=at,
            details={"registration": number},
        )
        await notify(
            organisation_id=meeting.town,
            kind="registration",
            message=msg(
                "{name} 报名参加“{title}”，请审核。",
                name=asked.organisation_name,
                title=in_both(meeting.title, meeting.title_en),
            ),
            link=f"/town/meetings/{meeting_id}/invitations#registrations",
            at=at,
        )
    return number


def takes_registrations(meeting: MeetingRow, *, at: datetime) -> bool:
    """Tell whether one may still ask to come: until the last day for answers, or the meeting itself."""
    last = meeting.answer_by or meeting.held_on
    return meeting.state in OPEN and at.astimezone(CHINA).date() <= min(last, meeting.held_on)


async def registration_of(*, registration_id: int) -> RegistrationRow:
    """Raises: NotFound."""
    rows = await fetch_into(RegistrationRow, _REGISTRATION + "WHERE registration.id = $1", registration_id)
    if not rows:
        raise NotFound(msg("没有找到这份报名。"))
    return rows[0]


async def registrations_of(*, meeting_id: int) -> list[RegistrationRow]:
    """Return a meeting's registrations, those that wait first, the oldest first."""
    return await fetch_into(
        RegistrationRow,
        _REGISTRATION
        + "WHERE registration.meeting = $1 ORDER BY registration.state <> 'pending', registration.id",
        meeting_id,
    )


async def withdraw(*, registration_id: int, at: datetime) -> None:
    """Take back a registration that waits.

    Raises:
        NotFound: there is none.
        WrongState: it was decided already.
    """
    async with transaction():
        rows = await fetch(
            "SELECT meeting, state FROM registration WHERE id = $1 FOR UPDATE", registration_id
        )
        if not rows:
            raise NotFound(msg("没有找到这份报名。"))
        state = rules.REGISTRATION.apply("withdraw", state=rows[0]["state"], by="guest")
        await execute(
            "UPDATE registration SET state = $2, decided_at = $3 WHERE id = $1", registration_id, state, at
        )
        await record(
            subject=f"meeting:{rows[0]['meeting']}",
            action="withdraw_registration",
            actor=SYSTEM,
            at=at,
            details={"registration": registration_id},
        )


async def _own(registration_id: int, meeting_id: int, town_id: int) -> Record:
    rows = await fetch(
        """SELECT registration.* FROM registration JOIN meeting ON meeting.id = registration.meeting
           WHERE registration.id = $1 AND registration.meeting = $2 AND meeting.town = $3
           FOR UPDATE OF registration""",
        registration_id,
        meeting_id,
        town_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这份报名。"))
    return rows[0]


async def admit(
    *,
    registration_id: int,
    meeting_id: int,
    organisation_id: int | None,
    town_id: int,
    actor: Actor,
    at: datetime,
) -> int:
    """Let a registration in as ``organisation_id``, or as a new organisation; return the invitation.

    Who registered said that he comes; the answer is still asked for, by the invitation's own link. An
    organisation that is invited already keeps its invitation, and the person joins its list; one that had
    declined is asked again.

    Raises:
        NotFound: no such registration of this town.
        WrongState: it was decided already.
        Conflict: the meeting has begun.
    """
    async with transaction():
        row = await _own(registration_id, meeting_id, town_id)
        state = rules.REGISTRATION.apply("admit", state=row["state"], by="official")
        reason = msg("报名参加：{offers}", offers=row["offers"]) if row["offers"] else msg("报名参加。")
        if organisation_id is None:
            number = await invite_new(
                meeting_id=meeting_id,
                name=row["organisation_name"],
                side=row["side"],
                person=row["person_name"],
                phone=row["phone"],
                town_id=town_id,
                actor=actor,
                at=at,
                source="registered",
                reason=reason,
            )
        else:
            number = await _join(row, organisation_id, reason, town_id=town_id, actor=actor, at=at)
        await execute(
            "UPDATE registration SET state = $2, invitation = $3, decided_at = $4 WHERE id = $1",
            registration_id,
            state,
            number,
            at,
        )
    return number


async def _join(
    row: Record, organisation_id: int, reason: Message, *, town_id: int, actor: Actor, at: datetime
) -> int:
    known = await fetch_row(
        """SELECT id, state FROM invitation
           WHERE meeting = $1 AND organisation = $2 AND state <> 'revoked' FOR UPDATE""",
        row["meeting"],
        organisation_id,
    )
    if known is None:
        number = await invite(
            meeting_id=row["meeting"],
            organisation_id=organisation_id,
            side=row["side"],
            town_id=town_id,
            actor=actor,
            at=at,
            source="registered",
            reason=reason,
        )
    else:
        number = known["id"]
        if rules.INVITATION.find("ask_again", state=known["state"], by="official"):
            await ask_again(
                invitation_id=number, meeting_id=row["meeting"], town_id=town_id, actor=actor, at=at
            )
    # also of whoever has passed its invitation on: it may come itself after all
    there = await attendees_of(
        meeting_id=row["meeting"], organisation_id=organisation_id, whatever_answer=True
    )
    if all(each.phone != row["phone"] for each in there):
        await set_attendees(
            meeting_id=row["meeting"],
            organisation_id=organisation_id,
            persons=[
                *(NewAttendee(each.name, each.title, each.phone) for each in there),
                NewAttendee(row["person_name"], phone=row["phone"]),
            ],
            actor=actor,
            at=at,
        )
    return number


async def refuse(*, registration_id: int, meeting_id: int, town_id: int, actor: Actor, at: datetime) -> None:
    """Refuse a registration; whoever sent it sees that by its link.

    Raises:
        NotFound: no such registration of this town.
        WrongState: it was decided already.
    """
    async with transaction():
        row = await _own(registration_id, meeting_id, town_id)
        state = rules.REGISTRATION.apply("refuse", state=row["state"], by="official")
        await execute(
            "UPDATE registration SET state = $2, decided_at = $3 WHERE id = $1", registration_id, state, at
        )
        await record(
            subject=f"meeting:{meeting_id}",
            action="refuse_registration",
            actor=actor,
            at=at,
            details={"registration": registration_id},
        )
