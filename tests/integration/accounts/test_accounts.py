from datetime import timedelta

import pytest

from fixtures.factories import PASSWORD, STORY, Factory
from market.accounts.operations import (
    NewOrganisation,
    NewPerson,
    TooManyTries,
    change_password,
    register_organisation,
    register_person,
    sign_in,
    sign_out,
)
from market.accounts.queries import town_by_name, viewer_for
from market.accounts.rules import TRIES_PER_ACCOUNT, Viewer, token_hash
from market.errors import Invalid, NotFound


async def viewer_of(token: str, *, days: int = 0) -> Viewer | None:
    return await viewer_for(token_hash=token_hash(token), at=STORY + timedelta(days=days))


async def test_signing_in_opens_a_session_that_signing_out_ends(factory: Factory) -> None:
    member = await factory.member(role="secretary", password=PASSWORD)
    token = await sign_in(phone=member.phone, password=PASSWORD, address="127.0.0.1", at=STORY)
    viewer = await viewer_of(token)
    assert viewer
    assert (viewer.person_id, viewer.side, viewer.roles) == (member.person_id, "seller", {"secretary"})
    await sign_out(token=token)
    assert await viewer_of(token) is None


async def test_password_given_at_registration_is_the_one_that_signs_in(factory: Factory) -> None:
    member = await factory.member(role="secretary")
    await register_person(
        person=NewPerson(name="李会计", phone="19900099999", password=PASSWORD, invented=True),
        organisation_id=member.organisation_id,
        roles=frozenset({"secretary"}),
        at=STORY,
    )
    assert await sign_in(phone="19900099999", password=PASSWORD, address="127.0.0.1", at=STORY)
    with pytest.raises(Invalid):
        await sign_in(phone="19900099999", password=f"{PASSWORD}!", address="127.0.0.1", at=STORY)


async def test_a_session_ends_with_its_time(factory: Factory) -> None:
    member = await factory.member(role="buyer", password=PASSWORD)
    token = await sign_in(phone=member.phone, password=PASSWORD, address="127.0.0.1", at=STORY)
    assert await viewer_of(token, days=13)
    assert await viewer_of(token, days=15) is None


async def test_signing_in_again_rotates_the_token(factory: Factory) -> None:
    member = await factory.member(role="buyer", password=PASSWORD)
    old = await sign_in(phone=member.phone, password=PASSWORD, address="127.0.0.1", at=STORY)
    new = await sign_in(phone=member.phone, password=PASSWORD, address="127.0.0.1", at=STORY, old_token=old)
    assert new != old
    assert await viewer_of(old) is None


async def test_unknown_account_and_wrong_password_get_the_same_answer(factory: Factory) -> None:
    member = await factory.member(role="buyer", password=PASSWORD)
    silent = await factory.member(role="buyer")
    answers = set()
    for phone in (member.phone, silent.phone, "13900000000"):
        with pytest.raises(Invalid) as refused:
            await sign_in(phone=phone, password="wrong", address="127.0.0.1", at=STORY)
        answers.add(str(refused.value))
    assert len(answers) == 1


async def test_tries_are_counted_whatever_the_outcome(factory: Factory) -> None:
    member = await factory.member(role="buyer", password=PASSWORD)
    for _ in range(TRIES_PER_ACCOUNT):
        with pytest.raises(Invalid):
            await sign_in(phone=member.phone, password="wrong", address="127.0.0.1", at=STORY)
    with pytest.raises(TooManyTries):
        await sign_in(phone=member.phone, password=PASSWORD, address="127.0.0.1", at=STORY)
    later = STORY + timedelta(minutes=16)
    assert await sign_in(phone=member.phone, password=PASSWORD, address="127.0.0.1", at=later)


async def test_a_new_password_ends_the_other_sessions(factory: Factory) -> None:
    member = await factory.member(role="buyer", password=PASSWORD)
    here = await sign_in(phone=member.phone, password=PASSWORD, address="127.0.0.1", at=STORY)
    there = await sign_in(phone=member.phone, password=PASSWORD, address="127.0.0.1", at=STORY)
    viewer = await viewer_of(here)
    assert viewer
    with pytest.raises(Invalid) as refused:
        await change_password(
            person_id=member.person_id, old="wrong", new="long enough", keep_session_id=viewer.session_id
        )
    assert set(refused.value.fields) == {"old"}
    await change_password(
        person_id=member.person_id, old=PASSWORD, new="long enough", keep_session_id=viewer.session_id
    )
    assert await viewer_of(here)
    assert await viewer_of(there) is None


async def test_a_wrong_check_digit_is_refused(factory: Factory) -> None:
    with pytest.raises(Invalid) as refused:
        await register_organisation(
            organisation=NewOrganisation(kind="retailer", name="甲", uscc="91110000600037341X"), at=STORY
        )
    assert set(refused.value.fields) == {"uscc"}


async def test_an_unknown_town_is_answered_with_those_there_are(factory: Factory) -> None:
    town = await factory.member(role="official")
    with pytest.raises(NotFound) as refused:
        await town_by_name(name="没有的镇")
    assert str(town.organisation_id) in str(refused.value)
    assert (await town_by_name(name=str(town.organisation_id))).id == town.organisation_id
