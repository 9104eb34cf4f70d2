"""A contract may hold more than its quantity, within its tolerance: what went back is below nought then."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T16:45:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Deliveries above the quantity within the tolerance"


class Raw(Table):
    """Somewhere to send SQL from."""


#: What a contract comes to now. ``{ended}`` and ``{fen}``: what a termination took out.
_VIEW = """
    CREATE OR REPLACE VIEW deal_standing AS
    SELECT deal.id AS deal, priced.price, kept.grams, sent.taken, sent.lost, sent.under_way,
           (sent.credit + money.goods)::bigint AS invoiced, money.paid,
           (CASE WHEN kept.grams = 0 THEN 0
                 ELSE sent.credit + money.goods + ((kept.grams - sent.lost) * priced.price + 500) / 1000
                      - (sent.taken * priced.price + 500) / 1000 END)::bigint AS fen,
           (CASE WHEN deal.state = 'terminated' THEN {ended} ELSE 0 END)::bigint AS ended_grams,
           (CASE WHEN deal.state = 'terminated' THEN {fen} ELSE 0 END)::bigint AS ended_fen
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
    """
_FEN = """((deal.quantity - sent.lost) * priced.price + 500) / 1000
                  - ((kept.grams - sent.lost) * priced.price + 500) / 1000"""
FORWARDS = (
    "ALTER TABLE deal DROP CONSTRAINT deal_released_within",
    "ALTER TABLE deal ADD CONSTRAINT deal_released_within CHECK (abs(released) <= quantity)",
    _VIEW.format(ended="greatest(0, deal.released)", fen=f"greatest(0, {_FEN})"),
)
BACKWARDS = (
    _VIEW.format(ended="deal.released", fen=_FEN),
    "ALTER TABLE deal DROP CONSTRAINT deal_released_within",
    # what was delivered above the quantity was: rows of before are not checked
    """
    ALTER TABLE deal ADD CONSTRAINT deal_released_within CHECK (released >= 0 AND released <= quantity)
    NOT VALID
    """,
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
