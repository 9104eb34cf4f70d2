"""What the engine sees of the database, and what people see of its results."""

import hashlib
from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from asyncpg import Record

from market.db.session import fetch, fetch_into, fetch_value
from market.errors import NotFound
from market.i18n import Message, msg
from market.matching.parts import unpacked
from market.matching.rules import Demand, Lot, yuan_text
from market.units import FEN_PER_YUAN, Gram


class Snapshot(msgspec.Struct, frozen=True):
    """The market as one run sees it: what is still free on both sides. Ids are the rows' numbers."""

    lots: list[Lot]
    demands: list[Demand]
    #: (lot, demand) pairs that one side has declined, as a match or at a table.
    barred: list[tuple[str, str]]


#: While a round of bidding lasts, the goods are the bidders' and no run's. Who is suspended may not deal.
_ON_SALE = """listing.state = 'published'
     AND (listing.way NOT IN ('sealed', 'open') OR listing.opened_at IS NOT NULL)
     AND organisation.standing <> 'suspended'"""
#: $1: the town, of all of them where it is null; $2: the day; $3: the kinds of produce, any where it is null.
_LOTS = f"""SELECT listing.id, listing.owner, lot.produce, lot.grade, listing.ask, lot.lat, lot.lon,
          listing.available_from, listing.available_to, listing.min_order, lot.credentials,
          listing.priority, lot.remaining - coalesce(promised.grams, 0) AS quantity
   FROM listing JOIN lot ON lot.id = listing.lot
   JOIN organisation ON organisation.id = listing.owner
   LEFT JOIN (SELECT listing, sum(quantity)::bigint AS grams FROM match
              WHERE state IN ('one_side_agreed', 'agreed') GROUP BY listing) promised
     ON promised.listing = listing.id
   WHERE {_ON_SALE} AND listing.available_to >= $2
     AND ($1::bigint IS NULL OR $1 IN (organisation.town, organisation.id))
     AND ($3::text[] IS NULL OR lot.produce = ANY($3))
     AND lot.remaining > coalesce(promised.grams, 0)
   ORDER BY listing.id"""  # noqa: S608  words of ours; values are parameters
#: $1: the day; $2: the kinds of produce, any where it is null. Lots that are promised or under contract to a
#: demand are among the most that may serve it.
_DEMANDS = """SELECT demand.id, demand.buyer, demand.produce, demand.min_grade, demand.ceiling, demand.lat,
          demand.lon, demand.deliver_from, demand.deliver_to, demand.min_order, demand.requires,
          demand.max_distance_km,
          CASE WHEN demand.max_lots IS NULL THEN NULL
               ELSE greatest(demand.max_lots - served.lots, 0) END AS max_lots,
          demand.open - coalesce(promised.grams, 0) AS quantity
   FROM demand JOIN organisation ON organisation.id = demand.buyer AND organisation.standing <> 'suspended'
   LEFT JOIN (SELECT demand, sum(quantity)::bigint AS grams
              FROM match WHERE state IN ('one_side_agreed', 'agreed') GROUP BY demand) promised
     ON promised.demand = demand.id
   LEFT JOIN LATERAL (
     SELECT count(DISTINCT listing.lot) AS lots
     FROM (SELECT listing FROM match WHERE match.demand = demand.id
             AND match.state IN ('one_side_agreed', 'agreed')
           UNION ALL SELECT listing FROM deal WHERE deal.demand = demand.id
             AND deal.state <> 'cancelled' AND deal.quantity > deal.released) taken
     JOIN listing ON listing.id = taken.listing) served ON demand.max_lots IS NOT NULL
   WHERE demand.state = 'published' AND demand.deliver_to >= $1
     AND demand.open > coalesce(promised.grams, 0)
     AND (demand.max_lots IS NULL OR demand.max_lots > served.lots)
     AND ($2::text[] IS NULL OR demand.produce = ANY($2))
   ORDER BY demand.id"""
#: Pairs that said no, and those whose contract was ended: what it has set free is for others.
#: $1: the kinds of produce, any where it is null.
_BARRED = """SELECT DISTINCT said.listing, said.demand
   FROM (SELECT listing, demand FROM match WHERE state = 'declined'
         UNION ALL SELECT listing, demand FROM refusal
         UNION ALL SELECT listing, demand FROM deal WHERE state = 'terminated' AND demand IS NOT NULL
         UNION ALL SELECT listing.id, demand.id FROM listing JOIN demand ON demand.buyer = listing.owner) said
   JOIN listing ON listing.id = said.listing JOIN demand ON demand.id = said.demand
   WHERE listing.state = 'published' AND demand.state = 'published'
     AND ($1::text[] IS NULL OR demand.produce = ANY($1))
   ORDER BY 1, 2"""


