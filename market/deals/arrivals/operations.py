"""A seller says that goods have come, with the paper that the buyer's people signed; the buyer answers.

It binds the buyer no more than any word of one side: the load is on its way until the buyer confirms it, or
has had the time for inspection from when it was told (``inspecting``).
"""

from datetime import date, datetime, time

from asyncpg import Record

from market.accounts.rules import DELIVER, Actor
from market.accounts.standing import permit_agent
from market.amounts import masses
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch, fetch_row, fetch_value, transaction
from market.deals import rules
from market.deals.arrivals.rules import ARRIVAL, INSPECT_BY, LONGEST_NOTE, STATED
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg, on_day
from market.notices.operations import notify
from market.organisations.delegating import tell_principal
from market.sent_papers import Paper
from market.units import Gram


def moment_of(day: date) -> datetime:
    """Return the moment that stands for a day of which no hour is known: its noon in China."""
    return datetime.combine(day, time(12), CHINA)


def arrived_on(day: date, *, left: datetime | None, at: datetime) -> datetime:
    """Return when a load came of which the day is known: not before it left, not after now."""
    return min(max(moment_of(day), left or moment_of(day)), at)


async def state_arrival(
    *,
    delivery_id: int,
    on: date,
    paper: Paper,
    note: str = "",
    organisation_id: int,
    actor: Actor,
    at: datetime,
) -> int:
    """Say that a load came on the day ``on``; return the number of that word.

    ``paper`` is the proof: the receipt that was signed where the goods were unloaded.

    Raises:
        NotAllowed: the seller has not let this agent deliver.
        NotFound: no such load of this seller.
        Conflict: it is not on its way, or the buyer has not answered an earlier word yet.
        Invalid: a day before it left or after today, or too many words.
    """
    async with transaction():
        deal, load = await locked_load(delivery_id, organisation_id, side="seller")
        await permit_agent(actor=actor, organisation_id=organisation_id, deed=DELIVER)
        if load["state"] != rules.DISPATCHED:
            raise Conflict(msg("只有已发货、买方还没有记到货的，才由卖方说明到货。"))
        _check(on, note, left=load["dispatched_at"], today=at.astimezone(CHINA).date())
        number = await fetch_value(
            """INSERT INTO arrival (delivery, "on", note, state, person, file_name, media_type, content,
                                    content_hash, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
               ON CONFLICT (delivery) WHERE state = 'stated' DO NOTHING RETURNING id""",
            *(delivery_id, on, note.strip(), ARRIVAL.start, actor.person_id),
            *(paper.name, paper.media_type, paper.content, paper.content_hash, at),
        )
        if number is None:
            raise Conflict(msg("已经说明过到货，等买方答复；写错了可以先撤回。"))
        # the time runs from the day on which the buyer is told, not from before
        await execute(
            "UPDATE delivery SET inspect_from = $2, inspect_reminded = NULL WHERE id = $1",
            *(delivery_id, at.astimezone(CHINA).date()),
        )
        await record(
            subject=f"deal:{deal['id']}",
            action="state_arrival",
            actor=actor,
            at=at,
            details={"delivery": delivery_id, "on": on.isoformat(), "file": paper.content_hash},
        )
        told = msg(
            "合同 {number}：卖方说 {mass} 已在 {day} 到货，附了签收单。请在 {last} 前确认并验收，"
            "没有到或有问题请写明；到期不答复，按收到符合约定的货处理（民法典第六百二十一条）。",
            number=deal["number"],
            mass=masses(Gram(load["quantity"])),
            day=on_day(on),
            last=on_day(await last_day(delivery_id)),
        )
        await _tell(deal["buyer"], "arrival_stated", told, deal, at)
        await tell_principal(
            actor=actor,
            organisation_id=deal["seller"],
            did=msg(
                "合同 {number} 说明 {mass} 已在 {day} 到货",
                number=deal["number"],
                mass=masses(Gram(load["quantity"])),
                day=on_day(on),
            ),
            link=f"/deals/{deal['id']}#deliveries",
            at=at,
        )
    return int(number)


