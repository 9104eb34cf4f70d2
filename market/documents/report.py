"""The town's report on a meeting, as PDF and as a Word file: one content, set twice.

It is in Chinese, as papers are. Every figure is one of ``market.meetings.after.report``; nothing is added
up here.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from market.clock import CHINA
from market.documents import word
from market.documents.figures import both_masses, day, per_jin, plain, span, tonnes
from market.documents.typesetting import pdf
from market.i18n import translate
from market.meetings.after.report import FATES, Count, contract_fen, spoken_fen
from market.meetings.after.report_queries import Report
from market.meetings.rules import FOLLOW_UP_DAYS, FOLLOW_UP_LEVELS, OUTCOMES, SAMPLE, SAMPLE_VERDICTS
from market.units import FEN_PER_YUAN, Fen, yuan

_SIDES = (("buyer", "买方"), ("seller", "卖方"), ("guest", "媒体和来宾"))


class Grid(msgspec.Struct, frozen=True):
    """A table: ``widths`` in millimetres (170 in all), ``numeric`` are places of columns set right."""

    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    widths: tuple[int, ...]
    numeric: tuple[int, ...] = ()
    #: Places of rows that stand out; the others are parts of them.
    strong: tuple[int, ...] = ()


class Section(msgspec.Struct, frozen=True):
    title: str
    words: tuple[str, ...] = ()
    grid: Grid | None = None


def exact(fen: int) -> str:
    """Return money to the fen where there are any: a report is held against the books."""
    return f"{plain(yuan(Fen(fen)), places=2, least=2 if fen % FEN_PER_YUAN else 0)} 元"


def _mass(grams: int) -> str:
    return both_masses(grams) if grams else "–"


def title_of(report: Report) -> str:
    return f"{report.meeting.title}总结报告"


def summary_of(report: Report) -> str:
    """Return the whole in one paragraph."""
    figures, came = report.figures, report.came
    return (
        f"{span(report.meeting)}，{report.meeting.town_name}在{report.meeting.venue}举办{report.meeting.title}。"
        f"到会买方 {came['buyer']} 家、卖方 {came['seller']} 家、媒体和来宾 {came['guest']} 家；"
        f"排定一对一洽谈 {figures.talks} 场，实际洽谈 {figures.held} 场。"
        f"截至 {day(report.at)}，达成意向 {figures.intents.number} 笔、{exact(figures.intents.fen)}；"
        f"双方签字的合同 {figures.contracts.number} 份、{exact(figures.contracts.fen)}；"
        f"买方已验收的发货 {exact(figures.delivered.fen)}；已回款 {exact(figures.paid.fen)}。"
        "四项各算各的，每笔货在每一项里最多算一次。"
    )


def sections_of(report: Report) -> list[Section]:
    """Return what the report says, in its order; a section about nothing says so."""
    return [
        _facts(report),
        _guests(report),
        _results(report),
        _proposals(report),
        _contracts(report),
        _intents(report),
        _stuck(report),
        _samples(report),
        _answers(report),
        _lessons(report),
        _coverage(report),
        _budget(report),
    ]


def _facts(report: Report) -> Section:
    meeting, figures = report.meeting, report.figures
    outcomes = [
        f"{translate(label, 'zh')} {figures.outcomes[code]} 场"
        for code, label in OUTCOMES.items()
        if figures.outcomes.get(code)
    ]
    rows = [
        ("主办", meeting.town_name),
        ("时间", span(meeting)),
        ("地点", meeting.venue),
        ("安排", f"{meeting.all_slots} 个时段，每个 {meeting.slot_minutes} 分钟，{meeting.tables} 张洽谈桌"),
        ("依据", f"第 {meeting.run} 号撮合的建议" if meeting.run else "没有依据撮合结果"),
        (
            "洽谈",
            f"排定 {figures.talks} 场，谈了 {figures.held} 场，没到场 {figures.missed} 场"
            + (f"，还没有记录 {figures.waiting} 场" if figures.waiting else ""),
        ),
        ("洽谈结果", "，".join(outcomes) or "还没有"),
    ]
    return Section("基本情况", grid=Grid(("项目", "内容"), rows, (30, 140)))


def _guests(report: Report) -> Section:
    accepted = Counter(each.side for each in report.guests if each.state == "accepted")
    rows = [
        (name, str(report.invited[side]), str(accepted[side]), str(report.came[side]))
        for side, name in _SIDES
    ]
    words = []
    for side, name in _SIDES:
        there = [each.name for each in report.guests if each.side == side and each.days_here]
        if there:
            words.append(f"到会{name}：{'、'.join(there)}。")
    if report.meeting.days > 1:
        for number, came in enumerate(report.came_by_day):
            on = day(report.meeting.held_on + timedelta(days=number))
            sides = "、".join(f"{name} {came[side]} 家" for side, name in _SIDES)
            words.append(f"第 {number + 1} 天（{on}）到会：{sides}。")
    return Section(
        "参会情况",
        tuple(words) or ("没有签到记录。",),
        Grid(("", "邀请（家）", "接受（家）", "到会（家）"), rows, (50, 40, 40, 40), (1, 2, 3)),
    )


def _row(name: str, count: Count, *, mass: bool = True) -> tuple[str, ...]:
    return (name, str(count.number), _mass(count.grams) if mass else "–", exact(count.fen))


def _results(report: Report) -> Section:
    figures = report.figures
    undelivered = sum(line.is_signed and not line.is_delivered for line in report.lines)
    owed = sum(line.is_owed for line in report.lines)
    rows = [
        _row("意向（合计）", figures.intents),
        _row("　其中已签合同", figures.intents_signed),
        _row("　其中合同待签字", figures.intents_unsigned),
        _row("　其中合同取消或终止", figures.intents_gone),
        _row("　其中还是意向", figures.intents_open),
        _row("　其中后来另有结果", figures.intents_passed),
        _row("合同（双方已签）", figures.contracts),
        _row("　其中出自引擎建议", figures.contracts_of_matches),
        _row("发货（买方已验收）", figures.delivered),
        ("　合同里还没发的", str(undelivered), _mass(figures.undelivered_grams), exact(figures.untaken_fen)),
        _row("回款", figures.paid, mass=False),
        ("　已验收还欠的", str(owed), "–", exact(figures.owed)),
    ]
    words = [
        "意向按会上说的数量和价格计，合同、发货、回款按合同和单据计；签了合同、后来没谈成或又谈了的意向不再算“还是意向”。"
    ]
    if figures.under_way:
        words.append(f"另有 {both_masses(figures.under_way)} 在路上，还没有验收，不计入发货。")
    if figures.received.beforehand:
        words.append(f"回款里有定金和预付款 {exact(figures.received.beforehand)}。")
    if figures.gone.number:
        words.append(
            f"取消或终止的合同 {figures.gone.number} 份"
            f"（{_mass(figures.gone.grams)}，{exact(figures.gone.fen)}）不计入合同、发货和回款。"
        )
    return Section(
        "成果：意向、合同、发货、回款",
        tuple(words),
        Grid(("阶段", "笔数", "数量", "金额"), rows, (50, 20, 60, 40), (1, 2, 3), (0, 6, 8, 10)),
    )


def _proposals(report: Report) -> Section:
    figures = report.figures
    if not figures.proposed.number:
        return Section("和撮合建议相比", ("这场会没有依据撮合结果，没有可比的建议。",))
    rows = [
        (translate(label, "zh"), str(count.number), _mass(count.grams), exact(count.fen), exact(count.worth))
        for fate, label in FATES.items()
        if (count := figures.fates[fate]).number
    ]
    proposed = figures.proposed
    rows.append(
        ("合计", str(proposed.number), _mass(proposed.grams), exact(proposed.fen), exact(proposed.worth))
    )
    beyond = figures.contracts.grams - figures.contracts_of_matches.grams
    words = [
        f"建议的增收空间（买方最高出价减去卖方要价和运费）共 {exact(proposed.worth)}，"
        f"已签合同实现 {exact(figures.worth_realised)}。"
    ]
    if beyond > 0:
        words.append(f"建议以外还签了 {both_masses(beyond)}。")
    return Section(
        "和撮合建议相比",
        tuple(words),
        Grid(
            ("结果", "条数", "建议数量", "按建议价", "增收空间"),
            rows,
            (46, 14, 50, 32, 28),
            (1, 2, 3, 4),
            (len(rows) - 1,),
        ),
    )


def _contracts(report: Report) -> Section:
    rows = [
        (
            line.deal_number or "",
            line.title,
            line.seller_name,
            line.buyer_name,
            tonnes(line.stands),
            exact(contract_fen(line)),
            tonnes(line.delivered) if line.delivered else "–",
            exact(line.paid) if line.paid else "–",
        )
        for line in report.lines
        if line.is_signed
    ]
    if not rows:
        return Section("合同清单", ("还没有双方签字的合同。",))
    head = ("编号", "货", "卖方", "买方", "数量", "金额", "已验收", "已回款")
    return Section("合同清单", (), Grid(head, rows, (29, 26, 25, 21, 15, 21, 13, 20), (4, 5, 6, 7)))


def _intents(report: Report) -> Section:
    rows = [
        (
            line.title,
            line.seller_name,
            line.buyer_name,
            both_masses(line.spoken[0]),
            per_jin(line.spoken[1]),
            exact(spoken_fen(line)),
        )
        for line in report.lines
        if line.is_open_intent
    ]
    if not rows:
        return Section("还没有签合同的意向", ("没有。",))
    head = ("货", "卖方", "买方", "数量", "单价", "金额")
    return Section("还没有签合同的意向", (), Grid(head, rows, (34, 34, 30, 34, 18, 20), (3, 4, 5)))


def _stuck(report: Report) -> Section:
    rows = [
        (
            lot.title,
            lot.seller_name,
            both_masses(lot.left),
            "、".join(lot.reasons_zh) or "没有记录",
            translate(lot.change, "zh") if lot.change else "–",
        )
        for lot in report.stuck
    ]
    if not rows:
        return Section("还没卖掉的货", ("到会各家的货都已有着落。",))
    left = both_masses(sum(lot.left for lot in report.stuck))
    words = (f"到会各家还有 {len(rows)} 批货没有全部卖掉，共 {left}。",)
    head = ("货", "卖方", "还剩", "会上没谈成的原因", "能改的一步")
    return Section("还没卖掉的货", words, Grid(head, rows, (32, 32, 34, 30, 42), (2,)))


def _samples(report: Report) -> Section:
    if not report.samples:
        return Section("样品", ("没有人要样品。",))
    states = Counter(each.state for each in report.samples)
    told = "，".join(
        f"{translate(SAMPLE.label(state), 'zh')} {states[state]} 件"
        for state in SAMPLE.labels
        if states[state]
    )
    rows = [
        (
            each.title,
            each.seller_name,
            each.buyer_name,
            translate(SAMPLE.label(each.state), "zh"),
            translate(SAMPLE_VERDICTS[each.verdict], "zh") if each.verdict else "–",
            each.note or "–",
        )
        for each in report.samples
    ]
    head = ("样品", "卖方", "买方", "进展", "反馈", "说明")
    return Section("样品", (f"共 {len(rows)} 件：{told}。",), Grid(head, rows, (36, 34, 30, 18, 24, 28)))


def _answers(report: Report) -> Section:
    if not report.follow_ups:
        return Section("回访", ("结束会议后，谈过的每一场在 30、90、180 天各回访一次；现在还没有开始。",))
    rows, today = [], report.at.astimezone(CHINA).date()
    for days in FOLLOW_UP_DAYS:
        of_round = [row for row in report.follow_ups if row.days == days]
        levels = Counter(row.level for row in of_round)
        due = min((row.due_on for row in of_round), default=None)
        rows.append(
            (
                f"{days} 天" + (f"（{day(due)}）" if due else ""),
                str(len(of_round)),
                *(str(levels[level]) for level in FOLLOW_UP_LEVELS),
                # who is not asked yet owes no answer
                str(levels[None]) if due is None or due <= today else "未到期",
            )
        )
    head = ("会后", "应答", *(translate(label, "zh") for label in FOLLOW_UP_LEVELS.values()), "没有回答")
    return Section("回访", (), Grid(head, rows, (50, 16, 20, 30, 18, 18, 18), (1, 2, 3, 4, 5, 6)))


def _lessons(report: Report) -> Section:
    lessons = report.lessons
    words = []
    if lessons.reasons:
        told = "，".join(f"{each.zh} {each.number} 场" for each in lessons.reasons)
        words.append(f"没谈成的原因：{told}。会议结束后，这些对子下次撮合不再建议。")
    if lessons.verdicts:
        told = "，".join(
            f"{translate(label, 'zh')} {lessons.verdicts[code]} 件"
            for code, label in SAMPLE_VERDICTS.items()
            if lessons.verdicts.get(code)
        )
        words.append(f"样品反馈：{told}。")
    if lessons.scores:
        words.append(
            f"双方评价 {lessons.scores} 份，平均 {lessons.score_tenths / 10:.1f} 分（满分 5 分）；"
            f"{lessons.not_again} 对里至少一方表示不必再见，其中 {lessons.both_not_again} 对双方都这么说。"
        )
    return Section("经验", tuple(words) or ("还没有记录到原因和评价。",))


def _coverage(report: Report) -> Section:
    rows = [(day(each.published_on), each.outlet, each.title, each.url or "–") for each in report.coverage]
    if not rows:
        return Section("媒体报道", ("还没有记录报道。",))
    return Section(
        "媒体报道",
        (f"共 {len(rows)} 篇。",),
        Grid(("日期", "媒体", "标题", "链接"), rows, (32, 28, 56, 54)),
    )


def _budget(report: Report) -> Section:
    if not report.budget:
        return Section("经费", ("没有列预算。",))
    rows = [
        (line.name, exact(line.planned), exact(line.spent) if line.spent is not None else "–")
        for line in report.budget
    ]
    rows.append(("合计", exact(report.planned_fen), exact(report.spent_fen)))
    return Section(
        "经费",
        (),
        Grid(("用途", "预算", "支出"), rows, (80, 45, 45), (1, 2), (len(rows) - 1,)),
    )


def report_pdf(report: Report) -> bytes:
    """Return the report as PDF."""
    figures = report.figures
    stages = [
        ("撮合建议", figures.proposed.grams),
        ("意向", figures.intents.grams),
        ("合同", figures.contracts.grams),
        ("发货", figures.delivered.grams),
    ]
    most = max(grams for _, grams in stages) or 1
    data: dict[str, Any] = {
        "title": title_of(report),
        "town": report.meeting.town_name,
        "dated": day(report.at),
        "summary": summary_of(report),
        "tiles": [
            (name, exact(count.fen), _mass(count.grams) if count.grams else f"{count.number} 笔")
            for name, count in (
                ("意向", figures.intents),
                ("合同", figures.contracts),
                ("发货", figures.delivered),
                ("回款", figures.paid),
            )
        ],
        "bars": [(name, tonnes(grams), grams / most) for name, grams in stages] if most > 1 else [],
        "sections": sections_of(report),
    }
    return pdf("report", data)


def report_word(report: Report) -> bytes:
    """Return the report as a Word file, for the office to go on writing in."""
    paper = word.new_paper(title=title_of(report), size=12)
    word.paragraph(paper, title_of(report), size=22, family=word.TITLE, align=word.CENTRE, before=12, after=8)
    word.paragraph(
        paper, f"{report.meeting.town_name}　截至 {day(report.at)}", align=word.CENTRE, size=12, after=14
    )
    word.paragraph(paper, summary_of(report), indent=True, line=26, after=6)
    for number, section in enumerate(sections_of(report)):
        word.paragraph(
            paper,
            f"{_numeral(number + 1)}、{section.title}",
            size=14,
            family=word.HEAD,
            before=12,
            after=4,
        )
        for words in section.words:
            word.paragraph(paper, words, indent=True, line=24, after=2)
        if section.grid is not None:
            _table(paper, section.grid)
    word.paragraph(paper, report.meeting.town_name, align=word.RIGHT, before=24)
    word.paragraph(paper, day(report.at), align=word.RIGHT)
    return word.content_of(paper)


def _table(paper: Any, grid: Grid) -> None:
    made = word.table(paper, grid.head, grid.rows, widths=grid.widths, size=9)
    for row in made.rows:
        for place in grid.numeric:
            row.cells[place].paragraphs[0].alignment = word.RIGHT
    for place in grid.strong:
        for cell in made.rows[place + 1].cells:
            for run in cell.paragraphs[0].runs:
                run.bold = True


_DIGITS: Sequence[str] = "一二三四五六七八九十"


def _numeral(number: int) -> str:
    """Return 1 to 19 as a Chinese paper counts its parts."""
    return _DIGITS[number - 1] if number <= 10 else f"十{_DIGITS[number - 11]}"
