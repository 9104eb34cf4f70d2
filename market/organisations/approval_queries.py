"""What waits for a purchasing manager, as its own organisation and the other side see it."""

from datetime import datetime

import msgspec

from market.db.session import fetch
from market.errors import NotFound
from market.i18n import Message, msg
from market.organisations import rules


class ApprovalRow(msgspec.Struct, frozen=True):
    """``amount`` and ``most``: fen. ``about`` is told without who: "bids 200 kg for ..."."""

    id: int
    organisation: int
    organisation_name: str
    organisation_name_en: str
    other: int | None
    other_name: str | None
    other_name_en: str | None
    about: Message
    subject: str
    link: str
    amount: int
    most: int
    state: str
    asked_by: int
    asker: str
    asker_en: str
    asked_at: datetime
    expires_at: datetime
    decider: str | None
    decider_en: str | None
    decided_at: datetime | None
    reason: str | None
    note: str
    result: str


_APPROVALS = """SELECT approval.id, approval.organisation, organisation.name AS organisation_name,
       organisation.name_en AS organisation_name_en, approval.other, other.name AS other_name,
       other.name_en AS other_name_en, approval.request -> 'about' AS about, approval.subject, approval.link,
       approval.amount, approval.most, approval.state, approval.asked_by, asker.name AS asker,
       asker.name_en AS asker_en, approval.asked_at, approval.expires_at, decider.name AS decider,
       decider.name_en AS decider_en, approval.decided_at, approval.reason, approval.note, approval.result
FROM approval JOIN organisation ON organisation.id = approval.organisation
JOIN person asker ON asker.id = approval.asked_by
LEFT JOIN organisation other ON other.id = approval.other
LEFT JOIN person decider ON decider.id = approval.decided_by
"""


async def approvals_of(*, organisation_id: int) -> list[ApprovalRow]:
    """Return what the organisation's buyers asked for; what waits first, then the newest."""
    return await _rows(
        """WHERE approval.organisation = $1
           ORDER BY approval.state = 'waiting' DESC, approval.asked_at DESC, approval.id DESC LIMIT 200""",
        organisation_id,
    )


async def approval_of(*, approval_id: int, organisation_id: int) -> ApprovalRow:
    """Raises: NotFound, where there is none, or it is another organisation's."""
    rows = await _rows("WHERE approval.id = $1 AND approval.organisation = $2", approval_id, organisation_id)
    if not rows:
        raise NotFound(msg("没有找到这件审批。"))
    return rows[0]


async def waiting_on(*subjects: str, organisation_id: int) -> list[ApprovalRow]:
    """Return what waits about these, for the two sides alone."""
    return await _rows(
        """WHERE approval.state = 'waiting' AND approval.subject = ANY($1)
             AND $2 IN (approval.organisation, approval.other) ORDER BY approval.id""",
        list(subjects),
        organisation_id,
    )


async def _rows(where: str, *values: object) -> list[ApprovalRow]:
    return [
        ApprovalRow(**{**dict(row), "about": msgspec.json.decode(row["about"], type=Message)})
        for row in await fetch(_APPROVALS + where, *values)
    ]


async def approvers_of(subject: str) -> dict[str, int]:
    """Return who approved what was done about a subject, by where it led to."""
    rows = await fetch(
        "SELECT result, decided_by FROM approval WHERE subject = $1 AND state = $2", subject, rules.APPROVED
    )
    return {row["result"]: row["decided_by"] for row in rows}
