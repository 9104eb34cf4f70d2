"""The command ``market``: finds the subcommand, imports its module only, and turns errors into exit codes.

A module ``market/cli_<name>.py`` contributes ``add_<subcommand>(commands)``: it adds its parser and sets
``run``, a function from the parsed arguments to the exit code. So ``market match`` starts without the web.
"""

import argparse
import io
import os
import re
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, TextIO

import market
from market.errors import MarketError
from market.i18n import LANGUAGES, Language, Message, msg, system_words, translate

#: Subcommand -> the function that adds it, and what it does.
COMMANDS: dict[str, tuple[str, Message]] = {
    "serve": ("cli_serve.add_serve", msg("准备数据库并提供网页")),
    "worker": ("cli_serve.add_worker", msg("只在后台做排队的工作")),
    "db": ("cli_serve.add_db", msg("建立或查看数据库结构")),
    "demo": ("cli_demo.add_demo", msg("载入或重置东于村的示范案例")),
    "match": ("cli_match.add_match", msg("撮合两个文件里的供应与需求")),
    "verify": ("cli_match.add_verify", msg("核对撮合结果的证明")),
    "stream": ("cli_stream.add_stream", msg("货源和需求随来随配，一行一件事")),
    "schedule": ("cli_schedule.add_schedule", msg("排一场对接会的洽谈时间表")),
    "verify-timetable": ("cli_schedule.add_verify_timetable", msg("核对洽谈时间表")),
    "run": ("cli_run.add_run", msg("在数据库上撮合：market run matching")),
    "meeting": ("cli_run.add_meeting", msg("在数据库上排对接会：market meeting plan")),
    "audit": ("cli_audit.add_audit", msg("核对留痕，写出链头")),
}

#: Bad input or a refusal; the commands on files use 3 and 4 as well (FORMATS in docs).
REFUSED = 2


def language(words: Sequence[str] | None = None) -> Language:
    """Return the reader's language: ``--lang``, else the locale's, else Chinese."""
    words = list(words or ())
    for at, word in enumerate(words):
        if word.startswith("--lang"):
            given = word.partition("=")[2] or (words[at + 1] if at + 1 < len(words) else "")
            return "en" if given == "en" else "zh"
    told = next((os.environ[v] for v in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(v)), "")
    return "en" if told.startswith("en") else "zh"


def show_what_cannot_be_shown() -> None:
    r"""Let a terminal that knows no Chinese show ``\u7530`` for a sign, rather than end the command.

    A stream that was closed beforehand takes what nobody wants to hear.
    """
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def say(message: Message | str, lang: Language, *, error: bool = False) -> None:
    """Print ``message`` for people.

    Raises:
        Unheard: what goes to the output cannot be written there; an error that cannot be told is not told.
        BrokenPipeError: whoever read the output has gone.
    """
    stream = sys.stderr if error else sys.stdout
    try:
        print(translate(message, lang), file=stream, flush=True)
    except OSError as trouble:
        failure = unheard(stream, trouble)
        if isinstance(failure, BrokenPipeError) or not error:
            raise failure from None


def unheard(stream: TextIO, trouble: OSError) -> "BrokenPipeError | Unheard":
    """Give up on an output that cannot be written to; return what to raise for it."""
    # what is left in the stream would be tried once more at the end, and fail again
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if isinstance(trouble, BrokenPipeError):
        return trouble
    return Unheard(msg("写不进标准输出：{error}。", error=system_words(trouble)))


def add_language(parser: argparse.ArgumentParser, lang: Language) -> None:
    """Add ``--lang``: of what is said, and of the words in files; by default the reader's ``lang``."""
    parser.add_argument(
        "--lang",
        choices=LANGUAGES,
        default=lang,
        help=translate(msg("提示和结果里的文字用哪种语言（默认随系统，否则中文）"), lang),
    )


def add_freight(parser: argparse.ArgumentParser, lang: Language) -> None:
    """Add the two figures that freight is reckoned with."""
    for option, default, name, words in (
        ("--freight", "0.6", "YUAN", msg("每吨公里运费，元（默认 0.6）")),
        ("--road-factor", "1.3", "X", msg("直线一公里合多少公里路（默认 1.3）")),
    ):
        parser.add_argument(option, default=default, metavar=name, help=translate(words, lang))


class Unheard(MarketError):
    """What a command has to say cannot be written to its output."""


class BadOption(MarketError):
    """An option whose value cannot be taken."""


