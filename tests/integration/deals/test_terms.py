"""Terms of a contract: one side proposes, the other signs, and only then do they count."""

import asyncio
from datetime import timedelta

import asyncpg
import msgspec
import pytest

from fixtures.factories import TODAY, Factory, Member
from market.db.session import execute, fetch, fetch_value
from market.deals import terms as module
from market.deals.clauses import Milestone, Terms
from market.deals.open_terms import ProposedMeanwhile
from market.deals.terms import answer_terms, propose_terms, terms_in_force, versions_of
from market.errors import Busy, Conflict, Invalid, NotFound
from market.meanwhile import ChangedMeanwhile
from market.transitions import WrongState
from tests.integration.deals.scene import Contracted, contract
from tests.integration.races import at_once


class Scene(Contracted, frozen=True):
    async def propose(self, by: Member, base: int = 0, replaces: int = 0, **changed: object) -> int:
        _, now = await terms_in_force(deal_id=self.deal_id)
        return await propose_terms(
            deal_id=self.deal_id,
            base=base,
            terms=msgspec.structs.replace(now, **(changed or {"deposit": 1_000})),
            note="商量过的",
            replaces=replaces,
            **self.by(by),
        )

    async def answer(self, by: Member, version: int, move: str, *, reason: str = "", reply: str = "") -> str:
        how = {"reason": reason or None, "reply": reply}
        return await answer_terms(deal_id=self.deal_id, version=version, move=move, **how, **self.by(by))

    async def in_force(self) -> tuple[int, Terms]:
        return await terms_in_force(deal_id=self.deal_id)

    async def states(self) -> list[str]:
        return [each.state for each in reversed(await versions_of(deal_id=self.deal_id))]


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    deal_id = await contract(
        seller,
        buyer,
        listing_id=await factory.listing(seller),
        demand_id=await factory.demand(buyer, kg=500),
    )
    return Scene(seller, buyer, deal_id)


async def test_contract_has_the_usual_terms_and_goes_to_the_site_of_its_demand(scene: Scene) -> None:
    version, terms = await scene.in_force()
    site = await fetch_value("SELECT name FROM site")
    assert (version, terms.place, terms.deliver_to) == (0, site, TODAY + timedelta(days=9))
    assert terms.milestones == (Milestone("arrival", 10_000, 60),)


async def test_first_signature_writes_the_terms_down(scene: Scene) -> None:
    _, before = await scene.in_force()
    await scene.sign()
    assert await scene.in_force() == (1, before)
    assert await scene.states() == ["agreed"]


async def test_proposal_counts_once_the_other_side_has_signed_it(scene: Scene) -> None:
    later = TODAY + timedelta(days=20)
    version = await scene.propose(scene.buyer, deposit=1_500, deliver_to=later)
    assert version == 2
    assert (await scene.in_force())[1].deposit == 0
    with pytest.raises(WrongState):
        await scene.answer(scene.buyer, version, "agree")
    assert await scene.answer(scene.seller, version, "agree") == "agreed"
    now, terms = await scene.in_force()
    assert (now, terms.deposit) == (2, 1_500)
    assert await fetch_value("SELECT deliver_to FROM deal") == later
    signed = (await versions_of(deal_id=scene.deal_id))[0]
    assert signed.seller_signed_at is not None
    assert signed.buyer_signed_at is not None


async def test_refused_and_withdrawn_proposals_change_nothing(scene: Scene) -> None:
    first = await scene.propose(scene.buyer)
    for reason in ("", "nothing"):
        with pytest.raises(Invalid) as asked:
            await scene.answer(scene.seller, first, "refuse", reason=reason)
        assert set(asked.value.fields) == {"reason"}
    await scene.answer(scene.seller, first, "refuse", reason="price", reply="再低就亏了")
    told = await fetch_value(
        "SELECT message -> 'values' -> 'why' -> 'values' ->> 'zh' FROM notice WHERE kind = 'terms_refused'"
    )
    assert told == "price"
    refused = (await versions_of(deal_id=scene.deal_id))[0]
    assert (refused.reason_zh, refused.reply) == ("price", "再低就亏了")
    kept = await fetch_value("SELECT details ->> 'reason' FROM audit_record WHERE action = 'refuse_terms'")
    assert kept == "price"
    second = await scene.propose(scene.seller, base=1)
    with pytest.raises(WrongState):
        await scene.answer(scene.buyer, second, "withdraw")
    await scene.answer(scene.seller, second, "withdraw")
    with pytest.raises(WrongState):
        await scene.answer(scene.buyer, second, "agree")
    assert await scene.states() == ["agreed", "refused", "withdrawn"]
    assert (await scene.in_force())[0] == 1


