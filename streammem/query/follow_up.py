"""Follow-up questions: what refers to the answer before becomes a question of its own.

Pure: words, the question before and its evidence go in, a whole question comes out. What is not
understood as a follow-up stays as it is, and so does everything where nothing was asked before.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from streammem.core.timebase import format_time
from streammem.core.types import Channel, Evidence, Question
from streammem.query.parse import parse_question
from streammem.query.question_words import FINITE, WH

# The instant before a span and the stretch behind the end of a stream, in seconds.
_STEP_S = 0.001
_BEYOND_S = 1.0

_LEAD = re.compile(r"^(?:(?:and|ok|okay|so|but|well|now|hm+|also|please)[\s,]+)+", re.IGNORECASE)
_THAT = r"(?:that|this|it|them|those|him|her)"
_THEY = r"(?:it|that|this|he|she|they|there)"
_GOES_ON = (
    r"(?:happens|happened|comes|came|follows|followed|is\s+(?:there|seen|shown)|was\s+\w+|is|was)"
)
_AFTER = re.compile(
    rf"(?:what\s+(?:else\s+)?{_GOES_ON}\s+)?(?:right\s+|just\s+|immediately\s+)?"
    rf"(?:after(?:\s+{_THAT})?|afterwards?|next|then|later)|what\s+follows|then\s+what",
    re.IGNORECASE,
)
_AFTER_SHORT = re.compile(r"what\s+(?:next|then|after)", re.IGNORECASE)
_BEFORE = re.compile(
    rf"(?:what\s+(?:else\s+)?(?:{_GOES_ON}\s+)?)?(?:right\s+|just\s+|immediately\s+)?"
    rf"(?:before(?:\s+{_THAT})?|beforehand|previously|earlier)",
    re.IGNORECASE,
)
_THERE = r"(?:\s+(?:there|then|meanwhile|during\s+that|at\s+that\s+(?:time|moment|point)))?"
_SAID = re.compile(
    rf"what\s+(?:(?:is|was)\s+(?:being\s+)?said|(?:do|does|did)\s+(?:they|he|she|somebody)\s+say"
    rf"|(?:is|are|was|were)\s+(?:they|he|she)\s+saying){_THERE}",
    re.IGNORECASE,
)
_READ = re.compile(
    rf"what\s+(?:does\s+(?:it|that)\s+(?:say|read)|(?:is|was)\s+written){_THERE}", re.IGNORECASE
)
_SEEN = re.compile(
    r"what\s+(?:else\s+)?(?:is|was|happens|happened|can\s+be\s+seen|(?:is|was)\s+(?:seen|shown))"
    r"\s+(?:there|then|meanwhile|during\s+that|at\s+that\s+(?:time|moment|point))",
    re.IGNORECASE,
)
_HOW_LONG = re.compile(
    rf"(?:for\s+)?how\s+long(?:\s+(?:is|was|does|did|has|had|were)\s+{_THEY}"
    r"(?:\s+(?:last|take|stay|take|go\s+on|been|seen|shown|visible|on|for|there|last\s+for))*)?",
    re.IGNORECASE,
)
_HOW_OFTEN = re.compile(
    rf"how\s+(?:many\s+times|often)(?:\s+(?:is|was|does|did)\s+{_THEY}"
    r"(?:\s+(?:happen|appear|seen|shown|come|there|on))*)?",
    re.IGNORECASE,
)
_WHEN = re.compile(
    rf"(?:when|at\s+what\s+time|where)(?:\s+(?:exactly|else|is|was|does|did)|\s+{_THEY}"
    r"|\s+(?:seen|shown|happen|appear|start|begin))*",
    re.IGNORECASE,
)
_ORDINAL = re.compile(
    r"(?:when\s+(?:is|was)\s+)?the\s+(?P<rank>first|second|third|fourth|fifth|sixth|seventh|eighth"
    r"|ninth|tenth|last|final|next|\d+(?:st|nd|rd|th))(?:\s+(?:time|one|visit|occurrence|appearance))?",
    re.IGNORECASE,
)
_STILL = re.compile(
    rf"(?:(?:is|are)\s+{_THEY}\s+)?(?:still\s+)?"
    r"(?:there|visible|on|here|present|shown|seen|in\s+view|on\s+screen)(?:\s+(?:still|now|yet))?",
    re.IGNORECASE,
)
_OTHER = re.compile(r"(?:(?:what|how)\s+about\s+)(?P<thing>.+)", re.IGNORECASE)
_RELATED = re.compile(r"(?:right\s+|just\s+)?(?:before|after|while|during|between)\s+\S.*", re.I)
_PRONOUN = re.compile(r"\b(?:it|that|this|they|them|he|him|she)\b", re.IGNORECASE)
# "It" stands for nothing here, or "that" only joins.
_NO_PRONOUN = re.compile(
    r"\bwhat\s+time\s+is\s+it\b|\b(?:is|was|does|did|it's)\s*(?:it\s+)?(?:rain|snow|dark|day|night)"
    r"|\bthat\s+(?:is|are|was|were|the|a|an|has|have)\b|\b(?:this|that)\s+(?!is\b|was\b)[a-z]+",
    re.IGNORECASE,
)
_RELATIVES = frozenset({"before", "after", "while", "between"})
_ASKS = re.compile(
    rf"^\W*(?:{WH}|why|{FINITE}|show|find|describe|list|tell|count|summari[sz]e)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """A question that was asked, as it was read, and what it found.

    `subject` is what the talk is about. `bounds_s` holds the start and the end of each memory.
    """

    question: Question
    subject: str
    evidence: tuple[Evidence, ...] = ()
    bounds_s: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def best(self) -> Evidence | None:
        """The piece that "it" and "that" mean."""
        return self.evidence[0] if self.evidence else None


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A whole question; `memory_id` where its times are those of one memory."""

    text: str
    memory_id: str | None = None


