"""The path of a question: open memories, understand, find, look again, put into words."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from streammem.core.errors import MissingError, StreamMemError, UsageError
from streammem.core.types import Answer, Channel, Evidence, Findings, Floats, Question
from streammem.encoders.base import Encoder
from streammem.encoders.load import load_encoder
from streammem.encoders.names import remedy
from streammem.memory.store import MemoryStore
from streammem.query.cues import CueBook
from streammem.query.elsewhere import NOWHERE, Elsewhere
from streammem.query.engine import QueryMemory, QueryOptions, find, search_vectors
from streammem.query.parse import parse_question
from streammem.query.second_look import refine_evidence
from streammem.runtime.answering import Wording, word
from streammem.storage.cue_index import CueIndex
from streammem.storage.memory_file import read_with_cues
from streammem.storage.records import MemoryMeta, StoredMemory
from streammem.storage.usage import append_usage
from streammem.text.meaning import TextEncoder, load_text_encoder

if TYPE_CHECKING:
    from streammem.runtime.material import Limits

EncoderCache = dict[tuple[str, str, str], Encoder]


class AskSettings(Protocol):
    """The part of `streammem.api.AskOptions` that a question needs."""

    @property
    def at_s(self) -> float | None: ...  # noqa: D102
    @property
    def between_s(self) -> tuple[float, float] | None: ...  # noqa: D102
    @property
    def choices(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def top_k(self) -> int: ...  # noqa: D102
    @property
    def min_confidence(self) -> float: ...  # noqa: D102
    @property
    def answerer(self) -> str: ...  # noqa: D102
    @property
    def second_look(self) -> bool: ...  # noqa: D102
    @property
    def explain(self) -> bool: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class OpenMemory:
    """A memory read for one question: its facts, its snapshot, and the encoder that made it."""

    path: Path
    meta: MemoryMeta
    query: QueryMemory


def open_memories(
    paths: Sequence[Path], encoders: EncoderCache, *, weights: str, device: str, named: bool
) -> tuple[list[OpenMemory], tuple[str, ...]]:
    """Read memories and load each one's own encoder, once per encoder.

    A memory whose encoder or file is missing is left out with a note, unless it was asked for
    by name or nothing else is left; then its error is raised.
    """
    opened: list[OpenMemory] = []
    notes: list[str] = []
    first_error: StreamMemError | None = None
    for path in paths:
        try:
            opened.append(_open(path, encoders, weights, device))
        except StreamMemError as error:
            if named:
                raise
            first_error = first_error or error
            notes.append(f"{path.stem} was left out: {error.message}")
    if first_error is not None and not opened:
        raise first_error
    return opened, tuple(notes)


def _open(path: Path, encoders: EncoderCache, weights: str, device: str) -> OpenMemory:
    stored, cues = read_with_cues(path)
    meta = stored.meta
    if not stored.sections and cues is None:
        raise UsageError(
            f"{meta.memory_id!r} holds nothing yet",
            hint=f"go on with: streammem ingest {meta.source}",
            code="empty_memory",
        )
    encoder = encoder_for(meta, encoders, weights, device)
    snapshot = _store_of(stored).snapshot()
    progress = stored.progress
    query = QueryMemory(
        memory_id=meta.memory_id,
        source=meta.source,
        snapshot=snapshot,
        encoder=encoder,
        start_s=progress.first_pts_s or 0.0,
        end_s=progress.last_end_s or 0.0,
        gaps=progress.gaps,
        recorded_at=meta.recorded_at,
        cues=None if cues is None else CueBook(cues, _text_encoder_for(cues)),
    )
    return OpenMemory(path, meta, query)


def _store_of(stored: StoredMemory) -> MemoryStore:
    """The cells of a memory; none where it holds words only."""
    if stored.sections:
        return MemoryStore.from_sections(stored.sections)
    return MemoryStore(stored.meta.encoder.dim, stored.plan.store_bytes, stored.meta.policy)


def _text_encoder_for(cues: CueIndex) -> TextEncoder | None:
    """The model that the cues' meanings are coded with, where there are codes and it is here."""
    return load_text_encoder() if any(row.vector for row in cues.rows) else None


def encoder_for(meta: MemoryMeta, encoders: EncoderCache, weights: str, device: str) -> Encoder:
    """The encoder that a memory was made with, loaded once per process.

    Raises:
        MissingError: its weights are not on this machine.
    """
    key = (meta.encoder.id, meta.encoder.digest, device)
    if key not in encoders:
        places = [weights] if weights else [meta.weights_hint or "", ""]
        encoders[key] = _load_first(meta, places, device)
    return encoders[key]


