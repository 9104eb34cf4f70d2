"""Signing a contract, and cancelling it before it binds. ``making`` makes it."""

from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import SIGN, Actor
from market.audit.operations import record
from market.catalogue.queries import check_reason
from market.catalogue.rules import CANCELS
from market.db.session import execute, fetch, transaction
from market.deals import rules
from market.deals.clauses import price_of
from market.deals.dropping import drop
from market.deals.joint_gaps import tell_of_gap
from market.deals.making import NewDeal as NewDeal
from market.deals.making import make_deal as make_deal
from market.deals.paying import fall_due_at_signing
from market.deals.terms import LONGEST_NOTE, fix_terms, terms_in_force
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg
from market.notices.operations import notify
from market.organisations.approving import Binding, approvable, asks, bind
from market.units import FenPerKg, Gram, amount


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
        deal = await _locked(deal_id=deal_id, organisation_id=organisation_id)
        side = "seller" if deal["seller"] == organisation_id else "buyer"
        move = "sign" if deal["state"] == rules.PENDING else "countersign"
        state = rules.CONTRACT.apply(move, state=deal["state"], by=side)
        if deal[f"{side}_signed_at"] is not None:
            raise Conflict(msg("您这一方已经签过字，等对方签字即可。"))
        await bind(
            actor=actor,
            organisation_id=organisation_id,
            side=side,
            deed=SIGN,
            what=await _binding(deal) if side == "buyer" else None,
        )
        await fix_terms(deal_id=deal_id, at=at)
        await execute(
            f"""UPDATE deal SET state = $2, {side}_signed_at = $3, {side}_signed_by = $4
                WHERE id = $1""",  # noqa: S608  side is one of two words above
            deal_id,
            state,
            at,
            actor.person_id,
        )
        if state == rules.ACTIVE:
            _, terms = await terms_in_force(deal_id=deal_id)
            await fall_due_at_signing(deal=deal, terms=terms, at=at)
        await record(
            subject=f"deal:{deal_id}", action=move, actor=actor, at=at, details={"side": side, "state": state}
        )
        other = deal["buyer"] if side == "seller" else deal["seller"]
        await notify(
            organisation_id=other,
            kind="deal_signed",
            message=msg("合同 {number} 对方已签字，双方签完即生效。", number=deal["number"])
            if state == rules.PARTLY_SIGNED
            else msg("合同 {number} 双方已签字，现已生效。", number=deal["number"]),
            link=f"/deals/{deal_id}",
            at=at,
        )
    return state


class SignDeal(msgspec.Struct, frozen=True):
    deal_id: int


async def _binding(deal: Record) -> Binding:
    """Return what a signature binds the buyer to: the goods at the price of the terms in force."""
    _, terms = await terms_in_force(deal_id=deal["id"])
    return Binding(
        "sign",
        SignDeal(deal["id"]),
        amount(Gram(deal["quantity"]), price_of(terms, FenPerKg(deal["price"]))),
        msg("签合同 {number}", number=deal["number"]),
        f"deal:{deal['id']}",
        f"/deals/{deal['id']}",
        deal["seller"],
    )


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
        deal = await _locked(deal_id=deal_id, organisation_id=organisation_id)
        side = "seller" if deal["seller"] == organisation_id else "buyer"
        rules.CONTRACT.apply("cancel", state=deal["state"], by=side)
        await check_reason(reason, CANCELS)
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


async def _locked(*, deal_id: int, organisation_id: int) -> Record:
    rows = await fetch(
        """SELECT deal.*, listing.lot FROM deal JOIN listing ON listing.id = deal.listing
           WHERE deal.id = $1 AND $2 IN (deal.seller, deal.buyer) FOR NO KEY UPDATE OF deal""",
        deal_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这份合同。"))
    return rows[0]
