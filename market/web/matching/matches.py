"""Suggestions of the engine: why each one, at what price, and the answers of both sides."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer
from market.audit.queries import history
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.matching.agreement import agree as agree_to
from market.matching.agreement import decline as decline_one
from market.matching.lifecycle import AGREED, CONVERTED, DECLINED, MATCH, ONE_SIDE_AGREED, PROPOSED
from market.matching.queries import MatchRow, match_of, matches_of
from market.organisations.approval_queries import waiting_on
from market.transitions import WrongState
from market.units import HAO_PER_FEN, FenPerKg, Gram, amount
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.parts import pages
from market.web.parts.badges import badges_of
from market.web.parts.forms import Filled
from market.web.parts.trade import BARE, acting, do_once, new_key, refusal_form, show

DEEDS: dict[str, Message] = {"agree": msg("同意撮合建议"), "decline": msg("谢绝撮合建议")}


def fen(hao: int) -> FenPerKg:
    """Return a price of the engine (hao per kg) as the market writes it, down to a whole fen."""
    return FenPerKg(hao // HAO_PER_FEN)


def side_of(match: MatchRow, viewer: Viewer) -> str | None:
    """Return which side the viewer is; None for the town, which only looks on."""
    return {match.seller: "seller", match.buyer: "buyer"}.get(viewer.organisation_id)


def is_waiting(match: MatchRow, viewer: Viewer) -> bool:
    """Tell whether this viewer's answer is what the match waits for."""
    has_agreed = match.seller_agreed if side_of(match, viewer) == "seller" else match.buyer_agreed
    return (
        match.state in (PROPOSED, ONE_SIDE_AGREED)
        and not has_agreed
        and match.expires_at > clock.now()
        and match.suspended is None
    )


@get("/matches", guards=[require("seller", "buyer", "official")])
async def index(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """What awaits an answer first; officials have their own page of runs."""
    if viewer.side == "official":
        return pages.redirect(request, "/town")
    matches = await matches_of(organisation_id=viewer.organisation_id)
    return show(
        request,
        "matches/index.html",
        waiting=[match for match in matches if is_waiting(match, viewer)],
        others=[match for match in matches if not is_waiting(match, viewer)],
        side_of=lambda match: side_of(match, viewer),
        fen=fen,
        total=_total,
        sells="seller" in viewer.sides,
        MATCH=MATCH,
    )


def _total(match: MatchRow) -> int:
    return amount(Gram(match.quantity), fen(match.price))


@get("/matches/{match_id:int}")
async def one(request: WebRequest, viewer: SignedIn, match_id: FromPath[int]) -> Response[str]:
    """One suggestion with its reasons and its two answers."""
    match = await match_of(match_id=row_number(match_id), organisation_id=viewer.organisation_id)
    refusal = await refusal_form(request, side_of(match, viewer))
    return await _draw(request, viewer, match, refusal.blank(key=new_key()))


async def _draw(
    request: WebRequest, viewer: Viewer, match: MatchRow, refusal: Filled, *, status: int = 200
) -> Response[str]:
    side = side_of(match, viewer)
    is_late = match.expires_at <= clock.now()
    return show(
        request,
        "matches/one.html",
        status=status,
        match=match,
        badges=await badges_of(match.seller, match.buyer),
        waits=await waiting_on(f"match:{match.id}", organisation_id=viewer.organisation_id),
        side=side,
        can_agree=side is not None and is_waiting(match, viewer),
        can_decline=side is not None
        and not is_late
        and "decline" in MATCH.available(state=match.state, by=side),
        is_late=is_late and match.state in (PROPOSED, ONE_SIDE_AGREED),
        total=_total(match),
        fen=fen,
        steps=await history(subjects=[f"match:{match.id}"]),
        deeds=DEEDS,
        refusal=refusal,
        MATCH=MATCH,
    )


async def _of_side(match_id: int, viewer: Viewer) -> tuple[MatchRow, str]:
    match = await match_of(match_id=row_number(match_id), organisation_id=viewer.organisation_id)
    side = side_of(match, viewer)
    if side is None:
        raise NotFound(msg("没有找到这条撮合建议。"))
    return match, side


@post("/matches/{match_id:int}/agree")
async def agree(request: WebRequest, viewer: SignedIn, match_id: FromPath[int]) -> Response[Any]:
    """Agree; where the other side has too, go to the deal."""
    filled = await BARE.read(request)
    filled.check()
    match, side = await _of_side(match_id, viewer)
    deal_id = match.deal
    try:
        agreement = await agree_to(
            match_id=match_id,
            organisation_id=viewer.organisation_id,
            actor=acting(viewer, side),
            at=clock.now(),
            key=filled.values["key"],
        )
        deal_id = agreement.deal_id
    except Conflict:
        has_agreed = match.seller_agreed if side == "seller" else match.buyer_agreed
        if not has_agreed or match.state not in (ONE_SIDE_AGREED, AGREED, CONVERTED):
            raise
    if deal_id is not None:
        return pages.redirect(request, f"/deals/{deal_id}", toast=msg("双方都同意了，合同已生成，请签字。"))
    return pages.redirect(request, f"/matches/{match_id}", toast=msg("已同意，等对方答复。"))


@post("/matches/{match_id:int}/decline")
async def decline(request: WebRequest, viewer: SignedIn, match_id: FromPath[int]) -> Response[Any]:
    """Decline with a coded reason; the next run does not propose this pair again."""
    match, side = await _of_side(match_id, viewer)
    filled = await (await refusal_form(request, side)).read(request)
    at = clock.now()
    try:
        filled.check()
        await do_once(
            viewer=viewer,
            key=filled.values["key"],
            name="match_decline",
            about={"match": match_id, "reason": filled.values["reason"], "note": filled.values["note"]},
            deed=lambda: decline_one(
                match_id=match_id,
                organisation_id=viewer.organisation_id,
                reason=filled.values["reason"],
                note=filled.values["note"],
                actor=acting(viewer, side),
                at=at,
            ),
            at=at,
        )
    except Invalid as error:
        return await _draw(request, viewer, match, filled.refused(error), status=422)
    except WrongState:
        if match.state != DECLINED:
            raise
    return pages.redirect(request, f"/matches/{match_id}", toast=msg("已谢绝，下次撮合不再推荐这一对。"))


routes: list[ControllerRouterHandler] = [index, one, agree, decline]
