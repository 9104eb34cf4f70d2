"""A seller's goods: the list, one listing's desk, its terms, and why it does not sell."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer, actor
from market.bids.queries import bids_of
from market.bids.rules import BID, NEEDS_RECONFIRM, OPEN_BID
from market.bids.standing import revise_terms
from market.cases.queries import case_of_listing
from market.catalogue.queries import credential_kinds, produce_by_code
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Language, Message, msg
from market.matching.findings import diagnosis_of, first_diagnoses_of
from market.meanwhile import ChangedMeanwhile, marks_of, settled
from market.organisations.approval_queries import waiting_on
from market.organisations.delegating import entered_by
from market.supply.commands import NewTerms
from market.supply.ledger import ledger_of
from market.supply.operations import move_listing
from market.supply.queries import ListingDetails, OwnListing, listing_page, listings_of
from market.supply.rules import LISTING, PUBLISHED, SOLD_OUT, STOCK_KINDS, SUSPENDED, WAYS, in_round
from market.supply.stock_rules import CORRECTIONS
from market.transitions import WrongState
from market.units import FenPerKg, Gram
from market.web.bids.open_round import round_now
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.goods.listing_form import window_of
from market.web.parts import fields, pages
from market.web.parts.asked_back import ask_back, ask_back_leap, is_far_off, is_leap
from market.web.parts.changed_meanwhile import SEEN, merged, saved_with, with_theirs
from market.web.parts.forms import Filled, Form
from market.web.parts.told import finding_told, obstacle, words_for
from market.web.parts.trade import BARE, KEY, do_once, name_in, new_key, show

#: A window that ends within so many days needs a hand.
SOON_DAYS = 14
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


async def changes_of(
    language: Language, listings: Sequence[OwnListing], owner: int
) -> Callable[[OwnListing], Message | None]:
    """Return what tells the advice of the last run for a listing that still has something on sale."""
    found = await first_diagnoses_of(listing_ids=[own.listing_id for own in listings], organisation_id=owner)
    words = await words_for(language, found)
    findings = {finding.listing: finding for finding in found}

    def change_of(own: OwnListing) -> Message | None:
        finding = findings.get(own.listing_id)
        if finding is None or own.diagnosis is None or own.state != PUBLISHED or not own.remaining:
            return None
        return finding_told(finding, words, price=own.ask)

    return change_of


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
        change_of=await changes_of(language_of(request), mine, viewer.organisation_id),
        obstacle=obstacle,
        soon=SOON_DAYS,
        LISTING=LISTING,
    )


def _on(mine: list[OwnListing], states: frozenset[str]) -> list[OwnListing]:
    return [own for own in mine if own.state in states]


async def own_listing(listing_id: int, viewer: Viewer) -> ListingDetails:
    listing = await listing_page(row_number(listing_id), viewer.organisation_id)
    if not listing.mine:
        raise NotFound(msg("没有找到这批货源。"))
    return listing


async def to_change(listing_id: int, viewer: Viewer) -> ListingDetails:
    """Raises: NotFound; Conflict, where it is not on sale."""
    listing = await own_listing(listing_id, viewer)
    if listing.state not in (PUBLISHED, SUSPENDED):
        raise Conflict(msg("这批货源现在不在售，请刷新后再看。"))
    return listing


@get("/selling/{listing_id:int}", guards=[require("seller")])
async def manage(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[str]:
    """One listing's desk: stock, bids, terms, and the moves that are open."""
    listing = await own_listing(listing_id, viewer)
    findings = await diagnosis_of(listing_id=listing_id, organisation_id=viewer.organisation_id)
    finding = findings[0] if findings and listing.state == PUBLISHED and listing.remaining else None
    words = await words_for(language_of(request), findings[:1])
    mine = await listings_of(viewer.organisation_id, today=clock.today())
    lasts = in_round(way=listing.way, opened=listing.opened_at is not None)
    return show(
        request,
        "selling/manage.html",
        listing=listing,
        waits=await waiting_on(f"listing:{listing_id}", organisation_id=viewer.organisation_id),
        entered=await entered_by(subject=f"listing:{listing_id}", action="publish"),
        own=next(each for each in mine if each.listing_id == listing_id),
        bids=await bids_of(organisation_id=viewer.organisation_id, listing_id=listing_id),
        ledger=await ledger_of(listing_id=listing_id, owner_id=viewer.organisation_id),
        kinds=STOCK_KINDS,
        reasons=CORRECTIONS,
        finding=finding,
        advice=finding_told(finding, words, price=listing.ask) if finding else None,
        obstacle=obstacle,
        case=await case_of_listing(listing_id=listing_id, organisation_id=viewer.organisation_id),
        moves=[
            (name, *MOVES[name])
            for name in LISTING.available(state=listing.state, by="seller")
            if name in MOVES
        ],
        can_revise=listing.state in (PUBLISHED, SUSPENDED) and not lasts,
        lasts=lasts,
        round=await round_now(listing, viewer),
        OPEN_BID=OPEN_BID,
        ways=WAYS,
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
    listing = await own_listing(listing_id, viewer)
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
        seen=SEEN,
        key=KEY,
    )


