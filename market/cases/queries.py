from datetime import date, datetime

import msgspec

from market.cases import rules
from market.db.session import fetch, fetch_into, fetch_one_into
from market.errors import NotFound
from market.i18n import Message, msg
from market.paging import Page


class CaseRow(msgspec.Struct, frozen=True):
    """Grams. ``listing``, its state and until when it is on offer: none where the lot was never on sale; its
    title is its produce then. ``level``: village, town, county, city. ``obstacle``: what the newest run that
    looked found first; ``decided``: at its present level."""

    id: int
    lot: int
    listing: int | None
    title: str
    title_en: str
    listing_state: str | None
    quantity: int
    remaining: int
    available_to: date | None
    seller: int
    seller_name: str
    seller_name_en: str
    town: int
    town_name: str
    town_name_en: str
    state: str
    cause: str
    level: str
    owner: int
    owner_name: str
    owner_name_en: str
    in_charge: str
    due_on: date
    stuck_since: date
    opened_at: datetime
    level_since: datetime
    closed_at: datetime | None
    reason: str | None
    reason_note: str
    obstacle: str | None
    entries: int
    decided: bool

    @property
    def charge(self) -> rules.Charge:
        return rules.Charge(self.owner, self.in_charge, self.due_on)

    def is_late(self, today: date) -> bool:
        return self.state == rules.OPEN and rules.is_overdue(self.due_on, today=today)

    def days_stuck(self, today: date) -> int:
        return (today - self.stuck_since).days


class EntryRow(msgspec.Struct, frozen=True):
    """A line of a diary. ``message`` is the book's own word, ``note`` somebody's."""

    id: int
    about: int
    kind: str
    level: str
    message: Message | None
    note: str
    person: str | None
    person_en: str | None
    organisation: str | None
    organisation_en: str | None
    at: datetime


class Openable(msgspec.Struct, frozen=True):
    """A lot with something left and no open case; its newest listing, if it was ever on sale. Grams."""

    lot: int
    listing: int | None
    title: str
    title_en: str
    seller_name: str
    seller_name_en: str
    remaining: int


#: What goods are called: as they were put on sale, or as the produce that they are (``listing`` may be none).
TITLES = """coalesce(listing.title, concat_ws(' ', produce.zh, nullif(lot.variety, ''))) AS title,
       coalesce(listing.title_en, concat_ws(' ', produce.en, nullif(lot.variety, ''))) AS title_en"""

#: What a case (``book``) hangs on: its listing, or the newest by which its goods were put on sale since.
LISTING = """coalesce(book.listing, (SELECT max(shown.id) FROM listing shown
  WHERE shown.lot = book.lot AND shown.state NOT IN ('draft', 'pending')))"""
#: The newest listing by which goods (``lot``) were put on sale, as a lateral join.
NEWEST_LISTING = """(SELECT * FROM listing
             WHERE listing.lot = lot.id AND listing.state NOT IN ('draft', 'pending')
             ORDER BY listing.id DESC LIMIT 1)"""
_CASES = f"""SELECT book.id, book.lot, listing.id AS listing, {TITLES}, listing.state AS listing_state,
       lot.quantity, lot.remaining, listing.available_to, lot.owner AS seller,
       seller.name AS seller_name, seller.name_en AS seller_name_en, book.town, town.name AS town_name,
       town.name_en AS town_name_en, book.state, book.cause, book.level, book.owner,
       owner.name AS owner_name, owner.name_en AS owner_name_en, book.in_charge, book.due_on,
       book.stuck_since, book.opened_at, book.level_since, book.closed_at, book.reason, book.reason_note,
       (SELECT diagnosis.obstacle FROM diagnosis WHERE diagnosis.listing = listing.id AND diagnosis.rank = 1
        ORDER BY diagnosis.run DESC LIMIT 1) AS obstacle,
       (SELECT count(*) FROM case_entry WHERE case_entry.about = book.id) AS entries,
       EXISTS (SELECT FROM case_entry WHERE case_entry.about = book.id AND case_entry.kind = 'decided'
               AND case_entry.at >= book.level_since) AS decided
FROM stuck_case book JOIN lot ON lot.id = book.lot JOIN produce ON produce.code = lot.produce
LEFT JOIN listing ON listing.id = {LISTING}
JOIN organisation seller ON seller.id = lot.owner JOIN organisation town ON town.id = book.town
JOIN organisation owner ON owner.id = book.owner
"""  # noqa: S608  words of ours; values are parameters


async def cases_of(*, organisation_id: int, state: str | None = rules.OPEN) -> list[CaseRow]:
    """Return the cases of a seller, town or county: by village, in it what has been stuck longest first."""
    return await fetch_into(
        CaseRow,
        _CASES
        + """WHERE $1 IN (lot.owner, book.town, town.county) AND ($2::text IS NULL OR book.state = $2)
             ORDER BY seller.name, seller.id, book.stuck_since, book.id""",
        organisation_id,
        state,
    )


