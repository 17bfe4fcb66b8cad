"""What a batch knows of its files beyond this run: done before, quarantined, questions left."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streammem.core.batches import BatchOptions
from streammem.core.errors import SourceError, StreamMemError
from streammem.core.results import IngestRequest, IngestResult
from streammem.encoders.load import choose_encoder
from streammem.runtime.batch.questions import ANSWERS_NAME, AnswersFile
from streammem.runtime.batch.wire import result_from_wire, result_to_wire
from streammem.runtime.tracks import SubtitleChoice, choose_subtitles
from streammem.storage.batch_journal import BatchJournal, DoneFile, FileMark
from streammem.storage.library import LibraryFolder
from streammem.storage.memory_file import read_meta
from streammem.storage.records import MetaView
from streammem.video.identity import redact

MAX_STRIKES = 2
_SPEEDS = 50


class Desk:
    """Keeps the journal and the answers of one batch. Use it from one thread.

    Entered, it keeps the journal open and writes down what files became many at a time.
    """

    def __init__(self, library: LibraryFolder, request: IngestRequest, options: BatchOptions):
        """Open both.

        Raises:
            UsageError: the answers file holds something else.
        """
        self._library = library
        self._request = request
        self._retry = options.retry_quarantined
        self._journal = BatchJournal(library.folder)
        answers = Path(options.answers) if options.answers else library.folder / ANSWERS_NAME
        self._answers = AnswersFile(answers, options.questions)
        self._encoder_id = _encoder_id(request)
        asked = {**asdict(request), "force": False, "encoder": self._encoder_id}
        self._request_digest = _digest(asked)

    def __enter__(self) -> Self:
        self._journal.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._journal.__exit__(kind, error, trace)

    @property
    def asks(self) -> bool:
        """Whether questions are asked of each memory."""
        return self._answers.asks

    def rest(self) -> None:
        """Nothing is to be done at the moment: write down what was kept back."""
        self._journal.write_out()

    def quarantined(self, source: str, mark: FileMark | None) -> StreamMemError | None:
        """Why a file is not tried any more, None for one that is."""
        if mark is None:
            return None
        strikes, reason = self._journal.strikes(mark)
        if strikes and self._retry:
            self._journal.forgive(mark)
            return None
        return quarantine_error(source, reason) if strikes >= MAX_STRIKES else None

    def strike(self, mark: FileMark | None, reason: str) -> int:
        """A file killed its worker; how often by now. What is no file may do it once."""
        return MAX_STRIKES if mark is None else self._journal.strike(mark, reason)

    def settings_of(self, source: str) -> str | None:
        """A digest of all that the result of a source depends on besides the source itself.

        None where that cannot be told.
        """
        if self._encoder_id is None:
            return None
        try:
            subtitles = choose_subtitles(source, self._request)
        except StreamMemError:
            # A file beside the source is gone: an ingest says what to do.
            return None
        return self._request_digest + _subtitle_digest(subtitles)

    def known(
        self, source: str, mark: FileMark | None, settings: str | None
    ) -> IngestResult | None:
        """The result of a file that an earlier run finished and that has not changed since."""
        done = self._done(mark, settings)
        if done is None:
            return None
        result = result_from_wire(json.loads(done.result))
        path = str(self._library.path_of(done.memory_id))
        return replace(
            result, source=redact(source), memory_path=path, status="unchanged", elapsed_s=0.0
        )

    def is_done(self, source: str, mark: FileMark) -> bool:
        """Whether an earlier run finished a file, as far as the journal says."""
        return self._done(mark, self.settings_of(source)) is not None

    def _done(self, mark: FileMark | None, settings: str | None) -> DoneFile | None:
        """What became of a file, where its memory is there and was not changed since."""
        if mark is None or settings is None or self._request.force:
            return None
        done = self._journal.done(mark, settings)
        if done is None:
            return None
        now = FileMark.of(done.memory.path)
        return done if now is not None and replace(now, settled=True) == done.memory else None

    def note_done(
        self,
        mark: FileMark | None,
        settings: str | None,
        result: IngestResult,
        wire: Mapping[str, Any] | None = None,
    ) -> None:
        """Remember what a file became; mark and settings are those from before it was read.

        `wire` is the result as its worker sent it, where one did.
        """
        memory = FileMark.of(result.memory_path or "") if result.error is None else None
        if memory is None or mark is None or settings is None or not result.memory_id:
            return
        measured = result.elapsed_s if result.status == "done" else 0.0
        text = json.dumps(result_to_wire(result) if wire is None else wire)
        done = DoneFile(result.memory_id, memory, text)
        self._journal.note_done(mark, settings, done, result.covered_s, measured)

    def questions_left(self, result: IngestResult) -> list[str]:
        """What the memory of a result has not been asked yet."""
        # A batch that asks nothing opens no memory.
        view = self._view(result) if self._answers.asks else None
        return self._answers.left(view) if view is not None else []

    def note_answers(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Write answers down; errors are those of `AnswersFile.add`."""
        self._answers.add(lines)

    def speeds(self) -> list[tuple[float, float]]:
        """(seconds of video, seconds it took) of the files last read as this batch would."""
        return self._journal.speeds(self._request_digest, _SPEEDS)

    def _view(self, result: IngestResult) -> MetaView | None:
        if result.memory_id is None or result.error is not None:
            return None
        try:
            return read_meta(self._library.path_of(result.memory_id))
        except StreamMemError:
            return None


@lru_cache(maxsize=16)
def _subtitle_digest(subtitles: SubtitleChoice) -> str:
    """The digest of a choice; most sources have none beside them and share it."""
    return _digest(subtitles.to_json())


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def quarantine_error(source: str, reason: str) -> StreamMemError:
    """The error of a file that has killed its worker too often."""
    return SourceError(
        f"{redact(source)} has killed its worker process twice and is not tried again ({reason})",
        hint="add --retry-quarantined to try it once more",
        code="quarantined",
    )


def _encoder_id(request: IngestRequest) -> str | None:
    try:
        return choose_encoder(request.encoder, request.auto_encoders, request.weights).id
    except StreamMemError:
        # Each source reports it as its own failure.
        return None
