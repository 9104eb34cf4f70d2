"""Who comes instead of somebody invited takes over the talks that were arranged."""

import pytest

from fixtures.factories import STORY, Factory, Member
from market.db.session import execute, fetch, fetch_value, transaction
from market.errors import Invalid
from market.meetings.invitations.replying import Delegation, Reply, delegate, reply
from market.meetings.planning.facts import facts_of
from market.meetings.queries import left_out_of
from market.meetings.talks.striking import strike
from market.notices.queries import inbox
from market.units import FenPerKg, Gram
from tests.integration.meetings.day import Day
from tests.integration.meetings.test_meetings import Scene

Place = tuple[str, int | None, int | None]


@pytest.fixture
async def day(factory: Factory) -> Day:
    """Four talks in a published timetable of a meeting that has not begun."""
    day = await Day(factory).begun()
    await execute("UPDATE meeting SET state = 'timetabled'")
    return day


async def invitation_of(day: Day, member: Member) -> int:
    return int(await fetch_value("SELECT id FROM invitation WHERE organisation = $1", member.organisation_id))


async def hand_on(day: Day, member: Member, to: Member) -> None:
    name = await fetch_value("SELECT name FROM organisation WHERE id = $1", to.organisation_id)
    await delegate(
        invitation_id=await invitation_of(day, member),
        version=1,
        delegation=Delegation(name),
        person_id=None,
        at=STORY,
    )


async def talks_of(day: Day, member: Member) -> dict[int, Place]:
    """Return the other side -> state, slot and table."""
    rows = await fetch(
        """SELECT CASE WHEN seller = $1 THEN buyer ELSE seller END AS other, state, slot, table_number
           FROM appointment WHERE $1 IN (seller, buyer)""",
        member.organisation_id,
    )
    return {row["other"]: (row["state"], row["slot"], row["table_number"]) for row in rows}


async def told(member: Member) -> list[str]:
    return [
        str(each.message)
        for each in await inbox(organisation_id=member.organisation_id)
        if each.kind == "timetable_changed"
    ]


async def test_delegate_sits_where_the_delegator_was_to_sit_and_each_is_told_once(
    day: Day, factory: Factory
) -> None:
    (first, second), (buyer, other) = day.sellers, day.buyers
    instead = await factory.member(role="buyer")
    await hand_on(day, buyer, instead)
    assert await talks_of(day, instead) == {
        first.organisation_id: ("scheduled", 1, 1),
        second.organisation_id: ("scheduled", 2, 1),
    }
    assert {state for state, _, _ in (await talks_of(day, buyer)).values()} == {"cancelled"}
    listings = await fetch(
        """SELECT topic.listing FROM topic JOIN appointment ON appointment.id = topic.appointment
           WHERE appointment.buyer = $1 ORDER BY 1""",
        instead.organisation_id,
    )
    assert [row["listing"] for row in listings] == sorted(day.listings)
    assert [len(await told(each)) for each in (first, second, buyer, instead, other)] == [1, 1, 1, 1, 0]
    # and the next planning leaves them there
    firm = (await facts_of(day.meeting_id, at=STORY)).firm
    assert {(each.seller, each.buyer, each.place, each.table) for each in firm} == {
        (first.organisation_id, instead.organisation_id, 1, 1),
        (second.organisation_id, instead.organisation_id, 2, 1),
    }


async def test_delegate_with_a_talk_of_its_own_then_waits_for_the_next_planning(day: Day) -> None:
    (first, second), (buyer, other) = day.sellers, day.buyers
    # the other buyer meets the second seller only, in the slot in which the first was to meet the delegator
    await execute("DELETE FROM appointment WHERE buyer = $1 AND slot = 2", other.organisation_id)
    await hand_on(day, buyer, other)
    assert await talks_of(day, other) == {
        first.organisation_id: ("accepted", None, None),
        second.organisation_id: ("scheduled", 1, 2),
    }
    rows = await fetch("SELECT seller, buyer, reason->>'text' AS reason FROM left_out")
    reasons = {(row["seller"], row["buyer"]): row["reason"] for row in rows}
    assert reasons == {
        (first.organisation_id, other.organisation_id): "受托单位这个时段来不了或已有洽谈，等重新排桌。",
        (second.organisation_id, buyer.organisation_id): "受托单位本来就要和对方洽谈，委托的这场并入其中。",
    }
    firm = (await facts_of(day.meeting_id, at=STORY)).firm
    assert [(each.seller, each.buyer, each.place) for each in firm] == [
        (first.organisation_id, other.organisation_id, None)
    ]


