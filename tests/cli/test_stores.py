"""Libraries in stores, each real: a folder, an S3 server, a web server; from several machines."""

import functools
import http.server
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SOURCE, Ran

pytest.importorskip("fsspec")
Streammem = Callable[..., Ran]
QUESTION = "when does a blue square appear?"
LIMIT_S = 60.0
S3_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """The address of a server of a folder's files."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Nothing on the terminal."""

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


@pytest.fixture
def s3() -> Iterator[dict[str, str]]:
    """The variables with which an S3 server on this machine is reached; it has a bucket `films`."""
    if not all(map(importlib.util.find_spec, ("s3fs", "moto", "flask"))):
        pytest.skip("s3fs or moto[server] is not installed")
    process = subprocess.Popen(
        [sys.executable, "-c", S3_SERVER],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    # The system chooses a port that nobody else has, and it is told once it is listened at.
    port = int(process.stdout.readline())
    reached = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    bucket = urllib.request.Request(f"{reached['AWS_ENDPOINT_URL']}/films", method="PUT")
    try:
        urllib.request.urlopen(bucket, timeout=LIMIT_S).close()
        yield reached
    finally:
        process.kill()
        process.communicate()


def essence(ran: Ran) -> dict[str, Any]:
    """An answer without the times it took and where its memory lies."""
    assert ran.status == 0, ran.err
    document = ran.document()
    return {key: document[key] for key in ("answer", "confidence", "evidence", "candidates")}


def machine(folder: Path, number: int) -> dict[str, str]:
    """The variables of another machine: nothing of what one keeps is there on the other."""
    return {"XDG_CACHE_HOME": str(folder / f"machine{number}")}


def test_a_folder_is_a_store(streammem: Streammem, tmp_path: Path) -> None:
    """One machine remembers, another one asks, and neither does what the other has done."""
    there = tmp_path / "share" / "films"
    store = f"file://{there}"
    first, second = machine(tmp_path, 1), machine(tmp_path, 2)
    assert streammem("ingest", SOURCE, "--name", "played").status == 0
    expected = essence(streammem("ask", QUESTION, "--json"))

    ran = streammem("ingest", SOURCE, "--name", "played", "--library", store, "--json", **first)
    (result,) = ran.document()["results"]
    assert (ran.status, result["status"], result["error"]) == (0, "done", None)
    assert result["memory_path"] == f"{store}/played.smem"
    asked = streammem("ask", QUESTION, "--library", store, "--json", **second)
    assert essence(asked) == expected
    again = streammem("ingest", SOURCE, "--name", "played", "--library", store, "--json", **second)
    assert [one["status"] for one in again.document()["results"]] == ["unchanged"]
    # Nothing but whole memories and their list gets there.
    assert sorted(file.name for file in there.iterdir()) == ["library.json", "played.smem"]
    listed = json.loads((there / "library.json").read_text())["memories"]
    assert listed["played"]["bytes"] == (there / "played.smem").stat().st_size


def test_an_s3_server_takes_a_batch_and_is_asked(
    streammem: Streammem, s3: dict[str, str], tmp_path: Path, samples: Path
) -> None:
    """Two workers remember on one machine; another one fetches the memory asked for, then all."""
    store, videos = "s3://films/all/of them", tmp_path / "videos"
    videos.mkdir()
    for clip in ("scenes.mp4", "vfr_delayed.mkv"):
        shutil.copy(samples / clip, videos)
    first, second = ({**s3, **machine(tmp_path, number)} for number in (1, 2))
    plain = ("--no-audio", "--no-ocr")
    ran = streammem(
        "batch", str(videos), "--jobs", "2", "--library", store, "--json", *plain, **first
    )
    assert ran.status == 0, ran.err
    paths = sorted(one["memory_path"] for one in ran.document()["results"])
    assert paths == [f"{store}/scenes.smem", f"{store}/vfr_delayed.smem"]
    asked = streammem(
        "ask", "when is it blue?", "--in", "scenes", "--library", store, "--json", **second
    )
    found = essence(asked)
    assert {one["memory_id"] for one in (*found["evidence"], *found["candidates"])} == {"scenes"}
    copies = tmp_path / "machine2" / "streammem" / "stores"
    assert [file.stem for file in copies.glob("*/*.smem")] == ["scenes"]
    listed = streammem("list", "--library", store, "--json", **second)
    assert [one["memory_id"] for one in listed.document()["results"]] == ["scenes", "vfr_delayed"]


def test_a_web_server_is_read_and_never_written(streammem: Streammem, tmp_path: Path) -> None:
    """By its catalogue, or by its pages; what is not what the catalogue says is refused."""
    there = tmp_path / "films"
    assert (
        streammem("ingest", SOURCE, "--name", "played", "--library", f"file://{there}").status == 0
    )
    with web_server(there) as address:
        reader = machine(tmp_path, 1)
        expected = essence(streammem("ask", QUESTION, "--library", f"file://{there}", "--json"))
        asked = streammem("ask", QUESTION, "--library", address, "--json", **reader)
        assert essence(asked) == expected
        refused = streammem("ingest", SOURCE, "--library", address, **reader)
        assert refused.status == 2
        assert "can only be read" in refused.err

        memory = there / "played.smem"
        whole = memory.read_bytes()
        memory.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
        other = machine(tmp_path, 2)
        damaged = streammem("ask", QUESTION, "--library", address, **other)
        assert damaged.status == 8
        assert "is not what the catalogue says" in " ".join(damaged.err.split())
        memory.write_bytes(whole)
        (there / "library.json").unlink()
        listed = streammem("list", "--library", address, "--json", **other)
        assert [one["memory_id"] for one in listed.document()["results"]] == ["played"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("ask", "x", "--library", "smoke://signals/a"), 2, "there is no kind of store"),
        (("ask", "x", "--library", "http://127.0.0.1:9/a"), 8, "cannot be reached"),
        (("watch", "a.ts", "--library", "file://{there}"), 2, "must be a folder"),
        (("status", "--library", "file://{there}"), 2, "must be a folder"),
        (("batch", "a", "--library", "file://{there}", "--ray-address", "b"), 2, "--ray-address"),
    ],
)
def test_what_stores_cannot_do_is_told(
    streammem: Streammem, tmp_path: Path, arguments: tuple[str, ...], status: int, said: str
) -> None:
    """In words, before anything is begun."""
    there = tmp_path / "a"
    named = [argument.format(there=there) for argument in arguments]
    ran = streammem(*named, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert ran.status == status, ran.err
    assert said in " ".join(ran.err.split())
    assert not os.path.lexists(there)
