"""Contracts that end without a breach: by the consent of both sides, or by a notice of force majeure."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T16:40:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Contracts end by agreement or force majeure"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    """
    CREATE TABLE contract_ending (
      id bigserial PRIMARY KEY,
      deal bigint NOT NULL REFERENCES deal ON DELETE RESTRICT ON UPDATE CASCADE,
      kind text NOT NULL,
      state text NOT NULL,
      proposer bigint NOT NULL REFERENCES organisation ON DELETE RESTRICT ON UPDATE CASCADE,
      person bigint REFERENCES person ON DELETE RESTRICT ON UPDATE CASCADE,
      reason text REFERENCES reason ON DELETE RESTRICT ON UPDATE CASCADE,
      event text,
      happened_on date,
      words text NOT NULL,
      deposit text,
      created_at timestamptz NOT NULL,
      refused text REFERENCES reason ON DELETE RESTRICT ON UPDATE CASCADE,
      refused_note text NOT NULL DEFAULT '',
      answered_at timestamptz,
      answered_by bigint REFERENCES person ON DELETE RESTRICT ON UPDATE CASCADE,
      CONSTRAINT contract_ending_says_why CHECK (
        (kind = 'agreement') = (reason IS NOT NULL)
        AND (kind = 'force_majeure') = (event IS NOT NULL AND happened_on IS NOT NULL)
        AND (kind = 'agreement' OR deposit IS NULL))
    )
    """,
    "CREATE INDEX contract_ending_deal ON contract_ending (deal)",
    "CREATE INDEX contract_ending_proposer ON contract_ending (proposer)",
    "CREATE INDEX contract_ending_person ON contract_ending (person)",
    "CREATE INDEX contract_ending_reason ON contract_ending (reason)",
    "CREATE INDEX contract_ending_refused ON contract_ending (refused)",
    "CREATE INDEX contract_ending_answered_by ON contract_ending (answered_by)",
    "CREATE UNIQUE INDEX contract_ending_one_proposed ON contract_ending (deal) WHERE state = 'proposed'",
    # what one side has written is what the other has agreed to
    """
    CREATE TRIGGER contract_ending_stands BEFORE UPDATE OF deal, kind, proposer, person, reason, event,
      happened_on, words, deposit, created_at
    ON contract_ending FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    """
    CREATE TRIGGER contract_ending_stays BEFORE DELETE ON contract_ending
    FOR EACH ROW WHEN (OLD.id IS NOT NULL) EXECUTE FUNCTION refuse_rewrite()
    """,
    """
    CREATE TABLE ending_proof (
      id bigserial PRIMARY KEY,
      ending bigint NOT NULL REFERENCES contract_ending ON DELETE RESTRICT ON UPDATE CASCADE,
      organisation bigint NOT NULL REFERENCES organisation ON DELETE RESTRICT ON UPDATE CASCADE,
      person bigint REFERENCES person ON DELETE RESTRICT ON UPDATE CASCADE,
      words text NOT NULL,
      content_hash text NOT NULL DEFAULT '',
      image bytea,
      created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX ending_proof_ending ON ending_proof (ending)",
    "CREATE INDEX ending_proof_organisation ON ending_proof (organisation)",
    "CREATE INDEX ending_proof_person ON ending_proof (person)",
    """
    CREATE TRIGGER ending_proof_append_only BEFORE UPDATE OR DELETE ON ending_proof
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    "ALTER TABLE deal ADD COLUMN ended_how text",
    "UPDATE deal SET ended_how = 'breach' WHERE state = 'terminated'",
)
BACKWARDS = (
    "ALTER TABLE deal DROP COLUMN ended_how",
    "DROP TABLE ending_proof",
    "DROP TABLE contract_ending",
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
