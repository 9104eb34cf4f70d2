"""Why somebody looks at a whole telephone number: one of these, and it goes into the record."""

from market.errors import Invalid
from market.i18n import Message, msg

LOOK_REASONS: dict[str, Message] = {
    "delivery": msg("约定送货、验货"),
    "payment": msg("对账、付款、开票"),
    "quality": msg("说质量问题"),
    "contract": msg("商量条款、签约"),
    "attend": msg("联系到会的事"),
    "identify": msg("核实是不是本人"),
    "urgent": msg("有急事"),
}


def check_look(reason: str) -> None:
    """Raises: Invalid: no such reason."""
    if reason not in LOOK_REASONS:
        problem = msg("请选一个查看号码的原因。")
        raise Invalid(problem, {"reason": problem})
