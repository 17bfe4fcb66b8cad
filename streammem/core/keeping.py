"""What forgetting a stretch and cleaning up a library return, each with its JSON form."""

import re
from dataclasses import asdict, dataclass, field
from typing import Any

from streammem.core.errors import UsageError

_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])", re.IGNORECASE)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def parse_age(text: str) -> float:
    """Seconds written as `90s`, `15m`, `12h`, `30d` or `2w`.

    Raises:
        UsageError: the text is not an age.
    """
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not an age", hint="write for example 30d, 12h or 2w")
    return float(match[1]) * _SECONDS[match[2].lower()]


@dataclass(frozen=True, slots=True)
class Proof:
    """What was looked for after forgetting, and what was found.

    `traces` are byte strings of what went: texts, pictures, codes; `found_before` of them lay in
    the files before, `found_after` lie there now. `nearest` is the largest cosine of what is left
    to what went, `nearest_unexplained` that of anything which frames outside the stretch do not
    explain, `allowed` what chance and those frames allow.
    """

    traces: int
    found_before: int
    found_after: int
    files: tuple[str, ...]
    nearest: float | None
    nearest_unexplained: float | None
    allowed: float | None

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        near = self.nearest_unexplained
        return self.found_after == 0 and (
            near is None or self.allowed is None or near <= self.allowed
        )


@dataclass(frozen=True, slots=True)
class RangeForgotten:
    """A stretch of one memory that was forgotten, or with `removed` False would be.

    `cells` held any of it: `rebuilt` of them were made anew from what the source shows outside of
    it, `dropped` went whole, with `lost_s` seconds outside of it, for the reason in `why_dropped`.
    """

    memory_id: str
    memory_path: str
    start_s: float
    end_s: float
    removed: bool
    cells: int
    rebuilt: int
    dropped: int
    lost_s: float
    frames: int
    cues: int
    thumbnails: int
    file_bytes: int
    why_dropped: str | None = None
    proof: Proof | None = None

    def to_json(self) -> dict[str, Any]:
        """The entry of `results` in `forget --between --json`."""
        data = asdict(self)
        if self.proof is not None:
            data["proof"]["holds"] = self.proof.holds
        return data


@dataclass(frozen=True, slots=True)
class CompactRequest:
    """What to remove from a library: what is older than `keep_s`, the oldest beyond `quota_bytes`.

    `pin` and `unpin` name memories that stay whatever their age, or no longer do.
    """

    keep_s: float | None = None
    quota_bytes: int | None = None
    pin: tuple[str, ...] = ()
    unpin: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compacted:
    """What became of one memory, or would: `action` is `keep`, `remove` or `shrink`.

    `bytes` are those of its files before, `freed_bytes` what went; `reason` says why.
    """

    memory_id: str
    memory_path: str
    action: str
    reason: str
    done: bool
    bytes: int
    freed_bytes: int = 0
    age_s: float | None = None
    pinned: bool = False

    def to_json(self) -> dict[str, Any]:
        """The entry of `results` in `compact --json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class CompactResult:
    """A library after cleaning up: one line per memory, and bytes in all before and after."""

    memories: tuple[Compacted, ...] = field(default_factory=tuple)
    bytes_before: int = 0
    bytes_after: int = 0
