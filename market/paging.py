"""Lists that come in pages, and filters that live in a URL."""

import re
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Generic, TypeVar, cast, get_args, get_origin, get_type_hints
from unicodedata import category, normalize
from urllib.parse import urlencode

import msgspec
from msgspec import Meta

from market.errors import Invalid
from market.i18n import Message, msg
from market.units import (
    MOST_FEN_PER_KG,
    MOST_GRAMS,
    FenPerKg,
    Gram,
    fen_per_kg_from_yuan,
    grams_from_kg,
    kg,
    yuan_per_kg,
)

T = TypeVar("T")
F = TypeVar("F", bound=msgspec.Struct)

PAGE_LENGTH = 24
LAST_PAGE = 10_000
#: A code in a filter: letters, digits, hyphen, underscore.
Code = Annotated[str, Meta(pattern=r"\A[\w-]{1,40}\Z")]
PageNumber = Annotated[int, Meta(ge=1, le=LAST_PAGE)]

#: What messengers and campaigns add to a shared link.
_ADDED_BY_OTHERS = re.compile(r"utm_\w+|from|isappinstalled|scene|nsukey|wxwork_userid")


class FacetCount(msgspec.Struct, frozen=True):
    """How many rows a further choice would leave."""

    code: str
    zh: str
    en: str
    count: int
    chosen: bool = False


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a list. ``facets``: filter name to what may still be chosen."""

    rows: list[T]
    total: int
    page: int
    length: int = PAGE_LENGTH
    facets: dict[str, list[FacetCount]] = {}

    @property
    def pages(self) -> int:
        return pages(self.total, self.length)


def pages(total: int, length: int = PAGE_LENGTH) -> int:
    """Return how many pages ``total`` rows fill; an empty list has one."""
    return max(1, -(-total // length))


def page_of(rows: Sequence[T], asked: str, *, length: int = PAGE_LENGTH) -> Page[T]:
    """Return the page of ``rows`` that a URL asks for.

    What is no number means the first page, a number beyond the end the last.
    """
    last = pages(len(rows), length)
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 1
    number = max(1, min(number, last))
    return Page(list(rows[(number - 1) * length : number * length]), len(rows), number, length)


def printable(text: str) -> str:
    """Return ``text`` in NFKC without control signs: safe as a parameter of PostgreSQL."""
    folded = normalize("NFKC", text)
    return "".join(c for c in folded if category(c)[0] != "C").strip()


def filters_from_query(kind: type[F], pairs: Iterable[tuple[str, str]]) -> F:
    """Read filters from the decoded query of a URL; empty values count as not given.

    Quantities are written in kilograms and prices in yuan per kilogram, as people type them.

    Raises:
        Invalid: ``fields`` tells every field's own trouble.
    """
    hints = get_type_hints(kind, include_extras=True)
    given: dict[str, Any] = {}
    troubles: dict[str, Message] = {}
    for name, raw in pairs:
        text = printable(raw)
        if name not in hints:
            if not _ADDED_BY_OTHERS.fullmatch(name):
                shown = printable(name)[:40]
                troubles[shown] = msg("没有“{name}”这个筛选条件，请从网址中去掉。", name=shown)
            continue
        if not text:
            continue
        many = get_origin(hints[name]) is tuple
        try:
            if many:
                given.setdefault(name, []).extend(part for part in text.split(",") if part)
            else:
                given[name] = _read(hints[name], text)
        except Invalid as trouble:
            troubles[name] = trouble.message
    for name, value in list(given.items()):
        try:
            msgspec.convert(value, hints[name], strict=False)
        except msgspec.ValidationError:
            troubles[name] = msg("“{value}”不是可选的值，请重新选择。", value=_shown(value))
    if not troubles:
        low, high = given.get("price_low"), given.get("price_high")
        if low is not None and high is not None and low > high:
            troubles["price_high"] = msg("最高价低于最低价，请对调。")
    if troubles:
        raise Invalid(msg("有筛选条件不对，请按提示修改。"), troubles)
    return msgspec.convert(given, kind, strict=False)


def filters_to_query(filters: msgspec.Struct, **changed: Any) -> str:
    """Return the URL query of ``filters`` without defaults. A change other than ``page`` goes to page 1."""
    if changed:
        turned = {"page": 1, **changed} if "page" in filters.__struct_fields__ else changed
        filters = msgspec.structs.replace(filters, **turned)
    hints = get_type_hints(type(filters), include_extras=True)
    pairs: list[tuple[str, str]] = []
    for field in msgspec.structs.fields(filters):
        value = getattr(filters, field.name)
        if value != field.default:
            values: Sequence[Any] = value if isinstance(value, tuple) else (value,)
            pairs += [(field.name, _write(hints[field.name], each)) for each in values]
    return urlencode(pairs)


def _shown(value: Any) -> str:
    return (", ".join(value) if isinstance(value, list) else str(value))[:40]


def _bare(hint: Any) -> Any:
    """Return the type under Annotated and ``| None``."""
    if get_origin(hint) is Annotated:
        return _bare(get_args(hint)[0])
    inner = [each for each in get_args(hint) if each is not type(None)]
    if type(None) in get_args(hint) and len(inner) == 1:
        return _bare(inner[0])
    return hint


def _read(hint: Any, text: str) -> Any:
    bare = _bare(hint)
    if bare is Gram:
        number = _decimal(text, most=kg(MOST_GRAMS), example="500")
        return grams_from_kg(number)
    if bare is FenPerKg:
        number = _decimal(text, most=yuan_per_kg(MOST_FEN_PER_KG), example="3.60")
        return fen_per_kg_from_yuan(number)
    if bare is date:
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise Invalid(msg("“{value}”不是日期，请写成 2026-11-23 的样子。", value=text[:40])) from None
    if bare is bool:
        return text in ("1", "on", "true", "yes")
    if bare is int:
        if not re.fullmatch(r"[0-9]{1,15}", text):
            raise Invalid(msg("“{value}”不是整数，请重新填写。", value=text[:40]))
        return int(text)
    return text


def _write(hint: Any, value: Any) -> str:
    bare = _bare(hint)
    if bare is Gram:
        return f"{kg(value).normalize():f}"
    if bare is FenPerKg:
        return f"{yuan_per_kg(value):.2f}"
    if bare is bool:
        return "1" if value else "0"
    return cast(date, value).isoformat() if bare is date else str(value)


def _decimal(text: str, *, most: Decimal, example: str) -> Decimal:
    try:
        number = Decimal(text.replace(",", "").replace(" ", ""))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise Invalid(msg("“{value}”不是数字，请填写例如 {example}。", value=text[:40], example=example))
    if not 0 <= number <= most:
        raise Invalid(msg("请填写 0 到 {most} 之间的数字。", most=f"{most:,f}"))
    return number
