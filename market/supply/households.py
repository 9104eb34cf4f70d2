"""Lots pooled from households: what each gave, and its part of the money that comes in.

Names of households are personal data. Every statement here asks for the owner, no name goes into the audit
record or a notice, and nothing outside of the owner's own pages reads these tables.
"""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from market.accounts.rules import Actor
from market.amounts import masses
from market.audit.operations import record
from market.clock import CHINA
from market.db.session import execute, fetch_into, fetch_one_into, fetch_row, fetch_value, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg
from market.meanwhile import settled
from market.supply.money_in import money_under
from market.supply.sharing import divided
from market.supply.stock import own_lot
from market.units import Fen, Gram, yuan

MOST_HOUSEHOLDS = 2_000
LONGEST_HOUSEHOLD = 40
#: The largest sum that is settled at once: a thousand million yuan.
MOST_FEN = 100_000_000_000


class Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one household gave, in grams."""

    household: str
    grams: int


class Listed(msgspec.Struct, frozen=True):
    """Who gave what of a lot, as one thing that is replaced as a whole."""

    shares: tuple[Share, ...]


class Pool(msgspec.Struct, frozen=True):
    """The lot that was pooled, and who gave what, in the order of the list."""

    lot: int
    shares: list[Share]

    @property
    def total(self) -> int:
        return sum(each.grams for each in self.shares)


class Replaced(msgspec.Struct, frozen=True):
    """A list that another took the place of, and why."""

    id: int
    shares: list[Share]
    reason: str
    person_name: str | None
    replaced_at: datetime

    @property
    def total(self) -> int:
        return sum(each.grams for each in self.shares)


class SettlementRow(msgspec.Struct, frozen=True):
    """``amount`` in fen; ``lot`` is what was sold, ``pool`` the lot whose households share it."""

    id: int
    lot: int
    pool: int
    produce_zh: str
    produce_en: str
    variety: str
    amount: int
    received_on: date
    deal: int | None
    deal_number: str | None
    note: str
    is_cancelled: bool
    households: int
    created_at: datetime


class SettlementLine(msgspec.Struct, frozen=True):
    """One household's part: grams that it gave, fen that it gets."""

    position: int
    household: str
    grams: int
    amount: int


async def set_shares(
    *,
    lot_id: int,
    shares: Sequence[Share],
    owner_id: int,
    actor: Actor,
    at: datetime,
    reason: str = "",
    seen: str | None = None,
) -> None:
    """Write down who gave what of a lot, in place of what stood there.

    Settlements that were made keep the list that they were made by, and a list that is replaced is kept.
    ``seen`` are the marks of what is :class:`Listed` as it was read, where that is known.

    Raises:
        ChangedMeanwhile: another list stands there by now.
        NotFound: no such lot of this owner.
        Invalid: a name or weight is wrong, or they do not add up to what was taken in, to the gram; money
            was divided by the list that stands and no ``reason`` is given for another.
    """
    if not 0 < len(shares) <= MOST_HOUSEHOLDS:
        raise _wrong(msg("要有 1 到 {most} 户。", most=f"{MOST_HOUSEHOLDS:,}"))
    for row, each in enumerate(shares, start=1):
        if not 0 < len(each.household.strip()) <= LONGEST_HOUSEHOLD:
            raise _wrong(msg("第 {row} 户：姓名要有 1 到 {most} 个字。", row=row, most=LONGEST_HOUSEHOLD))
        if each.grams <= 0:
            raise _wrong(msg("第 {row} 户：数量要大于 0。", row=row))
    async with transaction():
        await own_lot(lot_id, owner_id)
        taken = await taken_in(lot_id)
        given = sum(each.grams for each in shares)
        if given != taken:
            raise _wrong(
                msg(
                    "各户合计 {given}，这批货入库 {taken}，差 {gap}；一克都要对上。",
                    given=masses(Gram(given)),
                    taken=masses(Gram(taken)),
                    gap=masses(Gram(abs(given - taken))),
                )
            )
        before = await shares_of(lot_id)
        after = [Share(each.household.strip(), each.grams) for each in shares]
        if before == after:
            return
        settled(Listed(tuple(after)), now=Listed(tuple(before)), seen=seen, exact=True)
        if before and not reason and await is_divided(lot_id):
            problem = msg("已经按现在这份名单分过钱，要改请写明原因；原来的名单会留着。")
            raise Invalid(problem, {"reason": problem})
        if before:
            await execute(
                """INSERT INTO replaced_shares (lot, shares, reason, person, replaced_at)
                   VALUES ($1, $2, $3, $4, $5)""",
                *(lot_id, msgspec.json.encode(before).decode(), reason, actor.person_id, at),
            )
        await execute("DELETE FROM household_share WHERE lot = $1", lot_id)
        await execute(
            """INSERT INTO household_share (lot, position, household, grams)
               SELECT $1, n, household, grams
               FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS given (household, grams, n)""",
            lot_id,
            [each.household for each in after],
            [each.grams for each in after],
        )
        await record(
            subject=f"lot:{lot_id}",
            action="pool",
            actor=actor,
            at=at,
            details={"households": len(after), "grams": given, "households_before": len(before)},
        )


