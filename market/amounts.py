"""Amounts in words: a mass and a price in both units, and the question that a price far off is met with.

Whoever typed jin is answered in jin, and whoever typed kilograms in kilograms.
"""

from decimal import ROUND_HALF_UP, Decimal

from market.i18n import Message, msg
from market.units import FenPerKg, Gram, jin, kg, yuan_per_jin, yuan_per_kg

#: So many times off, a price is asked back: a slip of unit and digit makes five or ten.
FAR = 5


def plain(value: Decimal | int, *, places: int = 3, least: int = 0) -> str:
    """Return a number with thousands separators, at most ``places`` decimals, at least ``least``."""
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    text = f"{rounded:,f}"
    if "." not in text:
        return text
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0").ljust(least, "0")
    return f"{whole}.{fraction}" if fraction else whole


def masses(mass: Gram) -> Message:
    """Write a mass in both units: ``1,000 斤（500 公斤）``."""
    return msg("{jin} 斤（{kg} 公斤）", jin=plain(jin(mass)), kg=plain(kg(mass)))


def prices(price: FenPerKg) -> Message:
    """Write a price in both units: ``3.50 元/斤（7.00 元/公斤）``."""
    return msg(
        "{jin} 元/斤（{kg} 元/公斤）",
        jin=plain(yuan_per_jin(price), least=2),
        kg=plain(yuan_per_kg(price), least=2),
    )


def is_far(price: FenPerKg, *, low: int | None, high: int | None) -> bool:
    """Tell whether ``price`` is ``FAR`` times below ``low`` or above ``high`` (fen per kg), or more."""
    too_low = low is not None and price * FAR <= low
    return too_low or (high is not None and price >= high * FAR)


def odd_price(price: FenPerKg, *, low: FenPerKg, high: FenPerKg) -> Message | None:
    """Return the question to ask back where ``price`` is far from what is usual, ``low`` to ``high``."""
    if not is_far(price, low=low, high=high):
        return None
    return msg(
        "您写的是 {jin} 元/斤（{kg} 元/公斤），平常约 {usual} 元/斤，差得很远：是不是斤和公斤弄混了，"
        "或多打、少打了一个 0？没写错的话，请勾选下面的确认再提交。",
        jin=plain(yuan_per_jin(price), least=2),
        kg=plain(yuan_per_kg(price), least=2),
        usual=plain(yuan_per_jin(high if price > high else low), least=2),
    )
