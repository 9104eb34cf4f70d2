"""What each party says came of a talk: what stands, what was said before, and what the town settled."""

from datetime import datetime
from itertools import pairwise

import msgspec

from market.db.session import fetch, fetch_into
from market.meetings.commands import TopicResult


class StatementRow(msgspec.Struct, frozen=True):
    """What one party says. ``topics`` in grams and fen per kg."""

    id: int
    appointment: int
    organisation: int
    name: str
    name_en: str
    outcome: str
    reason: str | None
    reason_zh: str | None
    reason_en: str | None
    note: str
    topics: list[TopicResult]
    #: Topics of which a sample is wanted.
    samples: list[int]
    #: Why it replaced what was said before; empty: it was the first.
    why: str
    recorded_by: str
    created_at: datetime
    replaced_at: datetime | None

    @property
    def said(self) -> tuple[str, list[TopicResult]]:
        """What two parties have to agree on."""
        return self.outcome, self.topics


_STATEMENT = """SELECT statement.id, statement.appointment, statement.organisation, organisation.name,
       organisation.name_en, statement.outcome, statement.reason, reason.zh AS reason_zh,
       reason.en AS reason_en, statement.note, statement.topics, statement.samples, statement.why,
       coalesce(person.name, '') AS recorded_by, statement.created_at, statement.replaced_at
FROM statement JOIN organisation ON organisation.id = statement.organisation
LEFT JOIN reason ON reason.code = statement.reason LEFT JOIN person ON person.id = statement.recorded_by
WHERE statement.appointment = $1 AND (statement.replaced_at IS NULL) = $2
ORDER BY statement.created_at, statement.id"""


async def statements_of(*, appointment_id: int) -> list[StatementRow]:
    """Return what is said of one talk now, the first first."""
    return await fetch_into(StatementRow, _STATEMENT, appointment_id, True)


async def replaced_statements(*, appointment_id: int) -> list[StatementRow]:
    """Return what was said of one talk and set right since, the first first."""
    return await fetch_into(StatementRow, _STATEMENT, appointment_id, False)


class SettlementRow(msgspec.Struct, frozen=True):
    """The town found that ``statement``, which is ``name``'s, stands."""

    id: int
    statement: int
    name: str
    name_en: str
    settled_by: str
    created_at: datetime


async def settlements_of(*, appointment_id: int) -> list[SettlementRow]:
    """Return what the town has settled of one talk, the first first; the last one holds."""
    return await fetch_into(
        SettlementRow,
        """SELECT settlement.id, settlement.statement, organisation.name, organisation.name_en,
                  coalesce(person.name, '') AS settled_by, settlement.created_at
           FROM talk_settlement settlement JOIN statement ON statement.id = settlement.statement
           JOIN organisation ON organisation.id = statement.organisation
           LEFT JOIN person ON person.id = settlement.settled_by
           WHERE settlement.appointment = $1 ORDER BY settlement.created_at, settlement.id""",
        appointment_id,
    )


def disagree(statements: list[StatementRow]) -> bool:
    """Tell whether the parties say different things."""
    return any(one.said != other.said for one, other in pairwise(statements))


async def disputed(*, meeting_id: int, appointment_id: int | None = None) -> frozenset[int]:
    """Return the talks of which different things are said, and the town has not settled the last of them."""
    rows = await fetch(
        """SELECT statement.appointment AS id
           FROM statement JOIN appointment ON appointment.id = statement.appointment
           WHERE appointment.meeting = $1 AND ($2::bigint IS NULL OR appointment.id = $2)
             AND statement.replaced_at IS NULL
           GROUP BY statement.appointment
           HAVING count(DISTINCT (statement.outcome, statement.topics)) > 1
              AND NOT EXISTS (SELECT FROM talk_settlement settlement
                              WHERE settlement.appointment = statement.appointment
                                AND settlement.created_at >= max(statement.created_at))""",
        meeting_id,
        appointment_id,
    )
    return frozenset(row["id"] for row in rows)
