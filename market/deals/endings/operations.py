"""A contract ended without a breach: proposed by one side and agreed by the other, or by force majeure."""

from collections.abc import Callable
from datetime import date, datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import END, EXCUSE, Actor
from market.accounts.standing import permit_agent
from market.amounts import masses
from market.audit.operations import record
from market.catalogue.queries import check_reason
from market.catalogue.rules import CANCELS
from market.clock import CHINA
from market.db.session import execute, fetch, fetch_row, fetch_value, transaction
from market.deals import pieces
from market.deals.breach_queries import prepaid_of
from market.deals.ending import Ended, end_contract
from market.deals.endings import rules
from market.deals.endings.seen import Rest, check_seen, rest_of
from market.deals.pieces import Piece
from market.deals.rules import ACTIVE, AGREED, REFUSED
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg, on_day
from market.notices.operations import notify
from market.organisations.delegating import tell_principal


class Proposal(msgspec.Struct, frozen=True):
    """``reason``: a code; ``words``: what becomes of what is delivered and paid.

    ``deposit`` is a code of ``rules.DEPOSITS``, asked for where a deposit was paid.
    """

    reason: str | None
    words: str
    deposit: str | None = None


class Notice(msgspec.Struct, frozen=True):
    """A code of ``rules.EVENTS``, its day, and how it keeps from performing."""

    event: str
    happened_on: date
    words: str


async def propose_ending(
    *, deal_id: int, proposal: Proposal, organisation_id: int, actor: Actor, at: datetime
) -> int:
    """Propose to the other side to end a contract; return the proposal's number. Nothing changes by it.

    Raises:
        NotAllowed: the organisation has not let this agent end contracts.
        NotFound: no such contract of this organisation.
        Conflict: it is not in force, or an end is proposed already.
        Invalid: no reason, no words, or nothing said of a deposit that was paid.
    """
    async with transaction():
        deal = await _locked(deal_id, organisation_id)
        await permit_agent(actor=actor, organisation_id=organisation_id, deed=END)
        why = await check_reason(proposal.reason, CANCELS, words=proposal.words, field="words")
        words = _words(proposal.words)
        paid = (await prepaid_of(deal_id=deal_id)).deposit
        if proposal.deposit not in (rules.DEPOSITS if paid else (None,)):
            problem = (
                msg("买方付过定金：请选没有抵作货款的部分退还还是不退。")
                if paid
                else msg("没有付过定金，这一项请留空。")
            )
            raise Invalid(problem, {"deposit": problem})
        number = await fetch_value(
            """INSERT INTO contract_ending (deal, kind, state, proposer, person, reason, words, deposit,
                                            created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
               ON CONFLICT (deal) WHERE state = 'proposed' DO NOTHING RETURNING id""",
            *(deal_id, rules.AGREEMENT, rules.ENDING.start, organisation_id, actor.person_id),
            *(proposal.reason, words, proposal.deposit, at),
        )
        if number is None:
            raise Conflict(msg("已有一份协商解除的提议在等答复，请刷新后先看那一份。"))
        await record(
            subject=f"deal:{deal_id}",
            action="propose_ending",
            actor=actor,
            at=at,
            details={
                "ending": number,
                "side": _side(deal, organisation_id),
                "reason": proposal.reason,
                "note": words,
                "deposit": proposal.deposit,
            },
        )
        await _tell(
            deal,
            _other(deal, organisation_id),
            "ending_proposed",
            msg(
                "合同 {number} 对方提议协商解除，原因：{why}。您同意才算数，不答复不算同意。",
                number=deal["number"],
                why=why,
            ),
            at,
        )
        await tell_principal(
            actor=actor,
            organisation_id=organisation_id,
            did=msg("合同 {number} 提议协商解除", number=deal["number"]),
            link=f"/deals/{deal_id}/ending",
            at=at,
        )
    return int(number)


