import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from streammem.core.errors import MemoryFileError, MemoryLockedError
from streammem.storage.lock import LockOwner, WriterLock, folder_lock, lock_owner, lock_path

HOLDER = """
import sys, time
from pathlib import Path
from streammem.storage.lock import WriterLock
lock = WriterLock(Path(sys.argv[1]))
if sys.argv[2:] == ["fork"]:
    import os
    if os.fork() != 0:
        time.sleep(300)
# Of the two it is the child that says so: whoever reads it knows that the child is there.
print("held", flush=True)
time.sleep(300)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.b.smem"


@pytest.fixture
def holder(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_lock_is_exclusive_and_can_be_taken_again_after_release(path: Path) -> None:
    """Within one process, too, there is one writer."""
    with WriterLock(path) as lock:
        with pytest.raises(MemoryLockedError, match="is being written by process"):
            WriterLock(path)
        lock.release()
        WriterLock(path).release()
        lock.release()
    assert not lock_path(path).exists()


def test_the_owner_is_named_with_process_and_age(
    path: Path, holder: "subprocess.Popen[str]"
) -> None:
    """A refusal says which process holds the lock, has exit code 6 and a hint."""
    with pytest.raises(MemoryLockedError, match=f"process {holder.pid} since [0-9]+ s") as refusal:
        WriterLock(path)
    owner = lock_owner(path)

    assert (refusal.value.exit_code, refusal.value.code) == (6, "memory_locked")
    assert refusal.value.hint == "wait until it is done, or stop that process"
    assert owner is not None
    assert owner.pid == holder.pid


def test_kill_releases_the_lock(path: Path, holder: "subprocess.Popen[str]") -> None:
    """After SIGKILL the file is still there, means nothing, and the lock is free."""
    holder.kill()
    holder.wait()

    assert lock_path(path).exists()
    assert lock_owner(path) is None
    WriterLock(path).release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_does_not_keep_its_parents_lock(path: Path) -> None:
    """The lock ends with the process that took it, whatever children it left behind."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), "fork"],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2], start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(MemoryLockedError):
        WriterLock(path)
    process.kill()
    process.wait()
    process.stdout.close()
    try:
        WriterLock(path).release()
    finally:
        os.killpg(process.pid, 9)


def test_looking_who_holds_a_lock_does_not_disturb_whoever_takes_it(path: Path) -> None:
    """Taking the lock succeeds while others look at it all the time."""
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            lock_owner(path)

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    for _ in range(30):
        WriterLock(path).release()
    stop.set()
    for looker in lookers:
        looker.join()


def test_many_takers_never_hold_it_at_once(path: Path) -> None:
    """Although the file is removed at every release, two never hold the lock together."""
    inside, most, lock = [0], [0], threading.Lock()

    def take() -> None:
        for _ in range(15):
            with folder_lock(lock_path(path)):
                with lock:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                with lock:
                    inside[0] -= 1
                lock_path(path).unlink()

    takers = [threading.Thread(target=take) for _ in range(4)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()

    assert most == [1]


def test_text_of_a_lock_file_that_is_damaged_is_no_problem(path: Path) -> None:
    """The text is for people; the lock of the system decides."""
    lock_path(path).write_bytes(b"\xff not json")
    assert lock_owner(path) is None
    with WriterLock(path):
        lock_path(path).write_bytes(b"[]")
        assert lock_owner(path) == LockOwner(None, None, None)
        with pytest.raises(MemoryLockedError, match="by another process"):
            WriterLock(path)


def test_the_owner_in_words_names_another_host_only(path: Path) -> None:
    """The own machine is not named; another one is."""
    assert str(LockOwner(5, "elsewhere", None)) == "process 5 on elsewhere"
    with WriterLock(path):
        text = json.loads(lock_path(path).read_bytes())
        assert set(text) == {"pid", "host", "since"}
        assert " on " not in str(LockOwner(text["pid"], text["host"], text["since"]))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A lock cannot be made in a missing folder."""
    with pytest.raises(MemoryFileError, match=r"cannot write in .*missing"):
        WriterLock(tmp_path / "missing" / "m.smem")


def test_a_library_lock_that_stays_held_is_reported(tmp_path: Path) -> None:
    """Waiting ends."""
    file = tmp_path / ".library.lock"
    with (
        folder_lock(file),
        pytest.raises(MemoryLockedError, match="is being changed by another process"),
        folder_lock(file, patience_s=0.05),
    ):
        pass
