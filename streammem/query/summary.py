"""What a memory holds, in short: its longest events, its chapters, what was said and written."""

from collections.abc import Sequence

from streammem.core.timebase import format_time
from streammem.core.types import Channel
from streammem.query.chapters import Part, parts_of
from streammem.query.cues import CueHit, row_until
from streammem.query.inquiry import Inquiry, View
from streammem.query.moments import best_first
from streammem.query.naming import Stretch, stretch_moment, strongest_names
from streammem.query.outcome import Outcome
from streammem.query.ranges import Window
from streammem.query.told import as_hit, as_moment, rows_in_window
from streammem.text.rows import CueRow

_QUOTED = frozenset({Channel.SPEECH, Channel.SUBTITLE, Channel.SCREEN_TEXT, Channel.SOUND})
# So many chapters and quotes are told; `streammem timeline` has all of them.
_MOST_CHAPTERS, _MOST_QUOTES = 8, 3
_QUOTE_CHARS = 80


def describe(inquiry: Inquiry, view: View) -> Outcome:
    """The longest events of the window with their names; chapters and quotes beside them.

    A memory of words alone is told by its words.
    """
    min_confidence = inquiry.options.min_confidence
    parts = parts_of(view.memory, view.window, min_confidence=min_confidence)
    events = [event.stretch for part in parts for event in part.events]
    quotes = rows_in_window(view.memory, view.window, _QUOTED)
    stretches = [stretch for stretch in events if stretch.row >= 0]
    if not stretches:
        hits = [as_hit(quote, view.window) for quote in quotes]
        told = [as_moment(view.memory, hit, view.window, view.scale) for hit in hits]
        spoken = tuple(best_first(told)[: inquiry.options.top_k])
        best = max((moment.confidence for moment in spoken), default=0.0)
        return Outcome(moments=spoken, confidence=best, notes=_beside(view, parts, quotes))
    inquiry.step(view, "describe", "stretches that look different", stretches, len(stretches))
    named = [item for item in stretches if item.names]
    chosen = sorted(named or stretches, key=lambda item: (-item.duration_s, item.start_s))
    longest = chosen[: inquiry.options.top_k]
    kept = tuple(stretch_moment(view.memory, item, view.scale) for item in longest)
    return Outcome(
        moments=kept if named else (),
        nearest=kept,
        confidence=max((moment.confidence for moment in kept), default=0.0),
        labels=strongest_names(stretches),
        notes=(_number(stretches), *_beside(view, parts, quotes)),
    )


def _number(stretches: Sequence[Stretch]) -> str:
    seconds = sum(stretch.duration_s for stretch in stretches)
    return f"{len(stretches)} stretches that look different in all, {seconds:.1f} s"


def _beside(view: View, parts: Sequence[Part], quotes: Sequence[CueRow]) -> tuple[str, ...]:
    """Chapters, where there are several, and the first quotes, in one sentence each."""
    notes = []
    if len(parts) > 1:
        told = [
            f"{_title(part)} {_span(part.start_s, part.end_s)}" for part in parts[:_MOST_CHAPTERS]
        ]
        notes.append(f"{len(parts)} chapters: {'; '.join(told)}{_more(len(parts) - len(told))}")
    words = [quote for quote in quotes if _has_words(quote, view.window)]
    if words:
        hits = [as_hit(quote, view.window) for quote in words[:_MOST_QUOTES]]
        first = [f"{_short(hit.text)!r} {_at(hit)}" for hit in hits]
        notes.append(f"in words: {'; '.join(first)}{_more(len(words) - len(first))}")
    return tuple(notes)


def _has_words(row: CueRow, window: Window) -> bool:
    """Whether any word of a cue was told by the time of the question."""
    if row.cue.end_s <= window.asked_s:
        return bool(row.cue.text)
    return bool(row_until(row, window.asked_s).cue.text)


def _more(left: int) -> str:
    return f"; and {left} more" if left > 0 else ""


def _title(part: Part) -> str:
    return part.title or "without a name"


def _span(start_s: float, end_s: float) -> str:
    return f"({format_time(start_s)} to {format_time(end_s)})"


def _at(quote: CueHit) -> str:
    channel = quote.rows[0].cue.channel.value.replace("_", " ")
    return f"({channel}, {format_time(quote.start_s)})"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _QUOTE_CHARS else f"{text[: _QUOTE_CHARS - 1].rstrip()}…"
