"""Compile the inner loops of the engine now, so that no run waits: ``python -m market.matching.prepare``."""

import importlib
import pkgutil
from pathlib import Path

import market.matching


def prepare() -> list[str]:
    """Import every module of the engine that has inner loops; return their names."""
    found = []
    for module in pkgutil.walk_packages(market.matching.__path__, "market.matching."):
        source = Path(getattr(module.module_finder, "path", "")) / f"{module.name.rpartition('.')[2]}.py"
        if not module.ispkg and source.exists() and "\n@compiled(" in source.read_text(encoding="utf-8"):
            importlib.import_module(module.name)
            found.append(module.name)
    return found


if __name__ == "__main__":
    prepare()
