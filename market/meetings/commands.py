"""What can be asked of this room."""

from datetime import date, timedelta

import msgspec

from market.i18n import Message, msg


class NewMeeting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A docking meeting. ``starts_at`` and ``pause_minutes`` in minutes, the former after midnight."""

    title: str
    held_on: date
    venue: str
    title_en: str = ""
    venue_en: str = ""
    programme: str = ""
    programme_en: str = ""
    starts_at: int = 9 * 60
    slot_minutes: int = 20
    slots: int = 10
    tables: int = 20
    half_day_after: int | None = 6
    pause_minutes: int = 60
    #: The most appointments of one participant; None: as many as there are slots.
    most_appointments: int | None = None
    invite_media: bool = True


MOST_SLOTS = 60
MOST_TABLES = 300
LONGEST_TITLE = 80
END_OF_DAY = 24 * 60


def meeting_problems(meeting: NewMeeting, *, today: date) -> dict[str, Message]:
    """Return field -> what is wrong and how to mend it; empty when the meeting can be held."""
    problems: dict[str, Message] = {}
    if not meeting.title.strip():
        problems["title"] = msg("请写会议名称，例如“大黑岗子镇农超对接会”。")
    elif len(meeting.title) > LONGEST_TITLE:
        problems["title"] = msg("标题最多 {most} 个字。", most=LONGEST_TITLE)
    if not meeting.venue.strip():
        problems["venue"] = msg("请写会议地点。")
    if meeting.held_on < today:
        problems["held_on"] = msg("会议日期已过，请选今天或以后的日期。")
    if not 1 <= meeting.slots <= MOST_SLOTS:
        problems["slots"] = msg("时段数须在 1 到 {most} 之间。", most=MOST_SLOTS)
    if not 1 <= meeting.tables <= MOST_TABLES:
        problems["tables"] = msg("桌数须在 1 到 {most} 之间。", most=MOST_TABLES)
    if not 5 <= meeting.slot_minutes <= 240:
        problems["slot_minutes"] = msg("每个时段须在 5 到 240 分钟之间。")
    if meeting.half_day_after is not None and not 0 < meeting.half_day_after < meeting.slots:
        problems["half_day_after"] = msg("上午的时段数须小于总时段数，不分上下午请留空。")
    if not 0 <= meeting.pause_minutes <= 240:
        problems["pause_minutes"] = msg("午间休息须在 0 到 240 分钟之间。")
    if meeting.most_appointments is not None and not 1 <= meeting.most_appointments <= meeting.slots:
        problems["most_appointments"] = msg("每家最多洽谈数须在 1 到时段数之间，不限请留空。")
    last = meeting.starts_at + meeting.slots * meeting.slot_minutes + meeting.pause_minutes
    if not 0 <= meeting.starts_at < END_OF_DAY or last > END_OF_DAY:
        problems["starts_at"] = msg("按这个开始时间和时段数，会议会开过午夜，请改早或减少时段。")
    return problems


#: How far ahead a meeting is usually called.
DAYS_AHEAD = 14


def usual_meeting(*, town: str, town_en: str, today: date) -> NewMeeting:
    """Return the meeting that a town of this name would mostly want: the form starts from it."""
    place = town.removesuffix("人民政府")
    place_en = town_en.removesuffix(" Government")
    return NewMeeting(
        title=f"{place}农超对接会",
        title_en=f"{place_en} docking meeting" if place_en else "",
        held_on=today + timedelta(days=DAYS_AHEAD),
        venue=town,
        venue_en=town_en,
    )


def wishes_closed(*, wishes_by: date | None, published: bool, today: date) -> Message | None:
    """Return why the invited can no longer say whom they want to meet; None while they can.

    Without a last day it is the published timetable that ends it: a wish after it would change nothing.
    """
    if wishes_by is not None and today > wishes_by:
        return msg("互选已于 {day} 截止，要改请联系镇里。", day=wishes_by.isoformat())
    if wishes_by is None and published:
        return msg("日程已发布，互选已经截止，要改请联系镇里。")
    return None


class TopicResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was said of one listing at the table. Grams, and fen per kg at the farm gate."""

    topic_id: int
    quantity: int
    price: int


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an appointment ended: a code of ``rules.OUTCOMES``, with the topics that it is about."""

    outcome: str
    topics: tuple[TopicResult, ...] = ()
    reason: str | None = None
    note: str = ""
