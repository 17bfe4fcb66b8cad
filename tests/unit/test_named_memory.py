"""One memory of a library, asked alone."""

from pathlib import Path

import pytest

from streammem import AskOptions, Library, Memory
from streammem.core.config import load_config
from streammem.core.errors import MissingError, UsageError
from streammem.core.requests import request_from_config

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Two memories that answer one question differently."""
    opened = Library(tmp_path_factory.mktemp("library"))
    config = load_config(environ={}, project_folder=opened.folder).config
    clips = [str(SAMPLES / "scenes.mp4"), str(SAMPLES / "vfr_delayed.mkv")]
    results = opened.ingest(clips, request_from_config(config, encoder="descriptor"))
    assert [result.status for result in results] == ["done", "done"]
    return opened


def test_a_memory_answers_for_itself_alone(library: Library) -> None:
    """The other memory's moments are neither evidence nor candidates."""
    question = "when is the screen yellow?"
    shown, not_shown = (library.memory(name).ask(question) for name in ("scenes", "vfr_delayed"))

    assert {item.memory_id for item in shown.evidence} == {"scenes"}
    assert not_shown.abstained
    assert {item.memory_id for item in not_shown.candidates} == {"vfr_delayed"}
    assert {item.memory_id for item in library.ask(question).evidence} == {"scenes"}


def test_options_are_kept_but_for_the_memory(library: Library) -> None:
    """A question to one memory stays with it, whatever the options name."""
    options = AskOptions(memories=("vfr_delayed",), top_k=1)
    found = library.memory("scenes").search("yellow", options=options)

    assert [item.memory_id for item in found.evidence] == ["scenes"]


def test_what_a_memory_holds_is_told(library: Library) -> None:
    """The library's functions, for this memory only; a path names it as well as its id."""
    memory = library.memory("scenes")

    assert (memory.name, memory.show().summary.memory_id) == ("scenes", "scenes")
    assert memory.verify().ok
    assert memory.timeline().memory_id == "scenes"
    assert [gone.memory_id for gone in memory.forget(remove=False)] == ["scenes"]
    by_path = library.memory(str(library.folder / "scenes.smem"))
    assert by_path.ask("when is the screen yellow?").evidence


def test_a_memory_of_an_encoder_that_has_changed_says_how_to_make_it_anew(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing to download for an encoder that comes with streammem."""
    monkeypatch.setattr("streammem.encoders._descriptor.digest_of", lambda _: "another")
    again = Library(library.folder)

    with pytest.raises(MissingError) as refusal:
        again.memory("scenes").ask("when is the screen yellow?")

    assert refusal.value.code == "missing_weights"
    assert refusal.value.hint is not None
    assert f"streammem ingest {SAMPLES / 'scenes.mp4'} --force" in refusal.value.hint


def test_an_unknown_memory_is_refused_at_once(library: Library) -> None:
    with pytest.raises(UsageError, match="there is no memory 'scene'"):
        library.memory("scene")
    assert Memory.__doc__
