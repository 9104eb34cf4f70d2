"""Places, a lot's page and its forms, households and their settlement, as a secretary meets them."""

from uuid import uuid4

import pytest

from fixtures.factories import PASSWORD, Factory, Member
from market.db.session import fetch_value
from market.exchange.workbook_rows import sheets_of
from tests.integration.supply.test_listings import lot_of
from tests.integration.supply.test_stock import sold
from tests.integration.supply.test_transforming import processes
from tests.integration.web.conftest import Browser, SignedInAs, faults, token_in


@pytest.fixture
async def lot(factory: Factory, seller: Member) -> int:
    await processes()
    return await lot_of(await factory.listing(seller, kg=1_000))


@pytest.fixture
async def secretary(seller: Member, browser_of: SignedInAs) -> Browser:
    return await browser_of(seller)


async def new_tank(secretary: Browser, *, capacity: str = "3") -> int:
    answer = await secretary.post(
        "/selling/stock/places/new",
        {
            "name": "1 号罐",
            "kind": "tank",
            "capacity": capacity,
            "capacity_unit": "t",
            "key": str(uuid4()),
        },
    )
    assert answer.headers["location"] == "/selling/stock"
    return int(await fetch_value("SELECT max(id) FROM storage"))


async def task(browser: Browser, path: str, **values: str) -> dict[str, str]:
    """Post one of the forms; return what is wrong, nothing where it went through."""
    answer = await browser.post(path, {"key": str(uuid4()), **values})
    assert answer.status_code in (303, 422), answer.text[:300]
    return faults(answer)


async def test_place_is_filled_up_to_its_capacity(secretary: Browser, lot: int) -> None:
    tank = await new_tank(secretary, capacity="0.6")
    move = {"source": "0", "storage": str(tank), "quantity_unit": "kg"}
    assert await task(secretary, f"/selling/lots/{lot}/move", quantity="600", **move) == {}
    assert list(await task(secretary, f"/selling/lots/{lot}/move", quantity="1", **move)) == ["storage"]
    page = await secretary.get("/selling/stock")
    for text in ("1 号罐", "0.6 吨", "100%", f"批次 {lot}"):
        assert text in page.text
    assert "1,200 斤" in (await secretary.get(f"/selling/stock/places/{tank}")).text
    assert "没有指明地方的 800 斤" in (await secretary.get(f"/selling/lots/{lot}")).text


async def test_form_sent_twice_counts_once(secretary: Browser, lot: int) -> None:
    sent = {
        "reason": "-spoiled",
        "quantity": "100",
        "quantity_unit": "kg",
        "storage": "0",
        "note": "雨淋",
        "key": str(uuid4()),
    }
    for _ in range(2):
        answer = await secretary.post(f"/selling/lots/{lot}/correct", sent)
        assert answer.headers["location"] == f"/selling/lots/{lot}"
    assert await fetch_value("SELECT remaining FROM lot WHERE id = $1", lot) == 900_000
    page = await secretary.get(f"/selling/lots/{lot}")
    assert "损耗 · 霉变、腐烂 · 雨淋" in page.text


async def test_peanuts_are_pressed_and_the_oil_is_put_on_sale(secretary: Browser, lot: int) -> None:
    path = f"/selling/lots/{lot}/transform?process=press"
    given = {"quantity": "1000", "quantity_unit": "kg", "storage": "0", "made_0_unit": "kg", "into_0": "0"}
    assert list(await task(secretary, path, made_0="500", **given)) == ["made_0", "loss"]
    assert await task(secretary, path, made_0="300", **given) == {}
    oil = int(await fetch_value("SELECT max(id) FROM lot"))
    assert f"/selling/lots/{oil}" in (await secretary.get(f"/selling/lots/{lot}")).text
    assert f'来自 <a href="/selling/lots/{lot}">' in (await secretary.get(f"/selling/lots/{oil}")).text
    form = await secretary.get(f"/selling/lots/{oil}/sell")
    assert "花生油" in form.text
    assert await fetch_value("SELECT count(*) FROM listing WHERE lot = $1", oil) == 0


