from datetime import date, datetime, timedelta

import msgspec
import pytest

from fixtures.factories import STORY, TODAY, Factory, Member
from market.db.session import execute, fetch_value
from market.deals.queries import deal_of
from market.errors import Conflict, Invalid, NotFound
from market.matching.operations import run_now
from market.meanwhile import ChangedMeanwhile, marks_of
from market.meetings.commands import COLUMNS, NewMeeting, Outcome, TopicResult
from market.meetings.operations import mark_attendance, move_meeting, record_outcome, respond
from market.meetings.planning.plan import open_meeting, plan_now
from market.meetings.planning.revising import revise_meeting
from market.meetings.queries import (
    AppointmentRow,
    appointment_of,
    appointments_of,
    appointments_of_meeting,
    invitations_of,
    left_out_of,
    meeting_of,
    meetings_of,
)
from market.notices.queries import inbox
from market.transitions import WrongState


def meeting(**changes: object) -> NewMeeting:
    given = {
        "title": "对接会",
        "held_on": TODAY + timedelta(days=7),
        "venue": "村部",
        "slots": 4,
        "tables": 3,
        "half_day_after": 2,
    }
    return NewMeeting(**{**given, **changes})


class Scene:
    """A town, two villages with a listing each, two chains with a demand each, matched and planned."""

    def __init__(self, factory: Factory) -> None:
        self.factory = factory

    async def matched(self) -> "Scene":
        make = self.factory
        self.town = await make.member(role="official")
        self.sellers = [
            await make.member(role="secretary", town_id=self.town.organisation_id) for _ in range(2)
        ]
        self.buyers = [await make.member(role="buyer") for _ in range(2)]
        for seller, kg in zip(self.sellers, (1_000, 800), strict=True):
            await make.listing(seller, kg=kg)
        for buyer in self.buyers:
            await make.demand(buyer, kg=900)
        await run_now(town_id=self.town.organisation_id, actor=self.town.actor, at=STORY)
        return self

    async def planned(self, **changes: object) -> "Scene":
        await self.matched()
        self.meeting_id = await open_meeting(
            meeting=meeting(**changes), town_id=self.town.organisation_id, actor=self.town.actor, at=STORY
        )
        await self.plan()
        return self

    async def plan(self) -> None:
        await plan_now(
            meeting_id=self.meeting_id,
            town_id=self.town.organisation_id,
            actor=self.town.actor,
            at=STORY,
        )

    async def move(self, move: str, at: datetime | None = None) -> str:
        """Make a move; the meeting starts published and on its day, unless ``at`` says otherwise."""
        if move == "start" and at is None:
            await execute("UPDATE meeting SET published_at = $2 WHERE id = $1", self.meeting_id, STORY)
            at = STORY + timedelta(days=7)
        return await move_meeting(
            meeting_id=self.meeting_id,
            move=move,
            town_id=self.town.organisation_id,
            actor=self.town.actor,
            at=at or STORY,
            sure=True,
        )

    async def appointments(self) -> list[AppointmentRow]:
        return await appointments_of_meeting(meeting_id=self.meeting_id)

    async def record(self, appointment: AppointmentRow, outcome: Outcome, by: Member, key: str | None = None):
        return await record_outcome(
            appointment_id=appointment.id,
            outcome=outcome,
            organisation_id=by.organisation_id,
            actor=by.actor,
            at=STORY,
            key=key,
        )


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    return await Scene(factory).planned()


def sides(appointments: list[AppointmentRow]) -> set[tuple[int, int]]:
    return {(each.seller, each.buyer) for each in appointments}


async def test_a_plan_invites_whom_the_matches_name_and_seats_them_without_a_clash(scene: Scene) -> None:
    planned = await scene.appointments()
    assert len(planned) == 3
    places = [(each.slot, each.table_number) for each in planned]
    assert len(set(places)) == len(places)
    for side in ("seller", "buyer"):
        busy = [(each.slot, getattr(each, side)) for each in planned]
        assert len(set(busy)) == len(busy)
    invited = await invitations_of(meeting_id=scene.meeting_id)
    assert {each.organisation for each in invited} == {
        each.organisation_id for each in (*scene.sellers, *scene.buyers)
    }
    seen = await meeting_of(meeting_id=scene.meeting_id, organisation_id=scene.buyers[0].organisation_id)
    assert (seen.state, seen.planning) == ("timetabled", False)
    assert seen.timetable
    assert (seen.timetable["status"], seen.timetable["appointments"]) == ("optimal", 3)
    assert await left_out_of(meeting_id=scene.meeting_id) == []
    told = await inbox(organisation_id=scene.sellers[0].organisation_id)
    assert f"/meetings/{scene.meeting_id}" in [notice.link for notice in told]


