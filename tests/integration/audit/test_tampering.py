"""Whoever may write past every right and trigger is found out, whatever they change."""

import itertools
import json
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from market.accounts.rules import Actor
from market.audit import rules
from market.audit.checking import Findings, check
from market.audit.operations import Entry, record, record_all
from market.audit.rules import Fault, record_hash
from market.audit.sealing import HeadsFile, seal, write_heads
from market.db.session import Engine, execute
from market.errors import Invalid

AT = datetime(2026, 11, 29, 8, 0, 0, 123457, tzinfo=timezone.utc)
NOBODY = Actor(None, None, "system")
#: Lengths of the chains; every kind of damage is done to each.
CHAINS = {"deal:1": 1, "deal:10": 2, "deal:2": 5, "中文:1": 3}
DETAILS: list[dict[str, Any]] = [
    {},
    {"grams": 5000, "price": 12.5, "whole": 1.0, "tiny": 1e-07, "huge": 1e22, "zero": -0.0},
    {"reason": "质量", "list": [1, 2.25, {"deep": None}], "yes": True},
]

Admin = asyncpg.Connection


@pytest.fixture
async def ledger(db: Engine, _cleaning: Admin) -> AsyncIterator[Admin]:
    """Chains that have been sealed, and somebody to whom no trigger applies."""
    step = itertools.count()
    for turn in range(max(CHAINS.values())):
        for subject, length in CHAINS.items():
            if turn < length:
                n = next(step)
                await record(
                    subject=subject,
                    action=("make", "accept", "sign")[n % 3],
                    actor=NOBODY,
                    at=AT + timedelta(microseconds=n * 1_234_567),
                    details=DETAILS[n % 3],
                )
        await seal(at=AT + timedelta(hours=2 * turn))
    await _cleaning.execute("CREATE TABLE kept_aside AS SELECT * FROM audit_record")
    yield _cleaning
    await _cleaning.execute("DROP TABLE kept_aside")


async def restore(admin: Admin) -> None:
    await admin.execute("DELETE FROM audit_record; INSERT INTO audit_record SELECT * FROM kept_aside")


async def found() -> Findings:
    return await check()


Damage = Callable[[Admin, str, int], Awaitable[object]]


def set_to(expression: str) -> Damage:
    async def change(admin: Admin, subject: str, position: int) -> None:
        done = await admin.execute(
            f"UPDATE audit_record SET {expression} WHERE subject = $1 AND position = $2", subject, position
        )
        assert done == "UPDATE 1"

    return change


async def delete(admin: Admin, subject: str, position: int) -> None:
    await admin.execute("DELETE FROM audit_record WHERE subject = $1 AND position = $2", subject, position)


async def delete_and_close_up(admin: Admin, subject: str, position: int) -> None:
    await delete(admin, subject, position)
    await admin.execute(
        "UPDATE audit_record SET position = -position WHERE subject = $1 AND position > $2", subject, position
    )
    await admin.execute(
        "UPDATE audit_record SET position = -position - 1 WHERE subject = $1 AND position < 0", subject
    )


async def cut_off(admin: Admin, subject: str, position: int) -> None:
    await admin.execute("DELETE FROM audit_record WHERE subject = $1 AND position >= $2", subject, position)


async def swap(admin: Admin, subject: str, position: int) -> None:
    other = position - 1 if position > 1 else position + 1
    move = "UPDATE audit_record SET position = $3 WHERE subject = $1 AND position = $2"
    if await admin.fetchval(
        "SELECT count(*) FROM audit_record WHERE subject = $1 AND position = $2", subject, other
    ):
        await admin.execute(move, subject, position, -1)
        await admin.execute(move, subject, other, position)
        other_place = other
        await admin.execute(move, subject, -1, other_place)
    else:  # a chain of one record: it is only given another place
        await admin.execute(move, subject, position, other)


