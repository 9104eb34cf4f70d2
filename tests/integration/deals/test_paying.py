"""Money under a contract: in shares, in parts, and always to the fen."""

import asyncio
import re
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from fixtures.factories import STORY, TODAY, Factory
from market.clock import CHINA
from market.db.session import execute, fetch, fetch_value
from market.deals import paying
from market.deals.breach import NewCase, file_case, open_case
from market.deals.breach_queries import case_of, figures
from market.deals.breach_rules import Figures
from market.deals.breach_termination import terminate
from market.deals.clauses import Milestone
from market.deals.paying import pay
from market.deals.queries import deal_of, payments_of
from market.deals.record import facts_of
from market.deals.reminding import remind_of_payments
from market.deals.terms import answer_terms, propose_terms, terms_in_force
from market.errors import Busy, Conflict, Invalid
from market.transitions import WrongState
from market.units import Fen, FenPerKg, Gram, amount
from tests.integration.deals.scene import Contracted, contract
from tests.integration.races import at_once


class Scene(Contracted, frozen=True):
    async def agree(self, **changed: object) -> None:
        version, terms = await terms_in_force(deal_id=self.deal_id)
        proposed = await propose_terms(
            deal_id=self.deal_id,
            base=version,
            terms=msgspec.structs.replace(terms, **changed),
            note="",
            **self.by(self.seller),
        )
        await answer_terms(deal_id=self.deal_id, version=proposed, move="agree", **self.by(self.buyer))

    async def deliver(self, grams: int, **how: object) -> None:
        await self.move(await self.send(grams, "dispatch", "arrive"), "accept", **how)

    async def dues(self) -> list[tuple[str, int, int]]:
        """Kind, fen, and in how many days: in the order in which they were written."""
        rows = await fetch("SELECT kind, amount, due_on FROM payment ORDER BY id")
        return [(row["kind"], row["amount"], (row["due_on"] - TODAY).days) for row in rows]

    async def pay_all(self) -> None:
        for each in await payments_of(deal_id=self.deal_id):
            if each.state != "paid":
                await pay(payment_id=each.id, **self.by(self.buyer))
        await self.answer_money()


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    deal_id = await contract(seller, buyer, listing_id=await factory.listing(seller), grams=333_333)
    return Scene(seller, buyer, deal_id)


#: 333.333 kg at 7.01 yuan, to the fen.
TOTAL = 233_666


async def test_deposit_and_advance_are_due_at_signing_and_count_towards_the_price(scene: Scene) -> None:
    await scene.agree(
        deposit=1_500, milestones=(Milestone("signing", 3_333, 3), Milestone("arrival", 6_667, 30))
    )
    await scene.sign()
    assert await scene.dues() == [("deposit", 35_049, 7), ("advance", 77_880, 3)]
    for grams in (100_001, 100_002, 133_330):
        await scene.deliver(grams)
    dues = await scene.dues()
    assert [kind for kind, _, _ in dues] == ["deposit", "advance", "goods", "goods", "goods"]
    assert sum(fen for _, fen, _ in dues) == TOTAL
    assert {days for kind, _, days in dues if kind == "goods"} == {30}
    await scene.pay_all()
    assert await scene.state() == "completed"


async def test_goods_are_paid_in_shares_that_sum_exactly(scene: Scene) -> None:
    await scene.agree(
        milestones=tuple(Milestone("arrival", share, n) for n, share in [(5, 3_333), (60, 6_667)])
    )
    await scene.sign()
    for grams in (111_111, 222_222):
        await scene.deliver(grams)
    dues = await scene.dues()
    assert [days for _, _, days in dues] == [5, 60, 5, 60]
    assert sum(fen for _, fen, _ in dues) == TOTAL


async def test_natural_loss_within_the_rate_ends_the_contract_and_is_not_paid_for(scene: Scene) -> None:
    await scene.agree(
        natural_loss=100, milestones=(Milestone("signing", 5_000, 0), Milestone("arrival", 5_000, 9))
    )
    await scene.sign()
    with pytest.raises(Invalid) as refused:
        await scene.deliver(333_333, loss=Gram(3_334))
    assert list(refused.value.fields) == ["loss"]
    number = await fetch_value("SELECT id FROM delivery")
    await scene.move(number, "accept", loss=Gram(3_333))
    assert [row["accepted"] for row in await fetch("SELECT accepted FROM delivery")] == [330_000]
    assert sum(fen for _, fen, _ in await scene.dues()) == 330_000 * 701 // 1_000
    await scene.pay_all()
    assert await scene.state() == "completed"


