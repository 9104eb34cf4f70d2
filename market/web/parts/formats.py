"""How figures, days and phone numbers are written, in either language.

Every quantity and every price shows two units. The functions take the language; the filters of the
same names in templates know the reader's.
"""

from datetime import date, timedelta
from decimal import Decimal
from typing import Protocol

from market import units
from market.amounts import plain as plain
from market.days import day as day
from market.days import day_short as day_short
from market.days import moment as moment
from market.i18n import Language, msg, translate
from market.units import Fen, FenPerKg, Gram

#: Below this, tonnes would be a string of zeros: kilograms say it better.
_SMALL = Gram(units.GRAMS_PER_TONNE // 10)


def grouped(typed: str) -> str:
    """Return a number as somebody typed it, with thousands separators; anything else as it is."""
    whole, point, fraction = typed.strip().partition(".")
    if not (whole.isascii() and whole.isdigit()):
        return typed
    return f"{int(whole):,}{point}{fraction}"


def jin(mass: Gram, language: Language) -> str:
    """``25,000 斤``"""
    return translate(msg("{n} 斤", n=plain(units.jin(mass))), language)


def tonnes(mass: Gram, language: Language) -> str:
    """``12.5 吨``, exactly; ``75 公斤`` below 0.1 t, ``169.725 公斤`` below 1 t with odd grams."""
    if abs(mass) < _SMALL or (abs(mass) < units.GRAMS_PER_TONNE and mass % units.GRAMS_PER_KG):
        return translate(msg("{n} 公斤", n=plain(units.kg(mass))), language)
    return translate(msg("{n} 吨", n=plain(units.tonnes(mass), places=6)), language)


def mass(value: Gram, language: Language) -> str:
    """``25,000 斤 / 12.5 吨``"""
    return f"{jin(value, language)} / {tonnes(value, language)}"


def price_jin(value: FenPerKg, language: Language) -> str:
    """``0.85 元/斤``"""
    return translate(msg("{n} 元/斤", n=plain(units.yuan_per_jin(value), least=2)), language)


def price_kg(value: FenPerKg, language: Language) -> str:
    """``1.70 元/公斤``"""
    return translate(msg("{n} 元/公斤", n=plain(units.yuan_per_kg(value), least=2)), language)


def price(value: FenPerKg, language: Language) -> str:
    """``0.85 元/斤 · 1.70 元/公斤``"""
    return f"{price_jin(value, language)} · {price_kg(value, language)}"


def money(value: Fen, language: Language) -> str:
    """``21,250 元``; fen are written only where there are any."""
    whole_yuan = value % units.FEN_PER_YUAN == 0
    return translate(msg("{n} 元", n=plain(units.yuan(value), least=0 if whole_yuan else 2)), language)


def money_short(value: Fen, language: Language) -> str:
    """``212.5 万元`` from a hundred thousand yuan on: for totals, never for what is owed."""
    amount = units.yuan(value)
    if amount < 100_000:
        return money(value, language)
    if language == "en" and amount < 1_000_000:
        return f"¥{plain(amount / 1_000, places=1)}k"
    if language == "en":
        return f"¥{plain(amount / 1_000_000, places=2)}m"
    return f"{plain(amount / 10_000, places=1)} 万元"


def window(first: date, last: date, language: Language) -> str:
    """``2026年11月1日至12月15日``: the second year is left out where it is the same."""
    end = day_short(last, language) if first.year == last.year else day(last, language)
    if language == "en":
        start = day_short(first, language) if first.year == last.year else day(first, language)
        return f"{start} to {day(last, language)}"
    return f"{day(first, language)}至{end}"


class HasDays(Protocol):
    """A meeting, as far as its days go."""

    @property
    def held_on(self) -> date: ...
    @property
    def days(self) -> int: ...


def held_days(meeting: HasDays, language: Language) -> str:
    """Return the day of a meeting, or its first and last one."""
    if meeting.days == 1:
        return day(meeting.held_on, language)
    return window(meeting.held_on, meeting.held_on + timedelta(days=meeting.days - 1), language)


def percent(part: Decimal | int, whole: Decimal | int) -> str:
    """``37%``; an empty whole gives a dash. Never 100 % while a part is missing, nor 0 % of something."""
    if not whole:
        return "–"
    share = int(Decimal(part) * 100 / Decimal(whole) + Decimal("0.5"))
    if share >= 100 and part < whole:
        share = 99
    if share == 0 and part > 0:
        share = 1
    return f"{share}%"


def phone_masked(number: str) -> str:
    """``138****5678``: enough to know one's own again, not enough to call."""
    if len(number) < 7:
        return "*" * len(number)
    return f"{number[:3]}{'*' * (len(number) - 7)}{number[-4:]}" if len(number) > 7 else f"{number[:2]}*****"
