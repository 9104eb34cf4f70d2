"""The worker's side of a run: small markets whole, large ones in parts that any worker takes.

Each job is done by a process of its own with its own way to the database, reading and keeping included:
the process that serves pages and keeps the job's lease never holds a market. A large market is stored
once; its parts are jobs, and who finishes the last one leaves the putting together as another. If the
market has moved by then, only the products that are not as they were are cleared again.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

import market as program
from market import clock
from market.db.jobs import LostLease, Waiting, enqueue, job
from market.db.jobs import Run as Attempt
from market.db.processes import in_process_connected
from market.db.session import execute, fetch, fetch_row, fetch_value, transaction
from market.errors import Busy, Conflict, MarketError
from market.i18n import msg
from market.matching import lifecycle
from market.matching.engine import Outcome, Result, assemble, scale_of, shares_of_time
from market.matching.operations import (
    TIME_LIMIT,
    MovedError,
    RunPayload,
    Started,
    fail_run,
    forget_parts,
    hold_still,
    keep_result,
    moves_too_fast,
    progress_keeper,
    read_compute_keep,
    solve,
    start_run,
    supersede_before,
    take_turn,
)
from market.matching.optimum.candidates import Market
from market.matching.parts import Unfit, cut, decode, encode, fingerprints, packed, unpacked
from market.matching.queries import Progress, Snapshot, possible_pairs, snapshot, stamp_of
from market.matching.rules import Parameters
from market.settings import settings

if TYPE_CHECKING:
    from market.matching.clearing import Cleared

#: A run that nobody works on is over after this time.
ABANDONED = timedelta(hours=1)
#: Seconds after which a job of a run that has not come back is ended: solving stops by itself before.
LONGEST = 3 * TIME_LIMIT
#: Milliseconds that a statement on a large market may take.
STATEMENT = 300_000
#: How often the market may be read for a run in parts: each time only what has moved is cleared again.
MOST_READINGS = 8
#: How often a job of a run is begun, before the run is said to have failed.
MOST_TRIES = 5

log = logging.getLogger("market.matching")

Work = Callable[[Waiting], Coroutine[Any, Any, None]]


class PartPayload(msgspec.Struct, frozen=True):
    """``number``: which part; the putting together has none."""

    run_id: int
    reading: int
    number: int | None = None


@job("matching.run", long=True)
async def begin(attempt: Attempt) -> None:
    """Compute a run that was asked for, or cut it into parts."""
    await _apart(attempt, attempt.read(RunPayload).run_id, begin_here)


@job("matching.part", long=True)
async def clear(attempt: Attempt) -> None:
    """Clear some products of a run."""
    await _apart(attempt, attempt.read(PartPayload).run_id, clear_here)


@job("matching.assemble", long=True)
async def put_together(attempt: Attempt) -> None:
    """Make one result of the products of a run, and keep it."""
    await _apart(attempt, attempt.read(PartPayload).run_id, put_together_here)


async def _apart(attempt: Attempt, run_id: int, work: Work) -> None:
    """Let a process of its own do the job; what cannot be helped by trying again fails the run."""
    trouble: Exception
    try:
        if attempt.job.attempts > MOST_TRIES:
            raise Conflict(
                msg("计算一再中断（可能是内存不够，或数据库太忙），这次撮合没有完成。请联系管理员。")
            )
        async with asyncio.timeout(LONGEST) as limit:
            await in_process_connected(progress_keeper(run_id), work, attempt.job)
        attempt.finished = True
        return
    except (Busy, LostLease):
        # passes by itself, or is another worker's by now
        raise
    except MarketError as refusal:
        trouble = refusal
    except Exception as fault:
        if isinstance(fault, TimeoutError) and limit.expired():
            trouble = Conflict(
                msg("计算超过 {minutes} 分钟还没有结束，这次撮合没有完成。", minutes=round(LONGEST / 60))
            )
        elif attempt.job.attempts < MOST_TRIES:
            raise
        else:
            log.exception("run %s failed", run_id)
            trouble = fault
    async with attempt.finishing():
        await fail_run(run_id, trouble, at=clock.now())


async def begin_here(claimed: Waiting) -> None:
    """In a process of its own: do :func:`begin`."""
    attempt = Attempt(claimed)
    run_id = attempt.read(RunPayload).run_id
    if await fetch_value("SELECT state FROM run WHERE id = $1", run_id) not in (
        lifecycle.QUEUED,
        lifecycle.RUNNING,
    ):
        async with attempt.finishing():
            return
    run = await start_run(run_id, at=clock.now())
    if await possible_pairs(town_id=run.town_id, on=run.on) > settings().run_part_pairs:
        await _spread(attempt, run_id, 1, run)
        return

    async def compute(market: Snapshot, parameters: Parameters) -> Result:
        return solve(market, parameters, TIME_LIMIT)

    await read_compute_keep(run_id, attempt, start=clock.now(), finish=clock.now, compute=compute)


async def _spread(attempt: Attempt, run_id: int, reading: int, run: Started) -> None:
    """Store the market and leave its parts as jobs; products that are cleared already are no part of it."""
    async with transaction(isolation="repeatable_read", readonly=True, statement_timeout=STATEMENT):
        market = await snapshot(town_id=run.town_id, on=run.on)
        stamp = await stamp_of(town_id=run.town_id, on=run.on)
    arrays = _arrays(market, run.parameters)
    scale = scale_of(arrays)
    prints = fingerprints(arrays, market.barred, scale, TIME_LIMIT)
    stored = packed(market)
    async with attempt.finishing():
        if not await _locked(run_id):
            return
        await execute(
            """INSERT INTO run_input (run, reading, market, stamp, version, scale)
               VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (run) DO UPDATE SET reading = excluded.reading, market = excluded.market,
                 stamp = excluded.stamp, version = excluded.version, scale = excluded.scale""",
            run_id,
            reading,
            stored,
            stamp,
            program.__version__,
            scale,
        )
        await execute("DELETE FROM run_part WHERE run = $1", run_id)
        await execute("DELETE FROM run_cleared WHERE run = $1 AND fingerprint <> ALL ($2)", run_id, prints)
        kept = {
            row["fingerprint"]
            for row in await fetch("SELECT fingerprint FROM run_cleared WHERE run = $1", run_id)
        }
        todo = [k for k, print_ in enumerate(prints) if print_ not in kept]
        parts = cut([arrays.cells(k) for k in todo], most=settings().run_part_pairs)
        for number, places in enumerate(parts):
            await execute(
                "INSERT INTO run_part (run, reading, number, products, done) VALUES ($1, $2, $3, $4, false)",
                run_id,
                reading,
                number,
                [todo[place] for place in places],
            )
            await _enqueue("matching.part", PartPayload(run_id, reading, number))
        await _tell_progress(run_id, len(kept), len(prints))
        if not parts:
            await _enqueue("matching.assemble", PartPayload(run_id, reading))


async def clear_here(claimed: Waiting) -> None:
    """In a process of its own: do :func:`clear`."""
    attempt = Attempt(claimed)
    asked = attempt.read(PartPayload)
    part = await fetch_row(
        """SELECT run_part.products FROM run_part JOIN run ON run.id = run_part.run
           WHERE run = $1 AND reading = $2 AND number = $3 AND NOT done AND run.state = $4""",
        asked.run_id,
        asked.reading,
        asked.number,
        lifecycle.RUNNING,
    )
    if part is None:
        async with attempt.finishing():
            return
    market, arrays, scale = await _stored_market(asked)
    prints = fingerprints(arrays, market.barred, scale, TIME_LIMIT)
    del market
    made = [
        (asked.run_id, prints[cleared.product], encode(cleared, arrays))
        for cleared in _clear_products(arrays, part["products"], scale)
    ]
    async with attempt.finishing():
        if not await _locked(asked.run_id, asked.reading):
            return
        for run_id, print_, result in made:
            await execute(
                "INSERT INTO run_cleared (run, fingerprint, result) VALUES ($1, $2, $3)",
                run_id,
                print_,
                result,
            )
        await execute(
            "UPDATE run_part SET done = true WHERE run = $1 AND reading = $2 AND number = $3",
            asked.run_id,
            asked.reading,
            asked.number,
        )
        done = await fetch_value("SELECT count(*) FROM run_cleared WHERE run = $1", asked.run_id)
        await _tell_progress(asked.run_id, done, len(prints))
        # the run's row is locked: of two parts that end at the same time, one is the last
        if not await fetch_value(
            "SELECT count(*) FROM run_part WHERE run = $1 AND reading = $2 AND NOT done",
            asked.run_id,
            asked.reading,
        ):
            await _enqueue("matching.assemble", PartPayload(asked.run_id, asked.reading))


def _clear_products(arrays: Market, products: Sequence[int], scale: float) -> "Iterator[Cleared]":
    # Compiled code takes half a second to load: only what solves pays for it.
    from market.matching.clearing import clear_product

    end = time.monotonic() + TIME_LIMIT
    share = shares_of_time(arrays, products, 1)
    for product in products:
        until = time.monotonic() + share[product] * (end - time.monotonic())
        yield clear_product(
            arrays,
            product,
            scale,
            lambda: time.monotonic() >= end,
            time.monotonic,
            demands_too=True,
            time_limit=TIME_LIMIT,
            left=partial(_seconds_until, until),
        )


def _seconds_until(moment: float) -> float:
    return moment - time.monotonic()


async def put_together_here(claimed: Waiting) -> None:
    """In a process of its own: do :func:`put_together`."""
    attempt = Attempt(claimed)
    asked = attempt.read(PartPayload)
    stamp = await fetch_value(
        """SELECT stamp FROM run_input JOIN run ON run.id = run_input.run
           WHERE run = $1 AND reading = $2 AND run.state = $3""",
        asked.run_id,
        asked.reading,
        lifecycle.RUNNING,
    )
    if stamp is None:
        async with attempt.finishing():
            return
    run = await start_run(asked.run_id, at=clock.now())
    market, arrays, scale = await _stored_market(asked)
    outcome = Outcome(arrays, scale)
    made = await _cleared(asked.run_id)
    for product, print_ in enumerate(fingerprints(arrays, market.barred, scale, TIME_LIMIT)):
        if (stored := made.pop(print_, None)) is None:
            raise Unfit(arrays.products[product])
        outcome.take(decode(stored, arrays, product))
    result = assemble(outcome)
    try:
        if await stamp_of(town_id=run.town_id, on=run.on) != stamp:
            raise MovedError
        async with attempt.finishing():
            # a nation's matches take longer to write than a page may
            await execute(f"SET LOCAL statement_timeout = {STATEMENT}")
            await execute(f"SET LOCAL idle_in_transaction_session_timeout = {STATEMENT}")
            await take_turn()
            if not await _locked(asked.run_id, asked.reading):
                return
            await keep_result(
                run_id=asked.run_id,
                town_id=run.town_id,
                market=market,
                result=result,
                at=clock.now(),
                inputs_kept=True,
            )
            await forget_parts(asked.run_id)
            # only now, when all is written that takes time: writers wait from here on
            await hold_still()
            if await stamp_of(town_id=run.town_id, on=run.on) != stamp:
                raise MovedError
            await supersede_before(run_id=asked.run_id, town_id=run.town_id)
    except MovedError:
        if asked.reading >= MOST_READINGS:
            raise moves_too_fast() from None
        await _spread(attempt, asked.run_id, asked.reading + 1, run)


def _arrays(market: Snapshot, parameters: Parameters) -> Market:
    return Market(market.lots, market.demands, parameters, frozenset(market.barred))


async def _stored_market(asked: PartPayload) -> tuple[Snapshot, Market, float]:
    """Return the market that the parts were cut from.

    Raises:
        Unfit: a program of another version cut it.
    """
    row = await fetch_row(
        """SELECT run_input.market, version, scale, parameters FROM run_input
           JOIN run ON run.id = run_input.run WHERE run = $1 AND reading = $2""",
        asked.run_id,
        asked.reading,
    )
    if row is None:
        raise Unfit("run_input")
    if row["version"] != program.__version__:
        raise Unfit(f"{row['version']} ≠ {program.__version__}")
    market = unpacked(row["market"], Snapshot)
    parameters = msgspec.json.decode(row["parameters"], type=Parameters)
    return market, _arrays(market, parameters), row["scale"]


async def _cleared(run_id: int) -> dict[str, bytes]:
    return {
        row["fingerprint"]: row["result"]
        for row in await fetch("SELECT fingerprint, result FROM run_cleared WHERE run = $1", run_id)
    }


async def _locked(run_id: int, reading: int | None = None) -> bool:
    """Lock a run's row, and tell whether it is going on still, and at this ``reading``."""
    state = await fetch_value("SELECT state FROM run WHERE id = $1 FOR UPDATE", run_id)
    if state != lifecycle.RUNNING:
        return False
    return reading is None or reading == await fetch_value(
        "SELECT reading FROM run_input WHERE run = $1", run_id
    )


async def _enqueue(kind: str, payload: PartPayload) -> None:
    key = f"run:{payload.run_id}:{payload.reading}"
    await enqueue(kind, payload, key=key if payload.number is None else f"{key}:{payload.number}")


async def _tell_progress(run_id: int, done: int, whole: int) -> None:
    await execute(
        "UPDATE run SET progress = $2 WHERE id = $1",
        run_id,
        msgspec.json.encode(Progress(msg("求解"), done, whole)).decode(),
    )


async def fail_abandoned(*, at: datetime) -> int:
    """Fail runs that nobody works on any more, so that the town can start another; return how many.

    A run from the command line has no job: it is left alone for as long as it could take.
    """
    rows = await fetch(
        """SELECT id FROM run WHERE state IN ('queued', 'running') AND created_at < $1
             AND NOT EXISTS (SELECT FROM job
                             WHERE job.kind IN ('matching.run', 'matching.part', 'matching.assemble')
                               AND (job.payload ->> 'run_id')::bigint = run.id
                               AND job.state IN ('waiting', 'running', 'retrying'))""",
        at - ABANDONED,
    )
    for row in rows:
        await fail_run(row["id"], Conflict(msg("计算中断了，请重新撮合。")), at=at)
    return len(rows)
