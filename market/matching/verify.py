"""Checks a result against its input, from the files alone.

Written apart from the engine on purpose: it shares no code with the reading, the candidates, the solver
or the writing, so that a mistake there cannot hide here. Distances use the haversine formula itself.
"""

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from market.i18n import msg
from market.matching.verify_files import (
    DEMAND_COLUMNS,
    DIAGNOSIS_COLUMNS,
    LOT_COLUMNS,
    MATCH_COLUMNS,
    Array,
    InputSide,
    Report,
    Row,
    Unreadable,
    finite,
    read_certificate,
    read_input,
    read_output,
)

#: What floating point may blur, in yuan per kg.
BLUR = 1e-9
#: Half of the last decimal of a price, and of a quantity.
PRICE_STEP, KG_STEP = 0.0001, 0.001
_ROWS = 1 << 18


class _Pairs:
    """The pairs as the format defines them, in blocks of bounded size."""

    def __init__(self, lots: InputSide, demands: InputSide, freight: float, road: float) -> None:
        self.lots, self.demands, self.freight, self.road = lots, demands, freight, road

    def km(self, i: Array, j: Array) -> Array:
        a, b = self.lots, self.demands
        h = np.sin((b.lat[j] - a.lat[i]) / 2) ** 2
        h = h + np.cos(a.lat[i]) * np.cos(b.lat[j]) * np.sin((b.lon[j] - a.lon[i]) / 2) ** 2
        return 2 * 6371.0088 * np.arcsin(np.sqrt(np.minimum(h, 1.0))) * self.road

    def judge(self, i: Array, j: Array) -> tuple[Array, Array, Array]:
        """Return (admissible beyond doubt, admissible within blur, worth per kg), elementwise."""
        a, b = self.lots, self.demands
        km = self.km(i, j)
        surplus = b.price[j] - a.price[i] - self.freight * km / 1000
        fits = (a.product[i] == b.product[j]).astype(np.bool_)
        fits &= (a.grade[i] >= b.grade[j]) & (a.begin[i] <= b.end[j]) & (b.begin[j] <= a.end[i])
        fits &= np.array(
            [
                b.codes[y] <= a.codes[x]
                for x, y in zip(np.ravel(i).tolist(), np.ravel(j).tolist(), strict=True)
            ],
            np.bool_,
        ).reshape(fits.shape)
        sure = fits & (surplus >= BLUR) & (km <= b.reach[j] - 1e-6)
        perhaps = fits & (surplus >= -BLUR) & (km <= b.reach[j] + 1e-6)
        return sure, perhaps, surplus + a.priority[i]

    def groups(self) -> list[tuple[Array, Array]]:
        """Per product, its lots and demands."""
        ours: dict[str, list[int]] = {}
        theirs: dict[str, list[int]] = {}
        for k, product in enumerate(self.lots.product):
            ours.setdefault(product, []).append(k)
        for k, product in enumerate(self.demands.product):
            theirs.setdefault(product, []).append(k)
        return [(np.array(rows), np.array(theirs[p])) for p, rows in ours.items() if p in theirs]


