"""Suggestions of the engine and the answers of both sides."""

from datetime import datetime
from typing import Any

import msgspec
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer
from market.api.bids import Refusal
from market.api.handling import acting, deed, do_once, read
from market.api.inputs import IdempotencyKey, PathId, Reader, SignedIn
from market.api.outputs import Moved, told
from market.errors import NotFound
from market.i18n import msg
from market.matching import agreement
from market.matching.agreement import Agreement
from market.matching.lifecycle import DECLINED
from market.matching.queries import match_of, matches_of


class MatchView(msgspec.Struct, frozen=True):
    """Grams, metres; `ask` and `ceiling` in fen, other prices in hao (0.0001 yuan) per kg; `worth` in fen.

    `suspended`: the side that the county has suspended; until that is over, nobody can agree.
    """

    id: int
    run: int
    listing: int
    listing_title: str
    listing_title_en: str
    produce: str
    demand: int
    demand_title: str
    demand_title_en: str
    seller: int
    seller_name: str
    seller_name_en: str
    buyer: int
    buyer_name: str
    buyer_name_en: str
    site_name: str | None
    site_name_en: str | None
    ask: int
    ceiling: int
    quantity: int
    price: int
    price_low: int
    price_high: int
    freight: int
    distance: int
    worth: int
    reason: str
    state: str
    seller_agreed: bool
    buyer_agreed: bool
    declined_by: int | None
    decline_zh: str | None
    decline_en: str | None
    decline_note: str
    deal: int | None
    created_at: datetime
    expires_at: datetime
    suspended: int | None


@read("/matches")
async def mine(viewer: SignedIn, language: Reader) -> list[MatchView]:
    """Your organisation's matches: what awaits an answer first, then by worth."""
    rows = await matches_of(organisation_id=viewer.organisation_id)
    return [told(MatchView, row, language) for row in rows]


@read("/matches/{match_id:int}")
async def one(viewer: SignedIn, language: Reader, match_id: PathId) -> MatchView:
    """One match with its reason, for its two sides and the seller's town."""
    row = await match_of(match_id=match_id, organisation_id=viewer.organisation_id)
    return told(MatchView, row, language)


async def _side(viewer: Viewer, match_id: int) -> str:
    row = await match_of(match_id=match_id, organisation_id=viewer.organisation_id)
    side = {row.seller: "seller", row.buyer: "buyer"}.get(viewer.organisation_id)
    if side is None:
        raise NotFound(msg("没有找到这条撮合建议。"))
    return side


@deed("/matches/{match_id:int}/agree")
async def agree(viewer: SignedIn, match_id: PathId, key: IdempotencyKey = None) -> Agreement:
    """Agree for your side; the second agreement makes the deal."""
    return await agreement.agree(
        match_id=match_id,
        organisation_id=viewer.organisation_id,
        actor=acting(viewer, await _side(viewer, match_id)),
        at=clock.now(),
        key=key,
    )


@deed("/matches/{match_id:int}/decline", body=Refusal)
async def decline(
    viewer: SignedIn, match_id: PathId, data: JSONBody[Refusal], key: IdempotencyKey = None
) -> Moved:
    """Decline with a coded reason; the next run does not propose this pair again."""
    by = acting(viewer, await _side(viewer, match_id))

    async def do(at: datetime) -> str:
        await agreement.decline(
            match_id=match_id,
            organisation_id=viewer.organisation_id,
            reason=data.reason,
            note=data.note,
            actor=by,
            at=at,
        )
        return DECLINED

    about: dict[str, Any] = {"match": match_id, "reason": data.reason, "note": data.note}
    return await do_once(viewer=viewer, key=key, name="match_decline", about=about, do=do)


routes: list[ControllerRouterHandler] = [mine, one, agree, decline]
