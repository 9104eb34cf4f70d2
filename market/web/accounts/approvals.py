"""What is above a buyer's limit: the purchasing manager approves or refuses, the buyer takes back."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market.accounts.rules import MANAGER, Viewer
from market.audit.queries import history
from market.errors import Invalid
from market.i18n import Message, msg
from market.organisations import approving, rules
from market.organisations.approval_queries import ApprovalRow, approval_of, approvals_of
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, KEY, acting, do_filled, new_key, show

_BUYERS = [require("buyer")]
REFUSE = Form(
    reason=fields.choice(
        msg("原因"), rules.APPROVAL_REFUSALS, hint=msg("采购员会看到；对方只知道没有办成。")
    ),
    note=fields.text(msg("补充说明"), most=rules.LONGEST_WORDS, lines=True, optional=True),
    key=KEY,
)
DEEDS: dict[str, Message] = {
    "ask": msg("提交审批"),
    "approve": msg("批准"),
    "refuse": msg("没有批准"),
    "withdraw": msg("撤回了"),
}


@get("/approvals", guards=_BUYERS)
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """List what waits for a purchasing manager, and what was decided."""
    rows = await approvals_of(organisation_id=viewer.organisation_id)
    return show(
        request,
        "approvals/index.html",
        approvals=rows,
        waiting=sum(each.state == rules.WAITING for each in rows),
        APPROVAL=rules.APPROVAL,
        decides=MANAGER in viewer.roles,
    )


@get("/approvals/{approval_id:int}", guards=_BUYERS)
async def one(request: WebRequest, viewer: SignedIn, approval_id: FromPath[int]) -> Response[str]:
    """Show one deed that waits, or what became of it."""
    found = await _approval(approval_id, viewer)
    return await _draw(request, viewer, found, REFUSE.blank(key=new_key()))


async def _approval(approval_id: int, viewer: Viewer) -> ApprovalRow:
    return await approval_of(approval_id=row_number(approval_id), organisation_id=viewer.organisation_id)


async def _draw(
    request: WebRequest, viewer: Viewer, found: ApprovalRow, form: Filled, *, status: int = 200
) -> Response[str]:
    waits = found.state == rules.WAITING
    return show(
        request,
        "approvals/one.html",
        status=status,
        approval=found,
        form=form,
        can_decide=waits and MANAGER in viewer.roles and found.asked_by != viewer.person_id,
        can_withdraw=waits and found.asked_by == viewer.person_id,
        reasons=rules.APPROVAL_REFUSALS,
        steps=await history(subjects=[f"approval:{found.id}"]),
        deeds=DEEDS,
        APPROVAL=rules.APPROVAL,
    )


@post("/approvals/{approval_id:int}/approve", guards=[require("manager")])
async def approve(request: WebRequest, viewer: SignedIn, approval_id: FromPath[int]) -> Response[Any]:
    """Approve, which does it, and go where that leads."""
    filled = await BARE.read(request)
    filled.check()
    found = await _approval(approval_id, viewer)
    link = await do_filled(
        viewer,
        filled,
        "approve",
        {"approval": found.id},
        lambda at: approving.approve(
            approval_id=found.id,
            organisation_id=viewer.organisation_id,
            actor=acting(viewer, "buyer"),
            at=at,
        ),
    )
    return redirect(request, link, toast=msg("已批准，并已办成。"))


@post("/approvals/{approval_id:int}/refuse", guards=[require("manager")])
async def refuse(request: WebRequest, viewer: SignedIn, approval_id: FromPath[int]) -> Response[Any]:
    """Refuse with a coded reason."""
    filled = await REFUSE.read(request)
    found = await _approval(approval_id, viewer)
    try:
        filled.check()
        reason, note = filled.values["reason"], filled.values["note"] or ""
        await do_filled(
            viewer,
            filled,
            "refuse_approval",
            {"approval": found.id, "reason": reason, "note": note},
            lambda at: approving.refuse(
                approval_id=found.id,
                organisation_id=viewer.organisation_id,
                reason=reason,
                note=note,
                actor=acting(viewer, "buyer"),
                at=at,
            ),
        )
    except Invalid as error:
        return await _draw(request, viewer, found, filled.refused(error), status=422)
    return redirect(request, f"/approvals/{found.id}", toast=msg("已退回，没有办。"))


@post("/approvals/{approval_id:int}/withdraw", guards=_BUYERS)
async def withdraw(request: WebRequest, viewer: SignedIn, approval_id: FromPath[int]) -> Response[Any]:
    """Take back what one has asked for."""
    filled = await BARE.read(request)
    filled.check()
    found = await _approval(approval_id, viewer)
    await do_filled(
        viewer,
        filled,
        "withdraw_approval",
        {"approval": found.id},
        lambda at: approving.withdraw(
            approval_id=found.id,
            organisation_id=viewer.organisation_id,
            actor=acting(viewer, "buyer"),
            at=at,
        ),
    )
    return redirect(request, f"/approvals/{found.id}", toast=msg("已撤回。"))


routes: list[ControllerRouterHandler] = [index, one, approve, refuse, withdraw]
