"""代录: a secretary acts for a household or another organisation, within what was named, until revoked."""

import io
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image

from fixtures.factories import Factory, Member
from market import clock
from market.accounts.rules import DEEDS, Actor
from market.app import create_app
from market.audit.queries import history
from market.db.session import execute, fetch, fetch_value
from market.deals.clauses import usual_terms
from market.deals.endings.operations import add_proof, answer_ending
from market.deals.fulfilment import move_delivery, schedule_delivery
from market.deals.operations import sign
from market.deals.pieces import Piece
from market.deals.terms import propose_terms
from market.errors import NotAllowed
from market.organisations import delegating
from market.organisations.members import set_role
from market.privacy.retention import keep_to_periods
from market.units import Gram
from market.web.edge.agents import AGENT_POSTS
from tests.integration.web import shop, trading
from tests.integration.web.conftest import Browser, SignedInAs, faults, token_in


class Through(Member, frozen=True):
    """Somebody who acts for the organisation under a delegation."""

    delegation: int = 0

    @property
    def actor(self) -> Actor:
        return Actor(self.person_id, self.organisation_id, "seller", self.delegation)


def key(**fields: object) -> dict[str, object]:
    return {"key": str(uuid4()), **fields}


def until(days: int = 30) -> str:
    return (clock.today() + timedelta(days=days)).isoformat()


def sheet() -> bytes:
    drawn = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(drawn, "JPEG")
    return drawn.getvalue()


async def told_of_agents(principal: Member) -> list[str]:
    told = await fetch(
        "SELECT message::text FROM notice WHERE kind = 'agent_acted' AND organisation = $1 ORDER BY id",
        principal.organisation_id,
    )
    return [each["message"] for each in told]


def listing_form() -> dict[str, str]:
    return {
        "produce": "辽中白菜",
        "title": "老张家的白菜",
        "quantity": "500",
        "quantity_unit": "kg",
        "ask": "1.5",
        "ask_unit": "kg",
    }


@pytest.fixture
async def town(factory: Factory) -> Member:
    return await factory.member(role="official")


@pytest.fixture
async def secretary(factory: Factory, town: Member) -> Member:
    await shop.stock_catalogue()
    return await factory.member(role="secretary", town_id=town.organisation_id)


@pytest.fixture
async def other(factory: Factory, secretary: Member, town: Member) -> Member:
    """Another village of the town: the principal."""
    return await factory.member(role="secretary", town_id=town.organisation_id)


async def delegate(principal: Browser, agent: Member, *deeds: str, days: int = 30) -> int:
    answer = await principal.post(
        "/delegations", key(agent=str(agent.person_id), deeds=list(deeds), until=until(days))
    )
    assert answer.status_code == 303, faults(answer, prefix="f-grant-")
    return int(await fetch_value("SELECT max(id) FROM delegation"))


def test_every_deed_of_an_agent_has_a_page() -> None:
    posts = {route.path for route in create_app(lifespan=[]).routes}
    assert AGENT_POSTS.keys() <= posts
    assert set(AGENT_POSTS.values()) == set(DEEDS)


