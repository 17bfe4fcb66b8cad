"""A large library answers from a first look at all memories what opening all of them would."""

import multiprocessing
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from streammem.api import AskOptions, Library
from streammem.core.types import Answer, Gap, TextFeatures
from streammem.encoders._descriptor import DescriptorEncoder
from streammem.encoders.load import load_encoder
from streammem.query.parse import parse_question
from streammem.query.rows import search_rows
from streammem.runtime import library_rows
from streammem.runtime.asking import answer_question, query_options
from streammem.runtime.library_search import LibrarySearch
from streammem.runtime.opening import Opener
from streammem.storage.event_keys import KEYS_NAME, EventKeyIndex
from tests.unit._library_world import settle, write_memory

MEMORIES = 60


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty memories: one in three shows one or two things, one in four says something."""
    folder = tmp_path_factory.mktemp("library")
    words = load_encoder("descriptor", device="cpu").labels().words
    rng = random.Random(7)
    for number in range(MEMORIES):
        write_memory(
            folder,
            f"clip-{number:03d}",
            shows=rng.sample(words[:24], 1 + number % 2) if number % 3 == 0 else (),
            says=[f"they talk about subject{number % 8} and pears"] if number % 4 == 0 else (),
            recorded_at=1.7e9 + number,
        )
    return folder


@pytest.fixture
def asked(world: Path) -> list[str]:
    words = load_encoder("descriptor", device="cpu").labels().words
    rng = random.Random(3)
    shapes = (
        "when does {} appear?", "is there {}?", "how many times does {} appear?",
        "when does {} appear between 0:02 and 0:06?", "how long is {} visible in total?",
    )  # fmt: skip
    questions = [rng.choice(shapes).format(rng.choice(words[:24])) for _ in range(24)]
    questions += [f"what is said about subject{number}?" for number in range(4)]
    questions += ["when does somebody speak?", "what is said about pears?", "describe the video"]
    return questions


def _whole(folder: Path, text: str, opener: Opener, options: AskOptions) -> Answer:
    opened, notes = opener.open(options)
    return answer_question(text, opened, options, load_ms=0.0, notes=notes)


def _essence(answer: Answer) -> tuple[object, ...]:
    first = (*answer.evidence, *answer.candidates)[:1]
    places = [(item.memory_id, round(item.start_s, 3)) for item in first]
    return (answer.abstained, answer.value, places)


@pytest.mark.parametrize("found_share", [1.0, 0.6, 0.4])
def test_answers_agree_with_those_of_every_memory_open(
    world: Path, asked: list[str], found_share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Value and first evidence, for every kind of question; most memories stay closed.

    Whatever share of the things that are shown an encoder finds: a "no" may need every memory.
    """
    read = DescriptorEncoder.encode_text

    def overlooking(encoder: DescriptorEncoder, text: str) -> TextFeatures:
        return replace(read(encoder, text), found_share=found_share)

    monkeypatch.setattr(DescriptorEncoder, "encode_text", overlooking)
    library, opener, options = Library(world), Opener(world), AskOptions()
    opener.keep_warm()
    differing = [
        text
        for text in asked
        if _essence(library.ask(text, options)) != _essence(_whole(world, text, opener, options))
    ]
    assert len(differing) <= len(asked) // 100, differing


def test_few_memories_are_opened(world: Path) -> None:
    """The thing that one memory shows is found without opening most of the others."""
    search = LibrarySearch(world, {})
    question = parse_question("what is said about subject3?")
    selection = search.select(
        question,
        sorted(world.glob("*.smem")),
        query_options(AskOptions()),
        weights="",
        device="auto",
    )
    assert selection is not None
    assert len(selection.first) <= 24
    assert {path.stem for path in selection.first} >= {
        f"clip-{number:03d}" for number in range(0, MEMORIES, 4) if number % 8 == 3
    }
    assert selection.elsewhere.memories == MEMORIES - len(selection.first)


