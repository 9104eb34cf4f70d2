"""The picture of a household's signed sheet goes after its period; that there was one is still known."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T15:20:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "A signed sheet is kept for a period, its hash for good"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    "ALTER TABLE delegation DROP CONSTRAINT delegation_paper",
    """
    ALTER TABLE delegation ADD CONSTRAINT delegation_paper
      CHECK (consent IN ('online', 'paper') AND (consent = 'online') = (sheet_hash = '')
             AND (consent = 'paper' OR sheet IS NULL))
    """,
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