def _load_first(meta: MemoryMeta, places: Iterable[str], device: str) -> Encoder:
    """The memory's encoder from the first place that has the very weights it was made with."""
    problem = "its weights are not on this machine"
    for place in dict.fromkeys(places):
        try:
            runtime = replace(meta.runtime, device="cpu") if device == "auto" else None
            encoder = load_encoder(
                meta.encoder.id, weights=place or None, device=device, runtime=runtime
            )
        except MissingError as error:
            problem = error.message
            continue
        if encoder.spec.digest == meta.encoder.digest:
            return encoder
        problem = "the weights found differ from those it was made with"
    raise MissingError(
        f"{meta.memory_id!r} was made with encoder {meta.encoder.id}: {problem}",
        hint=remedy(meta.encoder.id, meta.source_path or meta.source),
        code="missing_weights",
    )


def answer_question(
    text: str,
    opened: Sequence[OpenMemory],
    options: AskSettings,
    *,
    load_ms: float,
    notes: tuple[str, ...],
    wording: Wording | None = None,
    elsewhere: Elsewhere = NOWHERE,
) -> Answer:
    """The answer to a question over opened memories, with where the time went.

    `elsewhere` stands for those of the library that were not opened.
    """
    question = parse_question(text, choices=options.choices)
    # Text embeddings are cached on the encoder, so this times them apart from retrieval.
    encode_ms = _timed(lambda: _warm_text(question, opened))
    started_at = time.perf_counter()
    memories = [memory.query for memory in opened]
    findings = find(question, memories, query_options(options), elsewhere)
    spent = Spent(load_ms, encode_ms, started_at)
    found = Found(text, question, findings, _encoder_names(opened), spent, notes)
    return answer_found(found, opened, options, wording)


@dataclass(frozen=True, slots=True)
class Spent:
    """Milliseconds spent before the search, and when on the clock that began."""

    load_ms: float
    encode_ms: float
    search_began_at: float


@dataclass(frozen=True, slots=True)
class Found:
    """What was found for a question, wherever, before it is put into words."""

    text: str
    question: Question
    findings: Findings
    encoder: str
    spent: Spent
    notes: tuple[str, ...]


def answer_found(
    found: Found, opened: Sequence[OpenMemory], options: AskSettings, wording: Wording | None
) -> Answer:
    """The answer of findings; `opened` are at least the memories that they show, or the only one.

    What they return is noted in the usage logs of these memories.
    """
    question, findings, spent = found.question, found.findings, found.spent
    if options.second_look:
        findings = _look_again(question, findings, opened)
    retrieve_ms = (time.perf_counter() - spent.search_began_at) * 1000
    started_at = time.perf_counter()
    worded = word(question, findings, opened, _limits(options, wording), wording or Wording())
    answer_ms = (time.perf_counter() - started_at) * 1000
    _credit(findings.evidence, opened)
    return Answer(
        question=found.text,
        intent=question.intent,
        text=worded.text,
        abstained=worded.abstained,
        confidence=findings.confidence,
        evidence=worded.evidence,
        candidates=worded.candidates,
        choice=findings.choice,
        value=findings.value,
        encoder=found.encoder,
        answerer=worded.answerer,
        elapsed_ms=_elapsed(spent.load_ms, spent.encode_ms, retrieve_ms, answer_ms),
        notes=(*found.notes, *findings.notes, *worded.notes),
        explain=findings.explain,
    )


def search_for(
    text: str | None,
    image: str | None,
    opened: Sequence[OpenMemory],
    options: AskSettings,
    *,
    load_ms: float,
    notes: tuple[str, ...],
    elsewhere: Elsewhere = NOWHERE,
) -> Answer:
    """The nearest moments to a text or a picture, best first."""
    started_at = time.perf_counter()
    vectors: list[Floats] = []
    unknown: tuple[str, ...] = ()
    pixels = _read_image(image) if image is not None else None
    for memory in opened:
        encoder = memory.query.encoder
        if pixels is not None:
            vectors.append(encoder.encode_images(pixels[None]).embeddings[0])
        else:
            features = encoder.encode_text(text or "")
            vectors.append(features.embedding)
            unknown = features.unknown_words
    encode_ms = (time.perf_counter() - started_at) * 1000
    started_at = time.perf_counter()
    evidence = search_vectors(
        vectors,
        [memory.query for memory in opened],
        query_options(options),
        kind="text" if image is None else "image",
        text=text,
        elsewhere=elsewhere,
    )
    retrieve_ms = (time.perf_counter() - started_at) * 1000
    words = tuple(f"{word!r} is not a word this encoder knows" for word in unknown)
    return Answer(
        question=text if text is not None else str(image),
        intent=None,
        text=None,
        abstained=False,
        confidence=evidence[0].score if evidence else 0.0,
        evidence=evidence,
        candidates=(),
        choice=None,
        value=None,
        encoder=_encoder_names(opened),
        answerer=options.answerer,
        elapsed_ms=_elapsed(load_ms, encode_ms, retrieve_ms, 0.0),
        notes=(*notes, *words),
    )


