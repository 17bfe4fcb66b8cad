"""Measures `streammem batch` on small rendered videos, and breaks it in every way it may break.

    python benchmarks/batch.py --files 1000 --part speed
    python benchmarks/batch.py --files 200 --part kills

Parts: `speed` runs one and two workers of each engine, one thread each, then the same command
again; `kills` kills workers, the driver, with Ray the raylet, at random moments; `disk` fills a
small tmpfs (needs the right to mount one). After each the memories must equal those of an
undisturbed run, and no source may have been read to its end twice.
"""

import argparse
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import harness
import numpy as np
import psutil

RATE_HZ, SIZE_PX, DURATION_S = 8, 64, 4.0
PLAIN = ("--no-audio", "--no-ocr", "--encoder", "descriptor")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
PARTS = ("speed", "kills", "disk")
_LONG_AGO = 1.6e9
_GIVE_UP = 60


def main() -> int:
    """Run the parts that are asked for and write one document; 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--part", choices=(*PARTS, "all"), default="all")
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--no-ray", action="store_true", help="leave the engine ray out")
    options = harness.arguments(parser, "batch.json")
    files = min(options.files, 16) if options.quick else options.files
    kills = min(options.kills, 3) if options.quick else options.kills
    engines = ["local"]
    if importlib.util.find_spec("ray") and not options.no_ray:
        engines.append("ray")
    result: dict[str, Any] = {"files": files, "video_s": DURATION_S, "engines": engines}
    with tempfile.TemporaryDirectory(prefix="streammem-batch-") as temporary:
        folder = Path(temporary)
        videos = render(folder / "videos", files)
        calm = folder / "calm"
        run_batch(videos, calm, jobs=2)
        wanted = contents(calm)
        parts = PARTS if options.part == "all" else (options.part,)
        if "speed" in parts:
            result["speed"] = [speed(videos, folder, engine, wanted) for engine in engines]
            print(harness.table(result["speed"]))
        if "kills" in parts:
            rng = random.Random(options.seed)
            result["kills"] = [kill(videos, folder, e, kills, rng, wanted) for e in engines]
            print(harness.table(result["kills"]))
        if "disk" in parts:
            result["disk"] = fill_disk(videos, folder, wanted)
            print(harness.table([result["disk"]]))
    harness.write_result(options.out, result)
    rows = [*result.get("speed", []), *result.get("kills", []), result.get("disk", {})]
    return int(any(row.get("equal") is False for row in rows))


def render(folder: Path, count: int) -> Path:
    """`count` videos of two colours each, no two alike, that have lain there for long."""
    from streammem.video._pyav_writer import write_h264

    folder.mkdir()
    frames = round(RATE_HZ * DURATION_S)
    for number in range(count):
        pair = np.random.default_rng(number).integers(0, 255, (2, 3, 1, 1), dtype=np.uint8)
        path = folder / f"video{number:05}.mp4"
        whole = (3, SIZE_PX, SIZE_PX)
        pictures = (
            np.ascontiguousarray(np.broadcast_to(pair[at * 2 // frames], whole))
            for at in range(frames)
        )
        write_h264(path, pictures, RATE_HZ)
        os.utime(path, (_LONG_AGO, _LONG_AGO))
    return folder


def batch_command(videos: Path, library: Path, jobs: int, engine: str) -> list[str]:
    """The command that is measured."""
    return harness.streammem(
        "batch", str(videos), "--library", str(library), *PLAIN, "--jobs", str(jobs),
        "--engine", engine, "--jsonl", "-q",
    )  # fmt: skip


def run_batch(videos: Path, library: Path, *, jobs: int, engine: str = "local") -> float:
    """Wall seconds of a whole run.

    Raises:
        subprocess.CalledProcessError: it did not end well.
    """
    begun_at = time.perf_counter()
    subprocess.run(
        batch_command(videos, library, jobs, engine), check=True, capture_output=True,
        env=harness.command_environment(**ONE_THREAD),
    )  # fmt: skip
    return time.perf_counter() - begun_at


def contents(library: Path) -> dict[str, Any]:
    """Everything of each memory that must be equal, however it came about."""
    from streammem.storage.memory_file import read_memory

    found = {}
    for path in sorted(library.glob("*.smem")):
        stored = read_memory(path)
        progress = stored.progress
        found[path.stem] = (
            stored.sections, stored.thumbnail_keys, progress.status, progress.frames,
            progress.gaps, progress.covered_s, stored.meta.fingerprint,
        )  # fmt: skip
    return found


def speed(videos: Path, folder: Path, engine: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """One worker, two workers, and the second command over what is there."""
    one_s = run_batch(videos, folder / f"{engine}-1", jobs=1, engine=engine)
    library = folder / f"{engine}-2"
    two_s = run_batch(videos, library, jobs=2, engine=engine)
    again_s = run_batch(videos, library, jobs=2, engine=engine)
    return {
        "engine": engine, "files": len(wanted), "one_worker_s": one_s, "two_workers_s": two_s,
        "times_as_fast": one_s / two_s, "again_s": again_s, "equal": contents(library) == wanted,
    }  # fmt: skip


def events(process: "subprocess.Popen[str]") -> Iterator[dict[str, Any]]:
    """The events of a running batch; half a line of a killed one is passed over."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.endswith("\n"):
            yield json.loads(line)


