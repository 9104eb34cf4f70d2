"""What every accept writes stays lean: no index that nobody reads by, no look-up of what cannot be gone."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T11:40:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Fewer indexes and foreign keys on what an accept writes"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    # Written by the deed itself, which has just read or locked what it names, and named things are never
    # deleted: each look-up costs about as much as the row (docs/adr/0013).
    "ALTER TABLE audit_record DROP CONSTRAINT audit_record_person_fkey",
    "ALTER TABLE audit_record DROP CONSTRAINT audit_record_organisation_fkey",
    "ALTER TABLE notice DROP CONSTRAINT notice_organisation_fkey",
    "ALTER TABLE replay DROP CONSTRAINT replay_actor_fkey",
    "ALTER TABLE stock_entry DROP CONSTRAINT stock_entry_lot_fkey",
    # covered by the unique index that begins with the same column
    "DROP INDEX replay_actor",
    # who signed, who gave the reason: nobody asks by these
    "DROP INDEX deal_seller_signed_by",
    "DROP INDEX deal_buyer_signed_by",
    "DROP INDEX bid_reason",
    "DROP INDEX bid_created_by",
    # a deal says which bid it came from
    "DROP INDEX bid_deal",
    # most rows have none
    "DROP INDEX deal_demand",
    "CREATE INDEX deal_demand ON deal (demand) WHERE demand IS NOT NULL",
    "DROP INDEX bid_demand",
    "CREATE INDEX bid_demand ON bid (demand) WHERE demand IS NOT NULL",
    "DROP INDEX stock_entry_storage",
    "CREATE INDEX stock_entry_storage ON stock_entry (storage) WHERE storage IS NOT NULL",
    "DROP INDEX stock_entry_person",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
