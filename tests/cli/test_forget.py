"""`streammem forget --between` and `streammem compact` as a user runs them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import REPOSITORY, Ran

SAMPLE = REPOSITORY / "samples" / "scenes.mp4"
TRUTH = json.loads((REPOSITORY / "samples" / "scenes.truth.json").read_text())
SUBTITLES = [event for event in TRUTH["events"] if event["kind"] == "subtitle"]


@pytest.fixture
def clip(streammem: Callable[..., Ran], tmp_path: Path) -> Path:
    """A copy of the sample clip, remembered."""
    copy = tmp_path / "scenes.mp4"
    shutil.copyfile(SAMPLE, copy)
    done = streammem("ingest", str(copy), "--no-ocr", "--no-audio", "--encoder", "descriptor")
    assert done.status == 0, done.err
    return copy


def _memory(streammem: Callable[..., Ran]) -> Path:
    (listed,) = streammem("list", "--json").document()["results"]
    return Path(listed["memory_path"])


def test_a_stretch_is_forgotten_proven_and_stays_forgotten(
    streammem: Callable[..., Ran], clip: Path
) -> None:
    """Its subtitle is in no byte of the file, answers say "forgotten", ingest leaves it so."""
    said = SUBTITLES[0]
    start_s, end_s = said["start_s"] - 0.3, said["end_s"] + 0.3
    path = _memory(streammem)
    assert said["label"].encode() in path.read_bytes()

    outside = streammem("forget", "scenes", "--between", "1:00:00", "2:00:00", "--json")
    assert (outside.status, outside.document()["error"]["code"]) == (2, "outside_memory")
    assert streammem("forget", "scenes", "other", "--between", "1", "2").status == 2
    preview = streammem("forget", "scenes", "--between", str(start_s), str(end_s), "--json")
    assert preview.document()["results"][0]["removed"] is False
    assert said["label"].encode() in path.read_bytes()

    done = streammem("forget", "scenes", "--between", str(start_s), str(end_s), "--yes", "--json")
    (result,) = done.document()["results"]
    assert done.status == 0, done.out
    assert result["proof"]["holds"]
    assert result["proof"]["found_before"] > 0
    assert result["proof"]["found_after"] == 0
    assert result["cues"] == 1
    assert result["rebuilt"] > 0
    assert result["dropped"] == result["cells"] - result["rebuilt"]
    assert said["label"].encode() not in path.read_bytes()
    # Every frame is in a cell or counted as gone, and only those of the stretch are.
    shown = streammem("show", "scenes", "--json").document()["results"][0]
    masses = sum(cell["mass"] for cell in shown["cell_list"])
    assert masses + result["frames"] == shown["frames"]["encoded"]
    assert result["frames"] == pytest.approx(2 * (end_s - start_s), abs=2)

    asked = streammem("ask", "what is shown?", "--between", str(start_s), str(end_s), "--json")
    notes = " ".join(asked.document()["notes"])
    assert "(forgotten)" in notes
    assert streammem("verify").status == 0
    again = streammem("ingest", str(clip), "--no-ocr", "--no-audio", "--encoder", "descriptor",
                      "--json")  # fmt: skip
    assert again.document()["results"][0]["status"] == "unchanged"
    assert {"start_s": start_s, "end_s": end_s, "reason": "forgotten"} in [
        {**gap, "start_s": round(gap["start_s"], 6), "end_s": round(gap["end_s"], 6)}
        for gap in again.document()["results"][0]["gaps"]
    ]


def test_without_the_source_touched_cells_are_dropped_and_it_says_so(
    streammem: Callable[..., Ran], clip: Path
) -> None:
    clip.unlink()
    done = streammem("forget", "scenes", "--between", "1.2", "2.2", "--yes", "--json")
    (result,) = done.document()["results"]

    assert done.status == 0
    assert result["rebuilt"] == 0
    assert result["dropped"] == result["cells"] > 0
    assert result["lost_s"] > 0
    assert result["why_dropped"]
    assert result["proof"]["holds"]
    assert streammem("verify").status == 0


def test_compact_pins_lists_and_removes(streammem: Callable[..., Ran], clip: Path) -> None:
    """A dry run changes nothing, a pin holds against a quota, and without it the memory goes."""
    path = _memory(streammem)
    tried = streammem("compact", "--quota", "1B", "--dry-run")
    assert "would remove scenes" in tried.out
    assert path.exists()
    kept = streammem("compact", "--pin", "scenes", "--quota", "1B", "--json").document()["results"]
    assert [(one["action"], one["reason"], one["pinned"]) for one in kept] == [
        ("keep", "is pinned", True)
    ]
    assert streammem("compact", "--unpin", "scenes", "--quota", "1B").status == 0
    assert not path.exists()
    assert streammem("compact", "--keep", "soon").status == 2
