"""Above a buyer's limit nothing binds before a purchasing manager has approved it."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta

import msgspec
import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.accounts.operations import NewPerson, NewSite, add_site, register_person
from market.accounts.rules import Actor
from market.audit.queries import history
from market.bids.negotiating import Counter, accept_counter, counter_bid
from market.bids.opening import open_round
from market.bids.operations import NewBid, place_bid
from market.bids.sealing import seal_bid
from market.db.session import Engine, execute, fetch, fetch_value
from market.deals.clauses import WHOLE, Milestone, Terms
from market.deals.frames.calling import call_off, confirm_call
from market.deals.frames.operations import NewFrame, propose_frame, sign_frame
from market.deals.frames.rules import Agreed, Batch
from market.deals.operations import sign
from market.deals.terms import answer_terms, propose_terms, terms_in_force
from market.errors import Conflict, Invalid, MarketError, NotAllowed, NotFound
from market.matching.agreement import agree, decline
from market.matching.operations import run_now
from market.matching.queries import matches_of
from market.organisations import approving, delegating, members
from market.organisations.approval_queries import approval_of, waiting_on
from market.organisations.approving import Waiting
from market.organisations.dead_approvals import end_dead_approvals
from market.transitions import WrongState
from market.units import Fen, FenPerKg, Gram
from tests.integration.deals.scene import contract
from tests.integration.races import connections, take_locks_away

LATER = STORY + timedelta(hours=1)


@pytest.fixture
async def seller(factory: Factory) -> Member:
    return await factory.member(role="secretary")


@pytest.fixture
async def buyer(factory: Factory) -> Member:
    return await factory.member(role="buyer")


@pytest.fixture
async def manager(buyer: Member) -> Actor:
    """A purchasing manager of the buyer's up to 5,000 yuan; its buyers go up to 1,000."""
    person = await register_person(
        person=NewPerson(name="钱经理", phone="19900019999"),
        organisation_id=buyer.organisation_id,
        roles=frozenset({"manager"}),
        at=STORY,
    )
    actor = Actor(person, buyer.organisation_id, "buyer")
    await members.set_role(person_id=person, role="manager", most=Fen(500_000), **by(buyer, actor))
    await members.set_buyer_limit(limit=Fen(100_000), **by(buyer, actor))
    return actor


def by(buyer: Member, actor: Actor) -> dict[str, object]:
    return {"organisation_id": buyer.organisation_id, "actor": actor, "at": LATER}


def bid(listing: int, *, kg: int) -> NewBid:
    return NewBid(listing, Gram(kg * 1_000), FenPerKg(700), TODAY, TODAY + timedelta(days=9))


async def asked(deed: object) -> int:
    with pytest.raises(Waiting) as waits:
        await deed  # type: ignore[misc]
    return waits.value.approval_id


async def place(buyer: Member, listing: int, *, kg: int, key: str | None = None) -> int:
    return await place_bid(
        bid=bid(listing, kg=kg), buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY, key=key
    )


async def test_a_bid_above_the_limit_is_placed_by_the_approval(
    factory: Factory, seller: Member, buyer: Member, manager: Actor
) -> None:
    listing = await factory.listing(seller)
    await place(buyer, listing, kg=142)  # 994 yuan
    approval = await asked(place(buyer, listing, kg=143, key="k"))  # 1,001 yuan
    assert await asked(place(buyer, listing, kg=143, key="k")) == approval
    assert await fetch_value("SELECT count(*) FROM bid") == 1
    # both sides see it, nobody else does
    stranger = await factory.member(role="buyer")
    seen = [
        len(await waiting_on(f"listing:{listing}", organisation_id=each.organisation_id))
        for each in (seller, buyer, stranger)
    ]
    assert seen == [1, 1, 0]
    assert (
        await fetch_value(
            "SELECT kind FROM notice WHERE organisation = $1 ORDER BY id DESC LIMIT 1", seller.organisation_id
        )
        == "approval_awaited"
    )

    link = await approving.approve(approval_id=approval, **by(buyer, manager))  # type: ignore[arg-type]
    number = int(link.removeprefix("/bids/"))
    placed = (await history(subjects=[f"bid:{number}"]))[0]
    assert (placed.action, placed.details["approved_by"]) == ("place", manager.person_id)
    row = await approval_of(approval_id=approval, organisation_id=buyer.organisation_id)
    assert (row.state, row.result, row.amount) == ("approved", link, 100_100)
    steps = await history(subjects=[f"approval:{approval}"])
    assert [(step.action, step.details.get("asked_by")) for step in steps] == [
        ("ask", None),
        ("approve", buyer.person_id),
    ]
    with pytest.raises(WrongState):
        await approving.approve(approval_id=approval, **by(buyer, manager))  # type: ignore[arg-type]


