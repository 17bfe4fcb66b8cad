"""Requests that look ahead: to be told when something happens, and what somebody is about to do."""

import re

_REPORT = (
    r"(?:output|print|write|say|tell\s+me|let\s+me\s+know|notify(?:\s+me)?|alert(?:\s+me)?"
    r"|inform\s+me|remind\s+me|warn\s+me|answer|respond\s+with)"
)
_EVENT_FIRST = re.compile(
    rf"^\W*(?:when|whenever|once|as\s+soon\s+as|if)\s+(?P<event>[^?]+?)\s*[.;]?\s*,\s*"
    rf"(?:please\s+)?{_REPORT}\b[^?]*$",
    re.IGNORECASE,
)
_EVENT_LAST = re.compile(
    r"^\W*(?:let\s+me\s+know|notify\s+me|alert\s+me|inform\s+me|remind\s+me|warn\s+me)\s+"
    r"(?:when|whenever|once|as\s+soon\s+as|if)\s+(?P<event>[^?,]+)$",
    re.IGNORECASE,
)
_AHEAD = re.compile(
    r"\b(?P<verb>(?:about|going|preparing|planning|getting\s+ready|likely|intending)\s+to\s+do)"
    r"(?=\s*[?.!]*\s*$|\s+(?:with|to|about|for)\b)",
    re.IGNORECASE,
)
_ASKS_WHAT = re.compile(r"^\W*what\s+(?:is|are|am)\b", re.IGNORECASE)


def event_to_report(text: str) -> str | None:
    """The event of "When the ball is potted, output ...": what to report, not what else is seen."""
    match = _EVENT_FIRST.match(text) or _EVENT_LAST.match(text)
    return match["event"].strip() if match is not None else None


def without_prospect(text: str) -> str | None:
    """The text without "preparing to do" where it asks for what comes next; None elsewhere."""
    match = _AHEAD.search(text) if _ASKS_WHAT.match(text) else None
    if match is None:
        return None
    return " ".join(f"{text[: match.start()]} {text[match.end() :]}".split())
