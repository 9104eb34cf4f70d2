"""Reference data: produce, divisions, coordinates, rules of the shelf, credentials, grades, reasons.

Only reads; ``market`` loads what is returned here through its operations. Where the facts come from
and how sure they are stands in seeds/README.md.
"""

from datetime import date
from functools import cache
from typing import Literal

import msgspec

from market.catalogue.names import Readings, spellings
from market.units import FEN_PER_YUAN
from seeds.files import HERE, SeedError, read_rows

FOLDER = HERE / "reference"
Sureness = Literal["read", "memory"]
Level = Literal["province", "prefecture", "county", "township", "village"]


class Category(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    zh: str
    en: str
    #: Whether the 承诺达标合格证 is named for it; ``unsure`` where the sources leave it open.
    promise_certificate: Literal["yes", "no", "unsure"]


class Produce(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of produce. Its names (``zh`` and ``aliases``) belong to no other kind."""

    code: str
    zh: str
    en: str
    category: str
    shelf_life_days: int
    usual_units: tuple[str, ...]
    #: Usual farm-gate band in yuan per kg, indicative: it only serves to ask back at a slip.
    price_low: float
    price_high: float
    aliases: tuple[str, ...] = ()
    #: Months in which it is harvested, ``9-11`` or across the new year ``12-5``; empty: all year.
    season: str = ""
    #: The kind that it is made from, as peanut oil from peanut kernels.
    made_from: str | None = None
    #: Product standard, where known.
    standard: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.zh, *self.aliases)

    @property
    def months(self) -> tuple[int, ...]:
        """The months of the season from its first to its last; all twelve where none is given."""
        if not self.season:
            return tuple(range(1, 13))
        first, last = (int(month) for month in self.season.split("-"))
        return tuple((first - 1 + step) % 12 + 1 for step in range((last - first) % 12 + 1))

    @property
    def perishable(self) -> bool:
        """Spoils within a month."""
        return self.shelf_life_days <= 30

    @property
    def price_band_fen(self) -> tuple[int, int]:
        return round(self.price_low * FEN_PER_YUAN), round(self.price_high * FEN_PER_YUAN)


class Division(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    level: Level
    #: As the list spells it; villages end in 村委会 or 居委会.
    name: str
    #: Code of the division that it lies in; None for the province.
    parent: str | None = None

    @property
    def short_name(self) -> str:
        """The name that people use: 东于岗子村 for 东于岗子村委会."""
        if self.level != "village":
            return self.name
        for ending in ("村民委员会", "村委会"):
            if self.name.endswith(ending):
                stem = self.name.removesuffix(ending)
                return stem if stem.endswith(("村", "社区")) else f"{stem}村"
        return self.name.removesuffix("居民委员会").removesuffix("居委会")


class Coordinate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a division lies, WGS-84 degrees."""

    code: str
    lat: float
    lon: float
    #: ``geonames:<name>``; ``approximate`` (general knowledge, to a few km); ``estimate`` (by
    #: direction from the county seat, to about 10 km); ``prefecture`` (that of its city).
    source: str


class ShelfRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dated rule of the trade. ``applies_to``: ``all``, ``category:<code>`` or ``kind:<code>``."""

    code: str
    applies_to: tuple[str, ...]
    effect: Literal[
        "requires",
        "label",
        "limit",
        "advice",
        "fee-barred",
        "fee-consent",
        "payment-days",
        "deposit-percent",
    ]
    #: What is required, barred or allowed: a credential code, a standard, a fee or a figure.
    value: str
    zh: str
    en: str
    source: str
    sureness: Sureness
    #: First and last day; None: without beginning or end as far as is known.
    valid_from: date | None = None
    valid_to: date | None = None

    def concerns(self, produce: Produce, on: date) -> bool:
        """Tell whether the rule speaks of ``produce`` on that day."""
        named = {"all", f"category:{produce.category}", f"kind:{produce.code}"}
        begun = self.valid_from is None or self.valid_from <= on
        over = self.valid_to is not None and self.valid_to < on
        return bool(named & set(self.applies_to)) and begun and not over


class CredentialKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"goods": "for"}):
    code: str
    zh: str
    en: str
    #: What it is for: raw, processed, packed, animal, peanut or any.
    goods: str
    note_zh: str = ""
    note_en: str = ""


class CredentialRoute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to a credential, and the days that it usually takes from applying to having it."""

    code: str
    credential: str
    zh: str
    en: str
    days_low: int
    days_high: int
    source: str
    sureness: Sureness


class Grade(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    level: int
    zh: str
    en: str
    note_zh: str
    note_en: str


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why something was refused; ``uses``: the steps that offer it, none: all of them."""

    code: str
    zh: str
    en: str
    uses: tuple[str, ...] = ()


class RecipeYield(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a part of what a process takes in becomes, in thousandths of it; without ``gives``: it is lost."""

    code: str
    process: str
    zh: str
    en: str
    takes: str
    low: int
    high: int
    source: str
    sureness: Sureness
    gives: str | None = None


class _Reading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    word: str
    reading: str


@cache
def categories() -> tuple[Category, ...]:
    return read_rows(FOLDER / "categories.csv", Category)


@cache
def produce() -> tuple[Produce, ...]:
    """Return the kinds.

    Raises:
        SeedError: a name belongs to two kinds, or a code is unknown.
    """
    kinds = read_rows(FOLDER / "produce.csv", Produce)
    codes = {kind.code for kind in kinds}
    known = {category.code for category in categories()}
    owner: dict[str, str] = {}
    for kind in kinds:
        if kind.category not in known or (kind.made_from and kind.made_from not in codes):
            raise SeedError(f"produce.csv, {kind.code}: unknown category or made_from")
        for name in kind.names:
            if owner.setdefault(name, kind.code) != kind.code:
                raise SeedError(f"produce.csv: {name} is {owner[name]} and {kind.code}")
    return kinds


@cache
def readings() -> Readings:
    """Return the words that pypinyin misreads, with their syllables."""
    return {each.word: tuple(each.reading.split()) for each in read_rows(FOLDER / "pinyin.csv", _Reading)}


def spelled(kind: Produce) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return full pinyin and initials of all names of ``kind``."""
    return spellings(kind.names, readings())


def certificate_required(kind: Produce) -> bool:
    """Tell whether the 承诺达标合格证 is named for the category; what is unsure is not required."""
    return next(each for each in categories() if each.code == kind.category).promise_certificate == "yes"


@cache
def divisions() -> tuple[Division, ...]:
    """Return Liaoning's divisions, 2023 edition, each after its parent."""
    return read_rows(FOLDER / "divisions.csv", Division)


@cache
def coordinates() -> dict[str, Coordinate]:
    """Return code -> coordinate: the province, its prefectures and counties, and Liaozhong's towns."""
    return {each.code: each for each in read_rows(FOLDER / "coordinates.csv", Coordinate)}


def place(code: str) -> Coordinate:
    """Return the coordinate of the division, or of the nearest one above it that has one."""
    known = coordinates()
    return next(known[code[:size]] for size in (12, 9, 6, 4, 2) if code[:size] in known)


@cache
def shelf_rules() -> tuple[ShelfRule, ...]:
    return read_rows(FOLDER / "shelf_rules.csv", ShelfRule)


@cache
def credential_kinds() -> tuple[CredentialKind, ...]:
    return read_rows(FOLDER / "credentials.csv", CredentialKind)


@cache
def credential_routes() -> tuple[CredentialRoute, ...]:
    """Return the ways to credentials, the usual one first.

    Raises:
        SeedError: a credential is unknown, or the days are the wrong way round.
    """
    routes = read_rows(FOLDER / "credential_routes.csv", CredentialRoute)
    known = {kind.code for kind in credential_kinds()}
    for route in routes:
        if route.credential not in known or not 0 <= route.days_low <= route.days_high:
            raise SeedError(f"credential_routes.csv, {route.code}: unknown credential or days")
    return routes


@cache
def grades() -> tuple[Grade, ...]:
    return read_rows(FOLDER / "grades.csv", Grade)


@cache
def reasons() -> tuple[Reason, ...]:
    return read_rows(FOLDER / "reasons.csv", Reason)


@cache
def recipe_yields() -> tuple[RecipeYield, ...]:
    """Return what processes yield.

    Raises:
        SeedError: a kind is unknown, or no shares within the bounds add up to all that goes in.
    """
    rows = read_rows(FOLDER / "recipe_yields.csv", RecipeYield)
    codes = {kind.code for kind in produce()}
    for row in rows:
        same = [each for each in rows if each.process == row.process]
        if {row.takes, row.gives or row.takes} - codes or {each.takes for each in same} != {row.takes}:
            raise SeedError(f"recipe_yields.csv, {row.code}: unknown kind, or two raw materials")
        if not sum(each.low for each in same) <= 1_000 <= sum(each.high for each in same):
            raise SeedError(f"recipe_yields.csv, {row.process}: the bounds leave no balance")
    return rows
