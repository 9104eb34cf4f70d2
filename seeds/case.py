"""The demonstration case: who takes part, what they have and want, and how the meeting ended.

Only reads and checks. Days are offsets from the story day (the day on which the demo is loaded), so
that the demonstration is always fresh; :func:`on` makes dates of them. What ``invented`` means is
told by ``Story.marking_zh`` and seeds/README.md.
"""

from datetime import date, timedelta
from functools import cache
from typing import Literal

import msgspec

from market.accounts.rules import KINDS, ROLES, is_phone
from market.units import GRAMS_PER_KG, FenPerKg, Gram
from seeds import reference
from seeds.files import HERE, SeedError, read_rows, read_toml

FOLDER = HERE / "demo"
#: ``contract`` and ``breach`` tell what came before the meeting: the contract that was broken.
Stage = Literal["start", "matched", "met", "contract", "breach"]
#: Why a lot is composed to stay, by the name that the diagnosis gives it; ``sells`` and ``part`` find buyers.
Expected = Literal[
    "sells",
    "part",
    "price",
    "grade",
    "credential",
    "window",
    "distance",
    "min_order",
    "outbid",
    "no_demand",
]


class Organisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    #: One of ``market.accounts.rules.KINDS``.
    kind: str
    zh: str
    en: str
    #: Code of the division.
    division: str
    lat: float
    lon: float
    #: Made up for all, real participants included: valid check digits, division 219999.
    uscc: str
    invented: bool
    note_zh: str = ""
    note_en: str = ""


