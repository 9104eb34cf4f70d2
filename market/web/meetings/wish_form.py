"""Choosing whom to meet, one tap for each: what the invited's own page and the official's page share."""

from typing import Any

import msgspec

from market import clock
from market.i18n import Message, msg
from market.meetings.commands import wishes_closed
from market.meetings.invitations.wish_queries import CounterpartRow, absences_of, counterparts_of
from market.meetings.invitations.wishing import LONGEST_NOTE
from market.meetings.queries import MeetingRow
from market.meetings.rules import PLANNABLE, WISHES
from market.web.edge.guards import WebRequest
from market.web.parts import fields
from market.web.parts.forms import Form

#: One tap: the level (empty takes it back), and the word that stands beside it.
WISH = Form(
    level=fields.choice(msg("意愿"), {**WISHES, "none": msg("不选")}),
    note=fields.text(msg("写一句"), most=LONGEST_NOTE, optional=True),
)
#: Which counterparts are listed.
SHOWN = {"fit": msg("有得谈的"), "open": msg("还没选的"), "all": msg("全部")}
#: Cards on one page: a phone has to draw them.
MOST_CARDS = 120


class Choosing(msgspec.Struct, frozen=True):
    """One participant's choice. ``base`` is the address of its posts; a card's is ``base/<organisation>``."""

    organisation: int
    base: str
    rows: list[CounterpartRow]
    listed: list[CounterpartRow]
    show: str
    q: str
    musts: int
    most_musts: int
    #: Why nothing can be changed any more.
    closed: Message | None
    absent: list[int]
    #: Why absences cannot be changed any more.
    fixed: bool

    @property
    def chosen(self) -> int:
        return sum(each.wish is not None for each in self.rows)

    @property
    def left(self) -> int:
        """Return how many more may be marked as a must."""
        return max(0, self.most_musts - self.musts)

    def row(self, organisation: int) -> CounterpartRow | None:
        return next((each for each in self.rows if each.organisation == organisation), None)

    def count(self, show: str) -> int:
        return len(_of(self.rows, show))


def _of(rows: list[CounterpartRow], show: str) -> list[CounterpartRow]:
    if show == "fit":
        return [each for each in rows if each.common or each.worth is not None or each.wish is not None]
    if show == "open":
        return [each for each in rows if each.wish is None]
    return rows


async def choosing(
    request: WebRequest, meeting: MeetingRow, *, organisation_id: int, base: str, by_town: bool = False
) -> Choosing:
    """Return what one participant may choose from, as the address filters it.

    Raises:
        NotFound: not invited.
    """
    rows = await counterparts_of(meeting.id, organisation_id)
    query = request.query_params
    q = query.get("q", "").strip()[:40]
    show = query.get("show", "")
    if show not in SHOWN:
        show = "fit" if _of(rows, "fit") else "all"
    listed = _of(rows, show)
    if q:
        # somebody looked for by name is found whatever else is asked for
        words = q.lower()
        listed = [
            each
            for each in rows
            if words in f"{each.name} {each.name_en}".lower()
            or any(words in f"{one.title} {one.title_en}".lower() for one in each.goods)
        ]
    closed = wishes_closed(
        wishes_by=meeting.wishes_by, published=meeting.published_at is not None, today=clock.today()
    )
    begun = None if meeting.state in PLANNABLE else msg("会议已开始或已取消，不能再改。")
    absent = (await absences_of(meeting.id)).get(organisation_id, [])
    return Choosing(
        organisation_id,
        base,
        rows,
        listed[:MOST_CARDS],
        show,
        q,
        sum(each.wish == "must" for each in rows),
        meeting.most_musts,
        begun or (None if by_town else closed),
        absent,
        begun is not None,
    )


def slot_days(meeting: MeetingRow) -> list[tuple[Any, list[tuple[int, str]]]]:
    """Return each day with the slots that talks may lie in: number, and times without the day."""
    blocked = set(meeting.blocked_slots)
    return [
        (
            meeting.slot_day((day - 1) * meeting.slots + 1),
            [
                (number, meeting.slot_label(number)[-11:])
                for number in range((day - 1) * meeting.slots + 1, day * meeting.slots + 1)
                if number not in blocked
            ],
        )
        for day in range(1, meeting.days + 1)
    ]


def read_slots(typed: list[str]) -> list[int]:
    """Return the numbers among ``typed``; what is none was not sent by the page."""
    return [int(text) for text in typed if text.isascii() and text.isdigit() and len(text) < 6]
