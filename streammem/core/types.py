"""The values that cross borders between packages: frames, encoders' facts, gaps, resume points.

Axis letters: B frames in a batch, H W pixels, D embedding width, P patch tokens of a frame,
N rows, M exemplar tokens of a cell. Times are seconds of container presentation time, float64.
"""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Times = NDArray[np.float64]


class Tier(StrEnum):
    """Which store of the memory holds a cell."""

    SENSORY = "sensory"
    WORKING = "working"
    LONG_TERM = "long_term"


class Channel(StrEnum):
    """What kind of perception a piece of evidence comes from."""

    VISION = "vision"
    SPEECH = "speech"
    SCREEN_TEXT = "screen_text"
    SUBTITLE = "subtitle"
    SOUND = "sound"
    METADATA = "metadata"


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture, upright, in RGB.

    `pixels` is uint8 `[3 H W]` (possibly a strided view); `index` counts the frames that the
    reader delivered in presentation order from the start of the stream. `detail` is the same
    picture at a larger size, where that was asked for and the reader can give it.
    """

    pixels: Pixels
    pts_s: float
    duration_s: float
    index: int
    rotation_deg: int = 0
    detail: Pixels | None = None


@dataclass(frozen=True, slots=True)
class TrackInfo:
    """One track of a source. `kind` is `video`, `audio` or `subtitle`."""

    index: int
    kind: str
    codec: str
    duration_s: float | None = None
    language: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What the container says about an opened source. `source` is safe to print: no credentials."""

    source: str
    width: int
    height: int
    frame_rate_hz: float | None
    duration_s: float | None
    start_s: float
    rotation_deg: int
    codec: str
    tracks: tuple[TrackInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """A half-open stretch of the stream that could not be seen, with the reason in words."""

    start_s: float
    end_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """Mono samples, float32 `[S]` in [-1, 1], starting at `pts_s`."""

    samples: Floats
    pts_s: float
    sample_rate_hz: int


@dataclass(frozen=True, slots=True)
class Cue:
    """A timed piece of text: a subtitle line, a speech segment, on-screen text, a sound tag.

    `text` is empty for a stretch in which somebody speaks and no transcript was made.
    `confidence` in [0, 1] is what the recogniser or tagger says, 1 for text that was given;
    `language` is a two-letter code where it is known. `word_times_s` holds (start, end) of each
    word of `text` split at white space, or nothing.
    """

    start_s: float
    end_s: float
    text: str
    channel: Channel
    confidence: float = 1.0
    language: str | None = None
    word_times_s: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """What identifies an encoder and fixes what it needs and gives.

    `digest` covers weights and preprocessing; vectors of two digests are never compared.
    `token_grid` is (rows, columns) of the patch tokens, None where the encoder has none;
    tokens live in the same `dim`-wide space as embeddings.
    """

    id: str
    digest: str
    image_size_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str
    dim: int
    token_grid: tuple[int, int] | None
    similarity: str = "cosine"

    @property
    def token_count(self) -> int:
        """P, the number of patch tokens of a frame."""
        return self.token_grid[0] * self.token_grid[1] if self.token_grid else 0

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` turns back into an equal spec."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The spec that `to_json` wrote."""
        grid = data["token_grid"]
        return cls(
            **{
                **data,
                "mean": tuple(data["mean"]),
                "std": tuple(data["std"]),
                "token_grid": tuple(grid) if grid else None,
            }
        )


@dataclass(frozen=True, slots=True)
class FrameFeatures:
    """What an encoder says about a batch: unit embeddings `[B D]`, tokens `[B P D]` or None."""

    embeddings: Floats
    tokens: Floats | None


@dataclass(frozen=True, slots=True)
class TextFeatures:
    """A unit text embedding `[D]` and the words of the text the encoder does not know.

    `found_share` is how often the encoder finds what the text asks for where a clip shows it, as
    far as that was measured; what it does not find may be there all the same.
    """

    embedding: Floats
    unknown_words: tuple[str, ...] = ()
    found_share: float = 1.0


@dataclass(frozen=True, slots=True)
class Background:
    """Embeddings that a query's score is compared with, to tell presence from absence.

    `vectors` float32 `[N D]`; `kind` is `image` (the query is scored against generic pictures)
    or `text` (a picture is scored against generic phrases). A match of calibrated strength z
    standard deviations over the background has confidence 1 / (1 + exp(-(z - midpoint) / scale)).
    """

    vectors: Floats
    kind: str = "image"
    midpoint: float = 3.0
    scale: float = 0.7


@dataclass(frozen=True, slots=True)
class RuntimeChoice:
    """How an encoder runs; chosen once per memory and stored, so that a resumed run is exact."""

    device: str = "cpu"
    dtype: str = "float32"
    batch_size: int = 32
    threads: int = 1
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` turns back into an equal choice."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The choice that `to_json` wrote."""
        return cls(**data)


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """Frames of the stream: delivered by the decoder, encoded into memory, dropped under load."""

    decoded: int = 0
    encoded: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class ReaderMark:
    """A reader's position after one delivered frame: enough to go on exactly behind it.

    `pixels_digest` is of the sampled frame at `last_sampled_pts_s`; a resumed reader decodes
    that frame again and compares, and starts from the beginning where a seek lands wrong.
    """

    origin_s: float
    last_slot: int
    last_sampled_pts_s: float
    last_pts_s: float
    last_end_s: float
    decoded: int
    pixels_digest: str
    gaps: tuple[Gap, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A dictionary that `from_json` turns back into an equal mark."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The mark that `to_json` wrote."""
        return cls(**{**data, "gaps": tuple(Gap(**gap) for gap in data["gaps"])})


@dataclass(frozen=True, slots=True)
class Evidence:
    """A time span offered for an answer: where it is, how well it fits, where it can be seen.

    `score` is the calibrated confidence in [0, 1]; `time_s` is the best single instant.
    """

    id: str
    memory_id: str
    source: str
    start_s: float
    end_s: float
    time_s: float
    score: float
    channel: Channel
    tier: Tier
    text: str | None = None
    thumbnail: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The evidence object of the JSON documents."""
        data = asdict(self)
        return {**data, "channel": self.channel.value, "tier": self.tier.value}


@dataclass(frozen=True, slots=True)
class RelativeRange:
    """A time range that only a memory can turn into seconds of its stream.

    `kind` says what `start` and `end` count: `from_end` seconds before the end (`start` >= `end`,
    0 is the end itself), `fraction` shares in [0, 1] of the covered time, `wall_clock` seconds
    since midnight. None leaves that side open; equal values mean an instant.
    """

    kind: str
    start: float | None
    end: float | None


@dataclass(frozen=True, slots=True)
class Question:
    """A question as understood without any model.

    `intent` is one of `when`, `what_at`, `exists`, `count`, `duration`, `order`, `now`, `said`,
    `read`, `choose`, `describe`. `phrase` is what to look for, free of question and time words.
    `relation` says for `order` which one: `before`, `after`, `while`, `between`, `next`, `nth`,
    `first`, `last`, `arrange`. `anchor` is the other event's phrase (`anchor_end` the second one
    of `between`), `ordinal` the n of `nth` (negative: from the end; beside `before` and `after`
    it counts the matches in that range). `start_s`, `end_s` are None where unrestricted, equal
    for an instant ("at 1:30"); a range that depends on the memory is in `relative`.
    `asked` is the form of the answer where the words fix it: `yes_no`, `colour`, `end`, `said`,
    `read`, `interval` (the time from one event to another), `content` (what is seen at a time
    that a relation fixes). `items` are events to arrange. `offset_s` is the distance to the
    anchor ("10 seconds after ..."). `negated`: the stem of a choice asks for what is not so, or
    `when` for the time in which the phrase is not seen, or `exists` ("is there no dog?"), whose
    value says all the same whether it is seen.
    `anchor_ordinal`, `anchor_end_ordinal` say which visit of the other events is meant, negative
    from the end, None for the first one that fits. `superlative` is `most_often`, `least_often`
    (by visits), `most_time`, `least_time` (by seconds in all), `longest`, `shortest` (by one
    visit); the phrase is then compared with `items` if there are any. `state` is `still` (whether
    the newest state is the one named) or `changes` (where one state gives way to another; `items`
    are then the states, the new one last).
    """

    text: str
    intent: str
    phrase: str
    start_s: float | None = None
    end_s: float | None = None
    relation: str | None = None
    anchor: str | None = None
    anchor_end: str | None = None
    ordinal: int | None = None
    choices: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    relative: RelativeRange | None = None
    asked: str | None = None
    items: tuple[str, ...] = ()
    offset_s: float | None = None
    negated: bool = False
    anchor_ordinal: int | None = None
    anchor_end_ordinal: int | None = None
    superlative: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What the temporal operators worked out for a question, before it is put into words.

    `value` is a number for `count`, seconds for `duration`, true or false for `exists`;
    `choice` is the chosen option's text; `labels` name what is seen (`what_at`, `describe`,
    `now`), best first, with scores; `evidence` best first; `candidates` is the nearest when
    nothing is strong enough; `confidence` in [0, 1]. `amounts` are what a superlative compared:
    names with their visits or seconds, the largest first. `found_for` says of evidence, by id,
    which of several things it was found for.
    """

    evidence: tuple[Evidence, ...] = ()
    candidates: tuple[Evidence, ...] = ()
    confidence: float = 0.0
    value: float | bool | None = None
    choice: str | None = None
    labels: tuple[tuple[str, float], ...] = ()
    unknown_words: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    amounts: tuple[tuple[str, float], ...] = ()
    found_for: tuple[tuple[str, str], ...] = ()
    explain: dict[str, Any] = field(default_factory=dict)

    @property
    def abstained(self) -> bool:
        """True where nothing was established: a "no" or a count of 0 is an answer."""
        return not self.evidence and self.value is None and self.choice is None


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a question: an answer with its evidence, or an abstention with candidates."""

    question: str
    intent: str | None
    text: str | None
    abstained: bool
    confidence: float
    evidence: tuple[Evidence, ...]
    candidates: tuple[Evidence, ...]
    choice: str | None
    value: float | bool | None
    encoder: str
    answerer: str
    elapsed_ms: dict[str, float]
    notes: tuple[str, ...] = ()
    explain: dict[str, Any] = field(default_factory=dict)
