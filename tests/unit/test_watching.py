"""What a watch refuses before it begins, and the hook for those who look along."""

import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from streammem.api import Library, WatchOptions, request_from_config
from streammem.core.config import load_config
from streammem.core.errors import StreamMemError
from streammem.core.results import IngestRequest, IngestResult
from streammem.core.types import Floats, Pixels, Times
from streammem.encoders.base import Encoder
from streammem.storage.memory_file import read_memory
from tests.media._live_senders import Camera, CameraServer, TransportStream, number_in

NOBODY = "tcp://127.0.0.1:9"


def request(**changes: object) -> IngestRequest:
    return request_from_config(load_config().config, **changes)


@pytest.mark.parametrize(
    ("source", "options", "code"),
    [
        ("gone.ts", WatchOptions(), "not_found"),
        ("synthetic:1?duration=5", WatchOptions(), "usage"),
        ("ftp://host/a.ts", WatchOptions(), "protocol_not_allowed"),
        ("rtsp://host/a", WatchOptions(transport="smoke"), "usage"),
        (NOBODY, WatchOptions(when_behind="wait"), "usage"),
        (NOBODY, WatchOptions(give_up_s=0.5), "unreachable"),
    ],
)
def test_what_cannot_be_watched_is_refused(
    tmp_path: Path, source: str, options: WatchOptions, code: str
) -> None:
    """And no memory is left behind."""
    library = Library(tmp_path)
    with pytest.raises(StreamMemError) as error:
        library.watch(source, request(), options)
    assert error.value.code == code
    assert library.memories() == []


@pytest.mark.parametrize("changes", [{"fps": 3.0}, {"budget_bytes": 1 << 20}])
def test_a_memory_with_other_settings_is_not_gone_on_with(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    """Nor one of another source."""
    library = Library(tmp_path)
    with closing(CameraServer(Camera(20))) as server:
        library.watch(server.address, request(name="door"), WatchOptions(duration_s=0.5))
        with pytest.raises(StreamMemError, match="with other settings"):
            library.watch(server.address, request(name="door", **changes))
    with pytest.raises(StreamMemError, match="of another source"):
        library.watch(NOBODY, request(name="door"))


def test_a_policy_that_does_not_exist_is_refused_before_a_memory_is_begun(tmp_path: Path) -> None:
    """Nothing of the stream is lost to a typing error, and nothing empty is left."""
    library = Library(tmp_path)
    with closing(CameraServer(Camera(20))) as server, pytest.raises(StreamMemError) as error:
        library.watch(server.address, request(policy="nope"), WatchOptions(duration_s=0.5))
    assert error.value.code == "unknown_policy"
    assert library.memories() == []


class Onlooker:
    """Writes down what an observer is given, and how often it was asked for its state."""

    def __init__(self, encoder: Encoder) -> None:
        self.dim = encoder.spec.dim
        self.seen: list[tuple[float, int]] = []
        self.restored = b"nothing"
        self.closed = False

    def observe(self, pts_s: Times, embeddings: Floats, pixels: Pixels | None = None) -> None:
        assert embeddings.shape == (len(pts_s), self.dim)
        assert np.allclose(np.linalg.norm(embeddings, axis=1), 1.0, atol=1e-4)
        assert pixels is not None
        self.seen += zip(pts_s.tolist(), map(number_in, pixels), strict=True)

    def to_bytes(self) -> bytes:
        return f"{len(self.seen)} frames".encode()

    def restore(self, data: bytes) -> tuple[str, ...]:
        self.restored = data
        return ()

    def close(self) -> None:
        self.closed = True


def test_an_observer_sees_every_frame_once_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """What it is given is what is remembered; its state comes back in the next watch."""
    library, onlookers = Library(tmp_path), []

    def observe(encoder: Encoder) -> Onlooker:
        onlookers.append(Onlooker(encoder))
        return onlookers[-1]

    with closing(CameraServer(Camera(20))) as server:
        for _ in range(2):
            library.watch(
                server.address,
                request(name="door", fps=20.0),
                WatchOptions(duration_s=1.5),
                observe=observe,
            )
    first, second = onlookers
    assert first.restored == b""
    assert second.restored == f"{len(first.seen)} frames".encode()
    assert first.closed
    assert second.closed
    seen = [*first.seen, *second.seen]
    assert len(seen) == read_memory(tmp_path / "door.smem").progress.written_frames
    numbers = [number for _, number in seen]
    assert numbers == sorted(set(numbers))
    times = [time_s for time_s, _ in seen]
    assert times == sorted(times)


def test_a_file_with_nothing_new_is_unchanged_and_gone_on_with_once_it_grows(
    tmp_path: Path,
) -> None:
    """At rest it is waited for as long as one wishes, without an error and without a gap."""
    library, path = Library(tmp_path), tmp_path / "growing.ts"
    camera, stream, onlookers = Camera(20), TransportStream(20), list[Onlooker]()

    def grow(first: int, last: int) -> None:
        with path.open("ab") as file:
            for number in range(first, last):
                file.write(stream.piece(number, camera.pts_s(number)))

    def observe(encoder: Encoder) -> Onlooker:
        onlookers.append(Onlooker(encoder))
        return onlookers[-1]

    def watch_until(status: str) -> IngestResult:
        """Watch again and again until it comes to this; a busy machine takes a few times."""
        deadline_s = time.monotonic() + 60
        while True:
            result = library.watch(
                str(path), request(fps=20.0), WatchOptions(duration_s=0.4), observe=observe
            )
            if result.status == status:
                return result
            assert time.monotonic() < deadline_s, result

    grow(0, 40)
    first = watch_until("done")
    rested = watch_until("unchanged")
    assert rested.error is None
    assert rested.frames.encoded >= first.frames.encoded
    kept = read_memory(tmp_path / "growing.smem").progress
    assert (kept.status, kept.gaps) == ("done", ())

    grow(40, 80)
    grown = watch_until("done")
    assert grown.frames.encoded > rested.frames.encoded
    numbers = [number for onlooker in onlookers for _, number in onlooker.seen]
    assert numbers == list(range(len(numbers)))
    assert grown.gaps == ()


def test_a_watch_costs_no_thread_and_no_process_once_it_is_over(tmp_path: Path) -> None:
    """Whoever watches in a loop does not fill the machine."""
    # Threads of earlier tests may end meanwhile: only those that begin here are counted.
    others = set(threading.enumerate())
    with closing(CameraServer(Camera(20))) as server:
        Library(tmp_path).watch(server.address, request(), WatchOptions(duration_s=0.5))
    deadline_s = time.monotonic() + 20
    while set(threading.enumerate()) - others:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
