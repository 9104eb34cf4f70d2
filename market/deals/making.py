"""Making deals. Every way to sell ends here, so that nothing is ever sold twice."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import SUSPENDED, Actor
from market.accounts.standing import party_suspended
from market.amounts import masses
from market.audit.operations import NUMBER, Entry, record_all
from market.clock import CHINA
from market.db.session import DB, add_rows, execute, fetch, fetch_value, transaction
from market.deals import rules
from market.errors import Conflict, MarketError, NotFound
from market.i18n import Message, msg, named
from market.notices.operations import Word, notify_all
from market.units import FenPerKg, Gram


class NewDeal(msgspec.Struct, frozen=True):
    """``quantity`` in grams, ``price`` in fen per kg at the farm gate."""

    listing_id: int
    demand_id: int | None
    buyer_id: int
    quantity: Gram
    price: FenPerKg
    source: str
    source_id: int
    deliver_from: date
    deliver_to: date


class DealWish(msgspec.Struct, frozen=True):
    """A deal that is to be made, by whom and when.

    ``recorded_with`` says of the contract's number what else is recorded with it, in one go.
    """

    deal: NewDeal
    actor: Actor
    at: datetime
    recorded_with: Callable[[int], Entry] | None = None


#: The goods, held; whether one of the parties is suspended, and so binds itself to nothing new; and the
#: number of the contract's first record. In one statement, because every accept waits for it.
_GOODS = f"""
SELECT goods.*, {NUMBER} AS record_id,
       (SELECT title_en FROM listing WHERE listing.id = buyer.listing) AS title_en,
       EXISTS (SELECT FROM organisation WHERE id IN (goods.owner, buyer.id) AND standing = $4) AS barred
