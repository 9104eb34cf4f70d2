"""Races on the write paths: of many at once as many count as may, and the sums hold.

Each runs twice: as it is, and with the locks of its rooms taken away, when the same race must go wrong.
That is the proof that it can.

| What is written | Where its race is | Seen to go wrong |
|---|---|---|
| accepts of one lot; of one demand; joint offers | bids/test_race, test_offers, test_joint | yes |
| accepts of many lots by several processes, demands change | test_demand_race, `make soak` | no |
| an accept and another answer | test_stock_races, bids/test_negotiation | yes |
| sealed and open rounds | bids/test_sealed, test_open | open ones |
| counters, confirmations, offers | here | yes |
| a form sent twice (bids, for all forms) | test_stock_races | yes |
| goods withdrawn; demands closed, changed under an accept | here | yes |
| stock: places | supply/test_stock | yes |
| stock: losses, goods sent, back again, processed | test_stock_races | yes |
| households' settlements | here | yes |
| contract: signatures, cancelling, announcing, inspection | here | yes |
| contract: payments, terms, notice of termination | deals/test_paying, test_terms, test_breach | yes |
| framework agreements | deals/test_frames | yes |
| breach: answer, decision, settlement | here | yes |
| matches: both sides agree | here | yes |
| approvals | test_stock_races, organisations/test_approving | yes |
| verification by the county | here | yes |
| worry book: levels, cases opened | here, test_town_races | yes |
| a talk's contract; answers to invitations | here; test_stock_races | yes |
| the day: attendance at a click; notes of a talk | test_town_races | yes |
| the day: plans, badges, records, registrations | meetings/test_*, web/test_public_meeting_pages | no |
| signing in | accounts/test_signing_in | no |
| jobs | db/test_jobs, test_jobs_killed | yes |

One run of a town and one open case of a breach are held by a unique index alone.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.bids import negotiating, offering, operations
from market.bids.negotiating import Counter, counter_bid, reconfirm_bid
from market.bids.offering import NewOffer, place_offer
from market.bids.operations import NewBid, place_bid
from market.bids.standing import revise_terms
from market.cases import diary
from market.cases import operations as cases
from market.db.session import fetch, fetch_value
from market.deals import breach, fulfilment, signing, terms
from market.deals import operations as deals
from market.deals.clauses import Milestone, usual_terms
from market.demand import operations as demands
from market.matching import agreement
from market.matching.operations import read_compute_keep, request_run, solve_market
from market.meetings.after import concluding
from market.meetings.commands import Outcome, TopicResult
from market.meetings.talks import recording
from market.organisations import moving, verification
from market.supply import households
from market.supply import operations as supply
from market.supply import stock as households_stock
from market.supply.commands import NewTerms
from market.units import Fen, FenPerKg, Gram
from tests.integration.deals.scene import Contracted, contract
from tests.integration.meetings.day import Day
from tests.integration.organisations.test_verification import PAPER
from tests.integration.races import Judge, Race, Tries, count, is_kept, total
from tests.integration.supply.test_households import pay_in

KG = 1_000
DAYS = (TODAY, TODAY + timedelta(days=5))


async def contracted(factory: Factory, *, signed: bool = True, demand: bool = False) -> Contracted:
    """A contract over 400 of 1,000 kg."""
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer = await factory.member(role="buyer")
    made = await contract(
        seller,
        buyer,
        listing_id=await factory.listing(seller),
        demand_id=await factory.demand(buyer) if demand else None,
    )
    scene = Contracted(seller, buyer, made)
    if signed:
        await scene.sign()
    return scene


# -- contracts ------------------------------------------------------------------------------------------


async def signatures(factory: Factory) -> tuple[Tries, Judge]:
    """Both sides sign from several windows: the deposit is due once."""
    scene = await contracted(factory, signed=False)
    with_deposit = msgspec.structs.replace(
        usual_terms(deliver_from=DAYS[0], deliver_to=DAYS[1]),
        deposit=1_000,
        milestones=(Milestone("arrival", 10_000, 30),),
    )
    how = {"deal_id": scene.deal_id}
    version = await terms.propose_terms(base=0, terms=with_deposit, note="", **how, **scene.by(scene.seller))
    await terms.answer_terms(version=version, move="agree", **how, **scene.by(scene.buyer))

    async def kept(ends: list[str]) -> bool:
        state = await fetch_value("SELECT state FROM deal")
        return (ends.count("done"), state, await count("payment")) == (2, "active", 1)

    return [lambda by=by: deals.sign(**how, **scene.by(by)) for by in (scene.seller, scene.buyer) * 3], kept


async def cancelling(factory: Factory) -> tuple[Tries, Judge]:
    scene = await contracted(factory, signed=False, demand=True)

    async def kept(ends: list[str]) -> bool:
        row = (await fetch("SELECT remaining, open FROM lot, demand"))[0]
        return (ends.count("done"), *row) == (1, 1_000 * KG, 1_000 * KG)

    sides = (scene.seller, scene.buyer) * 3
    return [
        lambda by=by: deals.cancel(deal_id=scene.deal_id, reason="price", **scene.by(by)) for by in sides
    ], kept


async def announcing(factory: Factory) -> tuple[Tries, Judge]:
    """Six times 150 of 400 kg: two fit."""
    scene = await contracted(factory)

    async def kept(ends: list[str]) -> bool:
        return (ends.count("done"), await total("quantity", "delivery")) == (2, 300 * KG)

    return [lambda: scene.send(150 * KG)] * 6, kept


async def inspecting(factory: Factory) -> tuple[Tries, Judge]:
    """The same goods are accepted and refused: one of it counts, and is invoiced or not."""
    scene = await contracted(factory)
    number = await scene.send(150 * KG, "dispatch", "arrive")

    async def kept(ends: list[str]) -> bool:
        taken = await fetch_value("SELECT state = 'accepted' FROM delivery")
        return (ends.count("done"), await count("payment")) == (1, int(taken))

    def inspect(move: str) -> Callable[[], Awaitable[object]]:
        return lambda: scene.move(number, move, reason="quality" if move == "reject" else None)

    return [inspect(move) for move in ("accept", "reject") * 3], kept


async def case_of_breach(factory: Factory) -> tuple[Contracted, dict[str, Any]]:
    scene = await contracted(factory)
    case = breach.NewCase(scene.deal_id, "other", "经过。")
    number = await breach.open_case(case=case, **scene.by(scene.seller))
    await breach.file_case(breach_id=number, **scene.by(scene.seller))
    return scene, {"breach_id": number}


async def deciding(factory: Factory) -> tuple[Tries, Judge]:
    """The town decides one way and the other, while the sides settle."""
    scene, how = await case_of_breach(factory)
    await breach.answer_case(answer="不是。", **how, **scene.by(scene.buyer))
    await breach.offer_settlement(offer="各半", **how, **scene.by(scene.buyer))
    town = int(await fetch_value("SELECT id FROM organisation WHERE kind = 'town'"))
    official = Member(town, int(await fetch_value("SELECT min(id) FROM person")), "", "official")

    async def kept(ends: list[str]) -> bool:
        told = await count("audit_record WHERE action IN ('confirm', 'dismiss', 'settle')")
        return (ends.count("done"), told) == (1, 1)

    tries = [
        lambda: breach.decide_case(move="confirm", decision="是", **how, **scene.by(official)),
        lambda: breach.decide_case(move="dismiss", decision="否", **how, **scene.by(official)),
        lambda: breach.settle_case(offer="各半", **how, **scene.by(scene.seller)),
    ]
    return tries * 2, kept


async def answering(factory: Factory) -> tuple[Tries, Judge]:
    scene, how = await case_of_breach(factory)

    async def kept(ends: list[str]) -> bool:
        return (ends.count("done"), await count("audit_record WHERE action = 'answer'")) == (1, 1)

    return [lambda: breach.answer_case(answer="不是。", **how, **scene.by(scene.buyer))] * 5, kept


# -- negotiation ----------------------------------------------------------------------------------------


async def bid_on(factory: Factory) -> tuple[Member, Member, int, int]:
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    listing = await factory.listing(seller)
    number = await place_bid(
        bid=NewBid(listing, Gram(300 * KG), FenPerKg(700), *DAYS),
        buyer_id=buyer.organisation_id,
        actor=buyer.actor,
        at=STORY,
    )
    return seller, buyer, listing, number


async def countering(factory: Factory) -> tuple[Tries, Judge]:
    seller, _, _, number = await bid_on(factory)

    async def kept(ends: list[str]) -> bool:
        return (ends.count("done"), await count("bid")) == (1, 2)

    def counter(price: int) -> Callable[[], Awaitable[object]]:
        return lambda: counter_bid(
            counter=Counter(number, Gram(300 * KG), FenPerKg(price), *DAYS),
            organisation_id=seller.organisation_id,
            side="seller",
            actor=seller.actor,
            at=STORY,
        )

    return [counter(720 + n) for n in range(5)], kept


async def confirming(factory: Factory) -> tuple[Tries, Judge]:
    """A bid is confirmed and taken back at once: one of it counts."""
    seller, buyer, listing, number = await bid_on(factory)
    await revise_terms(
        listing_id=listing,
        terms=NewTerms(FenPerKg(710), Gram(0), TODAY, TODAY + timedelta(days=60), ()),
        owner_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    how = {"bid_id": number, "side": "buyer", "organisation_id": buyer.organisation_id}

    async def kept(ends: list[str]) -> bool:
        told = await count("audit_record WHERE action = 'reconfirm'")
        return ends.count("done") == 1 and told == 1

    return [lambda: reconfirm_bid(actor=buyer.actor, at=STORY, **how)] * 5, kept


async def offering_twice(factory: Factory) -> tuple[Tries, Judge]:
    """The same goods on the same demand, without a key: one offer stands."""
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    offer = NewOffer(
        await factory.demand(buyer), await factory.listing(seller), Gram(100 * KG), FenPerKg(700), *DAYS
    )

    async def kept(ends: list[str]) -> bool:
        return (ends.count("done"), await count("bid")) == (1, 1)

    def place() -> Awaitable[object]:
        return place_offer(offer=offer, seller_id=seller.organisation_id, actor=seller.actor, at=STORY)

    return [place] * 5, kept


# -- goods and demands ----------------------------------------------------------------------------------


async def withdrawing(factory: Factory) -> tuple[Tries, Judge]:
    seller = await factory.member(role="secretary")
    how = {"listing_id": await factory.listing(seller), "owner_id": seller.organisation_id}

    async def kept(ends: list[str]) -> bool:
        return (ends.count("done"), await count("audit_record WHERE action = 'withdraw'")) == (1, 1)

    return [lambda: supply.move_listing(move="withdraw", actor=seller.actor, at=STORY, **how)] * 5, kept


async def closing(factory: Factory) -> tuple[Tries, Judge]:
    buyer = await factory.member(role="buyer")
    how = {"demand_id": await factory.demand(buyer), "buyer_id": buyer.organisation_id}

    async def kept(ends: list[str]) -> bool:
        return (ends.count("done"), await count("audit_record WHERE action = 'close'")) == (1, 1)

    return [lambda: demands.move_demand(move="close", actor=buyer.actor, at=STORY, **how)] * 5, kept


async def wanting_less(factory: Factory) -> tuple[Tries, Judge]:
    """A buyer wants less while contracts are made for it: what is open is what they leave."""
    seller, buyer = await factory.member(role="secretary"), await factory.member(role="buyer")
    demand = await factory.demand(buyer)
    lots = [await factory.listing(seller, kg=300) for _ in range(4)]

    def want(kg: int) -> Callable[[], Awaitable[object]]:
        wants = demands.DemandWants(Gram(kg * KG), FenPerKg(900), *DAYS, 0, Gram(0), ())
        return lambda: demands.revise_demand(
            demand_id=demand, wants=wants, buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY
        )

    def sell(n: int) -> Callable[[], Awaitable[object]]:
        return lambda: contract(
            seller, buyer, listing_id=lots[n], grams=300 * KG, demand_id=demand, source_id=n + 1
        )

    async def kept(ends: list[str]) -> bool:
        row = (await fetch("SELECT quantity, open FROM demand"))[0]
        return bool(row["open"] == row["quantity"] - await total("quantity", "deal") >= 0)

    return [each for n in range(4) for each in (want(900 - 50 * n), sell(n))], kept


async def settling(factory: Factory) -> tuple[Tries, Judge]:
    """The money that came in is divided among households: six times 1,000 of 2,804 yuan, two fit."""
    scene = await contracted(factory)
    lot = int(await fetch_value("SELECT id FROM lot"))
    how = {"lot_id": lot, "owner_id": scene.seller.organisation_id, "actor": scene.seller.actor, "at": STORY}
    await households.set_shares(
        shares=[households.Share("一户", 600 * KG), households.Share("二户", 400 * KG)], **how
    )
    await pay_in(scene.deal_id, 280_400)

    async def kept(ends: list[str]) -> bool:
        return (ends.count("done"), await total("amount", "settlement")) == (2, 200_000)

    def share() -> Awaitable[object]:
        return households.settle(money=Fen(100_000), received_on=TODAY, deal_id=scene.deal_id, note="", **how)

    return [share] * 6, kept


# -- suggestions, meetings, the county, the worry book --------------------------------------------------


async def agreeing(factory: Factory) -> tuple[Tries, Judge]:
    """Both sides agree from several windows: one contract."""
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer = await factory.member(role="buyer")
    await factory.listing(seller)
    await factory.demand(buyer)

    async def compute(market: Any, parameters: Any) -> Any:
        return solve_market(market.lots, market.demands, parameters, deadline=None, demands_too=True)

    run = await request_run(town_id=town.organisation_id, actor=town.actor, at=STORY)
    await read_compute_keep(run, None, start=STORY, finish=lambda: STORY, compute=compute)
    match = int(await fetch_value("SELECT id FROM match"))

    async def kept(ends: list[str]) -> bool:
        return (ends.count("done"), await count("deal")) == (2, 1)

    def agree(by: Member) -> Callable[[], Awaitable[object]]:
        return lambda: agreement.agree(
            match_id=match, organisation_id=by.organisation_id, actor=by.actor, at=STORY
        )

    return [agree(by) for by in (seller, buyer) * 3], kept


async def concluding_a_talk(factory: Factory) -> tuple[Tries, Judge]:
    day = await Day(factory).begun()
    topic = int(await fetch_value("SELECT id FROM topic WHERE appointment = $1", day.talks[0]))
    seller = day.sellers[0]
    by = {"organisation_id": seller.organisation_id, "actor": seller.actor, "at": day.minute(10)}
    await recording.record_outcome(
        appointment_id=day.talks[0],
        outcome=Outcome("intent", (TopicResult(topic, 100 * KG, 700),)),
        **by,
    )

    async def kept(ends: list[str]) -> bool:
        return (ends.count("done"), await count("deal")) == (1, 1)

    def conclude() -> Awaitable[object]:
        return concluding.conclude_topic(topic_id=topic, quantity=Gram(100 * KG), price=FenPerKg(700), **by)

    return [conclude] * 5, kept


async def filing(factory: Factory) -> tuple[Tries, Judge]:
    """An organisation files its papers with the county from several windows."""
    await factory.member(role="verifier", kind="county")
    village = await factory.member(role="secretary")

    async def kept(ends: list[str]) -> bool:
        return (ends.count("done"), await count("verification")) == (1, 1)

    def file() -> Awaitable[object]:
        return verification.file_evidence(
            words="",
            papers=(PAPER,),
            organisation_id=village.organisation_id,
            actor=village.actor,
            at=STORY,
        )

    return [file] * 5, kept


async def climbing(factory: Factory) -> tuple[Tries, Judge]:
    """A case of the worry book goes up from village to province, one level at a time, and no further."""
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    number = await cases.open_case(
        listing_id=await factory.listing(seller),
        note="没有人来。",
        organisation_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )

    async def kept(ends: list[str]) -> bool:
        rungs = await fetch("SELECT level FROM case_entry WHERE kind = 'climbed' ORDER BY id")
        levels = [row["level"] for row in rungs]
        return len(levels) == ends.count("done") > 1 and len(set(levels)) == len(levels)

    def climb() -> Awaitable[object]:
        return cases.climb(
            case_id=number, note="请上级。", town_id=town.organisation_id, actor=town.actor, at=STORY
        )

    return [climb] * 6, kept


RACES: dict[str, Race] = {
    "signatures": Race(signatures, (signing,)),
    "cancelling": Race(cancelling, (signing,)),
    "announcing": Race(announcing, (fulfilment,)),
    "inspecting": Race(inspecting, (fulfilment,)),
    "deciding": Race(deciding, (breach,)),
    "answering": Race(answering, (breach,)),
    "countering": Race(countering, (operations, negotiating)),
    "confirming": Race(confirming, (operations, negotiating)),
    "offering twice": Race(offering_twice, (offering,)),
    "withdrawing": Race(withdrawing, (supply,)),
    "closing": Race(closing, (demands,)),
    "wanting less": Race(wanting_less, (demands,)),
    "settling": Race(settling, (households, households_stock)),
    "agreeing": Race(agreeing, (agreement,)),
    "concluding a talk": Race(concluding_a_talk, (concluding,)),
    "filing": Race(filing, (verification, moving)),
    "climbing": Race(climbing, (cases, diary)),
}


@pytest.mark.parametrize("locked", [True, False], ids=["locked", "unlocked"])
@pytest.mark.parametrize("name", RACES)
async def test_of_many_at_once_as_many_count_as_may(
    wide: Factory, monkeypatch: pytest.MonkeyPatch, name: str, locked: bool
) -> None:
    assert await is_kept(RACES[name], wide, monkeypatch, locked=locked) is locked
