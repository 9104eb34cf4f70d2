"""Signing in with phone number and password, and choosing another password."""

from datetime import datetime

import msgspec

from market.accounts import limits, rules
from market.accounts.passwords import check_new_password, hash_password, is_outdated, verify_password
from market.accounts.sessions import begin_session, end_other_sessions, renew_session, sign_out
from market.audit.operations import record
from market.db.session import execute, fetch, transaction
from market.errors import Conflict, Invalid
from market.i18n import msg


class Opened(msgspec.Struct, frozen=True):
    """A session that has begun. ``awaits`` is "code" where the second factor is still to be shown."""

    token: str
    awaits: str = ""


async def count_sign_in(*, phone: str, address: str, known_device: str | None, at: datetime) -> None:
    """Count a try for the account and for the address.

    An account's tries are counted for each address apart (few), and from everywhere together (more): who
    guesses from many addresses is slowed down. A device on which the owner has signed in before has a count
    of its own instead: whoever uses up the others' does not shut the owner out.

    Raises:
        TooManyTries: there were too many.
    """
    source = limits.network(address)
    await limits.count_try(subject=f"address:{source}", most=rules.TRIES_PER_ADDRESS, at=at)
    if known_device:
        subject = f"device:{phone}|{known_device}"
        await limits.count_try(subject=subject, most=rules.TRIES_PER_ACCOUNT, at=at)
        return
    await limits.count_try(subject=f"account:{phone}|{source}", most=rules.TRIES_PER_ACCOUNT, at=at)
    await limits.count_try(subject=f"account:{phone}", most=rules.TRIES_PER_ACCOUNT_ANYWHERE, at=at)


async def sign_in(
    *,
    phone: str,
    password: str,
    address: str,
    at: datetime,
    old_token: str | None = None,
    device: str = "",
    known_device: str | None = None,
) -> Opened:
    """Return the opaque token of a new session; a session that the browser brought along ends.

    Unknown account, wrong password and account without one give the same answer after the same time.

    Raises:
        TooManyTries: this account or address has tried too often.
        Invalid: the pair of phone number and password is not right.
    """
    await count_sign_in(phone=phone, address=address, known_device=known_device, at=at)
    rows = await fetch(
        """SELECT person.id, person.password_hash, min(membership.organisation) AS organisation,
                  EXISTS (SELECT FROM second_factor
                          WHERE second_factor.person = person.id AND confirmed_at IS NOT NULL) AS has_factor
           FROM person JOIN membership ON membership.person = person.id
           WHERE person.phone = $1 AND person.active GROUP BY person.id""",
        phone,
    )
    stored = rows[0]["password_hash"] if rows else None
    if not await verify_password(password=password, stored=stored):
        raise Invalid(msg("手机号或密码不对，请再试一次。"))
    if stored and is_outdated(stored):
        await execute(
            "UPDATE person SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
            rows[0]["id"],
            stored,
            await hash_password(password),
        )
    if old_token:
        await sign_out(token=old_token)
    awaits = "code" if rows[0]["has_factor"] else ""
    token = await begin_session(
        person_id=rows[0]["id"],
        organisation_id=rows[0]["organisation"],
        device=device,
        at=at,
        awaits=awaits,
    )
    return Opened(token, awaits)


async def confirm_password(*, person_id: int, password: str, at: datetime, field: str = "password") -> str:
    """Ask again for the password of somebody who has signed in; return its stored hash.

    Raises:
        TooManyTries: it was wrong too often.
        Invalid: it is wrong; ``fields`` says so under ``field``.
    """
    await limits.count_try(subject=f"confirm:{person_id}", most=rules.TRIES_PER_ACCOUNT, at=at)
    rows = await fetch("SELECT password_hash FROM person WHERE id = $1", person_id)
    stored = rows[0]["password_hash"] if rows else None
    if not await verify_password(password=password, stored=stored):
        problem = msg("密码不对。")
        raise Invalid(problem, {field: problem})
    return str(stored)


async def change_password(*, viewer: rules.Viewer, old: str, new: str, at: datetime) -> str:
    """Set a new password, end every other session of the person, and return this one's new token.

    Raises:
        TooManyTries: the old one was wrong too often.
        Invalid: the old password is wrong, or the new one may not be chosen.
        Conflict: the password was changed meanwhile.
    """
    stored = await confirm_password(person_id=viewer.person_id, password=old, at=at, field="old")
    phone = str((await fetch("SELECT phone FROM person WHERE id = $1", viewer.person_id))[0]["phone"])
    check_new_password(new, phone=phone)
    hashed = await hash_password(new)
    async with transaction():
        changed = await fetch(
            "UPDATE person SET password_hash = $3 WHERE id = $1 AND password_hash = $2 RETURNING id",
            viewer.person_id,
            stored,
            hashed,
        )
        if not changed:
            raise Conflict(msg("密码刚刚已在别处改过，请重新登录。"))
        ended = await end_other_sessions(person_id=viewer.person_id, keep_session_id=viewer.session_id)
        await record(
            subject=f"person:{viewer.person_id}",
            action="change_password",
            actor=rules.Actor(viewer.person_id, viewer.organisation_id, viewer.side),
            at=at,
            details={"ended": ended},
        )
        return await renew_session(session_id=viewer.session_id)
