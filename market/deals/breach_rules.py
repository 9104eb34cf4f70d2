"""Cases of breach: what they may be about, until when they are answered, and what the figures would be.

Pure. The figures are sums by the contract's own terms, for the two sides and whoever decides between them;
nothing here decides anything, and nothing is moved by them.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec

from market.deals.clauses import Terms, part
from market.deals.rules import ANSWERED, CONFIRMED, FILED, LAPSED
from market.i18n import Message, msg
from market.supply.rules import MOST_DEPOSIT
from market.units import Fen, FenPerKg, Gram, amount

#: Days that the other side has to answer.
ANSWER_DAYS = 7
LONGEST_WORDS = 2_000
#: Pieces of evidence that one case may hold.
MOST_EVIDENCE = 40

#: The ground of whoever does not accept a notice of force majeure.
NOT_EXCUSED = "not_excused"
#: By the side that is said to be in breach: code -> what it did.
GROUNDS: dict[str, dict[str, Message]] = {
    "seller": {
        "not_delivered": msg("没有交货"),
        "late_delivery": msg("逾期交货"),
        "quality": msg("质量不符合约定"),
        "short": msg("数量短少，超过允许的损耗"),
        "sold_elsewhere": msg("把货另卖他人"),
        NOT_EXCUSED: msg("以不可抗力通知解除，但不成立"),
        "other": msg("其他违约"),
    },
    "buyer": {
        "not_taken": msg("不收货"),
        "unpaid": msg("逾期不付款"),
        "price_cut": msg("单方压价"),
        "barred_fee": msg("收取不许收的费用"),
        "walked_away": msg("明确表示不再履行"),
        NOT_EXCUSED: msg("以不可抗力通知解除，但不成立"),
        "other": msg("其他违约"),
    },
}


def grounds_against(side: str, *, notice_of: str | None) -> dict[str, Message]:
    """Return what ``side`` can be blamed for; ``notice_of``: the side that gave notice of force majeure."""
    grounds = GROUNDS[side]
    if side == notice_of:
        return grounds
    return {code: words for code, words in grounds.items() if code != NOT_EXCUSED}


#: Cases in which the claimant may give notice of termination: the other side knows what it is blamed for.
MAY_TERMINATE = frozenset({FILED, ANSWERED, LAPSED, CONFIRMED})
#: Cases that take evidence and offers still.
OPEN = frozenset({FILED, ANSWERED, LAPSED})
DECISIONS: dict[str, Message] = {"confirm": msg("认定违约"), "dismiss": msg("不予认定")}


def answer_by(filed: date) -> date:
    """Return the last day on which the other side can answer."""
    return filed + timedelta(days=ANSWER_DAYS)


def residual(*, quantity: int, settled: int, under_way: int) -> Gram:
    """Return the grams that are free when a contract ends.

    Args:
        settled: taken by the buyer, or lost on the way within the agreed rate.
        under_way: sent, and neither taken nor refused yet: they stay under the contract until they are.
    """
    return Gram(max(0, quantity - settled - under_way))


class Substitute(msgspec.Struct, frozen=True):
    """A later deal that took the place of this contract: grams, fen per kg."""

    number: str
    on: date
    quantity: int
    price: int


class Figures(msgspec.Struct, frozen=True):
    """Fen, all of them; ``covered`` is grams."""

    #: 定金 that was paid; what of it goods have not used up, and what becomes of that if the breach stands:
    #: kept by the seller, or given back.
    deposit_paid: int
    deposit: int
    deposit_back: int
    #: Advance payments, and what of the deposit is beyond a fifth of the price, that no goods stand against.
    advance_back: int
    #: 违约金 on what was not performed.
    penalty: int
    #: What the substitute deals fell short of the contract, for as much of the residual as they cover.
    shortfall: int
    covered: int


def figures_of(
    terms: Terms,
    *,
    against: str,
    price: FenPerKg,
    unperformed: Gram,
    deposit: int,
    advance: int,
    deposit_paid: int,
    whole: int,
    substitutes: Sequence[Substitute],
) -> Figures:
    """Return what the contract's terms would make of a breach by ``against`` (seller or buyer).

    Args:
        unperformed: grams that were not delivered or not taken.
        deposit, advance: fen that were paid beforehand and are not used up by goods.
        deposit_paid: fen of the deposit that were paid at all. What of it is more than the law knows as a
            deposit, a fifth of the price, was paid in advance: it goes back once, whoever failed.
        whole: fen of the contract's price.
    """
    as_deposit = min(deposit_paid, part(whole, MOST_DEPOSIT))
    kept = deposit * as_deposit // deposit_paid if deposit_paid else deposit
    worth = amount(unperformed, price)
    share = terms.seller_penalty if against == "seller" else terms.buyer_penalty
    left, shortfall = int(unperformed), 0
    for each in substitutes:
        taken = min(left, each.quantity)
        # a seller loses by a lower price, a buyer by a higher one
        worse = price - each.price if against == "buyer" else each.price - price
        shortfall += amount(Gram(taken), FenPerKg(max(worse, 0)))
        left -= taken
    return Figures(
        deposit_paid=deposit_paid,
        deposit=kept,
        deposit_back=2 * kept if against == "seller" else 0,
        advance_back=advance + deposit - kept,
        penalty=part(worth, share),
        shortfall=Fen(shortfall),
        covered=unperformed - left,
    )
