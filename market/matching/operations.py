"""Running the engine on the database, and keeping what it found.

Reading, computing and keeping are three steps: the computing holds no transaction and no event loop,
and its result is kept only if the market is still what was read. If not, it is read and computed again.
"""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal

import msgspec

from market import clock
from market.accounts.rules import SYSTEM, Actor
from market.audit.operations import record
from market.db.jobs import Run as Attempt
from market.db.jobs import enqueue, job
from market.db.processes import in_process_telling, tell_parent
from market.db.session import execute, fetch, fetch_value, transaction
from market.errors import Busy, Conflict, MarketError, NotFound
from market.i18n import Message, msg
from market.matching import lifecycle
from market.matching.diagnosis import Unlock
from market.matching.engine import Pair, Result, solve_market
from market.matching.queries import Gains, Progress, Snapshot, fingerprint, snapshot
from market.matching.rules import Parameters
from market.notices.operations import notify
from market.units import HAO_PER_FEN, Gram, kg

#: Seconds of computing; the best result so far is kept with its gap.
TIME_LIMIT = 300.0
#: A run without a worker is over after this time.
ABANDONED = timedelta(hours=1)
#: How often the market may move under a run before the run gives up.
MOST_READS = 3


class RunPayload(msgspec.Struct, frozen=True):
    run_id: int


async def request_run(
    *, town_id: int, actor: Actor, at: datetime, parameters: Parameters | None = None
) -> int:
    """Queue a run for the town's goods and return its number; the worker takes it from there.

    Raises:
        Conflict: a run of this town is under way.
    """
    async with transaction():
        run_id = await _open_run(town_id=town_id, actor=actor, at=at, parameters=parameters or Parameters())
        await enqueue("matching.run", RunPayload(run_id), key=f"run:{run_id}")
    return run_id


async def run_now(*, town_id: int, actor: Actor, at: datetime, parameters: Parameters | None = None) -> int:
    """Run the engine for the town here and now, as the command line does; return the run's number.

    Raises:
        Conflict: a run of this town is under way, or the market did not hold still.
    """
    async with transaction():
        run_id = await _open_run(town_id=town_id, actor=actor, at=at, parameters=parameters or Parameters())
    try:
        await _read_compute_keep(run_id, None, start=at, finish=lambda: at)
    except BaseException as trouble:
        await _fail(run_id, trouble, at=at)
        raise
    return run_id


@job("matching.run", long=True)
async def compute(attempt: Attempt) -> None:
    """The worker's part of :func:`request_run`."""
    run_id = attempt.read(RunPayload).run_id
    if await fetch_value("SELECT state FROM run WHERE id = $1", run_id) in (lifecycle.DONE, lifecycle.FAILED):
        async with attempt.finishing():
            return
    try:
        await _read_compute_keep(run_id, attempt, start=clock.now(), finish=clock.now)
    except Busy:
        # passes by itself: the job is tried again
        raise
    except MarketError as trouble:
        async with attempt.finishing():
            await _fail(run_id, trouble, at=clock.now())


async def _open_run(*, town_id: int, actor: Actor, at: datetime, parameters: Parameters) -> int:
    rows = await fetch(
        """INSERT INTO run (town, state, parameters, created_by, created_at) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (town) WHERE state IN ('queued', 'running') DO NOTHING RETURNING id""",
        town_id,
        lifecycle.RUN.start,
        msgspec.json.encode(parameters).decode(),
        actor.person_id,
        at,
    )
    if not rows:
        raise Conflict(msg("本镇的一次撮合正在进行，请等它完成。"))
    return int(rows[0]["id"])


async def _read_compute_keep(
    run_id: int, attempt: Attempt | None, *, start: datetime, finish: Callable[[], datetime]
) -> None:
    rows = await fetch("SELECT town, parameters FROM run WHERE id = $1", run_id)
    if not rows:
        raise NotFound(msg("没有找到这次撮合。"))
    town_id, parameters = rows[0]["town"], msgspec.json.decode(rows[0]["parameters"], type=Parameters)
    await execute(
        "UPDATE run SET state = $2, started_at = $3 WHERE id = $1 AND state IN ('queued', 'running')",
        run_id,
        lifecycle.RUNNING,
        start,
    )
    today = start.astimezone(clock.CHINA).date()
    for _ in range(MOST_READS):
        market = await _read(town_id=town_id, on=today)
        result = await in_process_telling(_keeper(run_id), solve, market, parameters, TIME_LIMIT)
        try:
            async with attempt.finishing() if attempt else transaction():
                # writers wait for a moment; in the order in which deals lock, so that nobody waits in a ring
                await execute("LOCK TABLE match, lot, listing, demand IN SHARE MODE")
                if fingerprint(await snapshot(town_id=town_id, on=today)) != fingerprint(market):
                    raise _MovedError
                await _keep(run_id=run_id, town_id=town_id, market=market, result=result, at=finish())
        except _MovedError:
            continue
        return
    raise Conflict(msg("市场变动太快，这次撮合没有保存，请稍后再试。"))


