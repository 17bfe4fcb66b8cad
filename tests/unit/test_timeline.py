"""Events, chapters and cues of a memory, and the page made of them."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

from streammem.answer.evidence import put_into_words
from streammem.core.timelines import Chapter, Quote, Timeline, TimelineEvent
from streammem.core.types import Channel, Cue, Question
from streammem.query.chapters import about, parts_of
from streammem.query.cues import CueBook
from streammem.query.engine import find
from streammem.query.memories import QueryMemory, QueryOptions
from streammem.query.parse import parse_question
from streammem.query.ranges import resolve_window
from streammem.runtime.timeline_page import page
from streammem.text.rows import CueRow
from tests.unit._query_world import Cell, memory_of, stream_memory

HOSTILE = "<script>alert('x')</script> & \"quotes\""


class _Index:
    """Cues without a search."""

    def __init__(self, cues):
        self.rows = tuple(CueRow(number, cue) for number, cue in enumerate(cues))

    def match(self, words, prefixes=()):
        return []


def _with_cues(memory: QueryMemory, *cues: Cue) -> QueryMemory:
    return replace(memory, cues=CueBook(_Index(cues), None))


def _parts(memory: QueryMemory, **options):
    question = Question(text="", intent="describe", phrase="")
    window = resolve_window(question, memory, QueryOptions(**options))
    return parts_of(memory, window, min_confidence=0.5)


def test_every_event_is_in_one_chapter_in_time_order() -> None:
    scenes = ["red room", "green field", "blue moon", "yellow car", "purple door", "snow field"]
    memory = stream_memory([(scene, 6.0) for scene in scenes * 3])

    events = [event.stretch for part in _parts(memory) for event in part.events]

    assert [event.start_s for event in events] == sorted(event.start_s for event in events)
    assert events[0].start_s == 0.0
    assert events[-1].end_s == 108.0
    assert all(a.end_s <= b.start_s for a, b in pairwise(events))


def test_chapters_by_look_begin_where_the_look_changes() -> None:
    """Red things for a minute, then green ones: two chapters, cut between them."""
    first = [("red room", 10.0), ("red car", 10.0), ("red door", 10.0)] * 2
    second = [("green field", 10.0), ("green ball", 10.0), ("green cat", 10.0)] * 2
    parts = _parts(stream_memory([*first, *second]))

    assert [(part.start_s, part.end_s, part.origin) for part in parts] == [
        (0.0, 60.0, "look"),
        (60.0, 120.0, "look"),
    ]
    assert "red" in parts[0].title
    assert "green" in parts[1].title


def test_chapters_of_the_file_come_before_those_by_look() -> None:
    memory = _with_cues(
        memory_of([Cell("red", [(0, 10)]), Cell("green", [(10, 20)]), Cell("blue", [(20, 30)])]),
        Cue(0.0, 30.0, "title: A film", Channel.METADATA),
        Cue(0.0, 12.0, "Opening", Channel.METADATA),
        Cue(12.0, 30.0, "The rest", Channel.METADATA),
    )
    parts = _parts(memory)

    assert about(memory) == ["title: A film"]
    assert [(part.title, part.origin, len(part.events)) for part in parts] == [
        ("Opening", "file", 1),
        ("The rest", "file", 2),
    ]


def test_cues_belong_to_the_event_in_which_they_begin() -> None:
    memory = _with_cues(
        memory_of([Cell("red", [(0, 10)]), Cell("green", [(10, 20)])]),
        Cue(9.0, 12.0, "spoken over the cut", Channel.SPEECH),
        Cue(10.0, 11.0, "HELLO", Channel.SCREEN_TEXT),
    )
    (part,) = _parts(memory)

    assert [[cue.text for cue in event.cues] for event in part.events] == [
        ["spoken over the cut"],
        ["HELLO"],
    ]


def test_a_memory_of_words_alone_is_told_by_its_words() -> None:
    memory = _with_cues(
        memory_of([], end_s=100.0),
        Cue(1.0, 3.0, "one", Channel.SPEECH),
        Cue(4.0, 6.0, "two", Channel.SPEECH),
        Cue(50.0, 52.0, "three", Channel.SPEECH),
    )
    events = [event for part in _parts(memory) for event in part.events]

    assert [(event.stretch.start_s, event.stretch.end_s) for event in events] == [
        (1.0, 6.0),
        (50.0, 52.0),
    ]


def test_a_range_bounds_events_and_cues() -> None:
    memory = _with_cues(
        memory_of([Cell("red", [(0, 10)]), Cell("green", [(10, 20)]), Cell("blue", [(20, 30)])]),
        Cue(1.0, 2.0, "too early", Channel.SPEECH),
        Cue(16.0, 17.0, "inside", Channel.SPEECH),
    )
    (part,) = _parts(memory, start_s=15.0, end_s=25.0)

    assert [(event.stretch.start_s, event.stretch.end_s) for event in part.events] == [
        (15.0, 20.0),
        (20.0, 25.0),
    ]
    assert [cue.text for event in part.events for cue in event.cues] == ["inside"]


def test_a_range_outside_of_the_memory_holds_nothing() -> None:
    assert _parts(memory_of([Cell("red", [(0, 10)])]), start_s=50.0, end_s=60.0) == []


def _timeline(text: str = "hello") -> Timeline:
    events = (
        TimelineEvent(
            "e1", 0.0, 4.0, 1.0, ((text, 0.9),), (Quote(1.0, 2.0, "speech", text),), b"x"
        ),
        TimelineEvent("e2", 4.0, 9.0, 5.0),
    )
    chapters = (Chapter(text, 0.0, 9.0, "look", events),)
    return Timeline(text, text, 0.0, 9.0, chapters, about=(text,))


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]


def test_the_page_shows_hostile_text_and_never_obeys_it() -> None:
    html = page([_timeline(HOSTILE)])
    seen = _Tags()
    seen.feed(html)

    assert "script" not in seen.tags
    assert html.count("&lt;script&gt;") >= 5
    assert "default-src 'none'" in html


def test_the_page_needs_no_other_file() -> None:
    html = page([_timeline()])
    seen = _Tags()
    seen.feed(html)

    assert seen.sources
    assert all(re.match("data:image/webp;base64,|#c", source) for source in seen.sources)
    assert "@import" not in html
    assert "url(" not in html
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html


def test_links_of_the_page_lead_to_its_chapters() -> None:
    html = page([_timeline("one"), _timeline("two")])
    targets = set(re.findall(r'href="#([^"]+)"', html))

    assert targets == set(re.findall(r'section id="([^"]+)"', html)) == {"c0-1", "c1-1"}


def test_the_document_has_lengths_and_ids() -> None:
    document = _timeline().to_json()

    assert document["chapters"][0]["events"] == ["e1", "e2"]
    assert [event["duration_s"] for event in document["events"]] == [4.0, 5.0]
    assert document["events"][0]["names"] == [{"name": "hello", "confidence": 0.9}]


def test_few_events_are_one_chapter_and_none_are_none() -> None:
    few = stream_memory([("red room", 10.0), ("green field", 10.0), ("blue moon", 10.0)])

    assert len(_parts(few)) == 1
    assert _parts(memory_of([])) == []


def test_describe_answers_from_the_same_timeline() -> None:
    """Chapters with their bounds and the words with their times stand beside the events."""
    first = [("red room", 10.0), ("red car", 10.0), ("red door", 10.0)] * 2
    second = [("green field", 10.0), ("green ball", 10.0), ("green cat", 10.0)] * 2
    memory = _with_cues(stream_memory([*first, *second]), Cue(3.0, 5.0, "welcome", Channel.SPEECH))
    findings = find(parse_question("describe the video"), [memory], QueryOptions())
    number, chapters, words = findings.notes

    assert number == "12 stretches that look different in all, 120.0 s"
    assert chapters.startswith("2 chapters: ")
    assert "(00:00:00.000 to 00:01:00.000)" in chapters
    assert "(00:01:00.000 to 00:02:00.000)" in chapters
    assert words == "in words: 'welcome' (speech, 00:00:03.000)"
    assert "(10.0 s)" in put_into_words(parse_question("describe the video"), findings)


def test_describe_before_a_word_was_said_does_not_quote_it() -> None:
    memory = _with_cues(
        stream_memory([("red room", 10.0), ("green field", 10.0)]),
        Cue(12.0, 14.0, "later", Channel.SPEECH),
    )
    question = parse_question("describe the video")
    early = find(question, [memory], QueryOptions(at_s=11.0))

    assert not any("later" in note for note in early.notes)
    assert any("later" in note for note in find(question, [memory], QueryOptions()).notes)


def test_a_memory_of_words_alone_is_described_by_its_words() -> None:
    memory = _with_cues(memory_of([], end_s=60.0), Cue(1.0, 3.0, "one", Channel.SPEECH))
    findings = find(parse_question("describe the video"), [memory], QueryOptions())

    assert [item.text for item in findings.evidence] == ["one"]
