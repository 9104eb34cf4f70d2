"""The filters of open demands, as they stand in their URL."""

from collections.abc import Iterable
from datetime import date
from typing import Literal

import msgspec

from market.paging import Code, PageNumber, filters_from_query, filters_to_query
from market.units import Gram

Sort = Literal["newest", "price", "quantity", "closing"]


class DemandFilters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything is optional; what is not given does not restrict. Quantities in the URL are kilograms."""

    #: Search text: Chinese, pinyin, first letters or English.
    q: str = ""
    category: Code | None = None
    produce: Code | None = None
    #: Number of the buyer.
    buyer: int | None = None
    #: Goods of this grade are good enough.
    grade: int | None = None
    #: Delivery is possible on this day.
    on: date | None = None
    #: At least this much is still wanted.
    quantity: Gram | None = None
    sort: Sort = "newest"
    page: PageNumber = 1

    @classmethod
    def from_query(cls, pairs: Iterable[tuple[str, str]]) -> "DemandFilters":
        """Read the decoded pairs of a URL's query.

        Raises:
            Invalid: ``fields`` names every one that is wrong.
        """
        return filters_from_query(cls, pairs)

    def to_query(self, **changed: object) -> str:
        """Return the URL's query, with ``changed`` fields; empty where all is as by default."""
        return filters_to_query(self, **changed)

    @property
    def narrowed(self) -> bool:
        """Whether anything but order and page was chosen."""
        return msgspec.structs.replace(self, sort="newest", page=1) != DemandFilters()
