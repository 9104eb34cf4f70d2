"""``market demo load`` and ``market demo reset``."""

import argparse
import asyncio
import importlib
import sys
from typing import Any

from market.cli import language, say
from market.db.migrate import migrate_forwards
from market.db.session import started_pool
from market.i18n import msg, translate


def add_demo(commands: Any) -> None:
    """Add ``market demo``."""
    lang = language(sys.argv[1:])
    parser = commands.add_parser("demo", help=translate(msg("载入或重置东余村的示范案例"), lang))
    parser.add_argument(
        "what",
        choices=["load", "reset"],
        help=translate(msg("load：没有才载入；reset：清空业务数据后重新载入"), lang),
    )
    parser.add_argument(
        "--stage",
        choices=["start", "matched", "met"],
        default="start",
        help=translate(msg("故事停在哪里：撮合之前、对接会之前、对接会之后"), lang),
    )
    parser.add_argument("--lang", choices=["zh", "en"])
    parser.set_defaults(run=demo)


def demo(arguments: argparse.Namespace) -> int:
    """Load the demo case, or empty the market and load it again."""
    lang = language(sys.argv[1:])
    seeds = importlib.import_module("seeds.load")

    async def run() -> bool:
        async with started_pool():
            await migrate_forwards()
            await seeds.load_reference()
            if arguments.what == "reset":
                await seeds.reset_demo(arguments.stage)
                return True
            return bool(await seeds.load_demo(arguments.stage))

    if asyncio.run(run()):
        say(msg("示范案例已载入。"), lang)
    else:
        say(msg("示范案例已经在了，没有改动。要重来请用 market demo reset。"), lang)
    return 0
