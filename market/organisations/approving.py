"""What binds a buyer above its limit waits for a purchasing manager: asked for, approved, refused.

An operation that binds calls :func:`bind` in its transaction, and names what it is about to do. Above the
limit that raises :class:`NeedsApproval`; the edge, which has seen the transaction end, keeps the wish by
:func:`or_ask`. A manager's approval does it then, in one transaction with the approval itself.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import msgspec
from asyncpg import Record

from market.accounts.rules import BUYER, MANAGER, SYSTEM, Actor
from market.accounts.standing import permit
from market.audit.operations import MOST_AT_ONCE, record
from market.clock import CHINA
from market.db.apart import number_apart
from market.db.replay import once
from market.db.session import DB, execute, fetch, transaction
from market.errors import Conflict, Invalid, MarketError, NotAllowed, NotFound
from market.i18n import Message, msg
from market.notices.operations import notify
from market.organisations import rules
from market.organisations.queries import limit_of
from market.units import Fen, yuan

P = ParamSpec("P")
T = TypeVar("T")
#: Does a deed as it was asked for, and returns where it led to.
Doer = Callable[[Any, int, Actor, datetime], Awaitable[str]]
_DEEDS: dict[str, tuple[type[msgspec.Struct], Doer]] = {}


def approvable(name: str, request: type[msgspec.Struct]) -> Callable[[Doer], Doer]:
    """Register how the deed ``name`` is done from its stored ``request``, by an actor."""

    def register(doer: Doer) -> Doer:
        _DEEDS[name] = (request, doer)
        return doer

    return register


class Binding(msgspec.Struct, frozen=True):
    """What a deed would bind its organisation to: ``amount`` in fen, told in ``about``.

    ``subject`` (``bid:7``) and ``link`` are what it is about; ``other`` is the side that sees it wait.
    """

    deed: str
    request: msgspec.Struct
    amount: Fen
    about: Message
    subject: str
    link: str
    other: int | None = None


class NeedsApproval(NotAllowed):
    """The deed is above what the person may commit the organisation to. Nothing was done."""

    def __init__(self, binding: Binding, *, organisation_id: int, actor: Actor, most: Fen) -> None:
        super().__init__(
            msg(
                "金额 {amount} 元，超过您的限额 {most} 元，要由采购经理审批。",
                amount=f"{yuan(binding.amount):,.2f}",
                most=f"{yuan(most):,.2f}",
            )
        )
        self.binding, self.organisation_id, self.actor, self.most = binding, organisation_id, actor, most


class Waiting(MarketError):
    """The deed was kept, and waits for a purchasing manager."""

    def __init__(self, approval_id: int) -> None:
        super().__init__(msg("超过您的限额，已交采购经理审批；批准前不算数。"))
        self.approval_id = approval_id


async def bind(
    *,
    actor: Actor,
    organisation_id: int,
    side: str,
    deed: str,
    other: int | None = None,
    what: Binding | None = None,
) -> None:
    """Ask whether the actor may do ``deed`` for the organisation now; see ``accounts.standing.permit``.

    Call it in the transaction of the deed, with ``what`` it binds the organisation to.

    Raises:
        NotAllowed: the organisation is suspended or not able to, or has not let this agent do it.
        NeedsApproval: a buyer's limit is lower.
        Conflict: the other organisation is suspended; a deed that was approved comes to more by now.
    """
    if actor.person_id is None:
        return
    await permit(actor=actor, organisation_id=organisation_id, side=side, deed=deed, other=other)
    if what is None or side != "buyer":
        return
    if actor.approved_by is not None:
        _check_approved(what, actor)
        return
    most = await limit_of(person_id=actor.person_id, organisation_id=organisation_id)
    if most is not None and what.amount > most:
        raise NeedsApproval(what, organisation_id=organisation_id, actor=actor, most=most)


def _check_approved(what: Binding, actor: Actor) -> None:
    """Shares of a joint offer or a contract's terms may have changed since it was asked for."""
    seen = actor.approved_most
    if seen is not None and what.amount > seen:
        raise Conflict(
            msg(
                "提交审批时是 {seen} 元，现在要 {amount} 元，没有办成；请采购员撤回后重新提交。",
                seen=f"{yuan(Fen(seen)):,.2f}",
                amount=f"{yuan(what.amount):,.2f}",
            )
        )


async def or_ask(do: Callable[[], Awaitable[T]], *, at: datetime, key: str | None) -> T:
    """Do it, or where that needs approval ask for it. Call it outside of every transaction.

    Raises:
        Waiting: it was asked for; the same ``key`` again leads to the same approval.
    """
    try:
        return await do()
    except NeedsApproval as need:
        wanted = need
    raise Waiting(await ask(wanted, at=at, key=key))