def resolve_follow_up(text: str, before: Turn | None) -> FollowUp:
    """The question that a text asks after another one; the text itself where it is no follow-up."""
    joined = " ".join(text.split())
    said = _LEAD.sub("", joined).strip(" ?!.,")
    if before is None or not said:
        return FollowUp(text)
    for pattern, reading in _READINGS:
        match = pattern.fullmatch(said)
        found = None if match is None else reading(match, before)
        if found is not None:
            return found
    leads = said != joined.strip(" ?!.,")
    return _elliptical(said, before, leads=leads) or _with_subject(joined, before) or FollowUp(text)


def next_subject(question: Question, before: Turn | None, follow_up: FollowUp) -> str:
    """What the talk is about after a question: its phrase, else what it was about already."""
    if question.phrase:
        return question.phrase
    return before.subject if before is not None and follow_up.memory_id is None else ""


def _after(_match: re.Match[str], before: Turn) -> FollowUp | None:
    return _beside(before, later=True)


def _before(_match: re.Match[str], before: Turn) -> FollowUp | None:
    return _beside(before, later=False)


def _beside(before: Turn, *, later: bool) -> FollowUp | None:
    """What is seen right behind or right in front of the evidence, by its measured times."""
    best = before.best
    if best is None:
        word = "after" if later else "before"
        return FollowUp(f"what happens {word} {before.subject}?") if before.subject else None
    start_s, end_s = before.bounds_s.get(best.memory_id, (0.0, float("inf")))
    if later and best.end_s >= end_s - _STEP_S:
        beyond = f"{format_time(best.end_s)} to {format_time(best.end_s + _BEYOND_S)}"
        return FollowUp(f"what is seen from {beyond}?", best.memory_id)
    if not later and best.start_s <= start_s + _STEP_S:
        return FollowUp(f"what is seen before {format_time(best.start_s)}?", best.memory_id)
    instant_s = best.end_s if later else best.start_s - _STEP_S
    return FollowUp(f"what is seen at {format_time(instant_s)}?", best.memory_id)


def _during(form: str) -> "Reading":
    def read(_match: re.Match[str], before: Turn) -> FollowUp | None:
        best = before.best
        return None if best is None else FollowUp(f"{form} {_range(best)}?", best.memory_id)

    return read


def _how_long(_match: re.Match[str], before: Turn) -> FollowUp | None:
    """The length of the one piece of evidence, else of everything that the talk is about."""
    best = before.best
    if best is not None and len(before.evidence) == 1:
        if before.subject and best.channel is Channel.VISION:
            return FollowUp(f"how long is {before.subject} seen {_range(best)}?", best.memory_id)
        return FollowUp(f"how long is it {_range(best)}?", best.memory_id)
    return FollowUp(f"how long is {before.subject} seen?") if before.subject else None


