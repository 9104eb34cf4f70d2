"""A finished run looked at again: why a pair, what each village got, what a bonus cost, and once more.

Everything stands on the run's stored inputs and results; whatever needs solving runs in a process of its own.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from market.accounts.rules import Actor
from market.audit.operations import record
from market.db.processes import in_process
from market.db.session import execute, fetch, fetch_value, transaction
from market.matching.certificate import Certificate
from market.matching.diagnosis.diagnosis import Unlock
from market.matching.engine import DEMAND_STATES, LOT_STATES, Pair, Result, Side, solve_market
from market.matching.explain import place_to_compute
from market.matching.explaining.fairness import PriorityCost, VillageReport, by_village, cost_of_priorities
from market.matching.explaining.whatif import product_of
from market.matching.explaining.why import Why, why_pair
from market.matching.findings import DiagnosisRow, diagnoses_of_run
from market.matching.queries import (
    Gains,
    MatchRow,
    Snapshot,
    fingerprint,
    gains_of,
    inputs_of,
    matches_of_run,
    run_of,
)
from market.matching.rules import Parameters
from market.units import HAO_PER_FEN, Gram

#: Seconds for computing a whole run again.
AGAIN_SECONDS = 120.0


async def why_in_run(*, run_id: int, town_id: int, listing_id: int, demand_id: int) -> Why:
    """Tell why a listing and a demand were paired in a run of the town, or why not.

    Raises:
        NotFound: no such run, or it knew no such listing or demand.
        Busy: too many ask at once.
    """
    run = await run_of(run_id=run_id, town_id=town_id)
    market = await inputs_of(run_id=run_id, town_id=town_id)
    parameters = msgspec.convert(run.parameters, Parameters)
    gains = await gains_of(run_id=run_id, town_id=town_id)
    lot_id, wanted = str(listing_id), str(demand_id)
    barred = frozenset(market.barred)
    if gains is not None:
        matches = await matches_of_run(run_id=run_id, town_id=town_id)
        result = stored_result(market, matches, gains, [], run.certificate or {})
        return why_pair(
            market.lots,
            market.demands,
            parameters,
            lot_id=lot_id,
            demand_id=wanted,
            barred=barred,
            result=result,
        )
    product_of(market.lots, market.demands, lot_id=lot_id)
    product_of(market.lots, market.demands, demand_id=wanted)
    async with place_to_compute():
        return await in_process(
            why_pair, market.lots, market.demands, parameters, lot_id=lot_id, demand_id=wanted, barred=barred
        )


def stored_result(
    market: Snapshot,
    matches: Sequence[MatchRow],
    gains: Gains,
    findings: Sequence[DiagnosisRow],
    certificate: dict[str, Any],
) -> Result:
    """Put a result together again from what the tables keep of it.

    Prices are to 0.0001 yuan as stored; how many admissible pairs each had is not kept and stands as 0.
    """
    lots = {lot.id: place for place, lot in enumerate(market.lots)}
    demands = {demand.id: place for place, demand in enumerate(market.demands)}
    sold, served = [0] * len(lots), [0] * len(demands)
    pairs = []
    for match in matches:
        i, j = lots[str(match.listing)], demands[str(match.demand)]
        sold[i] += match.quantity
        served[j] += match.quantity
        pairs.append(
            Pair(
                lot=i,
                demand=j,
                quantity=Gram(match.quantity),
                price=_yuan(match.engine_price),
                price_low=_yuan(match.price_low),
                price_high=_yuan(match.price_high),
                freight_yuan_per_kg=match.freight / (100 * HAO_PER_FEN),
                km=match.distance / 1000,
                worth_yuan=match.worth / 100,
                reason=match.reason,
            )
        )
    diagnosis: dict[int, list[Unlock]] = {}
    for found in findings:
        if (place := lots.get(str(found.listing))) is not None:
            diagnosis.setdefault(place, []).append(
                Unlock(obstacle=found.obstacle, change=found.change, grams=Gram(found.unlocks), demands=())
            )
    return Result(
        pairs=tuple(sorted(pairs, key=lambda pair: (pair.lot, pair.demand))),
        lots=tuple(
            _side(lot.quantity, sold[k], gains.lots.get(lot.id), LOT_STATES)
            for k, lot in enumerate(market.lots)
        ),
        demands=tuple(
            _side(demand.quantity, served[k], gains.demands.get(demand.id), DEMAND_STATES)
            for k, demand in enumerate(market.demands)
        ),
        diagnosis=diagnosis,
        certificate=msgspec.convert(certificate, Certificate),
    )


def _yuan(hao: int) -> Decimal:
    return Decimal(hao).scaleb(-4)


def _side(whole: int, traded: int, gain: Decimal | None, states: tuple[str, str, str]) -> Side:
    return Side(
        traded=Gram(traded),
        rest=Gram(whole - traded),
        gain=gain if gain is not None else Decimal(0),
        admissible_pairs=0,
        status=states[0] if not traded else states[2] if traded == whole else states[1],
    )


class Village(msgspec.Struct, frozen=True):
    """A seller's part in a run, with its name."""

    id: int
    name: str
    name_en: str
    report: VillageReport


