"""The day of a meeting in browsers: door, board, results by each side, changes."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from fixtures.factories import Factory
from market import clock
from market.db.session import execute, fetch_value
from tests.integration.meetings.day import Day
from tests.integration.web.conftest import Browser, SignedInAs, faults, token_in


class Scene(Day):
    """The day is today, its first slot begins in an hour (``morning``), and its official is at a browser."""

    browser: Browser
    page = ""

    async def opened(self, browser_of: SignedInAs) -> "Scene":
        await self.begun()
        await self.with_persons()
        self.browser = await browser_of(self.town)
        self.page = f"/town/meetings/{self.meeting_id}"
        await execute("UPDATE meeting SET held_on = $1, slot_minutes = 5", clock.today())
        return self

    async def send(self, body: Any, browser: Browser | None = None) -> httpx.Response:
        """Post JSON to the door as its script does."""
        browser = browser or self.browser
        token = token_in(await browser.get(f"{self.page}/checkin"))
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        return await browser.client.post(
            f"{self.page}/scans",
            content=content,
            headers={"x-csrf-token": token, "content-type": "application/json"},
        )

    def reading(self, name: str, **changes: Any) -> dict[str, Any]:
        given = {"key": str(uuid4()), "code": self.codes[name], "at": clock.now(), "move": "check_in"}
        return {**given, **changes}


@pytest.fixture
def morning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be eight o'clock in China, from where the clock runs on, at whatever hour the tests run."""
    real, began = clock.now, clock.now().astimezone(clock.CHINA)
    shift = began.replace(hour=8, minute=0, second=0, microsecond=0) - began
    monkeypatch.setattr(clock, "now", lambda: real() + shift)
    monkeypatch.setattr(clock, "today", lambda: clock.now().astimezone(clock.CHINA).date())


@pytest.fixture
async def scene(morning: None, factory: Factory, browser_of: SignedInAs) -> Scene:
    return await Scene(factory).opened(browser_of)


def statuses(answer: httpx.Response) -> list[str]:
    return [each["status"] for each in answer.json()["answers"]]


async def test_door_lists_everybody_and_finds_by_name_house_code_and_phone(scene: Scene) -> None:
    await execute("UPDATE attendee SET phone = '13900001234' WHERE name = '钱二'")
    everybody = await scene.browser.get(f"{scene.page}/checkin")
    # three persons, and two buyers that have named nobody
    assert everybody.text.count("<li id=") == 5
    assert everybody.headers["permissions-policy"].startswith("camera=(self)")
    for words, found in (("赵", 1), ("1234", 1), (scene.codes["孙三"].lower(), 1), ("家村", 3), ("没有", 0)):
        page = await scene.browser.get(f"{scene.page}/checkin?q={words}")
        assert (words, page.text.count("<li id=")) == (words, found)
    # a telephone number is not for everybody's eyes
    assert "13900001234" not in everybody.text


async def test_two_of_one_name_are_told_apart_at_the_door(scene: Scene) -> None:
    for members, place in ((scene.sellers, "村"), (scene.buyers, "市")):
        for member, side in zip(members, "东西", strict=True):
            await execute(
                "UPDATE organisation SET name = $2, address = $3, town = NULL WHERE id = $1",
                member.organisation_id,
                f"同名{place}",
                f"{place}{side}",
            )
    # two of one name, one of each house, whose badges both were misread
    await execute("UPDATE attendee SET name = '王二' WHERE name IN ('赵一', '孙三')")
    door = (await scene.browser.get(f"{scene.page}/checkin")).text
    desk = (await scene.browser.get(f"{scene.page}/desk")).text
    for house in ("同名村（村东）", "同名村（村西）", "同名市（市东）", "同名市（市西）"):
        assert (house, house in door, desk.count(house)) == (house, True, 3)
        found = (await scene.browser.get(f"{scene.page}/checkin?q={house}")).text
        assert (house, found.count("<li id=") > 0, "同名村（村东）" in found) == (
            house,
            True,
            "村东" in house,
        )
    await scene.send({"sent_at": clock.now(), "scans": [scene.reading("赵一", code="XXXX")]})
    [scan] = await _unknown(scene)
    mend = f"{scene.page}/scans/{scan}/mend"
    for words, left in (("王二", 1), ("王二 · 同名村", 1), ("王二 · 同名村（村西）", 0)):
        await scene.browser.post(mend, {"attendee": words})
        assert (words, len(await _unknown(scene))) == (words, left)
    assert await scene.state_of(scene.sellers[1].organisation_id) == "checked_in"


