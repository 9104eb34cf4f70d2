"""Goods that came, and a buyer that does not say so: its seller says it with a paper, time does the rest."""

from datetime import date, datetime, timedelta

import asyncpg
import pytest

from fixtures.factories import STORY, TODAY, Factory
from market.db.session import execute, fetch, fetch_value
from market.deals.arrivals.inspecting import end_inspections, remind_to_inspect
from market.deals.arrivals.operations import answer_arrival, forget_arrival_files, state_arrival
from market.deals.arrivals.queries import arrival_content, arrivals_of
from market.deals.breach import NewCase, file_case, open_case
from market.deals.clauses import Milestone
from market.deals.invoices.operations import record_invoice
from market.deals.invoices.rules import NewInvoice
from market.deals.record import facts_of
from market.errors import Conflict, Invalid, NotFound
from market.notices.queries import inbox
from market.sent_papers import Paper
from market.transitions import WrongState
from market.units import Fen
from tests.integration.deals.test_paying import TOTAL, Scene
from tests.integration.deals.test_paying import scene as scene

PAPER = Paper("签收单.pdf", "application/pdf", b"%PDF-1", "a" * 64, "a" * 64)


def on_day(days: int) -> datetime:
    return STORY + timedelta(days=days)


async def sent(scene: Scene, **terms: object) -> int:
    """All of the contract's goods on their way, since today."""
    if terms:
        await scene.agree(**terms)
    await scene.sign()
    return await scene.send(333_333, "dispatch")


async def say(scene: Scene, load: int, *, on: date = TODAY, after: int = 0, **how: object) -> int:
    values = {**scene.by(scene.seller), "at": on_day(after), "paper": PAPER, "on": on, **how}
    return await state_arrival(delivery_id=load, **values)


async def answer(scene: Scene, word: int, move: str, note: str = "", after: int = 0) -> str:
    who = scene.seller if move == "withdraw" else scene.buyer
    return await answer_arrival(
        arrival_id=word, move=move, note=note, **{**scene.by(who), "at": on_day(after)}
    )


async def passing(days: range) -> list[int]:
    """Let the upkeep go over so many days; return on which of them loads were taken."""
    taken = []
    for day in days:
        await remind_to_inspect(at=on_day(day))
        if await end_inspections(at=on_day(day)):
            taken.append(day)
    return taken


async def load_now() -> tuple[str, int | None]:
    row = (await fetch("SELECT state, accepted FROM delivery"))[0]
    return row["state"], row["accepted"]


async def test_a_silent_buyer_owes_from_when_it_was_told(scene: Scene) -> None:
    load = await sent(scene, inspection_days=5, milestones=(Milestone("arrival", 10_000, 30),))
    await say(scene, load, after=10)
    assert await load_now() == ("dispatched", None)
    # told on the tenth day, five to inspect: taken on the day after the last of them
    assert await passing(range(10, 40)) == [16]
    assert await load_now() == ("accepted", 333_333)
    assert await scene.dues() == [("goods", TOTAL, 40)]
    assert [each.state for each in await arrivals_of(deal_id=scene.deal_id)] == ["passed"]
    told = [each.kind for each in await inbox(organisation_id=scene.buyer.organisation_id)]
    assert [told.count(kind) for kind in ("arrival_stated", "inspection_due", "inspection_passed")] == [1] * 3
    assert "inspection_passed" in [
        each.kind for each in await inbox(organisation_id=scene.seller.organisation_id)
    ]
    await scene.pay_all()
    assert await scene.state() == "completed"


async def test_money_is_not_late_before_silence_counts_nor_through_an_invoice(scene: Scene) -> None:
    load = await sent(scene, invoice="own_produce", milestones=(Milestone("invoice", 10_000, 0),))
    await say(scene, load)
    new = NewInvoice("own_produce", "26372000000012345678", TODAY, Fen(TOTAL), "", None, (load,))
    await record_invoice(deal_id=scene.deal_id, new=new, sure=True, **scene.by(scene.seller))
    assert await passing(range(9)) == [4]
    assert await scene.dues() == [("goods", TOTAL, 4)]
    facts = await facts_of(organisation_id=scene.buyer.organisation_id, today=TODAY + timedelta(days=4))
    assert facts is not None
    assert facts.overdue == 0


