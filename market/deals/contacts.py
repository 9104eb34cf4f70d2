"""Whom to call about a contract.

Numbers are masked until both sides have signed and their owner agrees; then each look at them has a reason,
and is kept.
"""

from datetime import datetime

import msgspec

from market.accounts.queries import contacts_of
from market.accounts.rules import Actor, masked
from market.audit.looks import check_look
from market.audit.operations import record
from market.db.session import transaction
from market.deals import rules
from market.deals.queries import deal_of
from market.errors import NotFound
from market.i18n import msg


class Contact(msgspec.Struct, frozen=True):
    name: str
    name_en: str
    #: As ``accounts.rules.ROLES``.
    role: str
    #: Whole where it was asked for and may be seen, else with its middle hidden.
    phone: str
    is_whole: bool
    #: Whether a reason would show it whole.
    is_open: bool = False


async def look_up_contacts(
    *, deal_id: int, organisation_id: int, actor: Actor, at: datetime, reason: str | None = None
) -> list[Contact]:
    """Return the people of the other side; with a ``reason``, whole numbers, and the look is recorded.

    Raises:
        Invalid: no such reason.
        NotFound: no such deal of this organisation's.
    """
    if reason is not None:
        check_look(reason)
    async with transaction():
        deal = await deal_of(deal_id=deal_id, organisation_id=organisation_id)
        if organisation_id not in (deal.seller, deal.buyer):
            raise NotFound(msg("没有找到这份合同。"))
        other = deal.buyer if organisation_id == deal.seller else deal.seller
        people = await contacts_of(organisation_id=other)
        is_bound = deal.state in rules.BOUND
        seen = sum(person.shares for person in people) if is_bound and reason is not None else 0
        if seen:
            await record(
                subject=f"contacts:{deal_id}",
                action="look_up",
                actor=actor,
                at=at,
                details={"organisation": other, "people": seen, "reason": reason},
            )
    return [
        Contact(
            person.name,
            person.name_en,
            person.role,
            person.phone if seen and person.shares else masked(person.phone),
            bool(seen) and person.shares,
            is_bound and person.shares,
        )
        for person in people
    ]
