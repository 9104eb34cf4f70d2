"""What a turn is confirmed under: the terms of its listing, and of the demand that it answers."""

from collections.abc import Collection
from datetime import date
from typing import Any

import msgspec
from asyncpg import Record

from market.bids import rules
from market.db.session import fetch_one_into
from market.i18n import msg
from market.meanwhile import ChangedMeanwhile, differing, marks_of


class Under(msgspec.Struct, frozen=True):
    """Grams, and fen per kg. What begins with ``wanted_`` is the demand's; None: no demand is answered."""

    ask: int
    min_order: int
    available_from: date
    available_to: date
    credentials: tuple[str, ...]
    wanted: int | None
    wanted_ceiling: int | None
    wanted_from: date | None
    wanted_to: date | None
    wanted_grade: int | None
    wanted_min_order: int | None
    wanted_requires: tuple[str, ...] | None


class OtherTerms(ChangedMeanwhile):
    """The terms are not those that were read any more. Nothing was sent beside the word that they hold."""

    def __init__(self, now: Under, *, changed: Collection[str]) -> None:
        super().__init__(both=(), theirs=changed, mine=now, now=now, marks=marks_of(now))
        self.message = msg("条件在您打开以后又变了，请看过现在的条件再确认。")

    def values(self) -> dict[str, dict[str, Any]]:
        return {name: {"now": value["now"]} for name, value in super().values().items()}


async def under_of(*, listing_id: int, demand_id: int | None, answers: str) -> Under:
    """Return the terms as they stand now."""
    found = await fetch_one_into(
        Under,
        """SELECT listing.ask, listing.min_order, listing.available_from, listing.available_to,
                  lot.credentials, demand.quantity AS wanted, demand.ceiling AS wanted_ceiling,
                  demand.deliver_from AS wanted_from, demand.deliver_to AS wanted_to,
                  demand.min_grade AS wanted_grade, demand.min_order AS wanted_min_order,
                  demand.requires AS wanted_requires
           FROM listing JOIN lot ON lot.id = listing.lot LEFT JOIN demand ON demand.id = $2
           WHERE listing.id = $1""",
        listing_id,
        demand_id if answers == rules.DEMAND else None,
    )
    if found is None:
        raise LookupError(listing_id)
    return found


async def check_under(bid: Record, seen: str | None) -> None:
    """Ask back whoever confirms a turn under other terms than those read. Listing and demand are held.

    Raises: OtherTerms.
    """
    if seen is None:
        return
    now = await under_of(listing_id=bid["listing"], demand_id=bid["demand"], answers=bid["answers"])
    if changed := differing(now, seen):
        raise OtherTerms(now, changed=changed)
