"""matches.csv, lots.csv and demands.csv for the checker: every row recomputed from the input."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from market.i18n import Message, msg
from market.matching.checker.files import (
    MATCH_COLUMNS,
    Bools,
    FileFault,
    Floats,
    Ints,
    Report,
    counts,
    decimals,
    numbers,
    stripes,
)
from market.matching.checker.input import Side
from market.matching.checker.pairs import Book
from market.matching.checker.words import REASON_FIGURES, reason_figures

#: Half of the last decimal of a price, and what floating point may add to it.
HALF, PRICE_BLUR = 0.00005, 1e-8
_GRAMS = re.compile(r"(?:[0-9]++(?:\.[0-9]{1,3})?+\n)*+")
_HAO = re.compile(r"(?:[0-9]++(?:\.[0-9]{1,4})?+\n)*+")


@dataclass(frozen=True)
class Matches:
    """matches.csv by column; lots and demands are places in the input."""

    i: Ints
    j: Ints
    grams: Ints
    price: Floats
    low: Floats
    high: Floats
    freight: Floats
    km: Floats
    worth: Floats
    #: Of every match the figures that its reason tells.
    reason: Floats


@dataclass(frozen=True)
class Outcome:
    """lots.csv or demands.csv by column, in the order of the input; mass in grams, ``gain`` u or v."""

    traded: Ints
    rest: Ints
    gain: Floats
    pairs: Ints
    status: list[str]
    #: The finest step in which gains are written, in yuan per kg.
    step: float


def grams_of(kg: Floats) -> Ints:
    return cast(Ints, np.rint(kg * 1000).astype(np.int64))


def read_matches(report: Report, folder: Path, book: Book) -> Matches | None:
    """Read matches.csv, reporting rows that are no match of the input; None if it cannot be read."""
    name = "matches.csv"
    parts: list[tuple[Ints | Floats, ...]] = []
    try:
        for first, texts in stripes(report, folder, name, MATCH_COLUMNS):
            values = [numbers(report, name, first, texts[column], column) for column in MATCH_COLUMNS[2:9]]
            lots, demands = book.lots.place, book.demands.place
            i = np.array([lots.get(id_, -1) for id_ in texts["lot"]], np.int64)
            j = np.array([demands.get(id_, -1) for id_ in texts["demand"]], np.int64)
            known = (i >= 0) & (j >= 0)
            ids = list(zip(texts["lot"], texts["demand"], strict=True))
            report.wrong_at(
                ~known,
                name,
                lambda k: first + k,  # noqa: B023  called at once
                "lot, demand",
                lambda _: msg("输入里有的编号"),
                lambda k: ", ".join(ids[k]),  # noqa: B023
            )
            _check_decimals(report, name, first, texts["quantity_kg"], "quantity_kg")
            for column in MATCH_COLUMNS[3:6]:
                if not _HAO.fullmatch("\n".join(texts[column]) + "\n"):
                    _check_exact(report, first, texts[column], column, book, i)
            told = reason_figures(texts["reason"])
            parts.append((i[known], j[known], *(value[known] for value in values), told[known]))
    except FileFault:
        return None
    if not parts:
        none, nothing = np.zeros(0, np.int64), np.zeros(0)
        no_reason = np.zeros((0, REASON_FIGURES))
        return Matches(none, none, none, nothing, nothing, nothing, nothing, nothing, nothing, no_reason)
    i, j, kg, *others = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Matches(i, j, grams_of(kg), *others)


def _check_decimals(report: Report, name: str, first: int, texts: Sequence[str], column: str) -> None:
    if not _GRAMS.fullmatch("\n".join(texts) + "\n"):
        bad = np.array([not _GRAMS.fullmatch(text + "\n") for text in texts], np.bool_)
        report.wrong_at(
            bad,
            name,
            lambda k: first + k,
            column,
            lambda _: msg("不小于 0、到 0.001"),
            lambda k: texts[k],
        )


def _number(text: str) -> float:
    """The number that stands there; what is none equals nothing."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _check_exact(report: Report, first: int, texts: Sequence[str], column: str, book: Book, i: Ints) -> None:
    """A price finer than 0.0001 yuan can only be the ask itself."""
    fine = [
        decimals(text) > 4 and float(book.lots.exact.get(k, -1)) != _number(text)
        for text, k in zip(texts, i.tolist(), strict=True)
    ]
    report.wrong_at(
        np.array(fine, np.bool_),
        "matches.csv",
        lambda k: first + k,
        column,
        lambda _: msg("精确到 0.0001 的数"),
        lambda k: texts[k],
    )


