"""The kinds of field that forms are made of: each reads what was typed, or says how to mend it.

What people type on phones is met half-way, days too: ``2026年12月1日``. Numbers and units: ``typed``.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any

import msgspec

from market import units
from market.amounts import prices
from market.cells import is_hiding
from market.i18n import Message, msg, on_day
from market.units import Fen, FenPerKg, Gram
from market.web.parts import formats
from market.web.parts.typed import Wrong, decimal_from, flat_text, price_parts, shown, split_unit


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One question of a form. ``kind`` chooses the control that draws it."""

    kind: str
    label: Message
    #: What was typed (stripped, never empty) and the unit chosen beside it ("" where there is none).
    parse: Callable[[str, str], Any]
    #: A value -> what stands in the control, and its unit.
    write: Callable[[Any], tuple[str, str]] = lambda value: (str(value), "")
    hint: Message | None = None
    optional: bool = False
    #: What an empty optional field means.
    default: Any = None
    #: Value -> label, for choices and for the units beside a number.
    options: Mapping[str, Message | str] = {}
    several: bool = False
    #: Further attributes of the control, e.g. ``{"maxlength": 40}``.
    attributes: Mapping[str, str | int] = {}
    #: What it is called away from its place, e.g. in the list of faults above the form; None: its label.
    in_full: Message | None = None

    @property
    def full_label(self) -> Message:
        return self.in_full or self.label


MASS_UNITS: dict[str, Message] = {"jin": msg("斤"), "kg": msg("公斤"), "t": msg("吨")}
PRICE_UNITS: dict[str, Message] = {"jin": msg("元/斤"), "kg": msg("元/公斤")}
_GRAMS = {"jin": units.GRAMS_PER_JIN, "kg": units.GRAMS_PER_KG, "t": units.GRAMS_PER_TONNE}

_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{4})(\d{2})(\d{2})")
_TIME = re.compile(r"(\d{1,2})[:时点](\d{2})分?")


def quantity(
    label: Message,
    *,
    hint: Message | None = None,
    optional: bool = False,
    unit: str = "jin",
    most: Gram = units.MOST_GRAMS,
) -> Field:
    """A mass, as a number and 斤, 公斤 or 吨; gives whole grams above 0, at most ``most``."""

    def parse(typed: str, chosen: str) -> Gram:
        number, named = split_unit(typed, chosen or unit)
        if named not in _GRAMS:
            raise Wrong(msg("请选单位：斤、公斤或吨。"))
        grams = decimal_from(number) * _GRAMS[named]
        if grams <= 0:
            raise Wrong(msg("数量要大于 0。"))
        if grams > most:
            raise Wrong(msg("最多 {most}，请检查数字和单位。", most=_mass_message(most)))
        if grams != int(grams):
            raise Wrong(msg("太细了，最多精确到 1 克。"))
        return Gram(int(grams))

    def write(value: Gram) -> tuple[str, str]:
        return formats.plain(Decimal(value) / _GRAMS[unit], places=6).replace(",", ""), unit

    return Field(
        kind="quantity",
        label=label,
        parse=parse,
        write=write,
        hint=hint,
        optional=optional,
        options=MASS_UNITS,
    )


def _mass_message(mass: Gram) -> Message:
    return msg(
        "{jin} 斤 / {t} 吨",
        jin=formats.plain(units.jin(mass), places=2),
        t=formats.plain(units.tonnes(mass), places=6),
    )


def price(
    label: Message,
    *,
    hint: Message | None = None,
    optional: bool = False,
    unit: str = "jin",
    most: FenPerKg = units.MOST_FEN_PER_KG,
) -> Field:
    """A price, as yuan per 斤 or per 公斤; gives whole fen per kilogram above 0, at most ``most``."""

    def parse(typed: str, chosen: str) -> FenPerKg:
        number, named = price_parts(typed, chosen or unit)
        if named not in PRICE_UNITS:
            raise Wrong(msg("请选单位：元/斤 或 元/公斤。"))
        fen = decimal_from(number) * units.FEN_PER_YUAN * (2 if named == "jin" else 1)
        if fen <= 0:
            raise Wrong(msg("单价要大于 0。"))
        if fen > most:
            raise Wrong(msg("最多 {most}，请检查数字和单位。", most=prices(most)))
        if fen != int(fen):
            raise Wrong(msg("太细了：元/斤 最多精确到 0.005，元/公斤 最多精确到 0.01。"))
        return FenPerKg(int(fen))

    def write(value: FenPerKg) -> tuple[str, str]:
        yuan = units.yuan_per_jin(value) if unit == "jin" else units.yuan_per_kg(value)
        return formats.plain(yuan, least=2).replace(",", ""), unit

    return Field(
        kind="price", label=label, parse=parse, write=write, hint=hint, optional=optional, options=PRICE_UNITS
    )


