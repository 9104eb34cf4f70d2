"""What Piccolo cannot say of contracts: one open proposal, paid within due, what is only added to."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T08:13:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Guards of contract terms, payments in parts and cases of breach"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    # payments of before were paid whole or not at all
    "UPDATE payment SET paid = amount WHERE state = 'paid'",
    "ALTER TABLE payment ADD CONSTRAINT payment_paid_within CHECK (paid >= 0 AND paid <= amount)",
    """
    ALTER TABLE payment ADD CONSTRAINT payment_state_tells_paid CHECK (
      (state = 'paid') = (paid = amount) AND (state = 'invoiced') = (paid = 0))
    """,
    """
    ALTER TABLE delivery ADD CONSTRAINT delivery_loss_within
      CHECK (loss >= 0 AND credit >= 0 AND coalesce(accepted, 0) + loss <= quantity)
    """,
    "ALTER TABLE deal ADD CONSTRAINT deal_released_within CHECK (released >= 0 AND released <= quantity)",
    "CREATE UNIQUE INDEX contract_terms_one_proposed ON contract_terms (deal) WHERE state = 'proposed'",
    """
    CREATE UNIQUE INDEX breach_one_open_each ON breach (deal, claimant)
    WHERE state IN ('draft', 'filed', 'answered', 'lapsed')
    """,
    "CREATE INDEX breach_to_answer ON breach (answer_by) WHERE state = 'filed'",
    """
    CREATE TRIGGER contract_terms_stand BEFORE UPDATE OF terms, version, deal, proposer ON contract_terms
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    """
    CREATE TRIGGER receipt_append_only BEFORE UPDATE OR DELETE ON receipt
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    """
    CREATE TRIGGER breach_evidence_append_only BEFORE UPDATE OR DELETE ON breach_evidence
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    """
    CREATE TRIGGER fulfilment_reply_append_only BEFORE UPDATE OR DELETE ON fulfilment_reply
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
