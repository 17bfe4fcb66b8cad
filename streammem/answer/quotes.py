"""Sentences about what was said, written and heard: they quote it, and never say it was seen."""

from collections.abc import Sequence

from streammem.core.timebase import format_time
from streammem.core.types import Channel, Evidence, Findings, Question

# Quotes that one sentence holds, and how much of each.
MAX_QUOTED = 3
MAX_QUOTE_CHARS = 160
_HOW = {
    Channel.SPEECH: "said",
    Channel.SUBTITLE: "said in the subtitles",
    Channel.SCREEN_TEXT: "written on the screen",
    Channel.SOUND: "heard",
    Channel.METADATA: "noted in the file",
}


def is_told(item: Evidence) -> bool:
    """Whether evidence is words or sounds and no picture."""
    return item.channel is not Channel.VISION


def quote(findings: Findings, question: Question) -> str:
    """What was told, in one sentence with times; for numbers and lengths the figure first."""
    evidence = [item for item in findings.evidence if is_told(item)]
    value = findings.value
    if question.intent == "count" and value is not None:
        times = "Once" if value == 1 else f"{int(value)} times"
        return f"{times}: {listed(evidence)}."
    if question.intent == "duration" and value is not None:
        return f"{float(value):.3f} s in all: {listed(evidence)}."
    if question.intent == "choose":
        return f"'{findings.choice}': {listed(evidence[:1])}."
    if isinstance(value, bool):
        return f"{'Yes' if value else 'No'}: {listed(evidence)}."
    sentence = listed(evidence)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def also_told(evidence: Sequence[Evidence], among: Sequence[Evidence]) -> str:
    """A second sentence for words beside what was seen; `among` is the evidence of both."""
    return f" Also {listed(evidence, among)}."


def listed(evidence: Sequence[Evidence], among: Sequence[Evidence] = ()) -> str:
    """Quotes with times, in order of time, the strongest ones where there are many.

    They say of which memory they are where the evidence `among` which they are has several.
    """
    chosen = sorted(evidence[:MAX_QUOTED], key=lambda item: (item.memory_id, item.start_s))
    several = len({item.memory_id for item in (*evidence, *among)}) > 1
    parts = [f"{_told(item)} {_span(item, several=several)}" for item in chosen]
    left = len(evidence) - len(chosen)
    return "; ".join(parts) + (f"; and {left} more" if left > 0 else "")


def _told(item: Evidence) -> str:
    how = _HOW[item.channel]
    if item.text is None:
        return "somebody speaks"
    words = " ".join(item.text.split())
    if len(words) > MAX_QUOTE_CHARS:
        words = words[: MAX_QUOTE_CHARS - 3].rstrip() + "..."
    return f'"{words}" is {how}'


def _span(item: Evidence, *, several: bool) -> str:
    place = f" in {item.memory_id}" if several else ""
    return f"from {format_time(item.start_s)} to {format_time(item.end_s)}{place}"
