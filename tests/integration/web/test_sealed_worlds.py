"""Two worlds that differ in sealed bids alone look alike, byte for byte, to everybody but the bidders."""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from fixtures.factories import Factory, Member
from market import clock
from market.bids.opening import open_round
from market.db.session import execute, fetch, fetch_value
from market.supply.commands import NewListing
from market.supply.operations import publish_listing
from market.units import FenPerKg, Gram
from tests.integration.web import shop
from tests.integration.web.conftest import Browser, SignedInAs

#: What a page makes anew each time that it is drawn: its key, its token, the number of the request.
_KEYS = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[\w-]{86}==|\b[0-9a-f]{16}\b"
)
#: What is the bidder's own: the bid, the reply that is kept for its key, and when its session was used.
_OWN = {"sealed_bid", "replay", "session"}


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """The time stands still."""
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)
    return moment


async def sealed_lot(seller: Member, at: datetime) -> int:
    return await publish_listing(
        listing=NewListing(
            produce="cabbage",
            title="辽中白菜",
            quantity=Gram(20_000_000),
            ask=FenPerKg(160),
            available_from=clock.today(),
            available_to=clock.today() + timedelta(days=30),
            division="210115",
            way="sealed",
            closes_at=at + timedelta(days=3),
        ),
        owner_id=seller.organisation_id,
        actor=seller.actor,
        at=at,
    )


def paths(listing_id: int) -> Iterable[str]:
    yield from ("/", "/listings", "/listings?q=白菜", "/listings?sort=quantity", f"/listings/{listing_id}")
    yield from ("/selling", f"/selling/{listing_id}", f"/selling/{listing_id}/terms", "/bids", "/notices")
    yield from ("/town", f"/town/listings/{listing_id}", "/town/deals", "/demands", "/demands/open")
    yield from ("/deals", "/matches", "/deals.xlsx", "/town/runs", "/account")
    yield from (f"/sealed/{uuid4().hex}", "/bids/1", "/bids/2")
    api = ("/listings", f"/listings/{listing_id}", "/listings/mine", "/bids", "/sealed-bids", "/deals")
    yield from (f"/api/v1{path}" for path in (*api, "/demands", "/demands/mine", "/matches", "/notices"))
    yield from ("/api/v1/me", "/api/v1/bids/1", f"/api/v1/listings/{listing_id}/diagnosis")


async def seen(people: dict[str, Browser], asked: list[str]) -> dict[tuple[str, str], tuple[int, bytes]]:
    found = {}
    for name, browser in people.items():
        for path in asked:
            answer = await browser.get(path)
            found[name, path] = (answer.status_code, _KEYS.sub(b"key", answer.content))
    return found


async def stored(bidders: list[Member]) -> dict[str, object]:
    """Return all rows of all tables and the numbers that come next, but what is the bidders' own."""
    own = [bidder.organisation_id for bidder in bidders]
    names = [
        row["tablename"]
        for row in await fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    ]
    rows = {
        name: await fetch_value(
            f"""SELECT array_agg(t::text ORDER BY t::text) FROM "{name}" AS t
                WHERE coalesce((to_jsonb(t) ->> 'organisation')::bigint, 0) <> ALL($1)""",
            own,
        )
        for name in names
        if name not in _OWN
    }
    numbers = await fetch(
        """SELECT sequencename, last_value FROM pg_sequences
           WHERE schemaname = 'public' AND sequencename !~ '^(sealed_bid|replay|session)_' ORDER BY 1"""
    )
    return {**rows, "numbers": [tuple(row.values()) for row in numbers]}


async def test_sealed_bids_leave_no_trace_for_others_until_they_are_opened(
    factory: Factory, browser_of: SignedInAs, guest: Browser, now: datetime
) -> None:
    await shop.stock_catalogue()
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    rival = await factory.member(role="buyer")
    bidders = [await factory.member(role="buyer") for _ in range(4)]
    # what the last one bids waits for a purchasing manager
    await execute("UPDATE organisation SET buyer_limit = 1 WHERE id = $1", bidders[3].organisation_id)
    listing_id = await sealed_lot(seller, now)
    people = {
        "guest": guest,
        "seller": await browser_of(seller),
        "rival": await browser_of(rival),
        "town": await browser_of(town),
    }
    # the goods are in no run meanwhile: nothing is said of who would suit them
    assert 'id="best"' not in (await people["seller"].get(f"/selling/{listing_id}")).text
    hands = [await browser_of(bidder) for bidder in bidders]
    asked = list(paths(listing_id))
    await seen(people, asked)
    before, rows_before = await seen(people, asked), await stored(bidders)

    day = (clock.today() + timedelta(days=5)).isoformat()
    marks = []
    for n, hand in enumerate(hands):
        form = {"quantity": str(500 + n), "quantity_unit": "kg", "price": f"0.8{n}", "price_unit": "jin"}
        answer = await hand.post(
            f"/listings/{listing_id}/bids",
            {**form, "deliver_from": day, "deliver_to": day, "demand_id": "0", "key": str(uuid4())},
        )
        assert answer.status_code == 303, answer.text
        marks.append(answer.headers["location"])
        if n == 3:
            assert marks[-1].startswith("/approvals/")
            continue
        assert "我的密封报价" in (await hand.get(f"/listings/{listing_id}")).text
        assert marks[-1] in (await hand.get("/bids")).text
    # one of them is taken back and bid anew
    assert (await hands[0].post(f"{marks[0]}/withdraw", {"key": str(uuid4())})).status_code == 303

    rows_after = await stored(bidders)
    assert {name for name in rows_before if rows_before[name] != rows_after[name]} == set()
    after = await seen(people, asked)
    assert [where for where in before if before[where] != after[where]] == []
    # a mark that is known answers like one that is made up
    for browser in people.values():
        real, made_up = await browser.get(marks[1]), await browser.get(f"/sealed/{uuid4().hex}")
        assert (real.status_code, len(real.content)) == (made_up.status_code, len(made_up.content))

    assert await open_round(listing_id=listing_id, at=now + timedelta(days=3))
    assert "转为议价" in (await people["seller"].get("/notices")).text
    assert (await seen(people, ["/bids"]))["seller", "/bids"] != before["seller", "/bids"]
    assert 'id="best"' in (await people["seller"].get(f"/selling/{listing_id}")).text