def _read_image(path: str) -> Any:
    from streammem.video.reader import ReaderOptions, open_reader

    with open_reader(path, ReaderOptions(sample_hz=240.0)) as reader:
        for item in reader.frames():
            return np.ascontiguousarray(item.frame.pixels)
    raise UsageError(f"{path} holds no picture", code="no_picture")


def query_options(options: AskSettings) -> QueryOptions:
    """The part of the settings that the question engine needs."""
    start_s, end_s = options.between_s or (None, None)
    return QueryOptions(
        top_k=options.top_k,
        min_confidence=options.min_confidence,
        start_s=start_s,
        end_s=end_s,
        at_s=options.at_s,
        explain=options.explain,
    )


def _limits(options: AskSettings, wording: Wording | None) -> "Limits | None":
    """What an answerer with a language model may see; None for the built-in one."""
    if wording is None:
        return None
    from streammem.runtime.material import Limits

    start_s, end_s = options.between_s or (None, None)
    return Limits(wording.pictures, wording.picture_px, options.at_s, start_s, end_s)


def _warm_text(question: Question, opened: Sequence[OpenMemory]) -> None:
    for encoder in {id(memory.query.encoder): memory.query.encoder for memory in opened}.values():
        encoder.encode_text(question.phrase)


def _timed(work: Callable[[], None]) -> float:
    started_at = time.perf_counter()
    work()
    return (time.perf_counter() - started_at) * 1000


def _look_again(question: Question, findings: Findings, opened: Sequence[OpenMemory]) -> Findings:
    """Evidence with times tightened from the source files that are still there."""
    by_id = {memory.meta.memory_id: memory for memory in opened}
    refined: list[Evidence] = []
    notes: list[str] = []
    for item in findings.evidence:
        if item.channel is not Channel.VISION:
            refined.append(item)
            continue
        memory = by_id[item.memory_id]
        found, said = refine_evidence(
            (item,), question.phrase, memory.query.encoder, memory.meta.source_path
        )
        refined += found
        notes += [note for note in said if note not in notes]
    explain = findings.explain
    if explain:
        steps = [_second_step(*pair) for pair in zip(findings.evidence, refined, strict=True)]
        explain = {**explain, "steps": [*explain["steps"], *steps]}
    return replace(
        findings, evidence=tuple(refined), notes=(*findings.notes, *notes), explain=explain
    )


def _second_step(before: Evidence, after: Evidence) -> dict[str, Any]:
    """What the second look made of a piece of evidence, for `--explain`."""
    return {
        "memory_id": after.memory_id,
        "operator": "second look",
        "text": f"{before.id} was {before.start_s:.3f} to {before.end_s:.3f} s",
        "spans": [[round(after.start_s, 3), round(after.end_s, 3)]],
        "value": None,
    }


def _credit(evidence: Sequence[Evidence], opened: Sequence[OpenMemory]) -> None:
    """Append to each memory's usage log which cells were returned; ingest absorbs it later."""
    for memory in opened:
        spans = [
            (item.start_s, item.end_s)
            for item in evidence
            if item.memory_id == memory.meta.memory_id
        ]
        snapshot = memory.query.snapshot
        returned: dict[int, int] = {}
        for start_s, end_s in spans:
            inside = (snapshot.exemplar_s >= start_s) & (snapshot.exemplar_s < end_s)
            for cell_id in snapshot.ids[inside]:
                returned[int(cell_id)] = returned.get(int(cell_id), 0) + 1
        if returned:
            append_usage(memory.path, returned)


def _encoder_names(opened: Sequence[OpenMemory]) -> str:
    return ", ".join(dict.fromkeys(memory.meta.encoder.id for memory in opened))


def _elapsed(load: float, encode: float, retrieve: float, answer: float) -> dict[str, float]:
    parts = {"load": load, "encode": encode, "retrieve": retrieve, "answer": answer}
    return {name: round(value, 3) for name, value in parts.items()}
