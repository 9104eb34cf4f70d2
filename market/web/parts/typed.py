"""What people type on phones, met half-way: numbers and units out of words.

Full-width digits, thousands separators, ``2.5万``, a unit written behind the number. What could mean two
things is refused.
"""

import re
from decimal import Decimal

from market.i18n import Message, msg

#: What a unit may be called -> its name in the forms.
UNIT_WORDS = {"公斤": "kg", "千克": "kg", "kg": "kg", "斤": "jin", "jin": "jin", "吨": "t", "t": "t"}

_NUMBER = re.compile(r"(\d{1,3}(?:,\d{3})+|\d+|(?=\.\d))(\.\d+)?")
_LARGE = {"千": 1_000, "万": 10_000}

#: Full-width signs and their plain ones. Not NFKC, which would read 10² as 102.
_PLAIN = {0xFF01 + n: 0x21 + n for n in range(94)} | {ord("。"): ".", ord("￥"): "¥"}


class Wrong(Exception):
    """What was typed cannot be read. ``message`` stands beside the field."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


def flat_text(typed: str) -> str:
    """Return ``typed`` with full-width signs made plain and spaces gone."""
    return "".join(typed.translate(_PLAIN).split()).lower()


def shown(typed: str) -> str:
    return typed if len(typed) <= 20 else f"{typed[:20]}…"


def decimal_from(typed: str) -> Decimal:
    """Return the number that was typed: digits, separators, a decimal point, at most one 千 or 万.

    Raises:
        Wrong: it is no such number, is negative, or is longer than 16 digits.
    """
    flat = flat_text(typed)
    factor = _LARGE.get(flat[-1:], 1)
    digits = flat[:-1] if factor > 1 else flat
    if digits.startswith(("-", "−")) and _NUMBER.fullmatch(digits[1:]):
        raise Wrong(msg("不能是负数，请检查后重填。"))
    if not _NUMBER.fullmatch(digits) or not digits.isascii():
        raise Wrong(msg("“{typed}”不是数字，请只填数字，例如 25000 或 0.85。", typed=shown(typed)))
    if len(digits) > 16:
        raise Wrong(msg("数字太长了，请检查是不是多打了几位。"))
    return Decimal(digits.replace(",", "")) * factor


def split_unit(typed: str, unit: str) -> tuple[str, str]:
    """Take a unit written behind the number; it counts more than the one chosen beside it."""
    flat = flat_text(typed)
    for word, named in UNIT_WORDS.items():
        if flat.endswith(word) and flat != word:
            return flat.removesuffix(word), named
    return typed, unit


def price_parts(typed: str, chosen: str) -> tuple[str, str]:
    flat = flat_text(typed).lstrip("¥")
    number, slash, per = flat.partition("/")
    if slash:
        chosen = UNIT_WORDS.get(per, per)
    return number.removesuffix("元"), chosen
