"""Signing in, its limits, and sessions."""

import asyncio
import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from fixtures.factories import PASSWORD, STORY, Factory, Member
from market.accounts import limits
from market.accounts.limits import WINDOW, TooManyTries, count_try, forget_tries, network
from market.accounts.passwords import check_new_password, hash_password
from market.accounts.queries import viewers_for
from market.accounts.rules import (
    TRIES_PER_ACCOUNT,
    TRIES_PER_ACCOUNT_ANYWHERE,
    TRIES_PER_ADDRESS,
    Viewer,
    token_hash,
)
from market.accounts.sessions import forget_sessions, mark_seen, sessions_of, sign_out, switch_organisation
from market.accounts.signing_in import change_password, sign_in
from market.db.session import Engine, execute, fetch_value
from market.errors import Invalid, MarketError, NotFound
from tests.integration.races import connections


async def viewer_of(token: str, *, days: float = 0) -> Viewer | None:
    found = await viewers_for(token_hashes=[token_hash(token)], at=STORY + timedelta(days=days))
    return found.get(token_hash(token))


async def token_of(member: Member, at: datetime = STORY, **more: Any) -> str:
    given = {"password": PASSWORD, "address": "192.0.2.1", **more}
    return (await sign_in(phone=member.phone, at=at, **given)).token


async def test_signing_in_opens_a_session_that_signing_out_ends(factory: Factory) -> None:
    member = await factory.member(role="secretary", password=PASSWORD)
    token = await token_of(member, device="wechat android")
    viewer = await viewer_of(token)
    assert viewer
    assert (viewer.person_id, viewer.side, viewer.roles) == (member.person_id, "seller", {"secretary"})
    (row,) = await sessions_of(person_id=member.person_id, at=STORY)
    assert (row.id, row.device, row.seen_at) == (viewer.session_id, "wechat android", STORY)
    await sign_out(token=token)
    assert await viewer_of(token) is None


async def test_a_session_ends_with_its_time_and_when_it_is_idle(factory: Factory) -> None:
    member = await factory.member(role="buyer", password=PASSWORD)
    idle, used = await token_of(member), await token_of(member)
    viewer = await viewer_of(used)
    assert viewer
    for day in range(2, 15, 2):
        assert (await viewer_of(used, days=day - 0.01) is not None) is (day <= 14)
        await mark_seen(session_id=viewer.session_id, at=STORY + timedelta(days=day))
    assert (await viewer_of(idle, days=2.9) is not None, await viewer_of(idle, days=3)) == (True, None)
    assert await viewer_of(used, days=14) is None
    await forget_sessions(at=STORY + timedelta(days=13))
    assert await fetch_value("SELECT count(*) FROM session") == 1


async def test_signing_in_again_rotates_the_token(factory: Factory) -> None:
    member = await factory.member(role="buyer", password=PASSWORD)
    old = await token_of(member)
    new = await token_of(member, old_token=old)
    assert (new != old, await viewer_of(old)) == (True, None)


async def test_unknown_account_and_wrong_password_get_the_same_answer(factory: Factory) -> None:
    member = await factory.member(role="buyer", password=PASSWORD)
    silent = await factory.member(role="buyer")
    answers = set()
    for phone in (member.phone, silent.phone, "13900000000"):
        with pytest.raises(Invalid) as refused:
            await sign_in(phone=phone, password="wrong", address="192.0.2.1", at=STORY)
        answers.add(str(refused.value))
    assert len(answers) == 1


async def test_a_hash_of_other_parameters_is_renewed_by_its_owner_alone(factory: Factory) -> None:
    member = await factory.member(role="buyer", password=PASSWORD)
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    await execute("UPDATE person SET password_hash = $2 WHERE id = $1", member.person_id, old)
    stored = "SELECT password_hash FROM person WHERE id = $1"
    with pytest.raises(Invalid):
        await token_of(member, password="wrong")
    assert await fetch_value(stored, member.person_id) == old
    assert await token_of(member)
    renewed = await fetch_value(stored, member.person_id)
    assert renewed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await token_of(member)
    assert await fetch_value(stored, member.person_id) == renewed


async def test_one_sign_written_in_two_ways_is_one_sign(factory: Factory) -> None:
    member = await factory.member(role="buyer")
    hashed = await hash_password("ｔｏｆｕ 豆腐 é 9")
    await execute("UPDATE person SET password_hash = $2 WHERE id = $1", member.person_id, hashed)
    assert await token_of(member, password="tofu 豆腐 e\u0301 9")


