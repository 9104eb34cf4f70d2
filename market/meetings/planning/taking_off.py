"""The talks of somebody whose invitation the town withdraws: off the timetable that is out, others told."""

from datetime import datetime

import msgspec

from market.db.session import execute, fetch, fetch_row
from market.i18n import msg, named
from market.meetings.planning.facts import BY_HAND
from market.meetings.planning.publishing import days_of, tell_changed


async def take_off(meeting_id: int, organisation_id: int, *, at: datetime) -> None:
    """Take its talks off a published timetable, in the caller's transaction, and tell their other sides.

    The caller holds the meeting (``hold_timetable``).
    Until it is published nobody knows of the talks: they are counted as such that cannot be held, and it is
    not published before the next plan. Whose invitation ends is told so by whoever ends it.
    """
    known = await fetch_row(
        """SELECT organisation.name, organisation.name_en
           FROM meeting JOIN organisation ON organisation.id = $2
           WHERE meeting.id = $1 AND meeting.published_at IS NOT NULL""",
        meeting_id,
        organisation_id,
    )
    if known is None:
        return
    before = await days_of(meeting_id)
    talks = await fetch(
        """SELECT id, seller, buyer, source, fixed FROM appointment
           WHERE meeting = $1 AND $2 IN (seller, buyer) AND state IN ('accepted', 'scheduled')
           ORDER BY id FOR UPDATE""",
        meeting_id,
        organisation_id,
    )
    # as a plan does: what the town has put together stays written down, should the invitation be restored
    gone = [each["id"] for each in talks if each["source"] not in BY_HAND and not each["fixed"]]
    await execute("DELETE FROM appointment WHERE id = ANY($1::bigint[])", gone)
    await execute(
        """UPDATE appointment SET state = 'accepted', slot = NULL, table_number = NULL
           WHERE id = ANY($1::bigint[])""",
        [each["id"] for each in talks],
    )
    await execute(
        """INSERT INTO left_out (meeting, seller, buyer, reason)
           SELECT $1, seller, buyer, $4 FROM unnest($2::bigint[], $3::bigint[]) AS gone (seller, buyer)""",
        meeting_id,
        [each["seller"] for each in talks],
        [each["buyer"] for each in talks],
        msgspec.json.encode(msg("{name} 的邀请已撤回。", name=named(known, "name"))).decode(),
    )
    await tell_changed(meeting_id, before, but=organisation_id, at=at)
