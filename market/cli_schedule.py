"""``market schedule`` and ``market verify-timetable``: docking meetings as files."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from market.cli import BadOption, language, number_option, say, whole_option
from market.errors import Invalid
from market.i18n import LANGUAGES, Language, Message, msg, system_words, translate
from market.meetings.files.reading import read_meeting, read_timetable
from market.meetings.files.results import NAMES, try_folder, write_timetable
from market.meetings.timetable.problem import DEFAULT_PENALTY, MOST_PENALTY, Timetable
from market.meetings.timetable.proof_words import proof_words

DONE, FAULTY, BAD_INPUT, IMPOSSIBLE = 0, 1, 2, 4
_MOST_FAULTS_SHOWN = 50


def add_schedule(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``schedule``. Exit codes: 0 laid, 2 bad input, 4 impossible."""
    add = _options_of(
        subparsers,
        "schedule",
        msg("排一场对接会的洽谈时间表"),
        msg(
            "把对接会的一对一洽谈排进时段和桌子，结果写进 DIR："
            "timetable.json、by_participant.csv、by_slot.csv。"
            "退出码：0 排好（证明到哪一步写在结果里），2 输入有错，4 排不下（写出缘由和尽量排满的时间表）。"
        ),
        _schedule,
    )
    add("meeting", msg("对接会，JSON 文件"), metavar="MEETING.json", type=Path)
    add("--out", msg("结果放进这个文件夹"), metavar="DIR", type=_folder, required=True)
    add("--time-limit", msg("最多算多少秒，默认 60"), metavar="SECONDS", type=_seconds, default=60.0)
    _add_threads(add)
    add("--seed", msg("随机数种子，默认 0"), metavar="N", type=_whole("--seed", 0, 2**31 - 1), default=0)
    add("--keep", msg("在这份时间表上改，尽量少动"), metavar="TIMETABLE.json", type=Path)
    add(
        "--penalty",
        msg("与 --keep 一起用：挪一场洽谈抵几次空档，默认 {usual}", usual=DEFAULT_PENALTY),
        metavar="N",
        type=_whole("--penalty", 0, MOST_PENALTY),
    )
    _add_common(add)


