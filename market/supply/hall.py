"""The produce hall: listings on sale, filtered, sorted, page by page, with counts for further choices."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import msgspec

from market.catalogue.queries import CredentialKindView, produce_meant
from market.catalogue.rules import COUNTY_DIGITS
from market.db.session import fetch, fetch_into
from market.paging import PAGE_LENGTH, FacetCount, Page, pages
from market.supply.filters import BrowseFilters, Sort
from market.supply.queries import CREDENTIALS, GRADE
from market.supply.rules import PUBLISHED, SOLD_OUT
from market.supply.search import Part, Question, alternatives, question

#: Kinds of produce offered as a further choice.
_MOST_KINDS = 12


class ListingCard(msgspec.Struct, frozen=True):
    """A listing in a list. Grams, and fen per kg at the farm gate."""

    listing_id: int
    lot_id: int
    state: str
    title: str
    title_en: str
    produce: str
    produce_zh: str
    produce_en: str
    category: str
    seller: int
    seller_name: str
    seller_name_en: str
    division: str | None
    #: Names from the province down, joined by `` / ``.
    place: str
    grade: int
    grade_zh: str
    grade_en: str
    quantity: int
    remaining: int
    ask: int
    min_order: int
    available_from: date
    available_to: date
    credentials: list[CredentialKindView]
    #: With lot_id the address of the first picture; None: there is no picture.
    picture_position: int | None
    picture_hash: str | None
    #: The picture is a drawing that only stands for the goods.
    illustration: bool
    invented: bool
    published_at: datetime | None
    #: As ``rules.WAYS``; until when the round of bidding takes bids that lasts now.
    way: str
    closes_at: datetime | None
    #: The viewer's organisation owns it.
    mine: bool


class _Values:
    """The parameters of a statement; calling it adds one and returns its ``$n``."""

    def __init__(self) -> None:
        self.given: list[object] = []

    def __call__(self, value: object) -> str:
        self.given.append(value)
        return f"${len(self.given)}"


#: The condition of the partial index on ``search``, word for word as the index has it.
_SHOWN = f"listing.state IN ('{PUBLISHED}', '{SOLD_OUT}')"

_FROM = """
FROM listing JOIN lot ON lot.id = listing.lot JOIN produce ON produce.code = lot.produce
JOIN organisation AS seller ON seller.id = listing.owner
"""

_CARD = f"""
SELECT listing.id AS listing_id, lot.id AS lot_id, listing.state, listing.title, listing.title_en,
    lot.produce, produce.zh AS produce_zh, produce.en AS produce_en, produce.category,
    seller.id AS seller, seller.name AS seller_name, seller.name_en AS seller_name_en,
    lot.division, coalesce((SELECT path FROM division WHERE code = lot.division), '') AS place,
    lot.grade, {GRADE}, lot.quantity, lot.remaining, listing.ask, listing.min_order,
    listing.available_from, listing.available_to, {CREDENTIALS},
    shown.position AS picture_position, shown.content_hash AS picture_hash,
    coalesce(shown.illustration, false) AS illustration, lot.invented, listing.published_at,
    listing.way, CASE WHEN listing.opened_at IS NULL THEN listing.closes_at END AS closes_at,
"""  # noqa: S608  words of ours; values are parameters

_PICTURE = """
LEFT JOIN LATERAL (SELECT position, content_hash, illustration FROM picture WHERE picture.lot = lot.id
    ORDER BY position LIMIT 1) AS shown ON true
