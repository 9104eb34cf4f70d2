from piccolo.constraints import Check
from piccolo.table import Table

from market.db.columns import day, flag, moment, number, real, reference, text, texts, whole


class Demand(Table, tablename="demand"):
    id = number()
    buyer = reference("Organisation")
    site = reference("Site", null=True)
    produce = reference("Produce")
    title = text()
    title_en = text(default="")
    min_grade = whole(default=0)
    #: Grams wanted in all.
    quantity = whole()
    #: Grams still to be bought; deals lower it in their own transaction.
    open = whole()
    #: Fen per kg, delivered.
    ceiling = whole()
    lat = real()
    lon = real()
    deliver_from = day()
    deliver_to = day()
    #: Grams.
    min_order = whole(default=0)
    max_lots = whole(null=True)
    requires = texts()
    max_distance_km = whole(null=True)
    note = text(default="")
    note_en = text(default="")
    state = text(index=True)
    invented = flag(False)
    created_by = reference("Person", null=True)
    created_at = moment()
    demand_quantity_positive = Check(quantity > 0, name="demand_quantity_positive")
    demand_open_not_negative = Check(open >= 0, name="demand_open_not_negative")
    demand_ceiling_positive = Check(ceiling > 0, name="demand_ceiling_positive")
    demand_window = Check(deliver_to >= deliver_from, name="demand_window")
