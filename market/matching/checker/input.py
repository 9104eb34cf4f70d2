"""SUPPLY and DEMAND for the checker, as columns: a reader of its own, apart from the engine's.

A column of plain numbers is taken at one stroke; any other cell is understood once for every different
text, so a million rows stay a matter of seconds and of some hundred bytes a row.
"""

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np

from market.i18n import Message, msg
from market.matching.checker import cells
from market.matching.checker.files import MOST, STRIPE, Floats, Ints, why_unread

_PLAIN = re.compile(r"(?:-?+[0-9]++(?:\.[0-9]++)?+\n)*+")
#: Rows among which the headings are.
_ABOVE = 15
_LONGEST_REASON = 200
#: Columns that a file cannot lack, of a supply (True) and a demand.
_REQUIRED = {
    True: (
        "lot",
        "seller",
        "product",
        "quantity_kg",
        "ask_yuan_per_kg",
        "lat",
        "lon",
        "available_from",
        "available_to",
    ),
    False: (
        "demand",
        "buyer",
        "product",
        "quantity_kg",
        "ceiling_yuan_per_kg",
        "lat",
        "lon",
        "deliver_from",
        "deliver_to",
    ),
}


class Unreadable(Exception):
    """An input file that the checker cannot understand."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True)
class Side:
    """One file by column. Mass in grams, prices in yuan per kg, places in radians, days as ordinals."""

    ids: list[str]
    product: Ints
    grade: Ints
    grams: Ints
    #: Quantities as written, in kg: those finer than a gram were rounded down.
    kg: Floats
    price: Floats
    #: Prices that 0.0001 yuan cannot express, by place.
    exact: dict[int, Decimal]
    lat: Floats
    lon: Floats
    begin: Ints
    end: Ints
    min_order: Ints
    #: The different sets of codes, and which of them each row has.
    sets: list[frozenset[str]]
    held: Ints
    priority: Floats
    max_lots: Floats
    reach: Floats

    @cached_property
    def cos_lat(self) -> Floats:
        return np.cos(self.lat)

    @cached_property
    def place(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self.ids)}


def read_side(path: str, products: dict[str, int], *, lot: bool) -> Side:
    """Read a file; ``products`` numbers the products of both sides. Raises Unreadable."""
    try:
        return _Reader(products, lot=lot).read(path)
    except Unreadable:
        raise
    except (OSError, UnicodeDecodeError, csv.Error) as trouble:
        raise Unreadable(msg("读不出 {file}：{why}", file=path, why=why_unread(trouble))) from trouble
    # A broken workbook makes its reader raise kinds of its own; all mean the same to the caller.
    except Exception as trouble:
        raise Unreadable(_faulty(path)) from trouble


def _faulty(why: str) -> Message:
    return msg("输入文件本身有错，请先用 market match 检查：{why}", why=why[:_LONGEST_REASON])


def _table(path: str, known: Callable[[Sequence[Any]], int]) -> Iterator[Sequence[Any]]:
    """The rows of a file; ``known`` counts the headings in a row, and tells what parts the columns."""
    if path == "-":
        return iter(())
    raw = Path(path).read_bytes()
    if raw.startswith(b"PK\x03\x04"):
        from python_calamine import CalamineWorkbook

        return iter(CalamineWorkbook.from_filelike(io.BytesIO(raw)).get_sheet_by_index(0).to_python())
    head = _lines(raw, 20)
    separator = max(",\t;|", key=lambda sign: max(known(line.split(sign)) for line in [*head, ""]))
    return csv.reader(_text(raw), delimiter=separator, strict=True)


def _lines(raw: bytes, count: int) -> list[str]:
    return [line.rstrip("\r\n").replace('"', "") for line in islice(_text(raw), count)]


def _text(raw: bytes) -> Iterable[str]:
    """The lines of a file in UTF-8, UTF-16 with its mark, GB18030, or each line in one of these."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return io.TextIOWrapper(io.BytesIO(raw), encoding="utf-16", newline="")
    for encoding in ("utf-8", "gb18030"):
        try:
            raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        mark = "utf-8-sig" if encoding == "utf-8" else encoding
        return io.TextIOWrapper(io.BytesIO(raw), encoding=mark, newline="")
    return map(_mixed, raw.removeprefix(b"\xef\xbb\xbf").splitlines(keepends=True))


