"""What the role that serves may do: everything its rooms need, and to rewrite history it may not.

Tables belong to the role that migrates. The serving role gets its rights whenever the schema is brought
up to date, also where no migration waits, from what the schema says: a table with the append-only
trigger is INSERT and SELECT to it.
"""

from market.db.cluster import SERVING_ROLE
from market.db.session import execute, fetch, fetch_value

#: Where the server has no such role, nothing is granted.
SERVING = SERVING_ROLE

_APPEND_ONLY = """
  SELECT DISTINCT pg_class.relname AS name FROM pg_trigger
  JOIN pg_class ON pg_class.oid = pg_trigger.tgrelid JOIN pg_proc ON pg_proc.oid = pg_trigger.tgfoid
  WHERE pg_proc.proname = 'refuse_rewrite' AND pg_class.relnamespace = 'public'::regnamespace
    -- a trigger with a condition, or of named columns, keeps some columns only: the terms of a bid or a
    -- contract stand, their state and signatures move on
    AND pg_trigger.tgqual IS NULL AND pg_trigger.tgattr = ''::int2vector ORDER BY 1
"""


async def append_only_tables() -> list[str]:
    """Return the tables whose rows nobody may change."""
    return [row["name"] for row in await fetch(_APPEND_ONLY)]


async def grant_rights() -> bool:
    """Give the serving role its rights; False where there is none, or we are that role."""
    is_there = await fetch_value(
        "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AND current_user <> $1", SERVING
    )
    if not is_there:
        return False
    for statement in (
        f"GRANT USAGE ON SCHEMA public TO {SERVING}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {SERVING}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {SERVING}",
        f"REVOKE INSERT, UPDATE, DELETE ON migration FROM {SERVING}",
    ):
        await execute(statement)
    for name in await append_only_tables():
        await execute(f'REVOKE UPDATE, DELETE, TRUNCATE ON "{name}" FROM {SERVING}')
    return True