def money(
    label: Message, *, hint: Message | None = None, optional: bool = False, most_yuan: int = 10**9
) -> Field:
    """A sum in yuan, to the fen; gives :class:`Fen`, 0 or more."""

    def parse(typed: str, _: str) -> Fen:
        fen = decimal_from(flat_text(typed).lstrip("¥").removesuffix("元")) * units.FEN_PER_YUAN
        if fen > most_yuan * units.FEN_PER_YUAN:
            raise Wrong(msg("最多 {most}。", most=formats.plain(most_yuan)))
        if fen != int(fen):
            raise Wrong(msg("最多写到分，也就是两位小数。"))
        return Fen(int(fen))

    def write(value: Fen) -> tuple[str, str]:
        return f"{units.yuan(value):.2f}", ""

    return Field(kind="money", label=label, parse=parse, write=write, hint=hint, optional=optional)


def whole(
    label: Message,
    *,
    least: int = 0,
    most: int = 1_000_000,
    hint: Message | None = None,
    optional: bool = False,
) -> Field:
    """A whole number between ``least`` and ``most``."""

    def parse(typed: str, _: str) -> int:
        number = decimal_from(typed)
        if number != int(number):
            raise Wrong(msg("请填整数。"))
        if not least <= number <= most:
            raise Wrong(msg("要在 {least} 到 {most} 之间。", least=least, most=most))
        return int(number)

    return Field(kind="whole", label=label, parse=parse, hint=hint, optional=optional)


def day(
    label: Message,
    *,
    earliest: date | None = None,
    latest: date | None = None,
    hint: Message | None = None,
    optional: bool = False,
) -> Field:
    """A date: ``2026-12-01``, ``2026/12/1``, ``20261201`` or ``2026年12月1日``."""

    def parse(typed: str, _: str) -> date:
        found = _DAY.fullmatch(flat_text(typed))
        if not found or not flat_text(typed).replace("年", "").replace("月", "").replace("日", "").isascii():
            raise Wrong(
                msg("“{typed}”看不出是哪一天，请写成 2026年12月1日 或 2026-12-01。", typed=shown(typed))
            )
        year, month, number = (int(part) for part in found.groups() if part is not None)
        try:
            value = date(year, month, number)
        except ValueError:
            raise Wrong(msg("日历上没有 {typed} 这一天。", typed=shown(typed))) from None
        if earliest and value < earliest:
            raise Wrong(msg("不能早于 {day}。", day=on_day(earliest)))
        if not 2000 <= year <= 2100 or (latest and value > latest):
            raise Wrong(
                msg("不能晚于 {day}。", day=on_day(latest or date(2100, 12, 31)))
                if year >= 2000
                else msg("不能早于 {day}。", day=on_day(date(2000, 1, 1)))
            )
        return value

    limits = {"min": earliest, "max": latest}
    return Field(
        kind="day",
        label=label,
        parse=parse,
        write=lambda value: (value.isoformat(), ""),
        hint=hint,
        optional=optional,
        attributes={name: limit.isoformat() for name, limit in limits.items() if limit},
    )


def clock_time(label: Message, *, hint: Message | None = None, optional: bool = False) -> Field:
    """A time of day, ``9:30`` or ``9点30分``, to the minute."""

    def parse(typed: str, _: str) -> time:
        found = _TIME.fullmatch(flat_text(typed))
        if not found or int(found[1]) > 23 or int(found[2]) > 59:
            raise Wrong(msg("“{typed}”不是钟点，请写成 9:30。", typed=shown(typed)))
        return time(int(found[1]), int(found[2]))

    return Field(
        kind="clock_time",
        label=label,
        parse=parse,
        write=lambda value: (f"{value:%H:%M}", ""),
        hint=hint,
        optional=optional,
    )


