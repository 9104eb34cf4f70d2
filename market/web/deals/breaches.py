"""Cases of breach: begun from the contract, answered by the other side, recorded by the town."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Actor, Viewer
from market.audit.queries import history
from market.deals import breach
from market.deals.breach_queries import (
    BreachRow,
    case_of,
    cases_of,
    evidence_of,
    figures,
)
from market.deals.breach_rules import (
    ANSWER_DAYS,
    DECISIONS,
    GROUNDS,
    LONGEST_WORDS,
    MAY_TERMINATE,
    OPEN,
    grounds_against,
)
from market.deals.breach_termination import terminate as give_notice
from market.deals.endings.queries import notice_side
from market.deals.pieces import picture_of
from market.deals.queries import DealRow, deal_of
from market.deals.record import LONGEST_REPLY, facts_of, reply_to_facts
from market.deals.rules import ACTIVE, BREACH, CONTRACT, DRAFT
from market.errors import Invalid, NotFound
from market.followup.quote_rules import LONGEST_SOURCE, LOSS
from market.followup.quotes import add_quote, loss_of, quotes_of
from market.i18n import Message, msg
from market.paging import page_of
from market.web.deals.pieces import MOST_BODY, piece_form, piece_in
from market.web.deals.sheet import deal_and_side, party
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.scans import scan_response
from market.web.parts.trade import BARE, KEY, acting, do_filled, new_key, show

_GUARDS = [require("seller", "buyer", "official")]
#: What the record's words mean to people.
DEEDS: dict[str, Message] = {
    "open": msg("写下经过"),
    "evidence": msg("已补充证据"),
    "file": msg("已提出违约"),
    "answer": msg("对方答复"),
    "lapse": msg("逾期未答复"),
    "confirm": msg("认定违约"),
    "dismiss": msg("不予认定"),
    "offer": msg("提出了和解"),
    "settle": msg("双方和解"),
    "terminate": msg("通知解除合同，余量重新上架"),
    "quote": msg("记下行情"),
}
_LINES = {"most": LONGEST_WORDS, "lines": True}
EVIDENCE = piece_form(msg("这份证据说明什么"), most=LONGEST_WORDS, hint=msg("磅单、质检单、聊天记录。"))
ANSWER = Form(answer=fields.text(msg("答复"), **_LINES), key=KEY)  # type: ignore[arg-type]
DECIDE = Form(
    move=fields.choice(msg("认定"), DECISIONS, chips=True),
    decision=fields.text(msg("依据"), **_LINES),  # type: ignore[arg-type]
    key=KEY,
)
OFFER = Form(offer=fields.text(msg("和解条件"), **_LINES), key=KEY)  # type: ignore[arg-type]
QUOTE = Form(
    on=fields.day(msg("哪天的行情")),
    price=fields.price(msg("市场价")),
    source=fields.text(
        msg("哪里看到的"), most=LONGEST_SOURCE, hint=msg("批发市场、询过价的买家、网站；记下后不能再改。")
    ),
    key=KEY,
)
REPLY = Form(words=fields.text(msg("我方说明"), most=LONGEST_REPLY, lines=True, optional=True), key=KEY)


async def case_form(deal: DealRow, against: str) -> Form:
    """Return the form that begins a case against that side of a contract."""
    grounds = grounds_against(against, notice_of=await notice_side(deal_id=deal.id))
    return Form(
        ground=fields.choice(msg("对方违了什么约"), grounds),
        statement=fields.text(msg("经过"), hint=msg("何时、何地、多少、有谁在场。"), **_LINES),  # type: ignore[arg-type]
        quantity=fields.quantity(msg("涉及数量"), optional=True),
        claim=fields.money(msg("要求赔偿"), optional=True),
        key=KEY,
    )


@get("/breaches", guards=_GUARDS)
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """List the cases of the organisation; for an official those of the town's sellers."""
    rows = await cases_of(organisation_id=viewer.organisation_id)
    shown = page_of(rows, request.query_params.get("page", ""))
    return show(request, "breaches/index.html", shown=shown, grounds=GROUNDS, BREACH=BREACH)