async def test_counters_acceptances_and_signatures_wait_as_well(
    factory: Factory, seller: Member, buyer: Member, manager: Actor
) -> None:
    listing = await factory.listing(seller)
    first = await place(buyer, listing, kg=100)
    countered = await counter_bid(
        counter=Counter(first, Gram(200_000), FenPerKg(700), TODAY, TODAY + timedelta(days=9)),
        organisation_id=seller.organisation_id,
        side="seller",
        actor=seller.actor,
        at=STORY,
    )
    back = Counter(countered, Gram(190_000), FenPerKg(690), TODAY, TODAY + timedelta(days=9))
    waits = await asked(
        counter_bid(
            counter=back, organisation_id=buyer.organisation_id, side="buyer", actor=buyer.actor, at=STORY
        )
    )
    await approving.withdraw(approval_id=waits, **by(buyer, buyer.actor))  # type: ignore[arg-type]
    waits = await asked(
        accept_counter(bid_id=countered, buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY)
    )
    assert await fetch_value("SELECT count(*) FROM deal") == 0
    link = await approving.approve(approval_id=waits, **by(buyer, manager))  # type: ignore[arg-type]
    deal = int(link.removeprefix("/deals/"))
    signing = {"deal_id": deal, "organisation_id": buyer.organisation_id, "actor": buyer.actor, "at": STORY}
    waits = await asked(sign(**signing))  # type: ignore[arg-type]
    # the same is not asked for twice, and the manager needs to ask nobody
    with pytest.raises(Conflict):
        await sign(**signing)  # type: ignore[arg-type]
    await approving.refuse(approval_id=waits, reason="budget", note="", **by(buyer, manager))  # type: ignore[arg-type]
    assert await fetch_value("SELECT buyer_signed_at FROM deal WHERE id = $1", deal) is None
    await sign(**{**signing, "actor": manager})  # type: ignore[arg-type]


async def test_framework_agreements_wait_and_so_does_a_batch_above_their_price(
    factory: Factory, seller: Member, buyer: Member, manager: Actor
) -> None:
    await factory.listing(seller)
    site = await add_site(organisation_id=buyer.organisation_id, site=NewSite(name="店", lat=30.0, lon=120.0))
    end = TODAY + timedelta(days=60)
    terms = Terms(deliver_from=TODAY, deliver_to=end, milestones=(Milestone("arrival", WHOLE, 30),))

    def frame(other: Member, *, kg: int) -> NewFrame:
        agreed = Agreed("peanut", Gram(kg * 1_000), FenPerKg(700), (site,), TODAY, end, floor=FenPerKg(600))
        return NewFrame(other.organisation_id, agreed, terms)

    def proposed(member: Member, side: str, *, kg: int) -> Awaitable[int]:
        return propose_frame(
            frame=frame(seller if member is buyer else buyer, kg=kg),
            side=side,
            organisation_id=member.organisation_id,
            actor=member.actor,
            at=STORY,
        )

    def called(number: int, price: int) -> Awaitable[int]:
        day = TODAY + timedelta(days=5)
        return call_off(
            batch=Batch(number, Gram(100_000), site, day, day, FenPerKg(price)),
            buyer_id=buyer.organisation_id,
            actor=buyer.actor,
            at=STORY,
        )

    def signed(number: int, member: Member) -> Awaitable[None]:
        return sign_frame(
            frame_id=number, organisation_id=member.organisation_id, actor=member.actor, at=STORY
        )

    waits = await asked(proposed(buyer, "buyer", kg=200))  # 1,400 yuan
    assert await fetch_value("SELECT count(*) FROM frame") == 0
    await approving.approve(approval_id=waits, **by(buyer, manager))  # type: ignore[arg-type]
    assert await fetch_value("SELECT state FROM frame") == "proposed"
    number = await proposed(seller, "seller", kg=400)  # 2,800 yuan
    waits = await asked(signed(number, buyer))
    await approving.approve(approval_id=waits, **by(buyer, manager))  # type: ignore[arg-type]
    # what was signed is called without asking; above its price the limit counts anew
    await called(number, 700)
    await called(number, 1_000)
    waits = await asked(called(number, 1_001))
    assert await fetch_value("SELECT called FROM frame WHERE id = $1", number) == 200_000
    link = await approving.approve(approval_id=waits, **by(buyer, manager))  # type: ignore[arg-type]
    assert (link, await fetch_value("SELECT max(price) FROM call_off")) == (f"/frames/{number}", 1_001)
    # the suspended neither propose nor sign, call or confirm; nor does anybody with them
    within = await proposed(seller, "seller", kg=10)
    for barred in (seller, buyer):
        where = "UPDATE organisation SET standing = $2 WHERE id = $1"
        await execute(where, barred.organisation_id, "suspended")
        for attempt in (
            proposed(seller, "seller", kg=10),
            proposed(buyer, "buyer", kg=10),
            signed(within, buyer),
            called(number, 700),
            confirm_call(
                frame_id=number,
                call_id=1,
                listing_id=1,
                seller_id=seller.organisation_id,
                actor=seller.actor,
                at=STORY,
            ),
        ):
            with pytest.raises(MarketError, match="暂停"):
                await attempt
        await execute(where, barred.organisation_id, "unverified")


