"""What came of it: prices of the market around a breach, goods on shelves, capacity grown."""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.accounts.rules import Actor, Viewer, require
from market.api.handling import acting, deed, do_once, read
from market.api.inputs import ONE_LINE, Code, Grams, IdempotencyKey, Line, PathId, Price, RowId, SignedIn
from market.api.outputs import Moved
from market.db.replay import once
from market.deals.breach_queries import case_of, figures
from market.deals.queries import deal_of
from market.followup.capacity import Capacity, NewEntry, capacities_of, note_capacity
from market.followup.capacity_rules import MOST_UNITS
from market.followup.quote_rules import LONGEST_SOURCE, Difference
from market.followup.quotes import QuoteRow, add_quote, loss_of, quotes_of
from market.followup.shelf_queries import ShelfRow, Sighting, shelf_of, sightings_of, spell_of
from market.followup.shelf_rules import LONGEST_LABEL
from market.followup.shelving import NewSighting, NewSpell, put_on_shelf, see
from market.units import FenPerKg, Gram


class Quotes(msgspec.Struct, frozen=True):
    """`loss`: what the quotes make of the part that no other deal has taken; advice, it decides nothing."""

    quotes: list[QuoteRow]
    loss: Difference | None


class QuoteToAdd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`source`: where the price was read. `on` lies within 30 days of the notice of termination."""

    on: date
    price: Price
    source: Annotated[str, Meta(min_length=1, max_length=LONGEST_SOURCE, pattern=ONE_LINE)]


class QuoteAdded(msgspec.Struct, frozen=True):
    quote_id: int


class _AddQuote(msgspec.Struct, frozen=True):
    breach_id: int
    quote: QuoteToAdd


class SpellToAdd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`price` as shoppers pay it; `label` is brand and packing as the shelf says."""

    site_id: RowId
    seller_id: RowId
    produce: Code
    label: Annotated[str, Meta(min_length=1, max_length=LONGEST_LABEL, pattern=ONE_LINE)]
    on: date
    price: Price | None = None
    note: Line = ""


class SpellAdded(msgspec.Struct, frozen=True):
    spell_id: int


class SightingToAdd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: Literal["seen", "gone"]
    on: date
    price: Price | None = None
    note: Line = ""


class Shelf(msgspec.Struct, frozen=True):
    shelf: ShelfRow
    sightings: list[Sighting]


class CapacityToNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From `on` there are `units` of a `kind` that take `grams` each; `kind`: as a storage's."""

    kind: Code
    on: date
    units: Annotated[int, Meta(ge=0, le=MOST_UNITS)]
    grams: Grams
    note: Line = ""


@read("/breaches/{breach_id:int}/quotes")
async def quotes(viewer: SignedIn, breach_id: PathId) -> Quotes:
    """Prices of the market around a notice of termination, by day, and the loss that they advise."""
    case = await case_of(breach_id=breach_id, organisation_id=viewer.organisation_id)
    deal = await deal_of(deal_id=case.deal, organisation_id=viewer.organisation_id)
    told = await quotes_of(breach_id=case.id)
    sums, _ = await figures(case=case, deal=deal)
    return Quotes(told, loss_of(case, deal, sums, told))


@deed("/breaches/{breach_id:int}/quotes", body=QuoteToAdd, status=201)
async def quote(
    viewer: SignedIn, breach_id: PathId, data: JSONBody[QuoteToAdd], key: IdempotencyKey = None
) -> QuoteAdded:
    """Write down a price of the market's, as either side; it cannot be taken back."""
    case, at = await case_of(breach_id=breach_id, organisation_id=viewer.organisation_id), clock.now()
    sides = {case.seller: "seller", case.buyer: "buyer"}
    by = acting(viewer, sides.get(viewer.organisation_id, "official"))

    async def do() -> QuoteAdded:
        return QuoteAdded(
            await add_quote(
                breach_id=breach_id,
                on=data.on,
                price=FenPerKg(data.price),
                source=data.source,
                organisation_id=viewer.organisation_id,
                actor=by,
                at=at,
            )
        )

    return await once(
        key=key,
        person_id=viewer.person_id,
        request=_AddQuote(breach_id, data),
        reply_type=QuoteAdded,
        deed=do,
        at=at,
    )


