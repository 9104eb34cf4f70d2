from datetime import date, datetime

import msgspec

from market.accounts.rules import MANAGER, SUSPENDED, VERIFIED, Standing
from market.db.session import fetch, fetch_into, fetch_one_into
from market.errors import NotFound
from market.i18n import msg
from market.units import Fen

#: Whom a county looks after: whoever names it, those of its towns, and whoever names no county at all.
_OF_COUNTY = """(organisation.county = $1 OR town.county = $1
  OR (organisation.county IS NULL AND town.county IS NULL)) AND organisation.id <> $1"""


class StandingRow(msgspec.Struct, frozen=True):
    """What others see of an organisation's trust. ``verifier``: the county that checked it."""

    id: int
    name: str
    name_en: str
    kind: str
    state: str
    checked: list[str]
    until: date | None
    since: datetime | None
    verifier: str | None
    verifier_en: str | None

    @property
    def is_verified(self) -> bool:
        return self.state == VERIFIED

    @property
    def is_suspended(self) -> bool:
        return self.state == SUSPENDED


_STANDING = """SELECT organisation.id, organisation.name, organisation.name_en, organisation.kind,
       organisation.standing AS state, organisation.checked, organisation.verified_until AS until,
       last.decided_at AS since, verifier.name AS verifier, verifier.name_en AS verifier_en
FROM organisation
LEFT JOIN LATERAL (SELECT decided_at, verifier FROM verification
                   WHERE verification.organisation = organisation.id AND outcome = 'verified'
                   ORDER BY decided_at DESC LIMIT 1) last ON organisation.standing = 'verified'
LEFT JOIN organisation verifier ON verifier.id = last.verifier
"""


async def standings_of(*organisation_ids: int | None) -> dict[int, StandingRow]:
    """Return what may be shown of these organisations beside their names, by number."""
    rows = await fetch_into(
        StandingRow,
        _STANDING + "WHERE organisation.id = ANY($1)",
        [each for each in organisation_ids if each],
    )
    return {row.id: row for row in rows}


class OrganisationCard(msgspec.Struct, frozen=True):
    """An organisation as its own people and its county see it. ``buyer_limit``: fen."""

    id: int
    kind: str
    name: str
    name_en: str
    uscc: str | None
    address: str
    town: int | None
    town_name: str | None
    town_name_en: str | None
    county: int | None
    county_name: str | None
    county_name_en: str | None
    state: str
    state_since: datetime | None
    until: date | None
    checked: list[str]
    reason: str | None
    note: str
    granted: list[str]
    withheld: list[str]
    buyer_limit: int | None
    people: int
    waits: bool
    invented: bool

    @property
    def standing(self) -> Standing:
        return Standing(self.kind, self.state, frozenset(self.granted), frozenset(self.withheld))


_CARD = """SELECT organisation.id, organisation.kind, organisation.name, organisation.name_en,
       organisation.uscc, organisation.address, town.id AS town, town.name AS town_name,
       town.name_en AS town_name_en, county.id AS county, county.name AS county_name,
       county.name_en AS county_name_en, organisation.standing AS state,
       organisation.standing_since AS state_since, organisation.verified_until AS until, organisation.checked,
       organisation.standing_reason AS reason, organisation.standing_note AS note, organisation.granted,
       organisation.withheld, organisation.buyer_limit, organisation.invented,
       (SELECT count(DISTINCT person) FROM membership WHERE membership.organisation = organisation.id)
         AS people,
       EXISTS (SELECT FROM verification WHERE verification.organisation = organisation.id
               AND outcome IS NULL) AS waits
FROM organisation LEFT JOIN organisation town ON town.id = organisation.town
LEFT JOIN organisation county ON county.id = coalesce(organisation.county, town.county)
"""


async def own_card(*, organisation_id: int) -> OrganisationCard:
    """Return the viewer's own organisation. Raises: NotFound."""
    found = await fetch_one_into(OrganisationCard, _CARD + "WHERE organisation.id = $1", organisation_id)
    if found is None:
        raise NotFound(msg("没有找到这个单位。"))
    return found


