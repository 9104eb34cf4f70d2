"""Findings of the engine in the market's own words: names for codes, prices that a listing can bear.

The engine's own texts go to 0.0001 yuan as its files do; on the market a price is whole fen, so a cut is
told (and applied) down to a whole fen, a rise up to one.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from market.catalogue.queries import credential_kinds, grades
from market.i18n import Language, Message, msg, on_day
from market.matching.diagnosis.changes import (
    Ask,
    Ceiling,
    Change,
    Credentials,
    DemandMinOrder,
    DemandQuantity,
    DemandWindow,
    Dropped,
    Grade,
    LotChange,
    LotMinOrder,
    LotQuantity,
    LotWindow,
    MaxLots,
    MinGrade,
    Reach,
)
from market.matching.explain import Names, names_of
from market.matching.findings import DemandFinding, DiagnosisRow
from market.matching.rules import OBSTACLES
from market.units import FEN_PER_YUAN, FenPerKg
from market.web.parts import formats
from market.web.parts.trade import name_in


def obstacle(code: str) -> Message:
    """Return what an obstacle, or a pair of them, is called."""
    first, *further = (OBSTACLES.get(part, Message(part)) for part in code.split("+"))
    named = first
    for each in further:
        named = msg("{first}＋{second}", first=named, second=each)
    return named


class Words(msgspec.Struct, frozen=True):
    """What a reader calls things."""

    language: Language
    #: Credentials by code.
    kinds: Mapping[str, str]
    #: Grades by level.
    levels: Mapping[int, str]
    names: Names


async def words_for(
    language: Language,
    findings: Sequence[DiagnosisRow | DemandFinding] = (),
    *,
    messages: Sequence[Message] = (),
) -> Words:
    """Return the words that ``findings`` and texts of the engine's need."""
    changes = [change for finding in findings for change in finding.terms]
    nearest = [message.values for message in messages]
    nearest += [finding.change.values for finding in findings if not finding.terms]
    lots = {each.of for each in changes if each.of and isinstance(each, LotChange)}
    demands = {each.of for each in changes if each.of and not isinstance(each, LotChange)}
    lots |= {str(values["lot"]) for values in nearest if str(values.get("lot", "")).isdigit()}
    demands |= {str(values["demand"]) for values in nearest if str(values.get("demand", "")).isdigit()}
    return Words(
        language,
        {kind.code: name_in(language, kind, "") for kind in await credential_kinds()},
        {grade.level: name_in(language, grade, "") for grade in await grades()},
        await names_of(lots=sorted(lots), demands=sorted(demands)) if lots or demands else Names({}, {}),
    )


def ask_fen(yuan: Decimal) -> FenPerKg:
    """Return an ask of the engine's (yuan per kg) down to a whole fen."""
    return FenPerKg(int((yuan * FEN_PER_YUAN).to_integral_value(ROUND_FLOOR)))


def ceiling_fen(yuan: Decimal) -> FenPerKg:
    """Return a ceiling of the engine's (yuan per kg) up to a whole fen."""
    return FenPerKg(int((yuan * FEN_PER_YUAN).to_integral_value(ROUND_CEILING)))


def change_told(change: Change, words: Words, *, price: int | None = None) -> Message:
    """Tell one change; ``price`` is the ask or ceiling as it stands, in fen per kg."""
    what = _what(change, words, price)
    if change.of is None:
        return what
    party = (words.names.lots if isinstance(change, LotChange) else words.names.demands).get(change.of)
    return msg(
        "请“{title}”{what}", title=name_in(words.language, party, "title") if party else "–", what=what
    )


