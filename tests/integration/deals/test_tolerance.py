"""Within the agreed tolerance a contract is performed: it completes, and what is short is on sale again."""

import msgspec
import pytest

from fixtures.factories import Factory
from market.db.session import execute, fetch_value
from market.deals.clauses import Milestone
from market.deals.endings.operations import Proposal, answer_ending, propose_ending
from market.deals.paying import pay
from market.deals.queries import deal_of, payments_of
from market.deals.terms import answer_terms, propose_terms, terms_in_force
from market.errors import Conflict, Invalid
from market.units import Gram
from tests.integration.deals.scene import Contracted, contract

WHOLE = 400_000


@pytest.fixture
async def deal(factory: Factory) -> Contracted:
    """400 kg at 7 yuan, 2 % more or less, a tenth paid beforehand; signed."""
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller, kg=400)
    demand_id = await factory.demand(buyer, kg=400)
    made = Contracted(
        seller,
        buyer,
        await contract(seller, buyer, listing_id=listing_id, demand_id=demand_id, price=700),
    )
    version, terms = await terms_in_force(deal_id=made.deal_id)
    changed = msgspec.structs.replace(
        terms,
        tolerance=200,
        milestones=(Milestone("signing", 1_000, 0), Milestone("arrival", 9_000, 30)),
    )
    proposed = await propose_terms(
        deal_id=made.deal_id, base=version, terms=changed, note="", **made.by(seller)
    )
    await answer_terms(deal_id=made.deal_id, version=proposed, move="agree", **made.by(buyer))
    await made.sign()
    return made


async def pay_all(deal: Contracted) -> None:
    for payment in await payments_of(deal_id=deal.deal_id):
        if payment.state != "paid":
            await pay(payment_id=payment.id, **deal.by(deal.buyer))
    await deal.answer_money()


async def rest() -> tuple[int, str, int]:
    return (
        await fetch_value("SELECT remaining FROM lot"),
        await fetch_value("SELECT state FROM listing"),
        await fetch_value("SELECT open FROM demand"),
    )


async def test_what_is_short_within_the_tolerance_completes_and_is_on_sale_again(deal: Contracted) -> None:
    await deal.send(393_000, "dispatch", "arrive", "accept")
    assert await rest() == (0, "sold_out", 0)
    await pay_all(deal)
    now = await deal_of(deal_id=deal.deal_id, organisation_id=deal.seller.organisation_id)
    assert (now.state, now.standing, now.ended, now.released) == ("completed", 393_000, 0, 7_000)
    # the advance is used up by what was taken: nothing is paid too much
    assert (now.worth, now.paid, now.to_return) == (275_100, 275_100, 0)
    assert await rest() == (7_000, "published", 0)


async def test_a_gram_below_the_tolerance_stays_open(deal: Contracted) -> None:
    await deal.send(391_999, "dispatch", "arrive", "accept")
    await pay_all(deal)
    assert await deal.state() == "active"
    assert await rest() == (0, "sold_out", 0)


async def test_a_tolerance_that_is_widened_afterwards_completes_what_was_delivered(deal: Contracted) -> None:
    async def widen(tolerance: int) -> None:
        version, terms = await terms_in_force(deal_id=deal.deal_id)
        wider = msgspec.structs.replace(terms, tolerance=tolerance)
        proposed = await propose_terms(
            deal_id=deal.deal_id, base=version, terms=wider, note="", **deal.by(deal.seller)
        )
        await answer_terms(deal_id=deal.deal_id, version=proposed, move="agree", **deal.by(deal.buyer))

    await pay_all(deal)
    await widen(10_000)
    assert await deal.state() == "active"
    await widen(200)
    await deal.send(390_000, "dispatch", "arrive", "accept")
    await pay_all(deal)
    assert (await deal.state(), await rest()) == ("active", (0, "sold_out", 0))
    await widen(300)
    now = await deal_of(deal_id=deal.deal_id, organisation_id=deal.seller.organisation_id)
    assert (now.state, now.standing, now.worth, now.paid) == ("completed", 390_000, 273_000, 273_700)
    assert (now.to_return, await rest()) == (700, (10_000, "published", 0))


async def test_a_last_load_is_waited_for_until_it_is_called_off(deal: Contracted) -> None:
    await deal.send(393_000, "dispatch", "arrive", "accept")
    last = await deal.send(7_000)
    await pay_all(deal)
    assert await deal.state() == "active"
    await execute("UPDATE delivery SET state = 'dispatched' WHERE id = $1", last)
    await deal.move(last, "arrive")
    await deal.move(last, "reject", reason="quality")
    assert await deal.state() == "completed"
    assert await rest() == (7_000, "published", 0)