@get("/deals/{deal_id:int}/record")
async def record(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[str]:
    """Show how both sides have kept their contracts, the cases of this one, and the form for another."""
    deal, side = await deal_and_side(deal_id, viewer)
    return await _draw_record(request, viewer, deal, side)


async def _draw_record(
    request: WebRequest,
    viewer: Viewer,
    deal: DealRow,
    side: str | None,
    *,
    form: Filled | None = None,
    status: int = 200,
) -> Response[str]:
    today = clock.today()
    against = "buyer" if side == "seller" else "seller"
    facts = [await facts_of(organisation_id=each, today=today) for each in (deal.seller, deal.buyer)]
    mine = next((each for each in facts if each and each.organisation == viewer.organisation_id), None)
    return show(
        request,
        "breaches/record.html",
        status=status,
        deal=deal,
        side=side,
        facts=[each for each in facts if each],
        cases=await cases_of(organisation_id=viewer.organisation_id, deal_id=deal.id),
        can_open=side is not None and deal.seller_signed_at and deal.buyer_signed_at,
        form=form or (await case_form(deal, against)).blank(key=new_key()),
        is_open=form is not None,
        reply=REPLY.blank(words=mine.reply or None, key=new_key()) if mine else None,
        grounds=GROUNDS,
        BREACH=BREACH,
        CONTRACT=CONTRACT,
    )


@post("/deals/{deal_id:int}/breaches")
async def begin(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[Any]:
    """Begin a case; it is a draft until it is filed."""
    deal, side = await party(deal_id, viewer)
    filled = await (await case_form(deal, "buyer" if side == "seller" else "seller")).read(request)
    try:
        filled.check()
        case = breach.NewCase(
            deal_id=deal.id,
            **{name: filled.values[name] for name in ("ground", "statement", "quantity", "claim")},
        )
        number = await do_filled(
            viewer,
            filled,
            "breach_open",
            {"deal": deal.id, "typed": filled.typed},
            lambda at: breach.open_case(
                case=case, organisation_id=viewer.organisation_id, actor=acting(viewer, side), at=at
            ),
        )
    except Invalid as refused:
        return await _draw_record(request, viewer, deal, side, form=filled.refused(refused), status=422)
    return redirect(request, f"/breaches/{number}", toast=msg("已存为草稿，补好证据后提出。"))


@post("/deals/{deal_id:int}/record/reply")
async def reply(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[Any]:
    """Say something to the facts about one's own contracts."""
    filled = await REPLY.read(request)
    filled.check()
    deal, side = await party(deal_id, viewer)
    await do_filled(
        viewer,
        filled,
        "reply_to_facts",
        {"words": filled.values["words"]},
        lambda at: reply_to_facts(
            words=filled.values["words"],
            organisation_id=viewer.organisation_id,
            actor=acting(viewer, side),
            at=at,
        ),
    )
    return redirect(request, f"/deals/{deal.id}/record", toast=msg("已记录。"))


async def _case(breach_id: int, viewer: Viewer) -> tuple[BreachRow, str]:
    """Return a case and what the viewer is in it: claimant, respondent or official."""
    case = await case_of(breach_id=row_number(breach_id), organisation_id=viewer.organisation_id)
    roles = {case.claimant: "claimant", case.respondent: "respondent"}
    return case, roles.get(viewer.organisation_id, "official")


@get("/breaches/{breach_id:int}", guards=_GUARDS)
async def one(request: WebRequest, viewer: SignedIn, breach_id: FromPath[int]) -> Response[str]:
    """Show a case with its evidence, its figures and what may be done now."""
    case, role = await _case(breach_id, viewer)
    return await _draw(request, viewer, case, role)


async def _draw(
    request: WebRequest,
    viewer: Viewer,
    case: BreachRow,
    role: str,
    *,
    refused: tuple[str, Filled] | None = None,
    status: int = 200,
) -> Response[str]:
    deal = await deal_of(deal_id=case.deal, organisation_id=viewer.organisation_id)
    sums, later = await figures(case=case, deal=deal)
    blank = {"evidence": EVIDENCE, "answer": ANSWER, "decide": DECIDE, "offer": OFFER, "quote": QUOTE}
    forms = {name: form.blank(key=new_key()) for name, form in blank.items()}
    if refused:
        forms[refused[0]] = refused[1]
    moves = BREACH.available(state=case.state, by=role)
    quotes = await quotes_of(breach_id=case.id)
    return show(
        request,
        "breaches/one.html",
        status=status,
        case=case,
        deal=deal,
        role=role,
        ground=GROUNDS[case.against][case.ground],
        evidence=await evidence_of(breach_id=case.id),
        sums=sums,
        # what others paid is the claimant's own to show; the other side and the town see the sums
        later=later if role == "claimant" else [],
        quotes=quotes,
        loss=loss_of(case, deal, sums, quotes),
        loss_source=LOSS.name,
        can_quote=role != "official" and case.terminated_at is not None,
        forms=forms,
        moves=moves,
        can_add=role != "official" and case.state in (*OPEN, DRAFT),
        can_offer=role != "official" and case.state in OPEN,
        can_settle="settle" in moves and case.offered_by not in (None, viewer.organisation_id),
        can_terminate=role == "claimant"
        and case.state in MAY_TERMINATE
        and case.terminated_at is None
        and deal.state == ACTIVE,
        answer_days=ANSWER_DAYS,
        steps=await history(subjects=[f"breach:{case.id}"]),
        deeds=DEEDS,
        BREACH=BREACH,
        CONTRACT=CONTRACT,
    )


#: Deed -> its form, and what is said when it is done.
_FORMS: dict[str, tuple[Form, Message]] = {
    "file": (BARE, msg("已提出，对方和镇里会收到通知。")),
    "answer": (ANSWER, msg("已答复。")),
    "decide": (DECIDE, msg("已记录，双方会收到通知。")),
    "offer": (OFFER, msg("已向对方提出和解。")),
    "settle": (OFFER, msg("双方和解，这件违约了结。")),
    "terminate": (BARE, msg("已通知解除，余下的数量已释放；货源在售的，马上重新撮合。")),
    "evidence": (EVIDENCE, msg("证据已加上，不能再改。")),
    "quote": (QUOTE, msg("行情已记下，不能再改。")),
}


@post("/breaches/{breach_id:int}/{deed:str}", guards=_GUARDS, request_max_body_size=MOST_BODY)
async def act(
    request: WebRequest, viewer: SignedIn, breach_id: FromPath[int], deed: FromPath[str]
) -> Response[Any]:
    """File, answer, decide, offer, settle, terminate, or add evidence: whoever it is open to."""
    if deed not in _FORMS:
        raise NotFound(msg("没有找到这一步。"))
    form, told = _FORMS[deed]
    filled = await form.read(request)
    case, role = await _case(breach_id, viewer)
    by = {"official": "official", "claimant": _other_side(case), "respondent": case.against}[role]
    try:
        filled.check()
        work = await _work(deed, filled, case, viewer, acting(viewer, by))
        about = {"breach": case.id, "typed": {k: v for k, v in filled.typed.items() if k != "key"}}
        await do_filled(viewer, filled, f"breach_{deed}", about, work)
    except Invalid as refused:
        again = filled.refused(refused)
        return await _draw(request, viewer, case, role, refused=(deed, again), status=422)
    return redirect(request, f"/breaches/{case.id}", toast=told)


def _other_side(case: BreachRow) -> str:
    return "buyer" if case.against == "seller" else "seller"


async def _work(
    deed: str, filled: Filled, case: BreachRow, viewer: Viewer, actor: Actor
) -> Callable[[datetime], Awaitable[object]]:
    """Return the operation of a deed, waiting for its moment."""
    values = {name: value for name, value in filled.values.items() if name not in ("key", "photo")}
    by: dict[str, Any] = {"breach_id": case.id, "organisation_id": viewer.organisation_id, "actor": actor}
    if deed == "evidence":
        piece = await piece_in(filled)
        return lambda at: breach.add_evidence(evidence=piece, at=at, **by)
    operations: dict[str, Callable[..., Awaitable[object]]] = {
        "file": breach.file_case,
        "answer": breach.answer_case,
        "decide": breach.decide_case,
        "offer": breach.offer_settlement,
        "settle": breach.settle_case,
        "terminate": give_notice,
        "quote": add_quote,
    }
    return lambda at: operations[deed](at=at, **by, **values)


@get("/breaches/{breach_id:int}/pictures/{evidence_id:int}", guards=_GUARDS)
async def image(viewer: SignedIn, breach_id: FromPath[int], evidence_id: FromPath[int]) -> Response[bytes]:
    """Return a picture of a case to whoever may see the case."""
    case, _ = await _case(breach_id, viewer)
    content = await picture_of(about="breach", numbers=[case.id], piece_id=row_number(evidence_id))
    return scan_response("", "image/webp", content)


routes: list[ControllerRouterHandler] = [index, record, begin, reply, one, act, image]
