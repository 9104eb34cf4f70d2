"""What Piccolo cannot say: the stock functions, guards against rewriting history, partial indexes."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-23T06:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Stock functions, append-only guards, partial indexes"


class Raw(Table):
    """Somewhere to send SQL from."""


# Literal braces are doubled: Piccolo reads single ones as places for values.
FORWARDS = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    # -- never oversold: the only code that writes lot.remaining --------------------------------
    """
    CREATE FUNCTION write_stock(p_lot bigint, p_kind text, p_change bigint, p_rest bigint,
                                p_deal bigint, p_at timestamptz) RETURNS void
    LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM set_config('tiantou.stock', 'open', true);
      UPDATE lot SET remaining = p_rest WHERE id = p_lot;
      PERFORM set_config('tiantou.stock', '', true);
      INSERT INTO stock_entry (lot, kind, change, remaining, deal, at)
      VALUES (p_lot, p_kind, p_change, p_rest, p_deal, p_at);
    END $$
    """,
    """
    CREATE FUNCTION put_in_stock(p_lot bigint, p_grams bigint, p_at timestamptz) RETURNS bigint
    LANGUAGE plpgsql AS $$
    DECLARE rest bigint;
    BEGIN
      SELECT remaining INTO STRICT rest FROM lot WHERE id = p_lot FOR UPDATE;
      PERFORM write_stock(p_lot, 'in', p_grams, rest + p_grams, NULL, p_at);
      RETURN rest + p_grams;
    END $$
    """,
    """
    CREATE FUNCTION reserve_stock(p_lot bigint, p_grams bigint, p_deal bigint, p_at timestamptz)
    RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE rest bigint;
    BEGIN
      SELECT remaining INTO STRICT rest FROM lot WHERE id = p_lot FOR UPDATE;
      IF p_grams <= 0 OR rest < p_grams THEN
        RETURN NULL;
      END IF;
      PERFORM write_stock(p_lot, 'reserved', -p_grams, rest - p_grams, p_deal, p_at);
      RETURN rest - p_grams;
    END $$
    """,
    """
    CREATE FUNCTION release_stock(p_lot bigint, p_grams bigint, p_deal bigint, p_at timestamptz)
    RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE rest bigint;
    BEGIN
      SELECT remaining INTO STRICT rest FROM lot WHERE id = p_lot FOR UPDATE;
      PERFORM write_stock(p_lot, 'released', p_grams, rest + p_grams, p_deal, p_at);
      RETURN rest + p_grams;
    END $$
    """,
    """
    CREATE FUNCTION refuse_stock_write() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF coalesce(current_setting('tiantou.stock', true), '') <> 'open' THEN
        RAISE EXCEPTION 'lot.remaining is written by the stock functions alone';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER lot_remaining_guard BEFORE UPDATE OF remaining ON lot
    FOR EACH ROW WHEN (OLD.remaining IS DISTINCT FROM NEW.remaining)
    EXECUTE FUNCTION refuse_stock_write()
    """,
    "ALTER TABLE lot ADD CONSTRAINT lot_remaining_within CHECK (remaining <= quantity)",
    "ALTER TABLE demand ADD CONSTRAINT demand_open_within CHECK (open <= quantity)",
    "ALTER TABLE match ADD CONSTRAINT match_price_band CHECK (price_low <= price AND price <= price_high)",
    # -- history is only ever added to -----------------------------------------------------------
    """
    CREATE FUNCTION refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
    END $$
    """,
    """
    CREATE TRIGGER audit_record_append_only BEFORE UPDATE OR DELETE ON audit_record
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    """
    CREATE TRIGGER stock_entry_append_only BEFORE UPDATE OR DELETE ON stock_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    # -- jobs ------------------------------------------------------------------------------------
    """
    ALTER TABLE job ADD CONSTRAINT job_state_known
      CHECK (state IN ('waiting', 'running', 'retrying', 'done', 'dead'))
    """,
    """
    ALTER TABLE job ADD CONSTRAINT job_leased_while_running
      CHECK ((state = 'running') = (leased_until IS NOT NULL))
    """,
    "ALTER TABLE job ADD CONSTRAINT job_attempts_not_negative CHECK (attempts >= 0)",
    "CREATE UNIQUE INDEX job_one_waiting_per_key ON job (kind, key) WHERE state = 'waiting'",
    "CREATE INDEX job_due ON job (run_at, id) WHERE state IN ('waiting', 'retrying')",
    "CREATE INDEX job_leases ON job (leased_until) WHERE state = 'running'",
    "CREATE INDEX job_finished ON job (finished_at) WHERE state IN ('done', 'dead')",
    # -- nobody sits at two tables, no table seats two pairs -------------------------------------
    """
    CREATE UNIQUE INDEX appointment_seller_once_a_slot ON appointment (meeting, seller, slot)
    WHERE slot IS NOT NULL AND state <> 'cancelled'
    """,
    """
    CREATE UNIQUE INDEX appointment_buyer_once_a_slot ON appointment (meeting, buyer, slot)
    WHERE slot IS NOT NULL AND state <> 'cancelled'
    """,
    """
    CREATE UNIQUE INDEX appointment_table_once_a_slot ON appointment (meeting, table_number, slot)
    WHERE slot IS NOT NULL AND state <> 'cancelled'
    """,
    # -- reads -----------------------------------------------------------------------------------
    "CREATE INDEX notice_unread ON notice (organisation, created_at DESC) WHERE read_at IS NULL",
    "CREATE INDEX listing_on_sale ON listing (published_at DESC) WHERE state = 'published'",
    "CREATE INDEX demand_wanted ON demand (created_at DESC) WHERE state = 'published'",
    "CREATE INDEX match_open ON match (listing, demand) WHERE state IN ('proposed', 'one_side_agreed', 'agreed')",
    "CREATE UNIQUE INDEX run_one_at_a_time ON run (town) WHERE state IN ('queued', 'running')",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