async def test_nobody_is_held_to_silence_who_was_not_reminded_a_day_before(scene: Scene) -> None:
    await say(scene, await sent(scene))
    # the clock stood still for weeks
    assert await passing(range(50, 53)) == [51]


async def test_what_the_buyer_noted_itself_and_never_inspected_is_taken_too(scene: Scene) -> None:
    await sent(scene)
    await scene.move(await fetch_value("SELECT id FROM delivery"), "arrive")
    assert await passing(range(9)) == [4]
    assert await scene.dues() == [("goods", TOTAL, 60)]


async def test_a_confirmed_day_counts_as_it_was_said(scene: Scene) -> None:
    load = await sent(scene)
    word = await say(scene, load, on=TODAY + timedelta(days=2), after=9)
    with pytest.raises(Conflict):
        await scene.move(load, "arrive")
    with pytest.raises(WrongState):
        await answer_arrival(arrival_id=word, move="confirm", **scene.by(scene.seller))
    assert await answer(scene, word, "confirm", after=10) == "confirmed"
    assert (await load_now())[0] == "arrived"
    await scene.move(load, "accept")
    assert await scene.dues() == [("goods", TOTAL, 62)]
    assert await passing(range(10, 30)) == []


async def test_what_is_denied_counts_for_nothing_and_may_be_said_again(scene: Scene) -> None:
    load = await sent(scene)
    word = await say(scene, load)
    with pytest.raises(Invalid) as refused:
        await answer(scene, word, "deny", " ")
    assert list(refused.value.fields) == ["note"]
    await answer(scene, word, "deny", "没有收到")
    assert await passing(range(30)) == []
    again = await say(scene, load, after=30)
    with pytest.raises(Conflict):
        await say(scene, load, after=30)
    await answer(scene, again, "withdraw", after=30)
    assert await passing(range(30, 60)) == []
    # the buyer may note it as ever
    await scene.move(load, "arrive")


async def test_a_buyer_that_filed_a_case_has_said_something(scene: Scene) -> None:
    await say(scene, await sent(scene))
    by = scene.by(scene.buyer)
    case = await open_case(case=NewCase(scene.deal_id, "not_delivered", "货没有到", 333_333), **by)
    await file_case(breach_id=case, **by)
    assert await passing(range(30)) == []


async def test_an_arrival_is_said_by_its_seller_of_goods_on_their_way(scene: Scene, factory: Factory) -> None:
    await scene.sign()
    load = await scene.send(333_333)
    with pytest.raises(Conflict):
        await say(scene, load)
    await scene.move(load, "dispatch")
    for on in (TODAY - timedelta(days=1), TODAY + timedelta(days=1)):
        with pytest.raises(Invalid) as refused:
            await say(scene, load, on=on)
        assert list(refused.value.fields) == ["on"]
    for stranger in (scene.buyer, await factory.member(role="seller")):
        with pytest.raises(NotFound):
            await say(scene, load, **scene.by(stranger))
    word = await say(scene, load)
    with pytest.raises(NotFound):
        await answer_arrival(arrival_id=word, move="confirm", **scene.by(await factory.member(role="buyer")))
    for sql in ('UPDATE arrival SET "on" = "on" + 1', "DELETE FROM arrival", "UPDATE arrival SET note = 'x'"):
        with pytest.raises(asyncpg.RaiseError):
            await execute(sql)


async def test_the_paper_goes_after_its_period_and_its_hash_stays(scene: Scene) -> None:
    word = await say(scene, await sent(scene))
    assert (await arrival_content(deal_id=scene.deal_id, arrival_id=word)).content == PAPER.content
    await passing(range(9))
    assert await forget_arrival_files(ended_before=TODAY + timedelta(days=999)) == 0
    await scene.pay_all()
    assert await forget_arrival_files(ended_before=TODAY + timedelta(days=1)) == 1
    assert [(each.has_file, each.content_hash) for each in await arrivals_of(deal_id=scene.deal_id)] == [
        (False, "a" * 64)
    ]
    with pytest.raises(NotFound):
        await arrival_content(deal_id=scene.deal_id, arrival_id=word)
