"""Machine code that is kept on disk is never older than the code that is compiled into it."""

import subprocess
import sys
from pathlib import Path

STEP = """
from market.compiled import inlined
@inlined("int64(int64)")
def step(number):
    return number + {more}
"""
TWICE = """
from market.compiled import inlined
from steps_under_test import step
@inlined("int64(int64)")
def twice(number):
    return step(step(number))
"""
LOOP = """
from market.compiled import compiled
from twice_under_test import twice
@compiled("int64(int64)")
def loop(number):
    return twice(number)
"""


def result(folder: Path) -> int:
    code = "from loop_under_test import loop; print(loop(0))"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={"PYTHONPATH": f"{folder}:{root}", "HOME": str(folder)},
        capture_output=True,
        check=True,
        text=True,
    )
    return int(done.stdout)


def test_change_in_what_is_called_reaches_the_kept_code_of_the_caller(tmp_path: Path) -> None:
    (tmp_path / "steps_under_test.py").write_text(STEP.format(more=1))
    (tmp_path / "twice_under_test.py").write_text(TWICE)
    (tmp_path / "loop_under_test.py").write_text(LOOP)
    assert result(tmp_path) == 2
    kept = list((tmp_path / "__pycache__").glob("loop_under_test.loop-*.nbi"))
    assert len(kept) == 1
    made = kept[0].stat().st_mtime_ns
    assert result(tmp_path) == 2
    assert kept[0].stat().st_mtime_ns == made  # kept, not made again
    (tmp_path / "steps_under_test.py").write_text(STEP.format(more=10))
    assert result(tmp_path) == 20