async def test_an_agent_signs_for_the_principal_and_does_nothing_that_was_not_named(
    secretary: Member, other: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    deal = await trading.deal_between(other, buyer)
    principal, agent = await browser_of(other), await browser_of(secretary)
    wrong = await principal.post("/delegations", key(agent=str(buyer.person_id), until=until(900)))
    assert set(faults(wrong, prefix="f-grant-")) == {"agent"}
    number = await delegate(principal, secretary, "sign")
    assert (await agent.get(f"/deals/{deal}")).status_code == 404
    before = token_in(await agent.get("/delegations"))
    assert (await agent.post(f"/delegations/{number}/act", key())).status_code == 303
    # a form that was open before stands under another token: it does nothing for anybody
    stale = await agent.client.post("/selling/new", data={"_csrf": before, **listing_form()})
    assert stale.status_code == 403
    page = await agent.get(f"/deals/{deal}")
    assert "正在代" in page.text
    for path in (
        f"/deals/{deal}/cancel",
        "/selling/stock/places/new",
        "/organisation/evidence",
        "/account/channels",
    ):
        refused = await agent.post(path, key())
        assert (path, refused.status_code) == (path, 403)
    # where the principal's notices go would outlast the delegation
    assert (await agent.get("/account/channels")).status_code == 403
    assert "/account/channels" not in (await agent.get("/account")).text
    signed_now = await agent.post(f"/deals/{deal}/sign", key())
    assert signed_now.status_code == 303, signed_now.text[signed_now.text.index("<main") :][:1500]
    step = next(each for each in await history(subjects=[f"deal:{deal}"]) if each.action == "sign")
    assert (step.organisation_id, step.details["delegation"]) == (other.organisation_id, number)
    signed = await fetch_value("SELECT seller_signed_by FROM deal WHERE id = $1", deal)
    assert signed == secretary.person_id
    assert ["签了合同" in each for each in await told_of_agents(other)] == [True]
    terms = usual_terms(deliver_from=clock.today(), deliver_to=clock.today())
    await propose_terms(
        deal_id=deal,
        base=1,
        terms=terms,
        note="",
        organisation_id=other.organisation_id,
        actor=Actor(secretary.person_id, other.organisation_id, "seller", number),
        at=clock.now(),
    )
    assert ["版条款" in each for each in await told_of_agents(other)] == [False, True]
    purchaser = await browser_of(buyer)
    assert "代录" in (await purchaser.get(f"/deals/{deal}")).text
    assert (await agent.post("/delegations/stop", key())).status_code == 303
    assert (await agent.get(f"/deals/{deal}")).status_code == 404


async def test_revoked_it_has_no_effect_at_once_also_where_a_form_is_open(
    secretary: Member, other: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    deal = await trading.deal_between(other, buyer)
    principal, agent = await browser_of(other), await browser_of(secretary)
    number = await delegate(principal, secretary, "sign")
    await agent.post(f"/delegations/{number}/act", key())
    open_form = token_in(await agent.get(f"/deals/{deal}"))
    assert (await principal.post(f"/delegations/{number}/revoke", key())).status_code == 303
    late = await agent.client.post(f"/deals/{deal}/sign", data={"_csrf": open_form, **key()})
    assert late.status_code in (303, 401)
    assert late.headers.get("location", "/sign-in").startswith("/sign-in")
    # asked in the transaction of the deed as well
    acting = Actor(secretary.person_id, other.organisation_id, "seller", number)
    with pytest.raises(NotAllowed):
        await sign(deal_id=deal, organisation_id=other.organisation_id, actor=acting, at=clock.now())
    assert await fetch_value("SELECT seller_signed_at FROM deal WHERE id = $1", deal) is None
    again = await browser_of(secretary)
    assert (await again.post(f"/delegations/{number}/act", key())).status_code == 404
    # it ends with the office as well: a salesman acts for nobody
    number = await delegate(principal, secretary, "sign")
    home = secretary.organisation_id
    keeper = "INSERT INTO membership (person, organisation, role) VALUES ($1, $2, 'secretary')"
    await execute(keeper, buyer.person_id, home)
    await set_role(
        person_id=secretary.person_id,
        role="seller",
        most=None,
        organisation_id=home,
        actor=secretary.actor,
        at=clock.now(),
    )
    assert (await again.post(f"/delegations/{number}/act", key())).status_code == 404
    assert "结束了代办委托" in (await principal.get("/notices")).text


async def test_a_household_without_a_phone_sells_through_its_secretary(
    secretary: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    agent = await browser_of(secretary)
    bare = await agent.upload("/delegations/households", key(name="张老三"), {})
    assert set(faults(bare, prefix="f-household-")) == {"until", "sheet"}
    files = {"sheet": ("委托书.jpg", sheet())}
    told = key(name="张老三", deeds=["list", "answer", "sign"], until=until())
    assert (await agent.upload("/delegations/households", told, files)).status_code == 303
    row = (await fetch("SELECT id, principal, consent, sheet_hash FROM delegation"))[0]
    assert (row["consent"], len(row["sheet_hash"])) == ("paper", 64)
    page = f"/delegations/{row['id']}/sheet"
    assert page in (await agent.get("/delegations")).text
    shown = await agent.get(page)
    assert (shown.headers["content-type"], shown.content[:4]) == ("image/webp", b"RIFF")
    assert (await (await browser_of(buyer)).get(page)).status_code == 404
    assert (await agent.post(f"/delegations/{row['id']}/act", key())).status_code == 303
    assert (await agent.get(page)).status_code == 404
    household = Through(row["principal"], secretary.person_id, secretary.phone, "seller", row["id"])
    listing = await shop.put_on_sale(household)
    assert await fetch_value("SELECT owner FROM listing WHERE id = $1", listing) == row["principal"]
    for reader, path in ((agent, f"/selling/{listing}"), (await browser_of(buyer), f"/listings/{listing}")):
        assert "代录" in (await reader.get(path)).text
    assert (await agent.get(f"/selling/lots/{listing}/households")).status_code == 403
    purchaser = await browser_of(buyer)
    assert (await purchaser.post("/delegations/households", key())).status_code == 403


async def test_a_sheet_is_kept_three_years_past_its_delegation_and_its_hash_for_good(
    secretary: Member, browser_of: SignedInAs
) -> None:
    agent = await browser_of(secretary)
    told = key(name="张老三", deeds=["list"], until=until())
    await agent.upload("/delegations/households", told, {"sheet": ("委托书.jpg", sheet())})
    number, hashed = (await fetch("SELECT id, sheet_hash FROM delegation"))[0].values()
    for days, gone in ((3 * 365, None), (3 * 365 + 400, 1)):
        today = clock.today() + timedelta(days=days)
        assert (await keep_to_periods(at=clock.now() + timedelta(days=days), today=today)).get(
            "sheets"
        ) == gone
    assert (await agent.get(f"/delegations/{number}/sheet")).status_code == 404
    assert "照片已到留存期" in (await agent.get("/delegations")).text
    assert await fetch_value("SELECT sheet_hash FROM delegation") == hashed


async def test_an_agent_let_do_so_ends_a_contract_by_agreement_but_gives_no_notice(
    secretary: Member, other: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    deal = await trading.binding_deal(other, buyer)
    page = f"/deals/{deal}/ending"
    principal, agent, purchaser = (
        await browser_of(other),
        await browser_of(secretary),
        await browser_of(buyer),
    )
    # who may sign may not for that give up what was signed
    number = await delegate(principal, secretary, "sign")
    await agent.post(f"/delegations/{number}/act", key())
    wish = key(reason="other", words="互不追究")
    assert (await agent.post(page, wish)).status_code == 403
    assert f'action="{page}"' not in (await agent.get(page)).text
    await principal.post(f"/delegations/{number}/revoke", key())
    number = await delegate(principal, secretary, "end")
    agent = await browser_of(secretary)
    await agent.post(f"/delegations/{number}/act", key())
    shown = (await agent.get(page)).text
    assert (f'action="{page}"' in shown, "force-majeure" in shown) == (True, False)
    notice = key(event="hail", happened_on=clock.today().isoformat(), words="大棚全毁")
    assert (await agent.post(f"{page}/force-majeure", notice)).status_code == 403
    assert (await agent.post(page, wish)).headers["location"] == page
    step = next(each for each in await history(subjects=[f"deal:{deal}"]) if each.action == "propose_ending")
    assert step.details["delegation"] == number
    ending = await fetch_value("SELECT id FROM contract_ending")
    assert (await agent.post(f"{page}/{ending}/withdraw", key())).headers["location"] == page
    assert ["撤回" in each for each in await told_of_agents(other)] == [False, True]
    assert (await purchaser.post(page, wish)).headers["location"] == page
    await principal.post(f"/delegations/{number}/revoke", key())
    # asked in the transaction of the deed as well
    acting = {
        "deal_id": deal,
        "organisation_id": other.organisation_id,
        "actor": Actor(secretary.person_id, other.organisation_id, "seller", number),
        "at": clock.now(),
    }
    ending = await fetch_value("SELECT max(id) FROM contract_ending")
    with pytest.raises(NotAllowed):
        await answer_ending(**acting, ending_id=ending, move="agree")
    assert await fetch_value("SELECT state FROM deal WHERE id = $1", deal) == "active"


async def test_an_agent_let_do_so_delivers_and_gives_notice_and_the_principal_is_told(
    secretary: Member, other: Member, buyer: Member, browser_of: SignedInAs
) -> None:
    deal = await trading.binding_deal(other, buyer)
    page, loads = f"/deals/{deal}", f"/deals/{deal}/deliveries"
    principal, agent = await browser_of(other), await browser_of(secretary)
    load = key(quantity="200", quantity_unit="kg", on=clock.today().isoformat())
    number = await delegate(principal, secretary, "sign")
    await agent.post(f"/delegations/{number}/act", key())
    assert f'action="{loads}"' not in (await agent.get(page)).text
    assert (await agent.post(loads, load)).status_code == 403
    await principal.post(f"/delegations/{number}/revoke", key())
    number = await delegate(principal, secretary, "deliver", "excuse")
    agent = await browser_of(secretary)
    await agent.post(f"/delegations/{number}/act", key())
    assert f'action="{loads}"' in (await agent.get(page)).text
    assert (await agent.post(loads, load)).status_code == 303
    delivery = await fetch_value("SELECT id FROM delivery")
    assert f"{loads}/{delivery}/dispatch" in (await agent.get(page)).text
    assert (await agent.post(f"{loads}/{delivery}/dispatch", key())).status_code == 303
    shown = (await agent.get(f"{page}/ending")).text
    assert (f'action="{page}/ending"' in shown, "force-majeure" in shown) == (False, True)
    notice = key(event="hail", happened_on=clock.today().isoformat(), words="大棚全毁")
    assert (await agent.post(f"{page}/ending/force-majeure", notice)).status_code == 303
    ending = await fetch_value("SELECT id FROM contract_ending")
    assert (await agent.post(f"{page}/ending/{ending}/proof", key(words="村里证明"))).status_code == 303
    steps = {each.action: each for each in await history(subjects=[f"deal:{deal}"])}
    for action in ("schedule_delivery", "delivery_dispatch", "force_majeure", "prove_ending"):
        step = steps[action]
        assert (step.organisation_id, step.details["delegation"]) == (other.organisation_id, number)
    told = await fetch("SELECT message FROM notice WHERE kind = 'agent_acted' ORDER BY id")
    assert [each["message"].count("代你们办了") for each in told] == [1, 1, 1]
    assert "代你们办了" in (await principal.get("/notices")).text
    # gone with the delegation, asked in the transaction of the deed as well
    await principal.post(f"/delegations/{number}/revoke", key())
    acting = Actor(secretary.person_id, other.organisation_id, "seller", number)
    deed: dict[str, Any] = {"organisation_id": other.organisation_id, "actor": acting, "at": clock.now()}
    with pytest.raises(NotAllowed):
        await schedule_delivery(deal_id=deal, quantity=Gram(1_000), on=clock.today(), **deed)
    with pytest.raises(NotAllowed):
        await add_proof(deal_id=deal, ending_id=ending, proof=Piece("后补"), **deed)


async def test_no_agent_inspects_for_the_buyer(
    secretary: Member, buyer: Member, factory: Factory, town: Member, browser_of: SignedInAs
) -> None:
    village = await factory.member(role="secretary", town_id=town.organisation_id)
    deal = await trading.binding_deal(village, buyer)
    sent: dict[str, Any] = {"organisation_id": village.organisation_id, "actor": village.actor}
    at = clock.now()
    delivery = await schedule_delivery(deal_id=deal, quantity=Gram(100_000), on=clock.today(), at=at, **sent)
    await move_delivery(delivery_id=delivery, move="dispatch", at=at, **sent)
    await execute(
        "UPDATE organisation SET town = $1 WHERE id = $2", town.organisation_id, buyer.organisation_id
    )
    # who buys may look for an agent in its town too
    number = await delegating.grant(
        agent_id=secretary.person_id,
        deeds=tuple(DEEDS),
        until=clock.today(),
        words="",
        organisation_id=buyer.organisation_id,
        actor=buyer.actor,
        at=at,
    )
    agent = await browser_of(secretary)
    await agent.post(f"/delegations/{number}/act", key())
    path = f"/deals/{deal}/deliveries/{delivery}/arrive"
    assert path not in (await agent.get(f"/deals/{deal}")).text
    assert (await agent.post(path, key())).status_code == 403
    assert await fetch_value("SELECT state FROM delivery") == "dispatched"