"""

_ORDER: Mapping[Sort, str] = {
    "newest": "listing.published_at DESC NULLS LAST, listing.id DESC",
    "price": "listing.ask, listing.id",
    "quantity": "lot.remaining DESC, listing.id",
    "expiring": "listing.available_to, listing.id",
}


async def browse(filters: BrowseFilters, viewer_org: int | None = None) -> Page[ListingCard]:
    """Return a page of what is on sale. A page beyond the last gives the last.

    ``facets`` counts, per ``category``, ``produce``, ``place`` (counties), ``grade`` and ``credentials``, the
    listings that each choice would leave beside the other filters.
    """
    wanted = question(filters.q)
    if wanted is None and filters.q.strip():
        return Page([], 0, 1)
    meant: dict[str, list[str]] = {}
    if wanted is not None:
        texts = wanted.produce_texts
        meant = await produce_meant(list(texts), guess=list(texts.values()))
    total, facets = await _counts(filters, wanted, meant)
    page = min(filters.page, pages(total))
    rows = await _cards(filters, wanted, meant, viewer_org=viewer_org, page=page) if total else []
    return Page(rows, total, page, PAGE_LENGTH, facets)


def _conditions(
    filters: BrowseFilters, wanted: Question | None, meant: Mapping[str, Sequence[str]], value: _Values
) -> tuple[list[str], dict[str, str]]:
    """Return the conditions that always hold, and those of the facets by name."""
    always = [_SHOWN]
    if not filters.sold_out:
        always.append(f"listing.state = '{PUBLISHED}' AND lot.remaining > 0")
    if wanted is not None:
        ways = (
            " INTERSECT ".join(f"({_with(part, value)})" for part in way)
            for way in alternatives(wanted, meant)
        )
        always.append("listing.id IN (" + " UNION ".join(f"({way})" for way in ways) + ")")
    if filters.town is not None:
        always.append(f"{value(filters.town)} IN (seller.town, seller.id)")
    if filters.seller is not None:
        always.append(f"listing.owner = {value(filters.seller)}")
    if filters.on is not None:
        always.append(f"{value(filters.on)} BETWEEN listing.available_from AND listing.available_to")
    if filters.quantity is not None:
        always.append(f"lot.remaining >= {value(filters.quantity)}")
    if filters.price_low is not None:
        always.append(f"listing.ask >= {value(filters.price_low)}")
    if filters.price_high is not None:
        always.append(f"listing.ask <= {value(filters.price_high)}")
    own: dict[str, str] = {}
    if filters.category is not None:
        own["category"] = f"produce.category = {value(filters.category)}"
    if filters.produce is not None:
        own["produce"] = f"lot.produce = {value(filters.produce)}"
    if filters.place is not None:
        own["place"] = f"starts_with(lot.division, {value(filters.place)})"
    if filters.grade is not None:
        own["grade"] = f"lot.grade >= {value(filters.grade)}"
    if filters.credentials:
        own["credentials"] = f"lot.credentials @> {value(list(filters.credentials))}::text[]"
    return always, own


def _with(part: Part, value: _Values) -> str:
    """Return the statement of the listings that have one word of a search; each half has its own index."""
    text = f"SELECT id FROM listing WHERE {_SHOWN} AND search LIKE {value(part.pattern)}"  # noqa: S608  words of ours; values are parameters
    if not part.codes:
        return text
    return f"""{text} UNION ALL SELECT listing.id FROM listing JOIN lot ON lot.id = listing.lot
        WHERE lot.produce = ANY({value(list(part.codes))}::text[])"""  # noqa: S608  words of ours; values are parameters


async def _cards(
    filters: BrowseFilters,
    wanted: Question | None,
    meant: Mapping[str, Sequence[str]],
    *,
    viewer_org: int | None,
    page: int,
) -> list[ListingCard]:
    value = _Values()
    always, own = _conditions(filters, wanted, meant, value)
    order = _ORDER["newest" if filters.sort == "best" else filters.sort]
    if filters.sort == "best" and wanted is not None and meant.get(wanted.whole):
        order = f"array_position({value(meant[wanted.whole])}::text[], lot.produce) NULLS LAST, {order}"
    return await fetch_into(
        ListingCard,
        f"""{_CARD} listing.owner IS NOT DISTINCT FROM {value(viewer_org)}::bigint AS mine
            {_FROM} {_PICTURE} WHERE {" AND ".join([*always, *own.values()])}
            ORDER BY {order} LIMIT {value(PAGE_LENGTH)} OFFSET {value((page - 1) * PAGE_LENGTH)}""",
        *value.given,
    )


async def _counts(
    filters: BrowseFilters, wanted: Question | None, meant: Mapping[str, Sequence[str]]
) -> tuple[int, dict[str, list[FacetCount]]]:
    value = _Values()
    always, own = _conditions(filters, wanted, meant, value)

    def but(facet: str) -> str:
        """What the other facets leave. Grades and credentials narrow further, so theirs stays."""
        return " AND ".join(f"in_{name}" for name in own if name != facet) or "true"

    flags = "".join(f", {condition} AS in_{name}" for name, condition in own.items())
    rows = await fetch(
        f"""WITH base AS MATERIALIZED (
            SELECT produce.category, lot.produce, left(lot.division, {COUNTY_DIGITS}) AS county, lot.grade,
                lot.credentials {flags}
            {_FROM} WHERE {" AND ".join(always)}
        ),
        graded AS (SELECT grade, count(*) FROM base WHERE {but("grade")} GROUP BY 1)
        SELECT '' AS facet, '' AS code, '' AS zh, '' AS en, count(*) AS count, 0 AS position
            FROM base WHERE {but("")}
        UNION ALL (SELECT 'category', category.code, zh, en, counted.count, category.position
            FROM (SELECT category, count(*) FROM base WHERE {but("category")} GROUP BY 1) AS counted
            JOIN category ON category.code = counted.category)
        UNION ALL (SELECT 'produce', code, zh, en, counted.count, -counted.count
            FROM (SELECT produce, count(*) FROM base WHERE {but("produce")} GROUP BY 1) AS counted
            JOIN produce ON code = counted.produce
            ORDER BY code IS NOT DISTINCT FROM {value(filters.produce)} DESC, counted.count DESC, code
            LIMIT {_MOST_KINDS})
        UNION ALL (SELECT 'place', code, name, name, counted.count, -counted.count
            FROM (SELECT county, count(*) FROM base WHERE {but("place")} GROUP BY 1) AS counted
            JOIN division ON code = counted.county)
        UNION ALL (SELECT 'grade', level::text, zh, en,
                (SELECT coalesce(sum(count), 0)::bigint FROM graded WHERE graded.grade >= level), -level
            FROM grade WHERE level > 0)
        UNION ALL (SELECT 'credentials', code, zh, en, counted.count, -counted.count
            FROM (SELECT unnest(credentials) AS code, count(*) FROM base WHERE {but("")} GROUP BY 1)
                AS counted
            JOIN credential_kind USING (code))
        ORDER BY facet, position, code""",  # noqa: S608  words of ours; values are parameters
        *value.given,
    )
    chosen: dict[str, set[str | None]] = {
        "category": {filters.category},
        "produce": {filters.produce},
        "place": {filters.place[:COUNTY_DIGITS] if filters.place else None},
        "grade": {None if filters.grade is None else str(filters.grade)},
        "credentials": set(filters.credentials),
    }
    total = 0
    facets: dict[str, list[FacetCount]] = {name: [] for name in chosen}
    for row in rows:
        if not row["facet"]:
            total = row["count"]
        elif row["count"]:
            picked = row["code"] in chosen[row["facet"]]
            facets[row["facet"]].append(FacetCount(row["code"], row["zh"], row["en"], row["count"], picked))
    return total, facets
