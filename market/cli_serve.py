"""``market serve``, ``market worker`` and ``market db``."""

import argparse
import asyncio
import http.client
import importlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import msgspec

from market.cli import add_language, language, number_option, say
from market.db import embedded
from market.db.jobs import Worker, kinds_within
from market.db.migrate import migrate_forwards, status
from market.db.session import started_pool
from market.errors import Conflict
from market.i18n import Language, msg, translate
from market.settings import settings

#: Processes that serve pages, or jobs at a time: more is a slip of the pen.
_MOST_WORKERS = 1_000
#: Ports tried after the one that was asked for.
_PORTS = 50
#: Seconds that the pages may take to answer for the first time.
_PATIENCE = 60
#: Seconds that a process which serves pages has to finish its requests when it is told to stop.
_GRACE = 10
#: Seconds that a connection may take to say what it wants: the first time, and each time afterwards.
_HEAD = 20


def add_serve(commands: Any) -> None:
    """Add ``market serve``."""
    lang = language(sys.argv[1:])
    parser = commands.add_parser("serve", help=translate(msg("准备数据库并提供网页"), lang))
    parser.add_argument("--demo", action="store_true", help=translate(msg("载入示范案例"), lang))
    for option, kind, default, words in (
        ("--host", str, settings().host, msg("监听的地址（默认 {default}）", default=settings().host)),
        (
            "--port",
            int,
            settings().port,
            msg("端口，被占用就用下一个（默认 {default}）", default=str(settings().port)),
        ),
        (
            "--workers",
            int,
            settings().workers,
            msg("网页进程数（默认 {default}）", default=settings().workers),
        ),
    ):
        parser.add_argument(option, type=kind, default=default, help=translate(words, lang))
    add_language(parser, lang)
    parser.set_defaults(run=serve)


def add_worker(commands: Any) -> None:
    """Add ``market worker``."""
    lang = language(sys.argv[1:])
    parser = commands.add_parser("worker", help=translate(msg("只在后台做排队的工作"), lang))
    parser.add_argument(
        "--tasks",
        type=int,
        default=max(1, settings().job_tasks),
        help=translate(msg("同时做几件"), lang),
    )
    parser.add_argument(
        "--jobs",
        metavar="KIND",
        action="append",
        help=translate(msg("只做这一类，如 matching 或 matching.part；可写几次"), lang),
    )
    add_language(parser, lang)
    parser.set_defaults(run=work)


def add_db(commands: Any) -> None:
    """Add ``market db up`` and ``market db status``."""
    lang = language(sys.argv[1:])
    parser = commands.add_parser("db", help=translate(msg("建立或查看数据库结构"), lang))
    parser.add_argument(
        "what", choices=["up", "status"], help=translate(msg("up 建立或升级结构，status 看执行到哪里"), lang)
    )
    add_language(parser, lang)
    parser.set_defaults(run=database)


def serve(arguments: argparse.Namespace) -> int:
    """Prepare the database, serve until told to stop, and print the address once it answers."""
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.server import Server

    lang = language(sys.argv[1:])
    # faulty names are told now
    importlib.import_module("market.web.edge.door").edge_from(settings(), secret="")
    workers = _whole("--workers", arguments.workers, most=_MOST_WORKERS)
    port = free_port(arguments.host, _whole("--port", arguments.port, most=65_535))
    with _ended_by_sigterm(), _own_server():
        logins = asyncio.run(_prepare(demo=arguments.demo))
        if logins:
            # the processes that serve pages read their settings from the environment
            os.environ["MARKET_DEMO_LOGINS"] = msgspec.json.encode(logins).decode()
        server = Server(
            "market.app:create_app",
            factory=True,
            interface=Interfaces.ASGI,
            address=arguments.host,
            port=port,
            workers=workers,
            # no browser speaks HTTP/2 without TLS; while the server waits to be told which it is, a
            # connection that says nothing is never closed, and a thousand of them shut everybody out
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=_HEAD * 1_000),
            websockets=False,
            log_level=LogLevels.warning,
            respawn_failed_workers=True,
            # a board that somebody watches is a request that does not end by itself
            workers_kill_timeout=_GRACE,
        )

        def announce() -> None:
            # a process that is forked while a thread loads a module or looks up a host inherits the lock of
            # that, taken: whoever asks for it there waits for ever
            while len(server.wrks) < workers:
                time.sleep(0.05)
            _announce(arguments.host, port, logins, lang)

        threading.Thread(target=announce, daemon=True, name="announce").start()
        server.serve()
    return 0


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let a polite kill end the block as an exception, so that the own server is stopped."""

    def end(*_: object) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _own_server() -> Iterator[None]:
    """Hold the own server for as long as we serve: it must outlive every process of ours."""
    if settings().database_url:
        yield
        return
    with embedded.running(settings()):
        yield


async def _prepare(*, demo: bool) -> list[Any]:
    """Bring schema, reference data and demo up to date; return the demo's logins (seeds.load.Login)."""
    async with started_pool(as_owner=True):
        await migrate_forwards()
        seeds = importlib.import_module("seeds.load")
        await seeds.load_reference()
        if not demo:
            return []
        await seeds.load_demo()
        return list(seeds.logins())


