"""The door: what every request passes before it is routed, so that unknown addresses are held to it too.

It asks for which host a request is, whose address stands behind a proxy, by what name the request goes in
answers and in the log, and whether its body arrives whole and in time.
"""

import asyncio
import ipaddress
import re
import secrets
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, cast
from urllib.parse import urlsplit

from litestar import Request, Response
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, HTTPReceiveMessage, HTTPScope, Receive, Scope, Send
from litestar.types import Message as AsgiMessage

from market.errors import Invalid
from market.i18n import Message, msg
from market.settings import Settings
from market.web.edge.cookies import Edge, Network

Tell = Callable[[Request[Any, Any, Any], Exception], Response[Any]]

#: Seconds that a whole body may take, and the longest pause between two pieces of it.
BODY_SECONDS = 120.0
BODY_PAUSE = 20.0
#: What a request may be called by the proxy: nothing in it can begin a new line of the log.
_NAME = re.compile(r"[A-Za-z0-9._-]{8,64}")
_HOST = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?")
_MOST_HOPS = 20
_MOST_PEERS = 4_096


def edge_from(chosen: Settings, *, secret: str) -> Edge:
    """Return the edge that an installation's settings describe.

    Raises:
        Invalid: ``MARKET_HOSTS`` or ``MARKET_PROXIES`` cannot be read.
    """
    public = urlsplit(chosen.public_url)
    names = {name.strip().lower() for name in chosen.hosts.split(",") if name.strip()}
    if "*" not in names and any(_HOST.fullmatch(name) is None or ":" in name for name in names):
        raise _faulty("MARKET_HOSTS", msg("MARKET_HOSTS 里只写域名，用逗号分开，例如 tiantou.example。"))
    if public.hostname:
        names.add(public.hostname)
    return Edge(
        secret=secret.encode(),
        secure=chosen.secure_cookies or public.scheme == "https",
        hosts=None if "*" in names else frozenset(names),
        proxies=tuple(_networks(chosen.proxies)),
    )


def _networks(listed: str) -> Iterable[Network]:
    for each in listed.split(","):
        if not each.strip():
            continue
        try:
            yield ipaddress.ip_network(each.strip(), strict=False)
        except ValueError:
            raise _faulty(
                "MARKET_PROXIES",
                msg("MARKET_PROXIES 里只写 IP 地址或网段，用逗号分开，例如 127.0.0.1,10.0.0.0/8。"),
            ) from None


def _faulty(variable: str, problem: Message) -> Invalid:
    return Invalid(problem, {variable: problem})


class Door:
    """ASGI: wraps the application's routing. ``tell`` answers what is refused here."""

    def __init__(self, app: ASGIApp, *, edge: Edge, tell: Tell) -> None:
        self._app = app
        self._edge = edge
        self._tell = tell
        # reading an address takes longer than routing, and the same few peers and hosts come again and again
        self._is_proxy = lru_cache(maxsize=_MOST_PEERS)(self._is_named_proxy)
        self._is_ours = lru_cache(maxsize=_MOST_PEERS)(self._leads_here)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP:
            await self._pass(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _pass(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        is_proxied = self._is_proxy(scope["client"][0] if scope["client"] else "")
        if is_proxied:
            self._believe(scope, headers)
        scope["state"]["request_id"] = _request_name(headers if is_proxied else {})
        if scope["method"] == "HEAD":  # RFC 9110: as GET, without the content
            scope["method"] = cast(Any, "GET")
            send = _without_content(send)
        hosts = headers.get("host", [])
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            await self._refuse(scope, receive, send, HTTPException(status_code=421))
            return
        # nobody reads what comes with a GET, and a board that somebody watches waits for its reader to leave
        await self._app(scope, receive if scope["method"] == "GET" else _whole_and_in_time(receive), send)

    def _leads_here(self, host: str) -> bool:
        """Tell whether the request is for this site; whoever writes an IP address into it means this machine.

        A name that is not ours but leads here would put itself into links, or read pages through a
        browser that takes this site for its own (DNS rebinding).
        """
        if (found := _HOST.fullmatch(host)) is None:
            return False
        name = found[1].lower().rstrip(".")
        if self._edge.hosts is None or name == "localhost" or name in self._edge.hosts:
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    def _is_named_proxy(self, address: str) -> bool:
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(peer in network for network in self._edge.proxies)

    def _believe(self, scope: HTTPScope, headers: dict[str, list[str]]) -> None:
        """Take the reader's address and scheme from a proxy that the installation names."""
        hops = [hop.strip() for line in headers.get("x-forwarded-for", []) for hop in line.split(",")]
        for hop in reversed(hops[-_MOST_HOPS:]):
            try:
                address = str(ipaddress.ip_address(hop))
            except ValueError:
                break  # whatever stands before it was written by who knows whom
            scope["client"] = (address, 0)
            if not self._is_proxy(address):
                break
        if headers.get("x-forwarded-proto", [""])[-1].strip().lower() in ("http", "https"):
            scope["scheme"] = headers["x-forwarded-proto"][-1].strip().lower()

    async def _refuse(self, scope: HTTPScope, receive: Receive, send: Send, error: Exception) -> None:
        app = scope["litestar_app"]
        request: Request[Any, Any, Any] = app.request_class(scope=scope, receive=receive, send=send)
        response = self._tell(request, error)
        await response.to_asgi_response(app=None, request=request)(scope, receive, send)


def _request_name(headers: dict[str, list[str]]) -> str:
    given = headers.get("x-request-id", [""])[0]
    return given if _NAME.fullmatch(given) else secrets.token_hex(8)


def _headers(scope: HTTPScope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def _whole_and_in_time(receive: Receive) -> Receive:
    """Return ``receive`` with limits on a body that trickles in: it must not hold a place for ever.

    A body that breaks off, or whose pieces cannot be told apart, is a faulty request and no fault of ours.
    """
    begun = time.monotonic()
    is_there = False

    async def received() -> HTTPReceiveMessage:
        nonlocal is_there
        if is_there:
            return cast(HTTPReceiveMessage, await receive())
        left = begun + BODY_SECONDS - time.monotonic()
        try:
            async with asyncio.timeout(min(left, BODY_PAUSE)):
                message = cast(HTTPReceiveMessage, await receive())
        except TimeoutError:
            raise HTTPException(status_code=408) from None
        if message["type"] == "http.disconnect":
            raise HTTPException(status_code=400)
        is_there = not message.get("more_body", False)
        return message

    return cast(Receive, received)


def _without_content(send: Send) -> Send:
    async def sent(message: AsgiMessage) -> None:
        if message["type"] == "http.response.body":
            message["body"] = b""
        await send(message)

    return sent
