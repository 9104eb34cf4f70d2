"""Money that is due before any goods: deposit and advance, when the terms change or the contract ends."""

from datetime import datetime

from asyncpg import Record

from market.clock import CHINA
from market.db.session import execute, fetch, fetch_value
from market.deals import rules
from market.deals.clauses import Due, Terms, due_at_signing, price_of
from market.units import Fen, FenPerKg, Gram

DEPOSIT, ADVANCE = "deposit", "advance"


async def end_prepayments(*, deal_id: int) -> Fen:
    """Cut what is open of deposit and advance to what goods have used of them; return what is due no more.

    Nobody pays beforehand under a terminated contract. The contract's row is locked.
    """
    rows = await _payments(deal_id, (DEPOSIT, ADVANCE))
    needed = max(0, await _used(deal_id) - sum(row["paid"] for row in rows))
    waived = 0
    for row in rows:
        is_open = row["amount"] - row["paid"] - row["disputed"]
        stays = min(is_open, needed)
        needed -= stays
        waived += is_open - stays
        if stays != is_open:
            await _cut(row, stays)
    return Fen(waived)


async def follow_terms(*, deal: Record, was: Terms, terms: Terms, at: datetime) -> None:
    """Let deposit and advance of a contract in force follow the terms that both sides have just agreed on.

    Only what these say otherwise of them is written anew. What was paid, or is said to be, stays and counts;
    nothing falls due before the day of the agreement, and never less than goods have used up is due. The
    contract's row is locked.
    """
    changed = [kind for kind, clause in _clauses(terms).items() if clause != _clauses(was)[kind]]
    if not changed:
        return
    today = at.astimezone(CHINA).date()
    signed = max(deal["seller_signed_at"], deal["buyer_signed_at"]).astimezone(CHINA).date()
    dues = due_at_signing(
        terms, quantity=Gram(deal["quantity"]), price=price_of(terms, FenPerKg(deal["price"])), on=signed
    )
    held = dict.fromkeys(changed, 0)
    for row in await _payments(deal["id"], changed):
        held[row["kind"]] += row["paid"] + row["disputed"]
        if row["amount"] > row["paid"] + row["disputed"]:
            await _cut(row, 0)
    for due in dues:
        if due.kind in held:
            covered = min(held[due.kind], due.amount)
            held[due.kind] -= covered
            await keep_due(deal["id"], Due(due.kind, Fen(due.amount - covered), max(due.on, today)))
    due_now = await fetch_value(
        "SELECT coalesce(sum(amount), 0)::bigint FROM payment WHERE deal = $1 AND kind <> 'goods'", deal["id"]
    )
    await keep_due(deal["id"], Due(changed[0], Fen(await _used(deal["id"]) - due_now), today))


def _clauses(terms: Terms) -> dict[str, tuple[object, ...]]:
    """Return what terms say of each kind of money that is paid beforehand."""
    return {
        DEPOSIT: (terms.deposit, terms.deposit_days if terms.deposit else 0),
        ADVANCE: tuple(each for each in terms.milestones if each.after == "signing"),
    }


async def keep_due(deal_id: int, due: Due, *, delivery_id: int | None = None) -> None:
    """Write down money that falls due; of nothing, nothing."""
    if due.amount <= 0:
        return
    await execute(
        """INSERT INTO payment (deal, amount, paid, kind, delivery, state, due_on, invoice_days, due_latest)
           VALUES ($1, $2, 0, $3, $4, $5, $6, $7, CASE WHEN $7::bigint IS NOT NULL THEN $6::date END)""",
        deal_id,
        due.amount,
        due.kind,
        delivery_id,
        rules.PAYMENT.start,
        due.on,
        due.invoice_days,
    )


async def _payments(deal_id: int, kinds: list[str] | tuple[str, ...]) -> list[Record]:
    return await fetch(
        """SELECT id, kind, amount, paid, disputed,
                  EXISTS (SELECT FROM receipt WHERE payment = payment.id) AS told
           FROM payment WHERE deal = $1 AND kind = ANY($2::text[]) ORDER BY due_on, id FOR UPDATE""",
        deal_id,
        list(kinds),
    )


async def _used(deal_id: int) -> int:
    """Return what goods have used up of deposit and advance."""
    found = await fetch_value(
        "SELECT coalesce(sum(credit), 0)::bigint FROM delivery WHERE deal = $1", deal_id
    )
    return int(found)


async def _cut(row: Record, stays: int) -> None:
    """Leave ``stays`` open of a payment; where nothing is, nothing more is due of it."""
    if row["paid"] + stays == 0 and not row["told"]:
        await execute("DELETE FROM payment WHERE id = $1", row["id"])
    elif stays or row["disputed"]:
        await execute("UPDATE payment SET amount = paid + disputed + $2 WHERE id = $1", row["id"], stays)
    else:
        await execute(
            """UPDATE payment SET amount = paid, state = $2,
                 paid_on = (SELECT max(receipt."on") FROM receipt
                            WHERE receipt.payment = payment.id AND receipt.state = ANY($3))
               WHERE id = $1""",
            row["id"],
            rules.PAID,
            sorted(rules.COUNTED),
        )
