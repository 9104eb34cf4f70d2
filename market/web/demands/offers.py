"""Sellers' offers on a demand: making one, seeing them side by side, and changing what is wanted."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.accounts.rules import Viewer
from market.amounts import odd_price
from market.bids.joint.queries import joints_on
from market.bids.joint.rules import JOINT
from market.bids.meant import slip_in
from market.bids.offer_queries import Goods, goods_of, offers_on
from market.bids.offering import NewOffer, place_offer
from market.bids.rules import BID
from market.bids.standing import revise_wants
from market.catalogue.queries import credential_kinds, grades, produce_by_code
from market.demand.commands import DemandWants
from market.demand.queries import DemandDetails, demand_page
from market.demand.rules import DEMAND, PUBLISHED
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Language, msg
from market.meanwhile import ChangedMeanwhile, marks_of, settled
from market.units import FenPerKg, Gram
from market.web.bids.bidding import LONGEST_NOTE
from market.web.demands.offer_view import cheapest, lacking, seen, way_to
from market.web.demands.wanted import own_demand
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.parts import fields, formats
from market.web.parts.asked_back import ask_back_leap, is_leap
from market.web.parts.changed_meanwhile import SEEN, merged, saved_with, with_theirs
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import KEY, do_filled, name_in, new_key, show


def offer_form(goods: Sequence[Goods], *, language: Language, today: date) -> Form:
    """Return the form of an offer out of ``goods``."""
    return Form(
        key=fields.hidden(UUID),
        listing_id=fields.choice(
            msg("用哪批货报"),
            {
                str(each.listing): "{title} · {left}".format(
                    title=name_in(language, each, "title"),
                    left=formats.mass(Gram(each.remaining), language),
                )
                for each in goods
            },
        ),
        quantity=fields.quantity(msg("报多少")),
        price=fields.price(msg("报价（地头价，不含运费）")),
        least=fields.quantity(
            msg("最少卖多少"), optional=True, hint=msg("买方可以只要一部分，但不少于这个数；不填就是整批。")
        ),
        deliver_from=fields.day(msg("最早交货"), earliest=today),
        deliver_to=fields.day(msg("最晚交货"), earliest=today),
        note=fields.text(
            msg("给买方的话"), most=LONGEST_NOTE, lines=True, optional=True, hint=msg("包装、送货、结算等。")
        ),
        sure=fields.tick(msg("价格没有写错，就按这个数报价")),
    )


async def to_offer(viewer: Viewer, demand_id: int) -> tuple[DemandDetails, list[Goods]]:
    """Raises: NotFound; Conflict, where it is the viewer's own or no longer open."""
    demand = await demand_page(row_number(demand_id), viewer.organisation_id)
    if demand.mine or demand.state != PUBLISHED or not demand.open:
        raise Conflict(msg("这条需求现在不收报价。"))
    return demand, await goods_of(seller_id=viewer.organisation_id, produce=demand.produce)


def said_in(query: Mapping[str, str]) -> dict[str, int]:
    """Return what a link to the form says was talked of: ``listing``, ``quantity`` in grams, fen per kg."""
    given = {name: query.get(name, "") for name in ("listing", "quantity", "price")}
    return {
        name: int(text)
        for name, text in given.items()
        if text.isascii() and text.isdigit() and len(text) < 16 and int(text)
    }


@get("/demands/{demand_id:int}/offer", guards=[require("seller")])
async def new(request: WebRequest, viewer: SignedIn, demand_id: FromPath[int]) -> Response[str]:
    """Show the form, with the goods of which most is left."""
    demand, goods = await to_offer(viewer, demand_id)
    today, language = clock.today(), language_of(request)
    form = offer_form(goods, language=language, today=today)
    filled = form.blank(key=new_key())
    if goods:
        said = said_in(request.query_params)
        best = next((each for each in goods if each.listing == said.get("listing")), goods[0])
        first = max(today, best.available_from, demand.deliver_from)
        filled = form.blank(
            key=new_key(),
            listing_id=str(best.listing),
            quantity=Gram(min(best.remaining, demand.open, said.get("quantity", demand.open))),
            price=FenPerKg(said.get("price", best.ask)),
            deliver_from=first,
            deliver_to=max(first, min(best.available_to, demand.deliver_to)),
        )
    return _draw_new(request, demand, goods, filled)