async def test_households_share_to_the_fen_and_names_stay_inside(
    secretary: Browser, lot: int, factory: Factory, browser_of: SignedInAs
) -> None:
    rows = {"rows": "张三\t1000\n=李四 600斤\n\n王五，200公斤", "unit": "jin"}
    answer = await secretary.post(f"/selling/lots/{lot}/households", {**rows, "key": str(uuid4())})
    assert answer.headers["location"] == f"/selling/lots/{lot}/households"
    wrong = await secretary.post(f"/selling/lots/{lot}/households", {"rows": "张三 999", "unit": "jin"})
    assert "差 1,001 斤（500.5 公斤）" in faults(wrong)["rows"]
    answer = await secretary.post(
        f"/selling/lots/{lot}/settle",
        {"amount": "100.01", "received_on": "2026-11-20", "deal": "0", "note": "", "key": str(uuid4())},
    )
    path = answer.headers["location"]
    page = await secretary.get(path)
    for text in ("张三", "50.01 元", "30 元", "20 元", "100.01 元"):
        assert text in page.text
    sheet = sheets_of((await secretary.get(f"{path}/list.xlsx")).content, most_rows=20)[0]
    assert [row[:4] for row in sheet.rows[4:]] == [
        ["1", "张三", "500", "50.01"],
        ["2", "'=李四", "300", "30"],
        ["3", "王五", "200", "20"],
        ["", "合计", "1000", "100.01"],
    ]
    other = await browser_of(await factory.member(role="secretary", password=PASSWORD))
    for address in (path, f"{path}/list.xlsx", f"/selling/lots/{lot}/households", f"/selling/lots/{lot}"):
        assert (await other.get(address)).status_code == 404
    assert await fetch_value("SELECT count(*) FROM audit_record WHERE details::text LIKE '%张三%'") == 0


async def test_a_list_is_not_replaced_by_a_slip(secretary: Browser, lot: int) -> None:
    path = f"/selling/lots/{lot}/households"
    first = {"rows": "张三 1000\n李四 600\n王五 400", "unit": "jin"}
    assert await task(secretary, path, **first) == {}
    slip = {"rows": "赵六 2000", "unit": "jin"}
    asked = await task(secretary, path, **slip)
    assert "原来的名单有 3 户，新名单有 1 户，同名的只有 0 户" in asked["sure"]
    few = {"rows": "张三 1000\n李四 500\n王五 500", "unit": "jin"}
    assert await task(secretary, path, **few) == {}
    await secretary.post(
        f"/selling/lots/{lot}/settle",
        {"amount": "100", "received_on": "2026-11-20", "deal": "0", "note": "", "key": str(uuid4())},
    )
    assert list(await task(secretary, path, **first)) == ["sure"]
    assert list(await task(secretary, path, **first, sure="1")) == ["reason"]
    assert await task(secretary, path, **first, sure="1", reason="过磅单抄错") == {}
    page = (await secretary.get(path)).text
    assert "换下的名单" in page
    assert "过磅单抄错" in page


async def test_households_come_in_as_a_sheet(secretary: Browser, lot: int) -> None:
    page = await secretary.get(f"/selling/lots/{lot}/households")
    answer = await secretary.client.post(
        f"/selling/lots/{lot}/households",
        data={"_csrf": token_in(page), "unit": "jin", "rows": "", "key": str(uuid4())},
        files={"file": ("各户.csv", "户主姓名,交货量（公斤）\n张三,400\n李四,600\n".encode(), "text/csv")},
    )
    assert answer.status_code == 303, faults(answer)
    assert (
        await fetch_value("SELECT sum(grams)::bigint FROM household_share WHERE lot = $1", lot) == 1_000_000
    )


async def test_goods_leave_for_a_contract_and_come_back(
    secretary: Browser, lot: int, factory: Factory, seller: Member, buyer: Member
) -> None:
    listing = int(await fetch_value("SELECT id FROM listing WHERE lot = $1", lot))
    path = f"/selling/lots/{lot}"
    for way in ("send", "return"):
        assert (await secretary.get(f"{path}/{way}")).status_code == 404
    deal = await sold(factory, seller, buyer, listing, kg=700)
    given = {"deal": str(deal), "storage": "0", "quantity_unit": "kg"}
    assert await task(secretary, f"{path}/send", quantity="500", **given) == {}
    assert "已发 1,000 斤" in (await secretary.get(f"{path}/return")).text
    assert list(await task(secretary, f"{path}/return", quantity="501", **given)) == ["quantity"]
    assert await task(secretary, f"{path}/return", quantity="200", **given) == {}
    page = (await secretary.get(path)).text
    assert "退货入库" in page
    assert f"{path}/return" in page
    assert await fetch_value("SELECT remaining FROM lot WHERE id = $1", lot) == 300_000


@pytest.mark.parametrize("path", ["/selling/stock", "/selling/stock/places/new"])
async def test_buyers_have_no_stock(buyer: Member, browser_of: SignedInAs, path: str) -> None:
    assert (await (await browser_of(buyer)).get(path)).status_code == 403
