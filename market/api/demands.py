"""What buyers want: open demands, one's own, posting and closing."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.accounts.rules import actor
from market.api.filters import filtered, filters_of
from market.api.handling import deed, do_once, marked_as, read, seen_in, unless_changed
from market.api.inputs import (
    Anybody,
    Code,
    Grams,
    GramsOrNone,
    IdempotencyKey,
    IfMatch,
    PathId,
    Price,
    Prose,
    RowId,
    SignedIn,
    Title,
)
from market.api.outputs import Moved
from market.bids.standing import move_wants, revise_wants
from market.demand.commands import DemandWants, NewDemand
from market.demand.filters import DemandFilters
from market.demand.operations import Posted, publish_demand
from market.demand.queries import (
    DemandCard,
    DemandDetails,
    OwnDemand,
    demand_page,
    demands_of,
    open_demands,
)
from market.demand.rules import PUBLISHED
from market.meanwhile import marks_of
from market.paging import Page
from market.units import FenPerKg, Gram

Move = Literal["close", "cancel"]


class DemandToPublish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`ceiling` is the most the buyer pays, delivered to the site; `site_id` is one of `/me`'s sites."""

    produce: Code
    title: Title
    quantity: Grams
    ceiling: Price
    site_id: RowId
    deliver_from: date
    deliver_to: date
    title_en: Title = ""
    min_grade: Annotated[int, Meta(ge=0, le=9)] = 0
    min_order: GramsOrNone = 0
    max_lots: Annotated[int, Meta(ge=1, le=1000)] | None = None
    requires: Annotated[tuple[Code, ...], Meta(max_length=20)] = ()
    max_distance_km: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    note: Prose = ""
    note_en: Prose = ""


@read("/demands", guests=True, operation=filtered(DemandFilters))
async def wanted(request: Request[Any, Any, Any], guest: Anybody) -> Page[DemandCard]:
    """Published demands that still want something, a page at a time."""
    filters = filters_of(request, DemandFilters)
    return await open_demands(filters, guest.organisation_id if guest else None)


@read("/demands/mine")
async def mine(viewer: SignedIn) -> list[OwnDemand]:
    """Your organisation's demands with what became of them, open ones first."""
    return await demands_of(viewer.organisation_id)


@read("/demands/{demand_id:int}", guests=True)
async def one(guest: Anybody, demand_id: PathId) -> DemandDetails:
    """Everything about one demand."""
    return await demand_page(demand_id, guest.organisation_id if guest else None)


@deed("/demands", body=DemandToPublish, status=201)
async def publish(viewer: SignedIn, data: JSONBody[DemandToPublish], key: IdempotencyKey = None) -> Posted:
    """Post a demand of one of your sites."""
    demand = NewDemand(
        produce=data.produce,
        title=data.title,
        quantity=Gram(data.quantity),
        ceiling=FenPerKg(data.ceiling),
        site_id=data.site_id,
        deliver_from=data.deliver_from,
        deliver_to=data.deliver_to,
        title_en=data.title_en,
        min_grade=data.min_grade,
        min_order=Gram(data.min_order),
        max_lots=data.max_lots,
        requires=data.requires,
        max_distance_km=data.max_distance_km,
        note=data.note,
        note_en=data.note_en,
    )
    return Posted(
        await publish_demand(
            demand=demand,
            buyer_id=viewer.organisation_id,
            actor=actor(viewer, "buyer"),
            at=clock.now(),
            key=key,
        )
    )


class DemandToRevise(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the demand wants from now on, in all; `quantity` includes what has been bought already."""

    quantity: Grams
    ceiling: Price
    deliver_from: date
    deliver_to: date
    min_grade: Annotated[int, Meta(ge=0, le=9)] = 0
    min_order: GramsOrNone = 0
    requires: Annotated[tuple[Code, ...], Meta(max_length=20)] = ()


@read("/demands/{demand_id:int}/terms", guests=True, marked=True)
async def wants_now(guest: Anybody, demand_id: PathId) -> Response[DemandToRevise]:
    """What it wants, as it may be changed, with its ETag."""
    demand = await demand_page(demand_id, guest.organisation_id if guest else None)
    now = DemandWants(
        quantity=Gram(demand.quantity),
        ceiling=FenPerKg(demand.ceiling),
        deliver_from=demand.deliver_from,
        deliver_to=demand.deliver_to,
        min_grade=demand.min_grade,
        min_order=Gram(demand.min_order),
        requires=tuple(each.code for each in demand.requires),
    )
    return marked_as(DemandToRevise(**msgspec.structs.asdict(now)), marks_of(now))


@deed("/demands/{demand_id:int}/terms", body=DemandToRevise, matched=True)
async def revise(
    viewer: SignedIn,
    demand_id: PathId,
    data: JSONBody[DemandToRevise],
    key: IdempotencyKey = None,
    if_match: IfMatch = None,
) -> Moved:
    """Change an open demand. Where it asks more or pays less, open offers on it must be confirmed anew."""
    by = actor(viewer, "buyer")
    wants = DemandWants(
        quantity=Gram(data.quantity),
        ceiling=FenPerKg(data.ceiling),
        deliver_from=data.deliver_from,
        deliver_to=data.deliver_to,
        min_grade=data.min_grade,
        min_order=Gram(data.min_order),
        requires=data.requires,
    )

    async def do(at: datetime) -> str:
        own = viewer.organisation_id
        await revise_wants(
            demand_id=demand_id,
            wants=wants,
            buyer_id=own,
            actor=by,
            at=at,
            seen=seen_in(if_match),
            exact=True,
        )
        return PUBLISHED

    about = {"demand": demand_id, "wants": msgspec.to_builtins(data)}
    with unless_changed(if_match):
        return await do_once(viewer=viewer, key=key, name="demand_revise", about=about, do=do)


@deed("/demands/{demand_id:int}/{move:str}")
async def change(
    viewer: SignedIn, demand_id: PathId, move: FromPath[Move], key: IdempotencyKey = None
) -> Moved:
    """Close or cancel a demand."""
    by = actor(viewer, "buyer")
    return await do_once(
        viewer=viewer,
        key=key,
        name=f"demand_{move}",
        about={"demand": demand_id},
        do=lambda at: move_wants(
            demand_id=demand_id, move=move, buyer_id=viewer.organisation_id, actor=by, at=at
        ),
    )


routes: list[ControllerRouterHandler] = [wanted, mine, one, publish, wants_now, revise, change]
