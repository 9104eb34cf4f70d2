"""Readings of badges as phones send them: in batches, late, out of order, and perhaps twice.

A phone gives each reading a number of its own (``key``) and keeps it until we have said that we have it.
A key that we know already changes nothing and gets the same kind of answer, so that a phone that died
between sending and hearing simply sends again.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, fetch_into, fetch_row, transaction
from market.db.signals import signal
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg
from market.meetings.day.attendance import (
    board_of,
    has_come_after_all,
    hold,
    hold_door,
    hold_talks,
    settle_all,
)
from market.meetings.day.presence import SET_ASIDE, UNDO
from market.meetings.rules import door_closed

#: Readings in one batch.
MOST_SCANS = 200
#: The door is closed, and phones may still bring what they read. What is read too early waits in them.
_OVER = frozenset({"closed", "followed_up"})
_MOVES = frozenset({"check_in", "leave", UNDO})
_LONGEST_CODE = 100
#: Who was taken off the list before a reading arrived is nobody whom it could bring in.
_COMES = "({0}.state <> 'revoked' OR {0}.days_here <> '{{}}')"


class NewScan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reading. ``at`` by the phone's own clock."""

    key: str
    code: str
    at: datetime
    move: str = "check_in"

    def problem(self) -> bool:
        """Tell whether no phone of ours could have made it."""
        return (
            not 8 <= len(self.key) <= 64
            or not self.key.isascii()
            or not 0 < len(self.code) <= _LONGEST_CODE
            or not self.code.isprintable()
            or self.move not in _MOVES
            or self.at.tzinfo is None
        )


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one reading: taken, known (it came before), unknown (no such badge) or refused.

    Refused is also the word that whoever sat at a table has not come: the reading is kept, set aside.

    The rest says who it was and how they stand now.
    """

    key: str
    status: str
    attendee: int | None = None
    name: str = ""
    attendance: str = ""


def as_printed(code: str) -> str:
    """Return a code without what a scanner may put around it: an address, spaces, small letters."""
    return code.strip().rstrip("/").rpartition("/")[2].upper()


def read_scans(items: Sequence[object]) -> tuple[list[NewScan], list[str]]:
    """Return the readings that make sense, and the keys of those that do not.

    One that makes no sense must not keep the others in the phone for ever.
    """
    good: dict[str, NewScan] = {}
    bad = []
    for item in items:
        try:
            scan = msgspec.convert(item, NewScan)
            if scan.problem():
                raise ValueError
            good.setdefault(scan.key, scan)
        except (ValueError, msgspec.ValidationError):
            bad.append(str(item.get("key", ""))[:100] if isinstance(item, dict) else "")
    return list(good.values()), bad


def true_time(read_at: datetime, *, sent_at: datetime, received_at: datetime, opens: datetime) -> datetime:
    """Return when a reading was made by our clock.

    A phone's clock may be wrong, but it runs: what it says of the time between reading and sending holds.
    Nothing was read after it was received, nor before the meeting's first day.
    """
    try:
        moment = received_at - max(timedelta(0), sent_at - read_at)
    except OverflowError:
        moment = received_at
    return min(max(moment, opens), received_at)


async def take_scans(
    *,
    meeting_id: int,
    town_id: int,
    scans: Sequence[NewScan],
    sent_at: datetime,
    actor: Actor,
    at: datetime,
) -> list[Answer]:
    """Keep a batch of readings and bring everybody concerned to where they stand; one answer for each.

    ``sent_at`` is when the phone sent the batch, by its own clock.

    Raises:
        NotFound: no such meeting of this town.
        Conflict: the meeting has not begun, is put off or cancelled.
        Invalid: too many at once.
    """
    if len(scans) > MOST_SCANS:
        raise Invalid(msg("一次最多传 {most} 条签到，请分批再传。", most=MOST_SCANS))
    async with transaction():
        opens = await _door(meeting_id=meeting_id, town_id=town_id, at=at)
        printed = {scan.key: as_printed(scan.code) for scan in scans}
        houses = await _houses(meeting_id, printed.values())
        badges = await _badges(meeting_id, printed.values())
        if any(scan.move == UNDO for scan in scans):
            await hold_talks({*houses.values(), *(row["invitation"] for row in badges.values())})
        await hold({*houses.values(), *(row["invitation"] for row in badges.values())})
        # a list of persons may have been written anew meanwhile: whose badge it is counts from here on
        badges = await _badges(meeting_id, printed.values())
        new: set[str] = set()
        concerned: set[int] = set()
        mistakes: list[tuple[NewScan, int, datetime]] = []
        # in one order, so that a batch that is sent twice at once waits for itself and not in a ring
        for scan in sorted(scans, key=lambda each: each.key):
            code = printed[scan.key]
            badge = badges.get(code)
            house = badge["invitation"] if badge else houses.get(code)
            read_at = true_time(scan.at, sent_at=sent_at, received_at=at, opens=min(opens, at))
            made = await fetch(
                """INSERT INTO scan (meeting, attendee, code, key, move, scanned_at, received_at, person)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (key) DO NOTHING RETURNING id""",
                meeting_id,
                badge["id"] if badge else None,
                code,
                scan.key,
                # nobody can be mended into having been checked in by mistake
                SET_ASIDE if house is None and scan.move == UNDO else scan.move,
                read_at,
                at,
                actor.person_id,
            )
            if made:
                new.add(scan.key)
                if house is not None:
                    concerned.add(house)
                    if scan.move == UNDO:
                        mistakes.append((scan, house, read_at))
        await settle_all(concerned, at=at)
        for scan, house, read_at in mistakes:
            if await has_come_after_all(house, on=read_at):
                await execute("UPDATE scan SET move = $2 WHERE key = $1", scan.key, SET_ASIDE)
                await settle_all([house], at=at)
                continue
            badge = badges.get(printed[scan.key])
            await record(
                subject=f"meeting:{meeting_id}",
                action=UNDO,
                actor=actor,
                at=at,
                details={"attendee": badge["id"]} if badge else {"invitation": house},
            )
        if new:
            await record(
                subject=f"meeting:{meeting_id}",
                action="scan",
                actor=actor,
                at=at,
                details={"scans": len(new)},
            )
            await signal(board_of(meeting_id))
        return await _answers(meeting_id, [scan.key for scan in scans], new)


async def _door(*, meeting_id: int, town_id: int, at: datetime) -> datetime:
    row = await hold_door(meeting_id=meeting_id, town_id=town_id)
    # what was read while the meeting was on is taken after it as well
    why = door_closed(state=row["state"], held_on=row["held_on"], today=at.astimezone(CHINA).date())
    if why and row["state"] not in _OVER:
        raise Conflict(why)
    opens: datetime = datetime.combine(row["held_on"], datetime.min.time(), CHINA)
    return opens


async def _houses(meeting_id: int, codes: Iterable[str]) -> dict[str, int]:
    """Return the codes that speak of whole organisations, each with its invitation."""
    numbers = [int(code[1:]) for code in codes if code[:1] == "@" and code[1:].isdecimal() and len(code) < 18]
    rows = await fetch(
        "SELECT id FROM invitation WHERE meeting = $1 AND state <> 'revoked' AND id = ANY($2::bigint[])",
        meeting_id,
        numbers,
    )
    return {f"@{row['id']}": row["id"] for row in rows}


async def _badges(meeting_id: int, codes: Iterable[str]) -> dict[str, Record]:
    """Return the codes that are on somebody's badge, each with that person and the invitation."""
    rows = await fetch(
        """SELECT attendee.id, attendee.code, attendee.invitation FROM attendee
           JOIN invitation ON invitation.id = attendee.invitation
           WHERE invitation.meeting = $1 AND invitation.state <> 'revoked'
             AND attendee.code = ANY($2::text[])""",
        meeting_id,
        list(codes),
    )
    return {row["code"]: row for row in rows}


