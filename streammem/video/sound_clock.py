"""The time of every sample of a stream's sound, its gaps, and the places where reading can go on.

Decoded blocks come in with the container's times; mono samples of one rate come out, counted from
the start of the stretch that they belong to, so that no rounding adds up.
"""

import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from streammem.core.types import AudioChunk, Floats, Gap

# Times in containers are rounded and jitter; a stretch is begun anew only where they really jump.
JUMP_S = 0.1
BLOCK_S = 0.5
# Filters and decoders forget within this time what was before it; equal digests prove it.
WARM_UP_S = 0.5
REMEMBERED_S = 120.0
TOUCHING_S = 0.05
MAX_GAPS = 512
_STEPS = 1 << 15
NO_SOUND = "the sound track has a hole"


class SoundPiece(NamedTuple):
    """One item of a decoder's output: a decoded block, or damage where `content` is None.

    `pts_s` is None where the container does not tell the time.
    """

    pts_s: float | None
    duration_s: float
    content: Any
    reason: str = ""


class Mixes(Protocol):
    """What turns decoded blocks into mono samples."""

    def mix(self, frame: Any) -> Floats:
        """float32 `[S]` that are ready with a block, or with None the rest."""


class PieceEar(Protocol):
    """Who hears the sound that is met while pictures are read."""

    def hear(self, pieces: Iterator[SoundPiece]) -> None:
        """Take the pieces of one packet."""


