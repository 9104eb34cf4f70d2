"""Money as its payer wrote it down: the payee confirms it or denies it, and silence is no answer."""

from datetime import timedelta

import asyncpg
import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market import clock
from market.db.jobs import Worker
from market.db.session import execute, fetch, fetch_value
from market.deals.clauses import Milestone
from market.deals.paying import pay
from market.deals.queries import deal_of, payments_of
from market.deals.receipts import answer_receipt, go_on_reminding, receipts_under, remind
from market.deals.record import facts_of
from market.errors import Invalid, NotFound
from market.followup.queries import entries_of
from market.followup.rules import Filters
from market.notices.queries import inbox
from market.transitions import WrongState
from market.units import Fen
from market.upkeep import schedule_upkeep
from tests.integration.deals.test_paying import TOTAL, Scene, notice
from tests.integration.deals.test_paying import scene as scene


async def claim(scene: Scene, money: int | None = None) -> int:
    """Take all the goods, and write money for them down as paid; return the number of the claim."""
    if not await fetch_value("SELECT count(*) FROM payment"):
        await scene.sign()
        await scene.deliver(333_333)
    number = await fetch_value("SELECT max(id) FROM payment")
    await pay(payment_id=number, money=None if money is None else Fen(money), **scene.by(scene.buyer))
    return int(await fetch_value("SELECT max(id) FROM receipt"))


async def states() -> list[tuple[str, int, int, str]]:
    rows = await fetch("SELECT state, paid, disputed, paid_on FROM payment ORDER BY id")
    return [(row["state"], row["paid"], row["disputed"], str(row["paid_on"])) for row in rows]


async def kinds(member: Member) -> list[str]:
    return [each.kind for each in await inbox(organisation_id=member.organisation_id)]


async def test_a_claim_counts_as_paid_and_completes_nothing_until_it_is_confirmed(scene: Scene) -> None:
    receipt = await claim(scene)
    assert (await states(), await scene.state()) == ([("paid", TOTAL, 0, str(TODAY))], "active")
    assert [each.state for each in await receipts_under([scene.deal_id])] == ["claimed"]
    with pytest.raises(WrongState):
        await answer_receipt(receipt_id=receipt, move="confirm", **scene.by(scene.buyer))
    assert await answer_receipt(receipt_id=receipt, move="confirm", **scene.by(scene.seller)) == "confirmed"
    assert await scene.state() == "completed"
    assert "payment_confirmed" in await kinds(scene.buyer)
    with pytest.raises(WrongState):
        await answer_receipt(receipt_id=receipt, move="dispute", note="没有", **scene.by(scene.seller))


async def test_money_that_did_not_come_is_open_again_and_counts_nowhere(scene: Scene) -> None:
    receipt = await claim(scene, 100_001)
    with pytest.raises(Invalid) as refused:
        await answer_receipt(receipt_id=receipt, move="dispute", note="  ", **scene.by(scene.seller))
    assert list(refused.value.fields) == ["note"]
    await answer_receipt(receipt_id=receipt, move="dispute", note="查到今天没有", **scene.by(scene.seller))
    assert await states() == [("invoiced", 0, 100_001, "None")]
    deal = await deal_of(deal_id=scene.deal_id, organisation_id=scene.buyer.organisation_id)
    assert deal.paid == 0
    filters = Filters(kind="payment")
    assert await entries_of(organisation_id=scene.seller.organisation_id, filters=filters) == []
    # the rest can be paid, and not what is disputed a second time
    with pytest.raises(Invalid):
        await claim(scene, TOTAL)
    # it came after all, on the day that its payer had said
    await answer_receipt(receipt_id=receipt, move="confirm", **scene.by(scene.seller))
    await claim(scene)
    assert await states() == [("paid", TOTAL, 0, str(TODAY))]
    assert await scene.state() == "active"
    await scene.answer_money()
    assert await scene.state() == "completed"
    assert "payment_disputed" in await kinds(scene.buyer)


async def test_in_a_sides_record_a_dispute_is_neither_paid_nor_overdue(scene: Scene) -> None:
    receipt = await claim(scene)
    await answer_receipt(receipt_id=receipt, move="dispute", note="没有", **scene.by(scene.seller))

    async def record_now() -> tuple[int, int]:
        late = TODAY + timedelta(days=400)
        mine = await facts_of(organisation_id=scene.buyer.organisation_id, today=late)
        assert mine
        return mine.paid_on_time + mine.paid_late, mine.overdue

    assert await record_now() == (0, 0)
    await answer_receipt(receipt_id=receipt, move="withdraw", **scene.by(scene.buyer))
    assert (await record_now(), await states()) == ((0, 1), [("invoiced", 0, 0, "None")])


