"""The second factor: one-time codes of an authenticator app (RFC 6238), and ten codes on paper."""

import base64
import hmac
import secrets
from datetime import datetime

import msgspec
import pyotp

from market.accounts import rules
from market.accounts.limits import count_try
from market.accounts.passwords import hash_password, verify_password
from market.accounts.rules import Actor, Viewer
from market.accounts.sealing import seal, unseal
from market.accounts.sessions import LIFETIME, end_other_sessions, renew_session
from market.accounts.signing_in import confirm_password
from market.audit.operations import record
from market.db.session import execute, fetch, fetch_row, fetch_value, transaction
from market.errors import Conflict, Invalid, NotAllowed, NotFound
from market.i18n import msg
from market.settings import settings

#: Codes that may be typed within a quarter of an hour, right or wrong.
TRIES = 10
#: Seconds for which an app shows a code.
STEP = 30
#: Clocks of phones may be off by so many steps.
DRIFT = 1
BACKUP_CODES = 10
ISSUER = "田头 Tiantou"


class Factor(msgspec.Struct, frozen=True):
    """How a person's second factor stands. ``confirmed_at`` None: begun, not yet in use."""

    confirmed_at: datetime | None
    backup_left: int


class Pending(msgspec.Struct, frozen=True):
    """A session whose password was right and whose second factor has not been shown."""

    id: int
    person_id: int


def is_required(roles: frozenset[str]) -> bool:
    """Tell whether the installation asks people with one of ``roles`` for a second factor."""
    return bool(roles & {role.strip() for role in settings().second_factor_for.split(",")})


async def factor_of(*, person_id: int) -> Factor | None:
    row = await fetch_row(
        """SELECT confirmed_at, (SELECT count(*) FROM backup_code
                                 WHERE backup_code.person = $1 AND used_at IS NULL) AS backup_left
           FROM second_factor WHERE person = $1""",
        person_id,
    )
    return None if row is None else Factor(row["confirmed_at"], row["backup_left"])


async def begin_second_factor(*, viewer: Viewer, password: str, at: datetime) -> None:
    """Make a secret for the person's app; it counts for nothing until a code of it has been typed.

    Raises:
        TooManyTries: the password was wrong too often.
        Invalid: the password is wrong.
        Conflict: there is one in use already.
    """
    await confirm_password(person_id=viewer.person_id, password=password, at=at)
    sealed = seal(pyotp.random_base32(32).encode(), about=_about(viewer.person_id))
    made = await fetch(
        """INSERT INTO second_factor (person, secret, last_step, created_at) VALUES ($1, $2, 0, $3)
           ON CONFLICT (person) DO UPDATE SET secret = excluded.secret, created_at = excluded.created_at
           WHERE second_factor.confirmed_at IS NULL RETURNING id""",
        viewer.person_id,
        sealed,
        at,
    )
    if not made:
        raise Conflict(msg("第二重验证已经开着。要换手机，请先关掉再开。"))


async def unconfirmed_secret(*, person_id: int) -> str:
    """Return the secret that is to be put into the app, in base32.

    Raises:
        NotFound: none was begun, or it is in use: then nobody sees it again.
    """
    sealed = await fetch_value(
        "SELECT secret FROM second_factor WHERE person = $1 AND confirmed_at IS NULL", person_id
    )
    if sealed is None:
        raise NotFound(msg("请先输入密码，再开第二重验证。"))
    return unseal(sealed, about=_about(person_id)).decode()


def address_for_app(*, secret: str, phone: str) -> str:
    """Return the address that the QR code for the app holds."""
    return pyotp.TOTP(secret).provisioning_uri(name=rules.masked(phone), issuer_name=ISSUER)


async def confirm_second_factor(*, viewer: Viewer, code: str, at: datetime) -> tuple[list[str], str]:
    """Begin to ask for codes, after the first right one; end every other session of the person.

    Return ten backup codes, which are shown this once, and the session's new token.

    Raises:
        TooManyTries: too many codes were typed lately.
        Invalid: the code is not right.
        NotFound: none was begun.
    """
    await count_try(subject=f"code:{viewer.person_id}", most=TRIES, at=at)
    secret = await unconfirmed_secret(person_id=viewer.person_id)
    step = _step_of(secret, code, at)
    if step is None:
        raise _wrong_code()
    codes, hashes = await _new_backup_codes()
    async with transaction():
        taken = await fetch(
            """UPDATE second_factor SET confirmed_at = $2, last_step = $3
               WHERE person = $1 AND confirmed_at IS NULL RETURNING id""",
            viewer.person_id,
            at,
            step,
        )
        if not taken:
            raise NotFound(msg("请先输入密码，再开第二重验证。"))
        await _store_backup_codes(viewer.person_id, hashes)
        await end_other_sessions(person_id=viewer.person_id, keep_session_id=viewer.session_id)
        await _noted(viewer, "second_factor_on", at)
        return codes, await renew_session(session_id=viewer.session_id)


async def drop_second_factor(*, viewer: Viewer, password: str, at: datetime) -> str:
    """Ask for no codes any more; return the session's new token.

    Raises:
        TooManyTries: the password was wrong too often.
        Invalid: the password is wrong.
        NotAllowed: the installation asks for one.
    """
    await confirm_password(person_id=viewer.person_id, password=password, at=at)
    if is_required(viewer.roles):
        raise NotAllowed(msg("您的角色必须用第二重验证，不能关掉。"))
    async with transaction():
        await forget_second_factor(person_id=viewer.person_id)
        await end_other_sessions(person_id=viewer.person_id, keep_session_id=viewer.session_id)
        await _noted(viewer, "second_factor_off", at)
        return await renew_session(session_id=viewer.session_id)