async def answer_ending(
    *,
    deal_id: int,
    ending_id: int,
    move: str,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    reason: str | None = None,
    note: str = "",
    seen: Rest | None = None,
) -> str:
    """``agree`` to a proposal, ``refuse`` it with a coded reason, or ``withdraw`` one's own; its new state.

    Once both agree the contract is over and what is not taken is on sale again; nobody is in breach by it.
    ``seen`` is what that came to when it was read, where that is known.

    Raises:
        NotAllowed: the organisation has not let this agent end contracts.
        NotFound: no such proposal under a contract of this organisation.
        WrongState: it waits no more, or not for this side.
        Conflict: the contract is not in force, or a deposit was paid since that the proposal says nothing of.
        Changed: to agree to it comes to something else than was ``seen``.
        Invalid: with ``reason``, where it is refused without one.
    """
    async with transaction():
        deal = await _locked(deal_id, organisation_id, in_force=False)
        row = await fetch_row(
            "SELECT state, proposer, deposit FROM contract_ending WHERE id = $1 AND deal = $2",
            *(ending_id, deal_id),
        )
        if row is None:
            raise NotFound(msg("没有找到这份提议。"))
        side = _side(deal, organisation_id)
        by = "proposer" if row["proposer"] == organisation_id else "other"
        state = rules.ENDING.apply(move, state=row["state"], by=by)
        await permit_agent(actor=actor, organisation_id=organisation_id, deed=END)
        _check_in_force(deal)
        if state == AGREED and row["deposit"] is None and (await prepaid_of(deal_id=deal_id)).deposit:
            raise Conflict(
                msg("提议以后买方付了定金，而提议没有写定金怎么办：请不同意或撤回，写明定金再提一份。")
            )
        if state == AGREED and seen is not None:
            await check_seen(deal_id=deal_id, quantity=deal["quantity"], seen=seen)
        said: dict[str, str | int | None] = {}
        why: Message | str = ""
        if state == REFUSED:
            why = await check_reason(reason, side, words=note)
            said = {"reason": reason, "note": note}
        await execute(
            """UPDATE contract_ending SET state = $2, refused = $3, refused_note = $4, answered_at = $5,
                      answered_by = $6 WHERE id = $1""",
            *(ending_id, state, said.get("reason"), said.get("note", ""), at, actor.person_id),
        )
        ended: Ended | None = None
        if state == AGREED:
            ended = await end_contract(deal=deal, by=side, how=rules.AGREEMENT, at=at)
            said = {
                "grams": ended.grams,
                "deposit": row["deposit"],
                "fen_due_no_more": ended.waived,
            }
        await record(
            subject=f"deal:{deal_id}",
            action=f"{move}_ending",
            actor=actor,
            at=at,
            details={"ending": ending_id, "side": side, **said},
        )
        other, number = _other(deal, organisation_id), deal["number"]
        if ended is not None:
            told = _ended(msg("合同 {number} 双方协商解除，谁也不算违约。", number=number), ended)
            await _tell(deal, other, "deal_terminated", told, at)
            await _tell(deal, deal["town"], "deal_terminated", told, at)
        elif state == REFUSED:
            words = msg(
                "合同 {number} 对方不同意协商解除，原因：{why}；仍按合同履行。", number=number, why=why
            )
            await _tell(deal, other, "ending_refused", words, at)
        else:
            words = msg("合同 {number} 对方撤回了协商解除的提议。", number=number)
            await _tell(deal, other, "ending_withdrawn", words, at)
        await tell_principal(
            actor=actor,
            organisation_id=organisation_id,
            did=_DID[move](number),
            link=f"/deals/{deal_id}/ending",
            at=at,
        )
    return state


