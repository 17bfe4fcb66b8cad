"""Sources without pictures: the sound gives the time, in steps of a fixed length."""

from collections.abc import Iterator

from streammem.core.types import StreamInfo
from streammem.runtime.hearing import Hearing
from streammem.storage.records import Progress
from streammem.video.reader import ReadReport

# Marks a memory whose source has no pictures, among its reading settings.
SOUND_ONLY = "sound_only"
STEP_S = 16.0


class SoundSteps:
    """The times up to which the sound is heard before each write; the same in every run."""

    def __init__(self, hearing: Hearing, progress: Progress) -> None:
        self._hearing = hearing
        self.begun = progress.commits > 0 and progress.last_end_s is not None
        start_s = hearing.reader.info.start_s if hearing.reader is not None else 0.0
        self.reached_s = (progress.last_end_s or start_s) if self.begun else start_s

    def __iter__(self) -> Iterator[float]:
        """One time after the other, until the sound has ended."""
        while not self._hearing.ended:
            self.reached_s += STEP_S
            yield self.reached_s


def sound_info(hearing: Hearing) -> StreamInfo:
    """What a listing needs of a source of sound."""
    assert hearing.reader is not None
    info = hearing.reader.info
    return StreamInfo(
        source=info.source,
        width=0,
        height=0,
        frame_rate_hz=None,
        duration_s=info.duration_s,
        start_s=info.start_s,
        rotation_deg=0,
        codec=info.codec,
        tracks=info.tracks,
    )


def sound_report(hearing: Hearing) -> ReadReport:
    """What was heard, in the form that pictures are reported in."""
    assert hearing.reader is not None
    report = hearing.reader.report()
    return ReadReport(
        decoded=0,
        first_pts_s=report.first_pts_s,
        last_end_s=report.last_end_s,
        covered_s=report.covered_s,
        duration_s=report.duration_s,
        gaps=report.gaps,
    )
