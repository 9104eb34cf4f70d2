"""``market demo load`` and ``market demo reset``."""

import argparse
import asyncio
import importlib
import sys
from typing import Any

from market.cli import add_language, language, say
from market.db.migrate import migrate_forwards
from market.db.session import started_pool
from market.i18n import Language, msg, translate

STAGES = ("start", "matched", "met", "contract", "breach")


def add_demo(commands: Any) -> None:
    lang = language(sys.argv[1:])
    parser = commands.add_parser("demo", help=translate(msg("载入或重置东于村的示范案例"), lang))
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, summary in (
        ("load", msg("载入示范案例；已载入则不变")),
        ("reset", msg("清空业务数据，重新载入示范案例")),
    ):
        action = actions.add_parser(name, help=translate(summary, lang))
        action.add_argument(
            "--stage",
            choices=STAGES,
            default="start",
            help=translate(
                msg(
                    "故事停在：start 撮合之前，matched 对接会之前，met 对接会之后；"
                    "contract 订单合同履约中，breach 违约解除、余量另卖之后"
                ),
                lang,
            ),
        )
        add_language(action, lang)
        action.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    return asyncio.run(_run(arguments.action, arguments.stage, arguments.lang))


async def _run(action: str, stage: str, lang: Language) -> int:
    # seeds import market, never the other way: only the command line knows that they are there
    load = importlib.import_module("seeds.load")
    async with started_pool(as_owner=True):
        await migrate_forwards()
        if action == "reset":
            await load.reset_demo(stage)
        else:
            await load.load_reference()
            if not await load.load_demo(stage):
                say(msg("示范案例已在，未做改动；要重来请用 market demo reset。"), lang)
                return 0
    say(msg("示范案例已载入，登录账号："), lang)
    for login in load.logins():
        say(
            msg(
                "  {phone}  密码 {password}  {name}（{organisation}）",
                phone=login.phone,
                password=login.password,
                name=login.name if lang == "zh" else login.name_en,
                organisation=login.organisation if lang == "zh" else login.organisation_en,
            ),
            lang,
        )
    return 0
