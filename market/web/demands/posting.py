"""The form that posts a demand: its fields, what stands in it at first, and the command made of it."""

from collections.abc import Iterable
from datetime import date, timedelta
from uuid import UUID, uuid4

from market import clock
from market.accounts.queries import sites_of
from market.accounts.rules import Viewer
from market.amounts import odd_price
from market.catalogue.queries import (
    ProduceView,
    credential_kinds,
    find_produce,
    grades,
    produce_by_code,
    produce_named,
    suggest_produce,
)
from market.demand.commands import NewDemand
from market.demand.rules import LONGEST_TITLE
from market.errors import Invalid, NotFound
from market.i18n import Language, msg, translate
from market.units import FenPerKg, Gram
from market.web.parts import fields, formats
from market.web.parts.fields import Field
from market.web.parts.forms import Filled, Form, fault_message

LONGEST_NOTE = 500
_FARTHEST_KM = 5_000
_MOST_LOTS = 1_000
#: Fields that are folded away until one of them is filled or wrong.
FURTHER = ("min_grade", "requires", "max_distance_km", "max_lots", "min_order", "title", "note")
#: A demand begins tomorrow and stands for a month unless its buyer says otherwise.
_FIRST_DAY, _LAST_DAY = 1, 30


async def form_for(viewer: Viewer, language: Language) -> Form:
    """Return the form with the stores of the viewer's organisation and the catalogue's choices."""
    sites = await sites_of(organisation_id=viewer.organisation_id)
    today = clock.today()
    return Form(
        key=fields.hidden(UUID),
        produce_text=fields.text(
            msg("要什么"),
            most=40,
            hint=msg("写中文、拼音或首字母都行：花生油、huasheng、hsy。"),
        ),
        produce=fields.hidden(optional=True),
        quantity=fields.quantity(msg("要多少")),
        ceiling=fields.price(msg("最高到店价"), hint=msg("含运费、送到门店的价；撮合时不会超过它。")),
        site_id=fields.choice(
            msg("送到哪个门店"), {str(site.id): _pick(site.name, site.name_en, language) for site in sites}
        ),
        deliver_from=fields.day(msg("最早到货"), earliest=today),
        deliver_to=fields.day(msg("最晚到货"), earliest=today),
        min_grade=fields.choice(
            msg("最低等级"),
            {
                str(grade.level): _pick(grade.zh, grade.en, language)
                for grade in await grades()
                if grade.level
            },
            optional=True,
        ),
        requires=fields.choices(
            msg("必须有的资质"),
            {kind.code: _pick(kind.zh, kind.en, language) for kind in await credential_kinds()},
        ),
        max_distance_km=fields.whole(msg("最远多少公里"), least=1, most=_FARTHEST_KM, optional=True),
        min_order=fields.quantity(msg("每家至少供多少"), optional=True),
        max_lots=fields.whole(msg("最多从几家买"), least=1, most=_MOST_LOTS, optional=True),
        title=fields.text(
            msg("标题"), most=LONGEST_TITLE, optional=True, hint=msg("不填就写成“求购花生油 5 吨”。")
        ),
        note=fields.text(
            msg("补充说明"),
            most=LONGEST_NOTE,
            lines=True,
            optional=True,
            hint=msg("包装、规格、结算方式等。"),
        ),
        sure=fields.tick(msg("价格没有写错，就按这个数发布")),
    )


def _pick(zh: str, en: str, language: Language) -> str:
    return en if language == "en" and en else zh


