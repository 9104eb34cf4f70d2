"""Of each payment it is kept when somebody was last reminded of it, so that nobody is reminded twice."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-12-01T15:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "When somebody was last reminded of a payment"


class Raw(Table):
    """Somewhere to send SQL from."""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        await Raw.raw("ALTER TABLE payment ADD COLUMN reminded_on date")

    async def undo() -> None:
        await Raw.raw("ALTER TABLE payment DROP COLUMN reminded_on")

    manager.add_raw(run)
    manager.add_raw_backwards(undo)
    return manager
