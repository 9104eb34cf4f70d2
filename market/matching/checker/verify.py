"""Checks a result against its input, from the files alone.

Written apart from the engine on purpose: it shares no code with the reading, the candidates, the solver
or the writing, so that a mistake there cannot hide here. ``verify_input`` reads the market,
``verify_files`` and ``verify_matches`` the result, ``verify_pairs`` goes through every pair,
``verify_prices`` finds the ends of the price band by itself, ``verify_diagnosis`` looks at the changes.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from market.i18n import msg
from market.matching.checker.diagnosis import check_diagnosis
from market.matching.checker.files import DEMAND_COLUMNS, LOT_COLUMNS, Floats, Ints, Report, read_certificate
from market.matching.checker.input import Side, Unreadable, read_side
from market.matching.checker.matches import (
    Ends,
    Matches,
    Outcome,
    check_band,
    check_matches,
    check_outcome,
    read_matches,
    read_outcome,
)
from market.matching.checker.pairs import AllPairs, Book, Pairs, Product, Tally
from market.matching.checker.prices import MOST_PAIRS, MOST_SOLVED, best_flows, extreme_gains, supported

LOT_STATES = ("unsold", "partly_sold", "sold_out")
DEMAND_STATES = ("unfilled", "partly_filled", "filled")
#: Larger rates of freight, in yuan per tonne-km, and road factors are slips.
MOST_RATE = 1e6


def verify(supply: str, demand: str, folder: str) -> Report:
    """Check everything in ``folder`` against the two input files; never raises for what a file holds."""
    report = Report()
    products: dict[str, int] = {}
    try:
        lots, demands = read_side(supply, products, lot=True), read_side(demand, products, lot=False)
    except Unreadable as trouble:
        report.unreadable = trouble.message
        return report
    where = Path(folder)
    # Of a folder whose name no system takes, each file that is looked for says so.
    with suppress(OSError):
        if (where / "errors.csv").exists():
            report.wrong("errors.csv", "-", msg("整个文件"), msg("没有它"), msg("有它"))
    claim = read_certificate(report, where / "certificate.json")
    rates = _rates(report, claim) if claim else None
    book = Book(lots, demands, *(rates or (0.0, 1.0)))
    matches = read_matches(report, where, book)
    sold = read_outcome(report, where, "lots.csv", LOT_COLUMNS, lots)
    served = read_outcome(report, where, "demands.csv", DEMAND_COLUMNS, demands)
    if claim is None or rates is None or matches is None or sold is None or served is None:
        return report
    _check(report, where, book, len(products), claim, matches, sold, served)
    return report


def _rates(report: Report, claim: dict[str, Any]) -> tuple[float, float] | None:
    """Freight rate and road factor that the result was made with."""
    try:
        given = claim["parameters"]
        freight, road = float(given["freight_yuan_per_tonne_km"]), float(given["road_factor"])
        if not (0 <= freight <= MOST_RATE and 0 < road <= MOST_RATE):
            raise ValueError("parameters")
    except (KeyError, TypeError, ValueError, OverflowError):
        report.wrong("certificate.json", "-", "parameters", "freight_yuan_per_tonne_km, road_factor", "")
        return None
    return freight, road


def _total(places: Ints, grams: Ints, count: int) -> Ints:
    total = np.zeros(count, np.int64)
    np.add.at(total, places, grams)
    return total


def _check(
    report: Report,
    folder: Path,
    book: Book,
    products: int,
    claim: dict[str, Any],
    matches: Matches,
    sold: Outcome,
    served: Outcome,
) -> None:
    lots, demands = book.lots, book.demands
    traded = _total(matches.i, matches.grams, len(lots.ids))
    taken = _total(matches.j, matches.grams, len(demands.ids))
    check_outcome(report, "lots.csv", LOT_COLUMNS, lots, sold, traded, LOT_STATES)
    check_outcome(report, "demands.csv", DEMAND_COLUMNS, demands, served, taken, DEMAND_STATES)
    worth = check_matches(report, book, matches, sold.gain)
    step = min(sold.step, served.step)
    band = _Band(
        report, book, matches, (sold.gain, served.gain), (lots.grams > traded, demands.grams > taken), step
    )
    everything = AllPairs(book, products, report, sold.gain, served.gain)
    for product in everything.run(MOST_PAIRS):
        band.check(product)
    tally = everything.tally
    _check_counts(report, book, tally, sold, served, claim)
    # Quantities finer than a gram were rounded down; a bound of the rounded ones is as good.
    least = _weighted(lots.grams / 1000, sold.gain) + _weighted(demands.grams / 1000, served.gain)
    most = _weighted(lots.kg, sold.gain) + _weighted(demands.kg, served.gain)
    kg = float(matches.grams.sum()) / 1000
    limited = bool(lots.min_order.any() or demands.min_order.any() or np.isfinite(demands.max_lots).any())
    if _check_claim(report, claim, worth, (least, max(least, most)), kg, step, limited=limited):
        band.check_slackness()
    check_diagnosis(report, folder, book, (lots.grams - traded, demands.grams - taken), served.gain)
    if report.count:
        return
    report.checked = [
        msg("{pairs} 对撮合：可行、数量、价格、运费、起订量与批次上限，逐项重算无误。", pairs=len(matches.i)),
        msg(
            "{seen} 个组合全部查过，可行的 {ok} 个，没有一对双方都更愿意的组合。",
            seen=tally.seen,
            ok=claim["pairs_admissible"],
        ),
        msg(
            "总收益 {worth} 元，任何方案都不会超过 {bound} 元，差距 {gap}%。",
            worth=f"{worth:.2f}",
            bound=f"{most:.2f}",
            gap=f"{max(0.0, (most - worth) / most) * 100 if most > 1e-6 else 0:.6f}",
        ),
        msg(
            "价格区间：{done} 对的两端用最短路重算，与买方最好、卖方最好的均衡一致；"
            "其余 {rest} 对查了上下限和居中。",
            done=band.done,
            rest=len(matches.i) - band.done,
        ),
    ]


def _weighted(kg: Floats, gain: Floats) -> float:
    return float((kg.astype(np.longdouble) * gain).sum())


class _Band:
    """The price band of the products whose pairs are few enough to recompute it."""

    def __init__(
        self,
        report: Report,
        book: Book,
        matches: Matches,
        gains: tuple[Floats, Floats],
        rest: tuple[Any, Any],
        step: float,
    ) -> None:
        self.report, self.book, self.matches, self.gains, self.rest = report, book, matches, gains, rest
        self.done = 0
        m, (u, v) = matches, gains
        km = book.km(m.i, m.j)
        self.worth = book.surplus(m.i, m.j, km) + book.lots.priority[m.i]
        #: What whole steps, each rounded up, may add to a gain.
        self.blur = 1e-8 + 2 * step
        self.loose = np.abs(u[m.i] + v[m.j] - self.worth) > self.blur
        self.order = np.argsort(book.lots.product[m.i], kind="stable")
        self.product = book.lots.product[m.i][self.order]

    def check(self, product: Product) -> None:
        """Recompute the ends of the band where all pairs are at hand and the gains support the result."""
        if product.pairs is None or product.doubts is None:
            return
        lots, demands = product.lots, product.demands
        kind = self.book.lots.product[lots[0]]
        start, stop = np.searchsorted(self.product, [kind, kind + 1])
        chosen = self.order[start:stop]
        if not len(chosen):
            return
        near = np.full(len(self.book.lots.ids), -1)
        far = np.full(len(self.book.demands.ids), -1)
        near[lots], far[demands] = np.arange(len(lots)), np.arange(len(demands))
        i, j = near[self.matches.i[chosen]], far[self.matches.j[chosen]]
        if (j < 0).any():
            # A match across products: refused already.
            return
        gains = self.gains[0][lots], self.gains[1][demands]
        seen = self._seen(product.pairs, product.doubts, gains, (i, j))
        found = [self._ends(lots, demands, pairs, gains, (i, j, self.worth[chosen])) for pairs in seen]
        sides = [pair for pair in found if pair is not None]
        if len(sides) < len(found):
            return
        low, high = (
            Ends(np.minimum.reduce(end)[i], np.maximum.reduce(end)[i]) for end in zip(*sides, strict=True)
        )
        check_band(self.report, self.book, self.matches, chosen, low, high)
        self.done += len(chosen)

    def _seen(
        self, sure: Pairs, doubts: Pairs, gains: tuple[Floats, Floats], flows: tuple[Ints, Ints]
    ) -> list[Pairs]:
        """The pairs that the result may have reckoned with: the fewest, and where some are in doubt the most.

        More pairs make the band narrower, so whatever it took for admissible lies between these two. A pair
        in doubt with goods on it was taken, and one that its gains would not support was not.
        """
        i, j, worth = doubts
        if not len(i):
            return [sure]
        width = len(gains[1])
        used = np.isin(i * width + j, flows[0] * width + flows[1])
        may = ~used & (gains[0][i] + gains[1][j] >= worth - self.blur)
        fewest = _both(sure, (i[used], j[used], worth[used]))
        return [fewest, _both(fewest, (i[may], j[may], worth[may]))] if may.any() else [fewest]

    def _ends(
        self, lots: Ints, demands: Ints, pairs: Pairs, gains: tuple[Floats, Floats], flows: Pairs
    ) -> tuple[Floats, Floats] | None:
        """The lots' gains at both ends of the band over these pairs; None where they cannot be told."""
        rest = self.rest[0][lots], self.rest[1][demands]
        if not supported(gains, flows, rest, self.blur):
            # Smallest orders or most lots bind. Prices are those of the market without them.
            if len(pairs[0]) > MOST_SOLVED:
                return None
            kg = self.book.lots.grams[lots] / 1000, self.book.demands.grams[demands] / 1000
            flows, rest = best_flows(pairs, kg)
            if not supported(gains, flows, rest, 1e-6):
                return None
        return extreme_gains(pairs, gains, flows[:2], rest)

    def check_slackness(self) -> None:
        """In an exact result gains divide the worth of every match, and are 0 where something is left."""
        m, (u, v) = self.matches, self.gains
        lots, demands = self.book.lots, self.book.demands
        self.report.wrong_at(
            self.loose,
            "certificate",
            lambda k: f"{lots.ids[m.i[k]]} → {demands.ids[m.j[k]]}",
            "u + v",
            lambda k: f"{self.worth[k]:.9f}",
            lambda k: f"{u[m.i[k]] + v[m.j[k]]:.9f}",
        )
        for name, side, gain, rest in (
            ("lots.csv", lots, u, self.rest[0]),
            ("demands.csv", demands, v, self.rest[1]),
        ):
            self.report.wrong_at(
                rest & (gain > self.blur),
                name,
                lambda k: side.ids[k],  # noqa: B023  called at once
                "gain_yuan_per_kg",
                lambda _: 0,
                lambda k: gain[k],  # noqa: B023
            )


