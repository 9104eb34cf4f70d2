"""The persons who come for somebody invited: their names, numbers and badges."""

import secrets
from collections.abc import Sequence
from datetime import datetime

import msgspec

from market.accounts.rules import Actor, is_phone
from market.audit.operations import record
from market.db.session import execute, fetch, fetch_into, fetch_value, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.meetings import rules
from market.meetings.day.attendance import settle
from market.meetings.day.presence import SET_ASIDE

#: Of one organisation: more than a table seats is a delegation, not a talk.
MOST_PERSONS = 8
LONGEST_NAME = 30
#: Signs of a badge's code: none that a tired eye takes for another.
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
CODE_LENGTH = 10


class NewAttendee(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person who comes. ``phone`` may stay empty; a mainland mobile number else."""

    name: str
    title: str = ""
    phone: str = ""
    #: The line of a form that the person stood in, from 1, for faults to be told beside it; 0: by place.
    line: int = 0


class AttendeeRow(msgspec.Struct, frozen=True):
    """A person with the badge's code, and whom he or she comes for."""

    id: int
    invitation: int
    organisation: int
    organisation_name: str
    organisation_name_en: str
    side: str
    name: str
    title: str
    phone: str
    code: str
    attendance: str
    checked_in_at: datetime | None
    left_at: datetime | None


_ATTENDEE = """SELECT attendee.id, attendee.invitation, invitation.organisation,
       organisation.name AS organisation_name, organisation.name_en AS organisation_name_en,
       invitation.side, attendee.name, attendee.title, attendee.phone, attendee.code,
       attendee.attendance, attendee.checked_in_at, attendee.left_at
FROM attendee JOIN invitation ON invitation.id = attendee.invitation
JOIN organisation ON organisation.id = invitation.organisation
"""


async def attendees_of(
    *, meeting_id: int, organisation_id: int | None = None, whatever_answer: bool = False
) -> list[AttendeeRow]:
    """Return who comes to a meeting, buyers before sellers before guests; of one organisation where given.

    Whoever's invitation was revoked, declined or passed on brings nobody. ``whatever_answer``: those too who
    were named before that: they come, with the badges they have, should the answer change again.
    """
    return await fetch_into(
        AttendeeRow,
        _ATTENDEE
        + """WHERE invitation.meeting = $1
               AND ($3 OR invitation.state NOT IN ('revoked', 'declined', 'delegated'))
               AND ($2::bigint IS NULL OR invitation.organisation = $2)
             ORDER BY array_position(ARRAY['buyer', 'seller', 'guest'], invitation.side),
                      organisation.id, attendee.id""",
        meeting_id,
        organisation_id,
        whatever_answer,
    )


def attendee_problems(persons: Sequence[NewAttendee]) -> dict[str, Message]:
    """Return field -> what is wrong, fields being ``name_1``, ``phone_1`` and so on."""
    problems: dict[str, Message] = {}
    if len(persons) > MOST_PERSONS:
        problems[f"name_{MOST_PERSONS + 1}"] = msg(
            "一家最多来 {most} 人，请只留主要的人。", most=MOST_PERSONS
        )
    phones: dict[str, int] = {}
    for number, person in enumerate(persons, 1):
        place = person.line or number
        if not person.name.strip():
            problems[f"name_{place}"] = msg("请写到场人的姓名。")
        elif len(person.name) > LONGEST_NAME:
            problems[f"name_{place}"] = msg("姓名最多 {most} 个字。", most=LONGEST_NAME)
        if len(person.title) > LONGEST_NAME:
            problems[f"title_{place}"] = msg("职务最多 {most} 个字。", most=LONGEST_NAME)
        if not person.phone:
            continue
        if not is_phone(person.phone):
            problems[f"phone_{place}"] = msg("手机号应是 11 位数字，以 1 开头。")
        elif person.phone in phones:
            problems[f"phone_{place}"] = msg("和第 {n} 人的手机号一样，请核对。", n=phones[person.phone])
        phones.setdefault(person.phone, place)
    return problems


async def set_attendees(
    *,
    meeting_id: int,
    organisation_id: int,
    persons: Sequence[NewAttendee],
    actor: Actor,
    at: datetime,
) -> tuple[str, ...]:
    """Say who comes, all of them; return the numbers that also come for somebody else there.

    Whoever stays keeps the code, so that a printed badge still holds; who has checked in cannot be
    taken off, who was read at the door without effect (a leave before any check-in) can. One person may
    speak for two: the timetable then never seats both at once.

    Raises:
        NotFound: not invited.
        Invalid: with every field that is wrong (``name_1``, ``phone_1``, ...).
        Conflict: it is too late for the invited, or somebody left out is here already.
    """
    if problems := attendee_problems(persons):
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    async with transaction():
        rows = await fetch(
            """SELECT invitation.id, meeting.state AS meeting_state FROM invitation
               JOIN meeting ON meeting.id = invitation.meeting
               WHERE invitation.meeting = $1 AND invitation.organisation = $2
                 AND invitation.state <> 'revoked' FOR UPDATE OF invitation""",
            meeting_id,
            organisation_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这份邀请。"))
        if actor.side != "official" and rows[0]["meeting_state"] not in rules.PLANNABLE:
            raise Conflict(msg("会议已开始或已取消，不能再改到场的人；请到签到台办理。"))
        await _write(rows[0]["id"], persons, at=at)
        await record(
            subject=f"meeting:{meeting_id}",
            action="set_attendees",
            actor=actor,
            at=at,
            details={"organisation": organisation_id, "persons": len(persons)},
        )
        shared = await fetch(
            """SELECT DISTINCT attendee.phone FROM attendee
               JOIN invitation ON invitation.id = attendee.invitation
               WHERE invitation.meeting = $1 AND invitation.organisation <> $2
                 AND invitation.state NOT IN ('revoked', 'declined', 'delegated')
                 AND attendee.phone <> '' AND attendee.phone = ANY($3::text[]) ORDER BY 1""",
            meeting_id,
            organisation_id,
            [each.phone for each in persons],
        )
    return tuple(row["phone"] for row in shared)


async def _write(invitation_id: int, persons: Sequence[NewAttendee], *, at: datetime) -> None:
    before = await fetch(
        """SELECT id, name, phone, attendance <> $2 OR days_here <> '{}' AS seen
           FROM attendee WHERE invitation = $1 ORDER BY id""",
        invitation_id,
        rules.ATTENDANCE.start,
    )
    left = {row["id"]: row for row in before}
    kept: dict[int, int] = {}
    # the same number is the same person, and so is the same name whose number was put right
    for trait in ("phone", "name"):
        for place, person in enumerate(persons):
            wanted = getattr(person, trait)
            if place in kept or not wanted:
                continue
            same = next((number for number, row in left.items() if row[trait] == wanted), None)
            if same is not None:
                kept[place] = same
                del left[same]
    if here := [row["name"] for row in left.values() if row["seen"]]:
        raise Conflict(msg("{name} 已经签到，不能从名单里去掉。", name=here[0]))
    # what the door read of them changed nothing: the log keeps it, set aside and without its person
    read = await fetch(
        "UPDATE scan SET attendee = NULL, move = $2 WHERE attendee = ANY($1::bigint[]) RETURNING id",
        list(left),
        SET_ASIDE,
    )
    if read:
        await settle(invitation_id, at=at)
    await execute("DELETE FROM attendee WHERE id = ANY($1::bigint[])", list(left))
    for place, person in enumerate(persons):
        if place not in kept:
            await _add(invitation_id, person, at=at)
        else:
            await execute(
                "UPDATE attendee SET name = $2, title = $3, phone = $4 WHERE id = $1",
                kept[place],
                person.name,
                person.title,
                person.phone,
            )


async def _add(invitation_id: int, person: NewAttendee, *, at: datetime) -> int:
    """Write one person with a code that nobody else has; return the row's number."""
    while True:
        number: int | None = await fetch_value(
            """INSERT INTO attendee (invitation, name, title, phone, code, attendance, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (code) DO NOTHING RETURNING id""",
            invitation_id,
            person.name,
            person.title,
            person.phone,
            new_code(),
            rules.ATTENDANCE.start,
            at,
        )
        if number is not None:
            return number


def new_code() -> str:
    """Return a badge's code, drawn from 8 · 10¹⁴."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(CODE_LENGTH))
