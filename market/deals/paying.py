"""Money under a contract: what falls due, paid whole or in parts, to the fen; and when all is done."""

from datetime import date, datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.jobs import enqueue
from market.db.session import execute, fetch, fetch_value, transaction
from market.deals import rules
from market.deals.beforehand import keep_due
from market.deals.clauses import Terms, due_at_arrival, due_at_signing, least_performed, price_of
from market.deals.endings.outdating import outdate_proposals
from market.deals.invoices.due import derive_due_days
from market.deals.releasing import release
from market.deals.terms import terms_in_force
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg
from market.notices.operations import notify
from market.units import Fen, FenPerKg, Gram, amount, yuan


async def fall_due_at_signing(*, deal: Record, terms: Terms, at: datetime) -> None:
    """Write down deposit and advance payments of a contract that has just come into force (row locked)."""
    dues = due_at_signing(
        terms,
        quantity=Gram(deal["quantity"]),
        price=FenPerKg(deal["price"]),
        on=at.astimezone(CHINA).date(),
    )
    for due in dues:
        await keep_due(deal["id"], due)


async def fall_due_at_acceptance(
    *,
    deal: Record,
    terms: Terms,
    delivery_id: int,
    arrived: datetime,
    at: datetime,
    not_before: date | None = None,
) -> None:
    """Write down what is due for a delivery that was just accepted. The contract's row is locked.

    Days count from when it ``arrived``; nothing is due before ``not_before``.

    A delivery is worth what it adds to the price of all that was accepted, so that rounding never
    piles up; deposit and advance payments cover their share of it, and all that is left of it once as much
    was taken as the tolerance asks for.
    """
    price = price_of(terms, FenPerKg(deal["price"]))
    row = (
        await fetch(
            """SELECT coalesce(sum(accepted), 0)::bigint AS taken,
                      coalesce(sum(accepted + loss), 0)::bigint AS settled,
                      coalesce(sum(credit), 0)::bigint AS used,
                      (sum(accepted) FILTER (WHERE id = $2))::bigint AS now,
                      (SELECT coalesce(sum(amount), 0) FROM payment
                       WHERE deal = $1 AND kind <> 'goods')::bigint AS prepaid
               FROM delivery WHERE deal = $1 AND state IN ('accepted', 'partially_accepted')""",
            deal["id"],
            delivery_id,
        )
    )[0]
    before = Gram(row["taken"] - row["now"])
    worth = Fen(amount(Gram(row["taken"]), price) - amount(before, price))
    whole = amount(Gram(deal["quantity"]), price)
    covered = row["prepaid"] * amount(Gram(row["taken"]), price) // whole if whole else 0
    if row["settled"] >= least_performed(terms, Gram(deal["quantity"])):
        covered = row["prepaid"]
    credit = Fen(max(0, min(covered - row["used"], worth)))
    await execute("UPDATE delivery SET credit = $2 WHERE id = $1", delivery_id, credit)
    dues = due_at_arrival(terms, worth=worth, credit=credit, on=arrived.astimezone(CHINA).date())
    for due in dues:
        on = max(due.on, not_before or due.on)
        await keep_due(deal["id"], msgspec.structs.replace(due, on=on), delivery_id=delivery_id)
    # an invoice may have come before the goods were looked at
    await derive_due_days(deal_id=deal["id"])
    if not dues:
        # all of it was paid beforehand: no payment to come would notice that the contract is done
        await complete(deal_id=deal["id"], at=at)


class PaidMeanwhile(Conflict):
    """What is open of a payment is not what was read."""


