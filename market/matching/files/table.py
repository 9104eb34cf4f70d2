"""A file of SUPPLY or DEMAND as columns of values.

Rows come in batches and are read column by column, each different value once: a batch without faults costs
few steps per cell, and what repeats (products, days, prices) is one object however many rows have it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from itertools import chain, islice
from typing import Any, NamedTuple

from market.i18n import Message, msg
from market.matching.files.faults import Sheet
from market.matching.files.headings import Column, Columns, Headings, plain_reader, reader
from market.matching.files.plain_cells import PlainColumn
from market.matching.files.readings import LONGEST_CELL, Figures, Unclear, is_absent, is_nothing, shown
from market.matching.files.rows import MOST_ABOVE, Cells, Cut, Rows, letters

_BATCH = 8192
#: Readings of a column that are kept for the next batch; a column of mostly different values starts anew.
_MOST_KEPT = 100_000
#: A row that names so many columns is a header, whatever titles stand above it.
_SURE = 3
#: Latitude and longitude of China, taken one for the other (degrees).
_SWAPPED_LAT, _SWAPPED_LON = (73.0, 135.0), (18.0, 54.0)
#: What concerns a row as a whole is told after its cells.
_LAST = 1_000
_MISSING = Unclear(msg("缺少这一列。"))


class _Truth:
    """TRUE or FALSE of a workbook, which else would be equal to 1 and 0 among the cells read before."""

    def __init__(self, value: bool) -> None:
        self.value = value


_TRUE, _FALSE = _Truth(True), _Truth(False)


class _Reader:
    """Reads one column's cells, each different value once."""

    def __init__(
        self,
        name: str,
        place: int | None,
        column: Column,
        read: Callable[[Any], Any],
        read_plain: PlainColumn | None,
    ) -> None:
        #: ``name`` as the file has it; ``place`` None: the file does not have it.
        self.name, self.place, self.column = name, place, column
        self._read, self._read_plain = read, read_plain
        self._kept: dict[Any, Any] = {}
        self._has_bad = False
        self._is_empty = is_absent if column.is_required else is_nothing

    def values(self, cells: Sequence[Any]) -> tuple[list[Any], bool]:
        """Return a value for every cell, ``Unclear`` for a bad one, and whether there can be such."""
        if self._read_plain and (plain := self._read_plain(cells)) is not None:
            return plain, False
        new = set(cells).difference(self._kept)
        if new and len(self._kept) > _MOST_KEPT:
            self._kept.clear()
            self._has_bad = False
            new = set(cells)
        for cell in new:
            value = self._value(cell.value if isinstance(cell, _Truth) else cell)
            self._has_bad |= isinstance(value, Unclear)
            self._kept[cell] = value
        return list(map(self._kept.__getitem__, cells)), self._has_bad

    def _value(self, cell: Any) -> Any:
        if self._is_empty(cell):
            return Unclear(msg("不能为空。")) if self.column.is_required else self.column.default
        if isinstance(cell, str) and len(cell) > LONGEST_CELL:
            return Unclear(msg("内容过长。"))
        try:
            return self._read(cell)
        except Unclear as unclear:
            return unclear


