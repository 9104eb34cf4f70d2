"""The time that a buyer has to inspect: it is reminded before the end, and what it says nothing of is taken.

Civil Code, article 621: who does not notify within the agreed time counts as having received what was agreed.
A buyer that has filed a case about the contract has said something, and nothing is taken for granted then.
"""

from datetime import datetime

from asyncpg import Record

from market.accounts.rules import SYSTEM
from market.amounts import masses
from market.audit.operations import MOST_AT_ONCE, record
from market.clock import CHINA, last_minute
from market.db.session import execute, fetch, fetch_row, transaction
from market.deals import rules
from market.deals.arrivals.operations import arrived_on, moment_of
from market.deals.arrivals.rules import ARRIVAL, INSPECT_BY, STATED
from market.deals.paying import fall_due_at_acceptance
from market.deals.terms import terms_in_force
from market.i18n import msg, on_day
from market.notices.operations import Word, notify_all
from market.units import Gram

#: As SQL: loads whose buyer has something to say: the goods came by its own word, or by the seller's.
_WAITING = """(delivery.state = 'arrived' OR delivery.state = 'dispatched' AND EXISTS (
    SELECT FROM arrival WHERE arrival.delivery = delivery.id AND arrival.state = 'stated'))
  AND NOT EXISTS (SELECT FROM breach WHERE breach.deal = delivery.deal AND breach.claimant = deal.buyer
                    AND breach.state IN ('filed', 'answered', 'lapsed', 'confirmed'))"""


async def remind_to_inspect(*, at: datetime) -> int:
    """Tell buyers, once for each load, that the last day to inspect is tomorrow or near; return how many."""
    today = at.astimezone(CHINA).date()
    async with transaction():
        rows = await fetch(
            f"""UPDATE delivery SET inspect_reminded = $1 FROM deal
                WHERE deal.id = delivery.deal AND delivery.id IN (
                  SELECT delivery.id FROM delivery JOIN deal ON deal.id = delivery.deal
                  WHERE {_WAITING} AND delivery.inspect_reminded IS NULL AND {INSPECT_BY} - 1 <= $1
                  ORDER BY delivery.id LIMIT $2)
                RETURNING deal.id, deal.number, deal.buyer, delivery.quantity,
                          greatest({INSPECT_BY}, $1) AS last""",  # noqa: S608  words of ours; values are parameters
            today,
            MOST_AT_ONCE,
        )
        words = [
            Word(
                row["buyer"],
                "inspection_due",
                msg(
                    "合同 {number} 的 {mass} 请在 {last} 前验收，没有到或有问题请写明；"
                    "过了这一天不答复，按收到符合约定的货处理（民法典第六百二十一条），货款照约定到期。",
                    number=row["number"],
                    mass=masses(Gram(row["quantity"])),
                    last=on_day(row["last"]),
                ),
                f"/deals/{row['id']}#deliveries",
                at,
                last_minute(row["last"]),
            )
            for row in rows
        ]
        await notify_all(words)
    return len(rows)


async def end_inspections(*, at: datetime) -> int:
    """Take for accepted whole what no buyer said anything of within its time; return how many loads.

    Nobody is held to it who was not reminded on a day before.
    """
    today = at.astimezone(CHINA).date()
    overdue = f"""{_WAITING} AND delivery.inspect_reminded < $1 AND {INSPECT_BY} < $1"""
    async with transaction():
        found = await fetch(
            f"""SELECT delivery.id, delivery.deal FROM delivery JOIN deal ON deal.id = delivery.deal
                WHERE {overdue} ORDER BY delivery.deal, delivery.id LIMIT $2""",  # noqa: S608  words of ours; values are parameters
            today,
            MOST_AT_ONCE,
        )
        passed = 0
        for each in found:
            # the contract first, as everybody locks; what was answered meanwhile is answered
            deal = await fetch_row("SELECT * FROM deal WHERE id = $1 FOR NO KEY UPDATE", each["deal"])
            load = await fetch_row(
                f"""SELECT delivery.* FROM delivery JOIN deal ON deal.id = delivery.deal
                    WHERE delivery.id = $2 AND {overdue} FOR UPDATE OF delivery""",  # noqa: S608  words of ours; values are parameters
                today,
                each["id"],
            )
            if deal is not None and load is not None:
                await _take(deal, load, at)
                passed += 1
    return passed


async def _take(deal: Record, load: Record, at: datetime) -> None:
    """Accept a load whole because its time is over. Contract and load are locked."""
    state = rules.DELIVERY.apply("pass", state=load["state"], by="system")
    word = await fetch_row(
        'SELECT id, "on" FROM arrival WHERE delivery = $1 AND state = $2 FOR UPDATE', load["id"], STATED
    )
    arrived = load["arrived_at"]
    if word is not None:
        arrived = arrived_on(word["on"], left=load["dispatched_at"], at=at)
        await execute(
            "UPDATE arrival SET state = $2, answered_at = $3 WHERE id = $1",
            *(word["id"], ARRIVAL.apply("pass", state=STATED, by="system"), at),
        )
    await execute(
        """UPDATE delivery SET state = $2, accepted = quantity, loss = 0, arrived_at = $3, passed_at = $4
           WHERE id = $1""",
        *(load["id"], state, arrived, at),
    )
    _, terms = await terms_in_force(deal_id=deal["id"])
    # money counts from when the buyer knew of the goods, and is not late before its silence counts
    since = load["inspect_from"] if word is not None else arrived.astimezone(CHINA).date()
    await fall_due_at_acceptance(
        deal=deal,
        terms=terms,
        delivery_id=load["id"],
        arrived=moment_of(since),
        at=at,
        not_before=at.astimezone(CHINA).date(),
    )
    await record(
        subject=f"deal:{deal['id']}",
        action="delivery_pass",
        actor=SYSTEM,
        at=at,
        details={"delivery": load["id"], "accepted": load["quantity"], "stated": word is not None},
    )
    values = {"number": deal["number"], "mass": masses(Gram(load["quantity"]))}
    link = f"/deals/{deal['id']}#deliveries"
    await notify_all(
        [
            Word(
                deal["buyer"],
                "inspection_passed",
                msg(
                    "合同 {number} 的 {mass} 过了验收期没有答复，按收到符合约定的货处理，货款照约定到期。"
                    "确有问题的，可以提违约，写明原因和凭据。",
                    **values,
                ),
                link,
                at,
            ),
            Word(
                deal["seller"],
                "inspection_passed",
                msg(
                    "合同 {number} 的 {mass} 买方过了验收期没有答复，按全部验收处理，货款照约定到期。",
                    **values,
                ),
                link,
                at,
            ),
        ]
    )
