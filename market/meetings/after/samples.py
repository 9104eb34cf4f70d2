"""A sample's way from the seller to the buyer: asked for, sent, received, answered.

Every step has a day until which it is due; who is late is reminded of it once a step.
"""

from datetime import date, datetime, timedelta

from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, transaction
from market.errors import Invalid, NotFound
from market.i18n import Message, msg, named, on_day
from market.matching.refusals import refuse_pairs
from market.meetings import rules
from market.notices.operations import notify

#: Where both sides and the town find a sample.
LINK = "/samples/{id}"
LONGEST_NOTE = 300
#: Of the name of who carries it, and of the number under which it travels.
LONGEST_CARRIER = 60
#: The coded reason that a rejected sample stands for.
REJECTED_REASON = "sample"
#: What each step is told the other side as.
_TOLD: dict[str, Message] = {
    "send": msg("“{title}”的样品已寄出，收到后请签收。"),
    "receive": msg("“{title}”的样品对方已签收，等对方反馈。"),
    "answer": msg("“{title}”的样品有反馈了：{verdict}。"),
    "call_off": msg("“{title}”的样品不再寄了。"),
}
_LATE: dict[str, Message] = {
    "requested": msg("“{title}”的样品还没有寄出，对方在等。"),
    "sent": msg("“{title}”的样品应已送到，收到请签收；没收到请联系对方。"),
    "received": msg("“{title}”的样品已收到一周，请告诉对方怎么样。"),
}
#: Who has to take the next step.
TURN = {"requested": "seller", "sent": "buyer", "received": "buyer"}


def due_on(state: str, *, since: date) -> date | None:
    """Return until when the step after ``state`` is due; None where nothing more is to be done."""
    days = rules.SAMPLE_DAYS.get(state)
    return None if days is None else since + timedelta(days=days)


async def request_sample(*, appointment_id: int, listing_id: int, actor: Actor, at: datetime) -> int:
    """Ask for a sample of what a talk was about; return its number. Asked for twice, it is one;
    one that was called off is awaited again.

    Raises:
        NotFound: the talk was not about this listing.
    """
    async with transaction():
        rows = await fetch(
            """SELECT appointment.seller, listing.title, listing.title_en FROM topic
               JOIN appointment ON appointment.id = topic.appointment
               JOIN listing ON listing.id = topic.listing
               WHERE topic.appointment = $1 AND topic.listing = $2 LIMIT 1""",
            appointment_id,
            listing_id,
        )
        if not rows:
            raise NotFound(msg("这场洽谈没有谈这批货，请刷新后重选。"))
        state = rules.SAMPLE.start
        today = at.astimezone(CHINA).date()
        due = due_on(state, since=today) or today
        made = await fetch(
            """INSERT INTO sample (appointment, listing, state, due_on, created_at)
               VALUES ($1, $2, $3, $4, $5) ON CONFLICT (appointment, listing) DO UPDATE
                 SET state = $3, due_on = $4, note = '', carrier = '', tracking = '', sent_at = NULL,
                     reminded_at = NULL WHERE sample.state = 'called_off' RETURNING id""",
            appointment_id,
            listing_id,
            state,
            due,
            at,
        )
        if not made:
            known = await fetch(
                "SELECT id FROM sample WHERE appointment = $1 AND listing = $2", appointment_id, listing_id
            )
            return int(known[0]["id"])
        sample_id = int(made[0]["id"])
        await record(
            subject=f"appointment:{appointment_id}",
            action="request_sample",
            actor=actor,
            at=at,
            details={"sample": sample_id, "listing": listing_id},
        )
        await notify(
            organisation_id=rows[0]["seller"],
            kind="sample_requested",
            message=msg(
                "对方要“{title}”的样品，请在 {day} 前寄出。", title=named(rows[0], "title"), day=on_day(due)
            ),
            link=LINK.format(id=sample_id),
            at=at,
        )
    return sample_id