async def shares_of(lot_id: int) -> list[Share]:
    """Return the list of a lot itself, empty where it has none; who may see it was asked before."""
    return await fetch_into(
        Share, "SELECT household, grams FROM household_share WHERE lot = $1 ORDER BY position", lot_id
    )


async def is_divided(lot_id: int) -> bool:
    """Whether money was divided by the shares of this lot, and the settlement stands."""
    return bool(
        await fetch_value(
            "SELECT EXISTS (SELECT FROM settlement WHERE pool = $1 AND cancelled_at IS NULL)", lot_id
        )
    )


def is_other_list(before: Sequence[Share], after: Sequence[Share]) -> bool:
    """Whether more than half of the names are gone from the list that takes another's place."""
    names = {each.household for each in before}
    return bool(names) and 2 * len(names & {each.household for each in after}) < len(names)


async def replaced_lists(lot_id: int, owner_id: int) -> list[Replaced]:
    """Return the lists of a lot that were replaced, the newest first."""
    return await fetch_into(
        Replaced,
        """SELECT replaced_shares.id, shares, reason, person.name AS person_name, replaced_at
           FROM replaced_shares JOIN lot ON lot.id = replaced_shares.lot
           LEFT JOIN person ON person.id = replaced_shares.person
           WHERE lot.id = $1 AND lot.owner = $2 ORDER BY replaced_shares.id DESC""",
        lot_id,
        owner_id,
    )


async def settle(
    *,
    lot_id: int,
    money: Fen,
    received_on: date,
    deal_id: int | None,
    note: str,
    owner_id: int,
    actor: Actor,
    at: datetime,
) -> int:
    """Divide money that came in for a lot among the households of its pool; return the settlement.

    Goods that were made of a pooled lot are settled by the shares of that lot.

    Raises:
        NotFound: no such lot of this owner, or no such contract on it.
        Invalid: no such sum or a day to come; it was pooled from nobody, its list no longer adds up, or less
            came in under the contract.
    """
    if not 0 < money <= MOST_FEN:
        problem = (
            msg("金额要大于 0。")
            if money <= 0
            else msg("金额太大：一次最多 {most} 元。", most=f"{yuan(Fen(MOST_FEN)):,.2f}")
        )
        raise Invalid(problem, {"amount": problem})
    async with transaction():
        await own_lot(lot_id, owner_id)
        if received_on > at.astimezone(CHINA).date():
            problem = msg("日期不能在今天以后。")
            raise Invalid(problem, {"received_on": problem})
        pool = await pool_of(lot_id, owner_id)
        if pool is None:
            raise Invalid(msg("这批货还没有登记各户的份额，请先登记。"))
        if pool.lot != lot_id:
            # whoever replaces the list at this moment comes before or after, and then has to say why
            await own_lot(pool.lot, owner_id)
            pool = await pool_of(lot_id, owner_id) or pool
        if pool.total != await taken_in(pool.lot):
            raise Invalid(msg("入库数量变了，各户合计对不上，请先更新各户的份额。"))
        if deal_id is not None:
            await _check_deal(lot_id, deal_id, money, owner_id)
        settlement_id = int(
            await fetch_value(
                """INSERT INTO settlement (lot, pool, amount, received_on, deal, note, person, created_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id""",
                *(lot_id, pool.lot, money, received_on, deal_id, note, actor.person_id, at),
            )
        )
        await execute(
            """INSERT INTO settlement_line (settlement, position, household, grams, amount)
               SELECT $1, n, household, grams, amount
               FROM unnest($2::text[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
                   AS part (household, grams, amount, n)""",
            settlement_id,
            [each.household for each in pool.shares],
            [each.grams for each in pool.shares],
            divided(money, [each.grams for each in pool.shares]),
        )
        await record(
            subject=f"lot:{lot_id}",
            action="settle",
            actor=actor,
            at=at,
            details={"settlement": settlement_id, "fen": money, "households": len(pool.shares)},
        )
    return settlement_id


