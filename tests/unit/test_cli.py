"""The frame of the command line: what it imports, says and returns."""

import argparse
import errno
import io
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from market import cli
from market.cli_serve import answers, free_port
from market.errors import Conflict
from market.i18n import Language
from tests.unit.matching.markets import demand, lot, write_market


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("MARKET_", "LC_", "LANG"))
    }
    return subprocess.run(
        [sys.executable, "-m", "market", *words],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("lang", "told"), [("C.UTF-8", "准备数据库并提供网页"), ("en_GB.UTF-8", "prepare the database")]
)
def test_help_lists_every_command_in_the_readers_language(lang: str, told: str) -> None:
    shown = run("--help", LANG=lang).stdout
    assert told in shown
    assert [name for name in cli.COMMANDS if f"    {name}" not in shown] == []


def test_unknown_command_is_refused() -> None:
    refused = run("mach")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "不是 mach" in refused.stderr


def test_setting_that_does_not_fit_is_told_without_a_traceback() -> None:
    refused = run("db", "status", MARKET_PORT="eight", LANG="en_GB.UTF-8")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "The environment variable MARKET_PORT has the value “eight”, which does not fit: "
        "Expected `int`, got `str`.\n"
    )


def test_database_that_cannot_be_reached_is_told_without_a_traceback() -> None:
    refused = run("db", "up", DATABASE_URL="postgresql://nobody@/x?host=/nonexistent")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("连不上数据库：")
    assert len(refused.stderr.splitlines()) == 1


def test_help_imports_neither_web_nor_database() -> None:
    asked = "import sys; from market import cli; print({'litestar', 'piccolo', 'granian'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
        == "set()\n"
    )


@pytest.mark.parametrize(
    ("words", "lang", "expected"),
    [
        (["serve", "--lang", "en"], "zh_CN.UTF-8", "en"),
        (["serve", "--lang=zh"], "en_US.UTF-8", "zh"),
        (["serve"], "en_US.UTF-8", "en"),
        (["serve"], "C", "zh"),
        (["serve"], "", "zh"),
    ],
)
def test_language_is_the_one_asked_for_then_the_locales(
    words: list[str], lang: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", lang)
    assert cli.language(words) == expected


def test_port_that_is_taken_gives_the_next_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert port < free_port("127.0.0.1", port) <= port + 50


def test_host_that_is_not_ours_is_refused() -> None:
    with pytest.raises(Conflict, match=r"192\.0\.2\.1 上从 8000 起没有可用的端口"):
        free_port("192.0.2.1", 8000)


@pytest.mark.parametrize(
    "words",
    [
        ["serve", "--port", "-1"],
        ["serve", "--port", "0"],
        ["serve", "--workers", "0"],
        ["worker", "--tasks", "0"],
    ],
)
def test_number_that_cannot_be_served_with_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*words, "--lang", "en"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"{words[1]} must be a number between 1 and ")
    assert told.endswith(f", not {words[2]}.\n")


@pytest.mark.parametrize(
    ("words", "lang", "told"),
    [
        (["--seed", "2147483648"], "zh", "--seed 应是 0 至 2147483647 之间的整数，不是 2147483648。"),
        (["--threads", "many"], "en", "--threads has to be a whole number from 1 to 256, not many."),
        (["--penalty", "1.5"], "zh", "--penalty 应是 0 至 1000000 之间的整数，不是 1.5。"),
        (["--time-limit", "nan"], "zh", "--time-limit 应是 0.001 至 1000000 之间的数字，不是 nan。"),
    ],
)
def test_number_that_nothing_can_be_laid_with_is_refused_in_the_readers_language(
    words: list[str], lang: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["schedule", *words, "--lang", lang]) == 2
    assert capsys.readouterr().err == told + "\n"


def test_largest_number_that_is_told_is_taken() -> None:
    assert cli.whole_option("--seed", "2147483647", 0, 2**31 - 1) == 2**31 - 1


