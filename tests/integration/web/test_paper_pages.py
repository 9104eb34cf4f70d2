"""The document centre: what there is, one click to a file, and only what changed a second time."""

import io
import re
import zipfile
from datetime import timedelta
from uuid import uuid4

import pytest
from docx import Document
from PIL import Image
from pypdf import PdfReader

from fixtures.factories import PASSWORD, STORY, Factory
from market import clock
from market.db.jobs import Worker
from market.db.session import execute, fetch, fetch_value
from market.documents import operations
from market.documents.contents import drafts_of
from market.documents.gathering import Fair, fair_of
from market.documents.operations import KEPT
from market.matching.operations import run_now
from market.meetings.queries import meeting_of
from market.upkeep import PERIOD, schedule_upkeep
from tests.integration.web.conftest import Browser, SignedInAs
from tests.integration.web.meeting_scene import Scene


@pytest.fixture
async def scene(factory: Factory, browser_of: SignedInAs) -> Scene:
    """A town with one village and two chains, matched; ``open()`` lays the meeting's timetable."""
    official = await factory.member(role="official", password=PASSWORD)
    seller = await factory.member(role="secretary", town_id=official.organisation_id)
    buyers = [await factory.member(role="buyer", password=PASSWORD) for _ in range(2)]
    await factory.listing(seller, kg=1_000)
    for buyer in buyers:
        await factory.demand(buyer, kg=400)
    await run_now(town_id=official.organisation_id, actor=official.actor, at=STORY)
    return Scene(official, [seller], buyers, await browser_of(official))


def order(kind: str, form: str = "pdf", **further: str) -> dict[str, str]:
    return {"kind": kind, "form": form, "only_changed": "", "key": str(uuid4()), **further}


async def work() -> None:
    """Do what waits, until nothing does."""
    while await Worker().work_once():
        pass


async def printed(scene: Scene, kind: str, form: str = "pdf", **further: str) -> bytes:
    """Order a file, let the worker make it, and fetch it."""
    answer = await scene.browser.post(f"{scene.page}/papers", order(kind, form, **further))
    assert answer.headers["location"] == f"{scene.page}/papers#files"
    await work()
    number = await fetch_value("SELECT max(id) FROM bundle")
    fetched = await scene.browser.get(f"{scene.page}/papers/files/{number}")
    assert fetched.status_code == 200
    return bytes(fetched.content)


def text_of(content: bytes) -> str:
    return re.sub(r"\s", "", "".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages))


async def test_every_kind_is_offered_with_how_many_there_are(scene: Scene) -> None:
    await scene.open()
    page = (await scene.browser.get(f"{scene.page}/papers")).text
    invited = await fetch_value("SELECT count(*) FROM invitation")
    assert re.search(rf"邀请函 <span class=\"shelf-count\">{invited} 份", page)
    assert page.count("没有印过") == 11
    assert "有印不出来的字" not in page


async def test_meeting_without_guests_says_what_to_do(scene: Scene) -> None:
    await scene.open()
    await execute("DELETE FROM topic")
    await execute("DELETE FROM appointment")
    await execute("UPDATE invitation SET state = 'revoked'")
    page = (await scene.browser.get(f"{scene.page}/papers")).text
    assert re.search(r"邀请函</h2>", page)
    answer = await scene.browser.post(f"{scene.page}/papers", order("invitation"))
    assert answer.headers["location"] == f"{scene.page}/papers"
    assert "还没有这类材料可印" in (await scene.browser.get(f"{scene.page}/papers")).text


async def test_all_papers_come_as_one_pdf_with_numbers(scene: Scene) -> None:
    await scene.open()
    read = text_of(await printed(scene, "all"))
    year = await fetch_value("SELECT extract(year FROM held_on)::int FROM meeting")
    number = await fetch_value("SELECT id FROM meeting")
    for row in await fetch("SELECT serial FROM paper"):
        assert row["serial"].startswith(f"对接〔{year}〕{number}号-")
        assert row["serial"] in read
    assert await fetch_value("SELECT count(*) FROM paper WHERE printed_at IS NULL") == 0


