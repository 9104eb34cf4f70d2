"""A case of breach from draft to its end. The other side always has the last word before the town decides."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import SYSTEM, Actor
from market.audit.operations import record
from market.clock import CHINA, last_minute
from market.db.session import execute, fetch, fetch_value, transaction
from market.deals import breach_rules, pieces, rules
from market.deals.endings.queries import notice_side
from market.deals.pieces import Piece
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg, on_day
from market.notices.operations import notify
from market.transitions import WrongState


class NewCase(msgspec.Struct, frozen=True):
    """``quantity`` in grams and ``claim`` in fen, where the claimant names them."""

    deal_id: int
    ground: str
    statement: str
    quantity: int | None = None
    claim: int | None = None


async def open_case(*, case: NewCase, organisation_id: int, actor: Actor, at: datetime) -> int:
    """Begin a case against the other side of a contract; return its number. Nobody else sees it yet.

    Raises:
        NotFound: no such contract of this organisation.
        Conflict: it never came into force, or a case of this side's is open already.
        Invalid: no such ground against the other side, no statement, or more than the contract's quantity.
    """
    async with transaction():
        deal = await _locked_deal(case.deal_id, organisation_id)
        if deal["state"] not in rules.BOUND:
            raise Conflict(msg("合同没有生效，谈不上违约。"))
        against = "buyer" if deal["seller"] == organisation_id else "seller"
        notice_of = await notice_side(deal_id=case.deal_id)
        _check(case, breach_rules.grounds_against(against, notice_of=notice_of), deal["quantity"])
        # who does not accept a force majeure reckons the loss from the notice of it on
        noticed = deal["terminated_at"] if case.ground == breach_rules.NOT_EXCUSED else None
        number = await fetch_value(
            """INSERT INTO breach (deal, claimant, respondent, ground, quantity, claim, statement, state,
                                   created_at, terminated_at, answer, decision, offer)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', '', '')
               ON CONFLICT (deal, claimant) WHERE state IN ('draft', 'filed', 'answered', 'lapsed')
               DO NOTHING RETURNING id""",
            case.deal_id,
            organisation_id,
            deal[against],
            case.ground,
            case.quantity,
            case.claim,
            case.statement,
            rules.BREACH.start,
            at,
            noticed,
        )
        if number is None:
            raise Conflict(msg("您对这份合同已经有一件没了结的违约，请在那一件里补充。"))
        await record(
            subject=f"breach:{number}",
            action="open",
            actor=actor,
            at=at,
            details={"deal": case.deal_id, "ground": case.ground, "grams": case.quantity},
        )
    return int(number)


def _check(case: NewCase, grounds: Mapping[str, Message], quantity: int) -> None:
    faults: dict[str, Message] = {}
    if case.ground not in grounds:
        faults["ground"] = msg("没有这个选项，请从列出的里面选一个。")
    if not 0 < len(case.statement.strip()) <= breach_rules.LONGEST_WORDS:
        faults["statement"] = msg("请写明经过，最多 {most} 个字。", most=breach_rules.LONGEST_WORDS)
    if case.quantity is not None and not 0 < case.quantity <= quantity:
        faults["quantity"] = msg("数量要大于 0，不超过合同数量。")
    if case.claim is not None and case.claim <= 0:
        faults["claim"] = msg("金额要大于 0。")
    if faults:
        raise Invalid(msg("有 {n} 处要改，改好后再提交；填过的内容都还在。", n=len(faults)), faults)


async def add_evidence(
    *, breach_id: int, evidence: Piece, organisation_id: int, actor: Actor, at: datetime
) -> int:
    """Put words or a picture to a case, as either side; return its number. It cannot be taken back.

    Raises:
        NotFound: no such case of this organisation.
        Conflict: it is over, or full.
        Invalid: no words, or too many.
    """
    words = evidence.words.strip()
    if not 0 < len(words) <= breach_rules.LONGEST_WORDS:
        problem = msg("请写明这份证据说明什么，最多 {most} 个字。", most=breach_rules.LONGEST_WORDS)
        raise Invalid(problem, {"words": problem})
    async with transaction():
        case = await _locked(breach_id, organisation_id)
        if organisation_id not in (case["claimant"], case["respondent"]):
            raise NotFound(msg("没有找到这件违约。"))
        if case["state"] not in (*breach_rules.OPEN, rules.DRAFT):
            raise Conflict(msg("这件违约已经了结，不能再加证据。"))
        if await pieces.count_of(about="breach", number=breach_id) >= breach_rules.MOST_EVIDENCE:
            raise Conflict(msg("一件违约最多 {most} 份证据。", most=breach_rules.MOST_EVIDENCE))
        number = await pieces.keep(
            about="breach",
            number=breach_id,
            piece=msgspec.structs.replace(evidence, words=words),
            organisation_id=organisation_id,
            actor=actor,
            at=at,
        )
        await record(
            subject=f"breach:{breach_id}",
            action="evidence",
            actor=actor,
            at=at,
            details={"evidence": number, "hash": evidence.content_hash},
        )
        if case["state"] != rules.DRAFT:
            await _tell(case, _other(case, organisation_id), msg("对方补充了证据。"), at)
    return int(number)


async def file_case(*, breach_id: int, organisation_id: int, actor: Actor, at: datetime) -> str:
    """Bring the case before the other side and the town; the other side has some days to answer.

    Raises:
        NotFound: no such case of this claimant.
        WrongState: it is filed already.
    """
    async with transaction():
        case, state = await _move(breach_id, "file", organisation_id)
        until = breach_rules.answer_by(at.astimezone(CHINA).date())
        await execute(
            "UPDATE breach SET state = $2, filed_at = $3, answer_by = $4 WHERE id = $1",
            breach_id,
            state,
            at,
            until,
        )
        await _keep(case, "file", actor, at)
        words = msg("请在 {day} 前答复。", day=on_day(until))
        # the day itself still counts
        await _tell(case, case["respondent"], words, at, due_at=last_minute(until))
        await _tell(case, case["town"], words, at)
    return state


async def answer_case(
    *, breach_id: int, answer: str, organisation_id: int, actor: Actor, at: datetime
) -> str:
    """Answer a case as the side that is said to be in breach.

    Raises:
        NotFound: no such case against this organisation.
        WrongState: it is answered, or the time for it is over.
        Invalid: no words, or too many.
    """
    words = _words(answer, "answer")
    async with transaction():
        case, state = await _move(breach_id, "answer", organisation_id)
        await execute(
            "UPDATE breach SET state = $2, answer = $3, answered_at = $4 WHERE id = $1",
            breach_id,
            state,
            words,
            at,
        )
        await _keep(case, "answer", actor, at)
        for organisation in (case["claimant"], case["town"]):
            await _tell(case, organisation, msg("对方已答复。"), at)
    return state


async def decide_case(
    *, breach_id: int, move: str, decision: str, organisation_id: int, actor: Actor, at: datetime
) -> str:
    """Record what the town found: ``confirm`` or ``dismiss``, with its grounds. It is no judgment.

    Raises:
        NotFound: no such case of a seller of this town's.
        WrongState: it waits for an answer still, or is over.
        Invalid: no grounds, or too many words.
    """
    words = _words(decision, "decision")
    async with transaction():
        case, state = await _move(breach_id, move, organisation_id)
        await execute(
            """UPDATE breach SET state = $2, decision = $3, decided_at = $4, decided_by = $5
               WHERE id = $1""",
            breach_id,
            state,
            words,
            at,
            actor.person_id,
        )
        await _keep(case, move, actor, at)
        for organisation in (case["claimant"], case["respondent"]):
            await _tell(case, organisation, rules.BREACH.label(state), at)
    return state


async def offer_settlement(
    *, breach_id: int, offer: str, organisation_id: int, actor: Actor, at: datetime
) -> None:
    """Offer the other side a settlement; it takes the place of the last offer. Nothing is settled by it.

    Raises:
        NotFound: no such case of this side's.
        Conflict: it is over, or not filed yet.
        Invalid: no words, or too many.
    """
    words = _words(offer, "offer")
    async with transaction():
        case = await _locked(breach_id, organisation_id)
        if case["state"] not in breach_rules.OPEN:
            raise Conflict(msg("现在不能和解：还没提出，或已经了结。"))
        if organisation_id not in (case["claimant"], case["respondent"]):
            # a settlement is between the two: what the town offered, one side could accept for both
            raise NotFound(msg("没有找到这件违约。"))
        await execute(
            "UPDATE breach SET offer = $2, offered_by = $3 WHERE id = $1", breach_id, words, organisation_id
        )
        await _keep(case, "offer", actor, at)
        await _tell(case, _other(case, organisation_id), msg("对方提出和解，请看条件。"), at)


async def settle_case(*, breach_id: int, offer: str, organisation_id: int, actor: Actor, at: datetime) -> str:
    """Accept the settlement ``offer`` that the other side made, word for word; the case is over.

    Raises:
        NotFound: no such case of this organisation.
        WrongState: it is over, or not filed yet.
        Conflict: the other side has offered nothing, or something else by now.
    """
    async with transaction():
        case, state = await _move(breach_id, "settle", organisation_id)
        if case["offered_by"] in (None, organisation_id) or case["offer"] != offer:
            raise Conflict(msg("对方的和解条件变了，请刷新后再看。"))
        await execute("UPDATE breach SET state = $2, settled_at = $3 WHERE id = $1", breach_id, state, at)
        await _keep(case, "settle", actor, at)
        for organisation in (_other(case, organisation_id), case["town"]):
            await _tell(case, organisation, rules.BREACH.label(state), at)
    return state


async def lapse_cases(*, at: datetime) -> int:
    """Move on the cases whose answer is overdue; return how many."""
    today = at.astimezone(CHINA).date()
    async with transaction():
        rows = await fetch(
            """UPDATE breach SET state = $2 FROM deal JOIN organisation seller ON seller.id = deal.seller
               WHERE breach.state = $3 AND breach.answer_by < $1 AND deal.id = breach.deal
               RETURNING breach.*, deal.number, seller.town""",
            today,
            rules.LAPSED,
            rules.FILED,
        )
        for case in rows:
            await _keep(case, "lapse", SYSTEM, at)
            for organisation in (case["claimant"], case["respondent"], case["town"]):
                await _tell(case, organisation, rules.BREACH.label(rules.LAPSED), at)
    return len(rows)


def _words(typed: str, field: str) -> str:
    words = typed.strip()
    if not 0 < len(words) <= breach_rules.LONGEST_WORDS:
        problem = msg("请填写这一项，最多 {most} 个字。", most=breach_rules.LONGEST_WORDS)
        raise Invalid(problem, {field: problem})
    return words


async def _move(breach_id: int, move: str, organisation_id: int) -> tuple[Record, str]:
    """Lock a case and return it with the state that ``move`` of this organisation leads to."""
    case = await _locked(breach_id, organisation_id)
    roles = {"claimant": case["claimant"], "respondent": case["respondent"], "official": case["town"]}
    state = ""
    refused: WrongState | None = None
    for role, organisation in roles.items():
        if organisation == organisation_id:
            try:
                state = rules.BREACH.apply(move, state=case["state"], by=role)
            except WrongState as wrong:
                refused = wrong
    if not state:
        raise refused or NotFound(msg("没有找到这件违约。"))
    return case, state


async def _locked(breach_id: int, organisation_id: int) -> Record:
    rows = await fetch(
        """SELECT breach.*, deal.number, seller.town FROM breach JOIN deal ON deal.id = breach.deal
           JOIN organisation seller ON seller.id = deal.seller
           WHERE breach.id = $1
             AND ($2 = claimant OR breach.state <> 'draft' AND $2 IN (respondent, seller.town))
           FOR UPDATE OF breach""",
        breach_id,
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这件违约。"))
    return rows[0]


async def _locked_deal(deal_id: int, organisation_id: int) -> Record:
    rows = await fetch(
        "SELECT * FROM deal WHERE id = $1 AND $2 IN (seller, buyer) FOR UPDATE", deal_id, organisation_id
    )
    if not rows:
        raise NotFound(msg("没有找到这份合同。"))
    return rows[0]


def _other(case: Record, organisation_id: int) -> int:
    return int(case["respondent"] if organisation_id == case["claimant"] else case["claimant"])


async def _keep(case: Record, action: str, actor: Actor, at: datetime) -> None:
    await record(
        subject=f"breach:{case['id']}", action=action, actor=actor, at=at, details={"deal": case["deal"]}
    )


async def _tell(
    case: Record, organisation_id: int | None, words: Message, at: datetime, *, due_at: datetime | None = None
) -> None:
    if organisation_id is None:
        return
    await notify(
        organisation_id=organisation_id,
        kind="breach",
        message=msg("合同 {number} 的违约：{words}", number=case["number"], words=words),
        link=f"/breaches/{case['id']}",
        at=at,
        due_at=due_at,
    )