def _draw_new(
    request: WebRequest, demand: DemandDetails, goods: Sequence[Goods], form: Filled, *, status: int = 200
) -> Response[str]:
    language = language_of(request)
    reckoned = []
    for each in goods:
        way = way_to(demand, lat=each.lat, lon=each.lon)
        most = FenPerKg(max(0, demand.ceiling - way.freight))
        reckoned.append((each, way, most, lacking(each, demand, language, way=way)))
    return show(
        request,
        "offers/new.html",
        status=status,
        demand=demand,
        reckoned=reckoned,
        form=form,
        life=DEMAND,
    )


@post("/demands/{demand_id:int}/offer", guards=[require("seller")])
async def place(request: WebRequest, viewer: SignedIn, demand_id: FromPath[int]) -> Response[Any]:
    """Make the offer; the same form once more leads to the same offer."""
    demand, goods = await to_offer(viewer, demand_id)
    filled = await offer_form(goods, language=language_of(request), today=clock.today()).read(request)
    values = filled.values
    try:
        filled.check()
        asked = next(each.ask for each in goods if str(each.listing) == values["listing_id"])
        odd = slip_in(values["price"], asked=asked, ceiling=demand.ceiling)
        if odd and not values["sure"]:
            raise Invalid(odd, {"price": odd})
        bid_id = await place_offer(
            offer=NewOffer(
                demand_id=demand.demand_id,
                listing_id=int(values["listing_id"]),
                quantity=values["quantity"],
                price=values["price"],
                deliver_from=values["deliver_from"],
                deliver_to=values["deliver_to"],
                least=values["least"],
                note=values["note"] or "",
            ),
            seller_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "seller", deed=accounts.ANSWER),
            at=clock.now(),
            key=str(values["key"]),
        )
    except Invalid as error:
        return _draw_new(request, demand, goods, filled.refused(error), status=422)
    except Conflict as error:
        refused = filled.refused(Invalid(error.message))
        return _draw_new(request, demand, goods, refused, status=409)
    return redirect(request, f"/bids/{bid_id}", toast=msg("报价已送达，等买方在 7 天内答复。"))


@get("/demands/{demand_id:int}/offers")
async def compare(request: WebRequest, viewer: SignedIn, demand_id: FromPath[int]) -> Response[str]:
    """Offers side by side: all of them for the buyer, a seller's own for that seller."""
    demand = await demand_page(row_number(demand_id), viewer.organisation_id)
    offers = await offers_on(demand_id=demand.demand_id, organisation_id=viewer.organisation_id)
    joints = await joints_on(demand_id=demand.demand_id, organisation_id=viewer.organisation_id)
    if not demand.mine and not offers and not joints:
        raise NotFound(msg("没有找到这些报价。"))
    rows = [seen(each, demand, language_of(request)) for each in offers]
    return show(
        request,
        "offers/compare.html",
        demand=demand,
        rows=rows,
        best=cheapest(rows),
        side="buyer" if demand.mine else "seller",
        joints=joints,
        JOINT=JOINT,
        life=DEMAND,
        BID=BID,
        now=clock.now(),
    )


async def wants_form(language: Language) -> Form:
    """Return the form of what of a demand may change while it is open."""
    return Form(
        key=KEY,
        quantity=fields.quantity(msg("总共要多少")),
        ceiling=fields.price(msg("最高到店价"), hint=msg("含运费、送到门店的价；撮合时不会超过它。")),
        sure=fields.tick(msg("价格没有写错，就按这个价改")),
        seen=SEEN,
        deliver_from=fields.day(msg("最早到货")),
        deliver_to=fields.day(msg("最晚到货"), earliest=clock.today()),
        min_grade=fields.choice(
            msg("最低等级"),
            {str(grade.level): name_in(language, grade, "") for grade in await grades() if grade.level},
            optional=True,
        ),
        min_order=fields.quantity(msg("每家至少供多少"), optional=True),
        requires=fields.choices(
            msg("必须有的资质"), {kind.code: name_in(language, kind, "") for kind in await credential_kinds()}
        ),
    )


async def _to_edit(request: WebRequest, viewer: Viewer, demand_id: int) -> tuple[DemandDetails, Form]:
    demand = await own_demand(demand_id, viewer)
    if demand.state != PUBLISHED:
        raise Conflict(msg("这条需求已经不在求购，条件不能再改。"))
    return demand, await wants_form(language_of(request))