def verify(supply: str, demand: str, folder: str) -> Report:
    """Check everything in ``folder`` against the two input files; never raises for what a file holds."""
    report = Report()
    try:
        lots, demands = InputSide(read_input(supply), lot=True), InputSide(read_input(demand), lot=False)
    except Unreadable as trouble:
        report.unreadable = trouble.message
        return report
    except (ValueError, KeyError, ArithmeticError) as trouble:
        why = str(trouble)[:100]
        report.unreadable = msg("输入文件本身有错，请先用 market match 检查：{why}", why=why)
        return report
    where = Path(folder)
    claim = read_certificate(report, where / "certificate.json")
    matches = read_output(report, where, "matches.csv", MATCH_COLUMNS)
    lot_rows = read_output(report, where, "lots.csv", LOT_COLUMNS)
    demand_rows = read_output(report, where, "demands.csv", DEMAND_COLUMNS)
    diagnosis = read_output(report, where, "diagnosis.csv", DIAGNOSIS_COLUMNS)
    if (where / "errors.csv").exists():
        report.wrong("errors.csv", "-", "file", "absent", "present")
    if claim is None or matches is None or lot_rows is None or demand_rows is None or diagnosis is None:
        return report
    try:
        freight = float(claim["parameters"]["freight_yuan_per_tonne_km"])
        road = float(claim["parameters"]["road_factor"])
        if not (0 <= freight < math.inf and 0 < road < math.inf):
            raise ValueError("parameters")
    except (KeyError, TypeError, ValueError):
        report.wrong("certificate.json", "-", "parameters", "freight_yuan_per_tonne_km, road_factor", "")
        return report
    pairs = _Pairs(lots, demands, freight, road)
    u = _gains(report, "lots.csv", "lot", lot_rows, lots)
    v = _gains(report, "demands.csv", "demand", demand_rows, demands)
    if u is None or v is None:
        return report
    sold, served, worth = _check_matches(report, pairs, matches, u)
    _check_sides(
        report,
        "lots.csv",
        lot_rows,
        lots,
        sold,
        ("sold_kg", "left_kg"),
        ("unsold", "partly_sold", "sold_out"),
    )
    _check_sides(
        report,
        "demands.csv",
        demand_rows,
        demands,
        served,
        ("served_kg", "open_kg"),
        ("unfilled", "partly_filled", "filled"),
    )
    seen = _check_all_pairs(report, pairs, u, v, lot_rows, demand_rows, claim)
    most = float(lots.kg @ u + demands.kg @ v)
    # Quantities finer than a gram are rounded down on reading; the bound may fall short by that much.
    least = sum(float(np.floor(side.kg * 1000 + 1e-6) / 1000 @ g) for side, g in ((lots, u), (demands, v)))
    _check_claim(report, claim, worth, (least, most), float(sold.sum()))
    _check_diagnosis(report, diagnosis, lots, demands, sold)
    if not report.count:
        bound = float(lots.kg @ u + demands.kg @ v)
        report.checked = [
            msg(
                "{pairs} 对撮合：可行、数量、价格、运费、起订量与批次上限，逐项重算无误。", pairs=len(matches)
            ),
            msg(
                "{seen} 个组合全部查过，可行的 {ok} 个，没有一对双方都更愿意的组合。",
                seen=seen,
                ok=claim["pairs_admissible"],
            ),
            msg(
                "总收益 {worth} 元，任何方案都不会超过 {bound} 元，差距 {gap}%。",
                worth=f"{worth:.2f}",
                bound=f"{bound:.2f}",
                gap=f"{max(0.0, (bound - worth) / bound) * 100 if bound > 1e-6 else 0:.6f}",
            ),
        ]
    return report


def _gains(report: Report, file: str, key: str, rows: list[Row], side: InputSide) -> Array | None:
    """The dual prices of a side, in input order; None if the rows are not exactly that side's."""
    ids = [row[key] for row in rows]
    if ids != side.ids:
        missing = [name for name in side.ids if name not in set(ids)][:3]
        foreign = [name for name in ids if name not in side.place][:3]
        report.wrong(file, "-", "rows", f"{len(side.ids)} {missing}", f"{len(ids)} {foreign}")
        return None
    gains = np.array([finite(report, file, row[key], row, "gain_yuan_per_kg") for row in rows], np.float64)
    for k in np.flatnonzero(gains < 0).tolist():
        report.wrong(file, ids[k], "gain_yuan_per_kg", ">= 0", rows[k]["gain_yuan_per_kg"])
    return gains


