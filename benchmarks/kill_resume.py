"""Kills `streammem ingest` at random moments and compares what the restarted runs end with.

    python benchmarks/kill_resume.py

The same command runs after each kill -9. Where a run ends before its kill, its memory is compared
too and the next kill goes to a fresh library. Compared with an uninterrupted run: cells, ledger,
gaps, counts, the bytes of the memory's sections, and the answers; `verify` must be clean and no
child process may outlive its parent.
"""

import argparse
import hashlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import harness
import planted
import psutil

CHILD_LIMIT_S = 2.0
FROM_START_QUESTIONS = ("how many times is the screen red?", "is there a yellow screen?")


@dataclass(slots=True)
class Tally:
    """What the kills did, one row each, and every difference that was found."""

    kills: list[dict[str, Any]] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    orphans: list[int] = field(default_factory=list)
    libraries: int = 0


def contents(library: Path, name: str, questions: tuple[str, ...]) -> dict[str, Any]:
    """Everything of a memory that a kill must not change.

    Raises:
        ValueError: `verify` is not clean.
    """
    verified, _ = harness.run_streammem("verify", "--library", str(library), "--json")
    checks = harness.document(verified)["results"]
    if verified.returncode or not all(check["ok"] for check in checks):
        raise ValueError(f"verify: exit {verified.returncode}, {checks}")
    shown, _ = harness.run_streammem("show", name, "--library", str(library), "--json")
    details = harness.document(shown)["results"][0]
    answers = {}
    for question in questions:
        asked, _ = harness.run_streammem("ask", question, "--library", str(library), "--json")
        answer = harness.document(asked)
        answers[question] = {
            key: answer[key] for key in ("answer", "value", "evidence", "confidence")
        }
    kept = ("frames", "gaps", "cells", "cell_list", "ledger", "covered_s", "status")
    return {
        **{key: details[key] for key in kept},
        "answers": answers,
        "stored": stored_digest(library / f"{name}.smem"),
    }


def stored_digest(path: Path) -> str:
    """A digest of the memory's state and pictures, read straight from the file, row by row."""
    digest = hashlib.sha256()
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    for query in ("SELECT id, body FROM state", "SELECT pts_us, webp FROM thumbnail"):
        rows = connection.execute(f"{query} ORDER BY 1").fetchall()
        if not rows:
            raise ValueError(f"{path.name}: nothing found by {query}")
        for key, body in rows:
            digest.update(f"{key}:{len(body)}:".encode() + body)
    connection.close()
    return digest.hexdigest()


def run_and_kill(command: list[str], delay_s: float) -> tuple[int | None, list[int]]:
    """Start the command, kill it after `delay_s`; (exit status or None, children still alive)."""
    with subprocess.Popen(
        command, env=harness.command_environment(), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            return process.wait(timeout=delay_s), []
        except subprocess.TimeoutExpired:
            pass
        try:
            children = psutil.Process(process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            children = []
        process.send_signal(signal.SIGKILL)
        process.wait()
    _, alive = psutil.wait_procs(children, timeout=CHILD_LIMIT_S)
    return None, [child.pid for child in alive]


def progress_s(library: Path, name: str) -> float | None:
    """How far a killed run had committed, None where there is no readable memory yet."""
    shown, _ = harness.run_streammem("show", name, "--library", str(library), "--json")
    if shown.returncode:
        return None
    return float(harness.document(shown)["results"][0]["covered_s"])


def compare(tally: Tally, found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Note every key in which a memory differs from that of the uninterrupted run."""
    tally.libraries += 1
    for key, value in expected.items():
        if found[key] != value:
            tally.differences.append(f"library {tally.libraries}: {key} differs")


def main() -> int:
    """Kill, restart, compare, report; the exit status is 1 where anything differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=120.0, help="length of the stream")
    parser.add_argument("--budget", default="1MiB")
    parser.add_argument("--encoder", default="embedded")
    parser.add_argument("--seed", type=int, default=1)
    options = harness.arguments(parser, "kill_resume.json")
    if options.quick:
        options.kills, options.minutes = 4, 15.0
    duration_s = options.minutes * 60.0
    plan = planted.standard_plan(duration_s)
    questions = (*(scene.question for scene in plan), *FROM_START_QUESTIONS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        video = folder / "stream.mp4"
        planted.render(video, duration_s=duration_s, plan=plan, size=(320, 180))
        started = time.perf_counter()
        run_whole(video, folder / "whole", options)
        whole_s = time.perf_counter() - started
        expected = contents(folder / "whole", video.stem, questions)
        tally = kill_often(video, folder, options, whole_s, questions, expected)
    unanswered = [text for text, answer in expected["answers"].items() if not answer["evidence"]]
    print(harness.table(tally.kills))
    print(f"\n{len(tally.kills)} kills, {tally.libraries} finished memories compared")
    print("differences:", tally.differences or "none")
    print("children left alive:", tally.orphans or "none")
    print("questions without evidence in the uninterrupted run:", unanswered or "none")
    harness.write_result(options.out, {
        "uninterrupted_wall_s": round(whole_s, 2), "cells": expected["cells"],
        "frames": expected["frames"], "kills": tally.kills, "compared": tally.libraries,
        "differences": tally.differences, "orphans": tally.orphans, "unanswered": unanswered,
    })  # fmt: skip
    return 1 if tally.differences or tally.orphans or len(unanswered) == len(questions) else 0


def ingest_command(video: Path, library: Path, options: argparse.Namespace) -> list[str]:
    """The command that is killed and repeated."""
    return harness.streammem(
        "ingest", str(video), "--library", str(library), "--budget", options.budget,
        "--encoder", options.encoder, "--json",
    )  # fmt: skip


def run_whole(video: Path, library: Path, options: argparse.Namespace) -> None:
    """Run the command to its end.

    Raises:
        CalledProcessError: it did not exit with 0.
    """
    subprocess.run(
        ingest_command(video, library, options), env=harness.command_environment(),
        check=True, capture_output=True, timeout=1800,
    )  # fmt: skip


def kill_often(
    video: Path,
    folder: Path,
    options: argparse.Namespace,
    whole_s: float,
    questions: tuple[str, ...],
    expected: dict[str, Any],
) -> Tally:
    """Deliver the kills, chained on one library until a run gets through, then on the next."""
    rng = random.Random(options.seed)
    tally, number = Tally(), 0
    while len(tally.kills) < options.kills:
        library = folder / f"killed{number}"
        delay_s = rng.uniform(0.2, max(0.5, 0.6 * whole_s))
        status, alive = run_and_kill(ingest_command(video, library, options), delay_s)
        tally.orphans += alive
        if status is None:
            reached = progress_s(library, video.stem)
            tally.kills.append({"kill": len(tally.kills) + 1, "library": number,
                                "after_s": delay_s, "committed_s": reached})  # fmt: skip
            continue
        if status != 0:
            tally.differences.append(f"library {number}: a restarted run exited with {status}")
        compare(tally, contents(library, video.stem, questions), expected)
        number += 1
    last = folder / f"killed{number}"
    run_whole(video, last, options)
    compare(tally, contents(last, video.stem, questions), expected)
    return tally


if __name__ == "__main__":
    sys.exit(main())
