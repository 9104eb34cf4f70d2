"""Approvals whose deed cannot be done any more end with it: nobody is asked to decide what is over."""

from datetime import datetime

import msgspec

from market.accounts.rules import SYSTEM
from market.audit.operations import MOST_AT_ONCE, record
from market.db.session import fetch, transaction
from market.i18n import msg
from market.notices.operations import Word, notify_all
from market.organisations import rules
from market.organisations.approving import Stored

#: Subject -> the states of it in which what was asked for may still be done.
_OPEN: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("match", "match", ("proposed", "one_side_agreed")),
    ("bid", "bid", ("submitted", "needs_reconfirm")),
    ("joint", "joint_offer", ("gathering", "submitted", "needs_reconfirm")),
    ("deal", "deal", ("pending", "partly_signed", "active")),
    ("frame", "frame", ("proposed", "active", "seller_ends", "buyer_ends")),
    ("listing", "listing", ("published", "suspended", "sold_out")),
)
_DEAD = " OR ".join(
    f"approval.subject LIKE '{subject}:%' AND EXISTS (SELECT FROM {table} AS about"
    f" WHERE about.id = substr(approval.subject, {len(subject) + 2})::bigint"
    f" AND about.state NOT IN ({', '.join(repr(state) for state in states)}))"
    for subject, table, states in _OPEN
)
#: A bid in a round cannot be made any more once the round is over, or its goods are off sale for good.
_DEAD += """ OR (approval.subject LIKE 'sealed:%' OR approval.subject LIKE 'open:%') AND EXISTS (
    SELECT FROM listing WHERE listing.id = split_part(approval.subject, ':', 2)::bigint
      AND (listing.opened_at IS NOT NULL OR listing.state NOT IN ('published', 'suspended', 'sold_out')))"""


async def end_dead_approvals(*, at: datetime, subject: str | None = None) -> int:
    """Withdraw what waits about deeds that are over, of one ``subject`` where it is given; return how many.

    One that a manager decides on at this moment is left to the decision.
    """
    async with transaction():
        rows = await fetch(
            f"""UPDATE approval SET state = $1, decided_at = $2 WHERE id IN (
                  SELECT id FROM approval
                  WHERE state = $3 AND ($4::text IS NULL OR subject = $4) AND ({_DEAD})
                  ORDER BY id LIMIT $5 FOR UPDATE SKIP LOCKED)
                RETURNING id, organisation, subject, request""",  # noqa: S608  words of ours; values are parameters
            rules.APPROVAL.apply("withdraw", state=rules.WAITING, by="system"),
            *(at, rules.WAITING, subject, MOST_AT_ONCE),
        )
        for row in rows:
            if not row["subject"].startswith(rules.UNDER_SEAL):
                about = f"approval:{row['id']}"
                await record(subject=about, action="withdraw", actor=SYSTEM, at=at, details={})
        await notify_all(
            [
                Word(
                    row["organisation"],
                    "approval_ended",
                    msg(
                        "不用再审批：{about}。这件事已经办不成或已经了结，审批随之撤回。",
                        about=msgspec.json.decode(row["request"], type=Stored).about,
                    ),
                    f"/approvals/{row['id']}",
                    at,
                    apart=row["subject"].startswith(rules.UNDER_SEAL),
                )
                for row in rows
            ]
        )
    return len(rows)