def _check_matches(report: Report, pairs: _Pairs, rows: list[Row], u: Array) -> tuple[Array, Array, float]:
    lots, demands, name = pairs.lots, pairs.demands, "matches.csv"
    sold, served = np.zeros(len(lots.ids)), np.zeros(len(demands.ids))
    count = np.zeros(len(demands.ids), np.int64)
    total, seen = 0.0, set()
    for number, row in enumerate(rows, start=2):
        i, j = lots.place.get(row["lot"]), demands.place.get(row["demand"])
        if i is None or j is None:
            report.wrong(name, number, "lot, demand", "ids of the input", f"{row['lot']}, {row['demand']}")
            continue
        key = f"{row['lot']} → {row['demand']}"
        if (i, j) in seen:
            report.wrong(name, number, "pair", "once", key)
        seen.add((i, j))
        at_i, at_j = np.array([i]), np.array([j])
        _, perhaps, worths = pairs.judge(at_i, at_j)
        if not perhaps[0]:
            report.wrong(name, key, "pair", "admissible", "not admissible")
        value = {column: finite(report, name, key, row, column) for column in MATCH_COLUMNS[2:9]}
        kg, price = value["quantity_kg"], value["price_yuan_per_kg"]
        if kg <= 0 or abs(kg * 1000 - round(kg * 1000)) > 1e-4:
            report.wrong(name, key, "quantity_kg", "> 0, to 0.001", row["quantity_kg"])
        least = max(lots.min_order[i], demands.min_order[j])
        if kg < least - KG_STEP / 2:
            report.wrong(name, key, "quantity_kg", f">= {least:g} (min_order_kg)", row["quantity_kg"])
        sold[i] += kg
        served[j] += kg
        count[j] += 1
        km = float(pairs.km(at_i, at_j)[0])
        freight = pairs.freight * km / 1000
        for column, true, blur in (
            ("km", km, 1e-4),
            ("freight_yuan_per_kg", freight, 1e-6),
            ("worth_yuan", float(worths[0]) * kg, 1e-5 + 1e-9 * abs(float(worths[0]) * kg)),
        ):
            if abs(value[column] - true) > blur:
                report.wrong(name, key, column, f"{true:.6f}", row[column])
        total += float(worths[0]) * kg
        ask, most = lots.price[i], max(lots.price[i], demands.price[j] - freight)
        for column in ("price_yuan_per_kg", "price_low", "price_high"):
            if not ask - BLUR <= value[column] <= most + BLUR:
                report.wrong(name, key, column, f"{ask:.4f} .. {most:.4f}", row[column])
            elif len(row[column].partition(".")[2]) > 4 and Decimal(row[column]) != lots.ask_exact[i]:
                report.wrong(name, key, column, "to 0.0001", row[column])
        if not value["price_low"] <= price <= value["price_high"]:
            report.wrong(
                name,
                key,
                "price_yuan_per_kg",
                f"{row['price_low']} .. {row['price_high']}",
                row["price_yuan_per_kg"],
            )
        due = min(max(ask - lots.priority[i] + u[i], ask), most)
        if abs(price - due) > PRICE_STEP * 1.001:
            report.wrong(name, key, "price_yuan_per_kg", f"{due:.4f}", row["price_yuan_per_kg"])
        if not row["reason"].strip():
            report.wrong(name, key, "reason", "words", "")
    for k in np.flatnonzero(count > demands.max_lots).tolist():
        report.wrong(name, demands.ids[k], "max_lots", f"<= {demands.max_lots[k]:g}", count[k])
    return sold, served, total


def _check_sides(
    report: Report,
    name: str,
    rows: list[Row],
    side: InputSide,
    traded: Array,
    columns: tuple[str, str],
    states: tuple[str, str, str],
) -> None:
    for k, row in enumerate(rows):
        moved, rest = (finite(report, name, side.ids[k], row, column) for column in columns)
        if traded[k] > side.kg[k] + 1e-6:
            report.wrong(name, side.ids[k], "quantity_kg", f"<= {side.kg[k]:.3f}", f"{traded[k]:.3f}")
        if abs(moved - traded[k]) > KG_STEP / 2:
            report.wrong(name, side.ids[k], columns[0], f"{traded[k]:.3f}", row[columns[0]])
        if rest < 0 or abs(side.kg[k] - traded[k] - rest) > KG_STEP * 1.001:
            report.wrong(name, side.ids[k], columns[1], f"{side.kg[k] - traded[k]:.3f}", row[columns[1]])
        state = states[0] if traded[k] == 0 else states[2] if rest == 0 else states[1]
        if row["status"] != state:
            report.wrong(name, side.ids[k], "status", state, row["status"])


