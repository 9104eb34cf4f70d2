"""The form of a meeting's basic information."""

import re
from datetime import time
from typing import Any

from market import clock
from market.i18n import Message, msg
from market.meanwhile import marks_of
from market.meetings.commands import (
    COLUMNS,
    LONGEST_LINE,
    LONGEST_TEXT,
    LONGEST_TITLE,
    MOST_DAYS,
    MOST_MUSTS,
    MOST_PERSONS,
    MOST_SLOTS,
    MOST_TABLES,
    NewMeeting,
)
from market.meetings.queries import MeetingRow
from market.web.parts import fields
from market.web.parts.changed_meanwhile import SEEN
from market.web.parts.fields import Field
from market.web.parts.forms import Filled, Form
from market.web.parts.trade import KEY, new_key
from market.web.parts.typed import Wrong

#: The parts of the form that are folded, and what is in each.
PARTS: dict[str, tuple[Message, tuple[str, ...]]] = {
    "time": (msg("几天、午休和留空的时段"), ("days", "half_day_after", "pause_minutes", "blocked_slots")),
    "quota": (
        msg("每家谈几场"),
        (
            "most_appointments",
            "most_of_sellers",
            "most_of_buyers",
            "most_of_one_person",
            "most_musts",
            "fairness",
        ),
    ),
    "people": (
        msg("截止日期、联系人和雨天预案"),
        ("answer_by", "wishes_by", "contact", "contact_phone", "capacity", "weather_plan"),
    ),
    "words": (msg("议程和英文"), ("programme", "title_en", "venue_en", "programme_en", "weather_plan_en")),
}
#: Left empty, these are as usual.
_USUAL = ("days", "most_musts")
_RANGE = re.compile(r"(\d{1,3})(?:[-–~至到](\d{1,3}))?")


def slot_numbers(label: Message, *, most: int, hint: Message) -> Field:
    """Numbers of slots as people write them: ``3、7-8``; gives a tuple in order."""

    def parse(typed: str, _: str) -> tuple[int, ...]:
        found: set[int] = set()
        for part in re.split(r"[\s,，、;；]+", typed.strip(" ,，、;；")):
            match = _RANGE.fullmatch(part)
            if not match or not part.replace("至", "").replace("到", "").replace("–", "").isascii():
                raise Wrong(msg("“{part}”看不懂，请写时段的序号，例如 3、7-8。", part=part[:20]))
            first = int(match[1])
            last = int(match[2] or first)
            if not 1 <= first <= last <= most:
                raise Wrong(msg("要在 {least} 到 {most} 之间。", least=1, most=most))
            found.update(range(first, last + 1))
        return tuple(sorted(found))

    return Field(
        kind="text",
        label=label,
        parse=parse,
        write=lambda slots: ("、".join(str(slot) for slot in slots), ""),
        hint=hint,
        optional=True,
        default=(),
        attributes={"maxlength": 200},
    )


