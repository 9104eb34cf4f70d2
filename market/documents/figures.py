"""Figures and days as a Chinese paper writes them. Papers are Chinese whoever prints them."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from market import units
from market.clock import CHINA
from market.meetings.queries import MeetingRow
from market.units import Fen, FenPerKg, Gram

_WEEKDAYS = "一二三四五六日"


def plain(value: Decimal | int, *, places: int = 3, least: int = 0) -> str:
    """Return a number with thousands separators, at most ``places`` decimals, at least ``least``."""
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    whole, _, fraction = f"{rounded:,f}".partition(".")
    fraction = fraction.rstrip("0").ljust(least, "0")
    return f"{whole}.{fraction}" if fraction else whole


def jin(mass: int) -> str:
    return f"{plain(units.jin(Gram(mass)))} 斤"


def tonnes(mass: int) -> str:
    """``12.5 吨``, exactly; ``75 公斤`` below 0.1 t, ``169.725 公斤`` below 1 t with odd grams."""
    is_odd = mass < units.GRAMS_PER_TONNE and mass % units.GRAMS_PER_KG
    if mass < units.GRAMS_PER_TONNE // 10 or is_odd:
        return f"{plain(units.kg(Gram(mass)))} 公斤"
    return f"{plain(units.tonnes(Gram(mass)), places=6)} 吨"


def both_masses(mass: int) -> str:
    return f"{jin(mass)}（{tonnes(mass)}）"


def per_jin(price: int) -> str:
    return f"{plain(units.yuan_per_jin(FenPerKg(price)), least=2)} 元/斤"


def per_kg(price: int) -> str:
    return f"{plain(units.yuan_per_kg(FenPerKg(price)), least=2)} 元/公斤"


def both_prices(price: int) -> str:
    return f"{per_jin(price)}（{per_kg(price)}）"


def money(amount: int) -> str:
    """``21,250 元``, and ``212.5 万元`` from a hundred thousand yuan on."""
    yuan = units.yuan(Fen(amount))
    if yuan >= 100_000:
        return f"{plain(yuan / 10_000, places=1)} 万元"
    return f"{plain(yuan, places=2)} 元"


_DIGITS, _PLACES, _GROUPS = "零壹贰叁肆伍陆柒捌玖", ("", "拾", "佰", "仟"), ("", "万", "亿", "万亿")


def capitals(amount: int) -> str:
    """Return fen in the capitals of accountants (大写): ``肆仟贰佰元整``, ``壹万零伍元零叁分``."""
    whole, jiao, fen = amount // 100, amount // 10 % 10, amount % 10
    words = f"{_whole_in_capitals(whole)}元" if whole else ""
    if not jiao and not fen:
        return f"{words or '零元'}整"
    if jiao:
        words += f"{_DIGITS[jiao]}角"
    elif words:
        words += "零"
    return words + (f"{_DIGITS[fen]}分" if fen else "整")


def _whole_in_capitals(number: int) -> str:
    words, owes_zero = "", False
    for group in range(len(_GROUPS) - 1, -1, -1):
        part = number // 10_000**group % 10_000
        if not part:
            owes_zero = bool(words)
            continue
        for place in (3, 2, 1, 0):
            digit = part // 10**place % 10
            if digit:
                words += ("零" if owes_zero and words else "") + _DIGITS[digit] + _PLACES[place]
                owes_zero = False
            else:
                owes_zero = bool(words)
        words += _GROUPS[group]
        owes_zero = False
    return words


def day(value: date) -> str:
    """``2026年12月5日``; a moment is told as its day in China."""
    if isinstance(value, datetime):
        value = value.astimezone(CHINA).date()
    return f"{value.year}年{value.month}月{value.day}日"


def short_day(value: date) -> str:
    return f"{value.month}月{value.day}日"


def weekday(value: date) -> str:
    return f"星期{_WEEKDAYS[value.weekday()]}"


def clock(minutes: int) -> str:
    """Return minutes after midnight as ``09:20``."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def slot_times(meeting: MeetingRow, slot: int) -> str:
    start = meeting.slot_start(slot)
    return f"{clock(start)}–{clock(start + meeting.slot_minutes)}"


def days_of(meeting: MeetingRow) -> Sequence[date]:
    return [meeting.held_on + timedelta(days=n) for n in range(meeting.days)]


def end_of_day(meeting: MeetingRow) -> int:
    """Return when the last slot of a day is over, in minutes after midnight."""
    return meeting.slot_start(meeting.slots) + meeting.slot_minutes


def span(meeting: MeetingRow) -> str:
    """``2026年12月5日``, or ``2026年12月5日至12月6日`` of a meeting of several days."""
    first, last = meeting.held_on, days_of(meeting)[-1]
    if first == last:
        return day(first)
    return f"{day(first)}至{short_day(last) if first.year == last.year else day(last)}"


def when(meeting: MeetingRow) -> str:
    """``2026年12月5日（星期六）09:00–15:40``; of several days the first and the last."""
    hours = f"{clock(meeting.starts_at)}–{clock(end_of_day(meeting))}"
    if meeting.days == 1:
        return f"{span(meeting)}（{weekday(meeting.held_on)}）{hours}"
    return f"{span(meeting)}，每天 {hours}"
