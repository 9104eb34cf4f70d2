"""Stock: storage places, lots and their ledger, and processing."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Literal, TypeVar

import msgspec
from litestar import Response
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.accounts.rules import Viewer, require
from market.api.handling import acting, deed, marked_as, read, seen_in, unless_changed
from market.api.inputs import Code, Grams, IdempotencyKey, IfMatch, Line, PathId, RowId, SignedIn, Title
from market.catalogue.recipes import Recipe, recipes_for
from market.db.replay import once
from market.errors import Invalid, NotFound
from market.i18n import msg
from market.meanwhile import marks_of
from market.supply import stock
from market.supply.households import (
    SettlementRow,
    settlements_of,
)
from market.supply.ledger import LedgerLine, ledger_of_lot
from market.supply.lots import HoldingRow, LotRow, StorageView, holdings_of, lot_page, lots_of, storages_of
from market.supply.stock import NewStorage
from market.supply.transforming import NewTransformation, Output, Transformed, transform
from market.units import Gram

Reply = TypeVar("Reply", bound=msgspec.Struct)
Name = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")]
GramsOrNothing = Annotated[int, Meta(ge=0, le=10**11, description="Grams")]


class StorageToOpen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place where goods stand; `capacity` in grams."""

    name: Name
    kind: Literal["tank", "cold_store", "warehouse", "granary", "yard"]
    capacity: Grams


class Correction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was lost or found without a sale; `storage_id` null: in no named place."""

    direction: Literal["lost", "found"]
    grams: Grams
    reason: Literal[
        "dried",
        "spoiled",
        "pests",
        "spilled",
        "stolen",
        "own_use",
        "counted_less",
        "gathered",
        "counted_more",
    ]
    storage_id: RowId | None = None
    note: Line = ""


class Moving(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From one place to another; null: no named place."""

    grams: Grams
    from_id: RowId | None = None
    to_id: RowId | None = None


class Sending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Goods of a contract in force that have left, or of any contract that have come `back`.

    Neither changes what is for sale.
    """

    grams: Grams
    deal_id: RowId
    storage_id: RowId | None = None
    direction: Literal["out", "back"] = "out"


class OutputToMake(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    produce: Code
    grams: Grams
    variety: Title = ""
    storage_id: RowId | None = None


class Processing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`grams` go in; what comes out and `loss` add up to it, to the gram."""

    process: Code
    grams: Grams
    loss: GramsOrNothing
    outputs: Annotated[tuple[OutputToMake, ...], Meta(min_length=1, max_length=20)]
    storage_id: RowId | None = None


class Opened(msgspec.Struct, frozen=True):
    storage_id: int


class Rest(msgspec.Struct, frozen=True):
    """Grams of the lot that nobody has reserved."""

    remaining: int


class LotDetails(msgspec.Struct, frozen=True):
    lot: LotRow
    holdings: list[HoldingRow]
    recipes: list[Recipe]
    settlements: list[SettlementRow]


class _Asked(msgspec.Struct, frozen=True):
    name: str
    subject: int
    body: msgspec.Raw


async def once_for(
    viewer: Viewer,
    key: str | None,
    subject: int,
    body: msgspec.Struct,
    kind: type[Reply],
    do: Callable[[datetime], Awaitable[Reply]],
) -> Reply:
    """Do what the ``body`` asks of a thing (``subject``) once, and return its reply."""
    at = clock.now()
    asked = _Asked(type(body).__name__, subject, msgspec.Raw(msgspec.json.encode(body)))
    return await once(
        key=key, person_id=viewer.person_id, request=asked, reply_type=kind, deed=lambda: do(at), at=at
    )


async def on_lot(
    viewer: Viewer,
    key: str | None,
    lot_id: int,
    body: msgspec.Struct,
    do: Callable[[datetime], Awaitable[object]],
) -> Rest:
    """Do something to a lot once; return what nobody has reserved of it afterwards."""

    async def done(at: datetime) -> Rest:
        await do(at)
        return Rest((await lot_page(lot_id, viewer.organisation_id)).remaining)

    return await once_for(viewer, key, lot_id, body, Rest, done)


@read("/storages")
async def storages(viewer: SignedIn) -> list[StorageView]:
    """Your storage places: capacity, and what stands in them, in grams."""
    require(viewer, "seller")
    return await storages_of(viewer.organisation_id)


@deed("/storages", body=StorageToOpen, status=201)
async def open_storage(viewer: SignedIn, data: JSONBody[StorageToOpen], key: IdempotencyKey = None) -> Opened:
    """Add a storage place."""
    require(viewer, "seller")

    async def do(at: datetime) -> Opened:
        return Opened(
            await stock.open_storage(
                storage=NewStorage(data.name, data.kind, Gram(data.capacity)),
                owner_id=viewer.organisation_id,
                actor=acting(viewer, "seller"),
                at=at,
            )
        )

    return await once_for(viewer, key, 0, data, Opened, do)


@read("/storages/{storage_id:int}", marked=True)
async def storage(viewer: SignedIn, storage_id: PathId) -> Response[StorageView]:
    """One of your storage places, with its ETag."""
    require(viewer, "seller")
    return _marked(await _place(viewer, storage_id))


def _marked(place: StorageView) -> Response[StorageView]:
    return marked_as(place, marks_of(NewStorage(place.name, place.kind, Gram(place.capacity))))


