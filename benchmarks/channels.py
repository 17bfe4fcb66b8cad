"""Switches each channel off in turn and counts which questions are then no longer answered.

    python benchmarks/channels.py --shared ../shared

The memories of `tests/golden/text_questions.toml` and the rendered clip in `samples/` are made once
with everything that is installed. For each channel its part is taken out of copies of them: cues by
an ordinary commit, pictures by a store without frames, codes of meaning by rows without codes. A
question counts as answered where one of the first three pieces of evidence, of whatever channel,
overlaps the right one of the whole memory by half (intersection over union); so what another
channel can stand in for is not lost. Questions for what is not there count where none is answered.
"""

import argparse
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import harness

from streammem.api import AskOptions, Library, request_from_config
from streammem.core.config import load_config
from streammem.core.types import Channel, Evidence
from streammem.memory.store import MemoryStore
from streammem.storage.memory_file import MemoryWriter
from streammem.storage.records import Commit
from streammem.text.rows import CueRow
from tests.golden.text_answers import TOP, make_memories, read_questions

Span = tuple[float, float]
SAMPLE = "scenes"
MEANING = "meaning"
OFF = (*(channel.value for channel in Channel), MEANING)
OVERLAP = 0.5


def make_library(folder: Path, real: Path) -> None:
    """The memories of the golden questions, and the one of the rendered clip."""
    make_memories(folder, real, speech_model="")
    config = load_config(environ={}, project_folder=folder).config
    request = request_from_config(
        config, encoder="embedded", device="cpu", name=SAMPLE, speech_model=""
    )
    (result,) = Library(folder / "library").ingest([str(harness.SAMPLES / "scenes.mp4")], request)
    if result.error is not None:
        raise SystemExit(f"{SAMPLE}: {result.error}")


def read_all_questions() -> list[dict[str, Any]]:
    """The golden questions, and those for pictures that the rendered clip answers rightly."""
    answers = json.loads((harness.REPOSITORY / "tests/golden/answers.json").read_text())[SAMPLE]
    seen = [
        {
            "memory": SAMPLE, "kind": "seen", "text": one["question"], "channel": "vision",
            "span": tuple(one["best_span_s"]),
        }
        for one in answers
        if one["right"] and one["best_span_s"] and one["intent"] in ("when", "what_at")
    ]  # fmt: skip
    return [*read_questions()[1], *seen]


def take_out(memory: Path, off: str) -> None:
    """Remove what a memory holds of one channel, or the codes of the meaning of all its cues."""
    with MemoryWriter.open(memory) as writer:
        stored, rows = writer.stored, writer.cue_rows()
        sections, next_id = stored.sections, stored.cue_next_id
        added: tuple[CueRow, ...] = ()
        if off == Channel.VISION.value:
            spec = stored.meta.encoder
            empty = MemoryStore(
                spec.dim, stored.plan.store_bytes, stored.meta.policy,
                tokens_per_frame=spec.token_count,
            )  # fmt: skip
            sections, dropped = empty.sections(), frozenset[int]()
        elif off == MEANING:
            dropped = frozenset(row.id for row in rows)
            added = tuple(CueRow(next_id + n, row.cue) for n, row in enumerate(rows))
            next_id += len(added)
        else:
            dropped = frozenset(row.id for row in rows if row.cue.channel.value == off)
        writer.commit(
            Commit(
                sections, stored.progress, cell_counts=stored.cell_counts,
                tier_bytes=stored.tier_bytes, usage_absorbed=stored.usage_absorbed, cues=added,
                cues_dropped=dropped, cue_next_id=next_id, listening=stored.listening,
                word_tally=stored.word_tally,
            )
        )  # fmt: skip


def right_spans(question: dict[str, Any], evidence: tuple[Evidence, ...]) -> Iterator[Span]:
    """The spans among the first pieces of evidence that answer a question."""
    for item in evidence[:TOP]:
        span = (item.start_s, item.end_s)
        if question["kind"] == "seen":
            if item.channel is Channel.VISION and overlap(span, question["span"]) >= OVERLAP:
                yield span
        elif item.channel.value == question["channel"]:
            said = " ".join((item.text or "").split()).casefold()
            if question["expect"].casefold() in said:
                yield span


def overlap(one: Span, other: Span) -> float:
    """Intersection over union of two spans."""
    inside = min(one[1], other[1]) - max(one[0], other[0])
    union = max(one[1], other[1]) - min(one[0], other[0])
    return max(0.0, inside) / union if union > 0 else float(one == other)


def asked_of(library: Library, question: dict[str, Any]) -> tuple[Evidence, ...]:
    """The evidence of an answer; none where it abstains."""
    return tuple(library.ask(question["text"], AskOptions(memories=(question["memory"],))).evidence)


def measure(folder: Path, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row for the whole memory and one for each channel that is off."""
    whole = Library(folder / "library")
    wanted = [
        [] if one["kind"] == "absent" else list(right_spans(one, asked_of(whole, one)))
        for one in questions
    ]
    rows = []
    for off in (None, *OFF):
        place = folder / "library"
        if off is not None:
            place = folder / off
            shutil.copytree(folder / "library", place)
            for memory in sorted(place.glob("*.smem")):
                take_out(memory, off)
        answered: Counter[str] = Counter()
        lost: list[str] = []
        for question, spans in zip(questions, wanted, strict=True):
            evidence = asked_of(Library(place), question)
            if question["kind"] == "absent":
                right = not evidence
            else:
                found = [(item.start_s, item.end_s) for item in evidence[:TOP]]
                right = any(overlap(a, b) >= OVERLAP for a in found for b in spans)
            answered[question["kind"]] += right
            if "channel" in question:
                answered[question["channel"]] += right
            if not right and (spans or question["kind"] == "absent"):
                lost.append(question["text"])
        rows.append({"off": off or "nothing", "answered": dict(answered), "lost": lost})
    return rows


def main() -> None:
    """Make, measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=harness.REPOSITORY.parent / "shared")
    parsed = harness.arguments(parser, "channels.json")
    questions = read_all_questions()
    if parsed.quick:
        questions = questions[:: max(1, len(questions) // 20)]
    with tempfile.TemporaryDirectory(prefix="streammem-") as name:
        make_library(Path(name), parsed.shared / "data" / "real")
        rows = measure(Path(name), questions)
    asked = Counter(one["kind"] for one in questions)
    asked.update(one["channel"] for one in questions if "channel" in one)
    kinds = list(asked)
    print(harness.table([{"off": "(asked)", **asked}]))
    print(harness.table([
        {"off": row["off"], **{kind: row["answered"].get(kind, 0) for kind in kinds},
         "lost": len(row["lost"])}
        for row in rows
    ]))  # fmt: skip
    harness.write_result(parsed.out, {"asked": dict(asked), "rows": rows})


if __name__ == "__main__":
    main()
