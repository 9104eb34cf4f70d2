"""``market audit`` as operators run it: in a process of its own, on a database that others use."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg

from tests.integration.audit.test_tampering import CHAINS, delete
from tests.integration.audit.test_tampering import ledger as ledger


async def test_command_checks_names_damage_and_returns_its_exit_code(
    ledger: asyncpg.Connection, database: dict[str, Any], tmp_path: Path
) -> None:
    url = "postgresql://tiantou_app@/{database}?host={host}&port={port}".format(**database)

    def run(*words: str, lang: str = "en") -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "market", "audit", *words, "--lang", lang],
            env={**os.environ, "DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    heads = tmp_path / "heads.json"
    code, told = run("heads", "--out", str(heads))
    assert (code, f"{len(CHAINS)} chains, {sum(CHAINS.values())} records" in told) == (0, True)
    assert run("verify", "--heads", str(heads)) == (
        0,
        f"Checked: {len(CHAINS)} chains, {sum(CHAINS.values())} records, 5 seals.\nWhole.\n",
    )
    await delete(ledger, "deal:2", 5)
    code, told = run("verify", "--heads", str(heads), lang="zh")
    assert (code, told.splitlines()[1:]) == (1, ["deal:2 第 5 条：末尾被截去（封签）", "有 1 处损坏。"])
    code, told = run("verify", "--json", "--subject", "deal:2")
    assert (code, json.loads(told)["faults"]) == (
        1,
        [{"subject": "deal:2", "position": 5, "kind": "cut_off", "by": "seal"}],
    )
    heads.write_text("{}")
    assert run("verify", "--heads", str(heads))[0] == 2
    await ledger.execute("DELETE FROM audit_record; INSERT INTO audit_record SELECT * FROM kept_aside")
