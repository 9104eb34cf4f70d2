"""Cookies: signed values, and a way to set one from anywhere in a request.

A cookie set with :func:`put` is added to whatever response leaves, error pages included.
"""

import base64
import hashlib
import hmac
from http.cookies import SimpleCookie
from ipaddress import IPv4Network, IPv6Network
from typing import Any, cast

import msgspec
from litestar.connection import ASGIConnection
from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message as AsgiMessage
from litestar.types import Scope

Connection = ASGIConnection[Any, Any, Any, Any]

Network = IPv4Network | IPv6Network

YEAR = 365 * 24 * 3600


class Edge(msgspec.Struct, frozen=True):
    """What the web edge needs to know of the settings."""

    #: Key of every signature made here.
    secret: bytes
    #: Cookies carry ``Secure`` and the ``__Host-`` prefix: on wherever the site is served by HTTPS.
    secure: bool = True
    #: Shows the page of components and puts the traceback on the error page.
    development: bool = False
    #: Names under which the site is reached, in small letters; None: whatever is asked for.
    hosts: frozenset[str] | None = None
    #: Where reverse proxies stand whose word on reader, scheme and request id is taken.
    proxies: tuple[Network, ...] = ()


def edge(connection: Connection) -> Edge:
    return cast(Edge, connection.app.state.edge)


def cookie_name(connection: Connection, name: str) -> str:
    """Return ``name`` with the prefix that binds a cookie to this very host, where that is possible."""
    return f"__Host-{name}" if edge(connection).secure else name


def read(connection: Connection, name: str) -> str | None:
    return connection.cookies.get(cookie_name(connection, name))


def put(connection: Connection, name: str, value: str, *, max_age: int | None = None) -> None:
    """Set a cookie on the response that is still to come. ``max_age`` 0 takes it away."""
    cookie: SimpleCookie = SimpleCookie()
    full_name = cookie_name(connection, name)
    cookie[full_name] = value
    morsel = cookie[full_name]
    morsel["path"] = "/"
    morsel["httponly"] = True
    morsel["samesite"] = "Lax"
    if edge(connection).secure:
        morsel["secure"] = True
    if max_age is not None:
        morsel["max-age"] = max_age
    waiting = cast("dict[str, str]", connection.scope["state"].setdefault("cookies", {}))
    waiting[full_name] = morsel.OutputString()


def drop(connection: Connection, name: str) -> None:
    put(connection, name, "", max_age=0)


async def send_cookies(message: AsgiMessage, scope: Scope) -> None:
    """Litestar's ``before_send`` hook: write the cookies that were put."""
    if message["type"] == "http.response.start":
        headers = MutableScopeHeaders.from_message(message)
        for line in scope["state"].get("cookies", {}).values():
            headers.add("set-cookie", line)


def digest(secret: bytes, purpose: str, value: str) -> str:
    """Return the HMAC of ``value``; signatures of one purpose do not pass for another."""
    mac = hmac.new(secret, f"{purpose}\0{value}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac[:24]).decode()


def sign(value: str, *, secret: bytes, purpose: str) -> str:
    """Return ``value`` in a form fit for a cookie, with its signature."""
    body = base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")
    return f"{body}.{digest(secret, purpose, body)}"


def unsign(signed: str, *, secret: bytes, purpose: str) -> str | None:
    """Return the signed value, or None where the signature is not ours."""
    body, _, signature = signed.partition(".")
    if not hmac.compare_digest(digest(secret, purpose, body).encode(), signature.encode()):
        return None
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)).decode()
