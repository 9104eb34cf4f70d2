from piccolo.constraints import Check, Unique
from piccolo.table import Table

from market.db.columns import binary, day, document, flag, moment, number, real, reference, text, texts, whole


class Lot(Table, tablename="lot"):
    """A physical batch, pooled or of one grower."""

    id = number()
    owner = reference("Organisation")
    produce = reference("Produce")
    variety = text(default="")
    #: As ``catalogue.Grade``; higher is better.
    grade = whole(default=0)
    #: Grams put in, less what was lost or made into something else: ``remaining`` and the contracts
    #: that hold add up to it. Only the SQL functions of the stock ledger change it.
    quantity = whole()
    #: Grams that nobody has reserved. Only the SQL functions of the stock ledger write it.
    remaining = whole()
    division = reference("Division", null=True)
    lat = real()
    lon = real()
    credentials = texts()
    harvested_on = day(null=True)
    story = text(default="")
    story_en = text(default="")
    invented = flag(False)
    #: What it was made by; None for what was grown or bought.
    made_by = reference("Transformation", null=True)
    created_at = moment()
    lot_quantity_not_negative = Check(quantity >= 0, name="lot_quantity_not_negative")
    lot_remaining_not_negative = Check(remaining >= 0, name="lot_remaining_not_negative")


class Listing(Table, tablename="listing"):
    """A lot on sale, on terms."""

    id = number()
    lot = reference(Lot)
    #: Denormalised from the lot: the owner filter of every query.
    owner = reference("Organisation")
    title = text()
    title_en = text(default="")
    #: Fen per kg at the farm gate.
    ask = whole()
    #: Grams.
    min_order = whole(default=0)
    available_from = day()
    available_to = day()
    #: Hardship bonus in fen per kg that the town grants in matching.
    priority = whole(default=0)
    state = text(index=True)
    #: As ``rules.WAYS``.
    way = text(default="negotiable")
    #: Which round of bidding it is, from 1 on; 0 where there was none yet.
    round = whole(default=0)
    #: When the round ends; none where there is no round.
    closes_at = moment(null=True)
    #: In open bidding: the closing does not move beyond this, however many bids come late.
    closes_latest = moment(null=True)
    #: When the round ended: the sealed bids were opened, or the open bids served.
    opened_at = moment(null=True)
    #: In open bidding, fen per kg: by so much a bid is higher than the one that it raises or drives out ...
    min_step = whole(default=0)
    #: ... and under this nothing is sold by itself. Only the owner may see it.
    reserve = whole(null=True)
    #: Tokens, pinyin and initials for the search; see ``supply.search``.
    search = text(default="")
    published_at = moment(null=True)
    created_by = reference("Person", null=True)
    created_at = moment()
    listing_ask_positive = Check(ask > 0, name="listing_ask_positive")
    listing_min_order_not_negative = Check(min_order >= 0, name="listing_min_order_not_negative")
    listing_min_step_not_negative = Check(min_step >= 0, name="listing_min_step_not_negative")
    listing_window = Check(available_to >= available_from, name="listing_window")


class Picture(Table, tablename="picture"):
    id = number()
    lot = reference(Lot, part_of=True)
    position = whole()
    #: A photo of the goods, or a drawing that only stands for them.
    illustration = flag(False)
    content_hash = text()
    width = whole()
    height = whole()
    image = binary()
    thumb = binary()
    picture_once = Unique([lot, position], name="picture_once")


class StockEntry(Table, tablename="stock_entry"):
    """The stock ledger. Append-only; its sum is what remains."""

    id = number()
    lot = reference(Lot, checked=False)
    #: As ``rules.STOCK_KINDS``.
    kind = text()
    #: Grams, signed: positive adds to what remains.
    change = whole()
    #: Grams that remained after this entry.
    remaining = whole()
    deal = reference("Deal", null=True)
    at = moment()
    #: Grams, signed, that came to ``storage`` or left it (the owner's hands where none is named); None:
    #: nothing moved.
    moved = whole(null=True)
    storage = reference("Storage", null=True)
    #: As ``rules.CORRECTIONS``; empty where the kind says all.
    reason = text(default="")
    note = text(default="")
    person = reference("Person", null=True, index=False)


class Storage(Table, tablename="storage"):
    """A place of the owner's where goods stand: a tank, a cold store, a shed."""

    id = number()
    owner = reference("Organisation")
    name = text()
    #: As ``rules.STORAGE_KINDS``.
    kind = text()
    #: Grams that it takes.
    capacity = whole()
    #: Grams that stand in it: the sum of the ledger's ``moved``. Only the SQL functions write it.
    held = whole(default=0)
    closed_at = moment(null=True)
    created_at = moment()
    storage_name_once = Unique([owner, name], name="storage_name_once")
    storage_held_not_negative = Check(held >= 0, name="storage_held_not_negative")
    storage_held_within = Check(held <= capacity, name="storage_held_within")


class Holding(Table, tablename="holding"):
    """How much of a lot stands in a storage. Only the SQL functions write it."""

    id = number()
    lot = reference(Lot)
    storage = reference(Storage)
    #: Grams.
    grams = whole()
    holding_once = Unique([lot, storage], name="holding_once")
    holding_not_negative = Check(grams >= 0, name="holding_not_negative")


class Transformation(Table, tablename="transformation"):
    """Goods of one lot made into others: what went in is what came out and what was lost, to the gram."""

    id = number()
    source = reference(Lot)
    #: As ``catalogue.RecipeYield.process``.
    process = text()
    #: Grams that went in.
    grams = whole()
    #: Grams of it that are in no new lot.
    loss = whole()
    person = reference("Person", null=True)
    at = moment()
    transformation_grams_positive = Check(grams > 0, name="transformation_grams_positive")
    transformation_loss_not_negative = Check(loss >= 0, name="transformation_loss_not_negative")


class HouseholdShare(Table, tablename="household_share"):
    """What one household gave to a pooled lot. Names are personal data: for the owner's members alone."""

    id = number()
    lot = reference(Lot)
    position = whole()
    household = text()
    #: Grams.
    grams = whole()
    household_share_once = Unique([lot, position], name="household_share_once")
    household_share_grams_positive = Check(grams > 0, name="household_share_grams_positive")


class ReplacedShares(Table, tablename="replaced_shares"):
    """A list of households that another took the place of. Append-only; for the owner's members alone."""

    id = number()
    lot = reference(Lot)
    #: As ``households.Share``, in their order.
    shares = document()
    #: Why: asked for once money was divided by it.
    reason = text(default="")
    person = reference("Person", null=True)
    replaced_at = moment()


class Settlement(Table, tablename="settlement"):
    """Money that came in for a lot, divided among the households of the lot that was pooled."""

    id = number()
    #: What was sold ...
    lot = reference(Lot)
    #: ... and the pooled lot that it comes from: the same, or what it was made of.
    pool = reference(Lot)
    #: Fen.
    amount = whole()
    received_on = day()
    deal = reference("Deal", null=True)
    note = text(default="")
    person = reference("Person", null=True)
    cancelled_at = moment(null=True)
    created_at = moment()
    settlement_amount_positive = Check(amount > 0, name="settlement_amount_positive")


class SettlementLine(Table, tablename="settlement_line"):
    """What one household gets; names and grams as they were when the money was divided."""

    id = number()
    settlement = reference(Settlement, part_of=True)
    position = whole()
    household = text()
    #: Grams.
    grams = whole()
    #: Fen.
    amount = whole()
    settlement_line_once = Unique([settlement, position], name="settlement_line_once")
    settlement_line_not_negative = Check(amount >= 0, name="settlement_line_not_negative")
