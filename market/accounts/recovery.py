"""A lost password: whoever looks after a person sees them, checks who they are, gives a one-time link."""

import hmac
import secrets
from datetime import datetime, timedelta

import msgspec

from market.accounts import rules
from market.accounts.inviting import WRONG_LINKS, LinkGone
from market.accounts.keeping import KEPT, scope
from market.accounts.lifecycle import RECOVERY
from market.accounts.limits import count_try, network
from market.accounts.passwords import check_new_password, hash_password
from market.accounts.rules import Actor, Viewer
from market.accounts.second_factor import forget_second_factor
from market.accounts.sessions import end_other_sessions
from market.audit.operations import record
from market.db.session import execute, fetch, fetch_into, fetch_row, transaction
from market.errors import Invalid, NotFound
from market.i18n import Message, msg
from market.notices.operations import notify
from market.settings import secret_key

#: A request waits so long for somebody to be seen; a link opens so long.
PATIENCE = timedelta(days=1)
LINK_LASTS = timedelta(minutes=30)
#: Requests within a quarter of an hour, for one number and from one address.
REQUESTS_PER_PHONE = 3
REQUESTS_PER_ADDRESS = 20
#: Signs that nobody takes for one another, in print or over the telephone.
_SIGNS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_LENGTH = 8
#: How it was made sure who somebody is.
PROOFS: dict[str, Message] = {
    "id_card": msg("看了身份证原件"),
    "known": msg("当面，是认识的本人"),
    "office": msg("到单位见到本人"),
}


class RecoveryRow(msgspec.Struct, frozen=True):
    """Somebody who asks for a new password, with everything that was asked for them put together."""

    person: int
    name: str
    name_en: str
    phone: str
    organisations: tuple[str, ...]
    organisations_en: tuple[str, ...]
    asked_at: datetime
    granted_at: datetime | None
    has_factor: bool


class Reset(msgspec.Struct, frozen=True):
    """What a one-time link opens."""

    id: int
    name: str
    phone: str
    expires_at: datetime


#: A condition on ``person``: every place of the person is one that the viewer looks after, or has invited
#: the person to; nobody does it for themselves, nor for an administrator without being one. $1 to $3 as in
#: ``KEPT``, $4 the viewer's person, $5 whether the viewer may help administrators.
_HELPED = f"""
person.id <> $4 AND person.active
AND EXISTS (SELECT FROM membership WHERE membership.person = person.id)
AND NOT EXISTS (
  SELECT FROM membership JOIN organisation ON organisation.id = membership.organisation
  WHERE membership.person = person.id AND (
    ({KEPT} OR ($3 AND EXISTS (
      SELECT FROM account_invitation AS brought
      WHERE brought.person = person.id AND brought.organisation = organisation.id AND brought.inviter = $1)))
    AND ($5 OR membership.role <> 'administrator')) IS NOT TRUE)"""  # noqa: S608  words of ours; values are parameters


def _helper(viewer: Viewer) -> tuple[int, bool, bool, int, bool]:
    return (
        *scope(viewer),
        viewer.person_id,
        rules.ADMINISTRATOR in viewer.roles or viewer.is_county,
    )


def _code_hash(code: str) -> bytes:
    flat = "".join(sign for sign in code.upper() if sign.isalnum())
    return hmac.digest(secret_key().encode(), b"recovery\0" + flat.encode(), "sha256")


async def ask_recovery(*, phone: str, address: str, at: datetime) -> str:
    """Write down that somebody wants a new password; return the code that the official will ask for.

    A number without an account gets a code after the same work: it leads nowhere.

    Raises:
        TooManyTries: for this number, or from this address, too much was asked.
    """
    await count_try(subject=f"recover:{network(address)}", most=REQUESTS_PER_ADDRESS, at=at)
    await count_try(subject=f"recover:{phone}", most=REQUESTS_PER_PHONE, at=at)
    code = "".join(secrets.choice(_SIGNS) for _ in range(_LENGTH))
    await execute(
        """INSERT INTO recovery (person, code_hash, state, asked_at, expires_at, proof, drops_second_factor)
           VALUES ((SELECT id FROM person WHERE phone = $1 AND active), $2, 'asked', $3, $4, '', false)""",
        phone,
        _code_hash(code),
        at,
        at + PATIENCE,
    )
    return f"{code[:4]}-{code[4:]}"


