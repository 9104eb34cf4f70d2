"""Small markets for the tests, and the same markets as files."""

import csv
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from market.matching.rules import Demand, Lot
from market.units import Gram, grams_from_kg

DAY = date(2026, 9, 1)


def lot(id_: str = "L1", *, kg: str = "1000", ask: str = "2", **more: Any) -> Lot:
    known: dict[str, Any] = {
        "id": id_,
        "seller": "S",
        "product": "peanut",
        "quantity": grams_from_kg(Decimal(kg)),
        "ask": Decimal(ask),
        "latitude": 41.5,
        "longitude": 122.7,
        "available_from": DAY,
        "available_to": DAY + timedelta(30),
    }
    return Lot(**{**known, **more})


def demand(id_: str = "D1", *, kg: str = "1000", ceiling: str = "3", **more: Any) -> Demand:
    known: dict[str, Any] = {
        "id": id_,
        "buyer": "B",
        "product": "peanut",
        "quantity": grams_from_kg(Decimal(kg)),
        "ceiling": Decimal(ceiling),
        "latitude": 41.5,
        "longitude": 122.7,
        "deliver_from": DAY,
        "deliver_to": DAY + timedelta(30),
    }
    return Demand(**{**known, **more})


_prices = st.integers(0, 60).map(lambda tenths: str(Decimal(tenths) / 10))
_kgs = st.sampled_from(["0.001", "1", "5", "10", "10", "10", "37.5", "100"])
_products = st.sampled_from(["peanut", "rice"])
_codes = st.frozensets(st.sampled_from(["SC", "green"]), max_size=2)
_places = st.sampled_from([(41.5, 122.7), (41.8, 123.4), (39.9, 116.4), (31.2, 121.5)])


def _days(begin: int, length: int) -> tuple[date, date]:
    return DAY + timedelta(begin), DAY + timedelta(begin + length)


@st.composite
def tiny_markets(draw: st.DrawFn, *, limits: bool = False) -> tuple[list[Lot], list[Demand]]:
    """At most four lots and four demands, with many ties."""
    least = st.sampled_from(["0", "0", "4", "10", "30"]) if limits else st.just("0")
    most = st.sampled_from([None, None, 1, 2]) if limits else st.none()
    lots = []
    for k in range(draw(st.integers(0, 3 if limits else 4))):
        (lat, lon), (begin, end) = draw(_places), _days(draw(st.integers(0, 4)), draw(st.integers(0, 4)))
        lots.append(
            lot(
                f"L{k}",
                kg=draw(_kgs),
                ask=draw(_prices),
                product=draw(_products),
                grade=draw(st.integers(0, 1)),
                latitude=lat,
                longitude=lon,
                available_from=begin,
                available_to=end,
                credentials=draw(_codes),
                priority=Decimal(draw(st.sampled_from(["0", "0", "0.5", "-0.3"]))),
                min_order=grams_from_kg(Decimal(draw(least))),
            )
        )
    demands = []
    for k in range(draw(st.integers(0, 3 if limits else 4))):
        (lat, lon), (begin, end) = draw(_places), _days(draw(st.integers(0, 4)), draw(st.integers(0, 4)))
        demands.append(
            demand(
                f"D{k}",
                kg=draw(_kgs),
                ceiling=draw(_prices),
                product=draw(_products),
                min_grade=draw(st.integers(0, 1)),
                latitude=lat,
                longitude=lon,
                deliver_from=begin,
                deliver_to=end,
                requires=draw(st.sampled_from([frozenset(), frozenset(), frozenset({"SC"})])),
                max_distance_km=draw(st.sampled_from([None, None, 50.0, 800.0])),
                min_order=grams_from_kg(Decimal(draw(least))),
                max_lots=draw(most),
            )
        )
    return lots, demands


def _kg(grams: Gram) -> str:
    return str(Decimal(grams) / 1000)


def write_market(folder: Path, lots: list[Lot], demands: list[Demand]) -> tuple[str, str]:
    """Write supply.csv and demand.csv; return their paths."""
    supply, wanted = folder / "supply.csv", folder / "demand.csv"
    with supply.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "lot",
                "seller",
                "product",
                "grade",
                "quantity_kg",
                "ask_yuan_per_kg",
                "lat",
                "lon",
                "available_from",
                "available_to",
                "min_order_kg",
                "credentials",
                "priority_yuan_per_kg",
            ]
        )
        writer.writerows(
            [
                a.id,
                a.seller,
                a.product,
                a.grade,
                _kg(a.quantity),
                a.ask,
                a.latitude,
                a.longitude,
                a.available_from,
                a.available_to,
                _kg(a.min_order),
                ";".join(a.credentials),
                a.priority,
            ]
            for a in lots
        )
    with wanted.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "demand",
                "buyer",
                "product",
                "min_grade",
                "quantity_kg",
                "ceiling_yuan_per_kg",
                "lat",
                "lon",
                "deliver_from",
                "deliver_to",
                "min_order_kg",
                "max_lots",
                "requires",
                "max_distance_km",
            ]
        )
        writer.writerows(
            [
                b.id,
                b.buyer,
                b.product,
                b.min_grade,
                _kg(b.quantity),
                b.ceiling,
                b.latitude,
                b.longitude,
                b.deliver_from,
                b.deliver_to,
                _kg(b.min_order),
                b.max_lots or "",
                ";".join(b.requires),
                "-" if b.max_distance_km is None else b.max_distance_km,
            ]
            for b in demands
        )
    return str(supply), str(wanted)
