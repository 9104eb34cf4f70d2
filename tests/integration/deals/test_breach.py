"""A broken contract: the case, its end, and what is left of the goods back on the market at once."""

import asyncio
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.clock import CHINA
from market.db.jobs import Worker
from market.db.session import execute, fetch, fetch_value, transaction
from market.deals import breach_termination
from market.deals.breach import (
    NewCase,
    add_evidence,
    answer_case,
    decide_case,
    file_case,
    lapse_cases,
    offer_settlement,
    open_case,
    settle_case,
)
from market.deals.breach_queries import case_of, cases_of, evidence_of, figures
from market.deals.breach_termination import terminate
from market.deals.pieces import Piece
from market.deals.queries import deal_of
from market.errors import Busy, Conflict, Invalid, NotFound
from market.i18n import translate
from market.matching.rematching import PAUSE
from market.notices.queries import inbox
from market.supply.stock import send_stock
from market.transitions import WrongState
from market.units import Gram
from tests.integration.deals.scene import Contracted, contract
from tests.integration.races import at_once

WHOLE = 400_000


class Scene(Contracted, frozen=True, kw_only=True):
    town: Member
    listing_id: int

    async def open(self, by: Member, ground: str = "not_taken") -> int:
        case = NewCase(deal_id=self.deal_id, ground=ground, statement="价格跌了，对方不收货。")
        return await open_case(case=case, **self.by(by))

    async def filed(self, by: Member | None = None, ground: str = "not_taken") -> int:
        breach_id = await self.open(by or self.seller, ground)
        await file_case(breach_id=breach_id, **self.by(by or self.seller))
        return breach_id


async def rest(of: Scene) -> int:
    return int(
        await fetch_value(
            "SELECT remaining FROM lot JOIN listing ON listing.lot = lot.id WHERE listing.id = $1",
            of.listing_id,
        )
    )


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer = await factory.member(role="buyer")
    listing_id = await factory.listing(seller, kg=400)
    deal_id = await contract(
        seller, buyer, listing_id=listing_id, demand_id=await factory.demand(buyer, kg=400), grams=WHOLE
    )
    scene = Scene(seller, buyer, deal_id, town=town, listing_id=listing_id)
    await scene.sign()
    return scene


async def test_draft_is_seen_by_its_author_alone(scene: Scene, factory: Factory) -> None:
    breach_id = await scene.open(scene.seller)
    for member in (scene.buyer, scene.town):
        with pytest.raises(NotFound):
            await case_of(breach_id=breach_id, organisation_id=member.organisation_id)
    await file_case(breach_id=breach_id, **scene.by(scene.seller))
    for member in (scene.seller, scene.buyer, scene.town):
        assert [each.id for each in await cases_of(organisation_id=member.organisation_id)] == [breach_id]
    # who has to answer reads until when
    dues = [
        (await inbox(organisation_id=each.organisation_id))[0].due_at for each in (scene.buyer, scene.town)
    ]
    assert [each and each.astimezone(CHINA).date() for each in dues] == [TODAY + timedelta(days=7), None]
    stranger = await factory.member(role="buyer")
    with pytest.raises(NotFound):
        await case_of(breach_id=breach_id, organisation_id=stranger.organisation_id)


async def test_case_runs_from_filing_to_the_towns_record(scene: Scene) -> None:
    breach_id = await scene.filed()
    with pytest.raises(WrongState):
        await decide_case(breach_id=breach_id, move="confirm", decision="太早", **scene.by(scene.town))
    with pytest.raises(WrongState):
        await answer_case(breach_id=breach_id, answer="替对方答", **scene.by(scene.seller))
    await answer_case(breach_id=breach_id, answer="仓库满了。", **scene.by(scene.buyer))
    with pytest.raises(WrongState):
        await decide_case(breach_id=breach_id, move="confirm", decision="自己定", **scene.by(scene.seller))
    state = await decide_case(
        breach_id=breach_id, move="confirm", decision="磅单和通知属实。", **scene.by(scene.town)
    )
    case = await case_of(breach_id=breach_id, organisation_id=scene.buyer.organisation_id)
    assert (state, case.state, case.answer, case.decision) == (
        "confirmed",
        "confirmed",
        "仓库满了。",
        "磅单和通知属实。",
    )
    assert await fetch_value("SELECT state FROM deal") == "active"


