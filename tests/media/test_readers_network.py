"""Sources over the network, from a server on this machine, and what they may not open."""

import http.server
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from streammem.core.errors import SourceError
from streammem.video import protocols
from streammem.video.reader import ReaderOptions, open_reader
from tests.media import _clips

PLAYLIST = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXTINF:2.0,\n{}\n#EXT-X-ENDLIST\n"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server for the test's folder."""
    handler = partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def numbers(source: str) -> list[int]:
    """The numbers shown by a source's frames, four a second."""
    with open_reader(source, ReaderOptions(sample_hz=4.0, skip_nonref=False)) as reader:
        return [_clips.number_in(item.frame.pixels) for item in reader.frames()]


def test_an_mp4_over_http_is_read_like_the_file(tmp_path: Path, server: str):
    """The same frames come from the address as from the disk; credentials stay out of sight."""
    path = _clips.render(tmp_path / "clip", _clips.H264_MP4, frames=50)
    address = f"{server}/{path.name}"
    assert numbers(address) == numbers(str(path)) == [0, 7, 13, 19, 25, 32, 38, 44]
    with open_reader(address.replace("http://", "http://me:secret@")) as reader:
        assert "secret" not in reader.info.source


def test_a_playlist_over_http_is_read(tmp_path: Path, server: str):
    """HLS with its segments on the same server works."""
    segment = _clips.render(tmp_path / "seg", _clips.H264_TS, frames=50)
    (tmp_path / "list.m3u8").write_text(PLAYLIST.format(segment.name))
    assert numbers(f"{server}/list.m3u8") == [0, 7, 13, 19, 25, 32, 38, 44]


def test_a_local_playlist_reads_files_of_its_folder(tmp_path: Path):
    """Relative segments beside a local playlist are allowed."""
    segment = _clips.render(tmp_path / "seg", _clips.H264_TS, frames=50)
    (tmp_path / "list.m3u8").write_text(PLAYLIST.format(segment.name))
    assert numbers(str(tmp_path / "list.m3u8")) == [0, 7, 13, 19, 25, 32, 38, 44]


@pytest.mark.parametrize("form", ["{}", "file://{}", "file:{}"])
def test_a_downloaded_playlist_cannot_read_local_files(
    tmp_path: Path, server: str, form: str, monkeypatch: pytest.MonkeyPatch
):
    """A segment address that leads to this machine's disk is not opened."""
    secret = _clips.render(tmp_path / "secret", _clips.H264_TS, frames=50)
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    moved = secret.rename(hidden / "secret.ts")
    (tmp_path / "list.m3u8").write_text(PLAYLIST.format(form.format(moved)))
    with pytest.raises(SourceError) as error:
        open_reader(f"{server}/list.m3u8")
    if form != "{}":
        assert error.value.code == "protocol_not_allowed"
        assert "secret.ts" in error.value.message
    assert error.value.exit_code == 8


@pytest.mark.parametrize("uri", ["/etc/passwd", "file:///etc/passwd", "../other/seg.ts"])
def test_a_local_playlist_cannot_leave_its_folder(tmp_path: Path, uri: str):
    """Even where the segment exists and could be read."""
    folder, other = tmp_path / "in", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    _clips.render(other / "seg", _clips.H264_TS, frames=10)
    (folder / "video.mp4").write_text(PLAYLIST.format(uri))
    with pytest.raises(SourceError, match="outside its folder") as error:
        open_reader(str(folder / "video.mp4"))
    assert error.value.code == "protocol_not_allowed"


def test_a_missing_address_is_unreachable(server: str):
    """404 and a refused connection are told as such."""
    with pytest.raises(SourceError, match="cannot be reached") as error:
        open_reader(f"{server}/gone.mp4")
    assert error.value.code == "unreachable"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        # As long as it is bound and not listened at, no other program gets the port.
        with pytest.raises(SourceError, match="cannot be reached") as error:
            open_reader(f"http://127.0.0.1:{port}/a.mp4")
    assert error.value.code == "unreachable"


def test_a_text_over_http_is_not_media(tmp_path: Path, server: str):
    """What answers but is no video says so."""
    (tmp_path / "page.html").write_text("<html>" + "hello " * 500)
    with pytest.raises(SourceError, match="not a media file") as error:
        open_reader(f"{server}/page.html")
    assert error.value.code == "not_media"


def test_a_silent_server_does_not_hang_the_reader(monkeypatch: pytest.MonkeyPatch):
    """A server that accepts and never answers is given up after the time limit."""
    monkeypatch.setattr(protocols, "OPEN_TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        begun_s = time.monotonic()
        with pytest.raises(SourceError) as error:
            open_reader(f"http://127.0.0.1:{mute.getsockname()[1]}/a.mp4")
    assert error.value.code == "unreachable"
    # Without that limit it would be ten seconds.
    assert time.monotonic() - begun_s < 8.0


def test_a_server_that_falls_silent_leaves_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What came before the silence is read; the rest is told as a gap with the reason."""
    # Long enough for the server below to get its turns on a busy machine.
    monkeypatch.setattr(protocols, "READ_TIMEOUT_S", 3.0)
    data = _clips.render(tmp_path / "clip", _clips.H264_MKV, frames=3000).read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        done = threading.Event()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n\r\n"
                connection.sendall(head.encode() + data[: len(data) // 2])
                done.wait(120)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        options = ReaderOptions(sample_hz=1.0)
        with open_reader(f"http://127.0.0.1:{listening.getsockname()[1]}/a.mkv", options) as reader:
            count = sum(1 for _ in reader.frames())
            report = reader.report()
        done.set()
        thread.join()
    assert count > 10
    assert report.gaps[-1].reason == "the source stopped answering"
    assert report.gaps[-1].end_s == pytest.approx(120.0)


@pytest.mark.parametrize("address", ["ftp://a.b/c.mp4", "concat:/etc/passwd|/etc/hosts"])
def test_protocols_that_are_not_listed_are_refused(address: str):
    """Nothing but the listed protocols is even tried."""
    with pytest.raises(SourceError) as error:
        open_reader(address)
    assert error.value.code == "protocol_not_allowed"
