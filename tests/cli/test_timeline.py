"""`streammem timeline` as a user runs it, on a clip whose scenes are known."""

import base64
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import REPOSITORY, Ran

SAMPLE = REPOSITORY / "samples" / "scenes.mp4"
TRUTH = json.loads((REPOSITORY / "samples" / "scenes.truth.json").read_text())
SCENES = [event for event in TRUTH["events"] if event["kind"] == "scene"]
# Two frames a second are remembered, so that a border may be off by one of them.
FRAME_S = 0.5


@pytest.fixture
def remembered(streammem: Callable[..., Ran]) -> Callable[..., Ran]:
    """A library that holds the sample clip."""
    done = streammem("ingest", str(SAMPLE), "--no-ocr", "--no-audio", "--encoder", "descriptor")
    assert done.status == 0, done.err
    return streammem


def test_the_document_holds_every_scene_with_its_bounds(remembered: Callable[..., Ran]) -> None:
    document = remembered("timeline", "scenes", "--json").document()
    (result,) = document["results"]
    starts = [event["start_s"] for event in result["events"]]

    assert document["command"] == "timeline"
    assert len(starts) == len(SCENES)
    assert all(
        abs(start_s - scene["start_s"]) <= FRAME_S
        for start_s, scene in zip(starts, SCENES, strict=True)
    )
    assert sum(event["duration_s"] for event in result["events"]) == pytest.approx(54.0)
    cues = [cue["text"] for event in result["events"] for cue in event["cues"]]
    assert cues == [event["label"] for event in TRUTH["events"] if event["kind"] == "subtitle"]
    assert [id_ for chapter in result["chapters"] for id_ in chapter["events"]] == [
        event["id"] for event in result["events"]
    ]


def test_the_table_fits_eighty_columns_and_quotes(remembered: Callable[..., Ran]) -> None:
    table = remembered("timeline", "scenes").out
    chapters = remembered("timeline", "scenes", "--chapters").out

    assert max(map(len, table.splitlines())) <= 80
    assert "This is the red room. (subtitle)" in table
    assert set(chapters.splitlines()) < set(table.splitlines())
    assert "subtitle" not in chapters


def test_a_range_bounds_the_events(remembered: Callable[..., Ran]) -> None:
    document = remembered("timeline", "scenes", "--between", "0:12.5", "22.5", "--json").document()
    (result,) = document["results"]

    assert (result["start_s"], result["end_s"]) == (12.5, 22.5)
    assert [event["start_s"] for event in result["events"]] == [12.5, 15.5, 19.5]


def test_the_page_holds_a_picture_of_every_event(
    remembered: Callable[..., Ran], tmp_path: Path
) -> None:
    """One file with whole pictures, which show what the event is about."""
    done = remembered("timeline", "scenes", "--html", "page.html", "--thumbnails", "pictures")
    html = (tmp_path / "page.html").read_text(encoding="utf-8")
    pictures = [
        Image.open(io.BytesIO(base64.b64decode(data)))
        for data in re.findall(r"data:image/webp;base64,([^\"]+)", html)
    ]

    assert done.status == 0
    assert "written: page.html" in done.err
    assert len(pictures) == len(SCENES) == len(list((tmp_path / "pictures").glob("*.webp")))
    red, green, blue = pictures[0].convert("RGB").resize((1, 1)).getpixel((0, 0))
    assert SCENES[0]["label"] == "red room"
    assert red > 2 * max(green, blue)


def test_an_unknown_memory_and_an_empty_library_are_usage_errors(
    streammem: Callable[..., Ran],
) -> None:
    assert streammem("timeline", "nothing").status == 2
    assert streammem("timeline", "--json").document()["error"]["code"] == "empty_library"
