"""The eight steps of a meeting for its official: how far each is, what it lacks, and the one next step.

The bar on every page of a meeting and the list of its overview are drawn from the same stages.
"""

from collections.abc import Callable
from datetime import date

import msgspec

from market import clock
from market.i18n import Language, Message, msg, on_day
from market.meetings.queries import MeetingRow
from market.meetings.rules import PLANNABLE
from market.meetings.standing import Standing, standing_of
from market.web.edge.guards import WebRequest
from market.web.edge.language import language_of
from market.web.parts import formats
from market.web.parts.next_step import Step

_ON = frozenset({"in_progress", "closed", "followed_up"})
_OVER = frozenset({"closed", "followed_up"})
#: What is posted, or shown further down, and the step that it belongs to.
_KEYS = {"plan": "timetable", "move/start": "desk", "move/close": "records", "desk#talks": "records"}


class Stage(msgspec.Struct, frozen=True):
    """One step. ``state``: done, now, open (goes on beside the others), later, or off (the meeting is)."""

    key: str
    label: Message
    #: What follows the meeting's address.
    tail: str
    state: str
    #: What is there.
    text: Message
    #: What is not there yet.
    missing: Message | None = None


class Steps(msgspec.Struct, frozen=True):
    """What is drawn on every page of a meeting. ``beside``: key, label and icon of pages that are no step."""

    standing: Standing
    next: Step | None
    stages: list[Stage]
    beside: list[tuple[str, Message, str]]


async def steps_of(request: WebRequest, meeting: MeetingRow) -> Steps:
    """Return where a meeting of the reader's town stands."""
    standing = await standing_of(meeting_id=meeting.id, town_id=meeting.town)
    return steps_from(meeting, standing, today=clock.today(), language=language_of(request))


def steps_from(meeting: MeetingRow, standing: Standing, *, today: date, language: Language) -> Steps:
    """Return the steps of a meeting that stands so on the day ``today``."""
    return Steps(
        standing,
        next_step(meeting, standing, today=today),
        stages_of(meeting, standing, today=today, day=lambda on: formats.day_short(on, language)),
        pages_beside(meeting, today=today),
    )


def is_the_day(meeting: MeetingRow, *, today: date) -> bool:
    """Tell whether people come in: from the day of the meeting until it is closed."""
    return meeting.state in ("timetabled", "in_progress") and meeting.held_on <= today


def pages_beside(meeting: MeetingRow, *, today: date) -> list[tuple[str, Message, str]]:
    """Return the pages beside the steps; those of the day only while it lasts."""
    on_the_day = [("checkin", msg("入口签到"), "people"), ("changes", msg("改排"), "refresh")]
    return [
        ("papers", msg("文件"), "print"),
        *(on_the_day if is_the_day(meeting, today=today) else []),
        ("board", msg("现场大屏"), "grid"),
        ("route", msg("田间路线"), "truck"),
    ]


def next_step(meeting: MeetingRow, standing: Standing, *, today: date) -> Step | None:
    """Return what the official does next; None where nothing is left to do."""
    page = f"/town/meetings/{meeting.id}"
    if meeting.state in ("cancelled", "followed_up"):
        return None
    if meeting.planning:
        return Step(
            msg("正在排桌"), msg("排好就显示在“排桌”里，可以先离开。"), msg("看进度"), f"{page}/timetable"
        )
    if meeting.state == "postponed":
        return Step(
            msg("定下新的日期"),
            msg("改好日期后自动重新排桌，并通知受邀各方。"),
            msg("改日期"),
            f"{page}/edit",
        )
    if meeting.state == "closed":
        return Step(
            msg("跟进谈成的事"),
            msg("记下合同、样品和回访，直到货送到、款付清。"),
            msg("去跟进"),
            f"{page}/after",
        )
    if meeting.state == "in_progress":
        return _on_the_day(standing, page)
    if not standing.talks:
        return Step(
            msg("给对接会排桌"),
            meeting.trouble or msg("系统按撮合结果和各方意愿选出该谈的，再排时段和桌号。"),
            msg("看排桌") if meeting.trouble else msg("排桌"),
            f"{page}/timetable" if meeting.trouble else f"{page}/plan",
            posts=not meeting.trouble,
        )
    if standing.doomed:
        return Step(
            msg("重新排桌"),
            msg("{why}，重排后空出的时段给别人。", why=unfit_words(standing)),
            msg("重新排桌"),
            f"{page}/plan",
            posts=True,
        )
    if meeting.published_at is None:
        return _before_publishing(meeting, standing, page, today)
    if meeting.held_on > today:
        return _before_the_day(standing, page)
    return Step(
        msg("对接会今天举行") if meeting.held_on == today else msg("对接会日期已过，还没有开始"),
        msg("先开始会议，再签到、记录洽谈结果。"),
        msg("开始会议"),
        f"{page}/move/start",
        posts=True,
    )


