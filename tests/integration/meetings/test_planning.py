"""From matches, wishes and absences to a timetable that is published, and what a new plan leaves alone."""

from datetime import timedelta

import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.db.session import execute, fetch, fetch_value
from market.errors import Conflict, Invalid, NotFound
from market.meetings.invitations.wishing import set_absences, set_wish
from market.meetings.operations import respond
from market.meetings.planning.adding import add_talks
from market.meetings.planning.facts import facts_of
from market.meetings.planning.moving import move_appointment
from market.meetings.planning.pairing import add_appointment, fix_appointment, remove_appointment
from market.meetings.planning.plan import open_meeting, propose_invitations
from market.meetings.planning.publishing import publish_timetable
from market.meetings.queries import appointments_of, appointments_of_meeting, invitations_of, left_out_of
from market.notices.queries import inbox
from tests.integration.meetings.test_meetings import Scene, meeting, sides


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    return await Scene(factory).planned()


async def wish(scene: Scene, mine: Member, about: Member, level: str) -> None:
    await set_wish(
        meeting_id=scene.meeting_id,
        organisation_id=mine.organisation_id,
        about=about.organisation_id,
        level=level,
        actor=mine.actor,
        at=STORY,
    )


async def publish(scene: Scene) -> None:
    await publish_timetable(
        meeting_id=scene.meeting_id, town_id=scene.town.organisation_id, actor=scene.town.actor, at=STORY
    )


async def propose(scene: Scene) -> list[int]:
    return await propose_invitations(
        meeting_id=scene.meeting_id, town_id=scene.town.organisation_id, actor=scene.town.actor, at=STORY
    )


async def add(scene: Scene, seller: Member, buyer: Member, **where: int) -> int:
    return await add_appointment(
        meeting_id=scene.meeting_id,
        seller=seller.organisation_id,
        buyer=buyer.organisation_id,
        town_id=scene.town.organisation_id,
        actor=scene.town.actor,
        at=STORY,
        **where,
    )


async def kinds(member: Member) -> list[str]:
    """Return what the member was told of the meeting's timetable, the latest first."""
    told = await inbox(organisation_id=member.organisation_id)
    return [each.kind for each in told if each.kind.startswith("timetable_")]


def pair(seller: Member, buyer: Member) -> tuple[int, int]:
    return seller.organisation_id, buyer.organisation_id


async def test_all_that_a_meeting_says_is_written_and_read(factory: Factory) -> None:
    town = await factory.member(role="official")
    told = meeting(
        days=2,
        blocked_slots=(8, 1, 1),
        most_of_sellers=3,
        most_of_buyers=4,
        most_of_one_person=5,
        most_musts=2,
        fairness=None,
        capacity=80,
        weather_plan="改到礼堂",
        weather_plan_en="We move into the hall",
        contact="赵明远",
        contact_phone="0418-1234567",
        answer_by=TODAY + timedelta(days=3),
        wishes_by=TODAY + timedelta(days=5),
        is_public=True,
    )
    scene = Scene(factory)
    scene.town = town
    scene.meeting_id = await open_meeting(
        meeting=told, town_id=town.organisation_id, actor=town.actor, at=STORY
    )
    rows = await fetch("SELECT * FROM meeting WHERE id = $1", scene.meeting_id)
    names = [name for name in told.__struct_fields__ if name not in ("invite_media", "blocked_slots")]
    assert {name: rows[0][name] for name in names} == {name: getattr(told, name) for name in names}
    assert rows[0]["blocked_slots"] == [1, 8]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"days": 0}, "days"),
        ({"days": 11}, "days"),
        ({"blocked_slots": (5,)}, "blocked_slots"),
        ({"blocked_slots": (0,)}, "blocked_slots"),
        ({"blocked_slots": (1, 2, 3, 4)}, "blocked_slots"),
        ({"most_of_sellers": 0}, "most_of_sellers"),
        ({"most_of_buyers": 5}, "most_of_buyers"),
        ({"most_of_one_person": 0}, "most_of_one_person"),
        ({"most_musts": -1}, "most_musts"),
        ({"fairness": -1}, "fairness"),
        ({"capacity": 0}, "capacity"),
        ({"weather_plan": "雨" * 2_001}, "weather_plan"),
        ({"contact": "人" * 121}, "contact"),
        ({"contact_phone": "call me"}, "contact_phone"),
        ({"answer_by": TODAY + timedelta(days=8)}, "answer_by"),
        ({"answer_by": TODAY + timedelta(days=5), "wishes_by": TODAY + timedelta(days=4)}, "wishes_by"),
    ],
)
async def test_rubbish_in_a_meeting_is_named_by_its_field(
    factory: Factory, changes: dict[str, object], field: str
) -> None:
    town = await factory.member(role="official")
    with pytest.raises(Invalid) as refused:
        await open_meeting(
            meeting=meeting(**changes), town_id=town.organisation_id, actor=town.actor, at=STORY
        )
    assert set(refused.value.fields) == {field}


