"""Money that has come in under a lot's contracts, and how much of it is still to be divided."""

import msgspec

from market.db.session import fetch_into
from market.supply.rules import MOST_DEPOSIT


class DealMoney(msgspec.Struct, frozen=True):
    """A contract on a lot with the buyer's money, in fen."""

    id: int
    number: str
    state: str
    #: What the buyer has paid: deposit, advance and goods.
    received: int
    #: Part of it that the buyer has back: paid beyond the final price of a contract that is over.
    to_return: int
    #: Divided among households already; settlements that were cancelled do not count.
    settled: int

    @property
    def left(self) -> int:
        """What can still be divided."""
        return max(0, self.received - self.to_return - self.settled)


# Over is a contract that is completed, or terminated with nothing under way. Of a deposit only what goods
# have not used up stays with the seller: where both agreed so when they ended the contract, whatever a case
# says; else where the buyer's breach was found, up to a fifth of the price: more is none by the law. Without
# either nobody divides what may have to go back.
_MONEY = f"""
SELECT deal.id, deal.number, deal.state, standing.paid AS received,
       (CASE WHEN deal.state = 'completed'
               OR (deal.state = 'terminated' AND standing.grams <= standing.taken + standing.lost)
             THEN greatest(0, standing.paid - standing.invoiced
                  - CASE WHEN deal.ended_how = 'agreement'
                  THEN coalesce((SELECT deposit.unused FROM contract_ending ending
                                 WHERE ending.deal = deal.id AND ending.state = 'agreed'
                                   AND ending.deposit = 'kept'), 0)
                  WHEN deal.state = 'terminated' AND EXISTS (
                      SELECT FROM breach WHERE breach.deal = deal.id AND breach.respondent = deal.buyer
                        AND breach.state = 'confirmed')
                  THEN coalesce(floor(deposit.unused::numeric
                         * least(deposit.paid, (deal.quantity * greatest(deal.price, standing.price) + 500)
                                               / 1000 * {MOST_DEPOSIT} / 10000)
                         / nullif(deposit.paid, 0)), 0)
                  ELSE 0 END)
             ELSE 0 END)::bigint AS to_return,
       coalesce((SELECT sum(amount) FROM settlement
                 WHERE settlement.deal = deal.id AND cancelled_at IS NULL), 0)::bigint AS settled
FROM deal JOIN deal_standing standing ON standing.deal = deal.id
CROSS JOIN LATERAL (SELECT coalesce(sum(payment.paid), 0)::bigint AS paid,
                           greatest(0, coalesce(sum(payment.paid), 0)
                             - (SELECT coalesce(sum(credit), 0) FROM delivery WHERE delivery.deal = deal.id)
                           )::bigint AS unused
                    FROM payment WHERE payment.deal = deal.id AND payment.kind = 'deposit') deposit
JOIN listing ON listing.id = deal.listing
WHERE listing.lot = $1 AND listing.owner = $2
"""  # noqa: S608  a number of ours; values are parameters


async def money_of(lot_id: int, owner: int) -> list[DealMoney]:
    """Return a lot's contracts, whatever their state, that money came in for or was divided of."""
    return await fetch_into(
        DealMoney,
        f"SELECT * FROM ({_MONEY}) money WHERE received > 0 OR settled > 0 ORDER BY id",  # noqa: S608  words of ours; values are parameters
        lot_id,
        owner,
    )


async def money_under(deal_id: int, *, lot_id: int, owner: int) -> DealMoney | None:
    """Return the money of one contract of a lot; None: there is no such contract on it."""
    found = await fetch_into(DealMoney, _MONEY + " AND deal.id = $3", lot_id, owner, deal_id)
    return found[0] if found else None