async def _draw_edit(
    request: WebRequest, demand: DemandDetails, form: Filled, *, status: int = 200
) -> Response[str]:
    offers = await offers_on(demand_id=demand.demand_id, organisation_id=demand.buyer)
    return show(
        request,
        "offers/edit.html",
        status=status,
        demand=demand,
        form=form,
        open_offers=sum(each.state == BID.start for each in offers),
    )


@get("/demands/{demand_id:int}/edit", guards=[require("buyer")])
async def edit(request: WebRequest, viewer: SignedIn, demand_id: FromPath[int]) -> Response[str]:
    """Show what the demand wants, to be changed."""
    demand, form = await _to_edit(request, viewer, demand_id)
    return await _draw_edit(request, demand, _filled_with(form, _wants_now(demand)))


def _wants_now(demand: DemandDetails) -> DemandWants:
    return DemandWants(
        quantity=Gram(demand.quantity),
        ceiling=FenPerKg(demand.ceiling),
        deliver_from=demand.deliver_from,
        deliver_to=demand.deliver_to,
        min_grade=demand.min_grade,
        min_order=Gram(demand.min_order),
        requires=tuple(each.code for each in demand.requires),
    )


def _filled_with(form: Form, wants: DemandWants) -> Filled:
    return form.blank(
        key=new_key(),
        quantity=wants.quantity,
        ceiling=wants.ceiling,
        deliver_from=wants.deliver_from,
        deliver_to=wants.deliver_to,
        min_grade=str(wants.min_grade) if wants.min_grade else None,
        min_order=wants.min_order or None,
        requires=wants.requires,
        seen=marks_of(wants),
    )


async def _check_price(price: FenPerKg, demand: DemandDetails, language: Language) -> None:
    """Raises: Invalid, where the price looks like a slip."""
    before = FenPerKg(demand.ceiling)
    odd = ask_back_leap(price, before, language) if is_leap(price, before) else None
    kind = await produce_by_code(demand.produce)
    if odd is None and price != before and kind.price_low and kind.price_high:
        odd = odd_price(price, low=FenPerKg(kind.price_low), high=FenPerKg(kind.price_high))
    if odd is not None:
        raise Invalid(odd, {"ceiling": odd})


@post("/demands/{demand_id:int}/edit", guards=[require("buyer")])
async def revise(request: WebRequest, viewer: SignedIn, demand_id: FromPath[int]) -> Response[Any]:
    """Change the demand; who has offered on it is asked again where it matters."""
    demand, form = await _to_edit(request, viewer, demand_id)
    filled = await form.read(request)
    values, language, theirs = filled.values, language_of(request), frozenset[str]()
    try:
        filled.check()
        wants = DemandWants(
            quantity=values["quantity"],
            ceiling=values["ceiling"],
            deliver_from=values["deliver_from"],
            deliver_to=values["deliver_to"],
            min_grade=int(values["min_grade"] or 0),
            min_order=values["min_order"] or Gram(0),
            requires=values["requires"],
        )
        kept = settled(wants, now=_wants_now(demand), seen=values["seen"])
        theirs = kept.theirs
        if not values["sure"]:
            await _check_price(kept.value.ceiling, demand, language)
        await do_filled(
            viewer,
            filled,
            "demand_revise",
            {"demand": demand.demand_id, "wants": str(wants)},
            lambda at: revise_wants(
                demand_id=demand.demand_id,
                wants=wants,
                buyer_id=viewer.organisation_id,
                actor=accounts.actor(viewer, "buyer", deed=accounts.LIST),
                at=at,
                seen=values["seen"],
            ),
        )
    except Invalid as error:
        again = filled.refused(error)
        if theirs:
            again = with_theirs(
                again, theirs, fresh=_filled_with(form, _wants_now(demand)), language=language
            )
        return await _draw_edit(request, demand, again, status=422)
    except ChangedMeanwhile as changed:
        demand, _ = await _to_edit(request, viewer, demand_id)
        fresh = _filled_with(form, _wants_now(demand))
        again = merged(filled, changed, fresh=fresh, language=language)
        return await _draw_edit(request, demand, again, status=409)
    done = msg("条件已改；会受影响的报价，已请卖方重新确认。")
    return redirect(request, f"/demands/{demand.demand_id}", toast=saved_with(done, filled, theirs))


routes: list[ControllerRouterHandler] = [new, place, compare, edit, revise]
