"""Words or a picture that one side puts to a case of breach or to a force majeure: kept and read alike."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from market.accounts.rules import Actor
from market.db.session import fetch_one_into, fetch_value
from market.errors import NotFound
from market.i18n import msg

#: What pieces are put to -> the table that keeps them.
_TABLES = {"breach": "breach_evidence", "ending": "ending_proof"}


class Piece(msgspec.Struct, frozen=True):
    """Words, and a picture (WebP) with its hash where there is one."""

    words: str
    image: bytes | None = None
    content_hash: str = ""


class PieceRow(msgspec.Struct, frozen=True):
    id: int
    organisation: int
    organisation_name: str
    organisation_name_en: str
    words: str
    #: "" where it has no picture; ``is_gone``: it was kept as long as it has to be.
    content_hash: str
    is_gone: bool
    created_at: datetime


#: The columns of a :class:`PieceRow`, of a ``piece`` and the ``organisation`` that put it there.
COLUMNS = """piece.id, piece.organisation, organisation.name AS organisation_name,
       organisation.name_en AS organisation_name_en, piece.words, piece.content_hash,
       piece.content_hash <> '' AND piece.image IS NULL AS is_gone, piece.created_at"""


async def keep(
    *, about: str, number: int, piece: Piece, organisation_id: int, actor: Actor, at: datetime
) -> int:
    """Keep a piece that is put to a ``breach`` or an ``ending``; return its own number."""
    return int(
        await fetch_value(
            f"""INSERT INTO {_TABLES[about]} ({about}, organisation, person, words, content_hash, image,
                                              created_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id""",  # noqa: S608  one of two words of ours
            *(number, organisation_id, actor.person_id, piece.words, piece.content_hash, piece.image, at),
        )
    )


async def count_of(*, about: str, number: int) -> int:
    """Return how many pieces were put to a ``breach`` or an ``ending``."""
    count = await fetch_value(
        f"SELECT count(*) FROM {_TABLES[about]} WHERE {about} = $1",  # noqa: S608  one of two words of ours
        number,
    )
    return int(count)


class _Image(msgspec.Struct, frozen=True):
    image: bytes


async def picture_of(*, about: str, numbers: Sequence[int], piece_id: int) -> bytes:
    """Return the picture (WebP) of a piece that was put to one of these breaches or endings.

    Raises:
        NotFound: that piece has none.
    """
    found = await fetch_one_into(
        _Image,
        f"""SELECT image FROM {_TABLES[about]}
            WHERE {about} = ANY($1::bigint[]) AND id = $2 AND image IS NOT NULL""",  # noqa: S608  as above
        list(numbers),
        piece_id,
    )
    if found is None:
        raise NotFound(msg("没有找到这张图片。"))
    return found.image