def meeting_form(*, is_new: bool = True) -> Form:
    """Return the form of a meeting."""
    not_limited = msg("留空表示不限。")
    return Form(
        title=fields.text(msg("会议名称"), most=LONGEST_TITLE, hint=msg("会印在邀请和桌签上。")),
        held_on=fields.day(msg("日期"), earliest=clock.today() if is_new else None),
        starts_at=fields.clock_time(msg("几点开始")),
        venue=fields.text(msg("地点"), most=LONGEST_LINE),
        slot_minutes=fields.whole(msg("每场洽谈几分钟"), least=5, most=240),
        slots=fields.whole(msg("一天排几个时段"), least=1, most=MOST_SLOTS),
        tables=fields.whole(msg("摆几张桌"), least=1, most=MOST_TABLES),
        invite_media=fields.tick(msg("同时邀请媒体到场")),
        is_public=fields.tick(
            msg("公开会议页面"), hint=msg("没有受邀的单位也能看到时间地点，并报名；由您审核。")
        ),
        days=fields.whole(
            msg("连开几天"), least=1, most=MOST_DAYS, optional=True, hint=msg("每天的时段一样。")
        ),
        half_day_after=fields.whole(
            msg("上午几个时段"), least=1, most=MOST_SLOTS, optional=True, hint=msg("不分上下午就留空。")
        ),
        pause_minutes=fields.whole(msg("午间休息几分钟"), least=0, most=240),
        blocked_slots=slot_numbers(
            msg("不排洽谈的时段"),
            most=MOST_SLOTS * MOST_DAYS,
            hint=msg("用来开幕、参观或合影。写序号，例如 3、7-8；几天的会接着数。"),
        ),
        most_appointments=fields.whole(
            msg("每家最多谈几场"), least=1, most=MOST_SLOTS, optional=True, hint=not_limited
        ),
        most_of_sellers=fields.whole(
            msg("卖方每家最多几场"),
            least=1,
            most=MOST_SLOTS,
            optional=True,
            hint=msg("留空就同上。"),
        ),
        most_of_buyers=fields.whole(
            msg("买方每家最多几场"), least=1, most=MOST_SLOTS, optional=True, hint=msg("留空就同上。")
        ),
        most_of_one_person=fields.whole(
            msg("一人代表几家时最多几场"),
            least=1,
            most=MOST_SLOTS,
            optional=True,
            hint=msg("几家合起来算。留空就不另限。"),
        ),
        most_musts=fields.whole(
            msg("每家可选几个“必见”"), least=0, most=MOST_MUSTS, optional=True, hint=msg("互选时的名额。")
        ),
        fairness=fields.whole(
            msg("各家空档次数最多差几次"), least=0, most=MOST_SLOTS, optional=True, hint=not_limited
        ),
        answer_by=fields.day(msg("最晚哪天回复邀请"), optional=True),
        wishes_by=fields.day(msg("最晚哪天选好想见谁"), optional=True),
        contact=fields.text(msg("会务联系人"), most=LONGEST_LINE, optional=True),
        contact_phone=fields.text(
            msg("联系电话"), most=24, optional=True, hint=msg("印在邀请函上，手机或座机都行。")
        ),
        capacity=fields.whole(msg("场地最多容纳几人"), least=1, most=MOST_PERSONS, optional=True),
        weather_plan=fields.text(msg("下雨或天气不好怎么办"), most=LONGEST_TEXT, lines=True, optional=True),
        programme=fields.text(msg("议程"), most=LONGEST_TEXT, lines=True, optional=True),
        title_en=fields.text(msg("英文名称"), most=LONGEST_LINE, optional=True),
        venue_en=fields.text(msg("英文地点"), most=LONGEST_LINE, optional=True),
        programme_en=fields.text(msg("英文议程"), most=LONGEST_TEXT, lines=True, optional=True),
        weather_plan_en=fields.text(msg("英文雨天预案"), most=LONGEST_TEXT, lines=True, optional=True),
        key=KEY,
        **({} if is_new else {"seen": SEEN}),
    )


def filled_with(form: Form, meeting: NewMeeting | MeetingRow, **further: object) -> Filled:
    """Return the form with what a meeting says standing in it; ``further`` goes above that."""
    values: dict[str, object] = {
        name: getattr(meeting, name) for name in form.fields if hasattr(meeting, name)
    }
    values["starts_at"] = time(meeting.starts_at // 60, meeting.starts_at % 60)
    if "seen" in form.fields:
        values["seen"] = marks_of(meeting, COLUMNS)
    return form.blank(**{**values, "key": new_key(), **further})


def meeting_from(filled: Filled) -> tuple[NewMeeting, str | None]:
    """Return the meeting that a form without faults stands for, and the form's key."""
    values: dict[str, Any] = dict(filled.values)
    key, begins = values.pop("key"), values.pop("starts_at")
    values.pop("seen", None)
    for name in _USUAL:
        if values[name] is None:
            del values[name]
    return NewMeeting(**values, starts_at=begins.hour * 60 + begins.minute), key


def open_parts(filled: Filled) -> set[str]:
    """Return the folded parts in which something is wrong."""
    return {part for part, (_, names) in PARTS.items() if any(filled.error(name) for name in names)}


def notes_on(filled: Filled) -> dict[str, Message]:
    """Return what stands in each folded part, in a few words."""

    def told(*names: str) -> Message:
        given = sum(bool(filled.text(name)) for name in names)
        return msg("已填 {n} 项，共 {all} 项", n=given, all=len(names)) if given else msg("还没有填")

    morning = filled.text("half_day_after")
    pause = filled.text("pause_minutes") or "0"
    return {
        "time": msg("上午 {n} 个时段，午休 {m} 分钟", n=morning, m=pause) if morning else msg("不分上下午"),
        "quota": _quota_told(filled),
        "people": told(*PARTS["people"][1]),
        "words": told(*PARTS["words"][1]),
    }


def _quota_told(filled: Filled) -> Message:
    most, sellers, buyers = (
        filled.text(name) for name in ("most_appointments", "most_of_sellers", "most_of_buyers")
    )
    if sellers and buyers:
        return msg("卖方最多 {n} 场，买方最多 {m} 场", n=sellers, m=buyers)
    if sellers:
        return msg("卖方最多 {n} 场，买方{rest}", n=sellers, rest=_most(most))
    if buyers:
        return msg("买方最多 {n} 场，卖方{rest}", n=buyers, rest=_most(most))
    return msg("每家最多 {n} 场", n=most) if most else msg("不限场数")


def _most(most: str) -> Message:
    return msg("最多 {n} 场", n=most) if most else msg("不限")
