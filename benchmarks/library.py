"""How long a question to a whole library takes, and how often it finds what opening all would.

    python benchmarks/library.py      # writes benchmarks/results/library.json

A library of 1,000 memories is written through the storage interface: pictures of the encoder's
background with noise, into some of which things that it can name are mixed with different
strengths, and cues of a few thousand words. Cold: `streammem ask` in new processes with a warm page
cache. Warm: one process that keeps memories open. Agreement: the same questions with every memory
opened.
"""

import argparse
import random
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import harness
import numpy as np

WARM_LIMIT_MS = 300.0
AGREEMENT_BAR = 0.99
BUDGET = 4 << 20
FRAME_S = 0.5
SPOKEN_WORDS = 4000
SHAPES = {
    "when": "when does {a} appear?",
    "exists": "is there {a}?",
    "count": "how many times does {a} appear?",
    "after": "what happens after {a}?",
    "limited": "when does {a} appear between 0:10 and 0:50?",
    "said": "what is said about {w}?",
    "mentioned": "when is {w} {v} mentioned?",
}


def make_library(folder: Path, memories: int, encoder_id: str, seed: int = 5) -> dict[str, int]:
    """Write so many memories; what they hold together."""
    from streammem.encoders.load import load_encoder

    encoder = load_encoder(encoder_id, device="cpu")
    totals: Counter[str] = Counter()
    for number in range(memories):
        totals.update(_write_memory(folder, number, np.random.default_rng((seed, number)), encoder))
    return {"memories": memories, **totals}


def _write_memory(folder: Path, number: int, rng: Any, encoder: Any) -> dict[str, int]:
    """One memory of 30 to 120 seconds; every second one has cues."""
    from streammem.core.budget import plan_budget
    from streammem.core.types import FrameCounts, RuntimeChoice
    from streammem.memory.store import MemoryStore
    from streammem.storage.memory_file import MemoryWriter
    from streammem.storage.records import Commit, MemoryMeta, Progress

    spec, plan, memory_id = encoder.spec, plan_budget(BUDGET), f"clip-{number:05d}"
    tokens = spec.token_grid[0] * spec.token_grid[1] if spec.token_grid else 0
    frames = int(rng.integers(60, 240))
    vectors = _events(rng, frames, encoder.background().vectors, encoder.labels().vectors)
    store = MemoryStore(spec.dim, plan.store_bytes, "streammem", tokens_per_frame=tokens)
    noise = 0.15 * rng.standard_normal((frames, tokens, spec.dim)) / np.sqrt(spec.dim)
    of_tokens = (vectors[:, None] + noise).astype(np.float32) if tokens else None
    store.write(vectors, np.arange(frames) * FRAME_S, tokens=of_tokens)
    store.close()
    end_s = frames * FRAME_S
    added, next_id = _cues(rng, end_s, plan) if number % 2 else ((), 1)
    meta = MemoryMeta(
        memory_id, f"{number:064x}", f"{memory_id}.mp4", None, 1 / FRAME_S, None, None,
        "streammem", BUDGET, ("vision", "subtitle", "metadata"), spec, None, RuntimeChoice(),
        {}, 1.7e9 + number, None, "0.1.0",
    )  # fmt: skip
    with MemoryWriter.create(folder / f"{memory_id}.smem", meta, plan) as writer:
        progress = Progress(
            "done", None, end_s, end_s, 0.0, end_s, FrameCounts(frames, frames, 0), commits=1
        )
        writer.commit(
            Commit(
                store.sections(), progress,
                cell_counts={t.value: n for t, n in store.counts_by_tier().items()},
                tier_bytes={t.value: n for t, n in store.bytes_by_tier().items()},
                cues=added, cue_next_id=next_id,
            )
        )  # fmt: skip
    return {"spans": len(store.snapshot().span_cell), "cues": len(added)}