async def snapshot(
    *, town_id: int | None, on: date, produce: str | Collection[str] | None = None
) -> Snapshot:
    """Return the town's listings on sale and every demand that is published, less what is promised and
    without those of the suspended.

    No ``town_id``: the listings of all towns. ``produce``: of this produce, or these, only. A match to which
    one side at least has agreed keeps its quantity out of the next run, on both sides.
    """
    these = [produce] if isinstance(produce, str) else None if produce is None else sorted(produce)
    lots = await fetch(_LOTS, town_id, on, these)
    demands = await fetch(_DEMANDS, on, these)
    barred = await fetch(_BARRED, these)
    return Snapshot(
        lots=[
            Lot(
                id=str(row["id"]),
                seller=str(row["owner"]),
                product=row["produce"],
                quantity=Gram(row["quantity"]),
                ask=_yuan(row["ask"]),
                latitude=row["lat"],
                longitude=row["lon"],
                available_from=row["available_from"],
                available_to=row["available_to"],
                grade=row["grade"],
                min_order=Gram(row["min_order"]),
                credentials=frozenset(row["credentials"]),
                priority=_yuan(row["priority"]),
            )
            for row in lots
        ],
        demands=[
            Demand(
                id=str(row["id"]),
                buyer=str(row["buyer"]),
                product=row["produce"],
                quantity=Gram(row["quantity"]),
                ceiling=_yuan(row["ceiling"]),
                latitude=row["lat"],
                longitude=row["lon"],
                deliver_from=row["deliver_from"],
                deliver_to=row["deliver_to"],
                min_grade=row["min_grade"],
                min_order=Gram(row["min_order"]),
                max_lots=row["max_lots"],
                requires=frozenset(row["requires"]),
                max_distance_km=None if row["max_distance_km"] is None else float(row["max_distance_km"]),
            )
            for row in demands
        ],
        barred=[(str(row["listing"]), str(row["demand"])) for row in barred],
    )


async def stamp_of(*, town_id: int, on: date) -> str:
    """Return what changes when anything in the :func:`snapshot` does, without sending the market over.

    The database adds up a hash of 64 bits of each row: a nation's market takes it a second.
    """
    added = (
        "SELECT count(*) || '/' || coalesce(sum(hashtextextended(row::text, 0)::numeric), 0) FROM ({}) row"
    )
    return " ".join(
        [
            await fetch_value(added.format(_LOTS), town_id, on, None),
            await fetch_value(added.format(_DEMANDS), on, None),
            await fetch_value(added.format(_BARRED), None),
        ]
    )


async def possible_pairs(*, town_id: int, on: date) -> int:
    """Return about how many pairs of the same product a run would look at, without reading the market."""
    rows = await fetch(
        f"""SELECT coalesce(sum(lots.number * demands.number), 0)::bigint AS pairs
           FROM (SELECT lot.produce, count(*) AS number
                 FROM listing JOIN lot ON lot.id = listing.lot
                 JOIN organisation ON organisation.id = listing.owner
                 WHERE {_ON_SALE} AND listing.available_to >= $2
                   AND $1 IN (organisation.town, organisation.id) AND lot.remaining > 0
                 GROUP BY lot.produce) lots
           JOIN (SELECT produce, count(*) AS number FROM demand
                 JOIN organisation ON organisation.id = demand.buyer AND organisation.standing <> 'suspended'
                 WHERE state = 'published' AND deliver_to >= $2 AND open > 0
                 GROUP BY produce) demands ON demands.produce = lots.produce""",  # noqa: S608  words of ours; values are parameters
        town_id,
        on,
    )
    return int(rows[0]["pairs"])


def fingerprint(market: Snapshot) -> str:
    """Return the SHA-256 of a market as it was read."""
    return hashlib.sha256(msgspec.json.encode(market, order="deterministic")).hexdigest()


def _yuan(fen: int) -> Decimal:
    return Decimal(fen) / FEN_PER_YUAN


