r"""Measures `streammem batch` on small rendered videos, and breaks it in every way it may break.

    python benchmarks/batch.py --files 1000 --part speed --videos tiny small
    python benchmarks/batch.py --files 200 --part kills nodes disk \
        --out benchmarks/results/batch-kills.json

Parts: `speed` runs one and two workers of each engine, one thread each, then the same command
again, for each kind of `--videos` under a name of its own; between the runs it measures what the
machine gives two processes that only compute and share nothing, compared with one
(`two_processes_ceiling`), since two workers cannot do better; `kills` kills workers, the driver,
with Ray the raylet, at random moments; `nodes` kills nodes of a Ray cluster that was there before
(all on this machine); `disk` fills a small tmpfs (needs the right to mount one). After each the
memories must equal those of an undisturbed run, no source may have been read to its end twice, and
whatever a broken run leaves behind must be readable: whole, or known to be unfinished.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import harness
import numpy as np
import psutil

PLAIN = ("--no-audio", "--no-ocr", "--encoder", "descriptor")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
PARTS = ("speed", "kills", "nodes", "disk")
NODE_KILLS, NODE_STORE_BYTES = 3, 80 * 1024 * 1024
_LONG_AGO = 1.6e9
_GIVE_UP = 60


@dataclass(frozen=True, slots=True)
class Videos:
    """What the rendered videos are like."""

    width_px: int
    height_px: int
    video_s: float
    rate_hz: int


# Those of the first kind cost a worker so little that what lies between the workers shows most.
KINDS = {"tiny": Videos(64, 64, 4.0, 8), "small": Videos(320, 180, 10.0, 25)}
HARDEST = "tiny"
# Small calls into NumPy between lines of Python, as in a worker; no files, no shared memory.
_COMPUTING = """
import sys, time
import numpy as np
pictures = np.random.default_rng(0).random((8, 64, 64), np.float32)
print("ready", flush=True)
for line in sys.stdin:
    begun_at, total = time.perf_counter(), 0.0
    for _ in range(int(line)):
        for picture in pictures:
            total += float(np.sort(picture, axis=None)[::64].mean())
            total += sum(place * place for place in range(400))
    print(time.perf_counter() - begun_at, flush=True)
"""
_COMPUTING_ROUNDS, _COMPUTING_TIMES = 250, 3


def main() -> int:
    """Run the parts that are asked for and write one document; 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--part", choices=PARTS, nargs="+", default=list(PARTS))
    parser.add_argument(
        "--videos",
        choices=list(KINDS),
        nargs="+",
        default=[HARDEST],
        help="which to measure the speed on; everything else is done on tiny ones",
    )
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--no-ray", action="store_true", help="leave the engine ray out")
    options = harness.arguments(parser, "batch.json")
    files = min(options.files, 16) if options.quick else options.files
    kills = min(options.kills, 3) if options.quick else options.kills
    engines = ["local"]
    if importlib.util.find_spec("ray") and not options.no_ray:
        engines.append("ray")
    result: dict[str, Any] = {"files": files, "engines": engines, "videos": {}}
    with tempfile.TemporaryDirectory(prefix="streammem-batch-") as temporary:
        if "speed" in options.part:
            for kind in options.videos:
                result["videos"][kind] = asdict(KINDS[kind])
                name = speed_name(kind)
                result[name] = measure_speed(Path(temporary) / kind, kind, files, engines)
                print(f"{name}\n{harness.table(result[name])}")
        folder = Path(temporary) / "broken"
        if set(options.part) - {"speed"}:
            result["videos"][HARDEST] = asdict(KINDS[HARDEST])
            videos, wanted = prepare(folder, HARDEST, files)
        if "kills" in options.part:
            rng = random.Random(options.seed)
            result["kills"] = [kill(videos, folder, e, kills, rng, wanted) for e in engines]
            print(harness.table(result["kills"]))
        if "nodes" in options.part and "ray" in engines:
            result["nodes"] = [lose_nodes(videos, folder, wanted)]
            print(harness.table(result["nodes"]))
        if "disk" in options.part:
            result["disk"] = [fill_disk(videos, folder, engine, wanted) for engine in engines]
            print(harness.table(result["disk"]))
    harness.write_result(options.out, result)
    measured = {*options.part, *map(speed_name, options.videos)}
    rows = [row for part in measured for row in result.get(part, [])]
    return int(any(row.get("equal") is False for row in rows))


def prepare(folder: Path, kind: str, files: int) -> tuple[Path, dict[str, Any]]:
    """Videos of a kind, and what an undisturbed run remembers of them."""
    folder.mkdir()
    videos, calm = render(folder / "videos", files, KINDS[kind]), folder / "calm"
    run_batch(videos, calm, jobs=2)
    return videos, contents(calm)


