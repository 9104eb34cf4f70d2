"""Telling people. Call it in the transaction of the cause: what did not happen is never told."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from asyncpg import Record

from market.accounts.rules import Viewer
from market.db.apart import number_apart
from market.db.jobs import enqueue
from market.db.session import add_rows, execute, fetch, fetch_value, transaction
from market.errors import Conflict, Invalid, NotAllowed, NotFound
from market.i18n import Message, msg
from market.notices import rules
from market.notices.readers import check_kind, hearing, is_narrow, may_leave
from market.settings import settings

LONGEST_NAME = 30
#: A test that has not left by then may be followed by another.
TEST_PAUSE = timedelta(minutes=10)


class SendPayload(msgspec.Struct, frozen=True):
    """Which row of ``outgoing`` a job is about."""

    outgoing_id: int


class Word(msgspec.Struct, frozen=True):
    """A notice to ``organisation_id``; see :func:`notify`.

    ``apart``: nobody else may learn that there is one, so its number is none of those that others see count.
    """

    organisation_id: int
    kind: str
    message: Message
    link: str
    at: datetime
    due_at: datetime | None = None
    apart: bool = False


async def notify(
    *,
    organisation_id: int,
    kind: str,
    message: Message,
    link: str,
    at: datetime,
    due_at: datetime | None = None,
    apart: bool = False,
) -> None:
    """Put a notice into the inbox of ``organisation_id``, and on its way to its channels.

    Who of it finds it there, :mod:`market.notices.readers` says of its ``kind``.
    ``due_at`` is until when somebody there has to act, if anybody has to; ``apart`` as in :class:`Word`.
    """
    await notify_all([Word(organisation_id, kind, message, link, at, due_at, apart)])


async def notify_all(words: Sequence[Word]) -> None:
    """:func:`notify` for many, in one go."""
    if not words:
        return
    for word in words:
        check_kind(word.kind)
    channels = await fetch(
        "SELECT id, organisation FROM channel WHERE active AND organisation = ANY($1::bigint[]) ORDER BY id",
        list({word.organisation_id for word in words}),
    )
    if not channels and not any(word.apart for word in words):
        await add_rows("notice", _NOTICE, [_row(word) for word in words])
        return
    kept = set(await _kept_inside(words))
    numbers = await fetch(
        "SELECT nextval('notice_id_seq') AS id FROM generate_series(1, $1::bigint) ORDER BY 1",
        sum(not word.apart for word in words),
    )
    counted = (int(row["id"]) for row in numbers)
    numbered = [(number_apart() if word.apart else next(counted), word) for word in words]
    await add_rows("notice", ("id", *_NOTICE), [(number, *_row(word)) for number, word in numbered])
    ways: defaultdict[int, list[int]] = defaultdict(list)
    for channel in channels:
        ways[channel["organisation"]].append(channel["id"])
    leaving = [
        (number_apart() if word.apart else None, number, way, word.at)
        for number, word in numbered
        if (word.organisation_id, word.kind) not in kept
        for way in ways[word.organisation_id]
    ]
    rows = await fetch(
        """INSERT INTO outgoing (id, notice, channel, state, tries, trouble, created_at)
           SELECT coalesce(id, nextval('outgoing_id_seq')), notice, channel, $2, 0, '', at
           FROM unnest($1::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[])
               AS leaving (id, notice, channel, at)
           RETURNING id""",
        [number for number, _, _, _ in leaving],
        rules.WAITING,
        [notice for _, notice, _, _ in leaving],
        [channel for _, _, channel, _ in leaving],
        [at for _, _, _, at in leaving],
    )
    for row in rows:
        await enqueue("notices.send", SendPayload(row["id"]))


_NOTICE = ("organisation", "kind", "message", "link", "due_at", "created_at")


def _row(word: Word) -> tuple[object, ...]:
    message = msgspec.json.encode(word.message).decode()
    return word.organisation_id, word.kind, message, word.link, word.due_at, word.at


async def _kept_inside(words: Sequence[Word]) -> list[tuple[int, str]]:
    """Return which kinds of which organisations no channel carries; see :func:`readers.may_leave`."""
    narrow = sorted({(word.organisation_id, word.kind) for word in words if is_narrow(word.kind)})
    if not narrow:
        return []
    people: dict[int, list[frozenset[str]]] = {}
    for row in await fetch(
        """SELECT membership.organisation, array_agg(membership.role) AS roles
           FROM membership JOIN person ON person.id = membership.person AND person.active
           WHERE membership.organisation = ANY($1::bigint[])
           GROUP BY membership.organisation, membership.person""",
        sorted({organisation for organisation, _ in narrow}),
    ):
        people.setdefault(row["organisation"], []).append(frozenset(row["roles"]))
    return [each for each in narrow if not may_leave(each[1], people.get(each[0], []))]


async def mark_read(viewer: Viewer, *, notice_id: int | None, at: datetime) -> int:
    """Mark one notice that reaches the viewer, or all, as read; return how many were new."""
    rows = await fetch(
        """UPDATE notice SET read_at = $3
           WHERE organisation = $1 AND read_at IS NULL AND ($2::bigint IS NULL OR id = $2)
             AND kind <> ALL($4)
           RETURNING id""",
        viewer.organisation_id,
        notice_id,
        at,
        hearing(viewer).shut,
    )
    return len(rows)


async def forget_notices(*, before: datetime) -> int:
    """Delete notices from before, and what of them went to channels; return how many."""
    return int((await execute("DELETE FROM notice WHERE created_at < $1", before)).rpartition(" ")[2])


#: Notices whose words name a person.
_NAMING = ("account_joined", "password_reset", "phone_change")


async def forget_name(*, name: str, instead: str) -> None:
    """Let notices that tell what a person did, or what was done for one, say ``instead`` for the name."""
    await execute(
        """UPDATE notice SET message = replace(message::text, to_jsonb($1::text)::text,
                                                to_jsonb($2::text)::text)::jsonb
           WHERE kind = ANY($3) AND position(to_jsonb($1::text)::text IN message::text) > 0""",
        name,
        instead,
        list(_NAMING),
    )


async def add_channel(viewer: Viewer, *, name: str, address: str, at: datetime) -> int:
    """Also send the notices of the viewer's organisation to ``address``; return the channel's number.

    Raises:
        Invalid: with every field that is wrong (``name``, ``address``).
        Conflict: there are as many as one may have.
    """
    problems: dict[str, Message] = {}
    if not name.strip() or len(name) > LONGEST_NAME:
        problems["name"] = msg("请给它起个名字，最多 {most} 个字。", most=LONGEST_NAME)
    try:
        where = rules.address_from(address)
        if not settings().private_channels:
            rules.check_public(where)
    except Invalid as refused:
        problems |= refused.fields
    if problems:
        raise Invalid(msg("有 {count} 处需要修改。", count=len(problems)), problems)
    organisation_id = viewer.organisation_id
    async with transaction():
        # two who add at once are put in line, or both would find room for one
        await execute("SELECT id FROM organisation WHERE id = $1 FOR NO KEY UPDATE", organisation_id)
        known = await fetch("SELECT address FROM channel WHERE organisation = $1", organisation_id)
        if any(row["address"] == str(where) for row in known):
            problem = msg("这个地址已经加过了。")
            raise Invalid(problem, {"address": problem})
        if len(known) >= rules.MOST_CHANNELS:
            raise Conflict(msg("最多 {most} 个，请先删去不用的。", most=rules.MOST_CHANNELS))
        number: int = await fetch_value(
            """INSERT INTO channel (organisation, name, address, active, added_by, created_at)
               VALUES ($1, $2, $3, true, $4, $5) RETURNING id""",
            organisation_id,
            name.strip(),
            str(where),
            viewer.person_id,
            at,
        )
    return number


async def _own_channel(viewer: Viewer, channel_id: int) -> Record:
    """Lock a channel that is the viewer's to tend; see :func:`rules.tends`."""
    rows = await fetch(
        "SELECT name, address, added_by FROM channel WHERE id = $1 AND organisation = $2 FOR UPDATE",
        channel_id,
        viewer.organisation_id,
    )
    if not rows:
        raise NotFound(msg("没有找到这个通知渠道。"))
    if not rules.tends(viewer, added_by=rows[0]["added_by"]):
        raise NotAllowed(
            msg("这个渠道是同事加的，测试和删去由加它的人，或本单位的书记、采购经理、干部、管理员来办。")
        )
    return rows[0]


