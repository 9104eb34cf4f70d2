"""The PostgreSQL that ``make run`` starts when DATABASE_URL names no server.

It listens on a socket only, in a folder that nobody else may enter, and lets in two system users: the one
that runs us and the one that runs it (``peer``). Every process that uses it holds a shared lock; the last
one to go stops it, and a process that was killed leaves a server that the next one takes over.
"""

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import msgspec

from market.db import cluster as files
from market.db.cluster import DATABASE, PORT, ROLE, SERVING_ROLE, User
from market.db.programs import NoDatabase, Programs, choose
from market.i18n import msg
from market.settings import Settings, private_folder

#: Seconds for what a crash left behind to end.
_PATIENCE = 20


class Server(msgspec.Struct, frozen=True):
    """A running server of our own."""

    programs: Programs
    cluster: Path
    socket: Path

    @property
    def address(self) -> dict[str, Any]:
        """asyncpg's arguments for our database, as its owner."""
        return {"host": str(self.socket), "port": PORT, "user": ROLE, "database": DATABASE}

    @property
    def serving_address(self) -> dict[str, Any]:
        """The same as the role that serves and owns nothing."""
        return {**self.address, "user": SERVING_ROLE}


def _postmaster(cluster: Path) -> tuple[int, Path] | None:
    """Return the process id and socket folder of the cluster's running server, else None.

    A postmaster.pid left by a crash may name a process id that has been given to another program since:
    only a process that works in the data folder counts.
    """
    data = cluster / "data"
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
        at_work = Path(os.readlink(f"/proc/{pid}/cwd"))
    except (FileNotFoundError, ProcessLookupError, PermissionError, ValueError, IndexError):
        return None
    if at_work != data or len(lines) < 8:
        return None
    return pid, Path(lines[4])


def _at_work(data: Path) -> bool:
    """Say whether any process works in ``data``; a zombie does not."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                if Path(os.readlink(process / "cwd")) == data:
                    return True
            except OSError:
                continue
    return False


def _clear_after_crash(cluster: Path, socket: Path) -> None:
    """Remove the lock files of a server that did not end properly.

    PostgreSQL would refuse to start for as long as their process id lives, be it as a zombie or as
    another program. Backends of the crashed server end by themselves; they are waited for.

    Raises:
        NoDatabase: one of them does not end.
    """
    data = cluster / "data"
    locks = [data / "postmaster.pid", socket / f".s.PGSQL.{PORT}.lock", socket / f".s.PGSQL.{PORT}"]
    if not any(path.exists() for path in locks):
        return
    deadline = time.monotonic() + _PATIENCE
    while _at_work(data):
        if time.monotonic() > deadline:
            raise NoDatabase(
                msg("上次的数据库进程还没有结束，请结束在 {folder} 里工作的进程后再启动。", folder=str(data))
            )
        time.sleep(0.02)
    for path in locks:
        path.unlink(missing_ok=True)


def _start(programs: Programs, cluster: Path, user: User, options: Sequence[str]) -> Path:
    socket = files.socket_folder(cluster, user)
    _clear_after_crash(cluster, socket)
    log = cluster / "log"
    if log.exists() and log.stat().st_size > 10_000_000:
        log.replace(cluster / "log.1")
    words = " ".join([f"-k '{socket}'", f"-p {PORT}", *options])
    started = files.run_as(
        user,
        [
            programs.folder / "pg_ctl",
            "start",
            "-w",
            "-t",
            "60",
            "-s",
            "-D",
            cluster / "data",
            "-l",
            log,
            "-o",
            words,
        ],
        check=False,
    )
    if started.returncode:
        tail = log.read_text(errors="replace")[-1500:] if log.exists() else ""
        raise NoDatabase(
            msg(
                "数据库没有启动：{output} 日志：{log}",
                output=f"{started.stdout.strip()}\n{tail}".strip(),
                log=str(log),
            )
        )
    return socket


@contextmanager
def _locked(path: Path) -> Iterator[TextIO]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


@contextmanager
def running(chosen: Settings, *, options: Sequence[str] = ()) -> Iterator[Server]:
    """Run the own server of ``chosen.data_dir`` until the block ends and nobody else uses it.

    ``options`` go to the server when this call is the one that starts it. Two starts at once are safe.
    It blocks for up to a minute: call it outside the event loop.

    Raises:
        NoDatabase: no programs, a cluster of another version, no user to run it, or it does not start.
    """
    home = private_folder(chosen.data_dir)
    user = files.server_user()
    users = (home / "postgres.users").open("a")
    try:
        with _locked(home / "postgres.lock"):
            cluster = files.cluster_of(home, user)
            programs = choose(chosen.postgres, written_by=files.written_by(cluster))
            programs = files.reachable_programs(programs, user)
            at_work = _postmaster(cluster)
            if at_work:
                socket = at_work[1]
            else:
                if files.written_by(cluster) is None:
                    files.initialise(programs, cluster, user, to_disk="-F" not in options)
                else:
                    files.add_serving_role(programs, cluster, user)
                socket = _start(programs, cluster, user, options)
            fcntl.flock(users, fcntl.LOCK_SH)
        yield Server(programs, cluster, socket)
        with _locked(home / "postgres.lock"):
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            if _postmaster(cluster):
                files.run_as(
                    user, [programs.folder / "pg_ctl", "stop", "-s", "-m", "fast", "-D", cluster / "data"]
                )
    finally:
        users.close()


def address(chosen: Settings) -> dict[str, Any]:
    """Return asyncpg's arguments for the own server, which another process must have started.

    Raises:
        NoDatabase: it does not run.
    """
    link = chosen.data_dir / "postgres"
    at_work = _postmaster(link.resolve()) if link.is_dir() else None
    if at_work is None:
        raise NoDatabase(msg("数据库没有运行。请先运行 make run，或用 DATABASE_URL 指明数据库。"))
    return {"host": str(at_work[1]), "port": PORT, "user": ROLE, "database": DATABASE}
