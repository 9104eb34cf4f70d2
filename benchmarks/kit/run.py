"""Running a command and measuring all of it, printing a table, keeping the figures."""

import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "results"
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Spent:
    """What a command took, from its start to its end, with its children.

    ``peak_mib`` is the most that the command and its children held together, looked at every 20 ms, and
    not less than the system's own mark of the largest of them. ``status`` None: stopped at the cap.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float
    status: int | None
    output: str


def run(command: Sequence[str], *, cap: float | None = None) -> Spent:
    """Run ``command`` and wait for it, at most ``cap`` seconds."""
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=None, start_new_session=True, text=True)
    over = threading.Event()
    most = [0.0]
    watch = threading.Thread(target=_watch, args=(child.pid, over, most))
    watch.start()
    said: list[str] = []
    assert child.stdout is not None
    listen = threading.Thread(target=lambda: said.append(child.stdout.read()))  # type: ignore[union-attr]
    listen.start()
    status: int | None = None
    usage = None
    while usage is None:
        pid, waited, used = os.wait4(child.pid, os.WNOHANG)
        if pid:
            usage = used
            status = os.waitstatus_to_exitcode(waited) if status is None else status
        elif cap is not None and time.perf_counter() - begin > cap:
            # The session is the command's own: nothing else is in it.
            os.killpg(child.pid, signal.SIGKILL)
            _, _, usage = os.wait4(child.pid, 0)
            cap = None
            status = -1
        else:
            time.sleep(0.01)
    seconds = time.perf_counter() - begin
    child.returncode = status
    over.set()
    watch.join()
    listen.join()
    return Spent(
        seconds=seconds,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_mib=max(most[0], usage.ru_maxrss / 1024),
        status=None if status == -1 else status,
        output="".join(said),
    )


def _watch(session: int, over: threading.Event, most: list[float]) -> None:
    """Keep the most memory that the processes of a session held together, in MiB."""
    while not over.wait(0.02):
        held = 0
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                # After the name in brackets: state, parent, group, session, ... and resident pages.
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(stat[3]) == session:
                held += int(stat[21])
        most[0] = max(most[0], held * _PAGE / 2**20)


def python(module: str, *words: str) -> list[str]:
    return [sys.executable, "-m", module, *words]


def table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """A table in Markdown; a missing figure is an empty cell."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_shown(row.get(column)) for column in columns) + " |" for row in rows]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return str(value)


def keep(name: str, rows: Sequence[dict[str, Any]], **more: Any) -> None:
    """Write the figures to ``results/<name>.json`` with what they were measured on."""
    RESULTS.mkdir(exist_ok=True)
    content = {"machine": machine(), "rows": list(rows), **more}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
