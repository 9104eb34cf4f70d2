"""Why it does not sell, what a change would do, and why this pair: the engine's explanations."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated

import msgspec
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from market import clock
from market.accounts.rules import actor
from market.api.handling import deed, read
from market.api.inputs import Code, GramsOrNone, PathId, Price, Reader, SignedIn
from market.api.outputs import told
from market.demand.queries import demand_page
from market.errors import NotFound
from market.i18n import Language, msg, translate
from market.matching import review
from market.matching.diagnosis.changes import (
    Ask,
    Ceiling,
    Change,
    Credentials,
    DemandMinOrder,
    DemandWindow,
    Dropped,
    Grade,
    LotMinOrder,
    LotWindow,
    MaxLots,
    MinGrade,
    Reach,
)
from market.matching.explain import try_demand, try_listing
from market.matching.explaining.whatif import Effect, Standing
from market.matching.explaining.why import Use, Why
from market.matching.findings import demand_findings_of
from market.supply.queries import listing_page
from market.units import FEN_PER_YUAN, Gram

Level = Annotated[int, Meta(ge=0, le=9)]
Codes = Annotated[tuple[Code, ...], Meta(max_length=20)]


class ListingChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to try on a listing; what is left out stays. `credentials` are obtained on top of those it has."""

    ask: Price | None = None
    min_order: GramsOrNone | None = None
    available_from: date | None = None
    available_to: date | None = None
    grade: Level | None = None
    credentials: Codes = ()


class DemandChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to try on a demand; what is left out stays. `drops` are credentials no longer required."""

    ceiling: Price | None = None
    min_order: GramsOrNone | None = None
    deliver_from: date | None = None
    deliver_to: date | None = None
    min_grade: Level | None = None
    max_lots: Annotated[int, Meta(ge=1, le=1_000)] | None = None
    max_distance_km: Annotated[int, Meta(ge=1, le=5_000)] | None = None
    drops: Codes = ()


class TradeView(msgspec.Struct, frozen=True):
    """`partner` is a demand or a listing; grams; `price` in yuan per kg at the farm gate."""

    partner: int
    quantity: int
    price: str


class StandingView(msgspec.Struct, frozen=True):
    """Grams traded and left, fen of revenue; `price` is the mean at the farm gate in yuan per kg."""

    traded: int
    rest: int
    price: str | None
    revenue: int
    trades: list[TradeView]


class ShiftView(msgspec.Struct, frozen=True):
    """Another listing (`lot`) or demand that would trade more or less. Grams."""

    side: str
    id: int
    before: int
    after: int


class EffectView(msgspec.Struct, frozen=True):
    """Before and after. Whom else it touches is told by number to officials; others learn how many there
    are on their own side and by how much. `exact`: both times the greatest total gain is proven.
    """

    before: StandingView
    after: StandingView
    others: list[ShiftView]
    others_less: int
    grams_less: int
    others_more: int
    grams_more: int
    exact: bool
    finished: bool


class DemandUnlock(msgspec.Struct, frozen=True):
    """One change that would open these listings to a demand. Grams; `cost` in hao per kg, `value` in fen."""

    rank: int
    obstacle: str
    change: str
    unlocks: int
    listings: list[int]
    cost: int
    value: int | None
    confirmed: bool


def _yuan(fen: int) -> Decimal:
    return Decimal(fen) / FEN_PER_YUAN


def _listing_changes(data: ListingChanges) -> list[Change]:
    changes: list[Change] = []
    if data.ask is not None:
        changes.append(Ask(ask=_yuan(data.ask)))
    if data.min_order is not None:
        changes.append(LotMinOrder(min_order=Gram(data.min_order)))
    if data.available_from or data.available_to:
        changes.append(LotWindow(available_from=data.available_from, available_to=data.available_to))
    if data.grade is not None:
        changes.append(Grade(grade=data.grade))
    if data.credentials:
        changes.append(Credentials(codes=frozenset(data.credentials)))
    return changes


def _demand_changes(data: DemandChanges) -> list[Change]:
    changes: list[Change] = []
    if data.ceiling is not None:
        changes.append(Ceiling(ceiling=_yuan(data.ceiling)))
    if data.min_order is not None:
        changes.append(DemandMinOrder(min_order=Gram(data.min_order)))
    if data.deliver_from or data.deliver_to:
        changes.append(DemandWindow(deliver_from=data.deliver_from, deliver_to=data.deliver_to))
    if data.min_grade is not None:
        changes.append(MinGrade(min_grade=data.min_grade))
    if data.max_lots is not None:
        changes.append(MaxLots(max_lots=data.max_lots))
    if data.max_distance_km is not None:
        changes.append(Reach(max_distance_km=data.max_distance_km))
    if data.drops:
        changes.append(Dropped(codes=frozenset(data.drops)))
    return changes


def _standing(standing: Standing) -> StandingView:
    return StandingView(
        standing.traded,
        standing.rest,
        None if standing.price is None else f"{standing.price:f}",
        standing.revenue,
        [TradeView(int(each.partner), each.quantity, f"{each.price:f}") for each in standing.trades],
    )


def _effect(effect: Effect, *, with_names: bool) -> EffectView:
    moved = [each.after - each.before for each in effect.others if each.side == effect.side]
    less, more = [-grams for grams in moved if grams < 0], [grams for grams in moved if grams > 0]
    return EffectView(
        _standing(effect.before),
        _standing(effect.after),
        [ShiftView(each.side, int(each.id), each.before, each.after) for each in effect.others]
        if with_names
        else [],
        len(less),
        sum(less),
        len(more),
        sum(more),
        effect.exact,
        effect.finished,
    )


@deed("/listings/{listing_id:int}/what-if", body=ListingChanges)
async def try_on_listing(viewer: SignedIn, listing_id: PathId, data: JSONBody[ListingChanges]) -> EffectView:
    """What changes would do to a listing on the market of now, for its owner and town. Nothing changes."""
    listing = await listing_page(listing_id, viewer.organisation_id)
    effect = await try_listing(
        listing_id=listing_id,
        organisation_id=viewer.organisation_id,
        changes=_listing_changes(data),
        on=clock.today(),
    )
    return _effect(effect, with_names=not listing.mine)


@read("/demands/{demand_id:int}/diagnosis")
async def demand_diagnosis(viewer: SignedIn, language: Reader, demand_id: PathId) -> list[DemandUnlock]:
    """Why a demand of yours is not served in full: what the newest finished run found."""
    demand = await demand_page(demand_id, viewer.organisation_id)
    if not demand.mine:
        raise NotFound(msg("没有找到这条采购需求，它可能已经取消。"))
    found = await demand_findings_of(demand_id=demand_id, buyer_id=viewer.organisation_id)
    return [told(DemandUnlock, row, language) for row in found]


@deed("/demands/{demand_id:int}/what-if", body=DemandChanges)
async def try_on_demand(viewer: SignedIn, demand_id: PathId, data: JSONBody[DemandChanges]) -> EffectView:
    """What changes would do to a demand of yours on the market of now. Nothing changes."""
    effect = await try_demand(
        demand_id=demand_id,
        buyer_id=viewer.organisation_id,
        changes=_demand_changes(data),
        on=clock.today(),
    )
    return _effect(effect, with_names=False)


class UseView(msgspec.Struct, frozen=True):
    """Where kilograms went instead. Grams; prices in yuan per kg at the farm gate and delivered."""

    partner: int
    quantity: int
    price: str
    delivered: str


class FiguresView(msgspec.Struct, frozen=True):
    """Yuan per kg, except `km`. `worth` = ceiling - ask - freight + bonus; `short` = both gains - worth."""

    km: float
    freight: float
    ask: str
    ceiling: str
    surplus: float
    worth: float
    lot_gain: float
    demand_gain: float
    short: float


class WhyView(msgspec.Struct, frozen=True):
    """Why a pair trades or not: `code` is paired, a condition that fails, own (both are one organisation),
    declined, min_order, max_lots, no_gain, better_elsewhere or tie."""

    listing: int
    demand: int
    code: str
    message: str
    quantity: int
    figures: FiguresView | None
    obstacles: list[str]
    lot_uses: list[UseView]
    competitors: list[UseView]


def _uses(uses: Sequence[Use]) -> list[UseView]:
    return [
        UseView(int(each.partner), each.quantity, f"{each.price:f}", f"{each.delivered:f}") for each in uses
    ]


def _why(why: Why, language: Language) -> WhyView:
    figures = None
    if why.figures is not None:
        figures = FiguresView(
            km=why.figures.km,
            freight=why.figures.freight,
            ask=f"{why.figures.ask:f}",
            ceiling=f"{why.figures.ceiling:f}",
            surplus=why.figures.surplus,
            worth=why.figures.worth,
            lot_gain=why.figures.lot_gain,
            demand_gain=why.figures.demand_gain,
            short=why.figures.short,
        )
    return WhyView(
        int(why.lot),
        int(why.demand),
        why.code,
        translate(why.message, language),
        why.quantity,
        figures,
        [translate(each.message, language) for each in why.obstacles],
        _uses(why.lot_uses),
        _uses(why.competitors),
    )


@read("/runs/{run_id:int}/why/{listing_id:int}/{demand_id:int}")
async def why(
    viewer: SignedIn, language: Reader, run_id: PathId, listing_id: PathId, demand_id: PathId
) -> WhyView:
    """Why a run of your town paired a listing with a demand, or why it did not."""
    town_id = actor(viewer, "official").organisation_id or 0
    found = await review.why_in_run(
        run_id=run_id, town_id=town_id, listing_id=listing_id, demand_id=demand_id
    )
    return _why(found, language)


class VillageView(msgspec.Struct, frozen=True):
    """A seller's part in a run. Grams and fen; `obstacle` keeps back the most of what is left."""

    id: int
    name: str
    name_en: str
    lots: int
    offered: int
    sold: int
    left: int
    revenue: int
    marked_lots: int
    obstacle: str


