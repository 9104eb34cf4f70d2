"""What can be asked of this room."""

import re
from collections.abc import Container
from datetime import date, timedelta

import msgspec

from market.i18n import Message, msg, on_day


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
    #: Days in a row, each with the same slots; these are numbered through all of them.
    days: int = 1
    #: Slots with something else than talks.
    blocked_slots: tuple[int, ...] = ()
    #: The most appointments of one side alone; None: as ``most_appointments`` says.
    most_of_sellers: int | None = None
    most_of_buyers: int | None = None
    #: The most of a person who comes for several participants, all of these together; None: any.
    most_of_one_person: int | None = None
    most_musts: int = 3
    #: The most that two participants' numbers of breaks may differ; None: any.
    fairness: int | None = 2
    #: Persons that the venue holds.
    capacity: int | None = None
    weather_plan: str = ""
    weather_plan_en: str = ""
    contact: str = ""
    contact_phone: str = ""
    #: The last days for answering the invitation, and for wishes.
    answer_by: date | None = None
    wishes_by: date | None = None
    is_public: bool = False

    @property
    def all_slots(self) -> int:
        """Return the number of slots of all days."""
        return self.slots * self.days


MOST_SLOTS = 60
MOST_TABLES = 300
MOST_DAYS = 10
MOST_MUSTS = 20
MOST_PERSONS = 100_000
LONGEST_TITLE = 80
LONGEST_LINE = 120
LONGEST_TEXT = 2_000
#: A mobile or a landline with its area code and extension, written as people do.
_TELEPHONE = re.compile(r"\+?[0-9][0-9 ()-]{4,22}[0-9]")
END_OF_DAY = 24 * 60


def meeting_problems(
    meeting: NewMeeting, *, today: date, unchanged: Container[str] = ()
) -> dict[str, Message]:
    """Return field -> what is wrong and how to mend it; empty when the meeting can be held.

    ``unchanged`` names the last days that stand as they stood before: they may have passed since.
    """
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
    for name in ("most_appointments", "most_of_sellers", "most_of_buyers", "most_of_one_person"):
        most = getattr(meeting, name)
        if most is not None and not 1 <= most <= max(1, meeting.all_slots):
            problems[name] = msg("每家最多洽谈数须在 1 到时段数之间，不限请留空。")
    last = meeting.starts_at + meeting.slots * meeting.slot_minutes + meeting.pause_minutes
    if not 0 <= meeting.starts_at < END_OF_DAY or last > END_OF_DAY:
        problems["starts_at"] = msg("按这个开始时间和时段数，会议会开过午夜，请改早或减少时段。")
    return (
        problems
        | _span_problems(meeting)
        | _people_problems(meeting)
        | _deadline_problems(meeting, today=today, unchanged=unchanged)
    )


def _span_problems(meeting: NewMeeting) -> dict[str, Message]:
    """Return what is wrong with the days and with slots that are kept free of talks."""
    problems: dict[str, Message] = {}
    if not 1 <= meeting.days <= MOST_DAYS:
        problems["days"] = msg("会期须在 1 到 {most} 天之间。", most=MOST_DAYS)
    elif any(not 1 <= slot <= meeting.all_slots for slot in meeting.blocked_slots):
        problems["blocked_slots"] = msg("不排洽谈的时段须在 1 到 {most} 之间。", most=meeting.all_slots)
    elif meeting.all_slots > 0 and len(set(meeting.blocked_slots)) >= meeting.all_slots:
        problems["blocked_slots"] = msg("至少要留一个时段用来洽谈。")
    if meeting.fairness is not None and not 0 <= meeting.fairness <= MOST_SLOTS:
        problems["fairness"] = msg("空档之差须在 0 到 {most} 之间，不限请留空。", most=MOST_SLOTS)
    return problems


def _people_problems(meeting: NewMeeting) -> dict[str, Message]:
    """Return what is wrong with what is said to those who come."""
    problems: dict[str, Message] = {}
    if not 0 <= meeting.most_musts <= MOST_MUSTS:
        problems["most_musts"] = msg("每家可选的“必见”须在 0 到 {most} 之间。", most=MOST_MUSTS)
    if meeting.capacity is not None and not 1 <= meeting.capacity <= MOST_PERSONS:
        problems["capacity"] = msg("场地人数须在 1 到 {most} 之间，不清楚请留空。", most=MOST_PERSONS)
    for name in ("programme", "programme_en", "weather_plan", "weather_plan_en"):
        if len(getattr(meeting, name)) > LONGEST_TEXT:
            problems[name] = msg("最多 {most} 个字。", most=LONGEST_TEXT)
    for name in ("venue", "venue_en", "title_en", "contact"):
        if len(getattr(meeting, name)) > LONGEST_LINE:
            problems[name] = msg("最多 {most} 个字。", most=LONGEST_LINE)
    if meeting.contact_phone and not _TELEPHONE.fullmatch(meeting.contact_phone):
        problems["contact_phone"] = msg("请写能打通的电话，例如 0418-1234567 或 13912345678。")
    return problems


def _deadline_problems(meeting: NewMeeting, *, today: date, unchanged: Container[str]) -> dict[str, Message]:
    """Return what is wrong with the last days for answers and wishes.

    Whoever has not answered by then is not planned with: a day that has passed leaves nobody to plan for.
    """
    problems: dict[str, Message] = {}
    for name in ("answer_by", "wishes_by"):
        last = getattr(meeting, name)
        if last is None:
            continue
        if last > meeting.held_on:
            problems[name] = msg(
                "截止日期不能晚于会议当天（{day}），请改早，不设就留空。", day=on_day(meeting.held_on)
            )
        elif last < today and name not in unchanged:
            problems[name] = msg(
                "这一天已经过了，请选今天（{day}）到会议当天之间的一天，不设就留空。", day=on_day(today)
            )
    if (
        meeting.answer_by is not None
        and meeting.wishes_by is not None
        and meeting.wishes_by < meeting.answer_by
        and not problems
    ):
        problems["wishes_by"] = msg("互选截止不能早于回复截止：先答应来，再选要见谁。")
    return problems


#: What is written down of a meeting, in the order of :func:`columns_of`.
COLUMNS = (
    "title",
    "title_en",
    "held_on",
    "starts_at",
    "slot_minutes",
    "slots",
    "tables",
    "half_day_after",
    "pause_minutes",
    "most_appointments",
    "venue",
    "venue_en",
    "programme",
    "programme_en",
    "days",
    "blocked_slots",
    "most_of_sellers",
    "most_of_buyers",
    "most_musts",
    "fairness",
    "capacity",
    "weather_plan",
    "contact",
    "contact_phone",
    "answer_by",
    "wishes_by",
    "is_public",
    "most_of_one_person",
    "weather_plan_en",
)


def columns_of(meeting: NewMeeting) -> tuple[object, ...]:
    """Return what is written down of the meeting, for opening and revising alike."""
    return tuple(_plain(getattr(meeting, name)) for name in COLUMNS)


def _plain(value: object) -> object:
    return sorted(set(value)) if isinstance(value, (tuple, list)) else value


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
        return msg("互选已于 {day} 截止，要改请联系镇里。", day=on_day(wishes_by))
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
    #: Topics of which a sample is wanted, where that is the outcome; none named: all.
    samples: tuple[int, ...] = ()
