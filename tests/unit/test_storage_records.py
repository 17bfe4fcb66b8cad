import json
import os
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streammem.core.types import (
    EncoderSpec,
    FrameCounts,
    Gap,
    ReaderMark,
    RuntimeChoice,
    StreamInfo,
    TrackInfo,
)
from streammem.storage.gaps import bound_gaps, gap_limit, shorten
from streammem.storage.records import (
    CommitRecord,
    MemoryMeta,
    Progress,
    SectionRecord,
    dump_json,
    load_json,
)

SPEC = EncoderSpec(
    "tiny", "0" * 64, 32, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "bicubic", 8, (2, 3), "cosine"
)
META = MemoryMeta(
    memory_id="clip",
    fingerprint="f" * 64,
    source="rtsp://camera/1",
    source_path="/videos/clip.mp4",
    fps=2.5,
    start_s=1 / 3,
    end_s=None,
    policy="streammem",
    budget_bytes=1 << 20,
    channels=("vision", "speech"),
    encoder=SPEC,
    weights_hint=None,
    runtime=RuntimeChoice("cpu", "float32", 7, 2, "measured"),
    reader={"threads": 2, "skip_nonref": None},
    created_at=1.7e9 + 0.123456789,
    recorded_at=0.1 + 0.2,
    version="0.1.0",
)
FLOATS = st.floats(allow_nan=False)
TIMES = st.floats(-1e9, 1e9)


def _through_json(data: object) -> object:
    return load_json(dump_json(data))


def test_meta_survives_json_with_equal_values_and_types() -> None:
    """What is fixed when a memory begins is read back equal, tuples as tuples."""
    again = MemoryMeta.from_json(_through_json(META.to_json()))

    assert again == META
    assert isinstance(again.channels, tuple)
    assert again.encoder.token_grid == (2, 3)


def test_settings_key_names_what_must_be_equal_for_unchanged() -> None:
    """fps, range, budget, policy, encoder and channels decide; where and when do not."""
    key = META.settings_key()

    assert key == {
        "fps": 2.5,
        "start_s": 1 / 3,
        "end_s": None,
        "budget_bytes": 1 << 20,
        "policy": "streammem",
        "encoder": "tiny",
        "channels": ["vision", "speech"],
    }
    moved = replace(META, source="x", source_path=None, created_at=0.0, version="9", memory_id="b")
    assert moved.settings_key() == key
    for change in ({"fps": 1.0}, {"end_s": 3.0}, {"policy": "fifo"}, {"channels": ("vision",)}):
        assert replace(META, **change).settings_key() != key


@given(
    values=st.lists(FLOATS, min_size=6, max_size=6),
    gaps=st.lists(st.builds(Gap, TIMES, TIMES, st.text(max_size=30)), max_size=9),
    same=st.booleans(),
)
def test_progress_survives_json_exactly(values: list[float], gaps: list[Gap], same: bool) -> None:
    """Every float comes back bit for bit, and gaps written once come back in both places."""
    mark_gaps = tuple(gaps if same else gaps[1:])
    mark = ReaderMark(values[0], 3, values[1], values[2], values[3], 9, "d" * 32, mark_gaps)
    track = TrackInfo(1, "audio", "aac", values[5], "eng", None)
    info = StreamInfo("clip.mp4", 4, 3, None, values[4], values[5], 90, "h264", (track,))
    progress = Progress(
        "partial", info, values[4], values[5], values[0], None, FrameCounts(5, 4, 1), tuple(gaps),
        mark, 4, 2,
    )  # fmt: skip

    assert Progress.from_json(_through_json(progress.to_json())) == progress


def test_commit_record_survives_json_and_tolerates_absent_later_fields() -> None:
    """A record of schema 1, which knew no cues, is read with none."""
    record = CommitRecord(
        Progress(), {"working": 2}, {"working": 9}, 5, {"cells": SectionRecord(3, 7, "ab")}, 1, 2,
        {"speech": 3}, 4, 6,
    )  # fmt: skip
    data = _through_json(record.to_json())
    assert CommitRecord.from_json(data) == record

    for name in ("cue_counts", "cue_bytes"):
        del data[name]
    assert CommitRecord.from_json(data) == replace(record, cue_counts={}, cue_bytes=0)


def test_json_keeps_file_names_that_are_no_unicode_and_numpy_numbers() -> None:
    """A path of stray bytes survives; numbers of arrays become numbers; keys are sorted."""
    stray = os.fsdecode(b"/videos/\xff\xfe.mp4")

    assert load_json(dump_json({"path": stray, "emoji": "🎬"})) == {"path": stray, "emoji": "🎬"}
    assert dump_json({"b": np.int64(3), "a": np.float32(0.5)}) == b'{"a":0.5,"b":3}'
    assert json.loads(dump_json([0.1 + 0.2])) == [0.30000000000000004]


def test_bounded_meta_drops_long_hints_and_cuts_the_printed_source() -> None:
    """A cut path would lead nowhere; a cut name is still readable."""
    long = replace(META, source="s" * 5000, source_path="/" + "p" * 5000, weights_hint="w" * 1024)
    bounded = long.bounded()

    assert META.bounded() == META
    assert len(bounded.source) == 1024
    assert bounded.source.endswith("...")
    assert bounded.source_path is None
    assert bounded.weights_hint == "w" * 1024


def test_few_gaps_stay_as_they_are_and_many_are_joined_closest_first() -> None:
    """Up to the limit nothing changes; beyond it the smallest holes are closed."""
    gaps = tuple(Gap(i * 10.0, i * 10.0 + 1.0, "undecodable") for i in range(16))
    assert bound_gaps(gaps, 16) == gaps

    near = (*gaps, Gap(151.5, 152.0, "lost"))
    joined = bound_gaps(near, 16)
    assert joined == (*gaps[:15], Gap(150.0, 152.0, "several reasons"))


@given(
    st.lists(
        st.tuples(st.floats(0.001, 50), st.floats(0.001, 5), st.sampled_from(("a", "b"))),
        max_size=80,
    ),
    st.integers(0, 80),
)
def test_joining_gaps_in_two_steps_equals_joining_them_at_once(
    steps: list[tuple[float, float, str]], cut: int
) -> None:
    """A resumed run stores the gaps of an undisturbed one, and no gap is lost."""
    gaps, now_s = [], 0.0
    for hole_s, length_s, reason in steps:
        gaps.append(Gap(now_s + hole_s, now_s + hole_s + length_s, reason))
        now_s = gaps[-1].end_s
    at_once = bound_gaps(gaps, 8)

    assert bound_gaps((*bound_gaps(gaps[:cut], 8), *gaps[cut:]), 8) == at_once
    assert len(at_once) <= 8
    assert all(any(g.start_s <= x.start_s and x.end_s <= g.end_s for g in at_once) for x in gaps)


def test_gap_limit_grows_with_the_budget_between_16_and_1024() -> None:
    """Small memories list 16 gaps, the default budget 1024."""
    assert [gap_limit(n << 20) for n in (0, 1, 4, 32, 512)] == [16, 32, 128, 1024, 1024]


@given(st.text(), st.integers(3, 40))
def test_shortened_text_fits_and_keeps_short_text(text: str, limit: int) -> None:
    """A text within the limit is kept; a longer one is a prefix with three dots."""
    short = shorten(text, limit)

    assert len(short.encode("utf-8", "surrogatepass")) <= limit
    assert short == text or (short.endswith("...") and text.startswith(short[:-3]))