async def test_archive_and_word_file_are_made_too(scene: Scene) -> None:
    await scene.open()
    with zipfile.ZipFile(io.BytesIO(await printed(scene, "all", "zip"))) as archive:
        names = archive.namelist()
        calendar = archive.read(next(name for name in names if name.endswith(".ics"))).decode()
    assert "01-邀请函.docx" in names
    timetables = await fetch_value("SELECT count(*) FROM paper WHERE kind = 'timetable'")
    assert sum(name.endswith(".ics") for name in names) == timetables
    assert calendar.startswith("BEGIN:VCALENDAR")
    paper = Document(io.BytesIO(await printed(scene, "invitation", "docx")))
    addressed = [each.text for each in paper.paragraphs if each.text.endswith("：")]
    assert len(addressed) == await fetch_value("SELECT count(*) FROM invitation")


async def test_second_print_holds_only_what_changed_and_keeps_the_number(scene: Scene) -> None:
    await scene.open()
    await printed(scene, "timetable")
    before = {row["subject"]: row["serial"] for row in await fetch("SELECT subject, serial FROM paper")}
    answer = await scene.browser.post(f"{scene.page}/papers", order("timetable", only_changed="1"))
    assert answer.headers["location"] == f"{scene.page}/papers"
    assert "没有变化，不用重印" in (await scene.browser.get(f"{scene.page}/papers")).text

    # one talk goes to another table: two participants have a new day
    talk = (await fetch("SELECT id, seller, buyer FROM appointment ORDER BY id LIMIT 1"))[0]
    await execute("UPDATE appointment SET table_number = 99 WHERE id = $1", talk["id"])
    page = (await scene.browser.get(f"{scene.page}/papers?show=changed")).text
    assert re.search(r"每家日程 <span class=\"shelf-count\">2 份", page)
    read = text_of(await printed(scene, "timetable", only_changed="1"))
    assert read.count("第2版") == 2
    rows = await fetch("SELECT subject, serial, edition FROM paper ORDER BY subject")
    assert {row["subject"]: row["serial"] for row in rows} == before
    assert {row["subject"] for row in rows if row["edition"] == 2} == {
        f"organisation:{talk['seller']}",
        f"organisation:{talk['buyer']}",
    }


async def test_what_could_not_be_bound_still_waits_to_be_printed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.open()
    await printed(scene, "timetable")
    await execute("UPDATE appointment SET table_number = 99 WHERE id = (SELECT min(id) FROM appointment)")
    with monkeypatch.context() as hurried:
        hurried.setattr(operations, "LONGEST", 0.0)
        await scene.browser.post(f"{scene.page}/papers", order("timetable", only_changed="1"))
        await work()
    assert "文件没有做成" in (await scene.browser.get(f"{scene.page}/papers")).text
    read = text_of(await printed(scene, "timetable", only_changed="1"))
    assert (read.count("第2版"), read.count("第3版")) == (2, 0)
    again = await scene.browser.post(f"{scene.page}/papers", order("timetable", only_changed="1"))
    assert again.headers["location"] == f"{scene.page}/papers"


async def test_printed_paper_of_somebody_who_is_out_is_void(scene: Scene) -> None:
    await scene.open()
    await printed(scene, "invitation")
    gone = (await fetch("SELECT id FROM invitation ORDER BY id LIMIT 1"))[0]["id"]
    serial = await fetch_value("SELECT serial FROM paper WHERE subject = $1", f"invitation:{gone}")
    await execute("UPDATE invitation SET state = 'revoked' WHERE id = $1", gone)
    page = (await scene.browser.get(f"{scene.page}/papers")).text
    assert "1 份已印的作废" in page
    assert serial in page


