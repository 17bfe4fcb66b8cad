"""Subtitle files: found by name, read whatever their encoding and markup."""

from pathlib import Path

import pytest

from streammem.core.errors import SourceError, UsageError
from streammem.core.languages import two_letters
from streammem.core.types import Channel, Cue
from streammem.text.subtitles import (
    find_side_cars,
    joined,
    named_side_car,
    plain_text,
    read_side_car,
)

SRT = """1
00:00:01,000 --> 00:00:02,500
<font color="red"><i>Hello</i></font> {\\an8}there &amp; you

2
00:00:03,000 --> 00:00:04,000
- one line
- another
"""
VTT = """WEBVTT - a title

STYLE
::cue { color: red }

NOTE nothing to show

intro
00:01.000 --> 00:02.500 align:start position:0%
<v Fred>Hi <c.yellow>there</c>, <00:00:01.500>you &lt;two&gt;

00:00:03.000 --> 00:00:04.000
1 < 2
"""
ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,not for the screen
Dialogue: 0,0:00:01.00,0:00:02.50,Default,Fred,0,0,0,,{\\b1}Hello{\\b0}, there\\Nand\\hyou
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\\p1}m 0 0 l 10 10{\\p0}
Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,last, with a comma
"""


def _spans(cues: list[Cue]) -> list[tuple[float, float, str]]:
    return [(cue.start_s, cue.end_s, cue.text) for cue in cues]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "a.srt",
            SRT,
            [(1.0, 2.5, "Hello there & you"), (3.0, 4.0, "- one line\n- another")],
        ),
        ("a.vtt", VTT, [(1.0, 2.5, "Hi there, you <two>"), (3.0, 4.0, "1 < 2")]),
        ("a.ass", ASS, [(1.0, 2.5, "Hello, there\nand you"), (5.0, 6.0, "last, with a comma")]),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_words_and_times_remain_of_every_format(
    tmp_path: Path, name: str, content: str, expected: list[tuple[float, float, str]], newline: str
) -> None:
    """Markup, comments, drawings and entities are not part of the words."""
    path = tmp_path / name
    path.write_bytes(content.replace("\n", newline).encode())
    cues = read_side_car(named_side_car(path))
    assert _spans(cues) == expected
    assert {cue.channel for cue in cues} == {Channel.SUBTITLE}


def test_times_count_from_where_players_count(tmp_path: Path) -> None:
    """A container that begins at 1.4 s shows the line of second one at 2.4 s."""
    path = tmp_path / "a.srt"
    path.write_text(SRT)
    first = read_side_car(named_side_car(path), begins_s=1.4)[0]
    assert (first.start_s, first.end_s) == pytest.approx((2.4, 3.9))


def test_side_cars_are_found_by_name_in_order(tmp_path: Path) -> None:
    """Same stem, any language in between; another video's files are not taken."""
    names = (
        "talk.mp4", "talk.srt", "talk.en.srt", "Talk.captions.RUS.vtt", "talk.chapters.en.vtt",
        "talk.pt-BR.ass", "talk.txt", "talk2.srt", "talker.srt", "other.srt", "talk.mkv",
    )  # fmt: skip
    for name in names:
        (tmp_path / name).write_text(SRT)
    found = find_side_cars(tmp_path / "talk.mp4")
    assert [(car.path.name, car.language, car.channel.value) for car in found] == [
        ("Talk.captions.RUS.vtt", "ru", "subtitle"),
        ("talk.chapters.en.vtt", "en", "metadata"),
        ("talk.en.srt", "en", "subtitle"),
        ("talk.pt-BR.ass", "pt", "subtitle"),
        ("talk.srt", None, "subtitle"),
    ]
    russian = find_side_cars(tmp_path / "talk.mp4", "ru")
    assert [car.path.name for car in russian] == ["Talk.captions.RUS.vtt", "talk.srt"]
    assert find_side_cars(tmp_path / "nothing.mp4") == ()
    assert find_side_cars(Path("synthetic:1")) == ()


def test_what_is_no_subtitle_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """A wrong suffix, an absent file, a file of something else."""
    with pytest.raises(UsageError, match=r"no subtitle file .*absent\.srt"):
        named_side_car(tmp_path / "absent.srt")
    with pytest.raises(UsageError, match="is no subtitle file"):
        named_side_car(tmp_path / "film.mp4")
    bad = tmp_path / "bad.ass"
    bad.write_text("not a script")
    assert read_side_car(named_side_car(bad)) == []
    folder = tmp_path / "gone.srt"
    folder.write_text(SRT)
    car = named_side_car(folder)
    folder.unlink()
    with pytest.raises(SourceError, match="cannot be read") as refusal:
        read_side_car(car)
    assert refusal.value.code == "unreadable_subtitles"


def test_repeated_lines_are_joined_and_rolling_ones_stay() -> None:
    """A line that is shown again at once is one line; one that grows is another."""
    cues = [
        Cue(0.0, 1.0, "one", Channel.SUBTITLE),
        Cue(1.0, 2.0, "one", Channel.SUBTITLE),
        Cue(2.3, 3.0, "one", Channel.SUBTITLE),
        Cue(3.0, 4.0, "one two", Channel.SUBTITLE),
        Cue(9.0, 9.5, "one two", Channel.SUBTITLE),
    ]
    assert _spans(list(joined(cues))) == [
        (0.0, 3.0, "one"),
        (3.0, 4.0, "one two"),
        (9.0, 9.5, "one two"),
    ]


@pytest.mark.parametrize(
    ("code", "two"),
    [("eng", "en"), ("en-US", "en"), ("pt_BR", "pt"), ("GER", "de"), ("und", None), ("", None),
     ("captions", None), (None, None), ("xx", None)],
)  # fmt: skip
def test_language_codes_have_two_letters(code: str | None, two: str | None) -> None:
    """Containers write three letters, names of files anything."""
    assert two_letters(code) == two


def test_real_files_keep_every_line_and_every_script(real_clips: Path) -> None:
    """Arabic stays right to left in logical order, Russian and English as they are."""
    folder = real_clips / "subtitles"
    count = {}
    for path in sorted(folder.glob("*.[vs][tr]t")):
        cues = read_side_car(named_side_car(path))
        count[path.name] = len(cues)
        text = path.read_text(encoding="utf-8")
        raw = "\n".join(" ".join(line.split()) for line in text.splitlines())
        arrows = [line for line in raw.splitlines() if "-->" in line]
        assert len(cues) == len(arrows), path.name
        for cue in cues:
            assert all(line in raw for line in cue.text.splitlines()), cue
            assert "<" not in cue.text
    assert count["elephants_dream.captions.ar.vtt"] == 77
    assert count["physicsworks_lecture.srt"] == 40
    arabic = read_side_car(named_side_car(folder / "elephants_dream.captions.ar.vtt"))
    assert arabic[4].text == "إيمو ؟"
    assert arabic[4].language == "ar"


def test_plain_text_of_nested_markup() -> None:
    """Tags inside words leave no gap in them."""
    assert plain_text("w<i>o</i>rd {\\k20}by{\\k30} word <b> </b>") == "word by word"
