"""The result of a talk is set right: what was said before stays, and both sides are told."""

from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import Actor
from market.audit.operations import record
from market.catalogue.queries import check_reason
from market.catalogue.rules import TALKS
from market.db.replay import once
from market.db.session import execute
from market.db.signals import signal
from market.deals.taking_back import signed
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.meetings import rules
from market.meetings.commands import Outcome
from market.meetings.day.attendance import board_of
from market.meetings.talks.effects import bound_by, take_effect, undo
from market.meetings.talks.figures import check_outcome
from market.meetings.talks.recording import (
    Recorded,
    known_topics,
    locked,
    settle,
    side_of,
    tell_sides,
    write_statement,
)
from market.meetings.talks.statements import (
    SettlementRow,
    StatementRow,
    disagree,
    settlements_of,
    statements_of,
)

LONGEST_WHY = 200
#: Until when the town sets results right; a side does only while the meeting is on.
CORRECTABLE = frozenset({"in_progress", "closed"})


class _Correct(msgspec.Struct, frozen=True):
    appointment_id: int
    outcome: Outcome
    why: str
    seen: int | None


class _Settle(msgspec.Struct, frozen=True):
    appointment_id: int
    statement_id: int


def counting(statements: list[StatementRow], settlements: list[SettlementRow]) -> StatementRow | None:
    """Return the statement that counts: what the town has settled last, else the first."""
    stands = {each.id: each for each in statements}
    settled = [stands[each.statement] for each in settlements if each.statement in stands]
    return settled[-1] if settled else next(iter(statements), None)


def barred(
    *,
    side: str,
    organisation_id: int,
    meeting_state: str,
    statements: list[StatementRow],
    settlements: list[SettlementRow],
) -> Message | None:
    """Return why this party cannot set right what was recorded of a held talk; None where it can."""
    if side == "official":
        if meeting_state in CORRECTABLE:
            return None
        return msg("这场对接会已经办结，洽谈结果不能再改。")
    if meeting_state != "in_progress":
        return msg("会议已经结束，记录要更正请联系镇里。")
    if settlements or {each.organisation for each in statements} != {organisation_id}:
        return msg("别的一方也有记录了，要更正请联系镇里。")
    return None


async def correct_outcome(
    *,
    appointment_id: int,
    outcome: Outcome,
    why: str,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    key: str | None = None,
    sure: bool = False,
    seen: int | None = None,
) -> Recorded:
    """Set right what was recorded of a talk: for the town, or for a side whose record is the only one.

    The record before stays as what it was. Contracts that nobody has signed and samples that nobody has sent
    go with it; both sides are told. ``seen``: the last statement that the corrector has seen.

    Raises:
        NotFound: no such appointment of this organisation, or of a meeting of this town.
        Invalid: as ``recording.record_outcome``, or there is no ``why``, or nothing is different.
        Conflict: it is not this party's to set right now, a contract is signed, somebody else was quicker, or
            stock or demand have gone.
    """

    async def deed() -> Recorded:
        row = await locked(appointment_id, organisation_id)
        statements = await statements_of(appointment_id=appointment_id)
        settlements = await settlements_of(appointment_id=appointment_id)
        side = side_of(row, organisation_id)
        _check_open(row, side, organisation_id, statements, settlements)
        if seen is not None and any(each.id > seen for each in statements):
            raise Conflict(msg("刚才又有人改过这场洽谈的记录，请看过最新的再更正。"))
        await _check_unbound(appointment_id)
        topics = await known_topics(appointment_id)
        _check_why(why)
        check_outcome(outcome, topics, sure=sure)
        if outcome.reason and outcome.reason not in {each.reason for each in statements}:
            # what was said before may be said again, even where it would not be offered any more
            await check_reason(outcome.reason, TALKS, words=outcome.note)
        before = counting(statements, settlements)
        own = next((each for each in statements if each.organisation == organisation_id), None)
        if own is not None and own == before and _same(own, outcome):
            problem = msg("和原来的记录一样，没有要更正的。")
            raise Invalid(problem, {"outcome": problem})
        if own is not None:
            await execute("UPDATE statement SET replaced_at = $2 WHERE id = $1", own.id, at)
        made = await write_statement(
            appointment_id, outcome, organisation_id, actor=actor, at=at, why=why.strip()
        )
        if len(statements) > (own is not None):
            await settle(appointment_id, made, actor=actor, at=at)
        undone = await undo(
            row, topics, instead=outcome, why=why, organisation_id=organisation_id, actor=actor, at=at
        )
        deals = await take_effect(row, outcome, topics, actor=actor, at=at)
        await record(
            subject=f"appointment:{appointment_id}",
            action="correct_result",
            actor=actor,
            at=at,
            details={
                "was": row["outcome"],
                "outcome": outcome.outcome,
                "statement": made,
                "cancelled": list(undone.contracts),
                "deals": list(deals),
            },
        )
        await tell_sides(row, outcome, actor=actor, at=at, why=why.strip())
        await signal(board_of(row["meeting"]))
        return Recorded(deals)

    return await once(
        key=key,
        person_id=actor.person_id,
        request=_Correct(appointment_id, outcome, why, seen),
        reply_type=Recorded,
        deed=deed,
        at=at,
    )


