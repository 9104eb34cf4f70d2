"""What became of the goods after the deals. Private to this room."""

from piccolo.constraints import Check
from piccolo.table import Table

from market.accounts.tables import Site
from market.catalogue.tables import Produce
from market.db.columns import day, moment, number, reference, text, whole


class ShelfSpell(Table, tablename="shelf_spell"):
    """A seller's product on the shelf of one store, from a day on until it is gone. One is open at most."""

    id = number()
    site = reference(Site)
    seller = reference("Organisation")
    produce = reference(Produce)
    #: Brand and packing as the shelf shows them.
    label = text(default="")
    #: Fen per kg that shoppers pay, where somebody wrote it down.
    price = whole(null=True)
    since = day()
    gone_on = day(null=True)
    #: The newest sighting: its day, and whose it was.
    seen_on = day()
    seen_by = reference("Organisation")
    created_at = moment()


class ShelfSighting(Table, tablename="shelf_sighting"):
    """Somebody saw the product there, or saw that it is gone. Append-only."""

    id = number()
    spell = reference(ShelfSpell)
    #: One of ``shelf_rules.SIGHTINGS``.
    kind = text()
    on = day()
    #: Fen per kg on the shelf.
    price = whole(null=True)
    note = text(default="")
    organisation = reference("Organisation")
    person = reference("Person", null=True)
    created_at = moment()


class CapacityEntry(Table, tablename="capacity_entry"):
    """What an organisation has to work with, from a day on. The newest of a day counts. Append-only."""

    id = number()
    organisation = reference("Organisation")
    #: One of ``capacity_rules.KINDS``.
    kind = text()
    on = day()
    #: How many of them ...
    units = whole()
    #: ... and the grams that each takes.
    grams = whole()
    note = text(default="")
    person = reference("Person", null=True)
    created_at = moment()
    capacity_entry_units = Check(units >= 0, name="capacity_entry_units")
    capacity_entry_grams = Check(grams > 0, name="capacity_entry_grams")


class PriceQuote(Table, tablename="price_quote"):
    """A price of the market's that one side of a breach wrote down, with where and when. Append-only."""

    id = number()
    breach = reference("Breach")
    on = day()
    #: Fen per kg.
    price = whole()
    #: Where it was read: a market, a bid that was made, a buyer that was asked.
    source = text()
    organisation = reference("Organisation")
    person = reference("Person", null=True)
    created_at = moment()
    price_quote_positive = Check(price > 0, name="price_quote_positive")
