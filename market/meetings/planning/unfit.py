"""Talks in the timetable that cannot be held as they lie: somebody has left, or would rather not."""

from collections.abc import Iterable, Sequence

import msgspec

from market.db.session import fetch_into
from market.i18n import Message, in_both, msg
from market.meetings import rules
from market.meetings.invitations.sole import sole_sql
from market.meetings.invitations.wish_queries import AWAY


def _listed(states: Iterable[str]) -> str:
    return ", ".join(f"'{each}'" for each in states)


#: Talks that a sentence names; of more it tells the number.
MOST_NAMED = 5

#: $1: the meeting, $2: the states of invitations that have left. A talk counts once, for the gravest reason.
UNFIT = f"""
  WITH {sole_sql("IN (SELECT organisation FROM invitation WHERE meeting = $1)")},
  torn AS (
    SELECT unnest(array_agg(DISTINCT appointment.id)) AS id FROM appointment
    JOIN sole ON sole.organisation IN (appointment.seller, appointment.buyer)
    WHERE appointment.meeting = $1 AND appointment.state = 'scheduled' AND appointment.slot IS NOT NULL
    GROUP BY sole.phone, appointment.slot HAVING count(DISTINCT appointment.id) > 1)
  SELECT appointment.id, appointment.slot, seller.name AS seller_name, seller.name_en AS seller_name_en,
         buyer.name AS buyer_name, buyer.name_en AS buyer_name_en, found.why
  FROM appointment
  JOIN organisation seller ON seller.id = appointment.seller
  JOIN organisation buyer ON buyer.id = appointment.buyer
  CROSS JOIN LATERAL (
    SELECT CASE
      WHEN EXISTS (SELECT FROM invitation WHERE invitation.meeting = appointment.meeting
                     AND invitation.organisation IN (appointment.seller, appointment.buyer)
                     AND invitation.state = ANY($2::text[])) THEN 'away'
      WHEN EXISTS (SELECT FROM wish WHERE wish.meeting = appointment.meeting AND wish.level = 'never'
                     AND ((wish.organisation, wish.about) = (appointment.seller, appointment.buyer)
                       OR (wish.about, wish.organisation) = (appointment.seller, appointment.buyer)))
        THEN 'never'
      WHEN EXISTS (SELECT FROM absence JOIN invitation ON invitation.id = absence.invitation
                   WHERE invitation.meeting = appointment.meeting AND absence.slot = appointment.slot
                     AND invitation.organisation IN (appointment.seller, appointment.buyer)) THEN 'absent'
      WHEN appointment.id IN (SELECT id FROM torn) THEN 'torn'
    END AS why) found
  WHERE appointment.meeting = $1 AND appointment.state = 'scheduled' AND appointment.slot IS NOT NULL
    AND found.why IS NOT NULL
  ORDER BY appointment.slot, appointment.table_number, appointment.id
"""  # noqa: S608  our own text
LEFT = list(AWAY)
#: States of a talk that nobody's answer changes any more.
DONE = ["held", "no_show", "cancelled"]

#: Of a talk ahead: one side has said no or was taken off the list, and has not come all the same. Nobody
#: waits at the table, though the timetable has the talk until the next plan. Whatever shows talks asks this.
CALLED_OFF = f"""(appointment.state NOT IN ({_listed(DONE)})
             AND EXISTS (SELECT FROM invitation WHERE invitation.meeting = appointment.meeting
                           AND invitation.organisation IN (appointment.seller, appointment.buyer)
                           AND invitation.state IN ({_listed(AWAY)})
                           AND invitation.days_here = '{{}}'))"""

#: Of a talk with a result: that one side did not come.
SAID_ABSENT = f"""coalesce(appointment.state = 'held' AND appointment.outcome = 'none'
             AND appointment.reason = '{rules.ABSENT}', false)"""

#: Of a talk that is not called off: one side did not come, so nobody waits for its result. Its result says
#: so, or the desk does and the side came on no day of the meeting. A result may still be recorded then, and
#: says otherwise: therefore this is derived, and no state of the talk.
MISSED = f"""(appointment.state = 'no_show' OR {SAID_ABSENT} OR appointment.state = 'scheduled'
             AND EXISTS (SELECT FROM invitation JOIN meeting ON meeting.id = invitation.meeting
                         WHERE invitation.meeting = appointment.meeting
                           AND invitation.organisation IN (appointment.seller, appointment.buyer)
                           AND invitation.attendance = 'no_show' AND invitation.days_here = '{{}}'
                           AND (meeting.days = 1 OR meeting.state IN ('closed', 'followed_up'))))"""

#: Of a talk without a result: one side came on its day, and of the other nobody knows that it did.
ALONE = """(appointment.state = 'scheduled' AND 1 = (
             SELECT count(*) FROM invitation JOIN meeting ON meeting.id = invitation.meeting
             WHERE invitation.meeting = appointment.meeting
               AND invitation.organisation IN (appointment.seller, appointment.buyer)
               AND (appointment.slot - 1) / meeting.slots + 1 = ANY (invitation.days_here)))"""

REASONS: dict[str, Message] = {
    "away": msg("有一方已经不来"),
    "never": msg("有一方标了“不见”"),
    "absent": msg("有一方这个时段不能来"),
    "torn": msg("来的人这个时段还要替另一家洽谈"),
}


class UnfitRow(msgspec.Struct, frozen=True):
    """A talk and ``why`` it cannot be held, a code of ``REASONS``."""

    id: int
    slot: int
    seller_name: str
    seller_name_en: str
    buyer_name: str
    buyer_name_en: str
    why: str


async def unfit_talks(meeting_id: int) -> list[UnfitRow]:
    """Return the talks that the next plan takes away or puts elsewhere, by slot and table."""
    return await fetch_into(UnfitRow, UNFIT, meeting_id, LEFT)


def refusal(unfit: Sequence[UnfitRow]) -> Message:
    """Return why a timetable with these talks is not published, with their names."""
    named: Message | None = None
    for each in unfit[:MOST_NAMED]:
        one = msg(
            "{buyer}–{seller}（{why}）",
            buyer=in_both(each.buyer_name, each.buyer_name_en),
            seller=in_both(each.seller_name, each.seller_name_en),
            why=REASONS[each.why],
        )
        named = one if named is None else msg("{first}；{then}", first=named, then=one)
    if len(unfit) > MOST_NAMED:
        return msg(
            "有 {n} 场洽谈不能照这样谈：{named}；等等。请先重新排桌，再发布。",
            n=len(unfit),
            named=named or "",
        )
    return msg("有 {n} 场洽谈不能照这样谈：{named}。请先重新排桌，再发布。", n=len(unfit), named=named or "")
