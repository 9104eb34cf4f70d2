import pytest

from fixtures.factories import PASSWORD, STORY, Factory
from market.accounts.operations import (
    NewOrganisation,
    NewPerson,
    register_organisation,
    register_person,
)
from market.accounts.queries import town_by_name
from market.accounts.signing_in import sign_in
from market.errors import Invalid, NotFound


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
