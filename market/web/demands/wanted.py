"""What buyers look for: the public list, a demand's page, a buyer's own demands and a new one."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.accounts.rules import Viewer
from market.bids.joint.queries import joints_on
from market.bids.joint.rules import JOINT
from market.bids.offer_queries import offers_on
from market.bids.queries import bids_of
from market.bids.rules import BID, LISTING
from market.bids.standing import move_wants
from market.catalogue.queries import find_produce, produce_by_code, suggest_produce
from market.deals.queries import deals_of
from market.deals.rules import CONTRACT
from market.demand import operations
from market.demand.filters import DemandFilters
from market.demand.queries import DemandDetails, demand_page, demands_of, open_demands
from market.demand.rules import DEMAND
from market.errors import Invalid, NotFound
from market.i18n import Message, msg
from market.matching.lifecycle import MATCH
from market.matching.queries import matches_of
from market.web.demands import posting
from market.web.edge.addresses import row_number
from market.web.edge.guards import Anybody, SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.parts.badges import badges_of
from market.web.parts.filters import LABELS, read_filters
from market.web.parts.forms import Filled
from market.web.parts.pages import page, redirect

SORTS: dict[str, Message] = {
    "newest": msg("最新发布"),
    "price": msg("出价从高到低"),
    "quantity": msg("求购量从多到少"),
    "closing": msg("快截止的在前"),
}
#: What the buttons of a demand say, and what follows from pressing them.
MOVES: dict[str, tuple[Message, Message]] = {
    "close": (msg("截止求购"), msg("不再收新的报价，也不再参加撮合；已成交的不受影响。")),
    "award": (msg("标记为已定标"), msg("货已买齐，这条需求到此结束。")),
    "fail": (msg("标记为未成交"), msg("没有买到合适的货，这条需求到此结束。")),
    "cancel": (msg("取消需求"), msg("从公开列表撤下，不能恢复；已成交的不受影响。")),
}


@get("/demands")
async def mine(request: WebRequest, viewer: SignedIn) -> Response[str] | Response[bytes]:
    """Show a buyer the own demands; everybody else the open ones."""
    if "buyer" not in viewer.sides:
        return redirect(request, "/demands/open")
    rows = await demands_of(viewer.organisation_id)
    return page(request, "demands/mine.html", rows=rows, life=DEMAND)


@get("/demands/open")
async def open_list(request: WebRequest, guest: Anybody) -> Response[str]:
    """Show every demand that still wants something."""
    pairs = [(name, text) for name, text in request.query_params.multi_items() if name != "lang"]
    filters, faults = read_filters(DemandFilters, pairs)
    organisation = guest.organisation_id if guest else None
    found = await open_demands(filters, organisation)
    query = filters.to_query()
    maybe = await suggest_produce(filters.q) if filters.q and not found.total else []
    return page(
        request,
        "demands/open.html",
        fragment="demands/open_list.html",
        status=422 if faults else 200,
        headers={} if faults else {"hx-push-url": f"/demands/open?{query}" if query else "/demands/open"},
        filters=filters,
        faults=faults,
        labels=LABELS,
        found=found,
        maybe=maybe,
        sorts=SORTS,
        next_pages=f"/demands/open?{filters.to_query(page=1)}&page=".replace("?&", "?"),
    )


@get("/demands/new", guards=[require("buyer")])
async def new(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """Show the form; what was looked for in vain in the produce hall stands in it already."""
    form = await posting.form_for(viewer, language_of(request))
    filled = await posting.prefilled(form, request.query_params.multi_items())
    return await _form(request, filled)


@get("/demands/produce", guards=[require("buyer")])
async def suggest(request: WebRequest) -> Response[str]:
    """Offer kinds of produce for what is being typed: the fragment below the field."""
    text = request.query_params.get("produce_text", "")
    found = await find_produce(text, limit=8)
    exact = found[0].code if found and text.strip() in (found[0].zh, found[0].en) else ""
    return page(request, "demands/produce.html", offered=found, picked=exact)


@post("/demands/new", guards=[require("buyer")])
async def publish(request: WebRequest, viewer: SignedIn) -> Response[str] | Response[bytes]:
    """Post the demand; the same form once more leads to the same demand."""
    filled = await (await posting.form_for(viewer, language_of(request))).read(request)
    try:
        demand = await posting.demand_from(filled)
        demand_id = await operations.publish_demand(
            demand=demand,
            buyer_id=viewer.organisation_id,
            actor=accounts.actor(viewer, "buyer"),
            at=clock.now(),
            key=str(filled.values["key"]),
        )
    except Invalid as refused:
        return await _form(request, filled.refused(refused), status=422)
    return redirect(request, f"/demands/{demand_id}", toast=msg("采购需求已发布。"))


async def own_demand(demand_id: int, viewer: Viewer) -> DemandDetails:
    demand = await demand_page(row_number(demand_id), viewer.organisation_id)
    if not demand.mine:
        raise NotFound(msg("没有找到这条采购需求，它可能已经取消。"))
    return demand


@get("/demands/{demand_id:int}")
async def show(request: WebRequest, guest: Anybody, demand_id: FromPath[int]) -> Response[str]:
    """Show a demand; its buyer sees what has become of it as well."""
    organisation = guest.organisation_id if guest else None
    demand = await demand_page(row_number(demand_id), organisation)
    progress: dict[str, Any] = {name: [] for name in ("matches", "bids", "deals", "offers", "joints")}
    progress["moves"] = {}
    if guest is not None:
        progress["joints"] = await joints_on(demand_id=demand_id, organisation_id=guest.organisation_id)
        progress["offers"] = await offers_on(demand_id=demand_id, organisation_id=guest.organisation_id)
    if guest is not None and demand.mine:
        matches = await matches_of(organisation_id=guest.organisation_id)
        deals = await deals_of(organisation_id=guest.organisation_id, demand_id=demand_id)
        bids = await bids_of(organisation_id=guest.organisation_id)
        progress |= {
            "matches": [each for each in matches if each.demand == demand_id],
            "bids": [each for each in bids if each.demand == demand_id and each.answers == LISTING],
            "deals": deals,
            "moves": {
                move: MOVES[move]
                for move in DEMAND.available(state=demand.state, by="buyer")
                if move in MOVES and "buyer" in guest.sides
            },
        }
    return page(
        request,
        "demands/show.html",
        demand=demand,
        life=DEMAND,
        badges=await badges_of(demand.buyer),
        match_life=MATCH,
        bid_life=BID,
        joint_life=JOINT,
        deal_life=CONTRACT,
        can_sell=guest is None or "seller" in guest.sides,
        **progress,
    )


@post("/demands/{demand_id:int}/{move:str}", guards=[require("buyer")])
async def move(
    request: WebRequest, viewer: SignedIn, demand_id: FromPath[int], move: FromPath[str]
) -> Response[bytes]:
    """Close, award, fail or cancel a demand of the viewer's."""
    if move not in MOVES:
        raise NotFound(msg("这一页不存在，或者不对您开放。请检查地址，或从首页查找。"))
    state = await move_wants(
        demand_id=row_number(demand_id),
        move=move,
        buyer_id=viewer.organisation_id,
        actor=accounts.actor(viewer, "buyer"),
        at=clock.now(),
    )
    return redirect(
        request, f"/demands/{demand_id}", toast=msg("这条需求现在是“{state}”。", state=DEMAND.label(state))
    )


async def _form(request: WebRequest, filled: Filled, *, status: int = 200) -> Response[str]:
    text, picked = filled.text("produce_text"), filled.text("produce")
    offered = await suggest_produce(text, limit=6) if filled.error("produce_text") else []
    chosen = None
    if picked:
        try:
            chosen = await produce_by_code(picked)
        except NotFound:
            chosen = None
    return page(
        request,
        "demands/new.html",
        status=status,
        form=filled,
        is_unfolded=any(filled.error(name) or any(filled.chosen(name)) for name in posting.FURTHER),
        offered=[chosen] if chosen else offered,
        picked=chosen.code if chosen else "",
    )


routes: list[ControllerRouterHandler] = [mine, open_list, new, suggest, publish, show, move]