async def test_pressing_twice_checks_in_once_and_persons_leave_again(scene: Scene) -> None:
    who = await fetch_value("SELECT id FROM attendee WHERE name = '赵一'")
    for act, state in (("check_in", "checked_in"), ("check_in", "checked_in"), ("leave", "left")):
        answer = await scene.browser.post(
            f"{scene.page}/checkin", {"act": f"p{who}:{act}", "key": str(uuid4())}
        )
        assert (answer.status_code, await scene.state_of("赵一")) == (303, state)
    house = scene.buyers[0].organisation_id
    await scene.browser.post(f"{scene.page}/checkin", {"act": f"o{house}:check_in"})
    assert await scene.state_of(house) == "checked_in"
    # by mistake: whoever left and whoever is here are awaited as before, by whichever page
    badge = f"/checkin/{scene.codes['孙三']}"
    await scene.browser.post(badge, {"act": "check_in"})
    for path, act in (
        (f"{scene.page}/checkin", f"p{who}:undo_check_in"),
        (f"{scene.page}/attendance/{house}/undo_check_in", ""),
        (badge, "undo_check_in"),
    ):
        for _ in range(2):
            assert (path, (await scene.browser.post(path, {"act": act} if act else {})).status_code) == (
                path,
                303,
            )
    assert {await scene.state_of(each) for each in ("赵一", "孙三", house)} == {"expected"}
    for act in ("p1", "x1:check_in", "p:check_in", "p1:vanish", f"p{10**30}:check_in", "p999999:check_in"):
        assert (act, (await scene.browser.post(f"{scene.page}/checkin", {"act": act})).status_code) == (
            act,
            404,
        )


async def test_batch_is_answered_key_by_key_and_replays_change_nothing(scene: Scene) -> None:
    scans = [scene.reading("赵一"), scene.reading("孙三"), scene.reading("赵一", code="NOBODY2345")]
    batch = {"sent_at": clock.now(), "scans": [*scans, {"key": "rubbish-1", "code": 3}]}
    first = await scene.send(batch)
    assert (first.status_code, statuses(first)) == (200, ["taken", "taken", "unknown", "refused"])
    assert statuses(await scene.send(batch)) == ["known", "known", "unknown", "refused"]
    assert await scene.count("scan") == 3
    page = (await scene.browser.get(f"{scene.page}/checkin")).text
    assert page.count("NOBODY2345") == 1
    assert "有 1 个胸牌码认不出" in (await scene.browser.get(f"{scene.page}/desk")).text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"sent_at": "2026-01-01T00:00:00", "scans": []}',
        b'{"sent_at": "2026-01-01T00:00:00Z", "scans": 1}',
        b'{"sent_at": "2026-01-01T00:00:00Z", "scans": [], "more": 1}',
        b'{"sent_at": "2026-01-01T00:00:00Z", "scans": [' + b"1," * 120_000 + b"1]}",
    ],
    ids=range(8),
)
async def test_rubbish_instead_of_a_batch_is_refused(scene: Scene, body: bytes) -> None:
    assert (await scene.send(body)).status_code == 422


