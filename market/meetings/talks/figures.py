"""Whether a result says what it has to, and whether its figures can be meant."""

from collections.abc import Mapping

from asyncpg import Record

from market.amounts import odd_price, plain, prices
from market.catalogue.rules import words_fault
from market.errors import Invalid
from market.i18n import Message, msg
from market.meetings import rules
from market.meetings.commands import Outcome, TopicResult
from market.units import MOST_FEN_PER_KG, FenPerKg, Gram, jin, tonnes

#: Results that say what was talked of, how much and for how much.
WITH_FIGURES = frozenset({"intent", "quote", "signed"})

#: Signs of the note beside a result.
LONGEST_NOTE = 500

#: What is known of each topic: what is left and still wanted, what was asked and proposed.
KNOWN = """SELECT topic.*, lot.remaining, listing.ask, demand.open AS wanted,
       offered_price(match.price, listing.way, listing.ask) / 100 AS proposed_price,
       CASE WHEN deal.state IN ('pending', 'partly_signed', 'active') THEN deal.quantity ELSE 0 END AS held
FROM topic JOIN listing ON listing.id = topic.listing JOIN lot ON lot.id = listing.lot
LEFT JOIN demand ON demand.id = topic.demand LEFT JOIN match ON match.id = topic.match
LEFT JOIN deal ON deal.id = topic.deal
WHERE topic.appointment = $1 ORDER BY topic.id FOR UPDATE OF topic"""


def check_outcome(outcome: Outcome, topics: Mapping[int, Record], *, sure: bool) -> None:
    """Refuse a result that lacks something; ask once whether figures far off are meant.

    Raises:
        Invalid: with ``outcome``, ``topics``, ``reason``, ``note``, or ``price_<topic>`` and
            ``quantity_<topic>`` where only ``sure`` is missing.
    """
    problems: dict[str, Message] = {}
    if outcome.outcome not in rules.OUTCOMES:
        problems["outcome"] = msg("请选择洽谈结果。")
    if outcome.outcome in WITH_FIGURES and not outcome.topics:
        problems["topics"] = msg("请填写谈成的货、数量和单价。")
    if outcome.outcome == "none" and not outcome.reason:
        problems["reason"] = msg("没有结果也请选一个原因，供改进。")
    if fault := words_fault(outcome.reason, outcome.note):
        problems["note"] = fault
    if len(outcome.note) > LONGEST_NOTE:
        problems["note"] = msg("说明最多 {most} 个字。", most=LONGEST_NOTE)
    for result in outcome.topics:
        if result.topic_id not in topics:
            problems["topics"] = msg("这场洽谈没有这一项，请刷新页面重新填写。")
        elif result.price <= 0 or result.quantity <= 0:
            problems["topics"] = msg("数量和单价都须大于零。")
        elif result.price > MOST_FEN_PER_KG:
            problems["topics"] = msg("单价须大于零，且不超过 {most}。", most=prices(MOST_FEN_PER_KG))
    if len({each.topic_id for each in outcome.topics}) < len(outcome.topics):
        problems["topics"] = msg("同一项写了两次，请合成一行。")
    if any(each not in topics for each in outcome.samples):
        problems["topics"] = msg("这场洽谈没有这一项，请刷新页面重新填写。")
    if not problems and not sure:
        for result in outcome.topics:
            problems |= _odd(outcome.outcome, result, topics[result.topic_id])
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)


def _odd(outcome: str, result: TopicResult, known: Record) -> dict[str, Message]:
    """Return the questions that the figures of one topic raise."""
    asked: dict[str, Message] = {}
    if price := odd_for(FenPerKg(result.price), known["ask"], known["proposed_price"]):
        asked[f"price_{result.topic_id}"] = price
    # a contract for more than there is cannot be made at all: nothing to ask
    if outcome != "signed":
        quantity = odd_quantity(
            Gram(result.quantity),
            left=Gram(known["remaining"] + known["held"]),
            wanted=None if known["wanted"] is None else Gram(known["wanted"] + known["held"]),
        )
        if quantity:
            asked[f"quantity_{result.topic_id}"] = quantity
    return asked


def odd_for(price: FenPerKg, *known: int | None) -> Message | None:
    """Return the question to ask back where ``price`` is far from all ``known`` prices of the goods."""
    usual = [each for each in known if each]
    return odd_price(price, low=FenPerKg(min(usual)), high=FenPerKg(max(usual))) if usual else None


def odd_quantity(quantity: Gram, *, left: Gram, wanted: Gram | None) -> Message | None:
    """Return the question to ask back where more is written than the seller has or the buyer wants."""
    if quantity > left and (wanted is None or left <= wanted):
        words = msg(
            "您写的是 {jin} 斤（{t} 吨），可这批货只剩 {most} 吨。是不是斤和公斤弄混了，或多打了一个 0？"
            "没写错的话，请勾选下面的确认再提交。",
            jin=plain(jin(quantity)),
            t=plain(tonnes(quantity)),
            most=plain(tonnes(left)),
        )
    elif wanted is not None and quantity > wanted:
        words = msg(
            "您写的是 {jin} 斤（{t} 吨），可对方的需求只要 {most} 吨。是不是斤和公斤弄混了，或多打了一个 0？"
            "没写错的话，请勾选下面的确认再提交。",
            jin=plain(jin(quantity)),
            t=plain(tonnes(quantity)),
            most=plain(tonnes(wanted)),
        )
    else:
        return None
    return words
