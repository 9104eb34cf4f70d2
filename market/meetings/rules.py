"""The lives of a docking meeting, its invitations, attendances and appointments."""

from datetime import date

from market.i18n import Message, msg, on_day
from market.transitions import Lifecycle, Move

_OFFICIAL = ("official",)
_GUESTS = ("seller", "buyer", "guest")
_PARTIES = ("seller", "buyer")

MEETING = Lifecycle(
    "meeting",
    Move("announce", {"draft", "postponed"}, "announced", by=_OFFICIAL),
    Move("open_registration", {"announced"}, "registration", by=_OFFICIAL),
    Move("set_timetable", {"registration", "timetabled"}, "timetabled", by=_OFFICIAL),
    Move("reopen_registration", {"timetabled"}, "registration", by=_OFFICIAL),
    Move("start", {"timetabled"}, "in_progress", by=("official", "system")),
    Move("close", {"in_progress"}, "closed", by=_OFFICIAL),
    Move("finish_follow_up", {"closed"}, "followed_up", by=_OFFICIAL),
    Move("postpone", {"announced", "registration", "timetabled"}, "postponed", by=_OFFICIAL),
    Move(
        "cancel", {"draft", "announced", "registration", "timetabled", "postponed"}, "cancelled", by=_OFFICIAL
    ),
    start="draft",
    labels={
        "draft": msg("筹备中"),
        "announced": msg("已公告"),
        "registration": msg("报名中"),
        "timetabled": msg("已排桌"),
        "in_progress": msg("进行中"),
        "closed": msg("已结束"),
        "followed_up": msg("跟进完成"),
        "postponed": msg("已延期"),
        "cancelled": msg("已取消"),
    },
)

#: The states are those of iCalendar's PARTSTAT, so that an answer from a calendar maps one to one.
INVITATION = Lifecycle(
    "invitation",
    Move("accept", {"needs_action", "tentative", "declined", "delegated"}, "accepted", by=_GUESTS),
    Move(
        "accept_tentatively", {"needs_action", "accepted", "declined", "delegated"}, "tentative", by=_GUESTS
    ),
    Move("decline", {"needs_action", "tentative", "accepted", "delegated"}, "declined", by=_GUESTS),
    Move("delegate", {"needs_action", "tentative", "accepted", "declined"}, "delegated", by=_GUESTS),
    Move(
        "revoke",
        {"needs_action", "tentative", "accepted", "declined", "delegated"},
        "revoked",
        by=_OFFICIAL,
    ),
    Move("restore", {"revoked", "expired"}, "needs_action", by=_OFFICIAL),
    # somebody of theirs has registered on the public page, and the town lets them in
    Move("ask_again", {"declined"}, "needs_action", by=_OFFICIAL),
    Move("expire", {"needs_action", "tentative"}, "expired", by=("system",)),
    start="needs_action",
    labels={
        "needs_action": msg("待回复"),
        "accepted": msg("已接受"),
        "tentative": msg("暂定参加"),
        "declined": msg("已谢绝"),
        "delegated": msg("已委托他人"),
        "revoked": msg("已撤销"),
        "expired": msg("没有确认"),
    },
)

ATTENDANCE = Lifecycle(
    "attendance",
    # a late one comes after all, and whoever has left may come back
    Move(
        "check_in", {"expected", "no_show", "left"}, "checked_in", by=("official", "seller", "buyer", "guest")
    ),
    Move("leave", {"checked_in"}, "left", by=("official", "seller", "buyer", "guest")),
    # a check-in by mistake never was: they stand as before it, see ``day/presence.py``
    Move("undo_check_in", {"checked_in", "left"}, "expected", by=_OFFICIAL),
    Move("mark_no_show", {"expected"}, "no_show", by=("official", "system")),
    Move("undo_no_show", {"no_show"}, "expected", by=_OFFICIAL),
    start="expected",
    labels={
        "expected": msg("待签到"),
        "checked_in": msg("已签到"),
        "left": msg("已离场"),
        "no_show": msg("未到场"),
    },
)

APPOINTMENT = Lifecycle(
    "appointment",
    Move("accept", {"requested"}, "accepted", by=("official", *_PARTIES)),
    Move("place", {"accepted", "scheduled"}, "scheduled", by=("official", "system")),
    Move("unplace", {"scheduled"}, "accepted", by=("official", "system")),
    Move("hold", {"scheduled"}, "held", by=("official", *_PARTIES)),
    Move("mark_no_show", {"scheduled"}, "no_show", by=("official", *_PARTIES, "system")),
    Move("cancel", {"requested", "accepted", "scheduled"}, "cancelled", by=("official", *_PARTIES)),
    start="requested",
    labels={
        "requested": msg("已提出"),
        "accepted": msg("已同意"),
        "scheduled": msg("已排定"),
        "held": msg("已洽谈"),
        "no_show": msg("未到场"),
        "cancelled": msg("已取消"),
    },
)