class MatchRow(msgspec.Struct, frozen=True):
    """Grams; hao (0.0001 yuan) per kg; metres; fen. Seen by its two sides and by the seller's town.

    ``price`` is what a deal is made at: for goods at a fixed price no more than that, whatever price between
    ``price_low`` and ``price_high`` the engine has found (``engine_price``).
    """

    id: int
    run: int
    listing: int
    listing_title: str
    listing_title_en: str
    produce: str
    demand: int
    demand_title: str
    demand_title_en: str
    seller: int
    seller_name: str
    seller_name_en: str
    buyer: int
    buyer_name: str
    buyer_name_en: str
    site_name: str | None
    site_name_en: str | None
    ask: int
    ceiling: int
    quantity: int
    price: int
    engine_price: int
    price_low: int
    price_high: int
    #: How the goods are sold, as ``supply.rules.WAYS``.
    way: str
    freight: int
    distance: int
    worth: int
    reason: Message
    state: str
    seller_agreed: bool
    buyer_agreed: bool
    declined_by: int | None
    decline_zh: str | None
    decline_en: str | None
    decline_note: str
    deal: int | None
    created_at: datetime
    expires_at: datetime
    #: Which side the county has suspended meanwhile: until that is over, nobody can agree.
    suspended: int | None


_MATCH = """SELECT match.id, match.run, match.listing, listing.title AS listing_title,
       listing.title_en AS listing_title_en, lot.produce, match.demand, demand.title AS demand_title,
       demand.title_en AS demand_title_en, match.seller, seller.name AS seller_name,
       seller.name_en AS seller_name_en, match.buyer, buyer.name AS buyer_name,
       buyer.name_en AS buyer_name_en, site.name AS site_name, site.name_en AS site_name_en,
       listing.ask, demand.ceiling, match.quantity,
       offered_price(match.price, listing.way, listing.ask) AS price, match.price AS engine_price,
       match.price_low, match.price_high, listing.way,
       match.freight, match.distance, match.worth, match.reason, match.state,
       match.seller_agreed_at IS NOT NULL AS seller_agreed,
       match.buyer_agreed_at IS NOT NULL AS buyer_agreed,
       match.declined_by, reason.zh AS decline_zh, reason.en AS decline_en, match.decline_note,
       match.deal, match.created_at, match.expires_at,
       CASE 'suspended' WHEN seller.standing THEN seller.id WHEN buyer.standing THEN buyer.id END AS suspended
FROM match JOIN listing ON listing.id = match.listing JOIN lot ON lot.id = listing.lot
JOIN demand ON demand.id = match.demand
JOIN organisation seller ON seller.id = match.seller
JOIN organisation buyer ON buyer.id = match.buyer
LEFT JOIN site ON site.id = demand.site
LEFT JOIN reason ON reason.code = match.decline_reason
"""


async def match_of(*, match_id: int, organisation_id: int) -> MatchRow:
    """Return one match to one of its sides or to the seller's town.

    Raises:
        NotFound: there is none, or it is not yours.
    """
    rows = await _matches(
        "WHERE match.id = $1 AND $2 IN (match.seller, match.buyer, seller.town)", match_id, organisation_id
    )
    if not rows:
        raise NotFound(msg("没有找到这条撮合建议。"))
    return rows[0]


async def matches_of(*, organisation_id: int, only_open: bool = False) -> list[MatchRow]:
    """Return the matches of one side: what awaits its answer first, then by worth; superseded ones not."""
    return await _matches(
        """WHERE $1 IN (match.seller, match.buyer) AND match.state <> 'superseded'
             AND (NOT $2 OR match.state IN ('proposed', 'one_side_agreed', 'agreed'))
           ORDER BY match.state NOT IN ('proposed', 'one_side_agreed'), match.worth DESC, match.id""",
        organisation_id,
        only_open,
    )


async def matches_of_run(*, run_id: int, town_id: int) -> list[MatchRow]:
    """Return the matches of a run of the town, by worth."""
    return await _matches(
        """JOIN run ON run.id = match.run
           WHERE match.run = $1 AND run.town = $2 ORDER BY match.worth DESC, match.id""",
        run_id,
        town_id,
    )


async def _matches(where: str, *arguments: Any) -> list[MatchRow]:
    rows = await fetch(_MATCH + where, *arguments)
    return [MatchRow(**{**dict(row), "reason": _reason(row)}) for row in rows]


def _reason(row: Record) -> Message:
    """Return why the two fit; what a fixed price is under the engine's is the buyer's to save."""
    reason = msgspec.json.decode(row["reason"], type=Message)
    less = row["engine_price"] - row["price"]
    if not less:
        return reason
    shares = {name: Decimal(str(reason.values[name])) for name in ("seller", "buyer")}
    moved = Decimal(less).scaleb(-4)
    return Message(
        reason.text,
        {
            **reason.values,
            "seller": yuan_text(shares["seller"] - moved),
            "buyer": yuan_text(shares["buyer"] + moved),
        },
    )


class Progress(msgspec.Struct, frozen=True):
    """How far a run has come: of ``whole`` parts of this stage, ``done``."""

    stage: Message
    done: int
    whole: int