def number_option(option: str, value: str, low: Decimal, high: Decimal) -> Decimal:
    """Return the number that an option was given.

    Raises:
        BadOption: it is none, or not between ``low`` and ``high``.
    """
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not low <= number <= high:
        raise BadOption(
            msg(
                "{option} 应是 {low} 至 {high} 之间的数字，不是 {value}。",
                option=option,
                low=str(low),
                high=str(high),
                value=value,
            )
        )
    return number


def whole_option(option: str, value: str, low: int, high: int) -> int:
    """Return the whole number that an option was given.

    Raises:
        BadOption: it is none, or not between ``low`` and ``high``.
    """
    number = int(value) if value.isascii() and value.isdigit() and len(value) < 19 else low - 1
    if not low <= number <= high:
        raise BadOption(
            msg(
                "{option} 应是 {low} 至 {high} 之间的整数，不是 {value}。",
                option=option,
                low=low,
                high=high,
                value=value,
            )
        )
    return number


class _Helped(argparse.HelpFormatter):
    """Begins the usage in the reader's language."""

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        if prefix is None:
            lang = language(sys.argv[1:])
            prefix = translate(msg("用法："), lang) + (" " if lang == "en" else "")
        super().add_usage(usage, actions, groups, prefix)


class _Parser(argparse.ArgumentParser):
    """Explains itself, and refuses what was typed, as everything else does: in the reader's language."""

    def __init__(self, **how: Any) -> None:
        super().__init__(formatter_class=_Helped, **how)
        lang = language(sys.argv[1:])
        self._positionals.title = translate(msg("要写的"), lang)
        self._optionals.title = translate(msg("选项"), lang)
        # the one option that every parser is born with
        self._actions[0].help = translate(msg("显示这份说明，然后退出"), lang)

    def error(self, message: str) -> NoReturn:
        raise BadOption(
            msg("{trouble}用法见 {command} --help。", trouble=_in_words(message), command=self.prog)
        )


#: How argparse says what is wrong.
_MISSING = re.compile("the following arguments are required: (.*)")
_UNKNOWN = re.compile("unrecognized arguments: (.*)")
_NO_VALUE = re.compile("argument ([^:]*): expected .*")
_VALUE = re.compile("argument ([^:]*): ignored explicit argument (.*)")
_CHOICE = re.compile(r"argument ([^:]*): invalid choice: (.*) \(choose from (.*)\)")


def _in_words(message: str) -> Message | str:
    if found := _MISSING.fullmatch(message):
        return msg("缺少 {which}。", which=found[1])
    if found := _UNKNOWN.fullmatch(message):
        return msg("不认识 {which}。", which=found[1])
    if found := _NO_VALUE.fullmatch(message):
        return msg("{which} 后面没有写值。", which=found[1])
    if found := _VALUE.fullmatch(message):
        return msg("{which} 后面不该写值，却写了 {given}。", which=found[1], given=found[2])
    if found := _CHOICE.fullmatch(message):
        return msg(
            "{which} 应为 {choices} 之一，不是 {given}。",
            which=found[1],
            given=found[2].strip("'"),
            choices=found[3].replace("'", ""),
        )
    return f"{message}."


def _add(commands: Any, name: str) -> None:
    module, _, function = COMMANDS[name][0].partition(".")
    getattr(import_module(f"market.{module}"), function)(commands)


def _parser(words: Sequence[str], lang: Language) -> argparse.ArgumentParser:
    parser = _Parser(prog="market", description=translate(msg("田头：农产品产销撮合、对接会与合同"), lang))
    parser.add_argument(
        "--version",
        action="version",
        version=market.__version__,
        help=translate(msg("显示版本，然后退出"), lang),
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    asked = next((word for word in words if not word.startswith("-")), None)
    if asked in COMMANDS:
        _add(commands, asked)
    else:
        for name, (_, summary) in COMMANDS.items():
            commands.add_parser(name, help=translate(summary, lang))
    return parser


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line ``words`` and return the exit code."""
    words = sys.argv[1:] if words is None else words
    show_what_cannot_be_shown()
    lang = language(words)
    try:
        arguments = _parser(words, lang).parse_args(words)
        return int(arguments.run(arguments))
    except MarketError as refusal:
        say(refusal.message, lang, error=True)
        for name, trouble in getattr(refusal, "fields", {}).items():
            if trouble != refusal.message:
                say(msg("  {field}：{trouble}", field=name, trouble=trouble), lang, error=True)
        return REFUSED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # the reader of our output (head, less) has gone: nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
