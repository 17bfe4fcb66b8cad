"""A run that is killed and started again ends like one that was not."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from streammem.storage.memory_file import read_memory
from tests.cli.conftest import Ran, command, environment, still_running

SOURCE = "synthetic:5?duration=3600&fps=4&size=64x48"
ARGUMENTS = ("ingest", SOURCE, "--name", "long", "--budget", "1MiB", "--json")


def start(library: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """`streammem ...` in a process of its own."""
    return subprocess.Popen(
        command(*arguments, "--library", str(library)),
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_kills_at_random_moments_leave_the_memory_of_an_undisturbed_run(
    streammem: Callable[..., Ran], tmp_path: Path
) -> None:
    """Sections, pictures, counts and gaps are equal bit for bit; every file in between is whole."""
    assert streammem(*ARGUMENTS, "--library", str(tmp_path / "calm")).status == 0
    moments = random.Random(7)
    broken = tmp_path / "broken"

    for _ in range(5):
        process = start(broken, *ARGUMENTS)
        time.sleep(moments.uniform(0.4, 1.6))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert streammem("verify", "--json", "--library", str(broken)).status == 0
    assert streammem(*ARGUMENTS, "--library", str(broken)).status == 0

    calm, killed = (read_memory(tmp_path / name / "long.smem") for name in ("calm", "broken"))
    assert killed.sections == calm.sections
    assert killed.thumbnail_keys == calm.thumbnail_keys
    assert killed.progress.frames == calm.progress.frames
    assert killed.progress.gaps == calm.progress.gaps
    assert killed.progress.covered_s == calm.progress.covered_s
    asked = [
        streammem("ask", "what is shown at 0:30?", "--json", "--library", str(tmp_path / name))
        for name in ("calm", "broken")
    ]
    first, second = (answer.document() for answer in asked)
    assert first["evidence"]
    assert [(e["start_s"], e["end_s"], e["score"]) for e in first["evidence"]] == [
        (e["start_s"], e["end_s"], e["score"]) for e in second["evidence"]
    ]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_no_worker_survives_its_parent(tmp_path: Path) -> None:
    """Workers of a batch end when the command is killed and cannot say goodbye."""
    folder = tmp_path / "clips"
    folder.mkdir()
    sample = Path(__file__).resolve().parents[2] / "samples" / "scenes.mp4"
    for number in range(40):
        (folder / f"clip{number}.mp4").write_bytes(sample.read_bytes() + bytes([number]))
    process = start(tmp_path / "library", "batch", str(folder), "--jobs", "2")
    children: list[psutil.Process] = []
    deadline = time.monotonic() + 90
    while len(children) < 2 and time.monotonic() < deadline:
        children = psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.05)
    assert len(children) == 2

    process.send_signal(signal.SIGKILL)
    process.wait()
    alive = still_running(children, 60)

    assert alive == []
