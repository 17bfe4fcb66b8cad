"""Standing questions as values: what is asked for, what was reported, what a replay found out.

Times are seconds of the stream. A strength counts standard deviations above the encoder's
background (see `query.calibrate`), a rise counts deviations of this camera's own scores.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streammem.core.errors import StreamMemError

if TYPE_CHECKING:
    from streammem.core.results import IngestRequest

# The confirmation that needs nobody but the frames themselves.
BY_FRAMES = "frames"
MAX_RULES = 16
MAX_PER_DAY = 200
# Small things move the score of a text little; two pictures of different places reach 2 deviations
# in one of twenty cases.
MIN_TEXT_STRENGTH, MIN_IMAGE_STRENGTH = -1.0, 2.0
# Of things that an encoder was measured on it knows the scores without them: what looks no more
# like "a dog" than a deviation above these is none, whatever moved in the picture.
MIN_MEASURED_STRENGTH = 1.0


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One standing question. Exactly one of `text` and `image` (the path of a picture) is given.

    `threshold` and `release` are rises at which it begins and ends to be seen, `min_strength`
    the least strength for the encoder, None for the usual one; `confirm_frames` of `confirm_of`
    frames within `confirm_window_s` must reach them. `absent_for_s` turns it round: reported is
    that it has not been seen for so long. `confirm` is `frames` or the name of an answerer, which
    has `confirm_timeout_s`. `max_per_day` bounds what is reported in any 24 hours of the stream.
    """

    name: str
    text: str | None = None
    image: str | None = None
    threshold: float = 8.0
    release: float = 4.0
    min_strength: float | None = None
    confirm_frames: int = 3
    confirm_of: int = 5
    confirm_window_s: float = 5.0
    warm_up_s: float = 20.0
    adapt_s: float = 3600.0
    cool_down_s: float = 10.0
    max_per_day: int = 24
    absent_for_s: float | None = None
    confirm: str = BY_FRAMES
    confirm_timeout_s: float = 20.0

    @property
    def least_strength(self) -> float:
        """`min_strength`, or the usual one of texts or of pictures."""
        if self.min_strength is not None:
            return self.min_strength
        return MIN_TEXT_STRENGTH if self.image is None else MIN_IMAGE_STRENGTH


@dataclass(frozen=True, slots=True)
class SinkChoice:
    """Where alerts go besides the caller: a command without a shell, and an address.

    `commands` are argument vectors, `webhooks` addresses, `key_file` holds the key they are
    signed with where the environment has none.
    """

    commands: tuple[tuple[str, ...], ...] = ()
    webhooks: tuple[str, ...] = ()
    key_file: str | None = None


@dataclass(frozen=True, slots=True)
class SiteScores:
    """How this camera scores for a rule while nothing is seen: what rises are counted in.

    `zero` is the usual strength, `spread` one deviation of it, `learnt` how many frames both
    rest on; `low` and `high` are the least and the greatest of them.
    """

    learnt: int
    zero: float
    spread: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Alert:
    """One report. `time_s` is when it was decided, `start_s` since when it is seen (or is not).

    `score` is the largest rise so far, `threshold` the one it had to reach, `strength` and
    `confidence` what the encoder says of that frame. `confirmed` is None where an answerer was
    asked and could not say; `confirmed_by` who decided, `note` why it stands unconfirmed.
    `thumbnail` is a path or None.
    """

    name: str
    looked_for: str
    kind: str
    time_s: float
    start_s: float
    score: float
    threshold: float
    strength: float
    confidence: float
    confirmed: bool | None = True
    confirmed_by: str = BY_FRAMES
    note: str | None = None
    thumbnail: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The entry of `alerts`, and the line that sinks get."""
        return asdict(self)


OnAlert = Callable[[Alert], None]


def _no_alert(_alert: Alert) -> None:
    """The receiver of those who read the result."""


def _no_note(_text: str) -> None:
    """The receiver of those who want no remarks."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class AlertOptions:
    """How alerts are played or watched for, and who hears of them and of remarks.

    `thumbnails` is a folder that receives a picture of each alert. A replay takes the stretch
    `between_s`, reads files as `request` says (None: as configured), and asks `should_stop`; of a
    watch, `source` is what sinks are told.
    """

    sinks: SinkChoice = SinkChoice()
    thumbnails: Path | None = None
    between_s: tuple[float, float] | None = None
    request: "IngestRequest | None" = None
    on_alert: OnAlert = _no_alert
    on_note: Callable[[str], None] = _no_note
    should_stop: Callable[[], bool] = _never
    source: str = ""


@dataclass(frozen=True, slots=True)
class RuleReport:
    """What became of one rule: how often it was reported, held back and why, and its scores.

    `suppressed` counts by reason: `cool_down`, `budget`, `refused` (by the answerer). `site` is
    None as long as the camera is not known. `learning_s` is how much of the stream went by
    before that.
    """

    name: str
    looked_for: str
    alerts: int
    suppressed: Mapping[str, int]
    site: SiteScores | None
    learning_s: float
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The entry of `rules`."""
        return {**asdict(self), "suppressed": dict(self.suppressed)}


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """A replay of alerts over one source or memory.

    `material` says what was looked at: `frames` of a file, or the `cells` of a memory, which
    holds visits and not frames; `none` where `error` says why.
    """

    source: str
    memory_id: str | None
    material: str
    encoder: str
    start_s: float
    end_s: float
    looked_at: int
    alerts: tuple[Alert, ...]
    rules: tuple[RuleReport, ...]
    notes: tuple[str, ...] = ()
    sinks: tuple[Mapping[str, Any], ...] = ()
    error: StreamMemError | None = None

    @classmethod
    def failed(cls, target: str, error: StreamMemError) -> "ReplayResult":
        """The result of a target that could not be played."""
        return cls(target, None, "none", "", 0.0, 0.0, 0, (), (), error=error)

    def to_json(self) -> dict[str, Any]:
        """The entry of `results` in `replay --json`."""
        return {
            "source": self.source,
            "memory_id": self.memory_id,
            "material": self.material,
            "encoder": self.encoder,
            "start_s": self.start_s,
            "end_s": self.end_s,
            "looked_at": self.looked_at,
            "alerts": [alert.to_json() for alert in self.alerts],
            "rules": [rule.to_json() for rule in self.rules],
            "sinks": [dict(sink) for sink in self.sinks],
            "notes": list(self.notes),
            "error": self.error.to_json() if self.error else None,
        }
