"""Is ingest as fast as its slowest part? Decode alone, encode alone and the whole, in one run.

    python benchmarks/ingest.py                  # writes benchmarks/results/ingest-cpu.json
    python benchmarks/ingest.py --device cuda    # writes benchmarks/results/ingest-cuda.json

For each encoder and each set of clips, several rounds of: the real reader over all sampled frames;
the real encoder over the same frames held in memory, in the same batches; `Library.ingest` into a
fresh library. With medians over rounds, `ratio` is the wall time of ingest over
max(decode wall, encode wall, (decode + encode processor seconds) / cores); the bar is 1.1.
Ingest includes loading the encoder; imports are done before the first round.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import harness
import numpy as np
from numpy.typing import NDArray

BAR = 1.1
ARCHITECTURE = "ViT-B-32"
REAL_CLIPS = (
    "intel_one_by_one_person.mp4", "webrtc_two_men_grey_wall.webm", "dancer_grey.webm",
    "swing_playground.mp4",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One encoder on one set of clips."""

    encoder_id: str
    weights: str
    device: str
    fps: float
    clips: tuple[Path, ...]


def render_720p(path: Path, *, loops: int) -> None:
    """A 720p H.264 clip at 30 frames/s: 30 s of moving blocks, repeated without re-encoding."""
    once = path.with_name("once.mp4")
    rng = np.random.default_rng(3)
    texture = np.repeat(np.repeat(rng.integers(30, 200, (45, 120, 3), np.uint8), 16, 0), 16, 1)
    with av.open(str(once), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "23", "g": "250", "bf": "2"}
        for index in range(900):
            left = (index * 3) % 600
            picture = texture[:, left : left + 1280].copy()
            top = 300 + int(200 * np.sin(index / 30))
            picture[top : top + 120, 80 + index : 200 + index] = (index % 255, 200, 40)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    _repeat(once, path, loops, 30.0)
    once.unlink()


def _repeat(once: Path, path: Path, loops: int, length_s: float) -> None:
    with av.open(str(path), "w") as output:
        target = None
        for loop in range(loops):
            with av.open(str(once)) as container:
                source = container.streams.video[0]
                target = target or output.add_stream_from_template(source)
                shift = round(loop * length_s / source.time_base)
                for packet in container.demux(source):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                    packet.stream = target
                    output.mux(packet)


def random_weights(path: Path) -> None:
    """A ViT-B-32 checkpoint of random weights, saved as a state dictionary."""
    import open_clip
    import torch

    torch.manual_seed(0)
    model = open_clip.create_model(ARCHITECTURE, pretrained=None)
    torch.save(model.state_dict(), path)


def decode(case: Case, short_side_px: int) -> list[NDArray[np.uint8]]:
    """Every sampled frame of every clip, `[3 H W]`, kept as the reader delivers it."""
    from streammem.video.reader import ReaderOptions, open_reader

    options = ReaderOptions(sample_hz=case.fps, short_side_px=short_side_px)
    frames = []
    for clip in case.clips:
        with open_reader(str(clip), options) as reader:
            frames.append(np.stack([item.frame.pixels for item in reader.frames()]))
    return frames


def batches(clips: Sequence[NDArray[np.uint8]], batch_size: int) -> list[NDArray[np.uint8]]:
    """The batches that ingest forms, `[B 3 H W]`: the last of a clip is padded to full size."""
    formed = []
    for frames in clips:
        missing = -len(frames) % batch_size
        padded = np.concatenate([frames, np.repeat(frames[-1:], missing, axis=0)])
        formed += [padded[at : at + batch_size] for at in range(0, len(padded), batch_size)]
    return formed


def ingest(case: Case, folder: Path) -> int:
    """Ingest all clips into a fresh library; the number of encoded frames.

    Raises:
        RuntimeError: a clip failed.
    """
    from streammem.api import Library, request_from_config
    from streammem.core.config import load_config

    # The bound is that of decoding and encoding pictures, so words and sounds are left out.
    request = request_from_config(
        load_config(environ={}).config,
        encoder=case.encoder_id, weights=case.weights, device=case.device, fps=case.fps,
        subtitles="none", audio=False, screen_text=False,
    )  # fmt: skip
    results = Library(folder).ingest([str(clip) for clip in case.clips], request)
    failed = [result for result in results if result.status not in ("done", "partial")]
    if failed:
        raise RuntimeError(f"{failed[0].source}: {failed[0].status} {failed[0].error}")
    return sum(result.frames.encoded for result in results)


