"""Talks that cannot be held as they lie: they are counted, keep a timetable from being published, and go."""

import pytest

from fixtures.factories import STORY, Factory, Member
from market.db.session import execute, fetch_value
from market.errors import Conflict
from market.i18n import translate
from market.meetings.invitations.inviting import revoke
from market.meetings.invitations.persons import NewAttendee, set_attendees
from market.meetings.invitations.wishing import set_absences, set_wish
from market.meetings.operations import respond
from market.meetings.planning.moving import move_appointment
from market.meetings.planning.pairing import fix_appointment
from market.meetings.planning.publishing import publish_timetable
from market.meetings.planning.unfit import unfit_talks
from market.meetings.queries import AppointmentRow, left_out_of
from market.meetings.standing import Standing, standing_of
from market.notices.queries import inbox
from market.web.meetings.steps import unfit_words
from tests.integration.meetings.test_meetings import Scene


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    return await Scene(factory).planned()


async def publish(scene: Scene) -> None:
    await publish_timetable(
        meeting_id=scene.meeting_id, town_id=scene.town.organisation_id, actor=scene.town.actor, at=STORY
    )


async def withdraw(scene: Scene, member: Member) -> None:
    number = await fetch_value(
        "SELECT id FROM invitation WHERE meeting = $1 AND organisation = $2",
        scene.meeting_id,
        member.organisation_id,
    )
    await revoke(
        invitation_id=number,
        meeting_id=scene.meeting_id,
        town_id=scene.town.organisation_id,
        actor=scene.town.actor,
        at=STORY,
    )


async def counted(scene: Scene) -> Standing:
    return await standing_of(meeting_id=scene.meeting_id, town_id=scene.town.organisation_id)


def of(member: Member, talks: list[AppointmentRow]) -> list[AppointmentRow]:
    return [each for each in talks if member.organisation_id in (each.seller, each.buyer) and each.slot]


def member_of(scene: Scene, organisation_id: int) -> Member:
    return next(each for each in (*scene.sellers, *scene.buyers) if each.organisation_id == organisation_id)


async def timetable_notices(member: Member) -> list[str]:
    told = await inbox(organisation_id=member.organisation_id)
    return [each.kind for each in told if each.kind.startswith("timetable_")]


async def test_who_is_taken_off_the_list_keeps_the_timetable_from_being_published(scene: Scene) -> None:
    gone = scene.buyers[0]
    lost = len(of(gone, await scene.appointments()))
    await withdraw(scene, gone)
    standing = await counted(scene)
    assert (standing.doomed, standing.gone, standing.barred, standing.absent) == (lost, lost, 0, 0)
    await execute("UPDATE organisation SET name_en = 'Gone Ltd' WHERE id = $1", gone.organisation_id)
    with pytest.raises(Conflict, match="有一方已经不来") as refused:
        await publish(scene)
    # whoever reads English is told its English name
    assert "Gone Ltd" in translate(refused.value.message, "en")
    await scene.plan()
    assert of(gone, await scene.appointments()) == []
    await publish(scene)


async def test_whose_invitation_is_withdrawn_later_is_off_at_once_and_the_others_are_told(
    scene: Scene,
) -> None:
    await publish(scene)
    gone, stays = scene.buyers
    before = await scene.appointments()
    await withdraw(scene, gone)
    after = await scene.appointments()
    assert [each.id for each in after] == [each.id for each in of(stays, before)]
    assert (await counted(scene)).doomed == 0
    for seller in scene.sellers:
        met = bool([each for each in of(gone, before) if each.seller == seller.organisation_id])
        assert await timetable_notices(seller) == [*["timetable_changed"] * met, "timetable_published"]
    # its own notice tells it that the invitation is off: the first line stands for all
    assert await timetable_notices(gone) == ["timetable_published"]
    assert await timetable_notices(stays) == ["timetable_published"]
    assert {str(each.reason) for each in await left_out_of(meeting_id=scene.meeting_id)} == {
        f"{name} 的邀请已撤回。" for name in {each.buyer_name for each in of(gone, before)}
    }


