"""Whole numbers of those who come to a meeting: for the town that holds it, for a reason, and recorded."""

from datetime import datetime

import msgspec

from market.accounts.rules import Actor
from market.audit.looks import check_look
from market.audit.operations import record
from market.db.session import fetch_into, transaction
from market.errors import NotFound
from market.i18n import msg


class Number(msgspec.Struct, frozen=True):
    name: str
    phone: str


_INVITED = """
  SELECT attendee.name, attendee.phone FROM attendee JOIN invitation ON invitation.id = attendee.invitation
  WHERE invitation.meeting = $1 AND invitation.id = $2 AND attendee.phone <> '' ORDER BY attendee.id
"""
_REGISTERED = """
  SELECT person_name AS name, phone FROM registration WHERE meeting = $1 AND id = $2 AND phone <> ''
"""
#: What the numbers belong to -> how they are found.
KINDS = {"invitation": _INVITED, "registration": _REGISTERED}


async def look_at_numbers(
    *, meeting_id: int, kind: str, row_id: int, reason: str, actor: Actor, at: datetime
) -> list[Number]:
    """Return the numbers of one invitation's persons, or of one registration; the look is recorded.

    The caller has made sure that the meeting is the viewer's to hold.

    Raises:
        Invalid: no such reason.
        NotFound: no such row of this meeting, or nobody in it gave a number.
    """
    check_look(reason)
    async with transaction():
        found = await fetch_into(Number, KINDS[kind], meeting_id, row_id) if kind in KINDS else []
        if not found:
            raise NotFound(msg("没有留下号码。"))
        await record(
            subject=f"numbers:{meeting_id}",
            action="look_up",
            actor=actor,
            at=at,
            details={kind: row_id, "people": len(found), "reason": reason},
        )
    return found
