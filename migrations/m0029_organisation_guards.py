"""What stays as it was filed, and what may stand open only once: kept in SQL."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T11:18:01:000000"
VERSION = "1.38.0"
DESCRIPTION = "Guards of verification, delegation and approvals"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    """
    ALTER TABLE organisation ADD CONSTRAINT organisation_standing_known
      CHECK (standing IN ('unverified', 'filed', 'verified', 'refused', 'expired', 'suspended'))
    """,
    """
    ALTER TABLE organisation ADD CONSTRAINT organisation_verified_until
      CHECK (standing <> 'verified' OR verified_until IS NOT NULL)
    """,
    # -- evidence: filed once, decided once, never rewritten ---------------------------------------------
    "CREATE UNIQUE INDEX verification_one_open ON verification (organisation) WHERE outcome IS NULL",
    """
    ALTER TABLE verification ADD CONSTRAINT verification_decided_whole
      CHECK ((outcome IS NULL) = (decided_at IS NULL)
             AND (outcome IS DISTINCT FROM 'verified' OR valid_until IS NOT NULL)
             AND (outcome IS DISTINCT FROM 'refused' OR reason IS NOT NULL))
    """,
    """
    CREATE TRIGGER verification_decided_once BEFORE UPDATE ON verification
    FOR EACH ROW WHEN (OLD.outcome IS NOT NULL) EXECUTE FUNCTION refuse_rewrite()
    """,
    """
    CREATE TRIGGER verification_paper_kept BEFORE UPDATE ON verification_paper
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    # -- acting for others ---------------------------------------------------------------------------------
    """
    CREATE UNIQUE INDEX delegation_one_open ON delegation (principal, agent) WHERE revoked_at IS NULL
    """,
    """
    ALTER TABLE delegation ADD CONSTRAINT delegation_paper
      CHECK (consent IN ('online', 'paper') AND (consent = 'online' OR sheet IS NOT NULL))
    """,
    "ALTER TABLE delegation ADD CONSTRAINT delegation_names_deeds CHECK (cardinality(deeds) > 0)",
    # -- approvals: one at a time for the same deed -------------------------------------------------------
    """
    CREATE UNIQUE INDEX approval_one_waiting ON approval (organisation, deed, subject)
    WHERE state = 'waiting' AND deed NOT IN ('place_bid', 'seal_bid')
    """,
    """
    ALTER TABLE approval ADD CONSTRAINT approval_decided
      CHECK (state NOT IN ('approved', 'refused') OR (decided_by IS NOT NULL AND decided_by <> asked_by))
    """,
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