async def answer_arrival(
    *,
    arrival_id: int,
    move: str,
    note: str = "",
    organisation_id: int,
    actor: Actor,
    at: datetime,
) -> str:
    """``confirm`` that goods came on that day, ``deny`` it with a word, or (the seller) ``withdraw`` it.

    Return the new state. What is confirmed is as if the buyer had noted it on that day; the time for
    inspection goes on from when the buyer was told.

    Raises:
        NotAllowed: an agent answers for the buyer, or was not let deliver.
        NotFound: no such word under a contract of this organisation.
        WrongState: it is answered, or not this side's to answer.
        Invalid: it is denied without a word, or with too many.
    """
    if len(note) > LONGEST_NOTE or (move == "deny" and not note.strip()):
        problem = msg("请写明货到没到、哪里不符，最多 {most} 个字。", most=LONGEST_NOTE)
        raise Invalid(problem, {"note": problem})
    async with transaction():
        delivery_id = await fetch_value("SELECT delivery FROM arrival WHERE id = $1", arrival_id)
        deal, load = await locked_load(delivery_id, organisation_id)
        side = "seller" if deal["seller"] == organisation_id else "buyer"
        await permit_agent(
            actor=actor, organisation_id=organisation_id, deed=DELIVER if side == "seller" else None
        )
        word = (await fetch('SELECT "on", state FROM arrival WHERE id = $1 FOR UPDATE', arrival_id))[0]
        state = ARRIVAL.apply(move, state=word["state"], by=side)
        await execute(
            "UPDATE arrival SET state = $2, answered_by = $3, answered_at = $4, answer = $5 WHERE id = $1",
            *(arrival_id, state, actor.person_id, at, note.strip() if move == "deny" else ""),
        )
        if move == "confirm":
            arrived = rules.DELIVERY.apply("arrive", state=load["state"], by="buyer")
            await execute(
                "UPDATE delivery SET state = $2, arrived_at = $3 WHERE id = $1",
                *(delivery_id, arrived, arrived_on(word["on"], left=load["dispatched_at"], at=at)),
            )
        else:
            await execute(
                "UPDATE delivery SET inspect_from = NULL, inspect_reminded = NULL WHERE id = $1", delivery_id
            )
        await record(
            subject=f"deal:{deal['id']}",
            action=f"{move}_arrival",
            actor=actor,
            at=at,
            details={"delivery": delivery_id, "arrival": arrival_id, "on": word["on"].isoformat()},
        )
        other = deal["buyer"] if side == "seller" else deal["seller"]
        await _tell(other, f"arrival_{state}", _told(move, deal, word["on"], note.strip()), deal, at)
        await tell_principal(
            actor=actor,
            organisation_id=organisation_id,
            did=msg("合同 {number} 到货说明：{state}", number=deal["number"], state=ARRIVAL.label(state)),
            link=f"/deals/{deal['id']}#deliveries",
            at=at,
        )
    return state


async def refuse_waiting(delivery_id: int) -> None:
    """Raise Conflict where the seller has said on which day the goods came: that is to be answered."""
    if await fetch_value("SELECT id FROM arrival WHERE delivery = $1 AND state = $2", delivery_id, STATED):
        raise Conflict(msg("卖方已经说明哪天到货，请先看签收单，确认那一天或说明没有到。"))


async def locked_load(
    delivery_id: int | None, organisation_id: int, *, side: str | None = None
) -> tuple[Record, Record]:
    """Return contract and load, locked in that order as everybody locks.

    Raises:
        NotFound: none of this organisation's; ``side``: it is not that side of it.
    """
    deal = await fetch_row(
        """SELECT deal.* FROM deal WHERE id = (SELECT deal FROM delivery WHERE id = $1)
             AND $2 IN (seller, buyer) FOR NO KEY UPDATE""",
        *(delivery_id, organisation_id),
    )
    if deal is None or (side is not None and deal[side] != organisation_id):
        raise NotFound(msg("没有找到这次发货。"))
    return deal, (await fetch("SELECT * FROM delivery WHERE id = $1 FOR UPDATE", delivery_id))[0]


async def last_day(delivery_id: int) -> date:
    """Return the last day on which the buyer may still say what it found."""
    day: date = await fetch_value(f"SELECT {INSPECT_BY} FROM delivery WHERE id = $1", delivery_id)  # noqa: S608  words of ours
    return day


async def forget_arrival_files(*, ended_before: date) -> int:
    """Drop the papers under contracts that ended before; their hashes stay. Return how many."""
    told = await execute(
        """UPDATE arrival SET content = NULL FROM delivery JOIN deal ON deal.id = delivery.deal
           WHERE delivery.id = arrival.delivery AND arrival.content IS NOT NULL
             AND deal.state IN ('completed', 'terminated')
             AND greatest(arrival.created_at, deal.created_at, deal.terminated_at,
                          (SELECT max(paid_on) FROM payment WHERE payment.deal = deal.id)::timestamptz)
                 AT TIME ZONE 'Asia/Shanghai' < $1""",
        ended_before,
    )
    return int(told.rpartition(" ")[2])


def _check(on: date, note: str, *, left: datetime | None, today: date) -> None:
    faults: dict[str, Message] = {}
    first = left.astimezone(CHINA).date() if left else on
    if not first <= on <= today:
        faults["on"] = msg(
            "到货日期要在发货那天（{first}）和今天（{today}）之间。", first=on_day(first), today=on_day(today)
        )
    if len(note) > LONGEST_NOTE:
        faults["note"] = msg("太长了：最多 {most} 个字。", most=LONGEST_NOTE)
    if faults:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(faults)), faults)


def _told(move: str, deal: Record, on: date, note: str) -> Message:
    values = {"number": deal["number"], "day": on_day(on)}
    if move == "confirm":
        return msg("合同 {number} 买方确认货已在 {day} 到。", **values)
    if move == "deny":
        return msg(
            "合同 {number} 买方说 {day} 没有到货：{note}。可以补充凭据再说明，谈不拢可以提违约。",
            **values,
            note=note,
        )
    return msg("合同 {number} 卖方撤回了“{day} 到货”的说明。", **values)


async def _tell(organisation_id: int, kind: str, message: Message, deal: Record, at: datetime) -> None:
    link = f"/deals/{deal['id']}#deliveries"
    await notify(organisation_id=organisation_id, kind=kind, message=message, link=link, at=at)
