"""Whether a load came in the contract's time: one rule for the contract's page and for what is counted.

Where the buyer bears the freight the goods are handed over at the farm gate, on the day they leave: a buyer
who notes the arrival late makes no seller late. Where the seller bears it, they are handed over on arrival.
"""

from datetime import date, datetime
from typing import Literal

from market.clock import CHINA

#: The rule as SQL: the day on which a load (``delivery`` under ``deal``) was handed over. Terms that nobody
#: has written down are the usual ones: the buyer bears the freight.
HANDED_OVER = """(CASE (SELECT terms ->> 'freight' FROM contract_terms
                        WHERE contract_terms.deal = deal.id AND state = 'agreed'
                        ORDER BY version DESC LIMIT 1)
                  WHEN 'seller' THEN coalesce(delivery.arrived_at, delivery.dispatched_at)
                  ELSE coalesce(delivery.dispatched_at, delivery.arrived_at) END
                  AT TIME ZONE 'Asia/Shanghai')::date"""


def out_of_time(
    *,
    freight: Literal["buyer", "seller"],
    window: tuple[date, date],
    scheduled_on: date,
    dispatched_at: datetime | None,
    arrived_at: datetime | None,
) -> Literal["early", "late"] | None:
    """Return how a load is outside of the contract's time, its first and last day; None where it is not.

    What is not handed over yet goes by the day it left, or is to leave: late it is already by that, but what
    the seller brings may well leave before the first day.
    """
    first, last = window
    steps = (arrived_at, dispatched_at) if freight == "seller" else (dispatched_at, arrived_at)
    on = next((each.astimezone(CHINA).date() for each in steps if each is not None), scheduled_on)
    if on > last:
        return "late"
    is_under_way = freight == "seller" and arrived_at is None
    return "early" if on < first and not is_under_way else None
