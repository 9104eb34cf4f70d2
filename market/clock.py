"""The one place that reads the time. Rules and solvers get it as an argument."""

from datetime import date, datetime, timezone
from zoneinfo import ZoneInfo

#: China has one time zone; dates of windows and deadlines are meant in it.
CHINA = ZoneInfo("Asia/Shanghai")


def now() -> datetime:
    return datetime.now(timezone.utc)


def today() -> date:
    return datetime.now(CHINA).date()
