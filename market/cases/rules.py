"""The life of a case: goods that do not move, whose it is to solve, and until when."""

from collections.abc import Mapping
from datetime import date, timedelta

import msgspec

from market.i18n import Message, msg
from market.transitions import Lifecycle, Move


class Charge(msgspec.Struct, frozen=True):
    """Who has to solve a case, and until when. ``owner`` is an organisation, ``in_charge`` a person of it."""

    owner: int
    in_charge: str
    due_on: date


OPEN, CLOSED = "open", "closed"

CASE = Lifecycle(
    "case",
    Move("climb", {OPEN}, OPEN, by={"official", "system"}),
    Move("close", {OPEN}, CLOSED, by={"seller", "official", "system"}),
    Move("reopen", {CLOSED}, OPEN, by={"seller", "official", "system"}),
    start=OPEN,
    labels={OPEN: msg("未解决"), CLOSED: msg("已销号")},
)

#: From the lowest up: a case that is not solved in time climbs one.
LEVELS: dict[str, Message] = {
    "village": msg("村级"),
    "town": msg("镇级"),
    "county": msg("县级"),
    "city": msg("市级"),
}
#: The joint meeting that has the cases of a level on its agenda.
JOINT_MEETINGS: dict[str, Message] = {
    "village": msg("村级会商"),
    "town": msg("镇级联席会"),
    "county": msg("县级联席会"),
    "city": msg("市级联席会"),
}
#: Days that a level has before a case climbs on.
DAYS: dict[str, int] = {"village": 14, "town": 14, "county": 21, "city": 30}
#: Days without a bid, a sale or a contract after which a listing has come to a stop; goods that were never
#: on sale, without a movement of their stock.
IDLE_DAYS = 14

#: Why a case was opened.
IDLE, UNMATCHED, UNLISTED, BY_HAND = "idle", "unmatched", "unlisted", "by_hand"
NEVER_LISTED, RELISTED = "never_listed", "relisted"
CAUSES: dict[str, Message] = {
    IDLE: msg("久无出价、成交"),
    UNMATCHED: msg("撮合没有配上"),
    UNLISTED: msg("有货，但不在售"),
    NEVER_LISTED: msg("有货，从未上架"),
    RELISTED: msg("已上架，还没有成交"),
    BY_HAND: msg("人工登记"),
}
#: Those of goods that were not on sale: once they are, the case tells how it goes on, and a contract ends it.
OFF_SALE = frozenset({UNLISTED, NEVER_LISTED, RELISTED})

#: What people write into the diary.
ENTRY_KINDS: dict[str, Message] = {
    "visit": msg("跑市场、访客户"),
    "call": msg("电话联系"),
    "sample": msg("送样试销"),
    "terms": msg("调整价格或条件"),
    "product": msg("改进产品或包装"),
    "talk": msg("会商"),
    "other": msg("别的事"),
}
#: What the book itself writes there.
OPENED, CLIMBED, HELD_OVER = "opened", "climbed", "held_over"
ASSIGNED, DECIDED, SHUT, REOPENED = "assigned", "decided", "closed", "reopened"
RECAUSED = "recaused"
DEEDS: dict[str, Message] = {
    OPENED: msg("已立案"),
    CLIMBED: msg("升级"),
    HELD_OVER: msg("再次上会"),
    ASSIGNED: msg("明确责任和期限"),
    DECIDED: msg("联席会议定"),
    SHUT: msg("已销号"),
    REOPENED: msg("已重新立案"),
    RECAUSED: msg("情况有变"),
}

#: Why a case is closed. Only the book itself says that goods are sold out, or sell now that they are on sale.
SOLD_OUT, MOVING = "sold_out", "moving"
BY_ITSELF = frozenset({SOLD_OUT, MOVING})
REASONS: dict[str, Message] = {
    SOLD_OUT: msg("已卖完"),
    MOVING: msg("已上架，有了成交"),
    "elsewhere": msg("已从别处卖掉"),
    "own_use": msg("自留、自用或留种"),
    "processed": msg("转去加工"),
    "spoiled": msg("损耗、报废"),
    "not_selling": msg("暂时不卖了"),
    "mistaken": msg("登记有误"),
}
#: Those that need a word more.
_TO_EXPLAIN = frozenset({"elsewhere", "spoiled", "not_selling", "mistaken"})

LONGEST_NOTE = 500
LONGEST_NAME = 40
#: A deadline further away is a slip of the pen.
MOST_DAYS = 180


#: The levels at which a case is the county's to decide on as well; the city has no account of its own.
COUNTY_LEVELS = frozenset({"county", "city"})


def decides(organisation: int, *, town: int, county: int | None, level: str) -> bool:
    """Tell whether an organisation says who solves a case, and until when."""
    return organisation == town or (organisation == county and level in COUNTY_LEVELS)


def above(level: str) -> str | None:
    """Return the level above; None at the top."""
    names = list(LEVELS)
    place = names.index(level) + 1
    return names[place] if place < len(names) else None


def due_on(level: str, *, since: date) -> date:
    """Return until when a level has to solve what came to it on ``since``."""
    return since + timedelta(days=DAYS[level])


def is_overdue(due: date, *, today: date) -> bool:
    """Tell whether the deadline has passed; its own day still counts."""
    return due < today


def note_problems(kind: str, note: str, *, kinds: Mapping[str, Message] = ENTRY_KINDS) -> dict[str, Message]:
    """Return what is wrong with an entry that somebody writes into the diary."""
    problems: dict[str, Message] = {}
    if kind not in kinds:
        problems["kind"] = msg("请选一项做了什么。")
    if not note.strip():
        problems["note"] = msg("请写一句做了什么、结果怎样。")
    elif len(note) > LONGEST_NOTE:
        problems["note"] = msg("最多 {most} 个字。", most=LONGEST_NOTE)
    return problems


def closing_problems(reason: str, note: str) -> dict[str, Message]:
    """Return what is wrong with a reason for closing that somebody gives."""
    problems: dict[str, Message] = {}
    if reason not in REASONS or reason in BY_ITSELF:
        problems["reason"] = msg("请选为什么销号；卖完的货会自动销号。")
    elif reason in _TO_EXPLAIN and not note.strip():
        problems["note"] = msg("请写明情况，例如卖给了谁、卖了多少。")
    if len(note) > LONGEST_NOTE:
        problems["note"] = msg("最多 {most} 个字。", most=LONGEST_NOTE)
    return problems


def charge_problems(in_charge: str, due: date, note: str, *, today: date) -> dict[str, Message]:
    """Return what is wrong with who is put in charge, and until when."""
    problems: dict[str, Message] = {}
    if len(in_charge) > LONGEST_NAME:
        problems["in_charge"] = msg("最多 {most} 个字。", most=LONGEST_NAME)
    if due < today:
        problems["due_on"] = msg("期限不能早于今天。")
    elif due > today + timedelta(days=MOST_DAYS):
        problems["due_on"] = msg("期限最远到 {days} 天以后。", days=MOST_DAYS)
    if len(note) > LONGEST_NOTE:
        problems["note"] = msg("最多 {most} 个字。", most=LONGEST_NOTE)
    return problems
