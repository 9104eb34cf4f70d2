"""Prices that may be a slip: what the reader is asked before they count."""

from market.amounts import is_far
from market.catalogue.queries import ProduceView
from market.i18n import Language, Message, msg
from market.units import FenPerKg
from market.web.parts import formats


def is_far_off(ask: FenPerKg, produce: ProduceView) -> bool:
    """Tell whether a price lies so far beyond what is usual that it may be a slip."""
    return is_far(ask, low=produce.price_low, high=produce.price_high)


def is_leap(price: FenPerKg, before: FenPerKg) -> bool:
    """Tell whether a price is so far from the one that it replaces that it may be a slip.

    The usual band of a kind is wide: a nought too many often stays within what :func:`is_far_off` lets pass.
    """
    return is_far(price, low=before, high=before)


def ask_back_leap(price: FenPerKg, before: FenPerKg, language: Language) -> Message:
    """Return the question that a price far from the one before is met with."""
    return msg(
        "原来是 {before}，您改成了 {price}，差得很远。是不是斤和公斤弄混了，或多打、少打了一个 0？"
        "没错的话，请勾选后再提交。",
        before=formats.price(before, language),
        price=formats.price(price, language),
    )


def ask_back(ask: FenPerKg, produce: ProduceView, language: Language) -> Message:
    """Return the question that a price far off the usual is met with."""
    return msg(
        "{name}平常是 {low} 到 {high}，您写的是 {ask}。是不是斤和公斤弄混了，或多打、少打了一个 0？"
        "没错的话，请勾选后再提交。",
        name=produce.en if language == "en" else produce.zh,
        low=formats.price_jin(FenPerKg(produce.price_low or 0), language),
        high=formats.price_jin(FenPerKg(produce.price_high or 0), language),
        ask=formats.price(ask, language),
    )
