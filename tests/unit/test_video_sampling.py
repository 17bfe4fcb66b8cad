"""Sampling by time and the books of a pass, on bare numbers."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streammem.core.types import Gap, ReaderMark
from streammem.video.sampling import (
    MAX_GAPS,
    StreamEnd,
    Timeline,
    bounded_gaps,
    may_skip_nonref,
    slot_of,
    tail_tolerance_s,
)


def feed(books: Timeline, times: list[float], duration_s: float = 0.04) -> list[float]:
    """Enter frames one after another; returns the times that were taken."""
    taken = []
    for pts_s in times:
        if books.takes(pts_s):
            books.sample(pts_s, duration_s)
            taken.append(pts_s)
        else:
            books.advance(pts_s, duration_s)
    return taken


def test_slot_of_counts_intervals_from_the_origin():
    """The slot is the floor of elapsed time by rate, a hair of rounding forgiven."""
    assert [slot_of(t, 1.0, 2.0) for t in (1.0, 1.49, 1.5, 1.9999999, 2.6)] == [0, 0, 1, 2, 3]


def test_timeline_takes_the_first_frame_of_every_interval():
    """At 25 frames and 2 samples a second the frames at 0, 0.52, 1.0 s and so on are taken."""
    taken = feed(Timeline(2.0), [n / 25 for n in range(60)])
    assert taken == [0.0, 0.52, 1.0, 1.52, 2.0]


def test_timeline_does_not_make_up_for_empty_intervals():
    """After a hole the next frame is taken once, and the grid stays where it was."""
    taken = feed(Timeline(1.0), [0.0, 0.5, 5.7, 5.9, 6.1, 6.9, 7.0])
    assert taken == [0.0, 5.7, 6.1, 7.0]


@given(
    st.lists(st.floats(-1e4, 1e6), min_size=1, max_size=60),
    st.floats(0.05, 60.0),
)
def test_timeline_yields_increasing_times_on_the_grid(times: list[float], sample_hz: float):
    """Whatever order times come in, taken ones increase, one an interval, all counted."""
    books = Timeline(sample_hz)
    taken = feed(books, times)
    assert all(b > a for a, b in itertools.pairwise(taken))
    slots = [slot_of(t, taken[0], sample_hz) for t in taken]
    assert len(set(slots)) == len(slots)
    assert books.decoded == len(times)


@given(st.lists(st.floats(0.001, 3.0), min_size=1, max_size=60), st.floats(0.1, 30.0))
def test_timeline_takes_a_frame_in_every_interval_that_has_one(
    steps: list[float], sample_hz: float
):
    """The shortcut by due time leaves out no interval that an exact test would take."""
    times = [sum(steps[: n + 1]) for n in range(len(steps))]
    taken = feed(Timeline(sample_hz), times)
    assert [slot_of(t, times[0], sample_hz) for t in taken] == sorted(
        {slot_of(t, times[0], sample_hz) for t in times}
    )


def test_timeline_after_a_mark_continues_like_the_one_that_made_it():
    """Books restored from a mark take the same frames and end with the same totals."""
    times = [n / 10 for n in range(100)]
    whole, marks = Timeline(3.0), []
    for pts_s in times:
        if whole.takes(pts_s):
            whole.sample(pts_s, 0.1)
            marks.append((pts_s, whole.mark("digest")))
        else:
            whole.advance(pts_s, 0.1)
    for at_s, mark in marks:
        again = Timeline.after(ReaderMark.from_json(mark.to_json()), 3.0)
        rest = feed(again, [t for t in times if t > at_s], 0.1)
        assert rest == [t for t, _ in marks if t > at_s]
        assert again.covered_s() == whole.covered_s()
        assert again.decoded == whole.decoded


def test_timeline_covers_from_the_first_frame_to_the_end_of_the_last():
    """Covered time is last pts + its duration - first pts."""
    books = Timeline(2.0)
    feed(books, [1.0, 1.04, 1.08])
    books.finish(StreamEnd(declared_end_s=1.12, frame_s=0.04))
    assert books.covered_s() == pytest.approx(0.12)
    assert books.gaps == ()


def test_timeline_records_damage_as_the_stretch_between_good_frames():
    """The gap reaches from the end of the last good frame to the next good one."""
    books = Timeline(10.0)
    feed(books, [0.0, 0.04])
    books.damaged(0.08, 0.04, "broken")
    books.damaged(0.12, 0.04, "broken too")
    feed(books, [0.2])
    assert books.gaps == (Gap(0.08, 0.2, "broken"),)
    assert books.covered_s() == pytest.approx(0.12)


def test_timeline_ignores_a_hole_without_damage():
    """A long pause between frames is how variable rates look, not a gap."""
    books = Timeline(10.0)
    feed(books, [0.0, 9.0])
    assert books.gaps == ()


def test_timeline_keeps_damage_for_the_place_it_belongs_to():
    """An error met early, in decoding order, waits until the frames before it are out."""
    books = Timeline(10.0)
    feed(books, [0.0])
    books.damaged(0.12, 0.04, "broken")
    feed(books, [0.04, 0.08])
    assert books.gaps == ()
    feed(books, [0.16])
    assert books.gaps == (Gap(0.12, 0.16, "broken"),)


def test_timeline_sparse_books_blame_only_the_damaged_packets():
    """Where frames are skipped on purpose, a gap reaches only as far as the damage."""
    books = Timeline(10.0, sparse=True)
    feed(books, [0.0])
    books.damaged(0.2, 0.04, "broken")
    feed(books, [0.4])
    assert [(gap.start_s, round(gap.end_s, 9)) for gap in books.gaps] == [(0.2, 0.24)]


def test_timeline_sparse_books_cover_what_was_skipped_at_the_end():
    """The last skipped packets count as seen, those after damage do not."""
    books = Timeline(10.0, sparse=True)
    feed(books, [0.0])
    books.finish(StreamEnd(seen_end_s=1.0, declared_end_s=1.0, frame_s=0.04))
    assert books.last_end_s == 1.0
    hurt = Timeline(10.0, sparse=True)
    feed(hurt, [0.0])
    hurt.damaged(0.5, 0.04, "broken")
    hurt.finish(StreamEnd(seen_end_s=1.0, declared_end_s=1.0, frame_s=0.04))
    assert hurt.last_end_s == 0.5
    assert hurt.gaps == (Gap(0.5, 1.0, "broken"),)


def test_timeline_tells_of_a_missing_tail():
    """An end clearly before the declared one is a gap up to there."""
    books = Timeline(2.0)
    feed(books, [0.0, 0.04])
    books.finish(StreamEnd(declared_end_s=5.0, frame_s=0.04))
    assert books.gaps == (Gap(0.08, 5.0, "the track ends before its declared end"),)
    assert books.covered_s() == pytest.approx(0.08)


def test_timeline_stopped_on_request_has_no_tail_gap():
    """Reading only up to a limit leaves nothing missing after it."""
    books = Timeline(2.0)
    feed(books, [0.0, 0.04])
    books.finish(StreamEnd(declared_end_s=5.0), limit_s=1.0, reached_limit=True)
    assert books.gaps == ()


def test_timeline_cuts_the_declared_end_at_the_limit():
    """A stream that breaks off before the limit misses the stretch up to the limit only."""
    books = Timeline(2.0)
    feed(books, [0.0, 0.04])
    books.finish(StreamEnd(declared_end_s=9.0, frame_s=0.04), limit_s=2.0)
    assert books.gaps == (Gap(0.08, 2.0, "the track ends before its declared end"),)


def test_timeline_tells_when_times_go_back_for_good():
    """A second or more of frames with earlier times becomes a gap of their length."""
    books = Timeline(1.0)
    feed(books, [10.0, 10.5], 0.5)
    feed(books, [0.0, 0.5, 1.0, 1.5], 0.5)
    books.finish(StreamEnd())
    assert books.gaps == (Gap(11.0, 13.0, "the times of the last 4 frames go back"),)


def test_timeline_with_damage_before_the_first_frame_tells_of_it():
    """A damaged head is a gap before the first frame and does not lessen what is covered."""
    books = Timeline(1.0)
    books.damaged(0.0, 0.1, "broken")
    books.damaged(0.1, 0.1, "broken")
    feed(books, [0.2], 0.1)
    assert books.gaps == (Gap(0.0, 0.2, "broken"),)
    assert books.covered_s() == pytest.approx(0.1)


def test_timeline_survives_endless_damage_in_bounded_space():
    """Thousands of damaged packets without a picture are kept as one stretch."""
    books = Timeline(1.0)
    feed(books, [0.0], 0.1)
    for n in range(1, 5000):
        books.damaged(n / 10, 0.1, "broken")
    feed(books, [500.0], 0.1)
    assert books.gaps == (Gap(0.1, 500.0, "broken"),)


def test_bounded_gaps_joins_the_closest_first():
    """Over the limit, the two gaps with the least between them become one."""
    gaps = (Gap(0, 1, "a"), Gap(5, 6, "b"), Gap(6.5, 7, "c"), Gap(20, 21, "d"))
    assert bounded_gaps(gaps, 3) == (Gap(0, 1, "a"), Gap(5, 7, "b"), Gap(20, 21, "d"))


def test_timeline_never_lists_more_gaps_than_a_mark_may_hold():
    """A stream with damage every other frame stays within the bound, all of it inside."""
    books = Timeline(1.0)
    for n in range(4 * MAX_GAPS):
        if n % 2:
            books.damaged(float(n), 1.0, "broken")
        else:
            feed(books, [float(n)], 1.0)
    assert len(books.gaps) == MAX_GAPS
    assert sum(gap.end_s - gap.start_s for gap in books.gaps) >= 2 * MAX_GAPS - 1


@pytest.mark.parametrize(
    ("codec", "rate_hz", "sample_hz", "allowed"),
    [
        ("h264", 30.0, 2.0, True),
        ("hevc", 16.0, 2.0, True),
        ("h264", 10.0, 2.0, False),
        ("vp9", 30.0, 1.0, False),
        ("h264", None, 1.0, False),
    ],
)
def test_may_skip_nonref_asks_for_enough_frames_a_sample(
    codec: str, rate_hz: float | None, sample_hz: float, allowed: bool
):
    """Only for codecs that mark them, and only with eight frames or more a sample."""
    assert may_skip_nonref(codec, rate_hz, sample_hz) is allowed


def test_tail_tolerance_grows_with_length_up_to_two_seconds():
    """Two frames, a quarter second or one percent, whichever is longest, at most 2 s by length."""
    assert tail_tolerance_s(10.0, 0.04) == 0.25
    assert tail_tolerance_s(100.0, 0.04) == 1.0
    assert tail_tolerance_s(36000.0, 0.04) == 2.0
    assert tail_tolerance_s(36000.0, 10.0) == 20.0
    assert math.isclose(tail_tolerance_s(61.0, 1.0), 2.0)