def terms_now(listing: ListingDetails) -> NewTerms:
    """Return the terms as they stand."""
    return NewTerms(
        ask=FenPerKg(listing.ask),
        min_order=Gram(listing.min_order),
        available_from=listing.available_from,
        available_to=listing.available_to,
        credentials=tuple(kind.code for kind in listing.credentials),
    )


def _filled_with(form: Form, terms: NewTerms) -> Filled:
    return form.blank(
        ask=terms.ask,
        min_order=terms.min_order or None,
        available_from=terms.available_from,
        available_to=terms.available_to,
        credentials=terms.credentials,
        seen=marks_of(terms),
        key=new_key(),
    )


async def _terms(request: WebRequest) -> Form:
    language = language_of(request)
    return terms_form({kind.code: name_in(language, kind, "") for kind in await credential_kinds()})


@get("/selling/{listing_id:int}/terms", guards=[require("seller")])
async def edit_terms(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[str]:
    """The terms as they are, to be changed; what was tried out on the page before stands in them."""
    listing = await to_change(listing_id, viewer)
    terms = await _terms(request)
    form = _filled_with(terms, terms_now(listing))
    kept = ("key", "confirm", "seen")
    given = {name: texts for name, texts in terms.query(request).typed.items() if name not in kept}
    form = msgspec.structs.replace(form, typed={**form.typed, **given})
    return await _draw_terms(request, viewer, listing, form)


@post("/selling/{listing_id:int}/terms", guards=[require("seller")])
async def save_terms(request: WebRequest, viewer: SignedIn, listing_id: FromPath[int]) -> Response[Any]:
    """Change the terms; whoever has bid is asked again."""
    listing, language = await own_listing(listing_id, viewer), language_of(request)
    filled = await (await _terms(request)).read(request)
    errors: dict[str, Message] = {}
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
    seen, theirs = filled.values["seen"], frozenset[str]()
    try:
        kept = settled(terms, now=terms_now(listing), seen=seen)
        theirs = kept.theirs
        if not filled.values["confirm"]:
            # a price that others have set is not this reader's to answer for
            await _ask_back(kept.value.ask, listing, language)
        await revise(viewer, listing_id, terms, filled.values["key"], seen=seen)
    except Invalid as error:
        form, fresh = filled.refused(error), _filled_with(filled.form, terms_now(listing))
        if theirs:
            form = with_theirs(form, theirs, fresh=fresh, language=language)
        return await _draw_terms(request, viewer, listing, form, status=422)
    except ChangedMeanwhile as changed:
        listing = await own_listing(listing_id, viewer)
        fresh = _filled_with(filled.form, terms_now(listing))
        form = merged(filled, changed, fresh=fresh, language=language)
        return await _draw_terms(request, viewer, listing, form, status=409)
    bids = await bids_of(organisation_id=viewer.organisation_id, listing_id=listing_id)
    done = msg("条件已改。")
    if any(bid.state == NEEDS_RECONFIRM for bid in bids):
        done = msg("条件已改；有出价的买方已收到通知，请他们重新确认。")
    return pages.redirect(request, f"/selling/{listing_id}", toast=saved_with(done, filled, theirs))


async def _ask_back(ask: FenPerKg, listing: ListingDetails, language: Language) -> None:
    """Raises: Invalid, with the field ``confirm``, where the price looks like a slip."""
    produce, problem = await produce_by_code(listing.produce), None
    if is_far_off(ask, produce):
        problem = ask_back(ask, produce, language)
    elif is_leap(ask, FenPerKg(listing.ask)):
        problem = ask_back_leap(ask, FenPerKg(listing.ask), language)
    if problem is not None:
        raise Invalid(problem, {"confirm": problem})


async def revise(
    viewer: Viewer, listing_id: int, terms: NewTerms, key: str | None, *, seen: str | None = None
) -> None:
    """Change the terms, once for a ``key``. Raises: as ``bids.standing.revise_terms``."""
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
            seen=seen,
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
        lasts=in_round(way=listing.way, opened=listing.opened_at is not None),
        asks_back="confirm" in form.errors or bool(form.text("confirm")),
        open_bids=sum(bid.state == "submitted" for bid in bids),
    )


routes: list[ControllerRouterHandler] = [
    index,
    manage,
    make_move,
    edit_terms,
    save_terms,
]
