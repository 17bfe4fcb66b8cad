"""Ingests every real clip and every odd file through the command, and checks what it reports.

    python benchmarks/real_clips.py --shared ../shared

A clip passes with exit 0 (or 3 with a gap), `covered_s` within one frame of what an independent
decode gives, and a second run that says `unchanged` in under a second. An odd file passes with a
documented exit code, one JSON document, no traceback, no hang, and no effect on other inputs.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import harness

VIDEO_SUFFIXES = {".mp4", ".webm", ".avi", ".mkv", ".mov"}
DOCUMENTED_EXITS = {0, 3, 5, 6, 7, 8}
UNCHANGED_LIMIT_S = 1.0
ODD_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Decoded:
    """What an independent decode of every frame finds."""

    frames: int
    covered_s: float
    longest_frame_s: float


def decode_everything(path: Path) -> Decoded | None:
    """Decode the first video track packet by packet; None where nothing decodes."""
    times: list[tuple[float, float]] = []
    try:
        with av.open(str(path)) as container:
            for packet in container.demux(video=0):
                times += _frame_times(packet)
    except (av.FFmpegError, IndexError):
        pass  # what decoded before the container broke off counts
    if not times:
        return None
    times.sort()
    steps = [after[0] - before[0] for before, after in itertools.pairwise(times)]
    last_s = times[-1][1] or (harness.median(steps) if steps else 0.0)
    return Decoded(
        frames=len(times),
        covered_s=times[-1][0] + last_s - times[0][0],
        longest_frame_s=max([*(steps or [0.0]), last_s]),
    )


def _frame_times(packet: av.Packet) -> list[tuple[float, float]]:
    """(pts_s, duration_s) of the frames of a packet; none where the packet is damaged."""
    try:
        frames = packet.decode()
    except av.FFmpegError:
        return []
    return [
        (float(frame.time), float((frame.duration or 0) * frame.time_base))
        for frame in frames
        if frame.pts is not None
    ]


def check_clip(path: Path, library: Path, encoder: str) -> dict[str, Any]:
    """Ingest one readable clip twice and compare its figures with an independent decode."""
    ingest = ("ingest", str(path), "--library", str(library), "--encoder", encoder, "--json")
    first, first_s = harness.run_streammem(*ingest)
    result = harness.document(first)["results"][0]
    second, second_s = harness.run_streammem(*ingest)
    again = harness.document(second)["results"][0]
    decoded = decode_everything(path)
    gaps_s = sum(gap["end_s"] - gap["start_s"] for gap in result["gaps"])
    expected_s = decoded.covered_s - gaps_s if decoded else 0.0
    frame_s = decoded.longest_frame_s if decoded else 0.0
    faults = []
    if first.returncode != 0 and not (first.returncode == 3 and result["gaps"]):
        faults.append(f"exit {first.returncode}: {(result.get('error') or {}).get('message')}")
    if abs(result["covered_s"] - expected_s) > frame_s + 1e-3:
        faults.append(f"covered {result['covered_s']:.3f} s, decodes {expected_s:.3f} s")
    if again["status"] != "unchanged":
        faults.append(f"second run is {again['status']!r}")
    if second_s >= UNCHANGED_LIMIT_S:
        faults.append(f"second run took {second_s:.2f} s")
    if any(again[key] != result[key] for key in ("covered_s", "frames", "gaps", "cells")):
        faults.append("the second run reports another memory")
    return {
        "file": path.name, "exit": first.returncode, "status": result["status"],
        "covered_s": round(result["covered_s"], 3), "decodes_s": round(expected_s, 3),
        "encoded": result["frames"]["encoded"], "first_s": round(first_s, 2),
        "second_s": round(second_s, 2), "faults": faults,
    }  # fmt: skip


def check_odd(path: Path, library: Path, encoder: str) -> dict[str, Any]:
    """Ingest one odd file on its own: exit code, JSON, no traceback, no hang."""
    ingest = ("ingest", str(path), "--library", str(library), "--encoder", encoder, "--json")
    try:
        done, wall_s = harness.run_streammem(*ingest, timeout_s=ODD_LIMIT_S)
    except subprocess.TimeoutExpired:
        return {"file": path.name, "exit": None, "status": None, "covered_s": None,
                "decodes_s": None, "code": None, "message": None, "wall_s": ODD_LIMIT_S,
                "faults": [f"still running after {ODD_LIMIT_S:.0f} s"]}  # fmt: skip
    faults = []
    if done.returncode not in DOCUMENTED_EXITS:
        faults.append(f"exit {done.returncode} is not documented for an input")
    if "Traceback" in done.stderr + done.stdout:
        faults.append("a traceback was printed")
    result = harness.document(done)["results"][0]
    error = result["error"] or {}
    decoded = decode_everything(path)
    if (done.returncode in (0, 3)) != (decoded is not None) and path.suffix != ".wav":
        faults.append(
            f"exit {done.returncode}, yet {decoded.frames if decoded else 0} frames decode"
        )
    if done.returncode not in (0, 3) and not error.get("message"):
        faults.append("failed without an error message")
    return {
        "file": path.name, "exit": done.returncode, "status": result["status"],
        "covered_s": round(result["covered_s"], 3),
        "decodes_s": round(decoded.covered_s, 3) if decoded else None,
        "code": error.get("code"), "message": _without_folder(error.get("message"), path),
        "wall_s": round(wall_s, 2),
        "faults": faults,
    }  # fmt: skip


def _without_folder(message: str | None, path: Path) -> str | None:
    return message and message.replace(f"{path.parent}{os.sep}", "")


def check_together(odd: list[Path], good: Path, library: Path, encoder: str) -> list[str]:
    """Faults of one command over all odd files and one good clip between them."""
    middle = len(odd) // 2
    inputs = [*odd[:middle], good, *odd[middle:]]
    done, _ = harness.run_streammem(
        "ingest", *map(str, inputs), "--library", str(library), "--encoder", encoder, "--json"
    )
    results = harness.document(done)["results"]
    faults = [] if done.returncode == 3 else [f"exit {done.returncode}, not 3"]
    if len(results) != len(inputs):
        faults.append(f"{len(results)} results for {len(inputs)} inputs")
    mine = [result for result in results if Path(result["source"]).name == good.name]
    if not mine or mine[0]["status"] != "done":
        faults.append(f"the good clip became {mine[0]['status'] if mine else 'nothing'}")
    return faults


def main() -> int:
    """Run all checks; the exit status is 1 where any clip or file has a fault."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shared", type=Path, default=_default_shared())
    parser.add_argument("--encoder", default="embedded")
    options = harness.arguments(parser, "real_clips.json")
    folder = options.shared / "data" / "real"
    clips = sorted(p for p in (*folder.iterdir(), *(folder / "asl").iterdir())
                   if p.suffix in VIDEO_SUFFIXES)  # fmt: skip
    odd = sorted(p for p in (folder / "odd").iterdir() if p.is_file())
    if options.quick:
        clips, odd = clips[:4], odd[:4]
    with tempfile.TemporaryDirectory() as temporary:
        library = Path(temporary) / "clips"
        clip_rows = [check_clip(path, library, options.encoder) for path in clips]
        odd_rows = [check_odd(path, Path(temporary) / "odd", options.encoder) for path in odd]
        together = check_together(odd, clips[0], Path(temporary) / "both", options.encoder)
    print(harness.table(clip_rows), "\n")
    print(harness.table(odd_rows), "\n")
    print("odd files and a good clip in one command:", together or "as they should be")
    failed = sum(bool(row["faults"]) for row in clip_rows + odd_rows) + bool(together)
    result = {"encoder": options.encoder, "clips": clip_rows, "odd": odd_rows,
              "together_faults": together, "failed": failed}  # fmt: skip
    harness.write_result(options.out, result)
    return 1 if failed else 0


def _default_shared() -> Path:
    return Path(os.environ.get("STREAMMEM_SHARED", harness.REPOSITORY.parent / "shared"))


if __name__ == "__main__":
    sys.exit(main())