async def recoveries_kept_by(
    viewer: Viewer, *, at: datetime, person_id: int | None = None
) -> list[RecoveryRow]:
    """Return the people whom the viewer may help to a new password, who asked first before the others."""
    return await fetch_into(
        RecoveryRow,
        f"""SELECT person.id AS person, person.name, person.name_en, person.phone,
                   ARRAY(SELECT DISTINCT organisation.name FROM membership
                         JOIN organisation ON organisation.id = membership.organisation
                         WHERE membership.person = person.id ORDER BY 1) AS organisations,
                   ARRAY(SELECT DISTINCT coalesce(nullif(organisation.name_en, ''), organisation.name)
                         FROM membership JOIN organisation ON organisation.id = membership.organisation
                         WHERE membership.person = person.id ORDER BY 1) AS organisations_en,
                   max(recovery.asked_at) AS asked_at, max(recovery.granted_at) AS granted_at,
                   EXISTS (SELECT FROM second_factor WHERE second_factor.person = person.id
                           AND confirmed_at IS NOT NULL) AS has_factor
            FROM recovery JOIN person ON person.id = recovery.person
            WHERE recovery.state IN ('asked', 'granted') AND recovery.expires_at > $6 AND {_HELPED}
              AND ($7::bigint IS NULL OR person.id = $7)
            GROUP BY person.id ORDER BY max(recovery.asked_at)""",  # noqa: S608  words of ours; values are parameters
        *_helper(viewer),
        at,
        person_id,
    )


async def recovery_kept_by(viewer: Viewer, *, person_id: int, at: datetime) -> RecoveryRow:
    """Raises: NotFound: nothing of that person waits for the viewer."""
    rows = await recoveries_kept_by(viewer, at=at, person_id=person_id)
    if not rows:
        raise NotFound(msg("没有等您办的这个请求，可能已经过期。"))
    return rows[0]


async def grant_recovery(
    *, viewer: Viewer, person_id: int, code: str, proof: str, drops_second_factor: bool, at: datetime
) -> str:
    """Give the person who stands there, and whose screen shows ``code``, a link; return its token.

    Raises:
        NotFound: nothing of that person waits for the viewer.
        TooManyTries: too many codes were tried for that person.
        Invalid: the code is not one of theirs, or ``proof`` is none of ``PROOFS``.
    """
    asked = await recovery_kept_by(viewer, person_id=person_id, at=at)
    await count_try(subject=f"recovery:{person_id}", most=rules.TRIES_PER_ACCOUNT, at=at)
    if proof not in PROOFS:
        problem = msg("请选怎样核对的。")
        raise Invalid(problem, {"proof": problem})
    token = secrets.token_urlsafe(24)
    async with transaction():
        row = await fetch_row(
            """SELECT id, state FROM recovery WHERE person = $1 AND code_hash = $2 AND expires_at > $3
               AND state IN ('asked', 'granted') FOR UPDATE""",
            person_id,
            _code_hash(code),
            at,
        )
        if row is None:
            problem = msg("对码不对：请本人念手机上现在显示的那一个。")
            raise Invalid(problem, {"code": problem})
        await execute(
            """UPDATE recovery SET state = $2, token_hash = $3, granted_by = $4, granted_at = $5, proof = $6,
                                   drops_second_factor = $7, expires_at = $8 WHERE id = $1""",
            row["id"],
            RECOVERY.apply("grant", state=row["state"], by="keeper"),
            rules.token_hash(token),
            viewer.person_id,
            at,
            proof,
            drops_second_factor and asked.has_factor,
            at + LINK_LASTS,
        )
        await _settle_others(person_id, keep_id=row["id"], at=at)
        details = {"proof": proof, "drops_second_factor": drops_second_factor and asked.has_factor}
        await _noted(person_id, "grant_recovery", viewer, at, details)
    return token