class Table:
    """The header of a file, and its rows below as values column by column."""

    def __init__(self, sheet: Sheet, columns: Columns, headings: Headings, rows: Rows) -> None:
        self._sheet, self._columns, self._headings, self._rows = sheet, columns, headings, rows
        self._figures = Figures(has_semicolons=rows.has_semicolons)
        self._readers: dict[str, _Reader] = {}
        self._unnamed: set[int] = set()
        self._width = 0
        self._first_seen: dict[str, int] = {}
        #: Of the rows that are being read.
        self._wrong: list[_Wrong] = []

    def batches(self) -> Iterator[list[list[Any]]]:
        """Yield, in the order of the columns' table, a list of values each, for some rows at a time."""
        head, numbered = self._head(enumerate(self._rows.cells, start=1))
        if head is None:
            if not self._sheet.faults:
                reason = msg("文件是空的，第一行应是列名：{columns}。", columns=", ".join(self._columns))
                self._sheet.fault(reason)
            return
        self._name_columns(*head)
        if not any(reader.place is not None for reader in self._readers.values()):
            return
        for numbers, cells in self._chunks(numbered):
            yield self._values(numbers, cells)

    def _head(
        self, numbered: Iterator[tuple[int, Cells]]
    ) -> tuple[tuple[int, Cells] | None, Iterator[tuple[int, Cells]]]:
        """Return the header with its number, and what comes below it. Lone titles above it are passed."""
        above: list[tuple[int, Cells]] = []
        cut: Cut | None = None
        try:
            above.extend(islice(numbered, MOST_ABOVE))
        except Cut as trouble:
            cut = trouble
        filled = [(number, cells) for number, cells in above if not _is_blank(cells)]
        below = chain(numbered, _raising(cut))
        if not filled:
            return None, below
        named = [self._headings.count(cells) for _, cells in filled]
        place = 0
        if named[0] < _SURE <= max(named):
            place = next(k for k, count in enumerate(named) if count >= _SURE)
            if any(sum(not is_absent(cell) for cell in cells) > 1 for _, cells in filled[:place]):
                place = 0
        return filled[place], chain(filled[place + 1 :], below)

    def _name_columns(self, row: int, cells: Cells) -> None:
        names = [str(shown(cell)).strip() for cell in cells]
        self._width = len(names)
        places: dict[str, tuple[int, int | None]] = {}
        for place, name in enumerate(names):
            heading = self._headings.find(name)
            if is_absent(name):
                self._unnamed.add(place)
            elif heading is None:
                reason = msg("不认识的列；可用的列：{columns}。", columns=", ".join(self._columns))
                self._sheet.fault(reason, row=row, column=name, value=name)
            elif heading.binding in places:
                first = names[places[heading.binding][0]]
                reason = (
                    msg("这一列出现了两次。")
                    if first == name
                    else msg("与“{first}”是同一列，只能留一列。", first=first)
                )
                self._sheet.fault(reason, row=row, column=name, value=name)
            else:
                places[heading.binding] = (place, heading.unit)
        for binding, column in self._columns.items():
            at, unit = places.get(binding, (None, None))
            read = reader(column, unit, self._figures, has_1904=self._rows.has_1904)
            name = binding if at is None else names[at]
            self._readers[binding] = _Reader(name, at, column, read, plain_reader(column, unit))
            if at is None and column.is_required:
                self._sheet.fault(msg("缺少这一列。"), row=row, column=binding)

    def _chunks(
        self, numbered: Iterator[tuple[int, Cells]]
    ) -> Iterator[tuple[Sequence[int], Sequence[Cells]]]:
        """Yield rows that hold something, as wide as the header, with their numbers."""
        cut: Cut | None = None
        while cut is None:
            batch: list[tuple[int, Cells]] = []
            try:
                batch.extend(islice(numbered, _BATCH))
            except Cut as trouble:
                cut = trouble
            if not batch and cut is None:
                return
            numbers, rows = zip(*batch, strict=True) if batch else ((), ())
            firsts = [cells[0] if cells else "" for cells in rows]
            if set(map(len, rows)) != {self._width} or not all(firsts) or any(map(_is_space, firsts)):
                kept = [each for each in batch if not _is_blank(each[1])]
                numbers = tuple(number for number, _ in kept)
                rows = tuple(self._fitted(number, cells) for number, cells in kept)
            if rows:
                yield numbers, rows
        raise cut

    def _fitted(self, number: int, cells: Cells) -> Cells:
        if len(cells) == self._width:
            return cells
        for place in range(self._width, len(cells)):
            if not is_absent(cells[place]):
                reason = msg("这一行的格数多于表头；文字里有逗号时请加引号。")
                column = letters(self._rows.first_place + place)
                self._wrong.append(_Wrong(number, -1, column, cells[place], reason))
                break
        return [*cells[: self._width], *[""] * (self._width - len(cells))]

    def _values(self, numbers: Sequence[int], rows: Sequence[Cells]) -> list[list[Any]]:
        by_place: list[Cells] = list(zip(*rows, strict=True))
        if self._rows.is_typed:
            by_place = [_without_booleans(cells) for cells in by_place]
        wrong, self._wrong = self._wrong, []
        found: list[list[Any]] = []
        for order, column in enumerate(self._readers.values()):
            if column.place is None:
                default = _MISSING if column.column.is_required else column.column.default
                found.append([default] * len(rows))
                continue
            cells = by_place[column.place]
            values, may_be_bad = column.values(cells)
            found.append(values)
            if may_be_bad:
                wrong += [
                    _Wrong(number, order, column.name, _told(cell), value.reason)
                    for number, cell, value in zip(numbers, cells, values, strict=True)
                    if isinstance(value, Unclear)
                ]
        values_of = dict(zip(self._readers, found, strict=True))
        self._check_places(numbers, by_place, values_of, wrong)
        self._check_ids(numbers, found[0], wrong)
        self._check_windows(numbers, values_of, wrong)
        self._check_unnamed(numbers, by_place, wrong)
        for each in sorted(wrong, key=lambda each: each[:2]):
            self._sheet.fault(each.reason, row=each.row, column=each.column, value=each.value)
        return found

    def _check_places(
        self,
        numbers: Sequence[int],
        by_place: Sequence[Cells],
        values: Mapping[str, list[Any]],
        wrong: list["_Wrong"],
    ) -> None:
        """Name a latitude and a longitude of China that stand in each other's column, once for both."""
        lat, lon = self._readers["lat"], self._readers["lon"]
        if lat.place is None or lon.place is None:
            return
        low = _SWAPPED_LAT[0]
        if not any(isinstance(each, Unclear) or each >= low for each in values["lat"]):
            return
        swapped: set[int] = set()
        for number, north, east in zip(numbers, by_place[lat.place], by_place[lon.place], strict=True):
            there = self._figures.coordinate(_told(north)), self._figures.coordinate(_told(east))
            if _is_within(there[0], _SWAPPED_LAT) and _is_within(there[1], _SWAPPED_LON):
                swapped.add(number)
                order = list(self._readers).index("lat")
                wrong.append(
                    _Wrong(number, order, lat.name, _told(north), msg("经纬度写反了，请对调。"), True)
                )
        wrong[:] = [
            each
            for each in wrong
            if each.is_swap or each.row not in swapped or each.column not in (lat.name, lon.name)
        ]

    def _check_ids(self, numbers: Sequence[int], ids: list[Any], wrong: list["_Wrong"]) -> None:
        seen = self._first_seen
        if len(set(ids)) == len(ids) and seen.keys().isdisjoint(ids):
            seen.update(zip(ids, numbers, strict=True))
            return
        column = next(iter(self._readers.values()))
        for number, id_ in zip(numbers, ids, strict=True):
            if isinstance(id_, str) and seen.setdefault(id_, number) != number:
                reason = msg("编号重复，第 {row} 行已用过。", row=seen[id_])
                wrong.append(_Wrong(number, _LAST, column.name, id_, reason))

    def _check_windows(
        self, numbers: Sequence[int], values: Mapping[str, list[Any]], wrong: list["_Wrong"]
    ) -> None:
        begin, end = (
            next(name for name, column in self._columns.items() if column.kind == kind)
            for kind in ("begin", "end")
        )
        for number, first, last in zip(numbers, values[begin], values[end], strict=True):
            if type(first) is date and type(last) is date and first > last:
                reason = msg("结束日期早于开始日期（{begin}）。", begin=first.isoformat())
                wrong.append(_Wrong(number, _LAST, self._readers[end].name, last.isoformat(), reason))

    def _check_unnamed(
        self, numbers: Sequence[int], by_place: Sequence[Cells], wrong: list["_Wrong"]
    ) -> None:
        """Name the first cell that holds something under no heading, once for a column."""
        for place in sorted(self._unnamed):
            for number, cell in zip(numbers, by_place[place], strict=True):
                if not is_absent(cell):
                    column = letters(self._rows.first_place + place)
                    reason = msg("这一列没有列名；请补上列名，或删去这一列。")
                    wrong.append(_Wrong(number, -1, column, _told(cell), reason))
                    self._unnamed.discard(place)
                    break


class _Wrong(NamedTuple):
    """A fault of a batch. ``order``: where in its row it is told."""

    row: int
    order: int
    column: str
    value: Any
    reason: Message
    is_swap: bool = False


def _told(cell: Any) -> Any:
    return cell.value if isinstance(cell, _Truth) else cell


def _is_within(number: float | None, between: tuple[float, float]) -> bool:
    return number is not None and between[0] <= number <= between[1]


def _is_blank(cells: Cells) -> bool:
    return all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in cells)


def _is_space(cell: Any) -> bool:
    return isinstance(cell, str) and cell.isspace()


def _without_booleans(cells: Cells) -> Cells:
    if bool not in set(map(type, cells)):
        return cells
    return [_TRUE if cell is True else _FALSE if cell is False else cell for cell in cells]


def _raising(cut: Cut | None) -> Iterator[tuple[int, Cells]]:
    if cut:
        raise cut
    yield from ()