async def test_goods_paid_beforehand_complete_the_contract_when_they_are_taken(scene: Scene) -> None:
    await scene.agree(milestones=(Milestone("signing", 10_000, 0),))
    await scene.sign()
    await scene.pay_all()
    assert await scene.state() == "active"
    await scene.deliver(333_333)
    assert (await scene.dues(), await scene.state()) == ([("advance", TOTAL, 0)], "completed")


async def test_payment_in_parts_is_part_paid_until_the_last_fen(scene: Scene) -> None:
    await scene.sign()
    await scene.deliver(333_333)
    number = await fetch_value("SELECT id FROM payment")
    assert await pay(payment_id=number, money=Fen(100_001), **scene.by(scene.buyer)) == "part_paid"
    for wrong in (0, -1, TOTAL):
        with pytest.raises(Invalid):
            await pay(payment_id=number, money=Fen(wrong), **scene.by(scene.buyer))
    deal = await deal_of(deal_id=scene.deal_id, organisation_id=scene.seller.organisation_id)
    assert (deal.paid, deal.state) == (100_001, "active")
    assert await pay(payment_id=number, **scene.by(scene.buyer)) == "paid"
    with pytest.raises(WrongState):
        await pay(payment_id=number, **scene.by(scene.buyer))
    assert [row["amount"] for row in await fetch("SELECT amount FROM receipt ORDER BY id")] == [
        100_001,
        TOTAL - 100_001,
    ]
    assert await scene.state() == "active"
    await scene.answer_money()
    assert await scene.state() == "completed"


async def test_deposit_and_advance_agreed_on_later_fall_due_and_what_was_paid_stays(scene: Scene) -> None:
    await scene.agree(deposit=1_000)
    await scene.sign()
    assert await scene.dues() == [("deposit", 23_366, 7)]
    await pay(
        payment_id=(await payments_of(deal_id=scene.deal_id))[0].id, money=Fen(5_000), **scene.by(scene.buyer)
    )
    await scene.answer_money()
    # other clauses leave it alone
    await scene.agree(standard="GB/T 1532")
    assert await scene.dues() == [("deposit", 23_366, 7)]
    milestones = (Milestone("signing", 3_000, 2), Milestone("arrival", 7_000, 30))
    await scene.agree(deposit=2_000, milestones=milestones)
    assert await scene.dues() == [("deposit", 5_000, 7), ("deposit", 41_733, 7), ("advance", 70_099, 2)]
    await scene.deliver(111_111)
    used = await fetch_value("SELECT sum(credit)::bigint FROM delivery")
    # both give up paying beforehand: what goods have used of it is due, the rest with the goods to come
    await scene.agree(deposit=0, milestones=(Milestone("arrival", 10_000, 30),))
    dues = await scene.dues()
    assert [kind for kind, _, _ in dues] == ["deposit", "goods", "deposit"]
    assert dues[0][1] + dues[2][1] == used
    await scene.deliver(222_222)
    assert sum(fen for _, fen, _ in await scene.dues()) == TOTAL
    await scene.pay_all()
    assert await scene.state() == "completed"


async def test_money_beforehand_that_both_let_go_of_holds_no_contract_open(scene: Scene) -> None:
    await scene.agree(deposit=1_000)
    await scene.sign()
    await scene.agree(deposit=0)
    assert await scene.dues() == []
    await scene.deliver(333_333)
    assert [kind for kind, _, _ in await scene.dues()] == ["goods"]
    await scene.pay_all()
    assert await scene.state() == "completed"


async def notice(scene: Scene) -> int:
    """Terminate the contract as its seller, who was not paid; return the number of the case."""
    case = NewCase(deal_id=scene.deal_id, ground="unpaid", statement="定金和预付款都没付。")
    breach_id = await open_case(case=case, **scene.by(scene.seller))
    await file_case(breach_id=breach_id, **scene.by(scene.seller))
    await terminate(breach_id=breach_id, **scene.by(scene.seller))
    return breach_id


async def paid_beforehand(scene: Scene) -> list[int]:
    """Agree on a deposit and an advance, and sign; return the numbers of both payments."""
    await scene.agree(
        deposit=1_000, milestones=(Milestone("signing", 4_000, 0), Milestone("arrival", 6_000, 30))
    )
    await scene.sign()
    return [row["id"] for row in await fetch("SELECT id FROM payment ORDER BY id")]