def _both(some: Pairs, more: Pairs) -> Pairs:
    i, j, worth = (np.concatenate(column) for column in zip(some, more, strict=True))
    return i, j, worth


def _check_counts(
    report: Report, book: Book, tally: Tally, sold: Outcome, served: Outcome, claim: dict[str, Any]
) -> None:
    name = "certificate.json"
    if claim["blocking_pairs"] != tally.blocking:
        report.wrong(name, "-", "blocking_pairs", tally.blocking, claim["blocking_pairs"])
    sure, doubt = int(tally.lot_pairs.sum()), int(tally.lot_doubts.sum())
    if not sure <= claim["pairs_admissible"] <= sure + doubt:
        report.wrong(name, "-", "pairs_admissible", sure, claim["pairs_admissible"])
    sides: tuple[tuple[str, Side, Ints, Ints, Ints], ...] = (
        ("lots.csv", book.lots, sold.pairs, tally.lot_pairs, tally.lot_doubts),
        ("demands.csv", book.demands, served.pairs, tally.demand_pairs, tally.demand_doubts),
    )
    for file, side, written, low, more in sides:
        report.wrong_at(
            (written < low) | (written > low + more),
            file,
            lambda k: side.ids[k],  # noqa: B023  called at once
            "admissible_pairs",
            lambda k: low[k],  # noqa: B023
            lambda k: written[k],  # noqa: B023
        )
        if file == "lots.csv" and int(written.sum()) != claim["pairs_admissible"]:
            report.wrong(name, "-", "pairs_admissible", int(written.sum()), claim["pairs_admissible"])


