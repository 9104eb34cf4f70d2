"""A network that can be cut: a relay between browser and server on the loopback.

Chromium's own "offline" is lifted for a service worker that is started again meanwhile, so that a
page which is thought to be cut off may still reach the server through it. A pulled cable is not.
"""

import asyncio
import itertools
from urllib.parse import urlsplit


class Cable:
    """Relays the connections that come to ``address`` to ``target`` until it is pulled."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._port = 0
        self._server: asyncio.Server | None = None
        self._relays: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def plug(self) -> None:
        """Let connections through, at the same address as before."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def pull(self) -> None:
        """Break every connection and refuse new ones. Pulling twice does nothing more."""
        if self._server:
            self._server.close()
            self._server = None
        relays = list(self._relays)
        for writer in itertools.chain(*self._relays.values()):
            writer.transport.abort()
        await asyncio.gather(*relays, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        ends = self._relays[task] = [writer]
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            ends.append(far_writer)
            await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        finally:
            for each in ends:
                each.close()
            del self._relays[task]


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while some := await reader.read(65_536):
            writer.write(some)
            await writer.drain()
    except OSError:
        pass
    finally:
        if not writer.is_closing():
            writer.close()
