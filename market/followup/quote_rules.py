"""The log of quotes: prices of the market around a notice of termination, and what they make of the loss.

Pure. Advice for the two sides and whoever decides between them; it decides nothing. What was sold (or
bought) elsewhere since counts by its own price (``deals.breach_rules``); only for the rest does the
market's price stand.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec

from market.amounts import prices
from market.deals.unfair import Source
from market.i18n import Message, msg
from market.units import MOST_FEN_PER_KG, Fen, FenPerKg, Gram, amount

#: So many days around the notice a quote still tells what the market paid then.
AROUND = timedelta(days=30)
LONGEST_SOURCE = 100
MOST_QUOTES = 60
#: The loss is what a side would have had; it must not let the loss grow; the price of the market decides.
LOSS = Source(msg("《民法典》第五百八十四条、第五百九十一条"), date(2021, 1, 1))


class Difference(msgspec.Struct, frozen=True):
    """What the quotes make of the part that no other deal has taken. Fen per kg, grams, fen."""

    quotes: int
    price: FenPerKg
    per_kg: FenPerKg
    grams: Gram
    fen: Fen


def counts(on: date, *, notice: date) -> bool:
    return abs(on - notice) <= AROUND


def quote_problems(*, on: date, price: int, source: str, notice: date, today: date) -> dict[str, Message]:
    """Return what is wrong with a quote of a contract that was terminated on ``notice``."""
    problems: dict[str, Message] = {}
    if on > today:
        problems["on"] = msg("日期不能在今天以后。")
    elif not counts(on, notice=notice):
        problems["on"] = msg("要在通知解除前后 {n} 天以内。", n=AROUND.days)
    if not 0 < price <= MOST_FEN_PER_KG:
        problems["price"] = msg("单价须大于零，且不超过 {most}。", most=prices(MOST_FEN_PER_KG))
    if not 0 < len(source.strip()) <= LONGEST_SOURCE:
        problems["source"] = msg("请写明从哪里看到的，最多 {most} 个字。", most=LONGEST_SOURCE)
    return problems


def difference_of(
    prices: Sequence[int], *, against: str, contract: FenPerKg, uncovered: Gram
) -> Difference | None:
    """Return the loss on ``uncovered`` grams at the middle of the quoted prices; None without a quote.

    Args:
        prices: fen per kg, those that count.
        against: the side that failed: a buyer owes what the market pays less, a seller what it costs more.
    """
    if not prices:
        return None
    told = sorted(prices)
    middle = FenPerKg((told[(len(told) - 1) // 2] + told[len(told) // 2]) // 2)
    worse = contract - middle if against == "buyer" else middle - contract
    per_kg = FenPerKg(max(0, worse))
    return Difference(len(told), middle, per_kg, uncovered, amount(uncovered, per_kg))
