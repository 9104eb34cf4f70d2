"""Money that came in under contracts, for goods and beforehand: each counted once, and beside its like."""

from collections.abc import Sequence

import msgspec

from market.db.session import fetch_into

#: Sums over payments, as the columns of ``Received``.
SUMS = """coalesce(sum(paid) FILTER (WHERE kind = 'goods'), 0)::bigint AS goods,
          coalesce(sum(amount) FILTER (WHERE kind = 'goods'), 0)::bigint AS goods_due,
          coalesce(sum(paid) FILTER (WHERE kind <> 'goods'), 0)::bigint AS beforehand"""


class Received(msgspec.Struct, frozen=True):
    """Fen. ``goods`` is the part of ``goods_due`` that is paid: goods that a deposit or an advance has
    covered are in neither. ``beforehand`` are deposits and advances that are paid.
    """

    goods: int
    goods_due: int
    beforehand: int

    @property
    def total(self) -> int:
        return self.goods + self.beforehand


async def received_by(*, organisation_id: int) -> Received:
    """Return what came in under all contracts of an organisation, or of its sellers where it is a town."""
    rows = await fetch_into(
        Received,
        f"""SELECT {SUMS} FROM payment WHERE deal IN (
              SELECT deal.id FROM deal JOIN organisation seller ON seller.id = deal.seller
              WHERE $1 IN (deal.seller, deal.buyer, seller.town))""",  # noqa: S608  words of ours; values are parameters
        organisation_id,
    )
    return rows[0]


async def received_under(deal_ids: Sequence[int]) -> Received:
    """Return what came in under some contracts together."""
    rows = await fetch_into(
        Received,
        f"SELECT {SUMS} FROM payment WHERE deal = ANY($1::bigint[])",  # noqa: S608  words of ours; values are parameters
        list(deal_ids),
    )
    return rows[0]