async def give_force_majeure(
    *, deal_id: int, notice: Notice, organisation_id: int, actor: Actor, at: datetime
) -> int:
    """End a contract for a force majeure as the side that gives notice of it; return the notice's number.

    It takes effect with the notice; proof is to follow in reasonable time, and the other side may dispute it
    as a case (``breach_rules.NOT_EXCUSED``).

    Raises:
        NotAllowed: the organisation has not let this agent give such notice.
        NotFound: no such contract of this organisation.
        Conflict: it is not in force, or all of it is delivered: money that is owed stays owed.
        Invalid: no such event, a day that cannot be, or no words.
    """
    async with transaction():
        deal = await _locked(deal_id, organisation_id)
        await permit_agent(actor=actor, organisation_id=organisation_id, deed=EXCUSE)
        rest = await rest_of(deal_id=deal_id, quantity=deal["quantity"])
        if not rest.free and not rest.under_way:
            raise Conflict(msg("货已经全部交完，只剩付款：欠的货款不因不可抗力免除，不能这样解除。"))
        _check_notice(notice, made=deal["created_at"].astimezone(CHINA).date(), at=at)
        words = _words(notice.words)
        number = await fetch_value(
            """INSERT INTO contract_ending (deal, kind, state, proposer, person, event, happened_on, words,
                                            created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id""",
            *(deal_id, rules.FORCE_MAJEURE),
            rules.ENDING.apply("give_notice", state=rules.ENDING.start, by="affected"),
            *(organisation_id, actor.person_id, notice.event, notice.happened_on, words, at),
        )
        side = _side(deal, organisation_id)
        ended = await end_contract(deal=deal, by=side, how=rules.FORCE_MAJEURE, at=at)
        await record(
            subject=f"deal:{deal_id}",
            action="force_majeure",
            actor=actor,
            at=at,
            details={
                "ending": number,
                "side": side,
                "event": notice.event,
                "on": notice.happened_on.isoformat(),
                "note": words,
                "grams": ended.grams,
                "fen_due_no_more": ended.waived,
            },
        )
        told = _ended(
            msg(
                "合同 {number} 对方因不可抗力（{event}，{day}）通知解除；不认可的，可以在合同里提出争议。",
                number=deal["number"],
                event=rules.EVENTS[notice.event],
                day=on_day(notice.happened_on),
            ),
            ended,
        )
        for party in (_other(deal, organisation_id), deal["town"]):
            await _tell(deal, party, "deal_terminated", told, at)
        await tell_principal(
            actor=actor,
            organisation_id=organisation_id,
            did=msg("合同 {number} 以不可抗力通知解除", number=deal["number"]),
            link=f"/deals/{deal_id}/ending",
            at=at,
        )
        if side == "seller" and ended.on_sale and ended.grams:
            # what it struck may be no more: nobody must be sold that
            await notify(
                organisation_id=organisation_id,
                kind="goods_freed",
                message=msg(
                    "合同 {number} 余下的 {mass}又在售了：受灾、没有了的，请马上更正库存。",
                    number=deal["number"],
                    mass=masses(ended.grams),
                ),
                link=f"/selling/lots/{deal['lot']}",
                at=at,
            )
    return int(number)


