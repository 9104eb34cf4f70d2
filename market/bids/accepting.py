"""Accepting: accepts that come at the same time become deals in one commit.

Each has its own outcome, and what belongs to it (deal, ledger, record, notices, kept reply) is in the same
commit as those of its neighbours. Locks are the database's, so that any number of processes may do so.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from datetime import datetime

import asyncpg
import msgspec
from asyncpg import Record
from msgspec.structs import replace

from market.accounts.rules import ANSWER, Actor
from market.amounts import masses, prices
from market.audit.operations import Entry
from market.bids import rules
from market.bids.after_round import free_to_bid
from market.db.gathering import Gatherer, NotTogether
from market.db.replay import Keyed, digest_of, keep_replies, kept_replies, other_request
from market.db.session import DB, execute, fetch, transaction
from market.deals.making import DealWish, NewDeal, make_deals
from market.errors import Busy, Conflict, MarketError, NotFound
from market.i18n import msg, named
from market.organisations.approving import Binding, approvable, bind
from market.supply.rules import ROUNDS
from market.units import FenPerKg, Gram, amount

#: Milliseconds that accepts of different goods wait together for a lock that one of them needs.
TOGETHER = 300

#: Whichever side the organisation is of the bid.
EITHER = "either"

#: After these nothing was kept, for sure; after a cut connection nobody knows.
_IN_THE_WAY = (
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,
    asyncpg.SerializationError,
)


class Accepted(msgspec.Struct, frozen=True):
    deal_id: int


class AcceptBid(msgspec.Struct, frozen=True):
    bid_id: int


class AcceptPart(msgspec.Struct, frozen=True):
    bid_id: int
    quantity: Gram


class AcceptWish(msgspec.Struct, frozen=True):
    """``side`` of the bid, which ``organisation_id`` is, accepts it; ``keyed`` lets it count once.

    ``side`` may be :data:`EITHER`. ``quantity`` is the part that it accepts; None: the whole.
    """

    bid_id: int
    organisation_id: int
    side: str
    actor: Actor
    at: datetime
    keyed: Keyed | None
    quantity: Gram | None = None


async def accept_bid(
    *,
    bid_id: int,
    seller_id: int,
    actor: Actor,
    at: datetime,
    key: str | None = None,
    quantity: Gram | None = None,
) -> int:
    """Turn the bid, or ``quantity`` of it where it allows a part, into a deal and return the deal's number.

    Raises:
        NotFound: no such bid on this seller's goods.
        Conflict: it was answered or withdrawn meanwhile, it lapsed, or too little remains.
        Invalid: so little of it may not be accepted.
        Busy: nothing was kept, or the database went away before it said so: ask again under the same key.
    """
    return await accept(
        bid_id=bid_id,
        organisation_id=seller_id,
        side="seller",
        request=AcceptBid(bid_id),
        actor=actor,
        at=at,
        key=key,
        quantity=quantity,
    )


async def accept_turn(
    *,
    bid_id: int,
    organisation_id: int,
    actor: Actor,
    at: datetime,
    key: str | None = None,
    quantity: Gram | None = None,
) -> int:
    """:func:`accept_bid` for whichever side of the bid the organisation is; ``actor`` acts for that one."""
    return await accept(
        bid_id=bid_id,
        organisation_id=organisation_id,
        side=EITHER,
        request=AcceptBid(bid_id),
        actor=actor,
        at=at,
        key=key,
        quantity=quantity,
    )


async def accept(
    *,
    bid_id: int,
    organisation_id: int,
    side: str,
    request: msgspec.Struct,
    actor: Actor,
    at: datetime,
    key: str | None,
    quantity: Gram | None = None,
) -> int:
    """Let ``side`` accept what the other side has said last; see :func:`accept_bid`.

    Inside a transaction it is a part of that one; else it goes with whoever accepts at the same time.
    """
    if quantity is not None:
        request = AcceptPart(bid_id, quantity)
    is_keyed = key is not None and actor.person_id is not None
    keyed = Keyed(actor.person_id, key, digest_of(request)) if is_keyed else None  # type: ignore[arg-type]
    wish = AcceptWish(bid_id, organisation_id, side, actor, at, keyed, quantity)
    if DB.current() is None:
        return (await ACCEPTS.ask(wish)).deal_id
    async with transaction():
        reply = (await _accept_all([wish]))[0]
    if isinstance(reply, MarketError):
        raise reply
    return reply.deal_id


async def serve(wishes: Sequence[AcceptWish], patient: bool) -> list[Accepted | MarketError]:
    """Accept in one commit; each has its own outcome.

    Raises:
        NotTogether: nothing was kept; one of them is in the way.
        Busy: the database does not answer.
    """
    try:
        async with transaction(lock_timeout=None if patient else TOGETHER):
            return await _accept_all(wishes)
    except Busy as trouble:
        if isinstance(trouble.__cause__, _IN_THE_WAY):
            raise NotTogether from trouble
        raise
    except (asyncpg.IntegrityConstraintViolationError, MarketError) as trouble:
        raise NotTogether from trouble


async def _accept_all(wishes: Sequence[AcceptWish]) -> list[Accepted | MarketError]:
    """Accept within the current transaction, the bids locked by their numbers."""
    rows = await fetch(
        """SELECT bid.*, listing.owner, listing.lot, listing.way, listing.title, listing.title_en
           FROM bid JOIN listing ON listing.id = bid.listing
           WHERE bid.id = ANY($1) ORDER BY bid.id FOR NO KEY UPDATE OF bid""",
        [wish.bid_id for wish in wishes],
    )
    _LATELY.see([row["lot"] for row in rows])
    bids = {row["id"]: row for row in rows}
    outcomes: dict[int, Accepted | MarketError] = {}
    open_ones: list[tuple[int, AcceptWish, Record]] = []
    for n, wish in enumerate(wishes):
        try:
            own, bid = _as_its_side(wish, bids.get(wish.bid_id))
            _check_open(own, bid)
            await _may_accept(own, bid)
            open_ones.append((n, own, bid))
        except MarketError as refused:
            outcomes[n] = refused
    if open_ones:
        made = await make_deals([_deal_wish(wish, bid) for _, wish, bid in open_ones])
        done = []
        for (n, wish, bid), deal in zip(open_ones, made, strict=True):
            if isinstance(deal, MarketError):
                outcomes[n] = deal
            else:
                outcomes[n] = Accepted(deal)
                done.append((wish, bid, Accepted(deal)))
        if done:
            await _write(done)
    return await _asked_before(wishes, [outcomes[n] for n in range(len(wishes))])


async def _asked_before(
    wishes: Sequence[AcceptWish], outcomes: Sequence[Accepted | MarketError]
) -> list[Accepted | MarketError]:
    """Give those who are refused what they were told when they asked the same before.

    Under the bids' locks: who asked before us has committed. Where nobody is refused there is nothing to look
    up: a bid that was open had not been accepted, and a key that was used already is no second time kept.
    """
    refused = [
        wish.keyed
        for wish, outcome in zip(wishes, outcomes, strict=True)
        if wish.keyed and isinstance(outcome, MarketError)
    ]
    kept = await kept_replies(refused, reply_type=Accepted)
    return [
        kept.get((wish.keyed.person_id, wish.keyed.key), outcome)
        if wish.keyed and isinstance(outcome, MarketError)
        else outcome
        for wish, outcome in zip(wishes, outcomes, strict=True)
    ]


def _as_its_side(wish: AcceptWish, bid: Record | None) -> tuple[AcceptWish, Record]:
    """Return the wish with the side that the organisation is of the bid, and the bid.

    Raises:
        NotFound: it is no such side of such a bid.
    """
    side = {bid["owner"]: "seller", bid["buyer"]: "buyer"}.get(wish.organisation_id) if bid else None
    if bid is None or side is None or wish.side not in (side, EITHER):
        raise NotFound(msg("没有找到这笔出价。"))
    if wish.side == EITHER:
        wish = replace(wish, side=side, actor=replace(wish.actor, side=side))
    return wish, bid


def _check_open(wish: AcceptWish, bid: Record) -> None:
    """Raises: Conflict, WrongState, Invalid."""
    if bid["expires_at"] <= wish.at:
        raise Conflict(msg("这笔出价已过答复期限，请对方重新出价。"))
    rules.next_state("accept", state=bid["state"], author=bid["author"], by=wish.side)
    if wish.quantity is not None:
        rules.check_part(wish.quantity, quantity=Gram(bid["quantity"]), least=bid["least"])


async def _may_accept(wish: AcceptWish, bid: Record) -> None:
    """Ask what ``make_deals`` does not: a buyer's limit, and whether an agent may still do this.

    Raises: as ``approving.bind``.
    """
    if wish.side != "buyer" and wish.actor.delegation_id is None:
        return
    quantity, price = wish.quantity or Gram(bid["quantity"]), FenPerKg(bid["price"])
    about = msg(
        "接受“{title}”的报价：{mass}，{price}",
        title=named(bid, "title"),
        mass=masses(quantity),
        price=prices(price),
    )
    await bind(
        actor=wish.actor,
        organisation_id=wish.organisation_id,
        side=wish.side,
        deed=ANSWER,
        what=Binding(
            "accept_turn",
            AcceptPart(wish.bid_id, quantity),
            amount(quantity, price),
            about,
            f"bid:{wish.bid_id}",
            f"/bids/{wish.bid_id}",
            bid["owner"],
        ),
    )


@approvable("accept_turn", AcceptPart)
async def _accept_approved(wish: AcceptPart, buyer_id: int, actor: Actor, at: datetime) -> str:
    deal_id = await accept(
        bid_id=wish.bid_id,
        organisation_id=buyer_id,
        side="buyer",
        request=wish,
        actor=actor,
        at=at,
        key=None,
        quantity=wish.quantity,
    )
    return f"/deals/{deal_id}"


def _deal_wish(wish: AcceptWish, bid: Record) -> DealWish:
    deal = NewDeal(
        listing_id=bid["listing"],
        demand_id=bid["demand"],
        buyer_id=bid["buyer"],
        quantity=wish.quantity or Gram(bid["quantity"]),
        price=FenPerKg(bid["price"]),
        source="bid" if bid["answers"] == rules.LISTING else "offer",
        source_id=bid["id"],
        deliver_from=bid["deliver_from"],
        deliver_to=bid["deliver_to"],
    )
    return DealWish(
        deal,
        wish.actor,
        wish.at,
        lambda deal_id: Entry(f"bid:{wish.bid_id}", "accept", wish.actor, wish.at, {"deal": deal_id}),
    )


async def _write(done: Sequence[tuple[AcceptWish, Record, Accepted]]) -> None:
    """Close the bids, keep the replies.

    Raises:
        Conflict: one of the keys was used for something else meanwhile.
    """
    await execute(
        """UPDATE bid SET state = $3, deal = made.deal
           FROM unnest($1::bigint[], $2::bigint[]) AS made (id, deal)
           WHERE bid.id = made.id""",
        [wish.bid_id for wish, _, _ in done],
        [accepted.deal_id for _, _, accepted in done],
        rules.ACCEPTED,
    )
    in_rounds = [bid["listing"] for _, bid, _ in done if bid["way"] in ROUNDS]
    if in_rounds:
        await free_to_bid(in_rounds, at=done[0][0].at)
    replies = [(wish.keyed, accepted, wish.at) for wish, _, accepted in done if wish.keyed]
    if not await keep_replies(replies):
        raise other_request()


async def _by_lot(wishes: Sequence[AcceptWish]) -> list[list[AcceptWish]]:
    """Put those together that wait for the same lot."""
    rows = await fetch(
        "SELECT bid.id, listing.lot FROM bid JOIN listing ON listing.id = bid.listing WHERE bid.id = ANY($1)",
        [wish.bid_id for wish in wishes],
    )
    lots = {row["id"]: row["lot"] for row in rows}
    groups: defaultdict[int | None, list[AcceptWish]] = defaultdict(list)
    for wish in wishes:
        groups[lots.get(wish.bid_id)].append(wish)
    return list(groups.values())


class _Lately:
    """Whether the last accepts were of different goods: such ones need not wait for each other."""

    apart = False

    def see(self, lots: Sequence[int]) -> None:
        if len(lots) > 1:
            self.apart = len(set(lots)) > len(lots) // 2


_LATELY = _Lately()


def _marks(wish: AcceptWish) -> Iterable[Hashable]:
    """Neither a bid nor a key stands twice in one commit."""
    yield wish.bid_id
    if wish.keyed:
        yield wish.keyed.person_id, wish.keyed.key


#: Those of this process.
ACCEPTS: Gatherer[AcceptWish, Accepted] = Gatherer(
    serve, part=_by_lot, marks=_marks, apart=lambda: _LATELY.apart
)
