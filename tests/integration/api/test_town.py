"""Runs, matches and meetings through the API."""

from datetime import timedelta

import httpx
import pytest

from fixtures.factories import Factory, Member
from market import clock
from market.accounts.rules import SYSTEM
from market.db.jobs import Worker
from market.db.session import execute
from market.matching.operations import run_now
from market.meetings.invitations.inviting import invite
from market.meetings.invitations.wishing import set_wish
from market.meetings.planning.plan import plan_now

from .conftest import Caller, People

TOWN_MEETING = {"title": "镇农超对接会", "venue": "镇文化站", "slots": 4, "tables": 2, "half_day_after": None}


class Town:
    """A town whose village has peanuts that a chain wants; the engine has run."""

    def __init__(self, people: People) -> None:
        self._people = people

    async def build(self, factory: Factory) -> None:
        self.members = {"official": await factory.member(role="official")}
        town_id = self.members["official"].organisation_id
        self.members["seller"] = await factory.member(role="secretary", town_id=town_id)
        self.members["buyer"] = await factory.member(role="buyer")
        self.members["stranger"] = await factory.member(role="buyer")
        await factory.listing(self.members["seller"])
        await factory.demand(self.members["buyer"], kg=600)
        await run_now(town_id=town_id, actor=SYSTEM, at=clock.now())
        self.callers = {name: await self._people.caller(each) for name, each in self.members.items()}

    async def document(self) -> httpx.Response:
        return await self._people.client.get("/api/openapi.json")

    def __getitem__(self, name: str) -> Caller:
        return self.callers[name]

    def member(self, name: str) -> Member:
        return self.members[name]


@pytest.fixture
async def town(people: People, factory: Factory) -> Town:
    made = Town(people)
    await made.build(factory)
    return made


async def test_a_run_shows_its_certificate_matches_and_diagnosis(town: Town) -> None:
    run = (await town["official"].get("/runs/1")).json()
    assert (run["state"], run["matches"], run["grams"]) == ("done", 1, 600_000)
    [match] = (await town["official"].get("/runs/1/matches")).json()
    assert (match["quantity"], match["state"]) == (600_000, "proposed")
    assert (await town["official"].get("/runs/1/diagnosis")).status_code == 200
    assert (await town["official"].get("/runs")).json() == [run]
    assert (await town["buyer"].get("/runs")).status_code == 403


async def test_a_run_is_queued_once(town: Town) -> None:
    for _ in range(2):
        queued = await town["official"].post("/runs", key="once")
        assert (queued.status_code, queued.json()) == (202, {"run_id": 2})
    assert (await town["official"].post("/runs")).status_code == 409
    assert (await town["seller"].post("/runs")).status_code == 403


async def test_both_sides_agree_to_a_match_and_it_becomes_a_deal(town: Town) -> None:
    assert (await town["seller"].post("/matches/1/agree")).json() == {
        "state": "one_side_agreed",
        "deal_id": None,
    }
    assert (await town["seller"].post("/matches/1/agree")).status_code == 409
    assert (await town["buyer"].post("/matches/1/agree")).json() == {"state": "converted", "deal_id": 1}
    assert [row["id"] for row in (await town["official"].get("/deals")).json()] == [1]


async def test_a_match_is_declined_with_a_reason_that_the_other_side_reads(town: Town) -> None:
    unknown = await town["buyer"].post("/matches/1/decline", {"reason": "weather"})
    assert (unknown.status_code, list(unknown.json()["fields"])) == (422, ["reason"])
    declined = await town["buyer"].post("/matches/1/decline", {"reason": "price", "note": "太贵"})
    assert declined.json() == {"state": "declined"}
    match = (await town["seller"].get("/matches/1")).json()
    assert (match["decline_zh"], match["decline_note"]) == ("price", "太贵")


async def test_texts_come_in_the_language_that_is_asked_for(town: Town) -> None:
    chinese = (await town["seller"].get("/matches/1")).json()["reason"]
    english = (await town["seller"].get("/matches/1", **{"accept-language": "en-GB,en;q=0.9"})).json()
    assert not chinese.isascii()
    assert english["reason"].isascii()
    told = await town["seller"].get("/notices", **{"accept-language": "en"})
    assert all(notice["message"].isascii() for notice in told.json())
    lost = await town["seller"].get("/deals/99", **{"accept-language": "en"})
    assert lost.json()["detail"].isascii()


