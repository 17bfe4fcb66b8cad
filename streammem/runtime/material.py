"""What an answerer with a language model is given: evidence, the recent window, words, pictures."""

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from streammem.answer.base import Material, TimedPicture
from streammem.core.errors import SourceError
from streammem.core.types import Channel, Evidence, Findings, Question, Tier
from streammem.runtime.thumbnails import to_microseconds
from streammem.storage.memory_file import read_thumbnail
from streammem.video.reader import ReaderOptions, open_reader

if TYPE_CHECKING:
    from streammem.runtime.asking import OpenMemory

RECENT_FRAMES = 4
# Words this long before and after a piece of evidence are about it.
WORDS_NEAR_S = 2.0
MAX_CUES = 24
MAX_SHOWN = 20
_SAME_S = 1e-3
_JPEG_QUALITY = 85


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is given, and of which part of the stream: nothing from `at_s` on is told.

    `pictures` bounds the frames, `picture_px` their longer side; `start_s` and `end_s` bound the
    stream time as the options of the question do.
    """

    pictures: int = 8
    picture_px: int = 512
    at_s: float | None = None
    start_s: float | None = None
    end_s: float | None = None

    @property
    def until_s(self) -> float:
        """Where the stream ends for this question."""
        return min(
            float("inf") if self.at_s is None else self.at_s,
            float("inf") if self.end_s is None else self.end_s,
        )


def gather(
    question: Question,
    findings: Findings,
    sentence: str,
    opened: "Sequence[OpenMemory]",
    limits: Limits,
) -> Material:
    """The best evidence or candidates, with what is recent and what was said around it.

    The recent window is that of the memory with the best evidence, or of the only memory asked.
    """
    by_id = {memory.meta.memory_id: memory for memory in opened}
    shown = (findings.evidence or findings.candidates)[:MAX_SHOWN]
    focus = by_id.get(shown[0].memory_id) if shown else None
    if focus is None and len(opened) == 1:
        focus = opened[0]
    recent = () if focus is None else _recent(focus, limits)
    material = Material(
        question=question,
        findings=findings,
        sentence=sentence,
        shown=shown,
        recent=recent,
        cues=_cues((*shown, *recent), by_id, limits),
    )
    return replace(material, pictures=tuple(_pictures(material, by_id, limits)))


def _recent(memory: "OpenMemory", limits: Limits) -> tuple[Evidence, ...]:
    """The newest frames in the range, oldest first; of the sensory ring where it has any there."""
    snapshot = memory.query.snapshot
    start_s = -np.inf if limits.start_s is None else limits.start_s
    inside = (snapshot.exemplar_s < limits.until_s) & (snapshot.exemplar_s >= start_s)
    ring = inside & memory.query.sensory
    rows = np.flatnonzero(ring if ring.any() else inside)
    newest = rows[np.argsort(snapshot.exemplar_s[rows], kind="stable")][-RECENT_FRAMES:]
    return tuple(
        _recent_item(memory, int(row), number, limits) for number, row in enumerate(newest, start=1)
    )


def _recent_item(memory: "OpenMemory", row: int, number: int, limits: Limits) -> Evidence:
    """A frame as evidence. Nothing was searched, so that its score is 0."""
    snapshot = memory.query.snapshot
    time_s = float(snapshot.exemplar_s[row])
    end_s = min(time_s + memory.query.interval_s, limits.until_s)
    return Evidence(
        id=f"r{number}",
        memory_id=memory.meta.memory_id,
        source=memory.meta.source,
        start_s=time_s,
        end_s=max(end_s, time_s),
        time_s=time_s,
        score=0.0,
        channel=Channel.VISION,
        tier=snapshot.tiers[row],
    )


def _cues(
    items: Sequence[Evidence], by_id: "dict[str, OpenMemory]", limits: Limits
) -> tuple[Evidence, ...]:
    """What was said and shown in words around some evidence, in order of time.

    A line that is still going on at the end of the range is left out: its words lie behind it.
    """
    start_s = -np.inf if limits.start_s is None else limits.start_s
    chosen: dict[tuple[str, int], Evidence] = {}
    told = {(item.memory_id, item.start_s, item.text) for item in items if item.text}
    for item in items:
        memory = by_id[item.memory_id]
        for row_id, row in () if memory.query.cues is None else memory.query.cues.rows.items():
            cue = row.cue
            near = (
                cue.start_s < item.end_s + WORDS_NEAR_S and cue.end_s > item.start_s - WORDS_NEAR_S
            )
            asked = cue.end_s <= limits.until_s and cue.start_s >= start_s
            known = (item.memory_id, cue.start_s, cue.text) in told
            if near and asked and cue.text and not known and len(chosen) < MAX_CUES:
                chosen.setdefault(
                    (item.memory_id, row_id),
                    Evidence(
                        id="",
                        memory_id=item.memory_id,
                        source=item.source,
                        start_s=cue.start_s,
                        end_s=cue.end_s,
                        time_s=0.5 * (cue.start_s + cue.end_s),
                        score=cue.confidence,
                        channel=cue.channel,
                        tier=_tier_at(memory, cue.start_s),
                        text=cue.text,
                    ),
                )
    ordered = sorted(chosen.values(), key=lambda cue: (cue.memory_id, cue.start_s, cue.end_s))
    return tuple(replace(cue, id=f"c{number}") for number, cue in enumerate(ordered, start=1))


def _tier_at(memory: "OpenMemory", time_s: float) -> Tier:
    row = memory.query.row_at(time_s)
    return memory.query.snapshot.tiers[row] if row >= 0 else Tier.LONG_TERM


def _pictures(
    material: Material, by_id: "dict[str, OpenMemory]", limits: Limits
) -> Iterator[TimedPicture]:
    """Frames of the evidence, best first, then of the recent window, which gets at most half."""
    share = min(len(material.recent), max(limits.pictures - len(material.shown), 0))
    share = max(share, min(len(material.recent), limits.pictures // 2))
    shown = material.shown[: limits.pictures - share]
    times = [(item.memory_id, item.time_s) for item in shown]
    recent = [
        item
        for item in material.recent[len(material.recent) - share :]
        if not any(
            item.memory_id == name and abs(item.time_s - time_s) < _SAME_S for name, time_s in times
        )
    ]
    for item in (*shown, *recent):
        jpeg = frame_jpeg(by_id[item.memory_id], item.time_s, limits.picture_px)
        if jpeg is not None:
            yield TimedPicture(item.id, item.time_s, jpeg)


def frame_jpeg(memory: "OpenMemory", time_s: float, side_px: int) -> bytes | None:
    """The frame at an instant: from the source file where it is still there, else a thumbnail."""
    pixels = _from_source(memory.meta.source_path, time_s)
    if pixels is not None:
        image = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    else:
        stored = read_thumbnail(memory.path, _stored_at(memory, time_s))
        if stored is None:
            return None
        image = Image.open(io.BytesIO(stored)).convert("RGB")
    image.thumbnail((side_px, side_px), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()


def _from_source(source_path: str | None, time_s: float) -> NDArray[np.uint8] | None:
    if source_path is None or not Path(source_path).exists():
        return None
    options = ReaderOptions(sample_hz=240.0, start_s=max(0.0, time_s - 1e-4), skip_nonref=False)
    try:
        with open_reader(source_path, options) as reader:
            return _first(item.frame.pixels for item in reader.frames())
    except SourceError:
        return None


def _first(pictures: Iterable[NDArray[np.uint8]]) -> NDArray[np.uint8] | None:
    for pixels in pictures:
        return pixels
    return None


def _stored_at(memory: "OpenMemory", time_s: float) -> int:
    """The key of the thumbnail of the cell that shows an instant; keys are of exemplars."""
    row = memory.query.row_at(time_s)
    exact = float(memory.query.snapshot.exemplar_s[row]) if row >= 0 else time_s
    return to_microseconds([time_s if abs(exact - time_s) < _SAME_S else exact])[0]
