"""The ends of audit chains are held and read by one question: every deed asks it, and waits for the answer."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-12-01T12:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Chains of the audit record are held and read at once"


class Raw(Table):
    """Somewhere to send SQL from."""


# two statements, because what is read must be as it is once the chain is held; in the order of the subjects, so
# that two who hold several wait for each other in one direction only
HOLD = """
CREATE FUNCTION hold_chains(p_subjects text[])
RETURNS TABLE (subject text, id bigint, "position" bigint, hash bytea)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('audit:' || held.subject, 0))
  FROM (SELECT subject FROM unnest(p_subjects) AS subject ORDER BY subject) AS held;
  RETURN QUERY
    SELECT asked.subject, nextval('audit_record_id_seq'), last.position, last.hash
    FROM unnest(p_subjects) AS asked (subject)
    LEFT JOIN LATERAL (SELECT position, hash FROM audit_record WHERE audit_record.subject = asked.subject
                       ORDER BY position DESC LIMIT 1) AS last ON true;
END $$
"""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        await Raw.raw(HOLD)

    async def undo() -> None:
        await Raw.raw("DROP FUNCTION hold_chains(text[])")

    manager.add_raw(run)
    manager.add_raw_backwards(undo)
    return manager
