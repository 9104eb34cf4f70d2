"""Registering organisations and people, signing in and out."""

import secrets
from datetime import datetime, timedelta

import msgspec
from stdnum.cn import uscc as uscc_code

from market.accounts import rules
from market.accounts.passwords import hash_password, verify_password
from market.db.session import execute, fetch, transaction
from market.errors import Conflict, Invalid, MarketError
from market.i18n import msg


class TooManyTries(MarketError):
    """The account or the address has tried too often in this window of time."""

    #: Seconds after which a new window has begun for sure.
    retry_after = rules.WINDOW_MINUTES * 60


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
                 (kind, name, name_en, uscc, division, address, lat, lon, town, invented, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
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


async def sign_in(
    *, phone: str, password: str, address: str, at: datetime, old_token: str | None = None
) -> str:
    """Return the opaque token of a new session; a session that the browser brought along ends.

    Unknown account, wrong password and account without one give the same answer after the same time.

    Raises:
        TooManyTries: this account or address has tried too often.
        Invalid: the pair of phone number and password is not right.
    """
    await count_try(subject=f"account:{phone}", most=rules.TRIES_PER_ACCOUNT, at=at)
    await count_try(subject=f"address:{address}", most=rules.TRIES_PER_ADDRESS, at=at)
    rows = await fetch(
        """SELECT person.id, person.password_hash, min(membership.organisation) AS organisation
           FROM person JOIN membership ON membership.person = person.id
           WHERE person.phone = $1 AND person.active GROUP BY person.id""",
        phone,
    )
    stored = rows[0]["password_hash"] if rows else None
    if not await verify_password(password=password, stored=stored):
        raise Invalid(msg("手机号或密码不对，请再试一次。"))
    if old_token:
        await sign_out(token=old_token)
    token = secrets.token_urlsafe(32)
    await execute(
        """INSERT INTO session (token_hash, person, organisation, created_at, expires_at, seen_at)
           VALUES ($1, $2, $3, $4, $5, $4)""",
        rules.token_hash(token),
        rows[0]["id"],
        rows[0]["organisation"],
        at,
        at + timedelta(days=rules.SESSION_DAYS),
    )
    return token


async def sign_out(*, token: str) -> None:
    await execute("DELETE FROM session WHERE token_hash = $1", rules.token_hash(token))


async def set_language(*, person_id: int, language: str) -> None:
    await execute("UPDATE person SET language = $2 WHERE id = $1", person_id, language)


async def change_password(*, person_id: int, old: str, new: str, keep_session_id: int) -> None:
    """Set a new password and end every other session of the person.

    Raises:
        Invalid: the old password is wrong, or the new one too short or too long.
        Conflict: the password was changed meanwhile.
    """
    shortest, longest = rules.PASSWORD_LENGTH
    if not shortest <= len(new) <= longest:
        problem = msg("密码须有 {shortest} 到 {longest} 个字符。", shortest=shortest, longest=longest)
        raise Invalid(problem, {"new": problem})
    rows = await fetch("SELECT password_hash FROM person WHERE id = $1", person_id)
    stored = rows[0]["password_hash"] if rows else None
    if not await verify_password(password=old, stored=stored):
        problem = msg("原密码不对。")
        raise Invalid(problem, {"old": problem})
    hashed = await hash_password(new)
    async with transaction():
        changed = await fetch(
            "UPDATE person SET password_hash = $3 WHERE id = $1 AND password_hash = $2 RETURNING id",
            person_id,
            stored,
            hashed,
        )
        if not changed:
            raise Conflict(msg("密码刚刚已在别处改过，请重新登录。"))
        await execute("DELETE FROM session WHERE person = $1 AND id <> $2", person_id, keep_session_id)


async def count_try(*, subject: str, most: int, at: datetime) -> None:
    """Count one try of ``subject`` in one atomic statement, so that the limit holds across workers.

    Raises:
        TooManyTries: there were more than ``most`` in this window of time.
    """
    window = timedelta(minutes=rules.WINDOW_MINUTES)
    start = datetime.fromtimestamp(
        at.timestamp() // window.total_seconds() * window.total_seconds(), at.tzinfo
    )
    rows = await fetch(
        """INSERT INTO attempt (subject, window_start, tries) VALUES ($1, $2, 1)
           ON CONFLICT (subject, window_start) DO UPDATE SET tries = attempt.tries + 1 RETURNING tries""",
        subject,
        start,
    )
    if rows[0]["tries"] > most:
        raise TooManyTries(msg("试得太多了，请 {minutes} 分钟后再试。", minutes=rules.WINDOW_MINUTES))


async def forget_expired(*, at: datetime) -> None:
    """Delete sessions that are over and counts of tries of past windows."""
    await execute("DELETE FROM session WHERE expires_at <= $1", at)
    await execute("DELETE FROM attempt WHERE window_start < $1", at - timedelta(minutes=rules.WINDOW_MINUTES))
