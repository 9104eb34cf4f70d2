"""What changes or goes of a person's own row: corrected, given another number, or closed for good."""

from datetime import datetime

import asyncpg

from market.accounts.lifecycle import OPEN, REVOKED
from market.db.session import execute, fetch, transaction
from market.errors import Conflict
from market.i18n import msg

#: Whatever belongs to one person alone and goes with the account.
_OWN = ("session", "api_token", "second_factor", "backup_code", "recovery", "membership")


async def rename(*, person_id: int, name: str, name_en: str) -> bool:
    """Give a person the name it really has; False where it has it already."""
    return bool(
        await fetch(
            """UPDATE person SET name = $2, name_en = $3 WHERE id = $1 AND (name, name_en) <> ($2, $3)
               RETURNING id""",
            person_id,
            name,
            name_en,
        )
    )


async def give_number(*, person_id: int, phone: str) -> None:
    """Let the person sign in by another number from now on.

    Raises:
        Conflict: another account has it.
    """
    try:
        async with transaction():
            await execute("UPDATE person SET phone = $2 WHERE id = $1", person_id, phone)
    except asyncpg.UniqueViolationError:
        raise Conflict(msg("这个号码已是另一个账号的，不能换。请和本人核对。")) from None


async def close_person(*, person_id: int, name: str, name_en: str, at: datetime) -> tuple[str, str]:
    """Switch a person off, take its name and number out; return what they were.

    What it was invited to and has not taken up is revoked.

    Raises:
        Conflict: it is switched off already.
    """
    async with transaction():
        rows = await fetch("SELECT name, phone FROM person WHERE id = $1 AND active FOR UPDATE", person_id)
        if not rows:
            raise Conflict(msg("这个账号已注销。"))
        await execute(
            """UPDATE person SET active = false, name = $2, name_en = $3, phone = $4, password_hash = NULL
               WHERE id = $1""",
            person_id,
            name,
            name_en,
            f"gone-{person_id}",
        )
        for table in _OWN:
            await execute(f"DELETE FROM {table} WHERE person = $1", person_id)  # noqa: S608  names of ours
        phone = rows[0]["phone"]
        await execute(
            f"{_FORGET_INVITED} WHERE person = $4 OR phone = $5", OPEN, REVOKED, at, person_id, phone
        )
    return rows[0]["name"], phone


async def forget_invited(*, before: datetime) -> int:
    """Empty names and numbers of invitations settled, or out of date, before that; return how many."""
    told = await execute(
        f"{_FORGET_INVITED} WHERE phone <> '' AND coalesce(settled_at, expires_at) < $3",
        OPEN,
        REVOKED,
        before,
    )
    return int(told.rpartition(" ")[2])


#: An open one without a number would be for anybody, and of two for one place both would have none.
_FORGET_INVITED = """UPDATE account_invitation SET name = '', phone = '',
  settled_at = coalesce(settled_at, least(expires_at, $3)),
  state = CASE state WHEN $1 THEN $2 ELSE state END"""