@dataclass(frozen=True, slots=True)
class SoundMark:
    """A position in the sound: enough to go on at exactly the sample at `at_s`.

    A resumed pass starts the mixer at the decoded block at `anchor_pts_s`, `anchor_sample` source
    samples behind the start of its stretch, and compares the digest of the block of mixed samples
    that begins at sample `block` of that stretch, before it delivers anything.
    """

    at_s: float
    origin_s: float = 0.0
    anchor_pts_s: float = 0.0
    anchor_sample: int = 0
    block: int = -1
    digest: str = ""
    first_s: float = math.inf
    damaged: int = 0
    gaps: tuple[Gap, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` turns back into an equal mark."""
        return {**asdict(self), "first_s": None if math.isinf(self.first_s) else self.first_s}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The mark that `to_json` wrote."""
        first_s = math.inf if data["first_s"] is None else data["first_s"]
        return cls(**{**data, "first_s": first_s, "gaps": tuple(Gap(**g) for g in data["gaps"])})


def mono_scale(channels: int) -> float:
    """What mixed samples are multiplied with: FFmpeg adds 3 dB to what several channels share."""
    return 1.0 if channels < 2 else math.sqrt(0.5)


def sixteen_bits(parts: Sequence[NDArray[Any]], scale: float) -> Floats:
    """Samples in one row, scaled, clipped and rounded to 16 bits, so that equal sound is equal."""
    if not parts:
        return np.empty(0, np.float32)
    mixed = np.nan_to_num(np.concatenate(parts).astype(np.float64), posinf=1.0, neginf=-1.0)
    steps = np.rint(mixed * (scale * _STEPS))
    return (np.clip(steps, -_STEPS, _STEPS - 1) / _STEPS).astype(np.float32)


class _Anchor(NamedTuple):
    """A decoded block at which mixing can begin again, and the books as they stood there."""

    pts_s: float
    sample: int
    damaged: int
    gaps: tuple[Gap, ...]


class SoundClock:
    """Mixes decoded blocks and tells each chunk's time; starts anew where the times jump.

    `first_s` is where the sound begins, infinite before anything was heard; `damaged` counts
    packets that could not be decoded.
    """

    def __init__(self, sample_rate_hz: int, new_mixer: Callable[[], Mixes]) -> None:
        self._rate_hz = sample_rate_hz
        self._block_samples = round(BLOCK_S * sample_rate_hz)
        self._new_mixer = new_mixer
        self._mixer: Mixes | None = None
        self._format: tuple[Any, ...] = ()
        self._origin_s = 0.0
        self._source_hz = 0
        # Since the origin: source samples taken, mixed samples given.
        self._taken = 0
        self._given = 0
        self._resuming = False
        self._anchors: deque[_Anchor] = deque()
        self._block: list[Floats] = []
        self._marks: deque[SoundMark] = deque(maxlen=math.ceil(REMEMBERED_S / BLOCK_S))
        self.first_s = math.inf
        self.damaged = 0
        self.gaps: tuple[Gap, ...] = ()

    @classmethod
    def at(cls, mark: SoundMark, sample_rate_hz: int, new_mixer: Callable[[], Mixes]) -> Self:
        """The clock as it stood at a mark's anchor; the block there has to be the next piece."""
        clock = cls(sample_rate_hz, new_mixer)
        clock._origin_s, clock._taken, clock._resuming = mark.origin_s, mark.anchor_sample, True
        clock.first_s, clock.damaged, clock.gaps = mark.first_s, mark.damaged, mark.gaps
        return clock

    @property
    def ends_s(self) -> float:
        """The time behind the last source sample."""
        return self._origin_s + (self._taken / self._source_hz if self._source_hz else 0.0)

    def take(self, piece: SoundPiece) -> Iterator[AudioChunk]:
        """The chunks that become ready with a decoded block or after damage."""
        frame = piece.content
        if frame is None:
            self._note_damage(piece)
            return
        heard_as = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resuming:
            frame = self._meet_grid(frame, heard_as)
        else:
            given_s = self.ends_s if piece.pts_s is None else piece.pts_s
            jumps = given_s - self.ends_s > JUMP_S
            if self._mixer is None or jumps or heard_as != self._format:
                yield from self.rest()
                if jumps and self.first_s < math.inf:
                    self._note_gap(Gap(self.ends_s, given_s, NO_SOUND))
                # Times that go back would let things happen twice; they are counted on instead.
                self._begin(given_s if self.first_s == math.inf or jumps else self.ends_s, heard_as)
        if piece.pts_s is not None:
            self._anchors.append(_Anchor(piece.pts_s, self._taken, self.damaged, self.gaps))
        self._taken += piece.content.samples
        assert self._mixer is not None
        yield from self._chunk(self._mixer.mix(frame))

    def rest(self) -> Iterator[AudioChunk]:
        """What the mixer still holds."""
        if self._mixer is not None:
            mixer, self._mixer = self._mixer, None
            yield from self._chunk(mixer.mix(None))

    def mark(self, at_s: float) -> SoundMark:
        """The position of the sample at `at_s`, at most two minutes behind what was delivered."""
        for mark in reversed(self._marks):
            if self._block_ends_s(mark) <= at_s + 0.5 / self._rate_hz:
                return replace(mark, at_s=at_s)
        return SoundMark(at_s)

    def confirms(self, mark: SoundMark) -> bool:
        """Whether the block that a mark names has come out with equal samples."""
        same = [m for m in self._marks if (m.origin_s, m.block) == (mark.origin_s, mark.block)]
        return not mark.digest or any(m.digest == mark.digest for m in same)

    def _begin(self, origin_s: float, heard_as: tuple[Any, ...]) -> None:
        self._mixer = self._new_mixer()
        self._format, self._source_hz = heard_as, heard_as[-1]
        self._origin_s, self._taken, self._given = origin_s, 0, 0
        self._anchors.clear()
        self._block.clear()
        self.first_s = min(self.first_s, origin_s)

    def _meet_grid(self, frame: Any, heard_as: tuple[Any, ...]) -> Any:
        """The rest of the first block from where source and mixed samples coincide."""
        source_hz, anchor = heard_as[-1], self._taken
        self._begin(self._origin_s, heard_as)
        common = math.gcd(source_hz, self._rate_hz)
        left_out = -anchor % (source_hz // common)
        self._resuming, self._taken = False, anchor
        self._given = (anchor + left_out) // (source_hz // common) * (self._rate_hz // common)
        if left_out == 0 or left_out >= frame.samples:
            return frame
        samples = np.ascontiguousarray(frame.to_ndarray())
        width = len(frame.layout.channels) if not frame.format.is_planar else 1
        rest = type(frame).from_ndarray(
            np.ascontiguousarray(samples[:, left_out * width :]), *heard_as[:2]
        )
        rest.sample_rate, rest.time_base, rest.pts = source_hz, frame.time_base, frame.pts
        return rest

    def _chunk(self, samples: Floats) -> Iterator[AudioChunk]:
        if not len(samples):
            return
        begins_s = self._origin_s + self._given / self._rate_hz
        self._digest(samples)
        yield AudioChunk(samples, begins_s, self._rate_hz)

    def _digest(self, samples: Floats) -> None:
        """Count samples, and mark every block of the stretch's grid that they complete."""
        while len(samples):
            at = self._given % self._block_samples
            part = samples[: self._block_samples - at]
            samples = samples[len(part) :]
            self._given += len(part)
            if at == 0:
                self._block.clear()
            if at == 0 or self._block:
                self._block.append(part)
            if self._block and at + len(part) == self._block_samples:
                self._remember(np.concatenate(self._block))

    def _remember(self, block: Floats) -> None:
        begins = self._given - self._block_samples
        wanted = max(0.0, (begins / self._rate_hz - WARM_UP_S) * self._source_hz)
        while len(self._anchors) > 1 and self._anchors[1].sample <= wanted:
            self._anchors.popleft()
        if self._anchors and self._anchors[0].sample <= wanted:
            anchor = self._anchors[0]
            digest = hashlib.blake2b(block.data, digest_size=16).hexdigest()
            self._marks.append(
                SoundMark(
                    at_s=self._origin_s + self._given / self._rate_hz,
                    origin_s=self._origin_s,
                    anchor_pts_s=anchor.pts_s,
                    anchor_sample=anchor.sample,
                    block=begins,
                    digest=digest,
                    first_s=self.first_s,
                    damaged=anchor.damaged,
                    gaps=anchor.gaps,
                )
            )

    def _block_ends_s(self, mark: SoundMark) -> float:
        return mark.origin_s + (mark.block + self._block_samples) / self._rate_hz

    def _note_damage(self, piece: SoundPiece) -> None:
        self.damaged += 1
        begins_s = self.ends_s if piece.pts_s is None else piece.pts_s
        if piece.duration_s > 0:
            self._note_gap(Gap(begins_s, begins_s + piece.duration_s, piece.reason))

    def _note_gap(self, gap: Gap) -> None:
        self.gaps = with_gap(self.gaps, gap)


def with_gap(gaps: tuple[Gap, ...], gap: Gap) -> tuple[Gap, ...]:
    """Gaps with one more at the end, joined with the last where they touch or are too many."""
    if gaps:
        last = gaps[-1]
        touches = gap.start_s <= last.end_s + TOUCHING_S
        if touches or len(gaps) >= MAX_GAPS:
            joined = Gap(min(last.start_s, gap.start_s), max(last.end_s, gap.end_s), last.reason)
            return (*gaps[:-1], joined)
    return (*gaps, gap)