def _whole(option: str, value: int, *, most: int) -> int:
    return int(number_option(option, str(value), Decimal(1), Decimal(most)))


def free_port(host: str, port: int) -> int:
    """Return ``port``, or the next one that is free.

    Raises:
        Conflict: none of the next ones is, or the host is not an address of this machine.
    """
    trouble = ""
    for candidate in range(port, min(port + _PORTS, 65536)):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError as error:
                trouble = str(error)
                continue
            return candidate
    raise Conflict(
        msg(
            "{host} 上从 {port} 起没有可用的端口：{trouble}。请用 --port 换一个。",
            host=host,
            port=port,
            trouble=trouble,
        )
    )


def _announce(host: str, port: int, logins: list[Any], lang: Language) -> None:
    """Print where to look and who may sign in, once a page has answered."""
    if not answers(host, port, patience=_PATIENCE):
        say(msg("网页在 {seconds} 秒内没有应答，请看上面的错误。", seconds=_PATIENCE), lang, error=True)
        return
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104  compared, not listened on
    say(msg("田头 Tiantou 已经开张：{address}", address=f"http://{shown}:{port}/"), lang)
    if logins:
        say(msg("示范账号（账号 / 密码）："), lang)
        for one in logins:
            who = (one.organisation_en, one.name_en) if lang == "en" else (one.organisation, one.name)
            print(f"  {one.phone} / {one.password}  {' '.join(who)}", flush=True)
    say(msg("按 Ctrl-C 停止。"), lang)


def answers(host: str, port: int, *, patience: float) -> bool:
    """Ask for the first page until it comes, for ``patience`` seconds at most."""
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  compared, not listened on
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        asked = http.client.HTTPConnection(target, port, timeout=5)
        try:
            asked.request("GET", "/")
            if asked.getresponse().status < 500:
                return True
        except (OSError, http.client.HTTPException):
            pass
        finally:
            asked.close()
        time.sleep(0.05)
    return False


def work(arguments: argparse.Namespace) -> int:
    """Work on jobs until told to stop."""
    importlib.import_module("market.app")  # every room registers its handlers
    kinds = kinds_within(arguments.jobs) if arguments.jobs else None
    tasks = _whole("--tasks", arguments.tasks, most=_MOST_WORKERS)

    async def until_told() -> None:
        told = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, told.set)
        async with started_pool(as_owner=True):
            await migrate_forwards()
        async with started_pool():
            worker = Worker(tasks=tasks, kinds=kinds)
            await worker.start()
            say(msg("工作进程 {name} 已就绪。", name=worker.name), language(sys.argv[1:]))
            await told.wait()
            await worker.stop()

    asyncio.run(until_told())
    return 0


def database(arguments: argparse.Namespace) -> int:
    """Bring the schema up to date, or say how it stands (exit 1 if something waits)."""
    lang = language(sys.argv[1:])

    async def up() -> int:
        async with started_pool(as_owner=True):
            done = await migrate_forwards()
            say(msg("已执行 {count} 个迁移。", count=len(done)), lang)
        return 0

    async def stand() -> int:
        async with started_pool(as_owner=True):
            told = await status()
        say(
            msg(
                "已执行 {applied} 个，待执行 {waiting} 个。",
                applied=len(told.applied),
                waiting=len(told.waiting),
            ),
            lang,
        )
        for name in told.waiting:
            print(f"  {name}")
        return 1 if told.waiting else 0

    return asyncio.run(up() if arguments.what == "up" else stand())
