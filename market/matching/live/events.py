"""Events of a live market as lines of JSON, in and out.

    {"event": "appear", "lot": {"lot": "L9", "seller": "S1", "product": "rice", "quantity_kg": 500, ...}}
    {"event": "change", "demand": {"demand": "D3", "ceiling_yuan_per_kg": 5.2}}
    {"event": "withdraw", "lot": "L9"}
    {"event": "sell", "lot": "L2", "demand": "D3", "quantity_kg": 120.5}
    {"event": "bar", "lot": "L2", "demand": "D3"}
    {"event": "settle"}
    {"event": "clear", "out": "DIR"}

A lot and a demand have the fields of a row of SUPPLY and DEMAND, read in the same way; of a change, those
that stay may be left out. Every event may have ``budget_ms``.
"""

from typing import Any

import msgspec

from market.errors import Invalid
from market.i18n import Message, msg
from market.matching.files.headings import DEMAND_COLUMNS, LOT_COLUMNS, Column, Columns, Headings, reader
from market.matching.files.readings import LONGEST_CELL, Figures, Unclear, is_absent, is_nothing
from market.matching.live.answers import LiveMatch, Option, Standing, Suggestions
from market.matching.live.market import LiveMarket
from market.matching.rules import Demand, Lot
from market.units import GRAMS_PER_KG, Gram

