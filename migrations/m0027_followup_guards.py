"""What a contract comes to now, counted in one place; what was seen, had or read is only ever added to."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T12:27:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "What a contract comes to now; what was seen is only added to"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    # -- what a contract comes to now ----------------------------------------------------------------------
    # A gram stands in one of three: under the contract still or taken (grams), back on sale because the
    # contract was terminated (ended_grams), or never needed (cancelled, or short within the tolerance).
    # price: fen per kg that the terms in force settle at. fen: goods taken as they were invoiced, and what is
    # to come at the price of now; what was lost on the way is not paid for. ended_fen: what the ended grams
    # would have come to, so that fen and ended_fen add up to the whole. taken, lost, under_way: grams of
    # deliveries. invoiced: fen of what was taken. paid: fen.
    """
    CREATE VIEW deal_standing AS
    SELECT deal.id AS deal, priced.price, kept.grams, sent.taken, sent.lost, sent.under_way,
           (sent.credit + money.goods)::bigint AS invoiced, money.paid,
           (CASE WHEN kept.grams = 0 THEN 0
                 ELSE sent.credit + money.goods + ((kept.grams - sent.lost) * priced.price + 500) / 1000
                      - (sent.taken * priced.price + 500) / 1000 END)::bigint AS fen,
           (CASE WHEN deal.state = 'terminated' THEN deal.released ELSE 0 END)::bigint AS ended_grams,
           (CASE WHEN deal.state = 'terminated'
                 THEN ((deal.quantity - sent.lost) * priced.price + 500) / 1000
                      - ((kept.grams - sent.lost) * priced.price + 500) / 1000 ELSE 0 END)::bigint AS ended_fen
    FROM deal
    CROSS JOIN LATERAL (
      SELECT CASE WHEN deal.state = 'cancelled' THEN 0 ELSE deal.quantity - deal.released END AS grams) kept
    CROSS JOIN LATERAL (
      SELECT coalesce((
        SELECT greatest(coalesce((contract_terms.terms->>'settled')::bigint, deal.price),
                        coalesce((contract_terms.terms->>'floor')::bigint, 0))
        FROM contract_terms WHERE contract_terms.deal = deal.id AND contract_terms.state = 'agreed'
        ORDER BY contract_terms.version DESC LIMIT 1), deal.price) AS price) priced
    CROSS JOIN LATERAL (
      SELECT (coalesce(sum(delivery.accepted)
                         FILTER (WHERE delivery.state IN ('accepted', 'partially_accepted')), 0))::bigint AS taken,
             (coalesce(sum(delivery.loss)
                         FILTER (WHERE delivery.state IN ('accepted', 'partially_accepted')), 0))::bigint AS lost,
             (coalesce(sum(delivery.quantity)
                         FILTER (WHERE delivery.state IN ('dispatched', 'arrived')), 0))::bigint AS under_way,
             coalesce(sum(delivery.credit), 0)::bigint AS credit
      FROM delivery WHERE delivery.deal = deal.id) sent
    CROSS JOIN LATERAL (
      SELECT (coalesce(sum(payment.amount) FILTER (WHERE payment.kind = 'goods'), 0))::bigint AS goods,
             coalesce(sum(payment.paid), 0)::bigint AS paid
      FROM payment WHERE payment.deal = deal.id) money
    """,
    # -- what was seen, had and read is only added to ------------------------------------------------------
    """
    CREATE TRIGGER shelf_sighting_append_only BEFORE UPDATE OR DELETE ON shelf_sighting
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    """
    CREATE TRIGGER capacity_entry_append_only BEFORE UPDATE OR DELETE ON capacity_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    """
    CREATE TRIGGER price_quote_append_only BEFORE UPDATE OR DELETE ON price_quote
    FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    """
    CREATE UNIQUE INDEX shelf_spell_open ON shelf_spell (site, seller, produce, label) WHERE gone_on IS NULL
    """,
    """
    ALTER TABLE shelf_spell ADD CONSTRAINT shelf_spell_days
      CHECK (seen_on >= since AND (gone_on IS NULL OR gone_on >= since))
    """,
    """
    ALTER TABLE shelf_spell ADD CONSTRAINT shelf_spell_price CHECK (price IS NULL OR price > 0)
    """,
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
