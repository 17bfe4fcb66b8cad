"""Moments of what was said and shown in words: where a phrase fits, and what a window holds."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from streammem.core.types import Channel, Times
from streammem.query.calibrate import Scale
from streammem.query.cues import CueHit, query_words, row_until
from streammem.query.memories import QueryMemory, Rows
from streammem.query.moments import Moment
from streammem.query.ranges import Window
from streammem.text.rows import CueRow

_CHANNELS = tuple(Channel)
# What a cue without a length is taken to last.
_INSTANT_S = 1e-9
SPOKEN = frozenset({Channel.SPEECH, Channel.SUBTITLE})
READ = frozenset({Channel.SCREEN_TEXT})
HEARD = frozenset({Channel.SOUND})
EVERY = SPOKEN | READ | HEARD | {Channel.METADATA}
# Cues belong to the answer down to this part of the best one's confidence.
RELATIVE_CUT = 0.75
# Mentions closer than this are one mention.
MENTION_GAP_S = 1.0
# A question that may be about pictures is answered by words only where their meaning is this much
# nearer than a question for words needs.
SIGHT_MARGIN = 0.08
# A title says that the recording is about something, not that it happens.
METADATA_WEIGHT = 0.85
# Words for speaking itself: they ask for the stretches in which somebody speaks.
_SPEAKING = re.compile(
    r"(?:some(?:body|one)|any(?:body|one)|people|person|man|woman|he|she|they|voices?|speech"
    r"|speak(?:s|ing|ers?)?|spoken|talk(?:s|ing)?|says?|saying|conversations?|dialogues?|narrat\w+"
    r"|humans?|words?|hear|heard)"
)
_SPEECH_ACTS = re.compile(
    r"(?:voices?|speech|speak\w*|talk\w*|conversations?|dialogues?|narrat\w+)"
)


@dataclass(frozen=True, slots=True)
class Told:
    """Where a phrase is told: `found` in time order, `nearest` best first, best confidence."""

    found: tuple[Moment, ...] = ()
    nearest: tuple[Moment, ...] = ()
    confidence: float = 0.0


def told(
    memory: QueryMemory,
    phrase: str,
    window: Window,
    scale: Scale,
    *,
    channels: frozenset[Channel] = EVERY,
    min_confidence: float,
    margin: float = 0.0,
) -> Told:
    """The cues of these channels that fit a phrase, within a window."""
    if memory.cues is None or not window.inside or not phrase:
        return Told()
    if asks_for_speech(phrase) and channels & SPOKEN:
        speech = in_window(memory, window, scale, channels=channels & SPOKEN)
        if speech:
            found = tuple(join_mentions(speech))
            return Told(found, found, max(moment.confidence for moment in found))
    hits = [
        hit
        for hit in memory.cues.search(phrase, channels, margin=margin, until_s=window.asked_s)
        if _overlaps(hit, window)
    ]
    moments = [as_moment(memory, hit, window, scale) for hit in hits]
    moments.sort(key=lambda moment: -moment.confidence)
    if not moments:
        return Told()
    best = moments[0].confidence
    cut = max(min_confidence, RELATIVE_CUT * best)
    found = tuple(
        sorted(
            (moment for moment in moments if moment.confidence >= cut),
            key=lambda moment: (moment.start_s, moment.end_s),
        )
    )
    return Told(found, tuple(moments), best)


def in_window(
    memory: QueryMemory, window: Window, scale: Scale, *, channels: frozenset[Channel]
) -> list[Moment]:
    """Every cue of these channels that lies in a window, in order of time."""
    rows = rows_in_window(memory, window, channels)
    moments = [as_moment(memory, as_hit(row, window), window, scale) for row in rows]
    return sorted(moments, key=lambda moment: (moment.start_s, moment.end_s))


def rows_in_window(
    memory: QueryMemory, window: Window, channels: frozenset[Channel]
) -> list[CueRow]:
    """The cues of these channels that lie in a window, whole, in order of time."""
    if memory.cues is None or not window.inside:
        return []
    rows = memory.cues.in_time_order
    starts_s, ends_s, kinds = _columns(memory, rows)
    inside = np.isin(kinds, [_CHANNELS.index(channel) for channel in channels])
    inside &= starts_s < window.limit_s
    if window.instant:
        inside &= starts_s <= window.start_s
        inside &= np.maximum(ends_s, np.nextafter(starts_s, np.inf)) > window.start_s
    else:
        inside &= starts_s < window.end_s
        inside &= np.maximum(ends_s, starts_s + _INSTANT_S) > window.start_s
    return [rows[place] for place in np.flatnonzero(inside).tolist()]


def _columns(memory: QueryMemory, rows: Sequence[CueRow]) -> tuple[Times, Times, Rows]:
    """Starts, ends and channels of a memory's cues in order of time; computed once."""
    if "cue_columns" not in memory.derived:
        memory.derived["cue_columns"] = (
            np.array([row.cue.start_s for row in rows], np.float64),
            np.array([row.cue.end_s for row in rows], np.float64),
            np.array([_CHANNELS.index(row.cue.channel) for row in rows], np.int64),
        )
    columns: tuple[Times, Times, Rows] = memory.derived["cue_columns"]
    return columns


