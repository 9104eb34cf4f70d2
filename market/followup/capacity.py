"""Capacity of an organisation over time: written down, and read with the stock's own places."""

from collections import defaultdict
from datetime import date, datetime

import msgspec

from market.accounts.rules import Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch_into, transaction
from market.errors import Invalid
from market.followup.capacity_rules import Place, Point, Said, entry_problems, history
from market.i18n import msg
from market.units import Gram


class NewEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From ``on`` there are ``units`` of a ``kind`` that take ``grams`` each."""

    kind: str
    on: date
    units: int
    grams: Gram
    note: str = ""


async def note_capacity(*, entry: NewEntry, organisation_id: int, actor: Actor, at: datetime) -> None:
    """Write down what one's own organisation has from a day on; the newest word on a day counts.

    Raises:
        Invalid: no such kind, a day that lies ahead, or a figure out of bounds.
    """
    problems = entry_problems(
        kind=entry.kind,
        on=entry.on,
        units=entry.units,
        grams=entry.grams,
        note=entry.note,
        today=at.astimezone(CHINA).date(),
    )
    if problems:
        raise Invalid(msg("有 {n} 处要改，改好后再提交；填过的内容都还在。", n=len(problems)), problems)
    async with transaction():
        await execute(
            """INSERT INTO capacity_entry (organisation, kind, "on", units, grams, note, person, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)""",
            organisation_id,
            entry.kind,
            entry.on,
            entry.units,
            entry.grams,
            entry.note,
            actor.person_id,
            at,
        )
        await record(
            subject=f"organisation:{organisation_id}",
            action="note_capacity",
            actor=actor,
            at=at,
            details={"kind": entry.kind, "units": entry.units, "grams": entry.grams},
        )


class Capacity(msgspec.Struct, frozen=True):
    """What one organisation has of a kind, from the first day that is known on."""

    organisation: int
    name: str
    name_en: str
    kind: str
    points: list[Point]
    #: The stock's own places say it, not people.
    by_places: bool

    @property
    def first(self) -> Point:
        return self.points[0]

    @property
    def last(self) -> Point:
        return self.points[-1]


class _Line(msgspec.Struct, frozen=True):
    organisation: int
    name: str
    name_en: str
    kind: str
    since: date
    until: date | None
    #: None: a place of the stock's.
    units: int | None
    grams: int


async def capacities_of(*, organisation_id: int) -> list[Capacity]:
    """Return the capacity of the organisation, or of its sellers where it is a town; the largest first."""
    lines = await fetch_into(
        _Line,
        """SELECT organisation.id AS organisation, organisation.name, organisation.name_en, said.kind,
                  said.since, said.until, said.units, said.grams
           FROM (SELECT capacity_entry.organisation, kind, "on" AS since,
                        NULL::date AS until, units, grams, id
                 FROM capacity_entry
                 UNION ALL
                 SELECT owner, kind, (created_at AT TIME ZONE 'Asia/Shanghai')::date,
                        (closed_at AT TIME ZONE 'Asia/Shanghai')::date, NULL, capacity, id
                 FROM storage) said
           JOIN organisation ON organisation.id = said.organisation
           WHERE $1 IN (organisation.id, organisation.town) ORDER BY said.id""",
        organisation_id,
    )
    parts: dict[tuple[int, str], list[_Line]] = defaultdict(list)
    for line in lines:
        parts[line.organisation, line.kind].append(line)
    found = []
    for (_, kind), of in parts.items():
        places = [Place(each.since, each.until, each.grams) for each in of if each.units is None]
        said = [Said(each.since, each.units, each.grams) for each in of if each.units is not None]
        head = of[0]
        points = history(said, places)
        found.append(Capacity(head.organisation, head.name, head.name_en, kind, points, bool(places)))
    return sorted(found, key=lambda each: (-each.last.grams, each.organisation, each.kind))
