"""Watches a looped real clip at four times real time while ten questions a second are asked.

    python benchmarks/watch.py --minutes 30

The clip is sent as MPEG-TS over TCP on this machine by a process of its own, packet by packet when
it is due, its times going on from one round to the next. `streammem watch` remembers it in a
second process, this one asks through one warm reader: not at all for the first fifth of the time,
ten times a second for the rest. Kept: resident bytes of the watch with its reading process,
seconds behind live, dropped frames, and how long questions take.
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import harness

from streammem.api import AskOptions, Library
from streammem.core.errors import StreamMemError

QUIET_SHARE = 0.2
SPEED = 4.0
QUESTIONS_HZ = 10.0
# At most so much of the first quarter's resident bytes may come on top in the last one.
FLAT_SHARE = 0.15
P95_MS = 200.0
EXTRA_LAG_S = 1.0
QUESTIONS = (
    "what is shown now?",
    "when is something red seen?",
    "is there a person?",
    "how many times does a person appear?",
    "what happened in the last minute?",
)
_SERVE = "--serve"


def serve(clip: Path, speed: float) -> None:
    """Send a clip again and again to the first who connects, each packet when it is due."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        line, _ = listener.accept()
    with line, av.open(_Line(line), "w", format="mpegts", options={"flush_packets": "1"}) as out:
        began_s, shift = time.monotonic(), 0
        stream: Any = None
        while True:
            with av.open(str(clip)) as source:
                track = source.streams.video[0]
                stream = stream or out.add_stream_from_template(track)
                first = last = None
                for packet in source.demux(track):
                    if packet.dts is None:
                        continue
                    first = packet.dts if first is None else first
                    last = packet.dts + packet.duration
                    due_s = float((packet.dts - first + shift) * packet.time_base) / speed
                    time.sleep(max(0.0, began_s + due_s - time.monotonic()))
                    packet.pts, packet.dts = packet.pts - first + shift, packet.dts - first + shift
                    packet.stream = stream
                    out.mux(packet)
                shift += last - first


class _Line:
    """A socket as the muxer wants it."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def write(self, data: bytes) -> int:
        """All of it."""
        self._line.sendall(data)
        return len(data)


@dataclass
class Watched:
    """A running watch: its status events with the moment they came, and its resident bytes."""

    process: subprocess.Popen[str]
    began_s: float = field(default_factory=time.monotonic)
    statuses: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    resident: list[tuple[float, int]] = field(default_factory=list)

    def listen(self) -> None:
        """Take in events until it ends."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "status":
                at_s = time.monotonic() - self.began_s
                self.statuses.append((at_s, event))
                self.resident.append((at_s, harness.rss_bytes(self.process.pid)))

    def between(self, from_s: float, to_s: float, key: str) -> list[float]:
        """One field of the statuses of a stretch."""
        return [float(event[key]) for at_s, event in self.statuses if from_s <= at_s < to_s]


def ask_until(library: Path, end_s: float) -> tuple[list[float], int]:
    """Milliseconds of each question, ten a second through one warm reader; and failures."""
    conversation = Library(library).converse(AskOptions(memories=("live",)))
    taken_ms, failed, due_s = [], 0, time.monotonic()
    number = 0
    while time.monotonic() < end_s:
        time.sleep(max(0.0, due_s - time.monotonic()))
        due_s = max(due_s + 1.0 / QUESTIONS_HZ, time.monotonic() - 1.0)
        asked_s = time.perf_counter()
        try:
            conversation.ask(QUESTIONS[number % len(QUESTIONS)])
        except StreamMemError:
            failed += 1
        taken_ms.append((time.perf_counter() - asked_s) * 1000)
        number += 1
    return taken_ms, failed


