"""The same market in whatever encoding, layout and program it comes."""

import csv
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.matching.files.reading import read_demand, read_supply
from market.matching.rules import Demand, Lot
from tests.unit.matching.market_files import (
    DEMAND,
    ROWS,
    SUPPLY,
    one_lot,
    supply_of,
    text_of,
    workbook,
)
from tests.unit.matching.markets import tiny_markets, write_market


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_file_is_read_in_its_dress(encoding: str, delimiter: str, ending: str, tmp_path: Path) -> None:
    (lot,) = supply_of(tmp_path, text_of(ROWS, delimiter, ending).encode(encoding))
    assert lot == one_lot(tmp_path)


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_known_by_its_mark(order: str, tmp_path: Path) -> None:
    (lot,) = supply_of(tmp_path, ("\ufeff" + text_of(ROWS, "\t", "\r\n")).encode(order))
    assert lot.seller == "东于村"


def test_each_line_is_read_in_the_encoding_that_it_certainly_has(tmp_path: Path) -> None:
    lines = text_of([ROWS[0], *([f"L{k}", *ROWS[1][1:]] for k in range(4))]).splitlines(keepends=True)
    mixed = b"".join(line.encode("gbk" if k % 2 else "utf-8") for k, line in enumerate(lines))
    lots = supply_of(tmp_path, mixed)
    assert [lot.id for lot in lots] == ["L0", "L1", "L2", "L3"]
    assert {(lot.seller, lot.product) for lot in lots} == {("东于村", "花生")}


def test_columns_may_come_in_any_order(tmp_path: Path) -> None:
    names = sorted(SUPPLY, reverse=True)
    (lot,) = supply_of(tmp_path, text_of([names, [SUPPLY[name] for name in names]]))
    assert lot == one_lot(tmp_path)


def test_columns_that_may_be_absent_may_be_absent(tmp_path: Path) -> None:
    names = [
        name
        for name in SUPPLY
        if name not in ("grade", "min_order_kg", "credentials", "priority_yuan_per_kg")
    ]
    (lot,) = supply_of(tmp_path, text_of([names, [SUPPLY[name] for name in names]]))
    assert (lot.grade, lot.min_order, lot.credentials, lot.priority) == (0, 0, frozenset(), 0)


def test_titles_and_blank_rows_and_unused_columns_are_passed(tmp_path: Path) -> None:
    title = ["东于村货源表", *[""] * 14]
    wide = [[*row, "", " "] for row in ROWS]
    (lot,) = supply_of(tmp_path, text_of([title, [], wide[0], [" "] * 15, wide[1], [], []]))
    assert lot == one_lot(tmp_path)


def test_line_that_names_the_separator_is_passed(tmp_path: Path) -> None:
    assert len(supply_of(tmp_path, "sep=;\r\n" + text_of(ROWS, ";"))) == 1


def test_short_row_lacks_what_may_be_absent(tmp_path: Path) -> None:
    (lot,) = supply_of(tmp_path, text_of([ROWS[0], ROWS[1][:10]]))
    assert (lot.min_order, lot.credentials, lot.priority) == (0, frozenset(), 0)


def test_file_may_come_through_a_pipe(tmp_path: Path) -> None:
    import os
    import threading

    pipe = tmp_path / "supply.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(text_of(ROWS), encoding="utf-8"))
    writer.start()
    lots, faults = read_supply(str(pipe))
    writer.join()
    assert ([lot.id for lot in lots], faults) == (["L1"], [])


def test_what_repeats_is_one_object(tmp_path: Path) -> None:
    rows = [ROWS[0], *([f"L{k}", *ROWS[1][1:]] for k in range(20_000))]
    lots = supply_of(tmp_path, text_of(rows))
    first, last = lots[0], lots[-1]
    assert len(lots) == 20_000
    for field in ("seller", "product", "ask", "available_from", "credentials", "priority"):
        assert getattr(first, field) is getattr(last, field)