async def _answers(meeting_id: int, keys: Sequence[str], new: set[str]) -> list[Answer]:
    rows = {
        row["key"]: row
        for row in await fetch(
            f"""SELECT scan.key, scan.meeting, scan.move, attendee.id, attendee.name, attendee.attendance,
                      house.attendance AS house, organisation.name AS house_name
               FROM scan LEFT JOIN attendee ON attendee.id = scan.attendee
               LEFT JOIN invitation house ON house.meeting = scan.meeting AND '@' || house.id = scan.code
                 AND {_COMES.format("house")}
               LEFT JOIN organisation ON organisation.id = house.organisation
               WHERE scan.key = ANY($1::text[])""",  # noqa: S608  our own text
            list(keys),
        )
    }
    answers = []
    for key in keys:
        row = rows[key]
        if row["meeting"] != meeting_id:
            # some other meeting's phone has used the number: nothing of that is told here
            answers.append(Answer(key, "refused"))
            continue
        is_refused = row["move"] == SET_ASIDE
        is_known = row["id"] is not None or row["house"] is not None
        answers.append(
            Answer(
                key,
                ("refused" if is_refused else "taken" if key in new else "known") if is_known else "unknown",
                row["id"],
                row["name"] or row["house_name"] or "",
                row["attendance"] or row["house"] or "",
            )
        )
    return answers


