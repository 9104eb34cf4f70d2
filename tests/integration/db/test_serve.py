"""``market serve`` as ``make run`` starts it: an address that answers, a polite end, two at once."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.db.conftest import Person, people


@pytest.fixture
def serving(home_of: Callable[[Person], Path]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start servers on one data folder; what a test leaves is ended, and the database must be."""
    home = home_of(people()[0])
    lock_file = home / "postgres" / "data" / "postmaster.pid"
    started: list[subprocess.Popen[str]] = []
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MARKET_", "DATABASE_URL"))
        },
        "MARKET_DATA_DIR": str(home),
        "MARKET_PORT": "18431",
        "LANG": "C",
    }

    def start(**more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "market", "serve"],
            env=environment | more,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.terminate()
            process.wait(30)
        if process.stdout:
            process.stdout.close()
    assert not lock_file.exists()


def address_of(process: subprocess.Popen[str]) -> str:
    """Wait for the line with the address."""
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"田头 Tiantou 已经开张：(http://127\.0\.0\.1:\d+/)\n", line)
    assert found is not None, line
    return found[1]


def test_two_servers_share_a_database_and_the_last_one_stops_it(
    serving: Callable[[], subprocess.Popen[str]],
) -> None:
    """One is told to end as a service manager does it, the other by the keyboard."""
    first = serving()
    one = address_of(first)
    second = serving()
    two = address_of(second)
    assert one != two
    os.killpg(first.pid, signal.SIGTERM)
    assert first.wait(30) == 0
    with urllib.request.urlopen(f"{two}api/openapi.json", timeout=10) as answer:
        assert answer.status == 200
    os.killpg(second.pid, signal.SIGINT)
    assert second.wait(30) == 0


#: Python runs this first: at each fork it writes down what the other threads are about.
_WATCH = """
import os, sys, threading, traceback

def note():
    with open(os.environ["FORKS"], "a") as seen:
        for thread, frame in sys._current_frames().items():
            if thread != threading.get_ident():
                print(*(each.name for each in traceback.extract_stack(frame)), file=seen)

os.register_at_fork(before=note)
"""


def test_no_page_is_asked_for_while_processes_are_forked(
    serving: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    """To ask loads modules and looks up a host: a process forked meanwhile would never get their locks."""
    (tmp_path / "sitecustomize.py").write_text(_WATCH)
    forks = tmp_path / "forks"
    address_of(serving(PYTHONPATH=str(tmp_path), FORKS=str(forks)))
    threads = forks.read_text()
    assert "announce" in threads
    assert "answers" not in threads