def render(folder: Path, count: int, like: Videos) -> Path:
    """`count` videos of two colours each, no two alike, that have lain there for long."""
    from streammem.video._pyav_writer import write_h264

    folder.mkdir()
    frames = round(like.rate_hz * like.video_s)
    for number in range(count):
        pair = np.random.default_rng(number).integers(0, 255, (2, 3, 1, 1), dtype=np.uint8)
        path = folder / f"video{number:05}.mp4"
        whole = (3, like.height_px, like.width_px)
        pictures = (
            np.ascontiguousarray(np.broadcast_to(pair[at * 2 // frames], whole))
            for at in range(frames)
        )
        write_h264(path, pictures, like.rate_hz)
        os.utime(path, (_LONG_AGO, _LONG_AGO))
    return folder


def batch_command(videos: Path, library: Path, jobs: int, engine: str) -> list[str]:
    """The command that is measured."""
    return harness.streammem(
        "batch", str(videos), "--library", str(library), *PLAIN, "--jobs", str(jobs),
        "--engine", engine, "--jsonl", "-q",
    )  # fmt: skip


def run_batch(
    videos: Path, library: Path, *, jobs: int, engine: str = "local"
) -> tuple[float, float | None]:
    """Wall seconds of a whole run, and those before the first video was taken up.

    Raises:
        RuntimeError: it did not end well.
    """
    begun_at, started_s = time.perf_counter(), None
    process = start(videos, library, jobs, engine)
    for event in events(process):
        if started_s is None and event["event"] == "started":
            started_s = time.perf_counter() - begun_at
    if process.wait():
        raise RuntimeError(f"the batch ended with {process.returncode}")
    return time.perf_counter() - begun_at, started_s


def start(
    videos: Path, library: Path, jobs: int, engine: str, *more: str
) -> "subprocess.Popen[str]":
    """A batch that has begun."""
    return subprocess.Popen(
        [*batch_command(videos, library, jobs, engine), *more],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=harness.command_environment(**ONE_THREAD),
    )  # fmt: skip


def contents(library: Path) -> dict[str, Any]:
    """Everything of each memory that must be equal, however it came about."""
    from streammem.storage.library import LibraryFolder
    from streammem.storage.memory_file import read_memory

    found = {}
    for path in LibraryFolder(library).paths():
        stored = read_memory(path)
        progress = stored.progress
        found[path.stem] = (
            stored.sections, stored.thumbnail_keys, progress.status, progress.frames,
            progress.gaps, progress.covered_s, stored.meta.fingerprint,
        )  # fmt: skip
    return found


def half_memories(library: Path, wanted: dict[str, Any]) -> int:
    """How many memories of a broken run say that they are whole and are not.

    Raises:
        StreamMemError: one cannot be read.
    """
    return sum(
        memory[2] != "running" and memory != wanted[name]
        for name, memory in contents(library).items()
    )


def leftovers(library: Path) -> int:
    """How many memories were begun and never got their name."""
    return len(list(library.glob(".*.smem.new")))


def speed_name(kind: str) -> str:
    """The entry of the result that holds the speed on one kind of videos."""
    return "speed" if kind == HARDEST else f"speed_{kind}"


def measure_speed(folder: Path, kind: str, files: int, engines: list[str]) -> list[dict[str, Any]]:
    """The speed of each engine on videos of a kind, which go again: there may be many bytes."""
    videos, wanted = prepare(folder, kind, files)
    try:
        return [speed(videos, folder, engine, wanted) for engine in engines]
    finally:
        shutil.rmtree(folder)


def speed(videos: Path, folder: Path, engine: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """One worker, two workers, and the second command over what is there."""
    ceilings = two_processes_ceilings()
    one_s, one_begins_s = run_batch(videos, folder / f"{engine}-1", jobs=1, engine=engine)
    ceilings += two_processes_ceilings()
    library = folder / f"{engine}-2"
    two_s, two_begins_s = run_batch(videos, library, jobs=2, engine=engine)
    ceilings += two_processes_ceilings()
    again_s, _ = run_batch(videos, library, jobs=2, engine=engine)
    assert one_begins_s is not None
    assert two_begins_s is not None
    return {
        "engine": engine, "files": len(wanted), "one_worker_s": one_s, "two_workers_s": two_s,
        "times_as_fast": one_s / two_s, "two_processes_ceiling": harness.median(ceilings),
        "one_begins_s": one_begins_s, "two_begin_s": two_begins_s,
        "times_as_fast_once_begun": (one_s - one_begins_s) / (two_s - two_begins_s),
        "again_s": again_s, "equal": contents(library) == wanted,
    }  # fmt: skip


def two_processes_ceilings() -> list[float]:
    """How much more two processes compute in a second than one, here and now, measured thrice.

    They share no file and say nothing to each other: 2.0 on a machine that gives each a core of
    its own, less where cores, caches or clocks are shared or somebody else computes.
    """
    command = [sys.executable, "-c", _COMPUTING]
    environment = harness.command_environment(**ONE_THREAD)
    with contextlib.ExitStack() as running:
        processes = [
            running.enter_context(
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                    env=environment,
                )
            )
            for _ in range(2)
        ]  # fmt: skip
        for process in processes:
            said(process)
        # The first round warms up.
        compute(processes)
        found = []
        for _ in range(_COMPUTING_TIMES):
            (alone_s,) = compute(processes[:1])
            found.append(sum(alone_s / one_s for one_s in compute(processes)))
    return found


def compute(processes: "list[subprocess.Popen[str]]") -> list[float]:
    """Seconds that each of some processes takes for the same work, all at the same time."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{_COMPUTING_ROUNDS}\n")
        process.stdin.flush()
    return [float(said(process)) for process in processes]


def said(process: "subprocess.Popen[str]") -> str:
    """The next line that a process writes."""
    assert process.stdout is not None
    return process.stdout.readline()


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
    runs, halves, status = 0, 0, -1
    while status != 0 and runs < _GIVE_UP:
        runs += 1
        # By chance the same file may be struck twice, which is what quarantine is for.
        process = start(videos, library, 2, engine, "--retry-quarantined")
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
        halves += half_memories(library, wanted)
    twice, left = sum(count > 1 for count in made.values()), leftovers(library)
    same = contents(library) == wanted
    return {
        "engine": engine, "files": len(wanted), "runs": runs, "kills": dict(done),
        "status": status, "twice": twice, "half": halves, "leftovers": left,
        "equal": status == 0 and same and not (twice or halves or left),
    }  # fmt: skip


def lose_nodes(videos: Path, folder: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """A batch on two nodes of a cluster; three times one is killed and another one joins."""
    from ray.cluster_utils import Cluster

    node = {"object_store_memory": NODE_STORE_BYTES}
    cluster = Cluster(head_node_args={"num_cpus": 0, "include_dashboard": False, **node},
                      initialize_head=True)  # fmt: skip
    nodes = [cluster.add_node(num_cpus=1, **node) for _ in range(2)]
    library = folder / "nodes"
    process = start(videos, library, 2, "ray", "--ray-address", cluster.address)
    made: Counter[str] = Counter()
    blamed = done = killed = 0
    for event in events(process):
        blamed += event["event"] in ("retried", "quarantined", "item_failed")
        if event["event"] == "item_done":
            done += 1
            made[event["source"]] += event["result"]["status"] in ("done", "resumed")
        if killed < NODE_KILLS and done > (killed + 1) * len(wanted) // (NODE_KILLS + 2):
            nodes.pop(0).kill_raylet()
            nodes.append(cluster.add_node(num_cpus=1, **node))
            killed += 1
    status = process.wait()
    cluster.shutdown()
    twice, left = sum(count > 1 for count in made.values()), leftovers(library)
    halves, same = half_memories(library, wanted), contents(library) == wanted
    return {
        "engine": "ray at an address", "files": len(wanted), "nodes_killed": killed,
        "status": status, "blamed": blamed, "twice": twice, "half": halves, "leftovers": left,
        "equal": status == 0 and same and not (blamed or twice or halves or left),
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


def fill_disk(videos: Path, folder: Path, engine: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """A disk with room for half of the memories; the same command once there is more."""
    place = folder / f"disk-{engine}"
    place.mkdir()
    needed = sum(path.stat().st_size for path in (folder / "calm").glob("*.smem"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={needed // 2}", "tmpfs", str(place)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        return {"engine": engine, "skipped": mounted.stderr.decode().strip()}
    try:
        library = place / "library"
        first = finish(videos, library, engine)
        halves = half_memories(library, wanted)
        subprocess.run(
            ["mount", "-o", f"remount,size={4 * needed + 2**26}", str(place)], check=True
        )
        codes = Counter((result["error"] or {}).get("code", "none") for result in first.values())
        second = finish(videos, library, engine)
        good = all(result["error"] is None for result in second.values())
        before = {name for name, result in first.items() if result["status"] == "done"}
        twice = sum(second[name]["status"] != "unchanged" for name in before)
        same, left = contents(library) == wanted, leftovers(library)
        return {
            "engine": engine, "files": len(wanted), "room_bytes": needed // 2,
            "first": dict(codes), "twice": twice, "half": halves, "leftovers": left,
            "equal": good and same and not (twice or halves or left),
        }  # fmt: skip
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def finish(videos: Path, library: Path, engine: str) -> dict[str, Any]:
    """A run to its end, whatever that is; the result of each source."""
    process = start(videos, library, 2, engine)
    found = {event["source"]: event["result"] for event in events(process) if event.get("result")}
    process.wait()
    return found


if __name__ == "__main__":
    sys.exit(main())
