"""After the signatures: deliveries and payments."""

from datetime import date, datetime, timedelta

from market.accounts.rules import Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, transaction
from market.deals import rules
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg
from market.notices.operations import notify
from market.units import FenPerKg, Gram, amount, kg


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
                                        THEN accepted ELSE quantity END), 0) AS grams
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
    reason: str | None = None,
) -> str:
    """Take a delivery one step on; what the buyer accepts is invoiced at once. Return the new state.

    ``accepted`` grams go with ``accept_part``, a coded ``reason`` with it and with ``reject``.

    Raises:
        NotFound: no such delivery of this organisation.
        WrongState: the move is not open to this side now.
        Invalid: the accepted quantity or the reason is missing or wrong.
    """
    async with transaction():
        rows = await fetch(
            """SELECT delivery.*, deal.seller, deal.buyer, deal.price, deal.number,
                      deal.quantity AS deal_quantity
               FROM delivery JOIN deal ON deal.id = delivery.deal
               WHERE delivery.id = $1 AND $2 IN (deal.seller, deal.buyer) FOR UPDATE OF delivery, deal""",
            delivery_id,
            organisation_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这次发货。"))
        row = rows[0]
        side = "seller" if row["seller"] == organisation_id else "buyer"
        state = rules.DELIVERY.apply(move, state=row["state"], by=side)
        taken = _taken(move=move, quantity=row["quantity"], accepted=accepted)
        if move in ("accept_part", "reject") and not await _is_reason(reason):
            problem = msg("请选择原因，让对方知道为什么。")
            raise Invalid(problem, {"reason": problem})
        await execute(
            """UPDATE delivery SET state = $2, accepted = $3, reason = $4,
                 arrived_at = CASE WHEN $2 = 'arrived' THEN $5 ELSE arrived_at END WHERE id = $1""",
            delivery_id,
            state,
            taken,
            reason,
            at,
        )
        if taken:
            today = at.astimezone(CHINA).date()
            await execute(
                "INSERT INTO payment (deal, amount, state, due_on) VALUES ($1, $2, $3, $4)",
                row["deal"],
                amount(taken, FenPerKg(row["price"])),
                rules.PAYMENT.start,
                today + timedelta(days=rules.PAYMENT_DAYS),
            )
        await record(
            subject=f"deal:{row['deal']}",
            action=f"delivery_{move}",
            actor=actor,
            at=at,
            details={"delivery": delivery_id, "accepted": taken, "reason": reason},
        )
        await notify(
            organisation_id=row["buyer"] if side == "seller" else row["seller"],
            kind="delivery_moved",
            message=msg(
                "合同 {number} 的发货：{state}。", number=row["number"], state=rules.DELIVERY.label(state)
            ),
            link=f"/deals/{row['deal']}",
            at=at,
        )
    return state


async def pay(*, payment_id: int, organisation_id: int, actor: Actor, at: datetime) -> None:
    """Note that the buyer has paid; the contract is complete when all is delivered and paid.

    Raises:
        NotFound: no such payment of this buyer.
        WrongState: paid already.
    """
    async with transaction():
        rows = await fetch(
            """SELECT payment.state, payment.deal, deal.seller, deal.number
               FROM payment JOIN deal ON deal.id = payment.deal
               WHERE payment.id = $1 AND deal.buyer = $2 FOR UPDATE OF payment, deal""",
            payment_id,
            organisation_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这笔货款。"))
        row = rows[0]
        state = rules.PAYMENT.apply("pay", state=row["state"], by="buyer")
        await execute(
            "UPDATE payment SET state = $2, paid = amount, paid_on = $3 WHERE id = $1",
            payment_id,
            state,
            at.astimezone(CHINA).date(),
        )
        await record(
            subject=f"deal:{row['deal']}", action="pay", actor=actor, at=at, details={"payment": payment_id}
        )
        await execute(
            """UPDATE deal SET state = 'completed' WHERE id = $1 AND state = 'active'
                 AND NOT EXISTS (SELECT FROM payment WHERE deal = $1 AND state <> 'paid')
                 AND quantity <= (SELECT coalesce(sum(accepted), 0) FROM delivery
                                  WHERE deal = $1 AND state IN ('accepted', 'partially_accepted'))""",
            row["deal"],
        )
        await notify(
            organisation_id=row["seller"],
            kind="paid",
            message=msg("合同 {number} 的一笔货款已付。", number=row["number"]),
            link=f"/deals/{row['deal']}",
            at=at,
        )


async def _is_reason(code: str | None) -> bool:
    return bool(await fetch("SELECT code FROM reason WHERE code = $1", code))


def _taken(*, move: str, quantity: int, accepted: Gram | None) -> Gram | None:
    if move == "accept":
        return Gram(quantity)
    if move == "accept_part":
        if accepted is None or not 0 < accepted < quantity:
            problem = msg("验收数量须大于零、小于发货数量；全部收下请点“全部验收”。")
            raise Invalid(problem, {"accepted": problem})
        return accepted
    return None