def measure(case: Case, rounds: int) -> dict[str, Any]:
    """Interleaved rounds of the three pieces of work, and the ratio that is judged."""
    from streammem.encoders.load import load_encoder

    with harness.Stopwatch() as first_load:
        encoder = load_encoder(case.encoder_id, weights=case.weights or None, device=case.device)
    with harness.Stopwatch() as load:
        load_encoder(
            case.encoder_id, weights=case.weights or None, device=case.device,
            runtime=encoder.runtime,
        ).close()  # fmt: skip
    held = batches(decode(case, encoder.spec.image_size_px), encoder.runtime.batch_size)
    encoder.encode_images(held[0])
    timings: dict[str, list[harness.Timing]] = {"decode": [], "encode": [], "ingest": []}
    encoded = 0
    for _ in range(rounds):
        with harness.Stopwatch() as watch:
            decode(case, encoder.spec.image_size_px)
        timings["decode"].append(watch.timing)
        with harness.Stopwatch() as watch:
            for batch in held:
                encoder.encode_images(batch)
        timings["encode"].append(watch.timing)
        with tempfile.TemporaryDirectory() as folder, harness.Stopwatch() as watch:
            encoded = ingest(case, Path(folder))
        timings["ingest"].append(watch.timing)
    runtime = encoder.runtime.to_json()
    encoder.close()
    loading = {"first_load_s": first_load.timing.wall_s, "load_s": load.timing.wall_s}
    return {**loading, "runtime": runtime, "encoded_frames": encoded, **judge(timings)}


def judge(timings: dict[str, list[harness.Timing]]) -> dict[str, Any]:
    """Medians, the bound and the ratio, with every round beside them."""
    from streammem.bench.machine import cores

    wall = {name: harness.median([t.wall_s for t in found]) for name, found in timings.items()}
    cpu = {name: harness.median([t.cpu_s for t in found]) for name, found in timings.items()}
    slowest_s = max(wall["decode"], wall["encode"], (cpu["decode"] + cpu["encode"]) / cores())
    return {
        "decode_wall_s": wall["decode"], "decode_cpu_s": cpu["decode"],
        "encode_wall_s": wall["encode"], "encode_cpu_s": cpu["encode"],
        "ingest_wall_s": wall["ingest"], "ingest_cpu_s": cpu["ingest"],
        "bound_s": BAR * slowest_s, "ratio": wall["ingest"] / slowest_s,
        "rounds": {name: [[t.wall_s, t.cpu_s] for t in found] for name, found in timings.items()},
    }  # fmt: skip


def clip_sets(options: argparse.Namespace, folder: Path) -> dict[str, tuple[Path, ...]]:
    """The rendered clip, the clips named with --clips, and real ones where they are present."""
    rendered = folder / "rendered_720p.mp4"
    render_720p(rendered, loops=2 if options.quick else 10)
    sets: dict[str, tuple[Path, ...]] = {"rendered": (rendered,)}
    shared = os.environ.get("STREAMMEM_SHARED", str(harness.REPOSITORY.parent / "shared"))
    real = tuple(Path(shared) / "data" / "real" / name for name in REAL_CLIPS)
    if options.clips:
        sets["named"] = tuple(options.clips)
    elif not options.quick and all(clip.is_file() for clip in real):
        sets["real"] = real
    return sets


def main() -> int:
    """Measure every case, print the table, write the result; 1 where a ratio is over the bar."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:1")
    parser.add_argument(
        "--encoder", action="append", choices=["descriptor", "embedded", ARCHITECTURE]
    )
    parser.add_argument("--clips", type=Path, nargs="+", help="use these beside the rendered clip")
    parser.add_argument("--fps", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    options = harness.arguments(parser, "ingest.json")
    kind = options.device.partition(":")[0]
    if options.out == harness.RESULTS / "ingest.json":
        options.out = harness.RESULTS / f"ingest-{kind}.json"
    cases: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        sets = clip_sets(options, Path(temporary))
        weights = Path(temporary) / "weights.pt"
        for name in options.encoder or ["descriptor", "embedded", ARCHITECTURE]:
            case = Case(name, "", "cpu", options.fps, ())
            if name == ARCHITECTURE:
                random_weights(weights)
                case = replace(
                    case, encoder_id=f"open_clip:{ARCHITECTURE}", weights=str(weights),
                    device=options.device,
                )  # fmt: skip
            for label, clips in sets.items():
                found = measure(replace(case, clips=clips), 2 if options.quick else options.rounds)
                facts = {"encoder": case.encoder_id, "clips": label, "device": case.device}
                cases.append({**facts, "files": [clip.name for clip in clips], **found})
    return report(options, cases)


def report(options: argparse.Namespace, cases: list[dict[str, Any]]) -> int:
    """Print and write what was measured; 1 where a ratio is over the bar."""
    shown = (
        "encoder", "clips", "encoded_frames", "decode_wall_s", "decode_cpu_s", "encode_wall_s",
        "encode_cpu_s", "ingest_wall_s", "bound_s", "ratio", "load_s",
    )  # fmt: skip
    print(harness.table([{name: case[name] for name in shown} for case in cases]))
    harness.write_result(
        options.out, {"bar": BAR, "fps": options.fps, "cases": cases}, device=options.device
    )
    return 1 if any(case["ratio"] > BAR for case in cases) else 0


if __name__ == "__main__":
    sys.exit(main())
