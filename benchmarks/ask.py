"""How long a question takes: the whole command in a new process, and warm retrieval.

    python benchmarks/ask.py        # writes benchmarks/results/ask.json

Cold: `streammem ask` over one sample's memory with the embedded encoder, in new processes with a
warm page cache; none of torch, open_clip and av may be imported. Warm: a memory of at least 10,000
cells of 512 numbers and 10,000 cues; `MemorySnapshot.search` alone, and the whole of `query.find`
and its sentence, with a text embedding made beforehand. Wall and processor time are given both:
they differ where other work runs on the machine, and the bars are for the processor's then.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import harness
import numpy as np

COLD_LIMIT_S = 1.0
WARM_LIMIT_MS = 10.0
P95_LIMIT_MS = 50.0
SAID_WORDS = 4000
FORBIDDEN = ("torch", "open_clip", "torchvision", "av")
# Every kind of question that the engine computes in another way; `{n}` names another thing.
QUESTIONS = {
    "when": "when does thing number {n} appear?",
    "count": "how many times does thing number {n} appear?",
    "exists": "is there a thing number {n}?",
    "after": "how often does thing number {n} appear after thing number {m}?",
    "between": "what is shown between thing number {n} and the second thing number {m}?",
    "order": "in what order do thing {n}, thing {m} and thing {n}{m} appear?",
    "now": "what is shown now?",
    "state": "what colour is thing number {n} now?",
    "said": "what is said about word{n:04d}?",
    "mentioned": "how many times is word{n:04d} mentioned?",
    "describe": "describe the video",
}
QUESTION = "when is the screen yellow?"
DIM = 512
LIST_MODULES = (
    "import sys\n"
    "from streammem_cli.app import main\n"
    "sys.argv[0] = 'streammem'\n"
    "try:\n"
    "    main()\n"
    "except SystemExit as end:\n"
    "    status = end.code\n"
    "else:\n"
    "    status = 0\n"
    "print(' '.join(sorted(name for name in sys.modules if '.' not in name)), file=sys.stderr)\n"
    "sys.exit(status)\n"
)


def cold(folder: Path, runs: int) -> dict[str, Any]:
    """Wall seconds of whole `ask` commands and the heavy modules one of them imported.

    Raises:
        RuntimeError: the memory could not be made or the question not be answered.
    """
    library, video = str(folder / "library"), str(harness.SAMPLES / "scenes.mp4")
    made, _ = harness.run_streammem(
        "ingest", video, "--library", library, "--encoder", "embedded", "--json"
    )
    if made.returncode != 0:
        raise RuntimeError(f"ingest exited with {made.returncode}: {made.stderr[-1000:]}")
    ask = ("ask", QUESTION, "--library", library, "--json")
    harness.run_streammem(*ask)
    walls = []
    for _ in range(runs):
        done, wall_s = harness.run_streammem(*ask)
        if done.returncode != 0:
            raise RuntimeError(f"ask exited with {done.returncode}: {done.stderr[-1000:]}")
        walls.append(wall_s)
    driven = subprocess.run(
        [sys.executable, "-c", LIST_MODULES, *ask], env=harness.command_environment(),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = set(driven.stderr.strip().splitlines()[-1].split())
    if "streammem" not in imported:
        raise RuntimeError("the list of imported modules does not even hold streammem")
    answer = harness.document(done)
    return {
        "runs": walls, "median_s": harness.median(walls), "max_s": max(walls),
        "elapsed_ms": answer["elapsed_ms"], "answer": answer["answer"],
        "heavy_modules_imported": sorted(imported.intersection(FORBIDDEN)),
    }  # fmt: skip


def full_store(cells: int) -> Any:
    """A store with at least that many cells, each of a direction of its own."""
    from streammem import MemoryStore

    store = MemoryStore(dim=DIM, budget_bytes=cells * 16 * 1024, policy="streammem", seed=0)
    rng = np.random.default_rng(5)
    written = 0
    while sum(store.counts_by_tier().values()) < cells:
        events, frames = 256, 4
        directions = rng.standard_normal((events, DIM)).astype(np.float32)
        jitter = 0.02 * rng.standard_normal((events * frames, DIM)).astype(np.float32)
        store.write(
            np.repeat(directions, frames, axis=0) + jitter,
            (written + np.arange(events * frames)) * 0.5,
        )
        written += events * frames
        if written > 40 * cells * frames:
            raise RuntimeError(f"{written} frames gave only {store.counts_by_tier()} cells")
    return store


def warm(cells: int, runs: int) -> dict[str, Any]:
    """Milliseconds of `search` and of whole answers of every kind, over one snapshot."""
    from streammem import parse_question
    from streammem.answer.evidence import put_into_words
    from streammem.core.types import (
        Background,
        EncoderSpec,
        FrameFeatures,
        Pixels,
        RuntimeChoice,
        TextFeatures,
    )  # fmt: skip
    from streammem.encoders.base import Encoder, Labels
    from streammem.query.engine import QueryMemory, QueryOptions, find

    rng = np.random.default_rng(6)
    vectors = rng.standard_normal((400, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    class MadeBeforehand(Encoder):
        """Gives one text embedding without computing anything."""

        spec = EncoderSpec("fixed", "0" * 16, 32, (0, 0, 0), (1, 1, 1), "area", DIM, None)
        runtime = RuntimeChoice()

        def encode_images(self, pixels: Pixels) -> FrameFeatures:
            raise TypeError("this encoder has no picture side")

        def encode_text(self, text: str) -> TextFeatures:
            return TextFeatures(vectors[sum(text.encode()) % 300])

        def background(self) -> Background:
            return Background(vectors[:256])

        def labels(self) -> Labels:
            return Labels(tuple(f"label{row}" for row in range(64)), vectors[256:320])

        def close(self) -> None:
            pass

    store = full_store(cells)
    started = time.perf_counter()
    snapshot = store.snapshot()
    snapshot_ms = (time.perf_counter() - started) * 1000
    end_s = float(snapshot.now_s)
    memory = QueryMemory(
        "clip", "clip.mp4", snapshot, MadeBeforehand(), 0.0, end_s, (), cues=cue_book(cells, end_s)
    )
    kinds: dict[str, list[tuple[float, float]]] = {"search": []}
    for number in range(runs):
        query = vectors[number % len(vectors)]
        kinds["search"].append(_milliseconds(lambda: snapshot.search(query, top_k=5)))  # noqa: B023
        for kind, words in QUESTIONS.items():
            question = parse_question(words.format(n=number, m=number + 1))
            for at_s, name in ((None, kind), (end_s * 0.6, f"{kind} --at")):
                options = QueryOptions(at_s=at_s)
                took = _milliseconds(
                    lambda: put_into_words(question, find(question, [memory], options))  # noqa: B023
                )
                kinds.setdefault(name, []).append(took)
    return {
        "cells": {tier.value: count for tier, count in store.counts_by_tier().items()},
        "cues": len(memory.cues.rows) if memory.cues else 0,
        "snapshot_ms": snapshot_ms,
        "wall_ms": {name: _spread([wall for wall, _ in took]) for name, took in kinds.items()},
        "cpu_ms": {name: _spread([cpu for _, cpu in took]) for name, took in kinds.items()},
    }


def cue_book(count: int, end_s: float) -> Any:
    """As many cues of eight words each, through a real file and its full-text index."""
    from streammem.core.budget import plan_budget
    from streammem.core.types import Channel, Cue, EncoderSpec, RuntimeChoice
    from streammem.query.cues import CueBook
    from streammem.storage.memory_file import MemoryWriter, read_with_cues
    from streammem.storage.records import Commit, MemoryMeta, Progress
    from streammem.text.rows import CueRow

    rng = np.random.default_rng(8)
    spec = EncoderSpec("fixed", "0" * 16, 32, (0, 0, 0), (1, 1, 1), "area", DIM, None)
    rows = []
    for number in range(count):
        start_s = end_s * number / count
        # The first words are the frequent ones, as in any language: one cue in seven has word0000.
        drawn = (SAID_WORDS ** rng.random(8)).astype(int) - 1
        words = " ".join(f"word{word:04d}" for word in drawn)
        rows.append(CueRow(number + 1, Cue(start_s, start_s + 2.0, words, Channel.SPEECH)))
    meta = MemoryMeta(
        "clip", "f" * 64, "clip.mp4", None, 2.0, None, None, "streammem", 1 << 26, ("vision",),
        spec, None, RuntimeChoice(), {}, 1.0, None, "0",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "clip.smem"
        with MemoryWriter.create(path, meta, plan_budget(1 << 26)) as writer:
            writer.commit(Commit({}, Progress(), cues=tuple(rows), cue_next_id=count + 1))
        _, index = read_with_cues(path)
    return CueBook(index, None)


def _spread(values: list[float]) -> dict[str, float]:
    return {"first": values[0], "median": harness.median(values),
            "p95": harness.percentile(values, 0.95), "max": max(values)}  # fmt: skip


def _milliseconds(work: Any) -> tuple[float, float]:
    """Wall and processor milliseconds of some work."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


