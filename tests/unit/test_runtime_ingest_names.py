"""Several memories of one source, as names that were given make them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streammem.api import Library, request_from_config
from streammem.core.config import load_config
from streammem.core.results import IngestResult

SOURCE = "synthetic:7?duration=4&fps=8&size=96x64"
OWN = "synthetic-7"


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """An empty library."""
    return Library(tmp_path / "library")


def _ingest(library: Library, **asked: Any) -> IngestResult:
    config = load_config(environ={}, project_folder=library.folder).config
    request = request_from_config(config, encoder="descriptor", device="cpu")
    (result,) = library.ingest([SOURCE], replace(request, **asked))
    return result


def _frames(library: Library) -> dict[str, int]:
    return {one.memory_id: library.show(one.memory_id).frames.encoded for one in library.memories()}


def test_force_makes_the_memory_anew_that_bears_the_name_of_the_source(library: Library) -> None:
    """A part of the same source with a name of its own, which sorts first, stays as it is."""
    assert _ingest(library, name="a-part", end_s=2.0).status == "done"
    assert _ingest(library, name=OWN).status == "done"
    before = _frames(library)

    forced = _ingest(library, fps=4.0, force=True)

    assert (forced.error, forced.memory_id) == (None, OWN)
    assert _frames(library) == {**before, OWN: 2 * before[OWN]}


def test_the_memory_with_the_same_settings_is_the_one_that_is_unchanged(library: Library) -> None:
    """Which of several memories is meant follows from the settings, whatever their names."""
    _ingest(library, name="a-part", end_s=2.0)
    _ingest(library, name=OWN)

    assert _ingest(library).memory_id == OWN
    part = _ingest(library, end_s=2.0)
    assert (part.status, part.memory_id) == ("unchanged", "a-part")
    assert _ingest(library, fps=4.0).error is not None


def test_force_keeps_the_name_that_was_given(library: Library) -> None:
    """Who named a memory and makes it anew finds it under that name."""
    _ingest(library, name="lecture")

    forced = _ingest(library, fps=4.0, force=True)

    assert (forced.error, forced.memory_id) == (None, "lecture")
    assert list(_frames(library)) == ["lecture"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [({"policy": "nope"}, "unknown_policy"), ({"start_s": 1000.0}, "no_frames_in_range")],
)
def test_a_forced_run_that_can_make_nothing_keeps_the_memory_that_is_there(
    library: Library, asked: dict[str, Any], code: str
) -> None:
    """Nor does one that was not forced leave an empty memory behind."""
    _ingest(library)
    before = _frames(library)

    forced = _ingest(library, force=True, **asked)
    named = _ingest(library, name="new", **asked)

    assert [one.error.code for one in (forced, named) if one.error] == [code, code]
    assert _frames(library) == before


def test_force_does_not_guess_which_of_several_memories_goes(library: Library) -> None:
    """None bears the name of the source, so --name has to say which is made anew."""
    _ingest(library, name="a-part", end_s=2.0)
    _ingest(library, name="lecture")
    before = _frames(library)

    refused = _ingest(library, fps=4.0, force=True)
    named = _ingest(library, name="lecture", fps=4.0, force=True)

    assert refused.error is not None
    assert "a-part, lecture" in refused.error.message
    assert "--name" in (refused.error.hint or "")
    assert named.memory_id == "lecture"
    assert _frames(library) == {"a-part": before["a-part"], "lecture": 2 * before["lecture"]}
