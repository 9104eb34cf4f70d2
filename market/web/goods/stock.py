"""A seller's stock: places and lots, one lot's ledger and lineage, one place and what stands in it."""

from collections.abc import Sequence
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer, actor
from market.cases.queries import open_case_of_lot
from market.catalogue.recipes import recipes_for
from market.errors import Invalid, NotFound
from market.i18n import Message, msg
from market.meanwhile import ChangedMeanwhile, marks_of, settled
from market.supply import stock
from market.supply.households import settlements_of
from market.supply.ledger import ledger_of_lot
from market.supply.lots import (
    StorageView,
    holdings_of,
    lot_page,
    lots_of,
    makings_of,
    open_deals_of,
    storages_of,
)
from market.supply.rules import LISTING, STOCK_KINDS
from market.supply.stock import NewStorage
from market.supply.stock_rules import CORRECTIONS, LONGEST_NAME, STORAGE_KINDS
from market.units import Gram
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.parts import fields, pages
from market.web.parts.changed_meanwhile import SEEN, merged, saved_with, with_theirs
from market.web.parts.forms import Filled, Form
from market.web.parts.trade import BARE, KEY, do_once, new_key, show

#: The value of a choice that names no place.
NOWHERE = "0"

_STORAGE = Form(
    name=fields.text(msg("名称"), most=LONGEST_NAME, hint=msg("例如 1 号罐、村西冷库。")),
    kind=fields.choice(msg("种类"), dict(STORAGE_KINDS), chips=True),
    capacity=fields.quantity(msg("容量"), unit="t", hint=msg("最多能放多少，例如一个罐 3 吨。")),
    key=KEY,
    seen=SEEN,
)


def storage_choices(storages: Sequence[StorageView]) -> dict[str, Message | str]:
    """Return the open places by number, and the choice that names none."""
    return {
        NOWHERE: msg("不指明地方"),
        **{str(each.id): each.name for each in storages if each.is_open},
    }


def chosen_storage(value: str | None) -> int | None:
    """Return the number of the place that was chosen, None for none."""
    return None if value in (None, NOWHERE) else int(str(value))


@get("/selling/stock", guards=[require("seller")])
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Where goods stand, and every lot, on sale or not."""
    return show(
        request,
        "stock/index.html",
        storages=await storages_of(viewer.organisation_id),
        lots=await lots_of(viewer.organisation_id),
        kinds=STORAGE_KINDS,
        LISTING=LISTING,
    )


@get("/selling/lots/{lot_id:int}", guards=[require("seller")])
async def one(request: WebRequest, viewer: SignedIn, lot_id: FromPath[int]) -> Response[str]:
    """One lot: where it stands, what it came from, what became of it, its ledger."""
    owner = viewer.organisation_id
    lot = await lot_page(row_number(lot_id), owner)
    return show(
        request,
        "stock/lot.html",
        lot=lot,
        holdings=await holdings_of(owner, lot_id=lot_id),
        makings=await makings_of(lot_id, owner),
        recipes=await recipes_for(lot.produce) if lot.remaining else [],
        deals=[each for each in await open_deals_of(lot_id, owner) if each.left > 0],
        ledger=await ledger_of_lot(lot_id=lot_id, owner_id=owner),
        settlements=await settlements_of(lot_id, owner),
        case=await open_case_of_lot(lot_id=lot_id, organisation_id=owner),
        can_list=lot.remaining > 0 and lot.listing_state in (None, "withdrawn", "expired"),
        kinds=STOCK_KINDS,
        reasons=CORRECTIONS,
        LISTING=LISTING,
    )


@get("/selling/stock/places/new", guards=[require("seller")])
async def new_place(request: WebRequest) -> Response[str]:
    """The form of a new place."""
    return _draw(request, _STORAGE.blank(key=new_key(), kind="tank"), None)


@post("/selling/stock/places/new", guards=[require("seller")])
async def add_place(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Add a place."""
    filled = await _STORAGE.read(request)
    if filled.errors:
        return _draw(request, filled, None, status=422)
    storage = _read(filled)
    at = clock.now()
    try:
        await do_once(
            viewer=viewer,
            key=filled.values["key"],
            name="storage_open",
            about={"name": storage.name, "kind": storage.kind, "capacity": storage.capacity},
            deed=lambda: stock.open_storage(
                storage=storage, owner_id=viewer.organisation_id, actor=actor(viewer, "seller"), at=at
            ),
            at=at,
        )
    except Invalid as error:
        return _draw(request, filled.refused(error), None, status=422)
    return pages.redirect(request, "/selling/stock", toast=msg("“{name}”已登记。", name=storage.name))