def main() -> int:
    """Measure both, print the tables, write the result; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=15, help="cold commands")
    parser.add_argument("--questions", type=int, default=200, help="warm questions")
    parser.add_argument("--cells", type=int, default=10_000)
    options = harness.arguments(parser, "ask.json")
    if options.quick:
        options.runs, options.questions, options.cells = 3, 20, 2000
    with tempfile.TemporaryDirectory() as temporary:
        started_cold = cold(Path(temporary), options.runs)
    retrieval = warm(options.cells, options.questions)
    print(f"cold command: median {started_cold['median_s']:.3f} s of {options.runs} runs, "
          f"slowest {started_cold['max_s']:.3f} s; heavy modules imported: "
          f"{', '.join(started_cold['heavy_modules_imported']) or 'none'}\n")  # fmt: skip
    cells = sum(retrieval["cells"].values())
    print(f"warm, {cells} cells, {retrieval['cues']} cues, snapshot "
          f"{retrieval['snapshot_ms']:.1f} ms; processor time, ms")  # fmt: skip
    print(harness.table([{"work": name, **ms} for name, ms in retrieval["cpu_ms"].items()]))
    harness.write_result(options.out, {"cold": started_cold, "warm": retrieval})
    met = (
        started_cold["median_s"] < COLD_LIMIT_S
        and not started_cold["heavy_modules_imported"]
        and retrieval["cpu_ms"]["search"]["median"] < WARM_LIMIT_MS
        and all(ms["p95"] < P95_LIMIT_MS for ms in retrieval["cpu_ms"].values())
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