async def test_batch_without_token_or_from_elsewhere_is_refused(
    scene: Scene, factory: Factory, browser_of: SignedInAs
) -> None:
    batch = {"sent_at": clock.now(), "scans": [scene.reading("赵一")]}
    forged = await scene.browser.client.post(f"{scene.page}/scans", content=msgspec.json.encode(batch))
    assert forged.status_code == 403
    stranger = await browser_of(await factory.member(role="official"))
    token = token_in(await stranger.get("/listings"))
    answer = await stranger.client.post(
        f"{scene.page}/scans", content=msgspec.json.encode(batch), headers={"x-csrf-token": token}
    )
    assert answer.status_code == 404
    assert await scene.count("scan") == 0


async def test_unknown_code_is_given_to_somebody_or_set_aside(scene: Scene) -> None:
    scans = [scene.reading("赵一", code=code) for code in ("NOBODY2345", "NOBODY6789")]
    await scene.send({"sent_at": clock.now(), "scans": scans})
    first, second = await _unknown(scene)
    unsure = await scene.browser.post(f"{scene.page}/scans/{first}/mend", {"attendee": "无此人"})
    assert unsure.status_code == 303
    assert await _unknown(scene) == [first, second]
    await scene.browser.post(f"{scene.page}/scans/{first}/mend", {"attendee": "孙三"})
    await scene.browser.post(f"{scene.page}/scans/{second}/mend")
    assert (await _unknown(scene), await scene.state_of("孙三")) == ([], "checked_in")


async def _unknown(scene: Scene) -> list[int]:
    page = (await scene.browser.get(f"{scene.page}/checkin")).text
    return sorted({int(number) for number in re.findall(r"/scans/(\d+)/mend", page)})


async def test_badge_opens_the_button_for_the_towns_official_alone(
    scene: Scene, factory: Factory, browser_of: SignedInAs, guest: Browser
) -> None:
    path = f"/checkin/{scene.codes['赵一']}"
    page = (await scene.browser.get(path)).text
    assert "赵一" in page
    assert "1 号桌" in page
    for _ in range(2):
        answer = await scene.browser.post(path, {"act": "check_in", "key": str(uuid4())})
        assert answer.headers["location"] == path
    assert await scene.state_of("赵一") == "checked_in"
    others = [
        guest,
        await browser_of(scene.sellers[0]),
        await browser_of(await factory.member(role="official")),
    ]
    for browser in others:
        seen = await browser.get(path)
        assert (seen.status_code, "赵一" in seen.text, "请在签到台出示" in seen.text) == (200, False, True)
    assert (await others[2].post(path, {"act": "leave"})).status_code == 404
    for code in ("NOBODY2345", "%00", "x" * 300, "..%2f"):
        assert (code, (await scene.browser.get(f"/checkin/{code}")).status_code) == (code, 404)


async def test_door_opens_on_the_day(scene: Scene) -> None:
    await execute("UPDATE meeting SET held_on = $1", clock.today() + timedelta(days=1))
    who = await fetch_value("SELECT id FROM attendee WHERE name = '赵一'")
    answer = await scene.browser.post(f"{scene.page}/checkin", {"act": f"p{who}:check_in"})
    assert answer.status_code == 409
    batch = {"sent_at": clock.now(), "scans": [scene.reading("赵一")]}
    assert (await scene.send(batch)).status_code == 409


async def test_door_opens_with_the_meeting_and_what_was_read_before_is_kept(scene: Scene) -> None:
    await execute("UPDATE meeting SET state = 'timetabled'")
    words = "会议还没有开始，开始后才能签到"
    door, desk = [(await scene.browser.get(f"{scene.page}/{page}")).text for page in ("checkin", "desk")]
    assert (words in door, 'name="act"' in door, "/check_in" in desk) == (True, False, False)
    badge = (await scene.browser.get(f"/checkin/{scene.codes['赵一']}")).text
    assert (words in badge, 'name="act"' in badge) == (True, False)
    who = await fetch_value("SELECT id FROM attendee WHERE name = '赵一'")
    house = scene.buyers[0].organisation_id
    for answer in (
        await scene.browser.post(f"{scene.page}/checkin", {"act": f"p{who}:check_in"}),
        await scene.browser.post(f"{scene.page}/attendance/{house}/check_in"),
        await scene.browser.post(f"/checkin/{scene.codes['赵一']}", {"act": "check_in"}),
    ):
        assert (answer.status_code, words in answer.text) == (409, True)
    # a phone keeps what it was not relieved of, and brings it again
    batch = {"sent_at": clock.now(), "scans": [scene.reading("赵一")]}
    assert (await scene.send(batch)).status_code == 409
    assert await scene.count("scan") == 0
    await execute("UPDATE meeting SET state = 'in_progress'")
    assert statuses(await scene.send(batch)) == ["taken"]


