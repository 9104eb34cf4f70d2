"""``market stream``: events as lines of JSON, and what is told of a line that cannot be read."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from market.cli import main
from market.errors import Invalid
from market.matching.live.events import Event, event_of, happen, party_of
from market.matching.live.market import LiveMarket
from market.matching.rules import Parameters
from tests.unit.matching.markets import demand, lot, write_market

LOT = {
    "lot": "L9",
    "seller": "S",
    "product": "peanut",
    "quantity_kg": "500斤",
    "ask_yuan_per_kg": 1.5,
    "lat": 41.5,
    "lon": "122.7",
    "available_from": "2026年9月1日",
    "available_to": "2026-09-30",
    "credentials": ["SC", "gap"],
}


def streamed(
    folder: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, lines: list[str], *options: str
) -> list[dict[str, Any]]:
    files = write_market(folder, [lot("L1"), lot("L2", ask="2.5")], [demand("D1", kg="1500")])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode())))
    assert main(["stream", *files, *options]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_event_is_answered_with_one_line(
    tmp_path: Path, capsysbinary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "cleared"
    lines = [
        json.dumps({"event": "appear", "lot": LOT}),
        json.dumps({"event": "sell", "lot": "L9", "demand": "D1", "quantity_kg": 250}),
        "",
        json.dumps({"event": "change", "demand": {"demand": "D1", "quantity_kg": 2000}}),
        json.dumps({"event": "withdraw", "lot": "L1", "budget_ms": 0}),
        json.dumps({"event": "settle"}),
        json.dumps({"event": "clear", "out": str(out)}),
    ]
    ready, appeared, sold, changed, withdrawn, settled, cleared = streamed(
        tmp_path, capsysbinary, monkeypatch, lines, "--budget", "10000"
    )
    assert (ready["lots"], ready["demands"], ready["certificate"]["worth_yuan"]) == (2, 1, 1250.0)
    assert (appeared["line"], appeared["event"], appeared["lot"]) == (1, "appear", "L9")
    assert [(each["demand"], each["quantity_kg"]) for each in appeared["matches"]] == [("D1", 250.0)]
    assert appeared["best"][0]["worth_yuan_per_kg"] == 1.5
    assert appeared["certificate"] == {
        "worth_yuan": 1500.0,
        "upper_bound_yuan": 1500.0,
        "loss_yuan": 0.0,
        "settled": True,
    }
    assert (appeared["moved_lots"], appeared["moved_demands"]) == (["L2"], ["D1"])
    assert (sold["lot"], sold["demand"], sold["matches"]) == ("L9", "D1", [])
    assert (changed["line"], changed["certificate"]["worth_yuan"]) == (4, 1500.0)
    assert withdrawn["certificate"]["worth_yuan"] == 500.0
    assert settled["certificate"] == cleared["certificate"]
    assert cleared["cleared"]["worth_yuan"] == settled["certificate"]["worth_yuan"] == 500.0
    assert json.loads((out / "certificate.json").read_text())["worth_yuan"] == 500.0


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        ("{", "", "not JSON"),
        ("\xff", "", "not JSON"),
        ("[]", "", "JSON object"),
        ('{"event":"sold"}', "event", "appear, change, withdraw"),
        ('{"event":"settle","lot":"L1"}', "lot", "no field lot"),
        ('{"event":"settle","budget_ms":-1}', "budget_ms", "milliseconds"),
        ('{"event":"appear"}', "", "lot or a demand"),
        ('{"event":"withdraw","lot":null}', "", "lot or a demand"),
        ('{"event":"withdraw","lot":3}', "lot", "id"),
        ('{"event":"withdraw","lot":"L7"}', "", "no lot L7"),
        ('{"event":"sell","lot":"L1","demand":"D1"}', "quantity_kg", "empty"),
        ('{"event":"sell","lot":"L1","demand":"D1","quantity_kg":"many"}', "quantity_kg", "number"),
        ('{"event":"sell","lot":"L1","demand":"D1","quantity_kg":1001}', "", "only 1,000 kg"),
        ('{"event":"bar","lot":"L1"}', "demand", "empty"),
        ('{"event":"bar","lot":"L1","demand":"D7"}', "", "no demand D7"),
        ('{"event":"appear","lot":"L1"}', "lot", "object"),
        ('{"event":"appear","lot":{"lot":"L1"}}', "seller", "empty"),
        ('{"event":"change","lot":{"lot":"L1","colour":"red"}}', "colour", "colour"),
        (
            '{"event":"change","lot":{"lot":"L1","ask_yuan_per_kg":[1]}}',
            "ask_yuan_per_kg",
            "text or a number",
        ),
        ('{"event":"change","lot":{"lot":"L1","available_to":"2020-01-01"}}', "available_to", "before"),
        ('{"event":"change","lot":{"lot":"L1","lat":1,"纬度":1}}', "纬度", "twice"),
        ('{"event":"clear","out":""}', "out", "folder"),
    ],
)
def test_bad_line_says_where_and_changes_nothing(
    line: str, field: str, words: str, tmp_path: Path, capsysbinary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready, refused, settled = streamed(
        tmp_path, capsysbinary, monkeypatch, [line, '{"event":"settle"}'], "--lang", "en"
    )
    assert refused["line"] == 1
    assert words in refused["error"]
    assert next(iter(refused["fields"]), "") == field
    assert settled["certificate"] == ready["certificate"]


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("{folder}", "out: The result would overwrite the input file {folder}/lots.csv; choose another"),
        ("{folder}/lots.csv", "out: {folder}/lots.csv is not a folder"),
        ("\0", r"out: “\x00” cannot be the name of a folder"),
    ],
)
def test_clearing_overwrites_no_input_and_names_no_strange_folder(
    out: str, words: str, tmp_path: Path, capsysbinary: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    supply, wants = write_market(tmp_path, [lot("L1")], [demand("D1")])
    mine = Path(supply).rename(tmp_path / "lots.csv")
    before = mine.read_bytes()
    lines = [{"event": "clear", "out": out.format(folder=tmp_path)}, {"event": "settle"}]
    told = io.BytesIO("\n".join(map(json.dumps, lines)).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(told))
    assert main(["stream", str(mine), wants, "--lang", "en"]) == 0
    _, refused, settled = map(json.loads, capsysbinary.readouterr().out.splitlines())
    assert refused["error"].startswith(words.format(folder=tmp_path))
    assert (list(refused["fields"]), settled["event"]) == (["out"], "settle")
    assert mine.read_bytes() == before


def test_files_that_cannot_be_read_end_the_command(tmp_path: Path, capsys: Any) -> None:
    supply = tmp_path / "supply.csv"
    supply.write_text("lot\nL1\n")
    assert main(["stream", str(supply), "-"]) == 2
    assert main(["stream", "-", "-", "--budget", "soon"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "seller" in told.err


def test_declined_pair_is_barred() -> None:
    market = LiveMarket([lot()], [demand()], Parameters())
    answer = happen(market, event_of('{"event":"bar","lot":"L1","demand":"D1"}'), budget=None)
    assert (answer.lot, answer.demand, answer.best, answer.matches) == ("L1", "D1", (), ())
    assert answer.standing.worth_yuan == 0


def test_change_keeps_what_is_not_told() -> None:
    market = LiveMarket([lot(ask="2", grade=3)], [], Parameters())
    happen(market, event_of('{"event":"change","lot":{"lot":"L1","要价":"1.5元/公斤"}}'), budget=0)
    (changed,) = market.lots()
    assert (changed.grade, str(changed.ask), changed.quantity) == (3, "1.5", 1_000_000)


def test_fields_are_read_as_in_the_files() -> None:
    read: Any = party_of("lot", LOT, None)
    assert (read.quantity, str(read.ask), read.credentials) == (250_000, "1.5", frozenset({"SC", "gap"}))
    with pytest.raises(Invalid) as refused:
        party_of("demand", {**LOT, "min_grade": "high"}, None)
    assert refused.value.fields.keys() >= {"lot", "min_grade", "demand", "buyer"}


def test_brackets_without_end_are_a_bad_line() -> None:
    with pytest.raises(Invalid):
        event_of(b"[" * 100_000)


def test_event_has_what_it_was_given() -> None:
    assert event_of('{"event":"sell","lot":"L1","demand":"D1","quantity_kg":2,"budget_ms":5}') == Event(
        name="sell", lot="L1", demand="D1", quantity_kg=2, budget_ms=5.0
    )
