"""A case's diary is only ever added to."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T08:50:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "The diary of the worry book is append-only"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    """
    CREATE TRIGGER case_entry_append_only BEFORE UPDATE OR DELETE ON case_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    """
    ALTER TABLE stuck_case ADD CONSTRAINT stuck_case_closed_with_reason
      CHECK ((state = 'closed') = (reason IS NOT NULL AND closed_at IS NOT NULL))
    """,
    "ALTER TABLE stuck_case ADD CONSTRAINT stuck_case_level_known"
    " CHECK (level IN ('village', 'town', 'county', 'city'))",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
