"""Times, places and relations in words: the parts that the built-in sentences are made of."""

from collections.abc import Sequence

from streammem.core.timebase import format_time
from streammem.core.types import Evidence, Question

# Spans that one sentence lists; more are counted, not listed.
MAX_LISTED = 5


def rank_words(ordinal: int | None) -> str:
    """`3rd`, or `last` for -1 and `2nd to last` for -2."""
    if ordinal == -1:
        return "last"
    number = abs(ordinal or 1)
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number % 100 not in {11, 12, 13} else 0)
    return f"{number}{ending or 'th'}{' to last' if (ordinal or 1) < 0 else ''}"


def sentence_start(text: str) -> str:
    """The text with its first letter as at the start of a sentence."""
    return text[:1].upper() + text[1:]


def subject(question: Question) -> str:
    """What the question looks for, quoted."""
    return f"'{question.phrase}'" if question.phrase else "it"


def span_words(item: Evidence) -> str:
    """From when to when."""
    return f"from {format_time(item.start_s)} to {format_time(item.end_s)}"


def spans_words(evidence: Sequence[Evidence], *, mark_best: bool = False) -> str:
    """Spans in time order; the best one is named where there are several."""
    listed = sorted(evidence[:MAX_LISTED], key=lambda item: (item.memory_id, item.start_s))
    best = evidence[0]
    parts = [
        f"{span_words(item)}{place_words(item, evidence)}"
        + (" (best match)" if mark_best and item is best and len(listed) > 1 else "")
        for item in listed
    ]
    more = f" and {len(evidence) - MAX_LISTED} more" if len(evidence) > MAX_LISTED else ""
    return joined(parts) + more


def place_words(item: Evidence, evidence: Sequence[Evidence]) -> str:
    """The memory's name where the evidence comes from several."""
    several = len({other.memory_id for other in evidence}) > 1
    return f" in {item.memory_id}" if several else ""


def joined(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def times_words(number: int) -> str:
    """`once`, `2 times`."""
    return "once" if number == 1 else f"{number} times"


def relation_words(question: Question) -> str:
    """` after 'the dog' (2nd visit)`; nothing without another event."""
    if question.anchor is None:
        return ""
    anchor = _event(question.anchor, question.anchor_ordinal)
    if question.relation == "between":
        return f" between {anchor} and {_event(question.anchor_end, question.anchor_end_ordinal)}"
    word = {"next": "right after"}.get(question.relation or "", question.relation or "")
    offset = f" {question.offset_s:g} s" if question.offset_s is not None else ""
    return f"{offset} {word} {anchor}"


def _event(text: str | None, ordinal: int | None) -> str:
    return f"'{text}'" if ordinal is None else f"'{text}' ({rank_words(ordinal)} visit)"
