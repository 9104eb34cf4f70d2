"""How goods are sold, as forms ask it: for new goods, and for those that are to be sold in another way."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from market.clock import CHINA
from market.errors import Invalid
from market.i18n import msg
from market.supply.commands import NewWay
from market.supply.rules import EXTENSION, MOST_EXTENSION, NEGOTIABLE, OPEN, USUAL_STEP, WAYS
from market.units import FenPerKg
from market.web.parts import fields
from market.web.parts.fields import Field

#: Minutes that late bids move the closing: each, and all together.
EXTENSIONS = {"n": EXTENSION // timedelta(minutes=1), "most": MOST_EXTENSION // timedelta(minutes=1)}


def way_fields() -> dict[str, Field]:
    """Return the questions of how to sell, by their names in a form."""
    return {
        "way": fields.choice(
            msg("怎么卖"),
            dict(WAYS),
            optional=True,
            default=NEGOTIABLE,
            chips=True,
            hint=msg(
                "一口价：只按要价成交。密封报价：截止前谁也看不到报价，到点一起开标。公开竞价：要价就是起拍价，"
                "大家看着加价，价高先得，卖完为止。后两种不足三家转为议价。"
            ),
        ),
        "closes_on": fields.day(msg("截止日期（密封报价、公开竞价）"), optional=True),
        "closes_time": fields.clock_time(msg("几点截止"), optional=True, hint=msg("不填就是 17:00。")),
        "min_step": fields.price(
            msg("每次至少加（公开竞价）"), optional=True, hint=msg("不填就是一斤一分钱。")
        ),
        "reserve": fields.price(
            msg("保留价（公开竞价）"),
            optional=True,
            hint=msg("低于它不自动成交。买方只知道有没有，不知道是多少。"),
        ),
    }


def way_from(values: Mapping[str, Any]) -> NewWay:
    """Return the way that a form with these questions asks for. The hour is China's."""
    on = values.get("closes_on")
    way = values.get("way") or NEGOTIABLE
    return NewWay(
        way=way,
        closes_at=datetime.combine(on, values.get("closes_time") or time(17), CHINA) if on else None,
        min_step=values.get("min_step") or FenPerKg(USUAL_STEP if way == OPEN else 0),
        reserve=values.get("reserve"),
    )


def told_on_form(error: Invalid) -> Invalid:
    """Name the faults as the form does: the closing is asked for as a day and an hour."""
    told = {"closes_on" if name == "closes_at" else name: fault for name, fault in error.fields.items()}
    return Invalid(error.message, told)