@read("/runs/{run_id:int}/villages")
async def villages(viewer: SignedIn, run_id: PathId) -> list[VillageView]:
    """What a run of your town means for each seller, the most left over first."""
    town_id = actor(viewer, "official").organisation_id or 0
    return [
        VillageView(
            each.id,
            each.name,
            each.name_en,
            each.report.lots,
            each.report.offered,
            each.report.sold,
            each.report.left,
            each.report.revenue,
            each.report.marked_lots,
            each.report.obstacle,
        )
        for each in await review.villages_of_run(run_id=run_id, town_id=town_id)
    ]


class PairRef(msgspec.Struct, frozen=True):
    listing: int
    demand: int


class AgainView(msgspec.Struct, frozen=True):
    """A run computed once more beside what was kept. Fen."""

    identical: bool
    untouched: bool
    fingerprint: str
    pairs: int
    differing: list[PairRef]
    worth: int
    worth_again: int
    finished: bool


@deed("/runs/{run_id:int}/again")
async def again(viewer: SignedIn, run_id: PathId) -> AgainView:
    """Compute a run of your town once more from its stored inputs and compare; it goes on record."""
    by = actor(viewer, "official")
    found = await review.compute_again(
        run_id=run_id, town_id=viewer.organisation_id, actor=by, at=clock.now()
    )
    return AgainView(
        found.identical,
        found.untouched,
        found.fingerprint,
        found.pairs,
        [PairRef(int(lot), int(demand)) for lot, demand in found.differing],
        found.worth,
        found.worth_again,
        found.finished,
    )


routes: list[ControllerRouterHandler] = [
    try_on_listing,
    demand_diagnosis,
    try_on_demand,
    why,
    villages,
    again,
]