async def test_who_declines_after_publishing_is_counted_and_goes_with_the_next_plan(scene: Scene) -> None:
    await publish(scene)
    gone = scene.buyers[0]
    lost = len(of(gone, await scene.appointments()))
    await respond(
        meeting_id=scene.meeting_id,
        organisation_id=gone.organisation_id,
        answer="declined",
        actor=gone.actor,
        at=STORY,
    )
    assert (await counted(scene)).gone == lost
    await scene.plan()
    assert (await counted(scene)).doomed == 0


@pytest.mark.parametrize("fixed", [False, True])
async def test_a_veto_since_the_plan_is_named_and_keeps_it_from_being_published(
    scene: Scene, fixed: bool
) -> None:
    talk = (await scene.appointments())[0]
    if fixed:
        await fix_appointment(
            appointment_id=talk.id,
            fixed=True,
            town_id=scene.town.organisation_id,
            actor=scene.town.actor,
            at=STORY,
        )
    seller = member_of(scene, talk.seller)
    await set_wish(
        meeting_id=scene.meeting_id,
        organisation_id=seller.organisation_id,
        about=talk.buyer,
        level="never",
        actor=seller.actor,
        at=STORY,
    )
    standing = await counted(scene)
    assert (standing.doomed, standing.barred) == (1, 1)
    with pytest.raises(Conflict) as refused:
        await publish(scene)
    assert f"{talk.buyer_name}–{talk.seller_name}（有一方标了“不见”）" in str(refused.value.message)
    await scene.plan()
    assert (await counted(scene)).doomed == 0
    assert talk.id not in [each.id for each in await scene.appointments() if each.slot]
    await publish(scene)


@pytest.mark.parametrize("fixed", [False, True])
async def test_a_slot_that_does_not_suit_any_more_is_known_before_it_is_published(
    scene: Scene, fixed: bool
) -> None:
    talk = (await scene.appointments())[0]
    assert talk.slot
    if fixed:
        await execute("UPDATE appointment SET fixed = true WHERE id = $1", talk.id)
    buyer = member_of(scene, talk.buyer)
    await set_absences(
        meeting_id=scene.meeting_id,
        organisation_id=buyer.organisation_id,
        slots=[talk.slot],
        actor=buyer.actor,
        at=STORY,
    )
    assert [(each.id, each.why) for each in await unfit_talks(scene.meeting_id)] == [(talk.id, "absent")]
    with pytest.raises(Conflict, match="这个时段不能来"):
        await publish(scene)
    await scene.plan()
    assert await unfit_talks(scene.meeting_id) == []
    await publish(scene)


async def test_numbers_of_the_invited_add_up(scene: Scene) -> None:
    first, second = scene.buyers
    await respond(
        meeting_id=scene.meeting_id,
        organisation_id=first.organisation_id,
        answer="accepted",
        actor=first.actor,
        at=STORY,
    )
    await execute("UPDATE invitation SET state = 'delegated' WHERE organisation = $1", second.organisation_id)
    await execute(
        "UPDATE invitation SET state = 'expired' WHERE organisation = $1", scene.sellers[0].organisation_id
    )
    standing = await counted(scene)
    assert (standing.accepted, standing.delegated) == (1, 1)
    assert standing.invited == await fetch_value("SELECT count(*) FROM invitation WHERE state <> 'revoked'")


async def test_whoever_is_named_for_two_afterwards_is_torn_between_their_talks_until_the_next_plan(
    scene: Scene,
) -> None:
    talks = await scene.appointments()
    alone, *others = sorted(talks, key=lambda each: [one.seller for one in talks].count(each.seller))
    await move_appointment(
        appointment_id=alone.id,
        slot=next(each.slot or 0 for each in others if each.buyer != alone.buyer),
        table=None,
        town_id=scene.town.organisation_id,
        actor=scene.town.actor,
        at=STORY,
    )
    for member in scene.sellers:
        await set_attendees(
            meeting_id=scene.meeting_id,
            organisation_id=member.organisation_id,
            persons=[NewAttendee("同一人", phone="13912345678")],
            actor=member.actor,
            at=STORY,
        )
    standing = await counted(scene)
    assert standing.torn == standing.doomed == len(await unfit_talks(scene.meeting_id)) == 2
    assert "同一人代表两家" in str(unfit_words(standing))
    with pytest.raises(Conflict, match="还要替另一家洽谈"):
        await publish(scene)
    await scene.plan()
    assert (await counted(scene)).doomed == 0
    await publish(scene)
