"""Which processes came from one."""

import os
import subprocess
import sys

import pytest

from streammem.runtime.batch.family import descendants

_NESTED = (
    "import subprocess, sys; inner = subprocess.Popen([sys.executable, '-c', "
    "'print(1, flush=True); input()'], stdin=sys.stdin, stdout=subprocess.PIPE); "
    "inner.stdout.readline(); print(inner.pid, flush=True); inner.wait()"
)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_children_and_theirs_are_known_as_long_as_they_run() -> None:
    """And nobody else."""
    with subprocess.Popen(
        [sys.executable, "-c", _NESTED], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as outer:
        assert outer.stdout is not None
        inner = int(outer.stdout.readline())
        assert descendants(outer.pid) == [inner]
        assert {outer.pid, inner} <= set(descendants(os.getpid()))
        assert os.getpid() not in descendants(os.getpid())
        outer.communicate(b"\n")
        assert descendants(outer.pid) == []