FROM hold_goods($1, $2) AS goods
JOIN unnest($3::bigint[], $1::bigint[]) WITH ORDINALITY AS buyer (id, listing, n) ON buyer.n = goods.n
ORDER BY goods.n
"""  # noqa: S608  words of ours; values are parameters


async def make_deal(*, deal: NewDeal, actor: Actor, at: datetime) -> int:
    """Reserve the stock and return the number of the new, unsigned contract; all or nothing.

    Raises:
        NotFound: no such listing.
        Conflict: it is the buyer's own or not on sale, or less remains than asked for, or the demand
            needs less.
    """
    made = (await make_deals([DealWish(deal, actor, at)]))[0]
    if isinstance(made, MarketError):
        raise made
    return made


async def make_deals(wishes: Sequence[DealWish]) -> list[int | MarketError]:
    """Make many deals in one transaction, in the order given.

    Each has its own outcome: the number of its contract, or the error of :func:`make_deal`; what one
    cannot have is left for those after it. Everybody locks in this order: lots, listings, demands, each
    kind by its numbers (``hold_goods``).
    """
    if DB.current() is None:
        async with transaction():
            return await make_deals(wishes)
    # no savepoint where there is a transaction: every accept would pay for it
    goods = await fetch(
        _GOODS,
        [wish.deal.listing_id for wish in wishes],
        [wish.deal.demand_id for wish in wishes],
        [wish.deal.buyer_id for wish in wishes],
        SUSPENDED,
    )
    outcomes: list[int | MarketError] = list(_shared_out(wishes, goods))
    served = [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, MarketError)]
    if served:
        # the last word has the ledger: it gives nothing that is not there
        rests = await fetch_value(
            "SELECT reserve_stocks($1, $2, $3, $4)",
            [goods[n]["lot"] for n in served],
            [wishes[n].deal.quantity for n in served],
            [goods[n]["deal"] for n in served],
            [wishes[n].at for n in served],
        )
        left: dict[int, int] = {}
        for n, rest in zip(served, rests, strict=True):
            if rest is None:
                outcomes[n] = _too_little()
            else:
                left[wishes[n].deal.listing_id] = rest
        served = [n for n, rest in zip(served, rests, strict=True) if rest is not None]
    if served:
        await _write([(wishes[n], goods[n]) for n in served])
        await _note_what_is_left(
            [wishes[n].deal for n in served], sold_out=[each for each, rest in left.items() if rest == 0]
        )
    return outcomes


def _shared_out(wishes: Sequence[DealWish], goods: Sequence[Record]) -> Iterator[int | MarketError]:
    """Say of each wish in turn what the goods that are held allow, after those before it."""
    left = {row["lot"]: row["remaining"] for row in goods}
    wanted = {wish.deal.demand_id: row["open"] for wish, row in zip(wishes, goods, strict=True)}
    for wish, row in zip(wishes, goods, strict=True):
        deal = wish.deal
        if row["lot"] is None:
            yield NotFound(msg("没有找到这批货源。"))
        elif row["owner"] == deal.buyer_id:
            yield Conflict(msg("不能给自己单位的货出价。"))
        elif row["barred"]:
            yield party_suspended()
        elif left[row["lot"]] < deal.quantity:
            yield _too_little()
        elif row["state"] != "published":
            yield Conflict(msg("这批货源现在不在售，请刷新后再看。"))
        elif row["in_round"]:
            yield Conflict(msg("这批货正在密封报价或公开竞价，这一轮结束前不能另外成交；请等截止后再谈。"))
        elif deal.demand_id is not None and wanted[deal.demand_id] < deal.quantity:
            yield Conflict(msg("对方的采购需求已不够这个数量，请刷新后再看。"))
        else:
            left[row["lot"]] -= deal.quantity
            if deal.demand_id is not None:
                wanted[deal.demand_id] -= deal.quantity
            yield int(row["deal"])


def _too_little() -> Conflict:
    return Conflict(msg("剩余数量不够了，请减少数量后再试。"))


async def _write(made: Sequence[tuple[DealWish, Record]]) -> None:
    """Write the contracts, their records and notices."""
    numbers = [
        rules.contract_number(on=wish.at.astimezone(CHINA).date(), serial=row["deal"]) for wish, row in made
    ]
    await add_rows(
        "deal",
        _COLUMNS,
        [_row(wish, goods, number) for (wish, goods), number in zip(made, numbers, strict=True)],
    )
    await record_all([entry for wish, row in made for entry in _entries(wish, row)])
    words = []
    for (wish, row), number in zip(made, numbers, strict=True):
        goods: dict[str, str | int | Message] = {
            "title": named(row, "title"),
            "mass": masses(wish.deal.quantity),
            "number": number,
        }
        if wish.deal.source == "call_off":
            # both have signed the agreement: the contract is in force in this transaction
            message = msg("“{title}”按框架协议成交 {mass}，合同 {number} 已生效。", **goods)
        else:
            message = msg("“{title}”成交 {mass}，合同 {number} 待双方签字。", **goods)
        words += [
            Word(party, "deal_made", message, f"/deals/{row['deal']}", wish.at)
            for party in (row["owner"], wish.deal.buyer_id)
        ]
    await notify_all(words)


_COLUMNS = (
    *("id", "number", "listing", "demand", "seller", "buyer", "quantity", "price", "source", "source_id"),
    *("state", "deliver_from", "deliver_to", "created_at"),
)


def _row(wish: DealWish, goods: Record, number: str) -> tuple[object, ...]:
    deal = wish.deal
    return (
        *(goods["deal"], number, deal.listing_id, deal.demand_id, goods["owner"], deal.buyer_id),
        *(deal.quantity, deal.price, deal.source, deal.source_id, rules.CONTRACT.start),
        *(deal.deliver_from, deal.deliver_to, wish.at),
    )


def _entries(wish: DealWish, goods: Record) -> Iterator[Entry]:
    deal = wish.deal
    yield Entry(
        subject=f"deal:{goods['deal']}",
        action="make",
        actor=wish.actor,
        at=wish.at,
        details={
            "listing": deal.listing_id,
            "buyer": deal.buyer_id,
            "grams": deal.quantity,
            "fen_per_kg": deal.price,
            "source": f"{deal.source}:{deal.source_id}",
        },
        is_new=True,
        number=goods["record_id"],
    )
    if wish.recorded_with:
        yield wish.recorded_with(goods["deal"])


async def _note_what_is_left(deals: Sequence[NewDeal], *, sold_out: Sequence[int]) -> None:
    """Take listings off sale whose lots are empty, and count what demands have got."""
    if sold_out:
        await execute(
            "UPDATE listing SET state = 'sold_out' WHERE id = ANY($1) AND state = 'published'", sold_out
        )
    filled: defaultdict[int, int] = defaultdict(int)
    for deal in deals:
        if deal.demand_id is not None:
            filled[deal.demand_id] += deal.quantity
    if filled:
        await execute(
            """UPDATE demand SET open = open - filled.grams
               FROM unnest($1::bigint[], $2::bigint[]) AS filled (id, grams) WHERE demand.id = filled.id""",
            list(filled),
            list(filled.values()),
        )
