"""Why there is nobody whom somebody without a talk could meet. Pure."""

from collections.abc import Sequence

from market.i18n import Message, msg
from market.matching.rules import Parameters, why_not
from market.meetings.choosing.problem import PartySide
from market.meetings.planning.fitting import Nearest


def why_nobody(
    side: PartySide, nearest: Nearest, obstacles: Sequence[Message], *, offers: bool, fits: bool
) -> Message:
    """Return why nobody is offered, the nearest reason first.

    ``offers``: it has goods on sale, or a demand; ``fits``: there is somebody whose would fit.
    """
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
    if is_seller and not offers:
        return msg("没有可谈的货：没有上架，已经卖完或谈定，或者正在竞价。")
    if not offers:
        return msg("没有公开的采购需求，或者都已谈定。")
    if nearest.pair is None:
        return msg("目前没有人采购这些货。") if is_seller else msg("镇里目前没有人卖这些货。")
    if nearest.barred:
        return msg("合适的对方以前谢绝过，不再请双方谈。")
    if nearest.fits:
        return msg("合适的需求都已建议给别的货源。") if is_seller else msg("合适的货都已建议给别的采购商。")
    lot, demand = nearest.pair
    wrong = why_not(lot, demand, Parameters())
    why: Message = wrong[0].message
    for further in wrong[1:]:
        why = msg("{first}{second}", first=why, second=further.message)
    # told in names by whoever draws it: see ``web.told.plain``
    return (
        msg("最接近的需求 {demand}：{why}", demand=demand.id, why=why)
        if is_seller
        else msg("最接近的批次 {lot}：{why}", lot=lot.id, why=why)
    )
