"""What an end by agreement comes to: who agrees has read it, and agrees to nothing else."""

import msgspec

from market.amounts import masses
from market.deals.breach_queries import performed, prepaid_of
from market.deals.breach_rules import residual
from market.errors import Conflict
from market.i18n import msg
from market.units import Fen, Gram, yuan


class Rest(msgspec.Struct, frozen=True):
    """Of a contract: grams that would be free, grams on their way, and the fen that were paid as deposit."""

    free: Gram
    under_way: Gram
    deposit: Fen


class Changed(Conflict):
    """A contract is not as it was read."""


async def rest_of(*, deal_id: int, quantity: int) -> Rest:
    """Return what ending a contract over ``quantity`` grams would come to now."""
    settled, under_way = await performed(deal_id=deal_id)
    free = residual(quantity=quantity, settled=settled, under_way=under_way)
    return Rest(free, Gram(under_way), Fen((await prepaid_of(deal_id=deal_id)).deposit))


async def check_seen(*, deal_id: int, quantity: int, seen: Rest) -> None:
    """Ask back whoever agrees to an end that comes to something else by now. The contract's row is locked.

    Raises: Changed.
    """
    now = await rest_of(deal_id=deal_id, quantity=quantity)
    if now != seen:
        raise Changed(
            msg(
                "合同在您打开以后变了：没交的现在是 {free}，在途 {under_way}，已付定金 {deposit} 元。"
                "请看过再决定。",
                free=masses(now.free),
                under_way=masses(now.under_way),
                deposit=f"{yuan(now.deposit):,.2f}",
            )
        )
