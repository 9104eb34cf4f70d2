"""The first page of each side, the inbox, and one's own account."""

from datetime import timedelta

import pytest

from fixtures.factories import PASSWORD, Factory, Member
from market import clock
from market.accounts.operations import NewPerson, register_person
from market.db.session import execute, fetch_value
from tests.integration.web import shop, trading
from tests.integration.web.conftest import Browser, NewBrowser, SignedInAs, faults


@pytest.fixture
async def secretary(factory: Factory, seller: Member, browser_of: SignedInAs) -> Browser:
    await shop.stock_catalogue()
    return await browser_of(seller)


@pytest.fixture
async def purchaser(buyer: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(buyer)


async def test_guest_is_told_the_story_and_led_on(guest: Browser) -> None:
    page = await guest.get("/")
    assert "东于村 172 户" in page.text
    assert 'href="/listings"' in page.text
    assert 'href="/sign-in"' in page.text
    assert "Dongyu village" in (await guest.get("/?lang=en")).text


@pytest.mark.parametrize(
    ("role", "kind", "path"),
    [
        ("official", "town", "/town"),
        ("verifier", "county", "/county/organisations"),
        ("auditor", "county", "/audit"),
        ("administrator", "town", "/people"),
    ],
)
async def test_those_whose_work_is_on_one_page_begin_there(
    factory: Factory, browser_of: SignedInAs, role: str, kind: str, path: str
) -> None:
    browser = await browser_of(await factory.member(role=role, kind=kind, password=PASSWORD))
    answer = await browser.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, path)
    page = await browser.get(path)
    assert (page.status_code, f'href="{path}" aria-current="page"' in page.text) == (200, True)


async def test_seller_sees_what_waits_for_an_answer(
    factory: Factory, secretary: Browser, seller: Member, buyer: Member
) -> None:
    assert "都办完了" in (await secretary.get("/")).text
    ending = await shop.put_on_sale(seller, first=clock.today() - timedelta(days=25))
    bid_id = await trading.bid_on(ending, buyer)
    deal_id = await trading.deal_between(seller, buyer)
    match_id, _ = await trading.propose(factory, await factory.member(role="official"), seller, buyer)
    page = await secretary.get("/")
    for link in (f"/bids/{bid_id}", f"/deals/{deal_id}", f"/matches/{match_id}", f"/selling/{ending}"):
        assert f'<a href="{link}">' in page.text
    assert "供应期只剩 5 天" in page.text


async def test_buyer_sees_demands_and_what_waits(
    factory: Factory, purchaser: Browser, secretary: Browser, seller: Member, buyer: Member
) -> None:
    demand_id = await factory.demand(buyer, produce="cabbage", title="求购酸菜白菜")
    deal_id = await trading.deal_between(seller, buyer)
    page = await purchaser.get("/")
    assert f'href="/demands/{demand_id}"' in page.text
    assert f'<a href="/deals/{deal_id}">' in page.text


async def test_what_a_buyer_still_wants_comes_before_what_is_filled(
    factory: Factory, purchaser: Browser, secretary: Browser, buyer: Member
) -> None:
    wanted = await factory.demand(buyer, produce="cabbage", title="还差的白菜")
    filled = await factory.demand(buyer, produce="cabbage", title="买够的白菜")
    await execute("UPDATE demand SET open = 0 WHERE id = $1", filled)
    page = (await purchaser.get("/")).text
    assert "1 条需求在求购" in page
    assert page.index(f"/demands/{wanted}") < page.index(f"/demands/{filled}") < page.index("已买齐")


