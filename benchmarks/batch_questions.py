"""Whether a library in shards answers as one process does, and how long its answers take.

    python benchmarks/batch_questions.py      # writes benchmarks/results/batch-questions.json

A library as that of `benchmarks/library.py` is written, and the same questions go to one process
and to processes, here and on Ray, that hold a part of the memories each. Everything of an answer
has to be equal, bit for bit: text, value, confidence, evidence, candidates, notes, the steps of
`--explain`; only its times may differ. Memories stay open between questions in all three.
"""

import argparse
import importlib.util
import os
import shutil
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import harness
import library as written

_LONG_AGO = 1.6e9


def main() -> int:
    """Measure and write the result; 1 where any answer differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memories", type=int, default=200)
    parser.add_argument("--questions", type=int, default=50)
    parser.add_argument("--shards", type=int, default=2)
    parser.add_argument("--encoder", default="embedded")
    parser.add_argument("--folder", type=Path, help="keep the library here and use it again")
    parser.add_argument("--no-ray", action="store_true", help="leave the engine ray out")
    options = harness.arguments(parser, "batch-questions.json")
    memories = min(options.memories, 40) if options.quick else options.memories
    count = min(options.questions, 7) if options.quick else options.questions
    engines = ["local"]
    if importlib.util.find_spec("ray") and not options.no_ray:
        engines.append("ray")
    folder = options.folder or Path(tempfile.mkdtemp(prefix="streammem-shards-"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.glob("*.smem")):
            written.make_library(folder, memories, options.encoder)
            settle(folder)
        questions = [text for _, text in written.questions(count, options.encoder)]
        whole, one_process = one(folder, questions)
        rows = [one_process]
        rows += [sharded(folder, engine, options.shards, questions, whole) for engine in engines]
        memories = len(list(folder.glob("*.smem")))
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(harness.table(rows))
    harness.write_result(
        options.out,
        {
            "encoder": options.encoder, "memories": memories, "questions": len(questions),
            "shards": options.shards, "answered": sum(not one["abstained"] for one in whole),
            "engines": rows,
        },
    )  # fmt: skip
    return int(any(row["equal"] < len(questions) for row in rows))


def settle(folder: Path) -> None:
    """Let the memories have lain there for long: those of the last minute are opened always."""
    for path in folder.glob("*.smem"):
        os.utime(path, (_LONG_AGO, _LONG_AGO))


def one(folder: Path, questions: list[str]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The answers of one process, asked twice, and how long the second ones took."""
    from streammem.api import Library

    library = Library(folder)
    library.converse()
    return asked("one process", library, questions, None)


def sharded(
    folder: Path, engine: str, shards: int, questions: list[str], whole: list[dict[str, Any]]
) -> dict[str, Any]:
    """How a library in shards compares."""
    from streammem.api import Library
    from streammem.shards import ShardedLibrary, ShardOptions

    with ShardedLibrary(Library(folder), ShardOptions(shards, engine)) as library:
        return asked(engine, library, questions, whole)[1]


def asked(
    name: str, library: Any, questions: list[str], whole: list[dict[str, Any]] | None
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Answers without their times; how many are those of `whole`, and what they took when warm."""
    from streammem.api import AskOptions

    options = AskOptions(explain=True)
    begun_at = time.perf_counter()
    library.ask(questions[0], options)
    begin_s = time.perf_counter() - begun_at
    first = [plain(library.ask(text, options)) for text in questions]
    walls, again = [], []
    for text in questions:
        begun_at = time.perf_counter()
        answer = library.ask(text, options)
        walls.append(1000 * (time.perf_counter() - begun_at))
        again.append(plain(answer))
    wanted = first if whole is None else whole
    equal = sum(a == b == c for a, b, c in zip(first, again, wanted, strict=True))
    return first, {
        "engine": name, "equal": equal, "first_question_s": begin_s,
        "warm_median_ms": harness.median(walls), "warm_p95_ms": harness.percentile(walls, 0.95),
    }  # fmt: skip


def plain(answer: Any) -> dict[str, Any]:
    """Everything of an answer but how long it took."""
    return {key: value for key, value in asdict(answer).items() if key != "elapsed_ms"}


if __name__ == "__main__":
    sys.exit(main())
