"""Numbers in addresses."""

from market.errors import NotFound
from market.i18n import msg

#: The largest number that a row can have.
MOST_ID = 2**63 - 1


def row_number(number: int) -> int:
    """Return ``number`` if a row can have it.

    Raises:
        NotFound: no row has such a number, so there is no need to ask the database.
    """
    if not 0 < number <= MOST_ID:
        raise NotFound(msg("这一页不存在，或者不对您开放。请检查地址，或从首页查找。"))
    return number
