"""How a contract ends without a breach (Civil Code, articles 562, 563, 565 and 590). Pure."""

from datetime import date

from market.deals.rules import AGREED, PROPOSED, REFUSED, WITHDRAWN
from market.i18n import Message, msg
from market.transitions import Lifecycle, Move

#: How a contract that is terminated ended.
BREACH, AGREEMENT, FORCE_MAJEURE = "breach", "agreement", "force_majeure"
HOW: dict[str, Message] = {
    BREACH: msg("因违约通知解除"),
    AGREEMENT: msg("双方协商解除"),
    FORCE_MAJEURE: msg("因不可抗力通知解除"),
}
NOTICED, OUTDATED = "noticed", "outdated"

#: Consent takes both and silence is none; a notice of force majeure takes effect when it is given.
ENDING = Lifecycle(
    "contract_ending",
    Move("agree", {PROPOSED}, AGREED, by={"other"}),
    Move("refuse", {PROPOSED}, REFUSED, by={"other"}),
    Move("withdraw", {PROPOSED}, WITHDRAWN, by={"proposer"}),
    # the contract was fulfilled, or ended in another way
    Move("outdate", {PROPOSED}, OUTDATED, by={"system"}),
    Move("give_notice", {PROPOSED}, NOTICED, by={"affected"}),
    start=PROPOSED,
    labels={
        PROPOSED: msg("等对方答复"),
        AGREED: msg("双方同意解除"),
        REFUSED: msg("对方不同意"),
        WITHDRAWN: msg("已撤回"),
        NOTICED: msg("已通知解除"),
        OUTDATED: msg("合同已另行结束"),
    },
)

#: Events that nobody could foresee, avoid or overcome.
EVENTS: dict[str, Message] = {
    "flood": msg("洪涝、暴雨"),
    "drought": msg("旱灾"),
    "hail": msg("冰雹、大风"),
    "frost": msg("冻害、雪灾"),
    "quake": msg("地震、泥石流"),
    "epidemic": msg("疫情、动植物疫病封控"),
    "order": msg("政府征用、禁运等措施"),
    "other": msg("其他不可抗力"),
}

KEPT = "kept"
#: What becomes of a deposit that no goods stand against: what both write counts, not article 587.
DEPOSITS: dict[str, Message] = {
    "back": msg("没有抵作货款的部分退还买方"),
    KEPT: msg("没有抵作货款的部分归卖方，不退"),
}
LONGEST_WORDS = 2_000
#: Pieces of proof that one notice may hold.
MOST_PROOF = 40


def fault_of_day(happened: date, *, made: date, today: date) -> Message | None:
    """Return what is wrong with the day of an event; None: nothing."""
    if happened > today:
        return msg("事情还没有发生：请填今天或以前的日子。")
    if happened < made:
        return msg("早于订立合同那天：订立时已经发生的，不算不能预见。")
    return None


def is_late(happened: date, *, deliver_to: date) -> bool:
    """Say whether it befell a side that was late already, and is therefore not excused (article 590)."""
    return happened > deliver_to