@pytest.mark.parametrize(("lang", "told"), [("zh", "是文件夹，不是文件"), ("en", "a folder, not a file")])
def test_system_says_in_the_readers_language_why_a_file_is_not_read(
    lang: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["stream", str(tmp_path), "-", "--lang", lang]) == 2
    assert told in capsys.readouterr().err
    assert cli.main(["match", str(tmp_path), "-", "--out", str(tmp_path / "out"), "--lang", lang]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(("lang", "told"), [("zh", "磁盘满了"), ("en", "the disk is full")])
def test_system_says_in_the_readers_language_why_a_result_is_not_written(
    lang: str,
    told: str,
    market_of_two: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "matches.csv")

    monkeypatch.setattr("market.matching.files.results.write_result", full)
    out = tmp_path / "out"
    assert cli.main(["match", *market_of_two, "--out", str(out), "--quiet", "--lang", lang]) == 2
    assert told in capsys.readouterr().err
    asked = json.dumps({"event": "clear", "out": str(out)}).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(asked)))
    assert cli.main(["stream", *market_of_two, "--lang", lang]) == 0
    assert told in capsys.readouterr().out


def test_folder_of_a_name_that_no_system_takes_is_refused(
    market_of_two: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, told = str(tmp_path / ("n" * 300)), "the name is too long"
    meeting = tmp_path / "meeting.json"
    meeting.write_text(
        json.dumps({"version": 1, "slots": 1, "tables": 1, "participants": [], "appointments": []})
    )
    for words, code in (
        (["match", *market_of_two, "--out", folder], 2),
        (["verify", *market_of_two, folder], 1),
        (["schedule", str(meeting), "--out", folder], 2),
        (["verify-timetable", str(meeting), folder], 2),
    ):
        assert (cli.main([*words, "--lang", "en"]), words[0]) == (code, words[0])
        assert told in capsys.readouterr().err
    # the stream goes on after it
    asked = [{"event": "clear", "out": folder}, {"event": "clear"}]
    lines = "\n".join(json.dumps(each) for each in asked).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))
    assert cli.main(["stream", *market_of_two, "--lang", "en"]) == 0
    refused, cleared = (json.loads(line) for line in capsys.readouterr().out.splitlines()[1:])
    assert told in refused["fields"]["out"]
    assert cleared["pairs"] == 1