def check_matches(report: Report, book: Book, matches: Matches, u: Floats) -> float:
    """Check every match by itself; return the worth of all of them as recomputed, in yuan."""
    name, m = "matches.csv", matches
    lots, demands = book.lots, book.demands

    def row(k: int) -> str:
        return f"{lots.ids[m.i[k]]} → {demands.ids[m.j[k]]}"

    def differs(what: str, written: Floats, true: Floats, blur: Floats | float) -> None:
        report.wrong_at(
            np.abs(written - true) > blur,
            name,
            row,
            what,
            lambda k: f"{true[k]:.6f}",
            lambda k: f"{written[k]:.9g}",
        )

    key = m.i * max(1, len(demands.ids)) + m.j
    order = np.argsort(key, kind="stable")
    again = np.zeros(len(key), np.bool_)
    again[order[1:]] = key[order[1:]] == key[order[:-1]]
    report.wrong_at(again, name, row, msg("配对"), lambda _: msg("只写一次"), lambda _: msg("又一次"))
    km = book.km(m.i, m.j)
    surplus = book.surplus(m.i, m.j, km)
    may = book.fits(m.i, m.j) & book.judge(m.i, m.j, km, surplus)[1]
    report.wrong_at(~may, name, row, msg("配对"), lambda _: msg("可以成交的"), lambda _: msg("不能成交的"))
    least = np.maximum(np.maximum(lots.min_order[m.i], demands.min_order[m.j]), 1)
    report.wrong_at(
        m.grams < least,
        name,
        row,
        "quantity_kg",
        lambda k: f">= {least[k] / 1000:g} (min_order_kg)",
        lambda k: m.grams[k] / 1000,
    )
    lots_of = np.bincount(m.j, minlength=len(demands.ids))
    report.wrong_at(
        lots_of > demands.max_lots,
        name,
        lambda k: demands.ids[k],
        "max_lots",
        lambda k: f"<= {demands.max_lots[k]:g}",
        lambda k: lots_of[k],
    )
    # At the other end of the Earth the haversine formula itself knows no more than some metres.
    blur = np.where(km > 15_000 * book.road, 0.001, 1e-9)
    differs("km", m.km, km, 5.1e-7 + blur)
    differs("freight_yuan_per_kg", m.freight, book.freight * km / 1000, 5.1e-10 + book.freight * blur / 1000)
    worth = (surplus + lots.priority[m.i]) * m.grams / 1000
    differs("worth_yuan", m.worth, worth, 5.1e-7 + 1e-14 * m.grams + 1e-14 * np.abs(worth))
    _check_prices(report, book, matches, u, km)
    ask = lots.price[m.i]
    most = np.maximum(surplus + ask - m.price, 0.0)
    due = np.stack([km, book.freight * km / 1000, surplus, m.price - ask, most], axis=1)
    told = np.array([0.05, *[HALF] * (REASON_FIGURES - 1)]) + PRICE_BLUR + blur[:, None]
    report.wrong_at(
        ~(np.isnan(m.reason) | (np.abs(m.reason - due) <= told)).all(axis=1),
        name,
        row,
        "reason",
        lambda k: ", ".join(f"{value:.4f}" for value in due[k]),
        lambda k: ", ".join(f"{value:g}" for value in m.reason[k]),
    )
    return float(worth.astype(np.longdouble).sum())


@dataclass(frozen=True)
class Room:
    """The room of each match's price: ``base`` + gain, kept within [ask, ceiling - freight]."""

    base: Floats
    floor: Floats
    cap: Floats

    def price(self, gain: Floats) -> Floats:
        """The exact price of a gain, within the room as far as 0.0001 yuan can express it."""
        return cast(Floats, np.minimum(np.maximum(self.base + gain, self.floor), self.cap))


def room_of(book: Book, matches: Matches, km: Floats) -> Room:
    ask = book.lots.price[matches.i]
    most = np.maximum(ask, book.demands.price[matches.j] - book.freight * km / 1000)
    floor, cap = np.ceil(ask * 1e4 - 1e-6) / 1e4, np.floor(most * 1e4 + 1e-6) / 1e4
    # No price to 0.0001 between the two: the ask itself.
    narrow = cap < floor
    floor, cap = np.where(narrow, ask, floor), np.where(narrow, ask, cap)
    return Room(ask - book.lots.priority[matches.i], floor, cap)


def _check_prices(report: Report, book: Book, m: Matches, u: Floats, km: Floats) -> None:
    room = room_of(book, m, km)

    def row(k: int) -> str:
        return f"{book.lots.ids[m.i[k]]} → {book.demands.ids[m.j[k]]}"

    def outside(what: str, written: Floats, low: Floats, high: Floats) -> None:
        report.wrong_at(
            (written < low - PRICE_BLUR) | (written > high + PRICE_BLUR),
            "matches.csv",
            row,
            what,
            lambda k: f"{low[k]:.4f} .. {high[k]:.4f}",
            lambda k: f"{written[k]:.9g}",
        )

    for column, written in (("price_low", m.low), ("price_yuan_per_kg", m.price), ("price_high", m.high)):
        outside(column, written, room.floor, room.cap)
    outside("price_yuan_per_kg", m.price, m.low, m.high)
    due = room.price(u[m.i])
    outside("price_yuan_per_kg", m.price, due - HALF, due + HALF)
    # Midway: twice the middle less one end is the other end, as far as limits and rounding let one see.
    middle = 2 * (room.base + u[m.i])
    for column, written, other in (("price_low", m.low, m.high), ("price_high", m.high, m.low)):
        at_floor, at_cap = other <= room.floor + 1e-7, other >= room.cap - 1e-7
        least = np.where(at_floor, np.minimum(room.base, room.floor), other - HALF)
        most = np.where(at_cap, np.inf, other + HALF)
        outside(
            column,
            written,
            np.minimum(np.maximum(middle - most, room.floor), room.cap) - HALF,
            np.minimum(np.maximum(middle - least, room.floor), room.cap) + HALF,
        )


