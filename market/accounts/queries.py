from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from asyncpg import Record

from market.accounts.rules import BUY, BUYER, KEEPING_ROLES, SELL, SELLER, SESSION_IDLE_DAYS, Standing, Viewer
from market.clock import CHINA
from market.db.session import fetch, fetch_into
from market.errors import NotFound
from market.i18n import msg

_IDLE = timedelta(days=SESSION_IDLE_DAYS)


class OrganisationRow(msgspec.Struct, frozen=True):
    id: int
    kind: str
    name: str
    name_en: str
    lat: float | None
    lon: float | None
    town: int | None
    invented: bool


class SiteRow(msgspec.Struct, frozen=True):
    id: int
    name: str
    name_en: str
    lat: float
    lon: float


class ContactRow(msgspec.Struct, frozen=True):
    name: str
    name_en: str
    phone: str
    role: str
    #: Agrees that the other side of a signed contract sees the number (the privacy room's consent).
    shares: bool


async def viewers_for(
    *, token_hashes: Sequence[bytes], at: datetime, pages: Sequence[bytes] = ()
) -> dict[bytes, Viewer]:
    """Return whom these tokens (their SHA-256), of sessions or of the API, belong to; those of ``pages`` with
    what every page tells.

    None of one that is unknown, over, waits for a second factor, whose person has been switched off or is no
    member any more, or that acts under a delegation which is revoked or over.
    """
    rows = await fetch(
        """SELECT session.token_hash, session.id,
                  person.id AS person, person.name, person.name_en, person.language,
                  organisation.id AS organisation, organisation.name AS organisation_name,
                  organisation.name_en AS organisation_name_en, organisation.kind,
                  organisation.standing, organisation.granted, organisation.withheld,
                  EXISTS (SELECT FROM second_factor WHERE second_factor.person = person.id
                          AND confirmed_at IS NOT NULL) AS has_factor,
                  session.seen_at, session.scopes, session.delegation, delegation.deeds,
                  EXISTS (SELECT FROM membership AS keeper WHERE keeper.organisation = organisation.id
                          AND keeper.role = ANY($5)) AS has_keeper,
                  ARRAY(SELECT DISTINCT role FROM membership AS held
                        JOIN person AS holder ON holder.id = held.person AND holder.active
                        WHERE held.organisation = organisation.id) AS colleagues,
                  CASE WHEN session.token_hash = ANY($6) THEN
                    (SELECT json_object_agg(kind, count) FROM (
                       SELECT kind, count(*) FROM notice
                       WHERE notice.organisation = organisation.id AND read_at IS NULL
                       GROUP BY kind) AS new) END AS unread,
                  CASE WHEN session.token_hash = ANY($6) THEN
                    (SELECT version FROM consent_act WHERE consent_act.person = person.id
                     AND purpose = 'notice' ORDER BY consent_act.id DESC LIMIT 1) END AS notice_read,
                  array_remove(array_agg(membership.role), NULL) AS roles
           FROM (SELECT token_hash, id, person, organisation, delegation, seen_at, NULL::text[] AS scopes
                 FROM session
                 WHERE token_hash = ANY($1) AND awaits = '' AND expires_at > $2 AND seen_at > $3
                 UNION ALL
                 SELECT token_hash, id, person, organisation, NULL,
                        coalesce(last_used_at, created_at - interval '1 day'), scopes
                 FROM api_token
                 WHERE token_hash = ANY($1) AND revoked_at IS NULL AND expires_at > $2) AS session
           JOIN person ON person.id = session.person AND person.active
           JOIN organisation ON organisation.id = session.organisation
           LEFT JOIN delegation ON delegation.id = session.delegation AND delegation.revoked_at IS NULL
             AND delegation.until >= $4 AND delegation.principal = organisation.id
             AND delegation.agent = person.id
           LEFT JOIN membership ON membership.person = person.id
             AND membership.organisation = coalesce(delegation.agent_organisation, organisation.id)
           WHERE membership.id IS NOT NULL AND (session.delegation IS NULL) = (delegation.id IS NULL)
           GROUP BY session.token_hash, session.id, session.seen_at, session.delegation, session.scopes,
                    person.id, organisation.id, delegation.id""",
        token_hashes,
        at,
        at - _IDLE,
        at.astimezone(CHINA).date(),
        sorted(KEEPING_ROLES),
        pages,
    )
    return {row["token_hash"]: _viewer(row) for row in rows}


