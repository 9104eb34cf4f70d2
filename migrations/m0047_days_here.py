"""On which days of a meeting somebody came stands beside how they stand today; reasons that fit a talk."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.table import Table

ID = "2026-11-30T01:47:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Attendance by day, reasons that fit a talk"


class Raw(Table):
    """Somewhere to send SQL from."""


#: The day of a reading, from 1, within its meeting.
_DAY = """least(greatest((scan.scanned_at AT TIME ZONE 'Asia/Shanghai')::date - meeting.held_on + 1, 1),
                meeting.days)"""

#: Reasons why a talk comes to nothing; what is wrong with goods that have arrived is none.
_TALKS = (
    "price not_enough sold quality packaging positioning quantity timing credential distance payment stocked "
    "sample capacity plans"
)

FORWARDS = (
    # without a word on it a reason fits everywhere
    f"""
    UPDATE reason SET uses = array_append(uses, 'talk')
    WHERE code = ANY (string_to_array('{_TALKS}', ' ')) AND uses <> '{{{{}}}}' AND NOT 'talk' = ANY (uses)
    """,  # noqa: S608  our own text
    "ALTER TABLE invitation ADD COLUMN days_here bigint[] NOT NULL DEFAULT ARRAY[]::bigint[]",
    "ALTER TABLE attendee ADD COLUMN days_here bigint[] NOT NULL DEFAULT ARRAY[]::bigint[]",
    # what the door's log says, and where it is forgotten already, that they came: on the first day
    """
    UPDATE attendee SET days_here = ARRAY[1] WHERE attendance IN ('checked_in', 'left')
    """,
    """
    UPDATE invitation SET days_here = ARRAY[1] WHERE attendance IN ('checked_in', 'left')
    """,
    f"""
    UPDATE attendee SET days_here = came.days
    FROM (SELECT scan.attendee, array_agg(DISTINCT {_DAY}::bigint ORDER BY {_DAY}::bigint) AS days
          FROM scan JOIN meeting ON meeting.id = scan.meeting
          WHERE scan.move = 'check_in' AND scan.attendee IS NOT NULL GROUP BY scan.attendee) came
    WHERE came.attendee = attendee.id
    """,  # noqa: S608  our own text
    f"""
    UPDATE invitation SET days_here = came.days
    FROM (SELECT house.id, array_agg(DISTINCT {_DAY}::bigint ORDER BY {_DAY}::bigint) AS days
          FROM scan JOIN meeting ON meeting.id = scan.meeting
          LEFT JOIN attendee ON attendee.id = scan.attendee
          JOIN invitation house ON house.meeting = scan.meeting
            AND (house.id = attendee.invitation OR '@' || house.id = scan.code AND scan.attendee IS NULL)
          WHERE scan.move = 'check_in' GROUP BY house.id) came
    WHERE came.id = invitation.id
    """,  # noqa: S608  our own text
)


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="market", description=DESCRIPTION)

    async def run() -> None:
        for statement in FORWARDS:
            await Raw.raw(statement)

    manager.add_raw(run)
    return manager