async def cancel_settlement(*, settlement_id: int, owner_id: int, actor: Actor, at: datetime) -> None:
    """Cancel a settlement that was a mistake; it stays to be seen.

    Raises:
        NotFound: no such settlement of this owner.
        Conflict: it is cancelled already.
    """
    async with transaction():
        row = await fetch_row(
            """SELECT settlement.lot, cancelled_at FROM settlement JOIN lot ON lot.id = settlement.lot
               WHERE settlement.id = $1 AND lot.owner = $2 FOR UPDATE OF settlement""",
            settlement_id,
            owner_id,
        )
        if row is None:
            raise _no_settlement()
        if row["cancelled_at"] is not None:
            raise Conflict(msg("这次结算已经作废了。"))
        await execute("UPDATE settlement SET cancelled_at = $2 WHERE id = $1", settlement_id, at)
        await record(
            subject=f"lot:{row['lot']}",
            action="cancel_settlement",
            actor=actor,
            at=at,
            details={"settlement": settlement_id},
        )


async def taken_in(lot_id: int) -> int:
    """Return the grams of a lot that were gathered."""
    return int(
        await fetch_value(
            "SELECT coalesce(sum(change), 0)::bigint FROM stock_entry WHERE lot = $1 AND kind = 'in'", lot_id
        )
    )


async def pool_of(lot_id: int, owner_id: int) -> Pool | None:
    """Return the shares of a lot, or of the nearest lot that it was made of; None: nobody's."""
    return await fetch_one_into(
        Pool,
        """WITH RECURSIVE line AS (
               SELECT lot.id, lot.made_by, 0 AS step FROM lot WHERE id = $1 AND owner = $2
               UNION ALL
               SELECT lot.id, lot.made_by, step + 1 FROM line
               JOIN transformation ON transformation.id = line.made_by
               JOIN lot ON lot.id = transformation.source WHERE lot.owner = $2
           )
           SELECT line.id AS lot, jsonb_agg(jsonb_build_object('household', household, 'grams', grams)
               ORDER BY position) AS shares
           FROM line JOIN household_share ON household_share.lot = line.id
           GROUP BY line.id, step ORDER BY step LIMIT 1""",
        lot_id,
        owner_id,
    )


_SETTLEMENTS = """
SELECT settlement.id, settlement.lot, settlement.pool, produce.zh AS produce_zh, produce.en AS produce_en,
       lot.variety, settlement.amount, received_on, settlement.deal, deal.number AS deal_number, note,
       cancelled_at IS NOT NULL AS is_cancelled,
       (SELECT count(*) FROM settlement_line WHERE settlement = settlement.id) AS households,
       settlement.created_at
FROM settlement JOIN lot ON lot.id = settlement.lot JOIN produce ON produce.code = lot.produce
LEFT JOIN deal ON deal.id = settlement.deal
WHERE lot.owner = $1
"""


async def settlements_of(lot_id: int, owner_id: int) -> list[SettlementRow]:
    """Return what was settled for a lot, or among the households that gave it, the newest first."""
    return await fetch_into(
        SettlementRow,
        _SETTLEMENTS + " AND $2 IN (settlement.lot, settlement.pool) ORDER BY settlement.id DESC",
        owner_id,
        lot_id,
    )


async def settlement_page(settlement_id: int, owner_id: int) -> tuple[SettlementRow, list[SettlementLine]]:
    """
    Raises:
        NotFound: no such settlement of this owner.
    """
    found = await fetch_one_into(
        SettlementRow, _SETTLEMENTS + " AND settlement.id = $2", owner_id, settlement_id
    )
    if found is None:
        raise _no_settlement()
    return found, await fetch_into(
        SettlementLine,
        """SELECT position, household, grams, amount FROM settlement_line
           WHERE settlement = $1 ORDER BY position""",
        settlement_id,
    )


async def _check_deal(lot_id: int, deal_id: int, money: Fen, owner_id: int) -> None:
    """No more is divided than came in: the price of a contract is no money yet."""
    found = await money_under(deal_id, lot_id=lot_id, owner=owner_id)
    if found is None:
        raise NotFound(msg("没有找到这份合同。"))
    if money > found.left:
        problem = msg(
            "这份合同已收 {received} 元，已结算 {settled} 元，还可结算 {left} 元。",
            received=_yuan(found.received),
            settled=_yuan(found.settled),
            left=_yuan(found.left),
        )
        raise Invalid(problem, {"amount": problem})


def _yuan(fen: int) -> str:
    return f"{yuan(Fen(fen)):,.2f}"


def _wrong(problem: Message) -> Invalid:
    return Invalid(problem, {"rows": problem})


def _no_settlement() -> NotFound:
    return NotFound(msg("没有找到这次结算。"))
