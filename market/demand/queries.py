"""Reading demands. Grams, fen per kg delivered; the owner filter is part of every statement."""

from collections.abc import Mapping
from datetime import date, datetime

import msgspec

from market.catalogue.queries import CredentialKindView, produce_meant
from market.catalogue.search import normalise, words
from market.db.session import fetch, fetch_into, fetch_one_into
from market.demand.filters import DemandFilters, Sort
from market.errors import NotFound
from market.i18n import msg
from market.paging import PAGE_LENGTH, FacetCount, Page, pages

#: Words of a search that are looked for one by one.
_MOST_WORDS = 8


class DemandCard(msgspec.Struct, frozen=True):
    """A demand in a list; also what its own page and its buyer's list begin with."""

    demand_id: int
    state: str
    title: str
    title_en: str
    produce: str
    produce_zh: str
    produce_en: str
    category: str
    buyer: int
    buyer_name: str
    buyer_name_en: str
    site: int | None
    site_name: str | None
    site_name_en: str | None
    min_grade: int
    grade_zh: str
    grade_en: str
    #: Grams in all, and still to be bought.
    quantity: int
    open: int
    ceiling: int
    deliver_from: date
    deliver_to: date
    min_order: int
    max_lots: int | None
    max_distance_km: int | None
    requires: list[CredentialKindView]
    invented: bool
    created_at: datetime
    #: The viewer's organisation posted it.
    mine: bool


class DemandDetails(DemandCard, frozen=True):
    category_zh: str
    category_en: str
    note: str
    note_en: str
    site_address: str
    lat: float
    lon: float


class OwnDemand(DemandCard, frozen=True):
    """With what became of it. Deals that were cancelled or terminated do not count."""

    deals: int
    #: Grams.
    bought: int
    #: Fen, goods only.
    worth: int
    #: Suggestions of the engine that are still open.
    open_matches: int


_CARD = """
    demand.id AS demand_id, demand.state, demand.title, demand.title_en,
    demand.produce, produce.zh AS produce_zh, produce.en AS produce_en, produce.category,
    buyer.id AS buyer, buyer.name AS buyer_name, buyer.name_en AS buyer_name_en,
    site.id AS site, site.name AS site_name, site.name_en AS site_name_en, demand.min_grade,
    coalesce((SELECT zh FROM grade WHERE level = demand.min_grade), '') AS grade_zh,
    coalesce((SELECT en FROM grade WHERE level = demand.min_grade), '') AS grade_en,
    demand.quantity, demand.open, demand.ceiling, demand.deliver_from, demand.deliver_to,
    demand.min_order, demand.max_lots, demand.max_distance_km,
    coalesce((SELECT jsonb_agg(jsonb_build_object('code', code, 'zh', zh, 'en', en) ORDER BY code)
        FROM credential_kind WHERE code = ANY(demand.requires)), '[]') AS requires,
    demand.invented, demand.created_at
"""

_FROM = """
FROM demand JOIN produce ON produce.code = demand.produce
JOIN organisation AS buyer ON buyer.id = demand.buyer
LEFT JOIN site ON site.id = demand.site
"""

_ORDER: Mapping[Sort, str] = {
    "newest": "demand.created_at DESC, demand.id DESC",
    "price": "demand.ceiling DESC, demand.id",
    "quantity": "demand.open DESC, demand.id",
    "closing": "demand.deliver_to, demand.id",
}

_OPEN = """
WHERE demand.state = 'published' AND demand.open > 0
  AND ($1::text IS NULL OR produce.category = $1)
  AND ($2::text IS NULL OR demand.produce = $2)
  AND ($3::bigint IS NULL OR demand.buyer = $3)
  AND ($4::bigint IS NULL OR demand.min_grade <= $4)
  AND ($5::date IS NULL OR $5 BETWEEN demand.deliver_from AND demand.deliver_to)
  AND ($6::bigint IS NULL OR demand.open >= $6)
  AND ($7::text[] IS NULL OR demand.produce = ANY($8::text[]) OR NOT EXISTS (
      SELECT FROM unnest($7::text[]) AS word WHERE strpos(lower(concat_ws(' ', demand.title, demand.title_en,
          produce.zh, produce.en, buyer.name, buyer.name_en, site.name, site.name_en)), word) = 0))
"""


