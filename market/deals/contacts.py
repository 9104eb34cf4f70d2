"""Whom to call about a contract: numbers are masked until both sides have signed, and each look is kept."""

from datetime import datetime

import msgspec

from market.accounts.queries import contacts_of
from market.accounts.rules import Actor, masked
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
    #: Whole once the contract is binding, else with its middle hidden.
    phone: str
    is_whole: bool


async def look_up_contacts(
    *, deal_id: int, organisation_id: int, actor: Actor, at: datetime
) -> list[Contact]:
    """Return the people of the other side; a look at whole numbers goes into the record.

    Raises:
        NotFound: no such deal of this organisation's.
    """
    async with transaction():
        deal = await deal_of(deal_id=deal_id, organisation_id=organisation_id)
        if organisation_id not in (deal.seller, deal.buyer):
            raise NotFound(msg("没有找到这份合同。"))
        other = deal.buyer if organisation_id == deal.seller else deal.seller
        is_whole = deal.state in rules.BOUND
        people = await contacts_of(organisation_id=other)
        if is_whole:
            await record(
                subject=f"contacts:{deal_id}",
                action="look_up",
                actor=actor,
                at=at,
                details={"organisation": other, "people": len(people)},
            )
    return [
        Contact(
            person.name,
            person.name_en,
            person.role,
            person.phone if is_whole else masked(person.phone),
            is_whole,
        )
        for person in people
    ]