class UnknownScan(msgspec.Struct, frozen=True):
    """A reading whose code is nobody's."""

    id: int
    code: str
    scanned_at: datetime
    read_by: str | None


async def unknown_scans(*, meeting_id: int) -> list[UnknownScan]:
    """Return the readings that wait to be mended, the latest first."""
    return await fetch_into(
        UnknownScan,
        f"""SELECT scan.id, scan.code, scan.scanned_at, person.name AS read_by
           FROM scan LEFT JOIN person ON person.id = scan.person
           WHERE scan.meeting = $1 AND scan.attendee IS NULL AND scan.move <> $2
             AND NOT EXISTS (SELECT FROM invitation
                             WHERE invitation.meeting = $1 AND '@' || invitation.id = scan.code
                               AND {_COMES.format("invitation")})
           ORDER BY scan.scanned_at DESC, scan.id DESC""",  # noqa: S608  our own text
        meeting_id,
        SET_ASIDE,
    )


async def mend_scan(
    *, scan_id: int, attendee_id: int | None, meeting_id: int, town_id: int, actor: Actor, at: datetime
) -> None:
    """Say whose badge it was that could not be read, or (None) set the reading aside.

    Raises:
        NotFound: no such reading of a meeting of this town, or no such person there.
        Conflict: somebody has mended it already.
    """
    async with transaction():
        scan = await fetch_row(
            """SELECT scan.attendee, scan.move FROM scan JOIN meeting ON meeting.id = scan.meeting
               WHERE scan.id = $1 AND meeting.id = $2 AND meeting.town = $3 FOR UPDATE OF scan""",
            scan_id,
            meeting_id,
            town_id,
        )
        if scan is None:
            raise NotFound(msg("没有找到这条签到。"))
        if scan["attendee"] is not None or scan["move"] == SET_ASIDE:
            raise Conflict(msg("这条签到已经处理过了。"))
        if attendee_id is None:
            await execute("UPDATE scan SET move = $2 WHERE id = $1", scan_id, SET_ASIDE)
        else:
            rows = await fetch(
                """SELECT attendee.invitation FROM attendee
                   JOIN invitation ON invitation.id = attendee.invitation
                   WHERE attendee.id = $1 AND invitation.meeting = $2 AND invitation.state <> 'revoked'
                   FOR UPDATE OF invitation FOR KEY SHARE OF attendee""",
                attendee_id,
                meeting_id,
            )
            if not rows:
                raise NotFound(msg("没有找到这位来宾。"))
            await execute("UPDATE scan SET attendee = $2 WHERE id = $1", scan_id, attendee_id)
            await settle_all([rows[0]["invitation"]], at=at)
            await signal(board_of(meeting_id))
        await record(
            subject=f"meeting:{meeting_id}",
            action="mend_scan",
            actor=actor,
            at=at,
            details={"scan": scan_id, "attendee": attendee_id},
        )


class Badge(msgspec.Struct, frozen=True):
    """Whose badge it is, and at which meeting."""

    attendee: int
    name: str
    title: str
    attendance: str
    checked_in_at: datetime | None
    organisation: int
    organisation_name: str
    organisation_name_en: str
    meeting: int
    town: int


_NOBODYS = msg("没有这个胸牌码，请到签到台查。")


async def badge_of(*, code: str) -> Badge:
    """Return whose badge carries ``code``.

    Raises:
        NotFound: nobody's.
    """
    printed = as_printed(code)
    if not (printed.isascii() and printed.isalnum()):
        raise NotFound(_NOBODYS)
    found = await fetch_into(
        Badge,
        """SELECT attendee.id AS attendee, attendee.name, attendee.title, attendee.attendance,
                  attendee.checked_in_at, invitation.organisation,
                  organisation.name AS organisation_name, organisation.name_en AS organisation_name_en,
                  meeting.id AS meeting, meeting.town
           FROM attendee JOIN invitation ON invitation.id = attendee.invitation
           JOIN organisation ON organisation.id = invitation.organisation
           JOIN meeting ON meeting.id = invitation.meeting
           WHERE attendee.code = $1 AND invitation.state <> 'revoked'""",
        printed,
    )
    if not found:
        raise NotFound(_NOBODYS)
    return found[0]