async def test_unanswered_case_lapses_when_its_days_are_over(scene: Scene) -> None:
    breach_id = await scene.filed()
    assert await lapse_cases(at=STORY + timedelta(days=7)) == 0
    assert await lapse_cases(at=STORY + timedelta(days=8)) == 1
    with pytest.raises(WrongState):
        await answer_case(breach_id=breach_id, answer="迟了", **scene.by(scene.buyer))
    assert (
        await decide_case(breach_id=breach_id, move="dismiss", decision="证据不足。", **scene.by(scene.town))
        == "not_confirmed"
    )


async def test_settlement_needs_the_very_words_that_the_other_offered(scene: Scene) -> None:
    breach_id = await scene.filed()
    with pytest.raises(Conflict):
        await settle_case(breach_id=breach_id, offer="", **scene.by(scene.buyer))
    # the town records what it finds: it makes no offer that one side could accept for both
    with pytest.raises(NotFound):
        await offer_settlement(breach_id=breach_id, offer="各让一步", **scene.by(scene.town))
    await offer_settlement(breach_id=breach_id, offer="补 2000 元", **scene.by(scene.seller))
    with pytest.raises(Conflict):
        await settle_case(breach_id=breach_id, offer="补 2000 元", **scene.by(scene.seller))
    with pytest.raises(Conflict):
        await settle_case(breach_id=breach_id, offer="补 1000 元", **scene.by(scene.buyer))
    assert await settle_case(breach_id=breach_id, offer="补 2000 元", **scene.by(scene.buyer)) == "settled"


async def test_evidence_stays_and_both_sides_may_add_it(scene: Scene) -> None:
    breach_id = await scene.filed()
    await add_evidence(breach_id=breach_id, evidence=Piece("磅单照片", b"x", "h"), **scene.by(scene.seller))
    await add_evidence(breach_id=breach_id, evidence=Piece("仓库照片"), **scene.by(scene.buyer))
    assert [each.words for each in await evidence_of(breach_id=breach_id)] == ["磅单照片", "仓库照片"]
    with pytest.raises(asyncpg.RaiseError):
        await fetch("DELETE FROM breach_evidence")


async def test_ground_must_fit_the_other_side_and_one_case_is_open(scene: Scene) -> None:
    with pytest.raises(Invalid) as refused:
        await scene.open(scene.seller, "not_delivered")
    assert list(refused.value.fields) == ["ground"]
    await scene.open(scene.seller)
    with pytest.raises(Conflict):
        await scene.open(scene.seller)


async def test_notice_of_termination_puts_the_rest_back_on_sale_and_asks_for_a_match(scene: Scene) -> None:
    await scene.send(100_000, "dispatch", "arrive", "accept")
    under_way = await scene.send(50_000, "dispatch")
    await scene.send(20_000)
    breach_id = await scene.filed()
    with pytest.raises(NotFound):
        await terminate(breach_id=breach_id, **scene.by(scene.buyer))
    free = await terminate(breach_id=breach_id, **scene.by(scene.seller))
    assert (free, await rest(scene)) == (250_000, 250_000)
    assert await fetch_value("SELECT state FROM listing") == "published"
    assert await fetch_value("SELECT open FROM demand") == 0
    deal = await deal_of(deal_id=scene.deal_id, organisation_id=scene.seller.organisation_id)
    assert (deal.state, deal.released) == ("terminated", 250_000)
    states = [row["state"] for row in await fetch("SELECT state FROM delivery ORDER BY id")]
    assert states == ["accepted", "dispatched", "cancelled"]
    job = (await fetch("SELECT payload FROM job WHERE kind = 'matching.rematch'"))[0]
    assert msgspec.json.decode(job["payload"]) == {"town_id": scene.town.organisation_id}
    # what is refused on arrival comes back too
    await scene.move(under_way, "arrive")
    await scene.move(under_way, "reject", reason="quality")
    assert await rest(scene) == 300_000
    assert await fetch_value("SELECT sum(change)::bigint FROM stock_entry") == 300_000
    with pytest.raises(Conflict):
        await terminate(breach_id=breach_id, **scene.by(scene.seller))