async def cards_of_county(*, county_id: int) -> list[OrganisationCard]:
    """Return whom the county looks after; what waits for it first."""
    return await fetch_into(
        OrganisationCard,
        f"""{_CARD} WHERE {_OF_COUNTY}
            ORDER BY waits DESC, organisation.kind, organisation.name, organisation.id""",
        county_id,
    )


async def card_of_county(*, organisation_id: int, county_id: int) -> OrganisationCard:
    """Return one organisation that the county looks after. Raises: NotFound."""
    found = await fetch_one_into(
        OrganisationCard, f"{_CARD} WHERE {_OF_COUNTY} AND organisation.id = $2", county_id, organisation_id
    )
    if found is None:
        raise NotFound(msg("没有找到这个单位。"))
    return found


class FilingRow(msgspec.Struct, frozen=True):
    """A filing with what was decided about it."""

    id: int
    words: str
    filed_by: str
    filed_at: datetime
    outcome: str | None
    checked: list[str]
    valid_until: date | None
    reason: str | None
    note: str
    decided_by: str | None
    verifier: str | None
    verifier_en: str | None
    decided_at: datetime | None


class PaperRow(msgspec.Struct, frozen=True):
    id: int
    filing: int
    name: str
    media_type: str


async def filings_of(*, organisation_id: int) -> list[FilingRow]:
    """Return every filing of the organisation's, the newest first. Whose it is is for the caller to know."""
    return await fetch_into(
        FilingRow,
        """SELECT verification.id, verification.words, filer.name AS filed_by, verification.filed_at,
                  verification.outcome, verification.checked, verification.valid_until, verification.reason,
                  verification.note, decider.name AS decided_by, verifier.name AS verifier,
                  verifier.name_en AS verifier_en, verification.decided_at
           FROM verification JOIN person filer ON filer.id = verification.filed_by
           LEFT JOIN person decider ON decider.id = verification.decided_by
           LEFT JOIN organisation verifier ON verifier.id = verification.verifier
           WHERE verification.organisation = $1 ORDER BY verification.id DESC LIMIT 50""",
        organisation_id,
    )


async def papers_of(*, organisation_id: int) -> list[PaperRow]:
    """Return what was handed in with the filings, without the contents."""
    return await fetch_into(
        PaperRow,
        """SELECT paper.id, paper.filing, paper.name, paper.media_type FROM verification_paper paper
           JOIN verification ON verification.id = paper.filing
           WHERE verification.organisation = $1 ORDER BY paper.id""",
        organisation_id,
    )


class PaperContent(msgspec.Struct, frozen=True):
    name: str
    media_type: str
    content: bytes


async def paper_content(*, paper_id: int, organisation_id: int) -> PaperContent:
    """Return one paper of the organisation's. Raises: NotFound."""
    found = await fetch_one_into(
        PaperContent,
        """SELECT paper.name, paper.media_type, paper.content FROM verification_paper paper
           JOIN verification ON verification.id = paper.filing
           WHERE paper.id = $1 AND verification.organisation = $2""",
        paper_id,
        organisation_id,
    )
    if found is None:
        raise NotFound(msg("没有找到这份材料。"))
    return found


async def limit_of(*, person_id: int, organisation_id: int) -> Fen | None:
    """Return the fen that the person may commit the organisation to alone; None: any amount.

    An agent of another organisation has the limit of a buyer.
    """
    rows = await fetch(
        """SELECT organisation.buyer_limit, membership.role, membership.most FROM organisation
           LEFT JOIN membership ON membership.organisation = organisation.id AND membership.person = $1
             AND membership.role = $3
           WHERE organisation.id = $2""",
        person_id,
        organisation_id,
        MANAGER,
    )
    row = rows[0]
    limit = row["buyer_limit"] if row["role"] is None else row["most"]
    return None if limit is None else Fen(limit)