class RunRow(msgspec.Struct, frozen=True):
    """``worth`` in fen; ``certificate`` and ``parameters`` as FORMATS' certificate.json."""

    id: int
    town: int
    state: str
    parameters: dict[str, Any]
    certificate: dict[str, Any] | None
    worth: int | None
    error: Message | None
    progress: Progress | None
    inputs_hash: str | None
    created_by: str | None
    created_by_en: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    matches: int
    #: Grams proposed.
    grams: int


_RUN = """SELECT run.id, run.town, run.state, run.parameters, run.certificate, run.worth, run.error,
       run.progress, run.inputs_hash, person.name AS created_by, person.name_en AS created_by_en,
       run.created_at, run.started_at,
       run.finished_at,
       (SELECT count(*) FROM match WHERE match.run = run.id) AS matches,
       (SELECT coalesce(sum(quantity), 0)::bigint FROM match WHERE match.run = run.id) AS grams
FROM run LEFT JOIN person ON person.id = run.created_by
"""


def _run(row: Any) -> RunRow:
    return RunRow(
        **{
            **dict(row),
            "parameters": msgspec.json.decode(row["parameters"]),
            "certificate": msgspec.json.decode(row["certificate"]) if row["certificate"] else None,
            "error": msgspec.json.decode(row["error"], type=Message) if row["error"] else None,
            "progress": msgspec.json.decode(row["progress"], type=Progress) if row["progress"] else None,
        }
    )


async def run_of(*, run_id: int, town_id: int) -> RunRow:
    """Raises: NotFound."""
    rows = await fetch(_RUN + "WHERE run.id = $1 AND run.town = $2", run_id, town_id)
    if not rows:
        raise NotFound(msg("没有找到这次撮合。"))
    return _run(rows[0])


async def runs_of(*, town_id: int, limit: int = 20) -> list[RunRow]:
    """Return the newest runs first."""
    rows = await fetch(_RUN + "WHERE run.town = $1 ORDER BY run.id DESC LIMIT $2", town_id, limit)
    return [_run(row) for row in rows]


async def latest_run(*, town_id: int) -> RunRow | None:
    """Return the newest run that is done, if there is one."""
    rows = await fetch(
        _RUN + "WHERE run.town = $1 AND run.state = 'done' ORDER BY run.id DESC LIMIT 1", town_id
    )
    return _run(rows[0]) if rows else None


async def inputs_of(*, run_id: int, town_id: int) -> Snapshot:
    """Return what a finished run was computed from, so that anybody can compute it again.

    Raises:
        NotFound: no such run, or it has not read its inputs yet.
    """
    rows = await fetch(
        """SELECT inputs, run_input.market FROM run
           LEFT JOIN run_input ON run_input.run = run.id AND run.state = 'done'
           WHERE run.id = $1 AND town = $2""",
        run_id,
        town_id,
    )
    if rows and rows[0]["market"]:
        return unpacked(rows[0]["market"], Snapshot)
    if not rows or not rows[0]["inputs"]:
        raise NotFound(msg("没有找到这次撮合。"))
    return msgspec.json.decode(rows[0]["inputs"], type=Snapshot)


class Gains(msgspec.Struct, frozen=True):
    """The gains (dual prices) of a run by id, in yuan per kg: what a kilogram more of each would add."""

    lots: dict[str, Decimal]
    demands: dict[str, Decimal]


async def gains_of(*, run_id: int, town_id: int) -> Gains | None:
    """Return the gains of a run of the town; None where it kept none (it ran before they were kept)."""
    rows = await fetch("SELECT gains FROM run WHERE id = $1 AND town = $2", run_id, town_id)
    return msgspec.json.decode(rows[0]["gains"], type=Gains) if rows and rows[0]["gains"] else None


class Proposal(msgspec.Struct, frozen=True):
    """An open match as the meeting planner needs it. Grams, and fen of worth.

    What a side has agreed to is out of the market already; what is merely proposed is not.
    """

    match: int
    listing: int
    demand: int
    seller: int
    buyer: int
    quantity: int
    worth: int
    proposed: bool


async def open_proposals(*, town_id: int) -> list[Proposal]:
    """Return the town's matches that are proposed or agreed and not yet deals."""
    return await fetch_into(
        Proposal,
        """SELECT match.id AS match, match.listing, match.demand, match.seller, match.buyer,
                  match.quantity, match.worth, match.state = 'proposed' AS proposed
           FROM match JOIN run ON run.id = match.run
           WHERE run.town = $1 AND match.state IN ('proposed', 'one_side_agreed', 'agreed')
           ORDER BY match.id""",
        town_id,
    )