async def villages_of_run(*, run_id: int, town_id: int) -> list[Village]:
    """Report a run of the town by seller, the most left over first.

    Raises:
        NotFound: no such run, or it has not finished.
    """
    run = await run_of(run_id=run_id, town_id=town_id)
    market = await inputs_of(run_id=run_id, town_id=town_id)
    nothing = Gains({}, {})
    result = stored_result(
        market,
        await matches_of_run(run_id=run_id, town_id=town_id),
        nothing,
        await diagnoses_of_run(run_id=run_id, town_id=town_id),
        run.certificate or {},
    )
    reports = by_village(market.lots, result)
    rows = await fetch(
        "SELECT id, name, name_en FROM organisation WHERE id = ANY($1::bigint[])",
        [int(each.seller) for each in reports],
    )
    names = {row["id"]: (row["name"], row["name_en"]) for row in rows}
    return [Village(int(each.seller), *names[int(each.seller)], each) for each in reports]


async def bonus_of_run(*, run_id: int, town_id: int) -> PriorityCost | None:
    """Return what the hardship bonuses of a run moved and cost; None where it had none.

    Computed once and kept: it follows from the run's inputs.

    Raises:
        NotFound: no such run, or it has not finished.
        Busy: too many ask at once.
    """
    run = await run_of(run_id=run_id, town_id=town_id)
    market = await inputs_of(run_id=run_id, town_id=town_id)
    if not any(lot.priority for lot in market.lots):
        return None
    kept = await fetch_value("SELECT bonus FROM run WHERE id = $1", run_id)
    if kept:
        return msgspec.json.decode(kept, type=PriorityCost)
    marked = {lot.product for lot in market.lots if lot.priority}
    small = Snapshot(
        [lot for lot in market.lots if lot.product in marked],
        [demand for demand in market.demands if demand.product in marked],
        market.barred,
    )
    async with place_to_compute():
        cost = await in_process(bonus_cost, small, msgspec.convert(run.parameters, Parameters), AGAIN_SECONDS)
    await execute("UPDATE run SET bonus = $2 WHERE id = $1", run_id, msgspec.json.encode(cost).decode())
    return cost


def bonus_cost(market: Snapshot, parameters: Parameters, seconds: float) -> PriorityCost:
    """:func:`cost_of_priorities` with a limit of time; module-level, for another process."""
    return cost_of_priorities(
        market.lots,
        market.demands,
        parameters,
        barred=frozenset(market.barred),
        deadline=time.monotonic() + seconds,
    )


class Again(msgspec.Struct, frozen=True):
    """A run computed once more from its stored inputs, beside what was kept. Fen."""

    #: The inputs still bear the fingerprint (SHA-256) that the run wrote down.
    untouched: bool
    fingerprint: str
    pairs: int
    #: Pairs whose quantity or price differs, or that only one of the two has.
    differing: list[tuple[str, str]]
    worth: int
    worth_again: int
    finished: bool
    seconds: float

    @property
    def identical(self) -> bool:
        return self.untouched and not self.differing and self.worth == self.worth_again


async def compute_again(*, run_id: int, town_id: int, actor: Actor, at: datetime) -> Again:
    """Compute a finished run of the town once more from its stored inputs and compare with what it kept.

    The outcome is put on record.

    Raises:
        NotFound: no such run, or it has not finished.
        Busy: too many ask at once.
    """
    run = await run_of(run_id=run_id, town_id=town_id)
    market = await inputs_of(run_id=run_id, town_id=town_id)
    parameters = msgspec.convert(run.parameters, Parameters)
    begun = time.monotonic()
    async with place_to_compute():
        result = await in_process(solve_again, market, parameters, AGAIN_SECONDS)
    kept = {
        (str(match.listing), str(match.demand)): (match.quantity, match.engine_price)
        for match in await matches_of_run(run_id=run_id, town_id=town_id)
    }
    again = {
        (market.lots[pair.lot].id, market.demands[pair.demand].id): (
            int(pair.quantity),
            int(pair.price * 100 * HAO_PER_FEN),
        )
        for pair in result.pairs
    }
    stamp = fingerprint(market)
    found = Again(
        untouched=stamp == run.inputs_hash,
        fingerprint=stamp,
        pairs=len(again),
        differing=sorted(pair for pair in {**kept, **again} if kept.get(pair) != again.get(pair)),
        worth=run.worth or 0,
        worth_again=round(result.certificate.worth_yuan * 100),
        finished=result.certificate.finished,
        seconds=round(time.monotonic() - begun, 1),
    )
    async with transaction():
        await record(
            subject=f"run:{run_id}",
            action="recheck",
            actor=actor,
            at=at,
            details={"identical": found.identical, "pairs": found.pairs, "inputs": stamp},
        )
    return found


def solve_again(market: Snapshot, parameters: Parameters, seconds: float) -> Result:
    """Run the engine on stored inputs; module-level, for another process."""
    return solve_market(
        market.lots,
        market.demands,
        parameters,
        barred=frozenset(market.barred),
        deadline=time.monotonic() + seconds,
    )
