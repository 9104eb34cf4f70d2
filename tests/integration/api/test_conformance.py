"""Schemathesis over the OpenAPI document: whatever is sent, the answer is one that the document names.

Requests go to the application on a real database, signed in as everybody in turn: each role that there is,
and nobody. In the normal run the lesser roles share the operations among them; the soak run tries all of them
everywhere, with many more requests. Everything is derived from fixed seeds: a run tries the same requests as
the one before.
"""

import asyncio
from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fixtures.factories import Factory, Member
from market import clock
from market.accounts.operations import NewOrganisation, NewPerson, register_organisation, register_person
from market.accounts.rules import ROLES, SYSTEM
from market.api.inputs import MOST_ID
from market.matching.operations import run_now

from .conftest import People

URL = "http://localhost"
CONFORMS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
#: They end the session that the others need, or cost an argon2 hash each; test_edge.py has them.
LEFT_OUT = {"/api/v1/sign-in", "/api/v1/sign-out"}
#: Numbers up to this one stand for rows that are there, for the most part.
NEAR = 6
_SOON, _LATER = (clock.today() + timedelta(days=days) for days in (1, 30))
NAMED: dict[str, list[Any]] = {
    "produce": ["peanut", "peanut-oil"],
    "reason": ["price", "quality"],
    "credentials": [[], ["test-report"]],
    "requires": [[], ["test-report"]],
    "min_order": [0, 1],
    "quantity": [1, 2_000, 10_000],
    **{name: [_SOON.isoformat()] for name in ("available_from", "deliver_from", "held_on", "on")},
    **{name: [_LATER.isoformat()] for name in ("available_to", "deliver_to")},
}
LEFT_UNSAID = {"lat", "lon", "division", "half_day_after", "most_appointments"}
#: Fewer operations that succeed at least once would prove little; what needs a story in the right order
#: (a delivery, a payment, the outcome of a talk) is told by test_trade.py and test_town.py.
LEAST_REACHED = 40
#: Lists whose filters count as not given where they are empty, as in the addresses of the site.
FILTERED = {"GET /api/v1/listings", "GET /api/v1/demands"}


#: Who does most, and is tried everywhere; all other roles come after them.
MAIN = ("secretary", "buyer", "official")
Examples = tuple[int, int, int]
#: Requests for each operation and person: as documented, near the small market, faulty; and when soaked.
EXAMPLES, SOAKED = (1, 2, 1), (15, 40, 25)


