"""The official's overview, hardship bonus and ledger: every figure is the sum of rows that can be listed."""

import csv
import io
import re
from datetime import date
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from fixtures.factories import PASSWORD, STORY, Factory, Member
from market.accounts.rules import Actor
from market.dashboard import queries as dashboard
from market.dashboard.received import Received, received_under
from market.db.session import execute, fetch_value
from market.deals.fulfilment import move_delivery, schedule_delivery
from market.deals.operations import sign
from market.deals.paying import pay
from market.deals.queries import deals_of, payments_of
from market.i18n import translate
from market.matching.agreement import agree
from market.matching.operations import run_now
from market.matching.queries import matches_of_run
from market.units import Gram
from market.web.followup.reports import sums_of
from market.web.home.town import follow_up, next_step
from tests.forms import filled_in
from tests.integration.web.conftest import Browser, SignedInAs, faults


@pytest.fixture
async def official(factory: Factory) -> Member:
    return await factory.member(role="official", password=PASSWORD)


@pytest.fixture
async def browser(official: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(official)


async def traded(factory: Factory, official: Member) -> list[int]:
    """Two deals of the town: one signed, delivered and paid in part, one not signed yet."""
    seller = await factory.member(role="secretary", town_id=official.organisation_id)
    buyer = await factory.member(role="buyer")
    for kg, title in ((1_000, "=红衣花生"), (600, "白沙花生")):
        await factory.listing(seller, kg=kg, title=title)
        await factory.demand(buyer, kg=kg)
    run_id = await run_now(town_id=official.organisation_id, actor=official.actor, at=STORY)
    deals = []
    for match in await matches_of_run(run_id=run_id, town_id=official.organisation_id):
        for member in (seller, buyer):
            agreed = await agree(
                match_id=match.id, organisation_id=member.organisation_id, actor=member.actor, at=STORY
            )
        assert agreed.deal_id
        deals.append(agreed.deal_id)
    for member in (seller, buyer):
        await sign(deal_id=deals[0], organisation_id=member.organisation_id, actor=member.actor, at=STORY)
    await _deliver(deals[0], seller, buyer, grams=Gram(400_000))
    return deals


async def _deliver(deal_id: int, seller: Member, buyer: Member, *, grams: Gram) -> None:
    delivery = await schedule_delivery(
        deal_id=deal_id,
        quantity=grams,
        on=date(2026, 11, 30),
        organisation_id=seller.organisation_id,
        actor=seller.actor,
        at=STORY,
    )
    for move, member in (("dispatch", seller), ("arrive", buyer), ("accept", buyer)):
        await move_delivery(
            delivery_id=delivery,
            move=move,
            organisation_id=member.organisation_id,
            actor=member.actor,
            at=STORY,
        )
    (payment,) = await payments_of(deal_id=deal_id)
    await pay(payment_id=payment.id, organisation_id=buyer.organisation_id, actor=buyer.actor, at=STORY)


async def test_figures_of_overview_and_ledger_are_sums_of_the_deals(
    factory: Factory, official: Member, browser: Browser
) -> None:
    deals = await traded(factory, official)
    town = official.organisation_id
    sums = sums_of(await deals_of(organisation_id=town))
    funnel, money = await dashboard.funnel(town_id=town), await dashboard.money(town_id=town)
    assert (sums.signed_grams, sums.delivered_grams) == (funnel.signed, funnel.delivered)
    assert (sums.intended, sums.signed, sums.delivered) == (money.intended, money.signed, money.delivered)
    assert money.received == await received_under(deals)
    assert min(sums.intended, sums.signed, sums.delivered, money.received.goods) > 0
    listed = (await browser.get("/town/deals.csv")).content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(listed)))
    assert len(rows) == 2
    worth = sum(round(float(row["金额（元）"]) * 100) for row in rows)
    assert worth == sums.intended + sums.signed
    assert sum(round(float(row["已回款（元）"]) * 100) for row in rows) == money.received.total
    page = (await browser.get("/town")).text
    # English writes the unit of money into the figure
    assert re.search(
        r'Paid</a></p><p class="stat-figure">¥[^<]+</p>', (await browser.get("/town?lang=en")).text
    )
    page = (await browser.get("/town?lang=zh")).text
    assert re.search(r"已交货</a></p><p class=\"stat-figure\">0\.4<span> 吨", page)


