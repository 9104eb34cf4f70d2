"""The engine's explanations through the API: who may ask what, and what comes back."""

import pytest

from fixtures.factories import Factory, Member
from market import clock
from market.accounts.rules import SYSTEM
from market.matching.operations import run_now

from .conftest import Caller, People


class Market:
    """A dear lot, a rival's cheap one, and a demand; the engine has run once."""

    def __init__(self, people: People) -> None:
        self._people = people

    async def build(self, factory: Factory) -> None:
        official = await factory.member(role="official")
        town_id = official.organisation_id
        members: dict[str, Member] = {
            "official": official,
            "seller": await factory.member(role="secretary", town_id=town_id),
            "rival": await factory.member(role="secretary", town_id=town_id),
            "buyer": await factory.member(role="buyer"),
            "stranger": await factory.member(role="official"),
        }
        self.dear = await factory.listing(members["seller"], kg=1_000, ask=1_200)
        self.cheap = await factory.listing(members["rival"], kg=300, ask=700)
        self.demand = await factory.demand(members["buyer"], kg=800, ceiling=1_000)
        self.run = await run_now(town_id=town_id, actor=SYSTEM, at=clock.now())
        self.callers = {name: await self._people.caller(each) for name, each in members.items()}

    def __getitem__(self, name: str) -> Caller:
        return self.callers[name]


@pytest.fixture
async def market(people: People, factory: Factory) -> Market:
    made = Market(people)
    await made.build(factory)
    return made


async def test_owner_learns_how_many_others_the_town_which(market: Market) -> None:
    path = f"/listings/{market.dear}/what-if"
    own = (await market["seller"].post(path, {"ask": 600})).json()
    assert (own["before"]["traded"], own["after"]["traded"]) == (0, 800_000)
    assert [each["partner"] for each in own["after"]["trades"]] == [market.demand]
    assert (own["others"], own["others_less"], own["grams_less"]) == ([], 1, 300_000)
    town = (await market["official"].post(path, {"ask": 600})).json()
    assert town["others"] == [
        {"side": "demand", "id": market.demand, "before": 300_000, "after": 800_000},
        {"side": "lot", "id": market.cheap, "before": 300_000, "after": 0},
    ]
    for other in ("rival", "buyer", "stranger"):
        assert (await market[other].post(path, {"ask": 600})).status_code == 404


async def test_demand_is_tried_and_diagnosed_by_its_buyer_alone(market: Market) -> None:
    tried = await market["buyer"].post(f"/demands/{market.demand}/what-if", {"ceiling": 1_500})
    assert (tried.json()["before"]["rest"], tried.json()["after"]["rest"]) == (500_000, 0)
    found = await market["buyer"].get(f"/demands/{market.demand}/diagnosis")
    assert found.status_code == 200
    assert [each["listings"] for each in found.json() if each["obstacle"] in ("price", "outbid")] == [
        [market.dear]
    ]
    for path, body in (
        (f"/demands/{market.demand}/what-if", {}),
        (f"/demands/{market.demand}/diagnosis", None),
    ):
        call = market["seller"].get(path) if body is None else market["seller"].post(path, body)
        assert (await call).status_code == 404


async def test_impossible_changes_are_refused_by_field(market: Market) -> None:
    path = f"/listings/{market.dear}/what-if"
    for body in ({"ask": -1}, {"ask": "6.00"}, {"grade": 99}, {"rubbish": 1}, {"available_to": "soon"}):
        answer = await market["seller"].post(path, body)
        assert answer.status_code == 422
        assert set(answer.json()["fields"]) == set(body)
    late = await market["seller"].post(path, {"available_from": "2099-01-01"})
    assert late.status_code == 422


async def test_pair_is_explained_to_its_town(market: Market) -> None:
    base = f"/runs/{market.run}/why"
    paired = (await market["official"].get(f"{base}/{market.cheap}/{market.demand}")).json()
    assert (paired["code"], paired["quantity"]) == ("paired", 300_000)
    not_so = (await market["official"].get(f"{base}/{market.dear}/{market.demand}")).json()
    assert (not_so["code"], len(not_so["obstacles"])) == ("price", 1)
    assert not_so["figures"]["surplus"] < 0
    assert (await market["official"].get(f"{base}/99999/{market.demand}")).status_code == 404
    assert (await market["stranger"].get(f"{base}/{market.dear}/{market.demand}")).status_code == 404
    assert (await market["seller"].get(f"{base}/{market.dear}/{market.demand}")).status_code == 403


async def test_villages_and_computing_again_are_the_towns(market: Market) -> None:
    rows = (await market["official"].get(f"/runs/{market.run}/villages")).json()
    assert [(row["offered"], row["sold"], row["left"]) for row in rows] == [
        (1_000_000, 0, 1_000_000),
        (300_000, 300_000, 0),
    ]
    again = (await market["official"].post(f"/runs/{market.run}/again")).json()
    assert (again["identical"], again["pairs"], again["differing"]) == (True, 1, [])
    assert (await market["stranger"].post(f"/runs/{market.run}/again")).status_code == 404
    assert (await market["buyer"].post(f"/runs/{market.run}/again")).status_code == 403
