"""Results of talks through the API: asked back, set right, settled."""

import pytest

from fixtures.factories import Factory
from market.db.session import execute, fetch_value
from tests.integration.meetings.day import Day

from .conftest import Caller, People

NOTHING = {"outcome": "none", "reason": "price"}


class Table:
    """The first talk of a meeting that is on, and those at it."""

    def __init__(self, day: Day, topic: int, office: Caller, seller: Caller, buyer: Caller) -> None:
        self.path, self.topic = f"/appointments/{day.talks[0]}", topic
        self.meeting, self.sold_by = f"/meetings/{day.meeting_id}", day.sellers[0].organisation_id
        self.office, self.seller, self.buyer = office, seller, buyer

    def intent(self, quantity: int = 500_000, price: int = 700, **further: object) -> dict[str, object]:
        said = {"topic_id": self.topic, "quantity": quantity, "price": price}
        return {"outcome": "intent", "topics": [said], **further}


@pytest.fixture
async def table(factory: Factory, people: People) -> Table:
    day = await Day(factory).begun()
    topic = await fetch_value("SELECT id FROM topic WHERE appointment = $1", day.talks[0])
    callers = [await people.caller(each) for each in (day.town, day.sellers[0], day.buyers[0])]
    return Table(day, topic, *callers)


async def test_odd_figures_are_asked_back_until_they_are_sure(table: Table) -> None:
    odd = table.intent(49_999_999_500, 7300)
    asked = await table.seller.post(f"{table.path}/outcome", odd)
    assert (asked.status_code, set(asked.json()["fields"])) == (
        422,
        {f"price_{table.topic}", f"quantity_{table.topic}"},
    )
    assert (await table.seller.post(f"{table.path}/outcome", {**odd, "sure": True})).status_code == 200


async def test_other_reason_asks_for_words(table: Table) -> None:
    bare = {"outcome": "none", "reason": "other"}
    refused = await table.office.post(f"{table.path}/outcome", bare)
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["note"])
    assert (
        await table.office.post(f"{table.path}/outcome", {**bare, "note": "老板不同意"})
    ).status_code == 200


async def test_note_that_the_page_takes_is_read_and_sent_back(table: Table) -> None:
    page = {**NOTHING, "note": "字" * 500}
    assert (await table.office.post(f"{table.path}/outcome", page)).status_code == 200
    [said] = (await table.office.get(f"{table.path}/statements")).json()
    right = {**table.intent(), "note": said["note"], "why": "点错了"}
    longer = {**right, "note": said["note"] + "字"}
    refused = await table.office.post(f"{table.path}/correction", longer)
    assert (refused.status_code, list(refused.json()["fields"])) == (422, ["note"])
    assert (await table.office.post(f"{table.path}/correction", right)).status_code == 200


async def test_result_is_set_right_once_and_the_one_before_is_kept(table: Table) -> None:
    await table.seller.post(f"{table.path}/outcome", NOTHING)
    right = table.intent(why="点错了")
    bare = await table.seller.post(f"{table.path}/correction", table.intent())
    assert bare.status_code in (400, 422)
    for _ in range(2):
        done = await table.seller.post(f"{table.path}/correction", right, key="right")
        assert (done.status_code, done.json()) == (200, {"deal_ids": []})
    rows = (await table.buyer.get(f"{table.path}/statements")).json()
    assert [(each["outcome"], each["counts"], each["replaced_at"] is None) for each in rows] == [
        ("none", False, False),
        ("intent", True, True),
    ]
    stale = {**table.intent(400_000), "why": "再改", "seen": rows[0]["id"]}
    assert (await table.seller.post(f"{table.path}/correction", stale)).status_code == 409


async def test_town_settles_records_that_differ(table: Table) -> None:
    await table.seller.post(f"{table.path}/outcome", table.intent())
    await table.buyer.post(f"{table.path}/outcome", NOTHING)
    mine, theirs = (await table.office.get(f"{table.path}/statements")).json()
    assert (mine["counts"], theirs["counts"]) == (True, False)
    chosen = {"statement": theirs["id"]}
    assert (await table.buyer.post(f"{table.path}/settlement", chosen)).status_code == 403
    assert (await table.office.post(f"{table.path}/settlement", chosen)).status_code == 200
    assert (await table.seller.get(table.path)).json()["outcome"] == "none"
    assert (await table.office.post(f"{table.path}/settlement", {"statement": 10**9})).status_code == 409


async def test_town_checks_in_and_takes_back_what_was_a_mistake(table: Table) -> None:
    async def attend(move: str, key: str | None = None) -> tuple[int, str | None]:
        path = f"{table.meeting}/attendance/{table.sold_by}/{move}"
        answer = await table.office.post(path, key=key)
        return answer.status_code, answer.json().get("state")

    assert await attend("undo_no_show") == (409, None)
    assert await attend("mark_no_show") == (200, "no_show")
    assert (await table.office.get(table.path)).json()["missed"] is True
    assert await attend("undo_no_show") == (200, "expected")
    assert [await attend("check_in", "in") for _ in range(2)] == [(200, "checked_in")] * 2
    assert await attend("check_in") == (409, None)
    assert await attend("undo_check_in") == (200, "expected")
    odd = await table.office.post(f"{table.meeting}/attendance/{table.sold_by}/come")
    assert (odd.status_code, "check_in, leave, mark_no_show" in odd.json()["fields"]["move"]) == (422, True)
    own = await table.seller.post(f"{table.meeting}/attendance/{table.sold_by}/check_in")
    assert own.status_code == 403
    await table.office.post(f"{table.meeting}/close", {"sure": True})
    assert await attend("check_in") == (409, None)
    # nobody is sent to start a meeting that is over
    late = await table.office.post(f"{table.path}/start")
    assert (late.status_code, "补记" in late.json()["detail"]) == (409, True)
    # sent again it is told what came of it, whatever has happened since
    assert await attend("check_in", "in") == (200, "checked_in")


