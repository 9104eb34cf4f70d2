"""Why there is nobody whom somebody without a talk could meet. Pure."""

from collections.abc import Sequence

from market.i18n import Message, msg
from market.matching.queries import Snapshot
from market.matching.rules import Demand, Lot, Parameters, why_not
from market.meetings.choosing.problem import PartySide


def why_nobody(
    side: PartySide,
    market: Snapshot,
    lots: Sequence[Lot],
    demands: Sequence[Demand],
    obstacles: Sequence[Message],
    fits: bool,
) -> Message:
    """Return why nobody is offered, the nearest reason first."""
    is_seller = side == "seller"
    if obstacles and not fits:
        return obstacles[0]
    if obstacles:
        texts = {each.text: each for each in obstacles}
        reason = next(iter(texts.values())) if len(texts) == 1 else msg("有的不愿谈，有的排不下或时间不合。")
        return (
            msg("可谈的采购商都不行：{reason}", reason=reason)
            if is_seller
            else msg("可谈的供货方都不行：{reason}", reason=reason)
        )
    if is_seller and not lots:
        return msg("没有可谈的货：没有上架，已经卖完或谈定，或者正在竞价。")
    if not is_seller and not demands:
        return msg("没有公开的采购需求，或者都已谈定。")
    barred = set(market.barred)
    tried = [
        (why_not(lot, demand, Parameters()), lot, demand)
        for lot in (lots if is_seller else market.lots)
        for demand in (market.demands if is_seller else demands)
        if lot.product == demand.product
    ]
    if not tried:
        return msg("目前没有人采购这些货。") if is_seller else msg("镇里目前没有人卖这些货。")
    if any(not wrong and (lot.id, demand.id) in barred for wrong, lot, demand in tried):
        return msg("合适的对方以前谢绝过，不再请双方谈。")
    if any(not wrong for wrong, _, _ in tried):
        return msg("合适的需求都已建议给别的货源。") if is_seller else msg("合适的货都已建议给别的采购商。")
    wrong, lot, demand = min(tried, key=lambda each: (len(each[0]), int(each[1].id), int(each[2].id)))
    why: Message = wrong[0].message
    for further in wrong[1:]:
        why = msg("{first}{second}", first=why, second=further.message)
    # told in names by whoever draws it: see ``web.told.plain``
    return (
        msg("最接近的需求 {demand}：{why}", demand=demand.id, why=why)
        if is_seller
        else msg("最接近的批次 {lot}：{why}", lot=lot.id, why=why)
    )
