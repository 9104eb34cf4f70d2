"""What a run means for each village, what differs from another run, and what was declined."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec

from market.catalogue.rules import told_reason
from market.i18n import Language, Message, msg
from market.matching.compared import Difference, FieldChange, differences
from market.matching.explain import Names, Party, names_of
from market.matching.lifecycle import DECLINED
from market.matching.queries import MatchRow, Snapshot
from market.units import FEN_PER_YUAN, HAO_PER_FEN, Fen, FenPerKg, Gram, amount
from market.web.parts import formats
from market.web.parts.told import Words
from market.web.parts.trade import name_in

#: So many differing inputs are listed; the rest is counted.
_MOST_LISTED = 40

#: What the fields of lots and demands are called.
FIELDS: dict[str, Message] = {
    "quantity": msg("数量"),
    "ask": msg("要价"),
    "ceiling": msg("最高到店价"),
    "grade": msg("等级"),
    "min_grade": msg("最低等级"),
    "min_order": msg("起订量"),
    "max_lots": msg("最多几家"),
    "max_distance_km": msg("最远距离"),
    "available_from": msg("最早供货"),
    "available_to": msg("最晚供货"),
    "deliver_from": msg("最早到货"),
    "deliver_to": msg("最晚到货"),
    "credentials": msg("资质"),
    "requires": msg("资质要求"),
    "priority": msg("照顾加分"),
}


def price_of(match: MatchRow) -> FenPerKg:
    """Return the proposed price down to a whole fen, as a deal would have it."""
    return FenPerKg(match.price // HAO_PER_FEN)


def value_of(match: MatchRow) -> Fen:
    return amount(Gram(match.quantity), price_of(match))


class Moved(msgspec.Struct, frozen=True):
    """One pair in two runs: before and now; None where it was not proposed."""

    before: MatchRow | None
    now: MatchRow | None

    @property
    def shown(self) -> MatchRow:
        found = self.now or self.before
        assert found is not None
        return found

    @property
    def grams(self) -> int:
        return (self.now.quantity if self.now else 0) - (self.before.quantity if self.before else 0)


def moved_pairs(before: Sequence[MatchRow], now: Sequence[MatchRow]) -> list[Moved]:
    """Return the pairs whose quantity or price differ between two runs, the largest move first."""
    old = {(match.listing, match.demand): match for match in before}
    new = {(match.listing, match.demand): match for match in now}
    moved = [
        Moved(old.get(pair), new.get(pair))
        for pair in {**old, **new}
        if pair not in old
        or pair not in new
        or (old[pair].quantity, price_of(old[pair])) != (new[pair].quantity, price_of(new[pair]))
    ]
    return sorted(moved, key=lambda each: (-abs(each.grams), each.shown.listing, each.shown.demand))


class InputLine(msgspec.Struct, frozen=True):
    """A lot or demand that differs between the inputs of two runs, in words."""

    side: str
    kind: str
    party: Party | None
    #: (field, before, now), in words.
    fields: list[tuple[Message, str, str]]


class VillageLine(msgspec.Struct, frozen=True):
    """One seller in two runs: grams and fen."""

    id: int
    name: str
    name_en: str
    before: int
    now: int
    money_before: int
    money_now: int


class Comparison(msgspec.Struct, frozen=True):
    """What differs between two runs: inputs, pairs, and what each village gets."""

    inputs: list[InputLine]
    inputs_count: int
    moved: list[Moved]
    villages: list[VillageLine]
    #: Pairs that are new, gone, and changed.
    added: int
    removed: int
    changed: int


async def compared(
    before: tuple[Snapshot, Sequence[MatchRow]], now: tuple[Snapshot, Sequence[MatchRow]], words: Words
) -> Comparison:
    """Compare two runs, each given as its inputs and its matches."""
    lots = differences(before[0].lots, now[0].lots)
    demands = differences(before[0].demands, now[0].demands)
    shown = [*(("lot", each) for each in lots), *(("demand", each) for each in demands)][:_MOST_LISTED]
    names = await names_of(
        lots=[each.id for side, each in shown if side == "lot"],
        demands=[each.id for side, each in shown if side == "demand"],
    )
    moved = moved_pairs(before[1], now[1])
    return Comparison(
        [_line(side, each, names, words) for side, each in shown],
        len(lots) + len(demands),
        moved,
        _villages(before[1], now[1]),
        sum(each.before is None for each in moved),
        sum(each.now is None for each in moved),
        sum(each.before is not None and each.now is not None for each in moved),
    )


def _line(side: str, found: Difference, names: Names, words: Words) -> InputLine:
    return InputLine(
        side,
        found.kind,
        (names.lots if side == "lot" else names.demands).get(found.id),
        [
            (FIELDS[each.name], value_told(each, each.before, words), value_told(each, each.now, words))
            for each in found.fields
            if each.name in FIELDS
        ],
    )


def value_told(change: FieldChange, value: Any, words: Words) -> str:
    """Return a field's value as people read it."""
    language: Language = words.language
    if value is None:
        return "–"
    if change.name in ("ask", "ceiling", "priority"):
        return formats.price(FenPerKg(int(Decimal(value) * FEN_PER_YUAN)), language)
    if change.name in ("quantity", "min_order"):
        return formats.mass(Gram(value), language)
    if change.name in ("grade", "min_grade"):
        return words.levels.get(value, str(value))
    if isinstance(value, date):
        return formats.day(value, language)
    if isinstance(value, frozenset):
        between = "、" if language == "zh" else ", "
        return between.join(words.kinds.get(code, code) for code in sorted(value)) or "–"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _villages(before: Sequence[MatchRow], now: Sequence[MatchRow]) -> list[VillageLine]:
    names = {match.seller: (match.seller_name, match.seller_name_en) for match in [*before, *now]}
    sums = [_sums(matches) for matches in (before, now)]
    lines = [
        VillageLine(
            seller,
            *name,
            *(each.get(seller, (0, 0))[0] for each in sums),
            *(each.get(seller, (0, 0))[1] for each in sums),
        )
        for seller, name in names.items()
    ]
    return sorted(
        (line for line in lines if (line.before, line.money_before) != (line.now, line.money_now)),
        key=lambda line: (-abs(line.now - line.before), line.id),
    )


def _sums(matches: Sequence[MatchRow]) -> dict[int, tuple[int, int]]:
    sums: dict[int, tuple[int, int]] = {}
    for match in matches:
        grams, money = sums.get(match.seller, (0, 0))
        sums[match.seller] = (grams + match.quantity, money + value_of(match))
    return sums


class Declined(msgspec.Struct, frozen=True):
    """How often a reason was given for declining a suggestion of a run, and the pairs concerned."""

    reason: str
    count: int
    grams: int
    matches: list[MatchRow]


def declined_by_reason(matches: Sequence[MatchRow], language: Language) -> list[Declined]:
    """Return what was declined of a run by its coded reason, the most frequent first."""
    by_reason: dict[str, list[MatchRow]] = {}
    for match in matches:
        if match.state == DECLINED:
            by_reason.setdefault(told_reason(name_in(language, match, "decline"), "")[0] or "–", []).append(
                match
            )
    found = [
        Declined(reason, len(rows), sum(row.quantity for row in rows), rows)
        for reason, rows in by_reason.items()
    ]
    return sorted(found, key=lambda each: (-each.count, each.reason))