def text(
    label: Message,
    *,
    most: int,
    least: int = 1,
    lines: bool = False,
    hint: Message | None = None,
    optional: bool = False,
    default: str | None = "",
    suggestions: Iterable[str] = (),
) -> Field:
    """Words of ``least`` to ``most`` characters; with ``lines`` they may have several lines."""

    def parse(typed: str, _: str) -> str:
        words = unicodedata.normalize("NFC", typed.replace("\r\n", "\n"))
        if is_hiding(words) or (not lines and "\n" in words):
            raise Wrong(msg("里面有看不见的控制字符，请删去后重新输入。"))
        if len(words) > most:
            raise Wrong(msg("太长了：最多 {most} 个字，现在 {now} 个。", most=most, now=len(words)))
        if len(words) < least:
            raise Wrong(msg("太短了：至少 {least} 个字。", least=least))
        return words

    return Field(
        kind="lines" if lines else "text",
        label=label,
        parse=parse,
        hint=hint,
        optional=optional,
        default=default,
        options={word: word for word in suggestions},
        attributes={"maxlength": most},
    )


def secret(
    label: Message, *, least: int = 1, most: int = 128, is_new: bool = False, hint: Message | None = None
) -> Field:
    """A password: taken as it was typed, and never drawn again."""

    def parse(typed: str, _: str) -> str:
        if not least <= len(typed) <= most:
            raise Wrong(msg("密码要有 {least} 到 {most} 个字符。", least=least, most=most))
        return typed

    return Field(
        kind="secret",
        label=label,
        parse=parse,
        hint=hint,
        attributes={"autocomplete": "new-password" if is_new else "current-password"},
    )


def phone(
    label: Message, *, hint: Message | None = None, optional: bool = False, may_be_hidden: bool = False
) -> Field:
    """A mainland mobile number, 11 digits; +86, spaces and hyphens are taken off.

    ``may_be_hidden``: one that we have shown with its middle hidden may come back as it is.
    """

    def parse(typed: str, _: str) -> str:
        digits = flat_text(typed).replace("-", "").removeprefix("+86")
        if may_be_hidden and re.fullmatch(r"1[3-9][0-9]\*{4}[0-9]{4}", digits):
            return digits
        if not re.fullmatch(r"1[3-9][0-9]{9}", digits):
            raise Wrong(msg("手机号要有 11 位，以 1 开头，例如 13800000000。"))
        return digits

    return Field(kind="phone", label=label, parse=parse, hint=hint, optional=optional)


def choice(
    label: Message,
    options: Mapping[str, Message | str],
    *,
    hint: Message | None = None,
    optional: bool = False,
    default: str | None = None,
    chips: bool = False,
) -> Field:
    """One of ``options`` (value -> label), drawn as a list or, with ``chips``, as buttons side by side."""

    def parse(typed: str, _: str) -> str:
        if typed not in options:
            raise Wrong(msg("没有这个选项，请从列出的里面选一个。"))
        return typed

    return Field(
        kind="chips" if chips else "choice",
        label=label,
        parse=parse,
        hint=hint,
        optional=optional,
        default=default,
        options=options,
    )


def choices(
    label: Message,
    options: Mapping[str, Message | str],
    *,
    hint: Message | None = None,
    required: bool = False,
) -> Field:
    """Any number of ``options``; gives a tuple in the order of ``options``.

    ``required``: it is not called optional; whoever takes the tuple refuses an empty one.
    """

    def parse(typed: str, _: str) -> str:
        if typed not in options:
            raise Wrong(msg("没有这个选项，请从列出的里面选一个。"))
        return typed

    return Field(
        kind="choices",
        label=label,
        parse=parse,
        hint=hint,
        optional=not required,
        default=(),
        options=options,
        several=True,
    )


def tick(label: Message, *, hint: Message | None = None, required: bool = False) -> Field:
    """A box to tick; gives True or False. ``required`` is for consent."""

    def parse(typed: str, _: str) -> bool:
        return typed not in {"0", "false", "off"}

    return Field(kind="tick", label=label, parse=parse, hint=hint, optional=not required, default=False)


def hidden(parse_as: Callable[[str], Any] = str, *, optional: bool = False) -> Field:
    """A value that the page itself put in (an idempotency key, a version), at most 200 characters."""

    def parse(typed: str, _: str) -> Any:
        try:
            if len(typed) > 200 or is_hiding(typed):
                raise ValueError
            return parse_as(typed)
        except (ValueError, TypeError, ArithmeticError):
            raise Wrong(msg("页面里的隐藏内容被改动了，请刷新页面重新填写。")) from None

    return Field(kind="hidden", label=msg("隐藏内容"), parse=parse, optional=optional)