def _what(change: Change, words: Words, price: int | None) -> Message:
    language = words.language
    match change:
        case Ask():
            return _price_told(ask_fen(change.ask), price, language)
        case Ceiling():
            return _ceiling_told(ceiling_fen(change.ceiling), price, language)
        case Grade():
            return msg("把等级提高到{grade}", grade=words.levels.get(change.grade, str(change.grade)))
        case MinGrade():
            return msg(
                "把最低等级放宽到{grade}", grade=words.levels.get(change.min_grade, str(change.min_grade))
            )
        case Credentials():
            return msg("取得资质：{names}", names=_listed(change.codes, words))
        case Dropped():
            return msg("不再要求资质：{names}", names=_listed(change.codes, words))
        case LotMinOrder():
            if not change.min_order:
                return msg("不设起订量")
            return msg("把起订量改为 {mass}", mass=formats.mass(change.min_order, language))
        case DemandMinOrder():
            if not change.min_order:
                return msg("不限每家至少供多少")
            return msg("把每家至少供改为 {mass}", mass=formats.mass(change.min_order, language))
        case LotQuantity() | DemandQuantity():
            return msg("把数量改为 {mass}", mass=formats.mass(change.quantity, language))
        case LotWindow():
            begin, end = change.available_from, change.available_to
        case DemandWindow():
            begin, end = change.deliver_from, change.deliver_to
        case MaxLots():
            if change.max_lots is None:
                return msg("不限从几家买")
            return msg("改为最多从 {n} 家买", n=change.max_lots)
        case Reach():
            if change.max_distance_km is None:
                return msg("不限最远距离")
            return msg("把最远距离放宽到 {n} 公里", n=f"{change.max_distance_km:g}")
    if begin and end:
        return msg("把时间改为{window}", window=formats.window(begin, end, language))
    if begin:
        return msg("把开始提前到 {day}", day=formats.day(begin, language))
    return msg("把截止延长到 {day}", day=formats.day(end, language) if end else "–")


def _price_told(new: FenPerKg, old: int | None, language: Language) -> Message:
    if old is not None and new < old:
        return msg(
            "要价降 {cut}，到 {price}",
            cut=formats.price_kg(FenPerKg(old - new), language),
            price=formats.price(new, language),
        )
    return msg("要价改为 {price}", price=formats.price(new, language))


def _ceiling_told(new: FenPerKg, old: int | None, language: Language) -> Message:
    if old is not None and new > old:
        return msg(
            "最高到店价提 {rise}，到 {price}",
            rise=formats.price_kg(FenPerKg(new - old), language),
            price=formats.price(new, language),
        )
    return msg("最高到店价改为 {price}", price=formats.price(new, language))


def _listed(codes: frozenset[str], words: Words) -> str:
    between = "、" if words.language == "zh" else ", "
    return between.join(words.kinds.get(code, code) for code in sorted(codes))


def finding_told(finding: DiagnosisRow | DemandFinding, words: Words, *, price: int | None = None) -> Message:
    """Tell a finding: its changes one after another, or the engine's own words where it has none."""
    if not finding.terms:
        return plain(finding.change, words)
    more = finding.change.values.get("more")
    told = change_told(finding.terms[0], words, price=price)
    for change in finding.terms[1:]:
        told = msg("{first}，同时{then}", first=told, then=change_told(change, words, price=price))
    if "outbid" in finding.obstacle:
        told = msg("{what}：已有更合算的占满，这样才能胜出", what=told)
    if isinstance(more, Message):
        told = msg("{what}。{more}", what=told, more=plain(more, words))
    return told


#: A day in the engine's texts, which know no reader.
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
#: Prices in the engine's texts, by the name of their place.
_PRICES = ("cut", "least", "most", "price", "rise")


def _whole_fen(yuan: str, *, up: bool) -> str:
    """Return a price of the engine's as the market has it, e.g. 0.0123 as 0.02 where it is a cut."""
    try:
        return f"{Decimal(yuan).quantize(Decimal('0.01'), ROUND_CEILING if up else ROUND_FLOOR):.2f}"
    except ArithmeticError:
        return yuan


def plain(message: Message, words: Words) -> Message:
    """Put names into a text of the engine's, which knows credentials and grades by code only."""
    between = "、" if words.language == "zh" else ", "

    def named(text: str, name: str, value: str | int | Message) -> str | int | Message:
        if isinstance(value, Message):
            return plain(value, words)
        if text.startswith("最接近的"):
            party = words.names.lots.get(str(value)) or words.names.demands.get(str(value))
            return f"“{name_in(words.language, party, 'title')}”" if party else value
        if name == "codes":
            return between.join(words.kinds.get(code, code) for code in str(value).split("、"))
        if name == "now" and _ISO_DAY.fullmatch(str(value)):
            return on_day(date.fromisoformat(str(value)))
        if name in _PRICES and "元/公斤" in text:
            return _whole_fen(str(value), up=name == "cut")
        if "等级" in text and name in ("now", "grade", "needed") and str(value).isdigit():
            return words.levels.get(int(value), value)
        return value

    return Message(
        message.text, {name: named(message.text, name, value) for name, value in message.values.items()}
    )
