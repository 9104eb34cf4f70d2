"""The house rules that no other check keeps. Who may import whom is import-linter's (pyproject.toml)."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: Names of modules that know no database, web, clock or chance: they run on files as well.
PURE_NAMES = {
    "rules",
    "clauses",
    "unfair",
    "unfair_words",
    "wording",
    "breach_rules",
    "commands",
    "hosts",
    "lifecycle",
    "solver",
    "certificate",
    "scheduler",
}
#: Folders whose modules do, all of them.
PURE_FOLDERS = (
    "market.matching.optimum.",
    "market.matching.limits.",
    "market.matching.diagnosis.",
    "market.meetings.timetable.",
    "market.meetings.choosing.",
    "market.meetings.living.",
    "market.meetings.route.",
)
#: Silences a solver, looks at what is kept on disk, starts a process; no result depends on any of it.
OUTSIDE = {"market.matching.limits.quiet", "market.kept_code", "market.forked"}
PURE_KERNEL = {
    "market.amounts",
    "market.units",
    "market.errors",
    "market.transitions",
    "market.i18n",
    "market.paging",
    "market.compiled",
    "market.kept_code",
    "market.forked",
}

IMPURE_PACKAGES = {
    "asyncio",
    "asyncpg",
    "granian",
    "jinja2",
    "litestar",
    "os",
    "pathlib",
    "piccolo",
    "secrets",
    "shutil",
    "socket",
    "subprocess",
    "tempfile",
    "uuid",
}
#: What reads a clock, draws lots or opens a file.
IMPURE_CALLS = {
    "date.today",
    "datetime.now",
    "datetime.today",
    "datetime.utcnow",
    "time.time",
    "np.random.default_rng()",
    "random.Random()",
    "open",
    "print",
    "input",
}
#: With a seed they are an argument like any other.
SEEDED = {"random.Random", "np.random.default_rng"}

MOST_LINES = 450


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def is_pure(module: str) -> bool:
    parts = module.split(".")
    if module in PURE_KERNEL or module.startswith(PURE_FOLDERS):
        return True
    return len(parts) >= 3 and parts[0] == "market" and parts[2] in PURE_NAMES


NOT_READ = {"market.i18n", *OUTSIDE}
PURE = [path for path in sources("market") if is_pure(name_of(path)) and name_of(path) not in NOT_READ]


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the full name of every module or name that is imported, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def impurities(text: str) -> list[str]:
    """Return what a pure module may not have: imports that reach out, calls that read the world."""
    tree = ast.parse(text)
    found = []
    for name in imports(tree):
        if name.split(".")[0] in IMPURE_PACKAGES or name.startswith("urllib.request"):
            found.append(f"imports {name}")
        elif name.startswith("market."):
            module = name if is_pure(name) else name.rpartition(".")[0]
            if not is_pure(module):
                found.append(f"imports {name}")
        elif name.startswith("random.") and name != "random.Random":
            found.append(f"imports {name}")
    shared = {"random", "np.random"} & {*imports(tree), "np.random"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            seedless = f"{called}()" if not node.args and not node.keywords else called
            draws = called.rpartition(".")[0] in shared and called not in SEEDED
            if called in IMPURE_CALLS or seedless in IMPURE_CALLS or draws:
                found.append(f"line {node.lineno} calls {called}")
    return found


@pytest.mark.parametrize("path", PURE, ids=name_of)
def test_pure_module_knows_no_database_web_clock_or_chance(path: Path) -> None:
    assert impurities(path.read_text()) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from market.supply.tables import Lot", ["imports market.supply.tables.Lot"]),
        ("from market import clock", ["imports market.clock"]),
        ("import piccolo.columns", ["imports piccolo.columns"]),
        ("datetime.now(timezone.utc)", ["line 1 calls datetime.now"]),
        ("import random\nrandom.shuffle(x)", ["line 2 calls random.shuffle"]),
        ("import random; random.Random()", ["line 1 calls random.Random"]),
        ("from random import Random\nr = Random(seed)\nr.shuffle(x)", []),
        ("random = board.random\nrandom.shuffle(x)", []),
        ("from market.matching.rules import Lot\nfrom market.i18n import msg", []),
    ],
)
def test_purity_check_sees_what_it_should(text: str, found: list[str]) -> None:
    assert impurities(text) == found


def test_pure_core_is_found() -> None:
    names = {name_of(path) for path in PURE}
    assert names >= {
        "market.units",
        "market.transitions",
        "market.matching.optimum.gains",
        "market.meetings.timetable.scheduler",
    }


LONG_PIECES = [*sources("market", "seeds", "fixtures", "tests", "benchmarks")]


@pytest.mark.parametrize("path", LONG_PIECES, ids=name_of)
def test_file_is_short_enough_to_be_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_migrations_folder_holds_migrations_only() -> None:
    """Piccolo imports every .py there; raw SQL runs before the tables of its own file, so it has its own."""
    strangers = [
        path.name
        for path in (ROOT / "migrations").glob("*")
        if path.name not in {"__init__.py", "__pycache__"}
        and not (path.suffix == ".py" and re.search(r"^ID = ", path.read_text(), re.MULTILINE))
    ]
    assert strangers == []


def test_each_migration_has_a_moment_of_its_own() -> None:
    """Piccolo knows them by it: of two that share one, only the last to be read is ever applied."""
    paths = sorted((ROOT / "migrations").glob("m*.py"))
    moments = {path.name: re.findall(r"^ID = .*", path.read_text(), re.MULTILINE)[0] for path in paths}
    shared = [name for name, moment in moments.items() if list(moments.values()).count(moment) > 1]
    assert shared == []


def test_tables_are_private_to_queries_and_operations() -> None:
    """Edges and algorithms get Structs, never rows."""
    edges = [*sources("market/web", "market/api"), *(ROOT / "market").glob("*.py")]
    taken = [
        (name_of(path), name)
        for path in edges
        for name in imports(ast.parse(path.read_text()))
        if re.match(r"market\.\w+(\.\w+)?\.tables\b", name)
    ]
    assert taken == []


def test_time_is_read_in_one_place() -> None:
    readers = {
        name_of(path)
        for path in sources("market")
        if re.search(r"\b(datetime\.(now|utcnow|today)|date\.today)\(", path.read_text())
    }
    assert readers == {"market.clock"}


def test_transactions_are_opened_by_ours_only() -> None:
    """Piccolo's own lose their connection when COMMIT fails; a BEGIN by hand is seen by neither."""
    by_hand = [
        name_of(path)
        for path in sources("market")
        if name_of(path) not in {"market.db.session"}
        and re.search(r"\.transaction\(|\.atomic\(|[\"'](BEGIN|COMMIT|ROLLBACK)\b", path.read_text())
    ]
    assert by_hand == []


