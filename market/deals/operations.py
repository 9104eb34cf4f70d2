"""Signing a contract, and cancelling it before it binds. ``making`` makes it."""

from datetime import datetime

import msgspec

from market.accounts.rules import Actor
from market.catalogue.queries import check_reason
from market.catalogue.rules import CANCELS
from market.db.session import transaction
from market.deals import rules
from market.deals.dropping import drop
from market.deals.joint_gaps import tell_of_gap
from market.deals.making import NewDeal as NewDeal
from market.deals.making import make_deal as make_deal
from market.deals.signing import binding_of, locked_to_sign, sign_side
from market.deals.terms import LONGEST_NOTE
from market.errors import Invalid
from market.i18n import msg
from market.notices.operations import notify
from market.organisations.approving import approvable, asks
from market.units import Gram


@asks
async def sign(*, deal_id: int, organisation_id: int, actor: Actor, at: datetime) -> str:
    """Sign for one party; the second signature makes the contract binding. Return the new state.

    Raises:
        NotFound: no such deal of this organisation.
        WrongState: nothing to sign any more.
        NotAllowed: as ``approving.bind``.
        Conflict: this side has signed already.
    """
    async with transaction():
        deal = await locked_to_sign(deal_id=deal_id, organisation_id=organisation_id)
        side = "seller" if deal["seller"] == organisation_id else "buyer"
        return await sign_side(
            deal=deal,
            side=side,
            what=await binding_of(deal, "sign", SignDeal(deal_id)) if side == "buyer" else None,
            actor=actor,
            at=at,
        )


class SignDeal(msgspec.Struct, frozen=True):
    deal_id: int


@approvable("sign", SignDeal)
async def _sign_approved(wish: SignDeal, buyer_id: int, actor: Actor, at: datetime) -> str:
    await sign(deal_id=wish.deal_id, organisation_id=buyer_id, actor=actor, at=at)
    return f"/deals/{wish.deal_id}"


async def cancel(
    *, deal_id: int, reason: str | None, organisation_id: int, actor: Actor, at: datetime, note: str = ""
) -> None:
    """Cancel a contract that is not yet binding, with a coded reason, which the other side sees.

    Its stock and the demand are free again.

    Raises:
        NotFound: no such deal of this organisation.
        WrongState: it is binding already, or gone.
        Invalid: no such reason, or too many words to it.
    """
    if len(note) > LONGEST_NOTE:
        problem = msg("太长了：最多 {most} 个字。", most=LONGEST_NOTE)
        raise Invalid(problem, {"note": problem})
    async with transaction():
        deal = await locked_to_sign(deal_id=deal_id, organisation_id=organisation_id)
        side = "seller" if deal["seller"] == organisation_id else "buyer"
        rules.CONTRACT.apply("cancel", state=deal["state"], by=side)
        await check_reason(reason, CANCELS, words=note)
        await drop(
            deal,
            side=side,
            actor=actor,
            at=at,
            details={"side": side, "reason": reason, **({"note": note} if note else {})},
            by=organisation_id,
            reason=reason,
            note=note,
        )
        await notify(
            organisation_id=deal["buyer"] if side == "seller" else deal["seller"],
            kind="deal_cancelled",
            message=msg("合同 {number} 对方在签约前取消了，原因已写明，数量已退回。", number=deal["number"]),
            link=f"/deals/{deal_id}",
            at=at,
        )
        await tell_of_gap(deal=deal, state=rules.CANCELLED, grams=Gram(deal["quantity"]), at=at)