async def test_counter_proposal_takes_the_place_of_the_open_one(scene: Scene) -> None:
    await scene.propose(scene.buyer, deposit=500)
    await scene.propose(scene.seller, base=1, replaces=2, deposit=1_000)
    assert await scene.states() == ["agreed", "superseded", "proposed"]
    told = await fetch_value("SELECT message ->> 'text' FROM notice ORDER BY id DESC LIMIT 1")
    assert "代替贵方的提议" in told


async def test_proposal_that_was_not_seen_is_not_replaced(scene: Scene) -> None:
    await scene.propose(scene.buyer, deposit=500)
    for by, whose in ((scene.seller, "对方已提议"), (scene.buyer, "本单位已有人提议")):
        with pytest.raises(ProposedMeanwhile) as unseen:
            await scene.propose(by, base=1, natural_loss=100)
        assert unseen.value.message.text.startswith(whose)
        assert unseen.value.version == 2
        assert unseen.value.values()["deposit"] == {"sent": 0, "now": 500}
    assert await scene.states() == ["agreed", "proposed"]
    # what was seen, and is over by now, stands in nobody's way
    await scene.answer(scene.seller, 2, "refuse", reason="price")
    await scene.propose(scene.seller, base=1, replaces=2, natural_loss=100)
    assert await scene.states() == ["agreed", "refused", "proposed"]


async def test_proposal_from_old_terms_is_a_conflict(scene: Scene) -> None:
    _, older = await scene.in_force()
    version = await scene.propose(scene.buyer)
    await scene.answer(scene.seller, version, "agree")
    with pytest.raises(ChangedMeanwhile) as changed:
        await scene.propose(scene.seller, base=1, deposit=older.deposit, natural_loss=100)
    assert changed.value.values() == {"deposit": {"sent": older.deposit, "now": 1_000}}
    # who wants what has been agreed meanwhile, and something else besides, has read it
    assert await scene.propose(scene.seller, base=1, natural_loss=100) == 3
    await scene.answer(scene.seller, 3, "withdraw")
    with pytest.raises(Conflict):
        await scene.propose(scene.seller, base=2, deposit=1_000)


async def test_terms_that_cannot_be_carried_out_are_refused(scene: Scene) -> None:
    with pytest.raises(Invalid):
        await scene.propose(scene.seller, milestones=(Milestone("arrival", 5_000, 30),))
    assert await scene.states() == []


async def test_strangers_and_contracts_that_are_over_are_left_alone(scene: Scene, factory: Factory) -> None:
    stranger = await factory.member(role="buyer")
    with pytest.raises(NotFound):
        await scene.propose(stranger)
    await execute("UPDATE deal SET state = 'cancelled'")
    with pytest.raises(Conflict):
        await scene.propose(scene.seller)


async def test_terms_cannot_be_rewritten(scene: Scene) -> None:
    await scene.propose(scene.seller)
    with pytest.raises(asyncpg.RaiseError):
        await execute("UPDATE contract_terms SET terms = '{}'")


async def race(scene: Scene) -> list[str]:
    """Let one agree, one refuse and one withdraw the same proposal at once; return what each reached."""
    version = await scene.propose(scene.buyer)

    async def one(by: Member, move: str) -> str:
        try:
            return await scene.answer(by, version, move, reason="price" if move == "refuse" else "")
        except (Conflict, Busy):
            return ""

    tries = [(scene.seller, "agree"), (scene.seller, "refuse"), (scene.buyer, "withdraw")] * 2
    return [each for each in await at_once(one(*each) for each in tries) if each]


async def test_of_answers_at_once_one_counts(wide: Scene) -> None:
    reached = await race(wide)
    assert len(reached) == 1
    assert reached == [await fetch_value("SELECT state FROM contract_terms WHERE version = 2")]


async def test_without_the_lock_several_count(wide: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof that the test above can fail: it sees what the lock prevents."""

    async def unlocked(sql: str, /, *values: object) -> list[asyncpg.Record]:
        rows = await fetch(sql.replace("FOR UPDATE", ""), *values)
        await asyncio.sleep(0)
        return rows

    monkeypatch.setattr(module, "fetch", unlocked)
    assert len(await race(wide)) > 1


async def test_proposals_at_once_leave_one_open(wide: Scene) -> None:
    async def one(by: Member, loss: int) -> bool:
        try:
            await wide.propose(by, base=1, replaces=2, natural_loss=loss)
        except (Conflict, Busy):
            return False
        return True

    await wide.propose(wide.buyer)
    done = await at_once(one(by, n) for n, by in enumerate([wide.seller, wide.buyer] * 4, 60))
    # each has seen the first one: whoever comes second has not seen what took its place
    assert sum(done) == 1
    states = await wide.states()
    assert states == ["agreed", "superseded", "proposed"]
