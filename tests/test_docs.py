"""Keeps the documents true: what they name exists, what exists is named, what they show really runs."""

import csv
import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import market
from market.cli import COMMANDS, main
from market.i18n import catalogue, translate
from market.meetings.timetable.problem import LEVELS
from market.settings import described
from market.transitions import Lifecycle
from market.web.routes import routes
from seeds import case, reference
from seeds.load import logins

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs" / "examples"
#: Folders whose every document is ours.
WRITTEN = ("docs", "seeds", "benchmarks", "deploy")
PAGES = sorted([*ROOT.glob("*.md"), *(page for name in WRITTEN for page in (ROOT / name).rglob("*.md"))])

README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
GLOSSARY = (ROOT / "GLOSSARY.md").read_text()
DEPLOYMENT = (ROOT / "docs" / "deployment.md").read_text()
MATCHING = (ROOT / "docs" / "matching.md").read_text()

# Joined, so that this file does not hold what it forbids.
FORBIDDEN = {
    "a machine's path": re.compile(r"(?<![\w.])/(?:work|home|Users|tmp/w)/"),
    "a package index": re.compile(
        "|".join(["pypi" + r"\.org", "python" + "hosted", "--(?:extra-)?index" + "-url"])
    ),
}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def code_of(page: Path) -> Iterator[str]:
    """Yield what stands in back quotes or fences."""
    text = page.read_text()
    for fenced in re.findall(r"```[^\n]*\n(.*?)```", text, re.DOTALL):
        yield from fenced.splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def lifecycles() -> Iterator[tuple[str, Lifecycle]]:
    """Yield every lifecycle with the name that its room gives it."""
    for module in pkgutil.walk_packages(market.__path__, "market."):
        if module.name.rpartition(".")[2] in {"rules", "lifecycle"}:
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, Lifecycle):
                    yield name, value


LIFECYCLES = dict(lifecycles())


def table_of(lifecycle: Lifecycle) -> str:
    """Return the glossary's table of a lifecycle: its states in order, and what leads out of each."""
    rows = ["| 状态 | State | code | 下一步 / moves |", "|---|---|---|---|"]
    for state, label in lifecycle.labels.items():
        moves = [
            f"{move.name} → {move.target} ({', '.join(sorted(move.by))})"
            for move in lifecycle.moves
            if state in move.sources
        ]
        names = f"| {translate(label, 'zh')} | {translate(label, 'en')} | `{state}` |"
        rows.append(f"{names} {'; '.join(moves) or '—'} |")
    return "\n".join(rows)


@pytest.mark.parametrize("name", LIFECYCLES)
def test_lifecycle_stands_in_the_glossary_as_it_is(name: str) -> None:
    section = re.search(rf"^### .*`{name}`.*\n\n((?:\|.*\n)+)", GLOSSARY, re.MULTILINE)
    assert section is not None, f"GLOSSARY.md has no section for {name}"
    assert section.group(1).strip() == table_of(LIFECYCLES[name])


def test_glossary_tells_of_no_other_lifecycle() -> None:
    assert set(re.findall(r"^### .*`([A-Z_]+)`", GLOSSARY, re.MULTILINE)) == set(LIFECYCLES)


def test_settings_stand_in_the_deployment_guide_with_their_defaults() -> None:
    told = re.findall(r"^\| `((?:MARKET_|DATABASE_)\w+)` \| (\S+) \|", DEPLOYMENT, re.MULTILINE)
    assert told == [(one.variable, f"`{one.default}`" if one.default else "—") for one in described()]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_names_no_setting_that_is_none(page: Path) -> None:
    assert set(re.findall(r"\bMARKET_[A-Z_]+\b", page.read_text())) <= {one.variable for one in described()}