def unfit_words(standing: Standing) -> Message:
    """Return how many talks cannot be held as they lie, and why."""
    told: Message | None = None
    for count, words in (
        (standing.gone, msg("{n} 场洽谈有一方已经不来", n=standing.gone)),
        (standing.barred, msg("{n} 场洽谈有一方标了“不见”", n=standing.barred)),
        (standing.absent, msg("{n} 场洽谈排在一方不能来的时段", n=standing.absent)),
        (standing.torn, msg("{n} 场洽谈由同一人代表两家、排在了同一时段", n=standing.torn)),
    ):
        if count:
            told = words if told is None else msg("{first}，{then}", first=told, then=words)
    return told or msg("{n} 场洽谈不能照这样谈", n=standing.doomed)


def _before_publishing(meeting: MeetingRow, standing: Standing, page: str, today: date) -> Step:
    last_answer = meeting.answer_by
    if standing.unanswered and last_answer is not None and today <= last_answer < meeting.held_on:
        return Step(
            msg("等各方回复邀请"),
            msg("{n} 家还没有回复，最晚 {day}。", n=standing.unanswered, day=on_day(last_answer)),
            msg("看邀请"),
            f"{page}/invitations",
        )
    last_wish = meeting.wishes_by
    if standing.without_wishes and last_wish is not None and today <= last_wish < meeting.held_on:
        return Step(
            msg("等各方选想见谁"),
            msg("{n} 家还没有选，最晚 {day}。", n=standing.without_wishes, day=on_day(last_wish)),
            msg("看互选"),
            f"{page}/wishes",
        )
    return Step(
        msg("发布日程"),
        msg("{n} 场洽谈已排好，发布以后各方才看得到自己的日程。", n=standing.talks),
        msg("去发布"),
        f"{page}/publish",
    )


def _before_the_day(standing: Standing, page: str) -> Step:
    if standing.unanswered:
        return Step(
            msg("等各方回复邀请"),
            msg("日程已发布，{n} 家还没有回复。", n=standing.unanswered),
            msg("看邀请"),
            f"{page}/invitations",
        )
    return Step(
        msg("打印会议文件"),
        msg("日程已发布，回复已到齐。桌签、胸牌和签到表一次印好。"),
        msg("去打印"),
        f"{page}/papers",
    )


def _on_the_day(standing: Standing, page: str) -> Step:
    if standing.arrived == 0:
        return Step(msg("给到场的签到"), msg("扫胸牌或点名字，都可以。"), msg("去签到"), f"{page}/desk")
    if standing.unrecorded:
        return Step(
            msg("记录洽谈结果"),
            msg("还有 {n} 场没有结果。", n=standing.unrecorded),
            msg("去记录"),
            f"{page}/desk#talks",
        )
    return Step(
        msg("结束会议"),
        msg("谈过的都有了结果。结束后仍可补记，但不能再签到。"),
        msg("结束会议"),
        f"{page}/move/close",
        posts=True,
    )


def stages_of(
    meeting: MeetingRow, standing: Standing, *, today: date, day: Callable[[date], str]
) -> list[Stage]:
    """Return the eight steps in order. ``day`` writes a date for the reader."""
    step = next_step(meeting, standing, today=today)
    named = {each.key: each for each in _stages(meeting, standing, day)}
    if meeting.state == "cancelled":
        return [
            each if each.state == "done" else msgspec.structs.replace(each, state="off", missing=None)
            for each in named.values()
        ]
    key = _key_of(step.href) if step else ""
    if key in named and named[key].state != "done":
        named[key] = msgspec.structs.replace(named[key], state="now")
    return list(named.values())


