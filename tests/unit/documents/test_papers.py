"""Each paper: what went in is what can be read on it, on as many pages as there should be."""

import io
import re
from datetime import date

import msgspec
import pytest
from PIL import Image
from pypdf import PdfReader

from fixtures.paper_fairs import HARD_NAMES, meeting_row, paper_fair, photos
from market.documents.binding import bound, missing_of, poster
from market.documents.cards import lot_content, poster_content
from market.documents.contents import drafts_of
from market.documents.papers import KINDS, Draft, Numbered
from market.meetings.route.seats import seating

ORIGIN = "https://tiantou.example"
FAIR = paper_fair()
DRAFTS = drafts_of(FAIR)


def of_kind(kind: str) -> list[Numbered]:
    return [
        Numbered(draft, f"对接〔2026〕12号-{KINDS[kind].sign}-{n:04d}")
        for n, draft in enumerate((each for each in DRAFTS if each.kind == kind), 1)
    ]


def pages(papers: list[Numbered], **further: object) -> list[str]:
    """Return the text of every page without the spaces and breaks of the layout."""
    made = bound(papers, title="材料", origin=ORIGIN, **further)  # type: ignore[arg-type]
    return [squeezed(page.extract_text()) for page in PdfReader(io.BytesIO(made)).pages]


def squeezed(text: str) -> str:
    return re.sub(r"[\s\u200b]", "", text)


def texts(content: object) -> list[str]:
    """Return every text of a paper's content."""
    if isinstance(content, str):
        return [content]
    if isinstance(content, dict):
        return [text for value in content.values() for text in texts(value)]
    if isinstance(content, (list, tuple)):
        return [text for value in content for text in texts(value)]
    return []


#: Parts of a content that are for the machine: addresses, the picture's hash, codes of sides.
MACHINE = {"link", "picture", "side", "town", "produce"}


@pytest.mark.parametrize("kind", ["programme", "press", "schedule", "sign_in"])
def test_list_tells_all_that_it_was_given(kind: str) -> None:
    (paper,) = of_kind(kind)
    read = "".join(pages([paper]))
    content = {name: value for name, value in paper.draft.content.items() if name not in MACHINE}
    if kind == "press":
        content["meeting"] = {}
    missing = [text for text in texts(content) if squeezed(text) not in read]
    assert missing == []
    assert squeezed(paper.serial) in read


@pytest.mark.parametrize("kind", ["invitation", "timetable", "table_card", "name_card", "lot_card", "intent"])
def test_paper_of_its_own_is_one_page_each_with_name_and_number(kind: str) -> None:
    papers = of_kind(kind)[:12]
    read = pages(papers, photos=photos(FAIR.lots))
    assert len(read) == len(papers)
    for page, paper in zip(read, papers, strict=True):
        content = paper.draft.content
        expected = {
            "invitation": ["addressee", "signed", "dated"],
            "timetable": ["name"],
            "table_card": ["number"],
            "name_card": ["name", "organisation"],
            "lot_card": ["title", "seller", "price_jin", "price_kg"],
            "intent": ["day", "place"],
        }[kind]
        assert [squeezed(content[name]) in page for name in expected] == [True] * len(expected)
        assert squeezed(paper.serial) in page


def test_timetable_tells_time_table_partner_and_both_units() -> None:
    paper = of_kind("timetable")[0]
    (page,) = pages([paper])
    rows = paper.draft.content["rows"]
    assert len(rows) == 16
    for row in rows:
        assert row["time"] + row["table"] + squeezed(row["other"]) in page
        for topic in row["topics"]:
            assert squeezed(topic["figures"]) in page


