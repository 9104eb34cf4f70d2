"""One open invitation for a place; states that there are."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T11:16:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Getting in: one open invitation for a place, states"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    """
    CREATE UNIQUE INDEX account_invitation_open ON account_invitation (organisation, phone, role)
    WHERE state = 'open'
    """,
    """
    ALTER TABLE account_invitation ADD CONSTRAINT account_invitation_state
    CHECK (state IN ('open', 'accepted', 'revoked') AND (state = 'accepted') = (person IS NOT NULL))
    """,
    """
    ALTER TABLE recovery ADD CONSTRAINT recovery_state
    CHECK (state IN ('asked', 'granted', 'refused', 'used')
           AND (state NOT IN ('granted', 'used') OR (person IS NOT NULL AND granted_by IS NOT NULL)))
    """,
    "ALTER TABLE session ADD CONSTRAINT session_awaits CHECK (awaits IN ('', 'code'))",
    "ALTER TABLE backup_code ADD CONSTRAINT backup_code_position CHECK (position BETWEEN 0 AND 9)",
    "CREATE INDEX recovery_waiting ON recovery (asked_at) WHERE state IN ('asked', 'granted')",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
