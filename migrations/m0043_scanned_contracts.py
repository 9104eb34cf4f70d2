"""Contracts signed on paper: scans of them, with what each side says to them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T01:43:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Scans of contracts that were signed on paper"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    """
    CREATE TABLE contract_scan (
      id bigserial PRIMARY KEY,
      deal bigint NOT NULL REFERENCES deal ON DELETE RESTRICT ON UPDATE CASCADE,
      organisation bigint NOT NULL REFERENCES organisation ON DELETE RESTRICT ON UPDATE CASCADE,
      person bigint REFERENCES person ON DELETE RESTRICT ON UPDATE CASCADE,
      version bigint NOT NULL,
      mark text NOT NULL DEFAULT '',
      state text NOT NULL,
      signs boolean NOT NULL DEFAULT false,
      reason text,
      note text NOT NULL DEFAULT '',
      created_at timestamptz NOT NULL,
      presented_at timestamptz,
      answered_at timestamptz,
      answered_by bigint REFERENCES person ON DELETE RESTRICT ON UPDATE CASCADE,
      CONSTRAINT contract_scan_says_why CHECK ((state IN ('refused', 'disputed')) = (reason IS NOT NULL))
    )
    """,
    "CREATE INDEX contract_scan_deal ON contract_scan (deal)",
    "CREATE INDEX contract_scan_organisation ON contract_scan (organisation)",
    "CREATE INDEX contract_scan_person ON contract_scan (person)",
    "CREATE INDEX contract_scan_answered_by ON contract_scan (answered_by)",
    # the other side answers one paper, not several
    """
    CREATE UNIQUE INDEX contract_scan_one_in_force ON contract_scan (deal)
    WHERE state IN ('waiting', 'confirmed')
    """,
    """
    CREATE TRIGGER contract_scan_stands BEFORE UPDATE OF deal, organisation, person, version, mark, created_at
    ON contract_scan FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    """
    CREATE TABLE contract_scan_file (
      id bigserial PRIMARY KEY,
      scan bigint NOT NULL REFERENCES contract_scan ON DELETE RESTRICT ON UPDATE CASCADE,
      name text NOT NULL,
      media_type text NOT NULL,
      content bytea,
      size bigint NOT NULL,
      content_hash text NOT NULL,
      sent_hash text NOT NULL
    )
    """,
    "CREATE INDEX contract_scan_file_scan ON contract_scan_file (scan)",
    # evidence is not changed: its content may go after its period, and nothing else
    """
    CREATE TRIGGER contract_scan_file_stands BEFORE UPDATE OF scan, name, media_type, size, content_hash, sent_hash
    ON contract_scan_file FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    """
    CREATE TRIGGER contract_scan_file_only_goes BEFORE UPDATE ON contract_scan_file
    FOR EACH ROW WHEN (NEW.content IS NOT NULL) EXECUTE FUNCTION refuse_rewrite()
    """,
    # with a condition, because the table is not append-only as a whole
    """
    CREATE TRIGGER contract_scan_file_stays BEFORE DELETE ON contract_scan_file
    FOR EACH ROW WHEN (OLD.id IS NOT NULL) EXECUTE FUNCTION refuse_rewrite()
    """,
)
BACKWARDS = ("DROP TABLE contract_scan_file", "DROP TABLE contract_scan")


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    async def run_back() -> None:
        for statement in BACKWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    manager.add_raw_backwards(run_back)
    return manager
