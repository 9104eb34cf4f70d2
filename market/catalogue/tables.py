"""Reference data. Loaded from seeds/ through ``operations``."""

from piccolo.constraints import Check
from piccolo.table import Table

from market.db.columns import code, day, flag, number, real, reference, text, texts, whole


class Category(Table, tablename="category"):
    code = code()
    zh = text()
    en = text()
    position = whole()


class Produce(Table, tablename="produce"):
    code = code()
    category = reference(Category)
    zh = text()
    en = text()
    aliases = texts()
    #: Full pinyin of the name and every alias, e.g. ``huashengyou``.
    pinyin = texts()
    #: First letters, e.g. ``hsy``.
    initials = texts()
    shelf_life_days = whole(null=True)
    usual_units = texts()
    made_from = reference("Produce", null=True)
    #: The usual farm-gate band in fen per kg. Outside ten times of it a form asks back.
    price_low = whole(null=True)
    price_high = whole(null=True)
    #: Falls under the 承诺达标合格证 rule.
    certificate_required = flag(False)


class Division(Table, tablename="division"):
    code = code()
    #: province, prefecture, county, township or village.
    level = text(index=True)
    name = text(index=True)
    parent = reference("Division", null=True)
    #: Names from the province down, joined by `` / ``: village names repeat.
    path = text()
    lat = real(null=True)
    lon = real(null=True)


class ShelfRule(Table, tablename="shelf_rule"):
    code = code()
    applies_to = texts()
    effect = text()
    valid_from = day(null=True)
    valid_to = day(null=True)
    zh = text()
    en = text()
    source = text()
    #: ``read`` in a source or from ``memory``.
    sureness = text()


class CredentialKind(Table, tablename="credential_kind"):
    code = code()
    zh = text()
    en = text()


class CredentialRoute(Table, tablename="credential_route"):
    """One way to a credential: by oneself, through a licensed mill, or round it."""

    code = code()
    credential = reference(CredentialKind)
    position = whole()
    zh = text()
    en = text()
    #: Days from applying to having it, usually.
    days_low = whole()
    days_high = whole()
    source = text()
    #: ``read`` in a source or from ``memory``.
    sureness = text()


class Grade(Table, tablename="grade"):
    id = number()
    #: Higher is better; 0 is ungraded.
    level = whole()
    zh = text()
    en = text()


class Reason(Table, tablename="reason"):
    """Why something was refused, in a form that can be counted."""

    code = code()
    zh = text()
    en = text()
    position = whole()
    #: Steps that offer it, codes of ``rules.REASON_USES``; none: all of them.
    uses = texts()


class RecipeYield(Table, tablename="recipe_yield"):
    """What one part of what a process takes in becomes, in parts of a thousand of it, with bounds."""

    code = code()
    #: The process, e.g. ``pressing``; its rows have its names and its raw material in common.
    process = text(index=True)
    zh = text()
    en = text()
    takes = reference(Produce)
    #: What it gives; None: what is lost on the way.
    gives = reference(Produce, null=True)
    #: Thousandths of what goes in.
    low = whole()
    high = whole()
    position = whole()
    source = text()
    #: ``read`` in a source or from ``memory``.
    sureness = text()
    recipe_yield_bounds = Check((low >= 0) & (high >= low) & (high <= 1000), name="recipe_yield_bounds")