async def sessions(people: People, factory: Factory) -> list[str | None]:
    """Fill a small market; return the tokens of those of ``MAIN``, nobody, and one of each other role."""
    official = await factory.member(role="official")
    town_id = official.organisation_id
    seller = await factory.member(role="secretary", town_id=town_id)
    buyer = await factory.member(role="buyer")
    for kg in (1_000, 500, 800, 900, 600, 700):
        await factory.listing(seller, kg=kg)
        await factory.demand(buyer, kg=kg // 2)
    await run_now(town_id=town_id, actor=SYSTEM, at=clock.now())
    callers = [await people.caller(member) for member in (seller, buyer, official)]
    bid = {
        "quantity": 10_000,
        "price": 700,
        "deliver_from": clock.today(),
        "deliver_to": clock.today() + timedelta(days=20),
    }
    for listing_id in (1, 2, 3, 4, 5, 6):
        assert (await callers[1].post("/bids", {**bid, "listing_id": listing_id})).status_code == 201
    meeting = {"title": "对接会", "venue": "镇文化站", "held_on": clock.today(), "starts_at": 0}
    for _ in range(NEAR):
        assert (await callers[2].post("/meetings", meeting)).status_code == 201
    return [*(caller.token for caller in callers), None, *await others(people, (seller, buyer, official))]


async def others(people: People, main: tuple[Member, Member, Member]) -> list[str | None]:
    """Return the tokens of one person of each further role, beside those who do most where that fits."""
    seller, buyer, official = main
    county = await register_organisation(
        organisation=NewOrganisation(kind="county", name="县农业农村局", invented=True), at=clock.now()
    )
    homes = {"seller": seller, "cadre": seller, "manager": buyer, "administrator": official}
    tokens: list[str | None] = []
    for number, role in enumerate(sorted(set(ROLES) - set(MAIN))):
        home = homes[role].organisation_id if role in homes else county
        phone = f"1990002{number:04d}"
        person_id = await register_person(
            person=NewPerson(name=role, phone=phone, password_hash=None, invented=True),
            organisation_id=home,
            roles=frozenset({role}),
            at=clock.now(),
        )
        tokens.append((await people.caller(Member(home, person_id, phone, role))).token)
    return tokens


class Trial:
    """Sends generated requests and keeps what was answered."""

    def __init__(
        self, client: httpx.AsyncClient, loop: asyncio.AbstractEventLoop, tokens: list[str | None]
    ) -> None:
        self.client, self.loop, self.tokens = client, loop, tokens
        self.statuses: dict[str, Counter[int]] = defaultdict(Counter)
        self.failures: list[str] = []

    def send(self, case: Any, token: str | None) -> httpx.Response:
        given = case.as_transport_kwargs(base_url=URL)
        fields = ("method", "url", "headers", "params", "data", "json", "cookies")
        prepared = requests.Request(**{name: given[name] for name in fields if name in given}).prepare()
        headers = dict(prepared.headers) | ({"authorization": f"Bearer {token}"} if token else {})
        sending = self.client.request(
            str(prepared.method), str(prepared.url), headers=headers, content=prepared.body
        )
        return asyncio.run_coroutine_threadsafe(sending, self.loop).result(timeout=30)

    def run(
        self,
        document: dict[str, Any],
        mode: GenerationMode,
        examples: int,
        checks: list[Any],
        *,
        everybody: bool = False,
    ) -> None:
        """Try every operation with ``examples`` requests of each of ``MAIN``, of nobody, and of one more.

        ``everybody``: of all roles.
        """
        most, rest = self.tokens[: len(MAIN) + 1], self.tokens[len(MAIN) + 1 :]
        config = SchemathesisConfig()
        config.projects.default.generation.with_security_parameters = False
        operations = schemathesis.openapi.from_dict(document, config=config).get_all_operations()
        for place, result in enumerate(operations):
            operation = result.ok()
            if operation.path in LEFT_OUT:
                continue

            try:
                callers = [*most, *(rest if everybody else [rest[place % len(rest)]])]
                self.attempts(operation, mode, examples, checks, callers)
            except Unsatisfiable:
                continue  # a request without input has no faulty form
            except (Exception, FailureGroup) as failure:
                self.failures.append(f"{operation.label}: {failure}")

    def attempts(
        self,
        operation: Any,
        mode: GenerationMode,
        examples: int,
        checks: list[Any],
        tokens: list[str | None],
    ) -> None:
        """Send each request as every one of ``tokens``: to think one up takes longer than to answer it."""
        wanted = [
            each for each in checks if each is not negative_data_rejection or operation.label not in FILTERED
        ]

        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def attempt(case: Any) -> None:
            for token in tokens:
                response = self.send(case, token)
                self.statuses[operation.label][response.status_code] += 1
                case.validate_response(response, checks=wanted)

        attempt()

    def succeeded(self) -> set[str]:
        return {label for label, seen in self.statuses.items() if any(code < 300 for code in seen)}


def near(document: Any) -> Any:
    """Return the document with what is asked narrowed to numbers, codes and days of the small market."""
    if isinstance(document, list):
        return [near(each) for each in document]
    if not isinstance(document, dict):
        return document
    given = ("responses", "components")
    narrowed = {name: value if name in given else near(value) for name, value in document.items()}
    if narrowed.get("maximum") == MOST_ID:
        narrowed["maximum"] = NEAR
    if narrowed.get("type") == "object":
        kept = narrowed["properties"].items() if "properties" in narrowed else ()
        narrowed["properties"] = {
            name: {**schema, **({"enum": NAMED[name]} if name in NAMED else {})}
            for name, schema in kept
            if name not in LEFT_UNSAID
        }
    return narrowed


@pytest.fixture
async def trial(people: People, factory: Factory) -> Trial:
    return Trial(people.client, asyncio.get_running_loop(), await sessions(people, factory))


@pytest.fixture
async def document(people: People) -> dict[str, Any]:
    served: dict[str, Any] = (await people.client.get("/api/openapi.json")).json()
    return served


async def sound(
    trial: Trial, document: dict[str, Any], examples: Examples, *, everybody: bool = False
) -> None:
    anything, close, _ = examples
    for asked, count in ((document, anything), (near(document), close)):
        await asyncio.to_thread(
            trial.run, asked, GenerationMode.POSITIVE, count, CONFORMS, everybody=everybody
        )
    assert trial.failures == []
    assert len(trial.succeeded()) >= LEAST_REACHED


async def faulty(
    trial: Trial, document: dict[str, Any], examples: Examples, *, everybody: bool = False
) -> None:
    checks = [*CONFORMS, negative_data_rejection]
    await asyncio.to_thread(
        trial.run, document, GenerationMode.NEGATIVE, examples[2], checks, everybody=everybody
    )
    assert trial.failures == []


async def test_sound_requests_are_answered_as_documented(trial: Trial, document: dict[str, Any]) -> None:
    await sound(trial, document, EXAMPLES)


async def test_faulty_requests_are_refused_as_documented(trial: Trial, document: dict[str, Any]) -> None:
    await faulty(trial, document, EXAMPLES)


@pytest.mark.soak
@pytest.mark.timeout(3_600)
async def test_many_requests_of_every_role_are_answered_as_documented(
    trial: Trial, document: dict[str, Any]
) -> None:
    await sound(trial, document, SOAKED, everybody=True)
    await faulty(trial, document, SOAKED, everybody=True)
    tried = sum(sum(seen.values()) for seen in trial.statuses.values())
    print(f"{tried} requests of {len(trial.tokens)} people to {len(trial.statuses)} operations")
