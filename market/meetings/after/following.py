"""After a meeting: both sides are asked what has become of each talk."""

from datetime import datetime

from market.accounts.rules import Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg, named, on_day
from market.matching.refusals import refuse_pairs, take_back_refusals
from market.meetings import rules
from market.meetings.after.samples import remind_of_samples
from market.meetings.planning.unfit import SAID_ABSENT
from market.notices.operations import notify

#: States of a meeting in which its talks are followed up.
OVER = frozenset({"closed", "followed_up"})
LONGEST_NOTE = 300


async def open_follow_ups(*, meeting_id: int | None = None) -> int:
    """Put down the questions of each held talk of a closed meeting (of all of them); return how many are new.

    Done again it adds only what is missing, such as a talk whose result was recorded late.
    """
    made = await fetch(
        f"""INSERT INTO follow_up (appointment, days, due_on)
           SELECT appointment.id, asked.days, meeting.held_on + (meeting.days - 1 + asked.days)::int
           FROM appointment JOIN meeting ON meeting.id = appointment.meeting
           CROSS JOIN unnest($2::bigint[]) AS asked(days)
           WHERE appointment.state = 'held' AND NOT {SAID_ABSENT} AND meeting.state = ANY($3::text[])
             AND ($1::bigint IS NULL OR meeting.id = $1)
           ON CONFLICT (appointment, days) DO NOTHING RETURNING id""",  # noqa: S608  our own text
        meeting_id,
        list(rules.FOLLOW_UP_DAYS),
        sorted(OVER),
    )
    return len(made)


async def settle_refusals(*, at: datetime, meeting_id: int | None = None) -> int:
    """Bar from the next run what was refused at a closed meeting (at all of them); return how many pairs.

    A talk with no result and a coded reason counts as a declined match does, unless one side did not come.
    This waits until the meeting is closed, because on the day a record may still be set right; one that is
    set right later is heeded.
    """
    async with transaction():
        undone = await fetch(
            """SELECT DISTINCT refusal.source_id AS id FROM refusal
               JOIN appointment ON appointment.id = refusal.source_id
               WHERE refusal.source = 'appointment' AND appointment.outcome <> 'none'
                 AND ($1::bigint IS NULL OR appointment.meeting = $1)""",
            meeting_id,
        )
        await take_back_refusals(source="appointment", source_ids=[row["id"] for row in undone])
        refused = await fetch(
            f"""SELECT appointment.id, appointment.reason, topic.listing, topic.demand
               FROM appointment JOIN meeting ON meeting.id = appointment.meeting
               JOIN topic ON topic.appointment = appointment.id
               WHERE meeting.state = ANY($2::text[]) AND ($1::bigint IS NULL OR meeting.id = $1)
                 AND appointment.state = 'held' AND appointment.outcome = 'none'
                 AND appointment.reason IS NOT NULL AND NOT {SAID_ABSENT} AND topic.demand IS NOT NULL
                 AND NOT EXISTS (SELECT FROM refusal WHERE refusal.listing = topic.listing
                                   AND refusal.demand = topic.demand)
               ORDER BY appointment.id, topic.id""",  # noqa: S608  our own text
            meeting_id,
            sorted(OVER),
        )
        talks: dict[tuple[int, str], list[tuple[int, int]]] = {}
        for row in refused:
            talks.setdefault((row["id"], row["reason"]), []).append((row["listing"], row["demand"]))
        number = 0
        for (appointment_id, reason), pairs in talks.items():
            number += await refuse_pairs(
                pairs=pairs, reason=reason, source="appointment", source_id=appointment_id, at=at
            )
    return number


async def round_after_meetings(*, at: datetime) -> None:
    """What is due after meetings, for the hourly round: questions, refusals, reminders."""
    await settle_refusals(at=at)
    await ask_what_became(at=at)
    await remind_of_samples(at=at)


