"""A secret that a post has made is shown once, on a page of its own: opening that page anew posts nothing.

Between the post and the page the secret lies with the browser that made it, in a cookie that is sealed for
one place, one session and a few minutes, and goes as it is read. It stands in no address, log or table; a
lost answer of the page loses nothing, for the cookie goes only with the answer that shows it.
"""

import base64
import binascii
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from market import clock
from market.accounts.sealing import seal, unseal
from market.errors import Conflict
from market.web.edge import cookies
from market.web.edge.csrf import SESSION
from market.web.edge.guards import WebRequest

T = TypeVar("T")

#: Long enough for a slow network, too short to be found by the next who sits down there.
_LASTS = timedelta(minutes=5)


class _Kept(msgspec.Struct, frozen=True):
    secret: msgspec.Raw
    until: datetime


def keep(
    request: WebRequest,
    place: str,
    secret: object,
    *,
    session: str | None = None,
    lasts: timedelta = _LASTS,
) -> None:
    """Keep a secret for the page ``place`` until it is shown there. ``session``: one that begins only now."""
    kept = _Kept(msgspec.Raw(msgspec.json.encode(secret)), clock.now() + lasts)
    sealed = seal(msgspec.json.encode(kept), about=_about(request, place, session))
    value = base64.urlsafe_b64encode(sealed).decode()
    cookies.put(request, _name(place), value, max_age=int(lasts.total_seconds()))


def take(request: WebRequest, place: str, kind: type[T]) -> T | None:
    """Return what was kept for a page, and keep it no longer.

    None: nothing was, or no more, or not for this session.
    """
    if cookies.read(request, _name(place)):
        cookies.drop(request, _name(place))
    return look(request, place, kind)


def look(request: WebRequest, place: str, kind: type[T]) -> T | None:
    """Return what was kept for a page, and keep it there, for what may be looked at again."""
    value = cookies.read(request, _name(place))
    if not value:
        return None
    try:
        kept = msgspec.json.decode(
            unseal(base64.urlsafe_b64decode(value), about=_about(request, place, None)), type=_Kept
        )
    except (Conflict, binascii.Error, msgspec.MsgspecError):
        return None
    return msgspec.json.decode(kept.secret, type=kind) if clock.now() <= kept.until else None


def _name(place: str) -> str:
    return f"once-{place}"


def _about(request: WebRequest, place: str, session: str | None) -> str:
    return f"shown once\0{place}\0{session or cookies.read(request, SESSION) or ''}"