def _viewer(row: Record) -> Viewer:
    return Viewer(
        session_id=row["id"] if row["scopes"] is None else 0,
        token_id=None if row["scopes"] is None else row["id"],
        scopes=None if row["scopes"] is None else frozenset(row["scopes"]),
        person_id=row["person"],
        name=row["name"],
        name_en=row["name_en"],
        organisation_id=row["organisation"],
        organisation_name=row["organisation_name"],
        organisation_name_en=row["organisation_name_en"],
        organisation_kind=row["kind"],
        roles=_roles(row),
        language=row["language"],
        seen_at=row["seen_at"],
        has_factor=row["has_factor"],
        state=row["standing"],
        granted=frozenset(row["granted"]),
        withheld=frozenset(row["withheld"]),
        delegation_id=row["delegation"],
        delegated=frozenset(row["deeds"] or ()),
        has_keeper=row["has_keeper"],
        colleagues=frozenset(row["colleagues"]),
        unread=msgspec.json.decode(row["unread"] or b"{}", type=dict[str, int]),
        notice_read=row["notice_read"] or "",
    )


def _roles(row: Record) -> frozenset[str]:
    """Return the person's roles; an agent has none of its own in the principal, it sells or buys for it."""
    if row["delegation"] is None:
        return frozenset(row["roles"])
    able = Standing(row["kind"], granted=frozenset(row["granted"]), withheld=frozenset(row["withheld"]))
    stands_for = {SELL: SELLER, BUY: BUYER}
    return frozenset(role for able_to, role in stands_for.items() if able_to in able.capabilities)


async def organisation(*, organisation_id: int) -> OrganisationRow:
    """Raises: NotFound."""
    rows = await fetch_into(
        OrganisationRow,
        "SELECT id, kind, name, name_en, lat, lon, town, invented FROM organisation WHERE id = $1",
        organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这个单位。"))
    return rows[0]


async def town_by_name(*, name: str) -> OrganisationRow:
    """Return the town government whose name is, or starts with, ``name``; or whose number it is.

    Raises:
        NotFound: none, or more than one; the message lists what there is.
    """
    rows = await fetch_into(
        OrganisationRow,
        """SELECT id, kind, name, name_en, lat, lon, town, invented FROM organisation
           WHERE kind = 'town' ORDER BY id""",
    )
    wanted = name.strip()
    exact = [row for row in rows if wanted in (row.name, str(row.id), row.name_en)]
    found = exact or [row for row in rows if row.name.startswith(wanted) or wanted in row.name_en.split()]
    if wanted and len(found) == 1:
        return found[0]
    known = "、".join(f"{row.id} {row.name}" for row in rows) or "-"
    raise NotFound(msg("没有唯一对应“{name}”的镇，现有：{known}。", name=name, known=known))


async def sites_of(*, organisation_id: int) -> list[SiteRow]:
    return await fetch_into(
        SiteRow,
        "SELECT id, name, name_en, lat, lon FROM site WHERE organisation = $1 ORDER BY id",
        organisation_id,
    )


async def contacts_of(*, organisation_id: int) -> list[ContactRow]:
    """Return the people of an organisation with unmasked numbers: for both sides of a deal only."""
    return await fetch_into(
        ContactRow,
        """SELECT person.name, person.name_en, person.phone, membership.role,
                  coalesce((SELECT given FROM consent_act WHERE consent_act.person = person.id
                            AND purpose = 'contact' ORDER BY id DESC LIMIT 1), false) AS shares
           FROM membership JOIN person ON person.id = membership.person
           WHERE membership.organisation = $1 AND person.active ORDER BY membership.id""",
        organisation_id,
    )


async def own_organisations(*, person_id: int) -> list[OrganisationRow]:
    """Return every organisation in which the person has a role."""
    return await fetch_into(
        OrganisationRow,
        """SELECT id, kind, name, name_en, lat, lon, town, invented FROM organisation
           WHERE id IN (SELECT organisation FROM membership WHERE person = $1) ORDER BY id""",
        person_id,
    )


class OwnPerson(msgspec.Struct, frozen=True):
    name: str
    name_en: str
    phone: str


async def own_person(*, person_id: int) -> OwnPerson:
    """Return what is written of somebody, for that person alone."""
    rows = await fetch_into(OwnPerson, "SELECT name, name_en, phone FROM person WHERE id = $1", person_id)
    if not rows:
        raise NotFound(msg("没有找到这个账号。"))
    return rows[0]


async def own_phone(*, person_id: int) -> str:
    """Return a person's number, for that person alone."""
    rows = await fetch("SELECT phone FROM person WHERE id = $1", person_id)
    return str(rows[0]["phone"])