def _about(form: str) -> "Reading":
    def read(_match: re.Match[str], before: Turn) -> FollowUp | None:
        return FollowUp(form.format(before.subject)) if before.subject else None

    return read


def _ranked(match: re.Match[str], before: Turn) -> FollowUp | None:
    rank = match["rank"].lower()
    if not before.subject:
        return None
    if rank == "next":
        if before.best is None:
            return None
        since = format_time(before.best.end_s)
        return FollowUp(f"when is {before.subject} seen after {since}?", before.best.memory_id)
    rank = {"final": "last"}.get(rank, rank)
    return FollowUp(f"when is the {rank} time {before.subject} is seen?")


def _another(match: re.Match[str], before: Turn) -> FollowUp | None:
    thing = match["thing"]
    return _elliptical(thing, before, leads=True) or FollowUp(_like(before.question, thing))


Reading = Callable[[re.Match[str], Turn], FollowUp | None]

# The first that fits the whole text decides.
_READINGS: tuple[tuple[re.Pattern[str], Reading], ...] = (
    (_AFTER, _after),
    (_AFTER_SHORT, _after),
    (_BEFORE, _before),
    (_SAID, _during("what is said")),
    (_READ, _during("what is written")),
    (_SEEN, _during("what is seen")),
    (_HOW_LONG, _how_long),
    (_HOW_OFTEN, _about("how many times is {} seen?")),
    (_STILL, _about("is {} still there?")),
    (_ORDINAL, _ranked),
    (_WHEN, _about("when is {} seen?")),
    (_OTHER, _another),
)


def _elliptical(said: str, before: Turn, *, leads: bool) -> FollowUp | None:
    """A question without its verb: "and the dog?", "and at 1:30?", "and after the dog?"."""
    if _ASKS.match(said) or "," in said:
        return None
    read = parse_question(said)
    timed = read.start_s is not None or read.end_s is not None or read.relative is not None
    if not read.phrase and timed:
        return FollowUp(f"{_stem(before.question, before.subject)} {said}?")
    if _RELATED.fullmatch(said) and not timed:
        return FollowUp(f"{_stem(before.question, before.subject)} {said}?")
    if leads and read.phrase and read.intent == "when" and not timed:
        return FollowUp(_like(before.question, said))
    return None


def _with_subject(text: str, before: Turn) -> FollowUp | None:
    """A whole question in which a pronoun stands for what the talk is about."""
    if not before.subject or not _PRONOUN.search(text) or _NO_PRONOUN.search(text):
        return None
    words = _LEAD.sub("", text)
    return FollowUp(_PRONOUN.sub(lambda _found: before.subject, words, count=1))


def _like(question: Question, thing: str) -> str:
    """The question before about another thing, within the same relation and range."""
    return f"{_stem(question, thing.strip(' ?!.,'))}{_relation(question)}{_own_range(question)}?"


def _stem(question: Question, thing: str) -> str:
    """A question of the same kind without its relation, its range and its mark."""
    if not thing:
        return "what is seen"
    if question.intent == "what_at" and question.asked == "colour":
        return f"what colour is {thing}"
    if question.intent == "now":
        return f"is {thing} there now"
    return _STEMS.get(question.intent, "when is {} seen").format(thing)


_STEMS = {
    "count": "how many times is {} seen",
    "duration": "how long is {} seen",
    "exists": "is {} there",
    "said": "what is said about {}",
    "read": "what is written about {}",
}


def _relation(question: Question) -> str:
    if question.anchor is None or question.relation not in _RELATIVES:
        return ""
    if question.relation == "between":
        return f" between {question.anchor} and {question.anchor_end}"
    return f" {question.relation} {question.anchor}"


def _own_range(question: Question) -> str:
    start_s, end_s = question.start_s, question.end_s
    if question.intent == "now" or (start_s is None and end_s is None):
        return ""
    if start_s is not None and end_s is not None:
        if start_s == end_s:
            return f" at {format_time(start_s)}"
        return f" from {format_time(start_s)} to {format_time(end_s)}"
    return (
        f" after {format_time(start_s)}"
        if start_s is not None
        else (f" before {format_time(end_s or 0.0)}")
    )


def _range(item: Evidence) -> str:
    return f"from {format_time(item.start_s)} to {format_time(item.end_s)}"