def add_verify_timetable(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``verify-timetable``. Exit codes: 0 holds, 1 faults found, 2 unreadable."""
    add = _options_of(
        subparsers,
        "verify-timetable",
        msg("核对洽谈时间表"),
        msg("不用排时间表的程序，独立核对 DIR 里的时间表。退出码：0 无误，1 有错（逐条列出），2 读不了。"),
        _verify,
    )
    add("meeting", msg("对接会，JSON 文件"), metavar="MEETING.json", type=Path)
    add("directory", msg("时间表所在的文件夹"), metavar="DIR", type=Path)
    add("--time-limit", msg("最多算多少秒，默认 20"), metavar="SECONDS", type=_seconds, default=20.0)
    _add_threads(add)
    add("--keep", msg("排的时候照着改的那份时间表"), metavar="TIMETABLE.json", type=Path)
    _add_common(add)


class _Adder(Protocol):
    def __call__(self, name: str, help: Message, **options: object) -> object: ...  # noqa: A002  argparse's word


def _options_of(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    short: Message,
    long: Message,
    run: Callable[[argparse.Namespace], int],
) -> _Adder:
    """Add a command; return what adds an option to it, with its help in the reader's language."""
    lang = language(sys.argv[1:])
    parser = subparsers.add_parser(name, help=translate(short, lang), description=translate(long, lang))
    parser.set_defaults(func=run, run=run)

    def add(name: str, help: Message, **options: object) -> object:  # noqa: A002  argparse's word
        return parser.add_argument(name, help=translate(help, lang), **options)  # type: ignore[arg-type]

    return add


def _add_threads(add: _Adder) -> None:
    add(
        "--threads",
        msg("用几个线程，默认与处理器一样多"),
        metavar="N",
        type=_whole("--threads", 1, 256),
        default=os.cpu_count() or 1,
    )


def _add_common(add: _Adder) -> None:
    add("--quiet", msg("成功时不说话"), action="store_true")
    add("--lang", msg("说哪种语言，默认随系统"), choices=LANGUAGES, default=None)


def _folder(text: str) -> Path:
    if not text:
        # of a variable that was not set, more likely than of the folder one stands in
        raise BadOption(msg("--out 后面没有写文件夹。"))
    return Path(text)


def _seconds(text: str) -> float:
    return float(number_option("--time-limit", text, Decimal("0.001"), Decimal(1_000_000)))


def _whole(option: str, low: int, high: int) -> Callable[[str], int]:
    return lambda text: whole_option(option, text, low, high)


def _refuse(error: Invalid, lang: Language, *, place: Path | None = None) -> int:
    say(error.message, lang, error=True)
    for i, (path, text) in enumerate(error.fields.items()):
        if i == _MOST_FAULTS_SHOWN:
            rest = msg("……还有 {count} 处。", count=len(error.fields) - i)
            say(rest, lang, error=True)
            break
        where = f"{place}: {path}" if place else path
        say(f"  {where}: {translate(text, lang)}", lang, error=True)
    return BAD_INPUT


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Invalid(
            msg("读不到文件 {path}：{error}。", path=str(path), error=system_words(error))
        ) from None


def _unwritable(path: Path, error: OSError, lang: Language) -> int:
    text = msg("写不进 {path}：{error}。", path=str(path), error=system_words(error))
    return _refuse(Invalid(text), lang)


@contextmanager
def _stopped_by_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end the process at once: compiled code would keep Python from hearing of it.

    Nothing is half written then, since files are written when all is reckoned.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _schedule(options: argparse.Namespace) -> int:
    lang: Language = options.lang or language()
    if options.penalty is not None and options.keep is None:
        return _refuse(Invalid(msg("--penalty 要与 --keep 一起用。")), lang)
    place = options.meeting
    try:
        meeting = read_meeting(_content(options.meeting))
        place = options.keep
        keep = read_timetable(_content(options.keep)) if options.keep else None
    except Invalid as error:
        return _refuse(error, lang, place=place)
    try:
        if options.out.exists() and not options.out.is_dir():
            return _refuse(Invalid(msg("{path} 不是文件夹。", path=str(options.out))), lang)
        try_folder(options.out)
        overwritten = any(
            (options.out / name).exists() and (options.out / name).samefile(options.meeting) for name in NAMES
        )
    except OSError as error:
        return _unwritable(Path(error.filename or options.out), error, lang)
    if overwritten:
        text = msg("{path} 会被结果覆盖，请用 --out 换一个文件夹。", path=str(options.meeting))
        return _refuse(Invalid(text), lang)

    progress = None
    if not options.quiet and sys.stderr.isatty():

        def progress(text: Message) -> None:
            say(text, lang, error=True)

    with _stopped_by_ctrl_c():
        # solvers take a second or two to load: help and refusals do without
        from market.meetings.timetable.scheduler import schedule

        timetable = schedule(
            meeting,
            time_limit=options.time_limit,
            seed=options.seed,
            threads=options.threads,
            keep=keep,
            penalty=DEFAULT_PENALTY if options.penalty is None else options.penalty,
            progress=progress,
        )
    try:
        write_timetable(options.out, meeting, timetable, language=lang)
    except OSError as error:
        return _unwritable(options.out, error, lang)
    if timetable.status == "infeasible":
        _explain(timetable, lang)
        return IMPOSSIBLE
    if not options.quiet:
        if not meeting.appointments:
            say(msg("这场对接会没有洽谈，时间表是空的。"), lang)
        say(_result(timetable), lang)
    return DONE


def _explain(timetable: Timetable, lang: Language) -> None:
    if timetable.summary is not None:
        say(timetable.summary, lang, error=True)
    for clash in timetable.clash[:_MOST_FAULTS_SHOWN]:
        say(f"  - {translate(clash.text, lang)}", lang, error=True)
    if len(timetable.clash) > _MOST_FAULTS_SHOWN:
        rest = msg("……还有 {count} 处。", count=len(timetable.clash) - _MOST_FAULTS_SHOWN)
        say(rest, lang, error=True)
    text = msg(
        "已写出尽量排满的时间表：排上 {placed} 场，未排 {left} 场（{ids}）。",
        placed=len(timetable.appointments),
        left=len(timetable.left_out),
        ids=", ".join(timetable.left_out[:_MOST_FAULTS_SHOWN]),
    )
    say(text, lang, error=True)


def _result(timetable: Timetable) -> Message:
    return msg(
        "排上 {placed} 场，未排 {left} 场；空档 {breaks} 次，空等 {idle} 个时段，"
        "换桌 {changes} 次；用时 {seconds} 秒。{proof}",
        placed=len(timetable.appointments),
        left=len(timetable.left_out),
        breaks=timetable.breaks,
        idle=timetable.idle_slots,
        changes=timetable.table_changes,
        proof=proof_words(
            proven=timetable.proven,
            breaks=timetable.breaks,
            bound=timetable.lower_bound_breaks,
        ),
        seconds=f"{timetable.seconds:.1f}",
    )


def _verify(options: argparse.Namespace) -> int:
    lang: Language = options.lang or language()
    try:
        with _stopped_by_ctrl_c():
            from market.meetings.checker.verify import verify_timetable

            report = verify_timetable(
                options.meeting,
                options.directory,
                keep=options.keep,
                time_limit=options.time_limit,
                threads=options.threads,
            )
    except Invalid as error:
        return _refuse(error, lang)
    for text in report.wrong[:_MOST_FAULTS_SHOWN]:
        say(text, lang, error=True)
    if len(report.wrong) > _MOST_FAULTS_SHOWN:
        rest = msg("……还有 {count} 处。", count=len(report.wrong) - _MOST_FAULTS_SHOWN)
        say(rest, lang, error=True)
    if report.wrong:
        return FAULTY
    if not options.quiet:
        for text in (*report.checked, *report.left_open):
            say(text, lang)
        say(msg("时间表核对无误。"), lang)
    return DONE