@pytest.mark.parametrize(
    "password",
    [
        "1234567",
        "七个字不够长呀",
        "password1",
        "PASSWORD1",
        "ｐａｓｓｗｏｒｄ１",
        "woaini1314",
        "aaaabbbb",
        "19900010001",
        "a19900010001",
        "00010001",
        "𠮷野家𠮷野家丼",
    ],
)
def test_password_that_others_try_first_may_not_be_chosen(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_new_password(password, phone="19900010001")
    assert set(refused.value.fields) == {"new"}


@pytest.mark.parametrize(
    "password", ["地头的货送到架上", "alllowercasewords", "𠮷野家𠮷野家丼飯", "8" + "花生" * 30]
)
def test_password_needs_no_particular_signs(password: str) -> None:
    check_new_password(password, phone="19900010001")


async def test_no_stretch_of_time_lets_more_through_than_the_limit(db: Engine) -> None:
    """A burst at the end of one window and another at the start of the next are one burst."""

    async def passes(minute: float) -> bool:
        try:
            await count_try(subject="x", most=4, at=STORY + timedelta(minutes=minute))
        except TooManyTries:
            return False
        return True

    moments = [14.7, 14.8, 14.9, 14.99, 15.01, 15.1, 29.6, 29.75, 29.76, 29.85, 29.995, 30.0, 30.1]
    let = [minute for minute in moments if await passes(minute)]
    assert let == [14.7, 14.8, 14.9, 14.99, 29.75, 29.85, 29.995, 30.0]
    await forget_tries(at=STORY + timedelta(minutes=44))
    assert await fetch_value("SELECT cardinality(times) FROM tries") == 4
    await forget_tries(at=STORY + timedelta(minutes=45))
    assert await fetch_value("SELECT count(*) FROM tries") == 0


@pytest.mark.parametrize("in_one", [True, False], ids=["in-one", "apart"])
async def test_tries_at_once_pass_the_limit_where_looking_and_counting_are_two_statements(
    db: Engine, monkeypatch: pytest.MonkeyPatch, *, in_one: bool
) -> None:
    crowd, most, counting = 12, 4, limits.fetch
    every = asyncio.Barrier(crowd)

    async def apart(sql: str, *values: Any) -> Any:
        """What the one statement does, its check before it."""
        bare, checks = re.subn(r"WHERE \(SELECT count.*", "WHERE $3::timestamptz < $2 AND $4::int > 0", sql)
        assert checks == 1
        known = "SELECT count(*) FROM tries, unnest(times) AS each WHERE subject = $1 AND each > $2"
        many = await fetch_value(known, values[0], values[2])
        await every.wait()
        return await counting(bare, *values) if many < values[3] else []

    if not in_one:
        monkeypatch.setattr(limits, "fetch", apart)
    async with connections(db, crowd):
        ends = await asyncio.gather(
            *(count_try(subject="x", most=most, at=STORY) for _ in range(crowd)), return_exceptions=True
        )
    refused = [end for end in ends if end is not None]
    assert all(isinstance(end, TooManyTries) for end in refused)
    let = crowd - len(refused)
    assert let == await fetch_value("SELECT cardinality(times) FROM tries")
    assert (let == most) is in_one


async def test_who_guesses_is_stopped_and_does_not_shut_the_owner_out(factory: Factory) -> None:
    member = await factory.member(role="buyer", password=PASSWORD)

    async def guess(address: str) -> str:
        try:
            await sign_in(phone=member.phone, password="wrong", address=address, at=STORY)
        except MarketError as refused:
            return type(refused).__name__
        return "in"

    await execute("UPDATE person SET active = false WHERE id <> $1", member.person_id)
    here = [await guess("192.0.2.1") for _ in range(TRIES_PER_ACCOUNT + 1)]
    assert here == ["Invalid"] * TRIES_PER_ACCOUNT + ["TooManyTries"]
    with pytest.raises(TooManyTries):
        await token_of(member)
    assert await token_of(member, address="192.0.2.2")
    # from everywhere together there is a wider limit, which a device that is known does not share
    await execute(
        "UPDATE tries SET times = array_fill($1::timestamptz, ARRAY[$2::int]) WHERE subject = $3",
        STORY,
        TRIES_PER_ACCOUNT_ANYWHERE,
        f"account:{member.phone}",
    )
    assert await guess("192.0.2.3") == "TooManyTries"
    assert await token_of(member, address="192.0.2.4", known_device="its-name")
    assert await token_of(member, at=STORY + WINDOW)


def test_a_household_of_addresses_is_one() -> None:
    assert network("2001:db8:1:2:3::9") == network("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert (network("::ffff:192.0.2.1"), network("192.0.2.1"), network("-")) == (
        "192.0.2.1",
        "192.0.2.1",
        "-",
    )


_WORKER = """
import asyncio, sys
from datetime import datetime
from market import clock
from market.accounts.limits import TooManyTries
from market.accounts.signing_in import sign_in
from market.db.session import started_pool
from market.errors import Invalid
from market.settings import Settings

async def main(count, at, **address):
    async def guess():
        try:
            await sign_in(phone="19900019999", password="wrong", address="192.0.2.7", at=at)
        except TooManyTries:
            return 0
        except Invalid:
            return 1
    async with started_pool(Settings(pool_least=8), address=address):
        print("ready", flush=True)
        sys.stdin.readline()
        print(sum(await asyncio.gather(*(guess() for _ in range(count)))))

host, port, user, database, count, at = sys.argv[1:]
where = dict(host=host, port=int(port), user=user, database=database)
asyncio.run(main(int(count), datetime.fromisoformat(at), **where))
"""


async def test_300_tries_at_once_over_4_processes_never_pass_the_limit(
    factory: Factory, database: dict[str, Any]
) -> None:
    """Real processes on the real database, with real password hashes."""
    given = [str(database[name]) for name in ("host", "port", "user", "database")]
    pipe = asyncio.subprocess.PIPE
    workers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _WORKER, *given, "75", STORY.isoformat(), stdin=pipe, stdout=pipe,
            cwd=Path(__file__).parents[3],
        )
        for _ in range(4)
    ]  # fmt: skip
    for worker in workers:
        assert worker.stdout
        assert await worker.stdout.readline() == b"ready\n"
    ends = await asyncio.gather(*(worker.communicate(b"go\n") for worker in workers))
    assert [worker.returncode for worker in workers] == [0] * 4
    assert sum(int(out) for out, _ in ends) == TRIES_PER_ACCOUNT
    kept = "SELECT cardinality(times) FROM tries WHERE subject = $1"
    assert await fetch_value(kept, "account:19900019999|192.0.2.7") == TRIES_PER_ACCOUNT
    assert await fetch_value(kept, "address:192.0.2.7") == TRIES_PER_ADDRESS