async def test_talk_of_somebody_who_said_no_after_publication_is_on_no_paper(scene: Scene) -> None:
    await scene.open()
    await scene.publish()

    async def fair_now() -> Fair:
        town = scene.official.organisation_id
        return await fair_of(await meeting_of(meeting_id=int(scene.number), organisation_id=town))

    before = await fair_now()
    gone = before.talks[0]
    await execute("UPDATE invitation SET state = 'declined' WHERE organisation = $1", gone.buyer)
    fair = await fair_now()
    assert {each.buyer for each in before.talks} - {each.buyer for each in fair.talks} == {gone.buyer}
    assert gone.buyer_name not in str([each.content for each in drafts_of(fair)])
    await execute("UPDATE appointment SET state = 'accepted', slot = NULL WHERE buyer = $1", gone.buyer)
    assert gone.buyer not in {each.buyer for each in (await fair_now()).talks}
    # who came all the same sits at the table
    await execute("UPDATE invitation SET days_here = '{1}' WHERE organisation = $1", gone.buyer)
    assert len((await fair_now()).talks) == len(before.talks)
    await execute("UPDATE invitation SET state = 'declined' WHERE organisation = $1", gone.seller)
    assert (await fair_now()).lots == []


async def test_same_form_twice_makes_one_file(scene: Scene) -> None:
    await scene.open()
    form = order("badge")
    for _ in range(2):
        answer = await scene.browser.post(f"{scene.page}/papers", form)
        assert answer.status_code == 303
    assert await fetch_value("SELECT count(*) FROM bundle") == 1
    assert await fetch_value("SELECT count(*) FROM job WHERE kind = 'documents.bind'") == 1


async def test_file_in_the_making_is_told_and_asked_for_again(scene: Scene) -> None:
    await scene.open()
    await scene.browser.post(f"{scene.page}/papers", order("badge"))
    page = (await scene.browser.get(f"{scene.page}/papers")).text
    assert 'hx-trigger="every 1s"' in page
    assert "正在生成，0 / " in page
    number = await fetch_value("SELECT id FROM bundle")
    assert (await scene.browser.get(f"{scene.page}/papers/files/{number}")).status_code == 404
    await work()
    page = (await scene.browser.get(f"{scene.page}/papers")).text
    assert 'hx-trigger="every 1s"' not in page
    assert f"/papers/files/{number}" in page


async def test_file_is_deleted_after_a_day_without_another_printing(scene: Scene) -> None:
    await scene.open()
    for kind in ("badge", "table_card"):
        await printed(scene, kind)
    numbers = await fetch("SELECT serial, edition FROM paper ORDER BY id")
    old, young = [row["id"] for row in await fetch("SELECT id FROM bundle ORDER BY id")]
    await execute("UPDATE bundle SET created_at = created_at - $2::interval WHERE id = $1", old, KEPT)
    await execute(
        "UPDATE bundle SET created_at = created_at - $2::interval WHERE id = $1", young, KEPT - PERIOD
    )
    await schedule_upkeep()
    await work()
    assert [row["id"] for row in await fetch("SELECT id FROM bundle")] == [young]
    assert (await scene.browser.get(f"{scene.page}/papers/files/{old}")).status_code == 404
    assert await fetch("SELECT serial, edition FROM paper ORDER BY id") == numbers


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "secrets"},
        {"form": "exe"},
        {"kind": "badge", "form": "docx"},
        {"kind": "all", "form": "docx"},
    ],
)
async def test_what_cannot_be_printed_is_refused(scene: Scene, changes: dict[str, str]) -> None:
    await scene.open()
    answer = await scene.browser.post(f"{scene.page}/papers", {**order("badge"), **changes})
    assert answer.status_code == 422
    assert await fetch_value("SELECT count(*) FROM bundle") == 0


async def test_sign_that_no_font_has_is_warned_of(scene: Scene) -> None:
    await scene.open()
    await execute(
        "UPDATE organisation SET name = '东岗😀超市' WHERE id = $1", scene.buyers[0].organisation_id
    )
    page = (await scene.browser.get(f"{scene.page}/papers")).text
    assert "有印不出来的字" in page
    assert re.search(r"missing-sign\">😀</b> 邀请函 · 东岗😀超市", page)


