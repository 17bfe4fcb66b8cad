"""Worker processes, some of which begin before it is known what they are to do.

What a worker imports takes it longer than the command needs to read its settings and to find the
sources. So this module imports next to nothing itself.
"""

import atexit
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path

from streammem.storage.batch_journal import JOURNAL_NAME

_begun: "list[tuple[Mapping[str, str], subprocess.Popen[bytes]]]" = []


def child_environment(threads: int) -> dict[str, str]:
    """The environment of a child that finds this package and keeps to its share of the cores.

    Somebody who set the number of threads knows better.
    """
    environment = {"OMP_NUM_THREADS": str(threads), **os.environ}
    # The package may run from a checkout; the child must find the same one.
    package_root = str(Path(__file__).resolve().parents[3])
    inherited = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (package_root, inherited)))
    return environment


def threads_each(jobs: int) -> int:
    """How many threads one of `jobs` workers may use so that all cores are used once."""
    return max(1, (os.cpu_count() or 1) // jobs)


def begin_workers(named: Sequence[str], jobs: int, library: str | None) -> None:
    """Begin the workers of a batch that is to come, where it is likely to need them all.

    It is where no batch has written into the library yet and there is something to read for each.
    Nothing is begun twice, and without a `library` nothing at all.
    """
    if _begun or library is None or (Path(library).expanduser() / JOURNAL_NAME).exists():
        return
    if not _name_at_least(named, jobs):
        return
    environment = child_environment(threads_each(jobs))
    for _ in range(min(jobs, os.cpu_count() or 1)):
        _begun.append((environment, _start(environment)))
    atexit.register(end_workers)


def worker_process(environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """A worker that waits for its orders, one that was begun before where there is one."""
    for place, (fits, process) in enumerate(_begun):
        if fits == environment and process.poll() is None:
            del _begun[place]
            return process
    return _start(environment)


def end_workers() -> None:
    """End those that were begun and got nothing to do."""
    while _begun:
        _, process = _begun.pop()
        process.kill()
        process.communicate()


def _start(environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "streammem.runtime.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        start_new_session=True,  # Ctrl-C is for the parent, which asks workers to commit
    )


def _name_at_least(named: Iterable[str], count: int) -> bool:
    """Whether the texts name so many files at first sight; one may only be found on a closer."""
    found = 0
    for text in named:
        try:
            with os.scandir(text) as inside:
                visible = (entry for entry in inside if not entry.name.startswith("."))
                found += sum(1 for _ in islice(visible, count))
        except (OSError, ValueError):
            # A file, a glob, a list, or nothing at all.
            found += 1
    return found >= count
