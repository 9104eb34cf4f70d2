"""What is done to a lot by hand: corrections, moves, goods sent, goods made into others, putting on sale."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer, actor
from market.catalogue.queries import credential_kinds
from market.catalogue.recipes import Recipe, recipes_for
from market.errors import Invalid, NotFound
from market.i18n import Language, Message, msg
from market.supply import stock
from market.supply.households import settle
from market.supply.lots import LotRow, lot_page, open_deals_of, sent_deals_of, storages_of
from market.supply.rules import LONGEST_TITLE
from market.supply.stock_rules import ADDITIONS, LONGEST_NOTE, LOSSES, bounds_told
from market.supply.transforming import ListingOfLot, NewTransformation, Output, list_lot, transform
from market.units import FenPerKg, Gram, amount
from market.web import fields, formats, pages
from market.web.addresses import row_number
from market.web.forms import Filled, Form
from market.web.guards import SignedIn, WebRequest, require
from market.web.language import language_of
from market.web.lots import NOWHERE, chosen_storage, storage_choices
from market.web.trade import KEY, do_once, name_in, new_key, show

#: A product may go into so many lots at once: oil into two kinds of bottle.
_LINES = 2
_DAYS_ON_SALE = 60


class Task(msgspec.Struct, frozen=True):
    """One form about a lot: its words, its questions, and the deed; it tells what to say when done."""

    title: Message
    lead: Message
    button: Message
    form: Form
    deed: Callable[[Filled], Awaitable[tuple[str, Message]]]
    first: dict[str, object] = {}


async def _correction(viewer: Viewer, lot: LotRow, _: Language) -> Task:
    losses = {f"-{code}": msg("少了：{reason}", reason=words) for code, words in LOSSES.items()}
    more = {f"+{code}": msg("多了：{reason}", reason=words) for code, words in ADDITIONS.items()}
    form = Form(
        reason=fields.choice(msg("原因"), {**losses, **more}),
        quantity=fields.quantity(msg("数量")),
        storage=fields.choice(msg("在哪里"), storage_choices(await storages_of(viewer.organisation_id))),
        note=fields.text(msg("说明"), most=LONGEST_NOTE, optional=True),
        key=KEY,
    )

    async def deed(filled: Filled) -> tuple[str, Message]:
        reason = filled.values["reason"]
        await stock.correct_stock(
            lot_id=lot.id,
            grams=filled.values["quantity"] * (-1 if reason[0] == "-" else 1),
            reason=reason[1:],
            storage_id=chosen_storage(filled.values["storage"]),
            note=filled.values["note"],
            owner_id=viewer.organisation_id,
            actor=actor(viewer, "seller"),
            at=clock.now(),
        )
        return f"/selling/lots/{lot.id}", msg("已记入台账。")

    return Task(
        msg("记损耗或增加"),
        msg("没有卖出而变了的数量记在这里。被合同占用的不能记损耗，请到合同里处理。"),
        msg("记入台账"),
        form,
        deed,
        {"storage": NOWHERE},
    )


async def _move(viewer: Viewer, lot: LotRow, _: Language) -> Task:
    choices = storage_choices(await storages_of(viewer.organisation_id))
    form = Form(
        source=fields.choice(msg("从哪里"), choices),
        storage=fields.choice(msg("到哪里"), choices),
        quantity=fields.quantity(msg("数量")),
        key=KEY,
    )

    async def deed(filled: Filled) -> tuple[str, Message]:
        await stock.move_stock(
            lot_id=lot.id,
            grams=filled.values["quantity"],
            from_id=chosen_storage(filled.values["source"]),
            to_id=chosen_storage(filled.values["storage"]),
            owner_id=viewer.organisation_id,
            actor=actor(viewer, "seller"),
            at=clock.now(),
        )
        return f"/selling/lots/{lot.id}", msg("已移库。")

    return Task(
        msg("移库"), msg("只换存放的地方，可卖的数量不变。"), msg("移库"), form, deed, {"source": NOWHERE}
    )


async def _sending(viewer: Viewer, lot: LotRow, language: Language) -> Task:
    deals = [each for each in await open_deals_of(lot.id, viewer.organisation_id) if each.left > 0]
    if not deals:
        raise NotFound(msg("没有找到这批货的生效合同。"))
    named: dict[str, Message | str] = {
        str(each.id): msg(
            "{number}，还有 {mass} 没发", number=each.number, mass=formats.mass(Gram(each.left), language)
        )
        for each in deals
    }
    form = await _gate_form(viewer, named, msg("从哪里"))
    return Task(
        msg("记出库"),
        msg("合同的货装车离开时记在这里，地方就腾出来了。"),
        msg("记出库"),
        form,
        _gate_deed(stock.send_stock, viewer, lot, msg("已记出库。")),
        {"storage": NOWHERE, "deal": str(deals[0].id)},
    )


async def _returning(viewer: Viewer, lot: LotRow, language: Language) -> Task:
    deals = await sent_deals_of(lot.id, viewer.organisation_id)
    if not deals:
        raise NotFound(msg("这批货还没有记过出库，没有可退的。"))
    named: dict[str, Message | str] = {
        str(each.id): msg(
            "{number}，已发 {mass}", number=each.number, mass=formats.mass(Gram(each.sent), language)
        )
        for each in deals
    }
    form = await _gate_form(viewer, named, msg("放到哪里"))
    return Task(
        msg("记退货"),
        msg("买方退回的货记在这里，可卖的数量不变：合同解除时已经放回可卖的，不会算两次。"),
        msg("记退货"),
        form,
        _gate_deed(stock.take_back, viewer, lot, msg("已记退货。")),
        {"storage": NOWHERE, "deal": str(deals[0].id)},
    )


async def _gate_form(viewer: Viewer, deals: dict[str, Message | str], where: Message) -> Form:
    return Form(
        deal=fields.choice(msg("哪份合同"), deals),
        quantity=fields.quantity(msg("数量")),
        storage=fields.choice(where, storage_choices(await storages_of(viewer.organisation_id))),
        key=KEY,
    )


def _gate_deed(
    pass_gate: Callable[..., Awaitable[None]], viewer: Viewer, lot: LotRow, done: Message
) -> Callable[[Filled], Awaitable[tuple[str, Message]]]:
    async def deed(filled: Filled) -> tuple[str, Message]:
        await pass_gate(
            lot_id=lot.id,
            grams=filled.values["quantity"],
            deal_id=int(filled.values["deal"]),
            storage_id=chosen_storage(filled.values["storage"]),
            owner_id=viewer.organisation_id,
            actor=actor(viewer, "seller"),
            at=clock.now(),
        )
        return f"/selling/lots/{lot.id}", done

    return deed


async def _sale(viewer: Viewer, lot: LotRow, language: Language) -> Task:
    kinds: dict[str, Message | str] = {
        kind.code: name_in(language, kind, "") for kind in await credential_kinds()
    }
    form = Form(
        title=fields.text(msg("标题"), most=LONGEST_TITLE),
        ask=fields.price(msg("要价"), hint=msg("在地头、仓库交货的价，不含运费。")),
        min_order=fields.quantity(msg("起订量"), optional=True, hint=msg("不填就是不限。")),
        available_from=fields.day(msg("从哪天起能供货")),
        available_to=fields.day(msg("供到哪天")),
        credentials=fields.choices(msg("资质"), kinds, hint=msg("有证明材料的才选。")),
        key=KEY,
    )

    async def deed(filled: Filled) -> tuple[str, Message]:
        listing_id = await list_lot(
            lot_id=lot.id,
            listing=ListingOfLot(
                title=filled.values["title"],
                ask=filled.values["ask"],
                available_from=filled.values["available_from"],
                available_to=filled.values["available_to"],
                min_order=filled.values["min_order"] or Gram(0),
                credentials=filled.values["credentials"],
            ),
            owner_id=viewer.organisation_id,
            actor=actor(viewer, "seller"),
            at=clock.now(),
        )
        return f"/selling/{listing_id}", msg(
            "“{title}”已发布，买方现在就能看到。", title=filled.values["title"]
        )

    today = clock.today()
    village = viewer.organisation_name.removesuffix("村民委员会")
    return Task(
        msg("上架这批货"),
        msg("按剩余的数量发布货源。"),
        msg("发布"),
        form,
        deed,
        {
            "title": " ".join(part for part in (village, lot.variety, lot.produce_zh) if part)[
                :LONGEST_TITLE
            ],
            "available_from": today,
            "available_to": today + timedelta(days=_DAYS_ON_SALE),
        },
    )


async def _settling(viewer: Viewer, lot: LotRow, language: Language) -> Task:
    named: dict[str, Message | str] = {
        str(
            each.id
        ): f"{each.number} · {formats.money(amount(Gram(each.quantity), FenPerKg(each.price)), language)}"
        for each in await open_deals_of(lot.id, viewer.organisation_id)
    }
    form = Form(
        amount=fields.money(msg("回款"), hint=msg("扣掉公共开支以后，要分给各户的钱。")),
        received_on=fields.day(msg("回款日期"), latest=clock.today()),
        deal=fields.choice(msg("哪份合同"), {NOWHERE: msg("不对应合同"), **named}),
        note=fields.text(msg("说明"), most=LONGEST_NOTE, optional=True),
        key=KEY,
    )

    async def deed(filled: Filled) -> tuple[str, Message]:
        settlement_id = await settle(
            lot_id=lot.id,
            money=filled.values["amount"],
            received_on=filled.values["received_on"],
            deal_id=chosen_storage(filled.values["deal"]),
            note=filled.values["note"],
            owner_id=viewer.organisation_id,
            actor=actor(viewer, "seller"),
            at=clock.now(),
        )
        return f"/selling/settlements/{settlement_id}", msg("已按份额分好，合计一分不差。")

    return Task(
        msg("回款结算"),
        msg("按各户的份额分到分；由合股的货加工出来的，也按原来的份额分。"),
        msg("结算"),
        form,
        deed,
        {"received_on": clock.today(), "deal": NOWHERE},
    )


_TASKS = {
    "settle": _settling,
    "correct": _correction,
    "move": _move,
    "send": _sending,
    "return": _returning,
    "sell": _sale,
}


def _gives(recipe: Recipe) -> list[tuple[str, int]]:
    """Return what each line of the form is: a product, and the how-manieth line of it."""
    return [(each.gives, line) for each in recipe.yields if each.gives for line in range(_LINES)]


async def _making(viewer: Viewer, lot: LotRow, language: Language, process: str) -> Task:
    recipe = next((each for each in await recipes_for(lot.produce) if each.process == process), None)
    if recipe is None:
        raise NotFound(msg("这种货没有这样的加工。"))
    choices = storage_choices(await storages_of(viewer.organisation_id))
    known = {each.gives: each for each in recipe.yields}
    asked: dict[str, Any] = {
        "quantity": fields.quantity(msg("投入")),
        "storage": fields.choice(msg("从哪里"), choices),
    }
    for at, (gives, line) in enumerate(_gives(recipe)):
        bound = known[gives]
        name = name_in(language, bound, "gives")
        asked[f"made_{at}"] = fields.quantity(
            msg("得{name}", name=name) if line == 0 else msg("得{name}（另一种规格）", name=name),
            hint=msg("通常占投入的 {low}% 到 {high}%。", **bounds_told(bound.low, bound.high)),
            optional=line > 0,
        )
        asked[f"kind_{at}"] = fields.text(
            msg("规格、品种"), most=40, optional=True, hint=msg("例如 5 升瓶装。")
        )
        asked[f"into_{at}"] = fields.choice(msg("放到哪里"), choices, optional=True, default=NOWHERE)
    lost = known.get(None)
    asked["loss"] = fields.quantity(
        msg("损耗"),
        hint=msg(
            "不填就按投入减产出算。通常占 {low}% 到 {high}%。",
            **bounds_told(lost.low if lost else 0, lost.high if lost else 0),
        ),
        optional=True,
    )
    form = Form(**asked, key=KEY)

    async def deed(filled: Filled) -> tuple[str, Message]:
        outputs = tuple(
            Output(
                gives,
                filled.values[f"made_{at}"],
                filled.values[f"kind_{at}"] or "",
                chosen_storage(filled.values[f"into_{at}"]),
            )
            for at, (gives, _) in enumerate(_gives(recipe))
            if filled.values[f"made_{at}"]
        )
        grams = filled.values["quantity"]
        loss = filled.values["loss"]
        if loss is None:
            loss = grams - sum(each.grams for each in outputs)
        try:
            await transform(
                transformation=NewTransformation(
                    lot.id, process, grams, loss, outputs, chosen_storage(filled.values["storage"])
                ),
                owner_id=viewer.organisation_id,
                actor=actor(viewer, "seller"),
                at=clock.now(),
            )
        except Invalid as error:
            raise Invalid(error.message, _on_the_form(error, recipe)) from None
        return f"/selling/lots/{lot.id}", msg("已记加工，产出的新批次列在下面。")

    return Task(
        msg("加工：{name}", name=name_in(language, recipe, "")),
        msg("投入等于产出加损耗，一克都要对上；产出各成一个新批次。"),
        msg("记加工"),
        form,
        deed,
        {"storage": NOWHERE, **{f"into_{at}": NOWHERE for at in range(len(_gives(recipe)))}},
    )


def _on_the_form(error: Invalid, recipe: Recipe) -> dict[str, Message]:
    """Return the faults of a transformation under the names of the form's fields."""
    lines = [gives for gives, _ in _gives(recipe)]
    named = {f"out_{gives}": f"made_{lines.index(gives)}" for gives in lines} | {"outputs": "made_0"}
    return {named.get(field, field): message for field, message in error.fields.items()}


