"""Where else an organisation's notices go: add a channel, test it, take it away."""

from datetime import datetime
from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from market import clock
from market.accounts import rules as accounts
from market.accounts.rules import Viewer
from market.audit.operations import record
from market.errors import Conflict, Invalid
from market.i18n import msg
from market.notices.operations import LONGEST_NAME, add_channel, remove_channel, test_channel
from market.notices.queries import channels_of
from market.notices.rules import (
    KINDS,
    LONGEST_ADDRESS,
    MOST_CHANNELS,
    OUTGOING_LABELS,
    TROUBLES,
    Address,
    address_from,
)
from market.settings import settings
from market.web.edge.addresses import row_number
from market.web.edge.guards import SignedIn, WebRequest
from market.web.parts import fields
from market.web.parts.forms import Filled, Form
from market.web.parts.pages import redirect
from market.web.parts.trade import BARE, KEY, do_once, new_key, show

_PAGE = "/account/channels"
_CHANNEL = Form(
    name=fields.text(msg("叫什么"), most=LONGEST_NAME, hint=msg("例如“采购部群”。")),
    address=fields.text(
        msg("发到哪里"),
        most=LONGEST_ADDRESS,
        hint=msg("粘贴邮箱，或群机器人的 Webhook 地址。存好以后不再完整显示。"),
    ),
    key=KEY,
)


@get(_PAGE)
async def index(request: WebRequest, viewer: SignedIn) -> Response[str]:
    """The organisation's channels, each with how its last message fared, as far as it is theirs to see."""
    return await _draw(request, viewer, _CHANNEL.blank(key=new_key()))


async def _draw(request: WebRequest, viewer: Viewer, form: Filled, *, status: int = 200) -> Response[str]:
    return show(
        request,
        "notices/channels.html",
        status=status,
        form=form,
        channels=await channels_of(viewer),
        most=MOST_CHANNELS,
        mail=bool(settings().mail_via),
        kinds=KINDS,
        states=OUTGOING_LABELS,
        troubles=TROUBLES,
    )


@post(_PAGE)
async def add(request: WebRequest, viewer: SignedIn) -> Response[Any]:
    """Add a channel; the same form once more adds none."""
    filled = await _CHANNEL.read(request)
    at = clock.now()
    try:
        filled.check()
        values = filled.values

        async def deed() -> int:
            made = await add_channel(viewer, name=values["name"], address=values["address"], at=at)
            await _noted(viewer, "add_channel", address_from(values["address"]), at=at)
            return made

        await do_once(
            viewer=viewer,
            key=values["key"],
            name="add_channel",
            about={"name": values["name"], "address": values["address"]},
            deed=deed,
            at=at,
        )
    except (Invalid, Conflict) as refused:
        told = refused if isinstance(refused, Invalid) else Invalid(refused.message)
        status = 422 if isinstance(refused, Invalid) else 409
        return await _draw(request, viewer, filled.refused(told), status=status)
    return redirect(request, _PAGE, toast=msg("已加上，可以发一条测试消息看看。"))


async def _noted(viewer: Viewer, action: str, where: Address, *, at: datetime) -> None:
    """Write into the record that messages of the organisation go elsewhere from now on."""
    await record(
        subject=f"organisation:{viewer.organisation_id}",
        action=action,
        actor=accounts.actor(viewer),
        at=at,
        details={"kind": where.kind, "address": where.masked},
    )


@post(_PAGE + "/{channel_id:int}/test")
async def test(request: WebRequest, viewer: SignedIn, channel_id: FromPath[int]) -> Response[bytes]:
    """Send a test message there."""
    (await BARE.read(request)).check()
    await test_channel(viewer, channel_id=row_number(channel_id), at=clock.now())
    return redirect(request, _PAGE, toast=msg("测试消息正在发出，过几秒刷新看结果。"))


@post(_PAGE + "/{channel_id:int}/remove")
async def remove(request: WebRequest, viewer: SignedIn, channel_id: FromPath[int]) -> Response[bytes]:
    """Send nothing there any more."""
    (await BARE.read(request)).check()
    at = clock.now()

    async def deed() -> None:
        where = await remove_channel(viewer, channel_id=row_number(channel_id))
        await _noted(viewer, "remove_channel", where, at=at)

    await do_once(viewer=viewer, key=None, name="remove_channel", about={}, deed=deed, at=at)
    return redirect(request, _PAGE, toast=msg("已删去，通知不再发到那里。"))


routes: list[ControllerRouterHandler] = [index, add, test, remove]
