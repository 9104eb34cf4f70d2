"""Hooks that lead inside: refused when they are entered, and again where a name turns out to lead inside."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from fixtures.hostile import addresses
from market.db.session import fetch_value
from market.notices import webhook
from market.notices.hosts import is_public
from market.notices.rules import address_from
from market.notices.signing import signing_key
from market.notices.webhook import Unreachable
from tests.integration.web.conftest import faults

from .conftest import World

AT = datetime(2026, 11, 23, tzinfo=timezone.utc)


@pytest.mark.parametrize("name", addresses.HOOKS)
async def test_hooks_that_are_entered(world: World, name: str) -> None:
    typed = {"_csrf": world.csrf, "name": "系统", "address": addresses.HOOKS[name], "key": str(uuid4())}
    answer = await world.seller.client.post("/account/channels", data=typed)
    assert (answer.status_code, set(faults(answer))) == (422, {"address"})
    assert await fetch_value("SELECT count(*) FROM channel") == 0


@pytest.mark.parametrize("address", addresses.PRIVATE_ADDRESSES)
async def test_names_that_lead_inside(address: str, names: dict[str, list[str]]) -> None:
    """One private address among public ones is enough: nobody knows which would be called."""
    assert not is_public(address)
    names["hook.example"] = ["93.184.215.14", address]
    with pytest.raises(Unreachable) as refused:
        await post("https://hook.example/in", private=False)
    assert (str(refused.value), refused.value.final) == ("private", True)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "240e::1"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


class Host:
    """A server on this machine that says ``answer``, a piece at a time, and remembers what it was sent."""

    def __init__(self) -> None:
        self.answer: list[bytes] = [b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"]
        self.pause = 0.0
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.got.append((headers, await reader.readexactly(int(headers["content-length"]))))
        try:
            for piece in self.answer:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(self.pause)
        except ConnectionError:
            pass
        writer.close()


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    made = Host()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A name server that the test decides: name -> its addresses, one list for each time it is asked."""
    known: dict[str, list[str]] = {"asked": []}

    async def getaddrinfo(host: str, port: object, **_: object) -> list[Any]:
        known["asked"].append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in known.get(host, [])]

    loop = asyncio.get_event_loop_policy().get_event_loop
    monkeypatch.setattr(loop(), "getaddrinfo", getaddrinfo, raising=False)
    return known


async def post(url: str, *, private: bool = True, body: bytes = b"{}") -> None:
    key = signing_key(channel_id=1, created_at=AT)
    await webhook.post(address_from(url), body, key=key, message_id="msg_7", at=AT, private=private)


async def test_a_name_is_asked_once_and_its_answer_is_called(host: Host, names: dict[str, list[str]]) -> None:
    """Whatever the name server says a moment later (DNS rebinding), it is not asked again."""
    names["hook.example"] = ["127.0.0.1"]
    await post(f"http://hook.example:{host.port}/in")
    assert names["asked"] == ["hook.example"]
    [(headers, _)] = host.got
    assert headers["host"] == f"hook.example:{host.port}"


async def test_a_certificate_must_be_that_of_the_name(
    host: Host, names: dict[str, list[str]], tmp_path: Path
) -> None:
    """The connection goes to an address, the certificate has to be the name's: one of one's own fails."""
    request = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=hook.example"
    )
    made = [*request.split(), "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "certificate")]
    await asyncio.to_thread(subprocess.run, made, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    names["hook.example"] = ["127.0.0.1"]
    async with await asyncio.start_server(host.serve, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unreachable, match="no_connection"):
            await post(f"https://hook.example:{port}/in")
    assert host.got == []


async def test_the_receiver_can_check_who_sent_it(host: Host, names: dict[str, list[str]]) -> None:
    """With the very lines that docs/webhooks.md gives to receivers."""
    shown = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text()
    receiver: dict[str, Any] = {}
    exec(shown.split("```python\n")[1].split("```")[0], receiver)
    is_from_tiantou = receiver["is_from_tiantou"]
    names["hook.example"] = ["127.0.0.1"]
    await post(f"http://hook.example:{host.port}/in", body='{"message": "花生"}'.encode())
    [(headers, body)] = host.got
    key, other = (signing_key(channel_id=number, created_at=AT) for number in (1, 2))
    at = AT.timestamp
    assert is_from_tiantou(headers, body, key, now=at)
    assert not is_from_tiantou(headers, body, other, now=at)
    assert not is_from_tiantou(headers, body + b" ", key, now=at)
    assert not is_from_tiantou({**headers, "webhook-id": "msg_8"}, body, key, now=at)
    assert not is_from_tiantou(headers, body, key, now=lambda: at() + 301)


@pytest.mark.parametrize("location", ["http://169.254.169.254/latest/", "file:///etc/passwd", "//127.0.0.1/"])
async def test_redirects_are_not_followed(host: Host, names: dict[str, list[str]], location: str) -> None:
    names["hook.example"] = ["127.0.0.1"]
    host.answer = [f"HTTP/1.1 307 Elsewhere\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode()]
    with pytest.raises(Unreachable, match="HTTP 307"):
        await post(f"http://hook.example:{host.port}/in")
    assert len(host.got) == 1


async def test_an_endless_answer_is_not_read(host: Host, names: dict[str, list[str]]) -> None:
    names["hook.example"] = ["127.0.0.1"]
    host.answer = [b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n", *[b"a" * 65_536] * 2_000]
    async with asyncio.timeout(5):
        await post(f"http://hook.example:{host.port}/in")


async def test_an_endless_head_is_refused(host: Host, names: dict[str, list[str]]) -> None:
    names["hook.example"] = ["127.0.0.1"]
    host.answer = [b"HTTP/1.1 200 OK\r\n", *[b"a: " + b"a" * 60_000 + b"\r\n"] * 200]
    with pytest.raises(Unreachable, match="no_connection"):
        await post(f"http://hook.example:{host.port}/in")


async def test_an_answer_that_trickles_is_given_up(
    host: Host, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece comes in time, all of them together do not."""
    monkeypatch.setattr(webhook, "TIME_LIMIT", 0.5)
    names["hook.example"] = ["127.0.0.1"]
    host.answer, host.pause = [b"HTTP/1.1 200 OK\r\n", *[b"a: b\r\n"] * 100], 0.05
    with pytest.raises(Unreachable, match="timeout"):
        await post(f"http://hook.example:{host.port}/in")


@pytest.mark.parametrize("answer", [b"", b"\x16\x03\x01", b"HTTP/1.1 two\r\n\r\n"])
async def test_an_answer_that_is_none_is_refused(
    host: Host, names: dict[str, list[str]], answer: bytes
) -> None:
    names["hook.example"] = ["127.0.0.1"]
    host.answer = [answer]
    with pytest.raises(Unreachable, match="no_connection"):
        await post(f"http://hook.example:{host.port}/in")