async def sums_of(scene: Scene, breach_id: int) -> Figures:
    mine = {"organisation_id": scene.seller.organisation_id}
    deal = await deal_of(deal_id=scene.deal_id, **mine)
    return (await figures(case=await case_of(breach_id=breach_id, **mine), deal=deal))[0]


async def test_after_the_notice_all_that_is_due_is_the_price_of_what_was_taken(scene: Scene) -> None:
    deposit, _ = await paid_beforehand(scene)
    await pay(payment_id=deposit, money=Fen(10_001), **scene.by(scene.buyer))
    await scene.deliver(111_111)
    on_the_way = await scene.send(50_001, "dispatch", "arrive")
    breach_id = await notice(scene)
    await scene.move(on_the_way, "accept")
    worth = amount(Gram(161_112), FenPerKg(701))
    assert sum(fen for _, fen, _ in await scene.dues()) == worth
    await scene.pay_all()
    assert await fetch_value("SELECT sum(amount)::bigint FROM receipt") == worth
    sums = await sums_of(scene, breach_id)
    assert (sums.deposit, sums.advance_back) == (0, 0)
    assert await scene.state() == "terminated"


async def test_after_the_notice_nobody_asks_for_money_beforehand_and_what_was_paid_is_told(
    scene: Scene,
) -> None:
    deposit, advance = await paid_beforehand(scene)
    await pay(payment_id=deposit, **scene.by(scene.buyer))
    await pay(payment_id=advance, money=Fen(30_000), **scene.by(scene.buyer))
    breach_id = await notice(scene)
    assert [(kind, fen) for kind, fen, _ in await scene.dues()] == [("deposit", 23_366), ("advance", 30_000)]
    rows = await fetch("SELECT state, paid_on FROM payment")
    assert {(row["state"], row["paid_on"]) for row in rows} == {("paid", TODAY)}
    sums = await sums_of(scene, breach_id)
    assert (sums.deposit, sums.advance_back) == (23_366, 30_000)


async def test_a_deposit_beyond_a_fifth_of_the_price_goes_back_doubled_only_up_to_that(scene: Scene) -> None:
    await scene.agree(deposit=3_000)
    await scene.sign()
    await scene.pay_all()
    case = NewCase(deal_id=scene.deal_id, ground="not_delivered", statement="没有交货。")
    breach_id = await open_case(case=case, **scene.by(scene.buyer))
    await file_case(breach_id=breach_id, **scene.by(scene.buyer))
    sums = await sums_of(scene, breach_id)
    fifth = TOTAL // 5
    assert (sums.deposit_paid, sums.deposit, sums.deposit_back) == (70_099, fifth, 2 * fifth)
    assert sums.advance_back == 70_099 - fifth


async def test_after_the_notice_nothing_is_overdue_that_was_never_paid(scene: Scene) -> None:
    await paid_beforehand(scene)
    await notice(scene)
    assert await scene.dues() == []


async def race(scene: Scene) -> int:
    """Pay a third six times at once; return how many fen the calls say were paid."""
    await scene.sign()
    await scene.deliver(333_333)
    number = await fetch_value("SELECT id FROM payment")

    async def third() -> int:
        try:
            await pay(payment_id=number, money=Fen(80_000), **scene.by(scene.buyer))
        except (Conflict, Busy, Invalid, asyncpg.CheckViolationError):
            return 0
        return 80_000

    return sum(await at_once(third() for _ in range(6)))


async def test_parts_paid_at_once_never_exceed_what_is_due(wide: Scene) -> None:
    assert await race(wide) == 160_000
    assert await fetch_value("SELECT paid FROM payment") == 160_000
    assert await fetch_value("SELECT sum(amount)::bigint FROM receipt") == 160_000
    assert await fetch_value("SELECT state FROM payment") == "part_paid"