async def test_talk_begins_and_ends_and_the_town_takes_a_mistaken_start_back(table: Table) -> None:
    assert (await table.seller.post(f"{table.path}/end")).status_code == 409
    begun = await table.seller.post(f"{table.path}/start")
    again = await table.buyer.post(f"{table.path}/start")
    assert begun.json()["started_at"] is not None
    assert begun.json() == again.json()
    came = "SELECT count(*) FROM invitation WHERE days_here <> '{}'"
    assert await fetch_value(came) == 2
    assert (await table.seller.post(f"{table.path}/undo-start")).status_code == 403
    undone = await table.office.post(f"{table.path}/undo-start")
    assert (undone.json(), await fetch_value(came)) == ({"started_at": None, "ended_at": None}, 0)
    await table.office.post(f"{table.path}/start")
    ended = (await table.office.post(f"{table.path}/end")).json()
    assert ended["started_at"] <= ended["ended_at"]
    await table.buyer.post(f"{table.path}/outcome", NOTHING)
    assert (await table.office.post(f"{table.path}/undo-start")).status_code == 409
    assert (await table.office.post(f"{table.path}/start")).status_code == 409


async def test_times_of_a_talk_are_read_where_it_is_read(table: Table) -> None:
    assert (await table.buyer.get(table.path)).json()["started_at"] is None
    begun = (await table.seller.post(f"{table.path}/start")).json()
    talk = (await table.buyer.get(table.path)).json()
    listed = (await table.office.get(f"{table.meeting}/appointments")).json()[0]
    assert {**begun} == {name: talk[name] for name in ("started_at", "ended_at")}
    assert (listed["started_at"], listed["ended_at"]) == (begun["started_at"], None)
    ended = (await table.buyer.post(f"{table.path}/end")).json()
    assert (await table.office.get(table.path)).json()["ended_at"] == ended["ended_at"] is not None


async def test_note_of_a_talk_is_ones_own_and_asked_back_where_it_was_written_elsewhere(table: Table) -> None:
    path = f"{table.path}/note"
    empty = await table.seller.get(path)
    assert empty.json() == {"text": "", "updated_at": None, "colleagues": []}
    read = {"if-match": empty.headers["etag"]}
    assert (await table.seller.call("POST", path, {"text": " 要小包装 "}, headers=read)).json() == {
        "text": "要小包装"
    }
    stale = await table.seller.call("POST", path, {"text": "要大箱"}, headers=read)
    assert (stale.status_code, stale.json()["changed"]) == (
        412,
        {"text": {"sent": "要大箱", "now": "要小包装"}},
    )
    again = await table.seller.get(path)
    assert (again.json()["text"], again.headers["etag"]) == ("要小包装", stale.headers["etag"])
    # the other side has none, and the town no such address
    assert (await table.buyer.get(path)).json()["text"] == ""
    assert (await table.office.get(path)).status_code == (
        await table.office.post(path, {"text": "x"})
    ).status_code
    assert (await table.office.get(path)).status_code == 404
    assert (await table.seller.post(path, {"text": "字" * 2_001})).status_code in (400, 422)
    assert (await table.seller.post(path, {"text": ""})).status_code == 200
    assert (await table.seller.get(path)).json()["text"] == ""


async def test_follow_up_is_answered_and_set_right_by_whose_answer_it_is(table: Table) -> None:
    await table.office.post(f"{table.path}/outcome", table.intent())
    await table.office.post(f"{table.meeting}/close", {"sure": True})
    first, second, _ = (await table.seller.get(f"{table.meeting}/follow-ups")).json()
    path = f"/follow-ups/{first['id']}/answer"
    assert (await table.seller.post(path, {"level": "agreed"})).status_code == 409
    await execute("UPDATE follow_up SET due_on = '2020-01-01' WHERE days = 30")
    for level in ("no_contact", "useful"):
        done = await table.seller.post(path, {"level": level, "note": "通过电话"})
        assert (done.status_code, done.json()) == (200, {"state": level})
    assert (await table.buyer.post(path, {"level": "agreed"})).status_code == 409
    assert (await table.seller.post(path, {"level": "maybe"})).status_code in (400, 422)
    seen = (await table.buyer.get(f"{table.meeting}/follow-ups")).json()
    assert [(each["level"], each["note"], each["organisation"]) for each in seen[:2]] == [
        ("useful", "通过电话", table.sold_by),
        (None, "", None),
    ]
    assert (await table.office.post(path, {"level": "agreed"})).status_code == 200
    assert (await table.seller.post(path, {"level": "useful"})).status_code == 409
    assert second["days"] == 90
