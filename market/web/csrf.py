"""Forged posts are refused: every form carries a token bound to the reader's session.

The token is an HMAC over the session cookie, or for a guest over a random ``visit`` cookie, so that
nothing has to be stored and nothing goes stale while the session lives. A missing visit cookie is
set anew by the next page, also by the page that reports the refusal. The token is masked afresh at
each drawing, because compressed pages that repeat a secret leak it (BREACH).
"""

import base64
import hmac
import secrets
from typing import Any

from litestar import Request
from litestar.enums import RequestEncodingType, ScopeType
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Receive, Scope, Send

from market.errors import NotAllowed
from market.i18n import msg
from market.web import cookies
from market.web.cookies import Connection

#: The hidden field of every form.
FIELD = "_csrf"
HEADER = "x-csrf-token"
#: The cookie of the session, written by sign-in.
SESSION = "market"

_VISIT = "visit"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = frozenset({RequestEncodingType.URL_ENCODED, RequestEncodingType.MULTI_PART})


class Forged(NotAllowed):
    """The post does not carry this reader's token."""


def token(connection: Connection) -> str:
    """Return the masked token for the reader's forms, giving a guest a visit cookie if need be."""
    bond = _bond(connection)
    if bond is None:
        bond = connection.scope["state"].get(_VISIT)
    if bond is None:
        bond = secrets.token_urlsafe(18)
        connection.scope["state"][_VISIT] = bond
        cookies.put(connection, _VISIT, bond, max_age=cookies.YEAR)
    true = _true_token(connection, bond)
    mask = secrets.token_bytes(len(true))
    return base64.urlsafe_b64encode(mask + _xor(mask, true)).decode()


def is_token(connection: Connection, sent: str | None) -> bool:
    """Tell whether ``sent`` is a token that was made for this reader."""
    bond = _bond(connection)
    if bond is None or not sent:
        return False
    try:
        masked = base64.urlsafe_b64decode(sent.encode())
    except ValueError:
        return False
    half = len(masked) // 2
    return hmac.compare_digest(_xor(masked[:half], masked[half:]), _true_token(connection, bond))


def _bond(connection: Connection) -> str | None:
    return cookies.read(connection, SESSION) or cookies.read(connection, _VISIT)


def _true_token(connection: Connection, bond: str) -> bytes:
    return cookies.digest(cookies.edge(connection).secret, "csrf", bond).encode()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=False))


class CheckToken:
    """Middleware: an unsafe request passes only with a token.

    A call of the API that brings no cookie of ours cannot be forged through a browser, and passes.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["method"] not in _SAFE:
            request: Request[Any, Any, Any] = Request(scope, receive)
            await self._check(request)
        await self.app(scope, receive, send)

    async def _check(self, request: Request[Any, Any, Any]) -> None:
        is_api = request.scope["path"].startswith("/api/")
        if is_api and not cookies.read(request, SESSION):
            return
        sent = request.headers.get(HEADER)
        if not sent and request.content_type[0] in _FORMS:
            try:
                sent = (await request.form()).get(FIELD)
            except HTTPException:
                raise
            except ValueError as error:
                raise Forged(msg("表单内容读不出来，请返回重新提交。")) from error
        if not is_token(request, sent if isinstance(sent, str) else None):
            raise Forged(
                msg("这个页面放得太久了，或不是从本站打开的。请刷新页面后再提交一次，填过的内容可以再取回。")
            )
