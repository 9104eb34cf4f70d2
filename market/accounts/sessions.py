"""Sessions: begun, renewed under a new token, listed, ended."""

import secrets
from datetime import datetime, timedelta

import msgspec

from market.accounts import rules
from market.db.session import execute, fetch, fetch_into, transaction
from market.errors import NotFound
from market.i18n import msg

#: A session ends at the latest so long after it began ...
LIFETIME = timedelta(days=rules.SESSION_DAYS)
#: ... and when nothing came from it for so long.
IDLE = timedelta(days=rules.SESSION_IDLE_DAYS)
#: ... and so soon where the second factor is not shown.
PATIENCE = timedelta(minutes=10)
#: ``seen_at`` is written no more often than this.
SEEN_EVERY = timedelta(minutes=5)


class SessionRow(msgspec.Struct, frozen=True):
    id: int
    device: str
    organisation: str
    organisation_en: str
    created_at: datetime
    seen_at: datetime


async def begin_session(
    *, person_id: int, organisation_id: int, device: str, at: datetime, awaits: str = ""
) -> str:
    """Return the opaque token of a new session; only its hash is stored."""
    token = secrets.token_urlsafe(32)
    await execute(
        """INSERT INTO session
             (token_hash, person, organisation, device, awaits, created_at, expires_at, seen_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $6)""",
        rules.token_hash(token),
        person_id,
        organisation_id,
        device,
        awaits,
        at,
        at + (PATIENCE if awaits else LIFETIME),
    )
    return token


async def renew_session(*, session_id: int) -> str:
    """Give a session another token, under which it goes on; the old one opens nothing from now on.

    Whatever makes a session worth more, or another, is followed by this.

    Raises:
        NotFound: the session has ended meanwhile.
    """
    token = secrets.token_urlsafe(32)
    rows = await fetch(
        "UPDATE session SET token_hash = $2 WHERE id = $1 RETURNING id", session_id, rules.token_hash(token)
    )
    if not rows:
        raise NotFound(msg("这次登录已经结束，请重新登录。"))
    return token


async def switch_organisation(*, session_id: int, person_id: int, organisation_id: int) -> str:
    """Go on acting for another of the person's organisations; return the session's new token.

    Raises:
        NotFound: the person is not of that organisation, or the session has ended.
    """
    async with transaction():
        rows = await fetch(
            """UPDATE session SET organisation = $3, delegation = NULL
               WHERE id = $1 AND person = $2 AND awaits = ''
                 AND EXISTS (SELECT FROM membership WHERE person = $2 AND organisation = $3)
               RETURNING id""",
            session_id,
            person_id,
            organisation_id,
        )
        if not rows:
            raise NotFound(msg("没有找到这个单位。"))
        return await renew_session(session_id=session_id)


async def sign_out(*, token: str) -> None:
    await execute("DELETE FROM session WHERE token_hash = $1", rules.token_hash(token))


async def sessions_of(*, person_id: int, at: datetime) -> list[SessionRow]:
    """Return where the person is signed in, the one seen last before the others."""
    return await fetch_into(
        SessionRow,
        """SELECT session.id, session.device, organisation.name AS organisation,
                  organisation.name_en AS organisation_en, session.created_at, session.seen_at
           FROM session JOIN organisation ON organisation.id = session.organisation
           WHERE session.person = $1 AND session.awaits = '' AND session.expires_at > $2
             AND session.seen_at > $3
           ORDER BY session.seen_at DESC, session.id DESC""",
        person_id,
        at,
        at - IDLE,
    )


async def end_session(*, session_id: int, person_id: int) -> None:
    """Raises: NotFound: the person has no such session."""
    if not await fetch(
        "DELETE FROM session WHERE id = $1 AND person = $2 RETURNING id", session_id, person_id
    ):
        raise NotFound(msg("没有找到这次登录，可能已经退出。"))


async def end_other_sessions(*, person_id: int, keep_session_id: int | None) -> int:
    """End every session of the person but one (None: every one); return how many."""
    rows = await fetch(
        "DELETE FROM session WHERE person = $1 AND id IS DISTINCT FROM $2 RETURNING id",
        person_id,
        keep_session_id,
    )
    return len(rows)


async def mark_seen(*, session_id: int, at: datetime) -> None:
    """Write down that something came from the session, if that is not known from minutes ago."""
    await execute(
        "UPDATE session SET seen_at = $2 WHERE id = $1 AND seen_at < $3", session_id, at, at - SEEN_EVERY
    )


async def forget_sessions(*, at: datetime) -> None:
    """Delete sessions that are over."""
    await execute("DELETE FROM session WHERE expires_at <= $1 OR seen_at <= $2", at, at - IDLE)
