"""Open bidding: one bid that stands, its terms never change; goods in a round are nobody else's."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T11:00:01:000000"
VERSION = "1.38.0"
DESCRIPTION = "Guards of open bidding, goods in a round, sealed bids once per round"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    "UPDATE listing SET round = 1 WHERE closes_at IS NOT NULL",
    # -- a listing may go through several rounds: once per round ---------------------------------------
    "ALTER TABLE sealed_bid DROP CONSTRAINT sealed_bid_once",
    "ALTER TABLE sealed_bid ADD CONSTRAINT sealed_bid_once"
    " UNIQUE NULLS NOT DISTINCT (listing, round, buyer, withdrawn_at)",
    "CREATE UNIQUE INDEX open_bid_stands_once ON open_bid (listing, round, buyer) WHERE state = 'standing'",
    """
    CREATE TRIGGER open_bid_terms_stand BEFORE UPDATE OF listing, round, paddle, demand, buyer, quantity,
      least, price, deliver_from, deliver_to, note ON open_bid
    FOR EACH ROW WHEN ((OLD.listing, OLD.round, OLD.paddle, OLD.demand, OLD.buyer, OLD.quantity, OLD.least,
        OLD.price, OLD.deliver_from, OLD.deliver_to, OLD.note)
      IS DISTINCT FROM (NEW.listing, NEW.round, NEW.paddle, NEW.demand, NEW.buyer, NEW.quantity, NEW.least,
        NEW.price, NEW.deliver_from, NEW.deliver_to, NEW.note))
    EXECUTE FUNCTION refuse_rewrite()
    """,
    # -- while a round lasts, the goods are its bidders' alone -------------------------------------------
    "DROP FUNCTION hold_goods(bigint[], bigint[])",
    """
    CREATE FUNCTION hold_goods(p_listings bigint[], p_demands bigint[])
    RETURNS TABLE (n bigint, deal bigint, lot bigint, owner bigint, title text, state text, remaining bigint,
                   open bigint, in_round boolean)
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
                    WHEN demand.state = 'published' THEN demand.open ELSE 0 END,
               listing.way IN ('sealed', 'open') AND listing.opened_at IS NULL
        FROM unnest(p_listings, p_demands) WITH ORDINALITY AS asked (listing, demand, n)
        LEFT JOIN listing ON listing.id = asked.listing AND listing.state <> 'draft'
        LEFT JOIN lot ON lot.id = listing.lot
        LEFT JOIN demand ON demand.id = asked.demand
        ORDER BY asked.n;
    END $$
    """,
    # -- a fixed price is the price, whatever the engine reckons: hao and fen per kg ---------------------
    """
    CREATE FUNCTION offered_price(p_hao bigint, p_way text, p_ask bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN p_way = 'fixed' THEN least(p_hao, p_ask * 100) ELSE p_hao END $$
    """,
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