async def refuse_recovery(*, viewer: Viewer, person_id: int, at: datetime) -> None:
    """Let nothing come of what was asked for that person.

    Raises:
        NotFound: nothing of that person waits for the viewer.
    """
    await recovery_kept_by(viewer, person_id=person_id, at=at)
    async with transaction():
        await _settle_others(person_id, keep_id=None, at=at)
        await _noted(person_id, "refuse_recovery", viewer, at, {})


async def _settle_others(person_id: int, *, keep_id: int | None, at: datetime) -> None:
    await execute(
        """UPDATE recovery SET state = 'refused', settled_at = $3
           WHERE person = $1 AND id IS DISTINCT FROM $2 AND state = ANY($4)""",
        person_id,
        keep_id,
        at,
        sorted(RECOVERY.sources("refuse")),
    )


async def _noted(
    person_id: int, action: str, viewer: Viewer, at: datetime, details: dict[str, object]
) -> None:
    actor = Actor(viewer.person_id, viewer.organisation_id, viewer.side)
    await record(subject=f"person:{person_id}", action=action, actor=actor, at=at, details=details)


async def reset_by_link(*, token: str, address: str, at: datetime) -> Reset:
    """Return what a one-time link opens. To look uses nothing up.

    Raises:
        LinkGone: it opens nothing (any more).
        TooManyTries: this address has tried too many links that open nothing.
    """
    rows = await fetch_into(
        Reset,
        """SELECT recovery.id, person.name, person.phone, recovery.expires_at
           FROM recovery JOIN person ON person.id = recovery.person AND person.active
           WHERE recovery.token_hash = $1 AND recovery.state = 'granted' AND recovery.expires_at > $2""",
        rules.token_hash(token),
        at,
    )
    if not rows:
        await count_try(subject=f"link:{network(address)}", most=WRONG_LINKS, at=at)
        raise LinkGone
    return rows[0]


async def reset_password(*, token: str, new: str, address: str, at: datetime) -> None:
    """Set a new password by a one-time link: every session and API token of the person ends, and the person's
    organisations are told.

    Raises:
        LinkGone: it opens nothing (any more).
        Invalid: the new password may not be chosen.
    """
    found = await reset_by_link(token=token, address=address, at=at)
    check_new_password(new, phone=found.phone)
    hashed = await hash_password(new)
    async with transaction():
        row = await fetch_row(
            """UPDATE recovery SET state = 'used', settled_at = $3
               FROM person AS helper
               WHERE recovery.id = $1 AND token_hash = $2 AND state = 'granted' AND expires_at > $3
                 AND helper.id = recovery.granted_by
               RETURNING recovery.person, recovery.drops_second_factor, helper.name AS helper""",
            found.id,
            rules.token_hash(token),
            at,
        )
        if row is None:
            raise LinkGone
        person_id = row["person"]
        await execute("UPDATE person SET password_hash = $2 WHERE id = $1", person_id, hashed)
        ended = await end_other_sessions(person_id=person_id, keep_session_id=None)
        await execute(
            "UPDATE api_token SET revoked_at = $2 WHERE person = $1 AND revoked_at IS NULL", person_id, at
        )
        if row["drops_second_factor"]:
            await forget_second_factor(person_id=person_id)
        places = await fetch("SELECT DISTINCT organisation FROM membership WHERE person = $1", person_id)
        for place in places:
            await notify(
                organisation_id=place["organisation"],
                kind="password_reset",
                message=msg(
                    "{name} 的密码已重设，由 {helper} 当面核对过。如果不是本人办的，请马上告诉镇里或县里。",
                    name=found.name,
                    helper=row["helper"],
                ),
                link="/account/sessions",
                at=at,
            )
        await record(
            subject=f"person:{person_id}",
            action="reset_password",
            actor=Actor(person_id, None, "owner"),
            at=at,
            details={"recovery": found.id, "ended": ended},
        )