def as_hit(row: CueRow, window: Window) -> CueHit:
    """A cue as a hit that was found by its time alone, as far as it was told by then."""
    return CueHit((row_until(row, window.asked_s),), row.cue.confidence, 0.0, "time", None)


def as_moment(memory: QueryMemory, hit: CueHit, window: Window, scale: Scale) -> Moment:
    """A hit as a moment, cut to the window where that is a stretch."""
    start_s, end_s = hit.start_s, min(hit.end_s, window.limit_s)
    if memory.end_s > start_s:
        end_s = min(end_s, memory.end_s)
    time_s = hit.time_s if hit.time_s is not None else 0.5 * (start_s + end_s)
    time_s = window.start_s if window.instant else min(max(time_s, start_s), end_s)
    channel = hit.rows[0].cue.channel
    confidence = hit.confidence * (METADATA_WEIGHT if channel is Channel.METADATA else 1.0)
    return Moment(
        memory=memory,
        start_s=start_s,
        end_s=end_s,
        time_s=time_s,
        strength=scale.strength(confidence) + 1e-6 * math.tanh(hit.rank / 100.0),
        confidence=confidence,
        row=memory.row_at(time_s),
        text=hit.text or None,
        channel=channel,
    )


def join_mentions(moments: Iterable[Moment]) -> list[Moment]:
    """Moments in order of time, those that follow each other at once as one, words together."""
    joined: list[Moment] = []
    for moment in moments:
        last = joined[-1] if joined else None
        if last is not None and moment.start_s - last.end_s <= MENTION_GAP_S:
            words = " ".join(filter(None, (last.text, moment.text)))
            better = max(last, moment, key=lambda item: item.confidence)
            joined[-1] = replace(
                better,
                start_s=last.start_s,
                end_s=max(last.end_s, moment.end_s),
                text=(words if last.text != moment.text else last.text) or None,
            )
        else:
            joined.append(moment)
    return joined


def within(moments: Sequence[Moment], spans: Sequence[Moment]) -> list[Moment]:
    """The moments that overlap any of some spans of the same memory."""
    return [
        moment
        for moment in moments
        if any(moment.start_s < span.end_s and moment.end_s > span.start_s for span in spans)
    ]


def asks_for_speech(phrase: str) -> bool:
    """Whether a phrase names nothing but that somebody speaks."""
    words = query_words(phrase)
    return (
        bool(words)
        and all(_SPEAKING.fullmatch(word) for word in words)
        and any(_SPEECH_ACTS.fullmatch(word) for word in words)
    )


def _overlaps(hit: CueHit, window: Window) -> bool:
    return _lies_in(hit.start_s, hit.end_s, window)


def _lies_in(start_s: float, end_s: float, window: Window) -> bool:
    if start_s >= window.limit_s:
        return False
    if window.instant:
        return start_s <= window.start_s < max(end_s, math.nextafter(start_s, math.inf))
    return start_s < window.end_s and max(end_s, start_s + _INSTANT_S) > window.start_s
