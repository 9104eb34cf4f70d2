"""Ending a contract without a breach: by agreement, or by a notice of force majeure with its proof."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import END, EXCUSE, Viewer
from market.catalogue.rules import CANCELS, told_reason
from market.deals.breach_queries import prepaid_of
from market.deals.endings import operations, rules
from market.deals.endings.queries import EndingRow, endings_of, proof_under
from market.deals.endings.seen import Changed, Rest, rest_of
from market.deals.pieces import picture_of
from market.deals.queries import DealRow
from market.deals.rules import ACTIVE, CONTRACT, PROPOSED
from market.errors import Invalid, NotFound
from market.i18n import Message, msg
from market.units import Fen, Gram
from market.web.deals.pieces import MOST_BODY, piece_form, piece_in
from market.web.deals.sheet import deal_and_side, party
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.edge.language import language_of
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.scans import scan_response
from market.web.parts.trade import BARE, KEY, acting, do_filled, name_in, new_key, refusal_form, show

NOTICE = Form(
    event=fields.choice(msg("发生了什么"), rules.EVENTS),
    happened_on=fields.day(msg("哪天发生的")),
    words=fields.text(
        msg("为什么因此不能履行"),
        most=rules.LONGEST_WORDS,
        lines=True,
        hint=msg("哪里、影响多少货或哪家门店、为什么克服不了。"),
    ),
    key=KEY,
)
PROOF = piece_form(
    msg("这份证明说明什么"), most=rules.LONGEST_WORDS, hint=msg("灾情照片、气象或政府部门的证明、封控通知。")
)


def _rest_in(typed: str) -> Rest:
    free, under_way, deposit = (int(each) for each in typed.split("-"))
    return Rest(Gram(free), Gram(under_way), Fen(deposit))


#: What is agreed to, as it was read: grams that would be free, grams under way, fen paid as deposit.
AGREE = Form(seen=fields.hidden(_rest_in, optional=True), key=KEY)
_ANSWERED = {
    "agree": msg("双方同意，合同已解除，余下的数量已释放；货源在售的，马上重新撮合。"),
    "refuse": msg("已答复不同意，对方会看到原因；合同照常履行。"),
    "withdraw": msg("已撤回。"),
}
#: What both agreed to end, with all of its goods delivered: nothing is free by it.
_NOTHING_FREED = msg("双方同意，合同已解除。")


async def _proposal_form(request: WebRequest, *, has_deposit: bool) -> Form:
    further: dict[str, fields.Field] = {
        "words": fields.text(
            msg("已交的货、已付的钱怎么了结"),
            most=rules.LONGEST_WORDS,
            lines=True,
            hint=msg("例如 已收的 10 吨照价付清，其余不交不收，互不追究。"),
        )
    }
    if has_deposit:
        further["deposit"] = fields.choice(
            msg("定金"), rules.DEPOSITS, chips=True, hint=msg("双方写明的算数；违约的定金规则不用。")
        )
    return await refusal_form(request, CANCELS, **further)


@get("/deals/{deal_id:int}/ending")
async def index(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[str]:
    """Show what was proposed or noticed, and the forms for it."""
    deal, side = await deal_and_side(deal_id, viewer)
    return await _draw(request, viewer, deal, side)


async def _draw(
    request: WebRequest,
    viewer: Viewer,
    deal: DealRow,
    side: str | None,
    *,
    refused: tuple[str, Filled] | None = None,
    stale: Message | None = None,
    status: int = 200,
) -> Response[str]:
    endings = await endings_of(deal_id=deal.id)
    waiting = next((each for each in endings if each.state == PROPOSED), None)
    rest = await rest_of(deal_id=deal.id, quantity=deal.quantity)
    forms = {
        "propose": (await _proposal_form(request, has_deposit=rest.deposit > 0)).blank(key=new_key()),
        "refuse": (await refusal_form(request, side)).blank(key=new_key()),
        "notice": NOTICE.blank(happened_on=clock.today(), key=new_key()),
        "proof": PROOF.blank(key=new_key()),
    }
    if refused:
        forms[refused[0]] = refused[1]
    return show(
        request,
        "deals/ending.html",
        status=status,
        deal=deal,
        side=side,
        endings=endings,
        waiting=waiting,
        can=_can(waiting, viewer, deal, side),
        may_end=side is not None and deal.state == ACTIVE and _may(viewer, END),
        # of its own: who may end a contract by agreement gives no notice for that
        may_excuse=_may(viewer, EXCUSE),
        in_force=side is not None and deal.state == ACTIVE,
        proof=await proof_under(deal_id=deal.id),
        rest=rest,
        seen="-".join(str(each) for each in (rest.free, rest.under_way, rest.deposit)),
        stale=stale,
        forms=forms,
        events=rules.EVENTS,
        deposits=rules.DEPOSITS,
        # the words that some reasons ask for stand in full below
        why_of=lambda each: told_reason(name_in(language_of(request), each, "reason"), "")[0],
        is_late=lambda each: rules.is_late(each.happened_on, deliver_to=deal.deliver_to),
        days_until=lambda each: (each.created_at.astimezone(clock.CHINA).date() - each.happened_on).days,
        ENDING=rules.ENDING,
        CONTRACT=CONTRACT,
    )


def _can(waiting: EndingRow | None, viewer: Viewer, deal: DealRow, side: str | None) -> tuple[str, ...]:
    if waiting is None or side is None or deal.state != ACTIVE or not _may(viewer, END):
        return ()
    by = "proposer" if waiting.proposer == viewer.organisation_id else "other"
    return rules.ENDING.available(state=waiting.state, by=by)


def _may(viewer: Viewer, deed: str) -> bool:
    return viewer.delegation_id is None or deed in viewer.delegated


@post("/deals/{deal_id:int}/ending")
async def propose(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[Any]:
    """Propose to end it by agreement, with a coded reason and what becomes of goods and money."""
    deal, side = await party(deal_id, viewer)
    has_deposit = (await prepaid_of(deal_id=deal.id)).deposit > 0
    filled = await (await _proposal_form(request, has_deposit=has_deposit)).read(request)
    values = filled.values
    try:
        filled.check()
        proposal = operations.Proposal(values["reason"], values["words"], values.get("deposit"))
        await do_filled(
            viewer,
            filled,
            "propose_ending",
            {
                "deal": deal.id,
                "reason": proposal.reason,
                "words": proposal.words,
                "deposit": proposal.deposit,
            },
            lambda at: operations.propose_ending(
                deal_id=deal.id,
                proposal=proposal,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
            ),
        )
    except Invalid as error:
        again = ("propose", filled.refused(error))
        return await _draw(request, viewer, deal, side, refused=again, status=422)
    return redirect(request, f"/deals/{deal.id}/ending", toast=msg("已提出，对方同意才解除，之前照常履行。"))


@post("/deals/{deal_id:int}/ending/force-majeure")
async def notice(request: WebRequest, viewer: SignedIn, deal_id: FromPath[int]) -> Response[Any]:
    """Give notice that a force majeure ends it."""
    filled = await NOTICE.read(request)
    deal, side = await party(deal_id, viewer)
    values = filled.values
    try:
        filled.check()
        given = operations.Notice(values["event"], values["happened_on"], values["words"])
        await do_filled(
            viewer,
            filled,
            "force_majeure",
            {
                "deal": deal.id,
                "event": given.event,
                "on": given.happened_on.isoformat(),
                "words": given.words,
            },
            lambda at: operations.give_force_majeure(
                deal_id=deal.id,
                notice=given,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
            ),
        )
    except Invalid as error:
        again = ("notice", filled.refused(error))
        return await _draw(request, viewer, deal, side, refused=again, status=422)
    return redirect(
        request,
        f"/deals/{deal.id}/ending",
        toast=msg("已通知对方，合同解除；请在合理期限内补上证明。"),
    )


@post("/deals/{deal_id:int}/ending/{ending_id:int}/proof", request_max_body_size=MOST_BODY)
async def prove(
    request: WebRequest, viewer: SignedIn, deal_id: FromPath[int], ending_id: FromPath[int]
) -> Response[Any]:
    """Put words and a picture to a notice of force majeure."""
    filled = await PROOF.read(request)
    deal, side = await party(deal_id, viewer)
    try:
        filled.check()
        piece = await piece_in(filled)
        await do_filled(
            viewer,
            filled,
            "prove_ending",
            {"ending": ending_id, "words": piece.words, "hash": piece.content_hash},
            lambda at: operations.add_proof(
                deal_id=deal.id,
                ending_id=row_number(ending_id),
                proof=piece,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
            ),
        )
    except Invalid as error:
        again = ("proof", filled.refused(error))
        return await _draw(request, viewer, deal, side, refused=again, status=422)
    return redirect(request, f"/deals/{deal.id}/ending", toast=msg("证明已加上，不能再改。"))


@post("/deals/{deal_id:int}/ending/{ending_id:int}/{answer:str}")
async def answer_one(
    request: WebRequest,
    viewer: SignedIn,
    deal_id: FromPath[int],
    ending_id: FromPath[int],
    answer: FromPath[str],
) -> Response[Any]:
    """Agree to what the other side proposes, refuse it, or withdraw one's own proposal."""
    if answer not in _ANSWERED:
        raise NotFound(msg("没有这个页面。"))
    deal, side = await party(deal_id, viewer)
    refuses = answer == "refuse"
    form = AGREE if answer == "agree" else BARE
    filled = await (await refusal_form(request, side) if refuses else form).read(request)
    said: dict[str, Any] = {}
    try:
        filled.check()
        if refuses:
            said = {"reason": filled.values["reason"], "note": filled.values["note"] or ""}
        await do_filled(
            viewer,
            filled,
            f"{answer}_ending",
            {"ending": ending_id, **said},
            lambda at: operations.answer_ending(
                deal_id=deal.id,
                ending_id=row_number(ending_id),
                move=answer,
                organisation_id=viewer.organisation_id,
                actor=acting(viewer, side),
                at=at,
                seen=filled.values.get("seen"),
                **said,
            ),
        )
    except Changed as changed:
        return await _draw(request, viewer, deal, side, stale=changed.message, status=409)
    except Invalid as error:
        again = ("refuse", filled.refused(error))
        return await _draw(request, viewer, deal, side, refused=again, status=422)
    seen: Rest | None = filled.values.get("seen")
    told = _NOTHING_FREED if seen is not None and not seen.free else _ANSWERED[answer]
    return redirect(request, f"/deals/{deal.id}/ending", toast=told)


@get("/deals/{deal_id:int}/ending/pictures/{proof_id:int}")
async def image(viewer: SignedIn, deal_id: FromPath[int], proof_id: FromPath[int]) -> Response[bytes]:
    """Return a picture of a proof to whoever may see the contract."""
    deal, _ = await deal_and_side(deal_id, viewer)
    endings = [each.id for each in await endings_of(deal_id=deal.id)]
    content = await picture_of(about="ending", numbers=endings, piece_id=row_number(proof_id))
    return scan_response("", "image/webp", content)


routes: list[ControllerRouterHandler] = [index, propose, notice, prove, answer_one, image]
