"""A seller's goods: the list, one listing's desk, its terms, and why it does not sell."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer, actor
from market.bids.operations import revise_terms
from market.bids.queries import bids_of
from market.bids.rules import BID
from market.catalogue.queries import credential_kinds, produce_by_code
from market.demand.queries import DemandDetails, demand_page
from market.errors import Invalid, NotFound
from market.i18n import Message, message_from, msg
from market.matching.findings import DiagnosisRow, diagnosis_of
from market.supply.commands import NewTerms
from market.supply.ledger import ledger_of
from market.supply.operations import move_listing
from market.supply.queries import ListingDetails, OwnListing, listing_page, listings_of
from market.supply.rules import LISTING, PUBLISHED, SOLD_OUT, STOCK_KINDS, SUSPENDED
from market.transitions import WrongState
from market.units import HAO_PER_FEN, FenPerKg, Gram
from market.web import fields, pages
from market.web.addresses import row_number
from market.web.forms import Filled, Form
from market.web.guards import SignedIn, WebRequest, require
from market.web.language import language_of
from market.web.listing_form import ask_back, is_far_off, window_of
from market.web.trade import BARE, KEY, do_once, name_in, new_key, show

#: A window that ends within so many days needs a hand.
SOON_DAYS = 14
#: Demands named beside a finding.
_MOST_NAMED = 3

#: What the engine's obstacles are called.
OBSTACLES: dict[str, Message] = {
    "price": msg("价格"),
    "grade": msg("等级"),
    "credential": msg("资质"),
    "window": msg("供货期"),
    "distance": msg("路程"),
    "min_order": msg("起订量"),
    "outbid": msg("竞争"),
    "max_lots": msg("批次数"),
    "several": msg("好几处"),
    "declined": msg("已谢绝过"),
    "no_demand": msg("没有需求"),
}
#: The buttons of a listing: label, kind of button, and what they say when it is done.
MOVES: dict[str, tuple[Message, str, Message]] = {
    "publish": (msg("发布"), "primary", msg("已发布。")),
    "suspend": (msg("暂停销售"), "secondary", msg("已暂停，买方暂时看不到。")),
    "resume": (msg("恢复销售"), "primary", msg("已恢复销售。")),
    "withdraw": (msg("撤回货源"), "danger", msg("已撤回，这批货不再出售。")),
}
_SHELVES: dict[str, tuple[Message, frozenset[str]]] = {
    "": (msg("全部"), LISTING.states),
    "on": (msg("在售"), frozenset({PUBLISHED})),
    "paused": (msg("暂停"), frozenset({SUSPENDED, "draft", "pending"})),
    "gone": (msg("已结束"), frozenset({SOLD_OUT, "expired", "withdrawn"})),
}


def change_of(own: OwnListing) -> Message | None:
    """Return what the last run advises for a listing that still has something on sale."""
    if own.diagnosis is None or own.state != PUBLISHED or not own.remaining:
        return None
    return message_from(own.diagnosis.change)


@get("/selling", guards=[require("seller")])
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """My goods, those that need a hand first."""
    chosen = request.query_params.get("state", "")
    shelf = _SHELVES.get(chosen, _SHELVES[""])[1]
    mine = await listings_of(viewer.organisation_id, today=clock.today())
    on_sale = [own for own in mine if own.state == PUBLISHED]
    return show(
        request,
        "selling/index.html",
        listings=[own for own in mine if own.state in shelf],
        has_any=bool(mine),
        shelves=[
            (label, f"/selling?state={name}" if name else "/selling", name == chosen, len(_on(mine, states)))
            for name, (label, states) in _SHELVES.items()
        ],
        left=Gram(sum(own.remaining for own in on_sale)),
        sold=Gram(sum(own.sold for own in mine)),
        open_bids=sum(own.open_bids for own in mine),
        open_matches=sum(own.open_matches for own in mine),
        change_of=change_of,
        obstacles=OBSTACLES,
        soon=SOON_DAYS,
        LISTING=LISTING,
    )


def _on(mine: list[OwnListing], states: frozenset[str]) -> list[OwnListing]:
    return [own for own in mine if own.state in states]


async def _own(listing_id: int, viewer: Viewer) -> ListingDetails:
    listing = await listing_page(row_number(listing_id), viewer.organisation_id)
    if not listing.mine:
        raise NotFound(msg("没有找到这批货源。"))
    return listing


@get("/selling/{listing_id:int}", guards=[require("seller")])
async def manage(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[str]:
    """One listing's desk: stock, bids, terms, and the moves that are open."""
    listing = await _own(listing_id, viewer)
    findings = await diagnosis_of(listing_id=listing_id, organisation_id=viewer.organisation_id)
    mine = await listings_of(viewer.organisation_id, today=clock.today())
    return show(
        request,
        "selling/manage.html",
        listing=listing,
        own=next(each for each in mine if each.listing_id == listing_id),
        bids=await bids_of(organisation_id=viewer.organisation_id, listing_id=listing_id),
        ledger=await ledger_of(listing_id=listing_id, owner_id=viewer.organisation_id),
        kinds=STOCK_KINDS,
        finding=findings[0] if findings and listing.state == PUBLISHED and listing.remaining else None,
        obstacles=OBSTACLES,
        moves=[
            (name, *MOVES[name])
            for name in LISTING.available(state=listing.state, by="seller")
            if name in MOVES
        ],
        can_revise=listing.state in (PUBLISHED, SUSPENDED),
        soon=SOON_DAYS,
        LISTING=LISTING,
        BID=BID,
    )


