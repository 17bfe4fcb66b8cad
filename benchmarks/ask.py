"""How long a question takes: the whole command in a new process, and warm retrieval.

    python benchmarks/ask.py        # writes benchmarks/results/ask.json

Cold: `streammem ask` over one sample's memory with the embedded encoder, in new processes with a
warm page cache; none of torch, open_clip and av may be imported. Warm: a memory of at least 10,000
cells of 512 numbers; `MemorySnapshot.search` alone, and the whole of `query.find` with a text
embedding made beforehand.
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
FORBIDDEN = ("torch", "open_clip", "torchvision", "av")
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
    """Milliseconds of `search` and of the whole of `query.find`, over one snapshot."""
    from streammem import parse_question
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
    memory = QueryMemory(
        "clip", "clip.mp4", snapshot, MadeBeforehand(), 0.0, float(snapshot.now_s), ()
    )
    texts = [f"when does thing number {number} appear?" for number in range(runs)]
    searches, finds, counts = [], [], []
    for number, text in enumerate(texts):
        question = parse_question(text)
        counting = parse_question(f"how many times does thing number {number} appear?")
        query = vectors[number % len(vectors)]
        searches.append(_milliseconds(lambda: snapshot.search(query, top_k=5)))  # noqa: B023
        finds.append(_milliseconds(lambda: find(question, [memory], QueryOptions())))  # noqa: B023
        counts.append(_milliseconds(lambda: find(counting, [memory], QueryOptions())))  # noqa: B023
    rows = {"search": searches, "find when": finds, "find count": counts}
    return {
        "cells": {tier.value: count for tier, count in store.counts_by_tier().items()},
        "snapshot_ms": snapshot_ms,
        "ms": {name: {"first": found[0], "median": harness.median(found),
                      "p95": harness.percentile(found, 0.95), "max": max(found)}
               for name, found in rows.items()},
    }  # fmt: skip


def _milliseconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


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
    print(f"warm, {cells} cells, snapshot {retrieval['snapshot_ms']:.1f} ms")
    print(harness.table([{"work": name, **ms} for name, ms in retrieval["ms"].items()]))
    harness.write_result(options.out, {"cold": started_cold, "warm": retrieval})
    met = (
        started_cold["median_s"] < COLD_LIMIT_S
        and not started_cold["heavy_modules_imported"]
        and all(ms["median"] < WARM_LIMIT_MS for ms in retrieval["ms"].values())
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
