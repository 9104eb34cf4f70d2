"""What a meeting has brought, in figures: one place makes them, for the page, the report and its lists.

Intents, contracts, deliveries and payments are counted apart. A figure is the sum of lines that can be
listed, and a line stands in one list of each kind only. Masses are grams, money is fen.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from market.deals.rules import SIGNED as SIGNED_STATES
from market.i18n import Message, msg
from market.units import HAO_PER_FEN, Fen, FenPerKg, Gram, amount

UNSIGNED_STATES = frozenset({"pending", "partly_signed"})
GONE_STATES = frozenset({"cancelled", "terminated"})


class Line(msgspec.Struct, frozen=True):
    """One topic of a planned talk, and everything that came of it through this meeting.

    A talk that is about nothing in particular has one line without a topic.
    """

    topic: int | None
    appointment: int
    #: State of the talk (no_show: one side is said not to have come), and how it ended if it was held.
    state: str
    outcome: str | None
    reason_zh: str | None
    reason_en: str | None
    seller: int
    seller_name: str
    seller_name_en: str
    buyer: int
    buyer_name: str
    buyer_name_en: str
    listing: int | None
    title: str
    title_en: str
    match: int | None
    #: What the engine had proposed for it: grams, and fen of worth.
    proposed: int
    worth: int
    intent_quantity: int | None
    intent_price: int | None
    deal: int | None
    deal_number: str | None
    deal_state: str | None
    deal_quantity: int
    deal_price: int
    #: Grams that the buyer has taken, and grams on their way.
    delivered: int
    under_way: int
    #: Fen invoiced for what was taken, and fen paid.
    invoiced: int
    paid: int
    #: Grams that a termination took out of the contract, and fen that the rest comes to as its terms are now.
    ended: int = 0
    deal_fen: int | None = None
    #: Grams lost on the way within the agreed rate: not paid for, not delivered again.
    lost: int = 0
    #: Fen of what was taken that deposit and advance cover, and fen that were paid as such.
    covered: int = 0
    beforehand: int = 0
    #: What the two have done since about these goods, a code of ``intents.LATER``; None: nothing that counts.
    later: str | None = None

    @property
    def has_intent(self) -> bool:
        """It was agreed on in principle, at the table or since."""
        if self.state != "held":
            return False
        said = self.outcome in ("intent", "signed") and self.intent_quantity is not None
        return said or self.deal is not None

    @property
    def is_open_intent(self) -> bool:
        """It was agreed on in principle, and that still stands without a contract."""
        return self.has_intent and self.deal is None and self.later is None

    @property
    def is_passed(self) -> bool:
        """It was agreed on in principle and never became a contract; something else has come of it since."""
        return self.has_intent and self.deal is None and self.later is not None

    @property
    def spoken(self) -> tuple[int, int]:
        """Grams and fen per kg that were spoken of; the contract's where nothing was written down before."""
        if self.intent_quantity is not None and self.intent_price is not None:
            return self.intent_quantity, self.intent_price
        return self.deal_quantity, self.deal_price

    @property
    def stands(self) -> int:
        """Grams under the contract, less what a termination took out."""
        return self.deal_quantity - self.ended

    @property
    def is_signed(self) -> bool:
        """Both have signed, and something of it stands: what was taken before a termination was brought."""
        return self.deal_state in SIGNED_STATES or (self.deal_state == "terminated" and self.stands > 0)

    @property
    def is_delivered(self) -> bool:
        """All of a signed contract's goods have been taken, or were lost on the way as agreed."""
        return self.is_signed and not self.undelivered

    @property
    def undelivered(self) -> int:
        """Grams under the contract that no buyer has taken yet, and that are still to come."""
        return max(0, self.stands - self.delivered - self.lost)

    @property
    def is_owed(self) -> bool:
        """Goods under a signed contract were taken that are not paid yet."""
        return self.is_signed and self.owed > 0

    @property
    def owed(self) -> int:
        """Fen of what was taken that are not paid: money for goods still to come pays for none of it."""
        goods = self.invoiced - self.covered - (self.paid - self.beforehand)
        return max(0, goods) + max(0, self.covered - self.beforehand)

    @property
    def is_unsigned(self) -> bool:
        """A contract lies there and waits for a signature."""
        return self.deal_state in UNSIGNED_STATES

    @property
    def is_gone(self) -> bool:
        """There was a contract, and nothing of it is left: it was cancelled or terminated."""
        return self.deal_state in GONE_STATES and not self.is_signed

    @property
    def gone(self) -> int:
        """Grams that a contract was about, and that are under it no more."""
        return self.deal_quantity if self.is_gone else self.ended


Fate = Literal[
    "contract", "unsigned", "intent", "gone", "passed", "talked", "not_held", "elsewhere", "not_brought"
]
#: What can have become of a proposal, the best first; each has exactly one of them.
FATES: dict[Fate, Message] = {
    "contract": msg("会上谈成，合同已签"),
    "unsigned": msg("会上谈成，合同待签"),
    "intent": msg("有意向，还没有合同"),
    "gone": msg("合同后来取消或终止"),
    "passed": msg("有过意向，后来另有结果"),
    "talked": msg("谈过，没有意向"),
    "not_held": msg("排了，没有谈"),
    "elsewhere": msg("会外成交，不算会议成果"),
    "not_brought": msg("没有上会"),
}


