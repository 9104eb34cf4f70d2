"""Why it does not sell, why nobody serves a demand, and what could be tried, in the browsers of all three."""

import html
import re

import pytest

from fixtures.factories import Factory, Member
from market import clock
from market.db.session import execute, fetch_value
from market.matching.operations import run_now
from tests.integration.web.conftest import Browser, SignedInAs, faults


class Scene:
    """A town, its village with a lot that is too dear, a rival and a buyer."""

    def __init__(self, town: Member, village: Member, rival: Member, buyer: Member) -> None:
        self.town, self.village, self.rival, self.buyer = town, village, rival, buyer
        self.dear = self.cheap = self.demand = 0

    async def run(self) -> int:
        return await run_now(town_id=self.town.organisation_id, actor=self.town.actor, at=clock.now())


@pytest.fixture
async def scene(factory: Factory) -> Scene:
    town = await factory.member(role="official")
    made = Scene(
        town,
        await factory.member(role="secretary", town_id=town.organisation_id),
        await factory.member(role="secretary", town_id=town.organisation_id),
        await factory.member(role="buyer"),
    )
    made.dear = await factory.listing(made.village, kg=1_000, ask=1_200, title="贵花生")
    made.cheap = await factory.listing(made.rival, kg=300, ask=700, title="对手花生")
    made.demand = await factory.demand(made.buyer, kg=800, ceiling=1_000, title="求购花生果")
    await made.run()
    return made


@pytest.fixture
async def village(scene: Scene, browser_of: SignedInAs) -> Browser:
    return await browser_of(scene.village)


@pytest.fixture
async def buyer_page(scene: Scene, browser_of: SignedInAs) -> Browser:
    return await browser_of(scene.buyer)


def words(page: str) -> str:
    main = page[page.index("<main") : page.index("</main>")] if "<main" in page else page
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())


async def test_finding_says_what_it_opens_and_never_that_it_will_sell(scene: Scene, village: Browser) -> None:
    page = words((await village.get(f"/selling/{scene.dear}/why")).text)
    assert re.search(r"要价降 .+ 元/公斤，到 .+ 元/斤 · .+ 元/公斤", page)
    assert "打开 1 条需求，1,000 斤 / 0.5 吨" in page
    assert "求购花生果" in page
    assert "能卖出" not in page


async def test_ticked_change_is_tried_and_nothing_is_changed(scene: Scene, village: Browser) -> None:
    page = f"/selling/{scene.dear}/why"
    answer = await village.post(
        f"/selling/{scene.dear}/what-if", {"use": "ask", "ask": "8.00", "ask_unit": "kg"}, form=page
    )
    assert answer.status_code == 200
    said = words(answer.text)
    assert "打开了销路：多 1,000 斤 / 0.5 吨" in said
    assert f'href="/demands/{scene.demand}"' in answer.text
    assert re.search(rf'href="/selling/{scene.dear}/terms\?ask=8\.00&amp;ask_unit=kg"', answer.text)
    assert await fetch_value("SELECT ask FROM listing WHERE id = $1", scene.dear) == 1_200


async def test_step_of_the_list_is_tried_by_its_button(scene: Scene, village: Browser) -> None:
    page = f"/selling/{scene.dear}/why"
    answer = await village.post(f"/selling/{scene.dear}/what-if", {"pick": "1"}, form=page)
    assert answer.status_code == 200
    assert 'name="use" value="ask" checked' in answer.text
    assert "打开了销路" in answer.text


async def test_rival_is_counted_for_the_village_and_named_for_the_town(
    scene: Scene, village: Browser, browser_of: SignedInAs
) -> None:
    # the demand takes 800 kg: at 6 yuan the dear lot takes them all
    tried = {"use": "ask", "ask": "6", "ask_unit": "kg"}
    seen = (await village.post(f"/selling/{scene.dear}/what-if", tried)).text
    assert "别家 1 批货会少配 600 斤 / 0.3 吨。" in seen
    assert "对手花生" not in seen
    assert "总收益" not in seen
    town = await browser_of(scene.town)
    told = (await town.post(f"/town/listings/{scene.dear}/what-if", tried)).text
    assert "对手花生" in told
    assert "这种货的总收益" in told