async def test_a_meeting_is_opened_planned_answered_and_held(town: Town) -> None:
    official = town["official"]
    meeting = TOWN_MEETING | {"held_on": clock.today() + timedelta(days=9)}
    opened = await official.post("/meetings", meeting, key="meeting")
    assert (opened.status_code, opened.json()) == (201, {"meeting_id": 1})
    assert (await official.post("/meetings", meeting, key="meeting")).json() == {"meeting_id": 1}
    queued = await official.post("/meetings/1/plan")
    assert (queued.status_code, queued.json()) == (202, {"state": "planning"})
    assert (await official.get("/meetings/1")).json()["planning"] is True
    assert (await town["buyer"].get("/meetings/1")).status_code == 404
    member = town.member("official")
    assert (await official.post("/meetings/1/publish")).status_code == 409
    await execute("UPDATE job SET state = 'done' WHERE kind = 'meetings.plan'")
    await plan_now(meeting_id=1, town_id=member.organisation_id, actor=member.actor, at=clock.now())
    [talk] = (await official.get("/meetings/1/appointments")).json()
    assert (await town["buyer"].get("/meetings/1/appointments")).json() == []
    # a text as every other, and no message that still has to be put into words
    assert isinstance(talk["why"], str)
    them = town.member("seller").organisation_id
    [row] = (await town["buyer"].get("/meetings/1/wishes")).json()
    assert (row["organisation"], row["wish"], row["common"]) == (them, None, True)
    wish = {"level": "must", "note": "看样"}
    for _ in range(2):
        kept = await town["buyer"].call(
            "POST", f"/meetings/1/wishes/{them}", wish, headers={"idempotency-key": "wish"}
        )
        assert (kept.status_code, kept.json()) == (200, {"state": "must"})
    [row] = (await town["buyer"].get("/meetings/1/wishes")).json()
    assert (row["wish"], row["note"], row["mutual"]) == ("must", "看样", False)
    assert (await town["seller"].post(f"/meetings/1/wishes/{them}", wish)).status_code == 404
    assert (await town["buyer"].post(f"/meetings/1/wishes/{them}", {"level": "perhaps"})).status_code == 422
    assert (await town["official"].get("/meetings/1/wishes")).status_code == 404
    assert (await town["buyer"].post("/meetings/1/publish")).status_code == 403
    assert (await official.post("/meetings/1/publish")).json() == {"state": "published"}
    assert (await official.post("/meetings/1/publish")).status_code == 409
    assert (await town["buyer"].get("/meetings/1/appointments")).json() == [talk]
    assert len((await official.get("/meetings/1/invitations")).json()) == 2
    own = (await town["buyer"].get("/meetings/1/invitations")).json()
    assert [row["organisation"] for row in own] == [town.member("buyer").organisation_id]
    assert (await town["buyer"].post("/meetings/1/answer", {"answer": "accepted"})).json() == {
        "state": "accepted"
    }
    early = await official.post("/meetings/1/start")
    assert (early.status_code, "到那天才能开始" in early.json()["detail"]) == (409, True)
    await execute("UPDATE meeting SET held_on = $1", clock.today())
    assert (await official.post("/meetings/1/start")).json() == {"state": "in_progress"}
    topic = {"topic_id": talk["topics"][0]["id"], "quantity": 500_000, "price": 710}
    signed = {"outcome": "signed", "topics": [topic]}
    for _ in range(2):
        held = await town["seller"].call(
            "POST", f"/appointments/{talk['id']}/outcome", signed, headers={"idempotency-key": "held"}
        )
        assert (held.status_code, held.json()) == (200, {"deal_ids": [1]})
    assert (await official.get(f"/appointments/{talk['id']}")).json()["outcome"] == "signed"
    assert (await official.post("/meetings/1/close")).json() == {"state": "closed"}


async def test_closing_a_meeting_asks_back_while_something_of_it_is_to_come(town: Town) -> None:
    official, member = town["official"], town.member("official")
    meeting = TOWN_MEETING | {"held_on": clock.today() + timedelta(days=9), "days": 2}
    await official.post("/meetings", meeting)
    await plan_now(meeting_id=1, town_id=member.organisation_id, actor=member.actor, at=clock.now())
    await official.post("/meetings/1/publish")
    await execute("UPDATE meeting SET held_on = $1", clock.today())
    await official.post("/meetings/1/start")
    asked = await official.post("/meetings/1/close", key="early")
    assert (asked.status_code, list(asked.json()["fields"])) == (422, ["sure"])
    assert asked.json()["detail"] == "1 场洽谈还没有结果。还有 1 天没有开。仍要结束会议，请确认。"
    assert (await official.get("/meetings/1")).json()["state"] == "in_progress"
    for wrong in ({"sure": "yes"}, {"certain": True}):
        assert (await official.post("/meetings/1/close", wrong)).status_code == 422
    closed = await official.post("/meetings/1/close", {"sure": True}, key="sure")
    assert (closed.status_code, closed.json()) == (200, {"state": "closed"})