def test_a_text_is_embedded_once_to_choose_among_memories(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text encoders of large models take tens of milliseconds."""
    read, texts = DescriptorEncoder.encode_text, []

    def counted(encoder: DescriptorEncoder, text: str) -> TextFeatures:
        texts.append(text)
        return read(encoder, text)

    monkeypatch.setattr(DescriptorEncoder, "encode_text", counted)
    question, paths = parse_question("is there a sea?"), sorted(world.glob("*.smem"))
    LibrarySearch(world, {}).select(
        question, paths, query_options(AskOptions()), weights="", device="auto"
    )

    assert texts == [question.phrase]


def test_the_index_may_be_deleted_and_damaged_at_any_time(world: Path) -> None:
    """It is made anew, with progress, and answers are the same."""
    told: list[tuple[int, int]] = []
    text = "when does the sea appear?"
    before = _essence(Library(world).ask(text))
    (world / KEYS_NAME).unlink()
    library = Library(world, on_read=lambda done, total: told.append((done, total)))
    assert _essence(library.ask(text)) == before
    assert told[-1] == (MEMORIES, MEMORIES)
    told.clear()
    assert _essence(library.ask(text)) == before
    assert told == []
    (world / KEYS_NAME).write_bytes(os.urandom(1 << 15))
    assert _essence(Library(world).ask(text)) == before
    assert len(EventKeyIndex(world).stamps()) == MEMORIES


def test_a_memory_that_changes_or_comes_is_read_anew(tmp_path: Path) -> None:
    """What a memory begins to show is found by the next question, also while it is fresh."""
    for number in range(40):
        write_memory(tmp_path, f"clip-{number:03d}")
    library, thing = Library(tmp_path), load_encoder("descriptor", device="cpu").labels().words[3]
    text = f"when does {thing} appear?"
    library.ask(text)
    path = write_memory(tmp_path, "newcomer", shows=[thing])
    assert library.ask(text).evidence[0].memory_id == "newcomer"
    os.utime(path)
    fresh = write_memory(tmp_path, "another", shows=[thing])
    os.utime(fresh)
    assert "another" in {item.memory_id for item in library.ask(text).evidence}
    # One that is written all the time is not entered anew for every question, and opened once.
    os.utime(path)
    entered = EventKeyIndex(tmp_path).stamps()
    for seconds in (0, 5):
        settle(path, seconds)
        evidence = library.ask(text).evidence
        places = [(item.memory_id, item.start_s) for item in evidence]
        assert len(set(places)) == len(places)
        assert {"newcomer", "another"} <= {item.memory_id for item in evidence}
    assert EventKeyIndex(tmp_path).stamps() == entered
    fresh.unlink()
    path.unlink()
    gone = library.ask(text)
    assert "newcomer" not in {item.memory_id for item in (*gone.evidence, *gone.candidates)}
    assert len(EventKeyIndex(tmp_path).stamps()) == 40


def test_no_is_said_only_where_all_memories_bear_it_out(tmp_path: Path) -> None:
    """One memory with a hole in what it saw is enough to leave a question open."""
    for number in range(40):
        write_memory(tmp_path, f"clip-{number:03d}", scenes=1)
    words = load_encoder("descriptor", device="cpu").labels().words
    library = Library(tmp_path)
    answers = {word: library.ask(f"is there {word}?") for word in words[:10]}
    absent = [word for word, answer in answers.items() if answer.value is False]
    assert absent
    counted = library.ask(f"how many times does {absent[0]} appear?")
    assert (counted.value, counted.abstained) == (0, False)
    # It is not among those that come nearest, so it stays closed.
    write_memory(tmp_path, "zz-holes", scenes=1, gaps=(Gap(2.0, 9.0, "the camera was off"),))
    for word in absent[:2]:
        assert library.ask(f"is there {word}?").value is None
        assert library.ask(f"is there {word}?", AskOptions(between_s=(0.0, 1.5))).value is False


def _ask(folder: str) -> None:
    answer = Library(Path(folder)).ask("how many times does somebody speak?")
    assert answer.value == MEMORIES // 4, answer


def test_processes_may_make_the_index_at_once(world: Path) -> None:
    (world / KEYS_NAME).unlink(missing_ok=True)
    context = multiprocessing.get_context("spawn")
    askers = [context.Process(target=_ask, args=(str(world),)) for _ in range(2)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(120)
    assert [asker.exitcode for asker in askers] == [0, 0]
    assert len(EventKeyIndex(world).stamps()) == MEMORIES


def test_a_damaged_memory_is_left_out_with_a_note(tmp_path: Path) -> None:
    for number in range(40):
        write_memory(tmp_path, f"clip-{number:03d}")
    path = tmp_path / "clip-007.smem"
    path.write_bytes(b"x" * 9000)
    settle(path)
    library = Library(tmp_path)
    for _ in range(2):
        answer = library.ask("when does the sea appear?")
        assert any("clip-007 was left out" in note for note in answer.notes)


def test_an_index_that_cannot_be_written_is_done_without(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then every memory is opened, and the answer is the same."""
    text = "is there sky?"
    before = _essence(Library(world).ask(text))
    (world / KEYS_NAME).unlink()
    monkeypatch.setattr(EventKeyIndex, "save", lambda *_: False)
    assert _essence(Library(world).ask(text)) == before
    assert not EventKeyIndex(world).stamps()


def test_beyond_what_sums_are_taken_over_the_answers_are_the_same(
    world: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The path of a million rows, with an index of faiss and few rows looked at first."""
    pytest.importorskip("faiss", reason="the extra faiss is not installed")
    whole, some = Library(world), asked[::4]
    expected = [_essence(whole.ask(text)) for text in some]
    monkeypatch.setattr(library_rows, "FAISS_ROWS", 1)
    monkeypatch.setattr(library_rows, "_FIRST_LOOK", 16)
    monkeypatch.setattr(library_rows, "search_rows", lambda rows: search_rows(rows, faiss_rows=1))
    library = Library(world)
    assert [_essence(library.ask(text)) for text in some] == expected
