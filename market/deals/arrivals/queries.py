from datetime import date, datetime

import msgspec

from market.db.session import fetch_into, fetch_one_into
from market.errors import NotFound
from market.i18n import msg


class ArrivalRow(msgspec.Struct, frozen=True):
    """The seller's word that a load came on the day ``on``, and what the buyer says of it.

    ``note`` is the seller's word, ``answer`` the buyer's where it denies it.
    """

    id: int
    deal: int
    delivery: int
    on: date
    note: str
    state: str
    file_name: str
    media_type: str
    content_hash: str
    has_file: bool
    created_at: datetime
    answered_at: datetime | None
    answer: str


async def arrivals_of(*, deal_id: int) -> list[ArrivalRow]:
    """Return what the seller has said of arrivals under a contract. Whose it is, the caller knows."""
    return await fetch_into(
        ArrivalRow,
        """SELECT arrival.id, delivery.deal, arrival.delivery, arrival."on", arrival.note, arrival.state,
                  arrival.file_name, arrival.media_type, arrival.content_hash,
                  arrival.content IS NOT NULL AS has_file, arrival.created_at, arrival.answered_at,
                  arrival.answer
           FROM arrival JOIN delivery ON delivery.id = arrival.delivery
           WHERE delivery.deal = $1 ORDER BY arrival.id""",
        deal_id,
    )


class ArrivalContent(msgspec.Struct, frozen=True):
    name: str
    media_type: str
    content_hash: str
    content: bytes


async def arrival_content(*, deal_id: int, arrival_id: int) -> ArrivalContent:
    """Return the paper of a stated arrival. That the contract is the reader's to see, the caller knows.

    Raises:
        NotFound: there is none, or its period is over.
    """
    found = await fetch_one_into(
        ArrivalContent,
        """SELECT arrival.file_name AS name, arrival.media_type, arrival.content_hash, arrival.content
           FROM arrival JOIN delivery ON delivery.id = arrival.delivery
           WHERE arrival.id = $2 AND delivery.deal = $1 AND arrival.content IS NOT NULL""",
        deal_id,
        arrival_id,
    )
    if found is None:
        raise NotFound(msg("没有找到这张签收单，或者已过保存期。"))
    return found
