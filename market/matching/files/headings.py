"""The columns of SUPPLY and DEMAND, and what else people call them.

The binding names stay as they are; beside them are understood the Chinese names below, capitals and spaces,
and a unit in the name: 数量（斤）, 要价(元/斤), ``quantity_jin``. A measured column whose name has no unit
needs one in every cell.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from market.matching.files import plain_cells
from market.matching.files.days import day
from market.matching.files.plain_cells import PlainColumn
from market.matching.files.readings import (
    MASS_UNITS,
    MOST_PRICE,
    Figures,
    codes,
    is_distance_unit,
    name,
    price_unit,
    shown,
)
from market.units import GRAMS_PER_KG, Gram

Kind = Literal[
    "name", "codes", "grade", "lots", "mass", "least", "price", "priority", "km", "lat", "lon", "begin", "end"
]
#: A column's kind, and what its bare name is measured in: None for what is not measured.
_MEASURES: dict[Kind, Literal["mass", "price", "distance"]] = {
    "mass": "mass",
    "least": "mass",
    "price": "price",
    "priority": "price",
    "km": "distance",
}
REQUIRED: Any = object()


@dataclass(frozen=True)
class Column:
    """One column: ``field`` of the Struct, how its cells are read, and its further names.

    ``names`` are whole names; for a measured column they lack the unit, which follows them.
    """

    field: str
    kind: Kind
    names: tuple[str, ...]
    default: Any = REQUIRED

    @property
    def is_required(self) -> bool:
        return self.default is REQUIRED


_PRODUCT = Column("product", "name", ("产品", "品名", "货品", "产品名称", "产品编号"))
_LAT = Column("latitude", "lat", ("纬度", "latitude"))
_LON = Column("longitude", "lon", ("经度", "longitude", "lng"))

#: The full table for SUPPLY: binding name -> column.
LOT_COLUMNS: dict[str, Column] = {
    "lot": Column("id", "name", ("批次", "批次号", "批号", "批次编号", "货源", "货源编号")),
    "seller": Column("seller", "name", ("卖家", "卖方", "供货方", "供应方", "供应商", "销售方")),
    "product": _PRODUCT,
    "grade": Column("grade", "grade", ("等级", "级别"), 0),
    "quantity_kg": Column(
        "quantity",
        "mass",
        (
            "数量",
            "供货量",
            "供货数量",
            "供应量",
            "可供数量",
            "可供量",
            "库存",
            "库存数量",
            "重量",
            "quantity",
        ),
    ),
    "ask_yuan_per_kg": Column(
        "ask", "price", ("要价", "地头价", "单价", "价格", "ask", "asking price", "price")
    ),
    "lat": _LAT,
    "lon": _LON,
    "available_from": Column(
        "available_from",
        "begin",
        (
            "供货开始",
            "供应开始",
            "开始供应",
            "起供日期",
            "可供开始",
            "供货开始日期",
            "供应开始日期",
            "开始日期",
        ),
    ),
    "available_to": Column(
        "available_to",
        "end",
        (
            "供货截止",
            "供应截止",
            "截止供应",
            "供应结束",
            "供货结束",
            "可供截止",
            "供货截止日期",
            "供应截止日期",
            "截止日期",
            "结束日期",
        ),
    ),
    "min_order_kg": Column(
        "min_order", "least", ("起订量", "最小起订量", "min order", "minimum order"), Gram(0)
    ),
    "credentials": Column("credentials", "codes", ("资质", "证书", "资质证书"), frozenset()),
    "priority_yuan_per_kg": Column(
        "priority", "priority", ("照顾", "照顾加分", "优先", "priority"), Decimal(0)
    ),
}
#: The full table for DEMAND.
DEMAND_COLUMNS: dict[str, Column] = {
    "demand": Column("id", "name", ("需求", "需求号", "需求编号")),
    "buyer": Column("buyer", "name", ("买家", "买方", "采购方", "采购商")),
    "product": _PRODUCT,
    "min_grade": Column("min_grade", "grade", ("最低等级", "等级", "等级要求"), 0),
    "quantity_kg": Column(
        "quantity", "mass", ("数量", "采购数量", "采购量", "需求数量", "需求量", "quantity")
    ),
    "ceiling_yuan_per_kg": Column(
        "ceiling",
        "price",
        (
            "最高价",
            "最高到货价",
            "最高到店价",
            "到货价",
            "到店价",
            "限价",
            "单价",
            "价格",
            "ceiling",
            "ceiling price",
            "price",
        ),
    ),
    "lat": _LAT,
    "lon": _LON,
    "deliver_from": Column(
        "deliver_from",
        "begin",
        ("最早到货", "到货开始", "开始到货", "交货开始", "最早到货日期", "交货开始日期", "开始日期"),
    ),
    "deliver_to": Column(
        "deliver_to",
        "end",
        (
            "最晚到货",
            "到货截止",
            "截止到货",
            "交货截止",
            "交货结束",
            "最晚到货日期",
            "交货截止日期",
            "截止日期",
            "结束日期",
        ),
    ),
    "min_order_kg": Column(
        "min_order", "least", ("起订量", "最小收货量", "每批至少", "min order", "minimum order"), Gram(0)
    ),
    "max_lots": Column("max_lots", "lots", ("最多批次", "批次上限", "最多几批"), None),
    "requires": Column(
        "requires",
        "codes",
        ("资质", "所需资质", "资质要求", "必须有的资质", "required credentials"),
        frozenset(),
    ),
    "max_distance_km": Column(
        "max_distance_km", "km", ("最远距离", "距离上限", "运距上限", "最大运距", "max distance"), None
    ),
}
Columns = dict[str, Column]

_NO_WIDTH = dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))


@dataclass(frozen=True)
class Heading:
    """A column of a file: its binding name, and grams (or 1, for km) in the unit that its name gives."""

    binding: str
    unit: int | None


def folded(heading: str) -> str:
    """A heading without what people vary: width, capitals, spaces, underscores, stars, brackets."""
    plain = unicodedata.normalize("NFKC", heading).translate(_NO_WIDTH).lower()
    return re.sub(r"[\s_*:()\[\]【】-]", "", plain)


class Headings:
    """Finds the columns of one kind of file by their names."""

    def __init__(self, columns: Columns) -> None:
        self._whole: dict[str, Heading] = {}
        self._measured: list[tuple[str, str]] = []
        for binding, column in columns.items():
            measure = _MEASURES.get(column.kind)
            self._whole[folded(binding)] = Heading(binding, GRAMS_PER_KG if measure else None)
            for each in column.names:
                self._whole[folded(each)] = Heading(binding, None)
                if measure:
                    self._measured.append((folded(each), binding))
        self._measured.sort(key=lambda each: -len(each[0]))
        self._columns = columns

    def find(self, heading: str) -> Heading | None:
        """Return the column that a heading names; None for one that nobody knows."""
        name = folded(heading)
        if known := self._whole.get(name):
            return known
        for base, binding in self._measured:
            if name.startswith(base):
                measure, rest = _MEASURES[self._columns[binding].kind], name[len(base) :]
                unit = _unit(measure, rest)
                if unit or (measure == "price" and rest in ("元", "yuan")):
                    return Heading(binding, unit)
        return None

    def count(self, cells: Sequence[Any]) -> int:
        """How many different columns a row names."""
        return len({known.binding for cell in cells if (known := self.find(shown(cell)))})


def _unit(measure: str, text: str) -> int | None:
    if measure == "mass":
        return MASS_UNITS.get(text)
    if measure == "price":
        return price_unit(text)
    return 1 if is_distance_unit(text) else None


def reader(column: Column, unit: int | None, figures: Figures, *, has_1904: bool) -> Callable[[Any], Any]:
    """Return what reads a cell of ``column`` that holds something; it raises Unclear."""
    match column.kind:
        case "name":
            return name
        case "codes":
            return codes
        case "grade":
            return lambda cell: figures.whole(cell, -1000, 1000)
        case "lots":
            return figures.lots
        case "mass":
            return lambda cell: figures.quantity(cell, unit)
        case "least":
            return lambda cell: figures.least(cell, unit)
        case "price":
            return lambda cell: figures.price(cell, unit, Decimal(0))
        case "priority":
            return lambda cell: figures.price(cell, unit, -MOST_PRICE)
        case "km":
            return lambda cell: figures.kilometres(cell, unit)
        case "lat":
            return lambda cell: figures.degrees(cell, 90)
        case "lon":
            return lambda cell: figures.degrees(cell, 180)
        case "begin":
            return lambda cell: day(cell, is_end=False, has_1904=has_1904)
        case "end":
            return lambda cell: day(cell, is_end=True, has_1904=has_1904)


def plain_reader(column: Column, unit: int | None) -> PlainColumn | None:
    """Return what reads a whole column of plain texts, for the columns whose cells are mostly different."""
    match column.kind:
        case "name" if column.field == "id":
            return plain_cells.names
        case "mass" if unit == GRAMS_PER_KG:
            return plain_cells.kilograms
        case "lat":
            return lambda cells: plain_cells.degrees(cells, 90)
        case "lon":
            return lambda cells: plain_cells.degrees(cells, 180)
    return None
