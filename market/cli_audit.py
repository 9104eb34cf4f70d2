"""``market audit heads`` and ``market audit verify``: heads to keep outside, and the record's check."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from market import clock
from market.audit.checking import Findings, check
from market.audit.rules import fault_words
from market.audit.sealing import HeadsFile, write_heads
from market.cli import add_language, language, say
from market.db.session import started_pool
from market.i18n import Language, Message, msg, translate

#: Exit codes of verify; a refusal is 2, as everywhere.
WHOLE, DAMAGED = 0, 1


def add_audit(commands: Any) -> None:
    """Add ``market audit``."""
    lang = language(sys.argv[1:])

    def words(text: Message) -> str:
        return translate(text, lang)

    parser = commands.add_parser("audit", help=words(msg("核对留痕，写出链头")))
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    heads = actions.add_parser("heads", help=words(msg("把每条链的链头写进文件，放到库外保存")))
    heads.add_argument("--out", required=True, type=Path, metavar="FILE", help=words(msg("写到哪个文件")))
    add_language(heads, lang)
    heads.set_defaults(run=lambda arguments: asyncio.run(_heads(arguments.out, arguments.lang)))
    verify = actions.add_parser("verify", help=words(msg("重算全部留痕；完好退出 0，有损退出 1")))
    verify.add_argument("--heads", type=Path, metavar="FILE", help=words(msg("以前写出的链头文件")))
    verify.add_argument(
        "--any-key", action="store_true", help=words(msg("链头文件是别的密钥签的也用：只核对它自己的摘要"))
    )
    verify.add_argument(
        "--subject", metavar="SUBJECT", help=words(msg("只核对一条链，如 deal:17；不查封签本身"))
    )
    verify.add_argument("--json", action="store_true", help=words(msg("结果写成 JSON")))
    add_language(verify, lang)
    verify.set_defaults(run=lambda arguments: asyncio.run(_verify(arguments)))


async def _heads(path: Path, lang: Language) -> int:
    async with started_pool():
        totals = await write_heads(path, at=clock.now())
    say(
        msg(
            "{path}：{subjects} 条链，{records} 条留痕，摘要 {digest}。请存到另一台机器上。",
            path=str(path),
            subjects=totals.subjects,
            records=totals.records,
            digest=totals.digest,
        ),
        lang,
    )
    return 0


async def _verify(arguments: argparse.Namespace) -> int:
    known = HeadsFile.opened(arguments.heads, any_key=arguments.any_key) if arguments.heads else None
    async with started_pool():
        found = await check(
            subject=arguments.subject,
            heads=iter(known) if known else None,
            newest_seal=known.opening.seal if known else None,
        )
    if arguments.json:
        told = {"whole": found.is_whole, **msgspec.to_builtins(found)}
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    else:
        _tell(found, arguments.lang)
    return WHOLE if found.is_whole else DAMAGED


def _tell(found: Findings, lang: Language) -> None:
    say(
        msg(
            "核对了 {subjects} 条链、{records} 条留痕、{seals} 个封签。",
            subjects=found.subjects,
            records=found.records,
            seals=found.seals,
        ),
        lang,
    )
    for fault in found.faults:
        say(fault_words(fault), lang)
    if found.is_whole:
        say(msg("完好。"), lang)
    else:
        say(msg("有 {n} 处损坏。", n=found.damage), lang)
