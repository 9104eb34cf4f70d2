"""How many talks a person has who comes for several organisations, where the town says so."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T10:20:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Quota of a person who comes for several"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = ("ALTER TABLE meeting ADD COLUMN most_of_one_person bigint",)
BACKWARDS = ("ALTER TABLE meeting DROP COLUMN most_of_one_person",)


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
