"""Terms, evidence and an end by agreement go over the API by the rules of the pages."""

from typing import Any

from fixtures.factories import Factory
from market.deals.breach_queries import evidence_of
from tests.integration.deals.scene import Contracted, contract

from .conftest import People


async def test_terms_and_evidence_go_over_the_api_by_the_rules_of_the_pages(
    factory: Factory, people: People
) -> None:
    town = await factory.member(role="official")
    seller = await factory.member(role="secretary", town_id=town.organisation_id)
    buyer = await factory.member(role="buyer")
    listing_id = await factory.listing(seller, kg=400)
    deal = Contracted(seller, buyer, await contract(seller, buyer, listing_id=listing_id))
    sells, buys = await people.caller(seller), await people.caller(buyer)
    terms: dict[str, Any] = (await sells.get(f"/deals/{deal.deal_id}/terms")).json()["terms"]
    address = f"/deals/{deal.deal_id}/terms"

    wish = {"base": 0, "terms": {**terms, "tolerance": 200}, "note": "地秤有误差"}
    proposed = await sells.post(address, wish)
    assert proposed.status_code == 201
    assert (await sells.post(address, {**wish, "base": 7})).status_code == 409
    mine = {**wish, "terms": {**terms, "tolerance": 300}}
    unseen = await buys.post(address, mine)
    assert (unseen.status_code, unseen.json()["changed"]) == (409, {"tolerance": {"sent": 300, "now": 200}})
    waiting = (await buys.get(address)).json()["waiting"]
    assert (waiting["version"], waiting["proposer"]) == (proposed.json()["version"], seller.organisation_id)
    wrong = await sells.post(address, {**wish, "terms": {**terms, "tolerance": 20_000}})
    assert (wrong.status_code, "tolerance" in wrong.text) == (422, True)
    assert (await sells.post(address, {**wish, "terms": {**terms, "x": 1}})).status_code in (400, 422)
    stranger = await people.caller(await factory.member(role="buyer"))
    assert (await stranger.post(address, wish)).status_code == 404
    assert (await buys.post(f"{address}/{proposed.json()['version']}/agree", {})).status_code == 200
    assert (await buys.get(address)).json()["terms"]["tolerance"] == 200

    await deal.sign()
    opened = await sells.post(
        f"/deals/{deal.deal_id}/breaches", {"ground": "not_taken", "statement": "不收货"}
    )
    case = opened.json()["breach_id"]
    said = {"words": "磅单照片在村里"}
    added = await sells.post(f"/breaches/{case}/evidence", said)
    assert (added.status_code, list(added.json())) == (201, ["evidence_id"])
    # a draft is its author's alone; once it is filed the other side may add, the town may not
    assert (await buys.post(f"/breaches/{case}/evidence", said)).status_code == 404
    assert (await sells.post(f"/breaches/{case}/file")).status_code == 200
    assert (await buys.post(f"/breaches/{case}/evidence", said)).status_code == 201
    looks_on = await people.caller(town)
    assert (await looks_on.post(f"/breaches/{case}/evidence", said)).status_code == 404
    assert (await sells.post(f"/breaches/{case}/evidence", {"words": ""})).status_code in (400, 422)
    assert len(await evidence_of(breach_id=case)) == 2

    endings = f"/deals/{deal.deal_id}/endings"
    await sells.post(endings, {"reason": "other", "words": "互不追究"})
    found = (await buys.get(endings)).json()
    answer, yes = f"{endings}/{found['endings'][0]['id']}/answer", {"move": "agree", "seen": found["rest"]}
    wrong = await buys.post(answer, {"move": "agree", "seen": {"free": 1}})
    assert (wrong.status_code, "free, under_way, deposit" in wrong.json()["fields"]["seen"]) == (422, True)
    await deal.send(50_000, "dispatch")
    stale = await buys.post(answer, yes, key="end")
    assert (stale.status_code, "350 公斤" in stale.json()["detail"]) == (409, True)
    yes["seen"] = (await buys.get(endings)).json()["rest"]
    assert (await buys.post(answer, yes, key="end")).json() == {"state": "agreed"}
