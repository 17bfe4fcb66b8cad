"""A question to a library in shards: sent to those that hold its memories, decided here.

Which memories a question has to be opened in is found out here, as in one process. Each shard then
works out what its own memories say. All it needs of the others is what the texts of the question
score in them, because that sets the zero that scores are counted from; shards tell these scores
first. What the memories say comes back in full, so the decision rests on the same numbers, down to
the last bit, as in one process.
"""

import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from streammem.core.errors import StreamMemError
from streammem.core.requests import AskOptions
from streammem.core.types import Answer, Findings, Question
from streammem.encoders.base import Encoder
from streammem.query.elsewhere import NOWHERE, Elsewhere
from streammem.query.engine import Said, decide
from streammem.query.first_stage import wanted_of
from streammem.query.inquiry import Inquiry
from streammem.query.parse import parse_question
from streammem.runtime.answering import Wording
from streammem.runtime.asking import (
    Found,
    OpenMemory,
    Spent,
    answer_found,
    encoder_for,
    query_options,
)
from streammem.runtime.batch.wire import error_from_wire
from streammem.runtime.library_asking import decided
from streammem.runtime.library_search import LibrarySearch, OnRead
from streammem.runtime.opening import Opener
from streammem.runtime.shards.team import LostShardError, Team
from streammem.runtime.shards.wire import said_from_wire, strengths_to_wire
from streammem.storage.memory_file import read_meta