async def test_appointments_talk_about_the_matches_of_the_pair(scene: Scene) -> None:
    topics = [topic for each in await scene.appointments() for topic in each.topics]
    assert len({topic.match for topic in topics}) == 3
    assert sum(topic.proposed or 0 for topic in topics) == 1_800_000


async def test_slots_after_the_half_day_begin_after_the_pause(scene: Scene) -> None:
    seen = await meeting_of(meeting_id=scene.meeting_id, organisation_id=scene.town.organisation_id)
    assert [seen.slot_label(slot) for slot in (1, 2, 3)] == ["09:00-09:20", "09:20-09:40", "10:40-11:00"]
    # the hyphen of a day is no span of days
    two_days = msgspec.structs.replace(seen, days=2, held_on=date(2026, 12, 1))
    assert (seen.slot_hours(2), two_days.slot_hours(6)) == ("09:20–09:40", "12-02 09:20–09:40")


async def test_who_declines_is_planned_without_and_only_the_others_are_told(scene: Scene) -> None:
    gone, stays = scene.buyers
    before = await scene.appointments()
    await respond(
        meeting_id=scene.meeting_id,
        organisation_id=gone.organisation_id,
        answer="declined",
        actor=gone.actor,
        at=STORY,
    )
    await scene.plan()
    after = await scene.appointments()
    assert sides(after) == {pair for pair in sides(before) if pair[1] != gone.organisation_id}
    states = {each.organisation: each.state for each in await invitations_of(meeting_id=scene.meeting_id)}
    assert states[gone.organisation_id] == "declined"
    assert states[stays.organisation_id] == "needs_action"


async def test_too_few_places_leave_the_least_worth_out_with_the_reason(factory: Factory) -> None:
    scene = await Scene(factory).planned(slots=1, tables=1, half_day_after=None)
    assert len(await scene.appointments()) == 1
    left = await left_out_of(meeting_id=scene.meeting_id)
    assert len(left) == 2
    assert all(str(each.reason) for each in left)


async def test_a_meeting_without_matches_says_what_to_do(factory: Factory) -> None:
    town = await factory.member(role="official")
    meeting_id = await open_meeting(
        meeting=meeting(), town_id=town.organisation_id, actor=town.actor, at=STORY
    )
    with pytest.raises(Invalid, match="撮合"):
        await plan_now(meeting_id=meeting_id, town_id=town.organisation_id, actor=town.actor, at=STORY)


async def test_every_wrong_field_of_a_meeting_is_named(factory: Factory) -> None:
    town = await factory.member(role="official")
    wrong = meeting(title=" ", slots=0, tables=-1, held_on=TODAY - timedelta(days=1), venue="")
    with pytest.raises(Invalid) as refused:
        await open_meeting(meeting=wrong, town_id=town.organisation_id, actor=town.actor, at=STORY)
    assert {"title", "slots", "tables", "held_on", "venue"} <= set(refused.value.fields)


async def test_a_talk_that_ends_in_a_contract_makes_the_deal_once(scene: Scene) -> None:
    appointment = (await scene.appointments())[0]
    topic = appointment.topics[0]
    outcome = Outcome("signed", (TopicResult(topic.id, 200_000, 750),))
    with pytest.raises(Conflict):
        await scene.record(appointment, outcome, scene.town)
    await scene.move("start")
    first = await scene.record(appointment, outcome, scene.town, key="tap")
    again = await scene.record(appointment, outcome, scene.town, key="tap")
    assert first == again
    (deal_id,) = first.deal_ids
    deal = await deal_of(deal_id=deal_id, organisation_id=appointment.buyer)
    assert (deal.quantity, deal.price, deal.source, deal.state) == (200_000, 750, "appointment", "pending")
    with pytest.raises(WrongState):
        await scene.record(appointment, outcome, scene.town)
    seen = await appointment_of(appointment_id=appointment.id, organisation_id=appointment.seller)
    assert (seen.state, seen.outcome, seen.topics[0].deal) == ("held", "signed", deal_id)
    assert await fetch_value("SELECT state FROM match WHERE id = $1", topic.match) == "converted"