async def settle_outcome(
    *,
    appointment_id: int,
    statement_id: int,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    key: str | None = None,
) -> Recorded:
    """The town has looked into a talk of which different things are said: this statement stands.

    Said again of the same statement it changes nothing.

    Raises:
        NotFound: no such talk of a meeting of this town.
        Conflict: the statement stands no more, there is nothing to settle, a contract is signed, or stock or
            demand have gone.
    """

    async def deed() -> Recorded:
        row = await locked(appointment_id, organisation_id)
        if side_of(row, organisation_id) != "official":
            raise NotFound(msg("没有找到这场洽谈。"))
        statements = await statements_of(appointment_id=appointment_id)
        settlements = await settlements_of(appointment_id=appointment_id)
        _check_open(row, "official", organisation_id, statements, settlements)
        chosen = next((each for each in statements if each.id == statement_id), None)
        if chosen is None:
            raise Conflict(msg("这份记录已被更正，请看过最新的再定。"))
        if not disagree(statements):
            raise Conflict(msg("各方的记录没有不同，不用核对。"))
        before = counting(statements, settlements)
        latest = max(each.created_at for each in statements)
        if settlements and settlements[-1].statement == chosen.id and settlements[-1].created_at >= latest:
            return Recorded(())
        outcome = Outcome(
            chosen.outcome, tuple(chosen.topics), chosen.reason, chosen.note, tuple(chosen.samples)
        )
        deals: tuple[int, ...] = ()
        cancelled: tuple[str, ...] = ()
        if before is None or before.said != chosen.said:
            await _check_unbound(appointment_id)
            topics = await known_topics(appointment_id)
            why = str(msg("镇里核对后定为“{result}”。", result=rules.OUTCOMES[outcome.outcome]))
            undone = await undo(
                row, topics, instead=outcome, why=why, organisation_id=organisation_id, actor=actor, at=at
            )
            cancelled = undone.contracts
            deals = await take_effect(row, outcome, topics, actor=actor, at=at)
        await settle(appointment_id, chosen.id, actor=actor, at=at)
        await record(
            subject=f"appointment:{appointment_id}",
            action="settle_result",
            actor=actor,
            at=at,
            details={
                "was": row["outcome"],
                "outcome": chosen.outcome,
                "statement": chosen.id,
                "cancelled": list(cancelled),
                "deals": list(deals),
            },
        )
        await tell_sides(row, outcome, actor=actor, at=at)
        await signal(board_of(row["meeting"]))
        return Recorded(deals)

    return await once(
        key=key,
        person_id=actor.person_id,
        request=_Settle(appointment_id, statement_id),
        reply_type=Recorded,
        deed=deed,
        at=at,
    )


def _check_open(
    row: Record,
    side: str,
    organisation_id: int,
    statements: list[StatementRow],
    settlements: list[SettlementRow],
) -> None:
    if row["state"] != "held":
        raise Conflict(msg("这场洽谈还没有记录，直接记录结果即可。"))
    why_not = barred(
        side=side,
        organisation_id=organisation_id,
        meeting_state=row["meeting_state"],
        statements=statements,
        settlements=settlements,
    )
    if why_not:
        raise Conflict(why_not)


async def _check_unbound(appointment_id: int) -> None:
    number = await bound_by(appointment_id=appointment_id)
    if number is not None:
        raise signed(number)


def _check_why(why: str) -> None:
    problem = None
    if not why.strip():
        problem = msg("请写为什么更正，双方都能看到。")
    elif len(why) > LONGEST_WHY:
        problem = msg("说明最多 {most} 个字。", most=LONGEST_WHY)
    if problem:
        raise Invalid(problem, {"why": problem})


def _same(statement: StatementRow, outcome: Outcome) -> bool:
    """Tell whether nothing would be different."""
    return (statement.outcome, statement.reason, statement.note) == (
        outcome.outcome,
        outcome.reason,
        outcome.note,
    ) and (set(statement.topics), set(statement.samples)) == (set(outcome.topics), set(outcome.samples))
