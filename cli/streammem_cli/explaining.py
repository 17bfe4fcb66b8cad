"""`ask --explain` as text: the plan, what was searched, the steps and their arithmetic."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from streammem.core.timebase import format_time
from streammem_cli.layout import folded, plain

# Candidates and spans that the text lists; the document holds more.
_LISTED = 5
# Parts of the plan that say nothing beside the others.
_UNSAID = frozenset({"text"})


def explanation(explain: Mapping[str, Any]) -> list[str]:
    """The lines of an explanation, at most 80 columns wide where their words allow."""
    if not explain:
        return ["explanation: nothing was searched"]
    lines = ["plan"]
    for name, value in explain["plan"].items():
        if name not in _UNSAID:
            lines += folded(plain(value), f"  {name:<16} ")
    lines += folded(
        f"{explain['min_confidence']:g} and more is an answer", f"  {'confidence':<16} "
    )
    if explain["asked_at_s"] is not None:
        lines += folded(format_time(explain["asked_at_s"]), f"  {'asked at':<16} ")
    lines.append("memories")
    for memory in explain["memories"]:
        lines += _memory(memory)
    lines.append("searches" if explain["searches"] else "searches: none")
    for search in explain["searches"]:
        lines += _search(search)
    lines.append("steps" if explain["steps"] else "steps: none")
    for number, step in enumerate(explain["steps"], start=1):
        lines += _step(number, step)
    return [*lines, *_result(explain["result"])]


def _memory(memory: Mapping[str, Any]) -> Iterator[str]:
    start_s, end_s = memory["window_s"]
    window = f"{format_time(start_s)} to {format_time(end_s)}"
    gaps = "" if memory["covered"] else ", not all of it seen"
    yield from folded(f"{window}{gaps}", f"  {memory['memory_id']}: ", 4)
    against = memory["background"] or "no"
    formula = f"1 / (1 + exp(({memory['midpoint']:g} - z) / {memory['scale']:g}))"
    yield from folded(
        f"{memory['encoder']}, {against} background; confidence = trust * {formula}", "    "
    )


def _search(search: Mapping[str, Any]) -> Iterator[str]:
    start_s, end_s = search["window_s"]
    found = "found" if search["found"] else "not found"
    head = f"{found}, {search['memory_id']}, {format_time(start_s)} to {format_time(end_s)}"
    yield from folded(head, f"  '{search['phrase']}' in {search['in']}: ", 4)
    if search["in"] == "pictures":
        yield from folded(_scoring(search), "    ")
    for candidate in search["candidates"][:_LISTED]:
        yield from folded(_candidate(candidate), "    ", 6)
    more = len(search["candidates"]) - _LISTED
    if more > 0:
        yield f"    and {more} more"


def _scoring(search: Mapping[str, Any]) -> str:
    """How a cosine became a z, and which z was needed."""
    zero = search["zero"]
    formula = "z = (cosine - mean) / deviation of each span"
    if zero is not None:
        formula = f"z = (cosine - {zero[0]:.3f}) / {zero[1]:.3f}"
    if search["shift_z"]:
        formula += f" - {search['shift_z']:.2f}"
    needed = search["needed_z"]
    bar = "no z is enough" if needed is None else f"needed z {needed:.2f}"
    unknown = search["unknown_words"]
    words = f", unknown: {', '.join(unknown)}" if unknown else ""
    return f"{formula}; {bar}; trust {search['trust']:.2f}{words}"


def _candidate(candidate: Mapping[str, Any]) -> str:
    span = f"{format_time(candidate['start_s'])} - {format_time(candidate['end_s'])}"
    text = f'  "{" ".join(candidate["text"].split())}"' if candidate["text"] else ""
    score = f"z {candidate['z']:6.2f}  confidence {candidate['confidence']:.2f}"
    return f"{span}  {score}  {candidate['channel']}{text}"


def _step(number: int, step: Mapping[str, Any]) -> Iterator[str]:
    value = "" if step["value"] is None else f" = {plain(step['value'])}"
    yield from folded(f"{step['text']}{value}", f"  {number}. {step['operator']}: ", 5)
    for line in _spans(step["spans"]):
        yield f"     {line}"


def _spans(spans: Sequence[Sequence[float]]) -> list[str]:
    lines = [f"{format_time(start_s)} - {format_time(end_s)}" for start_s, end_s in spans[:_LISTED]]
    more = len(spans) - _LISTED
    return [*lines, f"and {more} more"] if more > 0 else lines


def _result(result: Mapping[str, Any]) -> list[str]:
    parts = [f"confidence {result['confidence']:.2f}"]
    if result["value"] is not None:
        parts.append(f"value {plain(result['value'])}")
    if result["choice"] is not None:
        parts.append(f"choice {plain(result['choice'])}")
    if result["abstained"]:
        parts.append("abstained")
    return folded(", ".join(parts), "result: ")
