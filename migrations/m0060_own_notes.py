"""Each person has a note of their own of a talk, which stays where the talk is planned away.

So far those of one organisation shared one, and it went with the talk.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-12-01T08:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Notes of a talk by person"


class Raw(Table):
    """Somewhere to send SQL from."""


FORWARDS = (
    """
    ALTER TABLE appointment_note ADD COLUMN person bigint
      REFERENCES person ON DELETE RESTRICT ON UPDATE CASCADE
    """,
    "ALTER TABLE appointment_note ADD COLUMN page text NOT NULL DEFAULT ''",
    """
    ALTER TABLE appointment_note
      ADD COLUMN meeting bigint REFERENCES meeting ON DELETE RESTRICT ON UPDATE CASCADE,
      ADD COLUMN about bigint REFERENCES organisation ON DELETE RESTRICT ON UPDATE CASCADE
    """,
    """
    UPDATE appointment_note note SET meeting = talk.meeting,
      about = CASE note.organisation WHEN talk.seller THEN talk.buyer ELSE talk.seller END
    FROM appointment talk WHERE talk.id = note.appointment
    """,
    """
    ALTER TABLE appointment_note ALTER COLUMN meeting SET NOT NULL, ALTER COLUMN about SET NOT NULL
    """,
    "CREATE INDEX appointment_note_meeting ON appointment_note (meeting)",
    "CREATE INDEX appointment_note_about ON appointment_note (about)",
    "CREATE INDEX appointment_note_person ON appointment_note (person)",
    # who wrote a shared one is known where nobody else could have; the others stay the organisation's
    """
    UPDATE appointment_note SET person = alone.person
    FROM (SELECT organisation, min(person) AS person FROM membership
          GROUP BY organisation HAVING count(DISTINCT person) = 1) alone
    WHERE alone.organisation = appointment_note.organisation
    """,
    "ALTER TABLE appointment_note DROP CONSTRAINT appointment_note_once",
    "ALTER TABLE appointment_note DROP COLUMN appointment",
    """
    ALTER TABLE appointment_note ADD CONSTRAINT appointment_note_once
      UNIQUE (meeting, organisation, about, person)
    """,
)
BACKWARDS = (
    "ALTER TABLE appointment_note DROP CONSTRAINT appointment_note_once",
    # of a talk that there is no more nothing can be kept
    """
    ALTER TABLE appointment_note ADD COLUMN appointment bigint
      REFERENCES appointment ON DELETE CASCADE ON UPDATE CASCADE
    """,
    """
    UPDATE appointment_note note SET appointment = talk.id FROM appointment talk
    WHERE talk.meeting = note.meeting
      AND (talk.seller, talk.buyer) IN ((note.organisation, note.about), (note.about, note.organisation))
    """,
    "DELETE FROM appointment_note WHERE appointment IS NULL",
    "ALTER TABLE appointment_note ALTER COLUMN appointment SET NOT NULL",
    "CREATE INDEX appointment_note_appointment ON appointment_note (appointment)",
    # one below the other in the newest of them, so that nothing is lost
    """
    UPDATE appointment_note SET text = whole.text
    FROM (SELECT max(id) AS id, string_agg(text, chr(10) ORDER BY updated_at, id) AS text
          FROM appointment_note GROUP BY appointment, organisation) whole
    WHERE whole.id = appointment_note.id
    """,
    """
    DELETE FROM appointment_note note USING appointment_note newer
    WHERE newer.appointment = note.appointment AND newer.organisation = note.organisation
      AND newer.id > note.id
    """,
    "ALTER TABLE appointment_note DROP COLUMN page, DROP COLUMN person, DROP COLUMN meeting, DROP COLUMN about",
    """
    ALTER TABLE appointment_note ADD CONSTRAINT appointment_note_once UNIQUE (appointment, organisation)
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
