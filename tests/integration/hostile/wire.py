"""A real server, bytes sent to it over TCP, and what it sends back."""

import re
import secrets
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from market.settings import PROJECT

#: Seconds that the server may take to answer one exchange.
_PATIENCE = 10

#: Every header that this site ever writes: another one was put in from outside.
_OURS = frozenset(
    {
        *(
            "allow",
            "cache-control",
            "connection",
            "date",
            "location",
            "retry-after",
            "server",
            "set-cookie",
            "vary",
        ),
        *(f"content-{each}" for each in ("disposition", "encoding", "language", "length", "type")),
        *("content-security-policy", "permissions-policy", "referrer-policy", "x-request-id"),
        *("cross-origin-opener-policy", "cross-origin-resource-policy", "x-content-type-options"),
        *("x-frame-options", "x-permitted-cross-domain-policies", "hx-push-url"),
        *("etag", "last-modified"),
    }
)
_COOKIE = re.compile(
    r'(visit|lang|toast)=([A-Za-z0-9._=-]*|""); HttpOnly; (Max-Age=\d+; )?Path=/; SameSite=Lax'
)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) [A-Za-z -]+")
_HEADER = re.compile(rb"([a-z-]+): ([\x20-\x7e]*)")


class Answer(NamedTuple):
    """One answer. ``headers`` as they came: a name may be there twice."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for other, value in self.headers if other == name), "")


class Line:
    """A connection to the server."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE)

    def say(self, *pieces: bytes) -> bool:
        """Send ``pieces``; tell whether the server took them all."""
        return self.pour(pieces)

    def pour(self, pieces: Iterable[bytes], *, patience: float = _PATIENCE) -> bool:
        """The same; ``patience``: seconds in which it must take each."""
        self._socket.settimeout(patience)
        try:
            for piece in pieces:
                self._socket.sendall(piece)
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Say that nothing more will come; answers are still heard."""
        self._socket.shutdown(socket.SHUT_WR)

    def hear(self, most: int) -> bytes:
        """Return the next bytes that come."""
        self._socket.settimeout(_PATIENCE)
        return self._socket.recv(most)

    def heard(self, *, until: float | None = None) -> bytes:
        """Return all that comes until the server hangs up.

        Raises:
            TimeoutError: it does not, or not until then.
        """
        self._socket.settimeout(max(0.1, until - time.monotonic()) if until else _PATIENCE)
        got = b""
        try:
            while some := self._socket.recv(65_536):
                got += some
        except ConnectionError:  # it hung up while we were still talking
            pass
        return got

    def is_open(self) -> bool:
        """Tell whether the server is still there and silent."""
        self._socket.setblocking(False)
        try:
            return self._socket.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except ConnectionError:
            return False

    def close(self) -> None:
        self._socket.close()


class Site(NamedTuple):
    """The server that a module of tests talks to.

    ``cookie``: the header of somebody who has signed in there. ``calendar``: the address of an invited's.
    """

    port: int
    log: Path
    cookie: bytes
    calendar: str

    @contextmanager
    def line(self) -> Iterator[Line]:
        opened = Line(self.port)
        try:
            yield opened
        finally:
            opened.close()

    def ask(self, *pieces: bytes, closes: bool = False, bodiless: bool = False) -> list[Answer]:
        """Send ``pieces`` and return every answer to them.

        ``closes``: the server must hang up by itself. Where it must not, one more request goes over the
        same connection, and its own answer must be the last: nothing of the first was left on the line.
        """
        mark = f"/nowhere/{secrets.token_hex(4)}".encode()
        with self.line() as line:
            line.pour(pieces)
            if not closes:
                line.say(b"GET " + mark + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answers = answers_in(line.heard(), bodiless=bodiless)
        for each in answers:
            check(each)
        if closes:
            return answers
        last = answers.pop()
        assert (last.status, mark in last.body) == (404, True), last
        return answers

    def get(self, path: str, *headers: bytes) -> Answer:
        lines = [b"GET " + path.encode() + b" HTTP/1.1", b"Host: localhost", *headers, b"", b""]
        [answer] = self.ask(b"\r\n".join(lines))
        return answer


def answers_in(data: bytes, *, bodiless: bool = False) -> list[Answer]:
    """Take apart what was heard. ``bodiless``: the first request was a HEAD."""
    found: list[Answer] = []
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        assert end, head
        first, *lines = head.split(b"\r\n")
        status, headers = _STATUS.fullmatch(first), []
        assert status, first
        for line in lines:
            header = _HEADER.fullmatch(line)
            assert header, line
            headers.append((header[1].decode(), header[2].decode()))
        length = int(dict(headers).get("content-length", 0))
        if status[1] in (b"100", b"204", b"304") or (bodiless and not found):
            length = 0
        assert len(data) >= length, data
        found.append(Answer(int(status[1]), headers, data[:length]))
        data = data[length:]
    return found


def check(answer: Answer) -> None:
    """Whatever was asked: no failure, nothing of the inside, and only what this site itself writes."""
    assert answer.status < 500, answer
    for inside in (b"Traceback", b"site-packages", str(PROJECT).encode(), b"root:x:0", b"panicked"):
        assert inside not in answer.body, answer.body
    names = [name for name, _ in answer.headers]
    assert set(names) <= _OURS, names
    assert all(names.count(name) == 1 for name in names if name != "set-cookie"), names
    for name, value in answer.headers:
        if name == "set-cookie":
            assert _COOKIE.fullmatch(value), value
        if name in ("location", "hx-push-url"):
            assert re.fullmatch(r"/[!-~]*", value), value
            assert not value.startswith(("//", "/\\")), value
    if answer.status != 100 and answer.header("server"):  # the server's own refusals have neither
        assert "default-src 'none'" in answer.header("content-security-policy")
        assert re.fullmatch("[0-9a-f]{16}", answer.header("x-request-id"))
