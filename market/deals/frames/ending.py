"""Ending a framework agreement early, by consent: one side proposes it with a reason, the other answers.

What was called stays: batches that wait may be confirmed, contracts are fulfilled. Silence ends nothing.
"""

from datetime import datetime

from market.accounts.rules import Actor
from market.amounts import masses
from market.audit.operations import record
from market.catalogue.queries import check_reason
from market.db.session import execute, transaction
from market.deals.frames import rules
from market.deals.frames.operations import held, other_of, side_of
from market.errors import Conflict
from market.i18n import Message, msg
from market.meanwhile import marks_of
from market.notices.operations import notify
from market.units import Gram


class EndChanged(Conflict):
    """An early end is not the one that was read."""


async def propose_end(
    *, frame_id: int, organisation_id: int, actor: Actor, at: datetime, reason: str | None, note: str = ""
) -> str:
    """Propose to end an agreement, with a coded ``reason`` that the other side sees; its new state.

    Batches may be called off until the other has agreed.

    Raises:
        NotFound: no such agreement of this organisation.
        WrongState: it is not in force, or its end is proposed already.
        Invalid: with ``reason``, where there is none.
    """
    async with transaction():
        frame = await held(frame_id, organisation_id)
        side = side_of(frame, organisation_id)
        state = rules.FRAME.apply("propose_end", state=frame["state"], by=side)
        await check_reason(reason, side, words=note)
        await execute(
            """UPDATE frame SET state = $2, reason = $3, reason_note = $4, end_refused = NULL,
                      end_refused_note = '' WHERE id = $1""",
            frame_id,
            state,
            reason,
            note,
        )
        await record(
            subject=f"frame:{frame_id}",
            action="propose_end",
            actor=actor,
            at=at,
            details={"side": side, "reason": reason, "note": note},
        )
        await notify(
            organisation_id=other_of(frame, organisation_id),
            kind="frame_end_proposed",
            message=msg("框架协议 {number} 对方提出提前结束，您同意才算数。", number=frame["number"]),
            link=f"/frames/{frame_id}",
            at=at,
        )
    return state


async def answer_end(
    *,
    frame_id: int,
    move: str,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    reason: str | None = None,
    note: str = "",
    seen: str | None = None,
) -> str:
    """``agree_end`` or ``refuse_end`` the other side's proposal, ``withdraw_end`` one's own; the new state.

    Who refuses says why, by a code that the other side sees. ``seen``: the marks of the ``EarlyEnd`` that
    was read by who agrees (``market.meanwhile``), where that is known.

    Raises:
        NotFound: no such agreement of this organisation.
        WrongState: no end is proposed, or not to this side.
        EndChanged: to agree comes to something else than was ``seen``.
        Invalid: with ``reason``, where it is refused without one.
    """
    async with transaction():
        frame = await held(frame_id, organisation_id)
        side = side_of(frame, organisation_id)
        state = rules.FRAME.apply(move, state=frame["state"], by=side)
        said: dict[str, str | None] = {}
        why: Message | str = ""
        if move == "refuse_end":
            why = await check_reason(reason, side, words=note)
            said = {"reason": reason, "note": note}
        left = Gram(frame["total"] - frame["called"])
        if state == rules.ENDED_EARLY and seen is not None:
            _check_seen(seen, rules.EarlyEnd(left, frame["reason"], frame["reason_note"]))
        if state == rules.ENDED_EARLY:  # why stays
            await execute("UPDATE frame SET state = $2 WHERE id = $1", frame_id, state)
        else:
            await execute(
                """UPDATE frame SET state = $2, reason = NULL, reason_note = '', end_refused = $3,
                          end_refused_note = $4 WHERE id = $1""",
                frame_id,
                state,
                said.get("reason"),
                said.get("note", ""),
            )
        await record(
            subject=f"frame:{frame_id}",
            action=move,
            actor=actor,
            at=at,
            details={"side": side, "left": left, **said},
        )
        await notify(
            organisation_id=other_of(frame, organisation_id),
            kind=f"frame_{move}",
            message=_told(move, frame["number"], left, why),
            link=f"/frames/{frame_id}",
            at=at,
        )
    return state


def _check_seen(seen: str, now: rules.EarlyEnd) -> None:
    """Raises: EndChanged."""
    if marks_of(now) != seen:
        raise EndChanged(
            msg(
                "您打开以后有变：现在还剩 {left}没有要，提前结束的原因也可能不同。请看过再决定。",
                left=masses(Gram(now.left)),
            )
        )


def _told(move: str, number: str, left: Gram, why: Message | str) -> Message:
    return {
        "agree_end": msg(
            "框架协议 {number} 双方同意提前结束，{left}不再要；已要的各批照旧。",
            number=number,
            left=masses(left),
        ),
        "refuse_end": msg(
            "框架协议 {number} 对方不同意提前结束，原因：{why}；仍按协议执行。", number=number, why=why
        ),
        "withdraw_end": msg("框架协议 {number} 对方撤回了提前结束的提议。", number=number),
    }[move]
