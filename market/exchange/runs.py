"""A stored run as the files of ``market match``, so that anybody can compute and check it again.

What a side has declined is not part of the file format: where the run left such pairs out, the
files describe a market with more choice than the run had.
"""

import io
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from market.exchange.sheets import plain_csv
from market.i18n import Language, translate
from market.matching.engine import solve_market
from market.matching.files.reading import DEMAND_COLUMNS, LOT_COLUMNS
from market.matching.files.results import RESULT_FILES, write_result
from market.matching.queries import MatchRow, Snapshot
from market.matching.rules import Parameters, freight_per_kg, kilometres

MATCH_COLUMNS = (
    "lot",
    "demand",
    "quantity_kg",
    "price_yuan_per_kg",
    "price_low",
    "price_high",
    "freight_yuan_per_kg",
    "km",
    "worth_yuan",
    "reason",
)


def supply_csv(market: Snapshot) -> bytes:
    """Return SUPPLY of a run."""
    return plain_csv(
        list(LOT_COLUMNS),
        (
            (
                lot.id,
                lot.seller,
                lot.product,
                lot.grade,
                _kg(lot.quantity),
                f"{lot.ask:f}",
                repr(lot.latitude),
                repr(lot.longitude),
                lot.available_from.isoformat(),
                lot.available_to.isoformat(),
                _kg(lot.min_order),
                ";".join(sorted(lot.credentials)),
                f"{lot.priority:f}",
            )
            for lot in market.lots
        ),
    )


def demand_csv(market: Snapshot) -> bytes:
    """Return DEMAND of a run."""
    return plain_csv(
        list(DEMAND_COLUMNS),
        (
            (
                demand.id,
                demand.buyer,
                demand.product,
                demand.min_grade,
                _kg(demand.quantity),
                f"{demand.ceiling:f}",
                repr(demand.latitude),
                repr(demand.longitude),
                demand.deliver_from.isoformat(),
                demand.deliver_to.isoformat(),
                _kg(demand.min_order),
                "" if demand.max_lots is None else demand.max_lots,
                ";".join(sorted(demand.requires)),
                "" if demand.max_distance_km is None else repr(demand.max_distance_km),
            )
            for demand in market.demands
        ),
    )


def matches_csv(
    market: Snapshot, matches: Sequence[MatchRow], parameters: Parameters, language: Language
) -> bytes:
    """Return matches.csv of a run. What is stored rounded is worked out anew from the inputs."""
    lots = {lot.id: (place, lot) for place, lot in enumerate(market.lots)}
    demands = {demand.id: (place, demand) for place, demand in enumerate(market.demands)}
    placed = sorted(matches, key=lambda each: (lots[str(each.listing)][0], demands[str(each.demand)][0]))

    def cells(match: MatchRow) -> Sequence[object]:
        lot, demand = lots[str(match.listing)][1], demands[str(match.demand)][1]
        km = kilometres(lot, demand, parameters)
        freight = freight_per_kg(km, parameters)
        worth = float(demand.ceiling) - float(lot.ask) - freight + float(lot.priority)
        return (
            lot.id,
            demand.id,
            _kg(match.quantity),
            *(_yuan(price) for price in (match.engine_price, match.price_low, match.price_high)),
            f"{freight:.9f}",
            f"{km:.6f}",
            f"{worth * match.quantity / 1000:.6f}",
            translate(match.reason, language),
        )

    return plain_csv(MATCH_COLUMNS, map(cells, placed))


def computed_again(
    market: Snapshot, parameters: Parameters, seconds: float, language: Language
) -> dict[str, bytes]:
    """Return the files of a result, by name, with the gains that prove it and that no table keeps.

    Module-level and without a database, for another process.
    """
    result = solve_market(
        market.lots,
        market.demands,
        parameters,
        barred=frozenset(market.barred),
        deadline=time.monotonic() + seconds,
    )
    with tempfile.TemporaryDirectory() as folder:
        write_result(Path(folder), result, market.lots, market.demands, language)
        return {name: (Path(folder) / name).read_bytes() for name in RESULT_FILES}


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Return an archive of ``files`` that is the same for the same content."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _kg(grams: int) -> str:
    return f"{grams // 1000}.{grams % 1000:03d}"


def _yuan(hao: int) -> str:
    return f"{Decimal(hao).scaleb(-4):.4f}"