def measure(clip: Path, minutes: float, encoder: str, folder: Path) -> dict[str, Any]:
    """Send, watch and ask for so long."""
    sender = subprocess.Popen(
        [sys.executable, __file__, _SERVE, str(clip), str(SPEED)],
        env=harness.command_environment(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert sender.stdout is not None
    port = int(sender.stdout.readline())
    total_s = 60.0 * minutes
    arguments = ("watch", f"tcp://127.0.0.1:{port}", "--name", "live", "--encoder", encoder,
                 "--library", str(folder), "--jsonl", "--duration", str(total_s))  # fmt: skip
    command, environment = harness.streammem(*arguments), harness.command_environment()
    watched = Watched(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    listener = threading.Thread(target=watched.listen)
    listener.start()
    quiet_s = QUIET_SHARE * total_s
    time.sleep(quiet_s)
    taken_ms, failed = ask_until(folder, watched.began_s + total_s - 2.0)
    status = watched.process.wait()
    listener.join()
    sender.kill()
    sender.wait()
    return {**figures(watched, quiet_s, total_s, taken_ms), "failed": failed, "exit": status}


def figures(
    watched: Watched, quiet_s: float, total_s: float, taken_ms: list[float]
) -> dict[str, Any]:
    """What was measured, the first seconds of loading left out."""
    begins_s = min(10.0, quiet_s / 2)
    last = watched.statuses[-1][1]
    quiet = watched.between(begins_s, quiet_s, "behind_s")
    asked = watched.between(quiet_s, total_s, "behind_s")
    before = watched.between(0.0, quiet_s, "dropped")
    resident = [size for at_s, size in watched.resident if at_s >= begins_s]
    quarter = max(1, len(resident) // 4)
    return {
        "questions": len(taken_ms),
        "question_p50_ms": harness.median(taken_ms),
        "question_p95_ms": harness.percentile(taken_ms, 0.95),
        "question_max_ms": max(taken_ms),
        "behind_quiet_p50_s": harness.median(quiet),
        "behind_quiet_max_s": max(quiet),
        "behind_asked_p50_s": harness.median(asked),
        "behind_asked_max_s": max(asked),
        "dropped_quiet": int(before[-1]),
        "dropped_asked": int(last["dropped"] - before[-1]),
        "stream_s": last["position_s"],
        "decoded": last["decoded"],
        "encoded": last["encoded"],
        "gaps": last["gaps"],
        "rss_first_quarter_bytes": int(harness.median([float(n) for n in resident[:quarter]])),
        "rss_last_quarter_bytes": int(harness.median([float(n) for n in resident[-quarter:]])),
        "memory_bytes": last["bytes"],
    }


def main() -> None:
    """Measure, print and keep the figures, and fail where a bar is missed."""
    if sys.argv[1:2] == [_SERVE]:
        # The watch ends when its time is up, and takes the line away.
        with suppress(OSError, av.FFmpegError):
            serve(Path(sys.argv[2]), float(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clip", type=Path, default=harness.SAMPLES / "scenes.mp4")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--encoder", default="embedded")
    asked = harness.arguments(parser, "watch.json")
    minutes = 0.5 if asked.quick else asked.minutes
    with tempfile.TemporaryDirectory() as folder:
        result = measure(asked.clip, minutes, asked.encoder, Path(folder))
    print(harness.table([{"what": key, "value": value} for key, value in result.items()]))
    growth = result["rss_last_quarter_bytes"] / result["rss_first_quarter_bytes"] - 1.0
    bars = {
        "RSS flat": growth <= FLAT_SHARE,
        "p95 of questions": result["question_p95_ms"] <= P95_MS,
        "no extra drops": result["dropped_asked"] == 0,
        "lag": result["behind_asked_max_s"] <= result["behind_quiet_max_s"] + EXTRA_LAG_S,
        "every question answered": result["failed"] == 0,
    }
    facts = {"clip": asked.clip.name, "minutes": minutes, "encoder": asked.encoder, "speed": SPEED}
    harness.write_result(asked.out, {**facts, **result, "rss_growth": growth, "bars": bars})
    if not all(bars.values()):
        raise SystemExit(f"missed: {', '.join(name for name, met in bars.items() if not met)}")


if __name__ == "__main__":
    main()
