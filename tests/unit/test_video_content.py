"""What a file holds, told from its first bytes."""

import io
from pathlib import Path

import av
import numpy as np
import pytest

from streammem.video._pyav_probe import declared_length_s, decodes
from streammem.video._pyav_writer import write_h264
from streammem.video.content import Content, content_of, content_of_bytes
from streammem.video.discover import is_media


@pytest.mark.parametrize(
    ("head", "content"),
    [
        (b"\x00\x00\x00\x20ftypisom" + bytes(50), Content.MEDIA),
        (b"\x00\x00\x00\x20ftypheic" + bytes(50), Content.PICTURE),
        (b"\x00\x00\x10\x00moov" + bytes(50), Content.MEDIA),
        (b"\x1aE\xdf\xa3" + bytes(50), Content.MEDIA),
        (b"RIFF\x00\x00\x00\x00AVI LIST", Content.MEDIA),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", Content.PICTURE),
        (b"RIFF\x00\x00\x00\x00ACONanih", Content.OTHER),
        ((b"\x47" + bytes(187)) * 6, Content.MEDIA),
        ((bytes(4) + b"\x47" + bytes(187)) * 6, Content.MEDIA),
        (b"\x89PNG\r\n\x1a\n", Content.PICTURE),
        (b"%PDF-1.7", Content.OTHER),
        (b"PK\x03\x04" + bytes(50), Content.OTHER),
        (b"export const one = 1;\n", Content.OTHER),
        ("zażółć gęślą\n".encode() * 500, Content.OTHER),
        (b"", Content.OTHER),
        (bytes(range(1, 200)), Content.UNKNOWN),
    ],
)
def test_content_follows_from_the_first_bytes(head: bytes, content: Content):
    """Containers, pictures, documents, texts, and what says nothing."""
    assert content_of_bytes(head[:4096]) is content


def test_a_file_that_cannot_be_read_is_unknown(tmp_path: Path):
    """It is not passed over for that."""
    assert content_of(tmp_path / "none") is Content.UNKNOWN


def test_media_is_judged_by_content_where_the_name_says_nothing(tmp_path: Path):
    """A raw stream decodes; noise does not; a name of a video is believed."""
    write_h264(tmp_path / "a.mp4", (np.full((3, 64, 64), n * 9, np.uint8) for n in range(9)), 3)
    raw = raw_h264(tmp_path / "a.mp4")
    (tmp_path / "raw").write_bytes(raw)
    (tmp_path / "noise").write_bytes(np.random.default_rng(3).bytes(70_000))
    (tmp_path / "damaged.mp4").write_bytes(b"no video at all")
    (tmp_path / "code.ts").write_text("export {}\n")
    (tmp_path / "a.smem").write_bytes(raw)
    (tmp_path / ".hidden").write_bytes(raw)

    assert content_of(tmp_path / "raw") is Content.UNKNOWN
    assert decodes(raw)
    found = sorted(path.name for path in tmp_path.iterdir() if is_media(path))
    assert found == ["a.mp4", "damaged.mp4", "raw"]
    assert declared_length_s(tmp_path / "a.mp4") == pytest.approx(3.0, abs=0.01)
    assert declared_length_s(tmp_path / "damaged.mp4") is None


def raw_h264(path: Path) -> bytes:
    """The video track of an MP4 as a stream without a container."""
    out = io.BytesIO()
    with av.open(str(path)) as source, av.open(out, "w", format="h264") as target:
        track = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = track
                target.mux(packet)
    return out.getvalue()
