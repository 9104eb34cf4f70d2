"""Pictures put to a case of breach or a force majeure go after their period; words and hashes stay."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T18:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Pictures of evidence and proof go after their period"

#: Table -> what it belongs to.
TABLES = {"breach_evidence": "breach", "ending_proof": "ending"}


class Raw(Table):
    """Somewhere to send SQL from."""


def _forwards(table: str, about: str) -> tuple[str, ...]:
    return (
        f"DROP TRIGGER {table}_append_only ON {table}",
        f"""
        CREATE TRIGGER {table}_stands BEFORE UPDATE OF id, {about}, organisation, person, words, content_hash,
          created_at ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
        """,
        # a picture may go, and nothing comes in its place
        f"""
        CREATE TRIGGER {table}_only_goes BEFORE UPDATE ON {table}
        FOR EACH ROW WHEN (NEW.image IS NOT NULL) EXECUTE FUNCTION refuse_rewrite()
        """,
        # with a condition, because the table is not append-only as a whole
        f"""
        CREATE TRIGGER {table}_stays BEFORE DELETE ON {table}
        FOR EACH ROW WHEN (OLD.id IS NOT NULL) EXECUTE FUNCTION refuse_rewrite()
        """,
    )


def _backwards(table: str) -> tuple[str, ...]:
    return (
        *(f"DROP TRIGGER {table}_{kind} ON {table}" for kind in ("stands", "only_goes", "stays")),
        f"""
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
        FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
        """,
    )


FORWARDS = tuple(statement for each in TABLES.items() for statement in _forwards(*each))
BACKWARDS = tuple(statement for table in TABLES for statement in _backwards(table))


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    async def undo() -> None:
        for statement in BACKWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    manager.add_raw_backwards(undo)
    return manager
