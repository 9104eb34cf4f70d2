"""Who comes for an organisation alone: one person cannot sit at two tables, whomever it comes for."""

from collections.abc import Collection

from market.db.session import fetch


def sole_sql(whom: str) -> str:
    """Return the parts ``named`` and ``sole`` (organisation, phone) of a query; $1 is the meeting.

    ``whom``: what is asked of the number of an organisation, as SQL. Who comes is told by the invitation;
    until it is, by who may act for the organisation.
    """
    return f"""named AS (
        SELECT invitation.organisation, attendee.phone FROM attendee
        JOIN invitation ON invitation.id = attendee.invitation
        WHERE invitation.meeting = $1 AND invitation.organisation {whom}),
      sole AS (
        SELECT organisation, min(phone) AS phone FROM (
          SELECT organisation, phone FROM named
          UNION ALL
          SELECT DISTINCT membership.organisation, person.phone FROM membership
          JOIN person ON person.id = membership.person AND person.active
          WHERE membership.organisation {whom}
            AND membership.organisation NOT IN (SELECT organisation FROM named)) AS coming
        GROUP BY organisation HAVING count(*) = 1 AND min(phone) <> '')"""  # noqa: S608  our own text


async def persons_of(meeting_id: int, people: Collection[int]) -> dict[int, str]:
    """Return the telephone of whoever comes for an organisation, where that is one person alone."""
    rows = await fetch(
        f"WITH {sole_sql('= ANY($2::bigint[])')} SELECT organisation, phone FROM sole ORDER BY organisation",  # noqa: S608  our own text
        meeting_id,
        sorted(people),
    )
    return {row["organisation"]: row["phone"] for row in rows}