async def test_invitations_are_proposed_before_anything_is_laid(factory: Factory) -> None:
    scene = await Scene(factory).matched()
    scene.meeting_id = await open_meeting(
        meeting=meeting(), town_id=scene.town.organisation_id, actor=scene.town.actor, at=STORY
    )
    everybody = sorted(each.organisation_id for each in (*scene.sellers, *scene.buyers))
    assert sorted(await propose(scene)) == everybody
    assert [each.organisation for each in await invitations_of(meeting_id=scene.meeting_id)] != []
    assert await scene.appointments() == []
    assert await propose(scene) == []  # nobody is invited or told twice
    told = await inbox(organisation_id=scene.buyers[0].organisation_id)
    assert [each.kind for each in told].count("meeting_invitation") == 1


async def test_a_veto_keeps_two_apart_and_says_so(scene: Scene) -> None:
    # of the three talks the one whose sides both have another: they stay invited
    talks = sides(await scene.appointments())
    [(seller, buyer)] = [
        (seller, buyer)
        for seller in scene.sellers
        for buyer in scene.buyers
        if pair(seller, buyer) in talks
        and len([each for each in talks if set(each) & set(pair(seller, buyer))]) == len(talks)
    ]
    await wish(scene, seller, buyer, "never")
    await scene.plan()
    assert pair(seller, buyer) not in sides(await scene.appointments())
    assert "有一方不愿与对方洽谈。" in [
        str(each.reason) for each in await left_out_of(meeting_id=scene.meeting_id)
    ]
    with pytest.raises(Conflict, match="不愿"):
        await add(scene, seller, buyer)


async def test_a_wish_brings_two_together_without_a_match(scene: Scene) -> None:
    met = sides(await scene.appointments())
    seller, buyer = next(
        (seller, buyer)
        for seller in scene.sellers
        for buyer in scene.buyers
        if pair(seller, buyer) not in met
    )
    await wish(scene, buyer, seller, "must")
    await scene.plan()
    talk = next(
        each for each in await scene.appointments() if (each.seller, each.buyer) == pair(seller, buyer)
    )
    assert [topic.title for topic in talk.topics] == ["红衣花生"]
    why = await fetch_value("SELECT why::text FROM appointment WHERE id = $1", talk.id)
    assert "一方选了必见" in why


async def test_absences_and_blocked_slots_stay_free(scene: Scene) -> None:
    await execute("UPDATE meeting SET blocked_slots = '{2}' WHERE id = $1", scene.meeting_id)
    buyer = scene.buyers[0]
    await set_absences(
        meeting_id=scene.meeting_id,
        organisation_id=buyer.organisation_id,
        slots=[1, 3],
        actor=buyer.actor,
        at=STORY,
    )
    await scene.plan()
    planned = await scene.appointments()
    assert {each.slot for each in planned} <= {1, 3, 4}
    assert [each.slot for each in planned if each.buyer == buyer.organisation_id] == [4]


async def test_several_days_are_laid_through(factory: Factory) -> None:
    scene = await Scene(factory).planned(slots=1, tables=1, days=3, half_day_after=None)
    planned = await scene.appointments()
    assert [each.slot for each in planned] == [1, 2, 3]


async def test_quotas_of_a_side_and_of_one_invited_are_kept(scene: Scene) -> None:
    await execute("UPDATE meeting SET most_of_buyers = 1 WHERE id = $1", scene.meeting_id)
    await scene.plan()
    buyers = [each.buyer for each in await scene.appointments()]
    assert sorted(buyers) == sorted({*buyers})
    greedy = scene.buyers[0].organisation_id
    await execute(
        "UPDATE invitation SET most_appointments = 2 WHERE meeting = $1 AND organisation = $2",
        scene.meeting_id,
        greedy,
    )
    await wish(scene, scene.buyers[0], scene.sellers[0], "want")
    await wish(scene, scene.buyers[0], scene.sellers[1], "want")
    await scene.plan()
    assert [each.buyer for each in await scene.appointments()].count(greedy) == 2


