"""Subtitle files parsed by pysubs2, the only module that imports it."""

from collections.abc import Iterator
from typing import Any

from streammem.core.errors import SourceError

FORMATS = {".srt": "srt", ".vtt": "vtt", ".ass": "ass", ".ssa": "ssa"}


def events(text: str, suffix: str, shown: str) -> Iterator[tuple[float, float, str]]:
    """(start, end, marked-up text) of each line of dialogue, in seconds.

    Raises:
        SourceError: the text is no subtitle file of that kind.
    """
    import pysubs2

    try:
        parsed: Any = pysubs2.SSAFile.from_string(text, format_=FORMATS[suffix])
    except (pysubs2.exceptions.Pysubs2Error, ValueError, IndexError, KeyError) as error:
        raise SourceError(
            f"{shown} cannot be read as subtitles: {error}",
            hint="give a .srt, .vtt or .ass file, or --subtitles none",
            code="bad_subtitles",
        ) from error
    for event in parsed:
        if not event.is_comment and not event.is_drawing:
            yield event.start / 1000, event.end / 1000, event.text
