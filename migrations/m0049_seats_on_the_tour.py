"""How many seats a bus of the tour to the fields has, where the town says so."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T10:10:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Seats of a bus on the tour to the fields"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = ("ALTER TABLE field_route ADD COLUMN seats bigint CHECK (seats > 0)",)
BACKWARDS = ("ALTER TABLE field_route DROP COLUMN seats",)


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
