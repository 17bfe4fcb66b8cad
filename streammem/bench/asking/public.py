"""Runs a public benchmark's questions over a folder of its videos, as far as the videos are there.

Every video becomes a memory once and every question is asked once: memories and answers lie in
the output folder, so that a stopped run goes on.
"""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from streammem.api import AskOptions, Library, request_from_config
from streammem.bench.asking.formats import PublicQuestion, read_questions
from streammem.bench.asking.standing import Asking, standing, standing_table
from streammem.bench.events import BenchEvent, OnBenchEvent
from streammem.bench.machine import hardware, versions
from streammem.bench.measuring import BenchRun
from streammem.core import SCHEMA_VERSION
from streammem.core.config import LoadedConfig
from streammem.core.errors import Interrupted, SourceError, UsageError
from streammem.core.types import Answer
from streammem.query.options import option_text

ANSWERS, LIBRARY = "answers.jsonl", "library"
_EVIDENCE = "evidence"


@dataclass(frozen=True, slots=True)
class PublicRequest:
    """One run over a public benchmark.

    `config` holds how videos are remembered and questions answered; `out` None keeps nothing.
    """

    format: str
    questions: Path
    videos: Path
    config: LoadedConfig
    answerer: str = _EVIDENCE
    out: Path | None = None
    fresh: bool = False
    command_line: str = "streammem bench questions"


def run_public_bench(
    request: PublicRequest, *, on_event: OnBenchEvent, should_stop: Callable[[], bool]
) -> BenchRun:
    """Remember the videos that are there, ask their questions, and score by the rule.

    Raises:
        UsageError: the question file is not in the format, or `out` holds another run.
        SourceError: the folder of videos is not there.
        Interrupted: `should_stop` said so; `out` holds what was finished.
    """
    started_at = time.monotonic()
    asked = read_questions(request.format, request.questions)
    if not request.videos.is_dir():
        raise SourceError(f"{request.videos} is not a folder", hint="name a folder of videos")
    places = find_videos(request.videos, {question.video for question in asked})
    with ExitStack() as stack:
        folder = request.out or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="streammem-bench-"))
        )
        run = _Run(request, folder, on_event, should_stop)
        run.ask_all(asked, places)
    document = _document(request, asked, run, time.monotonic() - started_at)
    files: tuple[Path, ...] = ()
    if request.out is not None:
        files = (request.out / "results.json", request.out / "table.md")
        files[0].write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        files[1].write_text(f"```text\n{standing_table(document)}\n```\n", encoding="utf-8")
    failures = tuple(f"{video}: {reason}" for video, reason in run.unreadable.items())
    return BenchRun(document, standing_table(document), files, failures)


