"""What the payer has written down as paid, and what the payee says of it: it came, or it did not.

A claim counts as paid until the payee denies it, and is never taken for confirmed because nobody said
anything: a contract is complete only once its payee has seen all the money. What is denied is open again,
and due by its day; it counts again when it comes after all.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec
from asyncpg import Record

from market import clock
from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.jobs import Run, enqueue, job
from market.db.session import execute, fetch, fetch_into, fetch_row, transaction
from market.deals import rules
from market.deals.beforehand import end_prepayments
from market.deals.paying import complete
from market.errors import Invalid, NotFound
from market.i18n import Message, msg, on_day
from market.notices.operations import notify
from market.units import Fen, yuan

LONGEST_NOTE = 200


class ReceiptRow(msgspec.Struct, frozen=True):
    """One payment of money as its payer wrote it down. ``amount`` in fen; ``note``: why it is denied."""

    id: int
    deal: int
    payment: int
    amount: int
    on: date
    state: str
    answered_at: datetime | None
    note: str


async def receipts_under(deal_ids: Sequence[int]) -> list[ReceiptRow]:
    """Return what was written down as paid under several contracts, whoever asks."""
    return await fetch_into(
        ReceiptRow,
        """SELECT receipt.id, payment.deal, receipt.payment, receipt.amount, receipt."on", receipt.state,
                  receipt.answered_at, receipt.note
           FROM receipt JOIN payment ON payment.id = receipt.payment
           WHERE payment.deal = ANY($1::bigint[]) ORDER BY receipt.id""",
        list(deal_ids),
    )


async def answer_receipt(
    *,
    receipt_id: int,
    move: str,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    note: str = "",
) -> str:
    """``confirm`` that money came, ``dispute`` it, or (its payer) ``withdraw`` the claim; return its state.

    Raises:
        NotFound: no such claim under a contract of this organisation.
        WrongState: it was answered so already, or is not this side's to answer.
        Invalid: it is denied without a word, or with too many.
    """
    if len(note) > LONGEST_NOTE or (move == "dispute" and not note.strip()):
        problem = msg("请写明查到哪一天、哪个账户没有到账，最多 {most} 个字。", most=LONGEST_NOTE)
        raise Invalid(problem, {"note": problem})
    async with transaction():
        deal = await _deal(receipt_id, organisation_id)
        receipt = (
            await fetch(
                """SELECT receipt.state, receipt.amount, receipt.payment FROM receipt
                   JOIN payment ON payment.id = receipt.payment
                   WHERE receipt.id = $1 FOR UPDATE OF payment, receipt""",
                receipt_id,
            )
        )[0]
        side = "seller" if deal["seller"] == organisation_id else "buyer"
        state = rules.RECEIPT.apply(move, state=receipt["state"], by=side)
        await execute(
            "UPDATE receipt SET state = $2, answered_by = $3, answered_at = $4, note = $5 WHERE id = $1",
            *(receipt_id, state, actor.person_id, at, note.strip()),
        )
        await _follow(receipt["payment"])
        await record(
            subject=f"deal:{deal['id']}",
            action=f"{move}_receipt",
            actor=actor,
            at=at,
            details={"receipt": receipt_id, "fen": receipt["amount"]},
        )
        if state == rules.WITHDRAWN and deal["state"] == rules.TERMINATED:
            # nobody pays beforehand under a contract that has ended: what is open again is due no more
            await end_prepayments(deal_id=deal["id"])
        await complete(deal_id=deal["id"], at=at)
        await notify(
            organisation_id=deal["buyer"] if side == "seller" else deal["seller"],
            kind=f"payment_{state}",
            message=_told(state, deal, Fen(receipt["amount"])),
            link=f"/deals/{deal['id']}#payments",
            at=at,
        )
    return state


async def _deal(receipt_id: int, organisation_id: int) -> Record:
    """Hold the contract first, as everybody does."""
    deal = await fetch_row(
        """SELECT id, seller, buyer, number, state FROM deal
           WHERE id = (SELECT payment.deal FROM receipt JOIN payment ON payment.id = receipt.payment
                       WHERE receipt.id = $1) AND $2 IN (seller, buyer) FOR NO KEY UPDATE""",
        receipt_id,
        organisation_id,
    )
    if deal is None:
        raise NotFound(msg("没有找到这笔付款。"))
    return deal


async def _follow(payment_id: int) -> None:
    """Let a payment say what its receipts add up to. Its row is locked."""
    row = (
        await fetch(
            """SELECT payment.amount, payment.state,
                      coalesce(sum(receipt.amount) FILTER (WHERE receipt.state = ANY($2)), 0)::bigint AS paid,
                      coalesce(sum(receipt.amount) FILTER (WHERE receipt.state = $3), 0)::bigint AS disputed,
                      max(receipt."on") FILTER (WHERE receipt.state = ANY($2)) AS last
               FROM payment LEFT JOIN receipt ON receipt.payment = payment.id
               WHERE payment.id = $1 GROUP BY payment.id""",
            payment_id,
            sorted(rules.COUNTED),
            rules.DISPUTED,
        )
    )[0]
    state = rules.paid_state(paid=row["paid"], amount=row["amount"])
    if state != row["state"]:
        rules.PAYMENT.apply(rules.FOLLOWS[state], state=row["state"], by="system")
    await execute(
        "UPDATE payment SET state = $2, paid = $3, disputed = $4, paid_on = $5 WHERE id = $1",
        *(payment_id, state, row["paid"], row["disputed"], row["last"] if state == rules.PAID else None),
    )


def _told(state: str, deal: Record, money: Fen) -> Message:
    values = {"number": deal["number"], "money": f"{yuan(money):,.2f}"}
    if state == rules.CONFIRMED:
        return msg("合同 {number} 卖方确认收到货款 {money} 元。", **values)
    if state == rules.DISPUTED:
        return msg("合同 {number} 卖方说没有收到 {money} 元，请核对后答复。", **values)
    return msg("合同 {number} 买方撤回了一笔记错的付款 {money} 元。", **values)


class _Claim(msgspec.Struct, frozen=True):
    receipt_id: int


@job(rules.REMIND_RECEIPT)
async def remind_of_receipt(run: Run) -> None:
    """Ask a payee who has said nothing about a claim."""
    await remind(run.read(_Claim).receipt_id, at=clock.now())


async def remind(receipt_id: int, *, at: datetime) -> None:
    """Do :func:`remind_of_receipt` in the caller's transaction, and put the next one down.

    Nothing is taken for confirmed by it; once the claim is answered or taken back nobody is asked any more.
    """
    row = await fetch_row(
        """SELECT deal.id, deal.number, deal.seller, receipt.amount, receipt."on", receipt.created_at
           FROM receipt
           JOIN payment ON payment.id = receipt.payment JOIN deal ON deal.id = payment.deal
           WHERE receipt.id = $1 AND receipt.state = $2""",
        receipt_id,
        rules.CLAIMED,
    )
    if row is not None:
        await notify(
            organisation_id=row["seller"],
            kind="payment_unanswered",
            message=msg(
                "合同 {number}：买方记 {day} 付了 {money} 元，请查账后确认收到，或说明没有收到。",
                number=row["number"],
                day=on_day(row["on"]),
                money=f"{yuan(Fen(row['amount'])):,.2f}",
            ),
            link=f"/deals/{row['id']}#payments",
            at=at,
        )
        due = rules.next_reminder(row["created_at"], after=at)
        if due is not None:
            await enqueue(rules.REMIND_RECEIPT, {"receipt_id": receipt_id}, run_at=due, key=str(receipt_id))


async def go_on_reminding(*, at: datetime) -> int:
    """Put the next reminder down for every claim that waits for an answer and has none; return how many.

    A claim whose only reminder was sent before there were several, or whose reminder failed, is asked about
    again on the days that are left. Done again, it finds nothing more to do.
    """
    rows = await fetch(
        """SELECT id, created_at FROM receipt WHERE state = $1 AND created_at > $2 AND NOT EXISTS (
             SELECT 1 FROM job WHERE job.kind = $3 AND job.key = receipt.id::text
               AND job.state IN ('waiting', 'retrying', 'running'))
           ORDER BY id""",
        rules.CLAIMED,
        at - timedelta(days=rules.REMIND_AFTER_DAYS[-1]),
        rules.REMIND_RECEIPT,
    )
    put = 0
    for row in rows:
        due = rules.next_reminder(row["created_at"], after=at)
        if due is not None:
            await enqueue(rules.REMIND_RECEIPT, {"receipt_id": row["id"]}, run_at=due, key=str(row["id"]))
            put += 1
    return put
