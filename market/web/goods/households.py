"""A lot pooled from households: the list, brought in by hand or as a sheet; settlements to print and keep."""

import asyncio
import re
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer, actor
from market.deals.rules import CONTRACT
from market.errors import Invalid
from market.exchange.household_sheet import COLUMNS, settlement_workbook
from market.exchange.sheet_import import ENDINGS, MOST_BYTES, read_table
from market.exchange.table_book import MEDIA_TYPE
from market.i18n import Message, msg
from market.supply.households import (
    LONGEST_HOUSEHOLD,
    Share,
    cancel_settlement,
    is_divided,
    is_other_list,
    pool_of,
    replaced_lists,
    set_shares,
    settlement_page,
    settlements_of,
    shares_of,
    taken_in,
)
from market.supply.lots import LotRow, lot_page
from market.supply.money_in import money_of
from market.units import Gram
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.parts import fields, pages
from market.web.parts.downloads import attachment
from market.web.parts.fields import MASS_UNITS
from market.web.parts.forms import FileField, Filled, Form
from market.web.parts.trade import BARE, KEY, new_key, show

_LIST = Form(
    rows=fields.text(
        msg("每行一户：姓名和数量"),
        most=100_000,
        lines=True,
        optional=True,
        hint=msg("例如 张三 1200，可以从表格里整块复制过来；每行末尾可以写单位。"),
    ),
    unit=fields.choice(msg("没写单位的按"), dict(MASS_UNITS), chips=True),
    file=FileField(
        label=msg("或者传一个表格"),
        endings=ENDINGS,
        most_bytes=MOST_BYTES,
        hint=msg("要有“户名”和“交货量”两列，单位写在列名里，例如 交货量（斤）。"),
        optional=True,
    ),
    reason=fields.text(
        msg("为什么改名单"), most=200, optional=True, hint=msg("已经按原来的名单分过钱，要写明原因。")
    ),
    sure=fields.tick(msg("名单没有弄错，就用新的代替原来的")),
    key=KEY,
)
#: One row, read like any other form.
_ROW = Form(household=fields.text(msg("户名"), most=LONGEST_HOUSEHOLD), quantity=fields.quantity(msg("数量")))
_MOST_BODY = 12_000_000


@get("/selling/lots/{lot_id:int}/households", guards=[require("seller")])
async def index(request: WebRequest, viewer: SignedIn, lot_id: FromPath[int]) -> Response[str]:
    """Who gave what, and what was settled; for the owner's members alone."""
    lot = await lot_page(row_number(lot_id), viewer.organisation_id)
    return await _draw(request, viewer, lot, _LIST.blank(key=new_key(), unit="jin"))


@post("/selling/lots/{lot_id:int}/households", guards=[require("seller")], request_max_body_size=_MOST_BODY)
async def bring_in(request: WebRequest, viewer: SignedIn, lot_id: FromPath[int]) -> Response[Any]:
    """Take the list that was typed, pasted or sent as a sheet in place of the one that stands there."""
    lot = await lot_page(row_number(lot_id), viewer.organisation_id)
    filled = await _LIST.read(request)
    if filled.errors:
        return await _draw(request, viewer, lot, filled, status=422)
    try:
        shares = await _shares(filled)
        await _ask_back(lot.id, shares, filled)
        await set_shares(
            lot_id=lot_id,
            shares=shares,
            owner_id=viewer.organisation_id,
            actor=actor(viewer, "seller"),
            at=clock.now(),
            reason=filled.values["reason"],
        )
    except Invalid as error:
        return await _draw(request, viewer, lot, filled.refused(error), status=422)
    return pages.redirect(
        request, f"/selling/lots/{lot_id}/households", toast=msg("已登记 {n} 户。", n=len(shares))
    )


@get("/selling/settlements/{settlement_id:int}", guards=[require("seller")])
async def settlement(request: WebRequest, viewer: SignedIn, settlement_id: FromPath[int]) -> Response[str]:
    """The list of one settlement, to print."""
    found, lines = await settlement_page(row_number(settlement_id), viewer.organisation_id)
    return show(
        request, "stock/settlement.html", settlement=found, lines=lines, owner=viewer.organisation_name
    )