@post("/selling/{listing_id:int}/move/{move:str}", guards=[require("seller")])
async def make_move(
    request: WebRequest, viewer: SignedIn, listing_id: FromPath[int], move: FromPath[str]
) -> Response[Any]:
    """Suspend, resume, publish or withdraw."""
    if move not in MOVES:
        raise NotFound(msg("没有这一步，请回到货源页面操作。"))
    filled = await BARE.read(request)
    filled.check()
    listing = await _own(listing_id, viewer)
    try:
        await do_once(
            viewer=viewer,
            key=filled.values["key"],
            name=f"listing_{move}",
            about={"listing": listing_id},
            deed=lambda: move_listing(
                listing_id=listing_id,
                move=move,
                owner_id=viewer.organisation_id,
                actor=actor(viewer, "seller"),
                at=clock.now(),
            ),
            at=clock.now(),
        )
    except WrongState:
        # pressed twice: what was wanted is so already
        if all(step.target != listing.state for step in LISTING.moves if step.name == move):
            raise
    return pages.redirect(request, f"/selling/{listing_id}", toast=MOVES[move][2])


def terms_form(kinds: dict[str, Message | str]) -> Form:
    return Form(
        ask=fields.price(msg("要价"), hint=msg("在地头、仓库交货的价，不含运费。")),
        confirm=fields.tick(msg("价格没有写错，就按这个价改")),
        min_order=fields.quantity(msg("起订量"), optional=True, hint=msg("不填就是不限。")),
        available_from=fields.day(msg("从哪天起能供货")),
        available_to=fields.day(msg("供到哪天")),
        credentials=fields.choices(msg("资质"), kinds, hint=msg("有证明材料的才选。")),
        key=KEY,
    )


async def _terms(request: WebRequest) -> Form:
    language = language_of(request)
    return terms_form({kind.code: name_in(language, kind, "") for kind in await credential_kinds()})


