"""Shelf presence (上架): which stores carry what since when; written down on the phone in a few taps."""

import zlib
from collections import defaultdict
from typing import Any, Literal

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer
from market.errors import Conflict, Invalid
from market.followup.shelf_queries import (
    Product,
    ShelfRow,
    Store,
    products_of,
    shelf_of,
    sightings_of,
    spell_of,
    stores_of,
)
from market.followup.shelf_rules import GONE, LONGEST_LABEL, LONGEST_NOTE, SEEN, SIGHTINGS
from market.followup.shelving import NewSighting, NewSpell, put_on_shelf, see
from market.i18n import Message, msg
from market.paging import filters_to_query
from market.units import FenPerKg
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.followup.ledger import FOLLOWERS
from market.web.parts import fields, pages
from market.web.parts.filters import read_filters
from market.web.parts.forms import Filled, Form
from market.web.parts.trade import KEY, acting, do_filled, name_in, new_key, show

_WRITERS = [require("seller", "buyer")]
#: What the list is cut by: the fields that make a heading.
GROUPS: dict[str, tuple[Message, str, str]] = {
    "chain": (msg("商超"), "chain", "chain_name"),
    "seller": (msg("村"), "seller", "seller_name"),
    "produce": (msg("品类"), "produce", "produce_name"),
    "town": (msg("镇"), "town", "town_name"),
}


class Filters(msgspec.Struct, frozen=True):
    """What of the shelves is looked at; ``gone``: those that it left, too."""

    by: Literal["chain", "seller", "produce", "town"] = "chain"
    chain: int | None = None
    seller: int | None = None
    produce: str | None = None
    town: int | None = None
    gone: bool = False

    def keep(self, row: ShelfRow) -> bool:
        return (
            (self.gone or row.is_on)
            and self.chain in (None, row.chain)
            and self.seller in (None, row.seller)
            and self.produce in (None, row.produce)
            and self.town in (None, row.town)
        )


def filters_of(request: WebRequest) -> Filters:
    """Return what the address asks for; nonsense is left out."""
    return read_filters(Filters, list(request.query_params.multi_items()))[0]


def may_write(row: ShelfRow, viewer: Viewer) -> bool:
    return viewer.organisation_id in (row.seller, row.chain) and bool(viewer.sides & {"seller", "buyer"})


def side_of(viewer: Viewer) -> str:
    return "buyer" if "buyer" in viewer.sides else "seller"


@get("/shelf", guards=FOLLOWERS)
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """List what stands on which shelf, by chain, village, product or town; no map is needed."""
    filters, today = filters_of(request), clock.today()
    every = await shelf_of(organisation_id=viewer.organisation_id)
    found = [row for row in every if filters.keep(row)]
    _, key, name = GROUPS[filters.by]
    parts: dict[Any, list[ShelfRow]] = defaultdict(list)
    for row in found:
        parts[getattr(row, key)].append(row)
    on = [row for row in found if row.is_on]
    return show(
        request,
        "followup/shelf.html",
        filters=filters,
        groups=sorted(parts.values(), key=lambda rows: (-len(rows), rows[0].id)),
        group_name=name,
        group_at=lambda row: f"/shelf?{filters_to_query(filters, **{key: getattr(row, key)})}",
        stores=len({row.site for row in on}),
        chains=len({row.chain for row in on}),
        products=len({(row.seller, row.produce, row.label) for row in on}),
        stale=sum(row.is_stale(today) for row in on),
        gone=sum(not row.is_on for row in every),
        has_any=bool(every),
        bys={by: label for by, (label, _, _) in GROUPS.items()},
        by_at=lambda by: f"/shelf?{filters_to_query(filters, by=by)}",
        gone_at=f"/shelf?{filters_to_query(filters, gone=not filters.gone)}",
        query=filters_to_query(filters),
        is_narrow=any((filters.chain, filters.seller, filters.produce, filters.town)),
        may_write=lambda row: may_write(row, viewer),
        writes=bool(viewer.sides & {"seller", "buyer"}),
    )


def _key_of(product: Product) -> str:
    title = zlib.crc32(product.title.encode())
    return f"{product.seller}.{product.chain}.{product.produce}.{title:08x}"


async def _form(request: WebRequest, viewer: Viewer) -> tuple[Form, dict[str, Product], dict[str, Store]]:
    """Return the form with what the viewer has sold or bought, and the stores of those chains."""
    language, mine = language_of(request), viewer.organisation_id
    products = {_key_of(each): each for each in await products_of(organisation_id=mine)}
    stores = {
        str(each.id): each
        for each in await stores_of(chains=sorted({product.chain for product in products.values()}))
    }
    other = "seller_name" if "buyer" in viewer.sides else "chain_name"
    form = Form(
        product=fields.choice(
            msg("什么货"),
            {
                key: f"{name_in(language, each, 'title')} · {name_in(language, each, other)}"
                for key, each in products.items()
            },
        ),
        store=fields.choice(
            msg("哪家门店"),
            {
                key: name_in(language, each, "name")
                if "buyer" in viewer.sides
                else f"{name_in(language, each, 'chain_name')} · {name_in(language, each, 'name')}"
                for key, each in stores.items()
            },
        ),
        on=fields.day(msg("哪天上架（或看到在架上）"), latest=clock.today()),
        price=fields.price(msg("货架上的价"), optional=True, hint=msg("顾客付的价，没看清可以不填。")),
        label=fields.text(
            msg("品牌、规格"),
            most=LONGEST_LABEL,
            optional=True,
            hint=msg("货架上怎么写的，例如 老边头 5 升。"),
        ),
        note=fields.text(msg("备注"), most=LONGEST_NOTE, optional=True),
        key=KEY,
    )
    return form, products, stores