@pytest.mark.parametrize(
    ("words", "zh", "en"),
    [
        ("schedule m.json", "缺少 --out。", "--out is missing."),
        ("schedule m.json --out", "--out 后面没有写值。", "--out needs a value."),
        ("schedule m.json x --out o", "不认识 x。", "x is not known."),
        ("schedule m.json --out o --quiet=3", "--quiet 后面不该写值", "--quiet takes no value"),
        ("schedule m.json --out o --seed -1", "--seed 应是 0 至", "--seed has to be a whole number"),
        ("nonsense", "COMMAND 应为 serve, worker", "COMMAND must be one of serve, worker"),
    ],
)
def test_words_that_no_command_takes_are_refused_in_the_readers_language(
    words: str, zh: str, en: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for lang, told in (("zh", zh), ("en", en)):
        assert cli.main([*words.split(), f"--lang={lang}"]) == 2
        assert told in capsys.readouterr().err


def test_folder_that_is_not_named_is_not_the_one_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in (["schedule", "m.json"], ["match", "-", "-"]):
        assert cli.main([*words, "--out", "", "--lang", "en"]) == 2
        assert "--out names no folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("closed", [False, True])
def test_output_that_takes_nothing_is_told_and_the_result_is_whole(
    closed: bool,
    market_of_two: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    meeting, out = tmp_path / "meeting.json", tmp_path / "out"
    empty = {"version": 1, "slots": 1, "tables": 1, "participants": [], "appointments": []}
    meeting.write_text(json.dumps(empty))
    for words in (
        ["schedule", str(meeting), "--out", str(out)],
        ["verify-timetable", str(meeting), str(out)],
        ["match", *market_of_two, "--out", str(out)],
        ["verify", *market_of_two, str(out)],
        ["stream", *market_of_two],
    ):
        with monkeypatch.context() as patch, Path("/dev/full").open("w") as full:
            patch.setattr("sys.stdout", None if closed else full)
            patch.setattr("sys.stdin", None)
            # 1 would say that the timetable is faulty
            assert cli.main([*words, "--lang", "en"]) == (0 if closed else 2)
        assert ("the disk is full" in capsys.readouterr().err) != closed
    assert {"timetable.json", "certificate.json"} <= {path.name for path in out.iterdir()}
    with monkeypatch.context() as patch, Path("/dev/full").open("w") as full:
        patch.setattr("sys.stderr", None if closed else full)
        assert cli.main(["verify-timetable", str(meeting), str(tmp_path)]) == 2


def test_server_that_does_not_answer_is_noticed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert answers("127.0.0.1", port, patience=0.2) is False


@pytest.mark.parametrize("command", ["match", "verify", "stream"])
@pytest.mark.parametrize(
    ("words", "lang", "is_chinese"),
    [((), "en_US.UTF-8", False), ((), "C.UTF-8", True), (("--lang", "zh"), "en_US.UTF-8", True)],
)
def test_help_of_commands_on_files_is_in_the_readers_language(
    command: str, words: tuple[str, ...], lang: str, is_chinese: bool
) -> None:
    shown = run(command, *words, "--help", LANG=lang).stdout
    assert (("退出码：0" in shown), ("Exit status: 0" in shown)) == (is_chinese, not is_chinese)


@pytest.fixture
def market_of_two(tmp_path: Path) -> tuple[str, str]:
    return write_market(tmp_path, [lot(ask="2")], [demand(ceiling="3")])


@pytest.mark.parametrize(
    ("words", "lang", "said", "reason"),
    [
        ((), "en_US.UTF-8", "proven optimal", "km by road"),
        ((), "C.UTF-8", "已证明最优", "路程"),
        (("--lang", "zh"), "en_US.UTF-8", "已证明最优", "路程"),
        (("--lang", "en"), "zh_CN.UTF-8", "proven optimal", "km by road"),
    ],
)
def test_commands_on_files_speak_and_write_the_readers_language(
    market_of_two: tuple[str, str], tmp_path: Path, words: tuple[str, ...], lang: str, said: str, reason: str
) -> None:
    out = tmp_path / "out"
    assert said in run("match", *market_of_two, "--out", str(out), *words, LANG=lang).stdout
    assert reason in (out / "matches.csv").read_text(encoding="utf-8")
    verified = run("verify", *market_of_two, str(out), *words, LANG=lang)
    assert (verified.returncode, ("Price band" in verified.stdout)) == (0, said == "proven optimal")


def test_terminal_that_knows_no_chinese_shows_its_code_instead(
    market_of_two: tuple[str, str], tmp_path: Path
) -> None:
    for words in (
        ("match", *market_of_two, "--out", str(tmp_path / "out")),
        ("verify", *market_of_two, str(tmp_path / "out")),
        ("--help",),
    ):
        shown = run(*words, LANG="C.UTF-8", PYTHONIOENCODING="ascii")
        assert (shown.returncode, shown.stderr) == (0, ""), words
        assert "\\u" in shown.stdout


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _parsers(each)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_of_a_command_tells_every_option_in_either_language(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for lang, usage in (("zh", "用法："), ("en", "usage:")):
        monkeypatch.setattr(sys, "argv", ["market", name, "--lang", lang])
        for parser in _parsers(cli._parser([name], cast(Language, lang))):
            shown = parser.format_help()
            assert shown.startswith(usage)
            assert ("show this help message" in shown, "positional arguments" in shown) == (False, False)
            bare = [each for each in parser._actions if each.option_strings and not each.help]
            assert [each.option_strings for each in bare] == []
