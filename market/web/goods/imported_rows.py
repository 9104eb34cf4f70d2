"""What the rows of a ledger mean: each is read like the page's own form, then published once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from market import clock
from market.accounts.queries import sites_of
from market.accounts.rules import Viewer, actor
from market.catalogue.queries import (
    ProduceView,
    credential_kinds,
    grades,
    produce_named,
)
from market.db.session import transaction
from market.demand.commands import NewDemand
from market.demand.operations import publish_demand
from market.errors import Invalid
from market.exchange.imported import Made, Noun, already_in, row_key
from market.exchange.sheet_import import Fault, Row, Table, refused
from market.i18n import Language, Message, msg
from market.supply.commands import NewListing
from market.supply.operations import publish_listing
from market.supply.rules import LONGEST_TITLE
from market.units import FenPerKg, Gram
from market.web.demands import posting
from market.web.goods.listing_form import Place, default_title, listing_form, place_of, window_of
from market.web.parts import formats
from market.web.parts.asked_back import is_far_off
from market.web.parts.forms import Filled, Form
from market.web.parts.trade import new_key

#: Rows that are published in one transaction.
_AT_ONCE = 50
#: Unknown names that get suggestions: looking for slips is the costliest search there is.
_MOST_GUESSED = 40
_YES = frozenset({"是", "yes", "y", "true", "1", "确认", "对", "√", "✓"})
_NO = frozenset({"", "否", "no", "n", "false", "0"})


class Ready(msgspec.Struct, frozen=True):
    """A row with its key and, where nothing is wrong with it, what it asks for."""

    row: Row
    key: str
    command: NewListing | NewDemand
    faults: dict[str, Message]


class Ended(msgspec.Struct, frozen=True):
    """A row that was taken before, and whose listing or demand is not open any more."""

    row: int
    made: Made


#: States in which what was made of a row is not open, though it was not sold or filled.
_ENDED = frozenset({"withdrawn", "expired", "suspended", "cancelled", "closed", "unsuccessful"})


class Outcome(msgspec.Struct, frozen=True):
    """What became of a ledger. Numbers of listings or demands; rows that could not be taken, as written.

    ``ended``: those of the ``unchanged`` that whoever sends them may think are open, and are not.
    """

    added: list[int]
    unchanged: list[int]
    rejected: list[tuple[int, dict[str, str]]]
    faults: list[Fault]
    ended: list[Ended] = []


class _Names:
    """Names that people write -> the codes of a form, in either language and whatever the case."""

    def __init__(self, codes: Mapping[str, Sequence[str]], language: Language) -> None:
        self._codes = {
            name.strip().lower(): code for code, names in codes.items() for name in names if name.strip()
        }
        is_english = language == "en"
        shown = [(names[1] if is_english else "") or names[0] for names in codes.values()]
        self._shown = (", " if is_english else "、").join(shown)

    def code(self, name: str) -> str | None:
        return self._codes.get(name.strip().lower())

    def unknown(self, name: str) -> Message:
        return msg("不认识“{name}”，可以写：{known}。", name=name[:40], known=self._shown)


class _Kinds:
    """Kinds of produce by name; each name is looked up once."""

    def __init__(self) -> None:
        self._found: dict[str, ProduceView | Message] = {}
        self._guessed = 0

    async def named(self, text: str, errors: dict[str, Message], field: str) -> ProduceView | None:
        if text not in self._found:
            self._found[text] = await self._look_up(text)
        found = self._found[text]
        if isinstance(found, Message):
            errors[field] = found
            return None
        return found

    async def _look_up(self, text: str) -> ProduceView | Message:
        if self._guessed >= _MOST_GUESSED:
            return msg("不认识的品名太多，这一行没有再查；请先照提示改好前面的品名。")
        try:
            return await produce_named(text)
        except Invalid as unknown:
            self._guessed += 1
            return unknown.message


async def take_listings(table: Table, viewer: Viewer, language: Language) -> Outcome:
    """Put the good rows on sale; tell what is wrong with the others."""
    all_grades, kinds = await grades(), await credential_kinds()
    form = listing_form(language, all_grades=all_grades, kinds=kinds)
    known_grades = _Names({str(each.level): (each.zh, each.en) for each in all_grades}, language)
    known_kinds = _Names({each.code: (each.zh, each.en, each.code) for each in kinds}, language)
    produce, places = _Kinds(), dict[str, tuple[Place | None, dict[str, Message]]]()

    async def read(row: Row) -> Ready | dict[str, Message]:
        errors = dict(row.faults)
        typed = {name: values for name, values in row.typed.items() if any(values)}
        _choose(typed, "grade", known_grades, errors)
        _choose(typed, "credentials", known_kinds, errors)
        _confirm(typed, "confirm", errors)
        filled = _parsed(form, typed, errors)
        kind = None
        if "produce" not in errors:
            kind = await produce.named(filled.values["produce"], errors, "produce")
        text = filled.values.get("place") or ""
        if text not in places:
            wrong: dict[str, Message] = {}
            places[text] = (await place_of(filled, wrong), wrong)
        place, wrong = places[text]
        errors |= wrong
        if errors or kind is None:
            window_of(filled, errors)
            return errors
        values = filled.values
        title = values["title"]
        content = (
            kind.code,
            title,
            *(values[name] for name in ("quantity", "ask", "grade", "available_from", "available_to")),
            values["min_order"] or 0,
            sorted(values["credentials"]),
            place.code if place else "",
            values["story"],
        )
        if is_far_off(values["ask"], kind) and not values["confirm"]:
            errors["ask"] = _far_off(kind, values["ask"], language)
        window_of(filled, errors)
        command = NewListing(
            produce=kind.code,
            title=title or default_title(viewer, "", kind),
            title_en=f"{kind.en}, {viewer.organisation_name_en or viewer.organisation_name}"[:LONGEST_TITLE],
            quantity=values["quantity"],
            ask=values["ask"],
            available_from=values["available_from"],
            available_to=values["available_to"],
            grade=int(values["grade"]),
            min_order=values["min_order"] or Gram(0),
            credentials=values["credentials"],
            division=place.code if place else None,
            lat=place.lat if place else None,
            lon=place.lon if place else None,
            story=values["story"],
        )
        return Ready(row, row_key("listing", viewer.organisation_id, content), command, errors)

    async def publish(ready: Ready, at: datetime) -> int:
        assert isinstance(ready.command, NewListing)
        return await publish_listing(
            listing=ready.command,
            owner_id=viewer.organisation_id,
            actor=actor(viewer, "seller"),
            at=at,
            key=ready.key,
        )

    return await _take("listing", table, viewer, read, publish, {"division": "place"})


def _far_off(kind: ProduceView, ask: FenPerKg, language: Language) -> Message:
    return msg(
        "{name}平常是 {low} 到 {high}，这里是 {ask}。是不是斤和公斤弄混了，或多打、少打了一个 0？"
        "没错的话，请在“确认”列写“是”。",
        name=kind.en if language == "en" else kind.zh,
        low=formats.price_jin(FenPerKg(kind.price_low or ask), language),
        high=formats.price_jin(FenPerKg(kind.price_high or ask), language),
        ask=formats.price(ask, language),
    )


async def take_demands(table: Table, viewer: Viewer, language: Language) -> Outcome:
    """Post the good rows as demands; tell what is wrong with the others.

    Raises:
        Invalid: for ``file``, where the organisation has no store to deliver to.
    """
    sites = await sites_of(organisation_id=viewer.organisation_id)
    if not sites:
        raise refused(msg("贵单位还没有登记收货门店，请先请管理员登记。"))
    form = await posting.form_for(viewer, language)
    known_sites = _Names({str(each.id): (each.name, each.name_en) for each in sites}, language)
    known_grades = _Names(
        {str(each.level): (each.zh, each.en) for each in await grades() if each.level}, language
    )
    known_kinds = _Names(
        {each.code: (each.zh, each.en, each.code) for each in await credential_kinds()}, language
    )
    produce = _Kinds()

    async def read(row: Row) -> Ready | dict[str, Message]:
        errors = dict(row.faults)
        typed = {name: values for name, values in row.typed.items() if any(values)}
        _choose(typed, "site_id", known_sites, errors)
        _choose(typed, "min_grade", known_grades, errors)
        _choose(typed, "requires", known_kinds, errors)
        _confirm(typed, "sure", errors)
        if "site_id" not in typed and len(sites) == 1:
            typed["site_id"] = [str(sites[0].id)]
        filled = _parsed(form, {**typed, "key": [new_key()]}, errors)
        kind = None
        if "produce_text" not in errors:
            kind = await produce.named(filled.values["produce_text"], errors, "produce_text")
        first, last = filled.values.get("deliver_from"), filled.values.get("deliver_to")
        if first and last and last < first:
            errors["deliver_to"] = msg("交货截止日期早于开始日期，请对调或修改。")
        if errors or kind is None:
            return errors
        filled = msgspec.structs.replace(filled, values={**filled.values, "produce_text": kind.code})
        try:
            command = await posting.demand_from(filled)
        except Invalid as wrong:
            found = dict(wrong.fields)
            if "ceiling" in found:
                found["ceiling"] = _far_off(kind, filled.values["ceiling"], language)
            return found
        return Ready(row, row_key("demand", viewer.organisation_id, command), command, {})

    async def publish(ready: Ready, at: datetime) -> int:
        assert isinstance(ready.command, NewDemand)
        return await publish_demand(
            demand=ready.command,
            buyer_id=viewer.organisation_id,
            actor=actor(viewer, "buyer"),
            at=at,
            key=ready.key,
        )

    return await _take("demand", table, viewer, read, publish, {"produce": "produce_text"})


def _parsed(form: Form, typed: dict[str, list[str]], errors: dict[str, Message]) -> Filled:
    """Read a row by ``form``; what was wrong with the row before counts more than what follows from it."""
    filled = form.parse(typed)
    for name, message in filled.errors.items():
        errors.setdefault(name, message)
    for name, message in list(errors.items()):
        owner = name.removesuffix("_unit")
        if owner != name and owner in form.fields:
            errors.pop(owner, None)
            errors[name] = message
    return filled


def _choose(typed: dict[str, list[str]], field: str, names: _Names, errors: dict[str, Message]) -> None:
    """Replace names by the codes of the form."""
    chosen = []
    for name in typed.pop(field, []):
        code = names.code(name)
        if code is None:
            errors[field] = names.unknown(name)
        else:
            chosen.append(code)
    if chosen:
        typed[field] = chosen


def _confirm(typed: dict[str, list[str]], field: str, errors: dict[str, Message]) -> None:
    [answer] = typed.pop(field, [""])
    if answer.lower() in _YES:
        typed[field] = ["1"]
    elif answer.lower() not in _NO:
        errors[field] = msg("请写“是”，或者空着。")


Read = Callable[[Row], Awaitable[Ready | dict[str, Message]]]
Publish = Callable[[Ready, datetime], Awaitable[int]]


async def _take(
    noun: Noun, table: Table, viewer: Viewer, read: Read, publish: Publish, renamed: Mapping[str, str]
) -> Outcome:
    """Read every row, then publish the good ones in small transactions, each row once for ever."""
    outcome = Outcome([], [], [], [], [])
    wrong: dict[int, dict[str, Message]] = {}
    ready: dict[str, Ready] = {}
    for row in table.rows:
        found = await read(row)
        if not isinstance(found, Ready):
            wrong[row.number] = found
        elif found.key in ready:
            first = ready[found.key].row.number
            wrong[row.number] = {
                _first_field(row): msg(
                    "和第 {row} 行一模一样，只算一次；若真是两批，请用不同的标题分开。", row=first
                )
            }
        else:
            ready[found.key] = found
    waiting = list(ready.values())
    for start in range(0, len(waiting), _AT_ONCE):
        batch = waiting[start : start + _AT_ONCE]
        added, unchanged, refusals = list[int](), list[int](), dict[int, dict[str, Message]]()
        ended = list[Ended]()
        async with transaction():
            known = await already_in(noun, viewer.organisation_id, [each.key for each in batch])
            for each in batch:
                if each.key in known:
                    made = known[each.key]
                    unchanged.append(made.id)
                    if made.state in _ENDED:
                        ended.append(Ended(each.row.number, made))
                elif each.faults:
                    refusals[each.row.number] = each.faults
                else:
                    try:
                        added.append(await publish(each, clock.now()))
                    except Invalid as error:
                        found_wrong = error.fields or {_first_field(each.row): error.message}
                        refusals[each.row.number] = {
                            renamed.get(name, name): message for name, message in found_wrong.items()
                        }
        outcome.added.extend(added)
        outcome.unchanged.extend(unchanged)
        outcome.ended.extend(ended)
        wrong |= refusals
    for row in table.rows:
        for field, reason in wrong.get(row.number, {}).items():
            outcome.faults.append(Fault(row.number, field, row.cells.get(field, "")[:80], reason))
        if row.number in wrong:
            outcome.rejected.append((row.number, row.cells))
    return outcome


def _first_field(row: Row) -> str:
    """Return the field of the first column, which stands for the row as a whole."""
    return next(iter(row.cells))
