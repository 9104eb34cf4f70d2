"""Reference data as it is handed in, and what its codes mean. No database here."""

import re
from datetime import date
from typing import Literal

import msgspec

from market.i18n import Message, msg

Level = Literal["province", "prefecture", "county", "township", "village"]
LEVELS: tuple[Level, ...] = ("province", "prefecture", "county", "township", "village")
#: Between the names of a division's path.
STEP = " / "
#: Digits of a county's code; codes of what lies in it begin with them.
COUNTY_DIGITS = 6


class CategoryEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    zh: str
    en: str
    position: int


class ProduceEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One kind of produce. Prices are fen per kg at the farm gate."""

    code: str
    category: str
    zh: str
    en: str
    aliases: tuple[str, ...] = ()
    shelf_life_days: int | None = None
    usual_units: tuple[str, ...] = ()
    made_from: str | None = None
    price_low: int | None = None
    price_high: int | None = None
    certificate_required: bool = False


class DivisionEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    level: Level
    name: str
    parent: str | None = None


class CoordinateEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a division lies, in degrees (WGS 84)."""

    code: str
    lat: float
    lon: float


class ShelfRuleEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``applies_to`` holds ``kind:<produce code>``, ``category:<category code>`` or ``all``."""

    code: str
    applies_to: tuple[str, ...]
    effect: str
    zh: str
    en: str
    source: str
    sureness: Literal["read", "memory"]
    valid_from: date | None = None
    valid_to: date | None = None


class CredentialKindEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    zh: str
    en: str


class CredentialRouteEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One way to a credential; days from applying to having it."""

    code: str
    credential: str
    position: int
    zh: str
    en: str
    days_low: int
    days_high: int
    source: str
    sureness: Literal["read", "memory"]


class GradeEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    level: int
    zh: str
    en: str


#: Steps at which somebody says why: a seller or a buyer declines, a contract is cancelled before it binds,
#: goods have arrived and are not taken, a talk comes to nothing.
SELLER_DECLINES, BUYER_DECLINES, CANCELS, GOODS_REFUSED, TALKS = "seller", "buyer", "cancel", "goods", "talk"
#: How the names of reasons end that ask for words of one's own.
_PROMPTS = ("（请说明）", " (please explain)")
REASON_USES = frozenset({SELLER_DECLINES, BUYER_DECLINES, CANCELS, GOODS_REFUSED, TALKS})


#: Codes that say nothing without words beside them, in each list of reasons that has such a one.
ASKS_FOR_WORDS = frozenset({"other"})


def words_fault(reason: str | None, words: str) -> Message | None:
    """Return what is wrong where a coded reason that says nothing by itself comes without words."""
    if reason in ASKS_FOR_WORDS and not words.strip():
        return msg("选了“其他”，请写明是什么原因。")
    return None


def told_reason(name: str, words: str) -> tuple[str, str]:
    """Return a reason as it is shown, and what stands beside it: one that asks for words is those words."""
    for prompt in _PROMPTS:
        if name.endswith(prompt):
            return words.strip() or name.removesuffix(prompt), ""
    return name, words.strip()


class ReasonEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``uses``: steps that offer it, of :data:`REASON_USES`; none: all of them."""

    code: str
    zh: str
    en: str
    position: int
    uses: tuple[str, ...] = ()


_DIGITS = re.compile(r"[0-9]{2,12}")


def county_of(division: str) -> str | None:
    """Return the county's code that ``division`` lies in; None above the county."""
    if _DIGITS.fullmatch(division) and len(division) >= COUNTY_DIGITS:
        return division[:COUNTY_DIGITS]
    return None


class RecipeYieldEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a part of what a process takes in becomes (``gives`` None: it is lost), in thousandths of it."""

    code: str
    process: str
    zh: str
    en: str
    takes: str
    gives: str | None
    low: int
    high: int
    position: int
    source: str
    sureness: str