_TABLES: dict[str, Columns] = {"lot": LOT_COLUMNS, "demand": DEMAND_COLUMNS}
#: What an event may hold beside its name and ``budget_ms``.
_FIELDS = {
    "appear": ("lot", "demand"),
    "change": ("lot", "demand"),
    "withdraw": ("lot", "demand"),
    "sell": ("lot", "demand", "quantity_kg"),
    "bar": ("lot", "demand"),
    "settle": (),
    "clear": ("out",),
}
#: The longest budget of an event: an hour.
MOST_MS = 3_600_000.0


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it was read. ``lot`` and ``demand``: an id, or the fields of a row."""

    name: str
    lot: Any = None
    demand: Any = None
    quantity_kg: Any = None
    out: str | None = None
    budget_ms: float | None = None


def event_of(line: bytes | str) -> Event:
    """Read a line.

    Raises:
        Invalid: it is no event; the message says why, ``fields`` which field.
    """
    try:
        given = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as trouble:
        raise Invalid(msg("这一行不是 JSON：{why}", why=str(trouble))) from None
    names = ", ".join(_FIELDS)
    if not isinstance(given, dict):
        raise Invalid(msg("这一行应是一个 JSON 对象，例如 {example}。", example='{"event":"settle"}'))
    name = given.get("event")
    if not isinstance(name, str) or name not in _FIELDS:
        raise Invalid(msg("event 应是其中之一：{names}。", names=names), {"event": msg("不认识的事件。")})
    known = {"event", "budget_ms", *_FIELDS[name]}
    if strange := sorted(str(field) for field in given if field not in known):
        raise Invalid(
            msg(
                "{event} 没有 {field} 这一项；可以有：{known}。",
                event=name,
                field=strange[0],
                known=", ".join(sorted(known)),
            ),
            {strange[0]: msg("不认识的一项。")},
        )
    budget = given.get("budget_ms")
    if budget is not None and (
        isinstance(budget, bool) or not isinstance(budget, (int, float)) or not 0 <= budget <= MOST_MS
    ):
        raise _wrong("budget_ms", msg("应是 0 至 {most} 之间的毫秒数。", most=f"{MOST_MS:.0f}"))
    given = {field: value for field, value in given.items() if value is not None}
    if name in ("appear", "change", "withdraw") and ("lot" in given) == ("demand" in given):
        raise Invalid(msg("{event} 要有 lot 或 demand，只能有一个。", event=name))
    if name in ("sell", "bar"):
        for field in _FIELDS[name]:
            if field not in given:
                raise _wrong(field, msg("不能为空。"))
    out = given.get("out")
    if out is not None and (not isinstance(out, str) or not out):
        raise _wrong("out", msg("应是文件夹的名称。"))
    return Event(
        name=name,
        lot=given.get("lot"),
        demand=given.get("demand"),
        quantity_kg=given.get("quantity_kg"),
        out=out,
        budget_ms=None if budget is None else float(budget),
    )


def happen(market: LiveMarket, event: Event, *, budget: float | None) -> Suggestions:
    """Let an event other than ``clear`` happen. ``budget`` in milliseconds, where the event has none.

    Raises:
        Invalid, NotFound, Conflict: it cannot; nothing has changed.
    """
    if event.budget_ms is not None:
        budget = event.budget_ms
    what = "lot" if event.lot is not None else "demand"
    subject = event.lot if event.lot is not None else event.demand
    if event.name == "settle":
        return market.settle(budget=budget)
    if event.name in ("sell", "bar"):
        lot, demand = _id("lot", event.lot), _id("demand", event.demand)
        if event.name == "bar":
            return market.bar(lot, demand, budget=budget)
        return market.sell(lot, demand, _grams(event.quantity_kg), budget=budget)
    if event.name == "withdraw":
        return market.withdraw(what, _id(what, subject), budget=budget)
    party = party_of(what, subject, market if event.name == "change" else None)
    if event.name == "change":
        return market.change(party, budget=budget)
    return market.appear(party, budget=budget)


def party_of(what: str, given: Any, known: LiveMarket | None) -> Lot | Demand:
    """Read a lot or a demand from its fields; what is left out stays as ``known`` has it.

    Raises:
        Invalid: ``fields`` names each bad field.
        NotFound: nothing is known of this id.
    """
    if not isinstance(given, dict):
        example = '{"lot":"L1",...}' if what == "lot" else '{"demand":"D1",...}'
        raise _wrong(what, msg("应是一个对象，例如 {example}。", example=example))
    columns = _TABLES[what]
    values, faults, bad = _read(given, columns)
    was = known.find(what, values["id"]) if known is not None and "id" in values else None
    for binding, column in columns.items():
        if column.field in values or column.field in bad:
            continue
        if was is not None:
            values[column.field] = getattr(was, column.field)
        elif column.is_required:
            faults[binding] = msg("不能为空。")
        else:
            values[column.field] = column.default
    begin, end = ("available_from", "available_to") if what == "lot" else ("deliver_from", "deliver_to")
    if begin in values and end in values and values[begin] > values[end]:
        faults[end] = msg("结束日期早于开始日期（{begin}）。", begin=values[begin].isoformat())
    if faults:
        field, reason = next(iter(faults.items()))
        raise Invalid(msg("{field}：{reason}", field=field, reason=reason), faults)
    return Lot(**values) if what == "lot" else Demand(**values)


def _read(given: dict[str, Any], columns: Columns) -> tuple[dict[str, Any], dict[str, Message], set[str]]:
    """Return the fields that can be read, what is wrong by written name, and the fields that are bad."""
    headings, figures = Headings(columns), Figures()
    values: dict[str, Any] = {}
    faults: dict[str, Message] = {}
    bad: set[str] = set()
    for written, cell in given.items():
        heading = headings.find(written)
        if heading is None:
            faults[written] = msg("不认识的列；可用的列：{columns}。", columns=", ".join(columns))
            continue
        column = columns[heading.binding]
        try:
            if column.field in values:
                raise Unclear(msg("这一列出现了两次。"))
            values[column.field] = _value(column, heading.unit, cell, figures)
        except Unclear as unclear:
            faults[written] = unclear.reason
            bad.add(column.field)
    return values, faults, bad


def _value(column: Column, unit: int | None, cell: Any, figures: Figures) -> Any:
    if isinstance(cell, list) and column.kind == "codes":
        cell = ";".join(map(str, cell))
    if isinstance(cell, (dict, list)):
        raise Unclear(msg("应是文字或数字。"))
    if isinstance(cell, str) and len(cell) > LONGEST_CELL:
        raise Unclear(msg("内容过长。"))
    if column.is_required and is_absent(cell):
        raise Unclear(msg("不能为空。"))
    if not column.is_required and is_nothing(cell):
        return column.default
    return reader(column, unit, figures, has_1904=False)(cell)


def _wrong(field: str, reason: Message) -> Invalid:
    return Invalid(msg("{field}：{reason}", field=field, reason=reason), {field: reason})


def _id(what: str, given: Any) -> str:
    if not isinstance(given, str) or not given:
        raise _wrong(what, msg("应是编号，例如 {example}。", example='"L1"' if what == "lot" else '"D1"'))
    return given


def _grams(given: Any) -> Gram:
    try:
        if isinstance(given, (dict, list)) or given is None:
            raise Unclear(msg("应是数字。"))
        return Figures().quantity(given, GRAMS_PER_KG)
    except Unclear as unclear:
        raise _wrong("quantity_kg", unclear.reason) from None


def answer_line(answer: Suggestions) -> dict[str, Any]:
    """An answer as it is written out, in kilograms and yuan."""
    line: dict[str, Any] = {}
    if answer.lot is not None:
        line["lot"] = answer.lot
    if answer.demand is not None:
        line["demand"] = answer.demand
    return line | {
        "best": [_option(each) for each in answer.best],
        "matches": [_match(each) for each in answer.matches],
        "moved_lots": list(answer.moved_lots),
        "moved_demands": list(answer.moved_demands),
        "certificate": standing_line(answer.standing),
    }


def standing_line(standing: Standing) -> dict[str, Any]:
    return {
        "worth_yuan": round(standing.worth_yuan, 4),
        "upper_bound_yuan": round(standing.upper_bound_yuan, 4),
        "loss_yuan": round(standing.loss_yuan, 4),
        "settled": standing.settled,
    }


def _option(option: Option) -> dict[str, Any]:
    return {
        "lot": option.lot,
        "demand": option.demand,
        "most_kg": option.grams / GRAMS_PER_KG,
        "price_yuan_per_kg": float(option.price),
        "freight_yuan_per_kg": round(option.freight_yuan_per_kg, 6),
        "km": round(option.km, 3),
        "worth_yuan_per_kg": round(option.worth_yuan_per_kg, 6),
        "gain_yuan_per_kg": round(option.gain_yuan_per_kg, 6),
    }


def _match(match: LiveMatch) -> dict[str, Any]:
    return {
        "lot": match.lot,
        "demand": match.demand,
        "quantity_kg": match.grams / GRAMS_PER_KG,
        "price_yuan_per_kg": float(match.price),
        "freight_yuan_per_kg": round(match.freight_yuan_per_kg, 6),
        "km": round(match.km, 3),
        "worth_yuan": round(match.worth_yuan, 4),
        "breaks": list(match.breaks),
    }
