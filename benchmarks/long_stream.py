"""A stream of hours under a small budget: file size, WAL, resident memory, and what is found.

    python benchmarks/long_stream.py

Renders a low-resolution stream with planted scenes, ingests it in a process of its own, and
watches that process and its files every few milliseconds; then asks for the planted scenes.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
import planted

POLL_S = 0.005
RSS_EVERY_S = 0.1
RSS_GROWTH_LIMIT = 0.05
RSS_SAMPLES_TO_JUDGE = 40


@dataclass(frozen=True, slots=True)
class Watch:
    """What was seen while a process ran: largest files and resident bytes over time."""

    main_bytes: int
    wal_bytes: int
    files_bytes: int
    polls: int
    sizes: tuple[int, ...]
    rss: tuple[tuple[float, int], ...]


def watch(process: subprocess.Popen[str], library: Path, name: str) -> Watch:
    """Poll the memory's files and the process until it ends."""
    started = time.perf_counter()
    main_bytes = wal_bytes = files_bytes = polls = 0
    sizes: set[int] = set()
    rss: list[tuple[float, int]] = []
    while process.poll() is None:
        main, wal = _size(library / f"{name}.smem"), _size(library / f"{name}.smem-wal")
        main_bytes, wal_bytes = max(main_bytes, main), max(wal_bytes, wal)
        files_bytes = max(files_bytes, sum(_size(path) for path in library.glob(f"{name}.*")))
        sizes.add(main)
        polls += 1
        elapsed_s = time.perf_counter() - started
        if not rss or elapsed_s - rss[-1][0] >= RSS_EVERY_S:
            rss.append((round(elapsed_s, 2), harness.rss_bytes(process.pid)))
        time.sleep(POLL_S)
    return Watch(main_bytes, wal_bytes, files_bytes, polls, tuple(sorted(sizes)), tuple(rss))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def rss_growth(rss: tuple[tuple[float, int], ...]) -> float:
    """Relative growth of the median resident bytes from the second to the last quarter."""
    values = [size for _, size in rss if size]
    quarter = len(values) // 4
    if quarter == 0:
        return 0.0
    early = harness.median(values[quarter : 2 * quarter])
    return harness.median(values[-quarter:]) / early - 1.0


