"""Answers by a link, from one browser or from two at once."""

import asyncio

import pytest

from fixtures.factories import Factory
from market import clock
from market.db.session import execute, fetch, fetch_value
from market.errors import Conflict, Invalid
from market.meetings.invitations.inviting import renew_link, revoke
from market.meetings.invitations.persons import MOST_PERSONS, NewAttendee, attendees_of, set_attendees
from market.meetings.invitations.queries import LinkGone, invitee
from market.meetings.invitations.replying import Delegation, Reply, delegate, reply
from market.meetings.operations import respond
from market.transitions import WrongState
from tests.integration.meetings.invited import Gathering, Invited, gathering, told

LI = NewAttendee("李秋实", "经理", "13800000001")
WANG = NewAttendee("王春", "", "13800000002")


@pytest.fixture
async def day(factory: Factory) -> Gathering:
    return await gathering(factory)


async def answer(invited: Invited, given: str, *persons: NewAttendee, note: str = "", version: int = 1):
    return await reply(
        invitation_id=invited.id,
        version=version,
        reply=Reply(given, persons, note),
        person_id=None,
        at=clock.now(),
    )


async def names(day: Gathering, invited: Invited) -> list[str]:
    rows = await attendees_of(meeting_id=day.meeting_id, organisation_id=invited.member.organisation_id)
    return [each.name for each in rows]


async def test_answer_brings_the_persons_and_may_change(day: Gathering) -> None:
    await answer(day.buyer, "accepted", LI, WANG, note="晚到十分钟")
    assert (await day.buyer.state(), await names(day, day.buyer)) == ("accepted", ["李秋实", "王春"])
    await answer(day.buyer, "accepted", WANG)
    assert await names(day, day.buyer) == ["王春"]
    await answer(day.buyer, "declined")
    assert (await day.buyer.state(), await names(day, day.buyer)) == ("declined", [])
    assert await told(day.town) == ["invitation_note", "invitation_declined"]
    await answer(day.buyer, "tentative")
    assert await day.buyer.state() == "tentative"


async def test_who_stays_keeps_the_badges_code(day: Gathering) -> None:
    await answer(day.buyer, "accepted", LI, WANG)
    before = {row["name"]: row["code"] for row in await fetch("SELECT name, code FROM attendee")}
    await answer(
        day.buyer,
        "accepted",
        NewAttendee("李秋实", "总经理", "13900000009"),
        NewAttendee("王春生", "", WANG.phone),
        NewAttendee("赵六"),
    )
    after = {row["name"]: row["code"] for row in await fetch("SELECT name, code FROM attendee")}
    assert (after["李秋实"], after["王春生"]) == (before["李秋实"], before["王春"])
    assert len(set(after.values())) == 3
    assert all(len(code) == 10 and not set(code) & set("01OIL") for code in after.values())


async def test_who_is_here_already_stays_on_the_list(day: Gathering) -> None:
    await answer(day.buyer, "accepted", LI)
    await execute("UPDATE attendee SET attendance = 'checked_in'")
    with pytest.raises(Conflict):
        await answer(day.buyer, "accepted", WANG)
    assert await names(day, day.buyer) == ["李秋实"]


@pytest.mark.parametrize(
    ("persons", "fields"),
    [
        ([NewAttendee("", phone="13800000001")], ["name_1"]),
        ([LI, NewAttendee("王春", phone="13800000001")], ["phone_2"]),
        ([NewAttendee("李" * 31, "经" * 31, "12345")], ["name_1", "phone_1", "title_1"]),
        ([NewAttendee(f"人{n}") for n in range(MOST_PERSONS + 1)], [f"name_{MOST_PERSONS + 1}"]),
    ],
)
async def test_wrong_persons_are_refused_each_beside_its_field_and_nothing_is_kept(
    day: Gathering, persons: list[NewAttendee], fields: list[str]
) -> None:
    with pytest.raises(Invalid) as refused:
        await answer(day.buyer, "accepted", *persons)
    assert sorted(refused.value.fields) == fields
    assert (await day.buyer.state(), await names(day, day.buyer)) == ("needs_action", [])


