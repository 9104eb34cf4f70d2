"""A list of households that another took the place of is kept, with why."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T23:20:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Lists of households that were replaced are kept"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    """
    CREATE TABLE replaced_shares (
      id bigserial PRIMARY KEY,
      lot bigint NOT NULL REFERENCES lot ON DELETE RESTRICT ON UPDATE CASCADE,
      shares jsonb NOT NULL,
      reason text NOT NULL DEFAULT '',
      person bigint REFERENCES person ON DELETE RESTRICT ON UPDATE CASCADE,
      replaced_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX replaced_shares_lot ON replaced_shares (lot)",
    "CREATE INDEX replaced_shares_person ON replaced_shares (person)",
    """
    CREATE TRIGGER replaced_shares_append_only BEFORE UPDATE OR DELETE ON replaced_shares
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