def asks(operation: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Let an operation that binds keep by itself what needs approval, where it is no part of a transaction.

    Inside of one its caller has to: see :func:`or_ask`.
    """

    @wraps(operation)
    async def asked(*given: P.args, **named: P.kwargs) -> T:
        if DB.current() is not None:
            return await operation(*given, **named)
        at, key = cast(datetime, named["at"]), cast(str | None, named.get("key"))
        return await or_ask(lambda: operation(*given, **named), at=at, key=key)

    return asked


class Stored(msgspec.Struct, frozen=True):
    """``side`` and ``delegation`` are the asker's."""

    about: Message
    body: msgspec.Raw
    side: str
    delegation: int | None = None


class _Asked(msgspec.Struct, frozen=True):
    approval_id: int


async def ask(need: NeedsApproval, *, at: datetime, key: str | None = None) -> int:
    """Keep a deed until a manager has decided, and tell both sides; return the approval's number.

    Raises:
        Conflict: the same is waiting already.
    """
    what, actor = need.binding, need.actor

    async def deed() -> _Asked:
        stored = Stored(
            what.about, msgspec.Raw(msgspec.json.encode(what.request)), actor.side, actor.delegation_id
        )
        until = at + timedelta(days=rules.APPROVAL_DAYS)
        apart = what.subject.startswith(rules.UNDER_SEAL)
        rows = await fetch(
            """INSERT INTO approval (id, organisation, deed, request, subject, link, other, amount, most,
                                     state, asked_by, asked_at, expires_at)
               VALUES (coalesce($1, nextval('approval_id_seq')), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
                       $12, $13)
               ON CONFLICT DO NOTHING RETURNING id""",
            number_apart() if apart else None,
            need.organisation_id,
            what.deed,
            msgspec.json.encode(stored).decode(),
            what.subject,
            what.link,
            what.other,
            what.amount,
            need.most,
            rules.APPROVAL.start,
            actor.person_id,
            at,
            until,
        )
        if not rows:
            raise Conflict(msg("同一件事已经在等采购经理审批。"))
        approval_id = int(rows[0]["id"])
        details = {"deed": what.deed, "subject": what.subject, "fen": what.amount, "most": need.most}
        await _record(approval_id, what.subject, "ask", actor, at, details)
        amount = f"{yuan(what.amount):,.2f}"
        await notify(
            organisation_id=need.organisation_id,
            kind="approval_asked",
            message=msg("请采购经理审批：{about}，{amount} 元。", about=what.about, amount=amount),
            link=f"/approvals/{approval_id}",
            at=at,
            due_at=until,
            apart=apart,
        )
        if what.other is not None:
            await notify(
                organisation_id=what.other,
                kind="approval_awaited",
                message=msg(
                    "对方{about}，正等其采购经理审批；批准前不算数，您也不受约束。", about=what.about
                ),
                link=what.link,
                at=at,
            )
        return _Asked(approval_id)

    asked = await once(
        key=None if key is None else f"{key}:ask",
        person_id=actor.person_id,
        request=what.request,
        reply_type=_Asked,
        deed=deed,
        at=at,
    )
    return asked.approval_id


async def approve(*, approval_id: int, organisation_id: int, actor: Actor, at: datetime) -> str:
    """Approve a deed and do it, all or nothing; return where it led to.

    Raises:
        NotFound: no such approval of this organisation.
        NotAllowed: the actor is no purchasing manager whose limit covers it, or asked for it.
        WrongState: it was decided meanwhile. Conflict: it is too late, or the deed cannot be done any more.
    """
    async with transaction():
        row = await _locked(approval_id, organisation_id)
        state = rules.APPROVAL.apply("approve", state=row["state"], by="manager")
        if row["expires_at"] <= at:
            raise Conflict(msg("审批期限已过，请采购员重新提交。"))
        await _check_manager(row, actor)
        stored = _stored(row)
        if not await fetch(
            "SELECT FROM membership WHERE person = $1 AND organisation = $2 AND role = ANY($3)"
            " UNION ALL SELECT FROM delegation JOIN membership AS home ON home.person = $1"
            " AND home.organisation = agent_organisation"
            " WHERE delegation.id = $4 AND agent = $1 AND revoked_at IS NULL AND until >= $5",
            row["asked_by"],
            organisation_id,
            [BUYER, MANAGER],
            stored.delegation,
            at.astimezone(CHINA).date(),
        ):
            raise Conflict(msg("提交的人已不是本单位的采购，请另行办理。"))
        kind, doer = _DEEDS[row["deed"]]
        asker = Actor(
            row["asked_by"],
            organisation_id,
            stored.side,
            stored.delegation,
            approved_by=actor.person_id,
            approved_most=row["amount"],
        )
        request = msgspec.json.decode(stored.body, type=kind)
        result = await doer(request, organisation_id, asker, at)
        await _decide(row, state, actor, at, result=result)
        details = {"asked_by": row["asked_by"], "result": result, "fen": row["amount"]}
        await _record(approval_id, row["subject"], "approve", actor, at, details)
        await _tell_own(row, "approval_approved", msg("已批准：{about}。", about=stored.about), result, at)
    return result


async def refuse(
    *, approval_id: int, organisation_id: int, reason: str, note: str, actor: Actor, at: datetime
) -> None:
    """Refuse a deed with a coded reason: it is not done, and the other side is told that nothing comes of it.

    Raises: as :func:`approve`; Invalid: no such reason.
    """
    if problems := rules.reason_problems(reason, note, rules.APPROVAL_REFUSALS):
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    async with transaction():
        row = await _locked(approval_id, organisation_id)
        state = rules.APPROVAL.apply("refuse", state=row["state"], by="manager")
        await _check_manager(row, actor)
        await _decide(row, state, actor, at, reason=reason, note=note)
        details = {"asked_by": row["asked_by"], "reason": reason}
        await _record(approval_id, row["subject"], "refuse", actor, at, details)
        about = _stored(row).about
        message = msg(
            "采购经理没有批准：{about}（{reason}）。", about=about, reason=rules.APPROVAL_REFUSALS[reason]
        )
        await _tell_own(row, "approval_refused", message, f"/approvals/{approval_id}", at)
        await _tell_other(row, at)


async def withdraw(*, approval_id: int, organisation_id: int, actor: Actor, at: datetime) -> None:
    """Take back what one has asked for oneself. Raises: NotFound, WrongState."""
    async with transaction():
        row = await _locked(approval_id, organisation_id)
        if row["asked_by"] != actor.person_id:
            raise NotFound(msg("没有找到这件审批。"))
        state = rules.APPROVAL.apply("withdraw", state=row["state"], by="asker")
        await execute("UPDATE approval SET state = $2, decided_at = $3 WHERE id = $1", row["id"], state, at)
        await _record(approval_id, row["subject"], "withdraw", actor, at, {})
        await _tell_other(row, at)


async def expire_approvals(*, at: datetime) -> int:
    """Let lapse what nobody decided in time: it is not done. Return how many."""
    async with transaction():
        rows = await fetch(
            """UPDATE approval SET state = $1, decided_at = $2 WHERE id IN (
                 SELECT id FROM approval WHERE state = ANY($3) AND expires_at <= $2
                 ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED)
               RETURNING *""",
            "expired",
            at,
            sorted(rules.APPROVAL.sources("expire")),
            MOST_AT_ONCE,
        )
        for row in rows:
            await _record(row["id"], row["subject"], "expire", SYSTEM, at, {})
            about = _stored(row).about
            message = msg("逾期未批，没有办成：{about}。", about=about)
            await _tell_own(row, "approval_expired", message, f"/approvals/{row['id']}", at)
            await _tell_other(row, at)
    return len(rows)


async def _record(
    approval_id: int, about: str, action: str, actor: Actor, at: datetime, details: dict[str, Any]
) -> None:
    """Record what became of an approval; but readers of the record must not learn what lies under seal."""
    if not about.startswith(rules.UNDER_SEAL):
        await record(subject=f"approval:{approval_id}", action=action, actor=actor, at=at, details=details)


async def _locked(approval_id: int, organisation_id: int) -> Record:
    rows = await fetch(
        "SELECT * FROM approval WHERE id = $1 AND organisation = $2 FOR UPDATE", approval_id, organisation_id
    )
    if not rows:
        raise NotFound(msg("没有找到这件审批。"))
    return rows[0]


async def _check_manager(row: Record, actor: Actor) -> None:
    """Whether the actor may decide, by the limits of now: locked, so that none changes under the decision."""
    rows = await fetch(
        "SELECT most FROM membership WHERE person = $1 AND organisation = $2 AND role = $3 FOR SHARE",
        actor.person_id,
        row["organisation"],
        MANAGER,
    )
    if not rows or actor.delegation_id is not None:
        raise NotAllowed(msg("只有本单位的采购经理能审批。"))
    if row["asked_by"] == actor.person_id:
        raise NotAllowed(msg("自己提交的不能自己批。"))
    if rows[0]["most"] is not None and rows[0]["most"] < row["amount"]:
        raise NotAllowed(msg("金额超过您的审批限额，请限额更高的采购经理来批。"))


def _stored(row: Record) -> Stored:
    return msgspec.json.decode(row["request"], type=Stored)


async def _decide(
    row: Record,
    state: str,
    actor: Actor,
    at: datetime,
    *,
    reason: str | None = None,
    note: str = "",
    result: str = "",
) -> None:
    await execute(
        """UPDATE approval SET state = $2, decided_by = $3, decided_at = $4, reason = $5, note = $6,
             result = $7 WHERE id = $1""",
        row["id"],
        state,
        actor.person_id,
        at,
        reason,
        note,
        result,
    )


async def _tell_own(row: Record, kind: str, message: Message, link: str, at: datetime) -> None:
    apart = row["subject"].startswith(rules.UNDER_SEAL)
    await notify(
        organisation_id=row["organisation"], kind=kind, message=message, link=link, at=at, apart=apart
    )


async def _tell_other(row: Record, at: datetime) -> None:
    if row["other"] is not None:
        await notify(
            organisation_id=row["other"],
            kind="approval_off",
            message=msg("对方内部没有批准：{about}。没有办成，您可以另找买家。", about=_stored(row).about),
            link=row["link"],
            at=at,
        )
