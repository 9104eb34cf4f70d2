"""A contract that ends without a breach: by the consent of both sides, or by force majeure."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.db.session import execute, fetch, fetch_value
from market.deals.breach import (
    NewCase,
    add_evidence,
    decide_case,
    file_case,
    lapse_cases,
    open_case,
)
from market.deals.breach_queries import case_of, cases_of, evidence_of, figures
from market.deals.endings.forgetting import forget_pictures
from market.deals.endings.operations import (
    Notice,
    Proposal,
    add_proof,
    answer_ending,
    give_force_majeure,
    propose_ending,
)
from market.deals.endings.queries import ending_to_answer, endings_of, proof_under
from market.deals.endings.seen import Changed, rest_of
from market.deals.paying import pay
from market.deals.pieces import Piece
from market.deals.queries import deal_of
from market.deals.record import facts_of
from market.errors import Conflict, Invalid, NotFound
from market.i18n import translate
from market.matching.queries import snapshot
from market.notices.queries import inbox
from market.privacy.own_data import gathered
from market.supply.money_in import money_under
from market.transitions import WrongState
from market.units import Fen
from tests.integration.deals.scene import Contracted, contract

WHOLE = 400_000


class Scene(Contracted, frozen=True, kw_only=True):
    town: Member
    listing_id: int

    async def propose(self, by: Member, deposit: str | None = None) -> int:
        proposal = Proposal("plans", "收了的照价付清，其余不交不收。", deposit)
        return await propose_ending(deal_id=self.deal_id, proposal=proposal, **self.by(by))

    async def answer(self, by: Member, number: int, move: str = "agree", reason: str | None = None) -> str:
        return await answer_ending(
            deal_id=self.deal_id, ending_id=number, move=move, reason=reason, **self.by(by)
        )

    async def notice(self, by: Member) -> int:
        notice = Notice("hail", TODAY, "冰雹打坏了全部大棚。")
        return await give_force_majeure(deal_id=self.deal_id, notice=notice, **self.by(by))

    async def stock(self) -> tuple[int, int]:
        row = (
            await fetch(
                """SELECT lot.remaining, demand.open FROM deal JOIN listing ON listing.id = deal.listing
                   JOIN lot ON lot.id = listing.lot JOIN demand ON demand.id = deal.demand
                   WHERE deal.id = $1""",
                self.deal_id,
            )
        )[0]
        return row["remaining"], row["open"]


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer = await factory.member(role="buyer")
    listing_id = await factory.listing(seller, kg=400)
    deal_id = await contract(
        seller, buyer, listing_id=listing_id, demand_id=await factory.demand(buyer, kg=400), grams=WHOLE
    )
    await execute("INSERT INTO reason (code, zh, en, position) VALUES ('plans', '计划有变', 'Plans', 1)")
    scene = Scene(seller, buyer, deal_id, town=town, listing_id=listing_id)
    await scene.sign()
    return scene


async def test_ends_once_the_other_agrees_and_the_rest_is_free_at_once(scene: Scene) -> None:
    await scene.send(100_000, "dispatch", "arrive", "accept")
    await scene.send(50_000, "dispatch")
    number = await scene.propose(scene.buyer)
    assert await ending_to_answer(organisation_id=scene.seller.organisation_id) == {scene.deal_id}
    assert (await scene.state(), await scene.stock()) == ("active", (0, 0))
    with pytest.raises(WrongState):
        await scene.answer(scene.buyer, number)
    assert await scene.answer(scene.seller, number) == "agreed"
    assert await scene.stock() == (250_000, 250_000)
    assert await fetch_value("SELECT count(*) FROM job WHERE kind = 'matching.rematch'") == 1
    # the same two are not proposed to each other again at once
    demand = await fetch_value("SELECT id FROM demand")
    market = await snapshot(town_id=scene.town.organisation_id, on=TODAY)
    assert market.barred == [(str(scene.listing_id), str(demand))]
    deal = await deal_of(deal_id=scene.deal_id, organisation_id=scene.seller.organisation_id)
    assert (deal.state, deal.ended_how, deal.released) == ("terminated", "agreement", 250_000)
    for member in (scene.buyer, scene.town):
        told = (await inbox(organisation_id=member.organisation_id))[0]
        assert (told.kind, "谁也不算违约" in translate(told.message, "zh")) == ("deal_terminated", True)
    for member in (scene.seller, scene.buyer):
        facts = await facts_of(organisation_id=member.organisation_id, today=TODAY + timedelta(days=90))
        assert facts
        assert (facts.confirmed, facts.late, facts.refused) == (0, 0, 0)


async def test_load_on_its_way_that_is_refused_later_is_free_then(scene: Scene) -> None:
    load = await scene.send(50_000, "dispatch")
    await scene.answer(scene.seller, await scene.propose(scene.buyer))
    await scene.move(load, "arrive")
    await execute("INSERT INTO reason (code, zh, en, position) VALUES ('mould', '霉变', 'Mouldy', 2)")
    await scene.move(load, "reject", reason="mould")
    assert await scene.stock() == (WHOLE, WHOLE)


async def test_refusal_takes_a_reason_and_leaves_the_contract_as_it_is(scene: Scene) -> None:
    number = await scene.propose(scene.seller)
    with pytest.raises(Conflict):
        await scene.propose(scene.buyer)
    with pytest.raises(Invalid) as refused:
        await scene.answer(scene.buyer, number, "refuse")
    assert refused.value.fields.keys() == {"reason"}
    assert await scene.answer(scene.buyer, number, "refuse", "plans") == "refused"
    assert (await scene.state(), await scene.stock()) == ("active", (0, 0))
    later = await scene.propose(scene.buyer)
    assert await scene.answer(scene.buyer, later, "withdraw") == "withdrawn"
    with pytest.raises(WrongState):
        await scene.answer(scene.seller, later)


async def test_nobody_agrees_to_an_end_that_comes_to_something_else_than_was_read(scene: Scene) -> None:
    number = await scene.propose(scene.seller)
    read = await rest_of(deal_id=scene.deal_id, quantity=WHOLE)
    assert (read.free, read.under_way, read.deposit) == (WHOLE, 0, 0)
    await scene.send(50_000, "dispatch")
    answer = {"deal_id": scene.deal_id, "ending_id": number, "move": "agree", **scene.by(scene.buyer)}
    with pytest.raises(Changed, match=r"350 公斤.*50 公斤"):
        await answer_ending(**answer, seen=read)
    assert (await scene.state(), await scene.stock()) == ("active", (0, 0))
    now = await rest_of(deal_id=scene.deal_id, quantity=WHOLE)
    assert await answer_ending(**answer, seen=now) == "agreed"


async def test_two_answers_at_once_end_it_once(scene: Scene) -> None:
    number = await scene.propose(scene.seller)
    outcomes = await asyncio.gather(
        scene.answer(scene.buyer, number),
        scene.answer(scene.seller, number, "withdraw"),
        return_exceptions=True,
    )
    assert sum(isinstance(each, WrongState) for each in outcomes) == 1, outcomes
    ended = await scene.state() == "terminated"
    assert await scene.stock() == ((WHOLE, WHOLE) if ended else (0, 0))


@pytest.mark.parametrize(("deposit", "to_return"), [("kept", 0), ("back", 30_000)])
async def test_deposit_goes_by_what_both_wrote(scene: Scene, deposit: str, to_return: int) -> None:
    payment = await fetch_value(
        """INSERT INTO payment (deal, amount, paid, kind, state, due_on)
           VALUES ($1, 30000, 0, 'deposit', 'invoiced', $2) RETURNING id""",
        scene.deal_id,
        TODAY,
    )
    await pay(payment_id=payment, money=Fen(30_000), **scene.by(scene.buyer))
    await scene.answer_money()
    with pytest.raises(Invalid) as refused:
        await scene.propose(scene.buyer)
    assert refused.value.fields.keys() == {"deposit"}
    await scene.answer(scene.seller, await scene.propose(scene.buyer, deposit))
    lot = await fetch_value("SELECT lot FROM listing WHERE id = $1", scene.listing_id)
    money = await money_under(scene.deal_id, lot_id=lot, owner=scene.seller.organisation_id)
    assert money
    assert (money.received, money.to_return) == (30_000, to_return)


async def put_payment(scene: Scene, kind: str, fen: int) -> None:
    await execute(
        """INSERT INTO payment (deal, amount, paid, kind, state, due_on, paid_on)
           VALUES ($1, $2, $2, $3, 'paid', $4, $4)""",
        *(scene.deal_id, fen, kind, TODAY),
    )


@pytest.mark.parametrize(
    ("deposit", "load", "kept"), [("kept", 200_000, 0), ("kept", 100_000, 7_500), ("back", 100_000, 0)]
)
async def test_of_a_deposit_stays_what_goods_have_not_used_whatever_a_case_says(
    scene: Scene, deposit: str, load: int, kept: int
) -> None:
    await put_payment(scene, "deposit", 30_000)
    await put_payment(scene, "advance", 60_000)
    await scene.send(load, "dispatch", "arrive", "accept")
    await execute("UPDATE payment SET paid = amount, state = 'paid' WHERE deal = $1", scene.deal_id)
    await scene.answer(scene.seller, await scene.propose(scene.buyer, deposit))
    await execute(
        """INSERT INTO breach (deal, claimant, respondent, ground, statement, state, created_at)
           VALUES ($1, $2, $3, 'walked_away', '', 'confirmed', $4)""",
        *(scene.deal_id, scene.seller.organisation_id, scene.buyer.organisation_id, STORY),
    )
    lot = await fetch_value("SELECT lot FROM listing WHERE id = $1", scene.listing_id)
    money = await money_under(scene.deal_id, lot_id=lot, owner=scene.seller.organisation_id)
    assert money
    assert money.to_return == 90_000 * (WHOLE - load) // WHOLE - kept
    await execute("UPDATE breach SET respondent = claimant, claimant = respondent")
    case = (await cases_of(organisation_id=scene.buyer.organisation_id))[0]
    deal = await deal_of(deal_id=scene.deal_id, organisation_id=scene.buyer.organisation_id)
    assert (await figures(case=case, deal=deal))[0].deposit_back == 0


async def test_deposit_that_is_paid_after_the_proposal_is_not_left_unsaid(scene: Scene) -> None:
    number = await scene.propose(scene.seller)
    await put_payment(scene, "deposit", 30_000)
    with pytest.raises(Conflict, match="定金"):
        await scene.answer(scene.buyer, number)
    assert await scene.state() == "active"
    await scene.answer(scene.seller, number, "withdraw")
    await scene.answer(scene.buyer, await scene.propose(scene.seller, "back"))


async def test_force_majeure_ends_it_with_the_notice_and_proof_follows(scene: Scene) -> None:
    waiting = await scene.propose(scene.buyer)
    late = Notice("hail", TODAY + timedelta(days=1), "还没下。")
    with pytest.raises(Invalid) as refused:
        await give_force_majeure(deal_id=scene.deal_id, notice=late, **scene.by(scene.seller))
    assert refused.value.fields.keys() == {"happened_on"}
    number = await scene.notice(scene.seller)
    assert await scene.stock() == (WHOLE, WHOLE)
    # what the hail has taken is not to be sold to others
    told = (await inbox(organisation_id=scene.seller.organisation_id))[0]
    assert (told.kind, "更正库存" in translate(told.message, "zh")) == ("goods_freed", True)
    assert [each.state for each in await endings_of(deal_id=scene.deal_id)] == ["noticed", "outdated"]
    with pytest.raises(WrongState):
        await scene.answer(scene.seller, waiting)
    proof = {"deal_id": scene.deal_id, "ending_id": number}
    await add_proof(**proof, proof=Piece("气象证明"), **scene.by(scene.seller))
    assert [each.words for each in await proof_under(deal_id=scene.deal_id)] == ["气象证明"]
    with pytest.raises(asyncpg.RaiseError):
        await fetch("DELETE FROM ending_proof")
    with pytest.raises(NotFound):
        await add_proof(**proof, proof=Piece("镇里"), **scene.by(scene.town))
    with pytest.raises(Conflict):
        await scene.notice(scene.buyer)


async def test_force_majeure_ends_nothing_once_all_is_delivered_and_money_is_owed(scene: Scene) -> None:
    load = await scene.send(WHOLE, "dispatch", "arrive")
    await scene.move(load, "accept")
    with pytest.raises(Conflict, match="只剩付款"):
        await scene.notice(scene.buyer)
    assert await scene.state() == "active"


async def test_force_majeure_is_disputed_as_a_case_of_the_other_side_alone(scene: Scene) -> None:
    await scene.notice(scene.seller)
    case = NewCase(scene.deal_id, "not_excused", "那天没有冰雹。")
    with pytest.raises(Invalid):
        await open_case(case=case, **scene.by(scene.seller))
    number = await open_case(case=case, **scene.by(scene.buyer))
    found = await case_of(breach_id=number, organisation_id=scene.buyer.organisation_id)
    assert found.terminated_at == STORY
    await file_case(breach_id=number, **scene.by(scene.buyer))
    await lapse_cases(at=STORY + timedelta(days=8))
    await decide_case(breach_id=number, move="confirm", decision="没有。", **scene.by(scene.town))
    facts = await facts_of(organisation_id=scene.seller.organisation_id, today=TODAY)
    assert facts
    assert facts.confirmed == 1


async def test_pictures_of_proof_go_after_their_period_once_no_case_waits(scene: Scene) -> None:
    later = TODAY + timedelta(days=4_000)
    number = await scene.notice(scene.seller)
    photo = Piece("大棚照片", b"RIFF", "0" * 64)
    await add_proof(deal_id=scene.deal_id, ending_id=number, proof=photo, **scene.by(scene.seller))
    case = NewCase(scene.deal_id, "not_excused", "那天没有冰雹。")
    breach = await open_case(case=case, **scene.by(scene.buyer))
    await file_case(breach_id=breach, **scene.by(scene.buyer))
    await add_evidence(breach_id=breach, evidence=Piece("站", b"RIFF", "1" * 64), **scene.by(scene.buyer))
    for table in ("ending_proof", "breach_evidence"):
        for words in (
            f"UPDATE {table} SET image = 'x'",
            f"UPDATE {table} SET words = 'x', image = NULL",
            f"DELETE FROM {table}",
        ):
            with pytest.raises(asyncpg.RaiseError):
                await execute(words)
    assert await forget_pictures(ended_before=later) == 0
    await lapse_cases(at=STORY + timedelta(days=8))
    await decide_case(breach_id=breach, move="dismiss", decision="有冰雹。", **scene.by(scene.town))
    assert await forget_pictures(ended_before=TODAY) == 0
    assert await forget_pictures(ended_before=later) == 2
    piece = (await proof_under(deal_id=scene.deal_id))[0]
    assert (piece.words, piece.content_hash, piece.is_gone) == ("大棚照片", "0" * 64, True)
    assert (await evidence_of(breach_id=breach))[0].is_gone
    copy = await gathered(person_id=scene.seller.person_id)
    assert [(each["kind"], each["words"]) for each in copy["endings"]] == [
        ("force_majeure", "冰雹打坏了全部大棚。")
    ]
    assert [each["words"] for each in copy["proofs"]] == ["大棚照片"]


async def test_ground_of_no_force_majeure_is_for_such_a_notice_only(scene: Scene) -> None:
    with pytest.raises(Invalid) as refused:
        await open_case(case=NewCase(scene.deal_id, "not_excused", "x"), **scene.by(scene.buyer))
    assert refused.value.fields.keys() == {"ground"}
