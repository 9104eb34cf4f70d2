"""The one place that reads the time. Rules and solvers get it as an argument."""

from datetime import date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

#: China has one time zone; dates of windows and deadlines are meant in it.
CHINA = ZoneInfo("Asia/Shanghai")


def now() -> datetime:
    return datetime.now(timezone.utc)


def today() -> date:
    return datetime.now(CHINA).date()


def day_ends(day: date) -> datetime:
    """Return the moment at which a day is over in China."""
    return datetime.combine(day + timedelta(days=1), time(), CHINA)


def last_minute(day: date) -> datetime:
    """Return the last minute of a day in China: what is told as a deadline bears the name of its own day."""
    return day_ends(day) - timedelta(minutes=1)
