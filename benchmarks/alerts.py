"""Standing questions on real clips: what they report, what they miss, and what is wrong.

    python benchmarks/alerts.py --shared ../shared

Every clip is played `--passes` times in a row (three) as one stream: in the first pass the camera
is learnt, the others are judged. So what is there from the first second on, as in most of these
clips, can alert when it comes back. Alerts are at their defaults; nothing is confirmed by a model.

A report is right where it falls into an annotated stretch (a second more on either side); a stretch
is found where at least one report falls into it. Alerts for what a clip never shows have no
stretches: each of their reports is wrong. An alert whose words an encoder does not know is refused
by it; it counts as missed.

The clips are divided as in decision record 0006: thresholds were chosen on the first, third, fifth,
... clip of the stream `mix_once` (`tuning`); the others (`reporting`) were looked at afterwards.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
import numpy as np

ENCODERS = ("embedded-v1", "descriptor")
TOLERANCE_S = 1.0
SAMPLE_HZ = 2.0
TUNING, REPORTING = "tuning", "reporting"


@dataclass(frozen=True, slots=True)
class Case:
    """An alert over a clip: what it looks for, and words that mark its stretches.

    `marks` are parts of the annotations' texts, none for what the clip never shows; `image_s` is
    the time in the clip of a frame that is looked for instead of a text.
    """

    clip: str
    text: str
    marks: tuple[str, ...]
    image_s: float | None = None


# What somebody would ask of each camera, written from the annotations.
CASES = (
    Case("intel_one_by_one_person.mp4", "a person", ("person ",)),
    Case("intel_one_by_one_person.mp4", "somebody in black clothes",
         ("in black clothes", "black T-shirt")),
    Case("intel_one_by_one_person.mp4", "a grey sweater",
         ("grey sweater", "grey cardigan", "grey shirt")),
    Case("intel_one_by_one_person.mp4", "picture of person 2", ("person 2",), 30.0),
    Case("intel_one_by_one_person.mp4", "a dog", ()),
    Case("intel_one_by_one_person.mp4", "a red car", ()),
    Case("intel_one_by_one_person.mp4", "fire", ()),
    Case("camtrap_waterhole.avi", "animals", ("small animals", "group of animals")),
    Case("camtrap_waterhole.avi", "a car", ()),
    Case("chimps_at_pond.mp4", "a large animal", ("across the foreground",)),
    Case("chimps_at_pond.mp4", "a person", ()),
    Case("webrtc_two_men_grey_wall.webm", "a man standing", ("standing",)),
    Case("webrtc_two_men_grey_wall.webm", "a green bag", ("green bag",)),
    Case("webrtc_two_men_grey_wall.webm", "water", ()),
    Case("intel_bottles.mp4", "a hand", ("a hand ", "two hands")),
    Case("intel_bottles.mp4", "a person", ("a hand ", "two hands")),
    Case("intel_bottles.mp4", "picture of a hand at the table", ("a hand ", "two hands"), 12.0),
    Case("intel_bottles.mp4", "a dog", ()),
    Case("intel_bottles.mp4", "fire", ()),
    Case("highway_monitor.avi", "a white van", ("white van", "white lorry")),
    Case("highway_monitor.avi", "a person on foot", ("person on foot",)),
    Case("highway_monitor.avi", "a large lorry", ("large white lorry",)),
    Case("highway_monitor.avi", "a red jacket", ()),
    Case("highway_monitor.avi", "a boat", ()),
    Case("webrtc_two_men_office.webm", "a man stands up", ("stands up",)),
    Case("webrtc_two_men_office.webm", "a red sweater", ("in red stands up",)),
    Case("webrtc_two_men_office.webm", "water", ()),
    Case("camtrap_gorilla.avi", "an animal", ("dark ape",)),
    Case("camtrap_gorilla.avi", "something dark", ("dark ape",)),
    Case("camtrap_gorilla.avi", "a car", ()),
    Case("dancer_grey.webm", "a person close up", ("upper-body",)),
    Case("dancer_grey.webm", "a dog", ()),
)  # fmt: skip


def halves(streams: Path) -> dict[str, str]:
    """Which half each clip of `mix_once` belongs to."""
    listed = json.loads(streams.read_text("utf-8"))
    clips = next(stream["clips"] for stream in listed if stream["name"] == "mix_once")
    return {
        clip["file"]: TUNING if number % 2 == 0 else REPORTING for number, clip in enumerate(clips)
    }


def stretches(case: Case, annotations: Path) -> list[tuple[float, float]]:
    """The annotated stretches of a case, overlapping ones joined, in seconds of the clip."""
    from streammem.core.timebase import TimeSpan, merge_spans

    items = json.loads((annotations / f"{case.clip.rsplit('.', 1)[0]}.json").read_text("utf-8"))
    spans = [
        TimeSpan(item["start_s"], item["end_s"])
        for item in items
        if any(mark in item["what"] for mark in case.marks)
    ]
    return [(span.start_s, span.end_s) for span in merge_spans(spans)]


@dataclass(frozen=True, slots=True)
class Clip:
    """The encoded frames of a clip: times `[B]`, unit vectors `[B D]`, and one picture each."""

    pts_s: Any
    embeddings: Any
    pixels: Any

    @property
    def length_s(self) -> float:
        """From the first frame to the end of the last."""
        step_s = float(self.pts_s[1] - self.pts_s[0]) if len(self.pts_s) > 1 else 1 / SAMPLE_HZ
        return float(self.pts_s[-1] - self.pts_s[0]) + step_s


def read_clip(path: Path, encoder: Any) -> Clip:
    """Encode a clip as an ingest with the defaults would."""
    from streammem.runtime.batches import form_batches
    from streammem.video.reader import ReaderOptions, open_reader

    options = ReaderOptions(sample_hz=SAMPLE_HZ, short_side_px=encoder.spec.image_size_px)
    times, vectors, pictures = [], [], []
    with open_reader(str(path), options) as reader:
        for batch in form_batches(reader, None, encoder.runtime.batch_size, SAMPLE_HZ):
            times.append(batch.pts_s)
            vectors.append(encoder.encode_images(batch.pixels).embeddings)
            pictures.append(batch.pixels)
    return Clip(np.concatenate(times), np.concatenate(vectors), np.concatenate(pictures))


def play(case: Case, clip: Clip, encoder: Any, passes: int) -> tuple[list[Any], Any]:
    """The alerts over so many passes of a clip, and what became of the rule."""
    from streammem.core.alerts import Alert, AlertRule
    from streammem.query.alerts_gate import image_target, text_target
    from streammem.runtime.alerting import Alerting, AlertSetup

    heard: list[Alert] = []
    if case.image_s is None:
        rule, target = AlertRule(case.text, text=case.text), text_target(encoder, case.text)
    else:
        frame = int(np.argmin(np.abs(clip.pts_s - clip.pts_s[0] - case.image_s)))
        rule = AlertRule(case.text, image=case.text)
        target = image_target(clip.embeddings[frame])
    setup = AlertSetup((rule,), (target,), (None,), encoder)
    alerting = Alerting(setup, heard.append, interval_s=1 / SAMPLE_HZ)
    for number in range(passes):
        alerting.observe(clip.pts_s - clip.pts_s[0] + number * clip.length_s, clip.embeddings)
    alerting.finish()
    return heard, alerting.reports()[0]


def judge(
    case: Case, spans: Sequence[tuple[float, float]], clip: Clip, encoder: Any, passes: int
) -> dict[str, Any]:
    """What the judged passes of one case come to."""
    from streammem.core.errors import UsageError

    row: dict[str, Any] = {
        "clip": case.clip,
        "alert": case.text,
        "stretches": len(spans) * (passes - 1),
    }
    try:
        heard, report = play(case, clip, encoder, passes)
    except UsageError as error:
        return {**row, "found": 0, "reports": 0, "right": 0, "refused": error.message}
    found, right, judged = set(), 0, 0
    for alert in heard:
        number, time_s = divmod(alert.time_s, clip.length_s)
        if number == 0:
            continue
        judged += 1
        hits = [
            place
            for place, (start_s, end_s) in enumerate(spans)
            if start_s - TOLERANCE_S <= time_s <= end_s + TOLERANCE_S
        ]
        right += bool(hits)
        found |= {(number, place) for place in hits[:1]}
    site = report.site
    return {
        **row,
        "found": len(found),
        "reports": judged,
        "right": right,
        "held_back": sum(report.suppressed.values()),
        "zero": None if site is None else round(site.zero, 3),
        "spread": None if site is None else round(site.spread, 3),
        "refused": None,
    }


def totals(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Recall over stretches, precision over reports, and reports of what is never shown."""
    rows = list(rows)
    shown = [row for row in rows if row["stretches"]]
    never = [row for row in rows if not row["stretches"]]
    sums = {
        key: sum(row[key] for row in shown) for key in ("stretches", "found", "reports", "right")
    }
    wrong_never = sum(row["reports"] for row in never)
    every = sums["reports"] + wrong_never
    return {
        "alerts": len(rows),
        "refused": sum(row["refused"] is not None for row in rows),
        **sums,
        "recall": round(sums["found"] / sums["stretches"], 3) if sums["stretches"] else None,
        "precision_shown": round(sums["right"] / sums["reports"], 3) if sums["reports"] else None,
        "never_shown": len(never),
        "reports_of_never_shown": wrong_never,
        "precision": round(sums["right"] / every, 3) if every else None,
    }