def _check_all_pairs(
    report: Report,
    pairs: _Pairs,
    u: Array,
    v: Array,
    lot_rows: list[Row],
    demand_rows: list[Row],
    claim: dict[str, Any],
) -> int:
    """Every pair of every product: u + v >= worth where admissible, and the counts."""
    lots, demands = pairs.lots, pairs.demands
    sure_of, perhaps_of = np.zeros(len(lots.ids), np.int64), np.zeros(len(lots.ids), np.int64)
    sure_to, perhaps_to = np.zeros(len(demands.ids), np.int64), np.zeros(len(demands.ids), np.int64)
    blocking = seen = 0
    for rows, columns in pairs.groups():
        step = max(1, _ROWS // len(columns))
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            i, j = np.repeat(some, len(columns)), np.tile(columns, len(some))
            seen += len(i)
            cheap = demands.price[j] - lots.price[i] >= -BLUR
            cheap &= (lots.grade[i] >= demands.grade[j]) & (lots.begin[i] <= demands.end[j])
            cheap &= demands.begin[j] <= lots.end[i]
            i, j = i[cheap], j[cheap]
            sure, perhaps, worth = pairs.judge(i, j)
            np.add.at(sure_of, i[sure], 1)
            np.add.at(perhaps_of, i[perhaps], 1)
            np.add.at(sure_to, j[sure], 1)
            np.add.at(perhaps_to, j[perhaps], 1)
            for k in np.flatnonzero(sure & (u[i] + v[j] < worth - BLUR)).tolist():
                blocking += 1
                report.wrong(
                    "certificate",
                    f"{lots.ids[i[k]]} → {demands.ids[j[k]]}",
                    "u + v",
                    f">= {worth[k]:.9f}",
                    f"{u[i[k]] + v[j[k]]:.9f}",
                )
    if claim["blocking_pairs"] != blocking:
        report.wrong("certificate.json", "-", "blocking_pairs", blocking, claim["blocking_pairs"])
    if not sure_of.sum() <= claim["pairs_admissible"] <= perhaps_of.sum():
        report.wrong("certificate.json", "-", "pairs_admissible", sure_of.sum(), claim["pairs_admissible"])
    for name, written, side, low, high in (
        ("lots.csv", lot_rows, lots, sure_of, perhaps_of),
        ("demands.csv", demand_rows, demands, sure_to, perhaps_to),
    ):
        for k, row in enumerate(written):
            if not row["admissible_pairs"].isascii() or not row["admissible_pairs"].isdigit():
                report.wrong(name, side.ids[k], "admissible_pairs", "a count", row["admissible_pairs"])
            elif not low[k] <= int(row["admissible_pairs"]) <= high[k]:
                report.wrong(name, side.ids[k], "admissible_pairs", low[k], row["admissible_pairs"])
    return seen


def _check_claim(
    report: Report, claim: dict[str, Any], worth: float, bounds: tuple[float, float], kg: float
) -> None:
    name = "certificate.json"
    least, bound = bounds
    blur = 1e-6 + 1e-9 * max(abs(worth), abs(bound))
    if abs(claim["worth_yuan"] - worth) > blur:
        report.wrong(name, "-", "worth_yuan", f"{worth:.6f}", claim["worth_yuan"])
    if not least - blur <= claim["upper_bound_yuan"] <= bound + blur:
        report.wrong(name, "-", "upper_bound_yuan", f"{bound:.6f}", claim["upper_bound_yuan"])
    gap = (
        (claim["upper_bound_yuan"] - claim["worth_yuan"]) / claim["upper_bound_yuan"] if bound > 1e-6 else 0.0
    )
    if abs(claim["gap"] - max(0.0, gap)) > 2e-9:
        report.wrong(name, "-", "gap", f"{gap:.3g}", claim["gap"])
    # The engine reckons in whole steps of a yuan per kg, 1e-10 or finer, each rounded up.
    reached = claim["upper_bound_yuan"] - claim["worth_yuan"] <= blur + 2e-10 * kg
    if claim["exact"] and not reached:
        report.wrong(name, "-", "exact", False, True)
    if not claim["exact"] and claim["gap"] == 0:
        report.wrong(name, "-", "exact", True, False)


def _check_diagnosis(
    report: Report, rows: list[Row], lots: InputSide, demands: InputSide, sold: Array
) -> None:
    name = "diagnosis.csv"
    ranks: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        place = lots.place.get(row["lot"])
        if place is None:
            report.wrong(name, number, "lot", "an id of the input", row["lot"])
            continue
        ranks[row["lot"]] = ranks.get(row["lot"], 0) + 1
        if row["rank"] != str(ranks[row["lot"]]):
            report.wrong(name, number, "rank", ranks[row["lot"]], row["rank"])
        left = lots.kg[place] - sold[place]
        unlock = finite(report, name, number, row, "unlock_kg")
        if not 0 <= unlock <= left + KG_STEP * 1.001:
            report.wrong(name, number, "unlock_kg", f"0 .. {left:.3f}", row["unlock_kg"])
        named = [d for d in row["unlock_demands"].split(";") if d]
        foreign = [d for d in named if d not in demands.place]
        if foreign:
            report.wrong(name, number, "unlock_demands", "ids of the input", ";".join(foreign))
        if finite(report, name, number, row, "cost_yuan_per_kg") < 0:
            report.wrong(name, number, "cost_yuan_per_kg", ">= 0", row["cost_yuan_per_kg"])
        if not row["obstacle"] or not row["change"]:
            report.wrong(name, number, "obstacle, change", "words", "")
    for k in np.flatnonzero(lots.kg - sold > KG_STEP * 1.5).tolist():
        if lots.ids[k] not in ranks:
            report.wrong(name, lots.ids[k], "row", "at least one", "none")
