"""Bound papers as their pages show them."""

from datetime import datetime

import msgspec

from market.db.session import fetch_into, fetch_one_into
from market.errors import NotFound
from market.i18n import Message, msg


class BundleRow(msgspec.Struct, frozen=True):
    """A file of papers, ready or being made. ``size`` in bytes, None until it is ready."""

    id: int
    meeting: int
    form: str
    kinds: list[str]
    total: int
    done: int
    size: int | None
    trouble: Message | None
    created_at: datetime
    finished_at: datetime | None


class BundleFile(msgspec.Struct, frozen=True):
    form: str
    kinds: list[str]
    content: bytes


async def bundles_of(*, meeting_id: int, since: datetime) -> list[BundleRow]:
    """Return the files of a meeting that were asked for since then, the newest first."""
    return await fetch_into(
        BundleRow,
        """SELECT id, meeting, form, kinds, total, done, length(content) AS size, trouble, created_at,
                  finished_at
           FROM bundle WHERE meeting = $1 AND created_at >= $2 ORDER BY id DESC LIMIT 5""",
        meeting_id,
        since,
    )


async def bundle_file(*, bundle_id: int, town_id: int) -> BundleFile:
    """Return a file that is ready to the town that holds its meeting.

    Raises:
        NotFound: there is none, it is not yours, or it is not ready.
    """
    found = await fetch_one_into(
        BundleFile,
        """SELECT bundle.form, bundle.kinds, bundle.content FROM bundle
           JOIN meeting ON meeting.id = bundle.meeting
           WHERE bundle.id = $1 AND meeting.town = $2 AND bundle.content IS NOT NULL""",
        bundle_id,
        town_id,
    )
    if found is None:
        raise NotFound(msg("没有找到这份文件，它可能已过期；请到文件中心重新生成。"))
    return found
