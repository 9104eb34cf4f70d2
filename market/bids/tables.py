from piccolo.constraints import Check, Unique
from piccolo.table import Table

from market.db.columns import day, moment, number, reference, text, whole
from market.deals.tables import Deal
from market.demand.tables import Demand
from market.supply.tables import Listing


class Bid(Table, tablename="bid"):
    """What a buyer offers for a part of a listing. Its terms never change; a counter is a new row."""

    id = number()
    #: The turn that this one answers; none where it opens the negotiation.
    parent = reference("Bid", null=True, index=False)
    #: The side that made this turn: buyer or seller.
    author = text(default="buyer")
    #: The side whose turn it is, or was when the turn ended.
    awaiting = text(default="seller")
    listing = reference(Listing)
    demand = reference(Demand, null=True)
    buyer = reference("Organisation")
    #: Grams.
    quantity = whole()
    #: Fen per kg at the farm gate.
    price = whole()
    deliver_from = day()
    deliver_to = day()
    note = text(default="")
    state = text(index=True)
    reason = reference("Reason", null=True)
    reason_note = text(default="")
    deal = reference(Deal, null=True)
    created_by = reference("Person", null=True)
    created_at = moment()
    expires_at = moment()
    bid_quantity_positive = Check(quantity > 0, name="bid_quantity_positive")
    bid_price_positive = Check(price > 0, name="bid_price_positive")
    bid_window = Check(deliver_to >= deliver_from, name="bid_window")
    bid_answered_once = Unique([parent], name="bid_answered_once")


class SealedBid(Table, tablename="sealed_bid"):
    """A bid that nobody but its author may learn of until the round closes.

    It lies apart from the bids, so that no list, count, export or run can meet it; and it is known by its
    mark, for numbers in a row would tell how many others there are.
    """

    id = number()
    mark = text(unique=True)
    listing = reference(Listing)
    demand = reference(Demand, null=True)
    buyer = reference("Organisation")
    #: Grams.
    quantity = whole()
    #: Fen per kg at the farm gate.
    price = whole()
    deliver_from = day()
    deliver_to = day()
    note = text(default="")
    state = text()
    #: What it became when it was opened.
    bid = reference(Bid, null=True)
    created_by = reference("Person", null=True)
    created_at = moment()
    withdrawn_at = moment(null=True)
    sealed_bid_quantity_positive = Check(quantity > 0, name="sealed_bid_quantity_positive")
    sealed_bid_price_positive = Check(price > 0, name="sealed_bid_price_positive")
    sealed_bid_window = Check(deliver_to >= deliver_from, name="sealed_bid_window")
    #: One that stands per buyer: to change it is to take it back and bid anew.
    sealed_bid_once = Unique([listing, buyer, withdrawn_at], name="sealed_bid_once", nulls_distinct=False)