async def pay(
    *,
    payment_id: int,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    money: Fen | None = None,
    seen: Fen | None = None,
) -> str:
    """Note that the buyer has paid ``money``, or all that was open; return the payment's new state.

    ``seen`` is what was open when it was read, where that is known: who notes all that was open means that.
    It is a claim until the seller confirms it (``receipts``): the contract is complete when all is delivered
    and paid, and the seller has seen the money.

    Raises:
        NotFound: no such payment of this buyer.
        WrongState: paid already.
        PaidMeanwhile: something else is open by now than was ``seen``.
        Invalid: nothing, or more than is open.
    """
    async with transaction():
        deals = await fetch(
            """SELECT id, seller, number FROM deal
               WHERE id = (SELECT deal FROM payment WHERE id = $1) AND buyer = $2 FOR NO KEY UPDATE""",
            payment_id,
            organisation_id,
        )
        if not deals:
            raise NotFound(msg("没有找到这笔货款。"))
        deal = deals[0]
        row = (
            await fetch(
                "SELECT amount, paid, disputed, state FROM payment WHERE id = $1 FOR UPDATE",
                payment_id,
            )
        )[0]
        is_open = row["amount"] - row["paid"] - row["disputed"]
        now = is_open if money is None else money
        is_whole = now == row["amount"] - row["paid"]
        state = rules.PAYMENT.apply("pay" if is_whole else "pay_part", state=row["state"], by="buyer")
        if seen is not None and seen != is_open:
            raise PaidMeanwhile(
                msg(
                    "这笔货款在您打开以后变了：现在还差 {left} 元。请看过再记。",
                    left=f"{yuan(Fen(is_open)):,.2f}",
                )
            )
        if not 0 < now <= is_open:
            problem = msg("还差 {left} 元，请填写不超过它的金额。", left=f"{yuan(Fen(is_open)):,.2f}")
            raise Invalid(problem, {"money": problem})
        today = at.astimezone(CHINA).date()
        await execute(
            """UPDATE payment SET state = $2, paid = paid + $3, paid_on = CASE WHEN $4 THEN $5::date END
               WHERE id = $1""",
            payment_id,
            state,
            now,
            is_whole,
            today,
        )
        receipt_id = await fetch_value(
            """INSERT INTO receipt (payment, amount, "on", person, state, created_at)
               VALUES ($1, $2, $3, $4, $5, $6) RETURNING id""",
            *(payment_id, now, today, actor.person_id, rules.RECEIPT.start, at),
        )
        # the payee is asked again after some days; nothing is taken for confirmed by that
        due = rules.next_reminder(at, after=at)
        await enqueue(rules.REMIND_RECEIPT, {"receipt_id": receipt_id}, run_at=due, key=str(receipt_id))
        await record(
            subject=f"deal:{deal['id']}",
            action="pay" if is_whole else "pay_part",
            actor=actor,
            at=at,
            details={"payment": payment_id, "fen": now},
        )
        await complete(deal_id=deal["id"], at=at)
        await notify(
            organisation_id=deal["seller"],
            kind="paid",
            message=msg(
                "合同 {number} 买方记了一笔付款 {money} 元，请查账后确认。",
                number=deal["number"],
                money=f"{yuan(Fen(now)):,.2f}",
            ),
            link=f"/deals/{deal['id']}#payments",
            at=at,
        )
    return state


async def complete(*, deal_id: int, at: datetime) -> bool:
    """End a contract under which all is delivered, within the tolerance, paid and confirmed; tell if it was.

    A load that is announced or on its way is waited for. What is short within the tolerance is on sale
    again; the buyer's demand counts as filled. The contract's row is locked.
    """
    deal = (
        await fetch(
            """SELECT deal.*, listing.lot, seller.town,
                      (SELECT coalesce(sum(accepted + loss), 0) FROM delivery WHERE delivery.deal = deal.id
                         AND state IN ('accepted', 'partially_accepted'))::bigint AS settled
               FROM deal JOIN listing ON listing.id = deal.listing
               JOIN organisation seller ON seller.id = deal.seller WHERE deal.id = $1""",
            deal_id,
        )
    )[0]
    _, terms = await terms_in_force(deal_id=deal_id)
    # however wide the tolerance, nothing is completed of which nothing was delivered
    if deal["settled"] < max(1, least_performed(terms, Gram(deal["quantity"]))):
        return False
    done = await fetch_value(
        """UPDATE deal SET state = $2 WHERE id = $1 AND state = $3
             AND NOT EXISTS (SELECT FROM payment WHERE deal = $1 AND state <> 'paid')
             AND NOT EXISTS (SELECT FROM receipt JOIN payment ON payment.id = receipt.payment
                             WHERE payment.deal = $1 AND receipt.state IN ('claimed', 'disputed'))
             AND NOT EXISTS (SELECT FROM delivery WHERE deal = $1
                               AND state IN ('scheduled', 'dispatched', 'arrived'))
           RETURNING id""",
        deal_id,
        rules.COMPLETED,
        rules.ACTIVE,
    )
    if done is None:
        return False
    await outdate_proposals(deal_id=deal_id)
    await release(deal=deal, grams=Gram(max(0, deal["quantity"] - deal["settled"])), at=at)
    return True
