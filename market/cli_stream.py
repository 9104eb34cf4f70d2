"""``market stream``: a market from files that changes by events on standard input, one JSON a line."""

import argparse
import codecs
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from market.cli import add_freight, add_language, language, number_option, say, unheard
from market.errors import Invalid, MarketError
from market.i18n import Language, msg, system_words, translate

if TYPE_CHECKING:
    from market.matching.live.events import Event
    from market.matching.live.market import LiveMarket

DONE, BAD_INPUT = 0, 2
_MOST_FAULTS_SHOWN = 20


def add_stream(subparsers: Any) -> None:
    lang = language(sys.argv[1:])
    parser = subparsers.add_parser(
        "stream",
        help=translate(msg("货源和需求随来随配，一行一件事"), lang),
        description=translate(
            msg(
                "读入 SUPPLY 和 DEMAND（CSV 或 .xlsx；没有的写 -），再从标准输入读事件，一行一个 JSON 对象"
                "（appear、change、withdraw、sell、bar、settle、clear），每件事用一行 JSON 回答：最好的几对、"
                "因此变动的别家、证明。读不懂的一行回答 error，市场不变。退出码：0 完成，2 文件或选项读不了。"
            ),
            lang,
        ),
    )
    parser.add_argument("supply", metavar="SUPPLY")
    parser.add_argument("demand", metavar="DEMAND")
    add_freight(parser, lang)
    parser.add_argument(
        "--budget",
        default="50",
        metavar="MS",
        help=translate(msg("每件事重算的毫秒数（默认 50）；没算完的由 settle 算完"), lang),
    )
    add_language(parser, lang)
    parser.set_defaults(run=stream)


def stream(args: argparse.Namespace) -> int:
    """Read the files, then answer events until standard input ends."""
    lang: Language = args.lang
    try:
        freight = number_option("--freight", args.freight, Decimal(0), Decimal(1000))
        road_factor = number_option("--road-factor", args.road_factor, Decimal("0.1"), Decimal(100))
        budget = float(number_option("--budget", args.budget, Decimal(0), Decimal(3_600_000)))
    except MarketError as refusal:
        say(refusal.message, lang, error=True)
        return BAD_INPUT
    # Compiled code takes half a second to load: a wrong option is told without.
    from market.matching.files.reading import read_demand, read_supply
    from market.matching.live.events import standing_line
    from market.matching.live.market import LiveMarket
    from market.matching.rules import Parameters

    begin = time.monotonic()
    lots, faults = read_supply(args.supply)
    demands, more = read_demand(args.demand)
    for fault in (faults + more)[:_MOST_FAULTS_SHOWN]:
        where = msg(
            "{name} 第 {row} 行 {column}：{reason}",
            name=fault.file,
            row=fault.row,
            column=fault.column,
            reason=fault.reason,
        )
        whole = msg("{name}：{reason}", name=fault.file, reason=fault.reason)
        say(where if fault.row else whole, lang, error=True)
    if len(faults) + len(more) > _MOST_FAULTS_SHOWN:
        rest = msg("……还有 {count} 处。", count=len(faults) + len(more) - _MOST_FAULTS_SHOWN)
        say(rest, lang, error=True)
    if faults or more:
        return BAD_INPUT
    market = LiveMarket(lots, demands, Parameters(freight=freight, road_factor=road_factor))
    ready = {"event": "ready", "lots": len(lots), "demands": len(demands)}
    seconds = round(time.monotonic() - begin, 3)
    _write(ready | {"certificate": standing_line(market.standing()), "seconds": seconds})
    # of an input that was closed beforehand nothing comes
    for number, line in enumerate(sys.stdin.buffer if sys.stdin else (), start=1):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.strip():
            _write({"line": number} | _answer(market, line, budget, (args.supply, args.demand), lang))
    return DONE


def _answer(
    market: "LiveMarket", line: bytes, budget: float, inputs: tuple[str, str], lang: Language
) -> dict[str, Any]:
    from market.matching.live.events import answer_line, event_of, happen

    begin = time.monotonic()
    try:
        event = event_of(line)
        if event.name == "clear":
            answer = _clear(market, event, inputs, lang)
        else:
            # settle goes on to the end unless it is told otherwise.
            own = None if event.name == "settle" else budget
            answer = answer_line(happen(market, event, budget=own))
    except MarketError as refusal:
        fields = refusal.fields if isinstance(refusal, Invalid) else {}
        return {
            "error": translate(refusal.message, lang),
            "fields": {name: translate(trouble, lang) for name, trouble in fields.items()},
        }
    return {"event": event.name} | answer | {"milliseconds": round((time.monotonic() - begin) * 1000, 3)}


def _clear(market: "LiveMarket", event: "Event", inputs: tuple[str, str], lang: Language) -> dict[str, Any]:
    """Clear everything; write the result as ``market match`` does where the event names a folder."""
    from market.matching.files import results
    from market.matching.live.events import standing_line

    # before anything changes, and before the computing
    if event.out is not None and (refused := results.folder_refused(Path(event.out), inputs)):
        raise Invalid(msg("{field}：{reason}", field="out", reason=refused), {"out": refused})
    lots, demands = market.lots(), market.demands()
    result = market.clear()
    certificate = result.certificate
    answer: dict[str, Any] = {
        "pairs": len(result.pairs),
        "cleared": {
            "worth_yuan": round(certificate.worth_yuan, 4),
            "upper_bound_yuan": round(certificate.upper_bound_yuan, 4),
            "gap": certificate.gap,
            "exact": certificate.exact,
        },
        "certificate": standing_line(market.standing()),
    }
    if event.out is not None:
        try:
            results.write_result(Path(event.out), result, lots, demands, lang)
        except OSError as trouble:
            where = str(trouble.filename or event.out)
            raise Invalid(msg("写不进 {where}：{why}", where=where, why=system_words(trouble))) from None
        answer["out"] = event.out
    return answer


def _write(line: dict[str, Any]) -> None:
    try:
        sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
        sys.stdout.buffer.flush()
    except OSError as trouble:
        raise unheard(sys.stdout, trouble) from None