async def test_money_for_goods_and_deposits_are_counted_apart_and_never_beyond_what_is_due(
    factory: Factory, official: Member, browser: Browser
) -> None:
    deal_id = (await traded(factory, official))[0]
    # half of what is due for goods is paid, and a deposit that is worth more than all of it
    await execute("UPDATE payment SET amount = 200000, paid = 100000, state = 'part_paid'")
    await execute(
        """INSERT INTO payment (deal, amount, paid, kind, state, due_on)
           VALUES ($1, 900000, 900000, 'deposit', 'paid', '2026-11-20')""",
        deal_id,
    )
    assert await received_under([deal_id]) == Received(goods=100_000, goods_due=200_000, beforehand=900_000)
    for path in ("/town", "/town/deals", "/deals"):
        page = (await browser.get(path)).text
        assert "货款 1,000 元，占应付货款 50%；定金和预付 9,000 元" in page, path


async def test_overview_of_an_empty_town_offers_the_first_step(browser: Browser) -> None:
    page = await browser.get("/town")
    assert page.status_code == 200
    assert '<h2 id="next">运行撮合</h2>' in page.text
    assert 'action="/town/runs"' in page.text
    assert "没有滞销" in page.text


async def test_home_leads_an_official_to_the_overview(browser: Browser) -> None:
    answer = await browser.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/town")


async def test_next_step_after_matching_is_a_meeting(
    factory: Factory, official: Member, browser: Browser
) -> None:
    seller = await factory.member(role="secretary", town_id=official.organisation_id)
    await factory.listing(seller)
    await factory.demand(await factory.member(role="buyer"))
    await run_now(town_id=official.organisation_id, actor=official.actor, at=STORY)
    page = (await browser.get("/town")).text
    assert '<h2 id="next">筹备对接会</h2>' in page
    assert 'href="/town/meetings/new"' in page


async def test_contract_waits_for_one_thing_at_a_time(factory: Factory, official: Member) -> None:
    await traded(factory, official)
    follow = follow_up(await deals_of(organisation_id=official.organisation_id))
    assert (follow.unsigned, follow.undelivered, follow.unpaid) == (1, 1, 0)
    given: dict[str, Any] = {
        "runs": [],
        "proposals": 0,
        "invited": 0,
        "accepted": 0,
        "follow": follow,
        "counts": await dashboard.counts(town_id=official.organisation_id),
        "today": date(2026, 12, 1),
        "language": "zh",
    }
    step = next_step(meetings=[], **given)
    assert (step.href, step.posts) == ("/town/runs", True)
    # after a meeting: what nothing waits for is not named
    held: Any = SimpleNamespace(id=1, state="closed", planning=False, title="对接会", title_en="")
    step = next_step(meetings=[held], **given)
    assert translate(step.why, "zh") == "1 份待签字，1 份待交货。"
    assert translate(step.why, "en") == "1 to be signed, 1 to be delivered."


async def test_ledger_filters_and_its_file_has_no_formulas(
    factory: Factory, official: Member, browser: Browser
) -> None:
    await traded(factory, official)
    found = (await browser.get("/town/deals?state=pending")).text
    assert found.count('<th scope="row">') == 1
    waiting = (await browser.get("/town/deals?waiting=1&source=match")).text
    assert waiting.count('<th scope="row">') == 2
    for odd in ("state=nonsense", "page=0", "page=99999", "page=x", "seller=%00", "buyer=" + "9" * 99):
        assert (await browser.get(f"/town/deals?{odd}")).status_code == 200
    file = await browser.get("/town/deals.csv")
    assert file.content.startswith(b"\xef\xbb\xbf")
    goods = [row["货品"] for row in csv.DictReader(io.StringIO(file.content.decode("utf-8-sig")))]
    assert sorted(goods) == ["'=红衣花生", "白沙花生"]
    english = (await browser.get("/town/deals.csv?lang=en")).content.decode("utf-8-sig")
    assert english.splitlines()[0].startswith("Contract number,Date,Goods,Seller,Buyer,Quantity (kg)")