def _keeper(run_id: int) -> Callable[[Progress], Awaitable[None]]:
    """Return what writes into the run's row how far it has come."""

    async def keep(progress: Progress) -> None:
        # a word about the work is not worth the work: a busy database may miss it
        with suppress(Busy):
            await execute(
                "UPDATE run SET progress = $2 WHERE id = $1 AND state = 'running'",
                run_id,
                msgspec.json.encode(progress).decode(),
            )

    return keep


class _MovedError(Exception):
    """The market changed while it was being computed."""


async def _read(*, town_id: int, on: date) -> Snapshot:
    async with transaction(isolation="repeatable_read", readonly=True):
        return await snapshot(town_id=town_id, on=on)


def solve(market: Snapshot, parameters: Parameters, seconds: float) -> Result:
    """Run the engine on what was read; module-level, for another process."""
    return solve_market(
        market.lots,
        market.demands,
        parameters,
        barred=frozenset(market.barred),
        deadline=time.monotonic() + seconds,
        progress=lambda stage, done, whole: tell_parent(Progress(stage, done, whole)),
        demands_too=True,
    )


async def _keep(*, run_id: int, town_id: int, market: Snapshot, result: Result, at: datetime) -> None:
    """Write the result in the caller's transaction and tell the people concerned."""
    await execute(
        """UPDATE match SET state = $2 FROM run
           WHERE run.id = match.run AND run.town = $1 AND match.state = $3""",
        town_id,
        lifecycle.MATCH.apply("supersede", state=lifecycle.PROPOSED, by="system"),
        lifecycle.PROPOSED,
    )
    for pair in result.pairs:
        await _keep_match(run_id=run_id, market=market, pair=pair, at=at)
    lots, demands = [lot.id for lot in market.lots], [demand.id for demand in market.demands]
    await _keep_diagnosis(run_id, "diagnosis", lots, demands, result.diagnosis)
    await _keep_diagnosis(run_id, "demand_diagnosis", demands, lots, result.demand_diagnosis)
    worth = round(result.certificate.worth_yuan * 100)
    await execute(
        """UPDATE run SET state = $2, inputs = $3, inputs_hash = $4, certificate = $5, worth = $6,
                          finished_at = $7, gains = $8, progress = NULL WHERE id = $1""",
        run_id,
        lifecycle.RUN.apply("finish", state=lifecycle.RUNNING, by="system"),
        msgspec.json.encode(market).decode(),
        fingerprint(market),
        msgspec.json.encode(result.certificate).decode(),
        worth,
        at,
        msgspec.json.encode(gains(market, result)).decode(),
    )
    await record(
        subject=f"run:{run_id}",
        action="finish",
        actor=SYSTEM,
        at=at,
        details={"matches": len(result.pairs), "worth_fen": worth, "inputs": fingerprint(market)},
    )
    await _tell(run_id=run_id, town_id=town_id, market=market, result=result, at=at)


def gains(market: Snapshot, result: Result) -> Gains:
    """Return the gains of a result by the ids of its market."""
    return Gains(
        lots={lot.id: side.gain for lot, side in zip(market.lots, result.lots, strict=True)},
        demands={demand.id: side.gain for demand, side in zip(market.demands, result.demands, strict=True)},
    )


async def _keep_diagnosis(
    run_id: int, table: str, whose: list[str], opened: list[str], diagnosis: dict[int, list[Unlock]]
) -> None:
    """Write the findings about lots or demands, all in one statement: there may be very many."""
    own, others = ("demand", "listings") if table == "demand_diagnosis" else ("listing", "demands")
    rows = [
        {
            "own": int(whose[place]),
            "rank": rank,
            "obstacle": unlock.obstacle,
            "change": unlock.change,
            "unlocks": unlock.grams,
            "others": [int(opened[each]) for each in unlock.demands or unlock.lots],
            "cost": _hao(unlock.cost),
            "terms": unlock.changes,
            "value": unlock.value,
            "confirmed": unlock.confirmed,
        }
        for place, unlocks in diagnosis.items()
        for rank, unlock in enumerate(unlocks, start=1)
    ]
    await execute(
        f"""INSERT INTO {table} (run, {own}, rank, obstacle, change, unlocks, {others}, cost, terms, value,
                                 confirmed)
           SELECT $1, own, rank, obstacle, change, unlocks, others, cost, terms, value, confirmed
           FROM jsonb_to_recordset($2::jsonb) AS found(
               own bigint, rank bigint, obstacle text, change jsonb, unlocks bigint, others bigint[],
               cost bigint, terms jsonb, value bigint, confirmed bool)""",  # noqa: S608  words of ours
        run_id,
        msgspec.json.encode(rows).decode(),
    )


