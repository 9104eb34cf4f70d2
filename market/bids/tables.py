from piccolo.constraints import Check, Unique
from piccolo.table import Table

from market.db.columns import day, moment, number, reference, text, whole
from market.deals.tables import Deal
from market.demand.tables import Demand
from market.supply.tables import Listing


class Bid(Table, tablename="bid"):
    """A turn of a negotiation over a part of a listing. Its terms never change; a counter is a new row.

    One mechanism for both directions: a buyer's bid answers a listing, a seller's offer answers a demand.
    """

    id = number()
    #: What the first turn answered: a listing (出价) or a demand (报价).
    answers = text(default="listing")
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
    #: Grams that the other side may accept at least, where it may accept a part; else none.
    least = whole(null=True)
    #: Fen per kg at the farm gate.
    price = whole()
    deliver_from = day()
    deliver_to = day()
    note = text(default="")
    state = text(index=True)
    reason = reference("Reason", null=True, index=False)
    reason_note = text(default="")
    deal = reference(Deal, null=True, index=False)
    created_by = reference("Person", null=True, index=False)
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
    #: As ``Listing.round``.
    round = whole(default=1)
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
    #: One that stands per buyer and round: to change it is to take it back and bid anew.
    sealed_bid_once = Unique(
        [listing, round, buyer, withdrawn_at], name="sealed_bid_once", nulls_distinct=False
    )


class OpenBid(Table, tablename="open_bid"):
    """A bid in open bidding, for all to see but its author's name. A raise is a new row.

    It lies apart from the bids, which wait for somebody's answer: this one waits for the closing.
    """

    id = number()
    listing = reference(Listing)
    #: As ``Listing.round``.
    round = whole()
    #: What the bidder is known by to the others: 1, 2, ... in the order of first bids in the round.
    paddle = whole()
    demand = reference(Demand, null=True)
    buyer = reference("Organisation")
    #: Grams that are wanted ...
    quantity = whole()
    #: ... and under which the bidder takes none.
    least = whole(default=0)
    #: Fen per kg at the farm gate.
    price = whole()
    deliver_from = day()
    deliver_to = day()
    note = text(default="")
    state = text()
    #: When its author asked the seller to be let go.
    release_asked_at = moment(null=True)
    #: What it became at the closing.
    bid = reference(Bid, null=True)
    created_by = reference("Person", null=True)
    created_at = moment()
    open_bid_quantity_positive = Check(quantity > 0, name="open_bid_quantity_positive")
    open_bid_least_within = Check((least >= 0) & (least <= quantity), name="open_bid_least_within")
    open_bid_price_positive = Check(price > 0, name="open_bid_price_positive")
    open_bid_window = Check(deliver_to >= deliver_from, name="open_bid_window")


class JointOffer(Table, tablename="joint_offer"):
    """拼货: what several sellers offer on one demand together, led by one of them."""

    id = number()
    #: The number of the joint delivery, e.g. PH-20261129-0007, under which each seller has a contract.
    number = text(unique=True)
    demand = reference(Demand)
    lead = reference("Organisation")
    #: Fen per kg at the farm gate for everybody; none where each share has its own.
    price = whole(null=True)
    #: Grams that the buyer may accept at least; none: all or nothing.
    least = whole(null=True)
    deliver_from = day()
    deliver_to = day()
    note = text(default="")
    state = text(index=True)
    reason = reference("Reason", null=True)
    reason_note = text(default="")
    #: Grams that the buyer has taken.
    accepted = whole(null=True)
    created_by = reference("Person", null=True)
    created_at = moment()
    #: Until when whoever is to act must act.
    expires_at = moment()
    joint_offer_window = Check(deliver_to >= deliver_from, name="joint_offer_window")


class JointShare(Table, tablename="joint_share"):
    """One seller's part of a joint offer. It counts only when that seller has confirmed it."""

    id = number()
    joint = reference(JointOffer, part_of=True)
    seller = reference("Organisation")
    listing = reference(Listing)
    #: Grams.
    quantity = whole()
    #: Fen per kg at the farm gate.
    price = whole()
    state = text()
    confirmed_at = moment(null=True)
    confirmed_by = reference("Person", null=True)
    deal = reference(Deal, null=True)
    created_at = moment()
    #: Why its seller declined it, or the lead left it out.
    reason = reference("Reason", null=True)
    reason_note = text(default="")
    joint_share_quantity_positive = Check(quantity > 0, name="joint_share_quantity_positive")
    joint_share_price_positive = Check(price > 0, name="joint_share_price_positive")
    joint_share_once = Unique([joint, seller], name="joint_share_once")