async def test_one_person_for_two_villages_is_never_at_two_tables(scene: Scene) -> None:
    first, second = scene.sellers
    await execute(
        """INSERT INTO attendee (invitation, name, title, phone, code, attendance, created_at)
           SELECT id, '同一人', '', '13912345678', 'CODE' || id, 'expected', $2 FROM invitation
           WHERE meeting = $1 AND side = 'seller'""",
        scene.meeting_id,
        STORY,
    )
    facts = await facts_of(scene.meeting_id, at=STORY)
    persons = {each.id: each.person for each in facts.parties}
    assert persons[first.organisation_id] == persons[second.organisation_id] == "13912345678"
    await scene.plan()
    slots = [each.slot for each in await scene.appointments()]
    assert len(slots) == len({*slots}) == 3
    # and in all no more than the meeting lets one person have, by hand neither
    await execute("UPDATE meeting SET most_of_one_person = 2 WHERE id = $1", scene.meeting_id)
    await scene.plan()
    laid = {(each.seller, each.buyer) for each in await scene.appointments()}
    assert len(laid) == 2
    more = next(
        (seller.organisation_id, buyer.organisation_id)
        for seller in scene.sellers
        for buyer in scene.buyers
        if (seller.organisation_id, buyer.organisation_id) not in laid
    )
    with pytest.raises(Conflict, match="合起来最多谈 2 场"):
        await add_talks(
            meeting_id=scene.meeting_id,
            pairs=[more],
            town_id=scene.town.organisation_id,
            actor=scene.town.actor,
            at=STORY,
        )


async def test_who_has_traded_meets_only_for_a_wish(scene: Scene) -> None:
    talk = (await scene.appointments())[0]
    await execute(
        """INSERT INTO deal (number, listing, seller, buyer, quantity, price, source, source_id, state,
                             deliver_from, deliver_to, created_at)
           VALUES ('TT-1', $1, $2, $3, 1000, 700, 'bid', 1, 'active', $4, $4, $5)""",
        talk.topics[0].listing,
        talk.seller,
        talk.buyer,
        TODAY,
        STORY,
    )
    facts = await facts_of(scene.meeting_id, at=STORY)
    assert [(each.seller, each.buyer, each.ended) for each in facts.past] == [
        (talk.seller, talk.buyer, "traded")
    ]
    await scene.plan()
    assert (talk.seller, talk.buyer) not in sides(await scene.appointments())
    assert "双方已有成交，可直接联系；想再谈请标“想见”。" in [
        str(each.reason) for each in await left_out_of(meeting_id=scene.meeting_id)
    ]


async def test_publishing_shows_the_talks_and_tells_everybody_once(scene: Scene, factory: Factory) -> None:
    buyer, stranger = scene.buyers[0], await factory.member(role="official")
    ahead = {"organisation_id": buyer.organisation_id, "on_or_after": TODAY}
    own = {"meeting_id": scene.meeting_id, "organisation_id": buyer.organisation_id}
    assert await appointments_of(**ahead) == await appointments_of_meeting(**own) == []
    with pytest.raises(NotFound):
        await publish_timetable(
            meeting_id=scene.meeting_id,
            town_id=stranger.organisation_id,
            actor=stranger.actor,
            at=STORY,
        )
    await publish(scene)
    assert await appointments_of(**ahead) == await appointments_of_meeting(**own) != []
    with pytest.raises(Conflict, match="已经发布"):
        await publish(scene)
    for member in (*scene.buyers, *scene.sellers):
        assert await kinds(member) == ["timetable_published"]


async def test_nothing_laid_is_nothing_to_publish(factory: Factory) -> None:
    scene = await Scene(factory).matched()
    scene.meeting_id = await open_meeting(
        meeting=meeting(), town_id=scene.town.organisation_id, actor=scene.town.actor, at=STORY
    )
    with pytest.raises(Conflict, match="先排桌"):
        await publish(scene)


async def test_a_new_plan_moves_little_and_tells_only_whom_it_concerns(scene: Scene) -> None:
    await publish(scene)
    before = {each.id: (each.slot, each.table_number) for each in await scene.appointments()}
    await scene.plan()
    assert {each.id: (each.slot, each.table_number) for each in await scene.appointments()} == before
    gone, stays = scene.buyers
    lost = [each for each in await scene.appointments() if each.buyer == gone.organisation_id]
    await respond(
        meeting_id=scene.meeting_id,
        organisation_id=gone.organisation_id,
        answer="declined",
        actor=gone.actor,
        at=STORY,
    )
    await scene.plan()
    kept = {each.id: (each.slot, each.table_number) for each in await scene.appointments()}
    assert kept == {key: place for key, place in before.items() if key not in {each.id for each in lost}}
    assert await kinds(stays) == ["timetable_published"]
    for seller in scene.sellers:
        changed = seller.organisation_id in {each.seller for each in lost}
        assert await kinds(seller) == [*["timetable_changed"] * changed, "timetable_published"]


