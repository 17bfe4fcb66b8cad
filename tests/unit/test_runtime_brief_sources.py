"""Sources that end within a batch: their memory comes into being whole, and equal to any other."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streammem.api import Library, request_from_config
from streammem.core.config import load_config
from streammem.core.errors import SourceError
from streammem.core.results import IngestResult
from streammem.runtime.batches import EncodingPipeline
from streammem.runtime.ingestion import Ingestion
from streammem.storage.memory_file import MemoryWriter, read_memory, read_thumbnail

SOURCE = "synthetic:7?duration=4&fps=8&size=96x64"


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How memories are begun, in order."""
    ways: list[str] = []
    for way in ("create", "draft"):
        monkeypatch.setattr(MemoryWriter, way, classmethod(_noting(ways, way)))
    return ways


def _noting(ways: list[str], way: str) -> Any:
    begin = getattr(MemoryWriter, way).__func__

    def noted(cls: type, *arguments: Any) -> Any:
        ways.append(way)
        return begin(cls, *arguments)

    return noted


def _ingest(folder: Path, source: str = SOURCE) -> IngestResult:
    library = Library(folder)
    config = load_config(environ={}, project_folder=folder).config
    request = request_from_config(config, encoder="descriptor", device="cpu")
    (result,) = library.ingest([source], replace(request, audio=False, screen_text=False))
    return result


def test_a_brief_source_becomes_the_memory_that_it_would_have_become(
    tmp_path: Path, begun: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells, pictures, progress and sizes; only how it comes to lie there differs."""
    assert _ingest(tmp_path / "draft").status == "done"
    monkeypatch.setattr(Ingestion, "_fits_a_batch", lambda *_: False)
    assert _ingest(tmp_path / "created").status == "done"
    assert begun == ["draft", "create"]

    paths = [tmp_path / place / "synthetic-7.smem" for place in ("draft", "created")]
    draft, created = map(read_memory, paths)
    assert draft.sections == created.sections
    assert draft.thumbnail_keys == created.thumbnail_keys
    for key in draft.thumbnail_keys:
        assert read_thumbnail(paths[0], key) == read_thumbnail(paths[1], key)
    assert draft.progress == created.progress
    assert replace(draft.meta, created_at=0.0) == replace(created.meta, created_at=0.0)
    assert [path.name for path in sorted((tmp_path / "draft").glob("*.smem*"))] == [paths[0].name]


def test_a_source_of_more_than_a_batch_is_there_from_its_beginning(
    tmp_path: Path, begun: list[str]
) -> None:
    """Others can see that it is being read, and what was committed is never written twice."""
    assert _ingest(tmp_path, "synthetic:7?duration=40&fps=4&size=64x48").status == "done"
    assert begun == ["create"]


def test_a_brief_source_that_breaks_leaves_nothing_and_is_read_by_the_next_run(
    tmp_path: Path, begun: list[str]
) -> None:
    """Not even its name."""

    def breaking(_: EncodingPipeline) -> Iterator[Any]:
        raise SourceError("gone", hint="come back")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EncodingPipeline, "__iter__", breaking)
        assert _ingest(tmp_path).status == "failed"
    assert list(tmp_path.glob("*.smem")) == []
    assert _ingest(tmp_path).status == "done"
    assert _ingest(tmp_path).status == "unchanged"
    assert begun == ["draft", "draft"]