async def add_proof(
    *, deal_id: int, ending_id: int, proof: Piece, organisation_id: int, actor: Actor, at: datetime
) -> int:
    """Put words or a picture to a notice of force majeure, as either side; it cannot be taken back.

    Raises:
        NotAllowed: the organisation has not let this agent give notice and proof.
        NotFound: no such notice under a contract of this organisation.
        Conflict: it is full.
        Invalid: no words, or too many.
    """
    words = _words(proof.words)
    async with transaction():
        deal = await _locked(deal_id, organisation_id, in_force=False)
        await permit_agent(actor=actor, organisation_id=organisation_id, deed=EXCUSE)
        row = await fetch_row(
            "SELECT state FROM contract_ending WHERE id = $1 AND deal = $2", ending_id, deal_id
        )
        if row is None:
            raise NotFound(msg("没有找到这份通知。"))
        if row["state"] != rules.NOTICED:
            raise Conflict(msg("只有以不可抗力通知解除的，才要证明。"))
        if await pieces.count_of(about="ending", number=ending_id) >= rules.MOST_PROOF:
            raise Conflict(msg("一份通知最多 {most} 份证明。", most=rules.MOST_PROOF))
        number = await pieces.keep(
            about="ending",
            number=ending_id,
            piece=msgspec.structs.replace(proof, words=words),
            organisation_id=organisation_id,
            actor=actor,
            at=at,
        )
        await record(
            subject=f"deal:{deal_id}",
            action="prove_ending",
            actor=actor,
            at=at,
            details={"ending": ending_id, "proof": number, "hash": proof.content_hash},
        )
        words_to_other = msg("合同 {number} 的不可抗力：对方补充了证明。", number=deal["number"])
        await _tell(deal, _other(deal, organisation_id), "deal_terminated", words_to_other, at)
    return int(number)


#: An answer in the words of whoever gave it.
_DID: dict[str, Callable[[str], Message]] = {
    "agree": lambda number: msg("同意协商解除合同 {number}", number=number),
    "refuse": lambda number: msg("不同意协商解除合同 {number}", number=number),
    "withdraw": lambda number: msg("撤回了协商解除合同 {number} 的提议", number=number),
}


def _check_notice(notice: Notice, *, made: date, at: datetime) -> None:
    faults: dict[str, Message] = {}
    if notice.event not in rules.EVENTS:
        faults["event"] = msg("没有这个选项，请从列出的里面选一个。")
    wrong = rules.fault_of_day(notice.happened_on, made=made, today=at.astimezone(CHINA).date())
    if wrong is not None:
        faults["happened_on"] = wrong
    if faults:
        raise Invalid(msg("有 {n} 处要改，改好后再提交；填过的内容都还在。", n=len(faults)), faults)


def _words(typed: str) -> str:
    words = typed.strip()
    if not 0 < len(words) <= rules.LONGEST_WORDS:
        problem = msg("请填写这一项，最多 {most} 个字。", most=rules.LONGEST_WORDS)
        raise Invalid(problem, {"words": problem})
    return words


def _ended(why: Message, ended: Ended) -> Message:
    if not ended.grams:
        return why
    if ended.on_sale:
        return msg("{why}余下 {mass}重新上架。", why=why, mass=masses(ended.grams))
    return msg("{why}余下 {mass}已释放。", why=why, mass=masses(ended.grams))


async def _locked(deal_id: int, organisation_id: int, *, in_force: bool = True) -> Record:
    # NO KEY: a line of the stock ledger names the contract while it holds the lot that is wanted later
    rows = await fetch(
        """SELECT deal.*, listing.lot, seller.town FROM deal JOIN listing ON listing.id = deal.listing
           JOIN organisation seller ON seller.id = deal.seller
           WHERE deal.id = $1 AND $2 IN (deal.seller, deal.buyer) FOR NO KEY UPDATE OF deal""",
        deal_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这份合同。"))
    if in_force:
        _check_in_force(rows[0])
    return rows[0]


def _check_in_force(deal: Record) -> None:
    if deal["state"] != ACTIVE:
        raise Conflict(msg("合同不在履行中，没有可以解除的：没签字的可以取消，结束了的不用解除。"))


def _side(deal: Record, organisation_id: int) -> str:
    return "seller" if deal["seller"] == organisation_id else "buyer"


def _other(deal: Record, organisation_id: int) -> int:
    return int(deal["buyer"] if deal["seller"] == organisation_id else deal["seller"])


async def _tell(deal: Record, organisation_id: int | None, kind: str, words: Message, at: datetime) -> None:
    if organisation_id is None:
        return
    await notify(
        organisation_id=organisation_id,
        kind=kind,
        message=words,
        link=f"/deals/{deal['id']}/ending",
        at=at,
    )
