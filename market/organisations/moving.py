"""An organisation's row as it is held and moved from state to state, and its people told of it."""

from datetime import date, datetime

from asyncpg import Record

from market.accounts.rules import UNVERIFIED, VERIFIED
from market.db.session import execute, fetch
from market.errors import NotFound
from market.i18n import Message, msg
from market.notices.operations import notify
from market.organisations.queries import card_of_county

#: Where an organisation's own people see how it stands.
OWN_PAGE = "/organisation"


async def locked(organisation_id: int) -> Record:
    rows = await fetch(
        """SELECT id, name, name_en, standing, verified_until, county, town, granted, withheld
           FROM organisation WHERE id = $1 FOR NO KEY UPDATE""",
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这个单位。"))
    return rows[0]


async def of_county(organisation_id: int, county_id: int) -> Record:
    row = await locked(organisation_id)
    # held first: another county that adopts it at the same moment has it, or has it not
    await card_of_county(organisation_id=organisation_id, county_id=county_id)
    return row


async def move_to(
    organisation_id: int,
    state: str,
    *,
    at: datetime,
    is_new: bool = True,
    checked: tuple[str, ...] | None = None,
    until: date | None = None,
    reason: str | None = None,
    note: str = "",
    keep_until: bool = False,
) -> None:
    """Write the state. ``keep_until``: the day of a verification that may be taken up again stays."""
    await execute(
        """UPDATE organisation SET standing = $2, standing_reason = $5, standing_note = $6,
             standing_since = CASE WHEN $8 THEN $3 ELSE standing_since END,
             checked = CASE WHEN $4::text[] IS NOT NULL THEN $4 WHEN $2 = $10 THEN '{}' ELSE checked END,
             verified_until = CASE WHEN $7::date IS NOT NULL THEN $7
                                   WHEN $9 OR $2 = $11 THEN verified_until END
           WHERE id = $1""",
        organisation_id,
        state,
        at,
        None if checked is None else list(checked),
        reason,
        note,
        until,
        is_new,
        keep_until,
        UNVERIFIED,
        VERIFIED,
    )


async def tell(organisation_id: int, kind: str, message: Message, *, at: datetime) -> None:
    await notify(organisation_id=organisation_id, kind=kind, message=message, link=OWN_PAGE, at=at)