class Store(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    organisation: str
    zh: str
    en: str
    division: str
    lat: float
    lon: float
    invented: bool


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Always invented."""

    id: str
    organisation: str
    zh: str
    en: str
    #: One of ``market.accounts.rules.ROLES``.
    role: str
    phone: str


class Lot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    seller: str
    produce: str
    title_zh: str
    title_en: str
    grade: int
    quantity_kg: int
    ask_fen_per_kg: int
    from_day: int
    to_day: int
    #: False where the case tells of these goods; how they are split and priced is made up.
    invented: bool
    expected: Expected
    min_order_kg: int = 0
    priority_fen_per_kg: int = 0
    variety: str = ""
    harvested_day: int | None = None
    credentials: tuple[str, ...] = ()
    story_zh: str = ""
    story_en: str = ""

    @property
    def quantity(self) -> Gram:
        return Gram(self.quantity_kg * GRAMS_PER_KG)

    @property
    def min_order(self) -> Gram:
        return Gram(self.min_order_kg * GRAMS_PER_KG)

    @property
    def ask(self) -> FenPerKg:
        return FenPerKg(self.ask_fen_per_kg)


class Demand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    store: str
    produce: str
    title_zh: str
    title_en: str
    min_grade: int
    quantity_kg: int
    #: Delivered.
    ceiling_fen_per_kg: int
    from_day: int
    to_day: int
    invented: bool
    min_order_kg: int = 0
    max_lots: int | None = None
    max_distance_km: int | None = None
    requires: tuple[str, ...] = ()
    note_zh: str = ""
    note_en: str = ""

    @property
    def quantity(self) -> Gram:
        return Gram(self.quantity_kg * GRAMS_PER_KG)

    @property
    def min_order(self) -> Gram:
        return Gram(self.min_order_kg * GRAMS_PER_KG)

    @property
    def ceiling(self) -> FenPerKg:
        return FenPerKg(self.ceiling_fen_per_kg)


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the appointments about one demand ended, for the stage ``met``.

    The percentages are of the matched quantity: signed, then of the signed delivered and taken, then
    of what was delivered paid.
    """

    outcome: Literal["none", "sample", "intent", "quote", "signed"]
    signed_percent: int
    delivered_percent: int
    paid_percent: int
    #: A code of ``reference.reasons`` where something stood in the way.
    reason: str = ""


class _OutcomeRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    demand: str
    outcome: Literal["none", "sample", "intent", "quote", "signed"]
    signed_percent: int
    delivered_percent: int
    paid_percent: int
    reason: str = ""


class Pressing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The part of the pooled peanuts that was pressed before the story day."""

    owner: str
    produce: str
    quantity_kg: int
    mill: str
    product: str
    produced_kg: int
    day: int
    note_zh: str
    note_en: str


class Stop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stop of the field visit before the talks."""

    name_zh: str
    name_en: str
    minutes: int
    show_zh: str
    show_en: str
    lots: tuple[str, ...]


class Meeting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title_zh: str
    title_en: str
    venue_zh: str
    venue_en: str
    day: int
    #: Minutes after midnight.
    starts_at: int
    slot_minutes: int
    slots: int
    tables: int
    half_day_after: int
    pause_minutes: int
    programme_zh: str
    programme_en: str
    #: Persons on the ground.
    capacity: int
    weather_plan_zh: str
    weather_plan_en: str
    contact_zh: str
    contact_phone: str
    #: Days before the meeting until which invitations are answered and wishes given.
    answer_days: int
    wish_days: int
    stops: tuple[Stop, ...]


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that the case itself tells."""

    key: str
    zh: str
    en: str
    source: str


class Figures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    households: int
    peanuts_kg: int
    tanks_before: int
    tanks_after: int
    tank_kg: int
    retailers_at_least: int
    media_at_least: int
    chains_at_least: int


class Story(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title_zh: str
    title_en: str
    summary_zh: str
    summary_en: str
    marking_zh: str
    marking_en: str
    #: Organisation ids.
    county: str
    town: str
    village: str
    stages: tuple[Stage, ...]
    pressing: Pressing
    meeting: Meeting
    facts: tuple[Fact, ...]
    figures: Figures
    default_outcome: Outcome


class Case(msgspec.Struct, frozen=True):
    story: Story
    organisations: tuple[Organisation, ...]
    stores: tuple[Store, ...]
    people: tuple[Person, ...]
    lots: tuple[Lot, ...]
    demands: tuple[Demand, ...]
    #: Demand id -> outcome, where it is not the default one.
    outcomes: dict[str, Outcome]

    def organisation(self, key: str) -> Organisation:
        return next(each for each in self.organisations if each.id == key)

    def store(self, key: str) -> Store:
        return next(each for each in self.stores if each.id == key)

    def person_for(self, organisation: str, role: str) -> Person:
        """Return the first person of that organisation with that role."""
        return next(each for each in self.people if (each.organisation, each.role) == (organisation, role))

    def buyer_of(self, demand: Demand) -> str:
        """Return the id of the retail company whose store the demand is for."""
        return self.store(demand.store).organisation

    def outcome_of(self, demand: str) -> Outcome:
        return self.outcomes.get(demand, self.story.default_outcome)


def on(story_day: date, offset: int) -> date:
    """Return the date that lies ``offset`` days from the story day."""
    return story_day + timedelta(days=offset)


@cache
def case() -> Case:
    """Return the case, checked: every name that a file uses exists.

    Raises:
        SeedError: naming the file and what is missing or doubled.
    """
    rows = read_rows(FOLDER / "outcomes.csv", _OutcomeRow)
    found = Case(
        story=read_toml(FOLDER / "case.toml", Story),
        organisations=read_rows(FOLDER / "organisations.csv", Organisation),
        stores=read_rows(FOLDER / "stores.csv", Store),
        people=read_rows(FOLDER / "people.csv", Person),
        lots=read_rows(FOLDER / "lots.csv", Lot),
        demands=read_rows(FOLDER / "demands.csv", Demand),
        outcomes={
            row.demand: Outcome(
                row.outcome, row.signed_percent, row.delivered_percent, row.paid_percent, row.reason
            )
            for row in rows
        },
    )
    _check(found)
    return found


def _check(found: Case) -> None:
    produce = {each.code for each in reference.produce()}
    divisions = {each.code for each in reference.divisions()}
    credentials = {each.code for each in reference.credential_kinds()}
    reasons = {each.code for each in reference.reasons()} | {""}
    grades = {each.level for each in reference.grades()}
    organisations = {each.id for each in found.organisations}
    stores = {each.id for each in found.stores}
    demands = {each.id for each in found.demands}

    for name, keys in (
        ("organisations.csv", [each.id for each in found.organisations]),
        ("stores.csv", [each.id for each in found.stores]),
        ("people.csv", [each.id for each in found.people]),
        ("people.csv", [each.phone for each in found.people]),
        ("lots.csv", [each.id for each in found.lots]),
        ("demands.csv", [each.id for each in found.demands]),
    ):
        _demand(len(keys) == len(set(keys)), name, "a doubled id or phone")
    for organisation in found.organisations:
        _demand(organisation.kind in KINDS, "organisations.csv", f"kind of {organisation.id}")
        _demand(organisation.division in divisions, "organisations.csv", f"division of {organisation.id}")
    for store in found.stores:
        _demand(store.organisation in organisations, "stores.csv", f"organisation of {store.id}")
        _demand(store.division in divisions, "stores.csv", f"division of {store.id}")
    for person in found.people:
        _demand(person.organisation in organisations, "people.csv", f"organisation of {person.id}")
        _demand(person.role in ROLES, "people.csv", f"role of {person.id}")
        _demand(is_phone(person.phone), "people.csv", f"phone of {person.id}")
    for lot in found.lots:
        _demand(lot.seller in organisations, "lots.csv", f"seller of {lot.id}")
        _demand(lot.produce in produce, "lots.csv", f"produce of {lot.id}")
        _demand(lot.grade in grades, "lots.csv", f"grade of {lot.id}")
        _demand(set(lot.credentials) <= credentials, "lots.csv", f"credentials of {lot.id}")
        _demand(lot.from_day <= lot.to_day, "lots.csv", f"window of {lot.id}")
    for demand in found.demands:
        _demand(demand.store in stores, "demands.csv", f"store of {demand.id}")
        _demand(demand.produce in produce, "demands.csv", f"produce of {demand.id}")
        _demand(set(demand.requires) <= credentials, "demands.csv", f"requires of {demand.id}")
        _demand(demand.from_day <= demand.to_day, "demands.csv", f"window of {demand.id}")
    for key, outcome in found.outcomes.items():
        _demand(key in demands, "outcomes.csv", f"demand {key}")
        _demand(outcome.reason in reasons, "outcomes.csv", f"reason of {key}")
    lots = {each.id for each in found.lots}
    for stop in found.story.meeting.stops:
        _demand(set(stop.lots) <= lots, "case.toml", f"lots of {stop.name_en}")


def _demand(holds: bool, file: str, what: str) -> None:
    if not holds:
        raise SeedError(f"{file}: {what} is not right")
