"""What a run found about those that were left over, as its people see it. Grams, and hao per kg."""

from typing import Any

import msgspec

from market.db.session import fetch
from market.i18n import Message
from market.matching.diagnosis.changes import Change


class DiagnosisRow(msgspec.Struct, frozen=True):
    """One change that would open these demands to a listing. Grams, and hao per kg."""

    run: int
    listing: int
    title: str
    title_en: str
    remaining: int
    rank: int
    obstacle: str
    change: Message
    unlocks: int
    demands: list[int]
    cost: int
    #: Fen that the grams come to on the changed terms; None where the run did not reckon it.
    value: int | None
    #: So much more is sold for certain; else the pairs are open and no more is proven.
    confirmed: bool
    #: The changed terms, to be tried out; empty where no change is enough.
    terms: list[Change]


class DemandFinding(msgspec.Struct, frozen=True):
    """One change that would open these listings to a demand. Grams, and hao per kg."""

    run: int
    demand: int
    title: str
    title_en: str
    open: int
    rank: int
    obstacle: str
    change: Message
    unlocks: int
    listings: list[int]
    cost: int
    value: int | None
    confirmed: bool
    terms: list[Change]


_OF_LISTINGS = """SELECT run.id AS run, diagnosis.listing, listing.title, listing.title_en, lot.remaining,
       diagnosis.rank, diagnosis.obstacle, diagnosis.change, diagnosis.unlocks, diagnosis.demands,
       diagnosis.cost, diagnosis.value, diagnosis.confirmed, diagnosis.terms
FROM diagnosis JOIN listing ON listing.id = diagnosis.listing JOIN lot ON lot.id = listing.lot
JOIN run ON run.id = diagnosis.run
"""
_OF_DEMANDS = """SELECT run.id AS run, found.demand, demand.title, demand.title_en, demand.open,
       found.rank, found.obstacle, found.change, found.unlocks, found.listings, found.cost,
       found.value, found.confirmed, found.terms
FROM demand_diagnosis found JOIN demand ON demand.id = found.demand JOIN run ON run.id = found.run
"""
_NEWEST = """(SELECT max(newest.id) FROM run newest
              WHERE newest.town = run.town AND newest.state = 'done')"""


async def diagnosis_of(*, listing_id: int, organisation_id: int) -> list[DiagnosisRow]:
    """Return what the newest finished run found for a listing of the owner's or of the town's."""
    rows = await fetch(
        f"""{_OF_LISTINGS} JOIN organisation ON organisation.id = listing.owner
           WHERE diagnosis.listing = $1 AND $2 IN (listing.owner, organisation.town) AND run.id = {_NEWEST}
           ORDER BY diagnosis.rank""",
        listing_id,
        organisation_id,
    )
    return [DiagnosisRow(**_read(row)) for row in rows]


async def first_diagnoses_of(*, listing_ids: list[int], organisation_id: int) -> list[DiagnosisRow]:
    """Return the first finding of :func:`diagnosis_of` for each of these listings that has one."""
    rows = await fetch(
        f"""{_OF_LISTINGS} JOIN organisation ON organisation.id = listing.owner
           WHERE diagnosis.listing = ANY($1::bigint[]) AND $2 IN (listing.owner, organisation.town)
             AND run.id = {_NEWEST} AND diagnosis.rank = 1""",
        listing_ids,
        organisation_id,
    )
    return [DiagnosisRow(**_read(row)) for row in rows]


async def diagnoses_of_run(*, run_id: int, town_id: int) -> list[DiagnosisRow]:
    """Return every finding about listings of a run of the town, the largest rest first."""
    rows = await fetch(
        _OF_LISTINGS + "WHERE run.id = $1 AND run.town = $2"
        " ORDER BY lot.remaining DESC, diagnosis.listing, diagnosis.rank",
        run_id,
        town_id,
    )
    return [DiagnosisRow(**_read(row)) for row in rows]


async def demand_findings_of(*, demand_id: int, buyer_id: int) -> list[DemandFinding]:
    """Return what the newest finished run that looked for this buyer's demand found, the best first.

    Every town runs for itself; the newest of them knows the newest goods.
    """
    rows = await fetch(
        f"""{_OF_DEMANDS} WHERE found.demand = $1 AND demand.buyer = $2 AND run.id = {_NEWEST}
            AND run.id = (SELECT max(last.run) FROM demand_diagnosis last WHERE last.demand = $1)
            ORDER BY found.rank""",  # noqa: S608  words of ours; values are parameters
        demand_id,
        buyer_id,
    )
    return [DemandFinding(**_read(row)) for row in rows]


async def demand_findings_of_run(*, run_id: int, town_id: int) -> list[DemandFinding]:
    """Return every finding about demands of a run of the town, what is most open first."""
    rows = await fetch(
        _OF_DEMANDS
        + "WHERE run.id = $1 AND run.town = $2 ORDER BY demand.open DESC, found.demand, found.rank",
        run_id,
        town_id,
    )
    return [DemandFinding(**_read(row)) for row in rows]


def _read(row: Any) -> dict[str, Any]:
    terms = row["terms"]
    return {
        **dict(row),
        "change": msgspec.json.decode(row["change"], type=Message),
        "terms": msgspec.json.decode(terms, type=list[Change]) if terms else [],
    }
