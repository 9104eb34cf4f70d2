"""Open bidding: who gets how much, and what a bid must reach. Pure.

Grams, and fen per kg at the farm gate.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from market.amounts import masses, prices
from market.errors import Invalid
from market.i18n import Message, msg
from market.supply.rules import EXTENSION
from market.units import FenPerKg, Gram


class Standing(msgspec.Struct, frozen=True):
    """A bid that stands: for ``quantity``, or a part from ``least`` on. ``id`` grows with time."""

    id: int
    buyer: int
    quantity: Gram
    least: Gram
    price: FenPerKg


def share_out(
    bids: Iterable[Standing], *, available: Gram, reserve: FenPerKg | None = None
) -> dict[int, Gram]:
    """Return bid -> what it gets: the best price first, at one price the earlier bid, until all is used up.

    A bid that what is left cannot serve is passed over, and one under the ``reserve`` gets nothing.
    """
    left = available
    shares: dict[int, Gram] = {}
    for bid in sorted(bids, key=lambda bid: (-bid.price, bid.id)):
        share = min(bid.quantity, left)
        if share < max(bid.least, 1) or (reserve is not None and bid.price < reserve):
            share = Gram(0)
        shares[bid.id] = Gram(share)
        left = Gram(left - share)
    return shares


def entry_price(bids: Sequence[Standing], *, available: Gram, start: FenPerKg, step: FenPerKg) -> FenPerKg:
    """Return the price at which a newcomer gets something: the start, or a step over the worst that leads."""
    shares = share_out(bids, available=available)
    if sum(shares.values()) < available:
        return start
    return FenPerKg(min(bid.price for bid in bids if shares[bid.id]) + step)


def check_raise(bid: Standing, *, before: Standing, step: FenPerKg) -> None:
    """A bid in the open only goes up.

    Raises:
        Invalid: with the field ``price``, ``quantity`` or ``least``.
    """
    if bid.price < before.price + step:
        raise _too_low(FenPerKg(before.price + step))
    if bid.quantity < before.quantity:
        problem = msg("竞价只能往上加：数量不能少于上一次的 {mass}。", mass=masses(before.quantity))
        raise Invalid(problem, {"quantity": problem})
    if bid.least > before.least:
        problem = msg("竞价只能往上加：最少要的数量不能比上一次多。")
        raise Invalid(problem, {"least": problem})


def check_open_bid(
    bid: Standing,
    others: Sequence[Standing],
    *,
    before: Standing | None,
    available: Gram,
    start: FenPerKg,
    step: FenPerKg,
) -> dict[int, Gram]:
    """Hold a bid against the others that stand; ``before`` is its author's own, which it replaces.

    It must get something, and be a step above each bid that gets less because of it. Return the others
    that get less, with what they get now.

    Raises:
        Invalid: with the field that is wrong.
    """
    if not 0 <= bid.least <= bid.quantity:
        problem = msg("最少要的数量不能超过要的数量。")
        raise Invalid(problem, {"least": problem})
    if bid.price < start:
        raise _too_low(start)
    if before is not None:
        check_raise(bid, before=before, step=step)
    old = share_out([*others, *([before] if before else [])], available=available)
    new = share_out([*others, bid], available=available)
    displaced = [each for each in others if new[each.id] < old[each.id]]
    needed = max((each.price + step for each in displaced), default=0)
    if bid.price < needed:
        raise _too_low(FenPerKg(needed))
    if not new[bid.id]:
        needed = entry_price(others, available=available, start=start, step=step)
        if bid.price < needed:
            raise _too_low(needed)
        problem = msg("按这个价拿不到您最少要的数量，请加价，或把最少要的数量改小。")
        raise Invalid(problem, {"least": problem})
    return {each.id: new[each.id] for each in displaced}


def closing_after(*, at: datetime, closes_at: datetime, closes_latest: datetime) -> datetime:
    """Return when the round closes after a bid at ``at``: a late one moves the closing, up to a bound."""
    if closes_at - at > EXTENSION:
        return closes_at
    return min(closes_at + EXTENSION, closes_latest)


def _too_low(needed: FenPerKg) -> Invalid:
    problem: Message = msg("至少要出 {price}。", price=prices(needed))
    return Invalid(problem, {"price": problem})
