"""One joint offer of a seller on a demand; indexes that are read by."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T17:45:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "One joint offer at a time, indexes of looks and signatures"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    "CREATE UNIQUE INDEX joint_offer_open_once ON joint_offer (demand, lead)"
    " WHERE state IN ('gathering', 'submitted', 'needs_reconfirm')",
    # people see who looked at their number: a handful among all records
    "CREATE INDEX audit_record_looks ON audit_record (id) WHERE action = 'look_up'",
    # asked where somebody looks at their own data; what is just made is signed by nobody
    "CREATE INDEX deal_seller_signed_by ON deal (seller_signed_by) WHERE seller_signed_by IS NOT NULL",
    "CREATE INDEX deal_buyer_signed_by ON deal (buyer_signed_by) WHERE buyer_signed_by IS NOT NULL",
    # a copy that failed is asked for again
    "ALTER TABLE data_export DROP COLUMN trouble",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
