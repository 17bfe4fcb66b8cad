"""The allow-lists: what a source may make the decoder open."""

import os
from pathlib import Path

import pytest

from streammem.core.errors import SourceError
from streammem.video.protocols import (
    check_playlist,
    container_kind,
    matroska_is_whole,
    plan_open,
    playlist_uris,
)

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{}\n#EXT-X-ENDLIST\n"


def test_plan_open_keeps_network_sources_away_from_files():
    """No protocol that reads this machine's files is allowed below a URL."""
    protocols = plan_open("https://a.b/list.m3u8").options["protocol_whitelist"].split(",")
    assert not {"file", "data", "concat", "subfile", "pipe", "fd", "cache", "async"} & set(
        protocols
    )
    assert "https" in protocols


def test_plan_open_keeps_files_away_from_the_network(tmp_path: Path):
    """A local file may open local files only, and no format that names other files."""
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom")
    plan = plan_open(str(path))
    assert plan.options["protocol_whitelist"] == "file,crypto"
    formats = plan.options["format_whitelist"].split(",")
    assert not {"hls", "dash", "concat", "image2", "sdp", "rtsp", "tedcaptions"} & set(formats)
    assert plan.address == f"file:{path}"


@pytest.mark.parametrize("address", ["ftp://a/b.mp4", "concat:a|b", "data:video/mp4,x", "gopher:x"])
def test_plan_open_refuses_other_protocols(address: str):
    """A protocol that is not listed is named in the error."""
    with pytest.raises(SourceError, match="is not allowed") as error:
        plan_open(address)
    assert error.value.code == "protocol_not_allowed"


@pytest.mark.parametrize(
    "text",
    ["ffconcat version 1.0\nfile '/etc/passwd'\n", '<?xml?><MPD xmlns="x"/>', "v=0\no=- 0 0\n"],
)
def test_plan_open_refuses_scripts_that_name_other_files(tmp_path: Path, text: str):
    """Concat scripts, DASH manifests and session descriptions on disk are not opened."""
    path = tmp_path / "video.mp4"
    path.write_text(text)
    with pytest.raises(SourceError, match="names other files") as error:
        plan_open(str(path))
    assert error.value.code == "protocol_not_allowed"


@pytest.mark.parametrize(
    "uri",
    [
        "/etc/passwd",
        "file:///etc/passwd",
        "FILE:/etc/passwd",
        "../secret.ts",
        "a/../../secret.ts",
        "http://a.b/c.ts",
        "concat:a.ts|b.ts",
    ],
)
def test_check_playlist_refuses_what_lies_outside(tmp_path: Path, uri: str):
    """A local playlist may not lead out of its folder, whichever way it is written."""
    folder = tmp_path / "in"
    folder.mkdir()
    path = folder / "list.m3u8"
    path.write_text(PLAYLIST.format(uri))
    with pytest.raises(SourceError, match="outside its folder") as error:
        check_playlist(path)
    assert error.value.code == "protocol_not_allowed"


def test_check_playlist_follows_nested_playlists_keys_and_links(tmp_path: Path):
    """What a playlist names is itself checked; key addresses and symbolic links count."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "master.m3u8").write_text("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n")
    (folder / "low.m3u8").write_text(PLAYLIST.format("seg.ts"))
    (folder / "seg.ts").write_bytes(b"x")
    check_playlist(folder / "master.m3u8")
    key = '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="/etc/hostname"\nseg.ts\n'
    (folder / "low.m3u8").write_text(key)
    with pytest.raises(SourceError, match="/etc/hostname"):
        check_playlist(folder / "master.m3u8")
    (folder / "low.m3u8").write_text(PLAYLIST.format("link.ts"))
    (tmp_path / "secret").write_bytes(b"x")
    (folder / "link.ts").symlink_to(tmp_path / "secret")
    with pytest.raises(SourceError, match=r"link\.ts"):
        check_playlist(folder / "master.m3u8")


def test_playlist_uris_finds_lines_and_attributes():
    """Segments, maps, keys and alternative renditions are all addresses."""
    text = (
        '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXT-X-MEDIA:TYPE=AUDIO,URI="a.m3u8",NAME="x"\n'
        "#EXTINF:4,\n seg 1.ts \n\n#EXT-X-ENDLIST"
    )
    assert playlist_uris(text) == ["init.mp4", "a.m3u8", "seg 1.ts"]


def test_plan_open_names_what_is_wrong_with_a_path(tmp_path: Path):
    """Missing, empty, folder and pipe each have their own code."""
    empty = tmp_path / "empty.mp4"
    empty.touch()
    pipe = tmp_path / "pipe.mp4"
    os.mkfifo(pipe)
    expected = {
        "gone.mp4": ("not_found", "does not exist"),
        "empty.mp4": ("empty_file", "is empty"),
        "pipe.mp4": ("not_media", "a device or a pipe"),
        ".": ("is_a_folder", "is a folder"),
    }
    for name, (code, words) in expected.items():
        with pytest.raises(SourceError, match=words) as error:
            plan_open(str(tmp_path / name))
        assert error.value.code == code


def test_plan_open_says_when_permission_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A file that this user may not read is told apart from a damaged one."""

    def refuse(self: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    path = tmp_path / "a.mp4"
    path.write_bytes(b"x")
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SourceError, match="may not be read") as error:
        plan_open(str(path))
    assert error.value.code == "permission_denied"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x1aE\xdf\xa3rest", "Matroska or WebM"),
        (b"\0\0\0\x20ftypisom", "MP4 or QuickTime"),
        (b"RIFF\0\0\0\0AVI LIST", "AVI"),
        (b"\xef\xbb\xbf#EXTM3U\n", "HLS playlist"),
        (b"hello world", None),
    ],
)
def test_container_kind_reads_the_first_bytes(head: bytes, kind: str | None):
    """Containers and playlists are recognised whatever the file is called."""
    assert container_kind(head) == kind


def test_matroska_is_whole_compares_the_segment_with_the_file():
    """A file shorter than its segment is cut off; a live one does not tell."""
    head = b"\x1aE\xdf\xa3\x80" + b"\x18\x53\x80\x67" + b"\x01\0\0\0\0\0\0\x64"
    assert matroska_is_whole(head, len(head) + 100) is True
    assert matroska_is_whole(head, len(head) + 99) is False
    live = b"\x1aE\xdf\xa3\x80" + b"\x18\x53\x80\x67" + b"\x01" + b"\xff" * 7
    assert matroska_is_whole(live, 500) is None
    assert matroska_is_whole(b"nothing here", 500) is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a" * 5000 + ".mp4", "unreadable"),
        ("a\0b.mp4", "not_found"),
        ("~nobody9/a.mp4", "not_found"),
    ],
)
def test_plan_open_survives_names_that_cannot_exist(name: str, code: str):
    """Too long names, names with a zero byte and unknown homes are errors with a code."""
    with pytest.raises(SourceError) as error:
        plan_open(name)
    assert error.value.code == code
