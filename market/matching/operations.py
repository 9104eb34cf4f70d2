"""Running the engine on the database, and keeping what it found.

Reading, computing and keeping are three steps: the computing holds no transaction and no event loop,
and its result is kept only if the market is still what was read. If not, it is read and computed again.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal

import msgspec

from market import clock
from market.accounts.rules import SYSTEM, Actor
from market.amounts import masses
from market.audit.operations import record
from market.db.jobs import Run as Attempt
from market.db.jobs import enqueue
from market.db.processes import in_process_telling, keep_ready, tell_parent
from market.db.session import add_rows, execute, fetch, transaction
from market.errors import Busy, Conflict, MarketError, NotFound
from market.i18n import Message, msg
from market.matching import lifecycle
from market.matching.diagnosis.diagnosis import Unlock
from market.matching.engine import Pair, Result, solve_market
from market.matching.queries import Gains, Progress, Snapshot, fingerprint, snapshot
from market.matching.rules import Parameters
from market.notices.operations import notify
from market.units import HAO_PER_FEN, Gram

#: Seconds of computing; the best result so far is kept with its gap.
TIME_LIMIT = 300.0
#: How often the market may move under a run before the run gives up.
MOST_READS = 3

keep_ready(__name__)

Compute = Callable[[Snapshot, Parameters], Awaitable[Result]]


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

    async def compute(market: Snapshot, parameters: Parameters) -> Result:
        return await in_process_telling(progress_keeper(run_id), solve, market, parameters, TIME_LIMIT)

    try:
        await read_compute_keep(run_id, None, start=at, finish=lambda: at, compute=compute)
    except BaseException as trouble:
        await fail_run(run_id, trouble, at=at)
        raise
    return run_id


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


class Started(msgspec.Struct, frozen=True):
    """What a run that has begun is about: its town, its day and its parameters."""

    town_id: int
    on: date
    parameters: Parameters


async def start_run(run_id: int, *, at: datetime) -> Started:
    """Set a run going, or on again, and return what it is about."""
    rows = await fetch(
        """UPDATE run SET state = $2, started_at = coalesce(started_at, $3)
           WHERE id = $1 AND state IN ('queued', 'running') RETURNING town, parameters, started_at""",
        run_id,
        lifecycle.RUNNING,
        at,
    )
    if not rows:
        raise NotFound(msg("没有找到这次撮合。"))
    return Started(
        rows[0]["town"],
        rows[0]["started_at"].astimezone(clock.CHINA).date(),
        msgspec.json.decode(rows[0]["parameters"], type=Parameters),
    )


async def read_compute_keep(
    run_id: int, attempt: Attempt | None, *, start: datetime, finish: Callable[[], datetime], compute: Compute
) -> None:
    """Do a whole run: read, ``compute``, and keep if the market has held still."""
    run = await start_run(run_id, at=start)
    for _ in range(MOST_READS):
        market = await read_market(town_id=run.town_id, on=run.on)
        result = await compute(market, run.parameters)
        try:
            async with attempt.finishing() if attempt else transaction():
                await take_turn()
                await hold_still()
                if fingerprint(await snapshot(town_id=run.town_id, on=run.on)) != fingerprint(market):
                    raise MovedError
                await supersede_before(run_id=run_id, town_id=run.town_id)
                await keep_result(
                    run_id=run_id, town_id=run.town_id, market=market, result=result, at=finish()
                )
        except MovedError:
            continue
        return
    raise moves_too_fast()


def moves_too_fast() -> Conflict:
    """Return the refusal of a market that has not held still, however often it was read."""
    return Conflict(msg("市场变动太快，这次撮合没有保存，请稍后再试。"))


#: Any number that no other advisory lock of ours uses.
_TURN = 0x6B656570


async def take_turn() -> None:
    """Wait until no other run is being kept: two that lock tables in the middle would wait in a ring."""
    await execute("SET LOCAL lock_timeout = '60s'")
    await execute("SELECT pg_advisory_xact_lock($1)", _TURN)
    await execute("SET LOCAL lock_timeout TO DEFAULT")


async def hold_still() -> None:
    """Let writers to the market wait until the transaction ends."""
    # in the order in which deals lock, so that nobody waits in a ring
    await execute("LOCK TABLE match, lot, listing, demand, refusal IN SHARE MODE")


def progress_keeper(run_id: int) -> Callable[[Progress], Awaitable[None]]:
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


class MovedError(Exception):
    """The market changed while it was being computed."""


async def read_market(*, town_id: int, on: date) -> Snapshot:
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


async def keep_result(
    *, run_id: int, town_id: int, market: Snapshot, result: Result, at: datetime, inputs_kept: bool = False
) -> None:
    """Write the result in the caller's transaction and tell the people concerned.

    ``inputs_kept``: the market is stored with the run's parts already (``run_input``).
    """
    await _keep_matches(run_id=run_id, market=market, pairs=result.pairs, at=at)
    lots, demands = [lot.id for lot in market.lots], [demand.id for demand in market.demands]
    await _keep_diagnosis(run_id, "diagnosis", lots, demands, result.diagnosis)
    await _keep_diagnosis(run_id, "demand_diagnosis", demands, lots, result.demand_diagnosis)
    worth = round(result.certificate.worth_yuan * 100)
    await execute(
        """UPDATE run SET state = $2, inputs = $3, inputs_hash = $4, certificate = $5, worth = $6,
                          finished_at = $7, gains = $8, progress = NULL WHERE id = $1""",
        run_id,
        lifecycle.RUN.apply("finish", state=lifecycle.RUNNING, by="system"),
        None if inputs_kept else msgspec.json.encode(market).decode(),
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


async def supersede_before(*, run_id: int, town_id: int) -> None:
    """Put aside what earlier runs of the town proposed and nobody took up."""
    await execute(
        """UPDATE match SET state = $3 FROM run
           WHERE run.id = match.run AND run.town = $2 AND match.run <> $1 AND match.state = $4""",
        run_id,
        town_id,
        lifecycle.MATCH.apply("supersede", state=lifecycle.PROPOSED, by="system"),
        lifecycle.PROPOSED,
    )


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
        msgspec.json.encode(rows, order="deterministic").decode(),
    )


async def _keep_matches(*, run_id: int, market: Snapshot, pairs: Sequence[Pair], at: datetime) -> None:
    """Write the matches, all in one stroke: there may be very many."""
    rows = []
    for pair in pairs:
        lot, demand = market.lots[pair.lot], market.demands[pair.demand]
        rows.append(
            {
                "run": run_id,
                "listing": int(lot.id),
                "demand": int(demand.id),
                "seller": int(lot.seller),
                "buyer": int(demand.buyer),
                "quantity": int(pair.quantity),
                "price": _hao(pair.price),
                "price_low": _hao(pair.price_low),
                "price_high": _hao(pair.price_high),
                "freight": round(pair.freight_yuan_per_kg * 100 * HAO_PER_FEN),
                "distance": round(pair.km * 1_000),
                "worth": round(pair.worth_yuan * 100),
                "reason": msgspec.json.encode(pair.reason).decode(),
                "state": lifecycle.MATCH.start,
                "created_at": at,
                "expires_at": at + timedelta(days=lifecycle.ANSWER_DAYS),
                "decline_note": "",
            }
        )
    if rows:
        await add_rows("match", list(rows[0]), [tuple(row.values()) for row in rows])


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
    return msg("有 {count} 条撮合建议，共 {mass}，请答复。", count=count, mass=masses(Gram(grams)))


async def forget_parts(run_id: int) -> None:
    """Delete what the workers on a run's parts had to tell each other."""
    for table in ("run_part", "run_cleared"):
        await execute(f"DELETE FROM {table} WHERE run = $1", run_id)  # noqa: S608  words of ours


async def fail_run(run_id: int, trouble: BaseException, *, at: datetime) -> None:
    """Close a run that is not done; people read why."""
    message = (
        trouble.message
        if isinstance(trouble, MarketError)
        else msg("计算没有完成，请重试；反复出现请联系管理员。")
    )
    async with transaction():
        await execute(
            """UPDATE run SET state = $2, error = $3, finished_at = $4
               WHERE id = $1 AND state IN ('queued', 'running')""",
            run_id,
            lifecycle.FAILED,
            msgspec.json.encode(message).decode(),
            at,
        )
        await forget_parts(run_id)
        await execute(
            "DELETE FROM run_input USING run WHERE run.id = run_input.run AND run.id = $1 AND state = $2",
            run_id,
            lifecycle.FAILED,
        )