def find_videos(folder: Path, wanted: Iterable[str]) -> dict[str, Path]:
    """The file of each video that is there: by its path in the folder, else by its name.

    Names are compared without their ending, so that a clip may be re-encoded into another file.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix)
    by_path = {path.relative_to(folder).with_suffix("").as_posix(): path for path in files}
    by_stem: dict[str, list[Path]] = {}
    for path in files:
        by_stem.setdefault(path.stem, []).append(path)
    found: dict[str, Path] = {}
    for video in wanted:
        plain = PurePosixPath(video.removeprefix("./"))
        inner = plain.with_suffix("").as_posix() if _has_ending(plain) else plain.as_posix()
        stem = PurePosixPath(inner).name
        if inner in by_path:
            found[video] = by_path[inner]
        elif len(by_stem.get(stem, ())) == 1:
            found[video] = by_stem[stem][0]
    return found


def _has_ending(path: PurePosixPath) -> bool:
    return path.suffix.lower() in {".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".mpg", ".ts"}


class _Run:
    """One run under way: the library of its memories and the answers so far."""

    def __init__(
        self,
        request: PublicRequest,
        folder: Path,
        report: OnBenchEvent,
        stop: Callable[[], bool],
    ) -> None:
        self._request, self._report, self._stop = request, report, stop
        folder.mkdir(parents=True, exist_ok=True)
        self._library = Library(folder / LIBRARY, request.config)
        self._path = folder / ANSWERS
        self.answers = self._read()
        self.unreadable: dict[str, str] = {}

    def ask_all(self, asked: Sequence[PublicQuestion], places: dict[str, Path]) -> None:
        """Video after video: remember it, then ask what has no answer yet."""
        here = [question for question in asked if question.video in places]
        done = sum(question.id in self.answers for question in here)
        self._report(BenchEvent("resumed" if done else "started", done, len(here)))
        for video in dict.fromkeys(question.video for question in here):
            todo = [q for q in here if q.video == video and q.id not in self.answers]
            if todo and self._remember(video, places[video]):
                for question in todo:
                    self._check(done, len(here))
                    self._keep(question, self._ask(question))
                    done += 1
                    self._report(BenchEvent("progress", done, len(here), video))
        self._report(BenchEvent("done", done, len(here)))

    def _check(self, done: int, total: int) -> None:
        if self._stop():
            raise Interrupted(
                f"stopped after {done} of {total} questions",
                hint="the same command with the same --out goes on" if self._request.out else None,
            )

    def _remember(self, video: str, place: Path) -> bool:
        """Whether there is a memory of a video; a stopped one is finished."""
        request = request_from_config(self._request.config.config, name=_memory_id(video))
        (result,) = self._library.ingest([str(place)], request, should_stop=self._stop)
        if result.error is None:
            return True
        self.unreadable[video] = result.error.message
        self._report(BenchEvent("failed", message=f"{video}: {result.error.message}"))
        return False

    def _ask(self, question: PublicQuestion) -> Asking:
        query = self._request.config.config.query
        options = AskOptions(
            memories=(_memory_id(question.video),),
            choices=question.options,
            at_s=question.at_s,
            answerer=self._request.answerer,
            top_k=query.top_k,
            min_confidence=query.min_confidence,
        )
        try:
            answer = self._library.ask(question.text, options)
        except UsageError as error:
            # Asked before the first frame was seen, for example: nothing can be known then.
            return Asking(None, None, abstained=True, text=error.message)
        place = chosen_place(answer, question.options)
        return Asking(place, answer.value, abstained=answer.abstained, text=answer.text or "")

    def _header(self) -> str:
        config = self._request.config.config
        facts = {
            "format": self._request.format,
            "questions": hashlib.sha256(self._request.questions.read_bytes()).hexdigest()[:16],
            "answerer": self._request.answerer,
            "encoder": config.ingest.encoder,
            "fps": config.ingest.fps,
            "budget_bytes": config.ingest.budget,
        }
        return json.dumps(facts, sort_keys=True)

    def _read(self) -> dict[str, Asking]:
        """The answers of a stopped run; a line that was cut off does not count."""
        lines = self._path.read_text("utf-8").split("\n") if self._path.exists() else [""]
        if self._request.fresh or not lines[0]:
            lines = [self._header(), ""]
            self._path.write_text(f"{self._header()}\n", encoding="utf-8")
        if lines[0] != self._header():
            raise UsageError(
                f"{self._path} holds answers to other questions or with other settings",
                hint="add --fresh to ask everything anew, or choose another --out",
                code="other_run",
            )
        rows = [json.loads(line) for line in lines[1:-1]]
        self._path.write_text("".join(f"{line}\n" for line in lines[:-1]), encoding="utf-8")
        return {row.pop("id"): Asking(**row) for row in rows}

    def _keep(self, question: PublicQuestion, asking: Asking) -> None:
        self.answers[question.id] = asking
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"id": question.id, **asdict(asking)}) + "\n")


def _memory_id(video: str) -> str:
    """A name that two videos never share and that no file system minds."""
    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in PurePosixPath(video).stem)
    return f"{stem[:40]}-{hashlib.sha256(video.encode()).hexdigest()[:8]}"


def chosen_place(answer: Answer, options: Sequence[str]) -> int | None:
    """The option that an answer takes: what a language model names, else what was measured."""
    if answer.answerer != _EVIDENCE and answer.text:
        text = answer.text.casefold()
        named = [
            place for place, option in enumerate(options) if option_text(option).casefold() in text
        ]
        if len(named) == 1:
            return named[0]
    return options.index(answer.choice) if answer.choice in options else None


def _document(
    request: PublicRequest, asked: Sequence[PublicQuestion], run: _Run, elapsed_s: float
) -> dict[str, Any]:
    config = request.config.config
    return {
        "schema_version": SCHEMA_VERSION,
        "command": "bench questions",
        "command_line": request.command_line,
        "machine": {**hardware(), "versions": versions(("streammem", "numpy", "torch"))},
        "answerer": request.answerer,
        "encoder": config.ingest.encoder,
        "fps": config.ingest.fps,
        "budget_bytes": config.ingest.budget,
        "elapsed_s": round(elapsed_s, 1),
        "results": [standing(request.format, asked, run.answers, run.unreadable)],
    }
