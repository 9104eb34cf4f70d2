"""API tokens: what programs sign in with, for one person in one organisation, for some groups of the API."""

import secrets
from datetime import datetime, timedelta

import msgspec

from market.accounts import rules
from market.accounts.rules import Actor, Viewer
from market.accounts.sessions import SEEN_EVERY
from market.accounts.signing_in import confirm_password
from market.audit.operations import record
from market.db.session import execute, fetch, fetch_into, fetch_value, transaction
from market.errors import Conflict, Invalid, NotFound
from market.i18n import Message, msg

#: Every token begins with it: whoever finds one knows what it is, and so do programs that look for leaks.
MARK = "tt_"
#: Signs of a token that are kept, for its owner to know it by.
_SHOWN = len(MARK) + 6
LONGEST_NAME = 40
MOST_TOKENS = 20
#: Days for which a token may be made.
LASTS: dict[str, Message] = {
    "30": msg("30 天"),
    "90": msg("90 天"),
    "365": msg("一年"),
}
READ = "read"
#: What only a session may do, never a token: signing in and out, and tokens themselves.
SESSION_ONLY = "session"
#: What a token may be made for. Whatever reads asks for ``read``, whatever does asks for its group's.
SCOPES: dict[str, Message] = {
    READ: msg("只看，不改动"),
    "listings": msg("货源"),
    "stock": msg("库存"),
    "demands": msg("采购需求"),
    "bids": msg("出价、报价"),
    "matches": msg("撮合建议"),
    "runs": msg("撮合运行"),
    "meetings": msg("对接会"),
    "deals": msg("合同、发货、货款"),
    "cases": msg("心病台账"),
    "notices": msg("通知"),
    "organisations": msg("单位和核验"),
}


class NewToken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    scopes: tuple[str, ...]
    days: int


class TokenRow(msgspec.Struct, frozen=True):
    id: int
    name: str
    prefix: str
    scopes: tuple[str, ...]
    organisation: str
    organisation_en: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class Made(msgspec.Struct, frozen=True):
    """A new token, which is shown this once: only its hash is stored."""

    id: int
    token: str
    expires_at: datetime


async def make_token(*, viewer: Viewer, token: NewToken, password: str, at: datetime) -> Made:
    """Make a token for the viewer's person in the organisation that is acted for now.

    Raises:
        TooManyTries: the password was wrong too often.
        Invalid: with every field that is wrong (``password`` alone, before the others).
        Conflict: the person has as many as one may have.
    """
    await confirm_password(person_id=viewer.person_id, password=password, at=at)
    problems: dict[str, Message] = {}
    if not 1 <= len(token.name.strip()) <= LONGEST_NAME:
        problems["name"] = msg("请给它起个名字，最多 {most} 个字。", most=LONGEST_NAME)
    if not token.scopes or set(token.scopes) - SCOPES.keys():
        problems["scopes"] = msg("请至少选一项，只选列出的。")
    if str(token.days) not in LASTS:
        problems["days"] = msg("请选列出的期限。")
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    made = MARK + secrets.token_urlsafe(32)
    expires_at = at + timedelta(days=token.days)
    async with transaction():
        await execute("SELECT id FROM person WHERE id = $1 FOR NO KEY UPDATE", viewer.person_id)
        count = await fetch_value(
            "SELECT count(*) FROM api_token WHERE person = $1 AND revoked_at IS NULL AND expires_at > $2",
            viewer.person_id,
            at,
        )
        if count >= MOST_TOKENS:
            raise Conflict(msg("最多 {most} 个，请先撤销不用的。", most=MOST_TOKENS))
        number: int = await fetch_value(
            """INSERT INTO api_token
                 (person, organisation, name, prefix, token_hash, scopes, created_at, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id""",
            viewer.person_id,
            viewer.organisation_id,
            token.name.strip(),
            made[:_SHOWN],
            rules.token_hash(made),
            sorted(set(token.scopes)),
            at,
            expires_at,
        )
        await _noted(viewer, "make_token", at, token=number, scopes=sorted(set(token.scopes)))
    return Made(number, made, expires_at)


async def tokens_of(*, person_id: int) -> list[TokenRow]:
    """Return the person's tokens, those in force first, the newest before the others."""
    return await fetch_into(
        TokenRow,
        """SELECT api_token.id, api_token.name, api_token.prefix, api_token.scopes,
                  organisation.name AS organisation, organisation.name_en AS organisation_en,
                  api_token.created_at, api_token.expires_at, api_token.last_used_at, api_token.revoked_at
           FROM api_token JOIN organisation ON organisation.id = api_token.organisation
           WHERE api_token.person = $1
           ORDER BY api_token.revoked_at IS NOT NULL, api_token.id DESC LIMIT 100""",
        person_id,
    )


async def revoke_token(*, viewer: Viewer, token_id: int, at: datetime) -> None:
    """Let a token open nothing any more; once more does no harm.

    Raises:
        NotFound: the person has no such token.
    """
    async with transaction():
        rows = await fetch(
            """UPDATE api_token SET revoked_at = coalesce(revoked_at, $3)
               WHERE id = $1 AND person = $2 RETURNING revoked_at""",
            token_id,
            viewer.person_id,
            at,
        )
        if not rows:
            raise NotFound(msg("没有找到这个令牌。"))
        if rows[0]["revoked_at"] == at:
            await _noted(viewer, "revoke_token", at, token=token_id)


async def mark_used(*, token_id: int, at: datetime) -> None:
    """Write down that the token was used, if that is not known from minutes ago."""
    await execute(
        """UPDATE api_token SET last_used_at = $2
           WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3)""",
        token_id,
        at,
        at - SEEN_EVERY,
    )


async def _noted(viewer: Viewer, action: str, at: datetime, **details: object) -> None:
    await record(
        subject=f"person:{viewer.person_id}",
        action=action,
        actor=Actor(viewer.person_id, viewer.organisation_id, viewer.side),
        at=at,
        details=details,
    )