def _cues(rng: Any, end_s: float, plan: Any) -> tuple[tuple[Any, ...], int]:
    """Sentences of eight words every five seconds, and the number of the next one."""
    from streammem.core.types import Channel, Cue
    from streammem.storage.cue_cost import CueCost
    from streammem.text.memory import CueMemory
    from streammem.text.tally import WordTally

    memory = CueMemory(
        plan.cue_bytes // 2, CueCost(plan.page_bytes), (), next_id=1, tally=WordTally(4096),
        embed=None,
    )  # fmt: skip
    for at in np.arange(0.0, end_s - 4.0, 5.0).tolist():
        words = " ".join(f"word{word:04d}" for word in rng.integers(0, SPOKEN_WORDS, 8).tolist())
        memory.write([Cue(at, at + 4.0, words, Channel.SUBTITLE)])
    return memory.take_changes().added, memory.next_id


def _events(rng: Any, frames: int, pictures: Any, names: Any) -> Any:
    """Frames of events of 4 to 12 pictures; into one in six a thing is mixed."""
    rows = []
    while len(rows) < frames:
        centre = pictures[rng.integers(len(pictures))].astype(np.float64)
        if rng.random() < 1 / 6:
            centre = centre + rng.uniform(0.1, 0.9) * names[rng.integers(len(names))]
        centre = centre / np.linalg.norm(centre)
        noise = rng.standard_normal((int(rng.integers(4, 12)), len(centre)))
        rows += list(centre + 0.1 * noise / np.sqrt(len(centre)))
    return np.array(rows[:frames], np.float32)


def questions(count: int, encoder_id: str, seed: int = 11) -> list[tuple[str, str]]:
    """Questions of every shape about things that the encoder can name, with the shape's name."""
    from streammem.encoders.load import load_encoder

    words = load_encoder(encoder_id, device="cpu").labels().words
    rng = random.Random(seed)
    made = []
    for number in range(count):
        kind = list(SHAPES)[number % len(SHAPES)]
        parts = {
            "a": rng.choice(words),
            "w": f"word{rng.randrange(SPOKEN_WORDS):04d}",
            "v": f"word{rng.randrange(SPOKEN_WORDS):04d}",
        }
        made.append((kind, SHAPES[kind].format(**parts)))
    return made


def warm(
    folder: Path, asked: list[tuple[str, str]], later: list[tuple[str, str]]
) -> dict[str, Any]:
    """Milliseconds of each question in one process, over all and by shape.

    The first ones open most memories for the first time; `later` ones find them open.
    """
    from streammem.api import Library

    library = Library(folder)
    started_at = time.perf_counter()
    library.ask("when does a dog appear?")
    first_s = time.perf_counter() - started_at
    talk = library.converse()
    talk.ask("when does a dog appear?")
    return {"first_question_s": first_s, **_asked(talk, asked), "later": _asked(talk, later)}


def _asked(talk: Any, asked: list[tuple[str, str]]) -> dict[str, Any]:
    walls: dict[str, list[float]] = {}
    cpu_ms: list[float] = []
    for kind, text in asked:
        talk.use(())
        with harness.Stopwatch() as watch:
            talk.ask(text)
        walls.setdefault(kind, []).append(1000 * watch.timing.wall_s)
        cpu_ms.append(1000 * watch.timing.cpu_s)
    every = sorted(one for some in walls.values() for one in some)
    return {
        "questions": len(every),
        "median_ms": harness.median(every), "p95_ms": every[int(0.95 * len(every))],
        "max_ms": every[-1], "median_cpu_ms": harness.median(cpu_ms),
        "median_ms_by_shape": {kind: harness.median(some) for kind, some in walls.items()},
    }  # fmt: skip


