"""What the county has checked, beside the names of those whom one deals with."""

from collections.abc import Mapping

import msgspec

from market.i18n import Message
from market.organisations import rules
from market.organisations.queries import StandingRow, standings_of
from market.transitions import Lifecycle


class Badges(msgspec.Struct, frozen=True):
    """How the organisations of one page stand; the templates of ``organisation/parts.html`` draw it."""

    rows: dict[int, StandingRow]

    @property
    def life(self) -> Lifecycle:
        return rules.VERIFICATION

    @property
    def checks(self) -> Mapping[str, Message]:
        return rules.CHECKS

    def of(self, organisation_id: int) -> StandingRow | None:
        return self.rows.get(organisation_id)


async def badges_of(*organisation_ids: int | None) -> Badges:
    return Badges(await standings_of(*organisation_ids))
