"""Who is looking, for requests that come at the same time: one look-up for all of them.

Every request of somebody who has signed in begins with it. Who asks while look-ups are under way goes with
the next one, so that nobody is told what was true before he asked: a session that has ended opens nothing.
"""

from collections.abc import Sequence

from market import clock
from market.accounts.queries import viewers_for
from market.accounts.rules import Viewer
from market.db.gathering import Gatherer


async def viewer_of(token_hash: bytes) -> Viewer | None:
    """Return whom the session of this token (its SHA-256) belongs to; see :func:`viewers_for`.

    Raises:
        Busy: the database does not answer, or too many ask.
    """
    return await _LOOKUPS.ask(token_hash)


async def _look_up(token_hashes: Sequence[bytes], _: bool) -> list[Viewer | None]:
    found = await viewers_for(token_hashes=list(set(token_hashes)), at=clock.now())
    return [found.get(each) for each in token_hashes]


async def _never(token_hashes: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Look-ups do not hinder each other."""
    return [token_hashes]


#: Those of this process.
_LOOKUPS: Gatherer[bytes, Viewer | None] = Gatherer(
    _look_up, part=_never, marks=lambda _: (), most_waiting=5_000, at_once=3
)
