"""What a batch costs, fitted from trials; and files that appear, named once they stand still."""

import time
from pathlib import Path

import pytest

from streammem.runtime.batch.planning import _fitted
from streammem.runtime.batch.watching import FolderWatch


def test_costs_of_a_file_and_of_a_second_are_told_apart():
    """Two lengths of each file give back both numbers."""
    line = _fitted([(length, 0.3 + 0.02 * length) for length in (2.0, 10.0, 2.0, 7.0)])

    assert line.per_file == pytest.approx(0.3)
    assert line.per_video_s == pytest.approx(0.02)
    assert line.over(100, 3600.0) == pytest.approx(102.0)


@pytest.mark.parametrize(
    ("points", "per_file", "per_video_s"),
    [
        ([(4.0, 2.0)], 0.0, 0.5),
        ([(4.0, 2.0), (4.0, 4.0)], 0.0, 0.75),
        ([(2.0, 3.0), (10.0, 1.0)], 2.0, 0.0),
        ([(2.0, 0.0), (4.0, 10.0)], 0.0, 2.0),
        ([(0.0, 3.0)], 3.0, 0.0),
    ],
)
def test_no_cost_is_below_zero(
    points: list[tuple[float, float]], per_file: float, per_video_s: float
):
    """One length alone is a rate; noise that would make a number negative makes it zero."""
    line = _fitted(points)

    assert (line.per_file, line.per_video_s) == pytest.approx((per_file, per_video_s))


def polled(watch: FolderWatch, count: int = 1, limit_s: float = 30.0) -> list[str]:
    """What a watch names next, at least `count` things unless `limit_s` is over before."""
    deadline, found = time.monotonic() + limit_s, list[str]()
    while len(found) < count and time.monotonic() < deadline:
        found += [Path(source).name for source in watch.poll()]
        time.sleep(0.01)
    return found


def test_a_watched_file_is_named_once_and_again_when_it_changes(tmp_path: Path):
    """While it grows it is not named."""
    watch = FolderWatch([str(tmp_path)], settle_s=0.3)
    video = tmp_path / "a.mp4"
    for size in range(1, 6):
        video.write_bytes(bytes(size))
        assert watch.poll() == []
        time.sleep(0.02)

    assert polled(watch) == ["a.mp4"]
    assert polled(watch, limit_s=0.6) == []
    video.write_bytes(b"another content")
    (tmp_path / "b.mp4").write_bytes(b"x")
    # Each settles by itself: one look may fall between the two.
    assert sorted(polled(watch, 2)) == ["a.mp4", "b.mp4"]
    assert polled(watch, limit_s=0.6) == []
