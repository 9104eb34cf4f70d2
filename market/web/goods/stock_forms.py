"""The pages of what is done to a lot by hand: each a form, and its deed done once."""

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts.rules import Viewer
from market.errors import Invalid, NotFound
from market.i18n import Message, msg
from market.supply.lots import LotRow, lot_page
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest, require
from market.web.edge.language import language_of
from market.web.goods.stock_making import making
from market.web.goods.stock_moves import correction, move, returning, sending
from market.web.goods.stock_sale import sale, settling
from market.web.goods.stock_task import Task
from market.web.parts import pages
from market.web.parts.forms import Filled
from market.web.parts.trade import do_once, new_key, show

_TASKS = {
    "settle": settling,
    "correct": correction,
    "move": move,
    "send": sending,
    "return": returning,
    "sell": sale,
}


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
        return await making(viewer, lot, language, request.query_params.get("process", "")[:40])
    if task not in _TASKS:
        raise NotFound(msg("没有这一步，请回到货源页面操作。"))
    return await _TASKS[task](viewer, lot, language)


def _draw(request: WebRequest, lot: LotRow, todo: Task, form: Filled, *, status: int = 200) -> Response[str]:
    query = request.url.query
    action = request.url.path + (f"?{query}" if query and "process=" in query else "")
    return show(request, "stock/task.html", status=status, lot=lot, todo=todo, form=form, action=action)


routes: list[ControllerRouterHandler] = [ask, do]
