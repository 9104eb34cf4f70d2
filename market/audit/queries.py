"""Reading the record. Whoever asks has been shown the subject itself before."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from market.db.session import fetch


class RecordRow(msgspec.Struct, frozen=True):
    """One deed. ``details`` are the deed's own figures, grams and fen."""

    subject: str
    action: str
    person: str | None
    person_en: str | None
    organisation_id: int | None
    organisation: str | None
    organisation_en: str | None
    at: datetime
    details: dict[str, Any]


async def history(*, subjects: Sequence[str]) -> list[RecordRow]:
    """Return what was done to ``subjects`` (``bid:7``, ``deal:3``), the oldest first."""
    rows = await fetch(
        """SELECT audit_record.subject, audit_record.action, person.name AS person,
                  person.name_en AS person_en, audit_record.organisation AS organisation_id,
                  organisation.name AS organisation, organisation.name_en AS organisation_en,
                  audit_record.at, audit_record.details
           FROM audit_record LEFT JOIN person ON person.id = audit_record.person
           LEFT JOIN organisation ON organisation.id = audit_record.organisation
           WHERE audit_record.subject = ANY($1) ORDER BY audit_record.at, audit_record.id""",
        list(subjects),
    )
    return [
        RecordRow(**{**dict(row), "details": msgspec.json.decode(row["details"], type=dict[str, Any])})
        for row in rows
    ]
