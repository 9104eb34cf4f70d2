"""Processes of other users, and data folders that vanish with their clusters."""

import os
import pwd
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest


class Person(NamedTuple):
    """A system user as whom a test acts."""

    name: str
    uid: int
    gid: int


def people() -> list[Person]:
    """Return who can act here: the ordinary user, and root where the tests run as root."""
    me = pwd.getpwuid(os.geteuid())
    mine = Person(me.pw_name, me.pw_uid, me.pw_gid)
    if mine.uid:
        return [mine]
    ordinary = pwd.getpwnam("nobody")
    return [mine, Person(ordinary.pw_name, ordinary.pw_uid, ordinary.pw_gid)]


@pytest.fixture(params=people(), ids=lambda who: "root" if who.uid == 0 else "ordinary")
def person(request: pytest.FixtureRequest) -> Person:
    return request.param


@pytest.fixture
def ordinary() -> Person:
    return people()[-1]


@pytest.fixture
def home_of() -> Iterator[Callable[[Person], Path]]:
    """Make a data folder for a person. It goes afterwards, with the cluster that it links to."""
    made: list[Path] = []

    def make(who: Person) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="tiantou-test-"))
        os.chown(folder, who.uid, who.gid)
        made.append(folder)
        return folder / "tiantou"

    yield make
    for folder in made:
        for home in folder.rglob("tiantou"):
            shutil.rmtree((home / "postgres").resolve(), ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


class Child:
    """A process that acts as ``who``: forked, so that it needs no Python that the user can reach."""

    def __init__(self, who: Person, deed: Callable[[], Any]) -> None:
        reading, writing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(reading)
                if os.geteuid() != who.uid:
                    os.setgroups([])
                    os.setgid(who.gid)
                    os.setuid(who.uid)
                os.write(writing, msgspec.json.encode(["done", deed()]))
                status = 0
            except BaseException as trouble:
                told = [type(trouble).__name__, str(trouble), traceback.format_exc()]
                os.write(writing, msgspec.json.encode(told))
            finally:
                os._exit(status)
        os.close(writing)
        self._reading = reading

    def result(self) -> Any:
        """Wait for its end and return what the deed returned.

        Raises:
            AssertionError: the deed failed; the text holds its traceback.
        """
        with os.fdopen(self._reading, "rb") as file:
            told = file.read()
        os.waitpid(self.pid, 0)
        word, *rest = msgspec.json.decode(told) if told else ("killed", "")
        assert word == "done", f"{word}: {rest[-1]}"
        return rest[0]

    def failure(self) -> tuple[str, str]:
        """Wait for its end and return the kind and text of the error that ended it."""
        with os.fdopen(self._reading, "rb") as file:
            word, text, *_ = msgspec.json.decode(file.read())
        os.waitpid(self.pid, 0)
        return word, text


@pytest.fixture
def acting() -> Callable[[Person, Callable[[], Any]], Child]:
    return Child
