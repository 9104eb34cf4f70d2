"""Whose the cases are."""

import pytest

from fixtures.factories import Factory, Member


@pytest.fixture
async def town(factory: Factory) -> Member:
    return await factory.member(role="official")


@pytest.fixture
async def seller(factory: Factory, town: Member) -> Member:
    return await factory.member(role="secretary", town_id=town.organisation_id)