async def test_the_seller_is_told_where_the_rest_is_free_but_not_on_sale(scene: Scene) -> None:
    day = TODAY - timedelta(days=1)
    await execute("UPDATE listing SET available_from = $1, available_to = $1", day)
    breach_id = await scene.filed()
    await terminate(breach_id=breach_id, **scene.by(scene.seller))
    lot = await fetch_value("SELECT id FROM lot")
    told = (await inbox(organisation_id=scene.seller.organisation_id))[0]
    assert (told.kind, told.link) == ("goods_freed", f"/selling/lots/{lot}")
    told = (await inbox(organisation_id=scene.buyer.organisation_id))[0]
    assert "已释放" in translate(told.message, "zh")


async def test_rematch_asks_for_a_run_and_comes_back_while_one_is_under_way(scene: Scene) -> None:
    breach_id = await scene.filed()
    await terminate(breach_id=breach_id, **scene.by(scene.seller))
    assert await Worker(kinds=["matching.rematch"]).work_once() is True
    assert await fetch_value("SELECT state FROM run WHERE town = $1", scene.town.organisation_id) == "queued"
    await execute("UPDATE job SET state = 'waiting', leased_until = NULL WHERE kind = 'matching.rematch'")
    assert await Worker(kinds=["matching.rematch"]).work_once() is True
    later = await fetch_value(
        "SELECT run_at - enqueued_at FROM job WHERE kind = 'matching.rematch' AND state = 'waiting'"
    )
    assert PAUSE - timedelta(seconds=5) < later <= PAUSE + timedelta(seconds=5)


async def test_demand_is_open_again_where_the_seller_failed(scene: Scene) -> None:
    breach_id = await scene.filed(scene.buyer, "not_delivered")
    await terminate(breach_id=breach_id, **scene.by(scene.buyer))
    assert await fetch_value("SELECT open FROM demand") == WHOLE


async def test_goods_on_the_way_are_free_only_as_far_as_they_are_refused(scene: Scene) -> None:
    on_the_way = [await scene.send(grams, "dispatch") for grams in (40_000, 50_000, 60_000)]
    breach_id = await scene.filed(scene.buyer, "late_delivery")
    assert await terminate(breach_id=breach_id, **scene.by(scene.buyer)) == 250_000
    for number in on_the_way:
        await scene.move(number, "arrive")
    taken, in_part, refused = on_the_way
    await scene.move(taken, "accept", loss=200)
    assert (await rest(scene), await fetch_value("SELECT open FROM demand")) == (250_000, 250_000)
    await scene.move(in_part, "accept_part", accepted=30_000, loss=250, reason="quality")
    assert await rest(scene) == 269_750
    await scene.move(refused, "reject", reason="quality")
    # the seller failed: what the buyer refuses it may ask for again, from anybody
    assert (await rest(scene), await fetch_value("SELECT open FROM demand")) == (329_750, 329_750)
    assert await fetch_value("SELECT released FROM deal") == 329_750
    assert await fetch_value("SELECT sum(accepted + loss)::bigint FROM delivery") == WHOLE - 329_750


async def test_draft_terminates_nothing(scene: Scene) -> None:
    breach_id = await scene.open(scene.seller)
    with pytest.raises(Conflict):
        await terminate(breach_id=breach_id, **scene.by(scene.seller))
    assert await rest(scene) == 0


