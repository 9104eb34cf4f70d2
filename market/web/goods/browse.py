"""The produce hall: what is on sale, with filters that live in the address."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Response, get
from litestar.types import ControllerRouterHandler
from msgspec import structs

from market.catalogue.places import place_in
from market.catalogue.queries import (
    ProduceFound,
    categories,
    credential_kinds,
    division_by_code,
    grades,
    produce_by_code,
    suggest_produce,
)
from market.catalogue.rules import COUNTY_DIGITS
from market.errors import NotFound
from market.i18n import Language, Message, msg, translate
from market.paging import FacetCount, Page
from market.supply.filters import BrowseFilters
from market.supply.hall import ListingCard, browse
from market.supply.rules import WAYS
from market.units import kg, yuan_per_kg
from market.web.edge.guards import Anybody, WebRequest
from market.web.edge.language import language_of
from market.web.parts import formats
from market.web.parts.filters import LABELS, read_filters
from market.web.parts.pages import page

#: Without a search text the most relevant are the newest.
SORTS: dict[str, Message] = {
    "best": msg("最相关"),
    "newest": msg("最新发布"),
    "price": msg("价格从低到高"),
    "quantity": msg("剩余从多到少"),
    "expiring": msg("快到期的在前"),
}
#: At most this many counties are offered; the rest is found by the search.
_MOST_PLACES = 10


class Condition(msgspec.Struct, frozen=True):
    """A filter that is on: how it reads, and the filters without it."""

    text: str
    without: BrowseFilters
    #: Listings that would be found without it; None where that was not counted.
    frees: int | None = None


class Choice(msgspec.Struct, frozen=True):
    """One answer that a facet offers."""

    value: str
    label: str
    count: int | None
    chosen: bool


@get("/listings")
async def hall(request: WebRequest, guest: Anybody) -> Response[str]:
    """Show what is on sale. An address with a faulty filter shows the fault beside its field."""
    pairs = [(name, text) for name, text in request.query_params.multi_items() if name != "lang"]
    filters, faults = read_filters(BrowseFilters, pairs)
    organisation = guest.organisation_id if guest else None
    found = await browse(filters, organisation)
    language = language_of(request)
    conditions = await _conditions(filters, language)
    maybe: list[ProduceFound] = []
    if not found.total:
        conditions = await _what_each_bars(conditions)
        maybe = await suggest_produce(filters.q) if filters.q else []
    query = filters.to_query()
    return page(
        request,
        "browse/hall.html",
        fragment="browse/results.html",
        status=422 if faults else 200,
        headers={} if faults else {"hx-push-url": f"/listings?{query}" if query else "/listings"},
        filters=filters,
        typed=_written(filters) | {name: text[:100] for name, text in reversed(pairs) if name in faults},
        faults=faults,
        labels=LABELS,
        found=found,
        conditions=conditions,
        facets=await _facets(filters, found, language),
        maybe=maybe,
        sorts=_sorts(filters),
        ways=WAYS,
        wanted=_as_demand(filters, maybe),
        can_post=guest is None or "buyer" in guest.sides,
        can_compare=guest is None or guest.side != "seller",
        next_pages=f"/listings?{filters.to_query(page=1)}&page=".replace("?&", "?"),
    )


def _sorts(filters: BrowseFilters) -> dict[str, Message]:
    if filters.q:
        return SORTS
    rest = {name: text for name, text in SORTS.items() if name not in ("best", "newest")}
    return {"best": SORTS["newest"], **rest}


def _written(filters: BrowseFilters) -> dict[str, str]:
    """How the fields of the panel read for ``filters``: kilograms, yuan per kilogram."""
    written = {"q": filters.q}
    if filters.quantity is not None:
        written["quantity"] = f"{kg(filters.quantity).normalize():f}"
    for name in ("price_low", "price_high"):
        price = getattr(filters, name)
        if price is not None:
            written[name] = f"{yuan_per_kg(price):.2f}"
    if filters.on is not None:
        written["on"] = filters.on.isoformat()
    return written


def _as_demand(filters: BrowseFilters, maybe: Sequence[ProduceFound]) -> str:
    """Return what was looked for as the query of the page that posts a demand."""
    wanted = {
        "produce": filters.produce or (maybe[0].code if maybe else filters.q),
        "quantity": _written(filters).get("quantity"),
        "ceiling": _written(filters).get("price_high"),
        "min_grade": filters.grade,
        "deliver_from": filters.on,
    }
    pairs = [(name, str(value)) for name, value in wanted.items() if value]
    return urlencode([*pairs, *(("requires", code) for code in filters.credentials)])


def _named(row: Any, language: Language) -> str:
    return str(row.en if language == "en" and row.en else row.zh)


async def _facets(
    filters: BrowseFilters, found: Page[ListingCard], language: Language
) -> Mapping[str, list[Choice]]:
    """What may be chosen. Where nothing was found the choices stand there without counts."""
    offered = {
        name: [Choice(f.code, _named(f, language), f.count, f.chosen) for f in counted]
        for name, counted in _shortened(found.facets).items()
    }
    names = await _names(filters, language)
    for name, chosen in _chosen(filters).items():
        counted = {choice.value for choice in offered.setdefault(name, [])}
        missing = [value for value in chosen if value not in counted]
        offered[name] += [Choice(value, names[name].get(value, value), 0, True) for value in missing]
    return offered


def _chosen(filters: BrowseFilters) -> dict[str, list[str]]:
    """What is picked in each facet."""
    single = {
        "category": filters.category,
        "produce": filters.produce,
        "place": filters.place[:COUNTY_DIGITS] if filters.place else None,
        "grade": None if filters.grade is None else str(filters.grade),
    }
    return {
        **{name: [value] if value else [] for name, value in single.items()},
        "credentials": list(filters.credentials),
    }


async def _names(filters: BrowseFilters, language: Language) -> dict[str, dict[str, str]]:
    """Return the names of what is picked, by facet and code; what nobody knows is left out."""
    names: dict[str, dict[str, str]] = {name: {} for name in _chosen(filters)}
    if filters.category:
        names["category"] = {c.code: _named(c, language) for c in await categories()}
    if filters.grade is not None:
        names["grade"] = {str(g.level): _named(g, language) for g in await grades()}
    if filters.credentials:
        names["credentials"] = {c.code: _named(c, language) for c in await credential_kinds()}
    with suppress(NotFound):
        if filters.produce:
            names["produce"] = {filters.produce: _named(await produce_by_code(filters.produce), language)}
    with suppress(NotFound):
        if filters.place:
            county = filters.place[:COUNTY_DIGITS]
            names["place"] = {
                code: place_in((await division_by_code(code)).name, language)
                for code in {county, filters.place}
            }
    return names


def _shortened(facets: Mapping[str, list[FacetCount]]) -> dict[str, list[FacetCount]]:
    kept = dict(facets)
    kept["place"] = [f for n, f in enumerate(facets.get("place", [])) if n < _MOST_PLACES or f.chosen]
    return kept


async def _conditions(filters: BrowseFilters, language: Language) -> list[Condition]:
    """Return every filter that is on, in words."""
    names = await _names(filters, language)
    on: list[Condition] = []

    def add(text: Message | str, **changed: Any) -> None:
        without = structs.replace(filters, **{"page": 1, **changed})
        on.append(Condition(translate(text, language) if isinstance(text, Message) else text, without))

    if filters.q:
        add(msg("搜索：{text}", text=filters.q), q="")
    for name in ("category", "produce", "place"):
        value = getattr(filters, name)
        if value:
            add(names[name].get(value, value), **{name: None})
    if filters.grade is not None:
        label = names["grade"].get(str(filters.grade), str(filters.grade))
        add(msg("{grade}及以上", grade=label), grade=None)
    if filters.on:
        add(msg("{day} 有货", day=formats.day(filters.on, language)), on=None)
    if filters.quantity is not None:
        add(msg("至少剩 {mass}", mass=formats.mass(filters.quantity, language)), quantity=None)
    if filters.price_low is not None:
        add(msg("不低于 {price}", price=formats.price_kg(filters.price_low, language)), price_low=None)
    if filters.price_high is not None:
        add(msg("不高于 {price}", price=formats.price_kg(filters.price_high, language)), price_high=None)
    for code in filters.credentials:
        rest = tuple(other for other in filters.credentials if other != code)
        add(names["credentials"].get(code, code), credentials=rest)
    if filters.town is not None:
        add(msg("只看一个镇"), town=None)
    if filters.seller is not None:
        add(msg("只看一家"), seller=None)
    if filters.sold_out:
        add(msg("含售罄"), sold_out=False)
    return on


async def _what_each_bars(conditions: list[Condition]) -> list[Condition]:
    """Count what would be found without each condition: the one that frees most stands first."""
    counted = [
        structs.replace(condition, frees=(await browse(condition.without)).total) for condition in conditions
    ]
    return sorted(counted, key=lambda each: -(each.frees or 0))


routes: list[ControllerRouterHandler] = [hall]