@get("/selling/{listing_id:int}/terms", guards=[require("seller")])
async def edit_terms(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[str]:
    """The terms as they are, to be changed."""
    listing = await _own(listing_id, viewer)
    form = (await _terms(request)).blank(
        ask=listing.ask,
        min_order=listing.min_order or None,
        available_from=listing.available_from,
        available_to=listing.available_to,
        credentials=[kind.code for kind in listing.credentials],
        key=new_key(),
    )
    return await _draw_terms(request, viewer, listing, form)


@post("/selling/{listing_id:int}/terms", guards=[require("seller")])
async def save_terms(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[Any]:
    """Change the terms; whoever has bid is asked again."""
    listing = await _own(listing_id, viewer)
    filled = await (await _terms(request)).read(request)
    errors: dict[str, Message] = {}
    produce = await produce_by_code(listing.produce)
    ask = filled.values.get("ask")
    if ask and is_far_off(ask, produce) and not filled.values.get("confirm"):
        errors["confirm"] = ask_back(ask, produce, language_of(request))
    window_of(filled, errors)
    if filled.errors or errors:
        filled = msgspec.structs.replace(filled, errors={**filled.errors, **errors})
        return await _draw_terms(request, viewer, listing, filled, status=422)
    terms = NewTerms(
        ask=filled.values["ask"],
        min_order=filled.values["min_order"] or Gram(0),
        available_from=filled.values["available_from"],
        available_to=filled.values["available_to"],
        credentials=filled.values["credentials"],
    )
    try:
        await _revise(viewer, listing_id, terms, filled.values["key"])
    except Invalid as error:
        return await _draw_terms(request, viewer, listing, filled.refused(error), status=422)
    return pages.redirect(
        request, f"/selling/{listing_id}", toast=msg("条件已改；有出价的买方已收到通知，请他们重新确认。")
    )


async def _revise(viewer: Viewer, listing_id: int, terms: NewTerms, key: str | None) -> None:
    at = clock.now()
    await do_once(
        viewer=viewer,
        key=key,
        name="listing_revise",
        about={"listing": listing_id, "terms": msgspec.to_builtins(terms)},
        deed=lambda: revise_terms(
            listing_id=listing_id,
            terms=terms,
            owner_id=viewer.organisation_id,
            actor=actor(viewer, "seller"),
            at=at,
        ),
        at=at,
    )


async def _draw_terms(
    request: WebRequest, viewer: Viewer, listing: ListingDetails, form: Filled, *, status: int = 200
) -> Response[str]:
    bids = await bids_of(organisation_id=viewer.organisation_id, listing_id=listing.listing_id)
    return show(
        request,
        "selling/terms.html",
        status=status,
        listing=listing,
        form=form,
        asks_back="confirm" in form.errors or bool(form.text("confirm")),
        open_bids=sum(bid.state == "submitted" for bid in bids),
    )


class Advice(msgspec.Struct, frozen=True):
    """One finding as a step: what to change, what it opens, and the price to set with one tap."""

    finding: DiagnosisRow
    demands: list[DemandDetails]
    #: Fen per kg; None where another price is not what helps.
    price: FenPerKg | None


def advised_price(ask: int, cost: int) -> FenPerKg | None:
    """Return ``ask`` (fen per kg) less ``cost`` (hao per kg), down to a whole fen; None if none is left."""
    price = (ask * HAO_PER_FEN - cost) // HAO_PER_FEN
    return FenPerKg(price) if 0 < price < ask else None


@get("/selling/{listing_id:int}/why", guards=[require("seller")])
async def why(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[str]:
    """Why it does not sell: the findings of the newest run as steps."""
    listing = await _own(listing_id, viewer)
    findings = await diagnosis_of(listing_id=listing_id, organisation_id=viewer.organisation_id)
    advice = [
        Advice(
            finding,
            await _named(finding, viewer),
            advised_price(listing.ask, finding.cost) if finding.obstacle == "price" else None,
        )
        for finding in findings
    ]
    return show(
        request,
        "selling/why.html",
        listing=listing,
        advice=advice,
        obstacles=OBSTACLES,
        can_revise=listing.state in (PUBLISHED, SUSPENDED),
        days_left=(listing.available_to - clock.today()).days,
        LISTING=LISTING,
    )


async def _named(finding: DiagnosisRow, viewer: Viewer) -> list[DemandDetails]:
    named = []
    for demand_id in finding.demands[:_MOST_NAMED]:
        try:
            named.append(await demand_page(demand_id, viewer.organisation_id))
        except NotFound:  # taken back since the run
            continue
    return named


_PRICE = Form(price=fields.hidden(int), key=KEY)


@post("/selling/{listing_id:int}/price", guards=[require("seller")])
async def apply_price(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[Any]:
    """Set the advised price and leave the other terms as they are."""
    filled = await _PRICE.read(request)
    filled.check()
    listing = await _own(listing_id, viewer)
    if listing.ask != filled.values["price"]:
        terms = NewTerms(
            ask=FenPerKg(filled.values["price"]),
            min_order=Gram(listing.min_order),
            available_from=listing.available_from,
            available_to=listing.available_to,
            credentials=tuple(kind.code for kind in listing.credentials),
        )
        await _revise(viewer, listing_id, terms, filled.values["key"])
    return pages.redirect(
        request, f"/selling/{listing_id}/why", toast=msg("新价格已生效，下一次撮合就按它算。")
    )


routes: list[ControllerRouterHandler] = [
    index,
    manage,
    make_move,
    edit_terms,
    save_terms,
    why,
    apply_price,
]
