from datetime import datetime, timedelta

import pytest

from fixtures.factories import STORY, TODAY, Factory
from market.audit.checking import check
from market.audit.operations import MOST_AT_ONCE
from market.bids.operations import NewBid, place_bid
from market.bids.standing import expire_bids
from market.cases.rounds import MOST_A_ROUND
from market.db.jobs import Worker
from market.db.session import execute, fetch, fetch_value
from market.demand.operations import close_overdue
from market.matching.agreement import agree, expire_matches
from market.matching.operations import run_now
from market.notices.queries import inbox
from market.supply.operations import expire_listings
from market.units import FenPerKg, Gram
from market.upkeep import schedule_upkeep


async def test_what_has_lapsed_is_moved_on_and_its_author_told(factory: Factory) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer = await factory.member(role="buyer")
    listing_id = await factory.listing(seller)
    await factory.demand(buyer)
    await run_now(town_id=town.organisation_id, actor=town.actor, at=STORY)
    await place_bid(
        bid=NewBid(listing_id, Gram(1_000), FenPerKg(700), TODAY, TODAY + timedelta(days=9)),
        buyer_id=buyer.organisation_id,
        actor=buyer.actor,
        at=STORY,
    )
    soon, late = STORY + timedelta(days=1), STORY + timedelta(days=90)
    assert (await expire_bids(at=soon), await expire_matches(at=soon)) == (0, 0)
    assert (await expire_bids(at=late), await expire_matches(at=late)) == (1, 1)
    assert (await inbox(organisation_id=buyer.organisation_id))[0].kind == "bid_expired"
    assert (await expire_listings(at=STORY), await close_overdue(at=STORY)) == (0, 0)
    assert (await expire_listings(at=late), await close_overdue(at=late)) == (1, 1)
    assert await fetch_value("SELECT state FROM listing") == "expired"
    assert await fetch_value("SELECT state FROM demand") == "closed"
    # what the clock did has its record, in nobody's name; matches that nobody took up, in their run's
    rows = await fetch(
        "SELECT split_part(subject, ':', 1) || ' ' || action || details AS said FROM audit_record"
        " WHERE person IS NULL AND at = $1 ORDER BY id",
        late,
    )
    assert [row["said"] for row in rows] == [
        "bid expire{}",
        'run expire{"matches": 1}',
        "listing expire{}",
        "demand close{}",
    ]
    assert (await check()).is_whole


async def test_a_match_that_one_side_took_up_lapses_in_its_own_chain(factory: Factory) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    await factory.listing(seller)
    await factory.demand(await factory.member(role="buyer"))
    await run_now(town_id=town.organisation_id, actor=town.actor, at=STORY)
    match = await fetch_value("SELECT id FROM match")
    await agree(match_id=match, organisation_id=seller.organisation_id, actor=seller.actor, at=STORY)
    assert await expire_matches(at=STORY + timedelta(days=90)) == 1
    rows = await fetch(
        "SELECT action FROM audit_record WHERE subject = $1 ORDER BY position", f"match:{match}"
    )
    assert [row["action"] for row in rows] == ["agree", "expire"]


async def test_more_than_one_round_can_hold_is_done_by_the_next_which_comes_at_once(factory: Factory) -> None:
    demand = await factory.demand(await factory.member(role="buyer"))
    await execute(
        """INSERT INTO demand SELECT (jsonb_populate_record(demand, jsonb_build_object(
             'id', nextval('demand_id_seq'), 'deliver_from', '2026-01-01', 'deliver_to', '2026-01-01'))).*
           FROM demand, generate_series(1, $2) WHERE id = $1""",
        demand,
        MOST_AT_ONCE + 1,
    )
    await schedule_upkeep()
    worker = Worker(tasks=1, kinds=["upkeep"])
    for left in (1, 0):
        assert await worker.work_once()
        overdue = "SELECT count(*) FROM demand WHERE state = 'published' AND deliver_to < '2026-02-01'"
        assert await fetch_value(overdue) == left
    assert not await worker.work_once()
    assert await fetch_value("SELECT count(*) FROM audit_record WHERE action = 'close'") == MOST_AT_ONCE + 1


async def test_more_cases_than_a_round_takes_on_are_gone_on_with_at_once(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = [MOST_A_ROUND, MOST_A_ROUND - 1]

    async def portion(*, at: datetime) -> int:
        return moved.pop(0)

    monkeypatch.setattr("market.upkeep.round_of_cases", portion)
    await schedule_upkeep()
    worker = Worker(tasks=1, kinds=["upkeep"])
    assert [await worker.work_once() for _ in range(3)] == [True, True, False]
    assert not moved


async def test_a_round_puts_down_the_next_one_and_asking_twice_makes_one(factory: Factory) -> None:
    for _ in range(2):
        await schedule_upkeep()
    assert await fetch_value("SELECT count(*) FROM job") == 1
    await execute("UPDATE job SET run_at = now() - interval '1 minute'")
    assert await Worker(tasks=1).work_once()
    rows = await fetch("SELECT state FROM job WHERE kind = 'upkeep' ORDER BY id")
    assert [row["state"] for row in rows] == ["done", "waiting"]


async def test_a_step_that_fails_stops_neither_the_others_nor_the_clock(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listing_id = await factory.listing(await factory.member(role="secretary"))
    await execute("UPDATE listing SET available_from = '2026-01-01', available_to = '2026-01-01'")

    async def broken(*, at: datetime) -> int:
        await execute("UPDATE listing SET title = 'half done'")
        raise ZeroDivisionError

    monkeypatch.setattr("market.upkeep.close_overdue", broken)
    await schedule_upkeep()
    assert await Worker(tasks=1, kinds=["upkeep"]).work_once()
    row = (await fetch("SELECT state, title FROM listing WHERE id = $1", listing_id))[0]
    assert (row["state"], row["title"]) == ("expired", "红衣花生")
    assert [record.getMessage() for record in caplog.records if record.name == "market.upkeep"] == [
        "upkeep of demands"
    ]
    # the next round comes soon
    soon = "run_at < now() + interval '10 minutes'"
    rows = await fetch(f"SELECT state, {soon} FROM job WHERE kind = 'upkeep' ORDER BY id")
    assert [tuple(row) for row in rows] == [("done", True), ("waiting", True)]
