"""After the signatures: deliveries in batches, and how the buyer inspects them."""

from datetime import date, datetime, timedelta

from asyncpg import Record

from market.accounts.rules import DELIVER, Actor
from market.accounts.standing import permit_agent
from market.amounts import masses
from market.audit.operations import record
from market.catalogue.queries import check_reason
from market.catalogue.rules import GOODS_REFUSED, told_reason
from market.clock import CHINA
from market.db.session import execute, fetch, fetch_row, transaction
from market.deals import rules
from market.deals.above import hold_above, let_go_above, planned, still_to_plan
from market.deals.arrivals.operations import refuse_waiting
from market.deals.clauses import Terms, most_natural_loss
from market.deals.paying import complete, fall_due_at_acceptance
from market.deals.releasing import release
from market.deals.terms import LONGEST_NOTE, terms_in_force
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, in_both, msg, on_day
from market.notices.operations import notify
from market.organisations.delegating import tell_principal
from market.supply.gate import follow_deliveries
from market.units import Gram

#: Days after the contract's last day that a load may still be announced for: late is better than never.
MOST_LATE_DAYS = 180


async def schedule_delivery(
    *, deal_id: int, quantity: Gram, on: date, organisation_id: int, actor: Actor, at: datetime
) -> int:
    """Announce a delivery of the seller's; return its number.

    Raises:
        NotAllowed: the seller has not let this agent deliver.
        NotFound: no such deal of this seller.
        Conflict: the contract is not in force; above its quantity, but within the tolerance: the lot has no
            more that is free.
        Invalid: more than is still to be delivered with the tolerance, or a day that is over or far off.
            Outside of the contract's time it is allowed, and shown as what it is.
    """
    async with transaction():
        rows = await fetch(
            """SELECT deal.*, listing.lot FROM deal JOIN listing ON listing.id = deal.listing
               WHERE deal.id = $1 AND deal.seller = $2 FOR NO KEY UPDATE OF deal""",
            deal_id,
            organisation_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这份合同。"))
        deal = rows[0]
        await permit_agent(actor=actor, organisation_id=organisation_id, deed=DELIVER)
        if deal["state"] != rules.ACTIVE:
            raise Conflict(msg("双方签字后才能安排发货。"))
        _, terms = await terms_in_force(deal_id=deal_id)
        so_far = await planned(deal_id=deal_id)
        left, most = still_to_plan(terms, quantity=Gram(deal["quantity"]), so_far=so_far)
        if not 0 < quantity <= most:
            problem = (
                msg("还可安排 {left}，请填写不超过它的数量。", left=masses(most))
                if most == left
                else msg(
                    "合同还差 {left}，按约定的溢短装最多再安排 {most}，请填写不超过它的数量。",
                    left=masses(left),
                    most=masses(most),
                )
            )
            raise Invalid(problem, {"quantity": problem})
        above = await hold_above(deal=deal, total=Gram(so_far + quantity), at=at)
        _check_day(on, today=at.astimezone(CHINA).date(), last=deal["deliver_to"])
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
            details={
                "delivery": delivery_id,
                "grams": quantity,
                "on": on.isoformat(),
                **({"above": above} if above else {}),
            },
        )
        await notify(
            organisation_id=deal["buyer"],
            kind="delivery_scheduled",
            message=msg(
                "合同 {number} 计划 {day} 发货 {mass}。",
                number=deal["number"],
                day=on_day(on),
                mass=masses(quantity),
            ),
            link=f"/deals/{deal_id}",
            at=at,
        )
        await tell_principal(
            actor=actor,
            organisation_id=deal["seller"],
            did=msg(
                "合同 {number} 安排 {day} 发货 {mass}",
                number=deal["number"],
                day=on_day(on),
                mass=masses(quantity),
            ),
            link=f"/deals/{deal_id}",
            at=at,
        )
    return delivery_id