async def prefilled(form: Form, pairs: Iterable[tuple[str, str]]) -> Filled:
    """Return the form to begin with. ``pairs`` are what the produce hall was asked for in vain, or the
    terms of another demand with changes.

    ``produce`` is a code or words, ``quantity`` and ``min_order`` in kilograms, ``ceiling`` in yuan per
    kilogram; what cannot be read is left out, the form asks for it anyway.
    """
    given: dict[str, list[str]] = {}
    for name, text in pairs:
        given.setdefault(name, []).append(text)

    def first(name: str) -> str:
        return next(iter(given.get(name, [])), "").strip()[:40]

    today = clock.today()
    begin = max(_day(first("deliver_from")) or today, today + timedelta(days=_FIRST_DAY))
    typed = {
        "key": [str(uuid4())],
        "deliver_from": [begin.isoformat()],
        "deliver_to": [(begin + timedelta(days=_LAST_DAY)).isoformat()],
        "min_grade": [first("min_grade")],
        "requires": given.get("requires", []),
    }
    for name in ("quantity", "ceiling", "min_order"):
        if first(name):
            typed |= {name: [first(name)], f"{name}_unit": ["kg"]}
    end = _day(first("deliver_to"))
    if end and end >= begin:
        typed["deliver_to"] = [end.isoformat()]
    for name in ("max_lots", "max_distance_km"):
        typed[name] = [first(name)]
    sites = list(form.fields["site_id"].options) if isinstance(form.fields["site_id"], Field) else []
    if len(sites) == 1 or first("site_id") in sites:
        typed["site_id"] = [first("site_id") or sites[0]]
    if first("produce"):
        try:
            kind = await produce_by_code(first("produce"))
            typed |= {"produce": [kind.code], "produce_text": [kind.zh]}
        except NotFound:
            typed["produce_text"] = [first("produce")]
    return Filled(form=form, typed=typed)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


async def demand_from(filled: Filled) -> NewDemand:
    """Return the command that the form means.

    Raises:
        Invalid: with every field that is wrong.
    """
    values, problems = filled.values, dict(filled.errors)
    kind = None
    try:
        kind = await _produce_meant(values.get("produce_text") or "", values.get("produce") or "")
    except Invalid as unknown:
        problems |= unknown.fields
    start, end = values.get("deliver_from"), values.get("deliver_to")
    if start and end and end < start:
        problems["deliver_to"] = msg("交货截止日期早于开始日期，请对调或修改。")
    quantity, least = values.get("quantity"), values.get("min_order")
    if quantity and least and least > quantity:
        problems["min_order"] = msg("起订量不能超过总数量，不限可填 0。")
    ceiling = values.get("ceiling")
    if kind and ceiling and kind.price_low and kind.price_high and not values.get("sure"):
        odd = odd_price(ceiling, low=FenPerKg(kind.price_low), high=FenPerKg(kind.price_high))
        if odd:
            problems["ceiling"] = odd
    if problems or kind is None:
        raise Invalid(fault_message(problems), problems)
    mass = Gram(values["quantity"])
    return NewDemand(
        produce=kind.code,
        title=values["title"] or _title(kind.zh, mass, "zh"),
        title_en="" if values["title"] else _title(kind.en, mass, "en"),
        quantity=mass,
        ceiling=values["ceiling"],
        site_id=int(values["site_id"]),
        deliver_from=values["deliver_from"],
        deliver_to=values["deliver_to"],
        min_grade=int(values["min_grade"] or 0),
        min_order=values["min_order"] or Gram(0),
        max_lots=values["max_lots"],
        requires=values["requires"],
        max_distance_km=values["max_distance_km"],
        note=values["note"],
    )


def _title(produce: str, mass: Gram, language: Language) -> str:
    text = msg("求购{produce} {mass}", produce=produce, mass=formats.tonnes(mass, language))
    return translate(text, language)[:LONGEST_TITLE]


async def _produce_meant(text: str, picked: str) -> ProduceView:
    """Return the kind that was written, or else the one picked among what was offered for it.

    A pick that has nothing to do with what is written now is left over from an earlier try.

    Raises:
        Invalid: with the field ``produce_text``.
    """
    if not text and not picked:
        problem = msg("请填写这一项。")
        raise Invalid(problem, {"produce_text": problem})
    try:
        return await produce_named(text or picked, field="produce_text")
    except Invalid:
        offered = {each.code for each in [*await find_produce(text), *await suggest_produce(text, limit=6)]}
        if picked and picked in offered:
            return await produce_by_code(picked)
        raise
