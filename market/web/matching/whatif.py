"""The form that tries out changes: what stands in it at first, and what it means to the engine."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from market.demand.queries import DemandDetails
from market.i18n import Message, msg
from market.matching.diagnosis.changes import (
    Ask,
    Ceiling,
    Change,
    Credentials,
    DemandMinOrder,
    DemandWindow,
    Dropped,
    Grade,
    LotMinOrder,
    LotWindow,
    MaxLots,
    MinGrade,
    Reach,
)
from market.matching.findings import DemandFinding, DiagnosisRow
from market.supply.queries import ListingDetails
from market.units import FEN_PER_YUAN, FenPerKg, Gram
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.told import Words, ask_fen, ceiling_fen, change_told

#: The rows of the form: what is ticked is tried.
LOT_ROWS: dict[str, Message] = {
    "ask": msg("改要价"),
    "credentials": msg("办资质"),
    "grade": msg("提等级"),
    "min_order": msg("改起订量"),
    "window": msg("改供货期"),
}
DEMAND_ROWS: dict[str, Message] = {
    "ceiling": msg("改最高到店价"),
    "requires": msg("放宽资质要求"),
    "min_grade": msg("放宽等级"),
    "min_order": msg("改每家至少供"),
    "window": msg("改到货时间"),
    "max_lots": msg("改最多几家"),
    "distance": msg("改最远距离"),
}
_PICK = msg("试第几条办法")

Finding = DiagnosisRow | DemandFinding


def theirs(findings: Sequence[Finding]) -> dict[str, Change]:
    """Return what the findings would ask of the other side, by a name for the form."""
    found: dict[str, Change] = {}
    for finding in findings:
        for place, change in enumerate(finding.terms):
            if change.of is not None and change not in found.values():
                found[f"{finding.rank}-{place}"] = change
    return found


def _rows(rows: Mapping[str, Message]) -> fields.Field:
    return fields.choices(msg("试哪几项"), rows)


def _asked(asks: Mapping[str, Change], words: Words) -> fields.Field:
    return fields.choices(
        msg("请对方放宽"), {name: change_told(change, words) for name, change in asks.items()}
    )


def lot_form(listing: ListingDetails, words: Words, asks: Mapping[str, Change]) -> Form:
    """Return the form for a listing; it offers only what the listing has not yet."""
    held = {kind.code for kind in listing.credentials}
    return Form(
        pick=fields.whole(_PICK, least=1, most=1_000, optional=True),
        use=_rows(LOT_ROWS),
        ask=fields.price(msg("要价"), optional=True),
        credentials=fields.choices(
            msg("要办的资质"), {code: name for code, name in words.kinds.items() if code not in held}
        ),
        grade=fields.choice(
            msg("等级"),
            {str(level): name for level, name in words.levels.items() if level > listing.grade},
        ),
        min_order=fields.quantity(msg("起订量"), optional=True, hint=msg("不填就是不限。")),
        available_from=fields.day(msg("从哪天起能供货"), optional=True),
        available_to=fields.day(msg("供到哪天"), optional=True),
        asked=_asked(asks, words),
    )


def demand_form(demand: DemandDetails, words: Words, asks: Mapping[str, Change]) -> Form:
    """Return the form for a demand."""
    needed = {kind.code for kind in demand.requires}
    return Form(
        pick=fields.whole(_PICK, least=1, most=1_000, optional=True),
        use=_rows(DEMAND_ROWS),
        ceiling=fields.price(msg("最高到店价"), optional=True),
        requires=fields.choices(
            msg("不再要求"), {code: name for code, name in words.kinds.items() if code in needed}
        ),
        min_grade=fields.choice(
            msg("最低等级"),
            {str(level): name for level, name in words.levels.items() if level < demand.min_grade},
        ),
        min_order=fields.quantity(msg("每家至少供多少"), optional=True, hint=msg("不填就是不限。")),
        deliver_from=fields.day(msg("最早到货"), optional=True),
        deliver_to=fields.day(msg("最晚到货"), optional=True),
        max_lots=fields.whole(msg("最多从几家买"), least=1, most=1_000, optional=True),
        distance=fields.whole(msg("最远多少公里"), least=1, most=5_000, optional=True),
        asked=_asked(asks, words),
    )


class _Terms(msgspec.Struct):
    """What stands in the form: the row of each change that is ticked, and the values by field."""

    rows: list[str]
    values: dict[str, Any]


def _put(terms: _Terms, change: Change) -> None:
    row: str
    values: dict[str, Any]
    match change:
        case Ask():
            row, values = "ask", {"ask": ask_fen(change.ask)}
        case Ceiling():
            row, values = "ceiling", {"ceiling": ceiling_fen(change.ceiling)}
        case Credentials():
            row, values = "credentials", {"credentials": sorted(change.codes)}
        case Dropped():
            row, values = "requires", {"requires": sorted(change.codes)}
        case Grade():
            row, values = "grade", {"grade": str(change.grade)}
        case MinGrade():
            row, values = "min_grade", {"min_grade": str(change.min_grade)}
        case LotMinOrder() | DemandMinOrder():
            row, values = "min_order", {"min_order": change.min_order or None}
        case LotWindow():
            row, values = (
                "window",
                {
                    "available_from": change.available_from,
                    "available_to": change.available_to,
                },
            )
        case DemandWindow():
            row, values = "window", {"deliver_from": change.deliver_from, "deliver_to": change.deliver_to}
        case MaxLots():
            row, values = "max_lots", {"max_lots": change.max_lots}
        case Reach():
            far = None if change.max_distance_km is None else int(-(-change.max_distance_km // 1))
            row, values = "distance", {"distance": far}
        case _:
            return
    if row not in terms.rows:
        terms.rows.append(row)
        terms.values |= {name: value for name, value in values.items() if value is not None}


def prefilled(
    form: Form, findings: Sequence[Finding], now: Mapping[str, Any], *, pick: int | None = None
) -> Filled:
    """Return the form with what the findings suggest (the best first), else as it is ``now``.

    With ``pick``, the rows of the finding of that rank are ticked.
    """
    asks = theirs(findings)
    chosen = next((each for each in findings if each.rank == pick), None)
    ticked = _Terms([], {})
    for change in chosen.terms if chosen else []:
        if change.of is None:
            _put(ticked, change)
    suggested = _Terms([], {})
    for finding in findings:
        for change in finding.terms:
            if change.of is None:
                _put(suggested, change)
    values = {name: value for name, value in {**now, **suggested.values, **ticked.values}.items() if value}
    return form.blank(
        **values,
        use=ticked.rows,
        asked=[name for name, change in asks.items() if chosen and change in chosen.terms],
    )


def now_of_lot(listing: ListingDetails) -> dict[str, Any]:
    return {
        "ask": FenPerKg(listing.ask),
        "min_order": Gram(listing.min_order) or None,
        "available_from": listing.available_from,
        "available_to": listing.available_to,
    }


def now_of_demand(demand: DemandDetails) -> dict[str, Any]:
    return {
        "ceiling": FenPerKg(demand.ceiling),
        "min_order": Gram(demand.min_order) or None,
        "deliver_from": demand.deliver_from,
        "deliver_to": demand.deliver_to,
        "max_lots": demand.max_lots,
        "distance": demand.max_distance_km,
    }


_MISSING = msg("勾上了，还没有填。")
_NOTHING = msg("先勾上要试的改动，再看结果。")


def lot_changes(
    filled: Filled, asks: Mapping[str, Change], *, lenient: bool = False
) -> tuple[list[Change], dict[str, Message]]:
    """Return the changes that are ticked, and what is wrong with them by field.

    ``lenient``: somebody has only just ticked a row and has not filled it in yet, which is no fault.
    """
    values, faults = filled.values, dict(filled.errors)
    changes: list[Change] = [asks[name] for name in values.get("asked", ())]
    makers: dict[str, tuple[str, Callable[[], Change]]] = {
        "ask": ("ask", lambda: Ask(ask=_yuan(values["ask"]))),
        "credentials": ("credentials", lambda: Credentials(codes=frozenset(values["credentials"]))),
        "grade": ("grade", lambda: Grade(grade=int(values["grade"]))),
        "min_order": ("", lambda: LotMinOrder(min_order=values["min_order"] or Gram(0))),
        "window": (
            "",
            lambda: LotWindow(available_from=values["available_from"], available_to=values["available_to"]),
        ),
    }
    return _made(filled, makers, changes, faults, lenient)


def demand_changes(
    filled: Filled, asks: Mapping[str, Change], *, lenient: bool = False
) -> tuple[list[Change], dict[str, Message]]:
    """Return the changes that are ticked, and what is wrong with them by field; see ``lot_changes``."""
    values, faults = filled.values, dict(filled.errors)
    changes: list[Change] = [asks[name] for name in values.get("asked", ())]
    makers: dict[str, tuple[str, Callable[[], Change]]] = {
        "ceiling": ("ceiling", lambda: Ceiling(ceiling=_yuan(values["ceiling"]))),
        "requires": ("requires", lambda: Dropped(codes=frozenset(values["requires"]))),
        "min_grade": ("min_grade", lambda: MinGrade(min_grade=int(values["min_grade"]))),
        "min_order": ("", lambda: DemandMinOrder(min_order=values["min_order"] or Gram(0))),
        "window": (
            "",
            lambda: DemandWindow(deliver_from=values["deliver_from"], deliver_to=values["deliver_to"]),
        ),
        "max_lots": ("", lambda: MaxLots(max_lots=values["max_lots"])),
        "distance": ("", lambda: Reach(max_distance_km=values["distance"])),
    }
    return _made(filled, makers, changes, faults, lenient)


def _made(
    filled: Filled,
    makers: Mapping[str, tuple[str, Callable[[], Change]]],
    changes: list[Change],
    faults: dict[str, Message],
    lenient: bool,
) -> tuple[list[Change], dict[str, Message]]:
    ticked = filled.values.get("use", ())
    # what is not ticked is not tried: rubbish in it does not matter
    names = {"window": ("available_from", "available_to", "deliver_from", "deliver_to")}
    tried = {name for row in ticked for name in names.get(row, (row,))} | {"use", "asked", "pick"}
    faults = {
        name: fault for name, fault in faults.items() if name in tried or name not in filled.form.fields
    }
    for row in ticked:
        needed, make = makers[row]
        if needed and not filled.values.get(needed) and needed not in faults:
            faults[needed] = _MISSING
        if not any(name in faults for name in names.get(row, (row,))):
            changes.append(make())
    if lenient:
        return changes, {
            name: fault for name, fault in faults.items() if filled.typed.get(name, [""]) != [""]
        }
    if not changes and not faults:
        faults[""] = _NOTHING
    return changes, faults


def _yuan(price: int) -> Decimal:
    return Decimal(price) / FEN_PER_YUAN
