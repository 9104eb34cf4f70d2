"""What is done in bad weather is told to foreigners as well, as name, place and programme are."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-12-01T14:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "The weather plan of a meeting in English"


class Raw(Table):
    """Somewhere to send SQL from."""


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        await Raw.raw("ALTER TABLE meeting ADD COLUMN weather_plan_en text NOT NULL DEFAULT ''")

    async def undo() -> None:
        await Raw.raw("ALTER TABLE meeting DROP COLUMN weather_plan_en")

    manager.add_raw(run)
    manager.add_raw_backwards(undo)
    return manager
