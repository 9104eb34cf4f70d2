"""Results of talks that are set right: what was said before stays, and the town says what stands."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-29T22:50:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Results of talks are corrected and settled, what was said before is kept"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    "ALTER TABLE statement ADD COLUMN recorded_by bigint REFERENCES person",
    "ALTER TABLE statement ADD COLUMN samples bigint[] NOT NULL DEFAULT ARRAY[]::bigint[]",
    # why it was set right: stands with what was said anew
    "ALTER TABLE statement ADD COLUMN why text NOT NULL DEFAULT ''",
    "ALTER TABLE statement ADD COLUMN replaced_at timestamptz",
    "ALTER TABLE statement DROP CONSTRAINT statement_once",
    "CREATE UNIQUE INDEX statement_once ON statement (appointment, organisation) WHERE replaced_at IS NULL",
    """
    CREATE TABLE talk_settlement (
      id bigserial PRIMARY KEY,
      appointment bigint NOT NULL REFERENCES appointment ON DELETE CASCADE ON UPDATE CASCADE,
      statement bigint NOT NULL REFERENCES statement ON DELETE CASCADE ON UPDATE CASCADE,
      settled_by bigint REFERENCES person,
      created_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX talk_settlement_appointment ON talk_settlement (appointment)",
    "CREATE INDEX talk_settlement_statement ON talk_settlement (statement)",
    # what the town recorded after the two sides was its word on them already
    """
    INSERT INTO talk_settlement (appointment, statement, created_at)
    SELECT statement.appointment, statement.id, statement.created_at
    FROM statement JOIN appointment ON appointment.id = statement.appointment
    JOIN meeting ON meeting.id = appointment.meeting AND meeting.town = statement.organisation
    WHERE EXISTS (SELECT FROM statement other WHERE other.appointment = statement.appointment
                    AND other.id <> statement.id)
    """,
    # a contract that was taken back unsigned leaves its source free for another
    "ALTER TABLE deal DROP CONSTRAINT deal_source_once",
    "CREATE UNIQUE INDEX deal_source_once ON deal (source, source_id) WHERE state <> 'cancelled'",
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
