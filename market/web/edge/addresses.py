"""Addresses of this site: the numbers in them, and how the one that was asked for is written again."""

import re
from urllib.parse import quote

from litestar.types import Scope

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


#: A path of this site and its query, in signs that an address may have. What browsers would read as another
#: host (``//host``, ``/\\host``) is none, nor what becomes that once they have taken ``..`` out.
_OWN = re.compile(r"/(?!/)(?:(?!//|/\.{1,2}(?:/|\?|$))[!-~])*", re.ASCII)
_SIGNS = re.compile(r"[!-~]+")
_LONGEST = 2000


def own_path(scope: Scope) -> str:
    """Return the path that was asked for as a link to it is written: it never leads to another host."""
    return quoted(scope["path"])


def quoted(path: str) -> str:
    """Return ``path`` as a link to it is written, on this site whatever stands in it."""
    return "/" + quote(path.lstrip("/\\"), safe="/:@!$&'()*+,;=~", errors="replace")


def is_own(path: str) -> bool:
    """Tell whether ``path`` (with its query) leads to this site and nowhere else, whoever reads it."""
    if len(path) > _LONGEST or "\\" in path or not _SIGNS.fullmatch(path):
        return False
    return _OWN.fullmatch(path.partition("?")[0]) is not None