async def test_body_that_only_says_sure_may_be_left_away_and_the_document_says_so(town: Town) -> None:
    spec = (await town.document()).json()["paths"]
    bodies = {
        path.rpartition("/")[2]: spec[path]["post"]["requestBody"].get("required")
        for path in spec
        if path in ("/api/v1/meetings/{meeting_id}/plan", "/api/v1/meetings/{meeting_id}/{move}")
    }
    assert bodies == {"plan": False, "{move}": False}
    assert spec["/api/v1/meetings"]["post"]["requestBody"]["required"] is True


async def test_plan_that_would_lose_known_talks_asks_back_and_is_made_for_who_is_sure(town: Town) -> None:
    official, member = town["official"], town.member("official")
    await official.post("/meetings", TOWN_MEETING | {"held_on": clock.today() + timedelta(days=9)})
    await plan_now(meeting_id=1, town_id=member.organisation_id, actor=member.actor, at=clock.now())
    await official.post("/meetings/1/publish")
    # the talk stands on nothing any more; another one keeps the plan from being empty
    other = {"seller": town.member("seller"), "buyer": town.member("stranger")}
    await execute("UPDATE demand SET state = 'closed'")
    await execute("UPDATE match SET state = 'expired'")
    await invite(
        meeting_id=1,
        organisation_id=other["buyer"].organisation_id,
        side="buyer",
        town_id=member.organisation_id,
        actor=member.actor,
        at=clock.now(),
    )
    await set_wish(
        meeting_id=1,
        organisation_id=other["buyer"].organisation_id,
        about=other["seller"].organisation_id,
        level="must",
        actor=member.actor,
        at=clock.now(),
    )
    assert (await official.get("/meetings/1")).json()["asks_back"] is False
    assert (await official.post("/meetings/1/plan")).status_code == 202
    assert await Worker().work_once() is True
    told = (await official.get("/meetings/1")).json()
    assert (told["asks_back"], "有 1 场洽谈会取消" in told["trouble"]) == (True, True)
    queued = await official.post("/meetings/1/plan", {"sure": True})
    assert (queued.status_code, queued.json()) == (202, {"state": "planning"})
    assert await Worker().work_once() is True
    told = (await official.get("/meetings/1")).json()
    assert (told["asks_back"], told["trouble"]) == (False, None)
    talks = (await official.get("/meetings/1/appointments")).json()
    assert [each["buyer"] for each in talks] == [other["buyer"].organisation_id]


async def test_a_meeting_in_the_past_is_refused_with_its_field(town: Town) -> None:
    meeting = TOWN_MEETING | {"held_on": "2020-01-01", "slots": 61}
    refused = await town["official"].post("/meetings", meeting)
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["slots"])
    refused = await town["official"].post("/meetings", meeting | {"slots": 6})
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["held_on"])


async def test_notices_are_marked_as_read(town: Town) -> None:
    notices = (await town["seller"].get("/notices")).json()
    assert notices[0]["read_at"] is None
    assert (await town["buyer"].post(f"/notices/{notices[0]['id']}/read")).json() == {"marked": 0}
    assert (await town["seller"].post(f"/notices/{notices[0]['id']}/read")).json() == {"marked": 1}
    assert (await town["seller"].post("/notices/read")).json() == {"marked": len(notices) - 1}


async def test_what_is_not_yours_is_not_found(town: Town) -> None:
    await town["seller"].post("/matches/1/agree")
    await town["buyer"].post("/matches/1/agree")
    stranger = town["stranger"]
    for path in ("/matches/1", "/deals/1", "/meetings/1", "/appointments/1", "/bids/1"):
        assert (path, (await stranger.get(path)).status_code) == (path, 404)
    paths = ("/matches/1/agree", "/deals/1/sign", "/demands/1/close")
    for path in paths:
        assert (path, (await stranger.post(path)).status_code) == (path, 404)
    assert (await stranger.post("/deals/1/cancel", {"reason": "other"})).status_code == 404
    assert (await town["official"].post("/deals/1/sign")).status_code == 404
    assert (await stranger.get("/listings/1/diagnosis")).json() == []
