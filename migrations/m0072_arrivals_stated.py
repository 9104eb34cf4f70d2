"""A seller's word that goods have come, and the time that their buyer has to inspect them."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-12-01T20:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Arrivals that a seller states, and the time for inspection"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    "ALTER TABLE delivery ADD COLUMN inspect_from date, ADD COLUMN inspect_reminded date",
    "ALTER TABLE delivery ADD COLUMN passed_at timestamptz",
    # goods that came before there was this rule: their buyers have the whole time from now on
    """
    UPDATE delivery SET inspect_from = (now() AT TIME ZONE 'Asia/Shanghai')::date WHERE state = 'arrived'
    """,
    """
    CREATE TABLE arrival (
      id bigserial PRIMARY KEY,
      delivery bigint NOT NULL REFERENCES delivery ON DELETE RESTRICT ON UPDATE CASCADE,
      "on" date NOT NULL,
      note text NOT NULL DEFAULT '',
      state text NOT NULL,
      person bigint REFERENCES person ON DELETE RESTRICT ON UPDATE CASCADE,
      file_name text NOT NULL DEFAULT '',
      media_type text NOT NULL DEFAULT '',
      content bytea,
      content_hash text NOT NULL DEFAULT '',
      created_at timestamptz NOT NULL,
      answered_at timestamptz,
      answered_by bigint REFERENCES person ON DELETE RESTRICT ON UPDATE CASCADE,
      answer text NOT NULL DEFAULT ''
    )
    """,
    "CREATE INDEX arrival_delivery ON arrival (delivery)",
    "CREATE INDEX arrival_person ON arrival (person)",
    "CREATE INDEX arrival_answered_by ON arrival (answered_by)",
    # one word at a time
    "CREATE UNIQUE INDEX arrival_waits_once ON arrival (delivery) WHERE state = 'stated'",
    # each round of upkeep asks for these alone
    """
    CREATE INDEX delivery_to_inspect ON delivery (inspect_from)
      WHERE inspect_from IS NOT NULL AND state IN ('dispatched', 'arrived')
    """,
    """
    CREATE TRIGGER arrival_stands BEFORE UPDATE OF delivery, "on", note, person, file_name, media_type,
      content_hash, created_at ON arrival FOR EACH ROW EXECUTE FUNCTION refuse_rewrite()
    """,
    # the paper goes after its period, and is never another one
    """
    CREATE TRIGGER arrival_paper_only_goes BEFORE UPDATE OF content ON arrival
    FOR EACH ROW WHEN (NEW.content IS NOT NULL) EXECUTE FUNCTION refuse_rewrite()
    """,
    # with a condition, because the table is not append-only as a whole
    """
    CREATE TRIGGER arrival_stays BEFORE DELETE ON arrival
    FOR EACH ROW WHEN (OLD.id IS NOT NULL) EXECUTE FUNCTION refuse_rewrite()
    """,
)
BACKWARDS = (
    "DROP TABLE arrival",
    "ALTER TABLE delivery DROP COLUMN inspect_from, DROP COLUMN inspect_reminded, DROP COLUMN passed_at",
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