@dataclass(frozen=True)
class Ends:
    """The least and the most that lots gain at an end of the band; apart only where pairs are in doubt."""

    least: Floats
    most: Floats


def check_band(report: Report, book: Book, matches: Matches, chosen: Ints, low: Ends, high: Ends) -> None:
    """Check price_low and price_high of the ``chosen`` matches against recomputed gains of their lots."""
    m = Matches(**{name: column[chosen] for name, column in vars(matches).items()})
    room = room_of(book, m, book.km(m.i, m.j))
    for column, written, gain in (("price_low", m.low, low), ("price_high", m.high, high)):
        least, most = room.price(gain.least), room.price(gain.most)
        report.wrong_at(
            (written < least - HALF - 1e-6) | (written > most + HALF + 1e-6),
            "matches.csv",
            lambda k: f"{book.lots.ids[m.i[k]]} → {book.demands.ids[m.j[k]]}",
            column,
            lambda k: f"{least[k]:.4f}",  # noqa: B023  called at once
            lambda k: f"{written[k]:.9g}",  # noqa: B023
        )


def read_outcome(
    report: Report, folder: Path, name: str, columns: tuple[str, ...], side: Side
) -> Outcome | None:
    """Read lots.csv or demands.csv, whose rows are exactly the input's, in its order; None if not."""
    parts: list[tuple[Ints | Floats, ...]] = []
    status: list[str] = []
    ids: list[str] = []
    finest = 0
    try:
        for first, texts in stripes(report, folder, name, columns):
            ids.extend(texts[columns[0]])
            for column in columns[1:3]:
                _check_decimals(report, name, first, list(texts[column]), column)
            parts.append(
                (
                    grams_of(numbers(report, name, first, texts[columns[1]], columns[1])),
                    grams_of(numbers(report, name, first, texts[columns[2]], columns[2])),
                    numbers(report, name, first, texts[columns[3]], columns[3]),
                    counts(report, name, first, texts[columns[4]], columns[4]),
                )
            )
            status.extend(texts[columns[5]])
            finest = max(finest, max(map(decimals, texts[columns[3]])))
    except FileFault:
        return None
    if ids != side.ids:
        report.wrong(name, "-", msg("各行"), *_rows_told(side.ids, ids))
        return None
    none = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64))
    traded, rest, gain, pairs = (np.concatenate(c) for c in zip(*(parts or [none]), strict=True))
    report.wrong_at(gain < 0, name, lambda k: ids[k], columns[3], lambda _: ">= 0", lambda k: gain[k])
    return Outcome(traded, rest, gain, pairs, status, 10.0 ** -min(max(finest, 9), 10))


def _rows_told(due: Sequence[str], written: Sequence[str]) -> tuple[Message, Message]:
    """Return in words which rows there should be and which there are, the first that differ by name."""
    ours, theirs = set(due), set(written)
    missing = [each for each in due if each not in theirs][:3]
    foreign = [each for each in written if each not in ours][:3]
    return (
        msg("{count} 行，次序与输入相同（缺：{ids}）", count=len(due), ids=", ".join(missing) or "-"),
        msg("{count} 行（多出：{ids}）", count=len(written), ids=", ".join(foreign) or "-"),
    )


def check_outcome(
    report: Report,
    name: str,
    columns: tuple[str, ...],
    side: Side,
    outcome: Outcome,
    traded: Ints,
    states: tuple[str, str, str],
) -> None:
    """Check what was traded and what is left against the matches, in whole grams, and the state."""

    def differs(bad: Bools, what: str, expected: Ints, got: Ints) -> None:
        report.wrong_at(
            bad,
            name,
            lambda k: side.ids[k],
            what,
            lambda k: f"{expected[k] / 1000:.3f}",
            lambda k: f"{got[k] / 1000:.3f}",
        )

    differs(traded > side.grams, "quantity_kg", side.grams, traded)
    differs(outcome.traded != traded, columns[1], traded, outcome.traded)
    differs(outcome.rest != side.grams - traded, columns[2], side.grams - traded, outcome.rest)
    due = np.where(traded == 0, 0, np.where(traded >= side.grams, 2, 1)).tolist()
    bad = np.array([states[k] != state for k, state in zip(due, outcome.status, strict=True)], np.bool_)
    report.wrong_at(
        bad,
        name,
        lambda k: side.ids[k],
        "status",
        lambda k: states[due[k]],
        lambda k: outcome.status[k],
    )