def kill(
    videos: Path, folder: Path, engine: str, kills: int, rng: random.Random, wanted: dict[str, Any]
) -> dict[str, Any]:
    """Start the same command again and again, and kill what it consists of."""
    library = folder / f"{engine}-killed"
    victims = ["driver", "worker"] + (["raylet"] if engine == "ray" else [])
    made: Counter[str] = Counter()
    done: Counter[str] = Counter()
    runs, status = 0, -1
    while status != 0 and runs < _GIVE_UP:
        runs += 1
        # By chance the same file may be struck twice, which is what quarantine is for.
        command = [*batch_command(videos, library, 2, engine), "--retry-quarantined"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=harness.command_environment(**ONE_THREAD),
        )  # fmt: skip
        # The kills are spread over the files, so that one falls into every part of the batch.
        after = rng.randint(1, max(1, 2 * len(wanted) // max(1, kills)))
        for event in events(process):
            if event["event"] in ("item_done", "item_failed"):
                made[event["source"]] += event["result"]["status"] in ("done", "resumed")
            after -= event["event"] == "item_done" and event["result"]["status"] != "unchanged"
            if after <= 0 and sum(done.values()) < kills:
                victim = victims[sum(done.values()) % len(victims)]
                done[victim] += strike(process, victim, rng)
                after = rng.randint(1, max(1, 2 * len(wanted) // max(1, kills)))
        status = process.wait()
    return {
        "engine": engine, "files": len(wanted), "runs": runs, "kills": dict(done),
        "status": status, "twice": sum(count > 1 for count in made.values()),
        "equal": status == 0 and contents(library) == wanted and max(made.values()) == 1,
    }  # fmt: skip


def strike(process: "subprocess.Popen[str]", victim: str, rng: random.Random) -> bool:
    """Kill -9 one process of a batch; False where there is none of the kind."""
    if victim == "driver":
        process.kill()
        return True
    signs = {
        "worker": ("streammem.runtime.worker", "ray::_Servant"),
        "raylet": ("/raylet/raylet ",),
    }
    found = [
        one
        for one in psutil.Process(process.pid).children(recursive=True)
        if any(sign in command_of(one) for sign in signs[victim])
    ]
    if found:
        rng.choice(found).send_signal(signal.SIGKILL)
    return bool(found)


def command_of(process: psutil.Process) -> str:
    """The command line of a process, empty once it is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def fill_disk(videos: Path, folder: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """A disk with room for half of the memories; the same command once there is more."""
    place = folder / "disk"
    place.mkdir()
    needed = sum(path.stat().st_size for path in (folder / "calm").glob("*.smem"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={needed // 2}", "tmpfs", str(place)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        return {"skipped": mounted.stderr.decode().strip()}
    try:
        library = place / "library"
        first = finish(videos, library)
        subprocess.run(
            ["mount", "-o", f"remount,size={4 * needed + 2**26}", str(place)], check=True
        )
        codes = Counter((r["error"] or {}).get("code", "none") for r in first.values())
        second = finish(videos, library)
        good = all(result["error"] is None for result in second.values())
        return {
            "files": len(wanted), "room_bytes": needed // 2, "first": dict(codes),
            "equal": good and contents(library) == wanted,
        }  # fmt: skip
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def finish(videos: Path, library: Path) -> dict[str, Any]:
    """A run to its end, whatever that is; the result of each source."""
    command: Sequence[str] = batch_command(videos, library, 2, "local")
    done = subprocess.run(
        command, capture_output=True, text=True, check=False,
        env=harness.command_environment(**ONE_THREAD),
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return {line["source"]: line["result"] for line in lines if line.get("result")}


if __name__ == "__main__":
    sys.exit(main())
