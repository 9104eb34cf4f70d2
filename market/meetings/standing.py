"""Where a meeting stands: what is done, and what everybody is waiting for, counted."""

import msgspec

from market.db.session import fetch_into
from market.errors import NotFound
from market.i18n import msg
from market.meetings.planning.unfit import CALLED_OFF, LEFT, MISSED, UNFIT


class Standing(msgspec.Struct, frozen=True):
    """Counts of one meeting. ``parties`` are the sellers and buyers that have not said no."""

    parties: int
    guests: int
    #: Everybody who was invited and whose invitation was not withdrawn, whatever the answer.
    invited: int
    #: Of parties and guests together.
    unanswered: int
    accepted: int
    #: Who sends somebody else instead, and is counted there.
    delegated: int
    declined: int
    #: Parties that have told nothing of whom they want to meet.
    without_wishes: int
    #: Pairs of which both sides have said must or want.
    mutual: int
    vetoes: int
    #: Appointments with a place, held ones among them.
    talks: int
    held: int
    fixed: int
    #: Fen that the engine's suggestions put at stake in these talks.
    worth: int
    #: Appointments with a place that cannot be held there, see ``unfit``: those of somebody who has left,
    #: those that one side would rather not have, those in a slot in which one side cannot come, and those of
    #: a person who comes for two, where both have a talk.
    doomed: int
    gone: int
    barred: int
    absent: int
    torn: int
    left_out: int
    arrived: int
    #: Invited, not yet checked in and not known to stay away.
    expected: int
    #: Of the appointments with a place, those that nobody holds: one side does not come, or did not.
    off: int = 0

    @property
    def unrecorded(self) -> int:
        """How many appointments still wait for their result."""
        return self.talks - self.held - self.off


async def standing_of(*, meeting_id: int, town_id: int) -> Standing:
    """Count what is done and what is missing.

    Raises:
        NotFound: no such meeting of this town.
    """
    found = await fetch_into(
        Standing,
        f"""WITH guest AS (
             SELECT organisation, side, state, attendance FROM invitation
             WHERE meeting = $1 AND state <> 'revoked'),
           party AS (
             SELECT organisation FROM guest
             WHERE side <> 'guest' AND state NOT IN ('declined', 'expired')),
           talk AS (
             SELECT seller, buyer, state, fixed FROM appointment
             WHERE meeting = $1 AND slot IS NOT NULL AND state <> 'cancelled'),
           unfit AS ({UNFIT.replace("$2", "$3")})
           SELECT (SELECT count(*) FROM party) AS parties,
             (SELECT count(*) FROM guest) AS invited,
             (SELECT count(*) FROM guest
              WHERE side = 'guest' AND state NOT IN ('declined', 'expired')) AS guests,
             (SELECT count(*) FROM guest WHERE state = 'needs_action') AS unanswered,
             (SELECT count(*) FROM guest WHERE state = 'accepted') AS accepted,
             (SELECT count(*) FROM guest WHERE state = 'delegated') AS delegated,
             (SELECT count(*) FROM guest WHERE state = 'declined') AS declined,
             (SELECT count(*) FROM party WHERE NOT EXISTS (
                SELECT FROM wish WHERE wish.meeting = $1
                  AND wish.organisation = party.organisation)) AS without_wishes,
             (SELECT count(*) FROM wish mine
              JOIN wish other ON other.meeting = mine.meeting AND other.organisation = mine.about
                             AND other.about = mine.organisation AND other.level IN ('must', 'want')
              WHERE mine.meeting = $1 AND mine.level IN ('must', 'want')
                AND mine.organisation < mine.about) AS mutual,
             (SELECT count(*) FROM wish WHERE meeting = $1 AND level = 'never') AS vetoes,
             (SELECT count(*) FROM talk WHERE state IN ('scheduled', 'held')) AS talks,
             (SELECT count(*) FROM talk WHERE state = 'held') AS held,
             (SELECT count(*) FROM talk WHERE fixed) AS fixed,
             (SELECT coalesce(sum(best.worth), 0)::bigint FROM (
                SELECT max(match.worth) AS worth FROM appointment
                JOIN topic ON topic.appointment = appointment.id JOIN match ON match.id = topic.match
                WHERE appointment.meeting = $1 AND appointment.slot IS NOT NULL
                  AND appointment.state IN ('scheduled', 'held')
                GROUP BY appointment.id, topic.listing) best) AS worth,
             (SELECT count(*) FROM unfit) AS doomed,
             (SELECT count(*) FROM unfit WHERE why = 'away') AS gone,
             (SELECT count(*) FROM unfit WHERE why = 'never') AS barred,
             (SELECT count(*) FROM unfit WHERE why = 'absent') AS absent,
             (SELECT count(*) FROM unfit WHERE why = 'torn') AS torn,
             (SELECT count(*) FROM left_out WHERE meeting = $1) AS left_out,
             (SELECT count(*) FROM guest WHERE attendance IN ('checked_in', 'left')) AS arrived,
             (SELECT count(*) FROM guest
              WHERE attendance = 'expected' AND state NOT IN ('declined', 'expired')) AS expected,
             (SELECT count(*) FROM appointment WHERE meeting = $1 AND slot IS NOT NULL AND state = 'scheduled'
                AND ({CALLED_OFF} OR {MISSED})) AS off
           FROM meeting WHERE meeting.id = $1 AND meeting.town = $2""",  # noqa: S608  our own text
        meeting_id,
        town_id,
        LEFT,
    )
    if not found:
        raise NotFound(msg("没有找到这场对接会。"))
    return found[0]