@pytest.mark.parametrize(
    ("column", "cell", "field", "read"),
    [
        ("lot", 13800000000, "id", "13800000000"),
        ("lot", 17.0, "id", "17"),
        ("lot", 1.5, "id", "1.5"),
        ("quantity_kg", 100.5, "quantity", 100_500),
        ("quantity_kg", 0.7 * 3, "quantity", 2_100),
        ("quantity_kg", "500斤", "quantity", 250_000),
        ("ask_yuan_per_kg", 0.1 + 0.2, "ask", Decimal("0.3")),
        ("ask_yuan_per_kg", "3.5元/斤", "ask", Decimal(7)),
        ("grade", 2, "grade", 2),
        ("available_from", date(2024, 12, 1), "available_from", date(2024, 12, 1)),
        ("available_from", datetime.fromisoformat("2024-12-01"), "available_from", date(2024, 12, 1)),
        ("available_from", 45627, "available_from", date(2024, 12, 1)),
        ("available_from", 20241201, "available_from", date(2024, 12, 1)),
        ("available_from", "2024年12月", "available_from", date(2024, 12, 1)),
        ("min_order_kg", None, "min_order", 0),
        ("min_order_kg", "-", "min_order", 0),
        ("min_order_kg", 0, "min_order", 0),
    ],
)
def test_cell_of_a_workbook_is_read(column: str, cell: Any, field: str, read: Any, tmp_path: Path) -> None:
    path = tmp_path / "supply.xlsx"
    workbook(path, [list(SUPPLY), list({**SUPPLY, column: cell}.values())])
    (lot,), faults = read_supply(str(path))
    assert faults == []
    assert getattr(lot, field) == read


def test_workbook_may_begin_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "supply.xlsx"
    workbook(path, [[], ["", "", "货源"], [], *([None, None, *row] for row in ROWS)])
    assert read_supply(str(path)) == ([one_lot(tmp_path)], [])


def test_days_of_a_workbook_of_1904_are_days(tmp_path: Path) -> None:
    path = tmp_path / "supply.xlsx"
    days = {"available_from": date(2024, 12, 1), "available_to": date(2024, 12, 31)}
    workbook(path, [list(SUPPLY), list({**SUPPLY, **days}.values())], date_1904=True)
    (lot,), faults = read_supply(str(path))
    assert (faults, lot.available_from, lot.available_to) == ([], *days.values())


# The same market in any of the tolerated forms


def _grouped(number: Decimal) -> str:
    return f"{number:,f}"


def _wide(text: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


MASS_FORMS: list[Callable[[Decimal], str]] = [
    lambda kg: f"{kg:f}",
    _grouped,
    lambda kg: _wide(f"{kg:f}"),
    lambda kg: f"{kg * 2:f}斤",
    lambda kg: f"{_grouped(kg * 2)} 市斤",
    lambda kg: f"{kg:f}公斤",
    lambda kg: f"{kg:f} kg",
    lambda kg: f"{kg / 1000:f}吨",
    lambda kg: f"{kg * 2 / 10_000:f}万斤",
    lambda kg: f"{kg * 1000:f}克",
]
PRICE_FORMS: list[Callable[[Decimal], str]] = [
    lambda yuan: f"{yuan:f}",
    lambda yuan: f"￥{yuan:f}",
    lambda yuan: _wide(f"{yuan:f}"),
    lambda yuan: f"{yuan:f}元/公斤",
    lambda yuan: f"{yuan / 2:f}元/斤",
    lambda yuan: f"{_grouped(yuan * 1000)} 元/吨",
    lambda yuan: f"每斤{yuan / 2:f}元",
]
DAY_FORMS: list[Callable[[date], str]] = [
    date.isoformat,
    lambda day: f"{day.year}/{day.month}/{day.day}",
    lambda day: f"{day.year}.{day.month}.{day.day}",
    lambda day: f"{day.year}年{day.month}月{day.day}日",
    lambda day: f"{day:%Y%m%d}",
    lambda day: str((day - date(1899, 12, 30)).days),
    lambda day: _wide(f"{day.year}/{day.month}/{day.day}"),
    lambda day: f"{day} 00:00:00",
]
ABSENT = ["", "-", "—", " ", "－"]
DRESSES = [
    (encoding, delimiter, ending)
    for encoding in ("utf-8", "utf-8-sig", "gbk", "utf-16")
    for delimiter in (",", "\t", "|")
    for ending in ("\n", "\r\n")
]


@st.composite
def dressed(draw: st.DrawFn) -> tuple[list[Lot], list[Demand], list[list[str]], list[list[str]], Any]:
    lots, demands = draw(tiny_markets(limits=draw(st.booleans())))

    def mass(grams: int) -> str:
        return draw(st.sampled_from(MASS_FORMS))(Decimal(grams) / 1000)

    def price(yuan: Decimal) -> str:
        return draw(st.sampled_from(PRICE_FORMS))(yuan)

    def day(of: date) -> str:
        return draw(st.sampled_from(DAY_FORMS))(of)

    def optional(value: str | None) -> str:
        return draw(st.sampled_from(ABSENT)) if value is None else value

    def codes(of: frozenset[str]) -> str:
        return draw(st.sampled_from([";", "；", "、", " ; "])).join(of) or optional(None)

    supply = [
        [
            lot.id,
            lot.seller,
            lot.product,
            str(lot.grade),
            mass(lot.quantity),
            price(lot.ask),
            repr(lot.latitude),
            repr(lot.longitude),
            day(lot.available_from),
            day(lot.available_to),
            mass(lot.min_order) if lot.min_order else optional(None),
            codes(lot.credentials),
            f"{lot.priority:f}",
        ]
        for lot in lots
    ]
    wanted = [
        [
            demand.id,
            demand.buyer,
            demand.product,
            str(demand.min_grade),
            mass(demand.quantity),
            price(demand.ceiling),
            repr(demand.latitude),
            repr(demand.longitude),
            day(demand.deliver_from),
            day(demand.deliver_to),
            mass(demand.min_order) if demand.min_order else optional(None),
            optional(None if demand.max_lots is None else str(demand.max_lots)),
            codes(demand.requires),
            optional(None if demand.max_distance_km is None else f"{demand.max_distance_km:g}公里"),
        ]
        for demand in demands
    ]
    tables = []
    for names, rows in ((list(SUPPLY), supply), (list(DEMAND), wanted)):
        order = draw(st.permutations(range(len(names))))
        tables.append([[row[place] for place in order] for row in [names, *rows]])
    return lots, demands, tables[0], tables[1], draw(st.sampled_from(DRESSES))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=dressed())