class Proposal(msgspec.Struct, frozen=True):
    """A match of the run that the meeting goes back to. Grams, hao per kg, fen of worth."""

    match: int
    seller: int
    seller_name: str
    seller_name_en: str
    buyer: int
    buyer_name: str
    buyer_name_en: str
    listing: int
    title: str
    title_en: str
    quantity: int
    price: int
    worth: int
    #: A contract that came of it anywhere but at this meeting, unless that has gone again.
    elsewhere: int | None

    @property
    def fen(self) -> int:
        """What it comes to at the suggested price, in fen rounded half up."""
        return (self.quantity * self.price + 500 * HAO_PER_FEN) // (1_000 * HAO_PER_FEN)


class Count(msgspec.Struct, frozen=True):
    number: int = 0
    grams: int = 0
    fen: int = 0


class Received(msgspec.Struct, frozen=True):
    """Fen of what was paid: ``goods`` of the ``goods_due`` that no deposit or advance covers, and these."""

    goods: int
    goods_due: int
    beforehand: int


class ProposalCount(msgspec.Struct, frozen=True):
    """``fen`` at the suggested prices; ``worth`` is what buyers' ceilings leave above asks and freight."""

    number: int = 0
    grams: int = 0
    fen: int = 0
    worth: int = 0


class Figures(msgspec.Struct, frozen=True):
    """The funnel. Below each stage: of which what, so that the parts of a stage add up to it."""

    #: Matches of the run, and how they ended: the fates add up to ``proposed``.
    proposed: ProposalCount
    fates: dict[Fate, ProposalCount]
    #: Talks that were planned, held, missed, and that wait for their result.
    talks: int
    held: int
    missed: int
    waiting: int
    #: Held talks by outcome.
    outcomes: dict[str, int]
    #: 意向: all that was agreed on in principle, in the quantities that were spoken of ...
    intents: Count
    #: ... of which there is a signed contract, one that waits, one that has gone, or none; and what has
    #: passed without one, because it was given up, talked about anew or contracted elsewhere.
    intents_signed: Count
    intents_unsigned: Count
    intents_gone: Count
    intents_open: Count
    intents_passed: Count
    #: 合同: in force or completed, as signed.
    contracts: Count
    #: Of these: struck on a match of the engine, and the share of its worth that they realise (fen).
    contracts_of_matches: Count
    worth_realised: int
    #: Contracts that wait for a signature; what was cancelled or terminated: in no other count.
    unsigned: Count
    gone: Count
    #: 发货: taken by buyers under these contracts; ``number`` of contracts with any.
    delivered: Count
    under_way: int
    #: Grams under these contracts that are still to be taken; what was lost on the way as agreed is not.
    undelivered_grams: int
    #: 回款: paid under these contracts; ``number`` of contracts with any. Only money.
    paid: Count
    received: Received
    #: Fen of what was taken that are not paid, contract by contract.
    owed: int

    @property
    def untaken_fen(self) -> int:
        return max(self.contracts.fen - self.delivered.fen, 0)


def contract_fen(line: Line) -> Fen:
    """Return what stands of a line's contract, at its terms of now."""
    if line.deal_fen is not None and not line.is_gone:
        return Fen(line.deal_fen)
    return amount(Gram(line.stands), FenPerKg(line.deal_price))


def spoken_fen(line: Line) -> Fen:
    grams, price = line.spoken
    return amount(Gram(grams), FenPerKg(price))


#: What can be listed behind a figure: which lines they are.
LISTS: dict[str, tuple[Message, Callable[[Line], bool]]] = {
    "talks": (msg("排了的洽谈"), lambda _: True),
    "held": (msg("谈过的"), lambda line: line.state == "held"),
    "missed": (msg("没到场的"), lambda line: line.state == "no_show"),
    "waiting": (msg("还没有记录结果的"), lambda line: line.state == "scheduled"),
    "intents": (msg("意向"), lambda line: line.has_intent),
    "intents_signed": (msg("意向，合同已签"), lambda line: line.has_intent and line.is_signed),
    "intents_unsigned": (msg("意向，合同待签"), lambda line: line.has_intent and line.is_unsigned),
    "intents_gone": (msg("意向，合同已取消或终止"), lambda line: line.has_intent and line.is_gone),
    "intents_open": (msg("意向，还没有合同"), lambda line: line.is_open_intent),
    "intents_passed": (msg("意向，后来另有结果"), lambda line: line.is_passed),
    "contracts": (msg("已签合同"), lambda line: line.is_signed),
    "contracts_of_matches": (
        msg("引擎建议里签成的"),
        lambda line: line.is_signed and line.match is not None,
    ),
    "delivered": (msg("有发货的合同"), lambda line: line.is_signed and line.delivered > 0),
    "undelivered": (
        msg("还没发完货的合同"),
        lambda line: line.is_signed and not line.is_delivered,
    ),
    "paid": (msg("有回款的合同"), lambda line: line.is_signed and line.paid > 0),
    "owed": (msg("有欠款的合同"), lambda line: line.is_owed),
    **{
        f"outcome_{code}": (label, lambda line, code=code: line.state == "held" and line.outcome == code)  # type: ignore[misc]
        for code, label in {
            "none": msg("暂无结果"),
            "sample": msg("索取样品"),
            "intent": msg("达成意向"),
            "quote": msg("要求报价"),
            "signed": msg("当场签约"),
        }.items()
    },
}


