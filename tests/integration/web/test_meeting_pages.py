"""A docking meeting in the official's browser, from the form over the timetable to the last result."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from fixtures.factories import PASSWORD, Factory, Member
from market import clock
from market.db.jobs import Worker
from market.db.session import execute, fetch, fetch_value
from tests.forms import filled_in
from tests.integration.web.conftest import Browser, SignedInAs, faults
from tests.integration.web.meeting_scene import Scene, form

Form = dict[str, str]
#: The steps of a meeting that are always open, after its address.
STEPS = ("wishes", "timetable", "publish", "desk")


@pytest.fixture
async def office(factory: Factory, browser_of: SignedInAs) -> Browser:
    """The browser of an official whose town has nothing yet."""
    return await browser_of(await factory.member(role="official", password=PASSWORD))


async def test_form_opens_one_meeting_and_the_worker_plans_it(scene: Scene) -> None:
    sent = form()
    answers = [await scene.browser.post("/town/meetings/new", sent) for _ in range(2)]
    pages = {answer.headers["location"] for answer in answers}
    assert (len(pages), await fetch_value("SELECT count(*) FROM meeting")) == (1, 1)
    page = pages.pop()
    waiting = await scene.browser.get(page)
    assert '<noscript><meta http-equiv="refresh"' in waiting.text
    part = await scene.browser.get(page, htmx=True)
    assert (part.text.count("<html"), part.headers.get("hx-refresh")) == (0, None)
    assert await Worker().work_once() is True
    assert (await scene.browser.get(page, htmx=True)).headers["hx-refresh"] == "true"
    planned = (await scene.browser.get(page)).text
    drawn = (await scene.browser.get(f"{page}/timetable")).text
    talks = await fetch_value("SELECT count(*) FROM appointment WHERE state = 'scheduled'")
    assert drawn.count('class="talk scheduled"') == talks > 0
    assert "休息 60 分钟" in drawn
    assert "空档" in drawn
    assert "5 家还没有回复。" in planned


@pytest.mark.parametrize(
    ("changes", "field", "zh", "en"),
    [
        ({"title": ""}, "title", "请填写这一项。", "Please fill this in."),
        ({"slots": "0"}, "slots", "要在 1 到 60 之间。", None),
        ({"slots": "1e12"}, "slots", None, None),
        ({"tables": "NaN"}, "tables", "“NaN”不是数字，请只填数字，例如 25000 或 0.85。", None),
        ({"tables": "-3"}, "tables", "不能是负数，请检查后重填。", None),
        ({"held_on": "2026-02-30"}, "held_on", "日历上没有 2026-02-30 这一天。", None),
        ({"held_on": "2020-01-01"}, "held_on", None, None),
        ({"starts_at": "25:00"}, "starts_at", "“25:00”不是钟点，请写成 9:30。", None),
        (
            {"starts_at": "23:30"},
            "starts_at",
            "按这个开始时间和时段数，会议会开过午夜，请改早或减少时段。",
            None,
        ),
        ({"half_day_after": "4"}, "half_day_after", "上午的时段数须小于总时段数，不分上下午请留空。", None),
        ({"most_appointments": "9"}, "most_appointments", None, None),
    ],
)
async def test_wrong_meeting_is_refused_beside_its_field_in_both_languages(
    office: Browser, changes: Form, field: str, zh: str | None, en: str | None
) -> None:
    for lang, words in (("zh", zh), ("en", en)):
        answer = await office.post(f"/town/meetings/new?lang={lang}", form(**changes))
        assert answer.status_code == 422
        told = faults(answer)
        assert list(told) == [field]
        if words:
            assert told[field] == words
        assert bool(re.search("[\u4e00-\u9fff]", told[field])) == (lang == "zh")
        assert 'value="东岗对接会"' in answer.text or field == "title"
        assert f'value="{changes[field]}"' in answer.text
    assert await fetch_value("SELECT count(*) FROM meeting") == 0


async def test_every_fault_is_told_at_once(office: Browser) -> None:
    answer = await office.post("/town/meetings/new", form(title="", venue="", held_on="soon", slots="x"))
    assert sorted(faults(answer)) == ["held_on", "slots", "title", "venue"]


async def test_meeting_without_matches_says_why_it_has_no_timetable(office: Browser) -> None:
    page = (await office.post("/town/meetings/new", form())).headers["location"]
    assert await Worker().work_once() is True
    assert "没有可谈的一对：请先运行撮合" in (await office.get(page)).text


async def test_planning_again_is_harmless_and_possible_until_it_begins(scene: Scene) -> None:
    await scene.open()
    for _ in range(2):
        answer = await scene.browser.post(f"{scene.page}/plan")
        assert answer.headers["location"] == f"{scene.page}/timetable"
    assert await fetch_value("SELECT count(*) FROM job WHERE state = 'waiting'") == 1
    assert await Worker().work_once() is True
    await scene.publish()
    await scene.browser.post(f"{scene.page}/move/start")
    assert (await scene.browser.post(f"{scene.page}/plan")).status_code == 409


async def test_moves_are_those_of_the_lifecycle_and_pressing_twice_is_harmless(scene: Scene) -> None:
    await scene.start()
    again = await scene.browser.post(f"{scene.page}/move/start")
    assert again.status_code == 303
    assert (await scene.browser.post(f"{scene.page}/move/cancel")).status_code == 409
    assert (await scene.browser.post(f"{scene.page}/move/announce")).status_code == 404
    for move, state in (("close", "closed"), ("finish_follow_up", "followed_up")):
        await scene.browser.post(f"{scene.page}/move/{move}", {"sure": "1"})
        assert await fetch_value("SELECT state FROM meeting") == state
    assert (await scene.browser.get(scene.page)).status_code == 200


async def test_meeting_that_nobody_can_see_or_that_is_to_come_does_not_start(scene: Scene) -> None:
    await scene.open()
    refused = await scene.browser.post(f"{scene.page}/move/start")
    assert (refused.status_code, "请先发布日程" in refused.text) == (409, True)
    await scene.publish()
    await execute("UPDATE meeting SET held_on = held_on + 1")
    refused = await scene.browser.post(f"{scene.page}/move/start")
    assert (refused.status_code, "到那天才能开始" in refused.text) == (409, True)
    assert "/move/start" not in (await scene.browser.get(scene.page)).text
    assert await fetch_value("SELECT state FROM meeting") == "timetabled"
    await execute("UPDATE meeting SET held_on = held_on - 1")
    assert (await scene.browser.get(scene.page)).text.count("/move/start") == 1


async def test_closing_asks_back_while_talks_have_no_result_or_days_are_to_come(scene: Scene) -> None:
    await scene.start()
    await execute("UPDATE meeting SET days = 2")
    asked = await scene.browser.post(f"{scene.page}/move/close")
    talks = await fetch_value("SELECT count(*) FROM appointment WHERE state = 'scheduled'")
    tomorrow = clock.today() + timedelta(days=1)
    assert asked.status_code == 422
    assert f"{talks} 场洽谈还没有结果" in asked.text
    assert f"还有 {tomorrow.month}月{tomorrow.day}日" in asked.text
    assert await fetch_value("SELECT state FROM meeting") == "in_progress"
    await execute("UPDATE meeting SET days = 1")
    await execute("UPDATE appointment SET state = 'held', outcome = 'sample'")
    assert (await scene.browser.post(f"{scene.page}/move/close")).status_code == 303
    assert await fetch_value("SELECT state FROM meeting") == "closed"


async def test_postponed_and_cancelled_meetings_say_so(scene: Scene) -> None:
    await scene.open()
    for move, words in (("postpone", "会议已延期"), ("cancel", "会议已取消")):
        await scene.browser.post(f"{scene.page}/move/{move}")
        assert words in (await scene.browser.get(scene.page)).text


async def test_check_in_is_open_while_the_meeting_is_on(scene: Scene) -> None:
    await scene.open()
    guest = scene.sellers[0].organisation_id
    attend = f"{scene.page}/attendance/{guest}/check_in"
    await scene.publish()
    assert (await scene.browser.post(attend)).status_code == 409
    await scene.browser.post(f"{scene.page}/move/start")
    for _ in range(2):
        answer = await scene.browser.post(attend)
        assert answer.headers["location"] == f"{scene.page}/desk#guest-{guest}"
    states = "SELECT attendance FROM invitation WHERE organisation = $1"
    assert await fetch_value(states, guest) == "checked_in"
    assert (await scene.browser.post(f"{scene.page}/attendance/{guest}/vanish")).status_code == 404
    assert (await scene.browser.post(f"{scene.page}/attendance/999999/check_in")).status_code == 404


async def test_talk_is_recorded_in_three_taps_with_the_matchs_figures(scene: Scene) -> None:
    await scene.start()
    page, topic = await scene.talk()
    drawn = (await scene.browser.get(page)).text
    typed = dict(re.findall(rf'name="((?:quantity|price)_{topic})" value="([^"]+)"', drawn))
    key = re.search(r'name="key" value="([^"]+)"', drawn)
    assert key
    assert sorted(typed) == [f"price_{topic}", f"quantity_{topic}"]
    sent = {**typed, "outcome": "signed", f"take_{topic}": "1", "key": key[1]}
    for _ in range(2):
        answer = await scene.browser.post(page, sent)
        assert answer.status_code == 303, faults(answer)
    deal = (await fetch("SELECT quantity, price, source, state FROM deal"))[0]
    match = (await fetch("SELECT quantity, price / 100 AS price FROM match WHERE deal IS NOT NULL"))[0]
    assert tuple(deal) == (match["quantity"], match["price"], "appointment", "pending")
    assert await fetch_value("SELECT count(*) FROM deal") == 1
    assert "当场签约" in (await scene.browser.get(page)).text
    ledger = (await scene.browser.get("/town/deals?source=appointment")).text
    assert ledger.count('<th scope="row">') == 1


async def test_goods_in_a_round_are_not_signed_for_at_the_table(scene: Scene) -> None:
    await scene.start()
    page, topic = await scene.talk()
    await execute("UPDATE listing SET way = 'sealed', closes_at = now() + interval '1 day'")
    drawn = (await scene.browser.get(page)).text
    assert "这一轮结束前不能签约" in drawn
    sent = {"outcome": "signed", f"take_{topic}": "1", **terms_in(drawn, topic), "key": str(uuid4())}
    refused = await scene.browser.post(page, sent)
    assert refused.status_code == 409
    assert "这批货正在密封报价或公开竞价，这一轮结束前不能另外成交" in refused.text
    assert await fetch_value("SELECT count(*) FROM deal") == 0
    # what was typed is still there, and an intent may be noted
    assert terms_in(refused.text, topic) == terms_in(drawn, topic)
    assert (await scene.browser.post(page, {**sent, "outcome": "intent"})).status_code == 303


def terms_in(page: str, topic: int) -> dict[str, str]:
    return dict(re.findall(rf'name="((?:quantity|price)_{topic})" value="([^"]+)"', page))


WRONG_RESULTS: list[tuple[Form, str]] = [
    ({}, "outcome"),
    ({"outcome": "won"}, "outcome"),
    ({"outcome": "none"}, "reason"),
    ({"outcome": "intent", "take": "1", "quantity": "", "price": "3.5"}, "quantity"),
    ({"outcome": "quote", "take": "1", "quantity": "0", "price": "3.5"}, "quantity"),
    ({"outcome": "signed", "take": "1", "quantity": "100", "price": "-1"}, "price"),
    ({"outcome": "signed", "take": "1", "quantity": "100", "price": "99999999999"}, "price"),
]


async def test_wrong_result_is_refused_beside_its_field(scene: Scene) -> None:
    await scene.start()
    page, topic = await scene.talk()
    for changes, fault in WRONG_RESULTS:
        plain = ("outcome", "reason")
        sent = {name if name in plain else f"{name}_{topic}": value for name, value in changes.items()}
        answer = await scene.browser.post(page, {**sent, "note": "谈了很久"})
        assert (changes, answer.status_code) == (changes, 422)
        assert list(faults(answer)) == [fault if fault in plain else f"{fault}_{topic}"]
        assert "谈了很久" in answer.text
    assert await fetch_value("SELECT count(*) FROM appointment WHERE state = 'held'") == 0


async def test_signing_for_more_than_is_left_keeps_what_was_typed(scene: Scene) -> None:
    await scene.start()
    page, topic = await scene.talk()
    sent = {"outcome": "signed", f"take_{topic}": "1", f"quantity_{topic}": "90000", f"price_{topic}": "3.6"}
    answer = await scene.browser.post(page, sent)
    assert answer.status_code == 409
    assert 'value="90000"' in answer.text
    assert (await fetch_value("SELECT count(*) FROM deal")) == 0


async def test_result_before_the_meeting_begins_is_refused(scene: Scene) -> None:
    await scene.open()
    page, _ = await scene.talk()
    assert "会议开始后才能记录结果" in (await scene.browser.get(page)).text
    answer = await scene.browser.post(page, {"outcome": "sample"})
    assert answer.status_code == 409


async def test_meeting_is_another_towns_neither_to_see_nor_to_move(
    scene: Scene, factory: Factory, browser_of: SignedInAs
) -> None:
    await scene.start()
    talk, _ = await scene.talk()
    stranger = await browser_of(await factory.member(role="official", password=PASSWORD))
    for path in (scene.page, *(f"{scene.page}/{each}" for each in STEPS), talk):
        assert (await stranger.get(path)).status_code == 404
    guest = scene.sellers[0].organisation_id
    for path in ("plan", "publish", "move/close", f"wishes/{guest}/absent", f"attendance/{guest}/check_in"):
        assert (await stranger.post(f"{scene.page}/{path}")).status_code == 404
    assert (await stranger.post(talk, {"outcome": "sample"})).status_code == 404
    assert await fetch_value("SELECT state FROM meeting") == "in_progress"
    secretary = await browser_of(scene.sellers[0])
    assert (await secretary.get(scene.page)).status_code == 403


async def test_meeting_pages_speak_english(scene: Scene) -> None:
    await scene.start()
    talk, _ = await scene.talk()
    steps = [f"{scene.page}/{each}" for each in STEPS]
    for path in ("/town/meetings", "/town/meetings/new", scene.page, *steps, talk):
        page = (await scene.browser.get(f"{path}?lang=en")).text
        words = re.sub(r"<[^>]+>", " ", page[page.index("<main") : page.index("</main>")])
        assert not re.search("会议|洽谈|签到|公斤|吨|邀请", words.replace("东岗对接会", ""))


OpenedAs = Callable[[Member], Awaitable[Browser]]


async def test_invited_seller_answers_and_sees_the_own_day_once_it_is_published(
    scene: Scene, browser_of: OpenedAs
) -> None:
    await scene.open(held_on=(clock.today() + timedelta(days=3)).isoformat())
    number = scene.page.rpartition("/")[2]
    seller = await browser_of(scene.sellers[0])
    listed = (await seller.get("/meetings")).text
    assert f'action="/meetings/{number}/answer/accepted"' in listed
    for _ in range(2):
        answer = await seller.post(f"/meetings/{number}/answer/accepted")
        assert answer.headers["location"] == f"/meetings/{number}"
    states = "SELECT state FROM invitation WHERE organisation = $1"
    assert await fetch_value(states, scene.sellers[0].organisation_id) == "accepted"
    assert (await seller.post(f"/meetings/{number}/answer/never")).status_code == 404
    assert "1 家参加，0 家不来。" in (await scene.browser.get(scene.page)).text

    hidden = (await seller.get(f"/meetings/{number}")).text
    assert ("日程还没有发布" in hidden, hidden.count('<div class="my-when">')) == (True, 0)
    await scene.publish()
    own = await fetch_value(
        "SELECT count(*) FROM appointment WHERE seller = $1", scene.sellers[0].organisation_id
    )
    assert (await seller.get(f"/meetings/{number}")).text.count('<div class="my-when">') == own > 0


async def test_calendar_file_holds_one_event_for_each_talk(scene: Scene, browser_of: OpenedAs) -> None:
    await scene.open()
    number = scene.page.rpartition("/")[2]
    seller = await browser_of(scene.sellers[0])
    file = await seller.get(f"/meetings/{number}/calendar.ics")
    assert file.text.count("BEGIN:VEVENT") == 1  # the meeting: its timetable is not published yet
    await execute("UPDATE meeting SET published_at = now()")
    file = await seller.get(f"/meetings/{number}/calendar.ics")
    lines = file.text.split("\r\n")
    own = await fetch_value(
        "SELECT count(*) FROM appointment WHERE seller = $1", scene.sellers[0].organisation_id
    )
    assert (lines[0], lines.count("BEGIN:VEVENT"), lines[-2:]) == (
        "BEGIN:VCALENDAR",
        own + 1,
        ["END:VCALENDAR", ""],
    )
    assert max(len(line.encode()) for line in lines) <= 75
    slots = [
        row["slot"]
        for row in await fetch(
            "SELECT slot FROM appointment WHERE seller = $1 ORDER BY slot", scene.sellers[0].organisation_id
        )
    ]
    # nine o'clock in China is one in the morning UTC; the pause of an hour comes after the second slot
    minutes = [60 + (slot - 1) * 20 + (60 if slot > 2 else 0) for slot in slots]
    assert [line for line in lines if line.startswith("DTSTART:")][1:] == [
        f"DTSTART:{clock.today():%Y%m%d}T{each // 60:02d}{each % 60:02d}00Z" for each in minutes
    ]


async def test_meeting_is_not_there_for_who_is_not_invited(
    scene: Scene, factory: Factory, browser_of: OpenedAs
) -> None:
    await scene.open()
    number = scene.page.rpartition("/")[2]
    stranger = await browser_of(await factory.member(role="secretary", password=PASSWORD))
    for path in (f"/meetings/{number}", f"/meetings/{number}/calendar.ics"):
        assert (await stranger.get(path)).status_code == 404
    assert (await stranger.post(f"/meetings/{number}/answer/accepted")).status_code == 404
    assert "还没有邀请" in (await stranger.get("/meetings")).text


async def test_official_is_led_to_the_towns_own_page(scene: Scene) -> None:
    await scene.open()
    number = scene.page.rpartition("/")[2]
    assert (await scene.browser.get("/meetings")).headers["location"] == "/town/meetings"
    assert (await scene.browser.get(f"/meetings/{number}")).headers["location"] == scene.page


async def test_answer_comes_too_late_once_the_meeting_is_on(scene: Scene, browser_of: OpenedAs) -> None:
    await scene.start()
    number = scene.page.rpartition("/")[2]
    seller = await browser_of(scene.sellers[0])
    assert "会议已经开始，不用再回复，来了签到就行。" in (await seller.get(f"/meetings/{number}")).text
    assert (await seller.post(f"/meetings/{number}/answer/declined")).status_code == 409
    await execute(
        "UPDATE invitation SET state = 'revoked' WHERE organisation = $1", scene.sellers[0].organisation_id
    )
    assert (await seller.get(f"/meetings/{number}")).status_code == 404


async def test_meeting_is_changed_in_its_own_form_and_planned_anew(scene: Scene) -> None:
    await scene.open()
    blank = await scene.browser.get(f"{scene.page}/edit")
    assert 'value="东岗对接会"' in blank.text
    wrong = await scene.browser.post(f"{scene.page}/edit", form(tables="0", title="改后的会"))
    assert (wrong.status_code, list(faults(wrong))) == (422, ["tables"])
    assert 'value="改后的会"' in wrong.text
    answer = await scene.browser.post(f"{scene.page}/edit", form(tables="5", title="改后的会"))
    assert answer.headers["location"] == scene.page
    assert await Worker().work_once() is True
    assert "改后的会" in (await scene.browser.get(scene.page)).text
    assert await fetch_value("SELECT tables FROM meeting") == 5
    await scene.publish()
    await scene.browser.post(f"{scene.page}/move/start")
    assert (await scene.browser.get(f"{scene.page}/edit")).status_code == 409


async def test_form_that_has_gone_stale_brings_nothing_old_back(scene: Scene) -> None:
    """Two windows: the second still shows the old place, and was opened to change the contact."""
    await scene.open()
    first, second = [
        filled_in((await scene.browser.get(f"{scene.page}/edit")).text, f"{scene.page}/edit")
        for _ in range(2)
    ]
    for sent in (first, second):
        sent.pop("_csrf")
    moved = {"venue": "新会堂", "title": "改名的会", "is_public": "1"}
    assert (await scene.browser.post(f"{scene.page}/edit", {**first, **moved})).status_code == 303
    busy = await scene.browser.post(f"{scene.page}/edit", {**first, **moved, "key": "", "seen": ""})
    assert (busy.status_code, 'value="新会堂"' in busy.text) == (409, True)
    assert await Worker().work_once() is True
    told = "SELECT count(*) FROM notice WHERE kind = 'meeting_revised'"
    before = await fetch_value(told)
    stale = await scene.browser.post(f"{scene.page}/edit", {**second, "contact": "老周", "title": "我改的名"})
    assert stale.status_code == 409
    assert await fetch_value("SELECT venue FROM meeting") == "新会堂"
    assert await fetch_value(told) == before
    # it says what is other now, keeps what was typed, and takes over what was not touched
    words = re.sub(r"<[^>]+>", "", stale.text)
    assert "别人把这一项改成了 新会堂；这里换成了新的" in words
    assert "别人把这一项改成了 改名的会；再保存一次，就按您填的改" in words
    assert set(faults(stale)) == {"venue", "title", "is_public"}
    again = filled_in(stale.text, f"{scene.page}/edit")
    again.pop("_csrf")
    assert (again["venue"], again["contact"], again["title"]) == (["新会堂"], ["老周"], ["我改的名"])
    assert again["is_public"] == ["1"]
    assert (await scene.browser.post(f"{scene.page}/edit", again)).status_code == 303
    row = (await fetch("SELECT venue, contact, title, is_public FROM meeting"))[0]
    assert tuple(row) == ("新会堂", "老周", "我改的名", True)
    assert (await scene.browser.post(f"{scene.page}/edit", {**again, "seen": "rubbish"})).status_code == 422


async def test_last_day_that_has_passed_is_refused_beside_its_field(scene: Scene) -> None:
    yesterday = (clock.today() - timedelta(days=1)).isoformat()
    refused = await scene.browser.post("/town/meetings/new", form(answer_by=yesterday))
    assert (refused.status_code, list(faults(refused))) == (422, ["answer_by"])
    assert "这一天已经过了" in faults(refused)["answer_by"]
    assert f'value="{yesterday}"' in refused.text
    await scene.open()
    refused = await scene.browser.post(f"{scene.page}/edit", form(answer_by=yesterday))
    assert (refused.status_code, list(faults(refused))) == (422, ["answer_by"])
    # one that has passed since does not stand in the way of something else
    await execute("UPDATE meeting SET answer_by = $1", clock.today() - timedelta(days=1))
    kept = await scene.browser.post(f"{scene.page}/edit", form(answer_by=yesterday, contact="老周"))
    assert kept.status_code == 303


async def test_meeting_of_another_town_is_not_found_for_editing(
    scene: Scene, factory: Factory, browser_of: SignedInAs
) -> None:
    await scene.open()
    stranger = await browser_of(await factory.member(role="official", password=PASSWORD))
    assert (await stranger.get(f"{scene.page}/edit")).status_code == 404
    assert (await stranger.post(f"{scene.page}/edit", form())).status_code == 404