@get("/selling/settlements/{settlement_id:int}/list.xlsx", guards=[require("seller")])
async def settlement_file(
    request: WebRequest, viewer: SignedIn, settlement_id: FromPath[int]
) -> Response[bytes]:
    """The same list as a workbook."""
    found, lines = await settlement_page(row_number(settlement_id), viewer.organisation_id)
    content = await asyncio.to_thread(
        settlement_workbook,
        settlement=found,
        lines=lines,
        owner=viewer.organisation_name,
        language=language_of(request),
    )
    return attachment(content, f"settlement-{settlement_id}.xlsx", MEDIA_TYPE)


@post("/selling/settlements/{settlement_id:int}/cancel", guards=[require("seller")])
async def cancel(request: WebRequest, viewer: SignedIn, settlement_id: FromPath[int]) -> Response[Any]:
    """Cancel a settlement that was a mistake."""
    (await BARE.read(request)).check()
    await cancel_settlement(
        settlement_id=row_number(settlement_id),
        owner_id=viewer.organisation_id,
        actor=actor(viewer, "seller"),
        at=clock.now(),
    )
    return pages.redirect(request, f"/selling/settlements/{settlement_id}", toast=msg("已作废。"))


async def _ask_back(lot_id: int, shares: list[Share], filled: Filled) -> None:
    """Raises: Invalid, where the new list has little in common with the old, or money hangs on it."""
    before = await shares_of(lot_id)
    is_told_anyway = sum(each.grams for each in shares) != await taken_in(lot_id)
    if not before or before == shares or filled.values["sure"] or is_told_anyway:
        return
    if is_other_list(before, shares):
        kept = len({each.household for each in before} & {each.household for each in shares})
        problem = msg(
            "原来的名单有 {before} 户，新名单有 {after} 户，同名的只有 {kept} 户。"
            "没弄错的话，请勾选后再提交。",
            before=len(before),
            after=len(shares),
            kept=kept,
        )
        raise Invalid(problem, {"sure": problem})
    if await is_divided(lot_id):
        problem = msg(
            "已经按现在这份名单分过钱，以后的结算会按新名单。没弄错的话，请写明原因并勾选后再提交。"
        )
        raise Invalid(problem, {"sure": problem})


async def _shares(filled: Filled) -> list[Share]:
    """Return what the list says.

    Raises:
        Invalid: under ``rows`` or ``file``, naming the first rows that cannot be read.
    """
    upload = filled.values["file"]
    read: list[tuple[int, dict[str, list[str]], dict[str, Message]]] = []
    if upload is not None:
        table = await asyncio.to_thread(read_table, name=upload.name, raw=upload.content, columns=COLUMNS)
        read = [(row.number, row.typed, row.faults) for row in table.rows]
    else:
        for number, line in enumerate((filled.values["rows"] or "").splitlines(), start=1):
            parts = [part for part in re.split(r"[\t,，;；、 　]+", line.strip()) if part]
            if parts:
                typed = {
                    "household": [" ".join(parts[:-1])],
                    "quantity": [parts[-1]],
                    "quantity_unit": [filled.values["unit"]],
                }
                read.append((number, typed, {}))
    shares, wrong = [], list[Message]()
    for number, typed, faults in read:
        row = _ROW.parse(typed)
        problems = {**row.errors, **faults}
        for problem in problems.values():
            wrong.append(msg("第 {row} 行：{reason}", row=number, reason=problem))
        if not problems:
            shares.append(Share(row.values["household"], row.values["quantity"]))
    if wrong:
        raise Invalid(wrong[0], {"file" if upload is not None else "rows": wrong[0]})
    return shares


async def _draw(
    request: WebRequest, viewer: Viewer, lot: LotRow, form: Filled, *, status: int = 200
) -> Response[str]:
    pool = await pool_of(lot.id, viewer.organisation_id)
    taken = await taken_in(lot.id)
    return show(
        request,
        "stock/households.html",
        status=status,
        lot=lot,
        pool=pool,
        taken=Gram(taken),
        is_whole=pool is not None and (pool.lot != lot.id or pool.total == taken),
        settlements=await settlements_of(lot.id, viewer.organisation_id),
        is_divided=await is_divided(lot.id),
        asks_back="sure" in form.errors or bool(form.text("sure")),
        replaced=await replaced_lists(lot.id, viewer.organisation_id),
        money=await money_of(lot.id, viewer.organisation_id),
        CONTRACT=CONTRACT,
        form=form,
    )


routes: list[ControllerRouterHandler] = [index, bring_in, settlement, settlement_file, cancel]