async def test_notice_leads_to_its_matter_and_is_read(
    purchaser: Browser, secretary: Browser, seller: Member, buyer: Member
) -> None:
    bid_id = await trading.bid_on(await shop.put_on_sale(seller), buyer)
    page = await secretary.get("/notices")
    assert "收到出价：1,000 斤（500 公斤），0.75 元/斤（1.50 元/公斤）。" in page.text
    assert "1 条未读" in page.text
    number = await fetch_value("SELECT id FROM notice WHERE organisation = $1", seller.organisation_id)
    assert (await purchaser.get(f"/notices/{number}")).status_code == 404
    answer = await secretary.get(f"/notices/{number}")
    assert answer.headers["location"] == f"/bids/{bid_id}"
    assert "0 条未读" in (await secretary.get("/notices")).text


async def test_all_notices_are_marked_as_read(secretary: Browser, seller: Member, buyer: Member) -> None:
    await trading.deal_between(seller, buyer)
    await secretary.post("/notices/read")
    unread = "SELECT count(*) FROM notice WHERE organisation = $1 AND read_at IS NULL"
    assert await fetch_value(unread, seller.organisation_id) == 0
    assert await fetch_value(unread, buyer.organisation_id) == 1


async def test_an_administrator_reads_and_marks_only_what_is_theirs(
    browser_of: SignedInAs, secretary: Browser, seller: Member, buyer: Member
) -> None:
    other = NewPerson(name="周管理", phone="19900018888")
    roles, own = frozenset({"administrator"}), buyer.organisation_id
    person_id = await register_person(person=other, organisation_id=own, roles=roles, at=clock.now())
    administrator = await browser_of(Member(own, person_id, other.phone, "administrator"))
    deal_id = await trading.deal_between(seller, buyer)
    number = await fetch_value("SELECT id FROM notice WHERE organisation = $1", buyer.organisation_id)
    page = await administrator.get("/notices")
    assert "还没有通知" in page.text
    assert "0 条未读" in page.text
    await administrator.post("/notices/read")
    assert (await administrator.get(f"/notices/{number}")).status_code == 404
    assert await fetch_value("SELECT read_at FROM notice WHERE id = $1", number) is None
    # once nobody is left who buys, whoever looks after the people reads it, and is led to them
    await execute("UPDATE person SET active = false WHERE id = $1", buyer.person_id)
    page = await administrator.get("/notices")
    assert "待双方签字" in page.text
    assert "贵单位现在没有管这件事的人" in page.text
    answer = await administrator.get(f"/notices/{number}")
    members = f"/people/organisations/{buyer.organisation_id}/members"
    assert answer.headers["location"] == members
    assert (await administrator.get(members)).status_code == 200
    assert f"/deals/{deal_id}" not in page.text


async def test_password_is_changed_and_other_devices_are_signed_out(
    secretary: Browser, seller: Member, browser_of: SignedInAs, new_browser: NewBrowser
) -> None:
    other = await browser_of(seller)
    new = "a much longer password"
    answer = await secretary.post("/account/password", {"old": PASSWORD, "new": new, "again": new})
    assert answer.headers["location"] == "/account"
    assert (await secretary.get("/account")).status_code == 200
    assert (await other.get("/account")).status_code == 303
    entered = await new_browser().post("/sign-in", {"phone": seller.phone, "password": new})
    assert entered.status_code == 303


async def test_password_faults_stand_beside_their_fields_and_no_password_is_drawn(secretary: Browser) -> None:
    wrong = {"old": "not this one", "new": "a much longer password", "again": "another one"}
    answer = await secretary.post("/account/password", wrong)
    assert faults(answer) == {"again": "两次输入的新密码不一样，请重新输入。"}
    answer = await secretary.post("/account/password", {**wrong, "again": wrong["new"]})
    assert faults(answer) == {"old": "密码不对。"}
    assert wrong["new"] not in answer.text


async def test_language_is_kept_with_the_person(secretary: Browser, seller: Member) -> None:
    answer = await secretary.post("/account/language", {"language": "en"})
    assert "My account" in (await secretary.get(answer.headers["location"])).text
    language = await fetch_value("SELECT language FROM person WHERE id = $1", seller.person_id)
    assert language == "en"
