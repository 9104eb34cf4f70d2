"""The signature of one side, in the app or by a scanned paper: the second brings the contract into force."""

from datetime import datetime
from typing import Any

import msgspec
from asyncpg import Record

from market.accounts.rules import SIGN, Actor
from market.audit.operations import record
from market.db.session import execute, fetch
from market.deals import rules
from market.deals.clauses import price_of
from market.deals.paying import fall_due_at_signing
from market.deals.scans.outdating import keep_waiting
from market.deals.terms import fix_terms, terms_in_force
from market.errors import Conflict, NotFound
from market.i18n import msg
from market.notices.operations import notify
from market.organisations.approving import Binding, bind
from market.organisations.delegating import tell_principal
from market.units import FenPerKg, Gram, amount


async def sign_side(
    *,
    deal: Record,
    side: str,
    what: Binding | None,
    actor: Actor,
    at: datetime,
    scan: dict[str, Any] | None = None,
) -> str:
    """Sign for one side of a contract, its row locked; return the new state.

    ``what`` it binds a buyer to; ``scan`` is what the record keeps of the paper that it rests on.

    Raises:
        WrongState: nothing to sign any more.
        NotAllowed: as ``approving.bind``.
        Conflict: this side has signed already.
    """
    move = "sign" if deal["state"] == rules.PENDING else "countersign"
    state = rules.CONTRACT.apply(move, state=deal["state"], by=side)
    if deal[f"{side}_signed_at"] is not None:
        raise Conflict(msg("您这一方已经签过字，等对方签字即可。"))
    await bind(actor=actor, organisation_id=deal[side], side=side, deed=SIGN, what=what)
    await fix_terms(deal_id=deal["id"], at=at)
    await execute(
        f"""UPDATE deal SET state = $2, {side}_signed_at = $3, {side}_signed_by = $4
            WHERE id = $1""",  # noqa: S608  side is one of two words above
        deal["id"],
        state,
        at,
        actor.person_id,
    )
    if state == rules.ACTIVE:
        _, terms = await terms_in_force(deal_id=deal["id"])
        await fall_due_at_signing(deal=deal, terms=terms, at=at)
        await keep_waiting(deal_id=deal["id"])
    await record(
        subject=f"deal:{deal['id']}",
        action=move,
        actor=actor,
        at=at,
        details={"side": side, "state": state, **(scan or {})},
    )
    if state == rules.ACTIVE or scan is None:
        await notify(
            organisation_id=deal["buyer"] if side == "seller" else deal["seller"],
            kind="deal_signed",
            message=msg("合同 {number} 对方已签字，双方签完即生效。", number=deal["number"])
            if state == rules.PARTLY_SIGNED
            else msg("合同 {number} 双方已签字，现已生效。", number=deal["number"]),
            link=f"/deals/{deal['id']}",
            at=at,
        )
    await tell_principal(
        actor=actor,
        organisation_id=deal[side],
        did=msg("签了合同 {number}", number=deal["number"]),
        link=f"/deals/{deal['id']}",
        at=at,
    )
    return state


async def locked_to_sign(*, deal_id: int, organisation_id: int) -> Record:
    """Return a contract of the organisation with its lot, the row locked. Raises: NotFound."""
    rows = await fetch(
        """SELECT deal.*, listing.lot FROM deal JOIN listing ON listing.id = deal.listing
           WHERE deal.id = $1 AND $2 IN (deal.seller, deal.buyer) FOR NO KEY UPDATE OF deal""",
        deal_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这份合同。"))
    return rows[0]


async def binding_of(deal: Record, name: str, request: msgspec.Struct) -> Binding:
    """Return what a signature binds the buyer to: the goods at the price of the terms in force."""
    _, terms = await terms_in_force(deal_id=deal["id"])
    return Binding(
        name,
        request,
        amount(Gram(deal["quantity"]), price_of(terms, FenPerKg(deal["price"]))),
        msg("签合同 {number}", number=deal["number"]),
        f"deal:{deal['id']}",
        f"/deals/{deal['id']}",
        deal["seller"],
    )