async def test_worker_may_look_after_the_doors_pages(scene: Scene) -> None:
    script = await scene.browser.get("/checkin/worker.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["service-worker-allowed"] == "/"


async def test_board_tells_names_and_no_prices(scene: Scene) -> None:
    page = (await scene.browser.get(f"{scene.page}/board?slot=1")).text
    board = page[page.index('id="board"') : page.index("</main>")]
    assert board.count('class="board-table missing"') == 2
    assert not re.search("元|公斤|斤|吨", board)
    part = await scene.browser.get(f"{scene.page}/board", htmx=True)
    assert part.text.count("<html") == 0
    for slot in ("0", "99", "-1", "x", "1e3"):
        assert (await scene.browser.get(f"{scene.page}/board?slot={slot}")).status_code == 200


async def test_both_sides_record_and_the_town_settles(scene: Scene, browser_of: SignedInAs) -> None:
    talk, town = scene.talks[0], f"{scene.page}/talks/{scene.talks[0]}"
    topic = await fetch_value("SELECT id FROM topic WHERE appointment = $1", talk)
    own = f"/meetings/{scene.meeting_id}/talks/{talk}/result"
    seller, buyer = await browser_of(scene.sellers[0]), await browser_of(scene.buyers[0])
    drawn = (await seller.get(own)).text
    typed = dict(re.findall(rf'name="((?:quantity|price)_{topic})" value="([^"]+)"', drawn))
    sent = {**typed, "outcome": "intent", f"take_{topic}": "1", "key": str(uuid4())}
    for _ in range(2):
        assert (await seller.post(own, sent)).headers["location"] == own
    refused = await buyer.post(own, {"outcome": "none"})
    assert (refused.status_code, list(faults(refused))) == (422, ["reason"])
    assert (await buyer.post(own, {"outcome": "none", "reason": "price"})).status_code == 303
    assert "有 1 场洽谈双方记录不同" in (await scene.browser.get(f"{scene.page}/desk")).text
    assert (await scene.browser.get(town)).text.count("<li><p><b>") == 2
    assert (await scene.browser.post(town, {**sent, "key": str(uuid4())})).status_code == 303
    assert "双方记录不同" not in (await scene.browser.get(f"{scene.page}/desk")).text
    assert await fetch_value("SELECT outcome FROM appointment WHERE id = $1", talk) == "intent"
    stranger = await browser_of(scene.buyers[1])
    assert (await stranger.get(own)).status_code == 404
    assert (await stranger.post(own, sent)).status_code == 404


async def test_talk_begins_and_ends_in_one_tap_and_who_sits_is_here(
    scene: Scene, browser_of: SignedInAs
) -> None:
    talk = scene.talks[0]
    begin = await scene.browser.post(f"{scene.page}/talks/{talk}/clock/start")
    assert begin.headers["location"] == f"{scene.page}/desk#talk-{talk}"
    for each in (scene.sellers[0], scene.buyers[0]):
        assert await scene.state_of(each.organisation_id) == "checked_in"
    assert "在谈" in (await scene.browser.get(f"{scene.page}/board")).text
    buyer = await browser_of(scene.buyers[0])
    end = await buyer.post(f"/meetings/{scene.meeting_id}/talks/{talk}/clock/end")
    assert end.status_code == 303
    assert await fetch_value("SELECT ended_at IS NOT NULL FROM appointment WHERE id = $1", talk) is True
    assert (await scene.browser.post(f"{scene.page}/talks/{talk}/clock/pause")).status_code == 404
    # on the wrong talk: the town takes it back, neither side does
    assert (
        await buyer.post(f"/meetings/{scene.meeting_id}/talks/{talk}/clock/undo_start")
    ).status_code == 404
    back = f"{scene.page}/talks/{talk}/clock/undo_start"
    for page in (f"{scene.page}/desk", f"{scene.page}/talks/{talk}"):
        assert f'action="{back}"' in (await scene.browser.get(page)).text
    for _ in range(2):
        assert (await scene.browser.post(back)).headers["location"] == f"{scene.page}/desk#talk-{talk}"
    assert await scene.state_of(scene.sellers[0].organisation_id) == "expected"
    assert f'action="{back}"' not in (await scene.browser.get(f"{scene.page}/desk")).text
    house = scene.sellers[0].organisation_id
    for move, state in (("mark_no_show", "no_show"), ("undo_no_show", "expected")):
        path = f"{scene.page}/attendance/{house}/{move}"
        assert f'action="{path}"' in (await scene.browser.get(f"{scene.page}/desk")).text
        for _ in range(2):
            assert (move, (await scene.browser.post(path)).status_code) == (move, 303)
        assert await scene.state_of(house) == state


async def test_change_is_shown_confirmed_and_undone(scene: Scene) -> None:
    before = await scene.places()
    asked = f"{scene.page}/changes?kind=table_broken&table=2&go=1"
    page = (await scene.browser.get(asked)).text
    token = re.search(r'name="token" value="(\w+)"', page)
    assert token
    sent = {"kind": "table_broken", "table": "2", "token": token[1]}
    for _ in range(2):
        answer = await scene.browser.post(f"{scene.page}/changes", sent)
        assert answer.headers["location"] == f"{scene.page}/changes"
    assert await scene.count("incident") == 1
    history = (await scene.browser.get(f"{scene.page}/changes")).text
    undo = re.search(r'action="([^"]+/undo)"', history)
    assert undo
    assert (await scene.browser.post(undo[1])).status_code == 303
    assert await scene.places() == before
    stale = await scene.browser.post(f"{scene.page}/changes", sent)
    assert (stale.status_code, 'name="token"' in stale.text) in {(409, True), (303, False)}


async def test_stale_preview_is_shown_anew(scene: Scene) -> None:
    sent = {"kind": "slot_lost", "slot": "2", "token": "0" * 64}
    answer = await scene.browser.post(f"{scene.page}/changes", sent)
    assert answer.status_code == 409
    assert "请再看一遍" in answer.text
    token = re.search(r'name="token" value="(\w+)"', answer.text)
    assert token
    again = await scene.browser.post(f"{scene.page}/changes", {**sent, "token": token[1]})
    assert again.status_code == 303


async def test_every_kind_of_change_has_its_form_and_refuses_rubbish(scene: Scene) -> None:
    for kind in ("late", "absent", "overrun", "walk_in", "table_broken", "slot_lost", "swap"):
        page = await scene.browser.get(f"{scene.page}/changes?kind={kind}")
        assert (kind, page.status_code, page.text.count('id="change"')) == (kind, 200, 1)
        for rubbish in ("", "&organisation=x&appointment=9e9&table=-1&slot=999&until=%00"):
            wrong = await scene.browser.get(f"{scene.page}/changes?kind={kind}&go=1{rubbish}")
            assert (kind, wrong.status_code) == (kind, 422)
    assert (await scene.browser.get(f"{scene.page}/changes?kind=flood")).status_code == 200
    assert (await scene.browser.post(f"{scene.page}/changes", {"kind": "flood"})).status_code == 422
    assert await scene.count("incident") == 0


async def test_walk_in_is_registered_and_given_talks(scene: Scene) -> None:
    wrong = await scene.browser.post(f"{scene.page}/changes/walk-in", {"name": "新来的油坊"})
    assert (wrong.status_code, list(faults(wrong))) == (422, ["kind"])
    answer = await scene.browser.post(f"{scene.page}/changes/walk-in", {"name": "新来的油坊", "kind": "mill"})
    choose = answer.headers["location"]
    page = (await scene.browser.get(choose)).text
    offered = re.findall(r'name="counterparts" value="(\d+)"', page)
    assert {int(each) for each in offered} == {each.organisation_id for each in scene.buyers}
    shown = (await scene.browser.get(f"{choose}&counterparts={offered[0]}&go=1")).text
    token = re.search(r'name="token" value="(\w+)"', shown)
    assert token
    number = choose.rpartition("=")[2]
    sent = {"kind": "walk_in", "organisation": number, "counterparts": offered[0], "token": token[1]}
    assert (await scene.browser.post(f"{scene.page}/changes", sent)).status_code == 303
    assert await fetch_value("SELECT count(*) FROM appointment WHERE source = 'walk_in'") == 1


async def test_pages_of_the_day_are_another_towns_neither_to_see_nor_to_use(
    scene: Scene, factory: Factory, browser_of: SignedInAs
) -> None:
    stranger = await browser_of(await factory.member(role="official"))
    for path in ("checkin", "board", "changes", "board/stream"):
        assert (path, (await stranger.get(f"{scene.page}/{path}")).status_code) == (path, 404)
    for path in ("checkin", "changes/walk-in", "changes/1/undo", "scans/1/mend"):
        sent = {"checkin": {"act": "p1:check_in"}, "changes/walk-in": {"name": "x"}}.get(path)
        answer = await stranger.post(f"{scene.page}/{path}", sent)
        assert (path, answer.status_code) == (path, 404)


async def test_pages_of_the_day_speak_english(scene: Scene) -> None:
    paths = [
        "checkin",
        "board",
        "changes?kind=walk_in",
        "changes?kind=swap",
        f"talks/{scene.talks[0]}",
        "desk",
    ]
    for path in paths:
        page = (await scene.browser.get(f"{scene.page}/{path}{'&' if '?' in path else '?'}lang=en")).text
        words = re.sub(r"<[^>]+>", " ", page[page.index("<main") : page.index("</main>")])
        assert (path, re.findall("会议|洽谈|签到|公斤|吨|邀请|时段|号桌", words)) == (path, [])


async def test_who_came_without_an_answer_is_not_shown_as_one_that_lapsed(
    scene: Scene, browser_of: SignedInAs
) -> None:
    came, away = (each.organisation_id for each in scene.buyers)
    await scene.browser.post(f"{scene.page}/attendance/{came}/check_in")
    await execute("UPDATE invitation SET state = 'expired' WHERE organisation = ANY($1)", [came, away])
    own = await browser_of(scene.buyers[0])
    invited = f"/meetings/{scene.meeting_id}"
    number = await fetch_value("SELECT id FROM invitation WHERE organisation = $1", came)
    for browser, path, lapsed in (
        (scene.browser, f"{scene.page}/desk", 1),
        (scene.browser, f"{scene.page}/invitations", 1),
        (scene.browser, f"{scene.page}/invitations/{number}", 0),
        (own, "/meetings", 0),
        (own, invited, 0),
    ):
        words = (await browser.get(f"{path}?lang=en")).text
        assert (path, words.count(">Came without confirming<")) == (path, 1)
        assert (path, words.count(">Not confirmed<")) == (path, lapsed)
    door = (await scene.browser.get(f"{scene.page}/checkin")).text
    assert [f'id="o{each}"' in door for each in (came, away)] == [True, False]


async def test_closing_page_tells_which_talks_need_no_result(scene: Scene) -> None:
    await execute("UPDATE meeting SET starts_at = 0")
    came = scene.sellers[0].organisation_id
    await scene.browser.post(f"{scene.page}/attendance/{came}/check_in")
    asked = await scene.browser.post(f"{scene.page}/move/close")
    told = ("2 场洽谈还没有结果", "2 场有一方没有签到")
    assert (asked.status_code, [words in asked.text for words in told]) == (422, [True, True])