async def test_one_person_for_two_is_allowed_and_told(day: Gathering) -> None:
    assert await answer(day.seller, "accepted", LI) == ()
    assert await answer(day.buyer, "accepted", LI, WANG) == (LI.phone,)
    await answer(day.seller, "declined")
    assert await answer(day.buyer, "accepted", LI) == ()


async def test_two_answers_at_once_leave_one_of_them_whole(day: Gathering) -> None:
    for _ in range(5):
        await asyncio.gather(
            answer(day.buyer, "accepted", LI), answer(day.buyer, "tentative", WANG), return_exceptions=True
        )
        both = (await day.buyer.state(), await names(day, day.buyer))
        assert both in (("accepted", ["李秋实"]), ("tentative", ["王春"]))


async def test_link_that_is_withdrawn_while_one_answers_changes_nothing_any_more(day: Gathering) -> None:
    async def withdraw() -> None:
        await revoke(
            invitation_id=day.buyer.id,
            meeting_id=day.meeting_id,
            town_id=day.town.organisation_id,
            actor=day.town.actor,
            at=clock.now(),
        )

    done = await asyncio.gather(withdraw(), answer(day.buyer, "accepted", LI), return_exceptions=True)
    assert done[0] is None
    assert done[1] == () or isinstance(done[1], LinkGone)
    assert await day.buyer.state() == "revoked"
    for version in (1, 2):
        with pytest.raises(LinkGone):
            await answer(day.buyer, "accepted", LI, version=version)
    assert await day.buyer.state() == "revoked"


async def test_new_link_makes_the_old_one_worthless(day: Gathering) -> None:
    version = await renew_link(
        invitation_id=day.buyer.id,
        meeting_id=day.meeting_id,
        town_id=day.town.organisation_id,
        actor=day.town.actor,
        at=clock.now(),
    )
    with pytest.raises(LinkGone):
        await answer(day.buyer, "accepted")
    with pytest.raises(LinkGone):
        await invitee(invitation_id=day.buyer.id, version=1)
    await answer(day.buyer, "accepted", version=version)
    assert await day.buyer.state() == "accepted"


@pytest.mark.parametrize("state", ["in_progress", "closed", "cancelled"])
async def test_answers_end_when_the_meeting_begins(day: Gathering, state: str) -> None:
    await execute("UPDATE meeting SET state = $1", state)
    with pytest.raises(Conflict):
        await answer(day.buyer, "accepted", LI)
    with pytest.raises(Conflict):
        await hand_on(day.buyer, "别家")


async def test_at_the_desk_the_town_still_writes_persons_down(day: Gathering) -> None:
    await execute("UPDATE meeting SET state = 'in_progress'")
    await set_attendees(
        meeting_id=day.meeting_id,
        organisation_id=day.buyer.member.organisation_id,
        persons=[LI],
        actor=day.town.actor,
        at=clock.now(),
    )
    assert await names(day, day.buyer) == ["李秋实"]


async def hand_on(invited: Invited, name: str, *, person: str = "", phone: str = "") -> int:
    return await delegate(
        invitation_id=invited.id,
        version=1,
        delegation=Delegation(name, person, phone),
        person_id=None,
        at=clock.now(),
    )


async def test_delegate_gets_an_invitation_of_its_own(day: Gathering, factory: Factory) -> None:
    other = await factory.member(role="buyer")
    name = await fetch_value("SELECT name FROM organisation WHERE id = $1", other.organisation_id)
    number = await hand_on(day.buyer, name, person="赵六", phone="13800000003")
    assert await day.buyer.state() == "delegated"
    row = (await fetch("SELECT * FROM invitation WHERE id = $1", number))[0]
    assert (row["organisation"], row["side"], row["state"], row["source"]) == (
        other.organisation_id,
        "buyer",
        "needs_action",
        "delegated",
    )
    rows = await attendees_of(meeting_id=day.meeting_id)
    assert [(each.organisation, each.name) for each in rows] == [(other.organisation_id, "赵六")]
    assert (await told(other), await told(day.town)) == (["meeting_invitation"], ["invitation_delegated"])
    with pytest.raises(WrongState):
        await hand_on(day.buyer, name)