async def test_a_veto_holds_for_the_delegate_too(day: Day, factory: Factory) -> None:
    (first, second), (buyer, _) = day.sellers, day.buyers
    instead = await factory.member(role="buyer")
    await execute(
        """INSERT INTO wish (meeting, organisation, about, level, created_at)
           VALUES ($1, $2, $3, 'never', $4)""",
        day.meeting_id,
        first.organisation_id,
        instead.organisation_id,
        STORY,
    )
    await hand_on(day, buyer, instead)
    assert await talks_of(day, instead) == {second.organisation_id: ("scheduled", 2, 1)}
    assert [str(each.reason) for each in await left_out_of(meeting_id=day.meeting_id)] == [
        "受托单位和对方有一方不愿洽谈，委托的这场没有排。"
    ]


async def test_whoever_comes_after_all_has_the_talks_back(day: Day, factory: Factory) -> None:
    buyer, instead = day.buyers[0], await factory.member(role="buyer")
    before = await talks_of(day, buyer)
    await hand_on(day, buyer, instead)
    await reply(
        invitation_id=await invitation_of(day, buyer),
        version=1,
        reply=Reply("accepted"),
        person_id=None,
        at=STORY,
    )
    assert await talks_of(day, buyer) == before
    assert await talks_of(day, instead) == {}


async def test_a_seller_passes_its_talks_on_with_the_delegates_own_goods(day: Day, factory: Factory) -> None:
    instead = await factory.member(role="secretary", town_id=day.town.organisation_id)
    listing = await factory.listing(instead)
    await hand_on(day, day.sellers[0], instead)
    assert set((await talks_of(day, instead)).values()) == {("scheduled", 1, 1), ("scheduled", 2, 2)}
    rows = await fetch(
        """SELECT DISTINCT topic.listing FROM topic JOIN appointment ON appointment.id = topic.appointment
           WHERE appointment.seller = $1""",
        instead.organisation_id,
    )
    assert [row["listing"] for row in rows] == [listing]


async def test_nobody_of_the_other_side_comes_instead(day: Day) -> None:
    await execute(
        "UPDATE invitation SET side = 'guest' WHERE organisation = $1", day.buyers[1].organisation_id
    )
    with pytest.raises(Invalid):
        await hand_on(day, day.buyers[0], day.buyers[1])
    assert await fetch_value("SELECT count(*) FROM appointment WHERE state = 'cancelled'") == 0


async def test_what_the_engine_suggested_to_the_delegator_stays_what_the_delegate_talks_about(
    factory: Factory,
) -> None:
    scene, instead = await Scene(factory).planned(), await factory.member(role="buyer")
    buyer = scene.buyers[0]

    async def suggested(member: Member) -> list[tuple[int, int, int | None]]:
        return sorted(
            (each.seller, topic.listing, topic.proposed)
            for each in await scene.appointments()
            for topic in each.topics
            if member.organisation_id == each.buyer and each.slot
        )

    before, at_stake = await suggested(buyer), await worth_of(scene)
    assert all(proposed for _, _, proposed in before)
    name = await fetch_value("SELECT name FROM organisation WHERE id = $1", instead.organisation_id)
    number = await fetch_value("SELECT id FROM invitation WHERE organisation = $1", buyer.organisation_id)
    await delegate(invitation_id=number, version=1, delegation=Delegation(name), person_id=None, at=STORY)
    assert await suggested(instead) == before
    # and through later plans, whether or not anybody answered the suggestion in time
    await scene.plan()
    assert (await suggested(instead), await worth_of(scene)) == (before, at_stake)
    await execute("UPDATE match SET state = 'expired'")
    await scene.plan()
    assert (await suggested(instead), await worth_of(scene)) == (before, at_stake)


async def test_deal_that_a_delegate_strikes_is_its_own(factory: Factory) -> None:
    scene, instead = await Scene(factory).planned(), await factory.member(role="buyer")
    buyer = scene.buyers[0]
    name = await fetch_value("SELECT name FROM organisation WHERE id = $1", instead.organisation_id)
    number = await fetch_value("SELECT id FROM invitation WHERE organisation = $1", buyer.organisation_id)
    await delegate(invitation_id=number, version=1, delegation=Delegation(name), person_id=None, at=STORY)
    talk = next(each for each in await scene.appointments() if each.buyer == instead.organisation_id)
    topic = talk.topics[0]
    still = """SELECT match.state, demand.open FROM match JOIN demand ON demand.id = match.demand
               WHERE match.id = $1"""
    before = (await fetch(still, topic.match))[0]
    async with transaction():
        deal = await strike(
            topic_id=topic.id, quantity=Gram(100_000), price=FenPerKg(700), actor=scene.town.actor, at=STORY
        )
    assert await fetch_value("SELECT buyer FROM deal WHERE id = $1", deal) == instead.organisation_id
    assert tuple((await fetch(still, topic.match))[0]) == tuple(before)


async def worth_of(scene: Scene) -> int:
    return int(
        await fetch_value("SELECT (timetable->>'worth')::bigint FROM meeting WHERE id = $1", scene.meeting_id)
    )
