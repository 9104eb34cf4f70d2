"""``market match`` and ``market verify``: a market given as files, without a database."""

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from market.cli import BadOption, add_freight, add_language, language, number_option, say, whole_option
from market.errors import MarketError
from market.i18n import Language, Message, msg, system_words, translate
from market.matching.certificate import Certificate
from market.matching.engine import Progress, Result, solve_market
from market.matching.files import results
from market.matching.files.reading import read_demand, read_supply
from market.matching.rules import Parameters
from market.matching.shares import processors

DONE, WRONG, BAD_INPUT, OUT_OF_TIME = 0, 1, 2, 3
Subparsers = Any


def add_match(subparsers: Subparsers) -> None:
    lang = language(sys.argv[1:])
    parser = subparsers.add_parser(
        "match",
        help=translate(msg("撮合两个文件里的供应与需求"), lang),
        description=translate(
            msg(
                "读入 SUPPLY 和 DEMAND（CSV 或 .xlsx；没有的写 -），把最好的配对写进 DIR。"
                "退出码：0 完成，2 输入有错（见 DIR/errors.csv），3 时间到（写下目前最好的结果）。"
            ),
            lang,
        ),
    )
    parser.add_argument("supply", metavar="SUPPLY")
    parser.add_argument("demand", metavar="DEMAND")
    parser.add_argument("--out", metavar="DIR", required=True, help=translate(msg("结果写到哪里"), lang))
    add_freight(parser, lang)
    for option, name, words in (
        ("--time-limit", "SECONDS", msg("到时写下目前最好的结果（默认不限）")),
        ("--threads", "N", msg("最多用几个进程（默认每个处理器一个）")),
    ):
        parser.add_argument(option, metavar=name, help=translate(words, lang))
    parser.add_argument(
        "--xlsx", action="store_true", help=translate(msg("另写给人看的 DIR/result.xlsx"), lang)
    )
    _add_voice(parser, lang)
    parser.set_defaults(func=match, run=match)


def add_verify(subparsers: Subparsers) -> None:
    lang = language(sys.argv[1:])
    parser = subparsers.add_parser(
        "verify",
        help=translate(msg("核对撮合结果的证明"), lang),
        description=translate(
            msg(
                "由 SUPPLY 和 DEMAND 重算 DIR 里的一切，不用撮合引擎的代码。"
                "退出码：0 无误，1 有误，2 输入读不了。"
            ),
            lang,
        ),
    )
    parser.add_argument("supply", metavar="SUPPLY")
    parser.add_argument("demand", metavar="DEMAND")
    parser.add_argument("dir", metavar="DIR")
    _add_voice(parser, lang)
    parser.set_defaults(func=check, run=check)


def _add_voice(parser: argparse.ArgumentParser, lang: Language) -> None:
    parser.add_argument("--quiet", action="store_true", help=translate(msg("除了错误什么也不说"), lang))
    add_language(parser, lang)


def match(args: argparse.Namespace) -> int:
    """Read, solve, write; return the exit status."""
    begin = time.monotonic()
    lang: Language = args.lang
    folder = Path(args.out)
    try:
        if not args.out:
            # of a variable that was not set, more likely than of the folder one stands in
            raise BadOption(msg("--out 后面没有写文件夹。"))
        freight = number_option("--freight", args.freight, Decimal(0), Decimal(1000))
        road_factor = number_option("--road-factor", args.road_factor, Decimal("0.1"), Decimal(100))
        limit = None
        if args.time_limit is not None:
            limit = float(number_option("--time-limit", args.time_limit, Decimal(0), Decimal(10**7)))
        if args.threads is None:
            args.threads = processors()
        args.threads = whole_option("--threads", str(args.threads), 1, 1024)
        _check_folder(folder, (args.supply, args.demand))
        parameters = Parameters(freight=freight, road_factor=road_factor)
        code, words = _match(args, folder, parameters, begin, limit, lang)
    except MarketError as trouble:
        say(trouble.message, lang, error=True)
    except OSError as trouble:
        where = str(trouble.filename or folder)
        say(msg("写不进 {where}：{why}", where=where, why=system_words(trouble)), lang, error=True)
    else:
        if words is not None and not args.quiet:
            say(words, lang)
        return code
    return BAD_INPUT