@get("/selling/stock/places/{storage_id:int}", guards=[require("seller")])
async def place(request: WebRequest, viewer: SignedIn, storage_id: FromPath[int]) -> Response[str]:
    """One place: what stands in it, and its form."""
    storage = await _own(viewer, storage_id)
    return _draw(
        request,
        _standing(storage),
        storage,
        holdings=await holdings_of(viewer.organisation_id, storage_id=storage_id),
    )


@post("/selling/stock/places/{storage_id:int}", guards=[require("seller")])
async def change_place(request: WebRequest, viewer: SignedIn, storage_id: FromPath[int]) -> Response[Any]:
    """Rename it, or change its capacity."""
    storage = await _own(viewer, storage_id)
    filled, language, theirs = await _STORAGE.read(request), language_of(request), frozenset[str]()
    try:
        filled.check()
        wanted, seen = _read(filled), filled.values["seen"]
        theirs = settled(wanted, now=_place(storage), seen=seen).theirs
        await stock.change_storage(
            storage_id=storage_id,
            storage=wanted,
            owner_id=viewer.organisation_id,
            actor=actor(viewer, "seller"),
            at=clock.now(),
            seen=seen,
        )
    except Invalid as error:
        form = filled if filled.errors else filled.refused(error)
        if theirs:
            form = with_theirs(form, theirs, fresh=_standing(storage), language=language)
        found = await holdings_of(viewer.organisation_id, storage_id=storage_id)
        return _draw(request, form, storage, holdings=found, status=422)
    except ChangedMeanwhile as changed:
        storage = await _own(viewer, storage_id)
        form = merged(filled, changed, fresh=_standing(storage), language=language)
        found = await holdings_of(viewer.organisation_id, storage_id=storage_id)
        return _draw(request, form, storage, holdings=found, status=409)
    return pages.redirect(request, "/selling/stock", toast=saved_with(msg("已保存。"), filled, theirs))


@post("/selling/stock/places/{storage_id:int}/{move:str}", guards=[require("seller")])
async def open_or_close(
    request: WebRequest, viewer: SignedIn, storage_id: FromPath[int], move: FromPath[str]
) -> Response[Any]:
    """Close an empty place, or open it again."""
    if move not in ("close", "open"):
        raise NotFound(msg("没有这一步，请回到货源页面操作。"))
    (await BARE.read(request)).check()
    await stock.set_storage_open(
        storage_id=row_number(storage_id),
        is_open=move == "open",
        owner_id=viewer.organisation_id,
        actor=actor(viewer, "seller"),
        at=clock.now(),
    )
    return pages.redirect(request, f"/selling/stock/places/{storage_id}", toast=msg("已保存。"))


def _place(storage: StorageView) -> NewStorage:
    return NewStorage(storage.name, storage.kind, Gram(storage.capacity))


def _standing(storage: StorageView) -> Filled:
    """Return the form with the place as it is standing in it."""
    now = _place(storage)
    return _STORAGE.blank(
        name=now.name, kind=now.kind, capacity=now.capacity, key=new_key(), seen=marks_of(now)
    )


def _read(filled: Filled) -> NewStorage:
    return NewStorage(filled.values["name"], filled.values["kind"], filled.values["capacity"])


async def _own(viewer: Viewer, storage_id: int) -> StorageView:
    row_number(storage_id)
    for each in await storages_of(viewer.organisation_id):
        if each.id == storage_id:
            return each
    raise NotFound(msg("没有找到这个存放地方。"))


def _draw(
    request: WebRequest,
    form: Filled,
    storage: StorageView | None,
    *,
    holdings: Sequence[object] = (),
    status: int = 200,
) -> Response[str]:
    return show(request, "stock/place.html", status=status, form=form, storage=storage, holdings=holdings)


routes: list[ControllerRouterHandler] = [
    index,
    one,
    new_place,
    add_place,
    place,
    change_place,
    open_or_close,
]