async def test_bonus_is_granted_once_and_recorded(
    factory: Factory, official: Member, browser: Browser
) -> None:
    seller = await factory.member(role="secretary", town_id=official.organisation_id)
    listing_id = await factory.listing(seller, ask=700)
    page, key = f"/town/listings/{listing_id}", str(uuid4())
    wish = {"priority": "0.30", "priority_unit": "kg", "key": key}
    for _ in range(2):
        answer = await browser.post(f"{page}/priority", wish)
        assert (answer.status_code, answer.headers["location"]) == (303, page)
    assert await fetch_value("SELECT priority FROM listing") == 30
    records = "SELECT count(*) FROM audit_record WHERE action = 'prioritise'"
    assert await fetch_value(records) == 1
    assert "0.30 元/公斤" in (await browser.get(page)).text
    await browser.post(f"{page}/priority", {"priority": "", "key": str(uuid4())})
    assert await fetch_value("SELECT priority FROM listing") == 0


async def test_bonus_that_a_colleague_granted_meanwhile_is_not_put_back_unseen(
    factory: Factory, official: Member, browser: Browser
) -> None:
    seller = await factory.member(role="secretary", town_id=official.organisation_id)
    page = f"/town/listings/{await factory.listing(seller, ask=700)}"
    form = f"{page}/priority#priority"
    first, second = [filled_in((await browser.get(page)).text, form) for _ in range(2)]
    for each in (first, second):
        each.pop("_csrf")
        each |= {"priority_unit": "kg"}
    assert (await browser.post(f"{page}/priority", {**first, "priority": "0.30"})).status_code == 303
    older = await browser.post(f"{page}/priority", {**second, "priority": "0.10"})
    assert (older.status_code, 'value="0.10"' in older.text) == (409, True)
    assert "0.30 元/公斤" in faults(older)["priority"]
    assert await fetch_value("SELECT priority FROM listing") == 30
    again = filled_in(older.text, form)
    again.pop("_csrf")
    assert (await browser.post(f"{page}/priority", again)).status_code == 303
    assert await fetch_value("SELECT priority FROM listing") == 10


@pytest.mark.parametrize(
    ("typed", "lang", "fault"),
    [
        ("abc", "zh", "“abc”不是数字，请只填数字，例如 25000 或 0.85。"),
        ("-1", "zh", "不能是负数，请检查后重填。"),
        ("8", "zh", "照顾加分须在零与要价之间。"),
        ("8", "en", "The hardship bonus must lie between zero and the asking price."),
        ("NaN", "en", None),
        ("1000000000000", "zh", None),
    ],
)
async def test_wrong_bonus_is_refused_beside_its_field(
    factory: Factory, official: Member, browser: Browser, typed: str, lang: str, fault: str | None
) -> None:
    seller = await factory.member(role="secretary", town_id=official.organisation_id)
    listing_id = await factory.listing(seller, ask=700)
    answer = await browser.post(
        f"/town/listings/{listing_id}/priority?lang={lang}", {"priority": typed, "priority_unit": "kg"}
    )
    assert answer.status_code == 422
    told = faults(answer)
    assert list(told) == ["priority"]
    if fault is not None:
        assert told["priority"] == fault
    assert f'value="{typed}"' in answer.text
    assert await fetch_value("SELECT priority FROM listing") == 0


async def test_listing_of_another_town_is_not_there(factory: Factory, browser: Browser) -> None:
    other = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=other.organisation_id)
    listing_id = await factory.listing(seller)
    assert (await browser.get(f"/town/listings/{listing_id}")).status_code == 404
    answer = await browser.post(f"/town/listings/{listing_id}/priority", {"priority": "0.1"})
    assert answer.status_code == 404
    assert await fetch_value("SELECT priority FROM listing") == 0


async def test_actor_of_a_bonus_is_the_official(factory: Factory, official: Member, browser: Browser) -> None:
    seller = await factory.member(role="secretary", town_id=official.organisation_id)
    listing_id = await factory.listing(seller)
    await browser.post(f"/town/listings/{listing_id}/priority", {"priority": "0.1", "priority_unit": "kg"})
    person = await fetch_value("SELECT person FROM audit_record WHERE action = 'prioritise'")
    assert Actor(person, official.organisation_id, "official") == official.actor