async def test_what_was_paid_beyond_the_final_price_is_told(deal: Contracted) -> None:
    """All paid beforehand, then a price that fell: the rest of the advance is the buyer's."""
    await pay_all(deal)
    version, terms = await terms_in_force(deal_id=deal.deal_id)
    cheaper = msgspec.structs.replace(terms, pricing="market", settled=60, market="沈阳批发市场")
    proposed = await propose_terms(
        deal_id=deal.deal_id, base=version, terms=cheaper, note="", **deal.by(deal.seller)
    )
    await answer_terms(deal_id=deal.deal_id, version=proposed, move="agree", **deal.by(deal.buyer))
    await deal.send(WHOLE, "dispatch", "arrive", "accept")
    now = await deal_of(deal_id=deal.deal_id, organisation_id=deal.buyer.organisation_id)
    assert (now.state, now.invoiced, now.paid, now.to_return) == ("completed", 24_000, 28_000, 4_000)


@pytest.fixture
async def ample(factory: Factory) -> Contracted:
    """As ``deal``, with 5 kg in the lot that nobody has bought."""
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing_id = await factory.listing(seller, kg=405)
    made = Contracted(
        seller,
        buyer,
        await contract(
            seller, buyer, listing_id=listing_id, demand_id=await factory.demand(buyer, kg=400), price=701
        ),
    )
    version, terms = await terms_in_force(deal_id=made.deal_id)
    milestones = (Milestone("signing", 1_000, 0), Milestone("arrival", 9_000, 30))
    changed = msgspec.structs.replace(terms, tolerance=200, milestones=milestones)
    proposed = await propose_terms(
        deal_id=made.deal_id, base=version, terms=changed, note="", **made.by(seller)
    )
    await answer_terms(deal_id=made.deal_id, version=proposed, move="agree", **made.by(buyer))
    await made.sign()
    return made


async def test_more_is_delivered_within_the_tolerance_and_paid_to_the_fen(ample: Contracted) -> None:
    await ample.send(200_000, "dispatch", "arrive", "accept")
    # more than the tolerance, and more than the lot has
    with pytest.raises(Invalid, match="208 公斤"):
        await ample.send(208_001)
    with pytest.raises(Conflict, match="没有多余"):
        await ample.send(205_001)
    assert await rest() == (5_000, "published", 0)
    load = await ample.send(204_333)
    assert await rest() == (667, "published", 0)
    for move in ("dispatch", "arrive", "accept"):
        await ample.move(load, move)
    await pay_all(ample)
    now = await deal_of(deal_id=ample.deal_id, organisation_id=ample.seller.organisation_id)
    # 404.333 kg at 7.01 yuan
    assert (now.state, now.standing, now.worth, now.paid) == ("completed", 404_333, 283_437, 283_437)
    assert (now.ended, now.to_return) == (0, 0)
    assert await rest() == (667, "published", 0)


async def test_what_was_held_above_goes_back_when_the_load_does_not_come(ample: Contracted) -> None:
    load = await ample.send(405_000)
    assert await rest() == (0, "sold_out", 0)
    await ample.move(load, "cancel")
    assert await rest() == (5_000, "published", 0)
    load = await ample.send(405_000, "dispatch", "arrive")
    await execute("INSERT INTO reason (code, zh, en, position) VALUES ('short', '短少', 'Short', 1)")
    await ample.move(load, "accept_part", accepted=Gram(401_000), reason="short")
    assert await rest() == (4_000, "published", 0)


async def test_terminated_contract_keeps_what_is_on_its_way_above_the_quantity(ample: Contracted) -> None:
    load = await ample.send(405_000, "dispatch", "arrive")
    proposal = Proposal("short", "不做了。")
    await execute("INSERT INTO reason (code, zh, en, position) VALUES ('short', '短少', 'Short', 1)")
    number = await propose_ending(deal_id=ample.deal_id, proposal=proposal, **ample.by(ample.seller))
    await answer_ending(deal_id=ample.deal_id, ending_id=number, move="agree", **ample.by(ample.buyer))
    assert await rest() == (0, "sold_out", 0)
    await ample.move(load, "reject", reason="short")
    assert await rest() == (405_000, "published", 400_000)
    now = await deal_of(deal_id=ample.deal_id, organisation_id=ample.seller.organisation_id)
    assert (now.standing, now.ended, now.worth) == (0, 400_000, 0)