async def case_of(*, case_id: int, organisation_id: int) -> CaseRow:
    """Raises: NotFound."""
    found = await fetch_one_into(
        CaseRow,
        _CASES + "WHERE book.id = $1 AND $2 IN (lot.owner, book.town, town.county)",
        case_id,
        organisation_id,
    )
    if found is None:
        raise NotFound(msg("没有找到这件心病。"))
    return found


async def case_of_listing(*, listing_id: int, organisation_id: int) -> CaseRow | None:
    """Return the case of the goods of a listing of the seller's or the town's, an open one before its own.

    None where they have none.
    """
    return await fetch_one_into(
        CaseRow,
        f"""{_CASES} WHERE lot.id = (SELECT listing.lot FROM listing WHERE id = $1)
               AND $2 IN (lot.owner, book.town, town.county)
             ORDER BY book.state = 'open' DESC, book.listing IS NOT DISTINCT FROM $1 DESC, book.id DESC
             LIMIT 1""",  # noqa: S608  words of ours; values are parameters
        listing_id,
        organisation_id,
    )


async def open_case_of_lot(*, lot_id: int, organisation_id: int) -> CaseRow | None:
    """Return the open case of a lot of the seller's or the town's; None where it has none."""
    return await fetch_one_into(
        CaseRow,
        _CASES + "WHERE book.lot = $1 AND $2 IN (lot.owner, book.town, town.county) AND book.state = 'open'",
        lot_id,
        organisation_id,
    )


async def agenda_of(*, organisation_id: int, level: str) -> list[CaseRow]:
    """Return what the joint meeting of ``level`` has to talk about: what is new first, then by deadline."""
    rows = await cases_of(organisation_id=organisation_id)
    return sorted(
        (row for row in rows if row.level == level),
        key=lambda row: (row.decided, row.due_on, -row.remaining, row.id),
    )


async def diaries_of(*, case_ids: list[int], organisation_id: int) -> list[EntryRow]:
    """Return the diaries of these cases of the organisation's, the oldest line first."""
    rows = await fetch(
        """SELECT entry.id, entry.about, entry.kind, entry.level, entry.message, entry.note,
                  person.name AS person, person.name_en AS person_en, organisation.name AS organisation,
                  organisation.name_en AS organisation_en, entry.at
           FROM case_entry entry JOIN stuck_case book ON book.id = entry.about
           JOIN lot ON lot.id = book.lot JOIN organisation town ON town.id = book.town
           LEFT JOIN person ON person.id = entry.person
           LEFT JOIN organisation ON organisation.id = entry.organisation
           WHERE entry.about = ANY($1::bigint[]) AND $2 IN (lot.owner, book.town, town.county)
           ORDER BY entry.at, entry.id""",
        case_ids,
        organisation_id,
    )
    return [
        EntryRow(
            **{
                **dict(row),
                "message": msgspec.json.decode(row["message"], type=Message) if row["message"] else None,
            }
        )
        for row in rows
    ]


#: Goods that are offered to choose from at once; the others are found by their words.
MOST_OPENABLE = 100


async def openable_by(
    *, organisation_id: int, text: str = "", listing_id: int | None = None, lot_id: int | None = None
) -> Page[Openable]:
    """Return what a case can be opened for by hand: the seller's, or that of the town's sellers.

    Goods that were put on sale more than once stand there once, by their newest listing; what was never on
    sale stands there by itself. Of more than ``MOST_OPENABLE`` those with the most left, by seller; ``text``
    is looked for in names of goods and sellers. The goods of that (newest) listing, or that lot, are there
    in any case.
    """
    rows = await fetch(
        f"""WITH openable AS (
             SELECT lot.id AS lot, listing.id AS listing, {TITLES}, owner.name AS seller_name,
                    owner.name_en AS seller_name_en, lot.remaining, owner.id AS owner,
                    coalesce(listing.id = $3 OR lot.id = $4, false) AS chosen
             FROM lot JOIN organisation owner ON owner.id = lot.owner
             JOIN produce ON produce.code = lot.produce
             LEFT JOIN LATERAL {NEWEST_LISTING} listing ON true
             WHERE owner.town IS NOT NULL AND $1 IN (lot.owner, owner.town) AND lot.remaining > 0
               AND NOT EXISTS (SELECT FROM stuck_case book WHERE book.lot = lot.id AND book.state = 'open')),
           found AS (
             SELECT *, count(*) OVER () AS total FROM openable
             WHERE chosen OR position(
               lower($2) IN lower(concat_ws(' ', title, title_en, seller_name, seller_name_en))) > 0
             ORDER BY chosen DESC, remaining DESC, lot LIMIT $5)
           SELECT * FROM found ORDER BY seller_name, owner, remaining DESC, lot""",  # noqa: S608  words of ours; values are parameters
        organisation_id,
        text,
        listing_id,
        lot_id,
        MOST_OPENABLE,
    )
    found = [Openable(**{name: row[name] for name in Openable.__struct_fields__}) for row in rows]
    return Page(found, rows[0]["total"] if rows else 0, 1, MOST_OPENABLE)
