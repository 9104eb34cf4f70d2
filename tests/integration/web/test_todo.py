"""The list of what waits: everything with a deadline stands in it, what is late on top."""

from datetime import timedelta

from fixtures.factories import Factory, Member
from market import clock
from market.db.session import Engine, execute, fetch_value
from tests.integration.web import shop, trading
from tests.integration.web.conftest import SignedInAs
from tests.statements import heard


async def _breach(deal_id: int, claimant: Member, respondent: Member, **more: object) -> int:
    return int(
        await fetch_value(
            """INSERT INTO breach (deal, claimant, respondent, ground, statement, state, created_at, filed_at,
                                   answer_by, offer, offered_by)
               VALUES ($1, $2, $3, 'not_delivered', 'x', 'filed', $4, $4, $5, $6, $7) RETURNING id""",
            *(deal_id, claimant.organisation_id, respondent.organisation_id, clock.now()),
            *(clock.today() + timedelta(days=3), more.get("offer", ""), more.get("offered_by")),
        )
    )


async def test_work_with_a_deadline_is_listed_and_what_is_late_comes_first(
    factory: Factory, seller: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    await shop.stock_catalogue()
    village, shopper = await browser_of(seller), await browser_of(buyer)
    deal_id = await trading.binding_deal(seller, buyer)
    assert "待安排发货" in (page := (await village.get("/")).text)
    assert f'href="/deals/{deal_id}#deliveries"' in page
    assert "待安排发货" not in (await shopper.get("/")).text

    breach_id = await _breach(deal_id, buyer, seller)
    page = (await village.get("/")).text
    assert "违约待答复" in page
    assert f'href="/breaches/{breach_id}"' in page
    assert "违约待答复" not in (await shopper.get("/")).text
    await execute(
        "UPDATE breach SET offer = 'x', offered_by = $2 WHERE id = $1", breach_id, seller.organisation_id
    )
    assert "和解方案待答复" in (await shopper.get("/")).text
    assert "和解方案待答复" not in (await village.get("/")).text

    long_ago = clock.today() - timedelta(days=400)
    await execute(
        "INSERT INTO payment (deal, amount, kind, state, due_on) VALUES ($1, 100, 'goods', 'invoiced', $2)",
        *(deal_id, long_ago),
    )
    page = (await shopper.get("/")).text
    assert "货款逾期" in page
    assert f"{long_ago.year}年{long_ago.month}月{long_ago.day}日 已过期" in page
    await execute("UPDATE deal SET deliver_to = $2 WHERE id = $1", deal_id, clock.today() - timedelta(days=1))
    page = (await village.get("/")).text
    assert page.index("待安排发货") < page.index("违约待答复")


async def test_more_contracts_ask_the_database_no_more_often(
    factory: Factory, db: Engine, seller: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    await shop.stock_catalogue()
    village, shopper = await browser_of(seller), await browser_of(buyer)
    counts: dict[str, list[int]] = {"village": [], "shopper": []}
    for _ in range(3):
        await trading.binding_deal(seller, buyer)
        async with heard(db) as said:
            for name, browser in (("village", village), ("shopper", shopper)):
                # at first the connection asks for types that it does not know yet
                await browser.get("/")
                said.clear()
                assert (await browser.get("/")).status_code == 200
                counts[name].append(len(said))
    assert [len(set(each)) for each in counts.values()] == [1, 1], counts
    assert min(min(each) for each in counts.values()) > 5
