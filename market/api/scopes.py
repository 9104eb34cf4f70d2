"""What an API token may do: asked in one place, for every route of the API."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from market.accounts.rules import Viewer
from market.accounts.tokens import READ, SCOPES, SESSION_ONLY
from market.errors import NotAllowed
from market.i18n import msg

#: The key under which a router or a handler says what it asks for.
KEY = "scope"


def scope_of(handler: BaseRouteHandler) -> str | None:
    """Return what a handler asks of a token: ``read`` where it only reads, else its group's scope.

    None where its group has none: no token is let in there.
    """
    group = handler.opt.get(KEY)
    if group == SESSION_ONLY or group not in SCOPES:
        return None
    return READ if getattr(handler, "http_methods", set()) == {"GET"} else str(group)


async def within_scope(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard of the whole API. A session may do whatever its person may; a token what it was made for.

    Raises:
        NotAllowed: the token was not made for this.
    """
    viewer = connection.scope.get("user")  # a preflight has none
    if not isinstance(viewer, Viewer) or viewer.scopes is None:
        return
    needed = scope_of(handler)
    if needed is None:
        raise NotAllowed(msg("令牌不能做这件事，请用手机号和密码登录后再做。"))
    if needed not in viewer.scopes:
        raise NotAllowed(msg("这个令牌没有“{scope}”这一项，请另做一个。", scope=SCOPES[needed]))