def test_the_app_starts_without_the_solvers() -> None:
    """They take half of its start and of its memory; computations load them in processes of their own."""
    solvers = {"ortools", "pandas", "pysat", "scipy.optimize"}
    words = f"import sys, market.app; print(*sorted({solvers} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []


def test_exception_to_a_security_rule_says_why() -> None:
    """Ruff's S rules are bandit's, and all of them hold; where one does not, its line says why in words."""
    bare = [
        f"{name_of(path)}:{number}"
        for path in sources("market", "seeds", "fixtures")
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if (found := re.search(r"noqa: S[0-9, S]+(.*)$", line)) and len(found[1].split()) < 2
    ]
    assert bare == []


#: What would outlast its transaction on a connection that goes back to the pool, which forgets nothing.
_LASTING = re.compile(
    r"""["'\s](?:SET (?!LOCAL|TRANSACTION)\w+ *(?:=|TO)|LISTEN\b|pg_(?:try_)?advisory_lock"""
    r"""|CREATE TEMP|PREPARE )""",
)


@pytest.mark.parametrize("path", sorted((ROOT / "market").rglob("*.py")), ids=lambda path: path.stem)
def test_what_is_set_or_locked_ends_with_its_transaction(path: Path) -> None:
    """The pool takes connections back as they are: see ``market.db.session``."""
    found = [
        match[0]
        for match in _LASTING.finditer(path.read_text())
        # a column of an UPDATE, not a setting
        if not re.search(r"(?:UPDATE|DO)\b[^;\"]*$", path.read_text()[: match.start() + 1])
    ]
    assert found == []


def test_the_guard_of_lasting_settings_sees_one() -> None:
    assert _LASTING.search('execute("SET statement_timeout = 0")')
    assert _LASTING.search('fetch("SELECT pg_advisory_lock(1)")')
    assert not _LASTING.search('execute("SET LOCAL statement_timeout = 0")')
