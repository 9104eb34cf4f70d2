"""Publishing a lot: one page of four short parts, made for a phone in the field."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer, actor
from market.catalogue.queries import (
    CredentialKindView,
    GradeView,
    ProduceFound,
    ProduceView,
    all_produce,
    credential_kinds,
    division_by_code,
    find_divisions,
    find_produce,
    grades,
    produce_by_code,
    produce_named,
)
from market.db.session import transaction
from market.errors import Invalid, NotFound
from market.i18n import Language, Message, msg
from market.supply.commands import NewListing
from market.supply.operations import NewPicture, add_picture, publish_listing
from market.supply.queries import listing_page
from market.supply.rules import LONGEST_TITLE, NEGOTIABLE
from market.units import Gram
from market.web.bids.way_form import EXTENSIONS, told_on_form, way_fields, way_from
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.parts import fields, pages, pictures
from market.web.parts.asked_back import ask_back, is_far_off
from market.web.parts.forms import FileField, Filled, Form
from market.web.parts.trade import KEY, new_key, show
from market.web.parts.typed import Wrong

#: How long goods without a known shelf life are offered at first.
_DAYS_ON_SALE = 60
_MOST_FOUND = 8


def listing_form(
    language: Language,
    *,
    all_grades: Sequence[GradeView] = (),
    kinds: Sequence[CredentialKindView] = (),
) -> Form:
    """Return the questions. The codes that can be chosen are those of the catalogue."""
    grade_names: dict[str, Message | str] = {
        str(grade.level): grade.en if language == "en" else grade.zh for grade in all_grades
    }
    credential_names: dict[str, Message | str] = {
        kind.code: kind.en if language == "en" else kind.zh for kind in kinds
    }
    return Form(
        produce=fields.text(msg("品名"), most=40, hint=msg("写名字、拼音或首字母都行，例如 花生油、hsy。")),
        produce_code=fields.hidden(optional=True),
        quantity=fields.quantity(msg("数量")),
        ask=fields.price(msg("要价"), hint=msg("在地头、仓库交货的价，不含运费。")),
        confirm=fields.tick(msg("价格没有写错，就按这个价发布")),
        available_from=fields.day(msg("从哪天起能供货")),
        available_to=fields.day(msg("供到哪天")),
        pictures=FileField(
            label=msg("照片"),
            endings=pictures.ENDINGS,
            most_bytes=pictures.MOST_BYTES,
            most_files=pictures.MOST_PICTURES,
            hint=msg("最多 4 张，有照片的货源更容易卖。拍摄地点等信息会自动去掉。"),
            optional=True,
        ),
        title=fields.text(
            msg("标题"), most=LONGEST_TITLE, optional=True, hint=msg("不填就用“单位名 + 品种 + 品名”。")
        ),
        variety=fields.text(
            msg("品种"), most=40, optional=True, hint=msg("例如 白沙 1016、四粒红、盐丰 47。")
        ),
        grade=fields.choice(msg("等级"), grade_names, optional=True, default="0", chips=True),
        credentials=fields.choices(msg("资质"), credential_names, hint=msg("有证明材料的才选。")),
        min_order=fields.quantity(msg("起订量"), optional=True, hint=msg("不填就是不限。")),
        harvested_on=fields.day(msg("采收日期"), optional=True),
        place=fields.text(
            msg("货在哪里"), most=80, optional=True, hint=msg("不填就用本单位所在地。例如 辽中 东于。")
        ),
        **way_fields(),
        story=fields.text(
            msg("介绍"), most=1000, lines=True, optional=True, hint=msg("怎么种的、怎么收的、为什么好吃。")
        ),
        key=KEY,
    )


async def _form(language: Language) -> Form:
    return listing_form(language, all_grades=await grades(), kinds=await credential_kinds())


@get("/selling/new", guards=[require("seller")])
async def new(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """The form, with the usual answers in place."""
    today = clock.today()
    form = await _form(language_of(request))
    produce = request.query_params.get("produce", "")
    filled = form.blank(
        key=new_key(),
        produce=produce[:40] or None,
        available_from=today,
        available_to=today + timedelta(days=_DAYS_ON_SALE),
        grade="0",
        way=NEGOTIABLE,
    )
    return await _draw(request, viewer, filled)


@post("/selling/new", guards=[require("seller")], request_max_body_size=36_000_000)
async def publish(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Publish, or draw the form again with every fault beside its field."""
    filled = await (await _form(language_of(request))).read(request)
    errors: dict[str, Message] = {}
    produce: ProduceView | None = None
    if "produce" not in filled.errors:
        try:
            produce = await _produce_of(filled)
        except Invalid as error:
            errors |= error.fields
    ask = filled.values.get("ask")
    if produce and ask and is_far_off(ask, produce) and not filled.values.get("confirm"):
        errors["confirm"] = ask_back(ask, produce, language_of(request))
    photos = await _photos(filled, errors)
    place = await place_of(filled, errors)
    window_of(filled, errors)
    if filled.errors or errors or produce is None:
        return await _draw(request, viewer, _with(filled, errors), status=422)
    title = filled.values["title"] or default_title(viewer, filled.values["variety"], produce)
    way = way_from(filled.values)
    command = NewListing(
        produce=produce.code,
        title=title,
        title_en=f"{produce.en}, {viewer.organisation_name_en or viewer.organisation_name}"[:LONGEST_TITLE],
        quantity=filled.values["quantity"],
        ask=filled.values["ask"],
        available_from=filled.values["available_from"],
        available_to=filled.values["available_to"],
        variety=filled.values["variety"],
        grade=int(filled.values["grade"]),
        min_order=filled.values["min_order"] or Gram(0),
        credentials=filled.values["credentials"],
        harvested_on=filled.values["harvested_on"],
        division=place.code if place else None,
        lat=place.lat if place else None,
        lon=place.lon if place else None,
        story=filled.values["story"],
        way=way.way,
        closes_at=way.closes_at,
        min_step=way.min_step,
        reserve=way.reserve,
    )
    try:
        listing_id = await _publish_with(command, photos, viewer, filled.values["key"])
    except Invalid as error:
        return await _draw(request, viewer, filled.refused(told_on_form(error)), status=422)
    return pages.redirect(
        request, f"/selling/{listing_id}", toast=msg("“{title}”已发布，买方现在就能看到。", title=title)
    )


