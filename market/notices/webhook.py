"""Posting to a system of an organisation's own: to the address that was checked, signed, and once.

The name is looked up here, every address found is checked, and the connection goes to one of those very
addresses: a name that leads elsewhere a moment later (DNS rebinding) changes nothing. The certificate is
still that of the name. Redirects are not followed and the answer's content is not read.
"""

import asyncio
import socket
import ssl
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from market.notices.hosts import is_public
from market.notices.rules import Address
from market.notices.signing import signature

if TYPE_CHECKING:
    import httpx

#: Seconds: for the connection, for one piece of the answer, and for all of it.
_CONNECT, _PIECE, TIME_LIMIT = 5.0, 5.0, 15.0


class Unreachable(Exception):
    """It did not get through: a key of ``rules.TROUBLES``, or what the host answered. ``final``: for good."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


async def post(
    where: Address, body: bytes, *, key: str, message_id: str, at: datetime, private: bool
) -> None:
    """Post ``body`` (JSON). ``private``: addresses inside this network are allowed.

    Raises:
        Unreachable: with the reason, free of secrets.
    """
    trusted = await asyncio.to_thread(_trusted)
    import httpx

    timestamp = int(at.timestamp())
    url = httpx.URL(f"{'https' if where.kind == 'jsons' else 'http'}://{where.key}")
    headers = {
        "host": url.netloc.decode(),
        "content-type": "application/json",
        "user-agent": "Tiantou",
        "accept-encoding": "identity",
        "connection": "close",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(key=key, message_id=message_id, timestamp=timestamp, body=body),
    }
    try:
        async with asyncio.timeout(TIME_LIMIT):
            address = await _checked(url.host, private=private)
            await _sent(url.copy_with(host=address), url.host, headers, body, trusted)
    except (TimeoutError, httpx.TimeoutException) as trouble:
        raise Unreachable("timeout") from trouble
    except (httpx.HTTPError, OSError) as trouble:
        raise Unreachable("no_connection") from trouble


@cache
def _trusted() -> ssl.SSLContext:
    """Return what certificates are judged by. Call it in a thread: the library and the list load slowly."""
    import httpx

    return httpx.create_ssl_context(trust_env=False)


async def _sent(
    url: "httpx.URL", name: str, headers: dict[str, str], body: bytes, trusted: ssl.SSLContext
) -> None:
    import httpx

    limits = httpx.Timeout(_PIECE, connect=_CONNECT)
    # trust_env: a proxy of the environment would look the name up once more, for itself
    async with (
        httpx.AsyncClient(verify=trusted, trust_env=False, follow_redirects=False, timeout=limits) as client,
        client.stream(
            "POST", url, headers=headers, content=body, extensions={"sni_hostname": name}
        ) as answer,
    ):
        if not answer.is_success:
            raise Unreachable(f"HTTP {answer.status_code}")


async def _checked(host: str, *, private: bool) -> str:
    """Return the address to connect to; where one of a name's addresses is private, none is good."""
    try:
        entries = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as trouble:
        raise Unreachable("unknown_host") from trouble
    found = [str(entry[4][0]) for entry in entries]
    if not found:
        raise Unreachable("unknown_host")
    if not private and not all(is_public(each) for each in found):
        raise Unreachable("private", final=True)
    return found[0]
