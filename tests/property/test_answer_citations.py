"""Whatever a model writes: no unknown id, no time that was not measured, no rule broken."""

import re
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from streammem.answer.base import Material
from streammem.answer.citations import check_reply
from streammem.core.timebase import format_time
from streammem.core.types import Channel, Evidence, Findings, Tier
from streammem.query.parse import parse_question

# Written anew here: what a reader would take for a time or an id.
CLOCK = re.compile(r"\d+\s*[:\uff1a]\s*\d+(?:\s*[:\uff1a]\s*\d+)?(?:[.,]\d+)?")
LENGTH = re.compile(
    r"(\d+(?:[.,]\d+)*)\s*-?\s*(?:s|sec|secs|seconds?|min|mins|minutes?|h|hrs?|hours?|ms)\b"
    r"|\b(seconds|minutes?|hours?)\b",
    re.IGNORECASE,
)
ID = re.compile(r"\b[erc]\d+\b", re.IGNORECASE)

FRAGMENTS = [
    "the man sits", "a dog", "It is red", "Yes", "No", "and", "at", "from", "to", "until", "for",
    "after", "about", "in", "a second", "one second", "half an hour", "a few minutes", "twenty two",
    "seconds", "minutes", "hours", "min", "s", "h", "pm", "o'clock", "frame 12", "timestamp 3",
    "0:15", "00:00:15.500", "99:99", "1:2:3", "12.5 s", "90s", "3 min", "1m30s", "15:30:99.5",
    "7 times", "twice", "[e1]", "[e2]", "[e99]", "(e1)", "[e1, e7]", "[r1]", "[c1]", "[c8]", "e1",
    "e77", "E3", "\u3010e1\u3011", "[", "]", "(", ")", ".", "!", "?", ",", ":", ";", "\n", "\t",
    "\u200b", "\uff10\uff1a\uff15\uff19", "\u0661\u0662:\u0663\u0664", "\x1b[31m", "<|im_end|>",
    "12", "3", "5", ":", "59", ". [e1]", "[e1].", "- ", "**", "http://x.y", "\u00bd", "\u2460",
    "\ue0000\ue001", "\U0001d7d8:\U0001d7d9\U0001d7da", "4.000 s", "Mr.",
]  # fmt: skip
texts = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=40).map(" ".join),
    st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join),
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=6)), max_size=20).map(" ".join),
    st.text(max_size=200).map(lambda text: f"{text} [e1]."),
)


@st.composite
def materials(draw) -> Material:
    """Some pieces of evidence with random times, and findings of any kind."""
    names = draw(st.lists(st.sampled_from(["e1", "e2", "e3", "r1", "c1"]), unique=True))
    items = []
    for name in names:
        start_s = draw(st.floats(0, 20_000).map(lambda value: round(value, 3)))
        length_s = draw(st.floats(0, 500).map(lambda value: round(value, 3)))
        channel = Channel.SUBTITLE if name == "c1" else Channel.VISION
        items.append(
            Evidence(
                name, "m", "s", start_s, start_s + length_s, start_s, 0.5, channel, Tier.WORKING
            )
        )
    question = draw(st.sampled_from(["what is it?", "how long is it red?", "how many times?"]))
    value = draw(st.sampled_from([None, 2.0, 7.25, True]))
    findings = Findings(evidence=tuple(items), value=value)
    return Material(parse_question(question), findings, "-", shown=tuple(items))


@settings(max_examples=1500, deadline=None)
@given(texts, materials())
def test_no_unknown_id_and_no_unmeasured_time_is_ever_kept(
    written: str, material: Material
) -> None:
    """Ids are those given; every time is a border, an instant or a length of what is cited."""
    reply = check_reply(written, material)
    known = material.citable

    assert set(reply.cited) <= set(known)
    assert {name.lower() for name in ID.findall(reply.text)} <= set(known)
    items = [known[name] for name in reply.cited]
    instants = {format_time(t) for item in items for t in (item.start_s, item.end_s, item.time_s)}
    assert {found.group(0) for found in CLOCK.finditer(reply.text)} <= instants
    lengths = {f"{item.end_s - item.start_s:.3f}" for item in items}
    lengths.add(f"{float(material.findings.value or 0.0):.3f}")
    rest = ID.sub(" ", CLOCK.sub(" ", reply.text))
    assert {found.group(1) for found in LENGTH.finditer(rest)} <= lengths


@settings(max_examples=800, deadline=None)
@given(texts, materials())
def test_what_is_kept_is_plain_and_bounded(written: str, material: Material) -> None:
    """Every claim has a citation, nothing steers a terminal, checking again changes no id."""
    reply = check_reply(written, material)

    assert all(unicodedata.category(letter)[0] != "C" for letter in reply.text)
    assert bool(reply.text) == bool(reply.cited)
    assert len(reply.text) < 8 * (400 + 60 * len(material.citable)) + 8
    assert reply == check_reply(written, material)
