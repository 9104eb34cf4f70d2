"""What the payer has written down as paid is the payee's to confirm, or to say that it did not come."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T02:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Payments that are claimed, confirmed or disputed"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    "ALTER TABLE receipt ADD COLUMN state text NOT NULL DEFAULT 'claimed'",
    "ALTER TABLE receipt ADD COLUMN answered_by bigint REFERENCES person ON DELETE RESTRICT ON UPDATE CASCADE",
    "ALTER TABLE receipt ADD COLUMN answered_at timestamptz",
    "ALTER TABLE receipt ADD COLUMN note text NOT NULL DEFAULT ''",
    "ALTER TABLE payment ADD COLUMN disputed bigint NOT NULL DEFAULT 0",
    # a payment of which nothing is due any more, and whose claims were taken back, stays for its history
    "ALTER TABLE payment DROP CONSTRAINT payment_amount_positive",
    """
    ALTER TABLE payment ADD CONSTRAINT payment_sums
    CHECK (amount >= 0 AND paid >= 0 AND disputed >= 0 AND paid + disputed <= amount)
    """,
    "ALTER TABLE payment DROP CONSTRAINT payment_state_tells_paid",
    """
    ALTER TABLE payment ADD CONSTRAINT payment_state_tells_paid CHECK (
      (state = 'paid') = (paid = amount) AND (state = 'invoiced') = (paid = 0 AND amount > 0))
    """,
    # who paid what, and when, stands; what the payee says of it moves on
    "DROP TRIGGER receipt_append_only ON receipt",
    # a contract that was completed while every receipt counted stays so: nobody is asked about it any more
    """
    UPDATE receipt SET state = 'confirmed' FROM payment, deal
    WHERE payment.id = receipt.payment AND deal.id = payment.deal AND deal.state = 'completed'
    """,
    """
    CREATE TRIGGER receipt_stands
    BEFORE DELETE OR UPDATE OF payment, amount, "on", person, created_at ON receipt
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    "CREATE INDEX receipt_answered_by ON receipt (answered_by)",
)
BACKWARDS = (
    "DROP TRIGGER receipt_stands ON receipt",
    """
    CREATE TRIGGER receipt_append_only BEFORE UPDATE OR DELETE ON receipt
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    "ALTER TABLE payment DROP CONSTRAINT payment_state_tells_paid",
    """
    ALTER TABLE payment ADD CONSTRAINT payment_state_tells_paid CHECK (
      (state = 'paid') = (paid = amount) AND (state = 'invoiced') = (paid = 0)) NOT VALID
    """,
    "ALTER TABLE payment DROP CONSTRAINT payment_sums",
    "ALTER TABLE payment ADD CONSTRAINT payment_amount_positive CHECK (amount > 0) NOT VALID",
    "ALTER TABLE payment DROP COLUMN disputed",
    "ALTER TABLE receipt DROP COLUMN note, DROP COLUMN answered_at, DROP COLUMN answered_by, DROP COLUMN state",
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