async def insert_between(admin: Admin, subject: str, position: int) -> None:
    """Push everything from ``position`` on one place up, and put a copy of a record there."""
    await admin.execute(
        "UPDATE audit_record SET position = -position WHERE subject = $1 AND position >= $2",
        subject,
        position,
    )
    await admin.execute(
        "UPDATE audit_record SET position = 1 - position WHERE subject = $1 AND position < 0", subject
    )
    await admin.execute(
        """INSERT INTO audit_record
           SELECT nextval('audit_record_id_seq'), subject, $2::bigint, action, person, organisation, at,
                  details, previous_hash, hash, scheme
           FROM audit_record WHERE subject = $1 AND position = $2::bigint + 1""",
        subject,
        position,
    )


async def copy_elsewhere(admin: Admin, subject: str, position: int) -> None:
    await admin.execute(
        """INSERT INTO audit_record
           SELECT nextval('audit_record_id_seq'), 'deal:2', 6, action, person, organisation, at, details,
                  previous_hash, hash, scheme FROM audit_record WHERE subject = $1 AND position = $2""",
        subject,
        position,
    )


async def rehash(admin: Admin, subject: str, first: int, last: int) -> None:
    """Make the hashes of records ``first`` to ``last`` right again, as the product would."""
    for position in range(first, last + 1):
        row = await admin.fetchrow(
            "SELECT *, details::text AS said FROM audit_record WHERE subject = $1 AND position = $2",
            subject,
            position,
        )
        before = await admin.fetchval(
            "SELECT hash FROM audit_record WHERE subject = $1 AND position = $2", subject, position - 1
        )
        previous = before or rules.GENESIS
        made = record_hash(
            previous=previous,
            row_id=row["id"],
            subject=subject,
            position=position,
            action=row["action"],
            person_id=row["person"],
            organisation_id=row["organisation"],
            at=row["at"],
            details=rules.read_details(row["said"]),
        )
        await admin.execute(
            "UPDATE audit_record SET previous_hash = $3, hash = $4 WHERE subject = $1 AND position = $2",
            subject,
            position,
            previous,
            made,
        )


async def edit_and_rehash(admin: Admin, subject: str, position: int) -> None:
    await set_to("action = 'forged'")(admin, subject, position)
    await rehash(admin, subject, position, position)


async def rewrite_from_there(admin: Admin, subject: str, position: int) -> None:
    await set_to("action = 'forged'")(admin, subject, position)
    await rehash(admin, subject, position, CHAINS[subject])


#: Every column, and every way to write other rows into the table.
DAMAGES: dict[str, Damage] = {
    "subject": set_to("subject = 'deal:99'"),
    "position": set_to("position = position + 100"),
    "position nought": set_to("position = 0"),
    "action": set_to("action = action || ' '"),
    "person": set_to("person = 7"),
    "organisation": set_to("organisation = 7"),
    "id": set_to("id = id + 1000000"),
    "microsecond later": set_to("at = at + interval '1 microsecond'"),
    "microsecond earlier": set_to("at = at - interval '1 microsecond'"),
    "hour": set_to("at = at + interval '1 hour'"),
    "details": set_to("details = details || '{\"more\": 1}'"),
    "details emptied": set_to("details = '[]'"),
    "details null": set_to("details = 'null'"),
    "previous hash": set_to("previous_hash = sha256(previous_hash)"),
    "hash": set_to("hash = sha256(hash)"),
    "hash emptied": set_to("hash = ''"),
    "scheme": set_to("scheme = 1"),
    "scheme unknown": set_to("scheme = 99"),
    "delete": delete,
    "delete and close up": delete_and_close_up,
    "cut off": cut_off,
    "swap": swap,
    "insert": insert_between,
    "copy": copy_elsewhere,
    "edit with its own right hash": edit_and_rehash,
    "rewrite to the end": rewrite_from_there,
}
#: What a look through names them, where that is one thing whatever the record.
NAMED = {
    "action": rules.EDITED,
    "id": rules.EDITED,
    "microsecond later": rules.EDITED,
    "details": rules.EDITED,
    "insert": rules.INSERTED,
}


