"""A contract that nobody has signed and that rests on a mistake: it goes as if it had never been made."""

from datetime import datetime

from market.accounts.rules import Actor
from market.db.session import fetch
from market.deals import rules
from market.deals.dropping import drop
from market.errors import Conflict
from market.i18n import msg


async def take_back(*, deal_id: int, actor: Actor, at: datetime) -> str:
    """Cancel an unsigned contract in the transaction of whoever wrote down what it rests on.

    Return its number. Goods and demand are free again. The caller has seen whose it is, and tells both
    sides why.

    Raises:
        Conflict: somebody has signed it.
    """
    deal = (
        await fetch(
            """SELECT deal.*, listing.lot FROM deal JOIN listing ON listing.id = deal.listing
               WHERE deal.id = $1 FOR NO KEY UPDATE OF deal""",
            deal_id,
        )
    )[0]
    number = str(deal["number"])
    if deal["state"] == rules.CANCELLED:
        return number
    if deal["state"] != rules.PENDING:
        raise signed(number)
    await drop(deal, side="seller", actor=actor, at=at, details={"because": "correction"})
    return number


def signed(number: str) -> Conflict:
    """What is said where a contract that somebody has signed rests on what is to be changed."""
    return Conflict(
        msg("合同 {number} 已有人签字，洽谈结果不能再改；有出入请到合同页面办理。", number=number)
    )
