"""Invoices are recorded by whoever issues them, sent back with a reason, reversed in red; nothing is erased.

Everybody locks the contract first. After each step the days on which payments fall due are worked out anew.
"""

from datetime import date, datetime

from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, fetch_value, transaction
from market.deals.invoices import rules
from market.deals.invoices.due import derive_due_days
from market.deals.invoices.queries import billed_of
from market.deals.invoices.rules import NewInvoice
from market.deals.rules import BOUND
from market.deals.signing import locked_to_sign
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.notices.operations import notify
from market.sent_papers import Paper
from market.units import Fen, yuan


async def record_invoice(
    *,
    deal_id: int,
    new: NewInvoice,
    file: Paper | None = None,
    sure: bool = False,
    organisation_id: int,
    actor: Actor,
    at: datetime,
) -> int:
    """Record an invoice that one's own side has issued; return its number here.

    Without ``deliveries`` it is for all accepted ones that no standing invoice is for. Above the value of
    what was accepted it is asked back once: ``sure``.

    Raises:
        NotFound: no such contract of this organisation.
        Conflict: it is not in force yet.
        Invalid: with every faulty field; a number that this issuer has used already; ``sure``.
    """
    code, number = rules.plain_digits(new.code), rules.plain_digits(new.number)
    today = at.astimezone(CHINA).date()
    async with transaction():
        deal = await locked_to_sign(deal_id=deal_id, organisation_id=organisation_id)
        side = _side(deal, organisation_id)
        if deal["state"] not in BOUND:
            raise Conflict(msg("双方签字以后才记发票。"))
        clean = NewInvoice(
            new.kind, number, new.issued_on, new.amount, code, new.tax, tuple(sorted({*new.deliveries}))
        )
        faults = rules.faults_of(clean, today=today)
        if "kind" not in faults and rules.issuer_of(new.kind) != side:
            faults["kind"] = (
                msg("农产品收购发票由买方开，您不用记；您开的票请选别的票种。")
                if side == "seller"
                else msg("买方只记自己开的农产品收购发票；别的票由卖方开、卖方记。")
            )
        covered = await _covered(deal_id, clean.deliveries)
        if covered is None:
            faults["deliveries"] = msg("只能选这份合同里已发出、没有拒收的发货。")
        if faults:
            raise Invalid(msg("有 {count} 处需要修改。", count=len(faults)), faults)
        if not sure:
            await _ask_back(deal_id, new.amount)
        invoice_id = await _insert(
            deal_id, organisation_id, clean, file, rules.INVOICE.start, None, actor, at
        )
        for delivery in covered or ():
            await execute(
                "INSERT INTO invoice_delivery (invoice, delivery) VALUES ($1, $2)", invoice_id, delivery
            )
        await derive_due_days(deal_id=deal_id)
        await record(
            subject=f"deal:{deal_id}",
            action="record_invoice",
            actor=actor,
            at=at,
            details={
                "invoice": invoice_id,
                "number": number,
                "fen": new.amount,
                "kind": new.kind,
                **({"file": file.content_hash} if file else {}),
            },
        )
        told = msg(
            "合同 {contract} 对方开了发票 {number}，{money} 元，请核对；不对可以退票。",
            contract=deal["number"],
            number=number,
            money=_money(new.amount),
        )
        await _tell(deal, organisation_id, "invoice_recorded", told, at)
    return invoice_id


async def _covered(deal_id: int, wanted: tuple[int, ...]) -> list[int] | None:
    """Return the deliveries that an invoice is for; None where one of them cannot be."""
    if wanted:
        rows = await fetch(
            """SELECT id FROM delivery
               WHERE deal = $1 AND id = ANY($2::bigint[]) AND state = ANY($3) ORDER BY id""",
            deal_id,
            list(wanted),
            sorted(rules.COVERABLE),
        )
        return [row["id"] for row in rows] if len(rows) == len(wanted) else None
    rows = await fetch(
        """SELECT delivery.id FROM delivery
           WHERE deal = $1 AND state IN ('accepted', 'partially_accepted') AND NOT EXISTS (
             SELECT FROM invoice_delivery covers JOIN invoice ON invoice.id = covers.invoice
             WHERE covers.delivery = delivery.id AND invoice.state = 'recorded') ORDER BY delivery.id""",
        deal_id,
    )
    return [row["id"] for row in rows]


async def _ask_back(deal_id: int, amount: Fen) -> None:
    """Ask once where invoices would come to more than goods that were accepted, or money due beforehand."""
    stands = await billed_of(deal_id=deal_id)
    prepaid = await fetch_value(
        "SELECT coalesce(sum(amount), 0)::bigint FROM payment WHERE deal = $1 AND kind <> 'goods'", deal_id
    )
    worth = max(stands.accepted, prepaid)
    if stands.billed + amount > worth:
        problem = msg(
            "加上这张，发票共 {total} 元，多于已验收货款 {worth} 元。确实如此，请勾选后再提交。",
            total=_money(Fen(stands.billed + amount)),
            worth=_money(Fen(worth)),
        )
        raise Invalid(problem, {"sure": problem})


