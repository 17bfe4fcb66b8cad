"""Subtitle files beside a video: found by name, decoded from any encoding, freed of markup."""

import hashlib
import html
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from streammem.core.errors import SourceError, UsageError, reason_of
from streammem.core.languages import two_letters
from streammem.core.types import Channel, Cue
from streammem.text._pysubs2 import FORMATS, events
from streammem.text.encodings import decode_text

MAX_FILES = 8
_MAX_BYTES = 32 * 1024 * 1024
# A folder that was changed this shortly before it was looked at may change again unseen.
_SETTLED_NS = 2_000_000_000
_DRAWING = re.compile(r"\{[^{}]*\\p[1-9][^{}]*\}.*?(?=\{[^{}]*\\p0[^{}]*\}|$)", re.DOTALL)
_OVERRIDES = re.compile(r"\{[^{}]*\}")
_MARKUP = re.compile(r"</?[A-Za-z][^<>\n]*>|<\d[\d:.]*>")
_CHAPTERS = "chapters"


@dataclass(frozen=True, slots=True)
class SideCar:
    """A subtitle file. `language` has two letters where its name tells it."""

    path: Path
    language: str | None
    channel: Channel

    def digest(self) -> str:
        """What identifies its content.

        Raises:
            SourceError: it cannot be read.
        """
        return hashlib.blake2b(_read(self.path), digest_size=16).hexdigest()


def find_side_cars(video: Path, language: str | None = None) -> tuple[SideCar, ...]:
    """The subtitle files that belong to a video by their names, at most eight, in order of name.

    They lie in the same folder and begin with the video's stem: `talk.srt`, `talk.en.srt`,
    `talk.captions.en.vtt`. With a `language` only those of it, or of none that is named.
    """
    if not video.is_file():
        return ()
    stem = video.stem.casefold()
    found = []
    for name in _subtitle_names(video.parent):
        rest = name.casefold().removeprefix(stem)
        if name.casefold().startswith(stem) and rest.startswith(".") and name != video.name:
            path = video.parent / name
            if path.is_file():
                found.append(_side_car(path, rest))
    wanted = [car for car in found if language is None or car.language in (language, None)]
    return tuple(wanted[:MAX_FILES])


def _subtitle_names(folder: Path) -> tuple[str, ...]:
    """The names in a folder that end like those of subtitle files, in order.

    A batch asks for each of its files: a folder that has not changed is read once for all.
    """
    status = folder.stat()
    if time.time_ns() - status.st_mtime_ns < _SETTLED_NS:
        return _listed(folder)
    return _listed_once(folder, status.st_ino, status.st_mtime_ns)


@lru_cache(maxsize=16)
def _listed_once(folder: Path, _number: int, _changed_ns: int) -> tuple[str, ...]:
    return _listed(folder)


def _listed(folder: Path) -> tuple[str, ...]:
    suffixes = tuple(FORMATS)
    with os.scandir(folder) as entries:
        return tuple(sorted(e.name for e in entries if e.name.casefold().endswith(suffixes)))


def named_side_car(path: Path) -> SideCar:
    """The subtitle file that somebody named.

    Raises:
        UsageError: there is none, or it is of no known kind.
    """
    if path.suffix.casefold() not in FORMATS:
        raise UsageError(
            f"{path} is no subtitle file", hint=f"one of {', '.join(FORMATS)}; or auto, or none"
        )
    if not path.is_file():
        raise UsageError(f"there is no subtitle file {path}", hint="check the path")
    return _side_car(path, path.name.casefold())


def read_side_car(car: SideCar, begins_s: float = 0.0) -> list[Cue]:
    """The cues of a file in order of time; lines that only go on are joined.

    Args:
        car: The file.
        begins_s: The stream's time at which players start to count.

    Raises:
        SourceError: it cannot be read, or is no subtitle file.
    """
    text = decode_text(_read(car.path), car.language)
    cues = []
    for start_s, end_s, marked_up in events(text, car.path.suffix.casefold(), str(car.path)):
        words = plain_text(marked_up)
        if words and end_s >= start_s:
            span = (begins_s + start_s, begins_s + end_s)
            cues.append(Cue(*span, words, car.channel, language=car.language))
    return list(joined(sorted(cues, key=lambda cue: (cue.start_s, cue.end_s))))


def joined(cues: Iterable[Cue], gap_s: float = 0.5) -> Iterator[Cue]:
    """Cues in order of time, those that repeat the one before them joined with it.

    A line that takes up the last one and adds to it, as rolling captions do, stays: it holds more.
    """
    held: Cue | None = None
    for cue in cues:
        if held is not None and cue.text == held.text and cue.start_s - held.end_s <= gap_s:
            held = Cue(
                held.start_s, max(held.end_s, cue.end_s), held.text, held.channel,
                held.confidence, held.language,
            )  # fmt: skip
            continue
        if held is not None:
            yield held
        held = cue
    if held is not None:
        yield held


def plain_text(marked_up: str) -> str:
    r"""The words of a line: override tags, drawings, markup and entities gone, `\N` a newline."""
    text = _OVERRIDES.sub("", _DRAWING.sub("", marked_up))
    text = text.replace(r"\N", "\n").replace(r"\n", "\n").replace(r"\h", " ")
    text = html.unescape(_MARKUP.sub("", text))
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _side_car(path: Path, rest: str) -> SideCar:
    parts = [part for part in rest.split(".") if part][:-1]
    languages = [code for code in map(two_letters, reversed(parts)) if code is not None]
    channel = Channel.METADATA if _CHAPTERS in parts else Channel.SUBTITLE
    return SideCar(path, languages[0] if languages else None, channel)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read: {reason_of(error)}",
            hint="check its permissions, or say --subtitles none",
            code="unreadable_subtitles",
        ) from error
    if len(data) > _MAX_BYTES:
        raise SourceError(
            f"{path} is larger than any subtitle file",
            hint="say --subtitles none",
            code="bad_subtitles",
        )
    return data