async def open_demands(filters: DemandFilters, viewer_org: int | None = None) -> Page[DemandCard]:
    """Return a page of published demands that still want something. A page beyond the last gives the last.

    ``facets`` counts, per ``category``, the demands that each choice would leave beside the other filters.
    """
    text = normalise(filters.q)
    looked_for = words(text)[:_MOST_WORDS]
    if not looked_for and filters.q.strip():
        return Page([], 0, 1)
    meant = await produce_meant([text], guess=[True]) if looked_for else {}
    given = (
        filters.produce,
        filters.buyer,
        filters.grade,
        filters.on,
        filters.quantity,
        list(looked_for) or None,
        meant.get(text, []),
    )
    counted = await fetch(
        f"""SELECT category.code, category.zh, category.en, count(*)
            {_FROM} JOIN category ON category.code = produce.category {_OPEN}
            GROUP BY category.code ORDER BY category.position, category.code""",
        None,
        *given,
    )
    facets = [
        FacetCount(row["code"], row["zh"], row["en"], row["count"], row["code"] == filters.category)
        for row in counted
    ]
    total = sum(each.count for each in facets if each.chosen or filters.category is None)
    page = min(filters.page, pages(total))
    rows = await fetch_into(
        DemandCard,
        f"""SELECT {_CARD}, demand.buyer IS NOT DISTINCT FROM $9::bigint AS mine {_FROM} {_OPEN}
            ORDER BY {_ORDER[filters.sort]} LIMIT $10 OFFSET $11""",  # noqa: S608  words of ours; values are parameters
        filters.category,
        *given,
        viewer_org,
        PAGE_LENGTH,
        (page - 1) * PAGE_LENGTH,
    )
    return Page(rows, total, page, PAGE_LENGTH, {"category": facets})


async def demand_page(demand_id: int, viewer: int | None) -> DemandDetails:
    """Return everything about a demand that the organisation ``viewer`` (None: a visitor) may see.

    A draft is its buyer's alone; a cancelled one is left to its buyer and to those who dealt with it.

    Raises:
        NotFound: there is no such demand, or it is not the viewer's to see.
    """
    found = await fetch_one_into(
        DemandDetails,
        f"""SELECT {_CARD}, category.zh AS category_zh, category.en AS category_en,
                demand.note, demand.note_en, coalesce(site.address, '') AS site_address,
                demand.lat, demand.lon, demand.buyer IS NOT DISTINCT FROM $2::bigint AS mine
            {_FROM} JOIN category ON category.code = produce.category
            WHERE demand.id = $1 AND (demand.state NOT IN ('draft', 'cancelled') OR demand.buyer = $2
                OR demand.state <> 'draft' AND (
                    EXISTS (SELECT FROM deal WHERE deal.demand = demand.id AND deal.seller = $2)
                    OR EXISTS (SELECT FROM bid JOIN listing ON listing.id = bid.listing
                        WHERE bid.demand = demand.id AND bid.answers = 'demand' AND listing.owner = $2)
                    OR EXISTS (SELECT FROM match WHERE match.demand = demand.id AND match.seller = $2)))""",  # noqa: S608  words of ours; values are parameters
        demand_id,
        viewer,
    )
    if found is None:
        raise NotFound(msg("没有找到这条采购需求，它可能已经取消。"))
    return found


async def demands_of(buyer: int) -> list[OwnDemand]:
    """Return a buyer's demands, those still open first, then the newest."""
    return await fetch_into(
        OwnDemand,
        f"""SELECT {_CARD}, true AS mine, made.deals, made.bought, made.worth,
                (SELECT count(*) FROM match WHERE match.demand = demand.id
                    AND match.state IN ('proposed', 'one_side_agreed', 'agreed')) AS open_matches
            {_FROM}
            LEFT JOIN LATERAL (
                SELECT count(*) AS deals, coalesce(sum(standing.grams), 0) AS bought,
                    coalesce(sum(standing.fen), 0) AS worth
                FROM deal JOIN deal_standing standing ON standing.deal = deal.id
                WHERE deal.demand = demand.id AND standing.grams > 0
            ) AS made ON true
            WHERE demand.buyer = $1
            ORDER BY demand.state NOT IN ('draft', 'published', 'closed'), demand.created_at DESC,
                demand.id DESC""",  # noqa: S608  words of ours; values are parameters
        buyer,
    )
