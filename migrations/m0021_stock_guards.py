"""Stock in places with a capacity, corrections, goods made into others, money divided: kept in SQL."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T09:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Places of stock, corrections, transformations, settlements"


class Raw(Table):
    """Somewhere to send SQL from."""


# Locks are taken in this order: lots, storages, each by its number. A function locks its lots and storages
# before it looks at what they hold, and tells what is in the way: 'short' (less of the lot is free),
# 'elsewhere' (less of it stands there), 'full' (the place takes no more), 'sent' (the contract has had it
# all), 'unsent' (the contract has not had so much); '' when it is done. They change sums that their caller
# may not change.
FORWARDS = (
    # -- one line of the ledger, with everything that it changes --------------------------------------
    """
    CREATE FUNCTION write_stock_line(p_lot bigint, p_kind text, p_change bigint, p_moved bigint,
                                     p_storage bigint, p_deal bigint, p_reason text, p_note text, p_person bigint,
                                     p_at timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE rest bigint;
    BEGIN
      PERFORM set_config('tiantou.stock', 'open', true);
      -- what comes in or is gone for good changes what there is to sell; a reservation does not
      UPDATE lot SET remaining = remaining + p_change, quantity = quantity + p_change
      WHERE id = p_lot RETURNING remaining INTO STRICT rest;
      IF p_storage IS NOT NULL THEN
        UPDATE storage SET held = held + p_moved WHERE id = p_storage;
        UPDATE holding SET grams = grams + p_moved WHERE lot = p_lot AND storage = p_storage;
        IF NOT FOUND THEN
          INSERT INTO holding (lot, storage, grams) VALUES (p_lot, p_storage, p_moved);
        END IF;
      END IF;
      PERFORM set_config('tiantou.stock', '', true);
      INSERT INTO stock_entry (lot, kind, change, remaining, deal, at, moved, storage, reason, note, person)
      VALUES (p_lot, p_kind, p_change, rest, p_deal, p_at, p_moved, p_storage, p_reason, p_note, p_person);
    END $$
    """,
    """
    CREATE FUNCTION stock_in_place(p_lot bigint, p_storage bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
      -- in no place: all there is, less what was sent out and what stands somewhere
      SELECT CASE WHEN p_storage IS NULL
        THEN quantity
          + coalesce((SELECT sum(moved) FROM stock_entry
                      WHERE lot = p_lot AND kind IN ('out', 'returned')), 0)::bigint
          - coalesce((SELECT sum(grams) FROM holding WHERE lot = p_lot), 0)::bigint
        ELSE coalesce((SELECT grams FROM holding WHERE lot = p_lot AND storage = p_storage), 0) END
      FROM lot WHERE id = p_lot
    $$
    """,
    """
    CREATE FUNCTION room_in(p_storage bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
      SELECT CASE WHEN closed_at IS NULL THEN capacity - held ELSE 0 END FROM storage WHERE id = p_storage
    $$
    """,
    # -- corrections: what was found, what was lost ------------------------------------------------------
    """
    CREATE FUNCTION correct_stock(p_lot bigint, p_grams bigint, p_storage bigint, p_reason text, p_note text,
                                  p_person bigint, p_at timestamptz) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
      PERFORM FROM lot WHERE id = p_lot FOR NO KEY UPDATE;
      PERFORM FROM storage WHERE id = p_storage FOR NO KEY UPDATE;
      IF p_grams < 0 THEN
        IF (SELECT remaining FROM lot WHERE id = p_lot) < -p_grams THEN
          RETURN 'short';
        ELSIF stock_in_place(p_lot, p_storage) < -p_grams THEN
          RETURN 'elsewhere';
        END IF;
      ELSIF room_in(p_storage) < p_grams THEN
        RETURN 'full';
      END IF;
      PERFORM write_stock_line(p_lot, CASE WHEN p_grams < 0 THEN 'lost' ELSE 'in' END, p_grams, p_grams,
                               p_storage, NULL, p_reason, p_note, p_person, p_at);
      RETURN '';
    END $$
    """,
    # -- from place to place ------------------------------------------------------------------------------
    """
    CREATE FUNCTION move_stock(p_lot bigint, p_grams bigint, p_from bigint, p_to bigint, p_person bigint,
                               p_at timestamptz) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
      PERFORM FROM lot WHERE id = p_lot FOR NO KEY UPDATE;
      PERFORM FROM storage WHERE id IN (p_from, p_to) ORDER BY id FOR NO KEY UPDATE;
      IF stock_in_place(p_lot, p_from) < p_grams THEN
        RETURN 'elsewhere';
      ELSIF room_in(p_to) < p_grams THEN
        RETURN 'full';
      END IF;
      IF p_from IS NOT NULL THEN
        PERFORM write_stock_line(p_lot, 'moved', 0, -p_grams, p_from, NULL, '', '', p_person, p_at);
      END IF;
      IF p_to IS NOT NULL THEN
        PERFORM write_stock_line(p_lot, 'moved', 0, p_grams, p_to, NULL, '', '', p_person, p_at);
      END IF;
      RETURN '';
    END $$
    """,
    # -- out of the gate: what a contract has reserved ----------------------------------------------------
    """
    CREATE FUNCTION send_stock(p_lot bigint, p_grams bigint, p_storage bigint, p_deal bigint, p_person bigint,
                               p_at timestamptz) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
      PERFORM FROM lot WHERE id = p_lot FOR NO KEY UPDATE;
      PERFORM FROM storage WHERE id = p_storage FOR NO KEY UPDATE;
      IF p_grams > (SELECT quantity FROM deal WHERE id = p_deal)
         + coalesce((SELECT sum(moved) FROM stock_entry
                     WHERE lot = p_lot AND deal = p_deal AND kind IN ('out', 'returned')), 0) THEN
        RETURN 'sent';
      ELSIF stock_in_place(p_lot, p_storage) < p_grams THEN
        RETURN 'elsewhere';
      END IF;
      PERFORM write_stock_line(p_lot, 'out', 0, -p_grams, p_storage, p_deal, '', '', p_person, p_at);
      RETURN '';
    END $$
    """,
    # -- and back: it stands here again; whether it is for sale again is the contract's to say -------------
    """
    CREATE FUNCTION take_back_stock(p_lot bigint, p_grams bigint, p_storage bigint, p_deal bigint,
                                    p_person bigint, p_at timestamptz) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
      PERFORM FROM lot WHERE id = p_lot FOR NO KEY UPDATE;
      PERFORM FROM storage WHERE id = p_storage FOR NO KEY UPDATE;
      IF p_grams > -coalesce((SELECT sum(moved) FROM stock_entry
                              WHERE lot = p_lot AND deal = p_deal AND kind IN ('out', 'returned')), 0) THEN
        RETURN 'unsent';
      ELSIF room_in(p_storage) < p_grams THEN
        RETURN 'full';
      END IF;
      PERFORM write_stock_line(p_lot, 'returned', 0, p_grams, p_storage, p_deal, '', '', p_person, p_at);
      RETURN '';
    END $$
    """,
    # -- goods made into others: what goes in is what comes out and what is lost --------------------------
    """
    CREATE FUNCTION transform_stock(p_transformation bigint, p_storage bigint, p_lots bigint[],
                                    p_grams bigint[], p_storages bigint[]) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
      made transformation;
      part record;
    BEGIN
      SELECT * INTO STRICT made FROM transformation WHERE id = p_transformation;
      IF made.grams <> made.loss + coalesce((SELECT sum(grams) FROM unnest(p_grams) AS each (grams)), 0) THEN
        RAISE EXCEPTION 'transformation %: what goes in is not what comes out', p_transformation;
      END IF;
      PERFORM FROM lot WHERE id = made.source OR id = ANY(p_lots) ORDER BY id FOR NO KEY UPDATE;
      PERFORM FROM storage WHERE id = p_storage OR id = ANY(p_storages) ORDER BY id FOR NO KEY UPDATE;
      IF (SELECT remaining FROM lot WHERE id = made.source) < made.grams THEN
        RETURN 'short';
      ELSIF stock_in_place(made.source, p_storage) < made.grams THEN
        RETURN 'elsewhere';
      END IF;
      PERFORM write_stock_line(made.source, 'transformed', made.loss - made.grams, made.loss - made.grams,
                               p_storage, NULL, made.process, '', made.person, made.at);
      IF made.loss > 0 THEN
        PERFORM write_stock_line(made.source, 'lost', -made.loss, -made.loss, p_storage, NULL, 'process', '',
                                 made.person, made.at);
      END IF;
      FOR part IN SELECT * FROM unnest(p_lots, p_grams, p_storages) AS each (lot, grams, storage) LOOP
        IF room_in(part.storage) < part.grams THEN
          RETURN 'full';
        END IF;
        PERFORM write_stock_line(part.lot, 'transformed', part.grams, part.grams, part.storage, NULL,
                                 made.process, '', made.person, made.at);
      END LOOP;
      RETURN '';
    END $$
    """,
    # -- nobody else writes what the ledger adds up to ----------------------------------------------------
    """
    CREATE FUNCTION refuse_stock_sum() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF coalesce(current_setting('tiantou.stock', true), '') <> 'open' THEN
        RAISE EXCEPTION '% is written by the stock functions alone', TG_TABLE_NAME;
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER lot_quantity_guard BEFORE UPDATE OF quantity ON lot
    FOR EACH ROW WHEN (OLD.quantity IS DISTINCT FROM NEW.quantity) EXECUTE FUNCTION refuse_stock_sum()
    """,
    """
    CREATE TRIGGER storage_held_guard BEFORE UPDATE OF held ON storage
    FOR EACH ROW WHEN (OLD.held IS DISTINCT FROM NEW.held) EXECUTE FUNCTION refuse_stock_sum()
    """,
    """
    CREATE TRIGGER holding_guard BEFORE INSERT OR UPDATE ON holding
    FOR EACH ROW EXECUTE FUNCTION refuse_stock_sum()
    """,
    # -- money divided: to the fen ------------------------------------------------------------------------
    """
    CREATE FUNCTION refuse_uneven_settlement() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.amount <> (SELECT coalesce(sum(amount), 0) FROM settlement_line WHERE settlement = NEW.id) THEN
        RAISE EXCEPTION 'settlement %: the parts do not add up to the whole', NEW.id;
      END IF;
      RETURN NULL;
    END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER settlement_adds_up AFTER INSERT OR UPDATE OF amount ON settlement
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_uneven_settlement()
    """,
    """
    CREATE TRIGGER settlement_line_append_only BEFORE UPDATE OR DELETE ON settlement_line
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    "CREATE INDEX stock_entry_sent ON stock_entry (lot, deal) WHERE kind IN ('out', 'returned')",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