async def forget_second_factor(*, person_id: int) -> None:
    """Delete secret and backup codes. Whoever calls it has asked who wants that, and records it."""
    await execute("DELETE FROM second_factor WHERE person = $1", person_id)
    await execute("DELETE FROM backup_code WHERE person = $1", person_id)


async def renew_backup_codes(*, viewer: Viewer, password: str, at: datetime) -> list[str]:
    """Make ten new codes, shown this once; the old ones are good for nothing any more.

    Raises:
        TooManyTries: the password was wrong too often.
        Invalid: the password is wrong.
        NotFound: there is no second factor in use.
    """
    await confirm_password(person_id=viewer.person_id, password=password, at=at)
    codes, hashes = await _new_backup_codes()
    async with transaction():
        if not await fetch_value(
            "SELECT id FROM second_factor WHERE person = $1 AND confirmed_at IS NOT NULL FOR UPDATE",
            viewer.person_id,
        ):
            raise NotFound(msg("第二重验证没有开。"))
        await _store_backup_codes(viewer.person_id, hashes)
        await _noted(viewer, "backup_codes_renewed", at)
    return codes


async def pending_session(*, token_hash: bytes, at: datetime) -> Pending | None:
    """Return the session of this token, if it waits for the second factor."""
    row = await fetch_row(
        """SELECT session.id, person.id AS person FROM session
           JOIN person ON person.id = session.person AND person.active
           WHERE session.token_hash = $1 AND session.awaits = 'code' AND session.expires_at > $2""",
        token_hash,
        at,
    )
    return None if row is None else Pending(row["id"], row["person"])


async def show_code(*, token: str, code: str, at: datetime) -> str:
    """Take the second factor of a session that waits for it; return the token under which it goes on.

    Raises:
        TooManyTries: too many codes of this person were typed lately.
        NotFound: no session waits under this token (any more).
        Invalid: the code is wrong, or was taken before.
    """
    pending = await pending_session(token_hash=rules.token_hash(token), at=at)
    if pending is None:
        raise NotFound(msg("这次登录已经结束，请重新登录。"))
    await count_try(subject=f"code:{pending.person_id}", most=TRIES, at=at)
    if not await _takes(pending.person_id, code, at):
        raise _wrong_code()
    async with transaction():
        rows = await fetch(
            """UPDATE session SET awaits = '', created_at = $2, seen_at = $2, expires_at = $3
               WHERE id = $1 AND awaits = 'code' RETURNING id""",
            pending.id,
            at,
            at + LIFETIME,
        )
        if not rows:
            raise NotFound(msg("这次登录已经结束，请重新登录。"))
        return await renew_session(session_id=pending.id)


async def _takes(person_id: int, code: str, at: datetime) -> bool:
    """Tell whether the code is right, and take it: it is right this once."""
    flat = "".join(code.split()).replace("-", "").lower()
    sealed = await fetch_value(
        "SELECT secret FROM second_factor WHERE person = $1 AND confirmed_at IS NOT NULL", person_id
    )
    if sealed is None:
        return False
    step = _step_of(unseal(sealed, about=_about(person_id)).decode(), flat, at)
    if step is not None:
        taken = "UPDATE second_factor SET last_step = $2 WHERE person = $1 AND last_step < $2 RETURNING id"
        return bool(await fetch(taken, person_id, step))
    if len(flat) != 11 or not flat[0].isdecimal() or not flat.isascii():
        return False
    row = await fetch_row(
        "SELECT id, code_hash FROM backup_code WHERE person = $1 AND position = $2 AND used_at IS NULL",
        person_id,
        int(flat[0]),
    )
    if row is None or not await verify_password(password=flat, stored=row["code_hash"]):
        return False
    used = "UPDATE backup_code SET used_at = $2 WHERE id = $1 AND used_at IS NULL RETURNING id"
    return bool(await fetch(used, row["id"], at))


def _step_of(secret: str, code: str, at: datetime) -> int | None:
    """Return the step of 30 seconds whose code this is, within the drift of clocks."""
    if len(code) != 6 or not (code.isascii() and code.isdecimal()):
        return None
    now = int(at.timestamp()) // STEP
    codes = pyotp.TOTP(secret, interval=STEP)
    found = [
        step
        for step in range(now - DRIFT, now + DRIFT + 1)
        if hmac.compare_digest(codes.generate_otp(step), code)
    ]
    return found[-1] if found else None


async def _new_backup_codes() -> tuple[list[str], list[str]]:
    """Return ten codes of 50 random bits as they are shown, and their hashes."""
    codes, hashes = [], []
    for position in range(BACKUP_CODES):
        drawn = base64.b32encode(secrets.token_bytes(7)).decode().lower()[:10]
        codes.append(f"{position}-{drawn[:5]}-{drawn[5:]}")
        hashes.append(await hash_password(f"{position}{drawn}"))
    return codes, hashes


async def _store_backup_codes(person_id: int, hashes: list[str]) -> None:
    await execute("DELETE FROM backup_code WHERE person = $1", person_id)
    await execute(
        """INSERT INTO backup_code (person, position, code_hash)
           SELECT $1, place - 1, hash FROM unnest($2::text[]) WITH ORDINALITY AS each (hash, place)""",
        person_id,
        hashes,
    )


def _about(person_id: int) -> str:
    return f"second_factor:{person_id}"


def _wrong_code() -> Invalid:
    problem = msg("验证码不对，或已经用过。请等手机上换了新的再输。")
    return Invalid(problem, {"code": problem})


async def _noted(viewer: Viewer, action: str, at: datetime) -> None:
    await record(
        subject=f"person:{viewer.person_id}",
        action=action,
        actor=Actor(viewer.person_id, viewer.organisation_id, viewer.side),
        at=at,
        details={},
    )
