"""Runs the command as a user would, in a process of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
# No command of a test takes a tenth of it, unless it hangs or the machine is very busy.
PATIENCE_S = 240.0
SOURCE = "synthetic:1?duration=20&fps=8&size=96x64"


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    status: int
    out: str
    err: str

    def document(self) -> dict[str, Any]:
        """The JSON document on standard output, which must be the only thing there."""
        parsed: dict[str, Any] = json.loads(self.out)
        return parsed


def command(*arguments: str) -> list[str]:
    """The argument list of `streammem ...` with this interpreter."""
    return [sys.executable, "-m", "streammem_cli", *arguments]


def still_running(processes: list[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Those of the processes that have not ended after so many seconds.

    One that has ended and that nobody asks for is none of them: not every machine's first process
    takes up orphans.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        left = [one for one in processes if not _has_ended(one)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def _has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def environment() -> dict[str, str]:
    """The environment with both packages importable, installed or not."""
    places = [str(REPOSITORY), str(REPOSITORY / "cli"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}


@pytest.fixture
def streammem(tmp_path: Path) -> Callable[..., Ran]:
    """Run `streammem` in an empty folder with a library of its own."""

    def run(*arguments: str, **variables: str) -> Ran:
        done = subprocess.run(
            command(*arguments),
            cwd=tmp_path,
            env={**environment(), "STREAMMEM_LIBRARY": str(tmp_path / "library"), **variables},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run
