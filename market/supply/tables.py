from piccolo.constraints import Check, Unique
from piccolo.table import Table

from market.db.columns import binary, day, flag, moment, number, real, reference, text, texts, whole


class Lot(Table, tablename="lot"):
    """A physical batch, pooled or of one grower."""

    id = number()
    owner = reference("Organisation")
    produce = reference("Produce")
    variety = text(default="")
    #: As ``catalogue.Grade``; higher is better.
    grade = whole(default=0)
    #: Grams put in.
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
    created_at = moment()
    lot_quantity_positive = Check(quantity > 0, name="lot_quantity_positive")
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
    #: Tokens, pinyin and initials for the search; see ``supply.search``.
    search = text(default="")
    published_at = moment(null=True)
    created_by = reference("Person", null=True)
    created_at = moment()
    listing_ask_positive = Check(ask > 0, name="listing_ask_positive")
    listing_min_order_not_negative = Check(min_order >= 0, name="listing_min_order_not_negative")
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
    lot = reference(Lot)
    #: in, reserved, released, out or lost.
    kind = text()
    #: Grams, signed: positive adds to what remains.
    change = whole()
    #: Grams that remained after this entry.
    remaining = whole()
    deal = reference("Deal", null=True)
    at = moment()
