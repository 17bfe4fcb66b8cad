"""What containers declare, on objects that only look like PyAV's."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest

from streammem.video.container_facts import (
    clock_s,
    clockwise,
    declared,
    decoder_threads,
    frame_ticks,
)
from streammem.video.container_text import ContainerWords, metadata_of


def container(name: str, *, duration: int | None, start: int = 0, audio: int = 0) -> Any:
    """A container with a length in microseconds."""
    return SimpleNamespace(
        format=SimpleNamespace(name=name),
        duration=duration,
        start_time=start,
        streams=SimpleNamespace(audio=[object()] * audio),
    )


def track(*, duration: int | None = None, start: int | None = 0, **metadata: str) -> Any:
    """A video track with a clock of milliseconds."""
    return SimpleNamespace(
        time_base=Fraction(1, 1000), duration=duration, start_time=start, metadata=metadata
    )


def test_declared_prefers_the_track_to_the_container():
    """A track's own length starts at the track's start."""
    whole = container("mov,mp4", duration=9_000_000, audio=1)
    assert declared(whole, track(duration=2000, start=1075)) == (2.0, 3.075, False)


def test_declared_reads_matroska_tags_as_end_times():
    """Matroska's DURATION counts from zero, whatever the first frame's time is."""
    whole = container("matroska,webm", duration=9_000_000, audio=1)
    tagged = track(start=33, DURATION="00:00:02.600000000")
    assert declared(whole, tagged) == (2.6, 2.6, False)


def test_declared_trusts_the_container_only_for_a_single_track():
    """With sound beside it, the container's length says nothing of the video alone."""
    alone = container("matroska,webm", duration=3_000_000, start=33_000)
    assert declared(alone, track()) == (3.0, 3.0, False)
    shared = container("flv", duration=3_000_000, start=500_000, audio=1)
    assert declared(shared, track()) == (None, 3.5, True)


@pytest.mark.parametrize("name", ["h264", "matroska,webm"])
def test_declared_is_unknown_where_nothing_says_it(name: str):
    """Raw streams and headers without a length declare nothing."""
    length = 5_000_000 if name == "h264" else None
    assert declared(container(name, duration=length), track()) == (None, None, False)


@pytest.mark.parametrize(
    ("rotation", "expected"), [(0, 0), (-90, 90), (90, 270), (180, 180), (-180, 180), (-(2**31), 0)]
)
def test_clockwise_turns_display_matrices_into_quarter_turns(rotation: int, expected: int):
    """FFmpeg counts counterclockwise; a matrix that makes no sense is no rotation."""
    assert clockwise(rotation) == expected


@pytest.mark.parametrize(("text", "expected"), [("00:01:02.5", 62.5), ("", None), ("x:y:z", None)])
def test_clock_s_reads_matroska_clocks(text: str, expected: float | None):
    """Hours, minutes and seconds; anything else is unknown."""
    assert clock_s(text) == expected


def test_frame_ticks_round_down_as_demuxers_do():
    """30 frames a second in milliseconds are 33 ticks; no rate means no length."""
    rates = {"average_rate": None, "time_base": Fraction(1, 1000)}
    assert frame_ticks(SimpleNamespace(guessed_rate=Fraction(30), **rates)) == 33
    assert frame_ticks(SimpleNamespace(guessed_rate=None, **rates)) == 0


def test_a_decoder_keeps_to_the_threads_of_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless it was asked for others; where nobody said anything it chooses itself."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert (decoder_threads(0), decoder_threads(3)) == (0, 3)
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert (decoder_threads(0), decoder_threads(3)) == (2, 3)
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")
    assert decoder_threads(0) == 0


def test_what_a_container_says_is_kept_as_it_was_when_it_was_opened() -> None:
    """Reading on may change tags and lengths; the cues come from before."""
    chapter = {"start": 0, "end": 5, "time_base": Fraction(1), "metadata": {"title": "One"}}
    opened = SimpleNamespace(
        metadata={"title": "A film"}, start_time=0, duration=9_000_000, chapters=lambda: [chapter]
    )
    fresh = metadata_of(opened, None)
    kept = ContainerWords.of(opened)
    opened.metadata["title"], opened.duration = "Another", 1

    assert metadata_of(kept, None) == fresh
    assert [cue.text for cue in fresh.cues] == ["title: A film", "One"]
    assert metadata_of(opened, None) != fresh
