"""diagnosis.csv for the checker: what is said of lots that are left over must at least be possible."""

import re
from pathlib import Path

import numpy as np

from market.matching.verify_files import DIAGNOSIS_COLUMNS, FileFault, Ints, Report, numbers, stripes
from market.matching.verify_pairs import Book

_KG = re.compile(r"[0-9]+(?:\.[0-9]{1,3})?")
_YUAN = re.compile(r"[0-9]+(?:\.[0-9]{1,4})?")
NAME = "diagnosis.csv"


def check_diagnosis(report: Report, folder: Path, book: Book, left: Ints) -> None:
    """Check every row by itself, the ranks, and that no lot with something left is passed over.

    ``left`` is what each lot has left over, in grams.
    """
    ranks = np.zeros(len(book.lots.ids), np.int64)
    try:
        for first, texts in stripes(report, folder, NAME, DIAGNOSIS_COLUMNS):
            numbers(report, NAME, first, texts["unlock_kg"], "unlock_kg")
            numbers(report, NAME, first, texts["cost_yuan_per_kg"], "cost_yuan_per_kg")
            rows = zip(*(texts[column] for column in DIAGNOSIS_COLUMNS), strict=True)
            for number, row in enumerate(rows, start=first):
                _check_row(report, book, number, row, ranks, left)
    except FileFault:
        return
    report.wrong_at(
        (left > 0) & (ranks == 0),
        NAME,
        lambda k: book.lots.ids[k],
        "row",
        lambda _: "at least one",
        lambda _: "none",
    )


def _check_row(
    report: Report, book: Book, number: int, row: tuple[str, ...], ranks: Ints, left: Ints
) -> None:
    lot, rank, obstacle, change, unlock, named, cost = row
    i = book.lots.place.get(lot)
    if i is None or left[i] <= 0:
        report.wrong(NAME, number, "lot", "a lot with something left", lot)
        return
    ranks[i] += 1
    if rank != str(ranks[i]):
        report.wrong(NAME, number, "rank", ranks[i], rank)
    if not obstacle.strip() or not change.strip():
        report.wrong(NAME, number, "obstacle, change", "words", "")
    if not _YUAN.fullmatch(cost):
        report.wrong(NAME, number, "cost_yuan_per_kg", ">= 0, to 0.0001", cost)
    if not _KG.fullmatch(unlock):
        report.wrong(NAME, number, "unlock_kg", ">= 0, to 0.001", unlock)
        return
    grams = round(float(unlock) * 1000)
    demands = [id_ for id_ in named.split(";") if id_]
    places = [book.demands.place.get(id_, -1) for id_ in demands]
    alike = [j >= 0 and book.demands.product[j] == book.lots.product[i] for j in places]
    if not all(alike) or len(set(places)) != len(places):
        report.wrong(NAME, number, "unlock_demands", "demands of this product, each once", named)
        return
    if bool(places) != (grams > 0):
        report.wrong(NAME, number, "unlock_demands", "demands if and only if unlock_kg > 0", named)
    most = min(int(left[i]), sum(int(book.demands.grams[j]) for j in places))
    if grams > most:
        report.wrong(NAME, number, "unlock_kg", f"0 .. {most / 1000:.3f}", unlock)
