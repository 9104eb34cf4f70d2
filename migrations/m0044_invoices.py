"""Invoices as things of their own, and payments whose day follows from them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T01:44:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Invoices, and payments that count from them"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    """
    CREATE TABLE invoice (
      id bigserial PRIMARY KEY,
      deal bigint NOT NULL REFERENCES deal ON DELETE RESTRICT ON UPDATE CASCADE,
      issuer bigint NOT NULL REFERENCES organisation ON DELETE RESTRICT ON UPDATE CASCADE,
      person bigint REFERENCES person ON DELETE RESTRICT ON UPDATE CASCADE,
      kind text NOT NULL,
      code text NOT NULL DEFAULT '',
      number text NOT NULL,
      issued_on date NOT NULL,
      amount bigint NOT NULL,
      tax bigint,
      state text NOT NULL,
      reverses bigint REFERENCES invoice ON DELETE RESTRICT ON UPDATE CASCADE,
      reason text,
      note text NOT NULL DEFAULT '',
      file_name text NOT NULL DEFAULT '',
      media_type text NOT NULL DEFAULT '',
      content bytea,
      content_hash text NOT NULL DEFAULT '',
      created_at timestamptz NOT NULL,
      moved_at timestamptz,
      moved_by bigint REFERENCES person ON DELETE RESTRICT ON UPDATE CASCADE,
      CONSTRAINT invoice_red_takes CHECK ((state = 'red') = (reverses IS NOT NULL)
                                          AND (state = 'red') = (amount < 0) AND amount <> 0)
    )
    """,
    "CREATE INDEX invoice_deal ON invoice (deal)",
    "CREATE INDEX invoice_person ON invoice (person)",
    "CREATE INDEX invoice_reverses ON invoice (reverses)",
    "CREATE INDEX invoice_moved_by ON invoice (moved_by)",
    # never the same number twice from one issuer; one that was written down by mistake was never there
    """
    CREATE UNIQUE INDEX invoice_number_once ON invoice (issuer, code, number) WHERE state <> 'withdrawn'
    """,
    """
    CREATE TRIGGER invoice_stands BEFORE UPDATE OF deal, issuer, person, kind, code, number, issued_on, amount,
      tax, reverses, file_name, media_type, content_hash, created_at
    ON invoice FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    # the file goes after its period, and is never another one
    """
    CREATE TRIGGER invoice_file_only_goes BEFORE UPDATE OF content ON invoice
    FOR EACH ROW WHEN (NEW.content IS NOT NULL) EXECUTE FUNCTION refuse_rewrite()
    """,
    # with a condition, because the table is not append-only as a whole
    """
    CREATE TRIGGER invoice_stays BEFORE DELETE ON invoice
    FOR EACH ROW WHEN (OLD.id IS NOT NULL) EXECUTE FUNCTION refuse_rewrite()
    """,
    """
    CREATE TABLE invoice_delivery (
      id bigserial PRIMARY KEY,
      invoice bigint NOT NULL REFERENCES invoice ON DELETE RESTRICT ON UPDATE CASCADE,
      delivery bigint NOT NULL REFERENCES delivery ON DELETE RESTRICT ON UPDATE CASCADE,
      CONSTRAINT invoice_delivery_once UNIQUE (invoice, delivery)
    )
    """,
    "CREATE INDEX invoice_delivery_invoice ON invoice_delivery (invoice)",
    "CREATE INDEX invoice_delivery_delivery ON invoice_delivery (delivery)",
    """
    CREATE TRIGGER invoice_delivery_append_only BEFORE UPDATE OR DELETE ON invoice_delivery
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    # Fen that stand: invoices that nobody has sent back or taken back, less what red-letter ones took of them.
    """
    CREATE VIEW invoice_standing AS
    SELECT whole.deal, sum(whole.amount + coalesce(red.fen, 0))::bigint AS fen
    FROM invoice whole
    LEFT JOIN LATERAL (SELECT sum(amount) AS fen FROM invoice WHERE reverses = whole.id) red ON true
    WHERE whole.state IN ('recorded', 'reversed') GROUP BY whole.deal
    """,
    "ALTER TABLE payment ADD COLUMN invoice_days bigint",
    "ALTER TABLE payment ADD COLUMN due_latest date",
    """
    ALTER TABLE payment ADD CONSTRAINT payment_latest_with_invoice
      CHECK ((invoice_days IS NULL) = (due_latest IS NULL))
    """,
)
BACKWARDS = (
    "ALTER TABLE payment DROP COLUMN invoice_days, DROP COLUMN due_latest",
    "DROP VIEW invoice_standing",
    "DROP TABLE invoice_delivery",
    "DROP TABLE invoice",
)


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