def _key_of(href: str) -> str:
    """Return which step an address belongs to."""
    tail = href.split("/", 4)[-1] if href.count("/") > 3 else ""
    return _KEYS.get(tail, tail)


def _stages(meeting: MeetingRow, standing: Standing, day: Callable[[date], str]) -> list[Stage]:
    begun, over = meeting.state in _ON, meeting.state in _OVER
    published = meeting.published_at is not None
    told = msg("还没有发布。")
    if meeting.published_at is not None:
        told = msg("{day}已发布。", day=day(meeting.published_at))

    def stage(
        key: str,
        label: Message,
        text: Message,
        missing: Message | None,
        *,
        done: bool,
        later: bool = False,
        tail: str = "",
    ) -> Stage:
        state = "done" if done else "later" if later else "open"
        return Stage(key, label, tail or f"/{key}", state, text, None if later else missing)

    return [
        stage(
            "edit",
            msg("基本信息"),
            msg("{slots} 个时段，{tables} 张桌。", slots=meeting.all_slots, tables=meeting.tables),
            None if begun else _not_told(meeting),
            done=meeting.state != "postponed",
            tail="/edit" if meeting.state in PLANNABLE else "#facts",
        ),
        stage(
            "invitations",
            msg("邀请"),
            msg("{yes} 家参加，{no} 家不来。", yes=standing.accepted, no=standing.declined)
            if not standing.delegated
            else msg(
                "{yes} 家参加，{no} 家不来，{other} 家委托了别人。",
                yes=standing.accepted,
                no=standing.declined,
                other=standing.delegated,
            ),
            msg("{n} 家还没有回复。", n=standing.unanswered) if standing.unanswered and not begun else None,
            done=begun or (standing.parties > 0 and not standing.unanswered),
        ),
        stage(
            "wishes",
            msg("互选"),
            msg("{n} 对互相想见，{never} 个“不见”。", n=standing.mutual, never=standing.vetoes),
            msg("{n} 家还没有选。", n=standing.without_wishes)
            if standing.without_wishes and not begun and not published
            else None,
            done=begun or published or (standing.parties > 0 and not standing.without_wishes),
        ),
        stage(
            "timetable",
            msg("排桌"),
            msg("{n} 场洽谈，{left} 对没排进。", n=standing.talks, left=standing.left_out)
            if standing.talks
            else msg("还没有日程。"),
            msg("{why}，请重排。", why=unfit_words(standing)) if standing.doomed and not begun else None,
            done=begun or (standing.talks > 0 and not standing.doomed),
        ),
        stage(
            "publish",
            msg("发布"),
            told,
            msg("各方还看不到自己的日程。") if standing.talks and not published and not begun else None,
            done=begun or published,
            later=not standing.talks,
        ),
        stage(
            "desk",
            msg("签到"),
            msg("{n} 家到场。", n=standing.arrived)
            if begun
            else msg("{day}当天。", day=day(meeting.held_on)),
            msg("{n} 家还没有到。", n=standing.expected) if standing.expected and not over else None,
            done=over,
            later=not begun,
        ),
        stage(
            "records",
            msg("记录"),
            msg("{n} 场有了结果。", n=standing.held) if begun else msg("会议开始后。"),
            msg("{n} 场没有结果。", n=standing.unrecorded) if standing.unrecorded else None,
            done=over and not standing.unrecorded,
            later=not begun,
            tail="/desk#talks",
        ),
        stage(
            "after",
            msg("跟进"),
            msg("已跟进到底。") if meeting.state == "followed_up" else msg("合同、样品、回访和总结。"),
            None,
            done=meeting.state == "followed_up",
            later=not over,
        ),
    ]


def _not_told(meeting: MeetingRow) -> Message | None:
    """Return the first thing that the invited will ask for and that is not written down."""
    if meeting.state not in PLANNABLE:
        return None
    if not meeting.contact and not meeting.contact_phone:
        return msg("还没有写联系人。")
    if meeting.answer_by is None:
        return msg("还没有定回复的最后一天。")
    if not meeting.weather_plan:
        return msg("还没有写雨天怎么办。")
    return None
