"""The follow-up ledger (跟进台账): what is counted, by what, and how rows become figures.

Pure. A row stands in one kind only: an intent that became a contract is a contract; what a termination took
out is no longer in the contract. So every gram and every fen is in one row of a kind.
"""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from market.i18n import Message, msg
from market.paging import PageNumber

Kind = Literal["intent", "contract", "ended", "delivery", "payment"]
#: In the order in which goods pass them.
KINDS: dict[str, Message] = {
    "intent": msg("意向"),
    "contract": msg("合同"),
    "ended": msg("终止"),
    "delivery": msg("发货"),
    "payment": msg("回款"),
}
#: What each counts, in a sentence.
MEANINGS: dict[str, Message] = {
    "intent": msg(
        "双方原则上谈定、还没有都签字的：待签的合同，和会上谈成、没有合同的意向（双方后来就这批货又谈的，按最后一次；谈不成的不再算）。"
    ),
    "contract": msg("双方已签、现在仍然算数的数量和货款：按现在的条款，已终止的部分不在内。"),
    "ended": msg("已签合同里因解除而退出的部分，不在“合同”里。"),
    "delivery": msg("买方已验收的数量，和为它开出的货款。"),
    "payment": msg("实际收到的每一笔货款、定金和预付款。"),
}
By = Literal["seller", "town", "buyer", "produce", "source", "month"]
GROUPS: dict[str, Message] = {
    "seller": msg("村"),
    "town": msg("镇"),
    "buyer": msg("买家"),
    "produce": msg("品类"),
    "source": msg("来源"),
    "month": msg("月份"),
}
#: What made a row's contract, or where its intent was spoken of.
SOURCES: dict[str, Message] = {
    "bid": msg("出价"),
    "offer": msg("报价"),
    "joint": msg("拼货"),
    "call_off": msg("框架要货"),
    "match": msg("撮合"),
    "appointment": msg("对接会"),
    "other": msg("其他"),
}

Name = Annotated[str, Meta(max_length=40)]


class Filters(msgspec.Struct, frozen=True):
    """What of the ledger is looked at. Days are those on which a row came about, both included."""

    by: By = "seller"
    kind: Kind | None = None
    seller: int | None = None
    town: int | None = None
    buyer: int | None = None
    produce: Name | None = None
    source: Name | None = None
    meeting: int | None = None
    month: Annotated[str, Meta(pattern=r"\A[0-9]{4}-[0-9]{2}\Z")] | None = None
    first: date | None = None
    last: date | None = None
    page: PageNumber = 1

    @property
    def is_any(self) -> bool:
        """Nothing is left out."""
        return msgspec.structs.replace(self, by="seller", page=1) == Filters()


class Sum(msgspec.Struct, frozen=True):
    """Rows, grams, fen."""

    number: int = 0
    grams: int = 0
    fen: int = 0

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.number + other.number, self.grams + other.grams, self.fen + other.fen)


class Entry(msgspec.Struct, frozen=True):
    """One row. Grams, fen, fen per kg. ``deal`` is missing for an intent of a talk."""

    kind: str
    on: date
    deal: int | None
    number: str | None
    state: str | None
    #: What made it ("bid", "offer", "match", "appointment" ...), and which.
    source: str
    source_id: int
    meeting: int | None
    meeting_title: str | None
    meeting_title_en: str | None
    listing: int
    title: str
    title_en: str
    produce: str
    produce_name: str
    produce_name_en: str
    seller: int
    seller_name: str
    seller_name_en: str
    town: int | None
    town_name: str | None
    town_name_en: str | None
    buyer: int
    buyer_name: str
    buyer_name_en: str
    price: int
    grams: int
    fen: int
    #: Fen of invoices that stand; told once for a contract, on its own row.
    billed: int | None = None


class Group(msgspec.Struct, frozen=True):
    """The figures of one village, buyer, product ...: ``sums`` by kind. ``key`` is what a filter takes."""

    key: str
    name: str
    name_en: str
    sums: dict[str, Sum]

    def of(self, kind: str) -> Sum:
        return self.sums.get(kind, Sum())


def total_of(groups: Iterable[Group]) -> dict[str, Sum]:
    """Return what the groups come to together."""
    found: dict[str, Sum] = {}
    for group in groups:
        for kind, each in group.sums.items():
            found[kind] = found.get(kind, Sum()) + each
    return found