async def _place(viewer: Viewer, storage_id: int) -> StorageView:
    for each in await storages_of(viewer.organisation_id):
        if each.id == storage_id:
            return each
    raise NotFound(msg("没有找到这个存放地方。"))


@deed("/storages/{storage_id:int}", body=StorageToOpen, matched=True)
async def change_storage(
    viewer: SignedIn,
    storage_id: PathId,
    data: JSONBody[StorageToOpen],
    key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> StorageView:
    """Rename a storage place, or change its kind or capacity."""
    require(viewer, "seller")

    async def do(at: datetime) -> StorageView:
        await stock.change_storage(
            storage_id=storage_id,
            storage=NewStorage(data.name, data.kind, Gram(data.capacity)),
            owner_id=viewer.organisation_id,
            actor=acting(viewer, "seller"),
            at=at,
            seen=seen_in(if_match),
            exact=True,
        )
        return await _place(viewer, storage_id)

    with unless_changed(if_match):
        return await once_for(viewer, key, storage_id, data, StorageView, do)


@read("/lots")
async def lots(viewer: SignedIn) -> list[LotRow]:
    """Your lots, on sale or not."""
    require(viewer, "seller")
    return await lots_of(viewer.organisation_id)


@read("/lots/{lot_id:int}")
async def one(viewer: SignedIn, lot_id: PathId) -> LotDetails:
    """One lot of yours: where it stands, what it came from, what it can be made into, what was settled."""
    require(viewer, "seller")
    own = viewer.organisation_id
    lot = await lot_page(lot_id, own)
    return LotDetails(
        lot,
        await holdings_of(own, lot_id=lot_id),
        await recipes_for(lot.produce),
        await settlements_of(lot_id, own),
    )


@read("/lots/{lot_id:int}/ledger")
async def ledger(viewer: SignedIn, lot_id: PathId) -> list[LedgerLine]:
    """The newest lines of its stock ledger."""
    require(viewer, "seller")
    await lot_page(lot_id, viewer.organisation_id)
    return await ledger_of_lot(lot_id=lot_id, owner_id=viewer.organisation_id)


@deed("/lots/{lot_id:int}/corrections", body=Correction)
async def correct(
    viewer: SignedIn, lot_id: PathId, data: JSONBody[Correction], key: IdempotencyKey = None
) -> Rest:
    """Write down what was lost or found without a sale."""
    require(viewer, "seller")

    async def do(at: datetime) -> None:
        await stock.correct_stock(
            lot_id=lot_id,
            grams=data.grams * (-1 if data.direction == "lost" else 1),
            reason=data.reason,
            storage_id=data.storage_id,
            note=data.note,
            owner_id=viewer.organisation_id,
            actor=acting(viewer, "seller"),
            at=at,
        )

    return await on_lot(viewer, key, lot_id, data, do)


@deed("/lots/{lot_id:int}/moves", body=Moving)
async def move(viewer: SignedIn, lot_id: PathId, data: JSONBody[Moving], key: IdempotencyKey = None) -> Rest:
    """Bring goods from place to place."""
    require(viewer, "seller")

    async def do(at: datetime) -> None:
        await stock.move_stock(
            lot_id=lot_id,
            grams=Gram(data.grams),
            from_id=data.from_id,
            to_id=data.to_id,
            owner_id=viewer.organisation_id,
            actor=acting(viewer, "seller"),
            at=at,
        )

    return await on_lot(viewer, key, lot_id, data, do)


@deed("/lots/{lot_id:int}/dispatches", body=Sending)
async def send(viewer: SignedIn, lot_id: PathId, data: JSONBody[Sending], key: IdempotencyKey = None) -> Rest:
    """Write down that goods of a contract have left, or have come back."""
    require(viewer, "seller")

    async def do(at: datetime) -> None:
        pass_gate = stock.send_stock if data.direction == "out" else stock.take_back
        await pass_gate(
            lot_id=lot_id,
            grams=Gram(data.grams),
            deal_id=data.deal_id,
            storage_id=data.storage_id,
            owner_id=viewer.organisation_id,
            actor=acting(viewer, "seller"),
            at=at,
        )

    return await on_lot(viewer, key, lot_id, data, do)


@deed("/lots/{lot_id:int}/transformations", body=Processing, status=201)
async def process(
    viewer: SignedIn, lot_id: PathId, data: JSONBody[Processing], key: IdempotencyKey = None
) -> Transformed:
    """Make goods of a lot into others, in one commit; yields lie within the bounds of the process."""
    require(viewer, "seller")
    outputs = tuple(
        Output(each.produce, Gram(each.grams), each.variety, each.storage_id) for each in data.outputs
    )
    try:
        return await transform(
            transformation=NewTransformation(
                lot_id, data.process, Gram(data.grams), Gram(data.loss), outputs, data.storage_id
            ),
            owner_id=viewer.organisation_id,
            actor=acting(viewer, "seller"),
            at=clock.now(),
            key=key,
        )
    except Invalid as error:
        given = error.fields.items()
        named = {("outputs" if name.startswith("into_") else name): text for name, text in given}
        raise Invalid(error.message, named) from None


routes: list[ControllerRouterHandler] = [
    storages,
    open_storage,
    storage,
    change_storage,
    lots,
    one,
    ledger,
    correct,
    move,
    send,
    process,
]