def listed(lines: Iterable[Line], name: str) -> list[Line]:
    """Return the lines behind a figure; every list is a key of ``LISTS``."""
    keep = LISTS[name][1]
    return [line for line in lines if keep(line)]


def fate_of(proposal: Proposal, line: Line | None) -> Fate:
    """Return what became of a proposal, ``line`` being the topic that brought it to the table."""
    if line is not None and line.state == "held" and line.is_signed:
        return "contract"
    if line is not None and line.state == "held" and line.is_unsigned:
        return "unsigned"
    if proposal.elsewhere is not None:
        return "elsewhere"
    if line is None:
        return "not_brought"
    if line.state != "held":
        return "not_held"
    if line.is_gone:
        return "gone"
    if line.is_passed:
        return "passed"
    return "intent" if line.has_intent else "talked"


def fates(proposals: Iterable[Proposal], lines: Iterable[Line]) -> dict[int, Fate]:
    """Return match -> what became of it."""
    by_match = {line.match: line for line in lines if line.match is not None}
    return {each.match: fate_of(each, by_match.get(each.match)) for each in proposals}


def figures_of(lines: Sequence[Line], proposals: Sequence[Proposal]) -> Figures:
    """Add everything up."""
    ended = fates(proposals, lines)
    talks = {line.appointment: line for line in lines}
    held = [line for line in talks.values() if line.state == "held"]
    outcomes: dict[str, int] = {}
    for line in held:
        outcomes[line.outcome or "none"] = outcomes.get(line.outcome or "none", 0) + 1
    contracts = listed(lines, "contracts")
    matched = listed(lines, "contracts_of_matches")
    delivered, paid = listed(lines, "delivered"), listed(lines, "paid")
    return Figures(
        proposed=_proposed(proposals),
        fates={fate: _proposed([each for each in proposals if ended[each.match] == fate]) for fate in FATES},
        talks=len(talks),
        held=len(held),
        missed=sum(line.state == "no_show" for line in talks.values()),
        waiting=sum(line.state == "scheduled" for line in talks.values()),
        outcomes=outcomes,
        intents=_spoken(listed(lines, "intents")),
        intents_signed=_spoken(listed(lines, "intents_signed")),
        intents_unsigned=_spoken(listed(lines, "intents_unsigned")),
        intents_gone=_spoken(listed(lines, "intents_gone")),
        intents_open=_spoken(listed(lines, "intents_open")),
        intents_passed=_spoken(listed(lines, "intents_passed")),
        contracts=_contracted(contracts),
        contracts_of_matches=_contracted(matched),
        worth_realised=sum(
            line.worth * min(line.stands, line.proposed) // line.proposed for line in matched if line.proposed
        ),
        unsigned=_contracted(line for line in lines if line.is_unsigned),
        gone=_gone(line for line in lines if line.gone),
        delivered=Count(
            len(delivered),
            sum(line.delivered for line in delivered),
            sum(line.invoiced for line in delivered),
        ),
        under_way=sum(line.under_way for line in contracts),
        undelivered_grams=sum(line.undelivered for line in contracts),
        paid=Count(len(paid), 0, sum(line.paid for line in paid)),
        received=Received(
            sum(line.paid - line.beforehand for line in contracts),
            sum(line.invoiced - line.covered for line in contracts),
            sum(line.beforehand for line in contracts),
        ),
        owed=sum(line.owed for line in contracts),
    )


def _proposed(proposals: Iterable[Proposal]) -> ProposalCount:
    rows = list(proposals)
    return ProposalCount(
        len(rows),
        sum(each.quantity for each in rows),
        sum(each.fen for each in rows),
        sum(each.worth for each in rows),
    )


def _spoken(lines: Iterable[Line]) -> Count:
    rows = list(lines)
    return Count(len(rows), sum(line.spoken[0] for line in rows), sum(spoken_fen(line) for line in rows))


def _contracted(lines: Iterable[Line]) -> Count:
    rows = list(lines)
    return Count(len(rows), sum(line.stands for line in rows), sum(contract_fen(line) for line in rows))


def _gone(lines: Iterable[Line]) -> Count:
    rows = list(lines)
    fen = sum(amount(Gram(line.gone), FenPerKg(line.deal_price)) for line in rows)
    return Count(len(rows), sum(line.gone for line in rows), fen)