async def _keep_match(*, run_id: int, market: Snapshot, pair: Pair, at: datetime) -> None:
    lot, demand = market.lots[pair.lot], market.demands[pair.demand]
    await execute(
        """INSERT INTO match (run, listing, demand, seller, buyer, quantity, price, price_low, price_high,
                              freight, distance, worth, reason, state, created_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)""",
        run_id,
        int(lot.id),
        int(demand.id),
        int(lot.seller),
        int(demand.buyer),
        pair.quantity,
        _hao(pair.price),
        _hao(pair.price_low),
        _hao(pair.price_high),
        round(pair.freight_yuan_per_kg * 100 * HAO_PER_FEN),
        round(pair.km * 1_000),
        round(pair.worth_yuan * 100),
        msgspec.json.encode(pair.reason).decode(),
        lifecycle.MATCH.start,
        at,
        at + timedelta(days=lifecycle.ANSWER_DAYS),
    )


def _hao(yuan: Decimal) -> int:
    return int(yuan * 100 * HAO_PER_FEN)


async def _tell(*, run_id: int, town_id: int, market: Snapshot, result: Result, at: datetime) -> None:
    """One notice for each organisation, however many matches it has."""
    count: dict[str, int] = {}
    grams: dict[str, int] = {}
    for pair in result.pairs:
        for party in (market.lots[pair.lot].seller, market.demands[pair.demand].buyer):
            count[party] = count.get(party, 0) + 1
            grams[party] = grams.get(party, 0) + pair.quantity
    for party in sorted(count, key=int):
        await notify(
            organisation_id=int(party),
            kind="matches_proposed",
            message=_proposed(count[party], grams[party]),
            link="/matches",
            at=at,
            due_at=at + timedelta(days=lifecycle.ANSWER_DAYS),
        )
    stuck: dict[str, int] = {}
    for place in result.diagnosis:
        seller = market.lots[place].seller
        stuck[seller] = stuck.get(seller, 0) + 1
    for party in sorted(stuck, key=int):
        await notify(
            organisation_id=int(party),
            kind="listings_stuck",
            message=msg("有 {count} 批货没有全部配上买家，点开看原因和能改的一步。", count=stuck[party]),
            link="/selling",
            at=at,
        )
    await notify(
        organisation_id=town_id,
        kind="run_finished",
        message=msg("撮合完成：{count} 条建议。", count=len(result.pairs)),
        link=f"/town/runs/{run_id}",
        at=at,
    )


def _proposed(count: int, grams: int) -> Message:
    return msg("有 {count} 条撮合建议，共 {mass} 公斤，请答复。", count=count, mass=f"{kg(Gram(grams)):,f}")


async def _fail(run_id: int, trouble: BaseException, *, at: datetime) -> None:
    message = (
        trouble.message
        if isinstance(trouble, MarketError)
        else msg("计算没有完成，请重试；反复出现请联系管理员。")
    )
    await execute(
        """UPDATE run SET state = $2, error = $3, finished_at = $4
           WHERE id = $1 AND state IN ('queued', 'running')""",
        run_id,
        lifecycle.FAILED,
        msgspec.json.encode(message).decode(),
        at,
    )


async def fail_abandoned(*, at: datetime) -> int:
    """Fail runs that nobody works on any more, so that the town can start another; return how many.

    A run from the command line has no job: it is left alone for as long as it could take.
    """
    rows = await fetch(
        """SELECT id FROM run WHERE state IN ('queued', 'running') AND created_at < $1
             AND NOT EXISTS (SELECT FROM job WHERE job.kind = 'matching.run' AND job.key = 'run:' || run.id
                               AND job.state IN ('waiting', 'running', 'retrying'))""",
        at - ABANDONED,
    )
    for row in rows:
        await _fail(row["id"], Conflict(msg("计算中断了，请重新撮合。")), at=at)
    return len(rows)