async def test_an_intent_needs_figures_and_nothing_needs_a_reason(scene: Scene) -> None:
    await scene.move("start")
    first, second, _ = await scene.appointments()
    for outcome, field in (
        (Outcome("intent"), "topics"),
        (Outcome("none"), "reason"),
        (Outcome("perhaps"), "outcome"),
        (Outcome("none", reason="no such code"), "reason"),
        (Outcome("quote", (TopicResult(-1, 1, 1),)), "topics"),
    ):
        with pytest.raises(Invalid) as refused:
            await scene.record(first, outcome, scene.town)
        assert set(refused.value.fields) == {field}
    await scene.record(first, Outcome("none", reason="price"), scene.town)
    await scene.record(
        second, Outcome("intent", (TopicResult(second.topics[0].id, 100_000, 700),)), scene.town
    )
    seen = await appointment_of(appointment_id=second.id, organisation_id=second.buyer)
    assert (seen.topics[0].intent_quantity, seen.topics[0].deal) == (100_000, None)
    assert await fetch_value("SELECT count(*) FROM deal") == 0


async def test_attendance_follows_its_life(scene: Scene) -> None:
    guest = scene.buyers[0].organisation_id
    await scene.move("start")
    mark = {
        "meeting_id": scene.meeting_id,
        "organisation_id": guest,
        "town_id": scene.town.organisation_id,
        "actor": scene.town.actor,
        "at": STORY + timedelta(days=7),
    }
    assert await mark_attendance(move="check_in", **mark) == "checked_in"
    with pytest.raises(WrongState):
        await mark_attendance(move="check_in", **mark)
    assert await mark_attendance(move="leave", **mark) == "left"


async def test_a_meeting_is_seen_by_its_town_and_its_guests(scene: Scene, factory: Factory) -> None:
    stranger = await factory.member(role="buyer")
    other_town = await factory.member(role="official")
    for outsider in (stranger, other_town):
        assert await meetings_of(organisation_id=outsider.organisation_id) == []
        with pytest.raises(NotFound):
            await meeting_of(meeting_id=scene.meeting_id, organisation_id=outsider.organisation_id)
    with pytest.raises(NotFound):
        await respond(
            meeting_id=scene.meeting_id,
            organisation_id=stranger.organisation_id,
            answer="accepted",
            actor=stranger.actor,
            at=STORY,
        )
    with pytest.raises(NotFound):
        await move_meeting(
            meeting_id=scene.meeting_id,
            move="start",
            town_id=other_town.organisation_id,
            actor=other_town.actor,
            at=STORY,
        )
    await scene.move("start")
    mine = await appointments_of(organisation_id=scene.buyers[0].organisation_id, on_or_after=TODAY)
    assert {each.buyer for each in mine} == {scene.buyers[0].organisation_id}


async def test_a_cancelled_meeting_tells_everybody_and_cannot_be_planned(scene: Scene) -> None:
    await scene.move("cancel")
    newest = (await inbox(organisation_id=scene.buyers[1].organisation_id))[0]
    assert newest.kind == "meeting_moved"
    with pytest.raises(Conflict):
        await scene.plan()


