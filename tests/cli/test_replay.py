"""`streammem replay` as a user runs it: on files, on memories, with files of alerts and sinks."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from streammem.core.errors import StreamMemError
from streammem.storage.memory_file import read_meta
from tests.cli.conftest import PATIENCE_S, Ran, command, environment
from tests.unit._receivers import receiving

Run = Callable[..., Ran]
_PACKET_BYTES = 188
# The rendered clip shows a red disc, a blue box and other things one after the other.
ALERTS = """
[defaults]
warm_up = "4s"
threshold = 4.0

[[alert]]
name = "meadow"
text = "green meadow"

[[alert]]
text = "night"
confirm_frames = 2
"""


@pytest.fixture
def alerts(tmp_path: Path) -> Path:
    """A file of alerts."""
    path = tmp_path / "alerts.toml"
    path.write_text(ALERTS)
    return path


def test_a_file_is_played_frame_by_frame(streammem: Run, samples: Path, alerts: Path) -> None:
    """The document has alerts, what was held back, and how this camera scores."""
    clip = str(samples / "scenes.mp4")
    ran = streammem("replay", clip, "--alert-file", str(alerts), "--json")
    assert ran.status == 0, ran.err
    (result,) = ran.document()["results"]

    assert (result["material"], result["memory_id"]) == ("frames", None)
    assert result["looked_at"] > 60
    assert [rule["name"] for rule in result["rules"]] == ["meadow", "night"]
    for rule in result["rules"]:
        assert rule["suppressed"].keys() == {"cool_down", "budget", "refused"}
        assert rule["site"]["spread"] >= 0.05
        assert rule["site"]["low"] <= rule["site"]["zero"] <= rule["site"]["high"]
        times = [one["time_s"] for one in result["alerts"] if one["name"] == rule["name"]]
        assert len(times) == rule["alerts"]
        assert all(b - a >= 10.0 for a, b in pairwise(times))
    assert result["alerts"], "something in this clip stands out"
    for one in result["alerts"]:
        assert one["score"] >= one["threshold"] == 4.0
        assert one["confirmed"] is True
        assert one["start_s"] <= one["time_s"]

    again = streammem("replay", clip, "--alert-file", str(alerts), "--json")
    assert again.document() == ran.document()


def test_a_memory_is_played_from_its_cells(
    streammem: Run, samples: Path, alerts: Path, tmp_path: Path
) -> None:
    """It says that it had visits only, and gives pictures of what it reports."""
    clip = str(samples / "scenes.mp4")
    assert streammem("ingest", clip, "--no-audio", "--no-ocr", "-q").status == 0
    ran = streammem(
        "replay", "scenes", "--alert-file", str(alerts), "--json",
        "--alert-thumbnails", str(tmp_path / "pictures"),
    )  # fmt: skip
    assert ran.status == 0, ran.err
    (result,) = ran.document()["results"]

    assert (result["material"], result["memory_id"]) == ("cells", "scenes")
    assert "holds visits, not frames" in result["notes"][0]
    assert result["alerts"]
    assert all(Path(one["thumbnail"]).stat().st_size > 100 for one in result["alerts"])
    file = streammem("replay", clip, "--alert-file", str(alerts), "--json").document()
    starts = [one["start_s"] for one in file["results"][0]["alerts"]]
    for start_s in starts:
        assert min(abs(one["start_s"] - start_s) for one in result["alerts"]) < 3.0


def test_lines_for_eyes_and_lines_for_programs(streammem: Run, samples: Path, alerts: Path) -> None:
    """Alerts come one a line; a summary says why there are not more."""
    clip = str(samples / "scenes.mp4")
    plain = streammem("replay", clip, "--alert-file", str(alerts))
    lines = streammem("replay", clip, "--alert-file", str(alerts), "--jsonl")
    events = [json.loads(line) for line in lines.out.splitlines()]

    assert [event["event"] for event in events[:-1]] == ["alert"] * (len(events) - 1)
    assert events[-1]["event"] == "replayed"
    assert "frames of the file" in " ".join(plain.out.split())
    assert "usual score" in plain.out
    assert all(len(line) <= 80 for line in plain.out.splitlines())


def test_a_command_hears_of_every_alert(
    streammem: Run, samples: Path, alerts: Path, tmp_path: Path
) -> None:
    """Deliveries are counted in the document."""
    target = tmp_path / "heard.jsonl"
    script = tmp_path / "hear.py"
    script.write_text(f"import sys; open({str(target)!r}, 'a').write(sys.stdin.read())")
    ran = streammem(
        "replay", str(samples / "scenes.mp4"), "--alert-file", str(alerts), "--json",
        "--on-alert", f"{sys.executable} '{script}'",
    )  # fmt: skip
    (result,) = ran.document()["results"]
    heard = [json.loads(line) for line in target.read_text().splitlines()]

    assert result["sinks"][0]["delivered"] == len(result["alerts"]) > 0
    assert sorted(one["time_s"] for one in heard) == [one["time_s"] for one in result["alerts"]]


def test_what_an_alert_file_cannot_mean_is_told_with_its_line(
    streammem: Run, tmp_path: Path
) -> None:
    """Nothing is guessed and nothing is played."""
    path = tmp_path / "wrong.toml"
    path.write_text('[[alert]]\ntext = "sky"\nthreshhold = 3\n')
    ran = streammem("replay", "synthetic:1?duration=5", "--alert-file", str(path), "--json")
    error = ran.document()["error"]

    assert ran.status == 2
    assert "line 3: unknown key 'threshhold'" in error["message"]
    assert error["hint"] == "did you mean threshold?"


def test_wrong_targets_and_words(streammem: Run, samples: Path) -> None:
    """Unknown memories, unknown words, no alert at all; one bad target spares the others."""
    clip = str(samples / "scenes.mp4")
    assert streammem("replay", clip).status == 2
    assert streammem("replay", "nothing-of-this-name", "--alert", "sky").status == 2
    unknown = streammem("replay", clip, "--alert", "zzyzx", "--json")
    assert unknown.status == 2
    assert unknown.document()["error"]["code"] == "unknown_words"

    both = streammem("replay", clip, __file__, "--alert", "green meadow", "--json")
    good, bad = both.document()["results"]
    assert both.status == 3
    assert good["error"] is None
    assert bad["error"]["code"]


def test_a_file_that_is_not_there_is_no_unknown_memory(streammem: Run, tmp_path: Path) -> None:
    """The error of a wrong path is about the path."""
    ran = streammem("replay", str(tmp_path / "nosuch.mp4"), "--alert", "a red disc", "--json")

    assert ran.status == 8
    assert ran.document()["error"]["code"] == "not_found"


def test_a_picture_is_looked_for(streammem: Run, samples: Path, tmp_path: Path) -> None:
    """The picture of an alert is found again where it was taken."""
    clip = str(samples / "scenes.mp4")
    found = streammem(
        "replay", clip, "--alert", "green meadow", "--json",
        "--alert-thumbnails", str(tmp_path / "pictures"),
    )  # fmt: skip
    (first, *_) = found.document()["results"][0]["alerts"]

    ran = streammem("replay", clip, "--alert-image", first["thumbnail"], "--json")
    (result,) = ran.document()["results"]

    assert ran.status == 0, ran.err
    assert any(abs(one["time_s"] - first["time_s"]) < 5.0 for one in result["alerts"])


def test_watch_reports_what_replay_reports_and_goes_on_after_a_restart(
    streammem: Run, samples: Path, alerts: Path, tmp_path: Path
) -> None:
    """The same frames give the same alerts; a second watch knows the camera already."""
    clip = tmp_path / "scenes.ts"
    _as_transport_stream(samples / "scenes.mp4", clip)
    replayed = streammem("replay", str(clip), "--alert-file", str(alerts), "--json").document()
    (result,) = replayed["results"]
    # A watch counts from its first frame, a file says itself when it begins.
    expected = [
        (one["name"], pytest.approx(one["time_s"] - result["start_s"], abs=1e-4), one["score"])
        for one in result["alerts"]
    ]

    with receiving(lambda _n: 200) as (url, server):
        first = _watch(clip, alerts, tmp_path, "--webhook", url)
        posted = [(headers, json.loads(body)) for headers, body in server.seen]
    second = _watch(clip, alerts, tmp_path)

    found = [line for line in first if line["event"] == "alert"]
    assert [(one["name"], one["time_s"], one["score"]) for one in found] == expected
    assert [(one["name"], one["time_s"]) for _, one in posted] == [
        (one["name"], one["time_s"]) for one in found
    ]
    for headers, one in posted:
        assert headers["x-streammem-signature"].startswith("sha256=")
        assert one["source"] == "-"
    whole = {line["name"]: line for line in second if line["event"] == "alert_rule"}
    half = {line["name"]: line for line in first if line["event"] == "alert_rule"}
    again = [line for line in second if line["event"] == "alert"]
    assert again
    assert all(one["time_s"] >= 53.0 for one in again)
    for name, rule in whole.items():
        assert rule["alerts"] == half[name]["alerts"] + sum(one["name"] == name for one in again)
        assert rule["site"]["learnt"] > half[name]["site"]["learnt"]


def test_a_watch_that_was_killed_goes_on_with_what_it_had_learnt(
    samples: Path, alerts: Path, tmp_path: Path
) -> None:
    """A file that grows: killed in its middle, the alerts are those of an undisturbed run."""
    whole, clip, library = tmp_path / "whole.ts", tmp_path / "scenes.ts", tmp_path / "killed"
    _as_transport_stream(samples / "scenes.mp4", whole)
    expected = [line for line in _watch(whole, alerts, tmp_path) if line["event"] == "alert"]
    stream = whole.read_bytes()
    clip.write_bytes(stream[: len(stream) // 2 // _PACKET_BYTES * _PACKET_BYTES])

    first = _watch_file(clip, alerts, library)
    _until(lambda: _committed_s(library / "s.smem") >= 15.0)
    before = _ended(first, signal.SIGKILL)
    committed_s = _committed_s(library / "s.smem")
    clip.write_bytes(stream)
    second = _watch_file(clip, alerts, library)
    _until(lambda: _committed_s(library / "s.smem") >= 53.0)
    after = _ended(second, signal.SIGTERM)

    told = [line for line in (*before, *after) if line["event"] == "alert"]
    rules = {line["name"]: line for line in after if line["event"] == "alert_rule"}
    assert 15.0 <= committed_s < 50.0
    assert [(one["name"], one["score"]) for one in told] == [
        (one["name"], one["score"]) for one in expected
    ]
    assert {name: rule["alerts"] for name, rule in rules.items()} == {
        name: sum(one["name"] == name for one in expected) for name in ("meadow", "night")
    }


def _watch_file(clip: Path, alerts: Path, library: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command("watch", str(clip), "--name", "s", "--alert-file", str(alerts), "--jsonl"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **environment(), "STREAMMEM_LIBRARY": str(library)},
        text=True,
    )


def _ended(watch: "subprocess.Popen[str]", number: int) -> list[dict[str, Any]]:
    """What a watch told up to the signal that ended it."""
    watch.send_signal(number)
    told, _ = watch.communicate(timeout=60)
    return [json.loads(line) for line in told.splitlines()]


def _until(condition: Callable[[], bool], within_s: float = 90.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come about in time"
        time.sleep(0.05)


def _committed_s(memory: Path) -> float:
    """Up to which time a memory is on disk; 0 while there is none."""
    try:
        return read_meta(memory).progress.last_end_s or 0.0
    except StreamMemError:
        return 0.0


def test_more_alerts_than_the_memory_has_room_for_are_refused(
    streammem: Run, samples: Path, tmp_path: Path
) -> None:
    """Before anything is watched, with what to do."""
    path = tmp_path / "many.toml"
    path.write_text("".join(f'[[alert]]\nname = "{n}"\ntext = "red"\n' for n in range(16)))
    ran = streammem(
        "watch", str(samples / "scenes.mp4"), "--alert-file", str(path), "--budget", "256KiB",
        "--json",
    )  # fmt: skip

    assert ran.status == 2
    assert ran.document()["error"]["code"] == "alerts_too_large"


def _as_transport_stream(source: Path, target: Path) -> None:
    with av.open(str(source)) as given, av.open(str(target), "w", format="mpegts") as made:
        video = given.streams.video[0]
        stream = made.add_stream_from_template(video)
        for packet in given.demux(video):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)


def _watch(clip: Path, alerts: Path, folder: Path, *more: str) -> list[dict[str, Any]]:
    """The event lines of a watch of standard input."""
    with clip.open("rb") as stream:
        done = subprocess.run(
            command("watch", "-", "--name", "s", "--alert-file", str(alerts), "--jsonl", *more),
            stdin=stream,
            env={
                **os.environ,
                **environment(),
                "STREAMMEM_LIBRARY": str(folder / "library"),
                "STREAMMEM_WEBHOOK_KEY": "a key of many characters",
            },
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert done.returncode in (0, 3), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