async def test_a_new_password_ends_the_other_sessions_and_renews_this_one(factory: Factory) -> None:
    member = await factory.member(role="buyer", password=PASSWORD)
    here, there = await token_of(member), await token_of(member)
    viewer = await viewer_of(here)
    assert viewer
    for old, new, field in (
        ("wrong", "a long one of mine", "old"),
        (PASSWORD, "password1", "new"),
        (PASSWORD, member.phone, "new"),
    ):
        with pytest.raises(Invalid) as refused:
            await change_password(viewer=viewer, old=old, new=new, at=STORY)
        assert set(refused.value.fields) == {field}
    renewed = await change_password(viewer=viewer, old=PASSWORD, new="a long one of mine", at=STORY)
    assert [await viewer_of(token) is not None for token in (here, there, renewed)] == [False, False, True]
    assert await token_of(member, password="a long one of mine")


async def test_acting_for_another_organisation_renews_the_token(factory: Factory) -> None:
    member, other = [await factory.member(role="buyer", password=PASSWORD) for _ in range(2)]
    token = await token_of(member)
    viewer = await viewer_of(token)
    assert viewer

    async def switch() -> str:
        return await switch_organisation(
            session_id=viewer.session_id, person_id=member.person_id, organisation_id=other.organisation_id
        )

    with pytest.raises(NotFound):
        await switch()
    await execute(
        "INSERT INTO membership (person, organisation, role) VALUES ($1, $2, 'manager')",
        member.person_id,
        other.organisation_id,
    )
    renewed = await viewer_of(await switch())
    assert renewed
    assert (renewed.organisation_id, renewed.roles) == (other.organisation_id, {"manager"})
    assert await viewer_of(token) is None
