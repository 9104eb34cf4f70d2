from piccolo.constraints import Check, Unique
from piccolo.table import Table

from market.db.columns import day, moment, number, reference, text, whole
from market.demand.tables import Demand
from market.supply.tables import Listing


class Deal(Table, tablename="deal"):
    """A binding purchase contract. Its stock is reserved in the transaction that made it."""

    id = number()
    #: 购销合同 number, e.g. TT-20261123-0007.
    number = text(unique=True)
    listing = reference(Listing)
    demand = reference(Demand, null=True)
    seller = reference("Organisation")
    buyer = reference("Organisation")
    #: Grams.
    quantity = whole()
    #: Fen per kg at the farm gate.
    price = whole()
    #: bid, match or appointment: what it came from ...
    source = text()
    #: ... and its number there. A source makes one deal at most.
    source_id = whole()
    state = text(index=True)
    deliver_from = day()
    deliver_to = day()
    seller_signed_at = moment(null=True)
    seller_signed_by = reference("Person", null=True)
    buyer_signed_at = moment(null=True)
    buyer_signed_by = reference("Person", null=True)
    created_at = moment()
    deal_source_once = Unique([source, source_id], name="deal_source_once")
    deal_quantity_positive = Check(quantity > 0, name="deal_quantity_positive")
    deal_price_positive = Check(price > 0, name="deal_price_positive")


class Delivery(Table, tablename="delivery"):
    id = number()
    deal = reference(Deal)
    #: Grams sent.
    quantity = whole()
    #: Grams that the buyer took.
    accepted = whole(null=True)
    state = text()
    reason = reference("Reason", null=True)
    scheduled_on = day()
    arrived_at = moment(null=True)
    delivery_quantity_positive = Check(quantity > 0, name="delivery_quantity_positive")


class Payment(Table, tablename="payment"):
    id = number()
    deal = reference(Deal)
    #: Fen.
    amount = whole()
    state = text()
    due_on = day()
    paid_on = day(null=True)
    payment_amount_positive = Check(amount > 0, name="payment_amount_positive")
