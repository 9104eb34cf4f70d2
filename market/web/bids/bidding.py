"""The form of a bid, and everything that can be wrong with one."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID, uuid4

from market import clock
from market.accounts.rules import Viewer
from market.bids import rules
from market.bids.meant import slip_in
from market.bids.queries import BidRow
from market.demand.queries import OwnDemand, demands_of
from market.demand.rules import PUBLISHED
from market.errors import Invalid
from market.i18n import Message, in_both, msg
from market.supply.queries import ListingDetails
from market.units import MOST_FEN_PER_KG, FenPerKg, Gram
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.trade import KEY

LONGEST_NOTE = 300
#: The bid stands for itself.
NO_DEMAND = "0"


def bid_form(demands: Sequence[OwnDemand], *, today: date) -> Form:
    """Return the form of a bid; ``demands`` are those that it may be counted towards."""
    return Form(
        key=fields.hidden(UUID),
        quantity=fields.quantity(msg("要多少")),
        price=fields.price(msg("出价（地头价，不含运费）")),
        deliver_from=fields.day(msg("最早交货"), earliest=today),
        deliver_to=fields.day(msg("最晚交货"), earliest=today),
        demand_id=fields.choice(
            msg("算在哪条采购需求上"),
            {
                **{str(each.demand_id): in_both(each.title, each.title_en) for each in demands},
                NO_DEMAND: msg("不算在哪条需求上"),
            },
            optional=not demands,
            default=NO_DEMAND,
        ),
        note=fields.text(
            msg("给卖方的话"), most=LONGEST_NOTE, lines=True, optional=True, hint=msg("包装、送货、结算等。")
        ),
        sure=fields.tick(msg("价格没有写错，就按这个数出价")),
    )


def blank_bid(listing: ListingDetails, demands: Sequence[OwnDemand], *, today: date) -> Filled:
    """Return the form as it stands at first: at the asking price, in the lot's window, and as much as
    is left and the first demand still needs."""
    most = min([listing.remaining, *(each.open for each in demands[:1])])
    return bid_form(demands, today=today).blank(
        key=str(uuid4()),
        quantity=Gram(most),
        price=FenPerKg(listing.ask),
        deliver_from=max(today, listing.available_from),
        deliver_to=listing.available_to,
        demand_id=str(demands[0].demand_id) if demands else NO_DEMAND,
    )


def counter_form(*, today: date) -> Form:
    """Return the form of a counter, which has every term of a bid but the demand."""
    return Form(
        key=KEY,
        quantity=fields.quantity(msg("数量改为")),
        price=fields.price(msg("单价改为（地头价，不含运费）")),
        least=fields.quantity(
            msg("最少接受"), optional=True, hint=msg("对方可以只接受一部分，但不少于这个数；不填就是整批。")
        ),
        deliver_from=fields.day(msg("最早交货"), earliest=today),
        deliver_to=fields.day(msg("最晚交货"), earliest=today),
        word=fields.text(msg("给对方的话"), most=LONGEST_NOTE, lines=True, optional=True),
        sure=fields.tick(msg("价格没有写错，就按这个数还价")),
    )


def blank_counter(bid: BidRow, *, today: date) -> Filled:
    """Return the form of a counter as it stands at first: with the terms that it answers."""
    return counter_form(today=today).blank(
        key=str(uuid4()),
        quantity=Gram(bid.quantity),
        price=FenPerKg(bid.price),
        deliver_from=max(today, bid.deliver_from),
        deliver_to=max(today, bid.deliver_to),
        least=None if bid.least is None else Gram(bid.least),
    )


async def demands_for(viewer: Viewer, listing: ListingDetails) -> list[OwnDemand]:
    """Return the viewer's open demands for what the listing sells, those left out that need no more."""
    return [
        each
        for each in await demands_of(viewer.organisation_id)
        if each.state == PUBLISHED and each.produce == listing.produce and each.open > 0
    ]


def bid_problems(values: Mapping[str, Any], listing: ListingDetails) -> dict[str, Message]:
    """Return everything that is wrong at once; the operation stops at the first."""
    found: dict[str, Message] = {}
    checks: tuple[Callable[[], None], ...] = (
        lambda: rules.check_quantity(
            quantity=values["quantity"],
            remaining=Gram(listing.remaining),
            min_order=Gram(listing.min_order),
        ),
        lambda: rules.check_price(values["price"], most=MOST_FEN_PER_KG),
        lambda: rules.check_window(
            start=values["deliver_from"],
            end=values["deliver_to"],
            first=listing.available_from,
            last=listing.available_to,
            today=clock.today(),
        ),
    )
    for check in checks:
        try:
            check()
        except Invalid as wrong:
            found |= wrong.fields
        except KeyError:  # a field of it could not be read, which is told already
            continue
    price = values.get("price")
    if price is not None and "price" not in found and not values.get("sure"):
        odd = slip_in(price, asked=listing.ask)
        if odd:
            found["price"] = odd
    return found
