"""Makes the memories of `text_questions.toml` and judges the answers to its questions."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streammem.api import AskOptions, Library, request_from_config
from streammem.core.config import load_config
from streammem.core.types import Answer

SOUND_WEIGHTS = "yamnet_audio_classifier.tflite"
QUESTIONS = Path(__file__).resolve().parent / "text_questions.toml"
TOP = 3


@dataclass(frozen=True)
class Verdict:
    """One question with its answer and whether it is right."""

    question: dict[str, Any]
    answer: Answer
    right: bool


def read_questions() -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """(memories by name, questions)."""
    data = tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))
    return data["memories"], data["question"]


def make_memories(
    folder: Path, real_clips: Path, *, only: tuple[str, ...] = (), **fields: Any
) -> Library:
    """A library of the memories, or of some; `fields` replace those of every request."""
    memories, _ = read_questions()
    config = load_config(environ={}, project_folder=folder).config
    library = Library(folder / "library")
    for name in only or memories:
        made_of = memories[name]
        if "source" in made_of:
            source = str(real_clips / made_of["source"])
        else:
            # The film itself is not stored: its words go with a rendered stream of its length.
            source = f"synthetic:{len(name)}?duration={made_of['length_s']}&fps=1"
        given: dict[str, Any] = {}
        if "subtitles" in made_of:
            given["subtitles"] = str(real_clips / made_of["subtitles"])
        if made_of.get("sound"):
            given["sound_model"] = str(real_clips.parents[1] / "weights" / SOUND_WEIGHTS)
        given |= {key: made_of[key] for key in ("screen_text", "end_s") if key in made_of}
        fps = made_of.get("fps", 0.5)
        request = request_from_config(
            config, encoder="descriptor", device="cpu", fps=fps, name=name
        )
        (result,) = library.ingest([source], replace(request, **{**given, **fields}))
        if result.error is not None:
            raise RuntimeError(f"{name}: {result.error}")
    return library


def judge(library: Library, questions: Iterable[dict[str, Any]]) -> list[Verdict]:
    """Every question asked of its memory, and whether one of the first three pieces is right."""
    verdicts = []
    for question in questions:
        options = AskOptions(memories=(question["memory"],))
        answer = library.ask(question["text"], options)
        if question["kind"] == "absent":
            right = answer.abstained
        else:
            wanted = question["expect"].casefold()
            right = any(
                wanted in " ".join((item.text or "").split()).casefold()
                and item.channel.value == question["channel"]
                for item in answer.evidence[:TOP]
            )
        verdicts.append(Verdict(question, answer, right))
    return verdicts


def share(verdicts: Iterable[Verdict], kind: str) -> float:
    """The part of the questions of a kind that is right."""
    of_kind = [verdict.right for verdict in verdicts if verdict.question["kind"] == kind]
    return sum(of_kind) / len(of_kind)
