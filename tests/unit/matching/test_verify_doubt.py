"""Pairs at the edge of the admissible: nothing to share but a priority, or just as far as the buyer takes."""

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market import cli_match
from market.matching.checker.input import read_side
from market.matching.checker.pairs import Book
from market.matching.checker.verify import verify
from market.matching.rules import Demand, Lot, Parameters, road_km, why_not
from market.units import Gram
from tests.unit.matching.markets import demand, lot, write_market


def solved(folder: Path, lots: list[Lot], demands: list[Demand], *options: str) -> tuple[str, str, Path]:
    folder.mkdir(exist_ok=True)
    supply, wanted = write_market(folder, lots, demands)
    assert cli_match.main(["match", supply, wanted, "--out", str(folder / "out"), "--quiet", *options]) == 0
    return supply, wanted, folder / "out"


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def blocked_by(
    folder: Path, lots: list[Lot], demands: list[Demand], poorer: tuple[list[Lot], list[Demand]]
) -> int:
    """Hand in the result of a ``poorer`` market as that of this one; return how many pairs block it."""
    supply, wanted, out = solved(folder / "right", lots, demands)
    assert verify(supply, wanted, str(out)).faults == []
    forged = solved(folder / "forged", *poorer)[2]
    told = verify(supply, wanted, str(forged))
    return sum(fault.values["file"] == "certificate" for fault in told.faults)


def test_pair_with_nothing_to_share_but_its_priority_blocks(tmp_path: Path) -> None:
    wanted = [demand(ceiling="3")]
    keen, idle = [lot(ask="3", priority=Decimal("0.5"))], [lot(ask="3.0001", priority=Decimal("0.5"))]
    assert blocked_by(tmp_path, keen, wanted, (idle, wanted)) == 1


def test_pair_with_nothing_to_share_counts_in_the_band(tmp_path: Path) -> None:
    lots = [
        lot("L1", kg="1000", ask="2", priority=Decimal("0.5")),
        lot("L2", kg="10", ask="3", priority=Decimal("0.5")),
    ]
    supply, wanted, out = solved(tmp_path, lots, [demand(kg="1000", ceiling="3")])
    assert [(row["lot"], row["price_high"]) for row in table(out / "matches.csv")] == [("L1", "2.5000")]
    assert verify(supply, wanted, str(out)).faults == []
    rows = table(out / "matches.csv")
    rows[0]["price_high"] = "3.0000"
    with (out / "matches.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert verify(supply, wanted, str(out)).count > 0


FAR: dict[str, Any] = {"latitude": 39.9, "longitude": 116.4}


def just_as_far() -> float:
    return road_km((41.5, 122.7), (39.9, 116.4), 1.3)


def test_lot_just_as_far_as_the_buyer_takes_is_admissible_and_blocks(tmp_path: Path) -> None:
    lots = [lot(ask="1")]
    near, nearer = ([demand(**FAR, max_distance_km=km)] for km in (just_as_far(), just_as_far() - 1e-7))
    assert why_not(lots[0], near[0], Parameters()) == ()
    assert [each.code for each in why_not(lots[0], nearer[0], Parameters())] == ["distance"]
    assert blocked_by(tmp_path, lots, near, (lots, nearer)) == 1


@pytest.mark.parametrize("by", [-1e-7, 1e-7])
def test_distance_a_tenth_of_a_millimetre_off_is_no_doubt(tmp_path: Path, by: float) -> None:
    supply, wanted = write_market(
        tmp_path, [lot()], [demand(ceiling="9", **FAR, max_distance_km=just_as_far() + by)]
    )
    products: dict[str, int] = {}
    book = Book(read_side(supply, products, lot=True), read_side(wanted, products, lot=False), 0.6, 1.3)
    first = np.zeros(1, np.int64)
    km = book.km(first, first)
    sure, may = book.judge(first, first, km, book.surplus(first, first, km))
    assert (bool(sure[0]), bool(may[0])) == (by > 0, by > 0)


def test_same_place_and_free_freight_leave_no_doubt(tmp_path: Path) -> None:
    supply, wanted = write_market(tmp_path, [lot(ask="2.3")], [demand(ceiling="2.3", **FAR), demand("D2")])
    products: dict[str, int] = {}
    sides = read_side(supply, products, lot=True), read_side(wanted, products, lot=False)
    i, j = np.zeros(2, np.int64), np.arange(2)
    for freight, exact in ((0.6, [False, True]), (0.0, [True, True])):
        book = Book(*sides, freight, 1.3)
        assert (book.blurs(i, j, book.km(i, j))[0] == 0).tolist() == exact


_edge = st.sampled_from(["2", "2.3", "3", "3", "0"])
_spots = st.sampled_from([(41.5, 122.7), (41.5, 122.7), (39.9, 116.4)])


@st.composite
def edge_markets(draw: st.DrawFn) -> tuple[list[Lot], list[Demand], str]:
    """Few different prices and places, priorities, distances that are just enough, and odd ids."""
    freight = draw(st.sampled_from(["0", "0.6"]))
    lots = []
    for k in range(draw(st.integers(1, 3))):
        lat, lon = draw(_spots)
        lots.append(
            lot(
                f"L;{k}",
                kg=draw(st.sampled_from(["1", "10", "10"])),
                ask=draw(_edge),
                latitude=lat,
                longitude=lon,
                grade=draw(st.integers(0, 1)),
                priority=Decimal(draw(st.sampled_from(["0", "0.5", "1", "3", "-0.3"]))),
            )
        )
    demands = []
    for k in range(draw(st.integers(1, 3))):
        (lat, lon), near = draw(_spots), draw(st.sampled_from(lots))
        km = road_km((near.latitude, near.longitude), (lat, lon), 1.3)
        priced: Any = draw(st.one_of(_edge, st.just(repr(float(near.ask) + float(freight) * km / 1000))))
        demands.append(
            demand(
                draw(st.sampled_from([f"{k}", f"D;{k}", f"0;{k}"])),
                kg=draw(st.sampled_from(["1", "10", "10"])),
                ceiling=priced,
                latitude=lat,
                longitude=lon,
                min_grade=draw(st.integers(0, 1)),
                max_distance_km=draw(st.sampled_from([None, km])),
            )
        )
    return lots, demands, freight


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=edge_markets(), language=st.sampled_from(["zh", "en"]))
def test_whatever_the_engine_writes_of_the_edge_passes(
    made: tuple[list[Lot], list[Demand], str], language: str, tmp_path: Path
) -> None:
    lots, demands, freight = made
    supply, wanted, out = solved(tmp_path, lots, demands, "--freight", freight, "--lang", language)
    assert verify(supply, wanted, str(out)).faults == []