async def test_what_an_agent_asked_for_is_not_done_once_the_agent_may_not(
    factory: Factory, seller: Member, buyer: Member, manager: Actor
) -> None:
    town = await factory.member(role="official")
    agent = await factory.member(role="secretary", town_id=town.organisation_id)
    await execute(
        "UPDATE organisation SET town = $2 WHERE id = $1", buyer.organisation_id, town.organisation_id
    )
    delegation = await delegating.grant(
        agent_id=agent.person_id,
        deeds=("answer",),
        until=TODAY + timedelta(days=2),
        words="",
        **by(buyer, manager),  # type: ignore[arg-type]
    )
    listing = await factory.listing(seller)
    actor = Actor(agent.person_id, buyer.organisation_id, "buyer", delegation)
    waits = await asked(
        place_bid(bid=bid(listing, kg=200), buyer_id=buyer.organisation_id, actor=actor, at=STORY)
    )
    deciding = {"approval_id": waits, "organisation_id": buyer.organisation_id, "actor": manager}
    with pytest.raises(Conflict, match="已不是"):
        await approving.approve(**deciding, at=STORY + timedelta(days=3))  # type: ignore[arg-type]
    await execute("UPDATE membership SET organisation = $2 WHERE person = $1", agent.person_id, 1)
    with pytest.raises(Conflict, match="已不是"):
        await approving.approve(**deciding, at=LATER)  # type: ignore[arg-type]
    await execute(
        "UPDATE membership SET organisation = $2 WHERE person = $1", agent.person_id, agent.organisation_id
    )
    assert (await approving.approve(**deciding, at=LATER)).startswith("/bids/")  # type: ignore[arg-type]


async def test_only_a_manager_with_enough_and_not_oneself_approves(
    factory: Factory, seller: Member, buyer: Member, manager: Actor
) -> None:
    listing = await factory.listing(seller)
    approval = await asked(place(buyer, listing, kg=800))  # 5,600 yuan
    for actor in (buyer.actor, manager):
        with pytest.raises(NotAllowed):
            await approving.approve(approval_id=approval, **by(buyer, actor))  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        await approving.approve(
            approval_id=approval, organisation_id=seller.organisation_id, actor=seller.actor, at=LATER
        )
    # nobody lifts themselves, or others, above their own limit: somebody above them does
    lifts = [
        lambda actor, most: members.set_role(
            person_id=manager.person_id or 0, role="manager", most=most, **by(buyer, actor)
        ),
        lambda actor, most: members.set_role(
            person_id=buyer.person_id, role="manager", most=most, **by(buyer, actor)
        ),
        lambda actor, most: members.set_buyer_limit(limit=most, **by(buyer, actor)),
    ]
    for lift in lifts:
        for most in (None, Fen(500_001)):
            with pytest.raises(Invalid):
                await lift(manager, most)
    # the limit of now counts, also where it has changed meanwhile
    official = (await factory.member(role="official")).actor
    for lift in lifts:
        await lift(official, None)
    with pytest.raises(NotAllowed, match="自己"):
        await approving.approve(approval_id=approval, **by(buyer, buyer.actor))  # type: ignore[arg-type]
    # nobody is bound by silence: it lapses, and what is gone meanwhile is gone
    assert await approving.expire_approvals(at=STORY + timedelta(days=8)) == 1
    newest = "SELECT action FROM audit_record WHERE subject = $1 ORDER BY position DESC LIMIT 1"
    assert await fetch_value(newest, f"approval:{approval}") == "expire"
    with pytest.raises(WrongState):
        await approving.approve(approval_id=approval, **by(buyer, manager))  # type: ignore[arg-type]


