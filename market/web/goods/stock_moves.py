"""What is done to the stock of a lot by hand: corrections, moves, goods sent and taken back."""

from collections.abc import Awaitable, Callable

from market import clock
from market.accounts.rules import Viewer, actor
from market.errors import NotFound
from market.i18n import Language, Message, msg
from market.supply import stock
from market.supply.lots import LotRow, open_deals_of, sent_deals_of, storages_of
from market.supply.stock_rules import ADDITIONS, LONGEST_NOTE, LOSSES
from market.units import Gram
from market.web.goods.stock import NOWHERE, chosen_storage, storage_choices
from market.web.goods.stock_task import Task
from market.web.parts import fields, formats
from market.web.parts.forms import Filled, Form
from market.web.parts.trade import KEY


async def correction(viewer: Viewer, lot: LotRow, _: Language) -> Task:
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


async def move(viewer: Viewer, lot: LotRow, _: Language) -> Task:
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


async def sending(viewer: Viewer, lot: LotRow, language: Language) -> Task:
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
        msg("装车离开时可以先在这里记；在合同里点“已发货”，没记过的会自动记上，不会记两次。"),
        msg("记出库"),
        form,
        _gate_deed(stock.send_stock, viewer, lot, msg("已记出库。")),
        {"storage": NOWHERE, "deal": str(deals[0].id)},
    )


async def returning(viewer: Viewer, lot: LotRow, language: Language) -> Task:
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
        msg(
            "验收时拒收的已经自动记回。另外退回的记在这里，可卖的数量不变：合同解除时已经放回可卖的，不会算两次。"
        ),
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
