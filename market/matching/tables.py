from piccolo.constraints import Check, Unique
from piccolo.table import Table

from market.db.columns import binary, document, flag, moment, number, numbers, real, reference, text, whole
from market.deals.tables import Deal
from market.demand.tables import Demand
from market.supply.tables import Listing


class Run(Table, tablename="run"):
    """One clearing of the market, repeatable from its stored inputs."""

    id = number()
    town = reference("Organisation")
    state = text()
    parameters = document()
    #: The lots and demands as the engine saw them.
    inputs = document(null=True)
    inputs_hash = text(null=True)
    certificate = document(null=True)
    #: The gains (u, v) by listing and demand in yuan per kg: with them any pair is explained.
    gains = document(null=True)
    #: What the hardship bonus moves and costs, once somebody has asked: it follows from the inputs.
    bonus = document(null=True)
    #: Fen.
    worth = whole(null=True)
    #: How far the computing has come; written once a second at most.
    progress = document(null=True)
    error = document(null=True)
    created_by = reference("Person", null=True)
    created_at = moment()
    started_at = moment(null=True)
    finished_at = moment(null=True)


class RunInput(Table, tablename="run_input"):
    """The market that a run in parts is computed from, as it was read last; kept as the run's inputs."""

    id = number()
    run = reference(Run, part_of=True)
    #: 1, and 1 more whenever the market had moved and was read again.
    reading = whole()
    #: The snapshot as compressed JSON.
    market = binary()
    #: What the database makes of the same rows (``queries.stamp_of``): they have moved if it has.
    stamp = text()
    #: Version of the program that all of its workers must have.
    version = text()
    #: Steps per yuan that the whole market is reckoned in.
    scale = real()
    run_input_once = Unique([run], name="run_input_once")


class RunPart(Table, tablename="run_part"):
    """Some products of a run, cleared together by one worker."""

    id = number()
    run = reference(Run, part_of=True)
    reading = whole()
    number = whole()
    #: Places of the products in the market that was read.
    products = numbers()
    done = flag(False)
    run_part_once = Unique([run, reading, number], name="run_part_once")


class RunCleared(Table, tablename="run_cleared"):
    """What became of one product in a run in parts, until the whole is put together."""

    id = number()
    run = reference(Run, part_of=True)
    #: SHA-256 of all that the result depends on.
    fingerprint = text()
    result = binary()
    run_cleared_once = Unique([run, fingerprint], name="run_cleared_once")


class Match(Table, tablename="match"):
    """A suggestion of the engine: binding for nobody until both sides agree."""

    id = number()
    run = reference(Run)
    listing = reference(Listing)
    demand = reference(Demand)
    seller = reference("Organisation")
    buyer = reference("Organisation")
    #: Grams.
    quantity = whole()
    #: Hao (0.0001 yuan) per kg at the farm gate; low and high are the ends of the fair band.
    price = whole()
    price_low = whole()
    price_high = whole()
    freight = whole()
    #: Metres by road.
    distance = whole()
    #: Fen.
    worth = whole()
    reason = document()
    state = text(index=True)
    seller_agreed_at = moment(null=True)
    buyer_agreed_at = moment(null=True)
    declined_by = reference("Organisation", null=True)
    decline_reason = reference("Reason", null=True)
    decline_note = text(default="")
    deal = reference(Deal, null=True)
    created_at = moment()
    expires_at = moment()
    match_once = Unique([run, listing, demand], name="match_once")
    match_quantity_positive = Check(quantity > 0, name="match_quantity_positive")


class Refusal(Table, tablename="refusal"):
    """A listing and a demand whose sides talked and found that it does not suit, whatever match there was."""

    id = number()
    listing = reference(Listing)
    demand = reference(Demand)
    reason = reference("Reason")
    #: What it was said at, e.g. ``appointment`` or ``sample``, and its number there.
    source = text()
    source_id = whole()
    created_at = moment()
    refusal_once = Unique([listing, demand], name="refusal_once")


class Diagnosis(Table, tablename="diagnosis"):
    """Why a listing kept something back, and the single change that would unlock demand."""

    id = number()
    run = reference(Run)
    listing = reference(Listing)
    rank = whole()
    obstacle = text()
    change = document()
    #: Grams.
    unlocks = whole()
    demands = numbers()
    #: Hao per kg.
    cost = whole()
    #: The changed terms themselves, to be tried out.
    terms = document(null=True)
    #: Fen that the grams come to on the changed terms.
    value = whole(null=True)
    #: More is sold by so much for certain; else the pairs are open and no more is proven.
    confirmed = flag(True)
    diagnosis_once = Unique([run, listing, rank], name="diagnosis_once")


class DemandDiagnosis(Table, tablename="demand_diagnosis"):
    """Why a demand was not served in full, and the change that would open listings to it."""

    id = number()
    run = reference(Run)
    demand = reference(Demand)
    rank = whole()
    obstacle = text()
    change = document()
    #: Grams.
    unlocks = whole()
    listings = numbers()
    #: Hao per kg.
    cost = whole()
    #: The changed terms themselves, to be tried out.
    terms = document(null=True)
    #: Fen that the grams come to on the changed terms.
    value = whole(null=True)
    #: More is sold by so much for certain; else the pairs are open and no more is proven.
    confirmed = flag(True)
    demand_diagnosis_once = Unique([run, demand, rank], name="demand_diagnosis_once")
