"""A case of the worry book is about a lot: one that was never on sale has one as well, without a listing."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-12-01T10:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Cases of lots that were never on sale"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    # there already, where it was taken back once: no case forgets its lot by that
    "ALTER TABLE stuck_case DROP CONSTRAINT IF EXISTS stuck_case_with_listing",
    """
    ALTER TABLE stuck_case
      ADD COLUMN IF NOT EXISTS lot bigint REFERENCES lot ON DELETE RESTRICT ON UPDATE CASCADE
    """,
    """
    UPDATE stuck_case SET lot = listing.lot FROM listing
    WHERE listing.id = stuck_case.listing AND stuck_case.lot IS NULL
    """,
    "ALTER TABLE stuck_case ALTER COLUMN lot SET NOT NULL, ALTER COLUMN listing DROP NOT NULL",
    "CREATE INDEX stuck_case_lot ON stuck_case (lot)",
    "CREATE UNIQUE INDEX stuck_case_lot_once ON stuck_case (lot) WHERE listing IS NULL",
)
BACKWARDS = (
    "DROP INDEX stuck_case_lot_once",
    "DROP INDEX stuck_case_lot",
    # what hangs on no listing is not seen by what was before, which would never get past it if it were open
    """
    UPDATE stuck_case SET state = 'closed', closed_at = now(), reason = 'mistaken'
    WHERE listing IS NULL AND state = 'open'
    """,
    "UPDATE stuck_case SET cause = 'unlisted' WHERE cause IN ('never_listed', 'relisted')",
    "UPDATE stuck_case SET reason = 'sold_out' WHERE reason = 'moving'",
    "ALTER TABLE stuck_case ALTER COLUMN lot DROP NOT NULL",
    "ALTER TABLE stuck_case ADD CONSTRAINT stuck_case_with_listing CHECK (listing IS NOT NULL) NOT VALID",
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
