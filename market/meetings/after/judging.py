"""What a talk was worth to each side: the town reads it and so does the next plan, the other side never."""

from datetime import datetime

import msgspec

from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.session import execute, fetch, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg, named
from market.meanwhile import marks_of, settled
from market.notices.operations import notify

SCORES = (1, 2, 3, 4, 5)
LONGEST_NOTE = 300


class Judgement(msgspec.Struct, frozen=True):
    """One side's word about a talk. ``score`` 0: it has not said anything."""

    score: int = 0
    again: bool = True
    note: str = ""

    @property
    def marks(self) -> str:
        """What was read of it (``market.meanwhile``)."""
        return marks_of(self)


async def judgement_of(*, appointment_id: int, organisation_id: int) -> Judgement:
    """Return what this side has said of a talk. Whose talk it is, the caller has seen."""
    rows = await fetch(
        "SELECT score, again, note FROM feedback WHERE appointment = $1 AND organisation = $2",
        appointment_id,
        organisation_id,
    )
    return Judgement(**rows[0]) if rows else Judgement()


async def give_feedback(
    *,
    appointment_id: int,
    score: int,
    again: bool,
    note: str,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    seen: str | None = None,
) -> None:
    """Say, for one side, what a talk was worth and whether to meet again; the last word counts.

    The other side does not see it. Where both sides would rather not meet again, the town is told.
    ``seen``: the marks of what this side had said when it was read; None: it is meant whatever stands there.

    Raises:
        NotFound: no such talk of this side's.
        Invalid: the score is not 1 to 5, or the note is too long.
        Conflict: the talk has not been held.
        ChangedMeanwhile: a colleague has said something else since it was read.
    """
    problems: dict[str, Message] = {}
    if score not in SCORES:
        problems["score"] = msg("请打 1 到 5 分。")
    if len(note) > LONGEST_NOTE:
        problems["note"] = msg("说明最多 {most} 个字。", most=LONGEST_NOTE)
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    async with transaction():
        rows = await fetch(
            """SELECT appointment.state, appointment.seller, appointment.buyer, meeting.id AS meeting,
                      meeting.town, seller.name AS seller_name, seller.name_en AS seller_name_en,
                      buyer.name AS buyer_name, buyer.name_en AS buyer_name_en
               FROM appointment JOIN meeting ON meeting.id = appointment.meeting
               JOIN organisation seller ON seller.id = appointment.seller
               JOIN organisation buyer ON buyer.id = appointment.buyer
               WHERE appointment.id = $1 AND $2 IN (appointment.seller, appointment.buyer)
               FOR UPDATE OF appointment""",
            appointment_id,
            organisation_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这场洽谈。"))
        row = rows[0]
        if row["state"] != "held":
            raise Conflict(msg("谈过以后才能评价。"))
        said = await judgement_of(appointment_id=appointment_id, organisation_id=organisation_id)
        # it is one opinion: a score of one goes with no word of another
        settled(Judgement(score, again, note), now=said, seen=seen, exact=True)
        others = await fetch(
            "SELECT organisation, again FROM feedback WHERE appointment = $1", appointment_id
        )
        was = {each["organisation"]: each["again"] for each in others}
        await execute(
            """INSERT INTO feedback (appointment, organisation, score, again, note, created_at)
               VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (appointment, organisation) DO UPDATE
               SET score = $3, again = $4, note = $5, created_at = $6""",
            appointment_id,
            organisation_id,
            score,
            again,
            note,
            at,
        )
        await record(
            subject=f"appointment:{appointment_id}",
            action="feedback",
            actor=actor,
            at=at,
            details={"score": score, "again": again},
        )
        now = {**was, organisation_id: again}
        parties = (row["seller"], row["buyer"])
        both_before = all(was.get(party) is False for party in parties)
        if all(now.get(party) is False for party in parties) and not both_before:
            await notify(
                organisation_id=row["town"],
                kind="never_again",
                message=msg(
                    "{seller}和{buyer}都表示不必再见，下次排桌不会再安排。",
                    seller=named(row, "seller_name"),
                    buyer=named(row, "buyer_name"),
                ),
                link=f"/town/meetings/{row['meeting']}/after#feedback",
                at=at,
            )