#: How a held appointment ended, from nothing to a signed contract. Each is counted once and apart.
OUTCOMES = {
    "none": msg("暂无结果"),
    "sample": msg("索取样品"),
    "intent": msg("达成意向"),
    "quote": msg("要求报价"),
    "signed": msg("当场签约"),
}
#: Why a talk came to nothing where one side did not come: it was not held, and nothing was refused.
ABSENT = "absent"

#: How much one participant wants to meet another; the first three in falling order, the last is a veto.
WISHES = {"must": msg("必见"), "want": msg("想见"), "may": msg("可以"), "never": msg("不见")}

#: Somebody asks, on the meeting's public page, to take part.
REGISTRATION = Lifecycle(
    "registration",
    Move("admit", {"pending", "refused"}, "admitted", by=_OFFICIAL),
    Move("refuse", {"pending"}, "refused", by=_OFFICIAL),
    Move("withdraw", {"pending"}, "withdrawn", by=("guest",)),
    start="pending",
    labels={
        "pending": msg("待审核"),
        "admitted": msg("已接纳"),
        "refused": msg("未通过"),
        "withdrawn": msg("已撤回"),
    },
)

#: A sample from the seller to the buyer and what the buyer says of it: 寄样 → 签收 → 反馈.
SAMPLE = Lifecycle(
    "sample",
    Move("send", {"requested"}, "sent", by=("seller", "official")),
    # from "requested" too: what has come has come, whether or not the seller noted that it was on its way
    Move("receive", {"requested", "sent"}, "received", by=("buyer", "official")),
    Move("answer", {"received"}, "answered", by=("buyer", "official")),
    Move("call_off", {"requested", "sent"}, "called_off", by=("buyer", "seller", "official")),
    start="requested",
    labels={
        "requested": msg("待寄样"),
        "sent": msg("已寄出"),
        "received": msg("已签收"),
        "answered": msg("已反馈"),
        "called_off": msg("不再寄样"),
    },
)
#: Days that each state of a sample may last before it counts as late.
SAMPLE_DAYS = {"requested": 3, "sent": 5, "received": 7}
SAMPLE_VERDICTS = {
    "approved": msg("合格，可以谈价"),
    "improve": msg("需要改进"),
    "rejected": msg("不合格"),
}

#: Days after a meeting on which both sides are asked what has become of each talk, and the answers.
FOLLOW_UP_DAYS = (30, 90, 180)
FOLLOW_UP_LEVELS = {
    "no_contact": msg("没有联系"),
    "useful": msg("有联系，有帮助"),
    "negotiating": msg("正在谈"),
    "agreed": msg("已谈成"),
}

#: Until the first pair sits down the timetable may still be made anew.
PLANNABLE = frozenset({"draft", "announced", "registration", "timetabled", "postponed"})
#: While it is laid and not over, single talks are moved for what has happened, and back again.
MENDABLE = frozenset({"timetabled", "in_progress"})


def is_absence(outcome: str, reason: str | None) -> bool:
    """Tell whether a result says that one side did not come."""
    return outcome == "none" and reason == ABSENT


def day_number(on: date, *, held_on: date, days: int) -> int:
    """Return which day of a meeting ``on`` is, from 1; before and after it the first and the last."""
    return min(max((on - held_on).days + 1, 1), days)


def timetabled(state: str) -> str:
    """Return the state after the timetable was set, taking the steps before it that are still open.

    Raises:
        WrongState: the meeting is past planning.
    """
    for move in ("announce", "open_registration"):
        if MEETING.find(move, state=state, by="official"):
            state = MEETING.apply(move, state=state, by="official")
    return MEETING.apply("set_timetable", state=state, by="official")


def not_startable(*, held_on: date, published: bool, today: date) -> Message | None:
    """Return why a meeting that is timetabled cannot start yet; None where it can.

    Once it has begun nobody answers any more and nothing is planned anew, so it does not begin on the eve
    either; what is set up then (papers, the board, lists) needs no meeting that is under way.
    """
    if today < held_on:
        return msg("会议定在 {day}，到那天才能开始。日期改了的，请先改基本信息。", day=on_day(held_on))
    if not published:
        return msg("日程还没有发布，各方看不到自己的洽谈。请先发布日程，再开始会议。")
    return None


def door_closed(*, state: str, held_on: date, today: date) -> Message | None:
    """Return why nobody is checked in now; None while the meeting is on."""
    if state == "in_progress" and held_on <= today:
        return None
    if state in ("closed", "followed_up"):
        return msg("会议结束后不能再签到。")
    if state == "timetabled" and held_on <= today:
        return msg("会议还没有开始，开始后才能签到。请先在会议页面点“开始会议”。")
    return msg("会议当天开始以后才能签到。")