async def test_htmx_gets_the_outcome_alone_and_the_form_when_it_is_wrong(
    scene: Scene, village: Browser
) -> None:
    page = await village.get(f"/selling/{scene.dear}/why")
    token = re.search(r'name="_csrf" value="([^"]+)"', page.text)
    assert token
    data = {"_csrf": token[1], "use": "ask", "ask": "8", "ask_unit": "kg"}
    headers = {"hx-request": "true", "hx-target": "effect"}
    path = f"/selling/{scene.dear}/what-if"
    part = await village.client.post(path, data=data, headers=headers)
    assert part.text.lstrip().startswith('<div class="effect" id="effect"')
    wrong = await village.client.post(path, data={**data, "ask": "八块"}, headers=headers)
    assert (wrong.status_code, wrong.headers["hx-retarget"]) == (422, "#lab")
    assert 'value="八块"' in wrong.text
    # a row that was only just ticked is not wrong yet
    empty = await village.client.post(
        path, data={**data, "ask": ""}, headers={**headers, "hx-trigger-name": "use"}
    )
    assert empty.status_code == 200
    assert "hx-retarget" not in empty.headers


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        ({}, set()),
        ({"use": "ask", "ask": "-3", "ask_unit": "kg"}, {"ask"}),
        ({"use": "ask"}, {"ask"}),
        ({"use": "window", "available_from": "2026-02-30"}, {"available_from"}),
        ({"use": "credentials"}, {"credentials"}),
        ({"use": "credentials", "credentials": "moon-dust"}, {"credentials"}),
        ({"use": "grade", "grade": "99999999999999999999"}, set()),
        ({"use": "min_order", "min_order": "9" * 30}, {"min_order"}),
        ({"use": "min_order", "min_order": "99", "min_order_unit": "t"}, set()),
        ({"use": "everything"}, set()),
        ({"asked": "7-7"}, set()),
        ({"pick": "x"}, set()),
        ({"rubbish": "1"}, set()),
    ],
)
async def test_rubbish_is_refused_with_its_reason_and_kept(
    scene: Scene, village: Browser, data: dict[str, str], wrong: set[str]
) -> None:
    answer = await village.post(f"/selling/{scene.dear}/what-if", data)
    assert answer.status_code == 422
    assert wrong <= set(faults(answer)) or not wrong
    assert 'role="alert"' in answer.text
    for value in data.values():
        if data.get("use") not in (None, "everything") and value not in (data.get("use"), "kg", "t"):
            assert value in answer.text or "credentials" in data or "grade" in data


async def test_terms_form_holds_what_was_tried(scene: Scene, village: Browser) -> None:
    form = (await village.get(f"/selling/{scene.dear}/terms?ask=8.00&ask_unit=kg&min_order=abc&x=1")).text
    assert re.search(r'name="ask" value="8\.00"', form)
    assert re.search(r'name="min_order" value="abc"', form)
    assert await fetch_value("SELECT ask FROM listing WHERE id = $1", scene.dear) == 1_200


async def test_suspended_listing_says_that_it_is_not_in_the_market(scene: Scene, village: Browser) -> None:
    await execute("UPDATE listing SET state = 'suspended' WHERE id = $1", scene.dear)
    answer = await village.post(f"/selling/{scene.dear}/what-if", {"use": "ask", "ask": "8"})
    assert answer.status_code == 200
    assert "不能" not in faults(answer)


async def test_buyer_tries_a_demand_without_seeing_whose_demands_it_touches(
    scene: Scene, buyer_page: Browser, factory: Factory
) -> None:
    other = await factory.member(role="buyer")
    await factory.demand(other, kg=300, ceiling=1_050, title="别家的需求")
    await scene.run()
    page = await buyer_page.get(f"/demands/{scene.demand}/why")
    assert page.status_code == 200
    assert "别家的需求" not in page.text
    answer = await buyer_page.post(
        f"/demands/{scene.demand}/what-if",
        {"use": "ceiling", "ceiling": "15", "ceiling_unit": "kg"},
        form=f"/demands/{scene.demand}/why",
    )
    said = words(answer.text)
    assert answer.status_code == 200
    assert "打开了货源：多" in said
    assert "别家 1 条需求会少配" in said
    assert "别家的需求" not in said
    link = re.search(r'href="(/demands/new\?[^"]+)"', answer.text)
    assert link
    form = (await buyer_page.get(html.unescape(link[1]))).text
    assert re.search(r'name="ceiling" value="15\.00"', form)
    assert re.search(r'name="quantity" value="800"', form)