async def test_every_generated_tampering_is_found_and_an_untouched_ledger_is_whole(ledger: Admin) -> None:
    places = [(subject, at) for subject, length in CHAINS.items() for at in range(1, length + 1)]
    assert (await found()).faults == []
    unseen, cases = [], 0
    for name, damage in DAMAGES.items():
        for subject, position in places:
            await damage(ledger, subject, position)
            told = await found()
            cases += 1
            if told.is_whole or (name in NAMED and NAMED[name] not in {each.kind for each in told.faults}):
                unseen.append((name, subject, position, told.faults))
            await restore(ledger)
    for subject in CHAINS:
        await ledger.execute("DELETE FROM audit_record WHERE subject = $1", subject)
        told = await found()
        cases += 1
        assert told.faults == [Fault(subject, CHAINS[subject], rules.VANISHED, "seal")]
        await restore(ledger)
    assert unseen == []
    assert cases == len(DAMAGES) * sum(CHAINS.values()) + len(CHAINS)
    assert (await found()).faults == []


async def test_place_and_kind_of_damage_are_named(ledger: Admin) -> None:
    async def told(damage: Damage, position: int) -> list[tuple[int, str, str]]:
        await damage(ledger, "deal:2", position)
        faults = [(each.position, each.kind, each.by) for each in (await check(subject="deal:2")).faults]
        await restore(ledger)
        return faults

    assert await told(set_to("action = 'x'"), 3) == [(3, "edited", "chain")]
    assert await told(delete, 1) == [(1, "missing", "chain")]
    assert await told(delete, 3) == [(3, "missing", "chain")]
    assert await told(cut_off, 4) == [(4, "cut_off", "seal")]
    assert await told(swap, 3) == [(2, "reordered", "chain"), (3, "reordered", "chain")]
    assert await told(edit_and_rehash, 3) == [(3, "replaced", "chain"), (3, "rewritten", "seal")]
    assert await told(copy_elsewhere, 3) == [(6, "inserted", "chain")]
    assert [kind for _, kind, _ in await told(rewrite_from_there, 2)] == ["rewritten"] * 4


async def test_numbers_of_equal_value_written_otherwise_are_found(ledger: Admin) -> None:
    """jsonb keeps how a number is written: 12.50 is not what was recorded, though it equals 12.5."""
    number = {"grams": "5000.0", "price": "12.50", "whole": "1", "tiny": "0.00000010", "zero": "0"}
    number["huge"] = "1e22"
    same = {"huge"}  # jsonb itself writes 1e22 as 10000000000000000000000, as it was
    for name, written in number.items():
        rows = await ledger.execute(
            "UPDATE audit_record SET details = jsonb_set(details, ARRAY[$1], $2::jsonb) WHERE details ? $1",
            name,
            written,
        )
        assert rows != "UPDATE 0"
        assert ((await found()).is_whole, name) == (name in same, name)
        await restore(ledger)


async def test_seals_rewritten_with_the_chains_are_found_by_heads_kept_outside(
    ledger: Admin, tmp_path: Path
) -> None:
    outside = tmp_path / "heads.json"
    totals = await write_heads(outside, at=AT + timedelta(days=1))
    assert (totals.subjects, totals.records) == (len(CHAINS), sum(CHAINS.values()))
    kept = HeadsFile.opened(outside)

    async def told() -> list[Fault]:
        return (await check(heads=iter(kept), newest_seal=kept.opening.seal)).faults

    assert await told() == []
    plain = json.loads(outside.read_text())
    assert [head[:2] for head in plain["heads"]] == [
        [subject, CHAINS[subject]] for subject in sorted(CHAINS, key=str.encode)
    ]
    seals = "CREATE TABLE seals_aside AS SELECT * FROM audit_seal"
    heads = "CREATE TABLE heads_aside AS SELECT * FROM audit_seal_head"
    await ledger.execute(f"{seals}; {heads}")
    try:
        for damage in (rewrite_from_there, delete_and_close_up, cut_off, None):
            # everything that depends on it is made right again, seals included: a forger with all rights
            if damage is None:
                await ledger.execute("DELETE FROM audit_record WHERE subject = 'deal:2'")
            else:
                await damage(ledger, "deal:2", 3)
            length = await ledger.fetchval("SELECT count(*) FROM audit_record WHERE subject = 'deal:2'")
            await rehash(ledger, "deal:2", 1, length)
            await ledger.execute("DELETE FROM audit_seal; DELETE FROM audit_seal_head")
            await seal(at=AT + timedelta(days=1))
            assert (await check()).is_whole
            assert {(each.subject, each.by) for each in await told()} >= {("deal:2", "heads")}
            await restore(ledger)
            await ledger.execute(
                """DELETE FROM audit_seal; DELETE FROM audit_seal_head;
                   INSERT INTO audit_seal SELECT * FROM seals_aside;
                   INSERT INTO audit_seal_head SELECT * FROM heads_aside"""
            )
            assert await told() == []
        for column in ("at = at + interval '1 microsecond'", "through = 0", "hash = ''", "heads = 9"):
            await ledger.execute(f"UPDATE audit_seal SET {column} WHERE position = 2")
            assert rules.SEAL in {each.kind for each in (await check()).faults}
            await ledger.execute("DELETE FROM audit_seal; INSERT INTO audit_seal SELECT * FROM seals_aside")
        await ledger.execute("DELETE FROM audit_seal WHERE position = 5")
        assert {each.kind for each in (await check()).faults} == {rules.SEAL}
    finally:
        await ledger.execute("DROP TABLE seals_aside; DROP TABLE heads_aside")


