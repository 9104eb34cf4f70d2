"""The papers that an office edits, as Word files: of one kind at a time, each paper on a page of its own."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import segno
from docx.document import Document as Paper

from market.documents import word
from market.documents.papers import Numbered

#: The pitch of a GB/T 9704 letter, 22 lines in 225 mm, and its sizes 2号 and 3号.
_PITCH, _TITLE, _BODY = 28.95, 22, 16
#: What the figures of a letter of intent are: those of the talk, or nobody's word yet.
_SPOKEN = "数量和单价为洽谈中所谈，地头价，不含运费。"
_COUNTED = "意向、待签合同、已签合同分别统计，各计一次，请勿相加。数据取自会务系统，以打印时为准。"
_SUGGESTED = "数量和单价为撮合建议或留空，由双方当面填写、改定；单价为地头价，不含运费。"


def word_file(papers: Sequence[Numbered], *, title: str, origin: str) -> bytes:
    """Return one file of ``papers``, which are all of one kind that has a Word form."""
    kind = papers[0].draft.kind
    paper = word.new_paper(
        title=title, official=kind == "invitation", size=_BODY if kind == "invitation" else 11
    )
    write = _WRITERS[kind]
    for number, each in enumerate(papers):
        if number:
            word.next_page(paper)
        write(paper, each, origin)
    return word.content_of(paper)


def _qr(place: Any, origin: str, link: str, *, width: float) -> None:
    drawn = io.BytesIO()
    segno.make(origin + link, error="m", micro=False).save(drawn, kind="png", scale=8, border=2)
    word.picture(place, drawn.getvalue(), width=width)


def _number(each: Numbered) -> str:
    if not each.serial:
        return "预览，未编号"
    return each.serial + (f"　第 {each.edition} 版" if each.edition > 1 else "")


def _head(paper: Paper, each: Numbered, title: str, under: str = "") -> None:
    meeting = each.draft.content["meeting"]
    word.paragraph(paper, meeting["title"], size=10)
    word.paragraph(paper, title, size=20, family=word.TITLE, align=word.CENTRE, before=4, after=4)
    facts = [under, meeting.get("when", ""), meeting.get("venue", ""), _number(each)]
    word.paragraph(paper, "　".join(filter(None, facts)), size=9.5, align=word.CENTRE, after=8)


def _section(paper: Paper, words: str) -> None:
    word.paragraph(paper, words, size=14, family=word.HEAD, before=10, after=4)


def _invitation(paper: Paper, each: Numbered, origin: str) -> None:
    content = each.draft.content
    word.paragraph(
        paper,
        content["signed"],
        size=30,
        align=word.CENTRE,
        after=4,
        colour=word.RED,
        family=word.TITLE,
    )
    word.paragraph(paper, _number(each), size=12, align=word.RIGHT)
    rule = word.paragraph(paper, size=4, after=12)
    word.ruled(rule, "C8102E")
    word.paragraph(
        paper,
        f"关于邀请参加{content['meeting']['title']}的函",
        size=_TITLE,
        family=word.TITLE,
        align=word.CENTRE,
        after=14,
    )
    word.paragraph(paper, f"{content['addressee']}：", line=_PITCH)
    for words in content["paragraphs"]:
        word.paragraph(paper, words, indent=True, line=_PITCH)
    for name, words in content["facts"]:
        first, *others = words.split("\n")
        place = word.paragraph(paper, indent=True, line=_PITCH)
        word.write(place, f"{name}：", family=word.HEAD)
        word.write(place, first)
        for line in others:
            word.paragraph(paper, line, indent=True, line=_PITCH)
    _qr(word.paragraph(paper, before=14), origin, content["link"], width=30)
    word.paragraph(paper, "（印章）", size=11, align=word.RIGHT)
    word.paragraph(paper, content["signed"], align=word.RIGHT, line=_PITCH)
    word.paragraph(paper, content["dated"], align=word.RIGHT, line=_PITCH)


def _programme(paper: Paper, each: Numbered, _: str) -> None:
    content = each.draft.content
    _head(paper, each, "会议议程")
    for words in content["words"]:
        word.paragraph(paper, words, after=2)
    for day in content["days"]:
        _section(paper, day["day"])
        word.table(paper, ("时间", "内容"), day["rows"], widths=(40, 130))
    if tour := content["tour"]:
        _section(paper, f"田间走访　{tour['day']}")
        word.paragraph(paper, tour["start"], after=4)
        for bus in tour["buses"]:
            if bus["name"]:
                word.paragraph(paper, bus["name"], family=word.HEAD)
            word.table(paper, ("时间", "地点", "看什么"), bus["rows"], widths=(40, 60, 70))
    for side in content["sides"]:
        _section(paper, f"{side['name']}　{len(side['guests'])} 家")
        word.paragraph(paper, "、".join(side["guests"]) + "。", size=10.5)
    for name, words in (("天气预案", content["weather"]), ("会务联系", content["contact"])):
        if words:
            word.paragraph(paper, f"{name}：{words}", before=8)


def _timetable(paper: Paper, each: Numbered, origin: str) -> None:
    content = each.draft.content
    _head(paper, each, content["name"], f"{content['side']}　共 {len(content['rows'])} 场洽谈")
    rows = [
        [
            f"{row['day']} {row['time']}" if content["several"] else row["time"],
            row["table"],
            row["other"],
            "\n".join(f"{topic['title']} {topic['figures']}".strip() for topic in row["topics"]),
            "",
        ]
        for row in content["rows"]
    ]
    word.table(
        paper, ("时间", "桌", "和谁谈", "谈什么", "记一笔"), rows, widths=(28, 12, 45, 60, 25), size=10
    )
    _qr(word.paragraph(paper, before=8), origin, content["link"], width=26)
    word.paragraph(
        paper,
        "扫码在手机上看这份日程，有调整时以手机上的为准，也可加进手机日历。请提前 5 分钟到桌。",
        size=10,
    )
    word.paragraph(paper, "单价为地头价，不含运费；价格和数量是建议，以双方当面谈定为准。", size=10)
    if content["contact"]:
        word.paragraph(paper, f"会务联系：{content['contact']}", size=10)


def _sign_in(paper: Paper, each: Numbered, _: str) -> None:
    _head(paper, each, "签到表")
    head = ("序号", "单位", "身份", "姓名", "职务", "手机", "签字")
    widths = (12, 52, 20, 22, 22, 24, 22)
    for number, day in enumerate(each.draft.content.get("days", [""])):
        if number:
            _head(paper, each, "签到表")
        if day:
            _section(paper, day)
        word.table(paper, head, each.draft.content["rows"], widths=widths, size=10, height=10)


def _press(paper: Paper, each: Numbered, _: str) -> None:
    content = each.draft.content
    _head(paper, each, content["meeting"]["title"], "新闻通稿（事实清单）")
    word.paragraph(paper, content["lead"], indent=True)
    _section(paper, "数据")
    word.table(paper, ("项目", "数"), content["figures"], widths=(60, 110))
    word.paragraph(paper, _COUNTED, size=9.5, before=3)
    if content["goods"]:
        _section(paper, "货源")
        head = ("品类", "批数", "数量（斤）", "数量（吨）", "地头价")
        word.table(paper, head, content["goods"], widths=(40, 18, 40, 32, 40))
    if content["cases"]:
        _section(paper, "案例（供货方自述）")
        for case in content["cases"]:
            word.paragraph(paper, f"{case['title']}（{case['seller']}）", family=word.HEAD, before=4)
            word.paragraph(paper, case["story"], indent=True)
    _section(paper, "采访记录")
    word.paragraph(paper, "本稿不代拟引语。引用任何人的话，请当面采访并请本人核对。", size=9.5, after=40)
    for side in content["sides"]:
        _section(paper, f"{side['name']}　{len(side['guests'])} 家")
        word.paragraph(paper, "、".join(side["guests"]) + "。", size=10)
    if content["contact"]:
        word.paragraph(paper, f"媒体联系：{content['contact']}", before=8)
    if content["invented"]:
        word.paragraph(paper, "稿中含示例数据，不可发布。", family=word.HEAD)


def _intent(paper: Paper, each: Numbered, _: str) -> None:
    content = each.draft.content
    word.paragraph(paper, content["meeting"]["title"], size=10)
    word.paragraph(paper, "采购意向书", size=_TITLE, family=word.TITLE, align=word.CENTRE, before=6, after=4)
    word.paragraph(paper, _number(each), size=10, align=word.RIGHT, after=6)
    for name, (whom, code) in (("供货方", content["seller"]), ("采购方", content["buyer"])):
        word.paragraph(paper, f"{name}：{whom}　信用代码：{code or '＿' * 16}", after=4)
    word.paragraph(
        paper,
        f"双方于{content['day']}在{content['place']}洽谈，就下列货品达成初步意向：",
        indent=True,
        after=4,
    )
    head = ("货品", "数量", "单价（元/斤）", "单价（元/公斤）", "金额")
    word.table(paper, head, content["rows"], widths=(54, 32, 26, 28, 30), size=10)
    word.paragraph(paper, _SPOKEN if content["spoken"] else _SUGGESTED, size=9.5, after=6)
    word.table(paper, ("条款", "约定"), [(term, "") for term in content["terms"]], widths=(34, 136), height=9)
    for number, words in enumerate(content["clauses"], 1):
        word.paragraph(paper, f"{number}. {words}", size=10, before=4)
    word.paragraph(
        paper, "供货方（签字、盖章）：　　　　　　　　　　采购方（签字、盖章）：", before=24, after=28
    )
    word.paragraph(paper, "日期：　　　　年　　月　　日　　　　　　　　日期：　　　　年　　月　　日")


_WRITERS: dict[str, Callable[[Paper, Numbered, str], None]] = {
    "invitation": _invitation,
    "programme": _programme,
    "timetable": _timetable,
    "sign_in": _sign_in,
    "press": _press,
    "intent": _intent,
}