async def test_what_is_gone_meanwhile_is_not_done_and_goes_on_waiting(
    factory: Factory, seller: Member, buyer: Member, manager: Actor
) -> None:
    listing = await factory.listing(seller, kg=300)
    approval = await asked(place(buyer, listing, kg=200))
    rival = await factory.member(role="buyer")
    await contract(seller, rival, listing_id=listing, grams=250_000)
    with pytest.raises(MarketError):
        await approving.approve(approval_id=approval, **by(buyer, manager))  # type: ignore[arg-type]
    row = await approval_of(approval_id=approval, organisation_id=buyer.organisation_id)
    assert (row.state, row.decided_at) == ("waiting", None)


async def test_what_comes_to_more_by_now_is_not_what_was_approved(
    factory: Factory, seller: Member, buyer: Member, manager: Actor
) -> None:
    listing = await factory.listing(seller)
    deal = await contract(seller, buyer, listing_id=listing, grams=200_000, price=700)
    signing = {"deal_id": deal, "organisation_id": buyer.organisation_id, "actor": buyer.actor, "at": STORY}
    approval = await asked(sign(**signing))  # type: ignore[arg-type]
    version, terms = await terms_in_force(deal_id=deal)
    version = await propose_terms(
        deal_id=deal,
        base=version,
        terms=msgspec.structs.replace(terms, pricing="floor", floor=2_000),
        note="",
        **by(seller, seller.actor),  # type: ignore[arg-type]
    )
    await answer_terms(deal_id=deal, version=version, move="agree", **by(buyer, manager))  # type: ignore[arg-type]
    with pytest.raises(Conflict, match="元，现在要 4,000"):
        await approving.approve(approval_id=approval, **by(buyer, manager))  # type: ignore[arg-type]
    assert await fetch_value("SELECT buyer_signed_at FROM deal") is None
    await approving.withdraw(approval_id=approval, **by(buyer, buyer.actor))  # type: ignore[arg-type]
    again = await asked(sign(**signing))  # type: ignore[arg-type]
    await approving.approve(approval_id=again, **by(buyer, manager))  # type: ignore[arg-type]
    assert await fetch_value("SELECT buyer_signed_at FROM deal") is not None


async def test_an_approval_ends_with_the_suggestion_that_was_declined(
    factory: Factory, seller: Member, buyer: Member, manager: Actor
) -> None:
    town = await factory.member(role="official")
    await execute(
        "UPDATE organisation SET town = $1 WHERE id = $2", town.organisation_id, seller.organisation_id
    )
    await factory.listing(seller, kg=1_000)
    await factory.demand(buyer, kg=500)
    await run_now(town_id=town.organisation_id, actor=town.actor, at=STORY)
    match = (await matches_of(organisation_id=buyer.organisation_id))[0]
    own = {"match_id": match.id, "organisation_id": buyer.organisation_id, "actor": buyer.actor, "at": LATER}
    approval = await asked(agree(**own))
    assert await end_dead_approvals(at=LATER) == 0
    await decline(**own, reason="price", note="")
    found = await approval_of(approval_id=approval, organisation_id=buyer.organisation_id)
    assert found.state == "withdrawn"
    told = await fetch_value("SELECT count(*) FROM notice WHERE kind = 'approval_ended'")
    assert told == 1
    with pytest.raises(WrongState):
        await approving.approve(approval_id=approval, **by(buyer, manager))


