"""How a day and a moment are written, in either language and in China's time."""

from datetime import date, datetime

from market.clock import CHINA

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def day(value: date, language: str) -> str:
    """``2026年11月23日`` or ``23 Nov 2026``; a moment is told as its day in China."""
    value = _in_china(value)
    if language == "en":
        return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"
    return f"{value.year}年{value.month}月{value.day}日"


def day_short(value: date, language: str) -> str:
    """``11月23日`` or ``23 Nov``: where the year is plain from what stands around."""
    value = _in_china(value)
    if language == "en":
        return f"{value.day} {_MONTHS[value.month - 1]}"
    return f"{value.month}月{value.day}日"


def moment(value: datetime, language: str) -> str:
    """``2026年11月23日 14:30``, in China's time."""
    local = value.astimezone(CHINA)
    return f"{day(local, language)} {local:%H:%M}"


def near(value: date, language: str, *, today: date | None) -> str:
    """Write a day, a moment with its hour; the year only where it is not that of ``today``.

    Without ``today`` (on paper, which is read years later) the year stands there always.
    """
    in_china = _in_china(value)
    written = day_short if today is not None and in_china.year == today.year else day
    text = written(value, language)
    return f"{text} {in_china:%H:%M}" if isinstance(in_china, datetime) else text


def _in_china(value: date) -> date:
    return value.astimezone(CHINA) if isinstance(value, datetime) else value
