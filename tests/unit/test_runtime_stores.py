"""The copy of a library in a store: what is fetched, moved, laid aside, refused and let go."""

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from streammem.api import request_from_config
from streammem.core.config import LoadedConfig, load_config
from streammem.core.errors import BudgetError, StreamMemError, UsageError
from streammem.core.results import IngestEvent, IngestRequest, IngestResult

pytest.importorskip("fsspec")
from streammem.stores import LibraryInStore

BLUE = "synthetic:1?duration=4&fps=8&size=96x64"
RED = "synthetic:2?duration=4&fps=8&size=96x64"


def request(name: str) -> IngestRequest:
    return request_from_config(load_config().config, name=name, encoder="descriptor")


class World:
    """A store, and libraries over it on several machines."""

    def __init__(self, folder: Path) -> None:
        self.there = folder / "share" / "films"
        self.folder = folder

    def machine(self, number: int, config: LoadedConfig | None = None) -> LibraryInStore:
        return LibraryInStore(
            f"file://{self.there}", config, copies=self.folder / f"machine{number}"
        )

    def stored(self) -> list[str]:
        return sorted(file.name for file in self.there.iterdir())


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty store."""
    return World(tmp_path)


def names(library: LibraryInStore) -> list[str]:
    return [one.memory_id for one in library.memories()]


def put(library: LibraryInStore, source: str, name: str) -> IngestResult:
    (result,) = library.ingest([source], request(name))
    return result


def test_a_memory_is_told_to_be_done_only_once_it_is_there(world: World) -> None:
    """The event comes when the file has its name; what is fetched elsewhere is the same file."""
    heard = []

    def hear(event: IngestEvent) -> None:
        if event.kind == "item_done":
            heard.append((world.there / "blue.smem").read_bytes())

    world.machine(1).ingest([BLUE], request("blue"), on_event=hear)
    other = world.machine(2)
    other.refresh()
    assert heard == [(other.folder / "blue.smem").read_bytes()]
    assert world.stored() == ["blue.smem", "library.json"]


def test_only_what_changed_is_fetched_and_what_went_there_goes_here(world: World) -> None:
    """Each file is fetched once as long as it stays the same."""
    first, second = world.machine(1), world.machine(2)
    put(first, BLUE, "blue")
    put(first, RED, "red")
    second.refresh()
    before = {one: (second.folder / f"{one}.smem").stat().st_ino for one in ("blue", "red")}
    assert second.ask("when does a blue square appear?").intent == "when"
    first.ingest([BLUE], replace(request("blue"), force=True, fps=4.0))
    (world.there / "red.smem").unlink()
    (world.there / "..evil.smem").write_bytes(b"x")
    second.refresh()
    assert names(second) == ["blue"]
    assert (second.folder / "blue.smem").stat().st_ino != before["blue"]
    kept = (second.folder / "blue.smem").stat().st_ino
    second.refresh()
    assert (second.folder / "blue.smem").stat().st_ino == kept
    assert (second.folder / "blue.smem").read_bytes() == (world.there / "blue.smem").read_bytes()


def test_a_name_that_others_took_meanwhile_is_not_taken_from_them(world: World) -> None:
    """The run says so; the next one keeps what was made aside and takes another name."""
    first, second = world.machine(1), world.machine(2)
    taken: list[IngestResult] = []

    def meanwhile(event: IngestEvent) -> None:
        if event.kind == "started":
            taken.append(put(first, RED, "scene"))

    (result,) = second.ingest([BLUE], request("scene"), on_event=meanwhile)
    assert taken[0].error is None
    assert result.status == "failed"
    assert result.error is not None
    assert result.error.code == "name_taken"
    theirs = (world.there / "scene.smem").read_bytes()
    assert theirs == (first.folder / "scene.smem").read_bytes()
    second.refresh()
    assert (second.folder / "scene.smem").read_bytes() == theirs
    assert len(list((second.folder / "aside").iterdir())) == 1
    assert put(second, BLUE, "blue").error is None
    assert world.stored() == ["blue.smem", "library.json", "scene.smem"]


def test_what_could_not_be_moved_stays_and_is_moved_by_the_next_run(world: World) -> None:
    """A store that cannot be written makes a failure of each memory, and loses none."""
    world.there.parent.mkdir()
    first = world.machine(1)
    blocked = []

    def block(event: IngestEvent) -> None:
        if event.kind == "started":
            world.there.write_bytes(b"a file where the folder should be")
        if event.kind.startswith("item_"):
            blocked.append(event.kind)

    (result,) = first.ingest([BLUE], request("blue"), on_event=block)
    assert blocked == ["item_failed"]
    assert result.error is not None
    assert (result.status, result.error.code) == ("failed", "store_unreachable")
    assert names(first) == ["blue"]
    world.there.unlink()
    red = put(world.machine(1), RED, "red")
    assert red.error is None
    assert world.stored() == ["blue.smem", "library.json", "red.smem"]


def test_an_unfinished_and_a_damaged_memory_are_not_moved(world: World) -> None:
    """The first waits to be finished, the second is a failure of its own."""
    library = world.machine(1)
    calls = []

    def stop() -> bool:
        calls.append(1)
        return len(calls) > 2

    endless = "synthetic:3?duration=600&fps=8&size=96x64"
    with pytest.raises(StreamMemError) as stopped:
        library.ingest([endless], request("long"), should_stop=stop)
    assert stopped.value.exit_code == 130
    assert not (world.there / "long.smem").exists()
    made = library.folder / "bad.smem"
    made.write_bytes(b"this is no memory" * 1000)
    bad, good = library.ingest([BLUE], request("blue"))
    assert (bad.status, bad.source) == ("failed", f"{library.address}/bad.smem")
    assert good.error is None
    assert world.stored() == ["blue.smem", "library.json"]


def test_copies_are_bounded(world: World, tmp_path: Path) -> None:
    """What is too large is refused unless named; other libraries' old copies make room."""
    root = tmp_path / "machine1"
    put(world.machine(1), BLUE, "blue")
    size = (world.there / "blue.smem").stat().st_size
    shutil.copy(world.there / "blue.smem", world.there / "again.smem")
    tight = load_config(flags={"library.copies": size + size // 2})
    with pytest.raises(BudgetError, match="copies here may take"):
        world.machine(2, tight).refresh()
    named = world.machine(2, tight)
    named.refresh(["blue"])
    assert names(named) == ["blue"]

    other = World(tmp_path / "other")
    put(other.machine(9), RED, "red")
    mine = world.machine(1)
    old = time.time() - 86_400
    os.utime(mine.folder / ".store.json", (old, old))
    fresh = LibraryInStore(f"file://{other.there}", tight, copies=root)
    fresh.refresh()
    assert names(fresh) == ["red"]
    assert not mine.folder.exists()
    # A copy with something that lies nowhere else stays.
    left = world.machine(1)
    left.refresh(["blue"])
    shutil.copy(world.there / "blue.smem", left.folder / "mine.smem")
    os.utime(left.folder / ".store.json", (old, old))
    fresh.refresh()
    assert left.folder.exists()


def test_what_needs_a_folder_is_refused(world: World) -> None:
    """Watching and forgetting, each with what to do instead."""
    library = world.machine(1)
    with pytest.raises(UsageError, match="cannot be remembered"):
        library.watch("a.ts")
    with pytest.raises(UsageError, match="nothing can be forgotten"):
        library.forget(["a"], remove=True)
