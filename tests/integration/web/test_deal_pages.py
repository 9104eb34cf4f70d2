"""A contract from the first signature to the last payment, as its two sides and the town see it."""

import asyncio
import re
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from fixtures.factories import PASSWORD, Factory, Member
from market import clock
from market.catalogue import operations as catalogue
from market.catalogue.rules import ReasonEntry
from market.db.session import execute, fetch, fetch_value
from market.deals.terms import answer_terms, propose_terms, terms_in_force
from market.paging import PAGE_LENGTH
from seeds import reference
from tests.integration.web import shop, trading
from tests.integration.web.conftest import Browser, SignedInAs, faults


@pytest.fixture
async def secretary(factory: Factory, seller: Member, browser_of: SignedInAs) -> Browser:
    await shop.stock_catalogue()
    return await browser_of(seller)


@pytest.fixture
async def purchaser(buyer: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(buyer)


CANCEL = {"reason": "other", "note": "商场装修，改到明年"}


async def state_of(deal_id: int) -> str:
    return str(await fetch_value("SELECT state FROM deal WHERE id = $1", deal_id))


def delivery(kg: str = "500", **changed: Any) -> dict[str, str]:
    return {
        "key": str(uuid4()),
        "quantity": kg,
        "quantity_unit": "kg",
        "on": clock.today().isoformat(),
        **changed,
    }


async def deliveries() -> list[tuple[int, int | None, str]]:
    rows = await fetch("SELECT quantity, accepted, state FROM delivery ORDER BY id")
    return [(row["quantity"], row["accepted"], row["state"]) for row in rows]


async def test_contract_names_parties_goods_and_terms(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    page = await secretary.get(f"/deals/{deal_id}")
    names = [
        row["name"]
        for row in await fetch(
            "SELECT name FROM organisation WHERE id = ANY($1)",
            [seller.organisation_id, buyer.organisation_id],
        )
    ]
    for text in (
        *names,
        "大白菜 · 二级",
        "1,000 斤 / 0.5 吨",
        "0.75 元/斤 · 1.50 元/公斤",
        "750 元",
        "未签",
    ):
        assert text in page.text


async def test_contract_of_others_is_not_found(
    factory: Factory, secretary: Browser, seller: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    other = await browser_of(await factory.member(role="secretary", password=PASSWORD))
    assert (await other.get(f"/deals/{deal_id}")).status_code == 404
    for path in ("sign", "cancel"):
        assert (await other.post(f"/deals/{deal_id}/{path}")).status_code == 404
    assert await state_of(deal_id) == "pending"


async def test_town_reads_the_contract_of_its_seller_and_signs_nothing(
    factory: Factory, buyer: Member, browser_of: SignedInAs
) -> None:
    await shop.stock_catalogue()
    town = await factory.member(role="official", password=PASSWORD)
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    deal_id = await trading.deal_between(seller, buyer)
    official = await browser_of(town)
    page = await official.get(f"/deals/{deal_id}")
    assert page.status_code == 200
    assert f'action="/deals/{deal_id}/sign"' not in page.text
    assert seller.phone not in page.text
    assert (await official.post(f"/deals/{deal_id}/sign")).status_code == 404


async def test_both_signatures_bring_it_into_force_and_show_the_numbers(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    before = await secretary.get(f"/deals/{deal_id}")
    assert buyer.phone not in before.text
    assert f"{buyer.phone[:3]}****{buyer.phone[-4:]}" in before.text
    await secretary.post(f"/deals/{deal_id}/sign", {"key": str(uuid4())})
    assert buyer.phone not in (await secretary.get(f"/deals/{deal_id}")).text
    await purchaser.post(f"/deals/{deal_id}/sign", {"key": str(uuid4())})
    assert await state_of(deal_id) == "active"
    assert buyer.phone not in (await secretary.get(f"/deals/{deal_id}")).text
    shown = await secretary.post(f"/deals/{deal_id}/contacts", {"reason": "delivery"})
    assert buyer.phone in shown.text
    looks = await fetch("SELECT action, person FROM audit_record WHERE subject = $1", f"contacts:{deal_id}")
    assert [dict(look) for look in looks] == [{"action": "look_up", "person": seller.person_id}]


async def test_signing_twice_signs_once(secretary: Browser, seller: Member, buyer: Member) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    for _ in range(2):
        assert (await secretary.post(f"/deals/{deal_id}/sign", {"key": str(uuid4())})).status_code == 303
    assert await state_of(deal_id) == "partly_signed"


async def test_cancelling_before_it_binds_gives_the_stock_back(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    for _ in range(2):
        assert (await purchaser.post(f"/deals/{deal_id}/cancel", CANCEL)).status_code == 303
    assert await state_of(deal_id) == "cancelled"
    assert await fetch_value("SELECT quantity = remaining FROM lot") is True
    assert (await secretary.post(f"/deals/{deal_id}/sign")).status_code == 409


async def test_binding_contract_cannot_be_cancelled(
    purchaser: Browser, secretary: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    assert (await purchaser.post(f"/deals/{deal_id}/cancel", CANCEL)).status_code == 409
    assert await state_of(deal_id) == "active"


async def test_delivery_runs_from_schedule_to_payment(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    answer = await secretary.post(f"/deals/{deal_id}/deliveries", delivery())
    assert answer.status_code == 303, faults(answer)
    number = await fetch_value("SELECT id FROM delivery")
    path = f"/deals/{deal_id}/deliveries/{number}"
    assert (await secretary.post(f"{path}/dispatch")).status_code == 303
    assert (await purchaser.post(f"{path}/arrive")).status_code == 303
    for _ in range(2):
        assert (await purchaser.post(f"{path}/accept")).status_code == 303
    assert await deliveries() == [(500_000, 500_000, "accepted")]
    payment = await fetch_value("SELECT id FROM payment")
    for _ in range(2):
        assert (await purchaser.post(f"/deals/{deal_id}/payments/{payment}/pay")).status_code == 303
    assert "待卖方确认" in (await purchaser.get(f"/deals/{deal_id}")).text
    assert "待确认到账" in (await secretary.get("/")).text
    receipt = f"/deals/{deal_id}/receipts/{await fetch_value('SELECT id FROM receipt')}"
    mute = await secretary.post(f"{receipt}/dispute", {"note": ""})
    assert (mute.status_code, "没收到的说明" in mute.text) == (422, True)
    for _ in range(2):
        denied = await secretary.post(f"{receipt}/dispute", {"note": "查到今天没有这笔"})
        assert denied.status_code == 303
    assert "查到今天没有这笔" in (await purchaser.get(f"/deals/{deal_id}")).text
    assert (await purchaser.post(f"{receipt}/confirm")).status_code == 409
    assert await state_of(deal_id) == "active"
    for _ in range(2):
        assert (await secretary.post(f"{receipt}/confirm")).status_code == 303
    assert await state_of(deal_id) == "completed"
    assert "已付款" in (await secretary.get(f"/deals/{deal_id}")).text


async def test_delivery_sent_twice_at_once_is_scheduled_once(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    data = delivery("200")
    answers = await asyncio.gather(*(secretary.post(f"/deals/{deal_id}/deliveries", data) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [303, 303, 303]
    assert await deliveries() == [(200_000, None, "scheduled")]


async def test_delivery_beyond_the_contract_is_refused_beside_its_field(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    answer = await secretary.post(f"/deals/{deal_id}/deliveries", delivery("501", on="昨天"))
    assert sorted(faults(answer)) == ["on"]
    answer = await secretary.post(f"/deals/{deal_id}/deliveries", delivery("501"))
    assert answer.status_code == 422
    assert faults(answer) == {"quantity": "还可安排 1,000 斤（500 公斤），请填写不超过它的数量。"}
    assert 'value="501"' in answer.text
    assert await deliveries() == []


async def test_delivery_above_the_quantity_that_no_stock_is_left_for_is_refused_beside_its_field(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    version, terms = await terms_in_force(deal_id=deal_id)
    wider = {"deal_id": deal_id, "at": clock.now()}
    version = await propose_terms(
        base=version,
        terms=msgspec.structs.replace(terms, tolerance=200),
        note="",
        organisation_id=seller.organisation_id,
        actor=seller.actor,
        **wider,
    )
    await answer_terms(
        version=version, move="agree", organisation_id=buyer.organisation_id, actor=buyer.actor, **wider
    )
    await fetch("SELECT reserve_stock(id, remaining, $1, now()) FROM lot WHERE remaining > 0", deal_id)
    answer = await secretary.post(f"/deals/{deal_id}/deliveries", delivery("501"))
    assert (answer.status_code, list(faults(answer))) == (422, ["quantity"])
    assert ("没有多余的可以多交" in faults(answer)["quantity"], 'value="501"' in answer.text) == (True, True)
    assert await deliveries() == []


async def test_part_is_taken_with_a_reason_for_the_rest(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    await secretary.post(f"/deals/{deal_id}/deliveries", delivery())
    await execute("UPDATE delivery SET state = 'arrived'")
    number = await fetch_value("SELECT id FROM delivery")
    path, mark = f"/deals/{deal_id}/deliveries/{number}", f"f-part{number}-"
    refused = await purchaser.post(f"{path}/accept-part", {"accepted": "500", "accepted_unit": "kg"})
    assert sorted(faults(refused, prefix=mark)) == ["reason"]
    part = {"accepted": "500", "accepted_unit": "kg", "reason": "quality"}
    refused = await purchaser.post(f"{path}/accept-part", part)
    assert sorted(faults(refused, prefix=mark)) == ["accepted"]
    assert (await purchaser.post(f"{path}/accept-part", {**part, "accepted": "450"})).status_code == 303
    assert await deliveries() == [(500_000, 450_000, "partially_accepted")]


async def test_page_with_two_forms_has_no_id_twice(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    for _ in range(2):
        await secretary.post(f"/deals/{deal_id}/deliveries", delivery("100"))
    await execute("UPDATE delivery SET state = 'arrived'")
    page = await purchaser.get(f"/deals/{deal_id}")
    ids = re.findall(r' id="([^"]+)"', page.text)
    assert page.text.count("/accept-part") == 2
    assert sorted(ids) == sorted(set(ids))


async def test_seller_cannot_accept_for_the_buyer(secretary: Browser, seller: Member, buyer: Member) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    await secretary.post(f"/deals/{deal_id}/deliveries", delivery())
    await execute("UPDATE delivery SET state = 'arrived'")
    path = f"/deals/{deal_id}/deliveries/{await fetch_value('SELECT id FROM delivery')}"
    assert (await secretary.post(f"{path}/accept")).status_code == 409
    assert await deliveries() == [(500_000, None, "arrived")]


async def test_delivery_of_another_contract_is_not_found(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    first = await trading.binding_deal(seller, buyer)
    second = await trading.binding_deal(seller, buyer)
    await secretary.post(f"/deals/{first}/deliveries", delivery())
    number = await fetch_value("SELECT id FROM delivery")
    assert (await secretary.post(f"/deals/{second}/deliveries/{number}/dispatch")).status_code == 404


async def test_list_counts_each_contract_once(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    kept = await trading.deal_between(seller, buyer)
    gone = await trading.deal_between(seller, buyer)
    await purchaser.post(f"/deals/{gone}/cancel", CANCEL)
    page = await secretary.get("/deals")
    assert f'href="/deals/{kept}"' in page.text
    assert ">750 元<" in page.text.replace("\n", "")
    assert "等您签字" in page.text
    # who is one of the sides is told the other alone
    assert ('data-label="对方"' in page.text, 'data-label="卖方"' in page.text) == (True, False)
    assert f'href="/deals/{gone}"' not in (await secretary.get("/deals?state=unsigned")).text


async def test_long_list_comes_in_pages_and_its_sums_leave_none_out(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    first = await trading.deal_between(seller, buyer, kg=400)
    await execute(
        """INSERT INTO deal (number, listing, seller, buyer, quantity, price, source, source_id, state,
                             deliver_from, deliver_to, created_at)
           SELECT number || '-' || n, listing, seller, buyer, quantity, price, source, source_id + n, state,
                  deliver_from, deliver_to, created_at + n * interval '1 second'
           FROM deal, generate_series(1, $2) AS n WHERE id = $1""",
        first,
        PAGE_LENGTH,
    )
    # 25 of 400 kg
    for path, is_there in (
        ("/deals", False),
        ("/deals?page=2", True),
        ("/deals?state=unsigned&page=2", True),
    ):
        page = await secretary.get(path)
        assert (f'href="/deals/{first}"' in page.text, "10 吨" in page.text) == (is_there, True), path
    assert 'href="/deals?state=unsigned&amp;page=2"' in (await secretary.get("/deals?state=unsigned")).text


async def test_contract_is_cancelled_for_a_reason_and_the_other_side_reads_it(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.deal_between(seller, buyer)
    refused = await purchaser.post(f"/deals/{deal_id}/cancel", {"key": str(uuid4())})
    assert sorted(faults(refused, prefix="f-cancel-")) == ["reason"]
    assert await state_of(deal_id) == "pending"
    await purchaser.post(f"/deals/{deal_id}/cancel", {"key": str(uuid4()), **CANCEL})
    page = await secretary.get(f"/deals/{deal_id}")
    assert "签约前已取消" in page.text
    assert CANCEL["note"] in page.text
    assert "签字前请核对" not in page.text
    assert "签字前请核对" not in (await secretary.get(f"/deals/{deal_id}/terms")).text


async def test_words_of_an_inspection_are_read_by_both_sides(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    for move, more, note in (
        ("accept-part", {"accepted": "80", "accepted_unit": "kg"}, "两袋发霉"),
        ("reject", {}, "整车受潮"),
    ):
        await secretary.post(f"/deals/{deal_id}/deliveries", delivery("100"))
        await execute("UPDATE delivery SET state = 'arrived' WHERE state = 'scheduled'")
        number = await fetch_value("SELECT max(id) FROM delivery")
        path = f"/deals/{deal_id}/deliveries/{number}/{move}"
        answer = await purchaser.post(path, {"reason": "quality", "note": note, **more})
        assert answer.status_code == 303, faults(answer)
        for browser in (secretary, purchaser):
            assert note in (await browser.get(f"/deals/{deal_id}")).text
        assert note in (await secretary.get("/notices")).text


async def test_what_was_planned_and_what_was_stand_apart(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    late = await fetch_value("SELECT (deliver_to + 20)::text FROM deal")
    answer = await secretary.post(f"/deals/{deal_id}/deliveries", delivery("100", on=late))
    assert answer.status_code == 303, faults(answer)
    page = await secretary.get(f"/deals/{deal_id}")
    assert ("比约定晚" in page.text, "实际" in page.text) == (True, False)
    await execute("UPDATE deal SET deliver_from = current_date - 1")
    number = await fetch_value("SELECT id FROM delivery")
    await secretary.post(f"/deals/{deal_id}/deliveries/{number}/dispatch")
    page = await secretary.get(f"/deals/{deal_id}")
    assert ("比约定晚" in page.text, "计划" in page.text, "实际" in page.text) == (False, True, True)
    for day in ("2020-12-02", "2036-12-01"):
        refused = await secretary.post(f"/deals/{deal_id}/deliveries", delivery("1", on=day))
        assert sorted(faults(refused)) == ["on"]


async def test_every_step_offers_its_own_reasons(
    secretary: Browser, purchaser: Browser, seller: Member, buyer: Member
) -> None:
    await load_reasons()
    deal_id = await trading.binding_deal(seller, buyer)
    await secretary.post(f"/deals/{deal_id}/deliveries", delivery())
    await execute("UPDATE delivery SET state = 'arrived'")
    offered = (await purchaser.get(f"/deals/{deal_id}")).text
    assert all(words in offered for words in ("水分超标", "霉变", "杂质超标", "到货短少", "破损", "变质"))
    assert not any(words in offered for words in ("价格谈不拢", "账期谈不拢", "距离太远"))
    number = await trading.bid_on(await shop.put_on_sale(seller), buyer)
    offered = (await secretary.get(f"/bids/{number}")).text
    assert all(words in offered for words in ("货不够", "已经卖给别人"))
    assert not any(words in offered for words in ("样品未通过", "水分超标"))


async def test_money_that_is_due_is_not_called_invoiced(
    secretary: Browser, seller: Member, buyer: Member
) -> None:
    deal_id = await trading.binding_deal(seller, buyer)
    await execute(
        """INSERT INTO payment (deal, amount, paid, kind, state, due_on)
           VALUES ($1, 75000, 0, 'goods', 'invoiced', current_date + 60)""",
        deal_id,
    )
    text = (await secretary.get(f"/deals/{deal_id}")).text
    assert ("待付" in text, "已开票" in text) == (True, False)


async def load_reasons() -> None:
    """Load the reasons as an installation has them."""
    await catalogue.load_reference(
        reasons=[
            ReasonEntry(each.code, each.zh, each.en, position, each.uses)
            for position, each in enumerate(reference.reasons())
        ]
    )