async def _publish_with(
    command: NewListing, photos: list[NewPicture], viewer: Viewer, key: str | None
) -> int:
    """Publish with the photos in one transaction; sent again, it adds neither lot nor photo."""
    async with transaction():
        listing_id = await publish_listing(
            listing=command,
            owner_id=viewer.organisation_id,
            actor=actor(viewer, "seller"),
            at=clock.now(),
            key=key,
        )
        kept = {
            each.content_hash for each in (await listing_page(listing_id, viewer.organisation_id)).pictures
        }
        for photo in photos:
            if photo.content_hash not in kept:
                kept.add(photo.content_hash)
                await add_picture(listing_id=listing_id, picture=photo, owner_id=viewer.organisation_id)
    return listing_id


@get("/produce")
async def produce_hits(request: WebRequest) -> Response[str]:
    """What the typed name may mean, as choices of the form: the fragment that htmx puts under it."""
    text = request.query_params.get("q") or request.query_params.get("produce") or ""
    hits = await find_produce(text[:40], _MOST_FOUND)
    return show(
        request,
        "selling/produce_page.html",
        fragment="selling/produce_hits.html",
        hits=hits,
        typed=text[:40],
        chosen=_only_exact(hits, text),
    )


def _only_exact(hits: Sequence[ProduceFound], text: str) -> str:
    plain = text.strip().lower()
    return next((hit.code for hit in hits if plain in (hit.zh.lower(), hit.en.lower(), hit.code)), "")


async def _produce_of(filled: Filled) -> ProduceView:
    """Return the kind whose name was typed; where it is no name, the one chosen below it."""
    try:
        return await produce_named(filled.values["produce"])
    except Invalid:
        code = filled.values.get("produce_code")
        if not code:
            raise
        try:
            return await produce_by_code(code)
        except NotFound as error:
            raise Invalid(error.message, {"produce": error.message}) from None


def default_title(viewer: Viewer, variety: str, produce: ProduceView) -> str:
    """Return e.g. ``东于村 白沙 1016 花生``: people say 东于村 where the seal says 东于村村民委员会."""
    name = viewer.organisation_name.removesuffix("村民委员会")
    return " ".join(part for part in (name, variety, produce.zh) if part)[:LONGEST_TITLE]


class Place(msgspec.Struct, frozen=True):
    """Where the goods lie: a division and the coordinates to reckon freight from."""

    code: str
    lat: float | None
    lon: float | None


async def place_of(filled: Filled, errors: dict[str, Message]) -> Place | None:
    """Return the division that was typed, with the coordinates of the nearest one above that has any."""
    text = filled.values.get("place")
    if not text:
        return None
    found = await find_divisions(text, 6)
    exact = [each for each in found if each.name == text.split()[-1]]
    if len(exact) != 1 and len(found) != 1:
        named = "；".join(each.path for each in found[:4])
        errors["place"] = (
            msg("有好几个地方叫这个名字，请加上县和镇，例如：{named}", named=named)
            if found
            else msg("没有找到“{text}”，请写县名和村名，例如 辽中 东于。", text=text[:30])
        )
        return None
    place = exact[0] if len(exact) == 1 else found[0]
    above = place
    while above.lat is None and above.parent is not None:
        above = await division_by_code(above.parent)
    return Place(place.code, above.lat, above.lon)


async def _photos(filled: Filled, errors: dict[str, Message]) -> list[NewPicture]:
    drawn = []
    for upload in filled.values.get("pictures") or ():
        try:
            drawn.append(await pictures.picture_from(upload))
        except Wrong as wrong:
            errors["pictures"] = wrong.message
    return drawn


def window_of(filled: Filled, errors: dict[str, Message]) -> None:
    """Add what is wrong with the window, so that it is told together with everything else."""
    first, last = filled.values.get("available_from"), filled.values.get("available_to")
    if last and last < clock.today():
        errors["available_to"] = msg("这一天已经过去了，请填今天或以后的日期。")
    elif first and last and last < first:
        errors["available_to"] = msg("供应截止日期早于开始日期，请对调或修改。")


def _with(filled: Filled, errors: dict[str, Message]) -> Filled:
    return msgspec.structs.replace(filled, errors={**filled.errors, **errors})


async def _draw(request: WebRequest, viewer: Viewer, filled: Filled, *, status: int = 200) -> Response[str]:
    text = filled.text("produce")
    hits = await find_produce(text, _MOST_FOUND) if text else []
    return show(
        request,
        "selling/new.html",
        status=status,
        form=filled,
        hits=hits,
        typed=text,
        chosen=filled.text("produce_code") or _only_exact(hits, text),
        names=[kind.zh for kind in await all_produce()],
        viewer_place=viewer.organisation_name,
        asks_back="confirm" in filled.errors or bool(filled.text("confirm")),
        extensions=EXTENSIONS,
        has_lost_photos=status == 422 and bool(filled.values.get("pictures")),
    )


routes: list[ControllerRouterHandler] = [new, publish, produce_hits]
