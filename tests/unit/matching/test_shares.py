"""Work shared among processes: nothing lost, nothing twice, trouble told."""

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from time import sleep

import pytest

from fixtures.markets import Shape, synthetic_market
from market.errors import Busy
from market.matching import engine
from market.matching.engine import solve_market
from market.matching.rules import Parameters
from market.matching.shares import made_by_processes


@pytest.mark.parametrize("threads", [1, 2, 3, 9])
def test_every_part_is_made_once(threads: int) -> None:
    made = list(made_by_processes(lambda part: (part * part, os.getpid()), range(7), threads))
    assert sorted(square for square, _ in made) == [k * k for k in range(7)]
    assert os.getpid() not in {by for _, by in made}


def test_trouble_in_a_process_is_raised_here() -> None:
    def make(part: int) -> int:
        if part == 3:
            raise ArithmeticError("part 3")
        return part

    with pytest.raises(ArithmeticError, match="part 3"):
        list(made_by_processes(make, range(6), 2))


def test_process_that_dies_is_told() -> None:
    def make(part: int) -> int:
        if part == 2:
            os._exit(9)
        return part

    with pytest.raises(Busy):
        list(made_by_processes(make, range(6), 2))


def _share_work_and_be_killed(link: Connection) -> None:
    def make(part: int) -> None:
        link.send(part)
        sleep(60)

    list(made_by_processes(make, range(4), 2))


def test_processes_do_not_outlive_the_one_that_shares_its_work() -> None:
    ours, theirs = multiprocessing.Pipe()
    sharing = multiprocessing.get_context("fork").Process(target=_share_work_and_be_killed, args=(theirs,))
    sharing.start()
    theirs.close()
    assert {ours.recv(), ours.recv()} == {0, 1}
    assert sharing.pid is not None
    os.kill(sharing.pid, signal.SIGKILL)
    sharing.join()
    # whoever still lives holds the other end
    assert ours.poll(5)
    with pytest.raises(EOFError):
        ours.recv()


@pytest.mark.parametrize("limits", [False, True])
def test_several_processes_find_what_one_finds(limits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 150 if limits else 300
    lots, demands = synthetic_market(
        Shape(lots=size, demands=size, products=5, min_orders=limits, max_lots=limits, round_kg=100)
    )
    alone = solve_market(lots, demands, Parameters(), clock=lambda: 0.0)
    monkeypatch.setattr(engine, "ALONE", 0)
    shared = solve_market(lots, demands, Parameters(), clock=lambda: 0.0, threads=3)
    assert shared == alone
