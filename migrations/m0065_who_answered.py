"""An answer to the question of what became of a talk knows for whom it was given: they may set it right."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-12-01T13:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "For whom a question after a meeting was answered"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    """
    ALTER TABLE follow_up ADD COLUMN organisation bigint
      REFERENCES organisation ON DELETE RESTRICT ON UPDATE CASCADE
    """,
    # whose people know of the talk: who has a place in two of them has answered for one that nobody knows
    """
    UPDATE follow_up SET organisation = one.organisation
    FROM (SELECT follow_up.id, min(membership.organisation) AS organisation
          FROM follow_up JOIN appointment ON appointment.id = follow_up.appointment
          JOIN meeting ON meeting.id = appointment.meeting
          JOIN membership ON membership.person = follow_up.person
            AND membership.organisation IN (appointment.seller, appointment.buyer, meeting.town)
          WHERE follow_up.level IS NOT NULL
          GROUP BY follow_up.id HAVING count(DISTINCT membership.organisation) = 1) one
    WHERE one.id = follow_up.id
    """,
    "CREATE INDEX follow_up_organisation ON follow_up (organisation)",
)
BACKWARDS = ("ALTER TABLE follow_up DROP COLUMN organisation",)


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
