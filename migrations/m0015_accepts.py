"""Many accepts in one commit: stock in array form, locks taken in order, the ledger's deal checked at the end."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T08:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Stock in array form, bids and goods held in order"


class Raw(Table):
    """Somewhere to send SQL from."""


# Literal braces are doubled: Piccolo reads single ones as places for values.
FORWARDS = (
    # stock is reserved before it is known which deals come about; both are there when it commits
    "ALTER TABLE stock_entry ALTER CONSTRAINT stock_entry_deal_fkey DEFERRABLE INITIALLY DEFERRED",
    # -- never oversold: lots in the order of their numbers, wishes for a lot in the order given -------
    """
    CREATE FUNCTION reserve_stocks(p_lots bigint[], p_grams bigint[], p_deals bigint[], p_at timestamptz[])
    RETURNS bigint[] LANGUAGE plpgsql AS $$
    DECLARE
      rests bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(p_lots)]);
      lots bigint[] := '{{}}';
      lefts bigint[] := '{{}}';
      last int := 0;
      rest bigint;
      wish record;
    BEGIN
      PERFORM FROM lot WHERE id = ANY(p_lots) ORDER BY id FOR NO KEY UPDATE;
      FOR wish IN
        SELECT asked.n, asked.id, asked.grams, lot.remaining
        FROM unnest(p_lots, p_grams) WITH ORDINALITY AS asked (id, grams, n)
        LEFT JOIN lot ON lot.id = asked.id ORDER BY asked.id, asked.n
      LOOP
        IF wish.remaining IS NULL THEN
          RAISE no_data_found USING MESSAGE = format('there is no lot %s', wish.id);
        END IF;
        IF last = 0 OR lots[last] <> wish.id THEN
          last := last + 1;
          lots[last] := wish.id;
          rest := wish.remaining;
        END IF;
        IF wish.grams > 0 AND wish.grams <= rest THEN
          rest := rest - wish.grams;
          rests[wish.n] := rest;
        END IF;
        lefts[last] := rest;
      END LOOP;
      PERFORM set_config('tiantou.stock', 'open', true);
      UPDATE lot SET remaining = kept.rest FROM unnest(lots, lefts) AS kept (id, rest)
      WHERE lot.id = kept.id AND lot.remaining <> kept.rest;
      PERFORM set_config('tiantou.stock', '', true);
      INSERT INTO stock_entry (lot, kind, change, remaining, deal, at)
      SELECT asked.lot, 'reserved', -asked.grams, asked.rest, asked.deal, asked.at
      FROM unnest(p_lots, p_grams, rests, p_deals, p_at) WITH ORDINALITY
        AS asked (lot, grams, rest, deal, at, n)
      WHERE asked.rest IS NOT NULL ORDER BY asked.n;
      RETURN rests;
    END $$
    """,
    """
    CREATE OR REPLACE FUNCTION reserve_stock(p_lot bigint, p_grams bigint, p_deal bigint, p_at timestamptz)
    RETURNS bigint LANGUAGE sql AS $$
      SELECT (reserve_stocks(ARRAY[p_lot], ARRAY[p_grams], ARRAY[p_deal], ARRAY[p_at]))[1]
    $$
    """,
    # -- everybody locks in this order: bids, lots, listings, demands; each by its number ---------------
    """
    CREATE FUNCTION hold_goods(p_listings bigint[], p_demands bigint[])
    RETURNS TABLE (n bigint, deal bigint, lot bigint, owner bigint, title text, state text, remaining bigint,
                   open bigint)
    LANGUAGE plpgsql AS $$
    #variable_conflict use_column
    BEGIN
      PERFORM FROM lot WHERE id IN (SELECT lot FROM listing WHERE id = ANY(p_listings))
      ORDER BY id FOR NO KEY UPDATE;
      PERFORM FROM listing WHERE id = ANY(p_listings) ORDER BY id FOR NO KEY UPDATE;
      PERFORM FROM demand WHERE id = ANY(p_demands) ORDER BY id FOR NO KEY UPDATE;
      RETURN QUERY
        SELECT asked.n, nextval(pg_get_serial_sequence('deal', 'id')), lot.id, listing.owner, listing.title,
               listing.state, lot.remaining,
               CASE WHEN asked.demand IS NULL THEN NULL
                    WHEN demand.state = 'published' THEN demand.open ELSE 0 END
        FROM unnest(p_listings, p_demands) WITH ORDINALITY AS asked (listing, demand, n)
        LEFT JOIN listing ON listing.id = asked.listing AND listing.state <> 'draft'
        LEFT JOIN lot ON lot.id = listing.lot
        LEFT JOIN demand ON demand.id = asked.demand
        ORDER BY asked.n;
    END $$
    """,
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