def test_badges_are_eight_to_a_sheet_and_say_their_code() -> None:
    papers = of_kind("badge")
    read = pages(papers)
    assert len(read) == -(-len(papers) // 8)
    for number, paper in enumerate(papers):
        content = paper.draft.content
        page = read[number // 8]
        assert squeezed(content["organisation"]) in page
        assert content["code"] in page
        assert content["link"] == (f"/checkin/{content['code']}" if content["code"] else "")


def test_firm_without_names_gets_one_blank_badge() -> None:
    named = {person.organisation for person in FAIR.persons}
    blank = [each.draft for each in of_kind("badge") if not each.draft.content["name"]]
    silent = [guest for guest in FAIR.guests if guest.organisation not in named]
    assert [draft.subject for draft in blank] == [f"organisation:{guest.organisation}" for guest in silent]
    assert blank[0].content["code"] == ""


def test_all_papers_in_one_file_stand_in_the_order_of_their_kinds() -> None:
    papers = [Numbered(draft, f"{KINDS[draft.kind].sign}{n}") for n, draft in enumerate(DRAFTS)]
    told: list[int] = []
    made = bound(papers[::-1], title="全部", origin=ORIGIN, photos=photos(FAIR.lots), tell=told.append)
    reader = PdfReader(io.BytesIO(made))
    read = [squeezed(page.extract_text()) for page in reader.pages]
    marks = [
        "的函",
        "会议议程",
        "总日程",
        "洽谈日程",
        "号桌",
        "签到表",
        "扫码看详情和出价",
        "新闻通稿",
        "采购意向书",
    ]
    first = [next(n for n, page in enumerate(read) if mark in page) for mark in marks if mark != "新闻通稿"]
    assert first == sorted(first)
    assert told == sorted(told)
    assert told[-1] == len(papers)
    assert reader.metadata is not None
    assert reader.metadata.title == "全部"


def test_hash_changes_with_what_is_printed_and_not_with_what_is_not() -> None:
    def hashes(kind: str, **changes: object) -> list[str]:
        fair = msgspec.structs.replace(FAIR, meeting=meeting_row(slots=16, tables=6, **changes))
        return [draft.content_hash for draft in drafts_of(fair, (kind,))]

    assert hashes("programme") == hashes("programme")
    assert hashes("programme") != hashes("programme", venue="别处")
    assert hashes("badge") == hashes("badge", venue="别处")
    assert hashes("badge") != hashes("badge", title="别的会")


def test_subjects_are_the_same_after_planning_anew() -> None:
    again = [
        msgspec.structs.replace(talk, id=talk.id + 1000, slot=17 - (talk.slot or 1)) for talk in FAIR.talks
    ]
    drafts = drafts_of(msgspec.structs.replace(FAIR, talks=again))
    assert {(each.kind, each.subject) for each in drafts} == {(each.kind, each.subject) for each in DRAFTS}
    assert len({(each.kind, each.subject) for each in DRAFTS}) == len(DRAFTS)


def test_intent_is_blank_where_nothing_is_known_and_filled_with_what_was_said() -> None:
    talk = FAIR.talks[0]
    topic = msgspec.structs.replace(
        talk.topics[0], proposed=None, proposed_price=None, intent_quantity=None, intent_price=None
    )
    said = msgspec.structs.replace(topic, intent_quantity=12_500_000, intent_price=170)

    def row(chosen: object) -> tuple[list[str], bool]:
        fair = msgspec.structs.replace(
            FAIR, talks=[msgspec.structs.replace(talk, state="held", topics=[chosen])]
        )
        (draft,) = drafts_of(fair, ("intent",))
        return draft.content["rows"][0], draft.content["spoken"]

    assert row(topic) == ([topic.title, "", "", "", ""], False)
    assert row(said) == (
        [topic.title, "25,000 斤\n12.5 吨", "0.85 元/斤", "1.70 元/公斤", "21,250.00 元"],
        True,
    )


def test_intent_says_that_it_is_no_contract_and_the_government_no_party() -> None:
    (page,) = pages(of_kind("intent")[:1])
    assert "不是合同，不产生交货、付款、定金或违约责任" in page
    assert "不是本意向书或将来合同的一方，不作担保" in page


def test_press_counts_intents_and_contracts_apart_and_invents_no_quote() -> None:
    talks = [
        msgspec.structs.replace(talk, state="held", outcome="intent" if n < 3 else "none")
        for n, talk in enumerate(FAIR.talks[:5])
    ]
    (draft,) = drafts_of(msgspec.structs.replace(FAIR, talks=talks), ("press",))
    figures = dict(draft.content["figures"])
    assert figures["已洽谈"] == "5 场"
    assert figures["达成意向"] == "3 场"
    assert figures["合同，双方已签"] == "0 份"
    (first, *_) = pages([Numbered(draft, "新1")])
    assert "本稿不代拟引语" in first


def test_programme_shows_pause_blocked_slot_and_every_day() -> None:
    meeting = meeting_row(slots=16, tables=6, days=2, blocked_slots=[2])
    (draft,) = drafts_of(msgspec.structs.replace(FAIR, meeting=meeting), ("programme",))
    first, second = draft.content["days"]
    assert first["day"] == "2026年12月5日（星期六）"
    assert ["09:20–09:40", "会场活动，不安排洽谈"] in first["rows"]
    assert ["11:40–12:40", "午休"] in first["rows"]
    assert second["rows"] == [["11:40–12:40", "午休"]]


def test_hard_names_are_read_back_whole() -> None:
    papers = [each for each in of_kind("name_card") if each.draft.content["organisation"] in HARD_NAMES]
    found = {name for page in pages(papers) for name in HARD_NAMES if page.count(squeezed(name)) == 2}
    assert found == set(HARD_NAMES)


def test_what_no_font_draws_is_told_with_its_paper() -> None:
    drafts = [
        Draft("badge", "a", "李😀", {"name": "李😀", "rows": [["🍎果"]]}),
        Draft("badge", "b", "王", {"name": "王"}),
    ]
    assert [(draft.label, text, signs) for draft, text, signs in missing_of(drafts)] == [
        ("李😀", "李😀", "😀"),
        ("李😀", "🍎果", "🍎"),
    ]
    assert missing_of(DRAFTS) == []


def test_paper_with_rubbish_in_every_text_is_still_set() -> None:
    rubbish = '#panic("x")$\\"\'`<>@*_[]{}//\u200f\u0007😀' * 20
    guest = msgspec.structs.replace(FAIR.guests[0], name=rubbish)
    meeting = meeting_row(
        slots=16, tables=6, title=rubbish, venue=rubbish, weather_plan=rubbish, contact=rubbish
    )
    fair = msgspec.structs.replace(FAIR, meeting=meeting, guests=[guest, *FAIR.guests[1:]])
    drafts = [each for kind in KINDS for each in drafts_of(fair, (kind,))[:2]]
    made = bound([Numbered(each) for each in drafts], title=rubbish, origin=ORIGIN)
    assert len(PdfReader(io.BytesIO(made)).pages) >= len(drafts) - 1


def test_paper_without_number_says_that_it_is_a_preview() -> None:
    assert "预览，未编号" in pages([Numbered(DRAFTS[0])])[0]


def test_later_edition_is_printed_beside_the_number() -> None:
    assert "邀-0001第2版" in pages([Numbered(DRAFTS[0], "邀-0001", 2)])[0]


@pytest.mark.parametrize("is_public", [True, False])
def test_poster_is_1080_pixels_wide(is_public: bool) -> None:
    content = poster_content(msgspec.structs.replace(FAIR, meeting=meeting_row(is_public=is_public)))
    assert content["link"] == ("/m/12" if is_public else "")
    drawn = Image.open(io.BytesIO(poster("poster", content, origin=ORIGIN)))
    assert (drawn.format, drawn.width) == ("PNG", 1080)
    assert drawn.height > 900


def test_poster_of_a_batch_shows_its_photo() -> None:
    lot = FAIR.lots[1]
    drawn = Image.open(
        io.BytesIO(poster("lot_poster", lot_content(lot), origin=ORIGIN, photos=photos([lot])))
    )
    assert drawn.width == 1080
    sky = drawn.convert("RGB").getpixel((540, 100))
    assert isinstance(sky, tuple)
    assert sky[2] > sky[0]


@pytest.mark.parametrize(
    ("starts_at", "half", "words"),
    [(450, 5, ["09:10–10:10", "休息"]), (540, 8, ["11:40–12:40", "午休"]), (840, 4, ["15:20–16:20", "休息"])],
)
def test_pause_is_for_lunch_around_noon_alone(starts_at: int, half: int, words: list[str]) -> None:
    fair = paper_fair(slots=10)
    fair = msgspec.structs.replace(
        fair, meeting=meeting_row(slots=10, starts_at=starts_at, half_day_after=half)
    )
    [draft] = drafts_of(fair, ("programme",))
    assert [row for row in draft.content["days"][0]["rows"] if row[1] in ("休息", "午休")] == [words]


def test_programme_tells_how_many_buses_drive_each_line() -> None:
    fair = paper_fair()
    assert fair.tour is not None
    stops = [msgspec.structs.replace(stop, bus=1 + n % 2) for n, stop in enumerate(fair.tour.stops)]
    told = []
    for riders in (0, 50):
        found = seating(lines=2, buses=3, seats=19, riders=riders)
        tour = msgspec.structs.replace(fair.tour, stops=stops, seating=found)
        [draft] = drafts_of(msgspec.structs.replace(fair, tour=tour), ("programme",))
        told.append(
            [
                draft.content["tour"]["start"].rpartition("，共 ")[2],
                *(b["name"] for b in draft.content["tour"]["buses"]),
            ]
        )
    assert told == [
        ["2 辆车，每辆 19 座", "1 号车", "2 号车"],
        ["3 辆车，每辆 19 座", "1 号车（2 辆同行）", "2 号车"],
    ]


def test_letters_of_a_meeting_of_several_days_name_its_last_one() -> None:
    fair = paper_fair()
    fair = msgspec.structs.replace(fair, meeting=meeting_row(days=2, held_on=date(2026, 11, 30)))
    letter = drafts_of(fair, ("invitation",))[0].content
    assert "定于2026年11月30日至12月1日在" in letter["paragraphs"][0]
    assert ["时间", "2026年11月30日至12月1日，每天 09:00–15:20"] in letter["facts"]
    [press] = drafts_of(fair, ("press",))
    assert press.content["lead"].startswith("2026年11月30日至12月1日，")
