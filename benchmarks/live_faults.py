"""Thirty scripted faults against one `watch`: it has to recover, and to know what it missed.

    python benchmarks/live_faults.py
    python benchmarks/live_faults.py --busy 2    # with two processes beside it that only count

A camera counts pictures by the wall clock and serves them as MPEG-TS over TCP on this machine. A
seeded script breaks it: the line drops and is refused for a while, the server falls silent, the
size of the picture changes, the clock jumps back or ahead, or starts anew behind a drop. The
number of every picture is burnt into it and read back from what is remembered, so that the times
and gaps of the memory are compared with what was really shown when.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import harness

from streammem.api import Library, WatchOptions, request_from_config
from streammem.core.config import load_config
from streammem.core.types import Floats, Gap, Pixels, Times
from streammem.core.watches import WatchEvent
from streammem.storage.memory_file import read_memory
from tests.media._live_senders import HEIGHT, WIDTH, Camera, CameraServer, number_in

RATE_HZ = 20
TOLERANCE_S = 1.0
BLIND = ("drop", "stall", "drop and new clock")
SEEN = ("resolution", "clock back", "clock ahead")


@dataclass
class Fault:
    """One fault as it was scripted, on the monotonic clock, and what the memory says of it."""

    kind: str
    start_s: float
    end_s: float
    gap: Gap | None = None
    error_s: float = 0.0


class Onlooker:
    """Reads the number of every picture that is remembered."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, int]] = []

    def observe(self, pts_s: Times, embeddings: Floats, pixels: Pixels | None = None) -> None:
        """Note memory times and numbers."""
        assert pixels is not None
        self.seen += zip(pts_s.tolist(), map(number_in, pixels), strict=True)

    def to_bytes(self) -> bytes:
        """Nothing to go on from."""
        return b""

    def restore(self, data: bytes) -> tuple[str, ...]:
        """Nothing to go on from."""
        return ()

    def close(self) -> None:
        """Nothing to let go of."""


def script(count: int, seed: int) -> list[tuple[str, float]]:
    """Kinds of faults, each as often as the others, and how long each lasts."""
    draw = random.Random(seed)
    kinds = [(*BLIND, *SEEN)[place % 6] for place in range(count)]
    draw.shuffle(kinds)
    return [(kind, draw.uniform(1.5, 3.0) if kind in BLIND else 0.0) for kind in kinds]


def strike(server: CameraServer, kind: str, lasts_s: float, draw: random.Random) -> Fault:
    """Let one fault happen, and return once it is over."""
    camera, began_s = server.camera, time.monotonic()
    if kind == "stall":
        server.silent = True
        time.sleep(lasts_s)
        server.silent = False
    elif kind in BLIND:
        server.refusing = True
        server.drop()
        time.sleep(lasts_s)
        if kind != "drop":
            camera.shift_s = 1.0 - camera.number_at(time.monotonic()) / RATE_HZ
        server.refusing = False
    else:
        if kind == "resolution":
            camera.size = (2 * WIDTH, 2 * HEIGHT) if camera.size[0] == WIDTH else (WIDTH, HEIGHT)
        else:
            camera.shift_s += draw.uniform(30.0, 3000.0) * (1 if kind == "clock ahead" else -1)
        camera.shift_s = max(camera.shift_s, 1.0 - camera.number_at(began_s) / RATE_HZ)
        server.restart()
    return Fault(kind, began_s, time.monotonic())


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that take all the time they can get."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def watch_through(count: int, seed: int, folder: Path) -> dict[str, Any]:
    """Watch while the script runs, and compare."""
    onlooker, events, over = Onlooker(), list[WatchEvent](), threading.Event()
    draw, faults = random.Random(seed + 1), list[Fault]()
    server = CameraServer(Camera(RATE_HZ, shift_s=5000.0))

    def act() -> None:
        deadline_s = time.monotonic() + 60.0
        for kind, lasts_s in script(count, seed):
            seen = len(onlooker.seen)
            # The next fault waits until the last one is overcome, and a little longer.
            while len(onlooker.seen) < seen + 30 and time.monotonic() < deadline_s:
                time.sleep(0.05)
            time.sleep(draw.uniform(0.2, 1.0))
            faults.append(strike(server, kind, lasts_s, draw))
            deadline_s = time.monotonic() + 60.0
        seen = len(onlooker.seen)
        while len(onlooker.seen) < seen + 40 and time.monotonic() < deadline_s:
            time.sleep(0.05)
        over.set()

    script_thread = threading.Thread(target=act)
    script_thread.start()
    library = Library(folder)
    request = request_from_config(
        load_config().config, name="faults", fps=float(RATE_HZ), encoder="descriptor"
    )
    options = WatchOptions(stall_s=0.8, open_s=2.5, longest_wait_s=0.3)
    try:
        library.watch(
            server.address, request, options,
            observe=lambda _encoder: onlooker, on_event=events.append, should_stop=over.is_set,
        )  # fmt: skip
    except Exception as stopped:
        if not over.is_set():
            raise RuntimeError(f"it did not recover: {stopped}") from stopped
    script_thread.join()
    server.close()
    return compared(faults, onlooker, events, server.camera, folder / "faults.smem")