def _mixed(line: bytes) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("gb18030")


class _Reader:
    """Gathers the columns of one file, stripe by stripe."""

    def __init__(self, products: dict[str, int], *, lot: bool) -> None:
        self.path = ""
        self.lot = lot
        self.products = products
        self.parts: dict[str, list[Any]] = {}
        self.ids: list[str] = []
        self.exact: dict[int, Decimal] = {}
        self.sets: dict[frozenset[str], int] = {}
        self.memo: dict[str, dict[str, Any]] = {}

    def read(self, path: str) -> Side:
        self.path = path
        rows = _table(path, self._known_headings)
        header = self._header(rows)
        places: dict[str, int] = {}
        self.units: dict[str, str | None] = {}
        for place, words in enumerate(header):
            if cells.plain(words):
                column, unit = cells.heading(cells.plain(words), lot=self.lot)
                if column in places:
                    raise ValueError(f"{column} ×2")
                places[column] = place
                self.units[column] = unit
        missing = [column for column in _REQUIRED[self.lot] if column not in places]
        if missing and path != "-":
            raise Unreadable(self._faulty(", ".join(missing)))
        width = len(header)
        while stripe := list(islice(rows, STRIPE)):
            stripe = [row for row in stripe if any(row) and any(map(cells.plain, row))]
            if any(len(row) != width for row in stripe):
                stripe = [[*row, *[""] * width][:width] for row in stripe]
            if stripe:
                by_place = list(zip(*stripe, strict=True))
                self._take({column: by_place[place] for column, place in places.items()}, len(stripe))
        return self._side()

    def _known_headings(self, row: Sequence[Any]) -> int:
        found = set()
        for words in row:
            with suppress(ValueError):
                found.add(cells.heading(cells.plain(words), lot=self.lot)[0])
        return len(found)

    def _header(self, rows: Iterator[Sequence[Any]]) -> Sequence[Any]:
        """The first row, or the one with the headings where titles stand above it."""
        above = (row for row in islice(rows, _ABOVE) if any(map(cells.plain, row)))
        first = next(above, ())
        if self._known_headings(first):
            return first
        return next((row for row in above if self._known_headings(row) >= 3), first)

    def _take(self, columns: dict[str, Sequence[Any]], rows: int) -> None:
        """Understand one stripe."""
        start = len(self.ids)
        texts = {
            column: written
            if all(type(cell) is str for cell in written)
            else tuple(map(cells.plain, written))
            for column, written in columns.items()
        }
        ids = texts["lot" if self.lot else "demand"]
        self.ids.extend(cells.name(cells.plain(text)) for text in ids)
        products = self._known("product", texts["product"], self._product)
        self._add("product", products, np.int64)
        codes = texts.get("credentials" if self.lot else "requires", ("",) * rows)
        held = self._known("codes", codes, self._set)
        self._add("held", held, np.int64)
        price = "ask_yuan_per_kg" if self.lot else "ceiling_yuan_per_kg"
        window = ("available_from", "available_to") if self.lot else ("deliver_from", "deliver_to")
        unit = self.units.get
        number = cells.number()
        for target, column, read, default in (
            ("kg", "quantity_kg", cells.mass(unit("quantity_kg")), None),
            ("price", price, cells.price(unit(price)), None),
            ("lat", "lat", cells.number("°", "度"), None),
            ("lon", "lon", cells.number("°", "度"), None),
            ("begin", window[0], cells.day(end=False), None),
            ("end", window[1], cells.day(end=True), None),
            ("grade", "grade" if self.lot else "min_grade", number, 0.0),
            ("least", "min_order_kg", cells.mass(unit("min_order_kg")), 0.0),
            ("priority", "priority_yuan_per_kg", cells.price(unit("priority_yuan_per_kg")), 0.0),
            ("max_lots", "max_lots", cells.number("批", "个", "lots", "lot"), math.inf),
            ("reach", "max_distance_km", cells.number("km", "公里", "千米"), math.inf),
        ):
            written = texts.get(column)
            if written is None:
                if default is None:
                    raise Unreadable(self._faulty(column))
                self.parts.setdefault(target, []).append(np.full(rows, default))
            else:
                bare = column[-3:] not in ("_kg", "_km") or unit(column) in ("kg", "km")
                as_is = bare and column not in window
                self._add(target, self._floats(column, written, read, default, as_is=as_is), np.float64)
        for k, text in enumerate(texts[price] if self.lot else ()):
            # Anything that is not a plain price to 0.0001 is looked at as an exact number.
            if len(text) - text.find(".") > 5 or unit(price) != "kg" or not text.isascii():
                ask = cells.price(unit(price))(cells.plain(text))
                if ask != round(ask, 4):
                    self.exact[start + k] = ask

    def _set(self, text: str) -> int:
        held = frozenset() if cells.is_nothing(text) else cells.codes(text)
        return self.sets.setdefault(held, len(self.sets))

    def _product(self, text: str) -> int:
        return self.products.setdefault(cells.name(text), len(self.products))

    def _floats(
        self,
        column: str,
        texts: Sequence[str],
        read: Callable[[str], Decimal],
        default: float | None,
        *,
        as_is: bool,
    ) -> Iterable[Any]:
        if as_is and _PLAIN.fullmatch("\n".join(texts) + "\n"):
            return map(float, texts)

        def understood(text: str) -> float | Decimal:
            if default is not None and cells.is_nothing(text):
                return default
            value = read(text)
            if not value.is_finite():
                raise ValueError(text)
            return value

        return self._known(column, texts, understood)

    def _known(self, column: str, texts: Sequence[str], read: Callable[[str], Any]) -> Iterable[Any]:
        memo = self.memo.setdefault(column, {})
        for text in dict.fromkeys(texts):
            if text not in memo:
                try:
                    memo[text] = read(cells.plain(text))
                except (ValueError, KeyError, ArithmeticError) as trouble:
                    raise Unreadable(self._faulty(f"{column} {text!r}")) from trouble
        return map(memo.__getitem__, texts)

    def _faulty(self, why: str) -> Message:
        return _faulty(f"{self.path}: {why}")

    def _add(self, target: str, values: Iterable[Any], kind: type) -> None:
        self.parts.setdefault(target, []).append(np.fromiter(values, kind))

    def _column(self, target: str, kind: type = np.float64) -> Any:
        parts = self.parts.pop(target, [])
        if not parts:
            return np.zeros(0, kind)
        column = np.concatenate(parts)
        if (np.abs(column) > MOST).any() and target not in ("max_lots", "reach"):
            raise Unreadable(self._faulty(f"{target} > {MOST:g}"))
        return column.astype(kind, copy=False)

    def _side(self) -> Side:
        kg, least = self._column("kg"), self._column("least")
        if len(set(self.ids)) != len(self.ids):
            raise Unreadable(self._faulty("id ×2"))
        if "" in self.ids or "" in self.products:
            raise Unreadable(self._faulty("id, product: -"))
        self.memo.clear()
        return Side(
            ids=self.ids,
            product=self._column("product", np.int64),
            grade=self._column("grade", np.int64),
            grams=_grams(kg, np.floor),
            kg=kg,
            price=self._column("price"),
            exact=self.exact,
            lat=np.radians(self._column("lat")),
            lon=np.radians(self._column("lon")),
            begin=self._column("begin", np.int64),
            end=self._column("end", np.int64),
            min_order=_grams(least, np.ceil),
            sets=list(self.sets),
            held=self._column("held", np.int64),
            priority=self._column("priority"),
            max_lots=self._column("max_lots"),
            reach=self._column("reach"),
        )


def _grams(kg: Floats, rounding: Any) -> Ints:
    """Whole grams: what is whole but for floating point stays, anything finer is rounded as told."""
    grams = kg * 1000
    whole = np.rint(grams)
    near = np.abs(grams - whole) <= 1e-6 + 4e-16 * whole
    return cast(Ints, np.where(near, whole, rounding(grams)).astype(np.int64))
