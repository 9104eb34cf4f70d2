"""Which papers a meeting has. Nothing here knows what stands on them."""

import hashlib
from typing import Any

import msgspec

from market.i18n import Message, msg


class Kind(msgspec.Struct, frozen=True):
    """A kind of paper, and its sign in the numbers of its papers."""

    code: str
    name: Message
    #: One sign, as in ``对接〔2026〕12号-邀-0007``.
    sign: str
    about: Message
    #: An office edits it: there is a Word file too.
    is_word: bool = False
    #: What one A4 sheet holds of it.
    to_a_sheet: int = 1


KINDS: dict[str, Kind] = {
    kind.code: kind
    for kind in (
        Kind("invitation", msg("邀请函"), "邀", msg("受邀单位各一份，扫码即可回复"), is_word=True),
        Kind("programme", msg("议程"), "议", msg("全场一份，含田间走访"), is_word=True),
        Kind("schedule", msg("总日程"), "总", msg("全场一份，横排：几号桌、几点、谁和谁谈")),
        Kind("timetable", msg("每家日程"), "程", msg("参会单位各一份，扫码看手机版"), is_word=True),
        Kind("table_card", msg("桌签"), "桌", msg("每桌一张，沿中线对折立在桌上")),
        Kind("name_card", msg("席卡"), "席", msg("每人一张，沿中线对折立在桌上")),
        Kind("badge", msg("胸牌"), "牌", msg("每人一张，一页 8 张，沿角线裁开；扫码签到"), to_a_sheet=8),
        Kind("sign_in", msg("签到表"), "签", msg("全场一份，留有临时来宾的空行"), is_word=True),
        Kind("lot_card", msg("货品展示卡"), "展", msg("每批货一张，横排，摆在样品旁")),
        Kind("press", msg("新闻通稿"), "新", msg("给媒体的数据和案例，不含未经核实的引语"), is_word=True),
        Kind("intent", msg("意向书"), "意", msg("每场洽谈一份，已按货源和需求填好"), is_word=True),
    )
}


class Draft(msgspec.Struct, frozen=True):
    """A paper before it has its number: all that is printed on it, as plain data."""

    kind: str
    #: What it is about within its kind, e.g. ``organisation:7``; stays the same whatever is planned anew.
    subject: str
    #: By which the official knows it.
    label: str
    content: dict[str, Any]

    @property
    def content_hash(self) -> str:
        """SHA-256 over all that is printed: equal hashes need no new print."""
        written = msgspec.json.encode(self.content, order="sorted")
        return hashlib.sha256(written).hexdigest()


class Numbered(msgspec.Struct, frozen=True):
    """A paper with its number; an empty one before it was ever printed."""

    draft: Draft
    serial: str = ""
    edition: int = 1


def serial_stem(*, meeting_id: int, year: int) -> str:
    """Return what all numbers of a meeting's papers begin with."""
    return f"对接〔{year}〕{meeting_id}号"