def compared(
    faults: list[Fault], onlooker: Onlooker, events: list[WatchEvent], camera: Camera, path: Path
) -> dict[str, Any]:
    """What the memory says against what was shown."""
    progress = read_memory(path).progress
    numbers = [number for _, number in onlooker.seen]
    offsets = [time_s - (camera.due_s(number) - camera.began_s) for time_s, number in onlooker.seen]
    # Memory time 0 on the camera's clock, from the first picture.
    zero_s = camera.due_s(numbers[0]) - onlooker.seen[0][0]
    left = list(progress.gaps)
    for fault in faults:
        start_s, end_s = fault.start_s - zero_s, fault.end_s - zero_s
        near = [gap for gap in left if gap.start_s < end_s + 1.0 and gap.end_s > start_s - 1.0]
        if fault.kind in BLIND and near:
            fault.gap = near[0]
            fault.error_s = max(abs(near[0].start_s - start_s), abs(near[0].end_s - end_s))
            left.remove(near[0])
        elif fault.kind in BLIND:
            fault.error_s = end_s - start_s
    segments = [event.message for event in events if event.kind == "segment"]
    rows = [
        {
            "kind": fault.kind,
            "at_s": round(fault.start_s - zero_s, 3),
            "lasts_s": round(fault.end_s - fault.start_s, 3),
            "gap": None if fault.gap is None else asdict(fault.gap),
            "error_s": round(fault.error_s, 3),
        }
        for fault in faults
    ]
    return {
        "faults": rows,
        "frames": len(numbers),
        "frames_twice": len(numbers) - len(set(numbers)),
        "out_of_order": sum(b <= a for a, b in pairwise(numbers)),
        "worst_gap_error_s": max(fault.error_s for fault in faults),
        "gaps_without_a_fault": [asdict(gap) for gap in left],
        "worst_time_error_s": max(offsets) - min(offsets),
        "segments": {reason: segments.count(reason) for reason in sorted(set(map(str, segments)))},
    }


def main() -> None:
    """Run the script, print and keep what came out, and fail where a promise is broken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--busy", type=int, default=0, help="busy processes beside it")
    asked = harness.arguments(parser, "live_faults.json")
    count = 6 if asked.quick else asked.faults
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, busy(asked.busy):
        result = watch_through(count, asked.seed, Path(folder))
    print(
        harness.table(
            [{**row, "gap": (row["gap"] or {}).get("reason")} for row in result["faults"]]
        )
    )
    shown = {key: value for key, value in result.items() if key != "faults"}
    print(harness.table([{"what": key, "value": value} for key, value in shown.items()]))
    harness.write_result(
        asked.out,
        {
            "seed": asked.seed,
            "rate_hz": RATE_HZ,
            "busy_processes": asked.busy,
            "wall_s": time.monotonic() - began_s,
            **result,
        },
    )
    kept = (
        len(result["faults"]) == count
        and result["frames_twice"] == result["out_of_order"] == 0
        and result["worst_gap_error_s"] <= TOLERANCE_S
        and not result["gaps_without_a_fault"]
        and result["worst_time_error_s"] <= TOLERANCE_S
    )
    if not kept:
        raise SystemExit("a promise is broken")


if __name__ == "__main__":
    main()