async def test_delegation_can_be_taken_back(day: Gathering) -> None:
    number = await hand_on(day.buyer, "新开的超市")
    kind = "SELECT organisation.kind FROM organisation ORDER BY id DESC LIMIT 1"
    assert await fetch_value(kind) == "retailer"
    await answer(day.buyer, "accepted", LI)
    states = [row["state"] for row in await fetch("SELECT state FROM invitation ORDER BY id")]
    assert states == ["needs_action", "accepted", "revoked"]
    assert await fetch_value("SELECT delegated_to FROM invitation WHERE id = $1", day.buyer.id) is None
    assert await hand_on(day.buyer, "新开的超市") == number
    assert await fetch_value("SELECT state FROM invitation WHERE id = $1", number) == "needs_action"


async def test_delegation_is_taken_back_by_whoever_answers_signed_in_too(
    day: Gathering, factory: Factory
) -> None:
    other = await factory.member(role="buyer")
    name = await fetch_value("SELECT name FROM organisation WHERE id = $1", other.organisation_id)
    number = await hand_on(day.buyer, name)
    own = day.buyer.member
    await respond(
        meeting_id=day.meeting_id,
        organisation_id=own.organisation_id,
        answer="accepted",
        actor=own.actor,
        at=clock.now(),
    )
    row = (await fetch("SELECT state, delegated_to FROM invitation WHERE id = $1", day.buyer.id))[0]
    assert tuple(row) == ("accepted", None)
    assert await fetch_value("SELECT state FROM invitation WHERE id = $1", number) == "revoked"
    # whom they had sent instead hears of both
    assert await told(other) == ["meeting_invitation", "invitation_revoked"]


async def test_invitation_is_passed_on_to_others_only_and_not_in_a_ring(day: Gathering) -> None:
    names = {row["id"]: row["name"] for row in await fetch("SELECT id, name FROM organisation")}
    own = names[day.buyer.member.organisation_id]
    with pytest.raises(Invalid) as refused:
        await hand_on(day.buyer, own)
    assert list(refused.value.fields) == ["organisation"]
    await hand_on(day.buyer, "别家超市")
    other = Invited(await fetch_value("SELECT max(id) FROM invitation"), day.buyer.member, "buyer")
    with pytest.raises(Invalid):
        await hand_on(other, own)
    await revoke(
        invitation_id=other.id,
        meeting_id=day.meeting_id,
        town_id=day.town.organisation_id,
        actor=day.town.actor,
        at=clock.now(),
    )


@pytest.mark.parametrize("state", ["revoked", "declined"])
async def test_organisation_that_is_off_the_list_or_has_said_no_takes_nothing_over(
    day: Gathering, factory: Factory, state: str
) -> None:
    other = await factory.member(role="buyer")
    name = await fetch_value("SELECT name FROM organisation WHERE id = $1", other.organisation_id)
    await execute(
        """INSERT INTO invitation (meeting, organisation, side, state, attendance, reason, created_at)
           VALUES ($1, $2, 'buyer', $3, 'expected', '{"text": "x"}', now())""",
        day.meeting_id,
        other.organisation_id,
        state,
    )
    with pytest.raises(Invalid, match=name):
        await hand_on(day.buyer, name)
    assert await day.buyer.state() == "needs_action"


async def test_two_delegations_to_one_firm_make_one_invitation(day: Gathering) -> None:
    done = await asyncio.gather(
        hand_on(day.buyer, "同一家"), hand_on(day.seller, "同一家"), return_exceptions=True
    )
    # a buyer's and a seller's delegate of one name are two firms: a shop sells no harvest
    assert all(isinstance(each, int) for each in done), done
    assert await fetch_value("SELECT count(*) FROM organisation WHERE name = '同一家'") == 2