def test_ids_with_the_sign_between_ids_are_read_as_they_can_be_meant(tmp_path: Path) -> None:
    """``1;2`` may be one demand or two; that of the right grade is meant."""
    lots = [lot("L1", grade=0)]
    for name, demands in {
        "one": [demand("D;1", min_grade=1)],
        "both": [demand("1", min_grade=1), demand("2", min_grade=1, kg="400"), demand("1;2", min_grade=0)],
        "whole": [demand("1", product="rice"), demand("2"), demand("1;2", min_grade=1)],
    }.items():
        supply, wanted, out = solved(tmp_path / name, lots, demands)
        assert verify(supply, wanted, str(out)).faults == [], name
    rows = table(tmp_path / "one" / "out" / "diagnosis.csv")
    assert [row["unlock_demands"] for row in rows] == ["D;1"]
    text = (tmp_path / "one" / "out" / "diagnosis.csv").read_text().replace("D;1", "D;2")
    (tmp_path / "one" / "out" / "diagnosis.csv").write_text(text)
    one = tmp_path / "one"
    assert verify(str(one / "supply.csv"), str(one / "demand.csv"), str(one / "out")).count == 1


def test_run_that_ended_without_limits_has_to_be_the_optimum(tmp_path: Path) -> None:
    """An honest gap is no excuse: only limits, or time, can keep a run from it."""
    supply, wanted, out = solved(tmp_path, [lot(ask="2")], [demand(ceiling="3")])
    claim = json.loads((out / "certificate.json").read_text())
    (out / "matches.csv").write_text((out / "matches.csv").read_text().splitlines()[0] + "\n")
    (out / "lots.csv").write_text(
        "lot,sold_kg,left_kg,gain_yuan_per_kg,admissible_pairs,status\nL1,0.000,1000.000,0.5,1,unsold\n"
    )
    (out / "demands.csv").write_text(
        "demand,served_kg,open_kg,gain_yuan_per_kg,admissible_pairs,status\nD1,0.000,1000.000,0.5,1,unfilled\n"
    )
    (out / "diagnosis.csv").write_text(
        "lot,rank,obstacle,change,unlock_kg,unlock_demands,cost_yuan_per_kg\n"
        "L1,1,quantity,words,0.000,,0.0000\n"
    )
    claim |= {"worth_yuan": 0.0, "gap": 1.0, "gap_with_limits": 1.0, "exact": False}
    counts = []
    for finished in (False, True):
        (out / "certificate.json").write_text(json.dumps(claim | {"finished": finished}))
        counts.append(verify(supply, wanted, str(out)).count)
    assert counts == [0, 1]


@pytest.mark.parametrize(
    ("large", "small"), [("100000000", "1"), ("0.001", "0.001")], ids=["in much money", "in next to none"]
)
def test_little_that_a_smallest_order_costs_is_told(tmp_path: Path, large: str, small: str) -> None:
    """A cost below a thousandth of a millionth of the whole is a gap all the same: no exact proof."""
    lots = [
        lot("L1", kg=large, ask="1" if small == "1" else "3"),
        lot("L2", product="rice", kg=small, ask="2.99999"),
    ]
    demands = [demand("D1", kg=large), demand("D2", product="rice", kg="10", min_order=Gram(5000))]
    supply, wanted, out = solved(tmp_path, lots, demands)
    assert verify(supply, wanted, str(out)).faults == []
    claim = json.loads((out / "certificate.json").read_text())
    assert (claim["exact"], claim["gap"] > 0, claim["gap_with_limits"]) == (False, True, 0.0)
