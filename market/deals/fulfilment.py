"""After the signatures: deliveries in batches, and how the buyer inspects them."""

from datetime import date, datetime

from market.accounts.rules import Actor
from market.audit.operations import record
from market.catalogue.queries import check_reason
from market.db.session import execute, fetch, transaction
from market.deals import rules
from market.deals.clauses import Terms, most_natural_loss
from market.deals.paying import complete, invoice
from market.deals.releasing import release
from market.deals.terms import terms_in_force
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg
from market.notices.operations import notify
from market.units import Gram, kg


async def schedule_delivery(
    *, deal_id: int, quantity: Gram, on: date, organisation_id: int, actor: Actor, at: datetime
) -> int:
    """Announce a delivery of the seller's; return its number.

    Raises:
        NotFound: no such deal of this seller.
        Conflict: the contract is not in force.
        Invalid: more than is still to be delivered.
    """
    async with transaction():
        rows = await fetch(
            "SELECT quantity, state, buyer, number FROM deal WHERE id = $1 AND seller = $2 FOR UPDATE",
            deal_id,
            organisation_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这份合同。"))
        deal = rows[0]
        if deal["state"] != rules.ACTIVE:
            raise Conflict(msg("双方签字后才能安排发货。"))
        planned = await fetch(
            """SELECT coalesce(sum(CASE WHEN state IN ('accepted', 'partially_accepted')
                                        THEN accepted + loss ELSE quantity END), 0) AS grams
               FROM delivery WHERE deal = $1 AND state NOT IN ('cancelled', 'rejected')""",
            deal_id,
        )
        left = deal["quantity"] - int(planned[0]["grams"])
        if not 0 < quantity <= left:
            problem = msg("还可安排 {left} 公斤，请填写不超过它的数量。", left=f"{kg(Gram(left)):,f}")
            raise Invalid(problem, {"quantity": problem})
        rows = await fetch(
            """INSERT INTO delivery (deal, quantity, state, scheduled_on) VALUES ($1, $2, $3, $4)
               RETURNING id""",
            deal_id,
            quantity,
            rules.DELIVERY.start,
            on,
        )
        delivery_id = int(rows[0]["id"])
        await record(
            subject=f"deal:{deal_id}",
            action="schedule_delivery",
            actor=actor,
            at=at,
            details={"delivery": delivery_id, "grams": quantity},
        )
        await notify(
            organisation_id=deal["buyer"],
            kind="delivery_scheduled",
            message=msg(
                "合同 {number} 安排发货 {mass} 公斤。",
                number=deal["number"],
                mass=f"{kg(quantity):,f}",
            ),
            link=f"/deals/{deal_id}",
            at=at,
        )
    return delivery_id


async def move_delivery(
    *,
    delivery_id: int,
    move: str,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    accepted: Gram | None = None,
    loss: Gram | None = None,
    reason: str | None = None,
) -> str:
    """Take a delivery one step on; what the buyer accepts is invoiced at once. Return the new state.

    ``accepted`` grams go with ``accept_part``, a coded ``reason`` with it and with ``reject``. ``loss`` grams
    of natural loss, within the agreed rate, go with ``accept`` and ``accept_part``: not paid for, nobody's
    fault, not delivered again. What comes back after the contract was terminated is on sale again.

    Raises:
        NotFound: no such delivery of this organisation.
        WrongState: the move is not open to this side now.
        Invalid: the accepted quantity, the loss or the reason is missing or wrong.
    """
    async with transaction():
        # the contract first, as everybody locks: termination and payment take it before its parts
        rows = await fetch(
            """SELECT deal.*, listing.lot, seller.town FROM deal JOIN listing ON listing.id = deal.listing
               JOIN organisation seller ON seller.id = deal.seller
               WHERE deal.id = (SELECT deal FROM delivery WHERE id = $1)
                 AND $2 IN (deal.seller, deal.buyer) FOR NO KEY UPDATE OF deal""",
            delivery_id,
            organisation_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这次发货。"))
        deal = rows[0]
        row = (await fetch("SELECT * FROM delivery WHERE id = $1 FOR UPDATE", delivery_id))[0]
        side = "seller" if deal["seller"] == organisation_id else "buyer"
        state = rules.DELIVERY.apply(move, state=row["state"], by=side)
        if move == "dispatch" and deal["state"] != rules.ACTIVE:
            raise Conflict(msg("合同已经结束，不能再发货。"))
        _, terms = await terms_in_force(deal_id=deal["id"])
        taken, lost = inspected(
            terms, move=move, quantity=Gram(row["quantity"]), accepted=accepted, loss=loss or Gram(0)
        )
        if move in ("accept_part", "reject"):
            await check_reason(reason)
        await execute(
            """UPDATE delivery SET state = $2, accepted = $3, loss = $4, reason = $5,
                 arrived_at = CASE WHEN $2 = 'arrived' THEN $6 ELSE arrived_at END WHERE id = $1""",
            delivery_id,
            state,
            taken,
            lost,
            reason,
            at,
        )
        if taken is not None:
            await invoice(deal=deal, terms=terms, delivery_id=delivery_id, arrived=row["arrived_at"] or at)
        if deal["state"] == rules.TERMINATED and state in (rules.REJECTED, rules.PARTIALLY_ACCEPTED):
            await release(deal=deal, grams=Gram(row["quantity"] - (taken or 0) - lost), at=at)
        if state in (rules.CANCELLED, rules.REJECTED):
            # it was the last load that was waited for
            await complete(deal_id=deal["id"], at=at)
        await record(
            subject=f"deal:{deal['id']}",
            action=f"delivery_{move}",
            actor=actor,
            at=at,
            details={"delivery": delivery_id, "accepted": taken, "loss": lost, "reason": reason},
        )
        await notify(
            organisation_id=deal["buyer"] if side == "seller" else deal["seller"],
            kind="delivery_moved",
            message=msg(
                "合同 {number} 的发货：{state}。", number=deal["number"], state=rules.DELIVERY.label(state)
            ),
            link=f"/deals/{deal['id']}",
            at=at,
        )
    return state


def inspected(
    terms: Terms, *, move: str, quantity: Gram, accepted: Gram | None, loss: Gram
) -> tuple[Gram | None, Gram]:
    """Return what the buyer takes of a delivery, and what was lost on the way within the agreed rate.

    Raises:
        Invalid: more loss than agreed, or an accepted quantity that is none.
    """
    if move not in ("accept", "accept_part"):
        return None, Gram(0)
    most = most_natural_loss(terms, quantity)
    if not 0 <= loss <= most:
        problem = msg("约定的自然损耗最多 {most} 公斤，超过的请用部分验收并写明原因。", most=f"{kg(most):,f}")
        raise Invalid(problem, {"loss": problem})
    if move == "accept":
        return Gram(quantity - loss), loss
    if accepted is None or not 0 < accepted < quantity - loss:
        problem = msg("验收数量须大于零、小于发货数量；全部收下请点“全部验收”。")
        raise Invalid(problem, {"accepted": problem})
    return accepted, loss
