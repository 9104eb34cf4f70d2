"""Goods leave with a contract's deliveries; what the buyer said of them; why a contract was cancelled."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T23:10:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Goods leave with deliveries, words of inspections, reasons by step, cancelled contracts"


class Raw(Table):
    """Somewhere to send SQL from."""


_USES = {
    "price": "seller buyer cancel",
    "quality": "buyer goods",
    "packaging": "buyer goods",
    "positioning": "buyer",
    "quantity": "seller buyer cancel",
    "timing": "seller buyer cancel",
    "credential": "buyer cancel",
    "distance": "seller buyer cancel",
    "payment": "seller buyer cancel",
    "stocked": "buyer cancel",
    "sample": "buyer cancel",
    "capacity": "buyer",
    "damaged": "goods",
    "short": "goods",
    "sold": "seller cancel",
    "not_enough": "seller cancel",
    "moisture": "goods",
    "mould": "goods",
    "impurity": "goods",
    "spoiled": "goods",
    "late": "goods",
    "plans": "buyer cancel",
    "mistake": "cancel",
}
_NEW = {
    "not_enough": ("货不够", "Not enough goods"),
    "moisture": ("水分超标", "Too moist"),
    "mould": ("霉变", "Mouldy"),
    "impurity": ("杂质超标", "Too many impurities"),
    "spoiled": ("变质", "Spoiled"),
    "late": ("到货太晚", "Arrived too late"),
    "plans": ("计划有变", "Plans have changed"),
    "mistake": ("合同写错了", "The contract is wrong"),
}

FORWARDS = (
    # -- what was planned and what was, apart ----------------------------------------------------------
    "ALTER TABLE delivery ADD COLUMN dispatched_at timestamptz",
    "ALTER TABLE delivery ADD COLUMN note text NOT NULL DEFAULT ''",
    """
    UPDATE delivery SET dispatched_at = told.at FROM audit_record told
    WHERE told.subject = 'deal:' || delivery.deal AND told.action = 'delivery_dispatch'
      AND (told.details ->> 'delivery')::bigint = delivery.id
    """,
    # -- why a contract was cancelled, by whom and when -------------------------------------------------
    "ALTER TABLE deal ADD COLUMN dropped_at timestamptz",
    "ALTER TABLE deal ADD COLUMN dropped_by bigint REFERENCES organisation ON DELETE RESTRICT ON UPDATE CASCADE",
    "ALTER TABLE deal ADD COLUMN dropped_for text REFERENCES reason ON DELETE RESTRICT ON UPDATE CASCADE",
    "ALTER TABLE deal ADD COLUMN dropped_note text NOT NULL DEFAULT ''",
    """
    UPDATE deal SET dropped_at = told.at,
      dropped_by = CASE told.details ->> 'side' WHEN 'seller' THEN seller WHEN 'buyer' THEN buyer END
    FROM audit_record told
    WHERE told.subject = 'deal:' || deal.id AND told.action = 'cancel' AND deal.state = 'cancelled'
    """,
    # -- reasons are offered where they fit; without a word on it they fit everywhere --------------------
    "ALTER TABLE reason ADD COLUMN uses text[] NOT NULL DEFAULT ARRAY[]::text[]",
    # a database without reference data gets them with it
    *(
        f"""INSERT INTO reason (code, zh, en, position)
            SELECT '{code}', '{zh}', '{en}', (SELECT max(position) + 1 FROM reason)
            WHERE EXISTS (SELECT FROM reason) ON CONFLICT DO NOTHING"""
        for code, (zh, en) in _NEW.items()
    ),
    *(
        f"UPDATE reason SET uses = string_to_array('{uses}', ' ') WHERE code = '{code}'"
        for code, uses in _USES.items()
    ),
    "UPDATE reason SET position = (SELECT max(position) + 1 FROM reason) WHERE code = 'other'",
    "UPDATE reason SET zh = '破损', en = 'Damaged' WHERE code = 'damaged'",
    # -- goods leave with the load, and come back with what was refused ---------------------------------
    # What has left is what is on its way or was taken. A load that somebody has written down at the gate
    # is not written a second time; it leaves what stands in no named place first, then the fullest place.
    # Returns grams that came back (positive) or left (negative).
    """
    CREATE FUNCTION follow_deliveries(p_lot bigint, p_deal bigint, p_back bigint, p_person bigint,
                                      p_at timestamptz) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
      due bigint;
      part bigint;
      moved_now bigint := 0;
      place record;
    BEGIN
      PERFORM FROM lot WHERE id = p_lot FOR NO KEY UPDATE;
      PERFORM FROM storage WHERE id IN (SELECT storage FROM holding WHERE lot = p_lot)
        ORDER BY id FOR NO KEY UPDATE;
      SELECT coalesce(sum(CASE WHEN state IN ('dispatched', 'arrived') THEN quantity
                               ELSE accepted + loss END), 0) INTO due
      FROM delivery WHERE deal = p_deal
        AND state IN ('dispatched', 'arrived', 'accepted', 'partially_accepted');
      due := due + coalesce((SELECT sum(moved) FROM stock_entry
                             WHERE lot = p_lot AND deal = p_deal AND kind IN ('out', 'returned')), 0);
      IF due > 0 THEN
        FOR place IN
          SELECT NULL::bigint AS storage, stock_in_place(p_lot, NULL) AS grams
          UNION ALL
          (SELECT storage, grams FROM holding WHERE lot = p_lot AND grams > 0 ORDER BY grams DESC, storage)
        LOOP
          part := least(due + moved_now, place.grams);
          CONTINUE WHEN part <= 0;
          PERFORM write_stock_line(p_lot, 'out', 0, -part, place.storage, p_deal, '', '', p_person, p_at);
          moved_now := moved_now - part;
        END LOOP;
      ELSIF due < 0 AND p_back > 0 THEN
        moved_now := least(p_back, -due);
        PERFORM write_stock_line(p_lot, 'returned', 0, moved_now, NULL, p_deal, '', '', p_person, p_at);
      END IF;
      RETURN moved_now;
    END $$
    """,
    # loads of before
    """
    SELECT follow_deliveries(lot, deal, 0, NULL, at) FROM (
      SELECT listing.lot, delivery.deal, coalesce(max(delivery.dispatched_at), now()) AS at
      FROM delivery JOIN deal ON deal.id = delivery.deal JOIN listing ON listing.id = deal.listing
      WHERE delivery.state IN ('dispatched', 'arrived', 'accepted', 'partially_accepted')
      GROUP BY listing.lot, delivery.deal ORDER BY listing.lot, delivery.deal) AS sent
    """,
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