@get("/selling/lots/{lot_id:int}/{task:str}", guards=[require("seller")])
async def ask(
    request: WebRequest, viewer: SignedIn, lot_id: FromPath[int], task: FromPath[str]
) -> Response[str]:
    """Draw one of the forms; ``transform`` asks for the process in its query."""
    lot = await lot_page(row_number(lot_id), viewer.organisation_id)
    todo = await _task(request, viewer, lot, task)
    return _draw(request, lot, todo, todo.form.blank(key=new_key(), **todo.first))


@post("/selling/lots/{lot_id:int}/{task:str}", guards=[require("seller")])
async def do(
    request: WebRequest, viewer: SignedIn, lot_id: FromPath[int], task: FromPath[str]
) -> Response[Any]:
    """Do it once, or draw the form again with every fault beside its field."""
    lot = await lot_page(row_number(lot_id), viewer.organisation_id)
    todo = await _task(request, viewer, lot, task)
    filled = await todo.form.read(request)
    if filled.errors:
        return _draw(request, lot, todo, filled, status=422)
    done: list[Message] = []

    async def deed() -> str:
        path, words = await todo.deed(filled)
        done.append(words)
        return path

    try:
        path = await do_once(
            viewer=viewer,
            key=filled.values["key"],
            name=f"lot_{task}",
            about={
                "lot": lot_id,
                "typed": {name: value for name, value in filled.typed.items() if name != "key"},
            },
            deed=deed,
            at=clock.now(),
        )
    except Invalid as error:
        return _draw(request, lot, todo, filled.refused(error), status=422)
    return pages.redirect(request, path, toast=done[0] if done else None)


async def _task(request: WebRequest, viewer: Viewer, lot: LotRow, task: str) -> Task:
    language = language_of(request)
    if task == "transform":
        return await _making(viewer, lot, language, request.query_params.get("process", "")[:40])
    if task not in _TASKS:
        raise NotFound(msg("没有这一步，请回到货源页面操作。"))
    return await _TASKS[task](viewer, lot, language)


def _draw(request: WebRequest, lot: LotRow, todo: Task, form: Filled, *, status: int = 200) -> Response[str]:
    query = request.url.query
    action = request.url.path + (f"?{query}" if query and "process=" in query else "")
    return show(request, "stock/task.html", status=status, lot=lot, todo=todo, form=form, action=action)


routes: list[ControllerRouterHandler] = [ask, do]
