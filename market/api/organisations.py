"""How organisations stand, and what waits for a purchasing manager."""

from datetime import date, datetime

import msgspec
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler

from market.accounts.rules import REFUSED, require
from market.api.handling import acting, deed, do_once, read
from market.api.inputs import Code, IdempotencyKey, Note, PathId, Reader, SignedIn
from market.api.outputs import Moved, told
from market.errors import NotFound
from market.i18n import msg
from market.organisations import approving, rules
from market.organisations.approval_queries import approval_of, approvals_of
from market.organisations.queries import StandingRow, own_card, standings_of


class OwnStanding(msgspec.Struct, frozen=True):
    """How your organisation stands with its county. `buyer_limit`: fen; null: any amount."""

    state: str
    since: datetime | None
    until: date | None
    checked: list[str]
    reason: str | None
    note: str
    capabilities: list[str]
    buyer_limit: int | None


class Turned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`reason`: budget, price, quantity, supplier or other; other needs a note."""

    reason: Code
    note: Note = ""


@read("/organisation")
async def own(viewer: SignedIn) -> OwnStanding:
    """Your organisation: verified or not, until when, what it may do."""
    card = await own_card(organisation_id=viewer.organisation_id)
    return OwnStanding(
        card.state,
        card.state_since,
        card.until,
        card.checked,
        card.reason,
        card.note,
        sorted(card.standing.capabilities),
        card.buyer_limit,
    )


@read("/organisations/{organisation_id:int}/standing")
async def standing(viewer: SignedIn, organisation_id: PathId) -> StandingRow:  # noqa: ARG001  for the signed-in
    """What is shown beside an organisation's name: what its county has checked, and until when that holds."""
    found = (await standings_of(organisation_id)).get(organisation_id)
    if found is None:
        raise NotFound(msg("没有找到这个单位。"))
    return found


class ApprovalView(msgspec.Struct, frozen=True):
    """`amount` and `most`: fen. `about` is told without who: "bids 200 kg for ..."."""

    id: int
    organisation: int
    organisation_name: str
    organisation_name_en: str
    other: int | None
    other_name: str | None
    other_name_en: str | None
    about: str
    subject: str
    link: str
    amount: int
    most: int
    state: str
    asked_by: int
    asker: str
    asker_en: str
    asked_at: datetime
    expires_at: datetime
    decider: str | None
    decider_en: str | None
    decided_at: datetime | None
    reason: str | None
    note: str
    result: str


@read("/approvals")
async def approvals(viewer: SignedIn, language: Reader) -> list[ApprovalView]:
    """What your buyers asked for above their limit; what waits first."""
    require(viewer, "buyer")
    rows = await approvals_of(organisation_id=viewer.organisation_id)
    return [told(ApprovalView, row, language) for row in rows]


@read("/approvals/{approval_id:int}")
async def one(viewer: SignedIn, language: Reader, approval_id: PathId) -> ApprovalView:
    """One of them."""
    require(viewer, "buyer")
    row = await approval_of(approval_id=approval_id, organisation_id=viewer.organisation_id)
    return told(ApprovalView, row, language)


@deed("/approvals/{approval_id:int}/approve")
async def approve(viewer: SignedIn, approval_id: PathId, key: IdempotencyKey = None) -> Moved:
    """Approve it as a purchasing manager whose limit covers it, which does it."""
    require(viewer, "manager")
    by = acting(viewer, "buyer")

    async def do(at: datetime) -> str:
        await approving.approve(
            approval_id=approval_id, organisation_id=viewer.organisation_id, actor=by, at=at
        )
        return rules.APPROVED

    return await do_once(viewer=viewer, key=key, name="approve", about={"approval": approval_id}, do=do)


@deed("/approvals/{approval_id:int}/refuse", body=Turned)
async def refuse(
    viewer: SignedIn, approval_id: PathId, data: JSONBody[Turned], key: IdempotencyKey = None
) -> Moved:
    """Refuse it with a coded reason."""
    require(viewer, "manager")
    by = acting(viewer, "buyer")

    async def do(at: datetime) -> str:
        await approving.refuse(
            approval_id=approval_id,
            organisation_id=viewer.organisation_id,
            reason=data.reason,
            note=data.note,
            actor=by,
            at=at,
        )
        return REFUSED

    about = {"approval": approval_id, "reason": data.reason, "note": data.note}
    return await do_once(viewer=viewer, key=key, name="refuse_approval", about=about, do=do)


routes: list[ControllerRouterHandler] = [own, standing, approvals, one, approve, refuse]
