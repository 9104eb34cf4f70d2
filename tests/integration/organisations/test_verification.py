"""An organisation files, the county decides: what holds, what runs out, what a suspension stops."""

from datetime import timedelta

import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.accounts import rules as accounts
from market.audit.queries import history
from market.db.session import execute, fetch, fetch_value, transaction
from market.deals.fulfilment import schedule_delivery
from market.deals.operations import sign
from market.errors import Conflict, Invalid, MarketError, NotAllowed, NotFound
from market.organisations import expiring, verification
from market.organisations.expiring import UntilPayload
from market.organisations.queries import cards_of_county, standings_of
from market.organisations.verification import NewPaper
from market.transitions import WrongState
from market.units import Gram
from tests.integration.deals.scene import contract

PAPER = NewPaper("licence.pdf", "application/pdf", b"%PDF-1.4", "ab" * 32)
UNTIL = TODAY + timedelta(days=365)


@pytest.fixture
async def county(factory: Factory) -> Member:
    return await factory.member(role="verifier", kind="county")


@pytest.fixture
async def village(factory: Factory) -> Member:
    return await factory.member(role="secretary")


async def file(member: Member) -> int:
    return await verification.file_evidence(
        words="", papers=(PAPER,), organisation_id=member.organisation_id, actor=member.actor, at=STORY
    )


def by(county: Member, member: Member) -> dict[str, object]:
    return {
        "organisation_id": member.organisation_id,
        "county_id": county.organisation_id,
        "actor": county.actor,
        "at": STORY,
    }


async def verify(county: Member, member: Member) -> None:
    await verification.verify(checked=("licence",), until=UNTIL, note="", **by(county, member))  # type: ignore[arg-type]


async def state_of(member: Member) -> str:
    return str(await fetch_value("SELECT standing FROM organisation WHERE id = $1", member.organisation_id))


async def refusal(what: object) -> str:
    with pytest.raises(MarketError) as refused:
        await what  # type: ignore[misc]
    return str(refused.value)


async def test_evidence_leads_to_a_verification_that_runs_out_and_is_renewed(
    county: Member, village: Member
) -> None:
    assert await state_of(village) == accounts.UNVERIFIED
    await file(village)
    with pytest.raises(Conflict):
        await file(village)
    assert [card.id for card in await cards_of_county(county_id=county.organisation_id) if card.waits] == [
        village.organisation_id
    ]
    await verification.refuse(reason="unreadable", note="", **by(county, village))  # type: ignore[arg-type]
    assert await state_of(village) == accounts.REFUSED
    await file(village)
    await verify(county, village)
    badge = (await standings_of(village.organisation_id))[village.organisation_id]
    assert (badge.state, badge.checked, badge.until, badge.since) == ("verified", ["licence"], UNTIL, STORY)

    # renewing does not lose what holds, nor does a refusal of the new papers
    await file(village)
    assert await state_of(village) == accounts.VERIFIED
    await verification.refuse(reason="mismatch", note="", **by(county, village))  # type: ignore[arg-type]
    assert (await standings_of(village.organisation_id))[village.organisation_id] == badge

    # the job that was written then ends it, on the day after its last
    jobs = await fetch("SELECT kind, run_at FROM job WHERE kind LIKE 'organisations.%' ORDER BY run_at")
    assert [job["kind"] for job in jobs] == ["organisations.remind", "organisations.expire"]
    over = UntilPayload(village.organisation_id, UNTIL)
    for at, state in ((STORY + timedelta(days=364), "verified"), (STORY + timedelta(days=366), "expired")):
        async with transaction():
            await expiring.remind(over, at=at)
            await expiring.expire(over, at=at)
        assert await state_of(village) == state
    told = await fetch("SELECT kind FROM notice WHERE organisation = $1 ORDER BY id", village.organisation_id)
    assert [row["kind"] for row in told] == [
        *("verification_refused", "verified", "verification_refused"),
        *("verification_ends", "verification_expired"),
    ]
    steps = await history(subjects=[f"organisation:{village.organisation_id}"])
    assert [step.action for step in steps] == [
        *("file", "refuse", "file", "verify", "renew", "refuse_renewal", "expire")
    ]


