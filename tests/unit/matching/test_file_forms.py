"""What people and their programs write into a cell or a heading, read as what it means."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.matching.market_files import (
    one_demand,
    one_lot,
)


@pytest.mark.parametrize(
    ("written", "grams"),
    [
        ("250", 250_000),
        ("250.0", 250_000),
        ("+250", 250_000),
        (".5", 500),
        ("2.5e3", 2_500_000),
        ("0.0019", 1),
        (" 250 ", 250_000),
        ("２５０．５", 250_500),
        ("1,250.5", 1_250_500),
        ("1，250", 1_250_000),
        ("1,234,567.8", 1_234_567_800),
        ("250kg", 250_000),
        ("250 KG", 250_000),
        ("250公斤", 250_000),
        ("3,000 公斤", 3_000_000),
        ("250千克", 250_000),
        ("250㎏", 250_000),
        ("500斤", 250_000),
        ("５００斤", 250_000),
        ("500市斤", 250_000),
        ("1斤", 500),
        ("2吨", 2_000_000),
        ("1.5 t", 1_500_000),
        ("3万斤", 15_000_000),
        ("2万公斤", 20_000_000),
        ("1.2万", 12_000_000),
        ("5千斤", 2_500_000),
        ("750克", 750),
        ('="250"', 250_000),
        ("\u200b250\ufeff", 250_000),
        ("\u3000250\u00a0公斤", 250_000),
    ],
)
def test_quantity_is_read(written: str, grams: int, tmp_path: Path) -> None:
    assert one_lot(tmp_path, quantity_kg=written).quantity == grams
    assert one_demand(tmp_path, quantity_kg=written).quantity == grams


@pytest.mark.parametrize(
    ("written", "grams"),
    [("", 0), ("-", 0), ("—", 0), ("无", 0), ("/", 0), ("0.0011", 2), ("40斤", 20_000), ("不限", 0)],
)
def test_smallest_order_is_read_and_rounded_up(written: str, grams: int, tmp_path: Path) -> None:
    assert one_lot(tmp_path, min_order_kg=written).min_order == grams


@pytest.mark.parametrize(
    ("written", "yuan_per_kg"),
    [
        ("7", "7"),
        ("0", "0"),
        ("7.1234", "7.1234"),
        ("７．５", "7.5"),
        ("¥7", "7"),
        ("￥7.5", "7.5"),
        ("7元", "7"),
        ("7元/公斤", "7"),
        ("7 元／公斤", "7"),
        ("7元/kg", "7"),
        ("7 yuan/kg", "7"),
        ("¥7/kg", "7"),
        ("3.5元/斤", "7"),
        ("3.5/斤", "7"),
        ("3.5元每斤", "7"),
        ("每斤3.5元", "7"),
        ("每公斤 7 元", "7"),
        ("3.5块一斤", "7"),
        ("7000元/吨", "7"),
        ("7,000 元/吨", "7"),
        ("0.7万元/吨", "7"),
        ("1,250", "1250"),
    ],
)
def test_price_is_read(written: str, yuan_per_kg: str, tmp_path: Path) -> None:
    assert one_lot(tmp_path, ask_yuan_per_kg=written).ask == Decimal(yuan_per_kg)
    assert one_demand(tmp_path, ceiling_yuan_per_kg=written).ceiling == Decimal(yuan_per_kg)


@pytest.mark.parametrize(
    ("written", "yuan"), [("-0.3", "-0.3"), ("－０．３", "-0.3"), ("", "0"), ("0.1元/斤", "0.2")]
)
def test_priority_may_be_negative(written: str, yuan: str, tmp_path: Path) -> None:
    assert one_lot(tmp_path, priority_yuan_per_kg=written).priority == Decimal(yuan)


@pytest.mark.parametrize(
    "written",
    [
        "2024-12-01",
        "2024-12-1",
        "2024/12/1",
        "2024/12/01",
        "2024.12.1",
        "2024年12月1日",
        "2024 年 12 月 1 日",
        "2024年12月1号",
        "２０２４年１２月１日",
        "２０２４／１２／１",
        "20241201",
        "20241201.0",
        "45627",
        "45627.0",
        "2024-12-01 00:00:00",
        "2024-12-01T00:00:00",
        "2024/12/1 0:00",
    ],
)
def test_day_is_read(written: str, tmp_path: Path) -> None:
    lot = one_lot(tmp_path, available_from=written, available_to=written)
    assert (lot.available_from, lot.available_to) == (date(2024, 12, 1), date(2024, 12, 1))


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2024年12月", date(2024, 12, 1), date(2024, 12, 31)),
        ("2024年2月", date(2024, 2, 1), date(2024, 2, 29)),
        ("2024年2月份", date(2024, 2, 1), date(2024, 2, 29)),
        ("2025-02", date(2025, 2, 1), date(2025, 2, 28)),
        ("2025/2", date(2025, 2, 1), date(2025, 2, 28)),
        ("2024年12月上旬", date(2024, 12, 1), date(2024, 12, 10)),
        ("2024年12月中旬", date(2024, 12, 11), date(2024, 12, 20)),
        ("2025年2月下旬", date(2025, 2, 21), date(2025, 2, 28)),
    ],
)
def test_month_is_its_first_and_its_last_day(written: str, first: date, last: date, tmp_path: Path) -> None:
    lot = one_lot(tmp_path, available_from=written, available_to=written)
    assert (lot.available_from, lot.available_to) == (first, last)
    demand = one_demand(tmp_path, deliver_from=written, deliver_to=written)
    assert (demand.deliver_from, demand.deliver_to) == (first, last)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("13800000000.0", "13800000000"),
        ("0.0", "0"),
        ("13800000000", "13800000000"),
        ("007", "007"),
        ("007.0", "007.0"),
        ("1.10", "1.10"),
        ("Ｌ１", "L1"),
        (" L 1 ", "L 1"),
        ('="00123"', "00123"),
        ("批次,1", "批次,1"),
        ("东于村—3", "东于村—3"),
        ("无", "无"),
        ("1E5", "1E5"),
    ],
)
def test_id_is_read(written: str, read: str, tmp_path: Path) -> None:
    lot = one_lot(tmp_path, lot=written, seller=written, product=written)
    assert (lot.id, lot.seller, lot.product) == (read, read, read)


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("", set()),
        ("-", set()),
        ("无", set()),
        ("sc", {"sc"}),
        ("sc;green-food", {"sc", "green-food"}),
        (" sc ; ;green-food; ", {"sc", "green-food"}),
        ("sc；绿色食品", {"sc", "绿色食品"}),
        ("sc、绿色食品", {"sc", "绿色食品"}),
        ("ｓｃ", {"sc"}),
    ],
)
def test_credentials_are_read(written: str, codes: set[str], tmp_path: Path) -> None:
    assert one_lot(tmp_path, credentials=written).credentials == codes
    assert one_demand(tmp_path, requires=written).requires == codes


@pytest.mark.parametrize(
    ("column", "written", "field", "read"),
    [
        ("max_lots", "", "max_lots", None),
        ("max_lots", "不限", "max_lots", None),
        ("max_lots", "３", "max_lots", 3),
        ("max_lots", "3.0", "max_lots", 3),
        ("max_lots", "3批", "max_lots", 3),
        ("max_lots", "1,000", "max_lots", 1000),
        ("max_distance_km", "", "max_distance_km", None),
        ("max_distance_km", "不限", "max_distance_km", None),
        ("max_distance_km", "300公里", "max_distance_km", 300.0),
        ("max_distance_km", "300.5 km", "max_distance_km", 300.5),
        ("max_distance_km", "1,200", "max_distance_km", 1200.0),
        ("min_grade", "", "min_grade", 0),
        ("min_grade", "-1", "min_grade", -1),
        ("min_grade", "２", "min_grade", 2),
        ("lat", "41.5°", "latitude", 41.5),
        ("lat", "４１．５", "latitude", 41.5),
        ("lon", "-122.7度", "longitude", -122.7),
        ("lon", "180", "longitude", 180.0),
    ],
)
def test_other_figures_are_read(column: str, written: str, field: str, read: Any, tmp_path: Path) -> None:
    assert getattr(one_demand(tmp_path, **{column: written}), field) == read


@pytest.mark.parametrize(
    ("column", "heading", "cell", "field", "read"),
    [
        ("quantity_kg", "数量（公斤）", "500", "quantity", 500_000),
        ("quantity_kg", "数量(斤)", "500", "quantity", 250_000),
        ("quantity_kg", "数量（斤）", "500公斤", "quantity", 500_000),
        ("quantity_kg", "数量斤", "500", "quantity", 250_000),
        ("quantity_kg", "供货量【吨】", "0.5", "quantity", 500_000),
        ("quantity_kg", "数量", "500斤", "quantity", 250_000),
        ("quantity_kg", "quantity (t)", "0.5", "quantity", 500_000),
        ("quantity_kg", "quantity_jin", "500", "quantity", 250_000),
        ("quantity_kg", "Quantity KG", "500", "quantity", 500_000),
        ("quantity_kg", "quantity_kg", "500斤", "quantity", 250_000),
        ("ask_yuan_per_kg", "要价（元/斤）", "3.5", "ask", Decimal(7)),
        ("ask_yuan_per_kg", "要价（元/斤）", "7元/公斤", "ask", Decimal(7)),
        ("ask_yuan_per_kg", "要价(元/公斤)", "7", "ask", Decimal(7)),
        ("ask_yuan_per_kg", "地头价（元／吨）", "7,000", "ask", Decimal(7)),
        ("ask_yuan_per_kg", "要价", "3.5元/斤", "ask", Decimal(7)),
        ("ask_yuan_per_kg", "要价（元）", "3.5/斤", "ask", Decimal(7)),
        ("ask_yuan_per_kg", "ask_yuan_per_jin", "3.5", "ask", Decimal(7)),
        ("ask_yuan_per_kg", "ask (yuan/t)", "7000", "ask", Decimal(7)),
        ("min_order_kg", "起订量（斤）", "40", "min_order", 20_000),
        ("priority_yuan_per_kg", "照顾加分（元/斤）", "0.1", "priority", Decimal("0.2")),
        ("lot", "批次", "L1", "id", "L1"),
        ("lot", " *批次号： ", "L1", "id", "L1"),
        ("lot", "\ufefflot", "L1", "id", "L1"),
        ("lot", "LOT", "L1", "id", "L1"),
        ("seller", "卖家", "张三", "seller", "张三"),
        ("product", "产品", "花生", "product", "花生"),
        ("product", "品名", "花生", "product", "花生"),
        ("grade", "等级", "3", "grade", 3),
        ("lat", "纬度", "41.5", "latitude", 41.5),
        ("lon", "经度", "122.7", "longitude", 122.7),
        ("available_from", "供货开始日期", "2024年12月", "available_from", date(2024, 12, 1)),
        ("available_to", "供货截止日期", "2024年12月", "available_to", date(2024, 12, 31)),
        ("credentials", "资质", "sc", "credentials", {"sc"}),
    ],
)
def test_heading_of_supply_is_known(
    column: str, heading: str, cell: str, field: str, read: Any, tmp_path: Path
) -> None:
    assert getattr(one_lot(tmp_path, {column: heading}, **{column: cell}), field) == read


@pytest.mark.parametrize(
    ("column", "heading", "cell", "field", "read"),
    [
        ("demand", "需求编号", "D9", "id", "D9"),
        ("buyer", "采购方", "超市", "buyer", "超市"),
        ("quantity_kg", "采购数量（吨）", "2", "quantity", 2_000_000),
        ("ceiling_yuan_per_kg", "最高到货价（元/斤）", "4.5", "ceiling", Decimal(9)),
        ("ceiling_yuan_per_kg", "ceiling yuan per jin", "4.5", "ceiling", Decimal(9)),
        ("min_grade", "最低等级", "2", "min_grade", 2),
        ("deliver_from", "最早到货", "2024/12/1", "deliver_from", date(2024, 12, 1)),
        ("deliver_to", "最晚到货", "2024/12/31", "deliver_to", date(2024, 12, 31)),
        ("min_order_kg", "最小收货量（斤）", "40", "min_order", 20_000),
        ("max_lots", "最多批次", "2", "max_lots", 2),
        ("requires", "所需资质", "sc", "requires", {"sc"}),
        ("max_distance_km", "最远距离（公里）", "300", "max_distance_km", 300.0),
        ("max_distance_km", "最远距离", "300公里", "max_distance_km", 300.0),
        ("max_distance_km", "max distance (km)", "300", "max_distance_km", 300.0),
    ],
)
def test_heading_of_demand_is_known(
    column: str, heading: str, cell: str, field: str, read: Any, tmp_path: Path
) -> None:
    assert getattr(one_demand(tmp_path, {column: heading}, **{column: cell}), field) == read
