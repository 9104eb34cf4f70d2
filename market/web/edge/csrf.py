"""Forged posts are refused: every form carries a token bound to the reader's session.

The token is an HMAC over the session cookie, or for a guest over a random ``visit`` cookie, so that
nothing has to be stored and nothing goes stale while the session lives. A missing visit cookie is
set anew by the next page, also by the page that reports the refusal, which holds what was filled in, to be
sent once more. The token is masked afresh at
each drawing, because compressed pages that repeat a secret leak it (BREACH).
"""

import base64
import hmac
import re
import secrets
from typing import Any

from litestar import Request
from litestar.datastructures import FormMultiDict
from litestar.enums import RequestEncodingType, ScopeType
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Receive, Scope, Send

from market.errors import NotAllowed
from market.i18n import Message, msg
from market.web.edge import cookies
from market.web.edge.cookies import Connection

Kept = tuple[tuple[str, str], ...]

#: The hidden field of every form.
FIELD = "_csrf"
HEADER = "x-csrf-token"
#: The cookie of the session, written by sign-in.
SESSION = "market"

_VISIT = "visit"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SECRET = re.compile("pass|secret", re.IGNORECASE)
_CODE = re.compile(r"\s*|0|/.*|[a-z][a-z_-]*|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOST_KEPT = 200_000
_FORMS = frozenset({RequestEncodingType.URL_ENCODED, RequestEncodingType.MULTI_PART})


class Forged(NotAllowed):
    """The post does not carry this reader's token.

    ``kept``: what was filled in, name and value, where it certainly came from a page of this site.
    """

    def __init__(self, message: Message, *, kept: Kept = (), has_files: bool = False) -> None:
        super().__init__(message)
        self.kept = kept
        #: What its reader wrote, without codes that stand for choices and what pages put in for themselves.
        self.shown = [
            value.strip() for name, value in kept if not name.endswith("_unit") and not _CODE.fullmatch(value)
        ]
        self.has_files = has_files


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


def bearer(connection: Connection) -> str | None:
    """Return the token that a call of the API brings along; it counts before any cookie. Pages take none.

    No other site can make a browser send this header: such a call cannot be forged.
    """
    if not connection.scope["path"].startswith("/api/"):
        return None
    kind, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() or None if kind.lower() == "bearer" else None


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
        if is_api and (bearer(request) or not cookies.read(request, SESSION)):
            return
        form = await _form(request)  # in any case: one that nobody can read is not its page's to deal with
        sent = request.headers.get(HEADER) or form.get(FIELD)
        if is_token(request, sent if isinstance(sent, str) else None):
            return
        if is_api or not _is_from_here(request):
            raise Forged(msg("这个页面放得太久了，或不是从本站打开的。请从本站打开页面，再提交一次。"))
        raise _stale(form)


async def _form(request: Request[Any, Any, Any]) -> FormMultiDict:
    """Return the form that was posted; an empty one where the request is none.

    Raises:
        Forged: it is a form that nobody can read.
    """
    if request.content_type[0] not in _FORMS:
        return FormMultiDict()
    try:
        return await request.form()
    except HTTPException:
        raise
    except (ValueError, LookupError) as error:  # LookupError: a part names an encoding that is none
        raise Forged(msg("表单内容读不出来，请返回重新提交。")) from error


def _is_from_here(request: Connection) -> bool:
    """Tell whether a page of this site sent the request, in headers that no script can write."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    # compared as it stands: parsing fails on some of what strangers write there
    _, _, origin = request.headers.get("origin", "").partition("://")
    return bool(origin) and origin == request.headers.get("host")


def _stale(form: FormMultiDict) -> Forged:
    """Return the refusal of a form of ours whose token has gone stale, with what it held.

    It was sent, so nothing is lost: its reader looks at it and sends it once more, under the new token.
    Passwords are typed again, files chosen again.
    """
    pairs = list(form.items())  # in their order on the page, which multi_items() does not keep
    kept = tuple(
        (name, value)
        for name, value in pairs
        if isinstance(value, str) and name != FIELD and not _SECRET.search(name)
    )
    if sum(len(name) + len(value) for name, value in kept) > _MOST_KEPT:
        kept = ()
    told = msg("您登录过别的账号，或这个页面放得太久，刚才的提交没有算数。")
    return Forged(told, kept=kept, has_files=any(not isinstance(value, str) for _, value in pairs))