@read("/shelf")
async def shelf(viewer: SignedIn) -> list[ShelfRow]:
    """Which stores carry what: yours, or that of your town's sellers; what is there first."""
    require(viewer, "seller", "buyer", "official")
    return await shelf_of(organisation_id=viewer.organisation_id)


@read("/shelf/{spell_id:int}")
async def spell(viewer: SignedIn, spell_id: PathId) -> Shelf:
    """One product on one shelf, and who saw it when."""
    require(viewer, "seller", "buyer", "official")
    found = await spell_of(spell_id=spell_id, organisation_id=viewer.organisation_id)
    return Shelf(found, await sightings_of(spell_id=found.id))


def _looking(viewer: Viewer) -> Actor:
    require(viewer, "seller", "buyer")
    return acting(viewer, "buyer" if "buyer" in viewer.sides else "seller")


@deed("/shelf", body=SpellToAdd, status=201)
async def put(viewer: SignedIn, data: JSONBody[SpellToAdd], key: IdempotencyKey = None) -> SpellAdded:
    """Note that a store carries a product: as its chain, or as the seller, with a signed contract for it."""
    by, at = _looking(viewer), clock.now()
    wish = NewSpell(
        site_id=data.site_id,
        seller_id=data.seller_id,
        produce=data.produce,
        label=data.label,
        on=data.on,
        price=None if data.price is None else FenPerKg(data.price),
        note=data.note,
    )

    async def do() -> SpellAdded:
        return SpellAdded(
            await put_on_shelf(spell=wish, organisation_id=viewer.organisation_id, actor=by, at=at)
        )

    return await once(
        key=key, person_id=viewer.person_id, request=wish, reply_type=SpellAdded, deed=do, at=at
    )


@deed("/shelf/{spell_id:int}/sightings", body=SightingToAdd)
async def sighting(
    viewer: SignedIn, spell_id: PathId, data: JSONBody[SightingToAdd], key: IdempotencyKey = None
) -> Moved:
    """Note that a product is on the shelf still, at which price, or that it is gone."""
    by = _looking(viewer)
    seen = NewSighting(data.kind, data.on, None if data.price is None else FenPerKg(data.price), data.note)

    async def do(at: datetime) -> str:
        await see(spell_id=spell_id, sighting=seen, organisation_id=viewer.organisation_id, actor=by, at=at)
        return data.kind

    about = {"spell": spell_id, **msgspec.to_builtins(seen)}
    return await do_once(viewer=viewer, key=key, name="shelf_see", about=about, do=do)


@read("/capacity")
async def capacity(viewer: SignedIn) -> list[Capacity]:
    """What you have to store and make things in, over time; a town reads its sellers'. The largest first."""
    require(viewer, "seller", "official")
    return await capacities_of(organisation_id=viewer.organisation_id)


@deed("/capacity", body=CapacityToNote)
async def note(viewer: SignedIn, data: JSONBody[CapacityToNote], key: IdempotencyKey = None) -> Moved:
    """Write down what you have from a day on; the newest word on a day counts."""
    require(viewer, "seller")
    by = acting(viewer, "seller")
    entry = NewEntry(data.kind, data.on, data.units, Gram(data.grams), data.note)

    async def do(at: datetime) -> str:
        await note_capacity(entry=entry, organisation_id=viewer.organisation_id, actor=by, at=at)
        return "noted"

    about = msgspec.to_builtins(entry)
    return await do_once(viewer=viewer, key=key, name="capacity", about=about, do=do)


routes: list[ControllerRouterHandler] = [quotes, quote, shelf, spell, put, sighting, capacity, note]