async def test_figures_follow_the_terms_and_the_substitute_sale(scene: Scene, factory: Factory) -> None:
    breach_id = await scene.filed()
    await terminate(breach_id=breach_id, **scene.by(scene.seller))
    other = await factory.member(role="buyer")
    await contract(scene.seller, other, listing_id=scene.listing_id, grams=300_000, price=601, source_id=2)
    case = await case_of(breach_id=breach_id, organisation_id=scene.seller.organisation_id)
    deal = await deal_of(deal_id=scene.deal_id, organisation_id=scene.seller.organisation_id)
    sums, later = await figures(case=case, deal=deal)
    assert (sums.penalty, sums.shortfall, sums.covered) == (28_040, 30_000, 300_000)
    assert [(each.quantity, each.price) for each in later] == [(300_000, 601)]


async def race(scene: Scene) -> tuple[int, int]:
    """Give notice six times at once, while a delivery is being taken.

    Returns how often it was given, and how often only a constraint of the database stood in the way.
    """
    guarded = 0
    delivery_id = await scene.send(150_000, "dispatch", "arrive")
    breach_id = await scene.filed()

    async def notice() -> bool:
        nonlocal guarded
        try:
            await terminate(breach_id=breach_id, **scene.by(scene.seller))
        except asyncpg.CheckViolationError:
            guarded += 1
            return False
        except (Conflict, Busy):
            return False
        return True

    async def take() -> bool:
        try:
            await scene.move(delivery_id, "accept")
        except (Conflict, Busy):
            return False
        return True

    done = await at_once([*(notice() for _ in range(3)), take(), *(notice() for _ in range(3))])
    return sum(done) - done[3], guarded


async def test_notice_at_once_from_several_windows_releases_once(wide: Scene) -> None:
    assert await race(wide) == (1, 0)
    assert await rest(wide) == 250_000
    assert await fetch_value("SELECT released FROM deal") == 250_000


async def test_both_sides_give_notice_at_once_and_one_counts(wide: Scene) -> None:
    sellers = await wide.filed()
    buyers = await wide.filed(wide.buyer, "late_delivery")

    async def notice(breach_id: int, by: Member) -> bool:
        try:
            await terminate(breach_id=breach_id, **wide.by(by))
        except (Conflict, Busy):
            return False
        return True

    pairs = [(sellers, wide.seller), (buyers, wide.buyer)] * 3
    assert sum(await at_once(notice(*each) for each in pairs)) == 1
    assert await rest(wide) == WHOLE
    assert await fetch_value("SELECT released FROM deal") == WHOLE
    assert await fetch_value("SELECT count(*) FROM breach WHERE terminated_at IS NOT NULL") == 1
    assert await fetch_value("SELECT count(*) FROM stock_entry WHERE kind = 'released'") == 1


async def test_goods_that_are_sent_meanwhile_and_a_notice_wait_for_each_other_only_once(wide: Scene) -> None:
    """A line of the stock ledger names the contract while it holds the lot: a notice must not mind that."""
    breach_id = await wide.filed()
    lot_id = await fetch_value("SELECT lot FROM listing WHERE id = $1", wide.listing_id)
    is_locked = asyncio.Event()

    async def send() -> None:
        async with transaction():
            await fetch("SELECT FROM lot WHERE id = $1 FOR NO KEY UPDATE", lot_id)
            is_locked.set()
            await asyncio.sleep(0.1)
            goods = {"lot_id": lot_id, "grams": Gram(1_000), "deal_id": wide.deal_id, "storage_id": None}
            by = {"owner_id": wide.seller.organisation_id, "actor": wide.seller.actor, "at": STORY}
            await send_stock(**goods, **by)

    async def notice() -> int:
        await is_locked.wait()
        return await terminate(breach_id=breach_id, **wide.by(wide.seller))

    assert await asyncio.gather(send(), notice()) == [None, WHOLE]


async def test_without_the_lock_the_same_notice_tries_to_release_twice(
    wide: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof that the test above can fail: it sees what the lock prevents."""

    async def unlocked(sql: str, /, *values: object) -> list[asyncpg.Record]:
        rows = await fetch(sql.replace("FOR NO KEY UPDATE OF breach, deal", ""), *values)
        if "noticed" in sql:
            await asyncio.sleep(0.05)
        return rows

    monkeypatch.setattr(breach_termination, "fetch", unlocked)
    assert await race(wide) != (1, 0)