async def _insert(
    deal_id: int,
    issuer: int,
    new: NewInvoice,
    file: Paper | None,
    state: str,
    reverses: int | None,
    actor: Actor,
    at: datetime,
) -> int:
    """Write an invoice down. Raises: Invalid, with ``number``, where its issuer has used the number."""
    rows = await fetch(
        """INSERT INTO invoice (deal, issuer, person, kind, code, number, issued_on, amount, tax, state,
                                reverses, file_name, media_type, content, content_hash, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
           ON CONFLICT DO NOTHING RETURNING id""",
        deal_id,
        issuer,
        actor.person_id,
        new.kind,
        new.code,
        new.number,
        new.issued_on,
        new.amount,
        new.tax,
        state,
        reverses,
        file.name if file else "",
        file.media_type if file else "",
        file.content if file else None,
        file.content_hash if file else "",
        at,
    )
    if not rows:
        where = await fetch_value(
            """SELECT deal.number FROM invoice JOIN deal ON deal.id = invoice.deal
               WHERE invoice.issuer = $1 AND invoice.code = $2 AND invoice.number = $3
                 AND invoice.state <> 'withdrawn'""",
            issuer,
            new.code,
            new.number,
        )
        problem = msg("这个号码的发票已经记过，在合同 {contract}。", contract=where or "")
        raise Invalid(problem, {"number": problem})
    if await fetch_value("SELECT count(*) FROM invoice WHERE deal = $1", deal_id) > rules.MOST_INVOICES:
        raise Conflict(msg("这份合同的发票太多了，最多 {most} 张。", most=rules.MOST_INVOICES))
    return int(rows[0]["id"])


async def refuse_invoice(
    *,
    deal_id: int,
    invoice_id: int,
    reason: str,
    note: str = "",
    organisation_id: int,
    actor: Actor,
    at: datetime,
) -> str:
    """Send the other side's invoice back with a coded reason; its new state. It does not count any more.

    Raises:
        NotFound: no such invoice. WrongState: it does not stand, or is one's own.
        Invalid: with ``reason`` or ``note``.
    """
    _check(reason, note, rules.REFUSALS)
    async with transaction():
        deal, invoice, by = await _locked(deal_id, invoice_id, organisation_id)
        state = rules.INVOICE.apply("refuse", state=invoice["state"], by=by)
        await _move(invoice, state, "refuse_invoice", actor, at, reason=reason, note=note)
        told = msg(
            "合同 {contract} 的发票 {number} 被退：{reason}。请红冲重开，或更正记录。",
            contract=deal["number"],
            number=invoice["number"],
            reason=rules.REFUSALS[reason],
        )
        await _tell(deal, organisation_id, "invoice_refused", told, at)
    return state


async def take_invoice(
    *, deal_id: int, invoice_id: int, organisation_id: int, actor: Actor, at: datetime
) -> str:
    """Take an invoice after all that one has sent back; its new state. Raises: NotFound, WrongState."""
    async with transaction():
        deal, invoice, by = await _locked(deal_id, invoice_id, organisation_id)
        state = rules.INVOICE.apply("take", state=invoice["state"], by=by)
        await _move(invoice, state, "accept_invoice", actor, at)
        told = msg(
            "合同 {contract} 的发票 {number}，对方收下了。", contract=deal["number"], number=invoice["number"]
        )
        await _tell(deal, organisation_id, "invoice_taken", told, at)
    return state


async def reverse_invoice(
    *,
    deal_id: int,
    invoice_id: int,
    code: str = "",
    number: str,
    issued_on: date,
    amount: Fen | None = None,
    reason: str,
    note: str = "",
    organisation_id: int,
    actor: Actor,
    at: datetime,
) -> str:
    """Record a red-letter invoice that takes ``amount`` (all that is left) from one's own; its new state.

    Raises:
        NotFound: no such invoice. WrongState: it does not stand, or is the other side's.
        Invalid: with every faulty field, or a number that was used already.
    """
    code, number = rules.plain_digits(code), rules.plain_digits(number)
    async with transaction():
        deal, invoice, by = await _locked(deal_id, invoice_id, organisation_id)
        state = rules.INVOICE.apply("reverse", state=invoice["state"], by=by)
        left = Fen(invoice["left"])
        taken = left if amount is None else amount
        faults = rules.number_faults(code, number) | rules.reason_faults(reason, note, rules.REVERSALS)
        today = at.astimezone(CHINA).date()
        if not invoice["issued_on"] <= issued_on <= today:
            faults["issued_on"] = msg("红字发票的日期要在原票日期和今天之间。")
        if not 0 < taken <= left:
            faults["amount"] = msg("最多红冲 {left} 元。", left=_money(left))
        elif taken < left and invoice["state"] == rules.REFUSED:
            faults["amount"] = msg("被退的发票要整张红冲，金额请留空。")
        if faults:
            raise Invalid(msg("有 {count} 处需要修改。", count=len(faults)), faults)
        red = NewInvoice(invoice["kind"], number, issued_on, Fen(-taken), code)
        red_id = await _insert(deal_id, organisation_id, red, None, rules.RED, invoice_id, actor, at)
        await execute("UPDATE invoice SET reason = $2, note = $3 WHERE id = $1", red_id, reason, note)
        if taken < left:
            state = invoice["state"]
        kept = {"red": red_id, "number": number, "fen": taken}
        await _move(invoice, state, "reverse_invoice", actor, at, reason=reason, note=note, further=kept)
        told = msg(
            "合同 {contract} 的发票 {number} 红冲 {money} 元：{reason}。",
            contract=deal["number"],
            number=invoice["number"],
            money=_money(taken),
            reason=rules.REVERSALS[reason],
        )
        await _tell(deal, organisation_id, "invoice_reversed", told, at)
    return state


