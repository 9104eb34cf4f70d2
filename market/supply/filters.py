"""The filters of the produce hall, as they stand in its URL."""

from collections.abc import Iterable
from datetime import date
from typing import Literal

import msgspec

from market.paging import Code, PageNumber, filters_from_query, filters_to_query
from market.units import FenPerKg, Gram

Sort = Literal["best", "newest", "price", "quantity", "expiring"]


class BrowseFilters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything is optional; what is not given does not restrict.

    In the URL a quantity is in kilograms and a price in yuan per kilogram.
    """

    #: Search text: Chinese, pinyin, first letters or English.
    q: str = ""
    category: Code | None = None
    produce: Code | None = None
    #: Code of a division; what lies in it counts.
    place: Code | None = None
    #: Number of the town that looks after the seller.
    town: int | None = None
    #: Number of the seller.
    seller: int | None = None
    #: This grade or better.
    grade: int | None = None
    #: On sale on this day.
    on: date | None = None
    #: At least this much is left.
    quantity: Gram | None = None
    price_low: FenPerKg | None = None
    price_high: FenPerKg | None = None
    #: The lot has all of them.
    credentials: tuple[Code, ...] = ()
    #: Sold-out listings too.
    sold_out: bool = False
    #: ``best``: nearest to the search text, else newest.
    sort: Sort = "best"
    page: PageNumber = 1

    @classmethod
    def from_query(cls, pairs: Iterable[tuple[str, str]]) -> "BrowseFilters":
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
        return msgspec.structs.replace(self, sort="best", page=1) != BrowseFilters()
