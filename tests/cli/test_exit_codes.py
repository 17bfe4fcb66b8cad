"""Exit codes that need a machine in a bad state.

A damaged installation, no disk or memory left, outputs that take no more.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import PATIENCE_S, REPOSITORY, SOURCE, Ran, command, environment

Streammem = Callable[..., Ran]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="limits and devices of Linux")
ADDRESS_SPACE_KIB = 500_000
FILE_BLOCKS_OF_512 = 100


def run_in_shell(script: str, *arguments: str, **variables: str) -> Ran:
    """`streammem ARGUMENTS`, which is `"$@"` in a shell script that prepares the surroundings."""
    done = subprocess.run(
        ["sh", "-c", script, "sh", *command(*arguments)],
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def damaged_installation(tmp_path: Path) -> dict[str, str]:
    """Variables that lead to a copy of both packages in which a disk lost a part of one module."""
    house = tmp_path / "house"
    for part in ("streammem", "configs", "models", "cli"):
        shutil.copytree(
            REPOSITORY / part, house / part, ignore=shutil.ignore_patterns("__pycache__")
        )
    module = house / "streammem" / "query" / "parse.py"
    content = module.read_bytes()
    module.write_bytes(content[:512] + bytes(512) + content[1024:])
    return {"PYTHONPATH": os.pathsep.join([str(house), str(house / "cli")])}


def test_a_damaged_installation_exits_1(
    streammem: Streammem, damaged_installation: dict[str, str]
) -> None:
    """Unexpected means: no traceback unless asked for, and a way to see it."""
    streammem("ingest", SOURCE)

    as_text = streammem("ask", "when is it red?", **damaged_installation)
    as_json = streammem("ask", "when is it red?", "--json", **damaged_installation)
    traced = streammem("ask", "when is it red?", **damaged_installation, STREAMMEM_DEBUG="1")
    helped = streammem("--help", **damaged_installation)

    assert (as_text.status, as_text.out) == (1, "")
    assert as_text.err.startswith("error: unexpected ")
    assert "STREAMMEM_DEBUG=1" in as_text.err
    assert "Traceback" not in as_text.err
    assert as_json.status == 1
    assert as_json.document()["error"]["code"] == "internal"
    assert traced.status == 1
    assert "Traceback" in traced.err
    assert helped.status == 0


@linux_only
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_results_on_a_full_disk_exit_7(
    streammem: Streammem, tmp_path: Path, form: list[str]
) -> None:
    """`> FILE` on a full disk must not look like success."""
    streammem("ingest", SOURCE)

    ran = run_in_shell(
        'exec "$@" >/dev/full', "list", *form, "--library", str(tmp_path / "library")
    )

    assert ran.status == 7
    assert ran.err.startswith("error: the disk is full")
    assert "Traceback" not in ran.err


@linux_only
def test_remarks_that_find_no_room_do_not_stop_the_work(tmp_path: Path) -> None:
    """A full disk below the log file of a long run is no reason to lose the run."""
    ran = run_in_shell(
        'exec "$@" 2>/dev/full', "ingest", SOURCE, "-v", "--library", str(tmp_path / "library")
    )

    assert ran.status == 0
    assert ran.out.startswith("done ")


@linux_only
def test_a_file_that_may_not_grow_exits_7_and_the_same_command_goes_on(
    streammem: Streammem, tmp_path: Path
) -> None:
    """The system refuses to let the memory grow; what is there stays whole and is completed."""
    library = str(tmp_path / "library")
    arguments = ("ingest", SOURCE, "--name", "one", "--json", "--library", library)

    refused = run_in_shell(f'ulimit -f {FILE_BLOCKS_OF_512} && exec "$@"', *arguments)
    again = streammem(*arguments)

    assert refused.status == 7, refused.out + refused.err
    error = refused.document()["results"][0]["error"]
    assert error["code"] == "disk_full"
    assert error["hint"]
    assert again.status == 0
    assert again.document()["results"][0]["frames"]["encoded"] == 40
    assert streammem("verify", "--json").status == 0


@linux_only
def test_a_full_filesystem_exits_7(tmp_path: Path) -> None:
    """The library on a filesystem of 100 KiB, mounted in a namespace of its own."""
    mount = 'mount -t tmpfs -o size=100k tmpfs "$PLACE"'
    enter = "unshare --user --map-root-user --mount"
    possible = run_in_shell(f"{enter} sh -c '{mount}'", PLACE=str(tmp_path))
    if possible.status != 0:
        pytest.skip(f"this machine lets nobody mount: {possible.err.strip()}")

    ran = run_in_shell(
        f"exec {enter} sh -c '{mount} && exec \"$@\"' sh \"$@\"",
        "ingest", SOURCE, "--library", str(tmp_path / "library"),
        PLACE=str(tmp_path),
    )  # fmt: skip

    assert ran.status == 7, ran.out + ran.err
    assert "disk is full" in ran.err
    assert "try: " in ran.err
    assert "Traceback" not in ran.err


@linux_only
def test_memory_that_runs_out_exits_7(streammem: Streammem, tmp_path: Path) -> None:
    """A picture that needs more of the machine's memory than the system grants, a small one not."""
    streammem("ingest", SOURCE)
    for name, side_px in (("small", 60), ("large", 6000)):
        picture = Image.new("RGB", (side_px, side_px), (200, 30, 40))
        picture.save(tmp_path / f"{name}.png", compress_level=1)

    small, large = (
        run_in_shell(
            f'ulimit -v {ADDRESS_SPACE_KIB} && exec "$@"',
            "search", "--image", str(tmp_path / f"{name}.png"), "--json",
            "--library", str(tmp_path / "library"),
            # On many cores the arrays' library alone would take the whole address space.
            OPENBLAS_NUM_THREADS="1",
        )
        for name in ("small", "large")
    )  # fmt: skip

    assert small.status == 0, small.out + small.err
    assert large.status == 7, large.out + large.err
    assert large.document()["error"]["code"] == "out_of_memory"
    assert "Traceback" not in large.err


def test_an_error_keeps_its_exit_code_when_nobody_listens(tmp_path: Path) -> None:
    """A closed standard error hides the message, not the failure."""
    arguments = command("show", "nobody", "--library", str(tmp_path / "library"))
    reading, writing = os.pipe()
    os.close(reading)
    broken = subprocess.run(
        arguments, env=environment(), stderr=writing, check=False, timeout=PATIENCE_S
    )
    os.close(writing)
    closed = run_in_shell('exec "$@" 2>&-', *arguments[3:])

    assert broken.returncode == 2
    assert (closed.status, closed.err) == (2, "")