async def remove_channel(viewer: Viewer, *, channel_id: int) -> rules.Address:
    """Send nothing there any more; what was still on its way is dropped. Returns where it led.

    Raises:
        NotFound: the organisation has no such channel.
        NotAllowed: it is a colleague's.
    """
    async with transaction():
        row = await _own_channel(viewer, channel_id)
        await execute("DELETE FROM channel WHERE id = $1", channel_id)
    return rules.address_from(row["address"])


async def test_channel(viewer: Viewer, *, channel_id: int, at: datetime) -> None:
    """Put a notice that says that it is a test on its way to this one channel.

    Raises:
        NotFound: the organisation has no such channel.
        NotAllowed: it is a colleague's.
        Conflict: the last one has not left yet.
    """
    async with transaction():
        name = (await _own_channel(viewer, channel_id))["name"]
        if await fetch_value(
            "SELECT id FROM outgoing WHERE channel = $1 AND state = $2 AND created_at > $3 LIMIT 1",
            channel_id,
            rules.WAITING,
            at - TEST_PAUSE,
        ):
            raise Conflict(msg("上一条还没有发完，请稍等。"))
        number = await fetch_value(
            """WITH told AS (
                 INSERT INTO notice (organisation, kind, message, link, created_at, read_at)
                 VALUES ($1, 'channel_test', $2, '/account/channels', $3, $3) RETURNING id)
               INSERT INTO outgoing (notice, channel, state, tries, trouble, created_at)
               SELECT told.id, $4, $5, 0, '', $3 FROM told RETURNING id""",
            viewer.organisation_id,
            msgspec.json.encode(msg("这是一条测试消息：“{name}”能收到田头的通知。", name=name)).decode(),
            at,
            channel_id,
            rules.WAITING,
        )
        await enqueue("notices.send", SendPayload(number))
