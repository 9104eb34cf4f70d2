"""A channel belongs to the member who added it, beside those who look after the organisation."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T10:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Who added a channel"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    "ALTER TABLE channel ADD COLUMN added_by bigint REFERENCES person ON DELETE RESTRICT ON UPDATE CASCADE",
    # the record of adding one bears the very moment of the channel
    """
    UPDATE channel SET added_by = added.person FROM audit_record AS added
    WHERE added.subject = 'organisation:' || channel.organisation AND added.action = 'add_channel'
      AND added.at = channel.created_at
      AND EXISTS (SELECT FROM person WHERE person.id = added.person)
    """,
    "CREATE INDEX channel_added_by ON channel (added_by)",
)
BACKWARDS = ("ALTER TABLE channel DROP COLUMN added_by",)


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