async def test_what_the_town_puts_somewhere_stays_there(scene: Scene) -> None:
    met = {(each.seller, each.buyer): each for each in await scene.appointments()}
    seller, buyer = next(
        (seller, buyer)
        for seller in scene.sellers
        for buyer in scene.buyers
        if pair(seller, buyer) not in met
    )
    number = await add(scene, seller, buyer, slot=4, table=3)
    talk = next(each for each in met.values() if each.slot != 4)
    await fix_appointment(
        appointment_id=talk.id,
        fixed=True,
        town_id=scene.town.organisation_id,
        actor=scene.town.actor,
        at=STORY,
    )
    await wish(scene, buyer, seller, "may")
    await scene.plan()
    places = {each.id: (each.slot, each.table_number) for each in await scene.appointments()}
    assert places[number] == (4, 3)
    assert places[talk.id] == (talk.slot, talk.table_number)
    with pytest.raises(Conflict, match="已经在日程里"):
        await add(scene, seller, buyer)


async def test_a_talk_moved_by_hand_is_told_once_to_each_side_and_only_when_it_is_out(scene: Scene) -> None:
    async def move(slot: int, table: int) -> None:
        await move_appointment(
            appointment_id=number,
            slot=slot,
            table=table,
            town_id=scene.town.organisation_id,
            actor=scene.town.actor,
            at=STORY,
        )

    await execute("DELETE FROM appointment")
    seller, buyer = scene.sellers[0], scene.buyers[0]
    number = await add(scene, seller, buyer, slot=4, table=3)
    await move(3, 3)
    assert [await kinds(each) for each in (seller, buyer)] == [[], []]
    await publish(scene)
    await move(4, 2)
    for side in (seller, buyer):
        assert await kinds(side) == ["timetable_changed", "timetable_published"]
        told = (await inbox(organisation_id=side.organisation_id))[0]
        assert "的洽谈时间有调整，请看新的日程。" in str(told.message)
    await move(4, 2)
    for side in (seller, buyer):
        assert await kinds(side) == ["timetable_changed", "timetable_published"]
    assert [(each.slot, each.table_number) for each in await scene.appointments()] == [(4, 2)]
    others = [each for each in (*scene.sellers, *scene.buyers) if each not in (seller, buyer)]
    assert [await kinds(each) for each in others] == [["timetable_published"]] * len(others)


async def test_what_the_town_takes_apart_stays_apart_until_it_says_otherwise(scene: Scene) -> None:
    for member in (*scene.sellers, *scene.buyers):
        await respond(
            meeting_id=scene.meeting_id,
            organisation_id=member.organisation_id,
            answer="accepted",
            actor=member.actor,
            at=STORY,
        )
    talk = (await scene.appointments())[0]
    away = {"town_id": scene.town.organisation_id, "actor": scene.town.actor, "at": STORY}
    await remove_appointment(appointment_id=talk.id, **away)
    await scene.plan()
    seated = [each for each in await scene.appointments() if each.state == "scheduled"]
    assert (talk.seller, talk.buyer) not in sides(seated)
    assert "这一对已由镇里撤下。" in [
        str(each.reason) for each in await left_out_of(meeting_id=scene.meeting_id)
    ]
    seller = next(each for each in scene.sellers if each.organisation_id == talk.seller)
    buyer = next(each for each in scene.buyers if each.organisation_id == talk.buyer)
    assert await add(scene, seller, buyer) == talk.id
    await scene.plan()
    seated = [each for each in await scene.appointments() if each.state == "scheduled"]
    assert (talk.seller, talk.buyer) in sides(seated)


@pytest.mark.parametrize(
    ("where", "error"),
    [({"slot": 0}, Invalid), ({"slot": 5}, Invalid), ({"slot": 4, "table": 4}, Invalid)],
)
async def test_a_place_that_is_not_there_is_refused(
    scene: Scene, where: dict[str, int], error: type[Exception]
) -> None:
    talk = (await scene.appointments())[0]
    await execute("DELETE FROM appointment WHERE id = $1", talk.id)
    seller = next(each for each in scene.sellers if each.organisation_id == talk.seller)
    buyer = next(each for each in scene.buyers if each.organisation_id == talk.buyer)
    with pytest.raises(error):
        await add(scene, seller, buyer, **where)


async def test_a_place_that_is_taken_is_refused_with_whose_it_is(scene: Scene) -> None:
    await execute("DELETE FROM appointment WHERE seller = $1", scene.sellers[1].organisation_id)
    talk = (await scene.appointments())[0]
    buyer = next(each for each in scene.buyers if each.organisation_id == talk.buyer)
    with pytest.raises(Conflict, match="已有洽谈"):
        await add(scene, scene.sellers[1], buyer, slot=talk.slot)
    with pytest.raises(Invalid):
        await add(scene, scene.buyers[0], scene.sellers[0])