def ingest_watched(
    video: Path, library: Path, options: argparse.Namespace
) -> tuple[dict[str, Any], int, Watch, float]:
    """(result, exit status, what was watched, wall seconds) of one ingest in its own process."""
    arguments = ["ingest", str(video), "--library", str(library), "--budget", options.budget,
                 "--encoder", options.encoder, "--json"]  # fmt: skip
    started = time.perf_counter()
    with subprocess.Popen(
        harness.streammem(*arguments), env=harness.command_environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        printed: list[str] = []
        drains = [threading.Thread(target=lambda pipe=pipe: printed.append(pipe.read()))
                  for pipe in (process.stdout, process.stderr)]  # fmt: skip
        for drain in drains:
            drain.start()
        seen = watch(process, library, video.stem)
        for drain in drains:
            drain.join()
    wall_s = time.perf_counter() - started
    text = next((part for part in printed if part.lstrip().startswith("{")), "")
    done = subprocess.CompletedProcess(process.args, process.returncode, text, "".join(printed))
    return harness.document(done)["results"][0], process.returncode, seen, wall_s


def ask_planted(library: Path, plan: tuple[planted.Planted, ...]) -> list[dict[str, Any]]:
    """One row for each planted scene: where it is and where the first evidence says it is."""
    rows = []
    for scene in plan:
        done, _ = harness.run_streammem("ask", scene.question, "--library", str(library), "--json")
        answer = harness.document(done)
        first = answer["evidence"][0] if answer["evidence"] else None
        overlap_s = iou = 0.0
        if first:
            overlap_s = min(first["end_s"], scene.end_s) - max(first["start_s"], scene.start_s)
            whole_s = max(first["end_s"], scene.end_s) - min(first["start_s"], scene.start_s)
            iou = max(0.0, overlap_s) / whole_s
        rows.append({
            "question": scene.question, "start_s": scene.start_s, "end_s": scene.end_s,
            "found_start_s": first and first["start_s"], "found_end_s": first and first["end_s"],
            "iou": iou, "tier": first and first["tier"], "confidence": answer["confidence"],
            "found": overlap_s > 0,
        })  # fmt: skip
    return rows


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything one run of this benchmark found out."""

    result: dict[str, Any]
    exit_status: int
    seen: Watch
    wall_s: float
    rows: list[dict[str, Any]]
    files_at_rest: dict[str, int]
    video_bytes: int


def main() -> int:
    """Render, ingest, ask, report; the exit status is 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hours", type=float, default=2.25)
    parser.add_argument("--budget", default="1MiB")
    parser.add_argument("--encoder", default="embedded")
    parser.add_argument("--keep", type=Path, help="render and ingest in this folder and keep it")
    options = harness.arguments(parser, "long_stream.json")
    duration_s = (0.2 if options.quick else options.hours) * 3600.0
    with tempfile.TemporaryDirectory() as temporary:
        outcome = measure(options.keep or Path(temporary), duration_s, options)
    return report(options, outcome)


def measure(folder: Path, duration_s: float, options: argparse.Namespace) -> Outcome:
    """Render the stream into `folder`, ingest it watched, and ask for what was planted."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = planted.standard_plan(duration_s)
    video, library = folder / "stream.mp4", folder / "library"
    planted.render(video, duration_s=duration_s, plan=plan)
    result, exit_status, seen, wall_s = ingest_watched(video, library, options)
    return Outcome(
        result=result,
        exit_status=exit_status,
        seen=seen,
        wall_s=wall_s,
        rows=ask_planted(library, plan),
        files_at_rest={p.name: p.stat().st_size for p in library.iterdir() if p.is_file()},
        video_bytes=video.stat().st_size,
    )


def report(options: argparse.Namespace, outcome: Outcome) -> int:
    """Print and write the figures; 1 where a bar is missed."""
    result, seen, at_rest = outcome.result, outcome.seen, outcome.files_at_rest
    budget = result["bytes"]["budget"]
    growth = rss_growth(seen.rss)
    main_bytes = max(seen.main_bytes, at_rest.get("stream.smem", 0))
    bars = {
        "exit is 0": outcome.exit_status == 0,
        "main file within the budget": 0 < main_bytes <= budget,
        "WAL within max(4 MiB, budget / 4)": seen.wal_bytes <= max(4 << 20, budget // 4),
        "no WAL at rest": at_rest.get("stream.smem-wal", 0) == 0,
        "every planted scene found": all(row["found"] for row in outcome.rows),
        f"resident memory flat within {RSS_GROWTH_LIMIT:.0%}": (
            growth <= RSS_GROWTH_LIMIT or len(seen.rss) < RSS_SAMPLES_TO_JUDGE
        ),
    }
    print(harness.table(outcome.rows), "\n")
    print(f"stream {result['covered_s']:.0f} s, {outcome.video_bytes} bytes; "
          f"ingest {outcome.wall_s:.1f} s wall")  # fmt: skip
    print(f"main file at most {main_bytes} of {budget} bytes, WAL at most {seen.wal_bytes}")
    print(
        f"resident at most {max((r for _, r in seen.rss), default=0)} bytes, growth {growth:+.1%}"
    )
    for bar, met in bars.items():
        print(f"{'ok  ' if met else 'MISS'} {bar}")
    harness.write_result(options.out, {
        "bars": bars, "ingest_wall_s": round(outcome.wall_s, 2),
        "video_bytes": outcome.video_bytes, "covered_s": result["covered_s"],
        "frames": result["frames"], "cells": result["cells"], "bytes": result["bytes"],
        "encoder": result["encoder"], "files_at_rest": at_rest, "main_bytes_max": main_bytes,
        "wal_bytes_max": seen.wal_bytes, "all_files_bytes_max": seen.files_bytes,
        "polls": seen.polls, "main_sizes_seen": len(seen.sizes), "rss_growth": round(growth, 4),
        "rss": seen.rss[:: max(1, len(seen.rss) // 200)], "planted": outcome.rows,
    })  # fmt: skip
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
