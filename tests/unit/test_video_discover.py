"""How named texts become sources."""

from pathlib import Path

import pytest

from streammem.core.errors import SourceError
from streammem.video.discover import (
    SourceKind,
    expand_sources,
    image_files,
    kind_of,
    natural_key,
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with videos, hidden files, memories, images and folders inside."""
    for name in (
        "clip10.mp4", "clip2.mp4", "CLIP1.MKV", ".hidden.mp4", "notes.txt", "clip2.smem",
        "cover.jpg", "inside/deep.webm", ".git/object.mp4", "frames/2.png", "frames/10.png",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def test_expand_sources_of_a_folder_are_its_videos_in_natural_order(tree: Path):
    """Hidden files, memories, texts and pictures beside videos are left out."""
    found = expand_sources([str(tree)])
    assert [Path(f).name for f in found] == ["CLIP1.MKV", "clip2.mp4", "clip10.mp4"]


def test_expand_sources_recursive_adds_folders_inside(tree: Path):
    """Videos below and folders that hold only images are found, hidden folders are not."""
    found = [str(Path(f).relative_to(tree)) for f in expand_sources([str(tree)], recursive=True)]
    assert found == ["CLIP1.MKV", "clip2.mp4", "clip10.mp4", "frames", "inside/deep.webm"]


def test_expand_sources_keeps_a_folder_of_images_as_one_source(tree: Path):
    """A folder that holds only images is a source itself."""
    assert expand_sources([str(tree / "frames")]) == [str(tree / "frames")]


def test_expand_sources_expands_a_quoted_glob(tree: Path):
    """A glob gives what it matches, in natural order; images alone stay one sequence."""
    found = expand_sources([str(tree / "clip*.mp4")])
    assert [Path(f).name for f in found] == ["clip2.mp4", "clip10.mp4"]
    assert expand_sources([str(tree / "frames" / "*.png")]) == [str(tree / "frames" / "*.png")]
    assert expand_sources([str(tree / "frames" / "*")]) == [str(tree / "frames" / "*")]


def test_expand_sources_keeps_what_is_missing_and_drops_repeats(tree: Path):
    """A missing path stays to report itself; a source named twice comes once."""
    clip, gone = str(tree / "clip2.mp4"), str(tree / "gone.mp4")
    assert expand_sources([clip, gone, clip]) == [clip, gone]
    assert expand_sources([str(tree / "gone*.mp4")]) == [str(tree / "gone*.mp4")]


def test_expand_sources_leaves_addresses_alone():
    """URLs, synthetic streams and the standard input are sources as they stand."""
    named = ["https://a.b/c?d=*", "synthetic:3?duration=9", "-", "rtsp://cam/1"]
    assert expand_sources(named) == named


def test_expand_sources_prefers_a_file_whose_name_looks_like_a_pattern(tmp_path: Path):
    """A file that is there under exactly this name is meant, not the pattern."""
    path = tmp_path / "a[1].mp4"
    path.write_bytes(b"x")
    assert expand_sources([str(path)]) == [str(path)]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("-", SourceKind.STDIN),
        ("synthetic:1", SourceKind.SYNTHETIC),
        ("https://a/b.mp4", SourceKind.URL),
        ("concat:a.mp4|b.mp4", SourceKind.URL),
        ("file:///tmp/a.mp4", SourceKind.FILE),
        ("a.mp4", SourceKind.FILE),
        ("C:\\videos\\a.mp4", SourceKind.FILE),
        ("a.png", SourceKind.IMAGES),
        ("frames/*", SourceKind.IMAGES),
    ],
)
def test_kind_of_tells_how_to_open(source: str, kind: SourceKind):
    """The kind follows from the text where nothing of that name exists."""
    assert kind_of(source) is kind


def test_kind_of_prefers_a_file_that_looks_like_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A file called like a protocol is still a file."""
    monkeypatch.chdir(tmp_path)
    Path("take:one.mp4").write_bytes(b"x")
    assert kind_of("take:one.mp4") is SourceKind.FILE


def test_natural_key_orders_numbers_by_value():
    """frame2 comes before frame10, and leading zeros keep a fixed order."""
    names = ["f10.png", "f2.png", "f02.png", "F1.png", "a.png"]
    assert sorted(names, key=natural_key) == ["a.png", "F1.png", "f02.png", "f2.png", "f10.png"]


def test_image_files_says_what_a_folder_without_images_holds(tmp_path: Path):
    """Empty folders, folders of videos and patterns without a match say so differently."""
    with pytest.raises(SourceError, match="holds no media") as error:
        image_files(str(tmp_path))
    assert error.value.code == "no_media"
    with pytest.raises(SourceError, match="nothing matches") as error:
        image_files(str(tmp_path / "*.png"))
    assert error.value.code == "not_found"
    (tmp_path / "a.mp4").write_bytes(b"x")
    with pytest.raises(SourceError, match="stands for 1 videos"):
        image_files(str(tmp_path))


def test_sound_files_are_sources_of_a_folder_unless_it_is_a_picture_show(tmp_path: Path):
    """Beside videos and alone they count; beside pictures they are its music."""
    for name in ("talk/b.flac", "talk/a.mp4", "show/1.png", "show/music.mp3", "tape/side.WAV"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = expand_sources([str(tmp_path)], recursive=True)
    assert [str(Path(source).relative_to(tmp_path)) for source in found] == [
        "show", "talk/a.mp4", "talk/b.flac", "tape/side.WAV",
    ]  # fmt: skip


def test_folders_inside_are_pointed_out_only_where_there_are_some(tmp_path: Path):
    """`batch` itself meets an empty folder too, and must not recommend itself then."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "outer" / "inner").mkdir(parents=True)

    with pytest.raises(SourceError) as empty:
        image_files(str(tmp_path / "empty"))
    with pytest.raises(SourceError) as outer:
        image_files(str(tmp_path / "outer"))

    assert empty.value.hint is None
    assert "batch" in (outer.value.hint or "")


def test_a_list_that_is_not_there_is_named_once_without_a_number(tmp_path: Path):
    with pytest.raises(SourceError) as missing:
        expand_sources([f"@{tmp_path / 'none.txt'}"])

    assert missing.value.message.count("none.txt") == 1
    assert "Errno" not in missing.value.message