async def test_a_mistake_is_taken_back_by_who_made_it(scene: Scene) -> None:
    wrong = await claim(scene, 200_000)
    with pytest.raises(WrongState):
        await answer_receipt(receipt_id=wrong, move="withdraw", **scene.by(scene.seller))
    await answer_receipt(receipt_id=wrong, move="withdraw", **scene.by(scene.buyer))
    assert await states() == [("invoiced", 0, 0, "None")]
    await claim(scene)
    assert await states() == [("paid", TOTAL, 0, str(TODAY))]


async def test_strangers_find_no_claim_and_nobody_rewrites_one(scene: Scene, factory: Factory) -> None:
    receipt = await claim(scene)
    stranger = await factory.member(role="seller")
    with pytest.raises(NotFound):
        await answer_receipt(receipt_id=receipt, move="confirm", **scene.by(stranger))
    for sql in ("UPDATE receipt SET amount = 1", "DELETE FROM receipt", 'UPDATE receipt SET "on" = "on" - 1'):
        with pytest.raises(asyncpg.RaiseError):
            await execute(sql)


async def reminder_due() -> int | None:
    """Return after how many days the payee is asked next; the job is taken, as by whoever does it."""
    rows = await fetch(
        """UPDATE job SET state = 'done' WHERE kind = 'deals.remind_receipt' AND state = 'waiting'
           RETURNING run_at"""
    )
    return (rows[0]["run_at"] - STORY).days if rows else None


async def test_who_says_nothing_is_reminded_ever_more_seldom_and_has_confirmed_nothing(scene: Scene) -> None:
    receipt = await claim(scene)
    asked = []
    while (due := await reminder_due()) is not None:
        asked.append(due)
        await remind(receipt, at=STORY + timedelta(days=due))
    assert asked == [7, 14, 30, 60, 90]
    assert (await kinds(scene.seller)).count("payment_unanswered") == 5
    assert [each.state for each in await receipts_under([scene.deal_id])] == ["claimed"]


async def test_reminders_end_with_the_answer_and_none_is_made_up_for(scene: Scene) -> None:
    receipt = await claim(scene)
    assert await reminder_due() == 7
    # no worker ran for two weeks
    await remind(receipt, at=STORY + timedelta(days=20))
    assert (await kinds(scene.seller)).count("payment_unanswered") == 1
    assert await reminder_due() == 30
    await answer_receipt(receipt_id=receipt, move="confirm", **scene.by(scene.seller))
    await remind(receipt, at=STORY + timedelta(days=30))
    assert (await kinds(scene.seller)).count("payment_unanswered") == 1
    assert await reminder_due() is None


async def test_a_claim_without_a_reminder_ahead_is_asked_about_on_the_days_that_are_left(
    scene: Scene,
) -> None:
    receipt = await claim(scene, 100_001)
    assert await go_on_reminding(at=STORY + timedelta(days=1)) == 0
    # the only reminder there was is done, by a release that knew of no further one
    assert await reminder_due() == 7
    for days, due in ((20, 30), (89, 90)):
        assert await go_on_reminding(at=STORY + timedelta(days=days)) == 1
        assert await go_on_reminding(at=STORY + timedelta(days=days)) == 0
        assert await reminder_due() == due
    assert await go_on_reminding(at=STORY + timedelta(days=90)) == 0
    await answer_receipt(receipt_id=receipt, move="confirm", **scene.by(scene.seller))
    assert await go_on_reminding(at=STORY + timedelta(days=20)) == 0
    # the hourly round sees to it
    number = await fetch_value("SELECT max(id) FROM payment")
    await pay(payment_id=number, **scene.by(scene.buyer) | {"at": clock.now()})
    await reminder_due()
    await schedule_upkeep()
    assert await Worker(tasks=1, kinds=["upkeep"]).work_once()
    waiting = "SELECT count(*) FROM job WHERE kind = 'deals.remind_receipt' AND state = 'waiting'"
    assert await fetch_value(waiting) == 1


async def test_a_deposit_claimed_by_mistake_is_due_no_more_once_the_contract_has_ended(scene: Scene) -> None:
    await scene.agree(deposit=1_000, milestones=(Milestone("arrival", 10_000, 30),))
    await scene.sign()
    receipt = await claim(scene)
    await notice(scene)
    await answer_receipt(receipt_id=receipt, move="dispute", note="没有", **scene.by(scene.seller))
    await answer_receipt(receipt_id=receipt, move="withdraw", **scene.by(scene.buyer))
    assert await payments_of(deal_id=scene.deal_id) == []
    assert await states() == [("paid", 0, 0, "None")]
