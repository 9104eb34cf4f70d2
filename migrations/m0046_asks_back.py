"""Whether planning only waits for the official to be sure stands beside why it was not kept."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T01:46:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "A plan that asks back says so in a column of its own"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    "ALTER TABLE meeting ADD COLUMN asks_back boolean NOT NULL DEFAULT false",
    # until now it was told by the words of the question
    """
    UPDATE meeting SET asks_back = true
    WHERE trouble ->> 'text' LIKE '照现在的情况重排，已发布的日程里有 {{n}} 场洽谈会取消%'
    """,
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