async def test_a_postponed_meeting_gets_a_new_day_and_everybody_invited_hears_of_it(scene: Scene) -> None:
    gone, stays = scene.buyers
    await respond(
        meeting_id=scene.meeting_id,
        organisation_id=gone.organisation_id,
        answer="declined",
        actor=gone.actor,
        at=STORY,
    )
    await scene.move("postpone")
    revise = {"meeting_id": scene.meeting_id, "actor": scene.town.actor, "at": STORY}
    later = meeting(held_on=TODAY + timedelta(days=20), tables=5)
    with pytest.raises(NotFound):
        await revise_meeting(meeting=later, town_id=gone.organisation_id, **revise)
    with pytest.raises(Invalid) as refused:
        await revise_meeting(meeting=meeting(tables=0), town_id=scene.town.organisation_id, **revise)
    assert set(refused.value.fields) == {"tables"}
    await revise_meeting(meeting=later, town_id=scene.town.organisation_id, **revise)
    await scene.plan()
    seen = await meeting_of(meeting_id=scene.meeting_id, organisation_id=stays.organisation_id)
    assert (seen.state, seen.held_on, seen.tables) == ("timetabled", later.held_on, 5)
    kinds = {
        member: [notice.kind for notice in await inbox(organisation_id=member.organisation_id)]
        for member in (gone, stays)
    }
    assert kinds[stays].count("meeting_revised") == 1
    assert kinds[gone].count("meeting_revised") == 0


async def test_a_postponed_meeting_that_keeps_its_day_is_told_to_be_on_again(scene: Scene) -> None:
    stays = scene.buyers[0].organisation_id
    for times in (1, 2):
        await scene.move("postpone")
        await scene.plan()
        kinds = [each.kind for each in await inbox(organisation_id=stays)]
        assert (kinds.count("meeting_moved"), kinds.count("meeting_revised")) == (times, times)
        assert kinds[0] == "meeting_revised"
    await scene.plan()
    assert [each.kind for each in await inbox(organisation_id=stays)].count("meeting_revised") == 2


async def test_a_meeting_that_has_begun_is_no_longer_changed(scene: Scene) -> None:
    await scene.move("start")
    with pytest.raises(Conflict):
        await revise_meeting(
            meeting_id=scene.meeting_id,
            meeting=meeting(),
            town_id=scene.town.organisation_id,
            actor=scene.town.actor,
            at=STORY,
        )


async def test_a_meeting_starts_once_it_is_published_and_its_day_has_come(scene: Scene) -> None:
    day = STORY + timedelta(days=7)
    with pytest.raises(Conflict, match="还没有发布"):
        await scene.move("start", at=day)
    await execute("UPDATE meeting SET published_at = $1", STORY)
    with pytest.raises(Conflict, match="到那天才能开始"):
        await scene.move("start", at=day - timedelta(days=1))
    assert await fetch_value("SELECT state FROM meeting") == "timetabled"
    # a day late is late, and not too late
    assert await scene.move("start", at=day + timedelta(days=1)) == "in_progress"


async def test_two_changes_of_one_meeting_are_both_kept_or_asked_back(scene: Scene) -> None:
    revise = {
        "meeting_id": scene.meeting_id,
        "town_id": scene.town.organisation_id,
        "actor": scene.town.actor,
        "at": STORY,
    }
    seen = marks_of(meeting(), COLUMNS)
    await revise_meeting(meeting=meeting(venue="新会堂", tables=4), seen=seen, **revise)
    # what both want alike is no matter of dispute
    kept = await revise_meeting(meeting=meeting(contact="老周", tables=4), seen=seen, **revise)
    assert kept == {"venue"}
    assert await fetch_value("SELECT (venue, contact, tables) FROM meeting") == ("新会堂", "老周", 4)
    with pytest.raises(ChangedMeanwhile) as refused:
        await revise_meeting(meeting=meeting(contact="老吴"), seen=seen, **revise)
    assert (refused.value.both, refused.value.theirs) == ({"contact"}, {"venue", "tables"})
    assert await fetch_value("SELECT contact FROM meeting") == "老周"


async def test_a_last_day_that_has_passed_stays_only_where_it_stood(scene: Scene) -> None:
    revise = {
        "meeting_id": scene.meeting_id,
        "town_id": scene.town.organisation_id,
        "actor": scene.town.actor,
    }
    first, later = meeting(answer_by=TODAY + timedelta(days=1)), STORY + timedelta(days=3)
    await revise_meeting(meeting=first, at=STORY, **revise)
    await revise_meeting(meeting=msgspec.structs.replace(first, contact="老周"), at=later, **revise)
    with pytest.raises(Invalid) as refused:
        await revise_meeting(
            meeting=msgspec.structs.replace(first, answer_by=TODAY + timedelta(days=2)), at=later, **revise
        )
    assert set(refused.value.fields) == {"answer_by"}