async def test_what_was_filed_and_decided_stays_as_it_was(county: Member, village: Member) -> None:
    await file(village)
    await verify(county, village)
    for rewrite in (
        "UPDATE verification SET checked = '{visit}'",
        "UPDATE verification_paper SET content = 'x'",
        "UPDATE organisation SET standing = 'trusted'",
    ):
        with pytest.raises(Exception, match=r"append-only|organisation_standing_known"):
            await execute(rewrite)


async def test_faulty_verdicts_are_refused_field_by_field(county: Member, village: Member) -> None:
    for checked, until, fields in (
        ((), UNTIL, {"checked"}),
        (("rumour",), UNTIL, {"checked"}),
        (("licence",), TODAY, {"until"}),
        (("licence",), TODAY + timedelta(days=5_000), {"until"}),
    ):
        with pytest.raises(Invalid) as refused:
            await verification.verify(checked=checked, until=until, note="", **by(county, village))  # type: ignore[arg-type]
        assert set(refused.value.fields) == fields
    with pytest.raises(Invalid):
        await verification.suspend(reason="other", note=" ", **by(county, village))  # type: ignore[arg-type]
    with pytest.raises(Conflict):
        await verification.refuse(reason="lapsed", note="", **by(county, village))  # type: ignore[arg-type]


async def test_a_county_finds_only_whom_it_looks_after(
    factory: Factory, county: Member, village: Member
) -> None:
    other = await factory.member(role="verifier", kind="county")
    town = await factory.member(role="official")
    await execute(
        "UPDATE organisation SET town = $2 WHERE id = $1", village.organisation_id, town.organisation_id
    )
    await verification.adopt(**by(county, town))  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        await verify(other, village)
    with pytest.raises(NotFound):
        await verification.adopt(**by(other, town))  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        await verify(county, county)
    await verify(county, village)
    assert await state_of(village) == accounts.VERIFIED


async def test_suspended_binds_itself_to_nothing_new_and_fulfils_what_it_owes(
    factory: Factory, county: Member, village: Member
) -> None:
    buyer = await factory.member(role="buyer")
    listing = await factory.listing(village)
    signed, unsigned = [
        await contract(village, buyer, listing_id=listing, source_id=number) for number in (1, 2)
    ]
    for member in (village, buyer):
        await sign(deal_id=signed, organisation_id=member.organisation_id, actor=member.actor, at=STORY)
    await verify(county, village)
    await verification.suspend(reason="fraud", note="", **by(county, village))  # type: ignore[arg-type]
    stopped = [
        factory.listing(village),
        contract(village, buyer, listing_id=listing, source_id=3),
        sign(deal_id=unsigned, organisation_id=village.organisation_id, actor=village.actor, at=STORY),
    ]
    for attempt in stopped:
        assert "暂停" in await refusal(attempt)
    assert await fetch_value("SELECT count(*) FROM deal") == 2
    # the contract that binds goes on

    assert await schedule_delivery(
        deal_id=signed,
        quantity=Gram(1_000),
        on=TODAY,
        organisation_id=village.organisation_id,
        actor=village.actor,
        at=STORY,
    )
    with pytest.raises(WrongState):
        await verify(county, village)
    # what was verified before still holds after it
    await verification.reinstate(note="", **by(county, village))  # type: ignore[arg-type]
    assert await state_of(village) == accounts.VERIFIED
    await sign(deal_id=unsigned, organisation_id=village.organisation_id, actor=village.actor, at=STORY)


async def test_capabilities_come_with_the_kind_and_from_the_county(
    factory: Factory, county: Member, village: Member
) -> None:
    mill = await factory.member(role="seller", kind="service")
    with pytest.raises(NotAllowed):
        await factory.listing(mill)
    await verification.set_capabilities(granted=("sell", "transform"), withheld=(), **by(county, mill))  # type: ignore[arg-type]
    assert await factory.listing(mill)
    await verification.set_capabilities(granted=(), withheld=("sell",), **by(county, village))  # type: ignore[arg-type]
    with pytest.raises(NotAllowed):
        await factory.listing(village)
    with pytest.raises(Invalid):
        await verification.set_capabilities(granted=("buy",), withheld=("buy",), **by(county, village))  # type: ignore[arg-type]
