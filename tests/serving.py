"""``market serve`` as a process of its own, for tests that need the real server."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Seconds that a server may take to stop.
_PATIENCE = 60


@contextmanager
def serving(environment: dict[str, str], log: Path) -> Iterator[str]:
    """Run it and give its address; what it says of troubles goes into ``log``."""
    # each process of tests begins its search for a free port at another place
    port = 20_000 + os.getpid() % 20_000
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "market", "serve", "--port", str(port), "--lang", "en"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            assert process.stdout is not None
            told = next((line for line in process.stdout if "http://" in line), "")
            assert told, log.read_text()
            yield told[told.index("http://") :].strip().rstrip("/")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_PATIENCE)
            if process.stdout:
                process.stdout.close()
