"""Putting a lot that is in stock on sale, and dividing the money that comes in for it."""

from datetime import timedelta

from market import clock
from market.accounts.rules import Viewer, actor
from market.catalogue.queries import credential_kinds
from market.i18n import Language, Message, msg
from market.supply.households import settle
from market.supply.lots import LotRow
from market.supply.money_in import money_of
from market.supply.rules import LONGEST_TITLE
from market.supply.stock_rules import LONGEST_NOTE
from market.supply.transforming import ListingOfLot, list_lot
from market.units import Fen, Gram
from market.web.goods.stock import NOWHERE, chosen_storage
from market.web.goods.stock_task import Task
from market.web.parts import fields, formats
from market.web.parts.forms import Filled, Form
from market.web.parts.trade import KEY, name_in

_DAYS_ON_SALE = 60


async def sale(viewer: Viewer, lot: LotRow, language: Language) -> Task:
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


async def settling(viewer: Viewer, lot: LotRow, language: Language) -> Task:
    named: dict[str, Message | str] = {
        str(each.id): msg(
            "{number}：已收 {received}，已结算 {settled}，还可结算 {left}",
            number=each.number,
            received=formats.money(Fen(each.received), language),
            settled=formats.money(Fen(each.settled), language),
            left=formats.money(Fen(each.left), language),
        )
        for each in await money_of(lot.id, viewer.organisation_id)
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