def _check_day(on: date, *, today: date, last: date) -> None:
    """
    Raises:
        Invalid: the day is over, or so late that it is a slip.
    """
    latest = max(today, last) + timedelta(days=MOST_LATE_DAYS)
    if on < today:
        problem = msg("发货日期不能早于今天（{today}）。", today=on_day(today))
    elif on > latest:
        problem = msg("太晚了：最晚 {latest}。要改交货时间，请双方先改条款。", latest=on_day(latest))
    else:
        return
    raise Invalid(problem, {"on": problem})


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
    note: str = "",
) -> str:
    """Take a delivery one step on; what the buyer accepts is invoiced at once. Return the new state.

    ``accepted`` grams go with ``accept_part``, a coded ``reason`` and the buyer's words with it and with
    ``reject``. ``loss`` grams of natural loss, within the agreed rate, go with ``accept`` and
    ``accept_part``: not paid for, nobody's fault, not delivered again. The stock ledger follows: goods
    leave when they are dispatched, and what is refused comes back; after the contract was terminated it is
    on sale again.

    Raises:
        NotAllowed: the seller has not let this agent deliver, or an agent inspects for the buyer.
        NotFound: no such delivery of this organisation.
        WrongState: the move is not open to this side now.
        Conflict: it is to arrive, and the seller's word of the day on which it did waits for an answer.
        Invalid: the accepted quantity, the loss or the reason is missing or wrong, or the words too long.
    """
    if len(note) > LONGEST_NOTE:
        problem = msg("太长了：最多 {most} 个字。", most=LONGEST_NOTE)
        raise Invalid(problem, {"note": problem})
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
        # what the buyer says of the goods is owed for: that is its own
        await permit_agent(
            actor=actor, organisation_id=organisation_id, deed=DELIVER if side == "seller" else None
        )
        state = rules.DELIVERY.apply(move, state=row["state"], by=side)
        if move == "arrive":
            await refuse_waiting(delivery_id)
        if move == "dispatch" and deal["state"] != rules.ACTIVE:
            raise Conflict(msg("合同已经结束，不能再发货。"))
        _, terms = await terms_in_force(deal_id=deal["id"])
        taken, lost = inspected(
            terms, move=move, quantity=Gram(row["quantity"]), accepted=accepted, loss=loss or Gram(0)
        )
        is_refused = move in ("accept_part", "reject")
        if is_refused:
            await check_reason(reason, GOODS_REFUSED, words=note)
        back = Gram(row["quantity"] - (taken or 0) - lost) if is_refused else Gram(0)
        await execute(
            """UPDATE delivery SET state = $2, accepted = $3, loss = $4, reason = $5, note = $7,
                 dispatched_at = CASE WHEN $2 = 'dispatched' THEN $6 ELSE dispatched_at END,
                 arrived_at = CASE WHEN $2 = 'arrived' THEN $6 ELSE arrived_at END,
                 inspect_from = CASE WHEN $2 = 'arrived' THEN ($6 AT TIME ZONE 'Asia/Shanghai')::date
                                     ELSE inspect_from END WHERE id = $1""",
            delivery_id,
            state,
            taken,
            lost,
            reason,
            at,
            note if is_refused else "",
        )
        if is_refused or move == "dispatch":
            await follow_deliveries(lot_id=deal["lot"], deal_id=deal["id"], back=back, actor=actor, at=at)
        if taken is not None:
            await fall_due_at_acceptance(
                deal=deal, terms=terms, delivery_id=delivery_id, arrived=row["arrived_at"] or at, at=at
            )
        above = await let_go_above(deal=deal, at=at) if is_refused or state == rules.CANCELLED else Gram(0)
        if deal["state"] == rules.TERMINATED and is_refused:
            await release(deal=deal, grams=Gram(back - above), at=at)
        if state in (rules.CANCELLED, rules.REJECTED):
            # it was the last load that was waited for
            await complete(deal_id=deal["id"], at=at)
        await record(
            subject=f"deal:{deal['id']}",
            action=f"delivery_{move}",
            actor=actor,
            at=at,
            details={
                "delivery": delivery_id,
                "accepted": taken,
                "loss": lost,
                "reason": reason,
                **({"note": note} if is_refused and note else {}),
            },
        )
        await notify(
            organisation_id=deal["buyer"] if side == "seller" else deal["seller"],
            kind="delivery_moved",
            message=await _refused(deal, taken=taken, back=back, reason=reason, note=note)
            if is_refused
            else msg(
                "合同 {number} 的发货：{state}。", number=deal["number"], state=rules.DELIVERY.label(state)
            ),
            link=f"/deals/{deal['id']}",
            at=at,
        )
        await tell_principal(
            actor=actor,
            organisation_id=organisation_id,
            did=msg(
                "合同 {number} 发货 {mass}：{state}",
                number=deal["number"],
                mass=masses(Gram(row["quantity"])),
                state=rules.DELIVERY.label(state),
            ),
            link=f"/deals/{deal['id']}",
            at=at,
        )
    return state


async def _refused(deal: Record, *, taken: Gram | None, back: Gram, reason: str | None, note: str) -> Message:
    """Say to the seller what was not taken, why, and in the buyer's words."""
    found = await fetch_row("SELECT zh, en FROM reason WHERE code = $1", reason)
    why: str | Message = note
    if found is not None:
        zh, words = told_reason(found["zh"], note)
        why = in_both(zh, told_reason(found["en"], note)[0])
        if words:
            why = msg("{reason}；{words}", reason=why, words=words)
    if taken is None:
        return msg(
            "合同 {number} 的发货被拒收 {back}。原因：{why}",
            number=deal["number"],
            back=masses(back),
            why=why,
        )
    return msg(
        "合同 {number} 的发货验收 {taken}，没有收的 {back}。原因：{why}",
        number=deal["number"],
        taken=masses(taken),
        back=masses(back),
        why=why,
    )


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
        problem = msg("约定的自然损耗最多 {most}，超过的请用部分验收并写明原因。", most=masses(most))
        raise Invalid(problem, {"loss": problem})
    if move == "accept":
        return Gram(quantity - loss), loss
    if accepted is None or not 0 < accepted < quantity - loss:
        problem = msg(
            "验收数量要大于零、小于 {most}；全部收下请点“全部验收”。", most=masses(Gram(quantity - loss))
        )
        raise Invalid(problem, {"accepted": problem})
    return accepted, loss