async def test_without_the_lock_parts_are_refused_by_the_database_alone(
    wide: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof that the lock does the work: without it the last guard has to step in."""
    caught: list[str] = []

    async def unlocked(sql: str, /, *values: object) -> list[asyncpg.Record]:
        rows = await fetch(re.sub(r"FOR (NO KEY )?UPDATE", "", sql), *values)
        await asyncio.sleep(0.02)
        return rows

    async def executed(sql: str, /, *values: object) -> str:
        try:
            return await real(sql, *values)
        except asyncpg.CheckViolationError as error:
            caught.append(str(error))
            raise

    real = paying.execute
    monkeypatch.setattr(paying, "fetch", unlocked)
    monkeypatch.setattr(paying, "execute", executed)
    await race(wide)
    assert caught


async def test_who_owes_is_reminded_before_the_day_and_ever_more_seldom_after_it(scene: Scene) -> None:
    await scene.agree(deposit=1_000)
    await scene.sign()

    async def told(days: int) -> tuple[int, list[str]]:
        """What a round on that day tells the buyer and the seller."""
        await execute("DELETE FROM notice")
        count = await remind_of_payments(at=STORY + timedelta(days=days))
        rows = await fetch("SELECT kind, organisation FROM notice ORDER BY id")
        side = {scene.buyer.organisation_id: "buyer", scene.seller.organisation_id: "seller"}
        return count, [f"{side[row['organisation']]} {row['kind']}" for row in rows]

    late = ["buyer payment_due", "seller payment_overdue"]
    assert await told(3) == (0, [])
    assert await told(4) == (1, ["buyer payment_due"])
    due = await fetch_value("SELECT due_at FROM notice")
    assert due.astimezone(CHINA).date() == TODAY + timedelta(days=7)
    assert await told(4) == await told(7) == (0, [])
    assert await told(8) == (1, late)
    assert await told(13) == (0, [])
    # of what was missed only the last is made up for
    assert await told(40) == (1, late)
    assert await told(60) == (0, [])
    assert await told(67) == (1, late)
    number = await fetch_value("SELECT id FROM payment")
    await pay(payment_id=number, **scene.by(scene.buyer))
    assert await told(97) == (0, [])
    # denied, it is one side's word against the other's; withdrawn, it is owed
    await scene.answer_money("dispute", "没有到账")
    assert await told(98) == (0, [])
    await scene.answer_money("withdraw")
    assert await told(99) == (1, late)


async def test_goods_that_are_missing_after_the_last_day_stand_in_the_sellers_facts(scene: Scene) -> None:
    await scene.agree(tolerance=1_000)

    async def missing(days: int) -> tuple[int, int]:
        facts = await facts_of(
            organisation_id=scene.seller.organisation_id, today=TODAY + timedelta(days=days)
        )
        assert facts
        return facts.undelivered, facts.undelivered_grams

    assert await missing(10) == (0, 0)  # it does not bind yet
    await scene.sign()
    assert (await missing(9), await missing(10)) == ((0, 0), (1, 333_333))
    await scene.deliver(200_000)
    await scene.send(50_000)
    assert await missing(10) == (1, 133_333)
    # what is on its way has left, and what the tolerance lets be short is not missing
    await scene.send(50_000, "dispatch")
    assert await missing(10) == (1, 83_333)
    await scene.send(50_000, "dispatch", "arrive")
    assert await missing(10) == (0, 0)


async def test_a_load_is_in_time_by_its_leaving_at_the_farm_gate_and_by_its_arrival_where_it_is_brought(
    scene: Scene,
) -> None:
    await scene.sign()
    await scene.deliver(100_000)
    # it left in time; the buyer noted its arrival after the last day
    await execute(
        "UPDATE delivery SET dispatched_at = $1, arrived_at = $2", STORY, STORY + timedelta(days=30)
    )

    async def counted() -> tuple[int, int]:
        facts = await facts_of(organisation_id=scene.seller.organisation_id, today=TODAY)
        assert facts
        return facts.on_time, facts.late

    assert await counted() == (1, 0)
    await scene.agree(freight="seller")
    assert await counted() == (0, 1)


async def test_what_is_short_is_free_from_the_inspection_on_not_from_the_arrival_before_it(
    scene: Scene,
) -> None:
    await scene.agree(tolerance=1_000, milestones=(Milestone("signing", 10_000, 3),))
    await scene.sign()
    await scene.pay_all()
    load = await scene.send(320_000, "dispatch", "arrive")
    await execute("UPDATE delivery SET arrived_at = arrived_at - interval '2 days'")
    await scene.move(load, "accept")
    assert await scene.state() == "completed"
    freed = await fetch("SELECT at FROM stock_entry WHERE deal = $1 AND change > 0", scene.deal_id)
    assert [row["at"] for row in freed] == [STORY]
