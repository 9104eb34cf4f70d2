"""Who is looking, for requests that come at the same time: one look-up for all of them.

Every request of somebody who has signed in begins with it. Who asks while look-ups are under way goes with
the next one, so that nobody is told what was true before he asked: a session that has ended opens nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

from market import clock
from market.accounts.queries import viewers_for
from market.accounts.rules import Viewer
from market.db.gathering import Gatherer, look_ups


class _Asked(NamedTuple):
    token_hash: bytes
    for_page: bool


async def viewer_of(token_hash: bytes, *, for_page: bool = False) -> Viewer | None:
    """Return whom the session of this token (its SHA-256) belongs to; see :func:`viewers_for`.

    Raises:
        Busy: the database does not answer, or too many ask.
    """
    return await _LOOKUPS.ask(_Asked(token_hash, for_page))


async def _look_up(asked: Sequence[_Asked], _: bool) -> list[Viewer | None]:
    found = await viewers_for(
        token_hashes=list({each.token_hash for each in asked}),
        pages=list({each.token_hash for each in asked if each.for_page}),
        at=clock.now(),
    )
    return [found.get(each.token_hash) for each in asked]


#: Those of this process.
_LOOKUPS: Gatherer[_Asked, Viewer | None] = look_ups(_look_up)