def test_market_in_any_dress_is_the_same_market(case: Any, tmp_path: Path) -> None:
    lots, demands, supply, wanted, (encoding, delimiter, ending) = case
    for name, rows in (("s.csv", supply), ("d.csv", wanted)):
        (tmp_path / name).write_bytes(text_of(rows, delimiter, ending).encode(encoding))
    assert read_supply(str(tmp_path / "s.csv")) == (lots, [])
    assert read_demand(str(tmp_path / "d.csv")) == (demands, [])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(market=tiny_markets(limits=True))
def test_market_as_a_workbook_is_the_same_market(market: Any, tmp_path: Path) -> None:
    lots, demands = market
    for path, name in zip(write_market(tmp_path, lots, demands), ("s.xlsx", "d.xlsx"), strict=True):
        with Path(path).open(encoding="utf-8", newline="") as file:
            header, *rows = csv.reader(file)
        days = [place for place, heading in enumerate(header) if heading.endswith(("_from", "_to"))]
        texts = [
            place
            for place, heading in enumerate(header)
            if heading in ("lot", "demand", "seller", "buyer", "product", "credentials", "requires")
        ]
        workbook(
            tmp_path / name,
            [
                header,
                *(
                    [
                        date.fromisoformat(cell)
                        if place in days
                        else cell
                        if place in texts or cell in ("", "-")
                        else float(cell)
                        for place, cell in enumerate(row)
                    ]
                    for row in rows
                ),
            ],
        )
    assert read_supply(str(tmp_path / "s.xlsx")) == (lots, [])
    assert read_demand(str(tmp_path / "d.xlsx")) == (demands, [])


def test_serial_numbers_are_those_of_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "supply.xlsx"
    days = [date(2000, 1, 1) + timedelta(k * 997) for k in range(36)]
    rows = [{**SUPPLY, "lot": f"L{k}", "available_to": "2100-12-31"} for k in range(len(days))]
    workbook(
        path,
        [list(SUPPLY), *(list({**r, "available_from": d}.values()) for r, d in zip(rows, days, strict=True))],
    )
    as_days = [lot.available_from for lot in read_supply(str(path))[0]]
    serials = [str((day - date(1899, 12, 30)).days) for day in days]
    lots = supply_of(
        tmp_path,
        text_of(
            [
                list(SUPPLY),
                *(list({**r, "available_from": s}.values()) for r, s in zip(rows, serials, strict=True)),
            ]
        ),
    )
    assert [lot.available_from for lot in lots] == as_days == days