async def test_findings_about_a_demand_are_its_buyers(
    scene: Scene, buyer_page: Browser, browser_of: SignedInAs, factory: Factory
) -> None:
    run_id = await fetch_value("SELECT max(id) FROM run")
    await execute("DELETE FROM demand_diagnosis")
    await execute(
        """INSERT INTO demand_diagnosis (run, demand, rank, obstacle, change, unlocks, listings, cost, terms,
                                         value, confirmed)
           VALUES ($1, $2, 1, 'price+credential', '{"text": "x"}', 500000, $3, 20000, $4, 600000, true)""",
        run_id,
        scene.demand,
        [scene.dear],
        '[{"type": "ceiling", "ceiling": "12.3456"}, {"type": "dropped", "codes": ["test-report"]}]',
    )
    page = words((await buyer_page.get(f"/demands/{scene.demand}/why")).text)
    assert "价格＋资质" in page
    assert "最高到店价提 2.35 元/公斤，到 6.175 元/斤 · 12.35 元/公斤，同时不再要求资质：test-report" in page
    assert "打开 1 批货源，1,000 斤 / 0.5 吨" in page
    assert "贵花生" in page
    for member in (await factory.member(role="buyer"), scene.village):
        stranger = await browser_of(member)
        answer = await stranger.get(f"/demands/{scene.demand}/why")
        assert answer.status_code == (404 if member.role == "buyer" else 403)


@pytest.mark.parametrize("path", ["/demands/{}/what-if", "/demands/{}/why"])
async def test_other_buyers_demand_is_not_found(
    scene: Scene, browser_of: SignedInAs, factory: Factory, path: str
) -> None:
    stranger = await browser_of(await factory.member(role="buyer"))
    if path.endswith("why"):
        assert (await stranger.get(path.format(scene.demand))).status_code == 404
    else:
        assert (await stranger.post(path.format(scene.demand), {"use": "ceiling"})).status_code == 404


async def test_other_villages_and_towns_listing_is_not_found(
    scene: Scene, browser_of: SignedInAs, factory: Factory
) -> None:
    rival = await browser_of(scene.rival)
    assert (await rival.get(f"/selling/{scene.dear}/why")).status_code == 404
    assert (await rival.post(f"/selling/{scene.dear}/what-if", {"use": "ask"})).status_code == 404
    other_town = await browser_of(await factory.member(role="official"))
    assert (await other_town.get(f"/town/listings/{scene.dear}")).status_code == 404
    assert (await other_town.post(f"/town/listings/{scene.dear}/what-if", {"use": "ask"})).status_code == 404
    guest_like = await browser_of(scene.buyer)
    assert (await guest_like.post(f"/town/listings/{scene.dear}/what-if")).status_code == 403


async def test_ways_to_a_credential_are_told_with_their_days(scene: Scene, village: Browser) -> None:
    await execute(
        """INSERT INTO credential_route
             (code, credential, position, zh, en, days_low, days_high, source, sureness)
           VALUES ('lab', 'test-report', 0, '送样检测。', 'Send a sample.', 5, 10, '检测机构', 'memory')"""
    )
    await execute(
        """UPDATE diagnosis SET obstacle = 'credential', terms = $2 WHERE listing = $1 AND rank = 1""",
        scene.dear,
        '[{"type": "credentials", "codes": ["test-report"]}]',
    )
    page = words((await village.get(f"/selling/{scene.dear}/why")).text)
    assert "送样检测。 约 5 至 10 天 依据：检测机构；天数凭经验，以受理部门为准" in page


async def test_pages_speak_english(scene: Scene, village: Browser, buyer_page: Browser) -> None:
    tried = await village.post(f"/selling/{scene.dear}/what-if?lang=en", {"use": "ask", "ask": "4"})
    asked = await buyer_page.get(f"/demands/{scene.demand}/why?lang=en")
    for page in (tried.text, asked.text):
        # what remains Chinese are names, which the factory makes in Chinese only
        assert not re.search("打开|要价|需求已|试一试|改之|资质", words(page))
