"""What the pages of sellers, bids, matches and deals share: drawing, names, and posts that count once."""

import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import msgspec
from litestar import Response

from market import clock
from market.accounts.rules import Actor, Viewer, party_actor
from market.audit.deeds import action_words
from market.catalogue.queries import reasons
from market.catalogue.rules import told_reason
from market.db.replay import once
from market.i18n import Language, Message, msg
from market.organisations.approving import or_ask
from market.web.edge.guards import WebRequest
from market.web.edge.language import language_of
from market.web.parts import fields, pages
from market.web.parts.forms import Filled, Form

#: The idempotency key that the page was drawn with: the same page sent twice does the deed once.
KEY = fields.hidden(lambda typed: str(uuid.UUID(typed)), optional=True)

#: A post that brings nothing but its key.
BARE = Form(key=KEY)


def new_key() -> str:
    return str(uuid.uuid4())


def show(
    request: WebRequest, template: str, *, fragment: str | None = None, status: int = 200, **context: Any
) -> Response[str]:
    """Return the page, with ``named(row, "title")``, ``reason_told(row)`` and ``new_key()``."""
    language = language_of(request)

    def named(row: object, name: str = "") -> str:
        return name_in(language, row, name)

    def reason_told(row: object, note: str = "reason_note", name: str = "reason") -> tuple[str, str]:
        return told_reason(named(row, name), getattr(row, note))

    own: dict[str, Any] = {
        "named": named,
        "reason_told": reason_told,
        "new_key": new_key,
        # a deed that a page has no words of its own for
        "recorded": lambda action: action_words(action) or action,
    }
    return pages.page(request, template, fragment=fragment, status=status, **own, **context)


def name_in(language: Language, row: object, name: str) -> str:
    """Return ``row``'s ``name`` in the reader's language, in Chinese where there is no other.

    A row is named by ``title`` and ``title_en``, ``reason_zh`` and ``reason_en``, or (``name`` empty)
    by ``zh`` and ``en``.
    """
    prefix = f"{name}_" if name else ""
    english = getattr(row, f"{prefix}en", None)
    chinese = getattr(row, f"{prefix}zh", None) or getattr(row, name or "zh", None)
    return (english if language == "en" else None) or chinese or ""


class _Deed(msgspec.Struct, frozen=True):
    name: str
    about: dict[str, Any]


class _Done(msgspec.Struct, frozen=True):
    result: str


async def do_once(
    *,
    viewer: Viewer,
    key: str | None,
    name: str,
    about: dict[str, Any],
    deed: Callable[[], Awaitable[object]],
    at: datetime,
) -> str:
    """Do ``deed`` in one transaction and return its result as text; the same key again only returns it.

    ``about`` is what the post asked for, in JSON's types: another wish under the same key is a Conflict.
    """

    async def told() -> _Done:
        return _Done(str(await deed()))

    async def done_once() -> _Done:
        return await once(
            key=key,
            person_id=viewer.person_id,
            request=_Deed(name, about),
            reply_type=_Done,
            deed=told,
            at=at,
        )

    return (await or_ask(done_once, at=at, key=key)).result


async def do_filled(
    viewer: Viewer,
    filled: Filled,
    name: str,
    about: dict[str, Any],
    deed: Callable[[datetime], Awaitable[object]],
) -> str:
    """Do now what a form with a ``key`` asked for, as :func:`do_once`."""
    at = clock.now()
    return await do_once(
        viewer=viewer, key=filled.values["key"], name=name, about=about, deed=lambda: deed(at), at=at
    )


def acting(viewer: Viewer, side: str, *, deed: str | None = None) -> Actor:
    """Return the viewer as one who acts for ``side``: its organisation has that side of this very paper.

    ``deed`` names what binds (``accounts.rules.DEEDS``).
    """
    return party_actor(viewer, side, deed=deed)


async def refusal_form(request: WebRequest, use: str | None = None, **further: fields.Field) -> Form:
    """Return the form of a refusal: a coded reason, which the other side sees, and a word to it.

    ``use`` is the step at which it is asked for (``catalogue.rules.REASON_USES``): its reasons are offered.
    """
    language = language_of(request)
    options: dict[str, Message | str] = {
        reason.code: reason.en if language == "en" else reason.zh for reason in await reasons(use)
    }
    return Form(
        **further,
        reason=fields.choice(msg("原因"), options, hint=msg("对方会看到这个原因。")),
        note=fields.text(
            msg("补充说明"), most=200, lines=True, optional=True, hint=msg("选了“其他原因”的，请写明。")
        ),
        key=KEY,
    )