async def test_a_sealed_bid_that_waits_is_nobody_elses_to_know(
    factory: Factory, seller: Member, buyer: Member, manager: Actor
) -> None:
    listing = await factory.listing(seller)
    await execute(
        "UPDATE listing SET way = 'sealed', closes_at = $2 WHERE id = $1", listing, STORY + timedelta(days=3)
    )
    approval = await asked(
        seal_bid(bid=bid(listing, kg=200), buyer_id=buyer.organisation_id, actor=buyer.actor, at=STORY)
    )
    subjects = (f"sealed:{listing}", f"listing:{listing}")
    assert await waiting_on(*subjects, organisation_id=seller.organisation_id) == []
    assert await fetch("SELECT FROM notice WHERE organisation = $1", seller.organisation_id) == []
    link = await approving.approve(approval_id=approval, **by(buyer, manager))  # type: ignore[arg-type]
    assert await fetch_value("SELECT count(*) FROM sealed_bid WHERE mark = $1", link.removeprefix("/sealed/"))
    # nor the record's readers' to know, before the round is opened
    assert await history(subjects=[f"approval:{approval}"]) == []
    said = "SELECT count(*) FROM audit_record WHERE details ->> 'subject' = $1 OR details ->> 'result' = $2"
    assert await fetch_value(said, subjects[0], link) == 0
    await open_round(listing_id=listing, at=STORY + timedelta(days=3))
    opened = await fetch_value("SELECT 'bid:' || id FROM bid")
    placed = (await history(subjects=[opened]))[0]
    assert (placed.action, placed.details["approved_by"]) == ("place", manager.person_id)


async def test_of_many_who_approve_at_once_one_does_it(
    db: Engine, factory: Factory, seller: Member, buyer: Member, manager: Actor
) -> None:
    listing = await factory.listing(seller)
    approval = await asked(place(buyer, listing, kg=200))
    async with connections(db, 8):
        ends = await asyncio.gather(
            *(approving.approve(approval_id=approval, **by(buyer, manager)) for _ in range(8)),  # type: ignore[arg-type]
            return_exceptions=True,
        )
    assert sorted(type(end).__name__ for end in ends) == ["WrongState"] * 7 + ["str"]
    assert await fetch_value("SELECT count(*) FROM bid") == 1


async def test_the_last_keeper_stays_and_who_leaves_is_signed_out(buyer: Member, manager: Actor) -> None:
    await execute(
        """INSERT INTO session (token_hash, person, organisation, created_at, expires_at, seen_at)
           VALUES ('x', $1, $2, $3, $3, $3)""",
        buyer.person_id,
        buyer.organisation_id,
        STORY,
    )
    person = manager.person_id or 0
    for attempt in (
        members.end_membership(person_id=person, **by(buyer, manager)),  # type: ignore[arg-type]
        members.set_role(person_id=person, role="buyer", most=None, **by(buyer, manager)),  # type: ignore[arg-type]
    ):
        with pytest.raises(Conflict):
            await attempt
    with pytest.raises(MarketError):
        await members.set_role(person_id=person, role="verifier", most=None, **by(buyer, manager))  # type: ignore[arg-type]
    await members.set_role(person_id=person, role="administrator", most=None, **by(buyer, manager))  # type: ignore[arg-type]
    await members.end_membership(person_id=buyer.person_id, **by(buyer, manager))  # type: ignore[arg-type]
    assert await fetch_value("SELECT count(*) FROM session") == 0


@pytest.mark.parametrize("locked", [True, False], ids=["locked", "unlocked"])
async def test_of_two_keepers_who_let_each_other_go_at_the_same_moment_one_stays(
    db: Engine, buyer: Member, manager: Actor, monkeypatch: pytest.MonkeyPatch, locked: bool
) -> None:
    person = manager.person_id or 0
    await members.set_role(person_id=buyer.person_id, role="administrator", most=None, **by(buyer, manager))  # type: ignore[arg-type]
    passed = [] if locked else take_locks_away(monkeypatch, members, runners=2)
    async with connections(db, 2):
        ends = await asyncio.gather(
            *(
                members.end_membership(person_id=each, **by(buyer, manager))  # type: ignore[arg-type]
                for each in (person, buyer.person_id)
            ),
            return_exceptions=True,
        )
    assert bool(passed) is not locked
    left = await fetch_value("SELECT count(*) FROM membership WHERE organisation = $1", buyer.organisation_id)
    assert (left == 1) is locked
    assert (sorted(type(end).__name__ for end in ends) == ["Conflict", "NoneType"]) is locked
