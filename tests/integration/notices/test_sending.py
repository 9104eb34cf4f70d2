"""Notices on their way out, to real receivers on this machine."""

import asyncio
import email
import email.policy
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fixtures.factories import STORY, Factory, Member
from market.accounts.rules import RETAILER, Viewer
from market.db.jobs import MOST_ATTEMPTS, Worker
from market.db.session import execute, fetch, fetch_value
from market.errors import Conflict, Invalid, NotFound
from market.i18n import msg
from market.notices import operations, sending
from market.notices.operations import add_channel, notify, remove_channel
from market.notices.operations import test_channel as send_test
from market.notices.queries import channels_of, inbox
from market.notices.rules import MOST_CHANNELS
from market.settings import Settings


class Receiver:
    """A host that takes JSON over HTTP; ``status`` is what it answers."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.status = "200 OK"
        self.headers = ""
        self.address = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")
        )
        self.got.append(json.loads(await reader.readexactly(length)))
        writer.write(f"HTTP/1.1 {self.status}\r\n{self.headers}Content-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()


class Mailbox:
    """A mail server that takes everything."""

    def __init__(self) -> None:
        self.got: list[email.message.EmailMessage] = []
        self.to: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        await say("220 test")
        while line := (await reader.readline()).decode().strip():
            verb = line.split()[0].upper()
            if verb == "RCPT":
                self.to.append(line.partition("<")[2].partition(">")[0])
            if verb == "DATA":
                await say("354 go on")
                body = await reader.readuntil(b"\r\n.\r\n")
                parsed = email.message_from_bytes(body[:-3], policy=email.policy.default)
                assert isinstance(parsed, email.message.EmailMessage)
                self.got.append(parsed)
            await say("221 bye" if verb == "QUIT" else "250 fine")
            if verb == "QUIT":
                break
        writer.close()


@pytest.fixture(autouse=True)
def chosen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the installation has set; a test may change it."""
    given: dict[str, Any] = {"private_channels": True, "public_url": "https://tiantou.example"}
    for module in (operations, sending):
        monkeypatch.setattr(module, "settings", lambda: Settings(**given))
    return given


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/in/s3cret"
    async with server:
        yield made


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    made = Mailbox()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


@pytest.fixture
async def member(factory: Factory) -> Member:
    return await factory.member(role="buyer")


def seen_as(member: Member) -> Viewer:
    roles = frozenset({member.role})
    return Viewer(0, member.person_id, "", member.organisation_id, "", "", RETAILER, roles, "zh")


async def channel(member: Member, address: str, name: str = "采购部群") -> int:
    return await add_channel(seen_as(member), name=name, address=address, at=STORY)


async def tell(member: Member) -> None:
    await notify(
        organisation_id=member.organisation_id,
        kind="channel_test",
        message=msg("请写会议地点。"),
        link="/meetings/1",
        at=STORY,
    )


async def outgoing() -> list[tuple[str, int, str]]:
    return [tuple(row) for row in await fetch("SELECT state, tries, trouble FROM outgoing ORDER BY id")]


async def work_all() -> None:
    """Work on every job there is, at once: nobody waits for the pause between two tries."""
    while await Worker().work_once():
        await execute("UPDATE job SET run_at = now() WHERE state = 'retrying'")


async def test_notice_goes_to_the_channel_with_a_link(member: Member, receiver: Receiver) -> None:
    await channel(member, receiver.address)
    await tell(member)
    assert receiver.got == []
    await work_all()
    assert [each["message"] for each in receiver.got] == [
        "请写会议地点。\nhttps://tiantou.example/meetings/1"
    ]
    assert await outgoing() == [("sent", 1, "")]
    assert len(await inbox(organisation_id=member.organisation_id)) == 1


async def test_notice_without_a_channel_stays_in_the_inbox(member: Member) -> None:
    await tell(member)
    assert (await outgoing(), await fetch_value("SELECT count(*) FROM job")) == ([], 0)


async def test_receiver_reads_its_own_language(member: Member, receiver: Receiver) -> None:
    await execute("UPDATE person SET language = 'en' WHERE id = $1", member.person_id)
    await channel(member, receiver.address)
    await tell(member)
    await work_all()
    assert receiver.got[0]["message"].startswith("Please say where the meeting is held.")


async def test_refused_message_is_tried_again_and_then_told(member: Member, receiver: Receiver) -> None:
    receiver.status = "500 Broken"
    await channel(member, receiver.address)
    await tell(member)
    await work_all()
    [(state, tries, trouble)] = await outgoing()
    assert (state, tries, len(receiver.got)) == ("failed", MOST_ATTEMPTS, MOST_ATTEMPTS)
    assert "500" in trouble
    assert "s3cret" not in trouble
    [seen] = await channels_of(seen_as(member))
    assert (seen.state, seen.trouble, seen.shown.partition("/")[2]) == ("failed", trouble, "…")
    assert await fetch_value("SELECT count(*) FROM job WHERE state <> 'done'") == 0