def test_commands_stand_in_architecture() -> None:
    told = re.findall(r"^\| `market ([\w-]+)[^`]*` \|", ARCHITECTURE, re.MULTILINE)
    assert sorted(set(told)) == sorted(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_names_no_command_that_is_none(page: Path) -> None:
    named = {
        match.group(1)
        for line in code_of(page)
        if (match := re.match(r"(?:\$ )?(?:\.venv/bin/)?market ([a-z][\w-]*)", line))
    }
    assert named <= set(COMMANDS)
    made = {
        match.group(1) for line in code_of(page) if (match := re.match(r"(?:\$ )?make ([a-z][\w-]*)", line))
    }
    assert made <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def tree() -> set[str]:
    """Return the names that begin a line of the house's tree in ARCHITECTURE.md."""
    drawn = re.search(r"```tree\n(.*?)```", ARCHITECTURE, re.DOTALL)
    assert drawn is not None
    return set(re.findall(r"^ *([\w.]+(?:/|\.py))(?= |$)", drawn.group(1), re.MULTILINE))


def test_tree_draws_every_room_and_nothing_else() -> None:
    rooms = {f"{path.parent.name}/" for path in (ROOT / "market").glob("*/__init__.py")} | {"locale/"}
    modules = {path.name for path in (ROOT / "market").glob("*.py")} - {"__init__.py", "__main__.py"}
    folders = {f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    folders -= {"var/", "build/", "__pycache__/"}
    assert tree() - {".ci/"} == rooms | modules | folders


def test_tree_of_meetings_draws_every_folder_and_every_module_of_the_timetable() -> None:
    drawn = re.search(r"```tree\nmarket/meetings/\n(.*?)```", ARCHITECTURE, re.DOTALL)
    assert drawn is not None
    meetings = ROOT / "market" / "meetings"
    assert set(re.findall(r"^  (\w+)/", drawn.group(1), re.MULTILINE)) == {
        path.parent.name for path in meetings.glob("*/__init__.py")
    }
    timetable = drawn.group(1).partition("  living/")[0]
    modules = {path.stem for path in (meetings / "timetable").glob("*.py")} - {"__init__"}
    assert modules - set(re.findall(r"\w+", timetable)) == set()


@pytest.mark.parametrize("kind", ["run", "test", "setup"])
def test_dependencies_stand_in_architecture_with_their_reason(kind: str) -> None:
    lines = (ROOT / "requirements" / f"{kind}.in").read_text().splitlines()
    wanted = [found.group() for line in lines if (found := re.match(r"[a-z][\w.-]*", line))]
    section = (
        ARCHITECTURE.partition(f"`requirements/{kind}.in`")[2].partition("\n\n|")[2].partition("\n\n")[0]
    )
    reasons = dict(re.findall(r"^\| `([\w.-]+)` \| (.+) \|$", section, re.MULTILINE))
    assert sorted(reasons) == sorted(wanted)
    assert [name for name, reason in reasons.items() if len(reason) < 15] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_relative_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))
    near = [link.partition("#")[0] for link in links if not re.match(r"[a-z]+:|#", link)]
    assert [link for link in near if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_named_in_code_are_there(page: Path) -> None:
    """`market/web/routes.py` in full, `matching/engine.py` from the package, or a neighbour's bare name."""
    named = {
        match.group(1)
        for span in re.findall(r"`([^`\n]+)`", page.read_text())
        if (match := re.fullmatch(r"((?:[\w-]+/)+[\w.-]+\.(?:py|html|md|csv|toml|js|css))(?:::.*)?", span))
    }
    places = (ROOT, ROOT / "market", page.parent)
    assert [name for name in sorted(named) if not any((place / name).exists() for place in places)] == []


def addresses() -> set[str]:
    """Return every address that has a page, with ``*`` for what varies."""
    paths = {path for route in routes for path in getattr(route, "paths", ())}
    return {re.sub(r"\{[^}]+\}", "*", path) for path in paths}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_addresses_that_are_named_have_a_page(page: Path) -> None:
    """An address of ours begins with the first part of a page's path: `/town/meetings/<n>`."""
    there = addresses()
    first = {path.split("/")[1] for path in there} - {""}
    named = {
        re.sub(r"<[^>]+>|\b\d+\b", "*", span.partition("?")[0]).rstrip("/")
        for span in re.findall(r"`(/[\w/<>.-]*(?:\?[^`]*)?)`", page.read_text())
        if span.strip("/").split("/")[0].partition("?")[0] in first
    }
    assert named - there == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
@pytest.mark.parametrize("what", FORBIDDEN)
def test_page_does_not_mention(page: Path, what: str) -> None:
    assert FORBIDDEN[what].findall(page.read_text()) == []


@pytest.mark.parametrize("kind", ["run", "test"])
def test_requirements_name_no_index(kind: str) -> None:
    assert FORBIDDEN["a package index"].findall((ROOT / "requirements" / f"{kind}.txt").read_text()) == []


def test_readme_prints_the_logins_of_the_demonstration() -> None:
    told = re.findall(r"^\| .* \| `(\d{11})` \| `([\w-]+)` \|$", README, re.MULTILINE)
    assert sorted(set(told)) == sorted((login.phone, login.password) for login in logins())


def test_readme_counts_what_the_seeds_hold() -> None:
    told = case.case()
    kinds = [each.kind for each in told.organisations]
    counts = {
        "种农产品": len(reference.produce()),
        "批货": len(told.lots),
        "条采购需求": len(told.demands),
        "家商超": kinds.count("retailer"),
        "家媒体": kinds.count("media"),
    }
    assert {unit: f"{count} {unit}" in README for unit, count in counts.items()} == dict.fromkeys(
        counts, True
    )


@pytest.fixture(scope="module")
def matched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example market, matched as the guide says."""
    out = tmp_path_factory.mktemp("matched")
    words = [
        "match",
        str(EXAMPLES / "SUPPLY.csv"),
        str(EXAMPLES / "DEMAND.csv"),
        "--out",
        str(out),
        "--quiet",
        "--lang",
        "zh",
    ]
    assert main(words) == 0
    return out


def test_example_market_is_matched_to_the_end(matched: Path) -> None:
    certificate = json.loads((matched / "certificate.json").read_text())
    assert (certificate["exact"], certificate["gap"], certificate["blocking_pairs"]) == (True, 0, 0)
    assert (
        main(["verify", str(EXAMPLES / "SUPPLY.csv"), str(EXAMPLES / "DEMAND.csv"), str(matched), "--quiet"])
        == 0
    )


def test_example_market_with_a_changed_price_is_refused(matched: Path, tmp_path: Path) -> None:
    """The guide says that a result that was tampered with does not pass."""
    for file in matched.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with (tmp_path / "matches.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    rows[1][rows[0].index("price_yuan_per_kg")] = "6.5000"
    with (tmp_path / "matches.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    words = ["verify", str(EXAMPLES / "SUPPLY.csv"), str(EXAMPLES / "DEMAND.csv"), str(tmp_path), "--quiet"]
    assert main(words) == 1


def test_matching_guide_shows_what_the_command_writes(matched: Path) -> None:
    written = {line for file in matched.glob("*.csv") for line in file.read_text().splitlines()}
    written |= {line for file in EXAMPLES.glob("*.csv") for line in file.read_text().splitlines()}
    shown = [
        line for block in re.findall(r"```csv\n(.*?)```", MATCHING, re.DOTALL) for line in block.splitlines()
    ]
    assert len(shown) > 10
    assert [line for line in shown if line not in written] == []


def test_example_meeting_is_scheduled_and_checked(tmp_path: Path) -> None:
    meeting = str(EXAMPLES / "MEETING.json")
    assert main(["schedule", meeting, "--out", str(tmp_path), "--threads", "1", "--quiet"]) == 0
    written = json.loads((tmp_path / "timetable.json").read_text())
    assert (written["status"], tuple(written["proven"])) == ("optimal", LEVELS)
    assert main(["verify-timetable", meeting, str(tmp_path), "--quiet"]) == 0


@pytest.fixture(scope="module")
def said_on_pages() -> dict[str, str]:
    """All that pages say in each language: messages, and the reasons that people choose from."""
    messages, reasons = catalogue("en"), reference.reasons()
    return {
        "zh": "\n".join([*messages, *(each.zh for each in reasons)]),
        "en": "\n".join([*messages.values(), *(each.en for each in reasons)]),
    }


@pytest.mark.parametrize(
    "page", [*sorted((ROOT / "docs").glob("guide-*.md")), ROOT / "docs" / "breach.md"], ids=name_of
)
def test_guide_calls_what_is_pressed_and_read_as_the_pages_do(
    page: Path, said_on_pages: dict[str, str]
) -> None:
    chinese, _, english = page.read_text().partition("\n## English\n")
    told = {
        "zh": re.findall(r"「([^」]+)」", re.sub(r"\n *", "", chinese)),
        "en": re.findall(r"[\"“]([^\"”]+)[\"”]", re.sub(r"\s+", " ", english)),
    }
    assert {
        language: [words for words in quoted if words.rstrip("…") not in said_on_pages[language]]
        for language, quoted in told.items()
    } == {"zh": [], "en": []}