def _check_claim(
    report: Report,
    claim: dict[str, Any],
    worth: float,
    bounds: tuple[float, float],
    kg: float,
    step: float,
    *,
    limited: bool,
) -> bool:
    """Check the figures of the certificate; tell whether it claims, and reaches, the optimum.

    ``limited``: there are smallest orders or most lots in the input.
    """
    name = "certificate.json"
    least, most = bounds
    blur = 1e-6 + 1e-12 * kg + 1e-13 * abs(most)
    claimed, bound = claim["worth_yuan"], claim["upper_bound_yuan"]
    if abs(claimed - worth) > blur:
        report.wrong(name, "-", "worth_yuan", f"{worth:.6f}", claimed)
    if not least - blur <= bound <= most + blur:
        report.wrong(name, "-", "upper_bound_yuan", f"{most:.6f}", bound)
    # The nearer bound is the engine's own proof; what can be seen is that it lies between the two.
    within = claim["bound_with_limits_yuan"]
    if not claimed - blur <= within <= bound + blur:
        report.wrong(name, "-", "bound_with_limits_yuan", f"{claimed:.6f} .. {bound:.6f}", within)
    for gap_name, of in (("gap", bound), ("gap_with_limits", within)):
        gap = max(0.0, (of - claimed) / of) if of > 0 else 0.0
        is_nothing = gap < 1e-9 or of - claimed <= 1e-9 or of <= 1e-6
        if abs(claim[gap_name] - gap) > 1e-12 and not (claim[gap_name] == 0 and is_nothing):
            report.wrong(name, "-", gap_name, f"{gap:.3g}", claim[gap_name])
    # The engine reckons in whole steps of a yuan per kg, each rounded up.
    reached = bound - claimed <= blur + 2 * step * kg
    if claim["exact"] and not reached:
        report.wrong(name, "-", "exact", False, True)
    if not claim["exact"] and claim["gap"] == 0:
        report.wrong(name, "-", "exact", True, False)
    elif not claim["exact"] and claim["finished"] and not limited:
        # Nothing but limits keeps a run that came to its end from the optimum.
        report.wrong(name, "-", "finished", False, True)
    return bool(claim["exact"] and reached)