async def test_heads_file_that_was_changed_is_refused(ledger: Admin, tmp_path: Path) -> None:
    outside = tmp_path / "heads.json"
    await write_heads(outside, at=AT)
    text = outside.read_text()
    digest = json.loads(text)["digest"]
    for changed, told in (
        (text.replace('["deal:2",5', '["deal:2",4'), "改过"),
        (text.replace(digest, "0" * 64), "改过"),
        (text.replace("2026-11-29", "2026-11-28"), "密钥"),
        (text.replace(rules.GENESIS.hex(), "").replace("\n],", "\n"), "损坏"),
        ("{}", "损坏"),
    ):
        outside.write_text(changed)
        with pytest.raises(Invalid, match=told):
            HeadsFile.opened(outside)
    outside.write_text(text.replace("2026-11-29", "2026-11-28"))
    assert len(list(HeadsFile.opened(outside, any_key=True))) == len(CHAINS)


async def test_records_of_the_first_scheme_still_fit(ledger: Admin) -> None:
    made = record_hash(
        scheme=1,
        previous=rules.GENESIS,
        row_id=0,
        subject="old:1",
        position=1,
        action="make",
        person_id=None,
        organisation_id=None,
        at=AT,
        details={"grams": 5},
    )
    await execute(
        """INSERT INTO audit_record (subject, position, action, at, details, previous_hash, hash)
           VALUES ('old:1', 1, 'make', $1, '{"grams": 5}', $2, $3)""",
        AT,
        rules.GENESIS,
        made,
    )
    await record(subject="old:1", action="sign", actor=NOBODY, at=AT, details={})
    assert (await check(subject="old:1")).faults == []
    await set_to("details = '{\"grams\": 6}'")(ledger, "old:1", 1)
    assert [each.kind for each in (await check(subject="old:1")).faults] == ["edited"]


async def test_random_ledgers_and_random_edits(ledger: Admin) -> None:
    """Seeded: chains of random length, several edits at once; all of their subjects are named."""
    draw = random.Random(20261129)
    lengths = {f"bid:{n}": draw.randint(1, 12) for n in range(40)}
    for position in range(max(lengths.values())):
        await record_all(
            [
                Entry(subject, "place", NOBODY, AT, {"grams": draw.randint(1, 9**9), "at": position})
                for subject, length in lengths.items()
                if position < length
            ]
        )
    await seal(at=AT + timedelta(days=2))
    await ledger.execute("DROP TABLE kept_aside; CREATE TABLE kept_aside AS SELECT * FROM audit_record")
    for _ in range(40):
        chosen = draw.sample(sorted(lengths), 3)
        for subject in chosen:
            name = draw.choice(sorted(set(DAMAGES) - {"subject", "copy", "rewrite to the end"}))
            await DAMAGES[name](ledger, subject, draw.randint(1, lengths[subject]))
        assert {each.subject for each in (await found()).faults} == set(chosen)
        await restore(ledger)


async def test_place_that_takes_no_heads_is_told(ledger: Admin, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "heads.json", tmp_path / ("x" * 300), tmp_path, Path(".")):
        with pytest.raises(Invalid, match="写不了文件"):
            await write_heads(place, at=AT)
    assert os.listdir(tmp_path) == ["file"]