async def move_sample(
    *,
    sample_id: int,
    move: str,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    carrier: str = "",
    tracking: str = "",
    verdict: str | None = None,
    note: str = "",
) -> str:
    """Take a sample one step on for one side, or for the town that does it by telephone; return its state.

    ``carrier`` and ``tracking`` go with ``send``, ``verdict`` and ``note`` with ``answer``. A sample that
    is rejected bars its pair from the next run, as a declined match does.

    Raises:
        NotFound: no such sample of this organisation's.
        WrongState: the step is not open to this side now.
        Invalid: the verdict or the carrier is missing, or the note is too long.
    """
    if all(each.name != move for each in rules.SAMPLE.moves):
        raise NotFound(msg("没有这一步，请回到样品页面操作。"))
    _check(move, carrier=carrier, tracking=tracking, verdict=verdict, note=note)
    async with transaction():
        row = await _locked(sample_id=sample_id, organisation_id=organisation_id)
        side = _side_of(row, organisation_id)
        state = rules.SAMPLE.apply(move, state=row["state"], by=side)
        await execute(
            """UPDATE sample SET state = $2, due_on = $3, reminded_at = NULL,
                 carrier = CASE WHEN $2 = 'sent' THEN $5 ELSE carrier END,
                 tracking = CASE WHEN $2 = 'sent' THEN $6 ELSE tracking END,
                 verdict = CASE WHEN $2 = 'answered' THEN $7 ELSE verdict END,
                 note = CASE WHEN $2 IN ('answered', 'called_off') THEN $8 ELSE note END,
                 sent_at = CASE WHEN $2 = 'sent' THEN $4 ELSE sent_at END,
                 received_at = CASE WHEN $2 = 'received' THEN $4 ELSE received_at END,
                 answered_at = CASE WHEN $2 = 'answered' THEN $4 ELSE answered_at END
               WHERE id = $1""",
            sample_id,
            state,
            due_on(state, since=at.astimezone(CHINA).date()),
            at,
            carrier,
            tracking,
            verdict,
            note,
        )
        if verdict == "rejected" and state == "answered":
            await _bar(row, at=at)
        await record(
            subject=f"appointment:{row['appointment']}",
            action=f"sample_{move}",
            actor=actor,
            at=at,
            details={"sample": sample_id, "side": side, "verdict": verdict},
        )
        told = _TOLD[move]
        values: dict[str, str | int | Message] = {"title": named(row, "title")}
        if verdict is not None:
            values["verdict"] = rules.SAMPLE_VERDICTS[verdict]
        for party in {row["seller"], row["buyer"]} - {organisation_id}:
            await notify(
                organisation_id=party,
                kind=f"sample_{state}",
                message=Message(told.text, values),
                link=LINK.format(id=sample_id),
                at=at,
            )
    return state


def _check(move: str, *, carrier: str, tracking: str, verdict: str | None, note: str) -> None:
    problems: dict[str, Message] = {}
    if move == "send" and not carrier.strip():
        problems["carrier"] = msg("请写快递公司，自己送的写“自送”。")
    for field, value in (("carrier", carrier), ("tracking", tracking)):
        if len(value) > LONGEST_CARRIER:
            problems[field] = msg("快递公司和单号最多 {most} 个字。", most=LONGEST_CARRIER)
    if move == "answer" and verdict not in rules.SAMPLE_VERDICTS:
        problems["verdict"] = msg("请选样品怎么样。")
    if move == "answer" and verdict == "improve" and not note.strip():
        problems["note"] = msg("请写哪里要改进，卖方好照着改。")
    if len(note) > LONGEST_NOTE:
        problems["note"] = msg("说明最多 {most} 个字。", most=LONGEST_NOTE)
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)


async def _locked(*, sample_id: int, organisation_id: int) -> Record:
    rows = await fetch(
        """SELECT sample.*, appointment.seller, appointment.buyer, meeting.town, listing.title,
                  listing.title_en
           FROM sample JOIN appointment ON appointment.id = sample.appointment
           JOIN meeting ON meeting.id = appointment.meeting JOIN listing ON listing.id = sample.listing
           WHERE sample.id = $1 AND $2 IN (appointment.seller, appointment.buyer, meeting.town)
           FOR UPDATE OF sample""",
        sample_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这件样品。"))
    return rows[0]


def _side_of(row: Record, organisation_id: int) -> str:
    if organisation_id == row["seller"]:
        return "seller"
    return "buyer" if organisation_id == row["buyer"] else "official"


async def _bar(sample: Record, *, at: datetime) -> None:
    topics = await fetch(
        "SELECT listing, demand FROM topic WHERE appointment = $1 AND listing = $2 AND demand IS NOT NULL",
        sample["appointment"],
        sample["listing"],
    )
    await refuse_pairs(
        pairs=[(topic["listing"], topic["demand"]) for topic in topics],
        reason=REJECTED_REASON,
        source="sample",
        source_id=sample["id"],
        at=at,
    )


async def remind_of_samples(*, at: datetime) -> int:
    """Remind whoever has let a step's day pass, once a step; return how many were reminded."""
    async with transaction():
        late = await fetch(
            """UPDATE sample SET reminded_at = $1 FROM appointment, listing
               WHERE appointment.id = sample.appointment AND listing.id = sample.listing
                 AND sample.due_on < $2 AND sample.reminded_at IS NULL
                 AND sample.state = ANY($3::text[])
               RETURNING sample.id, sample.state, appointment.seller, appointment.buyer, listing.title,
                         listing.title_en""",
            at,
            at.astimezone(CHINA).date(),
            list(TURN),
        )
        for row in late:
            await notify(
                organisation_id=row[TURN[row["state"]]],
                kind="sample_late",
                message=Message(_LATE[row["state"]].text, {"title": named(row, "title")}),
                link=LINK.format(id=row["id"]),
                at=at,
            )
    return len(late)
