"""Registering organisations and people."""

from datetime import datetime

import msgspec
from stdnum.cn import uscc as uscc_code

from market.accounts import rules
from market.accounts.limits import forget_tries
from market.accounts.passwords import hash_password
from market.accounts.sessions import forget_sessions
from market.db.session import execute, fetch, transaction
from market.errors import Invalid
from market.i18n import msg


class NewOrganisation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    name: str
    name_en: str = ""
    uscc: str | None = None
    division: str | None = None
    address: str = ""
    lat: float | None = None
    lon: float | None = None
    town_id: int | None = None
    county_id: int | None = None
    invented: bool = False


async def register_organisation(*, organisation: NewOrganisation, at: datetime) -> int:
    """Return the new organisation's number; the same unified social credit code gives the same one.

    Raises:
        Invalid: unknown kind, or a code whose check digit is wrong.
    """
    if organisation.kind not in rules.KINDS:
        raise Invalid(msg("没有“{kind}”这种单位类型。", kind=organisation.kind))
    if organisation.uscc is not None and not uscc_code.is_valid(organisation.uscc):
        problem = msg("统一社会信用代码的校验位不对，请逐位核对。")
        raise Invalid(problem, {"uscc": problem})
    async with transaction():
        rows = await fetch(
            """INSERT INTO organisation
                 (kind, name, name_en, uscc, division, address, lat, lon, town, county, invented, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
               ON CONFLICT (uscc) DO NOTHING RETURNING id""",
            organisation.kind,
            organisation.name,
            organisation.name_en,
            organisation.uscc,
            organisation.division,
            organisation.address,
            organisation.lat,
            organisation.lon,
            organisation.town_id,
            organisation.county_id,
            organisation.invented,
            at,
        )
        if not rows:
            rows = await fetch("SELECT id FROM organisation WHERE uscc = $1", organisation.uscc)
        return int(rows[0]["id"])


class NewSite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    lat: float
    lon: float
    name_en: str = ""
    address: str = ""
    invented: bool = False


async def add_site(*, organisation_id: int, site: NewSite) -> int:
    rows = await fetch(
        """INSERT INTO site (organisation, name, name_en, address, lat, lon, invented)
           VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id""",
        organisation_id,
        site.name,
        site.name_en,
        site.address,
        site.lat,
        site.lon,
        site.invented,
    )
    return int(rows[0]["id"])


class NewPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    phone: str
    password: str | None = None
    name_en: str = ""
    invented: bool = False
    #: In PHC form, where somebody has hashed it already (an import does not know the password).
    password_hash: str | None = None


async def register_person(
    *, person: NewPerson, organisation_id: int, roles: frozenset[str], at: datetime
) -> int:
    """Return the person's number; a known phone number gains the roles and keeps its password.

    Raises:
        Invalid: not a phone number, or no such role.
    """
    if not rules.is_phone(person.phone):
        problem = msg("手机号应是 11 位数字，以 1 开头。")
        raise Invalid(problem, {"phone": problem})
    if unknown := roles - rules.ROLES.keys():
        raise Invalid(msg("没有“{role}”这种角色。", role=min(unknown)))
    password_hash = person.password_hash
    if person.password:
        password_hash = await hash_password(person.password)
    async with transaction():
        rows = await fetch(
            """INSERT INTO person
                 (name, name_en, phone, password_hash, language, active, invented, created_at)
               VALUES ($1, $2, $3, $4, 'zh', true, $5, $6)
               ON CONFLICT (phone) DO UPDATE SET phone = excluded.phone RETURNING id""",
            person.name,
            person.name_en,
            person.phone,
            password_hash,
            person.invented,
            at,
        )
        person_id = int(rows[0]["id"])
        for role in sorted(roles):
            await execute(
                """INSERT INTO membership (person, organisation, role) VALUES ($1, $2, $3)
                   ON CONFLICT DO NOTHING""",
                person_id,
                organisation_id,
                role,
            )
    return person_id


async def set_language(*, person_id: int, language: str) -> None:
    await execute("UPDATE person SET language = $2 WHERE id = $1", person_id, language)


async def forget_expired(*, at: datetime) -> None:
    """Delete sessions and requests for passwords that are over, and tries that no limit looks at any more."""
    await forget_sessions(at=at)
    await forget_tries(at=at)
    await execute("DELETE FROM recovery WHERE expires_at <= $1", at)
