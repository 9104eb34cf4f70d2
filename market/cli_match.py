"""``market match`` and ``market verify``: a market given as files, without a database."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from market.errors import MarketError
from market.i18n import LANGUAGES, Language, Message, msg, translate
from market.matching.engine import Progress, Result, solve_market
from market.matching.files import results
from market.matching.files.reading import read_demand, read_supply
from market.matching.rules import Parameters
from market.matching.shares import processors

DONE, WRONG, BAD_INPUT, OUT_OF_TIME = 0, 1, 2, 3
Subparsers = Any


class _BadOption(MarketError):
    """An option whose value cannot be taken."""


def add_match(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "match",
        help="撮合两个文件里的货源与需求 / pair the lots and demands of two files",
        description="Reads SUPPLY and DEMAND (CSV or .xlsx; - for none) and writes the best pairs to DIR. "
        "Exit status: 0 done, 2 bad input (see DIR/errors.csv), 3 out of time (best so far written).",
    )
    parser.add_argument("supply", metavar="SUPPLY")
    parser.add_argument("demand", metavar="DEMAND")
    parser.add_argument("--out", metavar="DIR", required=True)
    parser.add_argument("--freight", default="0.6", metavar="YUAN", help="per tonne-km (default 0.6)")
    parser.add_argument(
        "--road-factor", default="1.3", metavar="X", help="road km per straight km (default 1.3)"
    )
    parser.add_argument("--time-limit", metavar="SECONDS", help="stop with the best so far (default: none)")
    parser.add_argument("--threads", metavar="N", help="most processes to use (default: one a processor)")
    parser.add_argument("--xlsx", action="store_true", help="also write DIR/result.xlsx, for people")
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors")
    parser.add_argument("--lang", choices=LANGUAGES, default="zh")
    parser.set_defaults(func=match, run=match)


def add_verify(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "verify",
        help="独立核对撮合结果 / check a result of `market match` independently",
        description="Recomputes everything in DIR from SUPPLY and DEMAND. "
        "Exit status: 0 all is right, 1 something is wrong, 2 the input cannot be read.",
    )
    parser.add_argument("supply", metavar="SUPPLY")
    parser.add_argument("demand", metavar="DEMAND")
    parser.add_argument("dir", metavar="DIR")
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors")
    parser.add_argument("--lang", choices=LANGUAGES, default="zh")
    parser.set_defaults(func=check, run=check)


def match(args: argparse.Namespace) -> int:
    """Read, solve, write; return the exit status."""
    begin = time.monotonic()
    language: Language = args.lang
    folder = Path(args.out)
    try:
        freight = _decimal("--freight", args.freight, Decimal(0), Decimal(1000))
        road_factor = _decimal("--road-factor", args.road_factor, Decimal("0.1"), Decimal(100))
        limit = None
        if args.time_limit is not None:
            limit = float(_decimal("--time-limit", args.time_limit, Decimal(0), Decimal(10**7)))
        if args.threads is None:
            args.threads = processors()
        args.threads = int(_decimal("--threads", str(args.threads), Decimal(1), Decimal(1024)))
        _check_folder(folder, (args.supply, args.demand))
        return _match(
            args, folder, Parameters(freight=freight, road_factor=road_factor), begin, limit, language
        )
    except MarketError as trouble:
        _complain(translate(trouble.message, language))
    except OSError as trouble:
        where = str(trouble.filename or folder)
        _complain(
            translate(
                msg("写不进 {where}：{why}", where=where, why=trouble.strerror or str(trouble)), language
            )
        )
    return BAD_INPUT


def _match(
    args: argparse.Namespace,
    folder: Path,
    parameters: Parameters,
    begin: float,
    limit: float | None,
    language: Language,
) -> int:
    show = _progress(args.quiet, language)
    if show:
        show(msg("读取文件"), 0, 2)
    lots, faults = read_supply(args.supply)
    demands, more = read_demand(args.demand)
    faults = faults + more
    if faults:
        results.write_faults(folder, faults, language)
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
        _complain(translate(words, language))
        return BAD_INPUT
    read = time.monotonic() - begin
    deadline = None if limit is None else begin + limit
    result = solve_market(lots, demands, parameters, deadline=deadline, progress=show, threads=args.threads)
    certificate = msgspec.structs.replace(
        result.certificate,
        seconds={"reading": round(read, 3), **result.certificate.seconds},
        peak_memory_mib=peak_memory_mib(),
    )
    result = msgspec.structs.replace(result, certificate=certificate)
    refused = results.write_result(folder, result, lots, demands, language, with_workbook=args.xlsx)
    if refused:
        _complain(translate(refused, language))
    if not args.quiet:
        print(translate(_summary(result, folder, time.monotonic() - begin), language))
    return DONE if certificate.finished else OUT_OF_TIME


def _summary(result: Result, folder: Path, seconds: float) -> Message:
    certificate = result.certificate
    if certificate.exact:
        proof = msg("已证明最优")
    else:
        proof = msg("与上界相差不超过 {gap}%", gap=f"{certificate.gap_with_limits * 100:.3f}")
    words = msg(
        "撮合 {pairs} 对，总收益 {worth} 元，{proof}；用时 {seconds} 秒，结果在 {folder}。",
        pairs=len(result.pairs),
        worth=f"{certificate.worth_yuan:,.2f}",
        proof=proof,
        seconds=f"{seconds:.1f}",
        folder=str(folder),
    )
    if certificate.finished:
        return words
    return msg("时间到，写下的是目前最好的结果。{words}", words=words)


def check(args: argparse.Namespace) -> int:
    """Verify a result; say what was checked, or the first faults."""
    # The checker's own libraries take a quarter of a second to load: a run does not pay for them.
    from market.matching.checker.verify import verify

    language: Language = args.lang
    report = verify(args.supply, args.demand, args.dir)
    if report.unreadable:
        _complain(translate(report.unreadable, language))
        return BAD_INPUT
    if report.faults:
        _complain(translate(msg("结果有误，共 {count} 处；前几处：", count=report.count), language))
        for fault in report.faults:
            _complain("  " + translate(fault, language))
        return WRONG
    if not args.quiet:
        for line in report.checked:
            print(translate(line, language))
    return DONE


def _decimal(option: str, value: str, low: Decimal, high: Decimal) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not low <= number <= high:
        raise _BadOption(
            msg(
                "{option} 应是 {low} 至 {high} 之间的数字，不是 {value}。",
                option=option,
                low=str(low),
                high=str(high),
                value=value,
            )
        )
    return number


def _check_folder(folder: Path, inputs: Sequence[str]) -> None:
    if folder.exists() and not folder.is_dir():
        raise _BadOption(msg("--out {folder} 不是文件夹。", folder=str(folder)))
    ours = {(folder / name).resolve() for name in results.OUR_FILES}
    for given in inputs:
        if given != "-" and Path(given).resolve() in ours:
            raise _BadOption(msg("结果会覆盖输入文件 {file}，请换一个 --out 文件夹。", file=given))


def _complain(words: str) -> None:
    print(words, file=sys.stderr)


def _progress(quiet: bool, language: Language) -> Progress | None:
    """Progress on a terminal only: one line that is written over."""
    if quiet or not sys.stderr.isatty():
        return None
    shown = [0.0]

    def show(stage: Message, done: int, total: int) -> None:
        if time.monotonic() - shown[0] < 0.1 and done < total:
            return
        shown[0] = time.monotonic()
        end = "\n" if done >= total else ""
        print(f"\r{translate(stage, language)} {done}/{total}\x1b[K", end=end, file=sys.stderr, flush=True)

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
