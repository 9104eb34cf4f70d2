"""Who looks after whom: an organisation's own keepers, its town, its county."""

import msgspec

from market.accounts import rules
from market.accounts.rules import Standing, Viewer
from market.db.session import fetch_into, fetch_value
from market.errors import NotFound
from market.i18n import Message, msg

#: A condition on ``organisation``: $1 is the viewer's organisation, $2 whether the viewer keeps its own
#: people, $3 whether the viewer speaks for a town or county. Whoever speaks for a town may also begin with
#: an organisation that has no town and nobody in it yet: a chain that comes for the first time.
KEPT = """(
  (organisation.id = $1 AND $2)
  OR ($3 AND (
    organisation.town = $1 OR organisation.county = $1
    OR EXISTS (SELECT FROM organisation AS town WHERE town.id = organisation.town AND town.county = $1)
    OR (organisation.town IS NULL AND organisation.kind NOT IN ('town', 'county')
        AND NOT EXISTS (SELECT FROM membership WHERE membership.organisation = organisation.id)))))"""


class KeptOrganisation(msgspec.Struct, frozen=True):
    id: int
    kind: str
    name: str
    name_en: str
    people: int
    granted: frozenset[str]
    withheld: frozenset[str]

    def roles(self, viewer: Viewer) -> dict[str, Message]:
        """Return the roles that ``viewer`` may give somebody there."""
        able = rules.roles_in(Standing(self.kind, granted=self.granted, withheld=self.withheld))
        if rules.ADMINISTRATOR not in viewer.roles and not viewer.is_county:
            able.pop(rules.ADMINISTRATOR, None)
        return able


class KeptPerson(msgspec.Struct, frozen=True):
    id: int
    name: str
    name_en: str
    phone: str
    active: bool
    has_password: bool
    roles: tuple[str, ...]


def scope(viewer: Viewer) -> tuple[int, bool, bool]:
    """Return the values of :data:`KEPT` for a viewer."""
    speaks = bool(viewer.sides & {"official", "county"}) and viewer.delegation_id is None
    return viewer.organisation_id, viewer.keeps, speaks


def keeps_anybody(viewer: Viewer) -> bool:
    return any(scope(viewer)[1:])


_COLUMNS = """organisation.id, organisation.kind, organisation.name, organisation.name_en,
  organisation.granted, organisation.withheld,
  (SELECT count(DISTINCT person) FROM membership WHERE membership.organisation = organisation.id) AS people"""


async def organisations_kept_by(viewer: Viewer) -> list[KeptOrganisation]:
    """Return every organisation that the viewer looks after, its own first, then those with nobody."""
    return await fetch_into(
        KeptOrganisation,
        f"""SELECT {_COLUMNS} FROM organisation WHERE {KEPT}
            ORDER BY organisation.id <> $1,
              EXISTS (SELECT FROM membership WHERE membership.organisation = organisation.id),
              organisation.kind, organisation.id""",  # noqa: S608  words of ours; values are parameters
        *scope(viewer),
    )


async def organisation_kept_by(viewer: Viewer, *, organisation_id: int) -> KeptOrganisation:
    """Raises: NotFound: the viewer does not look after it."""
    rows = await fetch_into(
        KeptOrganisation,
        f"SELECT {_COLUMNS} FROM organisation WHERE {KEPT} AND organisation.id = $4",  # noqa: S608  words of ours; values are parameters
        *scope(viewer),
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这个单位。"))
    return rows[0]


async def most_to_give(*, person_id: int | None, organisation_id: int) -> int | None:
    """Return the fen up to which the person gives out limits in the organisation; None: any amount.

    A purchasing manager who has a limit raises nobody's above it, the own neither.
    """
    given: int | None = await fetch_value(
        """SELECT CASE WHEN bool_and(role = $4) THEN min(most) END FROM membership
           WHERE person = $1 AND organisation = $2 AND role = ANY($3)""",
        person_id,
        organisation_id,
        sorted(rules.KEEPING_ROLES),
        rules.MANAGER,
    )
    return given


async def people_of(*, organisation_id: int) -> list[KeptPerson]:
    """Return who has a role in an organisation; whoever asks looks after it."""
    return await fetch_into(
        KeptPerson,
        """SELECT person.id, person.name, person.name_en, person.phone, person.active,
                  person.password_hash IS NOT NULL AS has_password,
                  array_agg(membership.role ORDER BY membership.id) AS roles
           FROM membership JOIN person ON person.id = membership.person
           WHERE membership.organisation = $1 GROUP BY person.id ORDER BY person.id""",
        organisation_id,
    )