async def test_sample_shows_paper_and_gives_no_number_out(scene: Scene) -> None:
    await scene.open()
    answer = await scene.browser.get(f"{scene.page}/papers/samples/invitation.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    assert "预览，未编号" in text_of(answer.content)
    assert await fetch_value("SELECT count(*) FROM paper") == 0
    assert (await scene.browser.get(f"{scene.page}/papers/samples/secrets.pdf")).status_code == 404


async def test_meeting_of_two_days_has_a_sign_in_sheet_for_each(scene: Scene) -> None:
    await scene.open(days="2")
    sheet = (await scene.browser.get(f"{scene.page}/papers/samples/sign_in.pdf")).content
    first = clock.today()
    days = [f"{each.month}月{each.day}日" for each in (first, first + timedelta(days=1))]
    pages = [re.sub(r"\s", "", page.extract_text()) for page in PdfReader(io.BytesIO(sheet)).pages]
    assert [sum(f"{day}星期" in page for page in pages) for day in days] == [1, 1]
    assert len(pages) == 2
    await execute("UPDATE meeting SET days = 1")
    sheet = (await scene.browser.get(f"{scene.page}/papers/samples/sign_in.pdf")).content
    assert len(PdfReader(io.BytesIO(sheet)).pages) == 1


async def test_former_address_of_prints_leads_to_the_papers(scene: Scene) -> None:
    await scene.open()
    for what, kind in (("programme", "programme"), ("timetable", "schedule"), ("signin", "sign_in")):
        answer = await scene.browser.get(f"{scene.page}/print?what={what}")
        assert answer.headers["location"] == f"{scene.page}/papers#{kind}"
    assert (await scene.browser.get(f"{scene.page}/print?what=secrets")).status_code == 404


async def test_invited_gets_own_timetable_once_it_is_published(scene: Scene, browser_of: SignedInAs) -> None:
    await scene.open()
    address = scene.page.removeprefix("/town") + "/timetable.pdf"
    buyer = await browser_of(scene.buyers[0])
    await execute("UPDATE meeting SET published_at = NULL")
    assert (await buyer.get(address)).status_code == 404
    await execute("UPDATE meeting SET published_at = now()")
    answer = await buyer.get(address)
    assert answer.headers["content-type"] == "application/pdf"
    (page,) = PdfReader(io.BytesIO(answer.content)).pages
    names = [
        row["name"]
        for row in await fetch(
            """SELECT seller.name FROM appointment JOIN organisation seller ON seller.id = appointment.seller
               WHERE appointment.buyer = $1 AND appointment.state = 'scheduled'""",
            scene.buyers[0].organisation_id,
        )
    ]
    read = re.sub(r"\s", "", page.extract_text())
    assert [name for name in names if name not in read] == []


async def test_posters_are_pictures(scene: Scene, guest: Browser) -> None:
    await scene.open()
    listing = await fetch_value("SELECT min(id) FROM listing")
    for browser, address in (
        (scene.browser, f"{scene.page}/poster.png"),
        (guest, f"/listings/{listing}/poster.png"),
    ):
        answer = await browser.get(address)
        assert Image.open(io.BytesIO(answer.content)).width == 1080
    await execute("UPDATE listing SET state = 'draft' WHERE id = $1", listing)
    assert (await guest.get(f"/listings/{listing}/poster.png")).status_code == 404


async def test_papers_are_another_towns_neither_to_see_nor_to_make(
    scene: Scene, factory: Factory, browser_of: SignedInAs
) -> None:
    await scene.open()
    await printed(scene, "badge")
    number = await fetch_value("SELECT id FROM bundle")
    other = await browser_of(await factory.member(role="official", password=PASSWORD))
    for tail in ("papers", "papers/samples/badge.pdf", f"papers/files/{number}", "poster.png", "print"):
        assert (await other.get(f"{scene.page}/{tail}")).status_code == 404
    assert (await other.post(f"{scene.page}/papers", order("badge"))).status_code == 404
    buyer = await browser_of(scene.buyers[0])
    assert (await buyer.get(f"{scene.page}/papers")).status_code == 403


async def test_page_is_read_in_english(scene: Scene) -> None:
    await scene.open()
    page = (await scene.browser.get(f"{scene.page}/papers?lang=en")).text
    assert "Document centre" in page
    assert "Exhibition cards" in page