# A question only reads, so it is asked again where processes were lost over it.
_MOST_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question as it was put and as it is understood, and how it is to be answered."""

    text: str
    question: Question
    options: AskOptions


@dataclass(frozen=True, slots=True)
class _Held:
    """A memory that a shard has opened."""

    path: str
    memory_id: str
    digest: str
    encoder: str


@dataclass(frozen=True, slots=True)
class _Gathered:
    """The memories that were opened for a question, notes on those left out, and what they say."""

    held: tuple[_Held, ...]
    notes: tuple[str, ...]
    findings: Findings


class Gatherer:
    """Asks a library whose memories a team holds. For one thread."""

    def __init__(self, folder: Path, team: Team, on_read: OnRead | None = None) -> None:
        """Nothing is opened yet; see `LibrarySearch` for `on_read`."""
        self._team = team
        self._opener = Opener(folder, on_read)
        self._warm = self._opener.keep_warm()
        self._search = LibrarySearch(folder, self._opener.encoders, on_read)

    def ask(
        self, text: str, options: AskOptions, wording: Wording | None
    ) -> tuple[Answer, list[OpenMemory]]:
        """The answer that one process would give, and the memories that it shows.

        Raises:
            UsageError, MissingError: as in one process.
            StreamMemError: processes are lost again and again, or none can run.
        """
        began_at = time.perf_counter()
        asked = _Asked(text, parse_question(text, choices=options.choices), options)
        gathered = self._tried(lambda: self._find(asked))
        shown = self._shown(gathered, options)
        load_ms = 1000 * (time.perf_counter() - began_at)
        encoders = ", ".join(dict.fromkeys(one.encoder for one in gathered.held))
        spent = Spent(load_ms, 0.0, time.perf_counter())
        found = Found(text, asked.question, gathered.findings, encoders, spent, gathered.notes)
        return answer_found(found, shown, options, wording), shown

    def close(self) -> None:
        """End the processes."""
        self._team.close()

    def _tried(self, find: Callable[[], _Gathered]) -> _Gathered:
        how = ""
        for _ in range(_MOST_ATTEMPTS):
            try:
                return find()
            except LostShardError as error:
                how = str(error)
        raise StreamMemError(
            f"processes that hold memories are lost again and again: the last one {how}",
            hint="see what they say above; `streammem doctor` checks the installation",
            code="no_workers",
        )

    def _find(self, asked: _Asked) -> _Gathered:
        question, options = asked.question, asked.options
        paths = self._opener.paths(options.memories)
        selection = None
        if not options.memories:
            selection = self._search.select(
                question, paths, query_options(options),
                weights=options.weights, device=options.device,
            )  # fmt: skip
        if selection is None:
            return self._gather(asked, paths, NOWHERE)
        found = self._gather(asked, selection.first, selection.elsewhere)
        if selection.more and not decided(question, found.findings):
            paths = [*selection.first, *selection.more]
            found = self._gather(asked, paths, selection.everywhere)
        return replace(found, notes=(*selection.notes, *found.notes))

    def _gather(self, asked: _Asked, paths: Sequence[Path], elsewhere: Elsewhere) -> _Gathered:
        """What the memories at `paths` say together, with those that are not opened."""
        question, options = asked.question, asked.options
        held, notes, shards = self._open(asked, paths)
        said = self._said(question, held, shards, elsewhere)
        encoders = {one.digest: self._encoder(one, options) for one in held}
        inquiry = Inquiry(question, query_options(options), (), elsewhere)
        given: list[Said] = []
        facts: list[Any] = []
        for one in held:
            if one.path in said:
                told = said[one.path]
                given.append(said_from_wire(told, one.memory_id, encoders[one.digest]))
                facts.append(told["facts"])
                inquiry.searches += told["searches"]
                inquiry.steps += told["steps"]
        findings = decide(inquiry, given)
        if findings.explain:
            findings = replace(findings, explain={**findings.explain, "memories": facts})
        return _Gathered(tuple(held), notes, findings)

    def _open(
        self, asked: _Asked, paths: Sequence[Path]
    ) -> tuple[list[_Held], tuple[str, ...], list[int]]:
        """Let each shard open its memories; these in order, notes, and which shards hold any."""
        by_shard: dict[int, list[str]] = {}
        for path in paths:
            by_shard.setdefault(self._shard_of(path), []).append(str(path))
        put = {"question": asked.text, "options": asdict(asked.options)}
        answers = self._team.ask(
            {shard: {"open": theirs, **put} for shard, theirs in by_shard.items()}
        )
        told = {one["path"]: one for answer in answers.values() for one in answer["opened"]}
        held: list[_Held] = []
        notes: list[str] = []
        errors: list[StreamMemError] = []
        for path in paths:
            one = told[str(path)]
            if "error" not in one:
                held.append(_Held(**one))
                continue
            errors.append(error_from_wire(one["error"]))
            notes.append(f"{path.stem} was left out: {errors[-1].message}")
        if errors and (asked.options.memories or not held):
            raise errors[0]
        return held, tuple(notes), sorted(by_shard)

    def _said(
        self, question: Question, held: Sequence[_Held], shards: Sequence[int], elsewhere: Elsewhere
    ) -> dict[str, dict[str, Any]]:
        """What each memory says, by path; texts are scored in all of them as they come up."""
        digests = sorted({one.digest for one in held})
        wanted = {(digest, text) for digest in digests for text in _texts(question)}
        while True:
            told = self._pools(sorted(wanted), shards, elsewhere)
            answers = self._team.ask({shard: {"ask": told[shard]} for shard in shards})
            wanted = {tuple(one) for answer in answers.values() for one in answer.get("wanted", ())}
            if not wanted:
                return {one["path"]: one for answer in answers.values() for one in answer["said"]}

    def _pools(
        self, texts: Sequence[tuple[str, ...]], shards: Sequence[int], elsewhere: Elsewhere
    ) -> dict[int, list[list[Any]]]:
        """For each shard what texts score in the memories of all others, opened or not."""
        parts: dict[tuple[str, ...], list[tuple[int, str]]] = {text: [] for text in texts}
        if texts:
            answers = self._team.ask({shard: {"pool": texts} for shard in shards})
            for shard, answer in answers.items():
                for digest, text, part in answer["pool"]:
                    parts[digest, text].append((shard, part))
        told: dict[int, list[list[Any]]] = {shard: [] for shard in shards}
        for digest, text in texts:
            unopened = [strengths_to_wire(part) for part in elsewhere.strengths_of(digest, text)]
            for shard in shards:
                others = [part for of, part in parts[digest, text] if of != shard]
                told[shard].append([digest, text, [*others, *unopened]])
        return told

    def _encoder(self, held: _Held, options: AskOptions) -> Encoder:
        known = self._opener.encoders.get((held.encoder, held.digest, options.device))
        if known is not None:
            return known
        meta = read_meta(Path(held.path)).meta
        return encoder_for(meta, self._opener.encoders, options.weights, options.device)

    def _shown(self, gathered: _Gathered, options: AskOptions) -> list[OpenMemory]:
        """The memories that the findings show, opened here as well, and the only one there is."""
        findings = gathered.findings
        shown = {item.memory_id for item in (*findings.evidence, *findings.candidates)}
        only = len(gathered.held) == 1
        paths = [Path(one.path) for one in gathered.held if only or one.memory_id in shown]
        return self._warm.open(paths, weights=options.weights, device=options.device, named=True)[0]

    def _shard_of(self, path: Path) -> int:
        """The shard of a memory: the same as long as there are as many."""
        return zlib.crc32(path.name.encode("utf-8", "surrogateescape")) % self._team.shards


def _texts(question: Question) -> Iterable[str]:
    """The texts that are surely looked for in what is seen."""
    return dict.fromkeys(
        text for thing in wanted_of(question) if not thing.told_only for text in thing.texts
    )
