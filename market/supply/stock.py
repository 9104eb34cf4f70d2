"""Stock by hand: places, what was found or lost, from place to place, out of the gate."""

from datetime import datetime

import asyncpg
import msgspec

from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.jobs import enqueue
from market.db.session import execute, fetch, fetch_row, fetch_value, transaction
from market.errors import Conflict, Invalid, MarketError, NotFound
from market.i18n import msg
from market.meanwhile import settled
from market.supply import rules, stock_rules
from market.supply.stock_rules import Place
from market.units import Gram


class NewStorage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``capacity`` in grams; ``kind`` as ``stock_rules.STORAGE_KINDS``."""

    name: str
    kind: str
    capacity: Gram


async def open_storage(*, storage: NewStorage, owner_id: int, actor: Actor, at: datetime) -> int:
    """Add a place and return its number.

    Raises:
        Invalid: with every field that is wrong, or the owner has a place of this name.
    """
    _check(storage)
    async with transaction():
        try:
            storage_id = int(
                await fetch_value(
                    """INSERT INTO storage (owner, name, kind, capacity, held, created_at)
                       VALUES ($1, $2, $3, $4, 0, $5) RETURNING id""",
                    owner_id,
                    storage.name.strip(),
                    storage.kind,
                    storage.capacity,
                    at,
                )
            )
        except asyncpg.UniqueViolationError:
            raise _name_taken() from None
        await record(
            subject=f"storage:{storage_id}",
            action="open",
            actor=actor,
            at=at,
            details={"kind": storage.kind, "grams": storage.capacity},
        )
    return storage_id


async def change_storage(
    *,
    storage_id: int,
    storage: NewStorage,
    owner_id: int,
    actor: Actor,
    at: datetime,
    seen: str | None = None,
    exact: bool = False,
) -> frozenset[str]:
    """Rename a place or change its capacity.

    ``seen`` are the marks of the place as it was read, where that is known, and ``exact`` as
    ``market.meanwhile.settled`` has it. Return what others have changed since, that is kept.

    Raises:
        NotFound: no such place of this owner.
        ChangedMeanwhile: what is changed here was changed meanwhile.
        Invalid: with every field that is wrong; more stands there than it would take.
    """
    _check(storage)
    async with transaction():
        await _held(storage_id, owner_id)
        row = await fetch_row("SELECT name, kind, capacity FROM storage WHERE id = $1", storage_id)
        kept = settled(storage, now=NewStorage(**dict(row or {})), seen=seen, exact=exact)
        storage = kept.value
        try:
            await execute(
                "UPDATE storage SET name = $2, kind = $3, capacity = $4 WHERE id = $1",
                storage_id,
                storage.name.strip(),
                storage.kind,
                storage.capacity,
            )
        except asyncpg.UniqueViolationError:
            raise _name_taken() from None
        except asyncpg.CheckViolationError:
            problem = msg("里面现在放的比这个容量多，请先移走一些。")
            raise Invalid(problem, {"capacity": problem}) from None
        await record(
            subject=f"storage:{storage_id}",
            action="change",
            actor=actor,
            at=at,
            details={"kind": storage.kind, "grams": storage.capacity},
        )
    return kept.theirs


async def set_storage_open(
    *, storage_id: int, is_open: bool, owner_id: int, actor: Actor, at: datetime
) -> None:
    """Close an empty place, or open it again.

    Raises:
        NotFound: no such place of this owner.
        Conflict: goods stand in it.
    """
    async with transaction():
        if await _held(storage_id, owner_id) and not is_open:
            raise Conflict(msg("里面还有货，移空以后才能停用。"))
        await execute("UPDATE storage SET closed_at = $2 WHERE id = $1", storage_id, None if is_open else at)
        await record(
            subject=f"storage:{storage_id}",
            action="reopen" if is_open else "close",
            actor=actor,
            at=at,
            details={},
        )


async def correct_stock(
    *,
    lot_id: int,
    grams: int,
    reason: str,
    storage_id: int | None,
    note: str,
    owner_id: int,
    actor: Actor,
    at: datetime,
) -> int:
    """Write down what was lost (``grams`` negative) or found, without a sale; return what remains.

    Raises:
        NotFound: no such lot, or no such place of this owner.
        Invalid: nothing that is reserved can be lost here; the place holds less, or takes no more.
    """
    problems = stock_rules.correction_problems(grams=grams, reason=reason, note=note)
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    async with transaction():
        await own_lot(lot_id, owner_id)
        await own_storages([storage_id], owner_id)
        await _done(
            "SELECT correct_stock($1, $2, $3, $4, $5, $6, $7)",
            *(lot_id, grams, storage_id, reason, note, actor.person_id, at),
            out_of=storage_id,
            into=storage_id,
        )
        rest = await follow_stock(lot_id)
        await record(
            subject=f"lot:{lot_id}",
            action="correct",
            actor=actor,
            at=at,
            details={"grams": grams, "reason": reason},
        )
    return rest


async def move_stock(
    *,
    lot_id: int,
    grams: Gram,
    from_id: int | None,
    to_id: int | None,
    owner_id: int,
    actor: Actor,
    at: datetime,
) -> None:
    """Bring goods from a place (None: from none that is named) to another.

    Raises:
        NotFound: no such lot, or no such place of this owner.
        Invalid: less stands there, or the other place does not take so much.
    """
    if grams <= 0:
        problem = msg("数量要大于 0。")
        raise Invalid(problem, {"quantity": problem})
    if from_id == to_id:
        problem = msg("请选两个不同的地方。")
        raise Invalid(problem, {"storage": problem})
    async with transaction():
        await own_lot(lot_id, owner_id)
        await own_storages([from_id, to_id], owner_id)
        await _done(
            "SELECT move_stock($1, $2, $3, $4, $5, $6)",
            *(lot_id, grams, from_id, to_id, actor.person_id, at),
            out_of=from_id,
            into=to_id,
        )
        await record(
            subject=f"lot:{lot_id}",
            action="move",
            actor=actor,
            at=at,
            details={"grams": grams, "from": from_id, "to": to_id},
        )


async def send_stock(
    *,
    lot_id: int,
    grams: Gram,
    deal_id: int,
    storage_id: int | None,
    owner_id: int,
    actor: Actor,
    at: datetime,
) -> None:
    """Write down that goods of a contract in force have left: what was reserved is now gone.

    Only where goods stand changes, not what is for sale: that was the contract's doing. A delivery that is
    dispatched later writes only what has not been written here (``gate``).

    Raises:
        NotFound: no such lot or place of this owner, or no contract in force on this lot.
        Invalid: less stands there, or the contract has had all of it.
    """
    async with transaction():
        await _gate(lot_id, grams, storage_id, owner_id)
        if not await fetch_value(
            """SELECT EXISTS (SELECT FROM deal JOIN listing ON listing.id = deal.listing
               WHERE deal.id = $1 AND listing.lot = $2 AND deal.state IN ('active', 'completed'))""",
            deal_id,
            lot_id,
        ):
            raise NotFound(msg("没有找到这批货的生效合同。"))
        await _done(
            "SELECT send_stock($1, $2, $3, $4, $5, $6)",
            *(lot_id, grams, storage_id, deal_id, actor.person_id, at),
            out_of=storage_id,
        )
        await _record_gate(lot_id, "send", grams, deal_id, actor=actor, at=at)


async def take_back(
    *,
    lot_id: int,
    grams: Gram,
    deal_id: int,
    storage_id: int | None,
    owner_id: int,
    actor: Actor,
    at: datetime,
) -> None:
    """Write down that goods which had left for a contract, in force or not, are here again.

    What is for sale stays as it is: a contract that ends early releases what it held itself (room
    ``deals``), and goods that are counted there and here would be sold twice.

    Raises:
        NotFound: no such lot or place of this owner.
        Invalid: less has left for this contract, or the place takes no more.
    """
    async with transaction():
        await _gate(lot_id, grams, storage_id, owner_id)
        await _done(
            "SELECT take_back_stock($1, $2, $3, $4, $5, $6)",
            *(lot_id, grams, storage_id, deal_id, actor.person_id, at),
            into=storage_id,
        )
        await _record_gate(lot_id, "take_back", grams, deal_id, actor=actor, at=at)


async def _gate(lot_id: int, grams: Gram, storage_id: int | None, owner_id: int) -> None:
    if grams <= 0:
        problem = msg("数量要大于 0。")
        raise Invalid(problem, {"quantity": problem})
    await own_lot(lot_id, owner_id)
    await own_storages([storage_id], owner_id)


async def _record_gate(
    lot_id: int, action: str, grams: Gram, deal_id: int, *, actor: Actor, at: datetime
) -> None:
    await record(
        subject=f"lot:{lot_id}",
        action=action,
        actor=actor,
        at=at,
        details={"grams": grams, "deal": deal_id},
    )


async def own_lot(lot_id: int, owner_id: int) -> asyncpg.Record:
    """Lock a lot of this owner's.

    Raises:
        NotFound: it is not theirs.
    """
    lot = await fetch_row(
        "SELECT * FROM lot WHERE id = $1 AND owner = $2 FOR NO KEY UPDATE", lot_id, owner_id
    )
    if lot is None:
        raise NotFound(msg("没有找到这批货。"))
    return lot


async def own_storages(storage_ids: list[int | None], owner_id: int) -> None:
    """
    Raises:
        NotFound: one of them is not this owner's.
    """
    wanted = {each for each in storage_ids if each is not None}
    known = await fetch_value(
        "SELECT count(*) FROM storage WHERE id = ANY($1::bigint[]) AND owner = $2", list(wanted), owner_id
    )
    if known != len(wanted):
        raise NotFound(msg("没有找到这个存放地方。"))


async def follow_stock(lot_id: int) -> int:
    """Take listings of a lot off sale when nothing remains, and on again when something does."""
    rest = int(await fetch_value("SELECT remaining FROM lot WHERE id = $1", lot_id))
    move = "restock" if rest else "sell_out"
    for listing in await fetch(
        """SELECT id, state, way FROM listing WHERE lot = $1 AND state = ANY($2::text[])
           ORDER BY id FOR UPDATE""",
        lot_id,
        sorted(rules.LISTING.sources(move)),
    ):
        state = rules.LISTING.apply(move, state=listing["state"], by="system")
        await execute("UPDATE listing SET state = $2 WHERE id = $1", listing["id"], state)
        if rest and listing["way"] in rules.ROUNDS:
            await enqueue(rules.AFTER_ROUND, {"listing_id": listing["id"]}, key=str(listing["id"]))
    return rest


def _check(storage: NewStorage) -> None:
    problems = stock_rules.storage_problems(name=storage.name, kind=storage.kind, capacity=storage.capacity)
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)


def _name_taken() -> Invalid:
    problem = msg("已经有一个地方叫这个名字。")
    return Invalid(problem, {"name": problem})


async def _held(storage_id: int, owner_id: int) -> int:
    held = await fetch_value(
        "SELECT held FROM storage WHERE id = $1 AND owner = $2 FOR NO KEY UPDATE", storage_id, owner_id
    )
    if held is None:
        raise NotFound(msg("没有找到这个存放地方。"))
    return int(held)


async def refused(
    told: str,
    *,
    lot_id: int,
    out_of: int | None = None,
    into: int | None = None,
    field: str = "storage",
) -> MarketError:
    """Return the error for what a stock function told, naming the place that is in the way.

    ``out_of``, ``into``: where goods were to be taken from, and brought to; ``field``: what the latter was
    chosen in.
    """
    if told == "elsewhere":
        there = Gram(await fetch_value("SELECT stock_in_place($1, $2)", lot_id, out_of))
        name = await fetch_value("SELECT name FROM storage WHERE id = $1", out_of)
        return stock_rules.too_little(Place(name, there))
    if told == "full" and into is not None:
        row = await fetch_row(
            """SELECT name, capacity - held AS room, closed_at IS NULL AS is_open
               FROM storage WHERE id = $1""",
            into,
        )
        if row:
            return stock_rules.too_full(Place(row["name"], Gram(row["room"]), row["is_open"]), field=field)
    return stock_rules.refusal(told)


async def _done(sql: str, *values: object, out_of: int | None = None, into: int | None = None) -> None:
    """Call a stock function for the lot that is its first value."""
    told = await fetch_value(sql, *values)
    if told != "":
        raise await refused(told, lot_id=int(str(values[0])), out_of=out_of, into=into)