async def withdraw_invoice(
    *,
    deal_id: int,
    invoice_id: int,
    reason: str,
    note: str = "",
    organisation_id: int,
    actor: Actor,
    at: datetime,
) -> str:
    """Take back the record of an invoice that was written down by mistake; its number is free again.

    Raises:
        NotFound: no such invoice. WrongState: it does not stand, or is the other side's.
        Conflict: a red-letter invoice takes from it.
        Invalid: with ``reason`` or ``note``.
    """
    _check(reason, note, rules.REVERSALS)
    async with transaction():
        deal, invoice, by = await _locked(deal_id, invoice_id, organisation_id)
        state = rules.INVOICE.apply("withdraw", state=invoice["state"], by=by)
        if invoice["left"] != invoice["amount"]:
            raise Conflict(msg("这张发票已有红字发票，记录不能撤销。"))
        await _move(invoice, state, "withdraw_invoice", actor, at, reason=reason, note=note)
        told = msg(
            "合同 {contract} 的发票 {number} 是记错的，对方撤销了。",
            contract=deal["number"],
            number=invoice["number"],
        )
        await _tell(deal, organisation_id, "invoice_withdrawn", told, at)
    return state


async def forget_invoice_files(*, ended_before: date) -> int:
    """Drop the files of invoices of contracts that ended before; their hashes stay. Return how many."""
    told = await execute(
        """UPDATE invoice SET content = NULL FROM deal
           WHERE deal.id = invoice.deal AND invoice.content IS NOT NULL
             AND deal.state IN ('completed', 'terminated')
             AND greatest(invoice.created_at, deal.created_at, deal.terminated_at,
                          (SELECT max(paid_on) FROM payment WHERE payment.deal = deal.id)::timestamptz)
                 AT TIME ZONE 'Asia/Shanghai' < $1""",
        ended_before,
    )
    return int(told.rpartition(" ")[2])


def _check(reason: str, note: str, reasons: dict[str, Message]) -> None:
    if faults := rules.reason_faults(reason, note, reasons):
        raise Invalid(msg("有 {count} 处需要修改。", count=len(faults)), faults)


def _side(deal: Record, organisation_id: int) -> str:
    return "seller" if deal["seller"] == organisation_id else "buyer"


def _money(fen: Fen) -> str:
    return f"{yuan(fen):,.2f}"


async def _locked(deal_id: int, invoice_id: int, organisation_id: int) -> tuple[Record, Record, str]:
    """Return contract and invoice, both locked, and what the organisation is to it: issuer or receiver."""
    deal = await locked_to_sign(deal_id=deal_id, organisation_id=organisation_id)
    rows = await fetch(
        """SELECT id, deal, issuer, kind, number, issued_on, amount, state,
                  (amount + coalesce((SELECT sum(red.amount) FROM invoice red
                                      WHERE red.reverses = invoice.id), 0))::bigint AS left
           FROM invoice WHERE id = $1 AND deal = $2 AND state <> 'red' FOR UPDATE""",
        invoice_id,
        deal_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这张发票。"))
    return deal, rows[0], "issuer" if rows[0]["issuer"] == organisation_id else "receiver"


async def _move(
    invoice: Record,
    state: str,
    action: str,
    actor: Actor,
    at: datetime,
    *,
    reason: str | None = None,
    note: str = "",
    further: dict[str, object] | None = None,
) -> None:
    await execute(
        """UPDATE invoice SET state = $2, reason = $3, note = $4, moved_at = $5, moved_by = $6
           WHERE id = $1""",
        invoice["id"],
        state,
        reason if state != rules.RECORDED else None,
        note if state != rules.RECORDED else "",
        at,
        actor.person_id,
    )
    await derive_due_days(deal_id=invoice["deal"])
    details = {"invoice": invoice["id"], "reason": reason, "note": note, **(further or {})}
    await record(subject=f"deal:{invoice['deal']}", action=action, actor=actor, at=at, details=details)


async def _tell(deal: Record, organisation_id: int, kind: str, message: Message, at: datetime) -> None:
    await notify(
        organisation_id=deal["buyer"] if organisation_id == deal["seller"] else deal["seller"],
        kind=kind,
        message=message,
        link=f"/deals/{deal['id']}#invoices",
        at=at,
    )
