"""Compile the inner loops now, so that no run waits: ``python -m market.prepare``."""

import importlib
import pkgutil
import re
from pathlib import Path

import market.matching
import market.meetings

_LOOPS = re.compile(r"^@(compiled|inlined)\(", re.MULTILINE)


def prepare() -> list[str]:
    """Import every module of the pure cores that has inner loops; return their names."""
    found = []
    packages = (market.matching, market.meetings)
    for module in (
        each for room in packages for each in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
    ):
        source = Path(getattr(module.module_finder, "path", "")) / f"{module.name.rpartition('.')[2]}.py"
        if not module.ispkg and source.exists() and _LOOPS.search(source.read_text(encoding="utf-8")):
            importlib.import_module(module.name)
            found.append(module.name)
    return found


if __name__ == "__main__":
    prepare()
