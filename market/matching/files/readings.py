"""What is meant by one cell of SUPPLY or DEMAND: an id, a quantity, a price. Days are in ``days``.

Read is what can mean one thing only: ``500斤`` is 250 kg, ``3.5元/斤`` is 7 yuan a kilogram. What could
mean two is refused with what to write instead. Pure: texts and a spreadsheet's values in, values or
``Unclear`` out.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from market.cells import UNREAD
from market.i18n import Message, msg
from market.units import (
    GRAMS_PER_JIN,
    GRAMS_PER_KG,
    GRAMS_PER_TONNE,
    MOST_FEN_PER_KG,
    MOST_GRAMS,
    Gram,
    kg,
    yuan_per_kg,
)

MOST_PRICE: Final = yuan_per_kg(MOST_FEN_PER_KG)
MOST_KG: Final = kg(MOST_GRAMS)
MOST_KM: Final = Decimal(100_000)
#: A cell longer than this is not an id or a name but a broken file.
LONGEST_CELL = 2_000
#: No number that anybody means is written with more signs.
_LONGEST_NUMBER = 60
#: Spreadsheets keep fifteen digits of a number.
_EXACT = 10**15

#: What stands for nothing: a dash anywhere, a word where nothing is a possible answer.
DASHES = frozenset(("", "-", "—", "——", "–", "−", "－"))
NOTHING = DASHES | {"无", "没有", "不限", "/", "none", "None"}

#: What programs write for nothing where a text is wanted.
NO_TEXT = frozenset(("nan", "NaN", "null", "NULL", "None", "N/A", "n/a", "undefined"))

#: Grams in a unit of mass.
MASS_UNITS: Final = {
    **dict.fromkeys(("公斤", "千克", "kg", "kgs", "㎏"), GRAMS_PER_KG),
    **dict.fromkeys(("斤", "市斤", "jin"), GRAMS_PER_JIN),
    **dict.fromkeys(("吨", "公吨", "t", "tonne", "tonnes"), GRAMS_PER_TONNE),
    **dict.fromkeys(("克", "g"), 1),
}
_DISTANCE_UNITS = frozenset(("公里", "千米", "km", "㎞"))
_COUNT_UNITS = frozenset(("批", "个", "lots", "lot"))
_DEGREES = frozenset(("°", "度", "º"))
_TIMES = {"万": 10_000, "千": 1_000}

_WIDE = {0xFF01 + n: 0x21 + n for n in range(94)} | {0x3000: " ", 0xA0: " ", 0x2212: "-", 0xFFE5: "¥"}
#: Signs without width that copying leaves behind. They change no number; an id with one is another id.
_NO_WIDTH = dict.fromkeys((0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF))
_FIGURE = re.compile(r"[+-]?(?:[0-9][0-9,]*\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]{1,9}(?![0-9]))?")
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_ONE_GROUP = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")
_PLAIN_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?").fullmatch
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,199}").fullmatch
_WHOLE_FLOAT = re.compile(r"(0|[1-9][0-9]{0,14})\.0").fullmatch
_SCIENTIFIC = re.compile(r"[0-9](?:\.[0-9]+)?E\+[0-9]{2,3}").fullmatch
_TEXT_FORMULA = re.compile(r'="([^"]*)"').fullmatch
_BROKEN = re.compile(r"#(N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!|SPILL!|CALC!|#+)", re.IGNORECASE).fullmatch
_PER = re.compile(r"(?:万)?(?:元|块|yuan|rmb|cny)?(?:/|每|per|一)(?P<unit>[^/每]+)")
_EACH = re.compile(r"每(?P<unit>公斤|千克|市斤|斤|公吨|吨|克)(?=[¥0-9+.-])")


class Unclear(Exception):
    """A cell that cannot be taken, and what to write instead."""

    def __init__(self, reason: Message) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class ShownAsMonth:
    """The first day of a month in a workbook, of which year and month are shown alone."""

    first: date

    def __str__(self) -> str:
        return f"{self.first.year}-{self.first.month:02d}"


def is_absent(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and (cell in DASHES or cell.strip() in DASHES))


def is_nothing(cell: Any) -> bool:
    """Tell whether a cell that may be empty says so: empty, a dash, 无, 不限, /."""
    return cell is None or (isinstance(cell, str) and (cell in NOTHING or cell.strip() in NOTHING))


def shown(cell: Any) -> str:
    """A cell as its owner sees it."""
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        if cell.is_integer() and abs(cell) < 10 * _EXACT:
            return str(int(cell))
        return f"{cell:.15g}"
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time.min else cell.isoformat(" ", "minutes")
    return str(cell)


def name(cell: Any) -> str:
    """An id or a name: compatible forms folded (NFKC), whole numbers of a spreadsheet without ``.0``."""
    if isinstance(cell, str):
        if _PLAIN_NAME(cell) and cell not in NO_TEXT:
            return cell
        return _name(cell)
    if isinstance(cell, bool):
        raise Unclear(msg("这是逻辑值 TRUE 或 FALSE，不是文字。"))
    if isinstance(cell, (date, time, timedelta)):
        raise Unclear(msg("被 Excel 改成了日期或时刻，请把这一格设为文本再写。"))
    if isinstance(cell, (int, float)):
        if abs(cell) >= _EXACT:
            raise Unclear(msg("超过 15 位的数字，Excel 已丢失末尾几位；请把这一格设为文本再写。"))
        return shown(float(cell))
    raise Unclear(msg("应是文字。"))


def _name(cell: str) -> str:
    _check_formula(cell.strip())
    if formula := _TEXT_FORMULA(cell.strip()):
        cell = formula[1]
    value = unicodedata.normalize("NFKC", cell).strip()
    if not value:
        raise Unclear(msg("不能为空。"))
    if not (value.isascii() and value.isprintable()):
        for sign in value:
            _check_sign(sign)
    if value in NO_TEXT:
        raise Unclear(msg("“{value}”像是程序写的空值，请写实际的内容。", value=value))
    if value.startswith("="):
        raise Unclear(msg("以 = 开头，像是公式；请写成文字。"))
    if whole := _WHOLE_FLOAT(value):
        return whole[1]
    if _SCIENTIFIC(value):
        raise Unclear(msg("被 Excel 写成了科学记数，位数已丢失；请把这一格设为文本再写。"))
    return value


def _check_sign(sign: str) -> None:
    kind = unicodedata.category(sign)
    if kind in ("Cc", "Zl", "Zp"):
        raise Unclear(msg("含有换行或控制字符，请删去。"))
    if kind == "Cf":
        raise Unclear(msg("含有看不见的字符（U+{code}），请重新输入。", code=f"{ord(sign):04X}"))
    if sign == UNREAD or kind in ("Co", "Cs"):
        raise Unclear(msg("含有读不出的字，多半是编码不一致；请重写这一格，整份存为“CSV UTF-8”。"))


def _check_formula(value: str) -> None:
    if _BROKEN(value):
        raise Unclear(msg("是公式算不出来的结果（{value}），请写实际的内容。", value=value))


def codes(cell: Any) -> frozenset[str]:
    """Codes with ``;`` or 、 between them."""
    value = name(cell)
    if "," in value:
        raise Unclear(msg("几项之间请用分号 ; 隔开，不用逗号。"))
    return frozenset(code for part in re.split("[;、]", value) if (code := part.strip()))


def folded_cell(cell: Any) -> str:
    """The text of a number or a day: half-width, lower case, without signs that have no width."""
    if not isinstance(cell, str):
        raise Unclear(msg("应是数字。"))
    value = cell.translate(_WIDE).translate(_NO_WIDTH).strip()
    _check_formula(value)
    if formula := _TEXT_FORMULA(value):
        value = formula[1].strip()
    if not value.isascii():
        for sign in value:
            _check_sign(sign)
    if len(value) > _LONGEST_NUMBER:
        raise Unclear(msg("内容过长。"))
    return value


class Figures:
    """Numbers as one file writes them.

    ``has_semicolons``: its columns are parted by semicolons, as programs do that write 1,5 for one and a
    half; a single comma can then mean either.
    """

    def __init__(self, *, has_semicolons: bool = False) -> None:
        self._has_semicolons = has_semicolons

    def split(self, cell: Any, *, grouped: bool = True) -> tuple[Decimal, str]:
        """Return the number at the beginning of a cell and what follows it, lower-case and unspaced.

        Numbers of more than thirty digits or places come back as 1E+31 and 1E-31: out of any range,
        and harmless to reckon with.
        """
        if isinstance(cell, (int, float)) and not isinstance(cell, bool):
            # Fifteen digits are what a spreadsheet shows; what lies beyond is binary dust.
            number, rest = Decimal(f"{cell:.15g}"), ""
            if not number.is_finite():
                raise Unclear(msg("应是有限的数字。"))
        elif isinstance(cell, (bool, date, time, timedelta)):
            raise Unclear(msg("应是数字。"))
        else:
            value = folded_cell(cell).lower()
            found = _FIGURE.match(value)
            if not found:
                if value.lstrip("+-") in ("nan", "snan", "inf", "infinity"):
                    raise Unclear(msg("应是有限的数字。"))
                raise Unclear(msg("应是数字，例如 12500.5。"))
            written, rest = found[0], value[found.end() :].replace(" ", "")
            if rest and rest[0].isdecimal():
                raise Unclear(msg("数字中间有空格，请删去。"))
            number = self._number(written, grouped)
        if number and not -31 < number.adjusted() < 31:
            number = Decimal("1E+31" if number.adjusted() > 0 else "1E-31").copy_sign(number)
        return number, rest

    def _number(self, written: str, grouped: bool) -> Decimal:
        if "," not in written:
            return Decimal(written)
        if not grouped or not _GROUPED.fullmatch(written):
            raise Unclear(msg("逗号的位置不对：千分位写作 12,500.5，小数点用 .。"))
        if self._has_semicolons and _ONE_GROUP.fullmatch(written):
            raise Unclear(msg("逗号是千分位还是小数点，无法断定；请去掉逗号，小数点用 .。"))
        return Decimal(written.replace(",", ""))

    def degrees(self, cell: Any, most: int) -> float:
        if isinstance(cell, str) and _PLAIN_NUMBER(cell) and (value := float(cell)) <= most:
            return value
        if type(cell) is float and -most <= cell <= most:
            return cell
        number, rest = self.split(cell, grouped=False)
        if rest and rest not in _DEGREES:
            raise _strange(rest)
        _check_range(number, Decimal(-most), Decimal(most), "")
        return float(number)

    def whole(self, cell: Any, low: int, high: int, units: frozenset[str] = frozenset()) -> int:
        number, rest = self.split(cell)
        if rest and rest not in units:
            raise _strange(rest)
        if not low <= number <= high or number != number.to_integral_value():
            raise Unclear(msg("应是 {low} 至 {high} 之间的整数。", low=low, high=high))
        return int(number)

    def lots(self, cell: Any) -> int:
        return self.whole(cell, 1, 10**9, _COUNT_UNITS)

    def kilometres(self, cell: Any, heading: int | None) -> float:
        """``heading``: 1 where the column's name gives the unit, None where the cell must."""
        number, rest = self.split(cell)
        if rest and rest not in _DISTANCE_UNITS:
            raise _strange(rest)
        if not rest and heading is None:
            raise Unclear(msg("没有单位：请写成 300公里，或把列名写成“最远距离（公里）”。"))
        _check_range(number, Decimal(0), MOST_KM, msg(" 公里"))
        return float(number)

    def quantity(self, cell: Any, heading: int | None) -> Gram:
        """Whole grams, rounded down: nobody can be made to sell or take more than the file says.

        ``heading``: grams in the unit that the column's name gives, None if it gives none.
        """
        if heading == GRAMS_PER_KG and isinstance(cell, str) and _PLAIN_NUMBER(cell):
            exact = Decimal(cell) * GRAMS_PER_KG
        elif heading == GRAMS_PER_KG and type(cell) is float and abs(cell) < MOST_GRAMS:
            exact = Decimal(f"{cell:.15g}") * GRAMS_PER_KG
        else:
            exact = self._grams(cell, heading)
        if not 0 < exact <= MOST_GRAMS:
            raise Unclear(msg("应大于 0，不超过 {most} 公斤（10 万吨）。", most=f"{MOST_KG:f}"))
        grams = int(exact)
        if grams == 0:
            raise Unclear(msg("不足 0.001 公斤。"))
        return Gram(grams)

    def least(self, cell: Any, heading: int | None) -> Gram:
        """Whole grams, rounded up: a smallest delivery is never undercut."""
        exact = self._grams(cell, heading)
        if not 0 <= exact <= MOST_GRAMS:
            _check_range(exact / GRAMS_PER_KG, Decimal(0), MOST_KG, msg(" 公斤"))
        grams = int(exact)
        return Gram(grams + 1) if grams < exact else Gram(grams)

    def _grams(self, cell: Any, heading: int | None) -> Decimal:
        number, rest = self.split(cell)
        unit = MASS_UNITS.get(rest)
        times = 1
        if unit is None and rest[:1] in _TIMES:
            times, rest = _TIMES[rest[0]], rest[1:]
            unit = MASS_UNITS.get(rest)
        if unit is None and rest:
            raise _strange(rest)
        if unit is None:
            unit = heading
        if unit is None:
            raise Unclear(msg("没有单位：请写成 500公斤 或 500斤，或把列名写成“数量（公斤）”。"))
        return number * times * unit

    def price(self, cell: Any, heading: int | None, low: Decimal) -> Decimal:
        """Yuan per kilogram, exact. ``heading``: grams in the unit that the column's name gives."""
        if heading == GRAMS_PER_KG and isinstance(cell, str) and _PLAIN_NUMBER(cell):
            number = Decimal(cell)
        else:
            number = self._yuan_per_kg(cell, heading)
        _check_range(number, low, MOST_PRICE, msg(" 元/公斤"))
        return number

    def _yuan_per_kg(self, cell: Any, heading: int | None) -> Decimal:
        unit = heading
        is_each = False
        if isinstance(cell, str):
            cell = cell.translate(_WIDE).strip()
            if each := _EACH.match(cell.replace(" ", "")):
                cell, unit, is_each = cell.replace(" ", "")[each.end() :], MASS_UNITS[each["unit"]], True
            cell = cell.removeprefix("¥")
        number, rest = self.split(cell)
        if rest.startswith("万"):
            number *= 10_000
        if rest and rest not in ("元", "块", "yuan", "rmb", "cny", "万元"):
            per = _PER.fullmatch(rest)
            grams = MASS_UNITS.get(per["unit"]) if per and not is_each else None
            if grams is None or (rest[:1] == "万" and rest[1:2] not in ("元", "块")):
                raise Unclear(msg("看不懂单位“{unit}”：请写 元/公斤、元/斤 或 元/吨。", unit=rest[:20]))
            unit = grams
        if unit is None:
            raise Unclear(msg("没有单位：请写成 3.5元/斤 或 7元/公斤，或把列名写成“要价（元/公斤）”。"))
        return number if unit == GRAMS_PER_KG else number * (Decimal(GRAMS_PER_KG) / unit)

    def coordinate(self, cell: Any) -> float | None:
        """A number of degrees whatever its size; None if it is no number."""
        try:
            number, rest = self.split(cell, grouped=False)
        except Unclear:
            return None
        return float(number) if not rest or rest in _DEGREES else None


def price_unit(text: str) -> int | None:
    """Grams in the unit that ``元/斤`` or ``yuan per kg`` names; None if it names none."""
    found = _PER.fullmatch(text)
    return MASS_UNITS.get(found["unit"]) if found and not text.startswith("万") else None


def is_distance_unit(text: str) -> bool:
    return text in _DISTANCE_UNITS


def _strange(rest: str) -> Unclear:
    return Unclear(msg("数字后面的“{rest}”看不懂，请只写数字，或写明单位。", rest=rest[:20]))


def _check_range(number: Decimal, low: Decimal, high: Decimal, unit: Message | str) -> None:
    if not low <= number <= high:
        raise Unclear(msg("应在 {low} 至 {high}{unit} 之间。", low=f"{low:f}", high=f"{high:f}", unit=unit))