async def test_message_gets_through_when_the_receiver_is_back(member: Member, receiver: Receiver) -> None:
    receiver.status = "503 Busy"
    await channel(member, receiver.address)
    await tell(member)
    assert await Worker().work_once() is True
    assert [each[0] for each in await outgoing()] == ["waiting"]
    receiver.status = "200 OK"
    await execute("UPDATE job SET run_at = now()")
    await work_all()
    assert await outgoing() == [("sent", 2, "")]


async def test_receiver_cannot_lead_the_message_elsewhere(member: Member, receiver: Receiver) -> None:
    receiver.status = "302 Found"
    receiver.headers = f"Location: {receiver.address}\r\n"
    await channel(member, receiver.address)
    await tell(member)
    assert await Worker().work_once() is True
    assert len(receiver.got) == 1


async def test_address_of_a_private_network_is_not_called(
    member: Member, receiver: Receiver, chosen: dict[str, Any]
) -> None:
    await channel(member, receiver.address)
    await channel(member, receiver.address.replace("127.0.0.1", "localhost"))
    chosen["private_channels"] = False
    await tell(member)
    await work_all()
    assert (receiver.got, await outgoing()) == ([], [("failed", 1, "private")] * 2)


async def test_mail_leaves_by_the_installations_account(
    member: Member, mailbox: Mailbox, chosen: dict[str, Any]
) -> None:
    chosen["mail_via"] = f"mailto://127.0.0.1:{mailbox.port}?from=notice@tiantou.example"
    await channel(member, "buyer@example.com")
    await tell(member)
    await work_all()
    assert await outgoing() == [("sent", 1, "")]
    assert mailbox.to == ["buyer@example.com"]
    body = mailbox.got[0].get_body(("plain", "html"))
    assert body is not None
    assert "请写会议地点。" in body.get_content()


async def test_mail_without_an_account_says_so(member: Member) -> None:
    await channel(member, "buyer@example.com")
    await tell(member)
    await work_all()
    assert await outgoing() == [("failed", 1, "no_mail")]


async def test_removed_channel_gets_nothing_more(member: Member, receiver: Receiver) -> None:
    number = await channel(member, receiver.address)
    await tell(member)
    await remove_channel(seen_as(member), channel_id=number)
    await work_all()
    assert (receiver.got, await outgoing()) == ([], [])


async def test_test_message_goes_to_that_channel_alone(member: Member, receiver: Receiver) -> None:
    number = await channel(member, receiver.address)
    await channel(member, "https://nobody.invalid/", "别处")
    await send_test(seen_as(member), channel_id=number, at=STORY)
    with pytest.raises(Conflict):
        await send_test(seen_as(member), channel_id=number, at=STORY)
    await work_all()
    assert [each["message"].split("\n")[0] for each in receiver.got] == [
        "这是一条测试消息：“采购部群”能收到田头的通知。"
    ]


async def test_channels_belong_to_their_organisation(factory: Factory, member: Member) -> None:
    other = await factory.member(role="buyer")
    number = await channel(member, "https://erp.example.com/in/s3cret")
    assert await channels_of(seen_as(other)) == []
    with pytest.raises(NotFound):
        await send_test(seen_as(other), channel_id=number, at=STORY)
    with pytest.raises(NotFound):
        await remove_channel(seen_as(other), channel_id=number)


async def test_channels_are_few_and_different(member: Member) -> None:
    await channel(member, "a@example.com")
    with pytest.raises(Invalid):
        await channel(member, " a@example.com")
    added = await asyncio.gather(
        *(channel(member, f"b{n}@example.com") for n in range(MOST_CHANNELS + 2)), return_exceptions=True
    )
    assert sum(isinstance(each, Conflict) for each in added) == 3
    assert await fetch_value("SELECT count(*) FROM channel") == MOST_CHANNELS


async def test_what_only_a_few_of_an_organisation_may_read_leaves_by_no_channel(
    factory: Factory, receiver: Receiver
) -> None:
    manager = await factory.member(role="manager")
    await channel(manager, receiver.address)

    async def told(kind: str) -> int:
        await notify(
            organisation_id=manager.organisation_id,
            kind=kind,
            message=msg("请写会议地点。"),
            link="/people",
            at=STORY,
        )
        return int(
            await fetch_value(
                "SELECT count(*) FROM outgoing JOIN notice ON notice.id = outgoing.notice WHERE kind = $1",
                kind,
            )
        )

    assert [await told("account_joined"), await told("approval_asked")] == [1, 1]
    other = await factory.member(role="buyer")
    await execute(
        "INSERT INTO membership (person, organisation, role) VALUES ($1, $2, 'buyer')",
        other.person_id,
        manager.organisation_id,
    )
    # a buyer does not read it, and may have added the channel: the inbox alone has it now
    assert [await told("account_joined"), await told("approval_asked")] == [1, 2]
    kinds = [each.kind for each in await inbox(organisation_id=manager.organisation_id)]
    assert kinds.count("account_joined") == 2