@get("/shelf/new", guards=_WRITERS)
async def new(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """The form: which goods, which store; the rest may stay as it is."""
    form, products, _ = await _form(request, viewer)
    only = next(iter(products), None)
    filled = form.blank(on=clock.today(), key=new_key(), product=only)
    return show(request, "followup/shelf_new.html", form=filled, has_products=bool(products))


@post("/shelf/new", guards=_WRITERS)
async def add(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Write down that a store carries something."""
    form, products, stores = await _form(request, viewer)
    filled = await form.read(request)
    try:
        filled.check()
        values = filled.values
        product, store = products[values["product"]], stores[values["store"]]
        if store.chain != product.chain:
            raise Invalid(
                msg("有 {n} 处要改，改好后再提交；填过的内容都还在。", n=1), {"store": _not_theirs()}
            )
        spell = NewSpell(
            site_id=store.id,
            seller_id=product.seller,
            produce=product.produce,
            label=values["label"] or product.title[:LONGEST_LABEL],
            on=values["on"],
            price=values["price"],
            note=values["note"] or "",
        )
        await do_filled(
            viewer,
            filled,
            "shelf_put",
            msgspec.to_builtins(spell),
            lambda at: put_on_shelf(
                spell=spell,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side_of(viewer)),
                at=at,
            ),
        )
    except Invalid as error:
        refused = filled.refused(error)
        return show(request, "followup/shelf_new.html", form=refused, has_products=bool(products), status=422)
    except Conflict as error:
        refused = filled.refused(Invalid(error.message, {"store": error.message}))
        return show(request, "followup/shelf_new.html", form=refused, has_products=bool(products), status=422)
    return pages.redirect(request, "/shelf", toast=msg("已记下，对方会收到通知。"))


def _not_theirs() -> Message:
    return msg("这家门店不是这份合同的买方的，请重选。")


_SEE = Form(
    kind=fields.choice(
        msg("现在怎么样"), {kind: SIGHTINGS[kind] for kind in (SEEN, GONE)}, chips=True, default=SEEN
    ),
    on=fields.day(msg("哪天看到的"), optional=True),
    price=fields.price(msg("货架上的价"), optional=True),
    note=fields.text(msg("备注"), most=LONGEST_NOTE, optional=True),
    key=KEY,
)


@get("/shelf/{spell_id:int}", guards=FOLLOWERS)
async def one(request: WebRequest, viewer: SignedIn, spell_id: FromPath[int]) -> Response[str]:
    """One product on one shelf: who saw what, and when."""
    row = await spell_of(spell_id=row_number(spell_id), organisation_id=viewer.organisation_id)
    return await _draw(request, viewer, row, _SEE.blank(kind=SEEN, on=clock.today(), key=new_key()))


async def _draw(
    request: WebRequest, viewer: Viewer, row: ShelfRow, form: Filled, *, status: int = 200
) -> Response[str]:
    return show(
        request,
        "followup/shelf_one.html",
        row=row,
        sightings=await sightings_of(spell_id=row.id),
        kinds=SIGHTINGS,
        form=form,
        may_write=may_write(row, viewer) and row.is_on,
        status=status,
    )


@post("/shelf/{spell_id:int}", guards=_WRITERS)
async def look(request: WebRequest, viewer: SignedIn, spell_id: FromPath[int]) -> Response[Any]:
    """Note what somebody saw: there still, at another price, or gone."""
    filled = await _SEE.read(request)
    row = await spell_of(spell_id=row_number(spell_id), organisation_id=viewer.organisation_id)
    try:
        filled.check()
        price: FenPerKg | None = filled.values["price"]
        sighting = NewSighting(
            filled.values["kind"],
            filled.values["on"] or clock.today(),
            price,
            filled.values["note"] or "",
        )
        await do_filled(
            viewer,
            filled,
            "shelf_see",
            {"spell": spell_id, **msgspec.to_builtins(sighting)},
            lambda at: see(
                spell_id=spell_id,
                sighting=sighting,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side_of(viewer)),
                at=at,
            ),
        )
    except Invalid as error:
        return await _draw(request, viewer, row, filled.refused(error), status=422)
    back = "/shelf" if filled.values["note"] is None and price is None else f"/shelf/{spell_id}"
    return pages.redirect(request, back, toast=msg("已记下。"))


routes: list[ControllerRouterHandler] = [index, new, add, one, look]