async def ask_what_became(*, at: datetime) -> int:
    """Ask both sides of every talk whose day has come and that nobody has answered for; once, in one notice
    for all of a meeting's talks. Return how many organisations were asked.

    Where several are due at once (a meeting closed, a result recorded late), the last one asks.
    """
    async with transaction():
        await open_follow_ups()
        due = await fetch(
            """UPDATE follow_up SET asked_at = $1 FROM appointment, meeting
               WHERE appointment.id = follow_up.appointment AND meeting.id = appointment.meeting
                 AND follow_up.due_on <= $2 AND follow_up.level IS NULL AND follow_up.asked_at IS NULL
                 AND NOT EXISTS (SELECT FROM follow_up AS newer
                                 WHERE newer.appointment = follow_up.appointment
                                   AND newer.days > follow_up.days AND newer.due_on <= $2)
               RETURNING follow_up.days, appointment.seller, appointment.buyer, meeting.id AS meeting,
                         meeting.title, meeting.title_en""",
            at,
            at.astimezone(CHINA).date(),
        )
        talks: dict[tuple[int, int, int], int] = {}
        titles: dict[int, Message] = {}
        for row in due:
            titles[row["meeting"]] = named(row, "title")
            for party in (row["seller"], row["buyer"]):
                key = (party, row["meeting"], row["days"])
                talks[key] = talks.get(key, 0) + 1
        for (party, meeting_id, days), number in sorted(talks.items()):
            await notify(
                organisation_id=party,
                kind="follow_up_due",
                message=msg(
                    "“{title}”过去 {days} 天了，您谈过的 {n} 家现在怎么样？点开选一下。",
                    title=titles[meeting_id],
                    days=days,
                    n=number,
                ),
                link=f"/meetings/{meeting_id}/after",
                at=at,
            )
    return len({(party, meeting_id) for party, meeting_id, _ in talks})


async def answer_follow_up(
    *, follow_up_id: int, level: str, note: str, organisation_id: int, actor: Actor, at: datetime
) -> None:
    """Say what has become of a talk, for a side of it or, after a telephone call, for the town.

    Whose answer it is may set it right, and so may the town; the last one counts, every one is on record.
    Questions of other days are others: an answer to one says nothing of them.

    Raises:
        NotFound: no such question of this organisation's.
        Invalid: no such level, or the note is too long.
        Conflict: its day has not come yet, or somebody else has answered it.
    """
    problems: dict[str, Message] = {}
    if level not in rules.FOLLOW_UP_LEVELS:
        problems["level"] = msg("请选现在谈得怎么样。")
    if len(note) > LONGEST_NOTE:
        problems["note"] = msg("说明最多 {most} 个字。", most=LONGEST_NOTE)
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    async with transaction():
        rows = await fetch(
            """SELECT follow_up.due_on, follow_up.days, follow_up.appointment, follow_up.level,
                      follow_up.organisation, meeting.town
               FROM follow_up JOIN appointment ON appointment.id = follow_up.appointment
               JOIN meeting ON meeting.id = appointment.meeting
               WHERE follow_up.id = $1 AND $2 IN (appointment.seller, appointment.buyer, meeting.town)
               FOR UPDATE OF follow_up""",
            follow_up_id,
            organisation_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这次回访。"))
        row = rows[0]
        if row["due_on"] > at.astimezone(CHINA).date():
            raise Conflict(msg("这次回访到 {day} 才开始，到时再答。", day=on_day(row["due_on"])))
        if row["level"] is not None and organisation_id not in (row["organisation"], row["town"]):
            raise Conflict(msg("这次回访对方或镇里已经答过了，没有改。和您知道的不一样，请告诉镇里。"))
        await execute(
            """UPDATE follow_up SET level = $2, note = $3, person = $4, organisation = $5, answered_at = $6
               WHERE id = $1""",
            follow_up_id,
            level,
            note,
            actor.person_id,
            organisation_id,
            at,
        )
        await record(
            subject=f"appointment:{row['appointment']}",
            action="follow_up",
            actor=actor,
            at=at,
            details={
                "days": row["days"],
                "level": level,
                # what is set right stays known
                **({"was": row["level"]} if row["level"] is not None else {}),
            },
        )