def run(shared: Path, encoder_id: str, passes: int, wanted: set[str]) -> Iterator[dict[str, Any]]:
    """Every case of the wanted halves with one encoder."""
    from streammem.encoders.load import load_encoder

    clips = shared / "data" / "real"
    half_of = halves(clips / "streams.json")
    encoder = load_encoder(encoder_id)
    read: dict[str, Clip] = {}
    for case in CASES:
        half = half_of[case.clip]
        if half not in wanted:
            continue
        if case.clip not in read:
            read[case.clip] = read_clip(clips / case.clip, encoder)
        spans = stretches(case, clips / "annotations")
        yield {"half": half, **judge(case, spans, read[case.clip], encoder, passes)}


def cost(encoder_id: str, frames: int) -> list[dict[str, Any]]:
    """Processor time of a frame and bytes of the state, for one alert and for the most."""
    from streammem.core.alerts import MAX_RULES, AlertRule
    from streammem.encoders.load import load_encoder
    from streammem.runtime.alerting import Alerting, AlertSetup

    encoder = load_encoder(encoder_id)
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((frames, encoder.spec.dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    background = encoder.background()
    vectors = 0.1 * vectors + (background.vectors[0] if background is not None else 0.0)
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    times = np.arange(frames) / SAMPLE_HZ
    rows = []
    for count in (1, MAX_RULES):
        rules = [AlertRule(word, text=word) for word in encoder.labels().words[:count]]
        alerting = Alerting(
            AlertSetup.prepare(rules, encoder), lambda _alert: None, interval_s=1 / SAMPLE_HZ
        )
        with harness.Stopwatch() as watch:
            for first in range(0, frames, 32):
                alerting.observe(times[first : first + 32], vectors[first : first + 32])
        rows.append(
            {
                "alerts": count,
                "cpu_us_per_frame": round(watch.timing.cpu_s / frames * 1e6, 1),
                "state_bytes": len(alerting.to_bytes()),
            }
        )
    return rows


def main() -> int:
    """Play, judge, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shared", type=Path, default=harness.REPOSITORY.parent / "shared")
    parser.add_argument("--encoders", nargs="+", default=list(ENCODERS))
    parser.add_argument("--halves", nargs="+", default=[TUNING, REPORTING])
    parser.add_argument("--passes", type=int, default=3)
    options = harness.arguments(parser, "alerts.json")
    wanted = {TUNING} if options.quick else set(options.halves)
    results: dict[str, Any] = {}
    for encoder_id in options.encoders[:1] if options.quick else options.encoders:
        rows = list(run(options.shared, encoder_id, options.passes, wanted))
        results[encoder_id] = {
            "totals": {
                half: totals(r for r in rows if r["half"] == half) for half in sorted(wanted)
            },
            "rows": rows,
        }
        print(f"\n{encoder_id}\n")
        columns = ("half", "clip", "alert", "stretches", "found", "reports", "right")
        print(harness.table([{key: row[key] for key in columns} for row in rows]))
        for half, found in results[encoder_id]["totals"].items():
            print(f"{half}: {found}")
    costs = cost(options.encoders[0], 2000 if options.quick else 20_000)
    print(f"\n{harness.table(costs)}")
    harness.write_result(
        options.out, {"passes": options.passes, "encoders": results, "cost": costs}
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
