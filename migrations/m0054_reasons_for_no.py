"""Whoever declines a share of a joint offer, refuses other terms or an early end, says why by a code."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T14:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Coded reasons for a no"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    "ALTER TABLE joint_share ADD COLUMN reason text REFERENCES reason ON DELETE RESTRICT ON UPDATE CASCADE",
    "ALTER TABLE joint_share ADD COLUMN reason_note text NOT NULL DEFAULT ''",
    "CREATE INDEX joint_share_reason ON joint_share (reason)",
    "ALTER TABLE contract_terms ADD COLUMN reason text REFERENCES reason ON DELETE RESTRICT ON UPDATE CASCADE",
    "CREATE INDEX contract_terms_reason ON contract_terms (reason)",
    "ALTER TABLE frame ADD COLUMN end_refused text REFERENCES reason ON DELETE RESTRICT ON UPDATE CASCADE",
    "ALTER TABLE frame ADD COLUMN end_refused_note text NOT NULL DEFAULT ''",
    "CREATE INDEX frame_end_refused ON frame (end_refused)",
)
BACKWARDS = (
    "ALTER TABLE frame DROP COLUMN end_refused_note, DROP COLUMN end_refused",
    "ALTER TABLE contract_terms DROP COLUMN reason",
    "ALTER TABLE joint_share DROP COLUMN reason_note, DROP COLUMN reason",
)


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
