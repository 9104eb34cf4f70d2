from datetime import datetime

import msgspec
from asyncpg import Record

from market.accounts.rules import Viewer
from market.db.session import fetch, fetch_one_into
from market.errors import NotFound
from market.i18n import Message, msg, named
from market.notices import rules
from market.notices.readers import hearing
from market.notices.signing import signing_key


class Notice(msgspec.Struct, frozen=True):
    id: int
    kind: str
    message: Message
    link: str
    due_at: datetime | None
    created_at: datetime
    read_at: datetime | None


async def inbox(*, organisation_id: int, limit: int = 50) -> list[Notice]:
    """Return an organisation's newest notices, whoever of it they reach; unread before read."""
    return await _newest(organisation_id, limit, shut=[])


async def inbox_of(viewer: Viewer, *, limit: int = 50) -> list[Notice]:
    """Return the newest notices that reach the viewer, unread before read."""
    return await _newest(viewer.organisation_id, limit, shut=hearing(viewer).shut)


async def notice_of(viewer: Viewer, *, notice_id: int) -> Notice:
    """Raises: NotFound: there is none, or none that reaches the viewer."""
    found = await _newest(viewer.organisation_id, 1, shut=hearing(viewer).shut, notice_id=notice_id)
    if not found:
        raise NotFound(msg("没有找到这条通知。"))
    return found[0]


async def _newest(
    organisation_id: int, limit: int, *, shut: list[str], notice_id: int | None = None
) -> list[Notice]:
    """``shut``: kinds that are left out; ``notice_id``: that one alone."""
    rows = await fetch(
        """SELECT id, kind, message, link, due_at, created_at, read_at FROM notice
           WHERE organisation = $1 AND kind <> ALL($3) AND ($4::bigint IS NULL OR id = $4)
           ORDER BY read_at IS NOT NULL, created_at DESC, id DESC LIMIT $2""",
        organisation_id,
        limit,
        shut,
        notice_id,
    )
    return [_notice(row) for row in rows]


def _notice(row: Record) -> Notice:
    return Notice(
        id=row["id"],
        kind=row["kind"],
        message=msgspec.json.decode(row["message"], type=Message),
        link=row["link"],
        due_at=row["due_at"],
        created_at=row["created_at"],
        read_at=row["read_at"],
    )


class ChannelRow(msgspec.Struct, frozen=True):
    """A channel as a member of its organisation may see it, with how its last message fared.

    What is not the viewer's to tend (``own``) is there with its name, kind and whose it is, and no more.
    """

    id: int
    name: str
    kind: str
    own: bool
    #: Who added it; empty where nobody knows any more.
    by: Message
    #: Never the whole address: it holds a secret.
    shown: str
    created_at: datetime
    #: waiting, sent or failed; None: nothing was sent there yet.
    state: str | None
    trouble: str
    tried_at: datetime | None
    #: What messages to a system of one's own are signed with; empty for other kinds.
    signing_key: str


class OutgoingRow(msgspec.Struct, frozen=True):
    """A message on its way, with all that sending it needs."""

    id: int
    state: str
    channel: int
    channel_created_at: datetime
    kind: str
    address: str
    message: Message
    link: str
    language: str


async def channels_of(viewer: Viewer) -> list[ChannelRow]:
    """Return the channels of the viewer's organisation, each as far as it is the viewer's to see."""
    rows = await fetch(
        """SELECT channel.id, channel.name, channel.address, channel.created_at, channel.added_by,
                  coalesce(person.name, '') AS name_of, coalesce(person.name_en, '') AS name_of_en,
                  latest.state,
                  coalesce(latest.trouble, '') AS trouble,
                  coalesce(latest.sent_at, latest.created_at) AS tried_at
           FROM channel LEFT JOIN person ON person.id = channel.added_by
           LEFT JOIN LATERAL (
             SELECT state, trouble, sent_at, created_at FROM outgoing
             WHERE outgoing.channel = channel.id ORDER BY created_at DESC, id DESC LIMIT 1) latest ON true
           WHERE channel.organisation = $1 ORDER BY channel.id""",
        viewer.organisation_id,
    )
    return [_channel(row, own=rules.tends(viewer, added_by=row["added_by"])) for row in rows]


def _channel(row: Record, *, own: bool) -> ChannelRow:
    where = rules.address_from(row["address"])
    key = signing_key(channel_id=row["id"], created_at=row["created_at"]) if where.host and own else ""
    return ChannelRow(
        id=row["id"],
        name=row["name"],
        kind=where.kind,
        own=own,
        by=named(row, "name_of"),
        shown=where.masked if own else "",
        created_at=row["created_at"],
        state=row["state"],
        # a host's own words may say where it is
        trouble=row["trouble"] if own else "",
        tried_at=row["tried_at"],
        signing_key=key,
    )


async def outgoing_of(*, outgoing_id: int) -> OutgoingRow | None:
    """Return a message with its channel's address, in the language of most people of the organisation."""
    return await fetch_one_into(
        OutgoingRow,
        """SELECT outgoing.id, outgoing.state, channel.id AS channel,
                  channel.created_at AS channel_created_at, notice.kind, channel.address, notice.message,
                  notice.link,
                  coalesce((SELECT mode() WITHIN GROUP (ORDER BY person.language) FROM membership
                            JOIN person ON person.id = membership.person AND person.active
                            WHERE membership.organisation = channel.organisation), 'zh') AS language
           FROM outgoing JOIN channel ON channel.id = outgoing.channel
           JOIN notice ON notice.id = outgoing.notice WHERE outgoing.id = $1""",
        outgoing_id,
    )
