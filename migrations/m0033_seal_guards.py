"""Seals and consents are only ever added to."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T11:20:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "The seals over the record and the consents are append-only"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    *(
        f"""
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
        FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
        """
        for table in ("audit_seal", "audit_seal_head", "consent_act")
    ),
    "ALTER TABLE phone_change ADD CONSTRAINT phone_change_state_known"
    " CHECK (state IN ('asked', 'confirmed', 'refused', 'withdrawn'))",
    # a number that has been decided on is needed no more
    "ALTER TABLE phone_change ADD CONSTRAINT phone_change_forgotten CHECK (state = 'asked' OR phone = '')",
    "CREATE UNIQUE INDEX phone_change_one_asked ON phone_change (person) WHERE state = 'asked'",
    "CREATE UNIQUE INDEX kept_name_once ON kept_name (person)",
    # the auditor's page asks by time, the newest first
    "CREATE INDEX audit_record_at ON audit_record (at DESC, id DESC)",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
