"""How often something may be tried: limits that hold across workers and at every moment."""

import ipaddress
from datetime import datetime, timedelta

from market.db.session import execute, fetch
from market.errors import MarketError
from market.i18n import msg

#: In any stretch of time of this length no more tries are let through than the limit says.
WINDOW = timedelta(minutes=15)
_MINUTES = int(WINDOW.total_seconds()) // 60


class TooManyTries(MarketError):
    """The account or the address has tried too often lately."""

    #: Seconds after which a try is let through for sure.
    retry_after = _MINUTES * 60


async def count_try(*, subject: str, most: int, at: datetime) -> None:
    """Let one try of ``subject`` through, unless ``most`` were within the last quarter of an hour.

    The moments themselves are kept, not a count for each window: no edge of a window lets twice as many
    through. One statement reads and writes, on a row that it holds, so that the limit holds across workers.
    A try that is refused is not counted: whoever keeps hammering does not shut the owner out for longer.

    Raises:
        TooManyTries: there were as many already.
    """
    let_through = await fetch(
        """INSERT INTO tries AS known (subject, times, last_at) VALUES ($1, ARRAY[$2::timestamptz], $2)
           ON CONFLICT (subject) DO UPDATE
           SET times = ARRAY(SELECT each FROM unnest(known.times) AS each WHERE each > $3) || $2,
               last_at = greatest(known.last_at, excluded.last_at)
           WHERE (SELECT count(*) FROM unnest(known.times) AS each WHERE each > $3) < $4
           RETURNING id""",
        subject,
        at,
        at - WINDOW,
        most,
    )
    if not let_through:
        raise TooManyTries(msg("试得太多了，请 {minutes} 分钟后再试。", minutes=_MINUTES))


async def forget_tries(*, at: datetime) -> None:
    """Delete what no window reaches back to."""
    await execute("DELETE FROM tries WHERE last_at <= $1", at - WINDOW)


def network(address: str) -> str:
    """Return what counts as one address: of IPv6 the first 64 bits, which one household holds whole."""
    try:
        read = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(read, ipaddress.IPv6Address):
        if read.ipv4_mapped is not None:
            return str(read.ipv4_mapped)
        return str(ipaddress.ip_network((read, 64), strict=False).network_address) + "/64"
    return str(read)