def agreement(folder: Path, asked: list[tuple[str, str]]) -> dict[str, Any]:
    """How often the first piece of evidence, and value, are those of opening every memory."""
    from streammem.api import AskOptions, Library
    from streammem.runtime.asking import answer_question
    from streammem.runtime.opening import Opener

    library, options = Library(folder), AskOptions()
    opened, notes = Opener(folder).open(options)
    same: Counter[str] = Counter()
    total: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    differing: list[str] = []
    whole_ms = []
    for kind, text in asked:
        with harness.Stopwatch() as watch:
            whole = answer_question(text, opened, options, load_ms=0.0, notes=notes)
        whole_ms.append(1000 * watch.timing.wall_s)
        found = library.ask(text, options)
        total[kind] += 1
        answered[kind] += not whole.abstained
        if _essence(found) == _essence(whole):
            same[kind] += 1
        else:
            differing.append(text)
    return {
        "questions": sum(total.values()), "answered": sum(answered.values()),
        "share": sum(same.values()) / sum(total.values()),
        "share_by_shape": {kind: same[kind] / total[kind] for kind in total},
        "differing": differing[:10], "every_memory_open_median_ms": harness.median(whole_ms),
    }  # fmt: skip


def _essence(answer: Any) -> tuple[Any, ...]:
    """What has to agree: the value, and the first piece of evidence or of what came nearest."""
    first = (*answer.evidence, *answer.candidates)[:1]
    place = tuple((item.memory_id, round(item.start_s, 3), round(item.end_s, 3)) for item in first)
    return (answer.abstained, answer.value, place)


def cold(folder: Path, runs: int) -> dict[str, Any]:
    """Wall seconds of whole commands in new processes."""
    ask = ("ask", "when does a dog appear?", "--library", str(folder), "--json")
    walls = []
    for _ in range(runs + 1):
        done, wall_s = harness.run_streammem(*ask)
        if done.returncode != 0:
            raise RuntimeError(f"ask exited with {done.returncode}: {done.stderr[-1000:]}")
        walls.append(wall_s)
    answer = harness.document(done)
    return {
        "runs": walls[1:], "median_s": harness.median(walls[1:]),
        "elapsed_ms": answer["elapsed_ms"],
    }  # fmt: skip


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memories", type=int, default=1000)
    parser.add_argument("--questions", type=int, default=280)
    parser.add_argument("--cold-runs", type=int, default=5)
    parser.add_argument("--encoder", default="embedded")
    parser.add_argument("--folder", type=Path, help="keep the library here and use it again")
    parser.add_argument("--out", type=Path, default=harness.RESULTS / "library.json")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="streammem-library-"))
    try:
        if not any(folder.glob("*.smem")):
            folder.mkdir(parents=True, exist_ok=True)
            totals = make_library(folder, given.memories, given.encoder)
        else:
            totals = {"memories": len(list(folder.glob("*.smem")))}
        asked = questions(given.questions, given.encoder)
        later = questions(given.questions, given.encoder, seed=12)
        of_warm = warm(folder, asked, later)
        of_cold = cold(folder, given.cold_runs)
        agreed = agreement(folder, asked)
        size = sum(path.stat().st_size for path in folder.glob("*.smem"))
        index = (folder / "search.sqlite").stat().st_size
    finally:
        if given.folder is None:
            shutil.rmtree(folder, ignore_errors=True)
    document = {
        "benchmark": "library",
        "encoder": given.encoder,
        "library": {**totals, "bytes": size, "index_bytes": index},
        "warm": of_warm, "cold": of_cold, "agreement": agreed,
        "bars": {"warm_median_ms": WARM_LIMIT_MS, "agreement": AGREEMENT_BAR},
    }  # fmt: skip
    harness.write_result(given.out, document)
    print(
        f"{totals['memories']} memories: warm median {of_warm['median_ms']:.0f} ms "
        f"({of_warm['median_cpu_ms']:.0f} ms of processor), p95 "
        f"{of_warm['p95_ms']:.0f} ms, later ones {of_warm['later']['median_ms']:.0f} and "
        f"{of_warm['later']['p95_ms']:.0f} ms, cold {of_cold['median_s']:.2f} s, first evidence "
        f"as with every memory open in {agreed['share']:.3f} "
        f"(then {agreed['every_memory_open_median_ms']:.0f} ms)"
    )


if __name__ == "__main__":
    main()
