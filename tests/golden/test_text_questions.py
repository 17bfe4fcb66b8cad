"""Questions about words over real clips: exact words, other words, and what is not there."""

import importlib.util
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from streammem.api import Library
from streammem.text._rapidocr import ocr_installed
from streammem.text.meaning import text_encoder_folder
from tests.golden.text_answers import Verdict, judge, make_memories, read_questions, share

# A dozen memories are made first.
pytestmark = pytest.mark.timeout(1200)
# What an answer must reach; see the issue on hearing and reading.
EXACT_BAR, MEANING_BAR, ABSENT_BAR = 0.95, 0.80, 0.90


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory, real_clips: Path) -> list[Verdict]:
    """All questions, asked of memories made with everything that is installed."""
    library = make_memories(tmp_path_factory.mktemp("text"), real_clips, speech_model="")
    questions = read_questions()[1]
    lacking = set() if ocr_installed() else {"screen_text"}
    for module, channel in (("silero_vad", "speech"), ("ai_edge_litert", "sound")):
        if importlib.util.find_spec(module) is None:
            lacking.add(channel)
    return judge(library, [one for one in questions if one.get("channel") not in lacking])


def _wrong(verdicts: list[Verdict], kind: str) -> list[str]:
    return [v.question["text"] for v in verdicts if v.question["kind"] == kind and not v.right]


def test_exact_words_are_found(verdicts: list[Verdict]) -> None:
    """The right cue is among the first three pieces of evidence."""
    assert share(verdicts, "exact") >= EXACT_BAR, _wrong(verdicts, "exact")


def test_other_words_are_found_by_their_meaning(verdicts: list[Verdict]) -> None:
    """With the extra `text`; there are cues that share no word with the question."""
    if text_encoder_folder() is None:
        pytest.skip("the extra `text` is not installed: pip install 'streammem[text]'")
    assert share(verdicts, "meaning") >= MEANING_BAR, _wrong(verdicts, "meaning")


def test_what_is_not_there_is_not_answered(verdicts: list[Verdict]) -> None:
    """Abstention stays honest with everything switched on."""
    assert share(verdicts, "absent") >= ABSENT_BAR, _wrong(verdicts, "absent")


def test_evidence_says_its_channel_and_quotes(verdicts: list[Verdict]) -> None:
    """Right answers quote the words in the sentence, with the span of the cue."""
    for verdict in verdicts:
        if verdict.right and verdict.question.get("channel") not in (None, "speech"):
            first = verdict.answer.evidence[0]
            assert first.text
            assert verdict.answer.text is not None
            assert " ".join(first.text.split())[:40] in verdict.answer.text
            assert first.start_s <= first.time_s <= first.end_s


def test_each_channel_adds_what_only_it_holds(tmp_path: Path, real_clips: Path) -> None:
    """Switched off one by one, the questions that need a channel fail, and no others."""
    questions = [one for one in read_questions()[1] if one["kind"] == "exact"]
    asked = [one for one in questions if one["memory"] in ("hammock", "chapters", "nasa")]
    lost: dict[str, Counter[str]] = {}
    for name, fields in (
        ("nothing", {}),
        ("subtitles", {"subtitles": "none"}),
        ("pictures", {"screen_text": False}),
    ):
        library = _some(tmp_path / name, real_clips, fields)
        verdicts = judge(library, asked)
        lost[name] = Counter(v.question["channel"] for v in verdicts if not v.right)
    assert lost["nothing"].total() == 0 if ocr_installed() else True
    assert lost["subtitles"]["subtitle"] >= 8
    assert lost["subtitles"]["screen_text"] == lost["nothing"]["screen_text"]
    assert lost["pictures"]["subtitle"] == 0
    assert lost["pictures"]["screen_text"] == 3


def _some(folder: Path, real_clips: Path, fields: dict[str, object]) -> Library:
    folder.mkdir()
    return make_memories(
        folder, real_clips, audio=False, only=("hammock", "chapters", "nasa"), **fields
    )


def test_a_spoken_word_without_transcript_is_no_answer(verdicts: list[Verdict]) -> None:
    """Stretches of speech hold no words; they are never quoted for a question about words."""
    for verdict in verdicts:
        if verdict.question.get("channel") not in (None, "speech"):
            assert all(item.text for item in verdict.answer.evidence), replace(verdict, right=False)
