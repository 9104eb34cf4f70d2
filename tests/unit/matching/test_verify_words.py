"""What the checker says of a fault is whole in either language; names of files and columns stay."""

import ast
import errno
from pathlib import Path

import pytest

import market.matching.checker.verify
from market.i18n import system_words, translate
from market.matching.checker.files import Report, read_certificate

FOLDER = Path(market.matching.checker.verify.__file__).parent
#: Figures, and the words of the format itself.
PLAIN = {"u + v", ">= 0", "", "freight_yuan_per_tonne_km, road_factor"}


def bare_words(source: str) -> list[str]:
    """Return the words that are told as what is expected or found, outside any msg()."""
    told = []
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in (
            *("wrong", "_wrong", "wrong_at"),
        ):
            for arg in call.args[-2:]:
                value = arg.body if isinstance(arg, ast.Lambda) else arg
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    told.append(value.value)
    return [each for each in told if each not in PLAIN]


def test_no_words_stand_outside_a_message() -> None:
    found = {path.name: bare_words(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.py")}
    assert {name: words for name, words in found.items() if words} == {}


def test_a_missing_file_is_told_in_either_language(tmp_path: Path) -> None:
    report = Report()
    assert read_certificate(report, tmp_path / "certificate.json") is None
    assert [translate(report.faults[0], "zh"), translate(report.faults[0], "en")] == [
        "certificate.json - 的 整个文件：应为 可读的，写的是 没有这个文件",
        "certificate.json -, the whole file: expected a readable file, got there is no such file",
    ]


@pytest.mark.parametrize(
    ("number", "zh", "en"),
    [
        (errno.ENOENT, "没有这个文件", "there is no such file"),
        (errno.ENOSPC, "磁盘满了", "the disk is full"),
        (errno.EDQUOT, "磁盘满了", "the disk is full"),
        (errno.ENAMETOOLONG, "名称太长", "the name is too long"),
        (errno.EROFS, "那里只能读，不能写", "nothing can be written there, only read"),
        (errno.ELOOP, f"系统错误 {errno.ELOOP}", f"system error {errno.ELOOP}"),
    ],
)
def test_what_the_system_says_is_told_in_either_language(number: int, zh: str, en: str) -> None:
    said = system_words(OSError(number, "its own words"))
    assert (translate(said, "zh"), translate(said, "en")) == (zh, en)


def test_truth_is_told_as_it_is_written() -> None:
    report = Report()
    report.wrong("certificate.json", "-", "exact", False, True)
    assert translate(report.faults[0], "zh") == "certificate.json - 的 exact：应为 false，写的是 true"