def _match(
    args: argparse.Namespace,
    folder: Path,
    parameters: Parameters,
    begin: float,
    limit: float | None,
    lang: Language,
) -> tuple[int, Message | None]:
    """Return the exit status, and what to say of the result."""
    show = _progress(args.quiet, lang)
    if show:
        show(msg("读取文件"), 0, 2)
    lots, faults = read_supply(args.supply)
    demands, more = read_demand(args.demand)
    faults = faults + more
    if faults:
        results.write_faults(folder, faults, lang)
        words = msg(
            "输入有 {count} 处错误，已列在 {file}。第一处：{where}",
            count=len(faults),
            file=str(folder / results.ERROR_FILE),
            where=msg(
                "{name} 第 {row} 行 {column}：{reason}",
                name=faults[0].file,
                row=faults[0].row,
                column=faults[0].column,
                reason=faults[0].reason,
            )
            if faults[0].row
            else msg("{name}：{reason}", name=faults[0].file, reason=faults[0].reason),
        )
        say(words, lang, error=True)
        return BAD_INPUT, None
    read = time.monotonic() - begin
    deadline = None if limit is None else begin + limit
    result = solve_market(lots, demands, parameters, deadline=deadline, progress=show, threads=args.threads)
    certificate = msgspec.structs.replace(
        result.certificate,
        seconds={"reading": round(read, 3), **result.certificate.seconds},
        peak_memory_mib=peak_memory_mib(),
    )
    result = msgspec.structs.replace(result, certificate=certificate)
    refused = results.write_result(folder, result, lots, demands, lang, with_workbook=args.xlsx)
    if refused:
        say(refused, lang, error=True)
    code = DONE if certificate.finished else OUT_OF_TIME
    return code, _summary(result, folder, time.monotonic() - begin)


def _summary(result: Result, folder: Path, seconds: float) -> Message:
    certificate = result.certificate
    words = msg(
        "撮合 {pairs} 对，总收益 {worth} 元，{proof}；用时 {seconds} 秒，结果在 {folder}。",
        pairs=len(result.pairs),
        worth=f"{certificate.worth_yuan:,.2f}",
        proof=proof_of(certificate),
        seconds=f"{seconds:.1f}",
        folder=str(folder),
    )
    if certificate.finished:
        return words
    return msg("时间到，写下的是目前最好的结果。{words}", words=words)


def proof_of(certificate: Certificate) -> Message:
    """What the certificate proves: of any allocation, or of those that keep smallest orders and most lots."""
    if certificate.exact:
        return msg("已证明最优")
    if certificate.gap_with_limits == 0:
        return msg("已证明守起订量和批次上限的方案里没有更好的")
    # Up, so that a gap never reads as none.
    gap = f"{math.ceil(certificate.gap_with_limits * 100_000) / 1000:.3f}"
    if certificate.bound_with_limits_yuan < certificate.upper_bound_yuan:
        return msg("与守起订量和批次上限的方案的上界相差不超过 {gap}%", gap=gap)
    return msg("与上界相差不超过 {gap}%", gap=gap)


def check(args: argparse.Namespace) -> int:
    """Verify a result; say what was checked, or the first faults."""
    # The checker's own libraries take a quarter of a second to load: a run does not pay for them.
    from market.matching.checker.verify import verify

    lang: Language = args.lang
    report = verify(args.supply, args.demand, args.dir)
    if report.unreadable:
        say(report.unreadable, lang, error=True)
        return BAD_INPUT
    if report.faults:
        say(msg("结果有误，共 {count} 处；前几处：", count=report.count), lang, error=True)
        for fault in report.faults:
            say("  " + translate(fault, lang), lang, error=True)
        return WRONG
    if not args.quiet:
        for line in report.checked:
            say(line, lang)
    return DONE


def _check_folder(folder: Path, inputs: Sequence[str]) -> None:
    if refused := results.folder_refused(folder, inputs):
        raise BadOption(msg("{field}：{reason}", field="--out", reason=refused))


def _progress(quiet: bool, lang: Language) -> Progress | None:
    """Progress on a terminal only: one line that is written over."""
    if quiet or not sys.stderr.isatty():
        return None
    shown = [0.0]

    def show(stage: Message, done: int, total: int) -> None:
        if time.monotonic() - shown[0] < 0.1 and done < total:
            return
        shown[0] = time.monotonic()
        end = "\n" if done >= total else ""
        print(f"\r{translate(stage, lang)} {done}/{total}\x1b[K", end=end, file=sys.stderr, flush=True)

    return show


def peak_memory_mib() -> float:
    """The most memory this process has held; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="market")
    subparsers = parser.add_subparsers(required=True)
    add_match(subparsers)
    add_verify(subparsers)
    args = parser.parse_args(argv)
    func: Callable[[argparse.Namespace], int] = args.func
    return func(args)


if __name__ == "__main__":
    sys.exit(main())
