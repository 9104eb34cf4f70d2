"""Sending notices to channels: e-mail, group robots and systems of an organisation's own.

``webhook.py`` speaks to the last, whose hosts members choose, and Apprise to the others. It is imported in
the thread that sends, for it takes longer to load than all the rest of a small installation. A message may
arrive twice where a worker dies between sending and writing that down; it never gets lost.
"""

import asyncio
import logging
import threading
from datetime import datetime, timedelta
from typing import Any

import msgspec

from market import clock
from market.db.jobs import MOST_ATTEMPTS, Run, job
from market.db.session import execute, fetch
from market.errors import Invalid
from market.i18n import Language, translate
from market.notices import rules, webhook
from market.notices.operations import SendPayload
from market.notices.queries import OutgoingRow, outgoing_of
from market.notices.signing import signing_key
from market.settings import settings

#: Seconds that one message may take; a slow host must not hold a worker.
TIME_LIMIT = 20.0
LONGEST_TROUBLE = 300
KEPT_DAYS = 60


class NotSent(Exception):
    """The message did not get through: a key of ``rules.TROUBLES``, or the host's own words.

    ``final``: trying again would change nothing.
    """

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


@job("notices.send", long=True)
async def send(run: Run) -> None:
    """Send one message; a failure is written down and tried again as the job table's rules say."""
    row = await outgoing_of(outgoing_id=run.read(SendPayload).outgoing_id)
    if row is None or row.state != rules.WAITING:
        return
    try:
        await deliver(row)
    except NotSent as trouble:
        words = str(trouble)[:LONGEST_TROUBLE]
        if not trouble.final and run.job.attempts < MOST_ATTEMPTS:
            await _write_down(row.id, rules.WAITING, words)
            raise
        async with run.finishing():
            await _write_down(row.id, rules.FAILED, words)
        return
    async with run.finishing():
        await execute(
            "UPDATE outgoing SET state = $2, tries = tries + 1, trouble = '', sent_at = $3 WHERE id = $1",
            row.id,
            rules.SENT,
            clock.now(),
        )


async def _write_down(outgoing_id: int, state: str, trouble: str) -> None:
    await fetch(
        "UPDATE outgoing SET state = $2, tries = tries + 1, trouble = $3 WHERE id = $1",
        outgoing_id,
        state,
        trouble,
    )


async def deliver(row: OutgoingRow) -> None:
    """Send the message of ``row``, in a thread and within the time limit.

    Raises:
        NotSent: with the reason, free of secrets.
    """
    try:
        where = rules.address_from(row.address)
    except Invalid as trouble:
        raise NotSent("unusable", final=True) from trouble
    title, body = wording(row)
    if where.host:
        await _post(where, row, title, body)
        return
    try:
        async with asyncio.timeout(TIME_LIMIT):
            await asyncio.to_thread(_send, where, title, body)
    except TimeoutError as trouble:
        raise NotSent("timeout") from trouble


async def _post(where: rules.Address, row: OutgoingRow, title: str, body: str) -> None:
    stem = settings().public_url.rstrip("/")
    told = {
        "version": "1.0",
        "id": f"msg_{row.id}",
        "kind": row.kind,
        "title": title,
        "message": body,
        "link": f"{stem}{row.link}" if stem else "",
        "type": "info",
    }
    try:
        await webhook.post(
            where,
            msgspec.json.encode(told),
            key=signing_key(channel_id=row.channel, created_at=row.channel_created_at),
            message_id=f"msg_{row.id}",
            at=clock.now(),
            private=settings().private_channels,
        )
    except webhook.Unreachable as trouble:
        raise NotSent(str(trouble), final=trouble.final) from trouble


async def forget_sent(*, at: datetime) -> None:
    """Delete what left long ago, and failures that nobody looks for any more; the inbox keeps its notices."""
    await execute(
        "DELETE FROM outgoing WHERE state <> $1 AND created_at < $2",
        rules.WAITING,
        at - timedelta(days=KEPT_DAYS),
    )


def wording(row: OutgoingRow) -> tuple[str, str]:
    """Return title and text in the language of the receiver, with a link where the site has an address."""
    language: Language = "en" if row.language == "en" else "zh"
    words = translate(row.message, language, today=clock.today())
    stem = settings().public_url.rstrip("/")
    return words.splitlines()[0][:80], f"{words}\n{stem}{row.link}" if stem else words


def _send(where: rules.Address, title: str, body: str) -> None:
    import apprise

    plugin: Any = apprise.Apprise.instantiate(
        _target(where), asset=apprise.AppriseAsset(http_redirects=False), suppress_exceptions=True
    )
    if plugin is None:
        raise NotSent("unusable", final=True)
    heard = _Heard()
    log = logging.getLogger("apprise")
    log.addHandler(heard)
    try:
        fine = plugin.notify(title=title, body=body)
    except Exception as trouble:
        raise NotSent(type(trouble).__name__) from trouble
    finally:
        log.removeHandler(heard)
    if not fine:
        raise NotSent(_without_secrets(heard.last or "refused", where))


def _target(where: rules.Address) -> str:
    """Return the address as Apprise reads it.

    Raises:
        NotSent: mail is not set up.
    """
    if where.kind == "mail":
        via = settings().mail_via
        if not via:
            raise NotSent("no_mail", final=True)
        return f"{via}{'&' if '?' in via else '?'}to={where.key}"
    return str(where)


def _without_secrets(text: str, where: rules.Address) -> str:
    for secret in (settings().mail_via, where.key):
        if secret:
            text = text.replace(secret, "…")
    return text


class _Heard(logging.Handler):
    """Keeps the last complaint of this very thread: others send at the same time."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.last = record.getMessage()
